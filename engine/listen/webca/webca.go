// Package webca is a small certification authority for the platform's own web
// addresses on one machine: the demo, tests, a first try. It has nothing to do
// with the authority of the cards; production sites bring certificates of a
// public authority.
//
// Standard: X.509 v3 (RFC 5280), ECDSA P-256. The authority's certificate is
// limited by critical name constraints to one domain (say cse.localhost), so
// that a person who trusts it in a browser trusts it for nothing else; it lasts
// one year. Server certificates carry one name each (browsers then keep the
// connections of different names apart), live thirty days in memory only, and
// are made again when a third of their life is left.
//
// The folder holds webca.pem (the certificate) and webca.key (PKCS #8), both
// 0600, the folder 0700; an existing pair is taken up again. A broken, foreign
// or expired pair is refused with CSE-373, never silently replaced: people may
// have trusted it.
package webca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
)

// File names in the folder.
const (
	CertificateFile = "webca.pem"
	keyFile         = "webca.key"
)

const (
	authorityLife = 365 * 24 * time.Hour
	serverLife    = 30 * 24 * time.Hour
	// backdate forgives clients whose clock is a little behind.
	backdate = 5 * time.Minute
)

// Authority issues server certificates. It is safe for concurrent use.
type Authority struct {
	path   string
	domain string
	clock  civil.Clock
	rand   io.Reader
	cert   *x509.Certificate
	key    *ecdsa.PrivateKey

	mu    sync.Mutex
	leafs map[string]*tls.Certificate
}

// Open takes up the authority in folder dir, or makes it there. domain is the
// only domain it may certify. random may be nil for crypto/rand.
func Open(dir, domain string, clock civil.Clock, random io.Reader) (*Authority, error) {
	if domain == "" || clock == nil {
		return nil, errors.New("webca: domain and clock are needed")
	}
	if random == nil {
		random = rand.Reader
	}
	a := &Authority{path: filepath.Join(dir, CertificateFile), domain: domain, clock: clock, rand: random, leafs: map[string]*tls.Certificate{}}
	err := a.load(dir)
	if errors.Is(err, fs.ErrNotExist) {
		err = a.create(dir)
	}
	if err != nil {
		return nil, err
	}
	return a, nil
}

// Path is where the authority's certificate lies, in PEM: what clients trust.
func (a *Authority) Path() string { return a.path }

// Certificate is the authority's certificate.
func (a *Authority) Certificate() *x509.Certificate { return a.cert }

// Pool trusts this authority and no other.
func (a *Authority) Pool() *x509.CertPool {
	p := x509.NewCertPool()
	p.AddCert(a.cert)
	return p
}

// ClientConfig is a TLS client that trusts this authority and no other.
func (a *Authority) ClientConfig() *tls.Config {
	return &tls.Config{RootCAs: a.Pool(), MinVersion: tls.VersionTLS12}
}

func (a *Authority) load(dir string) error {
	certPEM, err := os.ReadFile(a.path)
	if err != nil {
		return err // may be fs.ErrNotExist
	}
	bad := func(err error) error { return words.Refuse("CSE-373", dir).Because(err) }
	keyPEM, err := os.ReadFile(filepath.Join(dir, keyFile))
	if err != nil {
		return bad(errors.New(err.Error())) // not to be taken for "make a new one"
	}
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return bad(err)
	}
	key, ok := pair.PrivateKey.(*ecdsa.PrivateKey)
	switch {
	case !ok:
		return bad(errors.New("the key is not ECDSA"))
	case !pair.Leaf.IsCA || len(pair.Leaf.PermittedDNSDomains) != 1 || pair.Leaf.PermittedDNSDomains[0] != a.domain:
		return bad(fmt.Errorf("it is not an authority for %s", a.domain))
	case !a.clock.Now().Before(pair.Leaf.NotAfter):
		return bad(fmt.Errorf("it expired on %s", pair.Leaf.NotAfter.Format(time.RFC3339)))
	}
	a.cert, a.key = pair.Leaf, key
	return nil
}

