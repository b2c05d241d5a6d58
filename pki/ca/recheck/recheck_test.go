package recheck_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"cse.example/cse/engine/store"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/journal"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/ca/catest"
	"cse.example/cse/pki/ca/recheck"
	"cse.example/cse/pki/keys/keystest"
	"cse.example/cse/pki/profile"
	"cse.example/cse/pki/status"
)

func TestMain(m *testing.M) {
	keystest.Cheap()
	os.Exit(m.Run())
}

// world is an authority with one certificate in each state, a second one by
// extension, its list and its responder.
type world struct {
	*catest.Authority
	db        *store.DB
	dir       string
	responder *status.Responder
	acts      *acts
	serial    map[string]string // by what it is
	silent    bool
}

// acts is a trail in memory that a test may alter.
type acts struct{ all []recheck.Act }

func (a *acts) record(_ context.Context, e journal.Entry) error {
	x := recheck.Act{Index: int64(len(a.all) + 1), Name: e.Act, Serial: e.Detail["serial"]}
	if e.Detail["reason"] != "" {
		if _, err := fmt.Sscan(e.Detail["reason"], &x.Reason); err != nil {
			return err
		}
	}
	a.all = append(a.all, x)
	return nil
}

// OfCard gives them all: the check looks at the serial number.
func (a *acts) OfCard(context.Context, string) ([]recheck.Act, error) { return a.all, nil }

func (a *acts) Page(_ context.Context, after int64) ([]recheck.Act, int64, error) {
	if after >= int64(len(a.all)) {
		return nil, after, nil
	}
	return a.all[after:], int64(len(a.all)), nil
}

func newWorld(t *testing.T, db *store.DB) *world {
	t.Helper()
	w := &world{db: db, dir: t.TempDir(), acts: &acts{}, serial: map[string]string{}}
	k := &dying{Store: db.PKI(), left: -1}
	w.Authority = catest.New(t, db, k, func(p *ca.Parts) { p.Record = w.acts.record })
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	ctx := t.Context()
	for n, name := range []string{"pending", "good", "held", "revoked", "old"} {
		c, err := w.Issue(ctx, catest.Request(t, n))
		must(err)
		w.serial[name] = ca.SerialOf(c)
	}
	for _, name := range []string{"good", "held", "revoked", "old"} {
		must(w.Activate(ctx, w.serial[name]))
	}
	w.Hand.Advance(time.Hour)
	must(w.Hold(ctx, w.serial["held"]))
	must(w.Revoke(ctx, w.serial["revoked"], ca.KeyCompromise))
	w.Hand.Advance(time.Hour)
	w.Hand.Advance(60 * 24 * time.Hour)
	long, err := w.Extend(ctx, ca.Extension{Serial: w.serial["old"], Until: catest.Request(t, 4).Expires.AddDays(200), Room: 2048})
	must(err)
	must(w.Supersede(ctx, long.Serial))
	w.serial["long"] = long.Serial
	// One reserved and given up, one reserved and never gone on with.
	for n, name := range []string{"void", "reserved"} {
		k.left = 1
		if _, err := w.Issue(ctx, catest.Request(t, 10+n)); !errors.Is(err, errDead) {
			t.Fatal(err)
		}
		k.left = -1
		open, err := db.PKI().Unfinished(ctx, "", 2)
		must(err)
		w.serial[name] = open[0].Serial
		if name == "void" {
			now := w.Hand.Now()
			w.Hand.Set(open[0].NotAfter.Add(time.Second))
			_, err = w.Recover(ctx)
			must(err)
			w.Hand.Set(now)
		}
	}
	w.Hand.Advance(time.Hour)
	w.responder, err = status.NewResponder(status.ResponderParts{
		Issuer: w.Material.Issuing, Cert: w.Material.Responder, Signer: w.Material.ResponderKey, Store: db.PKI(), Clock: w.Hand, Rand: rand.Reader,
	})
	must(err)
	w.publish(t)
	return w
}

