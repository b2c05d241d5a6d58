package extend_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"cse.example/cse/card/chip"
	"cse.example/cse/card/cns"
	"cse.example/cse/card/holder"
	"cse.example/cse/card/iso7816"
	"cse.example/cse/card/reader"
	"cse.example/cse/card/secmsg"
	"cse.example/cse/cmd/cse/extend"
	"cse.example/cse/engine/store"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/secret"
	"cse.example/cse/issuer/extension"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/throttle"
	"cse.example/cse/login/door"
	"cse.example/cse/login/identity"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/ca/catest"
	"cse.example/cse/pki/keys/keystest"
	"cse.example/cse/pki/trust"
	"cse.example/cse/portal/api"
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

const (
	pin = "73915"
	cf  = codicefiscale.Code("RSSMRA80A01D612Y")
)

// world is one card of ours with its chip, its holder's sheet without chip, the
// authority, the room, and its interface on a port: all real but the card's door,
// which is the real one over a smaller wiring.
type world struct {
	t         *testing.T
	db        *store.DB
	authority *catest.Authority
	room      *extension.Room
	server    *httptest.Server
	card      lifecycle.Card
	ends      civil.Date
	path      string
	image     []byte // of the chip, as it was handed out
	old       *x509.Certificate
	told      int
	torn      func() // a torn file was seen

	mu    sync.Mutex
	wired func(next http.Handler) http.Handler // what happens to requests
}

func newWorld(t *testing.T, profile cns.Profile) *world {
	t.Helper()
	w := &world{t: t, db: storetest.SQLite(t), wired: func(h http.Handler) http.Handler { return h }}
	w.authority = catest.New(t, w.db, w.db.PKI())
	today := civil.Today(w.authority.Hand)
	w.ends = today.AddYears(5)
	w.makeCard(profile, today)
	w.makeRoom()
	w.serve()
	return w
}

func master() []byte { return []byte("0123456789abcdef0123456789abcdef") }

// makeCard makes a chip that expires in two months, its record, and the next card.
func (w *world) makeCard(profile cns.Profile, today civil.Date) {
	t, ctx := w.t, w.t.Context()
	id, err := cns.NewCardID("6090", 4711, 0)
	check(t, err)
	next, err := cns.NewCardID("6090", 4712, 0)
	check(t, err)
	now := w.authority.Hand.Now()
	w.card = lifecycle.Card{
		ID: string(id), TEAM: id.TEAM(), CF: cf, Model: lifecycle.TSCNS, State: lifecycle.Active, Issued: today.AddYears(-6).AddDays(60), Expires: today.AddDays(60),
		OrderedAt: now.AddDate(-6, 0, 0), ShippedAt: now.AddDate(-6, 0, 0), DeliveredAt: now.AddDate(-6, 0, 0), ActivatedAt: now.AddDate(-5, 0, 0), ReplacedBy: string(next),
	}
	data := cns.PersonalData{
		Issuer: "6090", Issued: w.card.Issued, Expires: w.card.Expires, Surname: "ROSSI", Name: "MARIO",
		Born: civil.Date{Year: 1980, Month: 1, Day: 1}, Sex: "M", CF: string(cf), BirthPlace: "D612", Residence: "D612",
	}
	file, err := data.Encode()
	check(t, err)
	w.path = filepath.Join(t.TempDir(), "card.cse")
	c, err := chip.Create(w.path, profile)
	check(t, err)
	key, err := c.GenerateKey(rand.Reader)
	check(t, err)
	w.old, err = w.authority.Issue(ctx, ca.Request{CF: string(cf), Card: w.card.ID, PersonalData: file, Key: key, Expires: w.card.Expires})
	check(t, err)
	check(t, c.WriteIdentity(id, file, w.old.Raw))
	check(t, c.SetCodes(secret.FromString(pin), secret.FromString("40917263")))
	k, err := secmsg.Diversify(master(), w.card.ID)
	check(t, err)
	check(t, c.SetIssuerKey(secret.New(k)))
	check(t, c.Finish())
	check(t, c.Close())
	w.image, err = os.ReadFile(w.path)
	check(t, err)
	w.card.CertSerial = ca.SerialOf(w.old)
	check(t, w.db.Atomically(ctx, func(ctx context.Context) error {
		if w.card, err = w.db.Cards().Put(ctx, w.card); err != nil {
			return err
		}
		_, err := w.db.Cards().Put(ctx, lifecycle.Card{
			ID: string(next), TEAM: next.TEAM(), CF: cf, Model: lifecycle.TS, State: lifecycle.Delivered, Issued: today, Expires: today.AddYears(6),
			OrderedAt: now, ShippedAt: now, DeliveredAt: now, Replaces: w.card.ID,
		})
		return errors.Join(err, w.authority.Activate(ctx, w.card.CertSerial))
	}))
}

