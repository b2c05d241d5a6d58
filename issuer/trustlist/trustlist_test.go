package trustlist_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"io"
	"log/slog"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/approval"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/issuer/trustlist"
	"cse.example/cse/pki/trust/tsl"
)

var day = time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC)

// memory is a Store; an act that fails is undone.
type memory struct{ rows []trustlist.Row }

func (m *memory) atomically(ctx context.Context, act func(ctx context.Context) error) error {
	before := slices.Clone(m.rows)
	err := act(ctx)
	if err != nil {
		m.rows = before
	}
	return err
}

func (m *memory) Add(_ context.Context, r trustlist.Row) error {
	m.rows = append(m.rows, r)
	return nil
}

func (m *memory) Move(_ context.Context, id string, was, to trustlist.State, at time.Time) (bool, error) {
	for i := range m.rows {
		if m.rows[i].ID == id && m.rows[i].State == was {
			m.rows[i].State, m.rows[i].DecidedAt = to, at
			return true, nil
		}
	}
	return false, nil
}

func (m *memory) Heads(context.Context) ([]trustlist.Row, error) {
	return slices.DeleteFunc(slices.Clone(m.rows), func(r trustlist.Row) bool { return r.State != trustlist.Current && r.State != trustlist.Waiting }), nil
}

func (m *memory) Body(_ context.Context, id string) ([]byte, error) {
	return m.rows[slices.IndexFunc(m.rows, func(r trustlist.Row) bool { return r.ID == id })].Body, nil
}

func (m *memory) History(_ context.Context, list string, _ int) ([]trustlist.Row, error) {
	return slices.DeleteFunc(slices.Clone(m.rows), func(r trustlist.Row) bool { return r.List != list }), nil
}

// world is one installation with a foreign publisher.
type world struct {
	t         *testing.T
	store     *memory
	room      *trustlist.Room
	clock     *civil.Hand
	journal   []journal.Entry
	asked     []approval.Request
	key       crypto.Signer
	signer    *x509.Certificate
	publisher *trustlist.Room // of its own lists
}

