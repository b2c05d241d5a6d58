package store

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
)

func day(t *testing.T, s string) civil.Date {
	t.Helper()
	d, err := civil.ParseISO(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func importer(t testing.TB, db *DB) *registry.Importer {
	t.Helper()
	i, err := registry.NewImporter(registry.Importer{
		Store: db.People(), Atomically: db.Atomically,
		Record: func(context.Context, journal.Entry) error { return nil },
		Clock:  civil.NewHand(time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func putPeople(t *testing.T, db *DB, people ...registry.Person) (changed int) {
	t.Helper()
	err := db.Atomically(t.Context(), func(ctx context.Context) error {
		for _, p := range people {
			c, err := db.People().Put(ctx, p)
			if err != nil {
				return err
			}
			if c {
				changed++
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return changed
}

func rossi(t *testing.T) registry.Person {
	return registry.Person{
		CF: "RSSMRA80A01D612Y", Surname: "Rossi", Name: "Mario", Born: day(t, "1980-01-01"), Sex: "M",
		BirthPlace: "D612", BirthProvince: "FI", Citizenship: "AL", Residence: "D612", Address: "Via Roma, 1",
		PostCode: "50121", Died: day(t, "2026-01-02"), ASL: "201", AssistedFrom: day(t, "2010-01-01"), AssistedUntil: day(t, "2030-01-01"),
		AbroadRight: true, Permit: registry.Permit{Kind: registry.PermitUntil, Until: day(t, "2028-03-04")},
		Guardians:         []registry.Guardian{{CF: "12345670017", Kind: registry.Tutor, From: day(t, "2020-01-01")}},
		UnderGuardianship: true, Email: "mario@example.org",
	}
}

func TestPeopleKeepEveryField(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		p := rossi(t)
		if n := putPeople(t, db, p, p); n != 1 {
			t.Errorf("changed %d, want 1", n)
		}
		got, err := db.People().Get(t.Context(), p.CF)
		if diff := cmp.Diff(p, got); diff != "" || err != nil {
			t.Error(diff, err)
		}
		p.Email = ""
		if n := putPeople(t, db, p); n != 1 {
			t.Error("a change was not seen")
		}
		if got, err := db.People().Get(t.Context(), p.CF); err != nil || got.Email != "" {
			t.Errorf("got %+v %v", got, err)
		}
		if _, err := db.People().Get(t.Context(), "BNCGFR75M49A390L"); !errors.Is(err, registry.ErrUnknown) {
			t.Errorf("unknown: %v", err)
		}
	})
}

func TestPeopleSearch(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		var people []registry.Person
		for i, name := range [][2]string{{"D'Alì", "Niccolò"}, {"Dalia", "Ugo"}, {"De Luca", "Mario"}, {"Łukasik", "Zoë"}} {
			p := rossi(t)
			p.Surname, p.Name, p.Born = name[0], name[1], day(t, "1980-01-01").AddDays(i)
			cf, err := codicefiscale.Compute(codicefiscale.Person{Surname: p.Surname, Name: p.Name, Born: p.Born, Sex: "M", Belfiore: "D612"})
			if err != nil {
				t.Fatal(err)
			}
			p.CF = cf
			people = append(people, p)
		}
		putPeople(t, db, people...)
		tests := []struct {
			q    registry.Query
			want []string
		}{
			{registry.Query{Name: "dali"}, []string{"Dalia", "D'Alì"}},
			{registry.Query{Name: "D’ALÌ nicc"}, []string{"D'Alì"}},
			{registry.Query{Name: "mario del"}, []string{"De Luca"}},
			{registry.Query{Name: "lukasik zoe"}, []string{"Łukasik"}},
			{registry.Query{Name: "d"}, []string{"Dalia", "D'Alì", "De Luca"}},
			{registry.Query{Name: "d", Limit: 1}, []string{"Dalia"}},
			{registry.Query{Name: "d", Born: day(t, "1980-01-03")}, []string{"De Luca"}},
			{registry.Query{Born: day(t, "1980-01-04")}, []string{"Łukasik"}},
			{registry.Query{CF: people[0].CF}, []string{"D'Alì"}},
			{registry.Query{CF: "RSSMRA80A01D612Y"}, nil},
			{registry.Query{Name: "%"}, nil},
			{registry.Query{}, nil},
		}
		for _, tt := range tests {
			found, err := db.People().Search(t.Context(), tt.q)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, p := range found {
				got = append(got, p.Surname)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("%+v: %s", tt.q, diff)
			}
		}
	})
}

func TestPeopleImportAndPages(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		var file bytes.Buffer
		if err := registry.GenerateWithErrors(&file, 300, 3, 5, day(t, "2026-11-23")); err != nil {
			t.Fatal(err)
		}
		for _, want := range []int{300, 0} {
			got, err := importer(t, db).Import(t.Context(), bytes.NewReader(file.Bytes()))
			if err != nil || got.Accepted != 300 || got.Changed != want || got.Rejected != 3 {
				t.Fatalf("%+v %v", got, err)
			}
		}
		if n, err := db.People().Count(t.Context()); n != 300 || err != nil {
			t.Errorf("count %d %v", n, err)
		}
		seen, after := map[codicefiscale.Code]bool{}, codicefiscale.Code("")
		for {
			page, err := db.People().Each(t.Context(), after, 70)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			for _, p := range page {
				seen[p.CF] = true
			}
			after = page[len(page)-1].CF
		}
		if len(seen) != 300 {
			t.Errorf("pages gave %d people", len(seen))
		}
	})
}

// BenchmarkImport is rows imported and durable per second, on SQLite.
func BenchmarkImport(b *testing.B) {
	var file bytes.Buffer
	const rows = 10_000
	if err := registry.Generate(&file, rows, 1, civil.Date{Year: 2026, Month: 11, Day: 23}); err != nil {
		b.Fatal(err)
	}
	n := 0
	for b.Loop() {
		db, err := Open(b.Context(), "sqlite:"+b.TempDir()+"/import.db")
		if err != nil {
			b.Fatal(err)
		}
		if _, err := importer(b, db).Import(b.Context(), bytes.NewReader(file.Bytes())); err != nil {
			b.Fatal(err)
		}
		if err := db.Close(); err != nil {
			b.Fatal(err)
		}
		n += rows
	}
	b.ReportMetric(float64(n)/b.Elapsed().Seconds(), "rows/s")
}

// The index of guardians follows the registry, omocodia or not, and people who
// were there before the index are brought into it once.
func TestPeopleByGuardian(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		const mother codicefiscale.Code = "VRDLGU85M41F205T"
		var people []registry.Person
		for i := range 4 {
			p := rossi(t)
			p.Born = day(t, "1980-01-01").AddDays(i)
			cf, err := codicefiscale.Compute(codicefiscale.Person{Surname: p.Surname, Name: p.Name, Born: p.Born, Sex: "M", Belfiore: "D612"})
			if err != nil {
				t.Fatal(err)
			}
			p.CF, p.Guardians = cf, nil
			people = append(people, p)
		}
		a, b := people[0], people[1]
		a.Guardians = []registry.Guardian{{CF: mother, Kind: registry.Parent, From: a.Born}}
		b.Guardians = []registry.Guardian{{CF: mother.Omocodie()[1], Kind: registry.Tutor, From: a.Born}, {CF: people[2].CF, Kind: registry.Tutor, From: a.Born}}
		putPeople(t, db, a, b, people[2])
		expect := func(what string, who codicefiscale.Code, want int) {
			t.Helper()
			list, err := db.People().ByGuardian(t.Context(), who)
			if err != nil || len(list) != want {
				t.Errorf("%s: %d people, %v; want %d", what, len(list), err, want)
			}
		}
		expect("both", mother, 2)
		expect("under another form of the code", mother.Omocodie()[0], 2)
		expect("one of two", people[2].CF, 1)
		expect("nobody", people[3].CF, 0)
		// as before the index
		err := db.Atomically(t.Context(), func(ctx context.Context) error {
			if _, err := db.Conn(ctx).ExecContext(ctx, "DELETE FROM person_guardian"); err != nil {
				return err
			}
			return db.Note(ctx, noteGuardians, "")
		})
		if err != nil {
			t.Fatal(err)
		}
		expect("without the index", mother, 0)
		if err := db.indexOldGuardians(t.Context()); err != nil {
			t.Fatal(err)
		}
		expect("brought in", mother, 2)
		b.Guardians = b.Guardians[1:]
		putPeople(t, db, b)
		expect("taken back", mother, 1)
	})
}
