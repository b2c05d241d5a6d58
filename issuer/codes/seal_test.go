package codes

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/secret"
)

// memory is the smallest Store: engine/store's own suite covers the real one.
type memory map[string]Sealed

func (m memory) Put(_ context.Context, s Sealed) error {
	if _, taken := m[s.Card]; taken {
		return ErrTaken
	}
	for _, x := range m {
		if bytes.Equal(x.CIPMark, s.CIPMark) {
			return ErrTaken
		}
	}
	m[s.Card] = s
	return nil
}

func (m memory) Get(_ context.Context, card string) (Sealed, error) {
	s, ok := m[card]
	if !ok {
		return s, ErrNone
	}
	return s, nil
}

func (m memory) ByMark(_ context.Context, mark []byte) (string, error) {
	for _, x := range m {
		if bytes.Equal(x.CIPMark, mark) {
			return x.Card, nil
		}
	}
	return "", ErrNone
}

func (m memory) Destroy(_ context.Context, card string) error { delete(m, card); return nil }

func wrap(t *testing.T) AEAD {
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

type bench struct {
	dir    string
	wraps  Wraps
	store  memory
	maker  *Maker
	cips   *CIPs
	first  *FirstOpener
	second *SecondOpener
}

func newBench(t *testing.T) bench {
	t.Helper()
	b := bench{dir: t.TempDir(), wraps: Wraps{First: wrap(t), Second: wrap(t), CIP: wrap(t)}, store: memory{}}
	if err := CreateKeysets(b.dir, b.wraps); err != nil {
		t.Fatal(err)
	}
	var err error
	if b.maker, b.cips, err = LoadMaker(b.dir, b.wraps.CIP, DefaultPolicy(), b.store, rand.Reader); err != nil {
		t.Fatal(err)
	}
	if b.first, err = LoadFirst(b.dir, b.wraps.First, b.store); err != nil {
		t.Fatal(err)
	}
	if b.second, err = LoadSecond(b.dir, b.wraps.Second, b.store); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b bench) make(t *testing.T, card string) Set {
	t.Helper()
	set, sealed, err := b.maker.Make(t.Context(), card, 1, civil.Date{})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.maker.Keep(t.Context(), sealed); err != nil {
		t.Fatal(err)
	}
	return set
}

func join(a, b secret.Text) secret.Text { return secret.New(append(a.Reveal(), b.Reveal()...)) }

// R76: the halves together, in that order, make each code.
func TestHalvesMakeTheCodes(t *testing.T) {
	b := newBench(t)
	set := b.make(t, "1")
	f, err := b.first.FirstHalves(t.Context(), "1")
	if err != nil {
		t.Fatal(err)
	}
	s, err := b.second.SecondHalves(t.Context(), "1")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name               string
		whole, first, last secret.Text
		n                  int
	}{{"PIN", set.PIN, f.PIN, s.PIN, 2}, {"PUK", set.PUK, f.PUK, s.PUK, 2}, {"CIP", set.CIP, f.CIP, s.CIP, 5}} {
		if !c.whole.Equal(join(c.first, c.last)) {
			t.Errorf("%s: the halves do not make the code", c.name)
		}
		if c.first.Len() != c.n {
			t.Errorf("%s: the first half has %d digits, want %d", c.name, c.first.Len(), c.n)
		}
	}
}

func TestCIPIsRecognisedWholeOnly(t *testing.T) {
	b := newBench(t)
	set, other := b.make(t, "1"), b.make(t, "2")
	f, _ := b.first.FirstHalves(t.Context(), "1")
	s, _ := b.second.SecondHalves(t.Context(), "1")
	for _, c := range []struct {
		name string
		cip  secret.Text
		want bool
	}{
		{"right", set.CIP, true},
		{"another card's", other.CIP, false},
		{"first half", f.CIP, false},
		{"second half", s.CIP, false},
		{"swapped halves", join(s.CIP, f.CIP), bytes.Equal(f.CIP.Reveal(), s.CIP.Reveal())},
		{"empty", secret.Text{}, false},
	} {
		if got, err := b.cips.Check(t.Context(), "1", c.cip); err != nil || got != c.want {
			t.Errorf("%s: %v, %v; want %v", c.name, got, err, c.want)
		}
	}
	if _, err := b.cips.Check(t.Context(), "9", set.CIP); !errors.Is(err, ErrNone) {
		t.Errorf("a card without codes: %v", err)
	}
	if free, err := b.cips.Free(t.Context(), set.CIP); free || err != nil {
		t.Errorf("a CIP in use is free: %v, %v", free, err)
	}
}

