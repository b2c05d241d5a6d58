package trust_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"cse.example/cse/pki/trust"
)

// office issues what the tests of the sources need.
type office struct {
	cert *x509.Certificate
	key  crypto.Signer
}

var sourcesNow = time.Date(2026, 11, 25, 10, 0, 0, 0, time.UTC)

func newOffice(t *testing.T, name string) office {
	t.Helper()
	o := office{}
	o.cert, o.key = o.issue(t, &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign, SubjectKeyId: []byte(name),
	})
	return o
}

func (o office) issue(t *testing.T, template *x509.Certificate) (*x509.Certificate, crypto.Signer) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template.NotBefore, template.NotAfter = sourcesNow.AddDate(-1, 0, 0), sourcesNow.AddDate(1, 0, 0)
	parent, signer := o.cert, o.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c, key
}

func (o office) list(t *testing.T, from time.Time, reason int, serial int64, more ...pkix.Extension) *x509.RevocationList {
	t.Helper()
	l := &x509.RevocationList{Number: big.NewInt(from.Unix()), ThisUpdate: from, NextUpdate: from.Add(24 * time.Hour), ExtraExtensions: more}
	if serial != 0 {
		l.RevokedCertificateEntries = []x509.RevocationListEntry{{SerialNumber: big.NewInt(serial), RevocationTime: from, ReasonCode: reason}}
	}
	der, err := x509.CreateRevocationList(rand.Reader, l, o.cert, o.key)
	if err != nil {
		t.Fatal(err)
	}
	out, err := x509.ParseRevocationList(der)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// part is issuingDistributionPoint with one address.
func part(t *testing.T, address string) pkix.Extension {
	t.Helper()
	type name struct {
		Full []asn1.RawValue `asn1:"tag:0"`
	}
	v, err := asn1.Marshal(struct {
		Name name `asn1:"tag:0"`
	}{name{[]asn1.RawValue{{Class: 2, Tag: 6, Bytes: []byte(address)}}}})
	if err != nil {
		t.Fatal(err)
	}
	return pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 28}, Critical: true, Value: v}
}

func TestLists(t *testing.T) {
	ca, other := newOffice(t, "CA"), newOffice(t, "Altra")
	leaf, _ := ca.issue(t, &x509.Certificate{SerialNumber: big.NewInt(77), CRLDistributionPoints: []string{"http://a/1.crl"}})
	fresh, old := sourcesNow.Add(-time.Hour), sourcesNow.Add(-48*time.Hour)
	delta := pkix.Extension{Id: asn1.ObjectIdentifier{2, 5, 29, 27}, Critical: true, Value: []byte{2, 1, 1}}
	for _, c := range []struct {
		name  string
		lists []*x509.RevocationList
		want  trust.Standing
		err   string // "", "foreign" or "other"
	}{
		{"none", nil, 0, "foreign"},
		{"another issuer's", []*x509.RevocationList{other.list(t, fresh, 1, 77)}, 0, "foreign"},
		{"silent", []*x509.RevocationList{ca.list(t, fresh, 1, 78)}, trust.StandingGood, ""},
		{"revoked", []*x509.RevocationList{ca.list(t, fresh, 1, 77)}, trust.StandingRevoked, ""},
		{"held", []*x509.RevocationList{ca.list(t, fresh, 6, 77)}, trust.StandingHeld, ""},
		{"stale", []*x509.RevocationList{ca.list(t, old, 1, 78)}, 0, "other"},
		{"the newest counts", []*x509.RevocationList{ca.list(t, fresh, 6, 77), ca.list(t, fresh.Add(time.Minute), 1, 0)}, trust.StandingGood, ""},
		{"its part", []*x509.RevocationList{ca.list(t, fresh, 1, 77, part(t, "http://a/1.crl"))}, trust.StandingRevoked, ""},
		{"another part", []*x509.RevocationList{ca.list(t, fresh, 1, 77, part(t, "http://a/2.crl"))}, 0, "foreign"},
		{"a delta", []*x509.RevocationList{ca.list(t, fresh, 1, 77, delta)}, 0, "foreign"},
	} {
		st, err := trust.Lists{All: c.lists, Now: func() time.Time { return sourcesNow }}.Revocation(context.Background(), leaf, ca.cert)
		got := ""
		if errors.Is(err, trust.ErrForeign) {
			got = "foreign"
		} else if err != nil {
			got = "other"
		}
		if got != c.err || st.Standing != c.want {
			t.Errorf("%s: got %v, %v; want %v, %q", c.name, st.Standing, err, c.want, c.err)
		}
	}
}

