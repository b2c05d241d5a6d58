package ca

import (
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/pki/keys"
	"cse.example/cse/pki/profile"
	"cse.example/cse/pki/profile/lint"
)

// The files of an authority's folder. The keys are sealed (pki/keys).
const (
	FileRoot, FileRootKey           = "root.pem", "root.key"
	FileIssuing, FileIssuingKey     = "issuing.pem", "issuing.key"
	FileResponder, FileResponderKey = "ocsp.pem", "ocsp.key"
	// FileCeremony tells what was made: names, validity, fingerprints.
	FileCeremony = "ceremony.json"
)

// Plan is all that decides what Create makes. Zero fields of the names and
// terms take the values that DefaultPlan gives.
type Plan struct {
	Root, Issuing, Responder profile.Names
	// The kinds of the three keys; the responder's signs most.
	RootAlgorithm, IssuingAlgorithm, ResponderAlgorithm keys.Algorithm
	// RootYears and IssuingYears; a six-year card fits the issuing authority for
	// as long as IssuingYears - 6 years.
	RootYears, IssuingYears int
	// URLs are the addresses that certificates carry (profile.URLsAt).
	URLs profile.URLs
	// Vault is where the three keys are made.
	Vault keys.Vault
	Clock civil.Clock
	Rand  io.Reader
}

// DefaultPlan is a plan that lacks URLs, Vault, Clock and Rand only.
func DefaultPlan() Plan {
	names := func(cn string) profile.Names {
		return profile.Names{Country: "IT", Organisation: "CSE", Unit: "Servizi di certificazione", CommonName: cn}
	}
	return Plan{
		Root: names("CSE - CA Radice"), Issuing: names("CSE - CA Cittadini"), Responder: names("CSE - OCSP CA Cittadini"),
		RootAlgorithm: keys.P384, IssuingAlgorithm: keys.P256, ResponderAlgorithm: keys.P256, RootYears: 25, IssuingYears: 12,
	}
}

// ResponderDays is the life of a responder's certificate; RenewResponder makes
// the next when fewer than ResponderSlack are left.
const (
	ResponderDays  = 90
	ResponderSlack = 15
)

// Material is an authority read from its folder.
type Material struct {
	// Label names it in folders and addresses.
	Label                    string
	Root, Issuing, Responder *x509.Certificate
	// IssuingKey is nil when it is not here: of an authority that issues no more.
	IssuingKey, ResponderKey crypto.Signer
	// Details are the zero value where the folder says none.
	Details                    Details
	RootFile, IssuingFile, Dir string // paths of the PEM certificates and of the folder
}

