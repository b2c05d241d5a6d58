package privacy_test

import (
	"context"
	"crypto/rand"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"cse.example/cse/engine/store"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/privacy"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
)

var monday = time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC)

const (
	mario  codicefiscale.Code = "RSSMRA85T10A562S"
	luigia codicefiscale.Code = "VRDLGU85M41F205T"
)

type bench struct {
	*privacy.Room
	db      *store.DB
	clock   *civil.Hand
	entries []journal.Entry
	watched journal.Recorder
}

func newBench(t *testing.T, db *store.DB) *bench {
	t.Helper()
	h, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		t.Fatal(err)
	}
	seal, err := aead.New(h)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{db: db, clock: civil.NewHand(monday)}
	surnames := map[codicefiscale.Code]string{mario: "ROSSI", luigia: "ROSSI", "BNCGLI85D52D612X": "BIANCHI"}
	record := func(_ context.Context, e journal.Entry) error { b.entries = append(b.entries, e); return nil }
	b.Room, err = privacy.New(privacy.Deps{
		Requests: db.Privacy(), Looks: db.Privacy(), Reports: db.Privacy(),
		Export: func(_ context.Context, cf codicefiscale.Code) ([]privacy.Section, error) {
			return []privacy.Section{{Key: "registry", Rows: [][]privacy.Field{{{Name: "name", Value: string(cf)}}}}}, nil
		},
		Person: func(_ context.Context, cf codicefiscale.Code) (registry.Person, error) {
			s, ok := surnames[cf]
			if !ok {
				return registry.Person{}, registry.ErrUnknown
			}
			return registry.Person{CF: cf, Surname: s}, nil
		},
		Operator:  func(_ context.Context, account string) (codicefiscale.Code, bool) { return luigia, account == "op1" },
		Colleague: func(_ context.Context, cf codicefiscale.Code) bool { return cf == "BNCGLI85D52D612X" || cf == luigia },
		Pseudonym: func(cf codicefiscale.Code) string { return "p" + strings.ToLower(string(cf)[:3]) + string(cf)[13:] },
		Seal:      seal, Clock: b.clock, Rand: rand.Reader, Atomically: db.Atomically, Record: record, Terms: privacy.Terms{AnswerDays: 30, LooksADay: 3},
	})
	if err != nil {
		t.Fatal(err)
	}
	b.watched = b.Watch(record)
	return b
}

func refused(t *testing.T, what string, err error, code string) {
	t.Helper()
	if !errors.Is(err, words.Refuse(code)) {
		t.Errorf("%s: %v, want %s", what, err, code)
	}
}

func TestRequestsHaveATerm(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBench(t, db)
		_, err := b.Ask(t.Context(), mario, privacy.Rectification, "  ")
		refused(t, "a rectification without words", err, "CSE-640")
		_, err = b.Ask(t.Context(), mario, "delete-me", "x")
		refused(t, "no such request", err, "CSE-642")
		q, err := b.Ask(t.Context(), mario, privacy.Rectification, "l'indirizzo è sbagliato")
		if err != nil || q.State != privacy.Open {
			t.Fatalf("%+v, %v", q, err)
		}
		if due := civil.DayOf(q.Due).AddDays(-1); due.String() != "2026-12-23" {
			t.Errorf("the term ends on %s", due)
		}
		_, err = b.Ask(t.Context(), mario, privacy.Rectification, "e anche il telefono")
		refused(t, "a second one", err, "CSE-641")
		if a, err := b.Ask(t.Context(), mario, privacy.Access, ""); err != nil || a.State != privacy.Answered {
			t.Errorf("access is answered at once: %+v, %v", a, err)
		}
		if list, err := b.Of(t.Context(), luigia); err != nil || len(list) != 0 {
			t.Errorf("somebody else sees %d requests, %v", len(list), err)
		}
		b.clock.Set(q.Due.Add(time.Second))
		waiting, err := b.Waiting(t.Context())
		if err != nil || len(waiting) != 1 || !waiting[0].Late(b.clock.Now()) || waiting[0].CF != mario {
			t.Errorf("waiting %+v, %v", waiting, err)
		}
		refused(t, "an empty answer", b.Answer(t.Context(), "sec", q.ID, " ", false), "CSE-640")
		if err := b.Answer(t.Context(), "sec", q.ID, "Lo corregge il Comune.", true); err != nil {
			t.Fatal(err)
		}
		refused(t, "twice", b.Answer(t.Context(), "sec", q.ID, "x", false), "CSE-643")
		list, err := b.Of(t.Context(), mario)
		if err != nil || len(list) != 2 {
			t.Fatalf("%v, %v", list, err)
		}
		for _, x := range list {
			if x.Kind == privacy.Rectification && (x.State != privacy.Refused || x.Answer == "" || x.Text == "") {
				t.Errorf("%+v", x)
			}
		}
	})
}

