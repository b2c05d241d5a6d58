package contacts_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cse.example/cse/engine/store"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/effect"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/contacts"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
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

// desk is a book over a real store, with what it asked for.
type desk struct {
	*contacts.Book
	db      *store.DB
	hand    *civil.Hand
	letters map[string]contacts.Letter // by effect key
	acts    []string
	failing bool
	// gone is a representative whose title has ended.
	gone codicefiscale.Code
}

func day(y int, m time.Month, d int) civil.Date { return civil.Date{Year: y, Month: m, Day: d} }

func newDesk(t *testing.T) *desk {
	t.Helper()
	db, err := store.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "x.db"))
	check(t, err)
	t.Cleanup(func() { check(t, db.Close()) })
	d := &desk{db: db, hand: civil.NewHand(time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)), letters: map[string]contacts.Letter{}}
	s := db.Contacts()
	d.Book, err = contacts.New(contacts.Deps{
		Store: s, Changes: s, Releases: s, Sent: s, People: db.People(), Tries: db.Tries(), Key: secret.New(make([]byte, 32)), Seal: plain{},
		Check: counter.CheckEmail, Clock: d.hand, Rand: rand.Reader, Atomically: db.Atomically, Policy: contacts.DefaultPolicy(),
		Stands: func(_ context.Context, _ registry.Person, by codicefiscale.Code) (bool, error) {
			return by != d.gone, nil
		},
		Enqueue: func(_ context.Context, e effect.Effect) error {
			if d.failing {
				return errors.New("the queue is away")
			}
			var l contacts.Letter
			if err := json.Unmarshal(e.Body, &l); err != nil {
				return err
			}
			if _, again := d.letters[e.Key]; again {
				t.Errorf("asked for %s twice", e.Key)
			}
			d.letters[e.Key] = l
			return nil
		},
		Record: func(_ context.Context, e journal.Entry) error { d.acts = append(d.acts, e.Act); return nil },
	})
	check(t, err)
	return d
}

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

// person puts somebody born on a day into the registry.
func (d *desk) person(t *testing.T, born civil.Date) registry.Person {
	t.Helper()
	p := registry.Person{
		Surname: "ROSSI", Name: "MARIO LUIGI", Born: born, Sex: "M", BirthPlace: "D612", Citizenship: "IT", Residence: "D612", ASL: "101",
		AssistedFrom: day(2010, 1, 1), AbroadRight: true,
	}
	var err error
	p.CF, err = codicefiscale.Compute(codicefiscale.Person{Surname: p.Surname, Name: p.Name, Born: p.Born, Sex: "M", Belfiore: "D612"})
	check(t, err)
	d.act(t, func(ctx context.Context) error { _, err := d.db.People().Put(ctx, p); return err })
	return p
}

func (d *desk) act(t *testing.T, f func(ctx context.Context) error) {
	t.Helper()
	check(t, d.db.Atomically(t.Context(), f))
}

// told is the letter of an event to an address.
func (d *desk) told(t *testing.T, event, to string) contacts.Letter {
	t.Helper()
	for _, l := range d.letters {
		if l.Event == event && l.To == to {
			return l
		}
	}
	t.Fatalf("no letter %s to %s", event, to)
	return contacts.Letter{}
}

func (d *desk) email(t *testing.T, cf codicefiscale.Code) string {
	t.Helper()
	c, err := d.Of(t.Context(), cf)
	check(t, err)
	return c.Email
}

func (d *desk) set(t *testing.T, cf codicefiscale.Code, email string, represented bool) {
	t.Helper()
	d.act(t, func(ctx context.Context) error { return d.Set(ctx, cf, email, words.Italian, represented, "") })
}

const before, after = "prima@posta.example", "dopo@posta.example"