// A CIP that is taken is drawn again: the source gives the same digits twice.
func TestCIPIsUnique(t *testing.T) {
	b := newBench(t)
	codes := []byte{7, 3, 9, 1, 5, 4, 8, 2, 7, 1, 9, 3, 6, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
	again := append(append([]byte{}, codes...), codes...)
	again[len(again)-1] = 8 // the third draw differs
	b.maker.Rand = bytes.NewReader(append(append([]byte{}, codes...), again...))
	one, two := b.make(t, "1"), b.make(t, "2")
	if one.CIP.Equal(two.CIP) {
		t.Error("two cards have one CIP")
	}
}

// Whatever is moved to where it does not belong must not open.
func TestHalvesAreBound(t *testing.T) {
	b := newBench(t)
	b.make(t, "1")
	b.make(t, "2")
	for name, spoil := range map[string]func(s *Sealed){
		"swapped halves": func(s *Sealed) { s.PINFirst, s.PINSecond = s.PINSecond, s.PINFirst },
		"PIN for PUK": func(s *Sealed) {
			s.PINFirst, s.PUKFirst, s.PINSecond, s.PUKSecond = s.PUKFirst, s.PINFirst, s.PUKSecond, s.PINSecond
		},
		"another card's":       func(s *Sealed) { o := b.store["2"]; s.CIPFirst, s.CIPSecond = o.CIPFirst, o.CIPSecond },
		"another version":      func(s *Sealed) { s.Version++ },
		"one bit":              func(s *Sealed) { s.CIPFirst = flip(s.CIPFirst); s.CIPSecond = flip(s.CIPSecond) },
		"nothing":              func(s *Sealed) { s.PUKFirst, s.PUKSecond = nil, nil },
		"another card's whole": func(s *Sealed) { o := b.store["2"]; o.Card = "1"; *s = o },
	} {
		good := b.store["1"]
		bad := good
		spoil(&bad)
		b.store["1"] = bad
		if _, err := b.first.FirstHalves(t.Context(), "1"); !errors.Is(err, ErrSeal) {
			t.Errorf("%s: first halves: %v", name, err)
		}
		if _, err := b.second.SecondHalves(t.Context(), "1"); !errors.Is(err, ErrSeal) {
			t.Errorf("%s: second halves: %v", name, err)
		}
		b.store["1"] = good
	}
	if _, err := b.first.FirstHalves(t.Context(), "1"); err != nil {
		t.Errorf("put right again: %v", err)
	}
}

func flip(b []byte) []byte {
	b = append([]byte(nil), b...)
	b[len(b)-1] ^= 1
	return b
}

func TestDestroy(t *testing.T) {
	b := newBench(t)
	set := b.make(t, "1")
	if err := b.cips.Destroy(t.Context(), "1"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.first.FirstHalves(t.Context(), "1"); !errors.Is(err, ErrNone) {
		t.Errorf("first halves after the end: %v", err)
	}
	if _, err := b.second.SecondHalves(t.Context(), "1"); !errors.Is(err, ErrNone) {
		t.Errorf("second halves after the end: %v", err)
	}
	if has, err := b.cips.Has(t.Context(), "1"); has || err != nil {
		t.Errorf("Has = %v, %v", has, err)
	}
	if free, err := b.cips.Free(t.Context(), set.CIP); !free || err != nil {
		t.Errorf("its CIP is not free: %v, %v", free, err)
	}
}

func TestReplace(t *testing.T) {
	b := newBench(t)
	old := b.make(t, "1")
	set, sealed, err := b.maker.Make(t.Context(), "1", 2, civil.Date{})
	if err != nil {
		t.Fatal(err)
	}
	if err := b.maker.Keep(t.Context(), sealed); !errors.Is(err, ErrTaken) {
		t.Fatalf("a second set kept beside the first: %v", err)
	}
	if err := b.maker.Replace(t.Context(), sealed); err != nil {
		t.Fatal(err)
	}
	if ok, err := b.cips.Check(t.Context(), "1", old.CIP); ok || err != nil {
		t.Errorf("the old CIP: %v, %v", ok, err)
	}
	if ok, err := b.cips.Check(t.Context(), "1", set.CIP); !ok || err != nil {
		t.Errorf("the new CIP: %v, %v", ok, err)
	}
}

// Each half has its own keyset: the other one's wrapping key does not open it,
// and the other one's private key does not open its halves.
func TestTheTwoHalvesNeedTwoKeys(t *testing.T) {
	b := newBench(t)
	b.make(t, "1")
	if _, err := LoadSecond(b.dir, b.wraps.First, b.store); err == nil {
		t.Error("the first half's user opened the second half's keyset")
	}
	if _, err := LoadCIPs(b.dir, b.wraps.First, b.store); err == nil {
		t.Error("the first half's user opened the CIPs' keyset")
	}
	thief := opener{key: b.first.o.key, store: b.store, half: second}
	if _, err := thief.open(pin, b.store["1"], b.store["1"].PINSecond); !errors.Is(err, ErrSeal) {
		t.Errorf("the first half's key on a second half: %v", err)
	}
	if err := CreateKeysets(b.dir, b.wraps); !errors.Is(err, os.ErrExist) {
		t.Errorf("keysets made over others: %v", err)
	}
	if err := CreateKeysets(t.TempDir(), Wraps{First: b.wraps.First, CIP: b.wraps.CIP}); err == nil {
		t.Error("a keyset without a wrapping key")
	}
}

// Nothing that is kept or printed holds a code in clear.
func TestNothingInClear(t *testing.T) {
	b := newBench(t)
	set := b.make(t, "1")
	s := b.store["1"]
	printed := fmt.Sprintf("%v %+v %#v", set, set, set)
	for _, code := range []secret.Text{set.PIN, set.PUK, set.CIP} {
		for _, half := range [][]byte{s.PINFirst, s.PINSecond, s.PUKFirst, s.PUKSecond, s.CIPFirst, s.CIPSecond, s.CIPMark, []byte(printed)} {
			if bytes.Contains(half, code.Reveal()) {
				t.Error("a code in clear")
			}
		}
	}
	names, err := filepath.Glob(filepath.Join(b.dir, "*.keyset"))
	if err != nil || len(names) != 5 {
		t.Fatalf("keysets: %v, %v", names, err)
	}
	for _, name := range names {
		fi, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		public := filepath.Ext(name[:len(name)-len(".keyset")]) == ".pub"
		if !public && fi.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", name, fi.Mode())
		}
	}
}
