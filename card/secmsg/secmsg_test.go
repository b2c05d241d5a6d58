package secmsg

import (
	"bytes"
	"crypto/aes"
	"encoding/hex"
	"errors"
	"testing"

	"cse.example/cse/card/iso7816"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestCMAC: the examples of RFC 4493 section 4, and the 256-bit ones of NIST.
func TestCMAC(t *testing.T) {
	const message = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e5130c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710"
	const k128, k256 = "2b7e151628aed2a6abf7158809cf4f3c", "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"
	for _, tt := range []struct {
		key  string
		n    int
		want string
	}{
		{k128, 0, "bb1d6929e95937287fa37d129b756746"},
		{k128, 16, "070a16b46b4d4144f79bdd9dd04a287c"},
		{k128, 40, "dfa66747de9ae63030ca32611497c827"},
		{k128, 64, "51f0bebf7e3b9d92fc49741779363cfe"},
		{k256, 0, "028962f61b7bf89efc6b551f4667d983"},
		{k256, 40, "aaf3d8f1de5640c232f5b169b9c911e6"},
	} {
		block, err := aes.NewCipher(unhex(t, tt.key))
		if err != nil {
			t.Fatal(err)
		}
		m := unhex(t, message)[:tt.n]
		if got := cmac(block, m[:tt.n/3], m[tt.n/3:]); hex.EncodeToString(got[:]) != tt.want {
			t.Errorf("%d bytes: %x, want %s", tt.n, got, tt.want)
		}
	}
}

var (
	key       = []byte("0123456789abcdef0123456789abcdef")
	challenge = []byte("sixteen bytes ok")
)

func session(t testing.TB) *Session {
	t.Helper()
	s, err := New(key, challenge)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// commands are what a session is made of.
var commands = []iso7816.Command{
	{INS: iso7816.InsSelect, P1: 0x08, P2: 0x0C, Data: []byte{0x11, 0x00, 0x11, 0x01}},
	{INS: iso7816.InsUpdateBinary, P1: 0x01, Data: bytes.Repeat([]byte{0xA5, 0x80, 0x00}, 400)},
	{INS: iso7816.InsUpdateBinary, Data: bytes.Repeat([]byte{7}, 16)},
	{INS: iso7816.InsReadBinary, Le: 256},
	{INS: iso7816.InsReadBinary, Le: 5},
	{INS: iso7816.InsReadBinary, Le: 1200, Extended: true},
	{INS: iso7816.InsReadBinary, Le: 65536, Extended: true},
}

func TestRoundTrip(t *testing.T) {
	s := session(t)
	for i, c := range commands {
		n := uint64(i + 1)
		closed, err := s.Protect(n, c)
		if err != nil {
			t.Fatal(err)
		}
		if len(closed.Data) > len(c.Data)+Overhead || len(c.Data) > 8 && bytes.Contains(closed.Data, c.Data) {
			t.Errorf("%s: %d bytes for %d, or in clear", c, len(closed.Data), len(c.Data))
		}
		got, err := s.Open(n, closed)
		if err != nil || got.INS != c.INS || got.P1 != c.P1 || got.P2 != c.P2 || got.Le != c.Le || !bytes.Equal(got.Data, c.Data) {
			t.Errorf("got %s, %v; want %s", got, err, c)
		}
		for what, bad := range map[string]func() (iso7816.Command, error){
			"repeated":    func() (iso7816.Command, error) { return s.Open(n+1, closed) },
			"another P2":  func() (iso7816.Command, error) { x := closed; x.P2 ^= 1; return s.Open(n, x) },
			"another INS": func() (iso7816.Command, error) { x := closed; x.INS = iso7816.InsPutData; return s.Open(n, x) },
		} {
			if _, err := bad(); !errors.Is(err, ErrWrong) {
				t.Errorf("%s: %s: %v", c, what, err)
			}
		}
		for _, r := range []iso7816.Response{{SW: iso7816.OK}, {SW: iso7816.NotEnoughMemory}, {Data: bytes.Repeat([]byte{9, 0x80}, 300), SW: iso7816.OK}} {
			got, err := s.OpenAnswer(n, s.Answer(n, r).Data)
			if err != nil || got.SW != r.SW || !bytes.Equal(got.Data, r.Data) {
				t.Errorf("answer %v %d: %v %d %v", r.SW, len(r.Data), got.SW, len(got.Data), err)
			}
			if _, err := s.OpenAnswer(n+1, s.Answer(n, r).Data); !errors.Is(err, ErrWrong) {
				t.Errorf("an answer to another command: %v", err)
			}
		}
	}
}

// TestEveryBitCounts: no bit of a protected command or answer can be changed,
// and none of it can be left out.
func TestEveryBitCounts(t *testing.T) {
	s := session(t)
	for _, c := range []iso7816.Command{commands[0], commands[2], commands[4]} {
		closed, err := s.Protect(3, c)
		if err != nil {
			t.Fatal(err)
		}
		for i := range len(closed.Data) * 8 {
			x := closed
			x.Data = bytes.Clone(closed.Data)
			x.Data[i/8] ^= 1 << (i % 8)
			if got, err := s.Open(3, x); err == nil {
				t.Fatalf("bit %d of %s changed: %s", i, c, got)
			}
		}
		for n := range closed.Data {
			x := closed
			x.Data = closed.Data[:n]
			if _, err := s.Open(3, x); err == nil {
				t.Fatalf("%d bytes of %s are taken", n, c)
			}
		}
	}
	answer := s.Answer(3, iso7816.Response{Data: []byte("abc"), SW: iso7816.OK})
	for i := range len(answer.Data) * 8 {
		x := bytes.Clone(answer.Data)
		x[i/8] ^= 1 << (i % 8)
		if _, err := s.OpenAnswer(3, x); err == nil {
			t.Fatalf("bit %d of an answer changed", i)
		}
	}
}

// TestUsesAreKeptApart: neither the cryptogram nor another card's, challenge's
// or direction's values tell or serve for anything else.
func TestUsesAreKeptApart(t *testing.T) {
	seen := map[string]string{}
	add := func(name string, b []byte, err error) {
		t.Helper()
		if err != nil || len(b) < 16 {
			t.Fatalf("%s: %v", name, err)
		}
		if other := seen[string(b[:16])]; other != "" {
			t.Errorf("%s is %s", name, other)
		}
		seen[string(b[:16])] = name
	}
	one, err := Diversify(key, "6090000000000124")
	add("card one", one, err)
	two, err := Diversify(key, "6090000000000132")
	add("card two", two, err)
	for name, k := range map[string][]byte{"one": one, "two": two} {
		for use := byte(1); use <= 3; use++ {
			b, err := derive(k, use, challenge)
			add(name+string('0'+rune(use)), b, err)
			b, err = derive(k, use, []byte("another 16 bytes"))
			add(name+"'"+string('0'+rune(use)), b, err)
		}
	}
	for _, bad := range [][2][]byte{{nil, challenge}, {key[:15], challenge}, {key[:24], challenge}, {key, challenge[:15]}, {key, nil}} {
		if _, err := Cryptogram(bad[0], bad[1]); !errors.Is(err, ErrKey) {
			t.Errorf("%d, %d bytes: %v", len(bad[0]), len(bad[1]), err)
		}
		if _, err := New(bad[0], bad[1]); !errors.Is(err, ErrKey) {
			t.Errorf("%d, %d bytes: %v", len(bad[0]), len(bad[1]), err)
		}
	}
	if _, err := Diversify(key[:8], "x"); !errors.Is(err, ErrKey) {
		t.Error(err)
	}
	if _, err := session(t).Protect(1, iso7816.Command{CLA: 0x0C}); err == nil {
		t.Error("a protected command was protected again")
	}
}

func FuzzOpen(f *testing.F) {
	s := session(f)
	for i, c := range commands {
		closed, err := s.Protect(uint64(i), c)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(closed.Data, uint64(i))
	}
	f.Add(s.Answer(1, iso7816.Response{Data: []byte{1}, SW: iso7816.OK}).Data, uint64(1))
	f.Fuzz(func(t *testing.T, data []byte, n uint64) {
		if len(data) > 1<<16 {
			return
		}
		c, err := s.Open(n, iso7816.Command{CLA: Class, INS: iso7816.InsReadBinary, Data: data})
		if err == nil { // only what was closed with the key opens
			again, err := s.Protect(n, c)
			if err != nil || !bytes.Equal(again.Data, data) {
				t.Errorf("%x opens to %s, which closes to %x (%v)", data, c, again.Data, err)
			}
		}
		if r, err := s.OpenAnswer(n, data); err == nil && !bytes.Equal(s.Answer(n, r).Data, data) {
			t.Errorf("an answer that nobody closed opens: %x", data)
		}
	})
}
