package path_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"cse.example/cse/pki/trust/path"
)

var noon = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

// node is a certificate with its key.
type node struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func (n node) parsed(t testing.TB) *path.Certificate {
	t.Helper()
	c, err := path.Parse(n.cert.Raw)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

var serial int64

// issue makes a certificate under parent (self-signed without), changed by edit.
func issue(t testing.TB, parent *node, name string, ca bool, edit func(*x509.Certificate)) node {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return reissue(t, parent, name, ca, key, edit)
}

func reissue(t testing.TB, parent *node, name string, ca bool, key *ecdsa.PrivateKey, edit func(*x509.Certificate)) node {
	t.Helper()
	serial++
	tpl := &x509.Certificate{
		SerialNumber: big.NewInt(serial), Subject: pkix.Name{CommonName: name}, NotBefore: noon.AddDate(-1, 0, 0), NotAfter: noon.AddDate(1, 0, 0),
		BasicConstraintsValid: ca, IsCA: ca, KeyUsage: x509.KeyUsageDigitalSignature,
	}
	if ca {
		tpl.KeyUsage = x509.KeyUsageCertSign | x509.KeyUsageCRLSign
	}
	if edit != nil {
		edit(tpl)
	}
	signer, above := key, tpl
	if parent != nil {
		signer, above = parent.key, parent.cert
	}
	der, err := x509.CreateCertificate(rand.Reader, tpl, above, &key.PublicKey, signer)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return node{c, key}
}

func list(t testing.TB, by node, revoked ...x509.RevocationListEntry) *path.List {
	t.Helper()
	der, err := x509.CreateRevocationList(rand.Reader, &x509.RevocationList{
		Number: big.NewInt(1), ThisUpdate: noon.Add(-time.Hour), NextUpdate: noon.Add(time.Hour), RevokedCertificateEntries: revoked,
	}, by.cert, by.key)
	if err != nil {
		t.Fatal(err)
	}
	l, err := path.ParseList(der)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func entry(c *x509.Certificate, reason int) x509.RevocationListEntry {
	return x509.RevocationListEntry{SerialNumber: c.SerialNumber, RevocationTime: noon.Add(-2 * time.Hour), ReasonCode: reason}
}

func answer(t testing.TB, issuer, by node, c *x509.Certificate, status, reason int, shown *x509.Certificate) *path.Answer {
	t.Helper()
	der, err := ocsp.CreateResponse(issuer.cert, by.cert, ocsp.Response{
		Status: status, SerialNumber: c.SerialNumber, ThisUpdate: noon.Add(-time.Hour), NextUpdate: noon.Add(time.Hour),
		RevokedAt: noon.Add(-2 * time.Hour), RevocationReason: reason, Certificate: shown,
	}, by.key)
	if err != nil {
		t.Fatal(err)
	}
	a, err := path.ParseAnswer(der)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestReasons(t *testing.T) {
	root := issue(t, nil, "root", true, nil)
	mid := issue(t, &root, "mid", true, nil)
	leaf := issue(t, &mid, "leaf", false, nil)
	stranger := issue(t, nil, "mid", true, nil) // the same name, another key
	byStranger := issue(t, &stranger, "leaf", false, nil)
	old := issue(t, &mid, "old", false, func(c *x509.Certificate) { c.NotAfter = noon.Add(-time.Hour) })
	soon := issue(t, &mid, "soon", false, func(c *x509.Certificate) { c.NotBefore = noon.Add(time.Hour) })
	server := issue(t, &mid, "server", false, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} })
	under := issue(t, &leaf, "under", false, nil)
	odd := issue(t, &mid, "odd", false, func(c *x509.Certificate) {
		c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 9999}, Critical: true, Value: []byte{5, 0}}}
	})
	for _, c := range []struct {
		name  string
		leaf  node
		opt   path.Options
		want  path.Reason
		index int
	}{
		{name: "valid", leaf: leaf},
		{name: "the signature of another of the same name", leaf: byStranger, want: path.BadSignature},
		{name: "past", leaf: old, want: path.Expired},
		{name: "future", leaf: soon, want: path.NotYetValid},
		{name: "not for clients", leaf: server, opt: path.Options{Purpose: path.Client}, want: path.WrongPurpose},
		{name: "for anything", leaf: server},
		{name: "signed by a leaf", leaf: under, want: path.NotAuthority, index: 1},
		{name: "unknown and critical", leaf: odd, want: path.CriticalExtension},
		{name: "a policy nobody has", leaf: leaf, opt: path.Options{Policies: []string{"1.3.76.16.2.1"}, ExplicitPolicy: true}, want: path.PolicyNotAccepted, index: 1},
		{name: "no list", leaf: leaf, opt: path.Options{Revocation: &path.Evidence{}}, want: path.RevocationUnproved, index: 1},
		{name: "too deep", leaf: leaf, opt: path.Options{MaxDepth: 2}, want: path.PathTooLong, index: -1},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.opt.At = noon
			_, err := path.Build(c.leaf.parsed(t), []*path.Certificate{mid.parsed(t), leaf.parsed(t)}, []*path.Certificate{root.parsed(t)}, c.opt)
			if got := path.ReasonOf(err); got != c.want {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			if r, ok := err.(*path.Refusal); ok && r.Index != c.index { //nolint:errorlint // Build promises the type
				t.Errorf("index %d, want %d (%v)", r.Index, c.index, err)
			}
		})
	}
}