func certificate(t *testing.T, name string, ca bool, key crypto.Signer) *x509.Certificate {
	t.Helper()
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: day.AddDate(-1, 0, 0), NotAfter: day.AddDate(9, 0, 0), IsCA: ca, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	must(t, err)
	out, err := x509.ParseCertificate(der)
	must(t, err)
	return out
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func ec(t *testing.T) crypto.Signer {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	return k
}

func (w *world) open(schemes ...trustlist.Scheme) *trustlist.Room {
	w.t.Helper()
	r, err := trustlist.New(trustlist.Deps{
		Store: w.store, Schemes: schemes, Atomically: w.store.atomically, Clock: w.clock, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
		Record: func(_ context.Context, e journal.Entry) error { w.journal = append(w.journal, e); return nil },
	})
	must(w.t, err)
	r.Ask = func(_ context.Context, op staff.Operator, kind, subject string, content []byte, note string) (approval.Request, error) {
		q := approval.Request{Kind: kind, Subject: subject, Content: content, Note: note, AskedBy: op.Account}
		w.asked = append(w.asked, q)
		return q, nil
	}
	return r
}

func newWorld(t *testing.T, lenient bool) *world {
	w := &world{t: t, store: &memory{}, clock: civil.NewHand(day), key: ec(t)}
	w.signer = certificate(t, "Elenco altrui", false, w.key)
	w.room = w.open(trustlist.Scheme{Name: "altra", Territory: "IT", Type: tsl.TypeIdV, Signers: []*x509.Certificate{w.signer}, Lenient: lenient})
	other := *w
	other.store = &memory{}
	w.publisher = other.open()
	return w
}

func (w *world) publish(withdraw []string, cas ...*x509.Certificate) []byte {
	w.t.Helper()
	b, err := w.publisher.Publish(w.t.Context(), staff.Operator{Account: "altrui"}, trustlist.Publication{
		Territory: "IT", Scheme: tsl.Scheme{Operator: "Altra Regione"}, Authorities: cas, Withdraw: withdraw, Life: 30 * 24 * time.Hour, Signer: w.signer, Key: w.key, Random: rand.Reader,
	})
	must(w.t, err)
	return b
}

var carlo = staff.Operator{Account: "carlo"}

// take imports; decide lets the second person approve what was asked last.
func (w *world) take(body []byte, want string) trustlist.Result {
	w.t.Helper()
	r, err := w.room.Import(w.t.Context(), carlo, "altra", body, "prova")
	w.fault(err, want)
	return r
}

func (w *world) fault(err error, want string) {
	w.t.Helper()
	got := ""
	if f := words.FaultOf(err); f != nil {
		got = f.Code
	} else if err != nil {
		w.t.Fatal(err)
	}
	if got != want {
		w.t.Errorf("got %q (%v), want %q", got, err, want)
	}
}

func (w *world) decide(want string) {
	w.t.Helper()
	q := w.asked[len(w.asked)-1]
	q.DecidedBy = "dora"
	w.fault(w.store.atomically(w.t.Context(), func(ctx context.Context) error { return w.room.Kinds()[0].Done(ctx, q) }), want)
}

func (w *world) believed(want string) {
	w.t.Helper()
	all, err := w.room.Believed(w.t.Context())
	must(w.t, err)
	var names []string
	for _, b := range all {
		names = append(names, b.Name)
	}
	slices.Sort(names)
	if got := strings.Join(names, ","); got != want {
		w.t.Errorf("believed %q, want %q", got, want)
	}
}

// R9: a new authority is believed after two people, one that is withdrawn stops at once, also while the list that withdraws it
// waits for another; an older list, somebody else's and one of other days change nothing.
func TestR9_FourEyesBeforeANewAuthority(t *testing.T) {
	w := newWorld(t, false)
	a, b, c := certificate(t, "A", true, ec(t)), certificate(t, "B", true, ec(t)), certificate(t, "C", true, ec(t))
	first := w.publish(nil, a, b)
	if r := w.take(first, ""); r.State != trustlist.Waiting || len(r.Changes.New) != 2 {
		t.Errorf("%+v", r)
	}
	w.believed("")
	w.decide("")
	w.believed("A,B")
	if r := w.take(first, ""); !r.Unchanged {
		t.Errorf("the same list again: %+v", r)
	}
	w.clock.Set(day.Add(time.Hour))
	second := w.publish([]string{tsl.Fingerprint(b)}, a, b, c)
	w.take(second, "")
	w.believed("A")   // B at once, C not yet
	w.take(first, "") // in force still
	w.believed("A")
	w.decide("")
	w.believed("A,C")
	w.take(first, "CSE-961")
	w.decide("CSE-968") // decided already

	w.clock.Set(day.Add(2 * time.Hour))
	third := w.publish([]string{tsl.Fingerprint(c)}, a)
	if r := w.take(third, ""); r.State != trustlist.Current || len(r.Changes.Gone) != 1 {
		t.Errorf("nobody new: %+v", r)
	}
	w.believed("A")

	// What is asked is bound to its list: a newer one that came meanwhile is not what was approved.
	w.clock.Set(day.Add(3 * time.Hour))
	d, e := certificate(t, "D", true, ec(t)), certificate(t, "E", true, ec(t))
	w.take(w.publish(nil, d), "")
	stale := w.asked[len(w.asked)-1]
	w.clock.Set(day.Add(4 * time.Hour))
	w.take(w.publish(nil, e), "")
	w.asked = append(w.asked, stale)
	w.decide("CSE-968")
	w.believed("A")
	must(t, w.room.Drop(t.Context(), carlo, "altra"))
	w.fault(w.room.Drop(t.Context(), carlo, "altra"), "CSE-968")

	// Nobody else's, nothing broken, no other name.
	mallory := newWorld(t, false)
	w.take(mallory.publish(nil, certificate(t, "M", true, ec(t))), "CSE-959")
	w.take([]byte("<x/>"), "CSE-958")
	w.take([]byte(strings.Replace(string(w.publish(nil)), "Altra Regione", "Altra Ragione", 1)), "CSE-959")
	_, err := w.room.Import(t.Context(), carlo, "nessuna", first, "")
	w.fault(err, "CSE-963")
	w.believed("A")

	var acts []string
	for _, e := range w.journal {
		acts = append(acts, e.Act)
	}
	for _, want := range []string{"trust.imported", "trust.adopted", "trust.refused", "trust.dropped"} {
		if !slices.Contains(acts, want) {
			t.Errorf("no record of %s in %v", want, acts)
		}
	}
	if h, err := w.store.History(t.Context(), "altra", 100); err != nil || len(h) != 5 {
		t.Errorf("%d lists are kept", len(h))
	}
}

// R9: an authority that a list grants only from a later day is new today, so that nobody becomes believed by waiting.
func TestR9_AnAuthorityOfTomorrowNeedsTwoPeople(t *testing.T) {
	w := newWorld(t, false)
	a, b := certificate(t, "A", true, ec(t)), certificate(t, "B", true, ec(t))
	w.take(w.publish(nil, a), "")
	w.decide("")
	later := func(c *x509.Certificate, from time.Time) tsl.Service {
		return tsl.Service{Name: c.Subject.CommonName, Type: tsl.TypeIdV, Certificates: []*x509.Certificate{c}, States: []tsl.State{{Type: tsl.TypeIdV, Status: tsl.Granted, From: from}}}
	}
	body, err := tsl.Write(rand.Reader, &tsl.List{
		Sequence: 2, Territory: "IT", Operator: "Altra Regione", Issued: day, NextUpdate: day.AddDate(0, 1, 0), Signer: w.signer,
		Services: []tsl.Service{later(a, day.AddDate(0, -1, 0)), later(b, day.AddDate(0, 0, 1))},
	}, tsl.Scheme{Operator: "Altra Regione"}, w.key)
	must(t, err)
	if r := w.take(body, ""); r.State != trustlist.Waiting {
		t.Errorf("%+v", r)
	}
	w.clock.Set(day.AddDate(0, 0, 2))
	w.believed("A")
	w.decide("")
	w.believed("A,B")
}

// An expired list closes, or warns, as the configuration says; a signer that is pinned no more grants nobody, and the next one
// cannot bring an older list back.
func TestExpiredListAndAnotherSigner(t *testing.T) {
	for _, lenient := range []bool{false, true} {
		w := newWorld(t, lenient)
		a := certificate(t, "A", true, ec(t))
		w.take(w.publish(nil, a), "")
		w.decide("")
		w.clock.Set(day.AddDate(0, 0, 30))
		w.believed("A")
		w.clock.Set(day.AddDate(0, 0, 30).Add(time.Second))
		if lenient {
			w.believed("A")
		} else {
			w.believed("")
		}
		late := w.publish(nil, a)
		w.clock.Set(day.AddDate(0, 0, 90))
		w.take(late, "CSE-962")
		w.clock.Set(day.AddDate(0, 0, 30).Add(-time.Hour))
		_, err := w.publisher.Publish(t.Context(), carlo, trustlist.Publication{Territory: "IT", Life: time.Hour, Signer: w.signer, Key: w.key, Random: rand.Reader})
		w.fault(err, "CSE-969")
		_, err = w.publisher.Publish(t.Context(), carlo, trustlist.Publication{Territory: "IT", Withdraw: []string{"00"}, Life: time.Hour, Signer: w.signer, Key: w.key, Random: rand.Reader})
		if err == nil {
			t.Error("nobody was withdrawn")
		}
		w.clock.Set(day.AddDate(0, 0, 31))
		_, err = w.publisher.Publish(t.Context(), carlo, trustlist.Publication{Territory: "IT", Withdraw: []string{"00"}, Life: time.Hour, Signer: w.signer, Key: w.key, Random: rand.Reader})
		w.fault(err, "CSE-967")
	}
	w := newWorld(t, true)
	a := certificate(t, "A", true, ec(t))
	w.take(w.publish(nil, a), "")
	w.decide("")
	next := newWorld(t, true) // another key, and number 1 again
	w.room = w.open(trustlist.Scheme{Name: "altra", Territory: "IT", Type: tsl.TypeIdV, Signers: []*x509.Certificate{next.signer}})
	w.believed("")
	w.take(next.publish(nil, a), "CSE-961")
	next.clock.Set(day.Add(time.Hour))
	w.clock.Set(day.Add(time.Hour))
	w.take(next.publish(nil, a), "")
	w.believed("")
	w.decide("")
	w.believed("A")
}

func TestSchemesRefused(t *testing.T) {
	w := newWorld(t, false)
	good := trustlist.Scheme{Name: "x", Type: tsl.TypeIdV, Signers: []*x509.Certificate{w.signer}}
	own, empty := good, good
	own.Name, empty.Signers = trustlist.Own, nil
	for _, s := range [][]trustlist.Scheme{{good, good}, {own}, {empty}} {
		_, err := trustlist.New(trustlist.Deps{
			Store: w.store, Schemes: s, Atomically: w.store.atomically, Clock: w.clock, Log: slog.Default(),
			Record: func(context.Context, journal.Entry) error { return errors.New("not asked") },
		})
		if err == nil {
			t.Errorf("%+v", s)
		}
	}
}
