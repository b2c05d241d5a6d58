package bureau_test

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"cse.example/cse/card/chip"
	"cse.example/cse/card/cns"
	"cse.example/cse/demo/bureau"
	"cse.example/cse/demo/bureau/bureautest"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/codes"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/production"
	"cse.example/cse/issuer/production/exchange"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// printer keeps what was printed, by card.
type printer struct {
	mu    sync.Mutex
	faces map[string]production.Faces
	jams  int // the next prints that fail
}

var errJam = errors.New("paper jam")

func (p *printer) print(card string, f production.Faces) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.jams > 0 {
		p.jams--
		return errJam
	}
	p.faces[card] = f
	return nil
}

// toTheEnd runs plant and bureau in turn until every card is posted. A death on
// either side is survived by starting both anew.
func toTheEnd(t *testing.T, w *bureautest.World, p *printer) {
	t.Helper()
	for range 30 {
		plant, ctx := w.Plant(t), t.Context()
		b := w.Bureau(t, func(parts *bureau.Parts) { parts.Print = p.print })
		_, err := plant.OrderMissing(ctx)
		var open []production.Batch
		if err == nil {
			open, err = plant.AdvanceAll(ctx)
		}
		for _, x := range open {
			if err == nil && x.State == production.Received {
				_, err = plant.Ship(ctx, x.ID)
			}
		}
		if err == nil && len(open) == 0 {
			return
		}
		if err == nil {
			err = b.Work(ctx)
		}
		if err != nil && !errors.Is(err, bureautest.ErrKilled) && !errors.Is(err, errJam) {
			t.Fatal(err)
		}
		if err != nil {
			w.Killer.Disarm()
		}
	}
	t.Fatal("the line does not come to an end")
}

// verify proves a card: its chip file is a finished CNS of its holder, and the
// halves of the codes, put together, work on it (R76).
func verify(t *testing.T, w *bureautest.World, c lifecycle.Card) {
	t.Helper()
	image, err := chip.Open(filepath.Join(w.Cards, c.ID+".cse"))
	check(t, err)
	defer func() { check(t, image.Close()) }()
	if !image.Operational() {
		t.Errorf("card %s is not finished", c.ID)
	}
	read := func(path cns.Path) []byte {
		sel := append([]byte{0x00, 0xA4, 0x08, 0x0C, byte(len(path.Bytes()))}, path.Bytes()...)
		if _, err := image.Transmit(sel); err != nil {
			t.Fatal(err)
		}
		out, err := image.Transmit([]byte{0x00, 0xB0, 0, 0, 0, 0x00, 0x00})
		check(t, err)
		return out[:len(out)-2]
	}
	if got := string(read(cns.EFIDCarta)); got != c.ID {
		t.Errorf("EF_IDCarta %q of card %s", got, c.ID)
	}
	personal := read(cns.EFDatiPersonali)
	data, err := cns.ParsePersonalData(personal)
	if err != nil || data.CF != string(c.CF) || data.Expires != c.Expires {
		t.Errorf("card %s: personal data %+v %v", c.ID, data, err)
	}
	records, err := w.DB.PKI().OfCard(t.Context(), c.ID)
	if err != nil || len(records) != 1 {
		t.Fatalf("card %s: %d certificates, %v", c.ID, len(records), err)
	}
	cert, err := x509.ParseCertificate(records[0].DER)
	check(t, err)
	if got, want := cert.Subject.CommonName, cns.CommonName(string(c.CF), cns.CardID(c.ID), personal); got != want {
		t.Errorf("common name %q, want %q", got, want)
	}
	if !bytes.HasPrefix(read(cns.EFCCarta), cert.Raw) {
		t.Errorf("card %s carries another certificate", c.ID)
	}
	pin, puk := wholeCodes(t, w, c.ID)
	for what, apdu := range map[string][]byte{
		"PIN": append([]byte{0x00, 0x20, 0x00, 0x10, 0x08}, pin...),
		"PUK": append(append([]byte{0x00, 0x2C, 0x00, 0x10, 0x10}, puk...), pin...),
	} {
		answer, err := image.Transmit(apdu)
		if err != nil || !bytes.Equal(answer, []byte{0x90, 0x00}) {
			t.Errorf("card %s: %s answers %X, %v", c.ID, what, answer, err)
		}
	}
}

func wholeCIP(t *testing.T, w *bureautest.World, card string) []byte {
	t.Helper()
	one, err := codes.LoadFirst(w.KeysetDir, w.Wrap, w.DB.Codes())
	check(t, err)
	two, err := codes.LoadSecond(w.KeysetDir, w.Wrap, w.DB.Codes())
	check(t, err)
	a, err := one.FirstHalves(t.Context(), card)
	check(t, err)
	b, err := two.SecondHalves(t.Context(), card)
	check(t, err)
	return append(a.CIP.Reveal(), b.CIP.Reveal()...)
}