func (w *world) publish(t *testing.T) {
	t.Helper()
	p, err := status.NewPublisher(status.PublisherParts{
		Issuer: w.Material.Issuing, Signer: w.Material.IssuingKey, Store: w.db.PKI(), Atomically: w.db.Atomically, Clock: w.Hand, Rand: rand.Reader,
		Dir: w.dir, URLs: profile.URLsAt(catest.Base),
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Publish(t.Context()); err != nil {
		t.Fatal(err)
	}
}

var errDead = errors.New("dead")

// dying is a store that dies at the n-th write from now on.
type dying struct {
	ca.Store
	left int
}

func (d *dying) step() error {
	if d.left == 0 {
		return errDead
	}
	d.left--
	return nil
}

func (d *dying) Reserve(ctx context.Context, r ca.Record) error {
	if err := d.step(); err != nil {
		return err
	}
	return d.Store.Reserve(ctx, r)
}

func (d *dying) Put(ctx context.Context, r ca.Record) error {
	if err := d.step(); err != nil {
		return err
	}
	return d.Store.Put(ctx, r)
}

// inspect runs the check; change may edit what it asks.
func (w *world) inspect(t *testing.T, change ...func(*recheck.Inspector)) ([]recheck.Finding, recheck.Sum) {
	t.Helper()
	var found []recheck.Finding
	i := recheck.Inspector{
		Store: w.db.PKI(), Authorities: map[string]*x509.Certificate{ca.IssuerID(w.Material.Issuing): w.Material.Issuing},
		Trail: w.acts, Clock: w.Hand,
		Lists: func(address string) string { return filepath.Join(w.dir, path.Base(address)) },
		OCSP:  w.ask,
		Found: func(f recheck.Finding) error {
			found = append(found, f)
			return nil
		},
	}
	for _, f := range change {
		f(&i)
	}
	sum, err := i.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return found, sum
}

func (w *world) ask(ctx context.Context, leaf, issuer *x509.Certificate) (recheck.Standing, error) {
	if w.silent {
		return recheck.Standing{}, errors.New("silence")
	}
	q, err := ocsp.CreateRequest(leaf, issuer, nil)
	if err != nil {
		return recheck.Standing{}, err
	}
	reply, err := w.responder.Answer(ctx, q)
	if err != nil {
		return recheck.Standing{}, err
	}
	a, err := status.ReadAnswer(reply.DER, issuer, leaf.SerialNumber, w.Hand.Now())
	return recheck.Standing{
		Listed: a.Status == status.AnswerRevoked || a.Status == status.AnswerHeld, Reason: a.Reason, At: a.This, Unknown: a.Status == status.AnswerUnknown,
	}, err
}

// sql alters the database behind everybody's back.
func (w *world) sql(t *testing.T, statements ...string) {
	t.Helper()
	err := w.db.Atomically(t.Context(), func(ctx context.Context) error {
		for _, s := range statements {
			if _, err := w.db.Conn(ctx).ExecContext(ctx, s); err != nil {
				return fmt.Errorf("%s: %w", s, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestNothingIsFoundInWhatIsRight(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		w := newWorld(t, db)
		found, sum := w.inspect(t)
		if len(found) != 0 || sum.Certificates != 8 || sum.Lists != 1 || sum.Findings != 0 {
			t.Errorf("%+v %v", sum, found)
		}
	})
}

// Each alteration is found, by its code.
func TestEachAlterationIsFound(t *testing.T) {
	row := func(column, value, of string) func(t *testing.T, w *world) {
		return func(t *testing.T, w *world) {
			w.sql(t, fmt.Sprintf("UPDATE certificate SET %s = %s WHERE serial = '%s'", column, value, w.serial[of]))
		}
	}
	from := func(column, of string) string {
		return "(SELECT " + column + " FROM certificate WHERE serial = '" + of + "')"
	}
	tests := []struct {
		code, name string
		alter      func(t *testing.T, w *world)
	}{
		{recheck.Unreadable, "a certificate cut short", row("der", "substr(der, 1, 500)", "good")},
		{recheck.Altered, "another content to be signed", row("tbs", "substr(tbs, 1, 100)", "good")},
		{recheck.Signature, "an octet of the signature", func(t *testing.T, w *world) {
			r, err := w.Get(t.Context(), w.serial["good"])
			if err != nil {
				t.Fatal(err)
			}
			r.DER = bytes.Clone(r.DER)
			r.DER[len(r.DER)-3] ^= 1
			w.sql(t, fmt.Sprintf("UPDATE certificate SET der = X'%x' WHERE serial = '%s'", r.DER, r.Serial))
		}},
		{recheck.NoIssuer, "an authority nobody knows", row("issuer", "'00'", "good")},
		{recheck.Unsigned, "no certificate", row("der", "X''", "good")},
		{recheck.SignedEarly, "a void number with a certificate", row("der", "X'3000'", "void")},
		{"cns_serial_reserved", "the certificate of another card", func(t *testing.T, w *world) {
			w.sql(t, fmt.Sprintf("UPDATE certificate SET tbs = %[1]s, der = %[2]s WHERE serial = '%[3]s'", from("tbs", w.serial["held"]), from("der", w.serial["held"]), w.serial["good"]))
		}},
		{"cns_subject_reserved", "another holder", row("person", "'VRDGNN85M41D612X'", "good")},
		{"cns_subject_reserved", "another card", row("card", "'6090000000000016'", "good")},
		{"cns_key_reserved", "another key", row("key_hash", "'00'", "good")},
		{"cns_distribution_point", "another part of the list", row("shard", "7", "good")},
		{"cns_validity_reserved", "another end", row("not_after", "not_after + 1000000", "good")},
		{recheck.Times, "pending and activated", row("activated_at", "5", "pending")},
		{recheck.Times, "a state that is none", row("state", "'suspended'", "good")},
		{recheck.Times, "good and with a reason", row("reason", "1", "good")},
		{recheck.CardTwice, "two living certificates of a card", func(t *testing.T, w *world) {
			w.sql(t, "DROP INDEX certificate_card", fmt.Sprintf("UPDATE certificate SET card = %s WHERE serial = '%s'", from("card", w.serial["held"]), w.serial["good"]))
		}},
		{recheck.KeyTwice, "one key of two cards", func(t *testing.T, w *world) {
			w.sql(t, "DROP INDEX certificate_key", fmt.Sprintf("UPDATE certificate SET key_hash = %s WHERE serial = '%s'", from("key_hash", w.serial["held"]), w.serial["good"]))
		}},
		{recheck.Extends, "an extension of nothing", row("extends", "'00'", "long")},
		{recheck.Extends, "an extension of another card's", func(t *testing.T, w *world) {
			w.sql(t, fmt.Sprintf("UPDATE certificate SET extends = '%s' WHERE serial = '%s'", w.serial["revoked"], w.serial["long"]))
		}},
		{recheck.TrailMissing, "a certificate that the trail does not know", func(_ *testing.T, w *world) { w.drop("good") }},
		{recheck.TrailMissing, "the reservation is not in the trail", func(_ *testing.T, w *world) { w.drop("good", "certificate.reserved") }},
		{recheck.TrailOrder, "activated without being issued", func(_ *testing.T, w *world) { w.drop("good", "certificate.issued") }},
		{recheck.TrailState, "good, though the trail revoked it", row("state", "'good'", "revoked")},
		{recheck.TrailState, "revoked for another reason", row("reason", "5", "revoked")},
		{recheck.NoRecord, "a record is gone", func(t *testing.T, w *world) {
			w.sql(t, fmt.Sprintf("DELETE FROM certificate WHERE serial = '%s'", w.serial["good"]))
		}},
		{recheck.NoRecord, "a listed number's record is gone, and the trail's", func(t *testing.T, w *world) {
			w.drop("held")
			w.sql(t, fmt.Sprintf("DELETE FROM certificate WHERE serial = '%s'", w.serial["held"]))
		}},
		{recheck.ListMissing, "no list", func(t *testing.T, w *world) { w.list(t, nil) }},
		{recheck.ListMissing, "a list that is none", func(t *testing.T, w *world) { w.list(t, []byte("not a list")) }},
		{recheck.ListSignature, "an octet of the list's signature", func(t *testing.T, w *world) {
			b, err := os.ReadFile(filepath.Join(w.dir, "issuing-0.crl"))
			if err != nil {
				t.Fatal(err)
			}
			b[len(b)-3] ^= 1
			w.list(t, b)
		}},
		{recheck.ListLate, "nobody publishes any more", func(_ *testing.T, w *world) { w.Hand.Advance(48 * time.Hour) }},
		{recheck.NotListed, "held before the list was made, and not on it", row("state", "'held', changed_at = activated_at + 1", "good")},
		{recheck.Listed, "never activated by the record, and listed", row("state", "'good', activated_at = issued_at + 1", "pending")},
		{recheck.ListReason, "listed for another reason", row("reason", "5", "revoked")},
		{recheck.Answered, "the responder answers from before", func(t *testing.T, w *world) {
			var err error
			w.responder, err = status.NewResponder(status.ResponderParts{
				Issuer: w.Material.Issuing, Cert: w.Material.Responder, Signer: w.Material.ResponderKey, Store: allGood{}, Clock: w.Hand, Rand: rand.Reader,
			})
			if err != nil {
				t.Fatal(err)
			}
		}},
		{recheck.Answered, "the responder does not answer", func(_ *testing.T, w *world) { w.silent = true }},
	}
	for _, tt := range tests {
		t.Run(tt.code+": "+tt.name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, storetest.SQLite(t))
			tt.alter(t, w)
			found, sum := w.inspect(t)
			if !slices.ContainsFunc(found, func(f recheck.Finding) bool { return f.Code == tt.code && f.Says != "" }) || sum.Findings != len(found) {
				t.Errorf("found %v", found)
			}
			for _, f := range found {
				for n := range 5 {
					if cf := catest.Request(t, n).CF; strings.Contains(f.Says, cf) {
						t.Errorf("%s names a holder", f.Code)
					}
				}
			}
		})
	}
}

// drop takes acts of a certificate out of the trail; all of them when none is named.
func (w *world) drop(of string, names ...string) {
	w.acts.all = slices.DeleteFunc(w.acts.all, func(a recheck.Act) bool {
		return a.Serial == w.serial[of] && (len(names) == 0 || slices.Contains(names, a.Name))
	})
}

func (w *world) list(t *testing.T, b []byte) {
	t.Helper()
	name := filepath.Join(w.dir, "issuing-0.crl")
	err := os.Remove(name)
	if b != nil {
		err = os.WriteFile(name, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

type allGood struct{}

func (allGood) Standing(context.Context, string, string) (status.Standing, error) {
	return status.Standing{Known: true}, nil
}

// A check that was stopped goes on where it was, and finds the rest.
func TestACheckGoesOn(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	w.sql(t, "UPDATE certificate SET shard = 7 WHERE state <> 'reserved' AND state <> 'void'")
	all, sum := w.inspect(t)
	serials := func(found []recheck.Finding) (out []string) {
		for _, f := range found {
			if f.Code == "cns_distribution_point" {
				out = append(out, f.Serial)
			}
		}
		return out
	}
	want := serials(all)
	if len(want) != 6 || !slices.IsSorted(want) || sum.Last < want[5] {
		t.Fatalf("found %v, last %s", want, sum.Last)
	}
	rest, _ := w.inspect(t, func(i *recheck.Inspector) { i.After = want[2] })
	if got := serials(rest); !slices.Equal(got, want[3:]) {
		t.Errorf("after the third: %v, want %v", got, want[3:])
	}
	enough := errors.New("enough")
	_, err := recheck.Inspector{
		Store: w.db.PKI(), Authorities: map[string]*x509.Certificate{ca.IssuerID(w.Material.Issuing): w.Material.Issuing}, Clock: w.Hand,
		Found: func(recheck.Finding) error { return enough },
	}.Run(t.Context())
	if !errors.Is(err, enough) {
		t.Errorf("told to stop: %v", err)
	}
}

// Of a trail that was cut, the acts before its beginning are not asked for.
func TestATrailThatWasCut(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	w.drop("revoked", "certificate.reserved", "certificate.issued", "certificate.activated")
	found, _ := w.inspect(t)
	if len(found) == 0 {
		t.Error("missing acts were not found")
	}
	found, _ = w.inspect(t, func(i *recheck.Inspector) { i.Since = catest.Start.Add(30 * time.Minute) })
	if len(found) != 0 {
		t.Errorf("after the cut: %v", found)
	}
}
