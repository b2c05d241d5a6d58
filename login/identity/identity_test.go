package identity

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
)

func sealer(t *testing.T) Sealer {
	t.Helper()
	h, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		t.Fatal(err)
	}
	a, err := aead.New(h)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

var mario = Identity{Method: Card, CF: "RSSMRA80A01H501U", Surname: "Rossi", GivenName: "Mario", Card: CardRef{ID: "6090000000010018", Serial: "0a1b"}}

func TestNothingPrintsThePerson(t *testing.T) {
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "who", mario)
	for _, s := range []string{fmt.Sprintf("%v %+v %#v %s %d", mario, mario, mario, mario, mario), fmt.Sprint(&mario), log.String()} {
		if strings.Contains(s, "RSSMRA") || strings.Contains(s, "Rossi") || strings.Contains(s, "6090") {
			t.Errorf("printed: %s", s)
		}
	}
}

func TestSeal(t *testing.T) {
	s := sealer(t)
	b, err := Seal(s, "grant/1", mario)
	if err != nil || bytes.Contains(b, []byte("RSSMRA")) {
		t.Fatalf("sealed: %q %v", b, err)
	}
	var got Identity
	if err := Open(s, "grant/1", b, &got); err != nil || got.CF != mario.CF || got.Card != mario.Card {
		t.Errorf("opened: %v, %v", got, err)
	}
	changed := bytes.Clone(b)
	changed[len(changed)-1] ^= 1
	for name, err := range map[string]error{
		"under another name": Open(s, "grant/2", b, &got), "with another key": Open(sealer(t), "grant/1", b, &got), "changed": Open(s, "grant/1", changed, &got),
	} {
		if !errors.Is(err, ErrSeal) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSerialNumber(t *testing.T) {
	if got := mario.Card.SerialNumber(); got == nil || got.Int64() != 0x0a1b {
		t.Errorf("got %v", got)
	}
	if got := (CardRef{Serial: "no"}).SerialNumber(); got != nil {
		t.Errorf("got %v", got)
	}
}

func TestRandom(t *testing.T) {
	r := Random{rand.Reader}
	if a, b := r.Text(), r.Text(); a == b || len(a) != 43 {
		t.Errorf("%s %s", a, b)
	}
}
