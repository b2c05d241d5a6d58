package bench

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"cse.example/cse/card/cns"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/ca/catest"
)

// certificates is the issuing of CNS certificates: serial and content stored,
// linted, signed, stored again, two entries in the audit chain, all durable on
// SQLite. openssl ca writes one text file and lints nothing.
var certificates = row{"certificates", func(t *testing.T, s size) []figure {
	n := s.of(2000, 256)
	db := storetest.SQLite(t)
	a := catest.NewAt(t, time.Now().Add(-time.Minute), db, db.PKI(), func(p *ca.Parts) { p.Record = trail(t, db).Record })
	peer := newOpenSSLCA(t, s.of(500, 50))
	next := 0
	var wall []float64
	ours, theirs := s.rounds(5, func() float64 {
		qs := make([]ca.Request, n) // keys are made in the card: not counted
		for i := range qs {
			qs[i] = catest.Request(t, next)
			next++
		}
		begin, cpu := time.Now(), ownCPU(t)
		results := a.IssueBatch(t.Context(), qs)
		spent, cpuSpent := time.Since(begin), ownCPU(t)-cpu
		for i, r := range results {
			if r.Err != nil {
				t.Fatalf("request %d: %v", i, r.Err)
			}
		}
		wall = append(wall, float64(n)/spent.Seconds())
		return float64(n) / cpuSpent.Seconds()
	}, func() float64 { return peer.issue(t) })
	return []figure{
		{name: "certificates issued, linted and durable", unit: "certificates/s", ours: wall},
		{name: "certificates issued, CPU", unit: "certificates/CPU-s", ours: ours, peer: theirs, beside: "openssl ca: no lint, no fsync"},
	}
}}

// opensslCA is an authority of openssl ca with a P-256 key, and requests for it.
type opensslCA struct {
	dir, config string
	requests    []string
	round       int
}

// The same extensions as ours, as openssl says them.
const opensslConfig = `
[ca]
default_ca = cns
[cns]
dir = %[1]s
database = %[1]s/index.txt
rand_serial = yes
unique_subject = no
new_certs_dir = %[1]s/certs
certificate = %[1]s/ca.pem
private_key = %[1]s/ca.key
default_md = sha256
default_days = 2190
policy = any
x509_extensions = leaf
[any]
countryName = optional
organizationName = optional
organizationalUnitName = optional
commonName = supplied
[leaf]
keyUsage = critical, digitalSignature
extendedKeyUsage = clientAuth
authorityKeyIdentifier = keyid
subjectKeyIdentifier = hash
certificatePolicies = @policy
crlDistributionPoints = URI:http://pki.example.it/crl/0.crl
authorityInfoAccess = OCSP;URI:http://pki.example.it/ocsp, caIssuers;URI:http://pki.example.it/ca/issuing.cer
[policy]
policyIdentifier = 1.3.76.16.2.1
userNotice.1 = @notice
[notice]
explicitText = "Identifies X.509 authentication certificates issued for the italian National Service Card (CNS) project"
`

func newOpenSSLCA(t *testing.T, n int) *opensslCA {
	t.Helper()
	dir := t.TempDir()
	o := &opensslCA{dir: dir, config: filepath.Join(dir, "openssl.cnf")}
	o.file(t, "openssl.cnf", fmt.Appendf(nil, opensslConfig, dir))
	o.file(t, "index.txt", nil)
	if err := os.Mkdir(filepath.Join(dir, "certs"), 0o700); err != nil {
		t.Fatal(err)
	}
	run(t, "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", filepath.Join(dir, "ca.key"),
		"-out", filepath.Join(dir, "ca.pem"), "-days", "5000", "-subj", "/C=IT/O=CSE/CN=openssl ca")
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		q := catest.Request(t, i)
		der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{Subject: pkix.Name{
			Country: []string{"IT"}, Organization: []string{"CSE"}, OrganizationalUnit: []string{"REGIONE DI PROVA"},
			CommonName: cns.CommonName(q.CF, cns.CardID(q.Card), q.PersonalData),
		}}, key)
		if err != nil {
			t.Fatal(err)
		}
		o.requests = append(o.requests, o.file(t, fmt.Sprintf("%d.csr", i), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der})))
	}
	return o
}

func (o *opensslCA) file(t *testing.T, name string, b []byte) string {
	t.Helper()
	path := filepath.Join(o.dir, name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// issue issues all the requests in one process and gives certificates for each
// CPU second. Each round begins with an empty database.
func (o *opensslCA) issue(t *testing.T) float64 {
	t.Helper()
	o.file(t, "index.txt", nil)
	o.round++
	cpu, _ := run(t, "openssl", append([]string{"ca", "-batch", "-notext", "-config", o.config, "-infiles"}, o.requests...)...)
	made, err := filepath.Glob(filepath.Join(o.dir, "certs", "*.pem"))
	if err != nil || len(made) != o.round*len(o.requests) {
		t.Fatalf("openssl ca made %d certificates in %d rounds of %d (%v)", len(made), o.round, len(o.requests), err)
	}
	run(t, "openssl", "verify", "-CAfile", filepath.Join(o.dir, "ca.pem"), made[len(made)-1])
	return float64(len(o.requests)) / cpu.Seconds()
}