func (a *Authority) create(dir string) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), a.rand)
	if err != nil {
		return fmt.Errorf("webca: make a key: %w", err)
	}
	template, err := a.template(key, authorityLife)
	if err != nil {
		return err
	}
	template.Subject = pkix.Name{CommonName: "CSE local web CA (" + a.domain + ")"}
	template.IsCA, template.BasicConstraintsValid, template.MaxPathLenZero = true, true, true
	template.KeyUsage = x509.KeyUsageCertSign
	template.PermittedDNSDomainsCritical, template.PermittedDNSDomains = true, []string{a.domain}
	der, err := x509.CreateCertificate(a.rand, template, template, key.Public(), key)
	if err != nil {
		return fmt.Errorf("webca: sign its own certificate: %w", err)
	}
	if a.cert, err = x509.ParseCertificate(der); err != nil {
		return fmt.Errorf("webca: %w", err)
	}
	a.key = key
	return a.save(dir)
}

// template has what all certificates share: serial, validity, key identifier.
func (a *Authority) template(key *ecdsa.PrivateKey, life time.Duration) (*x509.Certificate, error) {
	serial := make([]byte, 16)
	if _, err := io.ReadFull(a.rand, serial); err != nil {
		return nil, fmt.Errorf("webca: random serial: %w", err)
	}
	serial[0] = serial[0]&0x7f | 0x40 // positive, always 16 bytes
	point, err := key.PublicKey.Bytes()
	if err != nil {
		return nil, fmt.Errorf("webca: public key: %w", err)
	}
	id := sha256.Sum256(point)
	now := a.clock.Now()
	return &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(serial),
		NotBefore:    now.Add(-backdate),
		NotAfter:     now.Add(life),
		SubjectKeyId: id[:20],
	}, nil
}

// save writes the key first: a certificate without its key is refused, a key
// without its certificate is made anew.
func (a *Authority) save(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("webca: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(a.key)
	if err != nil {
		return fmt.Errorf("webca: %w", err)
	}
	if err := write(filepath.Join(dir, keyFile), "PRIVATE KEY", der); err != nil {
		return err
	}
	return write(a.path, "CERTIFICATE", a.cert.Raw)
}

func write(path, kind string, der []byte) error {
	tmp := path + ".new"
	if err := os.WriteFile(tmp, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		return fmt.Errorf("webca: %w", err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("webca: %w", err)
	}
	return nil
}

// ErrForeign is returned for a name outside the authority's domain.
var ErrForeign = errors.New("webca: the name is outside the domain")

// For returns a server certificate for name, made now or still fresh, with the
// authority's certificate behind it.
func (a *Authority) For(name string) (*tls.Certificate, error) {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if name != a.domain && !strings.HasSuffix(name, "."+a.domain) {
		return nil, fmt.Errorf("%w %s: %s", ErrForeign, a.domain, name)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if c := a.leafs[name]; c != nil && a.clock.Now().Before(c.Leaf.NotAfter.Add(-serverLife/3)) {
		return c, nil
	}
	c, err := a.issue(name)
	if err != nil {
		return nil, err
	}
	a.leafs[name] = c
	return c, nil
}

// GetCertificate fits tls.Config and listen.Host: the certificate of the name
// the client asks for.
func (a *Authority) GetCertificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	return a.For(hello.ServerName)
}

func (a *Authority) issue(name string) (*tls.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), a.rand)
	if err != nil {
		return nil, fmt.Errorf("webca: make a key: %w", err)
	}
	template, err := a.template(key, serverLife)
	if err != nil {
		return nil, err
	}
	if template.NotAfter.After(a.cert.NotAfter) {
		template.NotAfter = a.cert.NotAfter
	}
	template.Subject = pkix.Name{CommonName: name}
	template.DNSNames = []string{name}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	template.BasicConstraintsValid = true
	der, err := x509.CreateCertificate(a.rand, template, a.cert, key.Public(), a.key)
	if err != nil {
		return nil, fmt.Errorf("webca: sign for %s: %w", name, err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("webca: %w", err)
	}
	return &tls.Certificate{Certificate: [][]byte{der, a.cert.Raw}, PrivateKey: key, Leaf: leaf}, nil
}
