//go:build cgo

package hsm_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	_ "crypto/sha512" // SHA-384
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/miekg/pkcs11"

	"cse.example/cse/ground/words"
	"cse.example/cse/pki/keys"
	"cse.example/cse/pki/keys/hsm"
	"cse.example/cse/pki/keys/hsm/hsmtest"
	"cse.example/cse/pki/keys/keystest"
)

func TestMain(m *testing.M) {
	if os.Getenv("CSE_FOREIGN") == "" {
		fmt.Println("pki/keys/hsm: nothing done; set CSE_FOREIGN=1 to run against SoftHSM2")
		os.Exit(0)
	}
	keystest.Cheap()
	os.Exit(m.Run())
}

func code(err error) string {
	if f := words.FaultOf(err); f != nil {
		return f.Code
	}
	return ""
}

func open(t *testing.T, c hsm.Config) hsm.Token {
	t.Helper()
	tok, err := hsm.Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tok.Close(); err != nil {
			t.Error(err)
		}
	})
	return tok
}

func generate(t *testing.T, tok hsm.Token, label string, a keys.Algorithm) (keys.TokenKey, crypto.Signer) {
	t.Helper()
	ref, k, err := tok.Generate(label, a)
	if err != nil {
		t.Fatal(err)
	}
	return ref, k
}

// sign signs something new and says whether it verifies.
func sign(k crypto.Signer, opts crypto.SignerOpts) error {
	digest := make([]byte, opts.HashFunc().Size())
	if _, err := rand.Read(digest); err != nil {
		return err
	}
	sig, err := k.Sign(rand.Reader, digest, opts)
	if err != nil {
		return err
	}
	switch p := k.Public().(type) {
	case *ecdsa.PublicKey:
		if ecdsa.VerifyASN1(p, digest, sig) {
			return nil
		}
	case *rsa.PublicKey:
		if pss, ok := opts.(*rsa.PSSOptions); ok {
			return rsa.VerifyPSS(p, opts.HashFunc(), digest, sig, pss)
		}
		return rsa.VerifyPKCS1v15(p, opts.HashFunc(), digest, sig)
	}
	return errors.New("the signature does not verify")
}

func TestEveryKindOfKeySigns(t *testing.T) {
	conf := hsmtest.New(t, "kinds")
	tok := open(t, conf)
	v := keys.Vault{Token: tok, Inside: true}
	for _, a := range []keys.Algorithm{keys.P256, keys.P384, keys.RSA2048, keys.RSA3072} {
		path := filepath.Join(t.TempDir(), "a.key")
		if _, err := v.Make(rand.Reader, path, a, "key "+string(a)); err != nil {
			t.Fatal(err)
		}
		k, err := v.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		if got := keys.AlgorithmOf(k.Public()); got != a {
			t.Errorf("made %s, wanted %s", got, a)
		}
		opts := []crypto.SignerOpts{crypto.SHA256, crypto.SHA384}
		if a.Bits() != 0 {
			opts = append(opts, &rsa.PSSOptions{Hash: crypto.SHA256, SaltLength: rsa.PSSSaltLengthEqualsHash},
				&rsa.PSSOptions{Hash: crypto.SHA384, SaltLength: rsa.PSSSaltLengthAuto})
		}
		for _, o := range opts {
			if err := sign(k, o); err != nil {
				t.Errorf("%s %#v: %v", a, o, err)
			}
		}
		if _, err := k.Sign(rand.Reader, []byte("no digest"), crypto.SHA256); err == nil {
			t.Errorf("%s: what is no digest was signed", a)
		}
	}
}

// library is the same library, as another part of the process would use it.
func library(t *testing.T) *pkcs11.Ctx {
	t.Helper()
	c := pkcs11.New(hsmtest.Module(t))
	if c == nil {
		t.Fatal("SoftHSM2's library does not load")
	}
	t.Cleanup(c.Destroy)
	return c
}