func wholeCodes(t *testing.T, w *bureautest.World, card string) (pin, puk []byte) {
	t.Helper()
	one, err := codes.LoadFirst(w.KeysetDir, w.Wrap, w.DB.Codes())
	check(t, err)
	two, err := codes.LoadSecond(w.KeysetDir, w.Wrap, w.DB.Codes())
	check(t, err)
	a, err := one.FirstHalves(t.Context(), card)
	check(t, err)
	b, err := two.SecondHalves(t.Context(), card)
	check(t, err)
	pin = append(a.PIN.Reveal(), b.PIN.Reveal()...)
	for len(pin) < cns.CodeBlock {
		pin = append(pin, 0xFF)
	}
	return pin, append(a.PUK.Reveal(), b.PUK.Reveal()...)
}

func TestSixPeople(t *testing.T) {
	w := bureautest.New(t, storetest.SQLite(t))
	w.Config.ChiplessEvery = 6
	w.Import(t, 6, 11)
	p := &printer{faces: map[string]production.Faces{}}
	toTheEnd(t, w, p)
	cards, err := w.DB.Cards().ByState(t.Context(), lifecycle.Shipped, "", 100)
	check(t, err)
	if len(cards) != 6 || len(p.faces) != 6 {
		t.Fatalf("%d cards shipped, %d printed", len(cards), len(p.faces))
	}
	chips := 0
	for _, c := range cards {
		printed(t, w, c, p.faces[c.ID])
		if c.HasChip() {
			chips++
			verify(t, w, c)
		} else if _, err := os.Stat(filepath.Join(w.Cards, c.ID+".cse")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the card without a chip has a chip: %v", err)
		}
	}
	if chips != 5 {
		t.Errorf("%d chips, want 5", chips)
	}
	nothingInClear(t, w, cards)
}

// printed checks R13, R14, R40, R46 on what the bureau printed.
func printed(t *testing.T, w *bureautest.World, c lifecycle.Card, f production.Faces) {
	t.Helper()
	who, err := w.DB.People().Get(t.Context(), c.CF)
	check(t, err)
	cf := string(c.CF)
	if f.Front.CF != cf || f.Code39 != cf || f.Stripe != cf {
		t.Errorf("card %s: %q, %q, %q in print, bars and stripe", c.ID, f.Front.CF, f.Code39, f.Stripe)
	}
	if f.Front.Expires != c.Expires.Italian() || f.Back.Expires != f.Front.Expires {
		t.Errorf("card %s: expiry %q and %q", c.ID, f.Front.Expires, f.Back.Expires)
	}
	if f.Back.Asterisks == who.AbroadRight || string(f.Back.Number) != c.TEAM {
		t.Errorf("card %s: back %+v, right abroad %v", c.ID, f.Back, who.AbroadRight)
	}
	back, err := f.BackSVG(words.Italian, "r")
	check(t, err)
	for _, svg := range []string{f.FrontSVG(words.Italian, "f"), back} {
		if !strings.Contains(svg, "<title") || !strings.Contains(svg, cf) || strings.Contains(svg, "style=") || strings.Contains(svg, "⟦") {
			t.Errorf("drawing: %.200s", svg)
		}
	}
}

// nothingInClear greps everything the line left behind. A codice fiscale may
// stand in the store and in the chips, a code only in the chips.
func nothingInClear(t *testing.T, w *bureautest.World, cards []lifecycle.Card) {
	t.Helper()
	store, err := w.DB.Conn(t.Context()).QueryContext(t.Context(), "PRAGMA wal_checkpoint")
	check(t, err)
	check(t, store.Close())
	files, stores := 0, 0
	root := filepath.Dir(filepath.Dir(w.Exchange)) // the test's folder: the store lies beside the line's
	check(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(path, w.Cards) {
			return err
		}
		files++
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		isStore := strings.Contains(filepath.Base(path), ".db")
		if isStore {
			stores++
		}
		for _, c := range cards {
			for what, secret := range secrets(t, w, c) {
				if isStore && what == "codice fiscale" {
					continue // its place
				}
				if bytes.Contains(b, secret) {
					t.Errorf("%s of card %s in clear in %s", what, c.ID, path)
				}
			}
		}
		return nil
	}))
	if files < 5 || stores == 0 {
		t.Errorf("only %d files were searched, %d of the store", files, stores)
	}
	if left, err := os.ReadDir(w.Exchange); err != nil || len(left) != 0 {
		t.Errorf("left in the exchange folder: %v %v", left, err)
	}
}

