package bench

import (
	"bytes"
	"context"
	"encoding/csv"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"cse.example/cse/card/cns"
	"cse.example/cse/engine/store"
	"cse.example/cse/ground/civil"
	"cse.example/cse/issuer/cardbase"
	"cse.example/cse/login/logintest"
	"cse.example/cse/person/registry"
)

// cardBase is the import of another issuer's cards (docs/card-base.md), durable,
// on each engine: every row finds its holder and his cards.
var cardBase = row{"cardbase", func(t *testing.T, s size) []figure {
	n := s.of(100_000, 5_000)
	var out []figure
	for _, e := range []struct{ name, dsn string }{
		{"SQLite", "sqlite:" + filepath.Join(t.TempDir(), "cse.db")}, {"PostgreSQL", postgres(t)},
	} {
		out = append(out, figure{name: "cards of another issuer imported, " + e.name, unit: "rows/s", ours: []float64{importBase(t, e.dsn, n)}})
	}
	return out
}}

// importBase fills a store with people and imports a card for each; it answers
// the cards a second.
func importBase(t *testing.T, dsn string, n int) float64 {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	db, err := store.Open(t.Context(), dsn)
	must(err)
	defer db.Close()
	var people bytes.Buffer
	must(registry.Generate(&people, n, 7, civil.Today(civil.System{})))
	rows, err := csv.NewReader(bytes.NewReader(people.Bytes())).ReadAll()
	must(err)
	record := trail(t, db).Record
	i, err := registry.NewImporter(registry.Importer{Store: db.People(), Atomically: db.Atomically, Record: record, Clock: civil.System{}})
	must(err)
	_, err = i.Import(t.Context(), &people)
	must(err)
	var base bytes.Buffer
	w := csv.NewWriter(&base)
	must(w.Write(cardbase.Columns))
	for k, r := range rows[1:] {
		id, err := cns.NewCardID("6030", uint64(k+1), 0)
		must(err)
		must(w.Write([]string{
			string(id), "", r[0], "TS-CNS", "active", "", "2023-05-02", "2029-05-02", "2023-05-10", "2023-06-01", "", "", "", fmt.Sprintf("%x", 1000+k), "", "",
		}))
	}
	w.Flush()
	must(w.Error())
	b, err := cardbase.New(cardbase.Importer{
		Cards: db.Cards(), People: db.People(), Issuer: cardbase.Issuer{ID: "prima", Certificate: logintest.NewAuthority(t, "CA di prima", time.Now()).Cert},
		Reserve: func(context.Context, []string) error { return nil }, Atomically: db.Atomically, Record: record, Clock: civil.System{},
	})
	must(err)
	begun := time.Now()
	rep, err := b.Import(t.Context(), &base)
	must(err)
	took := time.Since(begun)
	if rep.Total.Kept != n || !rep.Balanced() {
		t.Fatalf("%+v %v", rep.Total, rep.Errors[:min(3, len(rep.Errors))])
	}
	return float64(n) / took.Seconds()
}