// Both codes, or nothing changes; both addresses are told.
func TestAnAddressChangesWithBothCodes(t *testing.T) {
	d := newDesk(t)
	p := d.person(t, day(1980, 1, 2))
	d.set(t, p.CF, before, false)
	_, err := d.Ask(t.Context(), p.CF, before, before, false)
	refused(t, err, "CSE-590")
	_, err = d.Ask(t.Context(), p.CF, after, after, false)
	check(t, err)
	one, two := d.told(t, "code-new", after).Args[1], d.told(t, "code-old", before).Args[1]
	for _, x := range []struct{ one, two string }{{one, ""}, {one, one}, {two, two}, {"", ""}} {
		if x.two == two && x.one == one || one == two {
			continue
		}
		_, err := d.Confirm(t.Context(), p.CF, x.one, x.two)
		refused(t, err, "CSE-593")
	}
	if got := d.email(t, p.CF); got != before {
		t.Errorf("half a confirmation changed the address to %s", got)
	}
	_, err = d.Confirm(t.Context(), p.CF, one, two)
	check(t, err)
	if got := d.email(t, p.CF); got != after {
		t.Errorf("the address is %s", got)
	}
	d.told(t, "changed", before)
	d.told(t, "changed", after)
	_, err = d.Confirm(t.Context(), p.CF, one, two) // the codes are spent
	refused(t, err, "CSE-592")
	if got := strings.Join(d.acts, " "); got != "contact.asked contact.changed" {
		t.Errorf("the journal has %s", got)
	}
	_, err = d.Ask(t.Context(), p.CF, "x@posta.example", "x@posta.example", false)
	refused(t, err, "CSE-591")
}

// Codes end by time and by tries.
func TestCodesEnd(t *testing.T) {
	d := newDesk(t)
	p := d.person(t, day(1980, 1, 2))
	d.set(t, p.CF, before, false)
	_, err := d.Ask(t.Context(), p.CF, after, after, false)
	check(t, err)
	for range 4 {
		_, err = d.Confirm(t.Context(), p.CF, "x", "x")
		refused(t, err, "CSE-593")
	}
	_, err = d.Confirm(t.Context(), p.CF, "x", "x")
	refused(t, err, "CSE-594")
	_, err = d.Confirm(t.Context(), p.CF, d.told(t, "code-new", after).Args[1], d.told(t, "code-old", before).Args[1])
	refused(t, err, "CSE-592")

	d.hand.Advance(time.Hour)
	clear(d.letters)
	_, err = d.Ask(t.Context(), p.CF, after, after, false)
	check(t, err)
	d.hand.Advance(31 * time.Minute)
	_, err = d.Confirm(t.Context(), p.CF, d.told(t, "code-new", after).Args[1], d.told(t, "code-old", before).Args[1])
	refused(t, err, "CSE-592")
	if got := d.email(t, p.CF); got != before {
		t.Errorf("the address is %s", got)
	}
}

// Without the old address the change waits, both are told, and it can be
// stopped; a counter's act overtakes it.
func TestALostAddressWaits(t *testing.T) {
	d := newDesk(t)
	p := d.person(t, day(1980, 1, 2))
	lose := func() {
		t.Helper()
		d.set(t, p.CF, before, false)
		clear(d.letters)
		d.hand.Advance(time.Hour)
		c, err := d.Ask(t.Context(), p.CF, after, after, true)
		check(t, err)
		if c.NeedsOld() {
			t.Error("a code is asked from the lost address")
		}
		c, err = d.Confirm(t.Context(), p.CF, d.told(t, "code-new", after).Args[1], "")
		check(t, err)
		if c.Effective.Sub(d.hand.Now()) != 72*time.Hour {
			t.Errorf("effective at %s", c.Effective)
		}
		d.told(t, "announced", before)
	}
	ripen := func(want int, email string) {
		t.Helper()
		n, err := d.Ripen(t.Context())
		check(t, err)
		if got := d.email(t, p.CF); n != want || got != email {
			t.Errorf("%d ripened, the address is %s; want %d, %s", n, got, want, email)
		}
	}
	lose()
	d.hand.Advance(71 * time.Hour)
	ripen(0, before)
	check(t, d.Cancel(t.Context(), p.CF))
	d.hand.Advance(2 * time.Hour)
	ripen(0, before)
	lose()
	d.set(t, p.CF, "sportello@posta.example", false)
	d.hand.Advance(73 * time.Hour)
	ripen(0, "sportello@posta.example")
	lose()
	d.hand.Advance(73 * time.Hour)
	ripen(1, after)
	ripen(0, after)
}

