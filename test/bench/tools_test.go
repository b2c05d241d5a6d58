package bench

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"cse.example/cse/pki/trust/path"
)

// tools is the holder's program at a desk: how long until `cse info` says its
// first word of a card in the reader, what checking one signed file costs
// (a CAdES of 1 MB, made by OpenSSL for both), and how large the programs are.
var tools = row{"tools", func(t *testing.T, s size) []figure {
	d := insert(t)
	program := os.Getenv("CSE_BENCH_CSE")
	info, peerInfo := s.rounds(5,
		func() float64 { return firstByte(t, d, program, "info") },
		func() float64 { return firstByte(t, d, "pkcs15-tool", "--list-certificates") },
	)
	d.signed(t)
	verify, peerVerify := s.rounds(5,
		func() float64 {
			cpu, _ := run(t, program, "verify", filepath.Join(d.home, "file.p7m"), "--other-ca", filepath.Join(d.home, "ca.pem"), "--crl", filepath.Join(d.home, "ca.crl"))
			return 1 / cpu.Seconds()
		},
		func() float64 {
			cpu, _ := run(t, "openssl", "cms", "-verify", "-in", filepath.Join(d.home, "file.p7m"), "-inform", "DER", "-CAfile", filepath.Join(d.home, "ca.pem"),
				"-purpose", "any", "-out", filepath.Join(d.home, "out"))
			return 1 / cpu.Seconds()
		},
	)
	return []figure{
		{name: "first word of a card in the reader", unit: "ms", ours: info, peer: peerInfo, beside: "pkcs15-tool --list-certificates"},
		{name: "signed files checked, a process each", unit: "files/CPU-s", ours: verify, peer: peerVerify, beside: "openssl cms -verify: no level, no revocation"},
		{name: "size of cse", unit: "MB", ours: megabytes(t, program)},
		{name: "size of csed", unit: "MB", ours: megabytes(t, os.Getenv("CSE_BENCH_CSED"))},
		{name: "size of the module", unit: "MB", ours: megabytes(t, os.Getenv("CSE_BENCH_MODULE"))},
	}
}}

func megabytes(t *testing.T, name string) []float64 {
	t.Helper()
	st, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	return []float64{float64(st.Size()) / (1 << 20)}
}

// firstByte runs a program at the desk and gives the milliseconds until it prints.
func firstByte(t *testing.T, d *desk, name string, args ...string) float64 {
	t.Helper()
	c := exec.CommandContext(t.Context(), name, args...)
	c.Dir, c.Env = d.home, append(os.Environ(), "HOME="+d.home, "LANG=C.UTF-8")
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	one := make([]byte, 1)
	_, err = out.Read(one)
	spent := time.Since(begin)
	if err != nil {
		t.Fatalf("%s printed nothing: %v", name, err)
	}
	rest := make([]byte, 64<<10)
	for err == nil {
		_, err = out.Read(rest)
	}
	if err := c.Wait(); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return float64(spent.Microseconds()) / 1000
}

// signed lays a file of 1 MB that OpenSSL signed, with its authority and list.
func (d *desk) signed(t *testing.T) {
	t.Helper()
	ca, caKey := authority(t, nil, nil, "Firme di prova", true)
	leaf, key := authority(t, ca, caKey, "Firmataria di prova", false)
	write := func(name, kind string, der []byte) {
		d.file(t, name, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	write("ca.pem", "CERTIFICATE", ca.Raw)
	write("leaf.pem", "CERTIFICATE", leaf.Raw)
	k, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write("key.pem", "PRIVATE KEY", k)
	list, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{Number: big.NewInt(1), ThisUpdate: time.Now().Add(-time.Hour), NextUpdate: time.Now().Add(time.Hour)}, ca, caKey)
	if err != nil {
		t.Fatal(err)
	}
	write("ca.crl", "X509 CRL", list)
	content := make([]byte, 1<<20)
	if _, err := rand.Read(content); err != nil {
		t.Fatal(err)
	}
	d.file(t, "file", content)
	d.run(t, "", "openssl", "cms", "-sign", "-cades", "-binary", "-nodetach", "-in", "file", "-signer", "leaf.pem", "-inkey", "key.pem", "-md", "sha256", "-outform", "DER", "-out", "file.p7m")
}

func authority(t *testing.T, parent *x509.Certificate, parentKey *ecdsa.PrivateKey, name string, ca bool) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 100))
	if err != nil {
		t.Fatal(err)
	}
	tpl := &x509.Certificate{
		SerialNumber: serial, Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: ca, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature,
	}
	if ca {
		tpl.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	}
	if parent == nil {
		parent, parentKey = tpl, key
	}
	der, err := x509.CreateCertificate(rand.Reader, tpl, parent, &key.PublicKey, parentKey)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c, key
}

// paths is RFC 5280 validation of a path of three, parsed before, beside Go's
// own Verify, which asks nothing of policies and revocation.
var paths = row{"paths", func(t *testing.T, s size) []figure {
	root, rootKey := authority(t, nil, nil, "Radice", true)
	mid, midKey := authority(t, root, rootKey, "Intermedia", true)
	leaf, _ := authority(t, mid, midKey, "Foglia", false)
	parsed := make([]*path.Certificate, 3)
	for i, c := range []*x509.Certificate{leaf, mid, root} {
		p, err := path.Parse(c.Raw)
		if err != nil {
			t.Fatal(err)
		}
		parsed[i] = p
	}
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(root)
	between.AddCert(mid)
	n := s.of(10_000, 500)
	rate := func(one func() error) float64 {
		before := ownCPU(t)
		for range n {
			if err := one(); err != nil {
				t.Fatal(err)
			}
		}
		return float64(n) / (ownCPU(t) - before).Seconds()
	}
	ours, peer := s.rounds(5,
		func() float64 {
			return rate(func() error {
				_, err := path.Build(parsed[0], parsed[1:2], parsed[2:], path.Options{At: time.Now()})
				return err
			})
		},
		func() float64 {
			return rate(func() error {
				_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
				return err
			})
		},
	)
	return []figure{{name: "paths validated", unit: "paths/CPU-s", ours: ours, peer: peer, beside: "crypto/x509 Verify"}}
}}
