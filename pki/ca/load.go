package ca

import (
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/pki/keys"
	"cse.example/cse/pki/profile"
)

// Load reads the first authority from its folder and checks that keys,
// certificates and chain belong together. The root's key stays shut: LoadRootKey.
func Load(dir string, vault keys.Vault) (*Material, error) {
	m, err := load(dir, dir, profile.FirstLabel, vault)
	if err == nil && m.IssuingKey == nil {
		err = unusable(dir, fmt.Errorf("ca: %s is missing", FileIssuingKey))
	}
	if err != nil {
		return nil, err
	}
	return m, nil
}

// Labels lists the authorities whose files are all in the folder dir: the first,
// and those in folders of their own. A folder that is still being filled, or is
// none of an authority, is left out.
func Labels(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("ca: %w", err)
	}
	var out []string
	for _, e := range entries {
		if e.IsDir() && profile.Label(e.Name()) && e.Name() != profile.FirstLabel && whole(filepath.Join(dir, e.Name())) {
			out = append(out, e.Name())
		}
	}
	if whole(dir) {
		out = append([]string{profile.FirstLabel}, out...)
	}
	return out, nil
}

// whole tells whether the certificates and the responder's key are there; the
// issuing key may have been destroyed on purpose.
func whole(dir string) bool {
	for _, f := range []string{FileIssuing, FileResponder, FileResponderKey} {
		if _, err := os.Stat(filepath.Join(dir, f)); err != nil {
			return false
		}
	}
	return true
}

// LoadLabel reads one of Labels as Load does. An authority whose issuing key is
// not there has none: it issues nothing, and its certificates are still answered for.
func LoadLabel(dir, label string, vault keys.Vault) (*Material, error) {
	if label == profile.FirstLabel {
		return load(dir, dir, label, vault)
	}
	if !profile.Label(label) {
		return nil, words.Refuse("CSE-925", label)
	}
	return load(filepath.Join(dir, label), dir, label, vault)
}

func load(dir, root, label string, vault keys.Vault) (*Material, error) {
	m := &Material{Label: label, Dir: dir, RootFile: filepath.Join(root, FileRoot), IssuingFile: filepath.Join(dir, FileIssuing)}
	for _, f := range []struct {
		path string
		into **x509.Certificate
	}{{m.RootFile, &m.Root}, {m.IssuingFile, &m.Issuing}, {filepath.Join(dir, FileResponder), &m.Responder}} {
		c, err := ReadCertificate(f.path)
		if err != nil {
			return nil, unusable(dir, err)
		}
		*f.into = c
	}
	for _, f := range []struct {
		name string
		cert *x509.Certificate
		into *crypto.Signer
	}{{FileIssuingKey, m.Issuing, &m.IssuingKey}, {FileResponderKey, m.Responder, &m.ResponderKey}} {
		k, err := loadKey(filepath.Join(dir, f.name), f.cert, vault)
		if f.name == FileIssuingKey && errors.Is(err, os.ErrNotExist) {
			continue
		}
		if f.name == FileResponderKey && errors.Is(err, errOtherKey) {
			k, err = finishRenewal(dir, f.cert, vault)
		}
		if err != nil {
			return nil, unusable(dir, err)
		}
		*f.into = k
	}
	if err := m.Issuing.CheckSignatureFrom(m.Root); err != nil {
		return nil, unusable(dir, err)
	}
	var err error
	if m.Details, err = readDetails(dir, label); err != nil {
		return nil, unusable(dir, err)
	}
	if err := m.Responder.CheckSignatureFrom(m.Issuing); err != nil {
		return nil, unusable(dir, err)
	}
	return m, nil
}

// LoadRootKey opens the root's key, for a root CRL or a new issuing authority.
func LoadRootKey(dir string, vault keys.Vault) (crypto.Signer, error) {
	c, err := ReadCertificate(filepath.Join(dir, FileRoot))
	if err != nil {
		return nil, unusable(dir, err)
	}
	return loadKey(filepath.Join(dir, FileRootKey), c, vault)
}

