package counter_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
)

// fieldsOf are the fields at fault in a refusal, in the order found.
func fieldsOf(err error) (out []string) {
	all, ok := err.(interface{ Unwrap() []error })
	if !ok {
		if f := words.FaultOf(err); f != nil {
			return []string{f.Field}
		}
		return nil
	}
	for _, x := range all.Unwrap() {
		out = append(out, fieldsOf(x)...)
	}
	return out
}

// Whoever stands for a minor, or comes by delegation, is who he says: an adult on
// that day in Rome, alive, with the registry's name for his codice fiscale; who is
// not in the registry agrees with his own codice fiscale.
func TestR64_R69_R96_WhoStandsForAnotherIsComparedWithTheRegistry(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	mother, child := b.family(t)
	b.issue(t, b.mario(t), "6090000000000024", nil)
	known := func(p registry.Person, r *counter.Representative) {
		b.enrol(p)
		*r = counter.Representative{CF: p.CF, Surname: p.Surname, Name: p.Name, NoCard: "cittadino straniero", Declared: true, Health: true, Delegation: true, Copy: true}
	}
	young := somebody(t, "Verdi", "Ivo", "2008-11-24", codicefiscale.Male) // of age tomorrow
	today := somebody(t, "Verdi", "Ugo", "2008-11-23", codicefiscale.Male) // today
	dead := somebody(t, "Neri", "Ada", "1950-01-01", codicefiscale.Female)
	dead.Died = day(t, "2026-11-22")
	away := somebody(t, "Neri", "Eva", "1950-01-01", codicefiscale.Female)
	away.AssistedUntil = day(t, "2020-01-01") // lives in another Region now
	ward := somebody(t, "Neri", "Ida", "1950-01-01", codicefiscale.Female)
	ward.UnderGuardianship = true
	two := somebody(t, "D'Angelo Müller", "Maria Luisa", "1970-01-01", codicefiscale.Female)
	type rep = counter.Representative
	abroad := func(r *rep) *rep { r.NoCard = "cittadina straniera"; return foreigner(t, r) }
	for name, c := range map[string]struct {
		with   func(r *rep)
		code   string
		fields []string
	}{
		"as the registry has it":         {func(*rep) {}, "", nil},
		"case and accents":               {func(r *rep) { r.Surname, r.Name = "vèrdi", "lucìa" }, "", nil},
		"names in another order":         {func(r *rep) { known(two, r); r.Surname, r.Name = "MULLER D ANGELO", "luisa maria" }, "", nil},
		"half of two names":              {func(r *rep) { known(two, r); r.Name = "MARIA" }, "CSE-767", []string{"rappresentante_nome"}},
		"another surname":                {func(r *rep) { r.Surname = "BIANCHI" }, "CSE-767", []string{"rappresentante_cognome"}},
		"another name":                   {func(r *rep) { r.Name = "LUCA" }, "CSE-767", []string{"rappresentante_nome"}},
		"somebody else's codice fiscale": {func(r *rep) { r.Surname, r.Name = "BIANCHI", "ANNA" }, "CSE-767", []string{"rappresentante_cognome", "rappresentante_nome"}},
		"another birth date":             {func(r *rep) { r.Born = day(t, "1985-02-03") }, "CSE-767", []string{"rappresentante_nascita"}},
		"her birth date":                 {func(r *rep) { r.Born = mother.Born }, "", nil},
		"a minor, for one day more":      {func(r *rep) { known(young, r) }, "CSE-766", []string{"rappresentante_cf"}},
		"of age from today":              {func(r *rep) { known(today, r) }, "", nil},
		"dead":                           {func(r *rep) { known(dead, r) }, "CSE-770", []string{"rappresentante_cf"}},
		"no longer assisted here":        {func(r *rep) { known(away, r) }, "", nil},
		"under guardianship":             {func(r *rep) { known(ward, r) }, "CSE-771", []string{"rappresentante_cf"}},
		"unknown, as the paper says":     {func(r *rep) { abroad(r) }, "", nil},
		"unknown, without a birth date":  {func(r *rep) { abroad(r).Born = day(t, "1985-12-10").AddYears(1000) }, "CSE-769", []string{"rappresentante_nascita"}},
		"unknown, another surname":       {func(r *rep) { abroad(r).Surname = "BIANCHI" }, "CSE-768", []string{"rappresentante_cognome"}},
		"unknown, another name":          {func(r *rep) { abroad(r).Name = "LUCIA" }, "CSE-768", []string{"rappresentante_nome"}},
		"unknown, another day":           {func(r *rep) { abroad(r).Born = day(t, "1985-12-11") }, "CSE-768", []string{"rappresentante_nascita"}},
		"unknown, nothing agrees": {
			func(r *rep) { x := abroad(r); x.Surname, x.Name, x.Born = "BIANCHI", "ANNA", day(t, "1985-12-11") }, "CSE-768",
			[]string{"rappresentante_cognome", "rappresentante_nome", "rappresentante_nascita"},
		},
		"unknown and a minor": {func(r *rep) {
			p := somebody(t, "Verdi", "Zoe", "2010-01-01", codicefiscale.Female)
			known(p, r)
			delete(b.people, p.CF)
			r.Born = p.Born
		}, "CSE-766", []string{"rappresentante_cf"}},
		"unknown, with a provisional code": {func(r *rep) { abroad(r).CF = "12345670017" }, "", nil},
		"provisional, and a minor":         {func(r *rep) { abroad(r).CF, r.Born = "12345670017", day(t, "2010-01-01") }, "CSE-766", []string{"rappresentante_cf"}},
	} {
		for _, who := range []struct {
			p    registry.Person
			card string
			s    counter.IdentityStep
		}{{child, number, forWard(t, mother)}, {b.mario(t), "6090000000000024", byDelegate(t, mother)}} {
			c.with(who.s.Representative)
			op := b.operator(t, "op1", "asl1")
			d, err := b.StartDraft(t.Context(), op, counter.CardStep{Card: who.card, LastFive: who.card[11:], NoReader: "lettore guasto"})
			if err != nil {
				t.Fatal(err)
			}
			d, err = b.Identify(t.Context(), op, d.ID, d.Version, who.s)
			if c.code == "" {
				if err != nil {
					t.Errorf("%s (%s): %v", name, who.s.Present, err)
				}
				if _, there := b.people[who.s.Representative.CF]; d.Identity.Representative.OnPaper == there {
					t.Errorf("%s: on paper %v, in the registry %v", name, d.Identity.Representative.OnPaper, there)
				}
				continue
			}
			refused(t, name, err, c.code)
			if got := fieldsOf(err); !slices.Equal(got, c.fields) {
				t.Errorf("%s (%s): at fault %v, want %v", name, who.s.Present, got, c.fields)
			}
		}
	}
}