func TestRevocation(t *testing.T) {
	root := issue(t, nil, "root", true, nil)
	mid := issue(t, &root, "mid", true, nil)
	leaf := issue(t, &mid, "leaf", false, nil)
	other := issue(t, nil, "mid", true, nil)
	responder := issue(t, &mid, "responder", false, func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning} })
	notOne := issue(t, &mid, "not one", false, nil)
	clean, above := list(t, mid), list(t, root)
	good := answer(t, mid, mid, leaf.cert, ocsp.Good, 0, nil)
	for _, c := range []struct {
		name string
		e    path.Evidence
		want path.Reason
	}{
		{"lists", path.Evidence{Lists: []*path.List{clean, above}}, ""},
		{"the root's list is missing", path.Evidence{Lists: []*path.List{clean}}, path.RevocationUnproved},
		{"revoked", path.Evidence{Lists: []*path.List{list(t, mid, entry(leaf.cert, 1)), above}}, path.Revoked},
		{"on hold", path.Evidence{Lists: []*path.List{list(t, mid, entry(leaf.cert, 6)), above}}, path.OnHold},
		{"the issuer revoked", path.Evidence{Lists: []*path.List{clean, list(t, root, entry(mid.cert, 2))}}, path.Revoked},
		{"signed by a stranger of the same name", path.Evidence{Lists: []*path.List{list(t, other), above}}, path.RevocationUnproved},
		{"ocsp", path.Evidence{Lists: []*path.List{above}, Answers: []*path.Answer{good}}, ""},
		{"ocsp of a responder", path.Evidence{Lists: []*path.List{above}, Answers: []*path.Answer{answer(t, mid, responder, leaf.cert, ocsp.Good, 0, responder.cert)}}, ""},
		{"ocsp of one who is none", path.Evidence{Lists: []*path.List{above}, Answers: []*path.Answer{answer(t, mid, notOne, leaf.cert, ocsp.Good, 0, notOne.cert)}}, path.RevocationUnproved},
		{"ocsp revoked", path.Evidence{Lists: []*path.List{above, clean}, Answers: []*path.Answer{answer(t, mid, mid, leaf.cert, ocsp.Revoked, 1, nil)}}, path.Revoked},
		{"ocsp good, list revoked", path.Evidence{Lists: []*path.List{above, list(t, mid, entry(leaf.cert, 1))}, Answers: []*path.Answer{good}}, path.Revoked},
		{"ocsp about another", path.Evidence{Lists: []*path.List{above}, Answers: []*path.Answer{answer(t, mid, mid, notOne.cert, ocsp.Good, 0, nil)}}, path.RevocationUnproved},
		{"ocsp does not know it", path.Evidence{Lists: []*path.List{above}, Answers: []*path.Answer{answer(t, mid, mid, leaf.cert, ocsp.Unknown, 0, nil)}}, path.RevocationUnproved},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := path.Build(leaf.parsed(t), []*path.Certificate{mid.parsed(t)}, []*path.Certificate{root.parsed(t)}, path.Options{At: noon, Revocation: &c.e})
			if got := path.ReasonOf(err); got != c.want {
				t.Fatalf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestNameConstraints(t *testing.T) {
	uri := func(s string) []*url.URL {
		u, err := url.Parse(s)
		if err != nil {
			t.Fatal(err)
		}
		return []*url.URL{u}
	}
	_, ten, _ := net.ParseCIDR("10.0.0.0/8")
	root := issue(t, nil, "root", true, nil)
	for _, c := range []struct {
		name     string
		mid, end func(*x509.Certificate)
		ok       bool
	}{
		{"dns inside", func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"asl.example"} }, func(c *x509.Certificate) { c.DNSNames = []string{"a.ASL.example"} }, true},
		{"dns outside", func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"asl.example"} }, func(c *x509.Certificate) { c.DNSNames = []string{"xasl.example"} }, false},
		{"dns excluded", func(c *x509.Certificate) { c.ExcludedDNSDomains = []string{"asl.example"} }, func(c *x509.Certificate) { c.DNSNames = []string{"b.asl.example"} }, false},
		{"mail of the host", func(c *x509.Certificate) { c.PermittedEmailAddresses = []string{"asl.example"} }, func(c *x509.Certificate) { c.EmailAddresses = []string{"a@asl.example"} }, true},
		{"mail of a host below", func(c *x509.Certificate) { c.PermittedEmailAddresses = []string{"asl.example"} }, func(c *x509.Certificate) { c.EmailAddresses = []string{"a@b.asl.example"} }, false},
		{"address of the network", func(c *x509.Certificate) { c.PermittedIPRanges = []*net.IPNet{ten} }, func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(10, 1, 2, 3)} }, true},
		{"address of another", func(c *x509.Certificate) { c.PermittedIPRanges = []*net.IPNet{ten} }, func(c *x509.Certificate) { c.IPAddresses = []net.IP{net.IPv4(11, 1, 2, 3)} }, false},
		{"uri excluded", func(c *x509.Certificate) { c.ExcludedURIDomains = []string{".example"} }, func(c *x509.Certificate) { c.URIs = uri("https://a.example/x") }, false},
		{"uri without a host", func(c *x509.Certificate) { c.ExcludedURIDomains = []string{".example"} }, func(c *x509.Certificate) { c.URIs = uri("urn:a") }, false},
		{"uri that is a number", func(c *x509.Certificate) { c.ExcludedURIDomains = []string{".example"} }, func(c *x509.Certificate) { c.URIs = uri("https://10.0.0.1/") }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			mid := issue(t, &root, "mid", true, c.mid)
			leaf := issue(t, &mid, "leaf", false, c.end)
			_, err := path.Build(leaf.parsed(t), []*path.Certificate{mid.parsed(t)}, []*path.Certificate{root.parsed(t)}, path.Options{At: noon})
			if (err == nil) != c.ok || (!c.ok && path.ReasonOf(err) != path.NameNotPermitted) {
				t.Fatalf("got %v, want valid %v", err, c.ok)
			}
		})
	}
}