func loadKey(path string, cert *x509.Certificate, vault keys.Vault) (crypto.Signer, error) {
	k, err := vault.Open(path)
	if err != nil {
		return nil, err
	}
	if pub, ok := cert.PublicKey.(interface{ Equal(crypto.PublicKey) bool }); !ok || !pub.Equal(k.Public()) {
		return nil, fmt.Errorf("%w: %s", errOtherKey, path)
	}
	return k, nil
}

var errOtherKey = errors.New("ca: not the key of its certificate")

// finishRenewal completes what a kill interrupted between RenewResponder's new
// certificate and the new key's final name.
func finishRenewal(dir string, cert *x509.Certificate, vault keys.Vault) (crypto.Signer, error) {
	k, err := loadKey(filepath.Join(dir, fileFreshKey), cert, vault)
	if err != nil {
		return nil, err
	}
	if err := os.Rename(filepath.Join(dir, fileFreshKey), filepath.Join(dir, FileResponderKey)); err != nil {
		return nil, fmt.Errorf("ca: %w", err)
	}
	return k, nil
}

// unusable keeps a fault that says more (wrong passphrase) and names the folder
// for everything else.
func unusable(dir string, err error) error {
	if words.FaultOf(err) != nil {
		return err
	}
	return words.Refuse("CSE-197", dir).Because(err)
}

// ReadCertificate reads one PEM certificate.
func ReadCertificate(path string) (*x509.Certificate, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("ca: %w", err)
	}
	block, _ := pem.Decode(b)
	if block == nil || block.Type != "CERTIFICATE" {
		return nil, fmt.Errorf("ca: %s: no PEM certificate", path)
	}
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("ca: %s: %w", path, err)
	}
	return c, nil
}

// RenewResponder replaces the responder's key and certificate in m's folder and
// in m when fewer than ResponderSlack days are left; it tells whether it did.
// urls are the addresses that the certificate carries. The new key is made where
// the old one is: sealed in a file, or in the token.
func RenewResponder(m *Material, urls profile.URLs, vault keys.Vault, clock civil.Clock, rand io.Reader) (bool, error) {
	now := clock.Now()
	if m.Responder.NotAfter.After(now.AddDate(0, 0, ResponderSlack)) {
		return false, nil
	}
	if m.IssuingKey == nil {
		return false, nil // nobody can sign the next: the last answers are those
	}
	var err error
	if vault.Inside, err = keys.InToken(filepath.Join(m.Dir, FileResponderKey)); err != nil {
		return false, unusable(m.Dir, err)
	}
	mk := &maker{
		dir: m.Dir, now: now.UTC(), issuingKey: m.IssuingKey, issuingCert: m.Issuing,
		plan: Plan{Responder: namesOf(m.Responder), ResponderAlgorithm: keys.AlgorithmOf(m.Responder.PublicKey), URLs: urls, Vault: vault, Clock: clock, Rand: rand},
	}
	// The new key waits under a name of its own until its certificate is there;
	// Load finishes what a kill interrupts.
	if err := os.Remove(filepath.Join(m.Dir, fileFreshKey)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return false, fmt.Errorf("ca: %w", err)
	}
	mk.responder(fileFreshKey)
	if mk.err != nil {
		return false, mk.err
	}
	again, err := load(m.Dir, filepath.Dir(m.RootFile), m.Label, vault)
	if err != nil {
		return false, err
	}
	m.Responder, m.ResponderKey = again.Responder, again.ResponderKey
	return true, nil
}

const fileFreshKey = FileResponderKey + ".new"

func namesOf(c *x509.Certificate) profile.Names {
	first := func(s []string) string {
		if len(s) == 0 {
			return ""
		}
		return s[0]
	}
	return profile.Names{
		Country: first(c.Subject.Country), Organisation: first(c.Subject.Organization),
		Unit: first(c.Subject.OrganizationalUnit), CommonName: c.Subject.CommonName,
	}
}