// What vouches for a representative is on record: the registry, or his paper alone.
func TestR69_ThePaperOfWhoIsNotInTheRegistryIsOnRecord(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	mother, child := b.family(t)
	s := forWard(t, mother)
	foreigner(t, s.Representative).NoCard = "cittadina straniera"
	a, err := b.activateAs(t, child, s)
	if err != nil {
		t.Fatal(err)
	}
	if e := b.entries[len(b.entries)-1]; e.Detail["representative"] != "document" {
		t.Errorf("journal: %+v", e.Detail)
	}
	if r := a.Form.Representative; !r.OnPaper || r.Born != day(t, "1985-12-10") || a.Form.Document.Number == "" {
		t.Errorf("the form: %+v, %+v", r, a.Form.Document)
	}
}

// A title is no longer enough when its owner died or came under guardianship, and
// a parent who is a minor has none to use; the day is Rome's.
func TestR64_ATitleNeedsSomebodyWhoCanAct(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	mother, child := b.family(t)
	if _, err := b.activateAs(t, child, forWard(t, mother)); err != nil {
		t.Fatal(err)
	}
	suspend := func(r registry.Person) error {
		o := b.order(t)
		o.Identity = forWard(t, r)
		o.Identity.Representative = &counter.Representative{CF: r.CF} // the form of an act asks for the codice fiscale alone
		_, err := b.Suspend(t.Context(), b.operator(t, "op2", "com"), o)
		return err
	}
	girl := b.enrol(somebody(t, "Rossi", "Nina", "2008-11-24", codicefiscale.Female)) // a mother at seventeen
	child.Guardians = []registry.Guardian{{CF: girl.CF, Kind: registry.Parent, From: child.Born}}
	b.enrol(child)
	refused(t, "a mother of seventeen", suspend(girl), "CSE-766")
	for what, c := range map[string]struct {
		with func(p *registry.Person)
		code string
	}{
		"dead":               {func(p *registry.Person) { p.Died = day(t, "2026-11-23") }, "CSE-770"},
		"under guardianship": {func(p *registry.Person) { p.UnderGuardianship = true }, "CSE-771"},
	} {
		p := mother
		c.with(&p)
		b.enrol(p)
		refused(t, what, suspend(p), c.code)
	}
	b.enrol(mother)
	b.clock.Set(time.Date(2026, 11, 23, 22, 59, 59, 0, time.UTC))
	refused(t, "a second before she is of age", suspend(girl), "CSE-766")
	b.clock.Set(time.Date(2026, 11, 23, 23, 0, 0, 0, time.UTC)) // 24 November in Rome
	if err := suspend(girl); err != nil {
		t.Errorf("a mother of age since midnight: %v", err)
	}
	if c := b.card(t, number); c.State != lifecycle.Suspended {
		t.Errorf("the card is %s", c.State)
	}
	if errors.Is(suspend(mother), words.Refuse("CSE-770")) {
		t.Error("the living mother is dead")
	}
}