func slotOf(t *testing.T, c *pkcs11.Ctx, label string) uint {
	t.Helper()
	slots, err := c.GetSlotList(true)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range slots {
		if i, err := c.GetTokenInfo(s); err == nil && strings.TrimSpace(i.Label) == label {
			return s
		}
	}
	t.Fatalf("no slot has %q", label)
	return 0
}

func TestAKeyNeverLeaves(t *testing.T) {
	tok := open(t, hsmtest.New(t, "shut"))
	generate(t, tok, "rsa", keys.RSA2048)
	generate(t, tok, "ec", keys.P256)
	c := library(t)
	s, err := c.OpenSession(slotOf(t, c, "shut"), pkcs11.CKF_SERIAL_SESSION)
	if err != nil {
		t.Fatal(err)
	}
	for label, secrets := range map[string][]uint{"rsa": {pkcs11.CKA_PRIVATE_EXPONENT, pkcs11.CKA_PRIME_1}, "ec": {pkcs11.CKA_VALUE}} {
		if err := c.FindObjectsInit(s, []*pkcs11.Attribute{pkcs11.NewAttribute(pkcs11.CKA_CLASS, pkcs11.CKO_PRIVATE_KEY), pkcs11.NewAttribute(pkcs11.CKA_LABEL, label)}); err != nil {
			t.Fatal(err)
		}
		found, _, err := c.FindObjects(s, 2)
		if err != nil || len(found) != 1 || c.FindObjectsFinal(s) != nil {
			t.Fatalf("%s: %d keys (%v)", label, len(found), err)
		}
		for _, a := range secrets {
			if _, err := c.GetAttributeValue(s, found[0], []*pkcs11.Attribute{pkcs11.NewAttribute(a, nil)}); !errors.Is(err, pkcs11.Error(pkcs11.CKR_ATTRIBUTE_SENSITIVE)) {
				t.Errorf("%s: attribute %#x: %v, want CKR_ATTRIBUTE_SENSITIVE", label, a, err)
			}
		}
	}
}

// What another user of the library may do to our sessions, between signatures.
func TestSessionsSurviveAReset(t *testing.T) {
	tok := open(t, hsmtest.New(t, "reset"))
	_, ec := generate(t, tok, "ec", keys.P256)
	_, rs := generate(t, tok, "rsa", keys.RSA2048)
	c := library(t)
	tests := []struct {
		name  string
		reset func() error
	}{
		{"all sessions closed", func() error { return c.CloseAllSessions(slotOf(t, c, "reset")) }},
		{"logged out", func() error {
			s, err := c.OpenSession(slotOf(t, c, "reset"), pkcs11.CKF_SERIAL_SESSION)
			if err != nil {
				return err
			}
			return errors.Join(c.Logout(s), c.CloseSession(s))
		}},
		{"finalised", c.Finalize},
		{"finalised and initialised", func() error { return errors.Join(c.Finalize(), c.Initialize()) }},
	}
	for _, tt := range tests {
		for range 2 {
			if err := tt.reset(); err != nil {
				t.Fatalf("%s: %v", tt.name, err)
			}
			for _, k := range []crypto.Signer{ec, rs} {
				if err := sign(k, crypto.SHA256); err != nil {
					t.Errorf("%s: %v", tt.name, err)
				}
			}
		}
	}
	// Eight that find their session gone at the same time log in once. (A reset
	// while calls are in the library is nobody's promise: SoftHSM2 crashes.)
	for round := range 20 {
		if err := tests[round%len(tests)].reset(); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for range 8 {
			wg.Go(func() {
				for range 4 {
					if err := sign(ec, crypto.SHA256); err != nil {
						t.Errorf("eight at a time, %s: %v", tests[round%len(tests)].name, err)
					}
				}
			})
		}
		wg.Wait()
	}
}

