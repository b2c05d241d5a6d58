package chip_test

import (
	"bytes"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"path/filepath"
	"testing"
	"time"

	"cse.example/cse/card/chip"
	"cse.example/cse/card/chip/chiptest"
	"cse.example/cse/card/cns"
	"cse.example/cse/card/iso7816"
	"cse.example/cse/card/secmsg"
	"cse.example/cse/ground/secret"
)

// sweep runs act on a fresh copy of the image at path, cutting the power at the
// first write, then at the second, and so on, in each of the three ways, until
// act ends before the cut; after each, look sees the card that opens again. It
// returns the number of writes.
func sweep(t *testing.T, image []byte, act func(t *testing.T, c *chip.Chip) error, look func(t *testing.T, c *chip.Chip, at int)) int {
	t.Helper()
	for at := 1; ; at++ {
		for _, cut := range []chip.Cut{chip.CutBefore, chip.CutTorn, chip.CutAfter} {
			path := filepath.Join(t.TempDir(), "card")
			writeFile(t, path, image)
			c, err := chip.Open(path, chip.WithPowerCut(func(n int) chip.Cut {
				if n == at {
					return cut
				}
				return chip.CutNone
			}))
			if err != nil {
				t.Fatal(err)
			}
			err = act(t, c)
			_ = c.Close()
			if err == nil {
				if at == 1 {
					t.Fatal("nothing was written")
				}
				return at - 1
			}
			if !errors.Is(err, chip.ErrPowerLost) {
				t.Fatalf("cut %d at write %d: %v", cut, at, err)
			}
			again, err := chip.Open(path)
			if err != nil {
				t.Fatalf("cut %d at write %d: the card does not open again: %v", cut, at, err)
			}
			look(t, again, at)
			if err := again.Close(); err != nil {
				t.Error(err)
			}
			if left := names(t, path); len(left) != 1 {
				t.Errorf("cut %d at write %d: left behind %v", cut, at, left)
			}
		}
	}
}

// tries are those of the PIN by a query, which spends none.
func tries(t *testing.T, c *chip.Chip) int {
	t.Helper()
	_, sw := send(t, c, "00200010")
	left, ok := sw.TriesLeft()
	if !ok {
		t.Fatalf("PIN query: %v", sw)
	}
	return left
}

// sound tells that the key in the chip is that of the certificate in its file,
// and that the PIN lets it sign.
func sound(t *testing.T, c *chip.Chip, pin string) {
	t.Helper()
	key := public(t, c)
	if key.N.BitLen() != 2048 {
		t.Errorf("a key of %d bits", key.N.BitLen())
	}
	script(t, c, "00200010 08 "+block(pin)+" -> 9000 \n 0022F1B8 03 830101 -> 9000")
	if _, sw := decipher(t, c, type1(256, digestInfo(t, "x"))); !sw.OK() {
		t.Errorf("the key does not sign: %v", sw)
	}
}

// The power goes at every write of a PIN change, of an unblock with the PUK and
// of a wrong PIN before them: one of the two PINs is the card's, never both and
// never none; no try was won, at most one was spent.
func TestPowerCutAtEveryWriteOfThePIN(t *testing.T) {
	made := card(t, cns.Neutral())
	image := readFile(t, made.Path)
	const fresh = "86420"
	for name, tt := range map[string]struct {
		apdus  []string
		writes int
		// floor is the least number of tries that the story may leave.
		floor int
	}{
		"change":              {[]string{"0024001010" + block(chiptest.PIN) + block(fresh)}, 2, 2},
		"wrong, then change":  {[]string{"0020001008" + block("55555"), "0024001010" + block(chiptest.PIN) + block(fresh)}, 3, 1},
		"change, wrong":       {[]string{"0024001010" + block("55555") + block(fresh)}, 1, 2},
		"wrong, then unblock": {[]string{"0020001008" + block("55555"), "002C001010" + block(chiptest.PUK) + block(fresh)}, 3, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := sweep(t, image, func(t *testing.T, c *chip.Chip) error { return all(t, c, tt.apdus) }, func(t *testing.T, c *chip.Chip, at int) {
				left := tries(t, c)
				if left < tt.floor || left > 3 {
					t.Errorf("write %d: %d tries", at, left)
				}
				_, old := send(t, c, "0020001008"+block(chiptest.PIN))
				pin := chiptest.PIN
				if !old.OK() {
					pin = fresh
				}
				sound(t, c, pin)
				if _, sw := send(t, c, "0020001008"+block(map[bool]string{true: fresh, false: chiptest.PIN}[old.OK()])); sw.OK() {
					t.Errorf("write %d: two PINs are good", at)
				}
			})
			if got != tt.writes {
				t.Errorf("%d writes, want %d", got, tt.writes)
			}
		})
	}
}