func (w *world) person(context.Context, codicefiscale.Code) (registry.Person, error) {
	return registry.Person{CF: cf, Surname: "ROSSI", Name: "MARIO", AssistedFrom: civil.Date{Year: 2000, Month: 1, Day: 1}}, nil
}

func (w *world) makeRoom() {
	h, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	check(w.t, err)
	seal, err := aead.New(h)
	check(w.t, err)
	w.room, err = extension.New(extension.Deps{
		Store: w.db.Extensions(), Cards: w.db.Cards(), Person: w.person, Authority: w.authority,
		ChipKey: func(card string) (secret.Text, error) {
			k, err := secmsg.Diversify(master(), card)
			return secret.New(k), err
		},
		Ends:  func(context.Context, time.Time) (civil.Date, error) { return w.ends, nil },
		Brake: throttle.Brake{Tries: w.db.Tries(), Clock: w.authority.Hand}, Seal: seal, Clock: w.authority.Hand, Rand: rand.Reader,
		Atomically: w.db.Atomically, Record: w.authority.Journal.Record,
		EndSessions: func(context.Context, string) error { return nil },
		Tell:        func(context.Context, lifecycle.Card, civil.Date) error { w.told++; return nil },
	})
	check(w.t, err)
}

// proved is the platform's joint over the real door.
func (w *world) proved(ctx context.Context, cs tls.ConnectionState) (extension.Proof, error) {
	d := door.Door{
		Trust: door.FromPKI(trust.Verifier{Anchors: []*x509.Certificate{w.authority.Issuer}}, func(*x509.Certificate) door.Issuer { return door.Issuer{Own: true} }),
		Revocation: func(ctx context.Context, ref identity.CardRef) (door.CertStatus, error) {
			switch r, err := w.authority.Get(ctx, ref.Serial); {
			case err != nil:
				return door.CertStatus{State: door.NeverIssued}, nil
			case r.State == ca.Good:
				return door.CertStatus{State: door.Good}, nil
			case r.State == ca.Revoked:
				return door.CertStatus{State: door.Revoked, At: r.ChangedAt}, nil
			}
			return door.CertStatus{State: door.Held}, nil
		},
		Cards: func(context.Context, string) (door.Card, error) {
			return door.Card{State: door.Active, CF: string(cf)}, nil
		},
		Clock: w.authority.Hand, ACR: identity.ACRCard,
	}
	id, err := d.Admit(ctx, cs)
	if err != nil {
		return extension.Proof{}, err
	}
	return extension.Proof{Card: id.Card.ID, Serial: ca.SerialOf(cs.PeerCertificates[0])}, nil
}

func (w *world) serve() {
	h := api.NewExtension(w.room, w.proved, slog.New(slog.DiscardHandler))
	w.server = httptest.NewUnstartedServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		wired := w.wired
		w.mu.Unlock()
		wired(h).ServeHTTP(rw, r)
	}))
	w.server.TLS = &tls.Config{ClientAuth: tls.RequestClientCert, SessionTicketsDisabled: true, MinVersion: tls.VersionTLS12}
	w.server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo)
	w.server.StartTLS()
	w.t.Cleanup(w.server.Close)
}

func (w *world) wire(f func(next http.Handler) http.Handler) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.wired = f
}

// run runs the holder's program over the chip; through may stand in between.
func (w *world) run(through func(reader.Card) reader.Card, options ...chip.Option) (extend.Result, error) {
	w.t.Helper()
	c, err := chip.Open(w.path, options...)
	check(w.t, err)
	var card reader.Card = reader.FromChip(c)
	defer card.Close()
	if through != nil {
		card = through(card)
	}
	h, err := holder.New(card)
	check(w.t, err)
	roots := x509.NewCertPool()
	roots.AddCert(w.server.Certificate())
	return extend.Run(w.t.Context(), h, extend.Options{
		Service: w.server.URL, Roots: roots, PIN: func() (secret.Text, error) { return secret.FromString(pin), nil },
	})
}