func TestRefusals(t *testing.T) {
	conf := hsmtest.New(t, "refusals")
	tok := open(t, conf)
	ref, _ := generate(t, tok, "one", keys.P256)
	other, _ := generate(t, tok, "two", keys.P256)
	change := func(f func(*hsm.Config)) func() error {
		return func() error {
			c := conf
			f(&c)
			k, err := hsm.Open(c)
			if err == nil {
				return k.Close()
			}
			return err
		}
	}
	find := func(f func(*keys.TokenKey)) func() error {
		return func() error {
			r := ref
			f(&r)
			_, err := tok.Find(r)
			return err
		}
	}
	pin := func(text string, mode os.FileMode) string {
		path := filepath.Join(t.TempDir(), "pin")
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	tests := []struct {
		name string
		do   func() error
		code string
	}{
		{"as it is", find(func(*keys.TokenKey) {}), ""},
		{"by its id alone", find(func(r *keys.TokenKey) { r.Label = "" }), ""},
		{"by its label alone", find(func(r *keys.TokenKey) { r.ID = nil }), ""},
		{"no such key", find(func(r *keys.TokenKey) { r.Label = "three" }), "CSE-918"},
		{"another's id", find(func(r *keys.TokenKey) { r.ID = other.ID }), "CSE-918"},
		{"another's public key", find(func(r *keys.TokenKey) { r.Public = other.Public }), "CSE-918"},
		{"another token", find(func(r *keys.TokenKey) { r.Token = "elsewhere" }), "CSE-918"},
		{"by its name", func() error { _, _, err := tok.Named("two"); return err }, ""},
		{"by nobody's name", func() error { _, _, err := tok.Named("three"); return err }, "CSE-918"},
		{"a label twice", func() error { _, _, err := tok.Generate("one", keys.P256); return err }, "CSE-918"},
		{"no such library", change(func(c *hsm.Config) { c.Module = "/nowhere.so" }), "CSE-916"},
		{"no such token", change(func(c *hsm.Config) { c.Token = "nobody" }), "CSE-916"},
		{"another serial number", change(func(c *hsm.Config) { c.Serial = "0" }), "CSE-916"},
		{"no file of the PIN", change(func(c *hsm.Config) { c.PINFile += "x" }), "CSE-917"},
		{"a PIN that others may read", change(func(c *hsm.Config) { c.PINFile = pin(hsmtest.PIN, 0o644) }), "CSE-192"},
		{"two lines", change(func(c *hsm.Config) { c.PINFile = pin(hsmtest.PIN+"\nx\n", 0o600) }), "CSE-917"},
		{"as it is, in the end", find(func(*keys.TokenKey) {}), ""},
	}
	for _, tt := range tests {
		err := tt.do()
		if code(err) != tt.code || (tt.code == "") != (err == nil) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.code)
		}
		if err != nil && strings.Contains(err.Error(), hsmtest.PIN) {
			t.Errorf("%s: the PIN is in the error", tt.name)
		}
	}
}

// A token counts wrong PINs: whoever was refused once must not try again with
// every signature.
func TestAWrongPINIsTriedOnce(t *testing.T) {
	conf := hsmtest.New(t, "wrong")
	tok := open(t, conf)
	_, k := generate(t, tok, "one", keys.P256)
	write := func(text string) {
		if err := os.WriteFile(conf.PINFile, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c := library(t)
	write("000000\n")
	if err := c.CloseAllSessions(slotOf(t, c, "wrong")); err != nil {
		t.Fatal(err)
	}
	if err := sign(k, crypto.SHA256); code(err) != "CSE-917" || strings.Contains(err.Error(), "000000") {
		t.Fatalf("got %v, want CSE-917 without the PIN", err)
	}
	write(hsmtest.PIN + "\n") // had it tried again, it would sign
	if err := sign(k, crypto.SHA256); code(err) != "CSE-917" {
		t.Errorf("tried again: %v, want CSE-917", err)
	}
	again := open(t, conf)
	if _, err := again.Find(keys.TokenKey{Token: "wrong", Label: "one", Public: k.Public()}); err != nil {
		t.Errorf("opened anew: %v", err)
	}
}