func secrets(t *testing.T, w *bureautest.World, c lifecycle.Card) map[string][]byte {
	t.Helper()
	out := map[string][]byte{"codice fiscale": []byte(c.CF)}
	if c.HasChip() {
		_, puk := wholeCodes(t, w, c.ID)
		out["PUK"], out["PUK in base 64"] = puk, []byte(base64.StdEncoding.EncodeToString(puk))
		out["CIP"] = wholeCIP(t, w, c.ID)
	}
	return out
}

// TestBureauKilled kills one side or the other at some points of a run with real
// chips, has the printer jam, and lets everything start anew.
func TestBureauKilled(t *testing.T) {
	if testing.Short() {
		t.Skip("makes real keys")
	}
	for _, at := range []int{4, 9, 13, 14, 15, 20, 21, 24, 28} {
		t.Run(fmt.Sprint(at), func(t *testing.T) {
			w := bureautest.New(t, storetest.SQLite(t))
			w.Config.ChiplessEvery = 2
			w.Import(t, 2, int64(at))
			p := &printer{faces: map[string]production.Faces{}, jams: at % 3}
			w.Killer.Arm(at)
			toTheEnd(t, w, p)
			cards, err := w.DB.Cards().ByState(t.Context(), lifecycle.Shipped, "", 100)
			check(t, err)
			if len(cards) != 2 {
				t.Fatalf("%d cards shipped", len(cards))
			}
			chips, err := os.ReadDir(w.Cards)
			check(t, err)
			if len(chips) != 1 {
				t.Errorf("%d files among the cards, want 1", len(chips))
			}
			for _, c := range cards {
				if c.HasChip() {
					verify(t, w, c)
				}
			}
		})
	}
}

func TestBureauRefuses(t *testing.T) {
	w := bureautest.New(t, storetest.SQLite(t))
	w.Config.ChiplessEvery = 1 // no chips: nothing slow
	w.Import(t, 3, 1)
	plant := w.Plant(t)
	_, err := plant.OrderMissing(t.Context())
	check(t, err)
	batch, _, err := plant.Fill(t.Context())
	check(t, err)
	_, err = plant.Advance(t.Context(), batch.ID)
	check(t, err)
	path := filepath.Join(w.Exchange, exchange.Name(batch.ID, exchange.Order))
	good, err := os.ReadFile(path)
	check(t, err)

	other := bureautest.New(t, storetest.SQLite(t))
	stranger := w.Bureau(t, func(p *bureau.Parts) { p.Identity = other.Identity; p.Folder = t.TempDir() })
	if f := words.FaultOf(stranger.Work(t.Context())); f == nil || f.Code != "CSE-180" {
		t.Errorf("another bureau opens the order: %v", f)
	}
	unknown := w.Bureau(t, func(p *bureau.Parts) { p.Issuer = &other.Signer().PublicKey; p.Folder = t.TempDir() })
	if f := words.FaultOf(unknown.Work(t.Context())); f == nil || f.Code != "CSE-170" {
		t.Errorf("an order of another issuer: %v", f)
	}
	b := w.Bureau(t)
	check(t, os.WriteFile(path, bytes.Replace(good, []byte("records: 3"), []byte("records: 2"), 1), 0o600))
	if f := words.FaultOf(b.Work(t.Context())); f == nil || f.Code != "CSE-170" {
		t.Errorf("a changed order: %v", f)
	}
	check(t, os.WriteFile(path, good, 0o600))
	check(t, b.Work(t.Context()))

	// Another order under the name of the one accepted: signed, yet refused.
	f, err := exchange.Read(good, &w.Signer().PublicKey, exchange.Order, batch.ID)
	check(t, err)
	body, err := exchange.Body(exchange.Header{Kind: exchange.Order, Batch: batch.ID, Created: f.Created}, f.Items[1:])
	check(t, err)
	sig, err := exchange.Sign(nil, w.Signer(), body)
	check(t, err)
	check(t, os.WriteFile(path, exchange.Join(body, sig), 0o600))
	if f := words.FaultOf(b.Work(t.Context())); f == nil || f.Code != "CSE-172" {
		t.Errorf("another order of the same batch: %v", f)
	}
}

func TestIdentityIsKept(t *testing.T) {
	w := bureautest.New(t, storetest.SQLite(t))
	first, err := bureau.LoadOrCreate(nil, w.Work)
	check(t, err)
	if !bytes.Equal(first.Public(), w.Identity.Public()) {
		t.Error("the identity changed when it was loaded")
	}
	if _, err := exchange.ParseBureau([]byte("{}")); err == nil {
		t.Error("an empty public file is accepted")
	}
}