func TestExportIsJournaled(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	e, err := b.Export(t.Context(), mario)
	if err != nil || e.CF != string(mario) || len(e.Sections) != 1 || b.entries[0].Act != "privacy.exported" {
		t.Errorf("%+v, %v, %+v", e, err, b.entries)
	}
}

// Looks at a colleague, at somebody of the same surname, at many people in a
// day: each leaves one alert, in the act of the look.
func TestOddLooks(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBench(t, db)
		look := func(cf codicefiscale.Code) {
			t.Helper()
			err := db.Atomically(t.Context(), func(ctx context.Context) error {
				return b.watched(ctx, journal.Entry{Act: "holder.viewed", Actor: "op1", Office: "asl1", Person: string(cf)})
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		kinds := func() map[privacy.AlertKind]int {
			list, err := b.Alerts(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			out := map[privacy.AlertKind]int{}
			for _, a := range list {
				out[a.Kind] += a.Count
			}
			return out
		}
		look("BNCGLI85D52D612W") // nobody special
		if got := kinds(); len(got) != 0 {
			t.Errorf("an ordinary look: %v", got)
		}
		look(mario)
		look(mario)
		if got := kinds(); got[privacy.SameSurname] != 1 || len(got) != 1 {
			t.Errorf("same surname: %v", got)
		}
		look("BNCGLI85D52D612X")
		if got := kinds(); got[privacy.Colleague] != 1 {
			t.Errorf("a colleague: %v", got)
		}
		look("AAABBB80A01F205X")
		look("CCCDDD80A01F205Y")
		if got := kinds(); got[privacy.Volume] != 5 {
			t.Errorf("volume: %v", got)
		}
		list, err := b.Alerts(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		refused(t, "his own", b.See(t.Context(), "op1", list[0].ID, "tutto bene"), "CSE-645")
		refused(t, "without words", b.See(t.Context(), "sec", list[0].ID, ""), "CSE-640")
		if err := b.See(t.Context(), "sec", list[0].ID, "verificato"); err != nil {
			t.Error(err)
		}
		refused(t, "twice", b.See(t.Context(), "sec", list[0].ID, "verificato"), "CSE-644")
		b.clock.Advance(24 * time.Hour)
		look(mario)
		if got := kinds(); got[privacy.SameSurname] == 0 {
			t.Errorf("the next day counts anew: %v", got)
		}
	})
}

func TestRetention(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	q, err := b.Ask(t.Context(), mario, privacy.Access, "")
	if err != nil {
		t.Fatal(err)
	}
	keepers := []privacy.Keeper{
		{Kind: "requests", Days: 400, Least: 365, Purge: b.db.Privacy().PurgeRequests},
		{Kind: "looks", Days: 30, Purge: b.db.Privacy().PurgeLooks},
	}
	short := keepers[0]
	short.Days = 10
	if _, err := b.Retain(t.Context(), []privacy.Keeper{short}); err == nil {
		t.Error("a term below what is allowed passes")
	}
	for _, x := range []struct {
		days int
		want int64
	}{{399, 0}, {2, 1}} {
		b.clock.Advance(time.Duration(x.days) * 24 * time.Hour)
		for range 2 { // the second run of a day changes nothing in its report
			r, err := b.Retain(t.Context(), keepers)
			if err != nil || r.Lines[0].Destroyed != x.want {
				t.Errorf("after %d days: %+v, %v", x.days, r, err)
			}
		}
	}
	if list, err := b.Of(t.Context(), mario); err != nil || len(list) != 0 {
		t.Errorf("request %s is still there: %v", q.ID, err)
	}
	if reports, err := b.Retention(t.Context()); err != nil || len(reports) != 2 {
		t.Errorf("%d reports, %v", len(reports), err)
	}
	if e := b.entries[len(b.entries)-1]; e.Act != "privacy.retention" || e.Detail["requests"] != "1" {
		t.Errorf("journal %+v", e)
	}
}