// all sends commands; the answers do not matter, the power does.
func all(t *testing.T, c *chip.Chip, apdus []string) error {
	t.Helper()
	for _, a := range apdus {
		if _, err := c.Transmit(unhex(t, a)); err != nil {
			return err
		}
	}
	return nil
}

// The power goes at every write of an update of the certificate by the issuer:
// the file is the old one or the new one, whole, whichever, and the card works.
func TestPowerCutAtEveryWriteOfTheCertificate(t *testing.T) {
	made := card(t, cns.Neutral())
	fresh := append(bytes.Clone(made.Certificate.Raw), make([]byte, cns.SizeCertificate-len(made.Certificate.Raw))...)
	fresh[len(made.Certificate.Raw)-1] ^= 1 // another signature, and so another certificate for the same key
	update := func(t *testing.T, c *chip.Chip) error {
		challenge, sw := send(t, c, "0084000010")
		if !sw.OK() {
			t.Fatal(sw)
		}
		cryptogram, err := secmsg.Cryptogram([]byte(chiptest.IssuerKey), challenge)
		if err != nil {
			return err
		}
		if _, err := c.Transmit(append([]byte{0, 0x82, 0, cns.RefIssuerKey, 16}, cryptogram...)); err != nil {
			return err
		}
		s, err := secmsg.New([]byte(chiptest.IssuerKey), challenge)
		if err != nil {
			return err
		}
		for n, cmd := range []iso7816.Command{selectCarta(), {INS: iso7816.InsUpdateBinary, Data: fresh}} {
			closed, err := s.Protect(uint64(n+1), cmd) //nolint:gosec // two
			if err != nil {
				return err
			}
			b, err := closed.Bytes()
			if err != nil {
				return err
			}
			if _, err := c.Transmit(b); err != nil {
				return err
			}
		}
		return nil
	}
	seen := map[bool]int{}
	writes := sweep(t, readFile(t, made.Path), update, func(t *testing.T, c *chip.Chip, at int) {
		script(t, c, "00A4080C0411001101 -> 9000")
		got, sw := send(t, c, "00B00000 00 0800")
		isNew := bytes.Equal(got, fresh)
		if old := bytes.HasPrefix(got, made.Certificate.Raw); !sw.OK() || !old && !isNew {
			t.Errorf("write %d: the file is neither the old certificate nor the new one", at)
		}
		seen[isNew]++
		if left := tries(t, c); left != 3 {
			t.Errorf("write %d: %d tries of the PIN", at, left)
		}
		sound(t, c, chiptest.PIN)
		if err := update(t, c); err != nil { // the issuer's own tries are not used up
			t.Errorf("write %d: again: %v", at, err)
		}
	})
	if writes != 3 || seen[true] == 0 || seen[false] == 0 {
		t.Errorf("%d writes, want 3 (authentication spends and gives back, update); the new one was there %d times", writes, seen[true])
	}
}

// The power goes at every write of the making of a key and its certificate: what
// was saved is whole, and personalisation goes on from there.
func TestPowerCutAtEveryWriteOfTheKey(t *testing.T) {
	made := card(t, cns.Neutral())
	key := throwaway(t)
	personal, err := made.Personal.Encode()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "blank")
	blank, err := chip.Create(path, cns.Neutral())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(blank.Save(), blank.Close()); err != nil {
		t.Fatal(err)
	}
	personalise := func(_ *testing.T, c *chip.Chip) error {
		certificate := selfSigned(t, cns.Neutral().CommonName(made.Personal.CF, made.ID, personal), key)
		return errors.Join(
			c.ImportKey(key), c.Save(), c.WriteIdentity(made.ID, personal, certificate),
			c.SetCodes(secret.FromString(chiptest.PIN), secret.FromString(chiptest.PUK)), c.Finish())
	}
	writes := sweep(t, readFile(t, path), personalise, func(t *testing.T, c *chip.Chip, at int) {
		if !c.Operational() {
			if k, ok := c.PublicKey(); ok && !k.Equal(&key.PublicKey) {
				t.Errorf("write %d: another key", at)
			}
			if err := personalise(t, c); err != nil {
				t.Errorf("write %d: it does not go on: %v", at, err)
			}
		}
		if left := tries(t, c); left != 3 {
			t.Errorf("write %d: %d tries", at, left)
		}
		sound(t, c, chiptest.PIN)
	})
	if writes != 2 {
		t.Errorf("%d writes, want 2 (Save, Finish)", writes)
	}
}

// selfSigned is a certificate with that name for the key.
func selfSigned(t *testing.T, name string, key *rsa.PrivateKey) []byte {
	t.Helper()
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return der
}