// One address, how many adults; a child's and one's own do not count. A parent's
// address ends with the child's eighteenth birthday.
func TestAddressesOfRepresentativesAndAdults(t *testing.T) {
	d := newDesk(t)
	me := d.person(t, day(1980, 1, 2))
	for i := range 3 {
		d.set(t, d.person(t, day(1970, 5, 1+i)).CF, "Casa@posta.example", false)
	}
	child := d.person(t, day(2008, 3, 3)) // eighteen tomorrow
	d.set(t, child.CF, "casa@posta.example", true)
	d.set(t, me.CF, "casa@posta.example", false)
	n, err := d.Adults(t.Context(), "casa@posta.example", me.CF)
	check(t, err)
	if n != 3 {
		t.Errorf("%d adults, want 3", n)
	}
	if got := d.email(t, child.CF); got == "" {
		t.Error("a minor has no address")
	}
	d.hand.Set(time.Date(2026, 3, 2, 23, 0, 0, 0, time.UTC)) // midnight in Rome
	if got := d.email(t, child.CF); got != "" {
		t.Errorf("of age, and the letters still go to %s", got)
	}
}

// A representative's address counts as long as he stands for the holder, though the
// holder is a ward still; it is not told of what comes after either.
func TestR64_TheAddressEndsWithTheTitle(t *testing.T) {
	d := newDesk(t)
	ward := d.person(t, day(1950, 1, 2))
	ward.UnderGuardianship = true
	d.act(t, func(ctx context.Context) error { _, err := d.db.People().Put(ctx, ward); return err })
	const eva, bice = codicefiscale.Code("BLUVEA80B42D612X"), codicefiscale.Code("BLUBCI81C43D612X")
	set := func(email string, by codicefiscale.Code) {
		d.act(t, func(ctx context.Context) error { return d.Set(ctx, ward.CF, email, words.Italian, true, by) })
	}
	set(before, eva)
	if got := d.email(t, ward.CF); got != before {
		t.Errorf("while she stands: %q", got)
	}
	d.gone = eva
	if got := d.email(t, ward.CF); got != "" {
		t.Errorf("her title has ended, and letters go to %q", got)
	}
	set(after, bice)
	c, err := d.Of(t.Context(), ward.CF)
	check(t, err)
	if c.Email != after || c.Before != "" {
		t.Errorf("the next guardian's: %q, before %q", c.Email, c.Before)
	}
}

// An address that was never the holder's to give goes, also as the one before; the
// other representative's takes its place, or nobody's.
func TestR69_AnAddressIsDropped(t *testing.T) {
	for _, c := range []struct {
		name             string
		given            []string
		dropped, instead string
		email, before    string
	}{
		{"in force", []string{"falso@posta.example"}, "Falso@posta.example", "altra@posta.example", "altra@posta.example", ""},
		{"in force, nobody else", []string{"falso@posta.example"}, "falso@posta.example", "", "", ""},
		{"the one before", []string{"falso@posta.example", "altra@posta.example"}, "falso@posta.example", "", "altra@posta.example", ""},
		{"not there", []string{"prima@posta.example", "altra@posta.example"}, "falso@posta.example", "x@posta.example", "altra@posta.example", "prima@posta.example"},
	} {
		d := newDesk(t)
		child := d.person(t, day(2016, 3, 3))
		for _, x := range c.given {
			d.set(t, child.CF, x, true)
		}
		d.act(t, func(ctx context.Context) error { return d.Drop(ctx, child.CF, c.dropped, c.instead, "") })
		got, err := d.Of(t.Context(), child.CF)
		if err != nil || got.Email != c.email || got.Before != c.before {
			t.Errorf("%s: %q, before %q, %v", c.name, got.Email, got.Before, err)
		}
		if at, err := d.At(t.Context(), c.dropped); err != nil || len(at) != 0 {
			t.Errorf("%s: still at it: %v, %v", c.name, at, err)
		}
	}
}

