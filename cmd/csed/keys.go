package main

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/codes"
	"cse.example/cse/pki/keys"
)

// The platform's symmetric keys lie in three sealed rings, one for each
// passphrase that different people may hold: what the web role needs, what
// every worker needs (the bodies of effects), and one wrapping key for each
// half of the holders' codes (docs/decisions/0002).
type ring struct {
	// AEADs by name, as clear Tink keysets; Raw are plain random keys.
	AEADs map[string]string `json:"aeads"`
	Raw   map[string]string `json:"raw"`
}

// Names in the web ring.
const (
	aeadDesk   = "desk"   // counter: drafts, activations, operators' TOTP
	aeadLogin  = "login"  // login: flows, tickets, tokens
	aeadPortal = "portal" // portal: sessions
	aeadCIP    = "cip"    // wraps the keyset of the CIPs
	aeadBureau = "bureau" // production: what waits for the bureau
	rawAudit   = "audit"  // pseudonyms of the trail
	rawSubject = "subject"
	rawClient  = "portal-client"
	aeadQueue  = "queue"
	aeadHalf   = "half"
)

const (
	ringWeb, ringQueue    = "web.ring", "queue.ring"
	ringFirst, ringSecond = "first-half.ring", "second-half.ring"
	signingKeyFile        = "id-token.key"
)

func makeRing(path, purpose string, pass secret.Text, aeads, raws []string) error {
	r := ring{AEADs: map[string]string{}, Raw: map[string]string{}}
	for _, n := range aeads {
		h, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
		if err != nil {
			return err
		}
		var buf bytes.Buffer
		if err := insecurecleartextkeyset.Write(h, keyset.NewBinaryWriter(&buf)); err != nil {
			return err
		}
		r.AEADs[n] = base64.StdEncoding.EncodeToString(buf.Bytes())
	}
	for _, n := range raws {
		b := make([]byte, 32)
		if _, err := rand.Read(b); err != nil {
			return err
		}
		r.Raw[n] = base64.StdEncoding.EncodeToString(b)
	}
	b, err := json.Marshal(r)
	if err != nil {
		return err
	}
	defer clear(b)
	return keys.Seal(rand.Reader, path, purpose, b, pass)
}

func openRing(path, purpose string, pass secret.Text) (ring, error) {
	b, err := keys.Open(path, purpose, pass)
	if err != nil {
		return ring{}, err
	}
	defer clear(b)
	var r ring
	return r, json.Unmarshal(b, &r)
}

func (r ring) handle(name string) (*keyset.Handle, error) {
	b, err := base64.StdEncoding.DecodeString(r.AEADs[name])
	if err != nil || len(b) == 0 {
		return nil, fmt.Errorf("the ring has no key %q", name)
	}
	return insecurecleartextkeyset.Read(keyset.NewBinaryReader(bytes.NewReader(b)))
}

func (r ring) aead(name string) (tink.AEAD, error) {
	h, err := r.handle(name)
	if err != nil {
		return nil, err
	}
	return aead.New(h)
}

func (r ring) raw(name string) (secret.Text, error) {
	b, err := base64.StdEncoding.DecodeString(r.Raw[name])
	if err != nil || len(b) != 32 {
		return secret.Text{}, fmt.Errorf("the ring has no key %q", name)
	}
	return secret.New(b), nil
}

// passphrase reads a file of one line that nobody else may read.
func passphrase(path string) (secret.Text, error) {
	st, err := os.Stat(path)
	if err != nil || st.Mode().Perm()&0o077 != 0 {
		return secret.Text{}, words.Refuse("CSE-389", path).Because(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return secret.Text{}, words.Refuse("CSE-389", path).Because(err)
	}
	line := strings.TrimRight(string(b), "\r\n")
	if line == "" || strings.ContainsAny(line, "\r\n") {
		return secret.Text{}, words.Refuse("CSE-389", path).Because(errors.New("one line is wanted"))
	}
	return secret.FromString(line), nil
}

// makePassphrase writes a random passphrase where none is: `csed ca init` and
// the demonstration do it, an operator may write his own before.
func makePassphrase(path string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	b := make([]byte, 24)
	if _, err := rand.Read(b); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(base64.RawURLEncoding.EncodeToString(b)+"\n"), 0o600)
}

// makeKeys makes every key of the platform but the authority's.
func (c *Config) makeKeys() error {
	dir := c.under("keys")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	for _, f := range []string{c.Keys.CA, c.Keys.Web, c.Keys.Queue, c.Keys.First, c.Keys.Second} {
		if err := makePassphrase(c.under(f)); err != nil {
			return err
		}
	}
	for _, r := range []struct {
		file, pass string
		aeads, raw []string
	}{
		{ringWeb, c.Keys.Web, []string{aeadDesk, aeadLogin, aeadPortal, aeadCIP, aeadBureau}, []string{rawSubject, rawClient}},
		{ringQueue, c.Keys.Queue, []string{aeadQueue}, []string{rawAudit}},
		{ringFirst, c.Keys.First, []string{aeadHalf}, nil},
		{ringSecond, c.Keys.Second, []string{aeadHalf}, nil},
	} {
		pass, err := passphrase(c.under(r.pass))
		if err != nil {
			return err
		}
		if err := makeRing(filepath.Join(dir, r.file), r.file, pass, r.aeads, r.raw); err != nil {
			return err
		}
	}
	if err := c.makeSigningKeys(dir); err != nil {
		return err
	}
	return c.makeCodeKeysets(dir)
}

func (c *Config) makeSigningKeys(dir string) error {
	pass, err := passphrase(c.under(c.Keys.Web))
	if err != nil {
		return err
	}
	for _, f := range []string{signingKeyFile, productionKeyFile} {
		if _, err = keys.Create(rand.Reader, filepath.Join(dir, f), keys.P256, pass); err != nil {
			return err
		}
	}
	return nil
}

func (c *Config) makeCodeKeysets(dir string) error {
	first, err := c.half(ringFirst, c.Keys.First)
	if err != nil {
		return err
	}
	second, err := c.half(ringSecond, c.Keys.Second)
	if err != nil {
		return err
	}
	web, err := c.ring(ringWeb, c.Keys.Web)
	if err != nil {
		return err
	}
	cip, err := web.aead(aeadCIP)
	if err != nil {
		return err
	}
	return codes.CreateKeysets(dir, codes.Wraps{First: first, Second: second, CIP: cip})
}

func (c *Config) ring(file, passFile string) (ring, error) {
	pass, err := passphrase(c.under(passFile))
	if err != nil {
		return ring{}, err
	}
	return openRing(filepath.Join(c.under("keys"), file), file, pass)
}

// half opens the wrapping key of one half.
func (c *Config) half(file, passFile string) (tink.AEAD, error) {
	r, err := c.ring(file, passFile)
	if err != nil {
		return nil, err
	}
	return r.aead(aeadHalf)
}

func (c *Config) signingKey() (crypto.Signer, error) {
	pass, err := passphrase(c.under(c.Keys.Web))
	if err != nil {
		return nil, err
	}
	return keys.Load(filepath.Join(c.under("keys"), signingKeyFile), pass)
}

func poolOf(certs ...*x509.Certificate) *x509.CertPool {
	p := x509.NewCertPool()
	for _, c := range certs {
		p.AddCert(c)
	}
	return p
}
