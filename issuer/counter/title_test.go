package counter_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"cse.example/cse/engine/store"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
)

const (
	evaCard = "6090000000000057"
	bisCard = "6090000000000065"
)

// warded are a ward of age, whose card is `number`, and two who may be guardians;
// the registry names nobody.
func (b *bench) warded(t *testing.T) (eva, bis, ward registry.Person) {
	t.Helper()
	b.writes(t)
	used := func(c *lifecycle.Card) { c.State, c.ActivatedAt = lifecycle.Active, monday }
	eva = b.enrol(somebody(t, "Blu", "Eva", "1980-02-02", codicefiscale.Female))
	b.issue(t, eva, evaCard, used)
	bis = b.enrol(somebody(t, "Blu", "Bice", "1981-03-03", codicefiscale.Female))
	b.issue(t, bis, bisCard, used)
	ward = somebody(t, "Neri", "Ada", "1950-01-01", codicefiscale.Female)
	ward.UnderGuardianship, ward.Email = true, "ada@posta.example"
	b.issue(t, b.enrol(ward), number, nil)
	return eva, bis, ward
}

// guards is a good step 2 by a guardian whose appointment has a last day, or none.
func guards(t *testing.T, who registry.Person, card, until string) counter.IdentityStep {
	t.Helper()
	s := goodIdentity(t)
	s.Present = counter.PresentGuardian
	s.Representative = &counter.Representative{
		CF: who.CF, Surname: who.Surname, Name: who.Name, Card: card, Declared: true, Title: counter.TitleAdministrator, UntilRevoked: until == "",
	}
	if until != "" {
		s.Representative.Until = day(t, until)
	}
	return s
}

// The form asks a guardian one of two: the last day that the decree has, or that it
// has none, which the law does not allow to provisional and special appointments.
func TestR64_R69_AGuardianDeclaresHowLongHisTitleLasts(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	eva, _, ward := b.warded(t)
	type rep = counter.Representative
	for name, c := range map[string]struct {
		with        func(r *rep)
		code, field string
	}{
		"until a day":                      {func(*rep) {}, "", ""},
		"until today":                      {func(r *rep) { r.Until = day(t, "2026-11-23") }, "", ""},
		"until revoked":                    {func(r *rep) { r.Until, r.UntilRevoked = civil.Date{}, true }, "", ""},
		"a tutor until revoked":            {func(r *rep) { r.Title, r.Until, r.UntilRevoked = counter.TitleTutor, civil.Date{}, true }, "", ""},
		"a curator until a day":            {func(r *rep) { r.Title = counter.TitleCurator }, "", ""},
		"a provisional one until a day":    {func(r *rep) { r.Title = counter.TitleProvisional }, "", ""},
		"no title":                         {func(r *rep) { r.Title = "" }, "CSE-772", "titolo"},
		"a title that there is not":        {func(r *rep) { r.Title = "zio" }, "CSE-772", "titolo"},
		"neither":                          {func(r *rep) { r.Until = civil.Date{} }, "CSE-773", "titolo_fino_al"},
		"both":                             {func(r *rep) { r.UntilRevoked = true }, "CSE-774", "titolo_fino_al"},
		"until yesterday":                  {func(r *rep) { r.Until = day(t, "2026-11-22") }, "CSE-775", "titolo_fino_al"},
		"a provisional one until revoked":  {func(r *rep) { r.Title, r.Until, r.UntilRevoked = counter.TitleProvisional, civil.Date{}, true }, "CSE-776", "titolo_fino_al"},
		"a provisional one, neither given": {func(r *rep) { r.Title, r.Until = counter.TitleProvisional, civil.Date{} }, "CSE-773", "titolo_fino_al"},
	} {
		s := guards(t, eva, evaCard, "2026-12-31")
		c.with(s.Representative)
		_, err := b.identify(t, "asl1", ward, s)
		if c.code == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		refused(t, name, err, c.code)
		if f := words.FaultOf(err); f != nil && f.Field != c.field {
			t.Errorf("%s: at %s, want %s", name, f.Field, c.field)
		}
	}
	// A parent is asked nothing: his ends when the child is of age.
	mother, child := b.parentOf(t)
	s := forWard(t, mother)
	s.Representative.Until = day(t, "2020-01-01")
	d, err := b.identifyCard(t, child, bambinaCard, s)
	if err != nil || !d.Identity.Representative.Until.IsZero() {
		t.Errorf("a parent: %+v, %v", d.Identity.Representative, err)
	}
}