func TestResponder(t *testing.T) {
	ca := newOffice(t, "CA")
	leaf, _ := ca.issue(t, &x509.Certificate{SerialNumber: big.NewInt(77), OCSPServer: []string{"http://ocsp/"}})
	silent, _ := ca.issue(t, &x509.Certificate{SerialNumber: big.NewInt(78)})
	delegate, delegateKey := ca.issue(t, &x509.Certificate{SerialNumber: big.NewInt(2), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning}})
	card, cardKey := ca.issue(t, &x509.Certificate{SerialNumber: big.NewInt(3), ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	for _, c := range []struct {
		name   string
		leaf   *x509.Certificate
		by     *x509.Certificate
		key    crypto.Signer
		change func(*ocsp.Response)
		want   trust.Standing
		err    string
	}{
		{"good", leaf, ca.cert, ca.key, nil, trust.StandingGood, ""},
		{"by a delegate", leaf, delegate, delegateKey, nil, trust.StandingGood, ""},
		{"by somebody's card", leaf, card, cardKey, nil, 0, "other"},
		{"revoked", leaf, ca.cert, ca.key, func(r *ocsp.Response) { r.Status, r.RevocationReason = ocsp.Revoked, 1 }, trust.StandingRevoked, ""},
		{"held", leaf, ca.cert, ca.key, func(r *ocsp.Response) { r.Status, r.RevocationReason = ocsp.Revoked, 6 }, trust.StandingHeld, ""},
		{"unknown", leaf, ca.cert, ca.key, func(r *ocsp.Response) { r.Status = ocsp.Unknown }, trust.StandingUnknown, ""},
		{"stale", leaf, ca.cert, ca.key, func(r *ocsp.Response) { r.NextUpdate = sourcesNow.Add(-time.Hour) }, 0, "other"},
		{"of another", leaf, ca.cert, ca.key, func(r *ocsp.Response) { r.SerialNumber = big.NewInt(5) }, 0, "other"},
		{"no address", silent, ca.cert, ca.key, nil, 0, "foreign"},
	} {
		r := ocsp.Response{
			Status: ocsp.Good, SerialNumber: c.leaf.SerialNumber, ThisUpdate: sourcesNow.Add(-2 * time.Hour), NextUpdate: sourcesNow.Add(time.Hour),
			RevokedAt: sourcesNow.Add(-3 * time.Hour), Certificate: c.by,
		}
		if c.by == ca.cert {
			r.Certificate = nil
		}
		if c.change != nil {
			c.change(&r)
		}
		der, err := ocsp.CreateResponse(ca.cert, c.by, r, c.key)
		if err != nil {
			t.Fatal(err)
		}
		source := trust.Responder{
			Ask: func(_ context.Context, address string, _ []byte) ([]byte, error) { return der, nil },
			Now: func() time.Time { return sourcesNow },
		}
		st, err := source.Revocation(context.Background(), c.leaf, ca.cert)
		got := ""
		if errors.Is(err, trust.ErrForeign) {
			got = "foreign"
		} else if err != nil {
			got = "other"
		}
		if got != c.err || st.Standing != c.want {
			t.Errorf("%s: got %v, %v; want %v, %q", c.name, st.Standing, err, c.want, c.err)
		}
	}
}