// onChip is what the chip's file holds, and the size of its certificate.
func (w *world) onChip() []byte {
	w.t.Helper()
	c, err := chip.OpenReadOnly(w.path)
	check(w.t, err)
	defer c.Close()
	for _, apdu := range [][]byte{append([]byte{0, iso7816.InsSelect, 8, 0x0C, 4}, cns.EFCCarta.Bytes()...), {0, iso7816.InsReadBinary, 0, 0, 0, 8, 0}} {
		out, err := c.Transmit(apdu)
		check(w.t, err)
		if r, err := iso7816.ParseResponse(out); err == nil && len(r.Data) > 0 {
			return r.Data
		}
	}
	if c.Profile().RefuseExtended {
		return w.inPieces(c)
	}
	w.t.Fatal("the certificate's file cannot be read")
	return nil
}

func (w *world) inPieces(c *chip.Chip) []byte {
	var all []byte
	for at := 0; at < cns.SizeCertificate; at += 256 {
		out, err := c.Transmit([]byte{0, iso7816.InsReadBinary, byte(at >> 8), byte(at), 0})
		check(w.t, err)
		all = append(all, out[:len(out)-2]...)
	}
	return all
}

// standing is where the two certificates stand; next is nil before it exists.
func (w *world) standing() (old ca.Record, next *ca.Record) {
	w.t.Helper()
	old, err := w.authority.Get(w.t.Context(), ca.SerialOf(w.old))
	check(w.t, err)
	all, err := w.db.PKI().OfCard(w.t.Context(), w.card.ID)
	check(w.t, err)
	for _, r := range all {
		if r.Extends == old.Serial {
			return old, &r
		}
	}
	return old, nil
}

// sound is the invariant that every kill must leave (R108): exactly one of the two
// certificates is good, the card's record names it, and the chip's file holds one of
// the two, whole. torn allows a file in pieces while a request waits to mend it.
func (w *world) sound(when string) {
	w.t.Helper()
	old, next := w.standing()
	good := 0
	for _, r := range []*ca.Record{&old, next} {
		if r != nil && r.State == ca.Good {
			good++
		}
	}
	c, err := w.db.Cards().Get(w.t.Context(), w.card.ID)
	check(w.t, err)
	present := old
	if next != nil && next.State == ca.Good {
		present = *next
	}
	if good != 1 || c.CertSerial != present.Serial {
		w.t.Errorf("%s: %d good certificates, the card's record names %s", when, good, c.CertSerial)
	}
	file := w.onChip()
	switch {
	case bytes.HasPrefix(file, w.old.Raw) && old.State == ca.Good:
	case next != nil && len(next.DER) > 0 && bytes.HasPrefix(file, next.DER) && (next.State == ca.Good || next.State == ca.Pending):
	case w.torn != nil && next != nil && next.State == ca.Pending:
		w.torn()
	default:
		w.t.Errorf("%s: the chip holds neither of them, or one that is over", when)
	}
}

// anew puts everything back as it was before the first step.
func (w *world) anew() {
	w.t.Helper()
	w.wire(func(h http.Handler) http.Handler { return h })
	check(w.t, os.WriteFile(w.path, w.image, 0o600))
	check(w.t, w.db.Atomically(w.t.Context(), func(ctx context.Context) error {
		for _, q := range []string{
			"DELETE FROM extension", "DELETE FROM certificate WHERE extends <> ''", "UPDATE certificate SET state = 'good', reason = 0, changed_at = 0",
		} {
			if _, err := w.db.Conn(ctx).ExecContext(ctx, q); err != nil {
				return err
			}
		}
		c, err := w.db.Cards().Get(ctx, w.card.ID)
		if err != nil {
			return err
		}
		c.CertSerial, c.CertExpires = ca.SerialOf(w.old), civil.Date{}
		_, err = w.db.Cards().Put(ctx, c)
		return err
	}))
}