const bambinaCard = "6090000000000073"

func (b *bench) parentOf(t *testing.T) (mother, child registry.Person) {
	t.Helper()
	mother = b.enrol(somebody(t, "Verdi", "Lucia", "1985-02-02", codicefiscale.Female))
	b.issue(t, mother, "6090000000000016", func(c *lifecycle.Card) { c.State, c.ActivatedAt = lifecycle.Active, monday })
	child = b.enrol(somebody(t, "Rossi", "Luca", "2016-06-06", codicefiscale.Male))
	b.issue(t, child, bambinaCard, nil)
	return mother, child
}

func (b *bench) identifyCard(t *testing.T, p registry.Person, card string, s counter.IdentityStep) (counter.Draft, error) {
	t.Helper()
	op := b.operator(t, "op1", "asl1")
	d, err := b.StartDraft(t.Context(), op, counter.CardStep{CF: p.CF, LastFive: card[11:], NoReader: "lettore guasto"})
	if err != nil {
		return d, err
	}
	return b.Identify(t.Context(), op, d.ID, d.Version, s)
}

// At the midnight after the last day of the decree a guardian's rights, notices and
// link end as a parent's do at eighteen, though the holder is a ward still; whoever
// has the title now declares it, and his new codes lift the hold.
func TestR64_R69_ADeclaredTitleEndsAtItsLastDay(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBench(t, db)
		eva, bis, ward := b.warded(t)
		a, err := b.activateAs(t, ward, guards(t, eva, evaCard, "2026-12-31"))
		if err != nil {
			t.Fatal(err)
		}
		links, err := db.Links().LinksOf(t.Context(), ward.CF)
		if err != nil || len(links) != 1 || links[0].Until != day(t, "2026-12-31") || links[0].ByRegistry || links[0].Protocol != a.Protocol {
			t.Errorf("the title: %+v, %v", links, err)
		}
		old := b.cipNow(t, number)
		by := func(who registry.Person) counter.Order {
			o := b.order(t)
			o.Identity = guards(t, who, "", "")
			o.Identity.Representative = &counter.Representative{CF: who.CF}
			return o
		}
		midnight := time.Date(2026, 12, 31, 23, 0, 0, 0, time.UTC)
		b.clock.Set(midnight.Add(-time.Second))
		b.night(t, counter.MajorityHold, 0)
		if wards, err := b.Wards(t.Context(), eva.CF); err != nil || len(wards) != 1 {
			t.Errorf("on the last day: %+v, %v", wards, err)
		}
		_, err = b.Reactivate(t.Context(), b.operator(t, "op2", "com"), by(eva))
		refused(t, "on the last day she may; the card is not suspended", err, "CSE-445")

		b.clock.Set(midnight)
		if wards, err := b.Wards(t.Context(), eva.CF); err != nil || len(wards) != 0 {
			t.Errorf("after it: %+v, %v", wards, err)
		}
		_, err = b.Suspend(t.Context(), b.operator(t, "op2", "com"), by(eva))
		refused(t, "after it", err, "CSE-777")
		if to, err := b.AddressOf(t.Context(), b.card(t, number)); err != nil || to != "" {
			t.Errorf("notices go to %q, %v", to, err)
		}
		if due, err := b.HoldDue(t.Context(), b.card(t, number)); err != nil || !due {
			t.Errorf("the door knows of the hold: %v, %v", due, err)
		}
		b.night(t, counter.MajorityHold, 1)
		if !b.held(t, number) {
			t.Error("the card is not on hold")
		}
		if got := b.told(t, counter.RightsEnded); !slices.Equal(got, []string{"Mario.Rossi@posta.example"}) {
			t.Errorf("she is told at %v", got)
		}
		if e := b.entries[len(b.entries)-2]; e.Act != "representation.ended" || e.Detail["why"] != "term" {
			t.Errorf("on record: %+v", e)
		}
		if len(b.told(t, counter.OfAge))+len(b.told(t, counter.OfAgeHeld)) > 0 {
			t.Error("a ward is told to speak for herself")
		}
		_, err = b.ReactivateWithCIP(t.Context(), number, old, "192.0.2.1", words.Italian)
		refused(t, "her CIP", err, "CSE-765")

		// Another guardian declares his title, and asks for new codes.
		b.clock.Advance(time.Hour)
		o := b.order(t)
		o.Identity = guards(t, bis, bisCard, "")
		o.Email, o.EmailAgain = "bice@posta.example", "bice@posta.example"
		if _, err := b.Join(t.Context(), b.operator(t, "op2", "com"), o); err != nil {
			t.Fatal(err)
		}
		_, err = b.Reprint(t.Context(), b.operator(t, "op2", "com"), by(bis))
		refused(t, "the codes that the guardian before her had", err, "CSE-453")
		o = by(bis)
		o.Email, o.EmailAgain = "bice@posta.example", "bice@posta.example"
		n, err := b.NewCodes(t.Context(), b.operator(t, "op2", "com"), o)
		if err != nil {
			t.Fatal(err)
		}
		if err := db.Atomically(t.Context(), func(ctx context.Context) error { return b.Written(ctx, n.Protocol) }); err != nil {
			t.Fatal(err)
		}
		if c := b.card(t, number); c.State != lifecycle.Active {
			t.Errorf("with her new codes the card is %s, %s", c.State, c.Reason)
		}
		if got := b.told(t, counter.Renewed); !slices.Equal(got, []string{"bice@posta.example"}) {
			t.Errorf("of the new codes are told %v", got)
		}
		if _, err := b.Reprint(t.Context(), b.operator(t, "op2", "com"), by(bis)); err != nil {
			t.Errorf("she has her own codes printed again: %v", err)
		}
		// The first one again, with a decree of her own.
		o = b.order(t)
		o.Identity = guards(t, eva, evaCard, "2027-06-30")
		if _, err := b.Join(t.Context(), b.operator(t, "op2", "com"), o); err != nil {
			t.Errorf("a title extended by a new decree: %v", err)
		}
		if ok, err := b.Stands(t.Context(), ward, eva.CF); err != nil || !ok {
			t.Errorf("she stands again: %v, %v", ok, err)
		}
	})
}