// Create makes root, issuing authority and OCSP responder in dir, which it
// makes if need be, and answers as Load does. It refuses a folder that has an
// authority already (CSE-193). Every certificate is linted before it is signed.
func Create(ctx context.Context, dir string, p Plan) (*Material, error) {
	if p.Clock == nil || p.Rand == nil || (p.Vault.Passphrase.Len() == 0 && !p.Vault.Inside) || p.URLs.CRL == "" {
		return nil, errors.New("ca: create: clock, randomness, vault and addresses are required")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("ca: create: %w", err)
	}
	if _, err := os.Lstat(filepath.Join(dir, FileCeremony)); err == nil {
		return nil, words.Refuse("CSE-193", filepath.Join(dir, FileCeremony))
	}
	now := p.Clock.Now().UTC().Truncate(time.Second)
	m := &maker{dir: dir, plan: p, now: now}
	m.root()
	m.issuing()
	m.responder(FileResponderKey)
	m.transcript()
	if m.err != nil {
		return nil, m.err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return Load(dir, p.Vault)
}

// Add makes one more issuing authority, with its responder, under the root of the
// folder dir, whose key must be there; its files are in a folder of its own, named
// label. The ceremony does the same with the root kept off line.
func Add(ctx context.Context, dir, label string, p Plan) (*Material, error) {
	if p.Clock == nil || p.Rand == nil || (p.Vault.Passphrase.Len() == 0 && !p.Vault.Inside) || p.URLs.CRL == "" {
		return nil, errors.New("ca: add: clock, randomness, vault and addresses are required")
	}
	own := filepath.Join(dir, label)
	if !profile.Label(label) || label == profile.FirstLabel {
		return nil, words.Refuse("CSE-925", label)
	}
	if _, err := os.Lstat(own); err == nil {
		return nil, words.Refuse("CSE-193", own)
	}
	m := &maker{dir: own, plan: p, now: p.Clock.Now().UTC().Truncate(time.Second)}
	m.step(func() (err error) {
		if m.rootCert, err = ReadCertificate(filepath.Join(dir, FileRoot)); err != nil {
			return err
		}
		if m.rootKey, err = LoadRootKey(dir, p.Vault); err != nil {
			return err
		}
		return os.MkdirAll(own, 0o755)
	})
	m.issuing()
	m.responder(FileResponderKey)
	m.transcript()
	if err := errors.Join(m.err, ctx.Err()); err != nil {
		return nil, err
	}
	return LoadLabel(dir, label, p.Vault)
}

// maker carries the ceremony along; after the first error its steps do nothing.
type maker struct {
	dir  string
	plan Plan
	now  time.Time
	err  error

	rootKey, issuingKey   crypto.Signer
	rootCert, issuingCert *x509.Certificate
	made                  []ceremonyEntry
}

type ceremonyEntry struct {
	File, Subject, Serial, NotBefore, NotAfter, SHA256 string
}

func (m *maker) step(f func() error) {
	if m.err == nil {
		m.err = f()
	}
}

// make makes a key under a label that tells whose it is.
func (m *maker) make(file string, a keys.Algorithm) (crypto.Signer, error) {
	label := strings.TrimSuffix(file, ".new") + " " + m.now.Format("20060102T150405Z")
	if of := filepath.Base(m.dir); profile.Label(of) {
		label = of + " " + label
	}
	return m.plan.Vault.Make(m.plan.Rand, filepath.Join(m.dir, file), a, label)
}

func (m *maker) root() {
	m.step(func() (err error) {
		m.rootKey, err = m.make(FileRootKey, m.plan.RootAlgorithm)
		if err != nil {
			return err
		}
		t := profile.Authority{
			Names: m.plan.Root, Key: m.rootKey.Public(), URLs: m.plan.URLs,
			NotBefore: m.now, NotAfter: civil.DayOf(m.now).AddYears(m.plan.RootYears).End(),
		}
		m.rootCert, err = m.certify(FileRoot, t, m.rootKey, func(t profile.Authority) ([]byte, error) { return t.Root() })
		return err
	})
}

func (m *maker) issuing() {
	m.step(func() (err error) {
		m.issuingKey, err = m.make(FileIssuingKey, m.plan.IssuingAlgorithm)
		if err != nil {
			return err
		}
		t := profile.Authority{
			Names: m.plan.Issuing, Key: m.issuingKey.Public(), URLs: m.plan.URLs,
			NotBefore: m.now, NotAfter: civil.DayOf(m.now).AddYears(m.plan.IssuingYears).End(),
		}
		m.issuingCert, err = m.certify(FileIssuing, t, m.rootKey, func(t profile.Authority) ([]byte, error) { return t.Issuing(m.rootCert) })
		return err
	})
}

func (m *maker) responder(keyFile string) {
	m.step(func() error {
		k, err := m.make(keyFile, m.plan.ResponderAlgorithm)
		if err != nil {
			return err
		}
		t := profile.Authority{
			Names: m.plan.Responder, Key: k.Public(), URLs: m.plan.URLs,
			NotBefore: m.now, NotAfter: civil.DayOf(m.now).AddDays(ResponderDays).End(),
		}
		_, err = m.certify(FileResponder, t, m.issuingKey, func(t profile.Authority) ([]byte, error) { return t.Responder(m.issuingCert) })
		return err
	})
}

// certify writes, lints, signs, compares and files one certificate.
func (m *maker) certify(file string, t profile.Authority, signer crypto.Signer, write func(profile.Authority) ([]byte, error)) (*x509.Certificate, error) {
	var err error
	if t.Serial, err = profile.NewSerial(m.plan.Rand); err != nil {
		return nil, err
	}
	tbs, err := write(t)
	if err != nil {
		return nil, words.Refuse("CSE-196").Because(err)
	}
	c, err := Certify(m.plan.Rand, signer, tbs)
	if err != nil {
		return nil, fmt.Errorf("ca: %s: %w", file, err)
	}
	m.made = append(m.made, ceremonyEntry{
		File: file, Subject: c.Subject.String(), Serial: t.Serial.String(),
		NotBefore: c.NotBefore.Format(time.RFC3339), NotAfter: c.NotAfter.Format(time.RFC3339),
		SHA256: fmt.Sprintf("%x", sha256.Sum256(c.Raw)),
	})
	return c, writeFile(filepath.Join(m.dir, file), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
}

// Lint looks at the form of an authority's certificate, to be signed by a key of
// issuer's kind, under a signature that is none (CSE-196).
func Lint(tbs []byte, issuer crypto.PublicKey) error {
	alg, err := profile.AlgorithmOf(issuer)
	if err != nil {
		return err
	}
	draft, err := profile.Assemble(tbs, alg, []byte("to be linted"))
	if err != nil {
		return err
	}
	if _, err := lint.Certificate(draft); err != nil {
		return words.Refuse("CSE-196").Because(err)
	}
	return nil
}

// Certify lints, signs and reads back the certificate of an authority.
func Certify(rand io.Reader, signer crypto.Signer, tbs []byte) (*x509.Certificate, error) {
	if err := Lint(tbs, signer.Public()); err != nil {
		return nil, err
	}
	der, err := profile.Sign(rand, signer, tbs)
	if err != nil {
		return nil, err
	}
	return x509.ParseCertificate(der)
}

func (m *maker) transcript() {
	m.step(func() error {
		b, err := json.MarshalIndent(map[string]any{"schema": "cse.ceremony/1", "at": m.now.Format(time.RFC3339), "certificates": m.made}, "", "  ")
		if err != nil {
			return fmt.Errorf("ca: ceremony: %w", err)
		}
		return writeFile(filepath.Join(m.dir, FileCeremony), append(b, '\n'))
	})
}

// writeFile replaces path as a whole.
func writeFile(path string, b []byte) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".making-*")
	if err != nil {
		return fmt.Errorf("ca: %w", err)
	}
	_, werr := tmp.Write(b)
	if err := errors.Join(werr, tmp.Chmod(0o644), tmp.Sync(), tmp.Close()); err != nil {
		return errors.Join(fmt.Errorf("ca: write %s: %w", path, err), os.Remove(tmp.Name()))
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return errors.Join(fmt.Errorf("ca: %w", err), os.Remove(tmp.Name()))
	}
	return nil
}
