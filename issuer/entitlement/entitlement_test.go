package entitlement_test

import (
	"context"
	"crypto/rand"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cse.example/cse/engine/store"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/entitlement"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
	"cse.example/cse/person/team"
)

// plain seals nothing, and binds bodies to their rows all the same.
type plain struct{}

func (plain) Encrypt(p, ad []byte) ([]byte, error) { return append(append([]byte{}, ad...), p...), nil }

func (plain) Decrypt(c, ad []byte) ([]byte, error) {
	if !strings.HasPrefix(string(c), string(ad)) {
		return nil, errors.New("not this row")
	}
	return c[len(ad):], nil
}

func day(y int, m time.Month, d int) civil.Date { return civil.Date{Year: y, Month: m, Day: d} }

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func refused(t *testing.T, err error, code string) {
	t.Helper()
	if f := words.FaultOf(err); f == nil || f.Code != code {
		t.Errorf("got %v, want %s", err, code)
	}
}

type room struct {
	*entitlement.Room
	db   *store.DB
	hand *civil.Hand
	p    registry.Person
	acts []string
}

func newRoom(t *testing.T) *room {
	t.Helper()
	db, err := store.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "x.db"))
	check(t, err)
	t.Cleanup(func() { check(t, db.Close()) })
	r := &room{db: db, hand: civil.NewHand(time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)), p: registry.Person{
		Surname: "ROSSI", Name: "MARIO", Born: day(1980, 5, 12), Sex: "M", BirthPlace: "D612", Citizenship: "IT", Residence: "D612", ASL: "101",
		AssistedFrom: day(2010, 1, 1), AbroadRight: true,
	}}
	r.p.CF, err = codicefiscale.Compute(codicefiscale.Person{Surname: "ROSSI", Name: "MARIO", Born: r.p.Born, Sex: "M", Belfiore: "D612"})
	check(t, err)
	r.put(t)
	r.Room, err = entitlement.New(entitlement.Deps{
		Store: db.TEAMCertificates(), People: db.People(), Cards: db.Cards(), Tries: db.Tries(), Key: secret.New(make([]byte, 32)), Seal: plain{},
		Clock: r.hand, Rand: rand.Reader, Atomically: db.Atomically, Days: 90,
		Represents: func(_ context.Context, by, cf codicefiscale.Code) (bool, error) {
			return by == mother && cf == r.p.CF, nil
		},
		Record: func(_ context.Context, e journal.Entry) error { r.acts = append(r.acts, e.Act); return nil },
	})
	check(t, err)
	return r
}

// mother stands for the holder.
const mother codicefiscale.Code = "VRDLGU85M41F205T"

func (r *room) put(t *testing.T) {
	t.Helper()
	check(t, r.db.Atomically(t.Context(), func(ctx context.Context) error { _, err := r.db.People().Put(ctx, r.p); return err }))
}

func (r *room) card(t *testing.T, state lifecycle.State) {
	t.Helper()
	const id = "6090000000001234"
	n, err := team.FromCardID(id)
	check(t, err)
	c := lifecycle.Card{
		ID: id, TEAM: string(n), CF: r.p.CF, Model: lifecycle.TSCNS, State: state, Issued: day(2024, 1, 1), Expires: day(2030, 1, 1), OrderedAt: r.hand.Now(), CertSerial: "0a",
	}
	check(t, r.db.Atomically(t.Context(), func(ctx context.Context) error { _, err := r.db.Cards().Put(ctx, c); return err }))
}

// R21: a TEAM right is all it takes: nobody authorises, nothing is waited for,
// whatever has become of the card (lost, never activated).
func TestR21_R77_NoAuthorisationBeforeTheCertificate(t *testing.T) {
	for _, state := range []lifecycle.State{lifecycle.Active, lifecycle.Delivered, lifecycle.Revoked} {
		r := newRoom(t)
		_, err := r.Offer(t.Context(), r.p.CF)
		refused(t, err, "CSE-601")
		r.card(t, state)
		c, err := r.Issue(t.Context(), r.p.CF, "once", day(2026, 3, 2), day(2026, 3, 31))
		check(t, err)
		s, err := r.Verify(t.Context(), c.ID, "there")
		check(t, err)
		if s.Standing != entitlement.Good || s.Initials != "M. R." || s.Born != 1980 || s.CountryOfIssue != "IT" || !strings.HasSuffix(string(c.Back.Number), s.LastFour) {
			t.Errorf("%s: shown %+v", state, s)
		}
		again, err := r.Issue(t.Context(), r.p.CF, "once", day(2026, 3, 2), day(2026, 3, 31))
		check(t, err)
		if again.ID != c.ID || len(r.acts) != 1 {
			t.Errorf("pressed twice: %s and %s, journal %v", c.ID, again.ID, r.acts)
		}
		mine, err := r.Of(t.Context(), r.p.CF)
		check(t, err)
		if len(mine) != 1 || mine[0].Back != c.Back {
			t.Errorf("kept %+v", mine)
		}
		_, err = r.Get(t.Context(), "VRDLGU85M41F205T", c.ID)
		refused(t, err, "CSE-002")
	}
}