// Who still stands for the ward when another's title ends is told that new codes
// are needed; without hold nothing else happens to the card.
func TestR64_WhoStillStandsIsTold(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	eva, bis, ward := b.warded(t)
	if _, err := b.activateAs(t, ward, guards(t, eva, evaCard, "2026-11-30")); err != nil {
		t.Fatal(err)
	}
	o := b.order(t)
	o.Identity = guards(t, bis, bisCard, "")
	o.Email, o.EmailAgain = "bice@posta.example", "bice@posta.example"
	if _, err := b.Join(t.Context(), b.operator(t, "op2", "com"), o); err != nil {
		t.Fatal(err)
	}
	b.clock.Set(day(t, "2026-12-01").Start())
	b.night(t, counter.MajorityNotify, 1)
	if got := b.told(t, counter.AnotherLeft); !slices.Equal(got, []string{"bice@posta.example"}) {
		t.Errorf("who remains is told at %v", got)
	}
	if c := b.card(t, number); c.State != lifecycle.Active {
		t.Errorf("the card is %s", c.State)
	}
}

// A guardianship ended by the registry ends everything, too: the registry's last
// day, its word that the holder needs nobody any more, another guardian in the
// place of the one who declared himself. Nobody needs to have declared anything.
func TestR64_AGuardianshipEndedByTheRegistry(t *testing.T) {
	named := func(p *registry.Person, who registry.Person, from, until string) {
		g := registry.Guardian{CF: who.CF, Kind: registry.Tutor}
		g.From, _ = civil.ParseISO(from)
		g.Until, _ = civil.ParseISO(until)
		p.Guardians = append(p.Guardians, g)
	}
	for name, c := range map[string]struct {
		before, after func(t *testing.T, b *bench, ward *registry.Person, eva, bis registry.Person)
		declared      bool
		why           string
		told          counter.Event
		at            []string
	}{
		"the registry's last day, nothing was declared": {
			func(_ *testing.T, _ *bench, ward *registry.Person, eva, _ registry.Person) {
				named(ward, eva, "2020-01-01", "2026-11-23")
			},
			nil, false, "registry", "", nil,
		},
		"the registry's last day, of who declared himself": {
			func(_ *testing.T, _ *bench, ward *registry.Person, eva, _ registry.Person) {
				named(ward, eva, "2020-01-01", "2026-11-23")
			},
			nil, true, "registry", "", nil,
		},
		"the holder needs nobody any more": {
			func(*testing.T, *bench, *registry.Person, registry.Person, registry.Person) {},
			func(_ *testing.T, _ *bench, ward *registry.Person, _, _ registry.Person) {
				ward.UnderGuardianship = false
			},
			true, "guardianship-ended", counter.OfAgeHeld,
			[]string{"ada@posta.example"},
		},
		"another guardian is appointed": {
			func(*testing.T, *bench, *registry.Person, registry.Person, registry.Person) {},
			func(_ *testing.T, b *bench, ward *registry.Person, _, bis registry.Person) {
				bis.Email = "bice@posta.example"
				named(ward, b.enrol(bis), "2026-11-24", "")
			},
			true, "registry", counter.AnotherLeft,
			[]string{"bice@posta.example"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, storetest.SQLite(t))
			eva, bis, ward := b.warded(t)
			c.before(t, b, &ward, eva, bis)
			b.enrol(ward)
			if c.declared {
				if _, err := b.activateAs(t, ward, guards(t, eva, evaCard, "")); err != nil {
					t.Fatal(err)
				}
			} else { // an activated card whose codes she was given, by the registry's word alone
				x := b.card(t, number)
				x.State, x.ActivatedAt = lifecycle.Active, monday
				b.put(t, x)
				o := b.order(t)
				o.Identity = guards(t, eva, "", "")
				o.Identity.Representative = &counter.Representative{CF: eva.CF}
				if _, err := b.Reprint(t.Context(), b.operator(t, "op2", "com"), o); err != nil {
					t.Fatal(err)
				}
			}
			if ok, err := b.Stands(t.Context(), ward, eva.CF); err != nil || !ok {
				t.Fatalf("she does not stand for the ward: %v, %v", ok, err)
			}
			b.night(t, counter.MajorityHold, 0)
			b.clock.Set(ofAge) // midnight
			if c.after != nil {
				c.after(t, b, &ward, eva, bis)
				b.enrol(ward)
			}
			if ok, err := b.Stands(t.Context(), ward, eva.CF); err != nil || ok {
				t.Errorf("she still stands for the ward: %v, %v", ok, err)
			}
			if wards, err := b.Wards(t.Context(), eva.CF); err != nil || len(wards) != 0 {
				t.Errorf("her wards: %+v, %v", wards, err)
			}
			if to, err := b.AddressOf(t.Context(), b.card(t, number)); err != nil || to != "" {
				t.Errorf("notices go to %q, %v", to, err)
			}
			b.night(t, counter.MajorityHold, 1)
			if !b.held(t, number) {
				t.Error("the card is not on hold")
			}
			if got := b.told(t, counter.RightsEnded); len(got) != 1 {
				t.Errorf("she is told at %v", got)
			}
			if c.told != "" {
				if got := b.told(t, c.told); !slices.Equal(got, c.at) {
					t.Errorf("%s: at %v, want %v", c.told, got, c.at)
				}
			}
			i := slices.IndexFunc(b.entries, func(e journal.Entry) bool { return e.Act == "representation.ended" })
			if i < 0 || b.entries[i].Detail["why"] != c.why {
				t.Errorf("on record: %+v", b.entries)
			}
		})
	}
}

// A parent's title as such ends at eighteen, though the registry still has it and
// the child has become a ward: a guardian is needed, who may be the same person.
func TestR64_AParentIsNoGuardianOfAnAdult(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	mother, child := b.teenager(t)
	child.UnderGuardianship = true
	child.Guardians = []registry.Guardian{{CF: mother.CF, Kind: registry.Parent, From: child.Born}}
	b.enrol(child)
	for _, x := range []struct {
		at     time.Time
		stands bool
	}{{ofAge.Add(-time.Second), true}, {ofAge, false}} {
		b.clock.Set(x.at)
		if ok, err := b.Stands(t.Context(), child, mother.CF); err != nil || ok != x.stands {
			t.Errorf("at %s she stands for him: %v, %v", x.at, ok, err)
		}
	}
	child.Guardians = append(child.Guardians, registry.Guardian{CF: mother.CF, Kind: registry.Administrator, From: day(t, "2026-11-24")})
	b.enrol(child)
	if ok, err := b.Stands(t.Context(), child, mother.CF); err != nil || !ok {
		t.Errorf("as his administrator: %v, %v", ok, err)
	}
	b.night(t, counter.MajorityHold, 0) // she goes on: her codes are still hers to have
}