// Once for each card and threshold, the nearest one only, whatever nights were
// skipped; not who wants none, lost the assistance or has the next card.
func TestExpiryNotices(t *testing.T) {
	for _, x := range []struct {
		days int
		want int
	}{{91, 0}, {90, 90}, {61, 90}, {60, 60}, {31, 60}, {30, 30}, {8, 30}, {7, 7}, {0, 7}, {-1, 0}} {
		today := day(2026, 3, 2)
		if got := contacts.Due(today, today.AddDays(x.days)); got != x.want {
			t.Errorf("%d days before: %d, want %d", x.days, got, x.want)
		}
	}
	d := newDesk(t)
	people := map[string]registry.Person{}
	for i, name := range []string{"wanted", "unwanted", "ended", "renewed", "silent"} {
		p := d.person(t, day(1980, 2, 1+i))
		if name != "silent" {
			d.set(t, p.CF, name+"@posta.example", false)
		}
		people[name] = p
		c := lifecycle.Card{
			ID: "609000000000000" + string(rune('0'+i)), TEAM: "8038000090000000000" + string(rune('0'+i)), CF: p.CF, Model: lifecycle.TSCNS, State: lifecycle.Active,
			Issued: day(2020, 5, 1), Expires: day(2026, 5, 1), OrderedAt: d.hand.Now(), CertSerial: "0" + string(rune('a'+i)),
		}
		if name == "renewed" {
			c.ReplacedBy = "6090000000000099"
			next := lifecycle.Card{
				ID: c.ReplacedBy, TEAM: "80380000900000000099", CF: p.CF, Model: lifecycle.TS, State: lifecycle.Delivered,
				Issued: day(2026, 2, 1), Expires: day(2032, 2, 1), OrderedAt: d.hand.Now(),
			}
			d.act(t, func(ctx context.Context) error { _, err := d.db.Cards().Put(ctx, next); return err })
		}
		if name == "ended" {
			p.AssistedUntil = day(2026, 1, 1)
			d.act(t, func(ctx context.Context) error { _, err := d.db.People().Put(ctx, p); return err })
		}
		d.act(t, func(ctx context.Context) error { _, err := d.db.Cards().Put(ctx, c); return err })
	}
	check(t, d.Prefer(t.Context(), people["unwanted"].CF, words.English, false))
	night := func(on civil.Date, want int) {
		t.Helper()
		d.hand.Set(on.Start().Add(3 * time.Hour))
		n, err := d.Expiring(t.Context(), d.db.Cards())
		check(t, err)
		if n != want {
			t.Errorf("%s: %d letters, want %d", on, n, want)
		}
	}
	night(day(2026, 1, 1), 0)
	d.failing = true
	d.hand.Set(day(2026, 3, 2).Start())
	if _, err := d.Expiring(t.Context(), d.db.Cards()); err == nil {
		t.Error("the queue was away and nobody said so")
	}
	d.failing = false
	night(day(2026, 3, 2), 1) // 60 days: the letter of 90 is not made up for
	night(day(2026, 3, 3), 0)
	night(day(2026, 4, 20), 1) // nights were skipped: 30 comes late
	night(day(2026, 4, 21), 0)
	night(day(2026, 4, 25), 1)
	night(day(2026, 5, 2), 0)
	for _, l := range d.letters {
		if l.To != "wanted@posta.example" {
			t.Errorf("a letter went to %s", l.To)
		}
		subject, text := l.Text()
		if !strings.Contains(text, "Mario") || !strings.Contains(text, "01/05/2026") || subject == "" || strings.Contains(text, string(people["wanted"].CF)) {
			t.Errorf("the letter says %s", text)
		}
	}
}

// The first login is told once for each card, also to who wants no notices.
func TestFirstLogin(t *testing.T) {
	d := newDesk(t)
	p := d.person(t, day(1980, 1, 2))
	d.set(t, p.CF, before, false)
	check(t, d.Prefer(t.Context(), p.CF, words.English, false))
	c := lifecycle.Card{ID: "6090000000000007", CF: p.CF}
	for range 3 {
		check(t, d.FirstLogin(t.Context(), c))
	}
	if len(d.letters) != 1 {
		t.Errorf("%d letters", len(d.letters))
	}
	if _, text := d.told(t, "first-login", before).Text(); !strings.Contains(text, "Hello Mario") || !strings.Contains(text, "0007") {
		t.Errorf("the letter says %s", text)
	}
}
