package keys_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/pki/keys"
)

var phrase = secret.FromString("frase di prova")

func code(err error) string {
	if f := words.FaultOf(err); f != nil {
		return f.Code
	}
	return ""
}

func made(t *testing.T, a keys.Algorithm) (string, *keys.Key) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.key")
	k, err := keys.Create(rand.Reader, path, a, phrase)
	if err != nil {
		t.Fatal(err)
	}
	return path, k
}

func TestCreateLoadSign(t *testing.T) {
	for _, a := range keys.Algorithms() {
		path, k := made(t, a)
		again, err := keys.Load(path, phrase)
		if err != nil {
			t.Fatal(err)
		}
		if pub := k.Public().(interface{ Equal(crypto.PublicKey) bool }); !pub.Equal(again.Public()) {
			t.Errorf("%s: another key came back", a)
		}
		if got := keys.AlgorithmOf(again.Public()); got != a {
			t.Errorf("made %s, wanted %s", got, a)
		}
		digest := sha256.Sum256([]byte("message"))
		for _, opts := range []crypto.SignerOpts{crypto.SHA256, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: crypto.SHA256}} {
			sig, err := again.Sign(rand.Reader, digest[:], opts)
			if err != nil || !verifies(again.Public(), digest[:], sig, opts) {
				t.Errorf("%s: signature does not verify (%v)", a, err)
			}
		}
		if st, err := os.Stat(path); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: mode %v (%v), want 0600", a, st.Mode(), err)
		}
	}
	if _, err := keys.Create(rand.Reader, filepath.Join(t.TempDir(), "x"), "RSA", phrase); err == nil {
		t.Error("an unknown algorithm was accepted")
	}
}

func verifies(pub crypto.PublicKey, digest, sig []byte, opts crypto.SignerOpts) bool {
	switch k := pub.(type) {
	case *ecdsa.PublicKey:
		return ecdsa.VerifyASN1(k, digest, sig)
	case *rsa.PublicKey:
		if pss, ok := opts.(*rsa.PSSOptions); ok {
			return rsa.VerifyPSS(k, crypto.SHA256, digest, sig, pss) == nil
		}
		return rsa.VerifyPKCS1v15(k, crypto.SHA256, digest, sig) == nil
	}
	return false
}

func TestLoadRefuses(t *testing.T) {
	path, _ := made(t, keys.P256)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	flip := func(b []byte) []byte {
		block, _ := pem.Decode(b)
		block.Bytes[len(block.Bytes)-1] ^= 1
		return pem.EncodeToMemory(block)
	}
	header := func(name, value string) func([]byte) []byte {
		return func(b []byte) []byte {
			block, _ := pem.Decode(b)
			block.Headers[name] = value
			return pem.EncodeToMemory(block)
		}
	}
	tests := []struct {
		name   string
		change func([]byte) []byte
		phrase secret.Text
		mode   os.FileMode
		code   string
	}{
		{"as it is", bytes.Clone, phrase, 0o600, ""},
		{"wrong passphrase", bytes.Clone, secret.FromString("altra"), 0o600, "CSE-190"},
		{"no passphrase", bytes.Clone, secret.Text{}, 0o600, "CSE-190"},
		{"one bit flipped", flip, phrase, 0o600, "CSE-190"},
		{"cost changed", header("Passes", "2"), phrase, 0o600, "CSE-190"},
		{"cost unbearable", header("Memory-KiB", "99999999"), phrase, 0o600, "CSE-191"},
		{"cost not a number", header("Lanes", "many"), phrase, 0o600, "CSE-191"},
		{"cost nil", header("Passes", "0"), phrase, 0o600, "CSE-191"},
		{"sealed for something else", header("Purpose", "keyset"), phrase, 0o600, "CSE-191"},
		{"unknown version", header("Version", "2"), phrase, 0o600, "CSE-191"},
		{"half a file", func(b []byte) []byte { return b[:len(b)/2] }, phrase, 0o600, "CSE-191"},
		{"empty file", func([]byte) []byte { return nil }, phrase, 0o600, "CSE-191"},
		{"two blocks", func(b []byte) []byte { return append(bytes.Clone(b), b...) }, phrase, 0o600, "CSE-191"},
		{"too large", func(b []byte) []byte { return append(bytes.Clone(b), make([]byte, 1<<17)...) }, phrase, 0o600, "CSE-191"},
		{"readable by others", bytes.Clone, phrase, 0o644, "CSE-192"},
	}
	for _, tt := range tests {
		if runtime.GOOS == "windows" && tt.code == "CSE-192" {
			continue
		}
		p := filepath.Join(t.TempDir(), "k")
		if err := os.WriteFile(p, tt.change(whole), tt.mode); err != nil {
			t.Fatal(err)
		}
		if _, err := keys.Load(p, tt.phrase); code(err) != tt.code || (tt.code == "") != (err == nil) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.code)
		}
	}
	if _, err := keys.Load(filepath.Join(t.TempDir(), "none"), phrase); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
}

func TestCreateNeverReplaces(t *testing.T) {
	path, _ := made(t, keys.P256)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Create(rand.Reader, path, keys.P256, phrase); code(err) != "CSE-193" {
		t.Errorf("got %v, want CSE-193", err)
	}
	after, err := os.ReadFile(path)
	if err != nil || !bytes.Equal(before, after) {
		t.Errorf("the file changed (%v)", err)
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("%d files in the folder, want the key alone (%v)", len(left), err)
	}
	if _, err := keys.Create(rand.Reader, filepath.Join(t.TempDir(), "k"), keys.P256, secret.Text{}); code(err) != "CSE-190" {
		t.Errorf("an empty passphrase: %v, want CSE-190", err)
	}
	if _, err := keys.Create(failing{}, filepath.Join(t.TempDir(), "k"), keys.P256, phrase); err == nil {
		t.Error("a key was made without randomness")
	}
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestSealOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	want := []byte("a keyset")
	if err := keys.Seal(rand.Reader, path, "keyset", want, phrase); err != nil {
		t.Fatal(err)
	}
	got, err := keys.Open(path, "keyset", phrase)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("got %q (%v), want %q", got, err, want)
	}
	if _, err := keys.Open(path, "private key", phrase); code(err) != "CSE-191" {
		t.Errorf("opened for another purpose: %v, want CSE-191", err)
	}
	raw, err := os.ReadFile(path)
	if err != nil || bytes.Contains(raw, want) {
		t.Errorf("the content stands in clear (%v)", err)
	}
	if err := keys.Seal(rand.Reader, path+"2", "keyset", make([]byte, 1<<20), phrase); err == nil {
		t.Error("a megabyte was sealed: Open would refuse it")
	}
}

func TestAKeyNeverPrints(t *testing.T) {
	path, k := made(t, keys.P256)
	der, err := keys.Open(path, "private key", phrase)
	if err != nil {
		t.Fatal(err)
	}
	scalar := new(big.Int).SetBytes(der[36:68]) // ECPrivateKey's octets within this PKCS #8
	js, err := json.Marshal(struct{ K *keys.Key }{k})
	if err != nil {
		t.Fatal(err)
	}
	shown := fmt.Sprintf("%v %+v %#v %s %x %d", k, k, k, k, k, k) + string(js)
	for _, form := range []string{scalar.Text(10), scalar.Text(16)} {
		if strings.Contains(shown, form) {
			t.Error("the private scalar was printed")
		}
	}
	if want := "private key P-256"; !strings.Contains(shown, want) {
		t.Errorf("printed %q, want %q in it", shown, want)
	}
}
