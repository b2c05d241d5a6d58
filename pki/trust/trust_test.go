package trust_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"strings"
	"sync"
	"testing"
	"time"

	"cse.example/cse/card/cns"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/pki/trust"
)

var now = time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC)

const (
	goodCF   = "RSSMRA80A01H501U"
	goodCard = "6090000000000016"
)

func commonName(cf string) string { return cns.CommonName(cf, goodCard, []byte("personal data")) }

type signer struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

var serials struct {
	sync.Mutex
	n int64
}

func next() *big.Int {
	serials.Lock()
	defer serials.Unlock()
	serials.n++
	return big.NewInt(serials.n)
}

// authority makes one certified by parent, or a root.
func authority(t *testing.T, cn string, parent *signer, change ...func(*x509.Certificate)) signer {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: next(), Subject: pkix.Name{CommonName: cn}, NotBefore: now.AddDate(-1, 0, 0), NotAfter: now.AddDate(10, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	for _, f := range change {
		f(c)
	}
	by := signer{c, k}
	if parent != nil {
		by = *parent
	}
	return signer{sign(t, c, &k.PublicKey, by), k}
}

func sign(t *testing.T, c *x509.Certificate, pub any, by signer) *x509.Certificate {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, c, by.cert, pub, by.key)
	if err != nil {
		t.Fatal(err)
	}
	out, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

var (
	key2048 = sync.OnceValue(func() *rsa.PublicKey { return generate(2048) })
	key1024 = sync.OnceValue(func() *rsa.PublicKey { return generate(1024) })
)

func generate(bits int) *rsa.PublicKey {
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return &k.PublicKey
}

func oid(s string) x509.OID {
	o, err := x509.ParseOID(s)
	if err != nil {
		panic(err)
	}
	return o
}

// card is the template of a good certificate.
func card() *x509.Certificate {
	return &x509.Certificate{
		SerialNumber: next(), Subject: pkix.Name{Country: []string{"IT"}, CommonName: commonName(goodCF)},
		NotBefore: now.AddDate(0, -1, 0), NotAfter: now.AddDate(5, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		Policies: []x509.OID{oid("1.3.76.16.2.1")},
	}
}

// says is a source that gives one answer.
type says struct {
	status trust.Status
	err    error
}

func (s says) Revocation(context.Context, *x509.Certificate, *x509.Certificate) (trust.Status, error) {
	return s.status, s.err
}

var good = says{status: trust.Status{Standing: trust.StandingGood}}

func TestVerify(t *testing.T) {
	root := authority(t, "root", nil)
	ca := authority(t, "Regione - CA Cittadini", &root)
	old := authority(t, "old", nil, func(c *x509.Certificate) { c.NotAfter = now.AddDate(0, 0, -1) })
	stranger := authority(t, "stranger", nil)
	double := authority(t, "Regione - CA Cittadini", nil) // the same name, another key
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		change func(c *x509.Certificate)
		pub    any
		by     signer
		want   trust.Reason
	}{
		{"good", nil, nil, ca, 0},
		{"another issuer", nil, nil, stranger, trust.UntrustedIssuer},
		{"an issuer of the same name", nil, nil, double, trust.UntrustedIssuer},
		{"an issuer that has expired", nil, nil, old, trust.IssuerExpired},
		{"expired", func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Second) }, nil, ca, trust.Expired},
		{"not yet valid", func(c *x509.Certificate) { c.NotBefore = now.Add(time.Second) }, nil, ca, trust.NotYetValid},
		{"expired and from a stranger", func(c *x509.Certificate) { c.NotAfter = now.Add(-time.Second) }, nil, stranger, trust.UntrustedIssuer},
		{"a critical extension", func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3}, Critical: true, Value: []byte{5, 0}}}
		}, nil, ca, trust.CriticalExtension},
		{"keyEncipherment beside it is tolerated", func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageKeyEncipherment }, nil, ca, 0},
		{"no key usage", func(c *x509.Certificate) { c.KeyUsage = 0 }, nil, ca, trust.WrongKeyUsage},
		{"keyEncipherment only", func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment }, nil, ca, trust.WrongKeyUsage},
		{"nonRepudiation", func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageContentCommitment }, nil, ca, trust.WrongKeyUsage},
		{"an authority", func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true }, nil, ca, trust.WrongKeyUsage},
		{"no extended key usage", func(c *x509.Certificate) { c.ExtKeyUsage = nil }, nil, ca, trust.WrongExtKeyUsage},
		{"server only", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth} }, nil, ca, trust.WrongExtKeyUsage},
		{"any is not clientAuth", func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageAny} }, nil, ca, trust.WrongExtKeyUsage},
		{"smart card logon beside it is tolerated", func(c *x509.Certificate) {
			c.UnknownExtKeyUsage = []asn1.ObjectIdentifier{{1, 3, 6, 1, 4, 1, 311, 20, 2, 2}}
		}, nil, ca, 0},
		{"no policy", func(c *x509.Certificate) { c.Policies = nil }, nil, ca, trust.PolicyMissing},
		{"a CIE's policy", func(c *x509.Certificate) { c.Policies = []x509.OID{oid("1.3.76.47.4")} }, nil, ca, trust.PolicyMissing},
		{"a longer policy", func(c *x509.Certificate) { c.Policies = []x509.OID{oid("1.3.76.16.2.1.1")} }, nil, ca, trust.PolicyMissing},
		{"RSA of 1024 bits", nil, key1024(), ca, trust.WeakKey},
		{"an elliptic key", nil, &ec.PublicKey, ca, trust.WeakKey},
		{"no common name", func(c *x509.Certificate) { c.Subject.CommonName = "" }, nil, ca, trust.NameMalformed},
		{"a name and a surname", func(c *x509.Certificate) { c.Subject.CommonName = "MARIO ROSSI" }, nil, ca, trust.NameMalformed},
		{"two common names", func(c *x509.Certificate) {
			c.Subject.ExtraNames = []pkix.AttributeTypeAndValue{
				{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: commonName(goodCF)}, {Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: commonName(goodCF)},
			}
		}, nil, ca, trust.NameMalformed},
		{"wrong check letter", func(c *x509.Certificate) { c.Subject.CommonName = commonName("RSSMRA80A01H501A") }, nil, ca, trust.CFInvalid},
		{"lower case", func(c *x509.Certificate) { c.Subject.CommonName = commonName("rssmra80a01h501u") }, nil, ca, trust.NameMalformed},
	}
	v := &trust.Verifier{Anchors: []*x509.Certificate{root.cert, old.cert}, Revocation: []trust.Revocation{good}}
	for _, tt := range tests {
		c := card()
		if tt.change != nil {
			tt.change(c)
		}
		if tt.pub == nil {
			tt.pub = key2048()
		}
		leaf := sign(t, c, tt.pub, tt.by)
		h, err := v.Verify(t.Context(), leaf, []*x509.Certificate{ca.cert}, now)
		if got := trust.ReasonOf(err); got != tt.want || (tt.want == 0) != (err == nil) {
			t.Errorf("%s: %v, want reason %q", tt.name, err, tt.want)
			continue
		}
		if err != nil {
			continue
		}
		if string(h.CF) != goodCF || string(h.Name.ID) != goodCard || !h.Issuer.Equal(ca.cert) || len(h.Chain) != 3 {
			t.Errorf("%s: holder %+v", tt.name, h)
		}
	}
}

