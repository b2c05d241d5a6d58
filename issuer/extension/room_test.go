package extension_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"pgregory.net/rapid"

	"cse.example/cse/card/cns"
	"cse.example/cse/card/iso7816"
	"cse.example/cse/card/secmsg"
	"cse.example/cse/engine/store"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/extension"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/throttle"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/ca/catest"
	"cse.example/cse/pki/keys/keystest"
)

func TestMain(m *testing.M) {
	keystest.Cheap()
	os.Exit(m.Run())
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func code(err error) string {
	if f := words.FaultOf(err); f != nil {
		return f.Code
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

// holderKey is the key of the cards made here.
var holderKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

var chipKey = []byte("0123456789abcdef0123456789abcdef")

// world is one room with cards of one key's making.
type world struct {
	db        *store.DB
	authority *catest.Authority
	room      *extension.Room
	ends      civil.Date
	n         int
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{db: storetest.SQLite(t), ends: civil.DayOf(catest.Start).AddYears(3)}
	w.authority = catest.New(t, w.db, w.db.PKI())
	h, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	check(t, err)
	seal, err := aead.New(h)
	check(t, err)
	w.room, err = extension.New(extension.Deps{
		Store: w.db.Extensions(), Cards: w.db.Cards(), Authority: w.authority,
		Person: func(context.Context, codicefiscale.Code) (registry.Person, error) {
			return registry.Person{AssistedFrom: day(2000, 1, 1)}, nil
		},
		ChipKey: func(string) (secret.Text, error) { return secret.New(chipKey), nil },
		Ends:    func(context.Context, time.Time) (civil.Date, error) { return w.ends, nil },
		Brake:   throttle.Brake{Tries: w.db.Tries(), Clock: w.authority.Hand}, Seal: seal, Clock: w.authority.Hand, Rand: rand.Reader,
		Atomically: w.db.Atomically, Record: w.authority.Journal.Record, EndSessions: func(context.Context, string) error { return nil },
		Tell: func(context.Context, lifecycle.Card, civil.Date) error { return nil },
	})
	check(t, err)
	return w
}

// chip is a card whose file is in memory and whose issuer's session is the real
// one: it takes what the issuer closed and nothing else.
type chip struct {
	w         *world
	id        string
	serial    string // of the certificate it began with
	file      []byte
	challenge []byte
	session   *secmsg.Session
	n         uint64
}

// card gives a card that expires in two months, and its holder the next one.
func (w *world) card(t testing.TB) *chip {
	t.Helper()
	key, err := holderKey()
	check(t, err)
	w.n += 2
	id, err := cns.NewCardID("6090", uint64(w.n), 0)
	check(t, err)
	next, err := cns.NewCardID("6090", uint64(w.n+1), 0)
	check(t, err)
	public := &key.PublicKey
	if w.n > 2 { // a key is certified once
		public = catest.Key(t)
	}
	today, now, ctx := civil.DayOf(catest.Start), catest.Start, context.Background()
	q := catest.Request(t, w.n%600)
	q.Card, q.Key, q.Expires = string(id), public, today.AddDays(60)
	made, err := w.authority.Issue(ctx, q)
	check(t, err)
	c := &chip{w: w, id: string(id), serial: ca.SerialOf(made), file: make([]byte, cns.SizeCertificate)}
	copy(c.file, made.Raw)
	check(t, w.db.Atomically(ctx, func(ctx context.Context) error {
		_, err := w.db.Cards().Put(ctx, lifecycle.Card{
			ID: c.id, TEAM: id.TEAM(), CF: codicefiscale.Code(q.CF), Model: lifecycle.TSCNS, State: lifecycle.Active, Issued: today.AddYears(-5), Expires: today.AddDays(60),
			CertSerial: c.serial, OrderedAt: now, ShippedAt: now, DeliveredAt: now, ActivatedAt: now, ReplacedBy: string(next),
		})
		if err != nil {
			return err
		}
		_, err = w.db.Cards().Put(ctx, lifecycle.Card{
			ID: string(next), TEAM: next.TEAM(), CF: codicefiscale.Code(q.CF), Model: lifecycle.TS, State: lifecycle.Delivered, Issued: today, Expires: today.AddYears(6),
			OrderedAt: now.Add(time.Hour), ShippedAt: now, DeliveredAt: now, Replaces: c.id,
		})
		if err != nil {
			return err
		}
		return w.authority.Activate(ctx, c.serial)
	}))
	return c
}

func sign(t testing.TB, card string, nonce []byte) []byte {
	t.Helper()
	key, err := holderKey()
	check(t, err)
	sum := sha256.Sum256(extension.Message(card, nonce))
	out, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:])
	check(t, err)
	return out
}

func (c *chip) newChallenge() []byte {
	c.challenge, c.session, c.n = make([]byte, 16), nil, 0
	_, _ = rand.Read(c.challenge)
	return c.challenge
}

// obey runs up to most commands of a script, as the chip does, and gives the
// closed answers.
func (c *chip) obey(t testing.TB, a extension.Authorised, most int) [][]byte {
	t.Helper()
	want, err := secmsg.Cryptogram(chipKey, c.challenge)
	check(t, err)
	if !bytes.Equal(want, a.Cryptogram) {
		t.Fatal("the chip does not believe the issuer")
	}
	c.session, err = secmsg.New(chipKey, c.challenge)
	check(t, err)
	var answers [][]byte
	for i, b := range a.Commands {
		if i >= most {
			break
		}
		cmd, err := iso7816.ParseCommand(b)
		check(t, err)
		c.n++
		inner, err := c.session.Open(c.n, cmd)
		check(t, err)
		r := iso7816.Response{SW: iso7816.OK}
		at := int(inner.P1)<<8 | int(inner.P2)
		switch inner.INS {
		case iso7816.InsUpdateBinary:
			copy(c.file[at:], inner.Data)
		case iso7816.InsReadBinary:
			r.Data = c.file[at : at+inner.Le]
		}
		answers = append(answers, c.session.Answer(c.n, r).Data)
	}
	return answers
}

// proved goes as far as the new certificate.
func (w *world) proved(t testing.TB, c *chip) extension.Session {
	t.Helper()
	ctx := context.Background()
	s, err := w.room.Begin(ctx, extension.Proof{Card: c.id, Serial: c.serial}, cns.SizeCertificate)
	check(t, err)
	s, err = w.room.Prove(ctx, s.Token, sign(t, c.id, s.Nonce))
	check(t, err)
	return s
}

// R109: each step wants the one before, and nothing that the chip did not do
// itself is believed.
func TestR109_OnlyTheChipConfirms(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	c := w.card(t)
	is := func(name string, err error, want string) {
		t.Helper()
		if got := code(err); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	s, err := w.room.Begin(ctx, extension.Proof{Card: c.id, Serial: c.serial}, cns.SizeCertificate)
	check(t, err)
	_, err = w.room.Authorise(ctx, s.Token, extension.Write, c.newChallenge())
	is("a script before the card signed", err, "CSE-893")
	_, err = w.room.Prove(ctx, s.Token, sign(t, c.id, []byte("another challenge")))
	is("another challenge signed", err, "CSE-894")
	_, err = w.room.Prove(ctx, s.Token, sign(t, "6090000000000000", s.Nonce))
	is("signed for another card", err, "CSE-894")
	_, err = w.room.Prove(ctx, secret.FromString("stranger"), sign(t, c.id, s.Nonce))
	is("a stranger's token", err, "CSE-893")
	s = w.proved(t, c)
	_, err = w.room.Authorise(ctx, s.Token, extension.Write, make([]byte, 8))
	is("half a challenge", err, "CSE-893")
	_, err = w.room.Authorise(ctx, s.Token, "format", c.newChallenge())
	is("a script that does not exist", err, "CSE-899")
	_, err = w.room.Confirm(ctx, s.Token, nil)
	is("nothing was authorised", err, "CSE-893")

	a, err := w.room.Authorise(ctx, s.Token, extension.Look, c.newChallenge())
	check(t, err)
	_, err = w.room.Confirm(ctx, s.Token, c.obey(t, a, 99))
	is("the old one is still there", err, "CSE-897")
	a, err = w.room.Authorise(ctx, s.Token, extension.Pieces, c.newChallenge())
	check(t, err)
	_, err = w.room.Confirm(ctx, s.Token, c.obey(t, a, 3))
	is("part of the answers", err, "CSE-897")
	a, err = w.room.Authorise(ctx, s.Token, extension.Write, c.newChallenge())
	check(t, err)
	good := c.obey(t, a, 99)
	forged := append([][]byte(nil), good...)
	forged[1] = good[0]
	_, err = w.room.Confirm(ctx, s.Token, forged)
	is("an answer of another command", err, "CSE-896")
	old, err := w.authority.Get(ctx, c.serial)
	if err != nil || old.State != ca.Good {
		t.Errorf("before the confirmation the old one is %s (%v)", old.State, err)
	}
	w.authority.Hand.Set(catest.Start.Add(16 * time.Minute))
	_, err = w.room.Confirm(ctx, s.Token, good)
	is("too late", err, "CSE-893")
	w.authority.Hand.Set(catest.Start.Add(5 * time.Minute))
	done, err := w.room.Confirm(ctx, s.Token, good)
	check(t, err)
	if done.State != extension.Confirmed || done.Until != w.ends {
		t.Errorf("%+v", done)
	}
	_, err = w.room.Confirm(ctx, s.Token, good)
	is("confirmed twice", err, "CSE-893")
}

// A card that shows no good certificate proves itself by its key, and nobody else
// learns whether anything waits for it.
func TestR108_ResumeByTheKeyAlone(t *testing.T) {
	w := newWorld(t)
	ctx := t.Context()
	c := w.card(t)
	resume := func(card string, signature func(nonce []byte) []byte) (extension.Session, error) {
		t.Helper()
		q, err := w.room.Challenge(ctx, card)
		check(t, err)
		return w.room.Resume(ctx, q.Token, signature(q.Nonce))
	}
	mine := func(nonce []byte) []byte { return sign(t, c.id, nonce) }
	if _, err := resume(c.id, mine); code(err) != "CSE-895" {
		t.Errorf("nothing was begun: %v", err)
	}
	w.authority.Hand.Set(catest.Start.Add(time.Minute)) // past the brake's two seconds
	s := w.proved(t, c)
	if _, err := resume(c.id, func([]byte) []byte { return make([]byte, 256) }); code(err) != "CSE-895" {
		t.Errorf("not its key: %v", err)
	}
	if _, err := resume(c.id, mine); code(err) != "CSE-901" {
		t.Errorf("at once after a wrong one: %v", err)
	}
	w.authority.Hand.Set(catest.Start.Add(10 * time.Minute))
	r, err := resume(c.id, mine)
	check(t, err)
	if r.Serial != s.Serial || r.State != extension.Issued {
		t.Errorf("%+v, want the certificate %s", r, s.Serial)
	}
	if _, err := w.room.Authorise(ctx, s.Token, extension.Write, c.newChallenge()); code(err) != "CSE-893" {
		t.Errorf("two at work on one card: %v", err)
	}
	q, err := w.room.Challenge(ctx, c.id)
	check(t, err)
	w.authority.Hand.Set(catest.Start.Add(16 * time.Minute))
	if _, err := w.room.Resume(ctx, q.Token, mine(q.Nonce)); code(err) != "CSE-893" {
		t.Errorf("a challenge of six minutes ago: %v", err)
	}
	if _, err := w.room.Challenge(ctx, "6090000000000001"); code(err) != "CSE-895" {
		t.Errorf("no card number: %v", err)
	}
	w.ends = civil.DayOf(catest.Start).AddDays(-1)
	if _, err := resume(c.id, mine); code(err) != "CSE-880" {
		t.Errorf("after the service's end: %v", err)
	}
}

// TestR108_OneGoodCertificate lives random lives of one extension: steps in any
// order, of two programs at once, chips that stop midway, suspensions, the night,
// the card's end. After each there is exactly one good certificate, or none when the
// card is not in use; and never one that the chip's record does not name.
func TestR108_OneGoodCertificate(t *testing.T) {
	w := newWorld(t)
	ctx := context.Background()
	first, confirmed := w.card(t), 0
	rapid.Check(t, func(rt *rapid.T) {
		w.reset(t, first)
		c := first
		var sessions [2]extension.Session
		var along [2]int
		var answers [][]byte
		for range rapid.IntRange(6, 18).Draw(rt, "steps") {
			who := rapid.SampledFrom([]int{0, 0, 0, 1}).Draw(rt, "program")
			s := &sessions[who]
			step := rapid.SampledFrom([]string{
				"", "", "", "", "", "", "", "", "", "begin", "prove", "write", "look", "confirm", "resume", "suspend", "reactivate", "night", "revoke",
			}).Draw(rt, "step")
			if step == "" { // what that program would do next
				step = []string{"begin", "prove", "write", "confirm"}[along[who]%4]
				along[who]++
			}
			switch step {
			case "begin":
				if x, err := w.room.Begin(ctx, extension.Proof{Card: c.id, Serial: w.serialOf(t, c)}, 2048); err == nil {
					*s = x
				}
			case "prove":
				if x, err := w.room.Prove(ctx, s.Token, sign(t, c.id, s.Nonce)); err == nil {
					*s = x
				}
			case "write", "look":
				script := map[string]extension.Script{"write": extension.Pieces, "look": extension.Look}[step]
				if a, err := w.room.Authorise(ctx, s.Token, script, c.newChallenge()); err == nil {
					answers = c.obey(t, a, rapid.SampledFrom([]int{0, 1, 4, 99, 99}).Draw(rt, "commands"))
				}
			case "confirm":
				if _, err := w.room.Confirm(ctx, s.Token, answers); err == nil {
					confirmed++
				}
			case "resume":
				if q, err := w.room.Challenge(ctx, c.id); err == nil {
					if x, err := w.room.Resume(ctx, q.Token, sign(t, c.id, q.Nonce)); err == nil {
						*s = x
					}
				}
			case "suspend":
				w.move(t, c, lifecycle.Suspend, lifecycle.ByHolder, w.authority.Hold)
			case "reactivate":
				w.move(t, c, lifecycle.Reactivate, "", w.authority.Release)
			case "revoke":
				w.move(t, c, lifecycle.Revoke, lifecycle.ByHolder, func(ctx context.Context, serial string) error {
					if err := w.authority.Revoke(ctx, serial, 0); err != nil {
						return err
					}
					return w.room.Abandon(ctx, c.id)
				})
			case "night":
				if _, err := w.room.Sweep(ctx); err != nil {
					rt.Fatal(err)
				}
			}
			w.agrees(rt, c, step)
		}
	})
	if confirmed == 0 {
		t.Error("no life came to a confirmation: the property says nothing")
	}
}

func (w *world) serialOf(t testing.TB, c *chip) string {
	t.Helper()
	x, err := w.db.Cards().Get(context.Background(), c.id)
	check(t, err)
	return x.CertSerial
}

func (w *world) move(t testing.TB, c *chip, e lifecycle.Event, why lifecycle.Reason, certificate func(context.Context, string) error) {
	t.Helper()
	check(t, w.db.Atomically(context.Background(), func(ctx context.Context) error {
		x, err := w.db.Cards().Get(ctx, c.id)
		if err != nil {
			return err
		}
		moved, err := lifecycle.Move(x, e, why, w.authority.Hand.Now())
		if err != nil {
			return nil //nolint:nilerr // not possible now
		}
		if moved, err = w.db.Cards().Put(ctx, moved); err != nil {
			return err
		}
		return certificate(ctx, moved.CertSerial)
	}))
}

// reset makes the card new again.
func (w *world) reset(t testing.TB, c *chip) {
	t.Helper()
	check(t, w.db.Atomically(context.Background(), func(ctx context.Context) error {
		for _, q := range []string{
			"DELETE FROM extension", "DELETE FROM certificate WHERE extends <> ''", "UPDATE certificate SET state = 'good', reason = 0, changed_at = 0", "DELETE FROM counter_tries",
		} {
			if _, err := w.db.Conn(ctx).ExecContext(ctx, q); err != nil {
				return err
			}
		}
		x, err := w.db.Cards().Get(ctx, c.id)
		if err != nil {
			return err
		}
		x.State, x.CertSerial, x.CertExpires, x.Reason = lifecycle.Active, c.serial, civil.Date{}, ""
		_, err = w.db.Cards().Put(ctx, x)
		return err
	}))
}

func (w *world) agrees(rt *rapid.T, c *chip, step string) {
	rt.Helper()
	ctx := context.Background()
	x, err := w.db.Cards().Get(ctx, c.id)
	if err != nil {
		rt.Fatal(err)
	}
	all, err := w.db.PKI().OfCard(ctx, c.id)
	if err != nil {
		rt.Fatal(err)
	}
	good := 0
	for _, r := range all {
		if r.State == ca.Good {
			good++
			if r.Serial != x.CertSerial {
				rt.Fatalf("after %s: %s is good, the card's record names %s", step, r.Serial, x.CertSerial)
			}
		}
		if r.State == ca.Pending && x.State == lifecycle.Revoked {
			rt.Fatalf("after %s: a certificate waits on a revoked card", step)
		}
	}
	want := 0
	if x.State == lifecycle.Active {
		want = 1
	}
	if good != want {
		rt.Fatalf("after %s: %d good certificates on a card that is %s", step, good, x.State)
	}
}

// fuzzed is a room that reads tokens and has nothing else.
var fuzzed = sync.OnceValues(func() (*extension.Room, error) {
	h, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		return nil, err
	}
	seal, err := aead.New(h)
	if err != nil {
		return nil, err
	}
	return extension.New(extension.Deps{
		Store: struct{ extension.Store }{}, Cards: struct{ extension.Cards }{}, Authority: struct{ extension.Authority }{},
		Person:  func(context.Context, codicefiscale.Code) (registry.Person, error) { return registry.Person{}, nil },
		ChipKey: func(string) (secret.Text, error) { return secret.Text{}, nil },
		Ends:    func(context.Context, time.Time) (civil.Date, error) { return civil.Date{}, nil },
		Brake:   throttle.Brake{Tries: struct{ throttle.Tries }{}}, Seal: seal, Clock: civil.NewHand(catest.Start), Rand: rand.Reader,
		Atomically: func(ctx context.Context, act func(context.Context) error) error { return act(ctx) },
		Record:     func(context.Context, journal.Entry) error { return nil }, EndSessions: func(context.Context, string) error { return nil },
		Tell: func(context.Context, lifecycle.Card, civil.Date) error { return nil },
	})
})

// FuzzToken: whatever travels back as a challenge's token is ours, or refused
// before anything is looked up.
func FuzzToken(f *testing.F) {
	r, err := fuzzed()
	check(f, err)
	s, err := r.Challenge(context.Background(), "6090000000000124")
	if err == nil {
		f.Add(string(s.Token.Reveal())[:40], []byte("x"))
	}
	f.Add("", []byte{})
	f.Add("AAAA", make([]byte, 256))
	f.Fuzz(func(t *testing.T, token string, signature []byte) {
		if _, err := r.Resume(context.Background(), secret.FromString(token), signature); code(err) != "CSE-893" {
			t.Errorf("%q: %v", token, err)
		}
	})
}
