package registry_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/words"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
)

var today = civil.Date{Year: 2026, Month: 11, Day: 23}

// shelf is a store in memory, enough for the importer.
type shelf struct {
	people map[codicefiscale.Code]registry.Person
	fail   error
	acts   int
}

func (s *shelf) Put(_ context.Context, p registry.Person) (bool, error) {
	if s.fail != nil {
		return false, s.fail
	}
	old, ok := s.people[p.CF]
	s.people[p.CF] = p
	return !ok || !cmp.Equal(old, p), nil
}

func (s *shelf) Get(_ context.Context, cf codicefiscale.Code) (registry.Person, error) {
	p, ok := s.people[cf]
	if !ok {
		return p, registry.ErrUnknown
	}
	return p, nil
}

func (s *shelf) Search(context.Context, registry.Query) ([]registry.Person, error) { return nil, nil }

func (s *shelf) Each(context.Context, codicefiscale.Code, int) ([]registry.Person, error) {
	return nil, nil
}
func (s *shelf) Count(context.Context) (int, error) { return len(s.people), nil }

func (s *shelf) importer(t *testing.T, batch int) *registry.Importer {
	t.Helper()
	i, err := registry.NewImporter(registry.Importer{
		Store: s, Batch: batch,
		Atomically: func(ctx context.Context, act func(context.Context) error) error { s.acts++; return act(ctx) },
		Record:     func(context.Context, journal.Entry) error { return nil },
		Clock:      civil.NewHand(time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func newShelf() *shelf { return &shelf{people: map[codicefiscale.Code]registry.Person{}} }

func TestGeneratedPeopleImport(t *testing.T) {
	var file bytes.Buffer
	if err := registry.GenerateWithErrors(&file, 200, 3, 7, today); err != nil {
		t.Fatal(err)
	}
	s := newShelf()
	got, err := s.importer(t, 50).Import(t.Context(), bytes.NewReader(file.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	if got.Accepted != 200 || got.Changed != 200 || got.Rejected != 3 || len(s.people) != 200 {
		t.Fatalf("got %+v, %d people", got, len(s.people))
	}
	var why []string
	for _, e := range got.Errors {
		why = append(why, e.Field+" "+e.Reason.Code)
		if e.Line < 2 || e.Line > 204 {
			t.Errorf("line %d", e.Line)
		}
	}
	if diff := cmp.Diff([]string{"codice_fiscale CSE-101", "data_nascita CSE-106", "cognome CSE-105"}, why); diff != "" {
		t.Error(diff)
	}
	again, err := s.importer(t, 50).Import(t.Context(), bytes.NewReader(file.Bytes()))
	if err != nil || again.Changed != 0 || again.Accepted != 200 {
		t.Errorf("second import: %+v %v", again, err)
	}
	for cf, p := range s.people {
		if !p.AssistedOn(today) || p.NeedsPermit() != (p.Permit.Kind != registry.PermitNone) {
			t.Errorf("%s: assisted %v, citizen of %s, permit %+v", cf, p.AssistedOn(today), p.Citizenship, p.Permit)
		}
	}
}

func TestGenerateIsMixedAndRepeatable(t *testing.T) {
	var a, b, other bytes.Buffer
	for w, seed := range map[*bytes.Buffer]int64{&a: 1, &b: 1, &other: 2} {
		if err := registry.Generate(w, 1000, seed, today); err != nil {
			t.Fatal(err)
		}
	}
	if !bytes.Equal(a.Bytes(), b.Bytes()) || bytes.Equal(a.Bytes(), other.Bytes()) {
		t.Error("the seed does not decide")
	}
	s := newShelf()
	if _, err := s.importer(t, 0).Import(t.Context(), &a); err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, p := range s.people {
		count["all"]++
		switch {
		case p.Born.AgeOn(today) < 1:
			count["newborn"]++
		case p.MinorOn(today):
			count["minor"]++
			if len(p.GuardiansOn(today)) == 0 {
				count["minor alone"]++
			}
		case p.Citizenship == "IT":
			count["italian"]++
		case p.NeedsPermit():
			count["other"]++
		default:
			count["european"]++
		}
		if !p.AbroadRight {
			count["no right abroad"]++
		}
	}
	want := map[string]int{"all": 1000, "newborn": 10, "minor": 60, "italian": 800, "other": 70, "european": 60}
	for k, n := range want {
		if count[k] != n {
			t.Errorf("%s: got %d, want %d", k, count[k], n)
		}
	}
	if n := count["no right abroad"]; n < 20 || n > 90 {
		t.Errorf("no right abroad: %d", n)
	}
}

// row is a good row, changed by pairs of column and value.
func row(t *testing.T, change ...string) []string {
	t.Helper()
	p := registry.Person{
		CF: "RSSMRA80A01D612Y", Surname: "Rossi", Name: "Mario", Born: civil.Date{Year: 1980, Month: 1, Day: 1}, Sex: "M",
		BirthPlace: "D612", BirthProvince: "FI", Citizenship: "IT", Residence: "D612", Address: "Via Roma, 1", PostCode: "50121",
		ASL: "201", AssistedFrom: civil.Date{Year: 2010, Month: 1, Day: 1}, AbroadRight: true,
	}
	r := p.Row()
	for i := 0; i < len(change); i += 2 {
		for n, c := range registry.Columns {
			if c == change[i] {
				r[n] = change[i+1]
			}
		}
	}
	return r
}

func TestRowFaults(t *testing.T) {
	tests := []struct {
		column, value, field, code string
	}{
		{"codice_fiscale", "RSSMRA80A01D612X", "codice_fiscale", "CSE-101"},
		{"codice_fiscale", "RSSMRA", "codice_fiscale", "CSE-103"},
		{"codice_fiscale", "", "codice_fiscale", "CSE-105"},
		{"cognome", " ", "cognome", "CSE-105"},
		{"nome", "12", "nome", "CSE-168"},
		{"nome", "Ma\trio", "nome", "CSE-168"},
		{"data_nascita", "1980-02-30", "data_nascita", "CSE-106"},
		{"data_nascita", "2027-01-01", "data_nascita", "CSE-165"},
		{"data_nascita", "1880-01-01", "data_nascita", "CSE-165"},
		{"data_decesso", "1979-01-01", "data_decesso", "CSE-165"},
		{"sesso", "Z", "sesso", "CSE-108"},
		{"luogo_nascita", "Z999", "luogo_nascita", "CSE-107"},
		{"luogo_nascita", "", "luogo_nascita", "CSE-105"},
		{"comune_residenza", "XX", "comune_residenza", "CSE-107"},
		{"cittadinanza", "Italia", "cittadinanza", "CSE-109"},
		{"assistito_al", "2009-12-31", "assistito_al", "CSE-163"},
		{"diritto_estero", "forse", "diritto_estero", "CSE-168"},
		{"permesso", "sempre", "permesso", "CSE-160"},
		{"permesso", "until", "permesso_fino_al", "CSE-105"},
		{"permesso_fino_al", "2030-01-01", "permesso_fino_al", "CSE-160"},
		{"rappresentanti", "RSSMRA80A01D612Y:genitore", "rappresentanti", "CSE-162"}, // himself
		{"rappresentanti", "BNCGFR75M49A390L:zio", "rappresentanti", "CSE-162"},
		{"rappresentanti", "x", "rappresentanti", "CSE-162"},
		{"email", "mario", "email", "CSE-166"},
		{"email", "mario@localhost", "email", "CSE-166"},
	}
	for _, tt := range tests {
		_, faults := registry.ParseRow(row(t, tt.column, tt.value), today)
		if len(faults) != 1 || faults[0].Field != tt.field || faults[0].Code != tt.code {
			t.Errorf("%s=%q: got %v, want %s at %s", tt.column, tt.value, faults, tt.code, tt.field)
			continue
		}
		for _, l := range []words.Lang{words.Italian, words.English} {
			if s := faults[0].Sentence(l); strings.Contains(s, "%!") || s == tt.code {
				t.Errorf("%s in %s: %q", tt.code, l, s)
			}
		}
	}
	if _, faults := registry.ParseRow(row(t, "permesso", "renewal", "cittadinanza", "al", "tutela", "sì"), today); faults != nil {
		t.Errorf("good row: %v", faults)
	}
}

func TestRowRoundTrip(t *testing.T) {
	p, faults := registry.ParseRow(row(t, "rappresentanti", "BNCGFR75M49A390R:tutore:2020-01-01", "tutela", "1"), today)
	if faults != nil {
		// The representative's check letter is computed, not remembered.
		cf, err := codicefiscale.Compute(codicefiscale.Person{Surname: "Bianchi", Name: "Gianfranca", Born: civil.Date{Year: 1975, Month: 8, Day: 9}, Sex: "F", Belfiore: "A390"})
		if err != nil {
			t.Fatal(err)
		}
		p, faults = registry.ParseRow(row(t, "rappresentanti", string(cf)+":tutore:2020-01-01", "tutela", "1"), today)
	}
	if faults != nil {
		t.Fatal(faults)
	}
	back, faults := registry.ParseRow(p.Row(), today)
	if diff := cmp.Diff(p, back); diff != "" || faults != nil {
		t.Error(diff, faults)
	}
	if len(back.GuardiansOn(today)) != 1 || len(back.GuardiansOn(civil.Date{Year: 2019, Month: 1, Day: 1})) != 0 {
		t.Errorf("guardians: %+v", back.Guardians)
	}
}

func file(t *testing.T, rows ...[]string) *bytes.Buffer {
	t.Helper()
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	if err := w.WriteAll(append([][]string{registry.Columns}, rows...)); err != nil {
		t.Fatal(err)
	}
	return &b
}

func TestImportOddFiles(t *testing.T) {
	good := strings.TrimSpace(file(t, row(t)).String())
	tests := []struct {
		name, in                 string
		accepted, rejected, line int
		code                     string
		wantErr                  string
	}{
		{"empty", "", 0, 0, 0, "", "CSE-104"},
		{"wrong header", "cf,surname\nx,y\n", 0, 0, 0, "", "CSE-104"},
		{"header only", strings.Join(registry.Columns, ","), 0, 0, 0, "", ""},
		{"byte order mark", "\uFEFF" + good, 1, 0, 0, "", ""},
		{"semicolons", strings.ReplaceAll(strings.ReplaceAll(good, "\"Via Roma, 1\"", "Via Roma"), ",", ";"), 1, 0, 0, "", ""},
		{"short row", good + "\na,b\n", 1, 1, 3, "CSE-169", ""},
		{"bare quote", good + "\na\"b,c\n", 1, 1, 3, "CSE-169", ""},
		{"not UTF-8", good + "\n" + strings.Replace(strings.Split(good, "\n")[1], "Rossi", "Ross\xec", 1), 1, 1, 3, "CSE-169", ""},
		{"twice", good + "\n" + strings.Split(good, "\n")[1], 1, 1, 3, "CSE-161", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := newShelf().importer(t, 0).Import(t.Context(), strings.NewReader(tt.in))
			if f := words.FaultOf(err); (f == nil) != (tt.wantErr == "") || f != nil && f.Code != tt.wantErr {
				t.Fatalf("error %v, want %q", err, tt.wantErr)
			}
			if got.Accepted != tt.accepted || got.Rejected != tt.rejected {
				t.Fatalf("got %+v", got)
			}
			if tt.line != 0 && (got.Errors[0].Line != tt.line || got.Errors[0].Reason.Code != tt.code) {
				t.Errorf("got %v", got.Errors)
			}
		})
	}
}

func TestImportStopsWhenTheStoreFails(t *testing.T) {
	s := newShelf()
	s.fail = errors.New("disk full")
	got, err := s.importer(t, 0).Import(t.Context(), file(t, row(t)))
	if !errors.Is(err, s.fail) || got.Accepted != 0 {
		t.Errorf("got %+v %v", got, err)
	}
	if _, err := registry.NewImporter(registry.Importer{}); !errors.Is(err, registry.ErrMissing) {
		t.Errorf("empty importer: %v", err)
	}
}

func TestAssistance(t *testing.T) {
	d := func(s string) civil.Date { x, _ := civil.ParseISO(s); return x }
	p := registry.Person{Born: d("1980-01-01"), AssistedFrom: d("2020-01-01"), AssistedUntil: d("2026-06-30")}
	dead := p
	dead.Died = d("2025-05-05")
	for _, tt := range []struct {
		who  registry.Person
		on   string
		want bool
	}{
		{p, "2019-12-31", false},
		{p, "2020-01-01", true},
		{p, "2026-06-30", true},
		{p, "2026-07-01", false},
		{dead, "2025-05-04", true},
		{dead, "2025-05-05", false},
		{registry.Person{Born: d("1980-01-01")}, "2026-01-01", false},
	} {
		if got := tt.who.AssistedOn(d(tt.on)); got != tt.want {
			t.Errorf("%s: got %v", tt.on, got)
		}
	}
	for iso, want := range map[string]bool{"IT": true, "CH": true, "NO": true, "LI": true, "GB": false, "AL": false, "XX": false, "": false} {
		if got := registry.EUorEEA(iso); got != want {
			t.Errorf("%s: got %v", iso, got)
		}
	}
}

func FuzzImport(f *testing.F) {
	var b bytes.Buffer
	if err := registry.GenerateWithErrors(&b, 5, 3, 1, today); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add([]byte(strings.Join(registry.Columns, ";") + "\n\"a\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		s := &shelf{people: map[codicefiscale.Code]registry.Person{}}
		i, err := registry.NewImporter(registry.Importer{
			Store: s, Atomically: func(ctx context.Context, act func(context.Context) error) error { return act(ctx) },
			Record: func(context.Context, journal.Entry) error { return nil },
			Clock:  civil.NewHand(today.Start()),
		})
		if err != nil {
			t.Fatal(err)
		}
		got, err := i.Import(context.Background(), bytes.NewReader(in))
		if err != nil && words.FaultOf(err) == nil {
			t.Fatal(err)
		}
		if got.Accepted != len(s.people) {
			t.Fatalf("%d accepted, %d kept", got.Accepted, len(s.people))
		}
		for _, p := range s.people {
			back, faults := registry.ParseRow(p.Row(), today)
			if faults != nil || !cmp.Equal(p, back) {
				t.Fatal(fmt.Sprint(faults), cmp.Diff(p, back))
			}
		}
	})
}