// An issuer may be pinned although somebody else certified it, and then the
// root above it is not needed, nor believed.
func TestAPinnedSubordinate(t *testing.T) {
	root := authority(t, "root", nil)
	ca := authority(t, "CA Cittadini", &root)
	sister := authority(t, "CA Sorella", &root)
	v := &trust.Verifier{Anchors: []*x509.Certificate{ca.cert}, Revocation: []trust.Revocation{good}}
	if _, err := v.Verify(t.Context(), sign(t, card(), key2048(), ca), nil, now); err != nil {
		t.Error(err)
	}
	offered := []*x509.Certificate{sister.cert, root.cert}
	if _, err := v.Verify(t.Context(), sign(t, card(), key2048(), sister), offered, now); trust.ReasonOf(err) != trust.UntrustedIssuer {
		t.Errorf("a sister of the pinned issuer: %v", err)
	}
	if _, err := v.Verify(t.Context(), ca.cert, nil, now); trust.ReasonOf(err) != trust.UntrustedIssuer {
		t.Errorf("the anchor itself: %v", err)
	}
	if _, err := (&trust.Verifier{}).Verify(t.Context(), sign(t, card(), key2048(), ca), nil, now); trust.ReasonOf(err) != trust.UntrustedIssuer {
		t.Errorf("nothing pinned: %v (never the system's roots)", err)
	}
}

