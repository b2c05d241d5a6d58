package chip_test

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"testing"

	"cse.example/cse/card/chip"
	"cse.example/cse/card/cns"
)

// FuzzTransmit sends any two commands after a login: the chip answers at least
// a status word, and no answer holds a piece of the private key (rule R4).
func FuzzTransmit(f *testing.F) {
	for _, s := range []string{"00A4080004110011020000", "00B00000FF", "00CA018000", "0084000008", "00200010", "0022F1B803830101", "002A9E9A0100", "002C031000", "00460001082001" + "3F0100100020", "00E000000 26F00"} {
		f.Add(unhex(f, s), unhex(f, "00B0000000"))
	}
	p, _ := cns.ParseProfile("cns10")
	p.RefuseExtended = false
	made := card(f, p)
	pristine := readFile(f, made.Path)
	pieces := secrets(f, pristine)
	f.Fuzz(func(t *testing.T, a, b []byte) {
		path := t.TempDir() + "/c"
		writeFile(t, path, pristine)
		c, err := chip.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		login(t, c)
		for _, apdu := range [][]byte{a, b, a} {
			answer, err := c.Transmit(apdu)
			if err != nil || len(answer) < 2 {
				t.Fatalf("% X: % X, %v", apdu, answer, err)
			}
			for _, s := range pieces {
				if bytes.Contains(answer, s) {
					t.Fatalf("% X gives a piece of a secret", apdu)
				}
			}
		}
	})
}

// secrets are pieces of the private key, the PIN and the PUK in the image.
func secrets(t testing.TB, image []byte) [][]byte {
	var body struct {
		Keys  []struct{ PKCS1 []byte }
		Codes []struct{ Block []byte }
	}
	if err := json.Unmarshal(image[16:len(image)-32], &body); err != nil || len(body.Keys) != 1 {
		t.Fatal(err)
	}
	k, err := x509.ParsePKCS1PrivateKey(body.Keys[0].PKCS1)
	if err != nil {
		t.Fatal(err)
	}
	out := [][]byte{k.D.Bytes()[:16], k.Primes[0].Bytes()[:16], k.Primes[1].Bytes()[:16], k.Precomputed.Dp.Bytes()[:16]}
	for _, c := range body.Codes {
		out = append(out, c.Block)
	}
	return out
}

// Rule R4: every command with every parameter, after a login, gives no piece
// of a secret away.
func TestNoCommandGivesTheKey(t *testing.T) {
	p, _ := cns.ParseProfile("cns10")
	made := card(t, p)
	pieces := secrets(t, readFile(t, made.Path))
	c := reopen(t, made)
	login(t, c)
	writes := map[int]bool{0x20: true, 0x24: true, 0x2C: true} // they spend tries
	for ins := range 256 {
		if writes[ins] {
			continue
		}
		for p1 := range 256 {
			for _, p2 := range []byte{0, 1, 3, 0x0C, 0x10, 0x11, 0x30, 0x6E, 0x80, 0x83, 0x86, 0x9A, 0xB6, 0xB8, 0xFF} {
				for _, tail := range [][]byte{nil, {0}, {2, 0x11, 0, 0}, {3, 0x83, 1, 1}} {
					answer, err := c.Transmit(append([]byte{0, byte(ins), byte(p1), p2}, tail...))
					if err != nil {
						t.Fatal(err)
					}
					for _, s := range pieces {
						if bytes.Contains(answer, s) {
							t.Fatalf("%02X %02X %02X gives a piece of a secret", ins, p1, p2)
						}
					}
				}
			}
		}
	}
}