func TestPeriods(t *testing.T) {
	r := newRoom(t)
	r.card(t, lifecycle.Active)
	for _, x := range []struct {
		from, to, until civil.Date
		want            string
	}{
		{day(2026, 3, 2), day(2026, 5, 30), civil.Date{}, ""}, // ninety days
		{day(2026, 3, 2), day(2026, 5, 31), civil.Date{}, "CSE-603"},
		{day(2026, 3, 1), day(2026, 3, 9), civil.Date{}, "CSE-602"},
		{day(2026, 3, 9), day(2026, 3, 8), civil.Date{}, "CSE-603"},
		{day(2026, 6, 9), day(2026, 6, 9), civil.Date{}, "CSE-602"},
		{day(2026, 3, 2), day(2026, 3, 20), day(2026, 3, 19), "CSE-603"}, // not past the assistance
		{day(2026, 3, 2), day(2026, 3, 19), day(2026, 3, 19), ""},
		{civil.Date{}, civil.Date{}, civil.Date{}, "CSE-602"},
	} {
		r.p.AssistedUntil = x.until
		r.put(t)
		_, err := r.Issue(t.Context(), r.p.CF, x.from.String()+x.to.String()+x.until.String(), x.from, x.to)
		if x.want != "" {
			refused(t, err, x.want)
		} else if err != nil {
			t.Errorf("%s to %s: %v", x.from, x.to, err)
		}
	}
}

// The certificate ends with the right, at once for whoever checks it, and for
// good after the night.
func TestTheCertificateEndsWithTheRight(t *testing.T) {
	for name, end := range map[string]func(p *registry.Person){
		"death":                func(p *registry.Person) { p.Died = day(2026, 3, 2) },
		"assistance":           func(p *registry.Person) { p.AssistedUntil = day(2026, 3, 1) },
		"the right abroad":     func(p *registry.Person) { p.AbroadRight = false },
		"nothing (its period)": nil,
	} {
		r := newRoom(t)
		r.card(t, lifecycle.Active)
		c, err := r.Issue(t.Context(), r.p.CF, "x", day(2026, 3, 3), day(2026, 3, 31))
		check(t, err)
		see := func(want entitlement.Standing) {
			t.Helper()
			s, err := r.Verify(t.Context(), c.ID, "there")
			check(t, err)
			if s.Standing != want {
				t.Errorf("%s: %s, want %s", name, s.Standing, want)
			}
		}
		see(entitlement.NotYet)
		if end == nil {
			r.hand.Set(day(2026, 3, 31).Start().Add(23 * time.Hour))
			see(entitlement.Good)
			r.hand.Advance(time.Hour)
			see(entitlement.Over)
			n, err := r.Sweep(t.Context())
			check(t, err)
			see(entitlement.Over)
			if n != 0 || len(r.acts) != 1 {
				t.Errorf("a period that ended was revoked: %d, %v", n, r.acts)
			}
			continue
		}
		before := r.p
		end(&r.p)
		r.put(t)
		see(entitlement.Revoked)
		_, err = r.Issue(t.Context(), r.p.CF, "y", day(2026, 3, 3), day(2026, 3, 31))
		refused(t, err, "CSE-600")
		for want := range 2 {
			n, err := r.Sweep(t.Context())
			check(t, err)
			if n != 1-want {
				t.Errorf("%s: sweep %d ended %d", name, want, n)
			}
		}
		r.p = before
		r.put(t)
		see(entitlement.Revoked)
	}
}

// Numbers that were never made are refused without the store, and cost waits.
func TestGuessing(t *testing.T) {
	r := newRoom(t)
	r.card(t, lifecycle.Active)
	c, err := r.Issue(t.Context(), r.p.CF, "x", day(2026, 3, 2), day(2026, 3, 31))
	check(t, err)
	other := "0"
	if c.ID[0] == '0' {
		other = "1"
	}
	_, err = r.Verify(t.Context(), other+c.ID[1:], "guesser")
	refused(t, err, "CSE-604")
	_, err = r.Verify(t.Context(), c.ID, "guesser")
	refused(t, err, "CSE-605")
	_, err = r.Verify(t.Context(), c.ID, "elsewhere")
	check(t, err)
	for _, id := range []string{"", "x", strings.ReplaceAll(c.ID, "-", ""), strings.ToUpper(c.ID) + "-", "../" + c.ID} {
		r.hand.Advance(time.Hour)
		_, err = r.Verify(t.Context(), id, "guesser")
		refused(t, err, "CSE-604")
	}
}

// Whoever stands for somebody makes his certificate, and nobody else does; the
// same form makes it once.
func TestR21_ARepresentativeMakesACertificate(t *testing.T) {
	r := newRoom(t)
	r.card(t, lifecycle.Active)
	_, err := r.IssueFor(t.Context(), "BNCGLI85D52D612X", r.p.CF, "once", day(2026, 3, 2), day(2026, 3, 9))
	refused(t, err, "CSE-608")
	_, err = r.IssueFor(t.Context(), mother, "BNCGLI85D52D612X", "once", day(2026, 3, 2), day(2026, 3, 9))
	refused(t, err, "CSE-608")
	c, err := r.IssueFor(t.Context(), mother, r.p.CF, "once", day(2026, 3, 2), day(2026, 3, 9))
	check(t, err)
	again, err := r.IssueFor(t.Context(), mother, r.p.CF, "once", day(2026, 3, 2), day(2026, 3, 9))
	check(t, err)
	if c.CF != r.p.CF || again.ID != c.ID || len(r.acts) != 1 {
		t.Errorf("%+v, again %s, journal %v", c, again.ID, r.acts)
	}
	if mine, err := r.Of(t.Context(), mother); err != nil || len(mine) != 0 {
		t.Errorf("the mother has %d of her own, %v", len(mine), err)
	}
	if his, err := r.Of(t.Context(), r.p.CF); err != nil || len(his) != 1 {
		t.Errorf("the holder has %d, %v", len(his), err)
	}
}