func TestConfiguredTolerance(t *testing.T) {
	ca := authority(t, "Lombardia - CA Cittadini", nil)
	c := card()
	c.Policies = []x509.OID{oid("1.3.159.6.1.3.2.10")}
	leaf := sign(t, c, key1024(), ca)
	v := &trust.Verifier{
		Anchors: []*x509.Certificate{ca.cert}, Revocation: []trust.Revocation{good}, MinRSA: 1024,
		Policies: []asn1.ObjectIdentifier{trust.PolicyCNS, {1, 3, 159, 6, 1, 3, 2, 10}},
	}
	if _, err := v.Verify(t.Context(), leaf, nil, now); err != nil {
		t.Error(err)
	}
}

func TestRevocationSources(t *testing.T) {
	ca := authority(t, "CA", nil)
	leaf := sign(t, card(), key2048(), ca)
	is := func(s trust.Standing) trust.Revocation {
		return says{status: trust.Status{Standing: s, Since: now.Add(-time.Hour), Code: 1}}
	}
	foreign, away := says{err: trust.ErrForeign}, says{err: errors.New("no answer")}
	tests := []struct {
		name    string
		sources []trust.Revocation
		want    trust.Reason
	}{
		{"good", []trust.Revocation{good}, 0},
		{"not activated", []trust.Revocation{is(trust.StandingPending)}, trust.NotActivated},
		{"suspended", []trust.Revocation{is(trust.StandingHeld)}, trust.OnHold},
		{"revoked", []trust.Revocation{is(trust.StandingRevoked)}, trust.Revoked},
		{"never issued", []trust.Revocation{is(trust.StandingUnknown)}, trust.UnknownToIssuer},
		{"no source", nil, trust.RevocationUnproved},
		{"no source that knows", []trust.Revocation{foreign, foreign}, trust.RevocationUnproved},
		{"the second knows", []trust.Revocation{foreign, is(trust.StandingRevoked)}, trust.Revoked},
		{"the first does not answer", []trust.Revocation{away, good}, trust.RevocationUnproved},
	}
	for _, tt := range tests {
		v := &trust.Verifier{Anchors: []*x509.Certificate{ca.cert}, Revocation: tt.sources}
		h, err := v.Verify(t.Context(), leaf, nil, now)
		if got := trust.ReasonOf(err); got != tt.want || (err == nil) != (tt.want == 0) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
		if h == nil || string(h.CF) != goodCF {
			t.Errorf("%s: whoever is refused here must still be named for the journal", tt.name)
		}
		var r *trust.Refusal
		if errors.As(err, &r) && r.Reason == trust.Revoked && (r.Code != 1 || !r.Since.Equal(now.Add(-time.Hour))) {
			t.Errorf("%s: %+v", tt.name, r)
		}
	}
	if _, err := (&trust.Verifier{Anchors: []*x509.Certificate{ca.cert}}).Check(leaf, nil, now); err != nil {
		t.Errorf("without the question of revocation: %v", err)
	}
}

func TestOmocodia(t *testing.T) {
	ca := authority(t, "CA", nil)
	v := &trust.Verifier{Anchors: []*x509.Certificate{ca.cert}, Revocation: []trust.Revocation{good}}
	twin := codicefiscale.Code(goodCF).Omocodie()[0]
	c := card()
	c.Subject.CommonName = commonName(string(twin))
	h, err := v.Verify(t.Context(), sign(t, c, key2048(), ca), nil, now)
	if err != nil || h.CF != twin || twin == goodCF {
		t.Errorf("%s: %v", twin, err)
	}
}

func TestEveryReasonHasItsWords(t *testing.T) {
	seen := map[string]bool{}
	for r := trust.UntrustedIssuer; r <= trust.RevocationUnproved; r++ {
		if s := r.String(); strings.HasPrefix(s, "reason ") || seen[s] {
			t.Errorf("reason %d: %q", int(r), s)
		} else {
			seen[s] = true
		}
	}
}
