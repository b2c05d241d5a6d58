package doctor_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"cse.example/cse/card/chip"
	"cse.example/cse/card/cns"
	"cse.example/cse/card/doctor"
	"cse.example/cse/card/reader"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/secret"
)

// The parts that staged faults are made of: a chip (the real emulator), a service
// with readers, and what others say.

const (
	pin = "52903"
	puk = "81640275"
)

var today = time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC)

// made is a card's file system with what a test wants to be wrong.
type made struct {
	from, until time.Time
	name        func(cf string, id cns.CardID, file []byte) string // the certificate's, instead of the right one
	noCert      bool
	junk        bool // personal data that are none
	profile     cns.Profile
}

// signer signs the certificates of every card here.
var signer = sync.OnceValue(func() *ecdsa.PrivateKey {
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		panic(err)
	}
	return k
})

// card makes a card of 1024 bits (quickly made) and opens it.
func card(t *testing.T, m made) *chip.Chip {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	if m.profile.Name == "" {
		m.profile = cns.CNS10()
	}
	if m.until.IsZero() {
		m.from, m.until = today.AddDate(-1, 0, 0), today.AddDate(5, 0, 0)
	}
	id, err := cns.NewCardID("6090", 12, 0)
	must(err)
	data := cns.PersonalData{
		Issuer: "6090", Issued: civil.DayOf(m.from), Expires: civil.DayOf(m.until), Surname: "ROSSI", Name: "MARIO",
		Born: civil.Date{Year: 1980, Month: 1, Day: 1}, Sex: "M", CF: "RSSMRA80A01D612Y", BirthPlace: "D612", Residence: "D612",
	}
	file, err := data.Encode()
	must(err)
	path := filepath.Join(t.TempDir(), "card")
	c, err := chip.Create(path, m.profile)
	must(err)
	t.Cleanup(func() { _ = c.Close() })
	key, err := c.GenerateKey(rand.Reader)
	must(err)
	name := m.profile.CommonName(data.CF, id, file)
	if m.name != nil {
		name = m.name(data.CF, id, file)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: name}, NotBefore: m.from, NotAfter: m.until,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	issuer := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA"}}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key, signer())
	must(err)
	if m.noCert {
		der = nil
	}
	must(c.WriteIdentity(id, file, der))
	if m.junk {
		must(c.WriteFile(cns.EFDatiPersonali, bytes.Repeat([]byte{0xA5}, cns.SizePersonalData)))
	}
	must(c.SetCodes(secret.FromString(pin), secret.FromString(puk)))
	if !m.noCert && !m.junk {
		must(c.Finish())
	}
	return c
}

// wrong presents a wrong code so many times.
func wrong(t *testing.T, c *chip.Chip, command []byte, times int) {
	t.Helper()
	for range times {
		if _, err := c.Transmit(command); err != nil {
			t.Fatal(err)
		}
	}
}

var (
	wrongPIN = append([]byte{0x00, 0x20, 0x00, 0x10, 0x08}, "00000\xFF\xFF\xFF"...)
	wrongPUK = append([]byte{0x00, 0x2C, 0x00, 0x10, 0x10}, "0000000011111\xFF\xFF\xFF"...)
)

// transport is a chip whose answers a test can change, and which counts what
// could cost a try.
type transport struct {
	inside reader.Chip
	atr    []byte
	answer func(command []byte) []byte // nil: the chip's own
	spent  int
}

func (x *transport) ATR() []byte {
	if x.atr != nil {
		return x.atr
	}
	return x.inside.ATR()
}

func (x *transport) Reset() { x.inside.Reset() }

func (x *transport) Transmit(b []byte) ([]byte, error) {
	switch ins := b[1]; {
	case ins == 0x20 && len(b) > 5, ins == 0x21, ins == 0x24, ins == 0x2C: // VERIFY with data, CHANGE, RESET
		x.spent++
	}
	if x.answer != nil {
		if r := x.answer(b); r != nil {
			return r, nil
		}
	}
	return x.inside.Transmit(b)
}

// without answers "file not found" to the selection of path.
func without(path cns.Path) func([]byte) []byte {
	return func(b []byte) []byte {
		if b[1] == 0xA4 && len(b) > 5 && bytes.Equal(b[5:], path.Bytes()) {
			return []byte{0x6A, 0x82}
		}
		return nil
	}
}

// refusing answers "security status not satisfied" to reading path.
func refusing(path cns.Path) func([]byte) []byte {
	selected := false
	return func(b []byte) []byte {
		switch b[1] {
		case 0xA4:
			selected = len(b) > 5 && bytes.Equal(b[5:], path.Bytes())
		case 0xB0:
			if selected {
				return []byte{0x69, 0x82}
			}
		}
		return nil
	}
}

// nothing answers like a card that knows none of the commands.
type nothing struct{ atr []byte }

func (n nothing) ATR() []byte                     { return n.atr }
func (n nothing) Reset()                          {}
func (n nothing) Transmit([]byte) ([]byte, error) { return []byte{0x6A, 0x82}, nil }

// service is a PC/SC service.
type service struct {
	slots   []reader.Slot
	cards   map[string]reader.Chip
	connect error
}

func (s service) Slots() ([]reader.Slot, error) { return s.slots, nil }
func (s service) Close() error                  { return nil }
func (s service) Connect(x reader.Slot) (reader.Card, error) {
	if s.connect != nil {
		return nil, s.connect
	}
	c, ok := s.cards[x.Name]
	if !ok {
		return nil, errors.New("no such reader")
	}
	return reader.FromChip(unclosed{c}), nil
}

// unclosed keeps a chip open for the next look.
type unclosed struct{ reader.Chip }

// with is a service with one reader and a card in it.
func with(c reader.Chip) service {
	return service{slots: []reader.Slot{{Name: "Lettore 00 00", Present: true, ATR: c.ATR()}}, cards: map[string]reader.Chip{"Lettore 00 00": c}}
}

// others is what is asked over the network.
type others struct {
	off      time.Duration // how much the others' clock is ahead of ours
	clock    civil.Clock
	standing doctor.Standing
	err      error
}

func (o others) Time(context.Context, *x509.Certificate) (time.Time, error) {
	return o.clock.Now().Add(o.off), o.err
}

func (o others) Standing(context.Context, *x509.Certificate, time.Time) (doctor.Standing, error) {
	return o.standing, o.err
}