// A mesh of authorities that certify each other has factorially many paths, and none leads to the anchor.
func TestHostileMeshIsBounded(t *testing.T) {
	const n = 12
	var keys []node
	for i := range n {
		keys = append(keys, issue(t, nil, fmt.Sprint("m", i), true, nil))
	}
	var pool []*path.Certificate
	for i := range n {
		for j := range n {
			if i != j {
				pool = append(pool, reissue(t, &keys[i], fmt.Sprint("m", j), true, keys[j].key, nil).parsed(t))
			}
		}
	}
	leaf := issue(t, &keys[0], "leaf", false, nil)
	anchor := issue(t, nil, "elsewhere", true, nil)
	_, err := path.Build(leaf.parsed(t), pool, []*path.Certificate{anchor.parsed(t)}, path.Options{At: noon, MaxSignatures: 1000})
	if path.ReasonOf(err) != path.TooMuchWork {
		t.Fatalf("got %v, want %s", err, path.TooMuchWork)
	}
}

func FuzzPathCertificate(f *testing.F) {
	root := issue(f, nil, "root", true, func(c *x509.Certificate) { c.PermittedDNSDomains = []string{"example"} })
	f.Add(issue(f, &root, "leaf", false, nil).cert.Raw)
	f.Add(root.cert.Raw)
	anchor := root.parsed(f)
	f.Fuzz(func(t *testing.T, der []byte) {
		c, err := path.Parse(der)
		if err != nil {
			if path.ReasonOf(err) != path.Malformed {
				t.Fatalf("an error without a reason: %v", err)
			}
			return
		}
		r, err := path.Build(c, nil, []*path.Certificate{anchor}, path.Options{At: noon, MaxSignatures: 8})
		if (r == nil) == (err == nil) {
			t.Fatalf("result %v, error %v", r, err)
		}
	})
}

func FuzzPathList(f *testing.F) {
	root := issue(f, nil, "root", true, nil)
	f.Add(list(f, root, entry(root.cert, 1)).Raw)
	f.Fuzz(func(t *testing.T, der []byte) {
		l, err := path.ParseList(der)
		if err != nil {
			return
		}
		n := 0
		_ = l.Each(func(path.Entry) bool { n++; return true }) // an entry that cannot be read is an answer too
		if n > len(der) {
			t.Fatal("more entries than octets")
		}
	})
}

func FuzzPathAnswer(f *testing.F) {
	root := issue(f, nil, "root", true, nil)
	leaf := issue(f, &root, "leaf", false, nil)
	der, err := ocsp.CreateResponse(root.cert, root.cert, ocsp.Response{Status: ocsp.Good, SerialNumber: leaf.cert.SerialNumber, ThisUpdate: noon}, root.key)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(der)
	c, a := leaf.parsed(f), root.parsed(f)
	f.Fuzz(func(t *testing.T, der []byte) {
		x, err := path.ParseAnswer(der)
		if err != nil {
			return
		}
		_, _ = path.Build(c, nil, []*path.Certificate{a}, path.Options{At: noon, MaxSignatures: 8, Revocation: &path.Evidence{Answers: []*path.Answer{x}}}) // must only return
	})
}
