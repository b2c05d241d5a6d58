package profile_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"cse.example/cse/ground/civil"
	"cse.example/cse/pki/profile"
)

var start = time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC)

type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB) authority {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	a := profile.Authority{
		Serial: serial(t), Key: k.Public(), NotBefore: start, NotAfter: start.AddDate(12, 0, 0),
		Names: profile.Names{Country: "IT", Organisation: "CSE", CommonName: "CSE - CA Cittadini"},
	}
	tbs, err := a.Root()
	if err != nil {
		t.Fatal(err)
	}
	return authority{signed(t, k, tbs), k}
}

func serial(t testing.TB) profile.Serial {
	t.Helper()
	s, err := profile.NewSerial(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func signed(t testing.TB, k *ecdsa.PrivateKey, tbs []byte) *x509.Certificate {
	t.Helper()
	der, err := profile.Sign(rand.Reader, k, tbs)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func card(t testing.TB) profile.Leaf {
	t.Helper()
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 2047))
	if err != nil {
		t.Fatal(err)
	}
	n.SetBit(n, 2047, 1).SetBit(n, 0, 1)
	return profile.Leaf{
		Serial: serial(t), CommonName: "RSSMRA80A01H501U/6090000000000018.2jmj7l5rSw0yVb/vlWAYkK/YBwk=",
		Key: &rsa.PublicKey{N: n, E: 65537}, NotBefore: start, NotAfter: start.AddDate(6, 0, 0),
	}
}

func cards() profile.CNS {
	return profile.CNS{Organisation: "CSE", Unit: "REGIONE DI PROVA", Notice: "Testo «fisso» del profilo", URLs: profile.URLsAt("http://pki.example.it/"), Shards: 4}
}

// The certificate of pki.md 1.2, read back by crypto/x509, field by field.
func TestTheCNSCertificate(t *testing.T) {
	a, p, l := newAuthority(t), cards(), card(t)
	tbs, err := p.TBS(a.cert, l)
	if err != nil {
		t.Fatal(err)
	}
	c := signed(t, a.key, tbs)
	if err := c.CheckSignatureFrom(a.cert); err != nil {
		t.Error(err)
	}
	if c.Version != 3 || c.SerialNumber.Cmp(l.Serial.Big()) != 0 || !c.NotBefore.Equal(l.NotBefore) || !c.NotAfter.Equal(l.NotAfter) {
		t.Errorf("version %d, serial %x, %s to %s", c.Version, c.SerialNumber, c.NotBefore, c.NotAfter)
	}
	if got, want := c.Subject.String(), "CN="+l.CommonName+",OU=REGIONE DI PROVA,O=CSE,C=IT"; got != want {
		t.Errorf("subject %s, want %s", got, want)
	}
	wantOIDs := []string{
		"2.5.29.15 critical", "2.5.29.37", "2.5.29.14", "2.5.29.35", "2.5.29.32", "2.5.29.31", "1.3.6.1.5.5.7.1.1",
	}
	var got []string
	for _, e := range c.Extensions {
		s := e.Id.String()
		if e.Critical {
			s += " critical"
		}
		got = append(got, s)
	}
	if !slices.Equal(got, wantOIDs) {
		t.Errorf("extensions %v, want %v", got, wantOIDs)
	}
	if c.KeyUsage != x509.KeyUsageDigitalSignature {
		t.Errorf("key usage %b, want digitalSignature alone", c.KeyUsage)
	}
	if len(c.ExtKeyUsage) != 1 || c.ExtKeyUsage[0] != x509.ExtKeyUsageClientAuth {
		t.Errorf("extended key usage %v", c.ExtKeyUsage)
	}
	if len(c.PolicyIdentifiers) != 1 || !c.PolicyIdentifiers[0].Equal(profile.PolicyCNS) {
		t.Errorf("policies %v", c.PolicyIdentifiers)
	}
	shard := p.URLs.Shard(p.Shard(l.Serial))
	if !slices.Equal(c.CRLDistributionPoints, []string{shard}) || !slices.Equal(c.OCSPServer, []string{"http://pki.example.it/ocsp"}) ||
		!slices.Equal(c.IssuingCertificateURL, []string{"http://pki.example.it/ca/issuing.cer"}) {
		t.Errorf("addresses: %v %v %v", c.CRLDistributionPoints, c.OCSPServer, c.IssuingCertificateURL)
	}
	if !slices.Equal(c.AuthorityKeyId, a.cert.SubjectKeyId) || len(c.SubjectKeyId) != 20 {
		t.Error("key identifiers")
	}
	if err := profile.Refuse(c); err != nil {
		t.Error(err)
	}
}

// The notice is read by the letter of RFC 5280, 4.2.1.4, with encoding/asn1.
func TestTheNotice(t *testing.T) {
	a := newAuthority(t)
	tbs, err := cards().TBS(a.cert, card(t))
	if err != nil {
		t.Fatal(err)
	}
	var policies []struct {
		OID        asn1.ObjectIdentifier
		Qualifiers []struct {
			OID    asn1.ObjectIdentifier
			Notice struct {
				Text asn1.RawValue
			}
		}
	}
	for _, e := range signed(t, a.key, tbs).Extensions {
		if e.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 32}) {
			if rest, err := asn1.Unmarshal(e.Value, &policies); err != nil || len(rest) > 0 {
				t.Fatal(err, rest)
			}
		}
	}
	if len(policies) != 1 || len(policies[0].Qualifiers) != 1 {
		t.Fatalf("policies: %+v", policies)
	}
	q := policies[0].Qualifiers[0]
	if !q.OID.Equal(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 2, 2}) || q.Notice.Text.Tag != asn1.TagUTF8String || string(q.Notice.Text.Bytes) != cards().Notice {
		t.Errorf("qualifier %v, tag %d, text %q", q.OID, q.Notice.Text.Tag, q.Notice.Text.Bytes)
	}
}

func TestRefused(t *testing.T) {
	a := newAuthority(t)
	ext := func(oid ...int) pkix.Extension {
		return pkix.Extension{Id: oid, Value: []byte{0x30, 0x00}}
	}
	tests := []struct {
		name   string
		change func(p *profile.CNS, l *profile.Leaf)
	}{
		{"a QC statement", func(p *profile.CNS, _ *profile.Leaf) { p.Extra = []pkix.Extension{ext(1, 3, 6, 1, 5, 5, 7, 1, 3)} }},
		{"a second key usage", func(p *profile.CNS, _ *profile.Leaf) { p.Extra = []pkix.Extension{ext(2, 5, 29, 15)} }},
		{"a critical extension", func(p *profile.CNS, _ *profile.Leaf) {
			p.Extra = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3}, Critical: true}}
		}},
		{"no issuing administration", func(p *profile.CNS, _ *profile.Leaf) { p.Unit = "" }},
		{"no address of the CRL", func(p *profile.CNS, _ *profile.Leaf) { p.URLs.CRL = "" }},
		{"no address of OCSP", func(p *profile.CNS, _ *profile.Leaf) { p.URLs.OCSP = "" }},
		{"a notice of 201 characters", func(p *profile.CNS, _ *profile.Leaf) { p.Notice = strings.Repeat("è", 201) }},
		{"no key", func(_ *profile.CNS, l *profile.Leaf) { l.Key = nil }},
		{"a common name of 65 characters", func(_ *profile.CNS, l *profile.Leaf) { l.CommonName = strings.Repeat("A", 65) }},
		{"a common name with an accent", func(_ *profile.CNS, l *profile.Leaf) { l.CommonName = "è" }},
		{"an end before the beginning", func(_ *profile.CNS, l *profile.Leaf) { l.NotAfter = l.NotBefore }},
		{"a life beyond the authority's", func(_ *profile.CNS, l *profile.Leaf) { l.NotAfter = start.AddDate(13, 0, 0) }},
		{"a serial number of nobody's", func(_ *profile.CNS, l *profile.Leaf) { l.Serial = profile.Serial{} }},
	}
	for _, tt := range tests {
		p, l := cards(), card(t)
		tt.change(&p, &l)
		if _, err := p.TBS(a.cert, l); !errors.Is(err, profile.ErrRefused) {
			t.Errorf("%s: got %v, want a refusal", tt.name, err)
		}
	}
}

// Refuse is the last look before the signature: it must see what came in by
// another way than TBS.
func TestRefuseLooksAtTheCertificate(t *testing.T) {
	a := newAuthority(t)
	template := func() *x509.Certificate {
		return &x509.Certificate{
			SerialNumber: big.NewInt(7), NotBefore: start, NotAfter: start.AddDate(1, 0, 0),
			KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		}
	}
	tests := []struct {
		name   string
		change func(c *x509.Certificate)
		good   bool
	}{
		{"the profile", func(*x509.Certificate) {}, true},
		{"nonRepudiation", func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageContentCommitment }, false},
		{"keyEncipherment", func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageKeyEncipherment }, false},
		{"an authority", func(c *x509.Certificate) { c.IsCA, c.BasicConstraintsValid = true, true }, false},
		{"e-mail protection", func(c *x509.Certificate) { c.ExtKeyUsage = append(c.ExtKeyUsage, x509.ExtKeyUsageEmailProtection) }, false},
		{"a qualified policy", func(c *x509.Certificate) { c.Policies = []x509.OID{oid(t, 0, 4, 0, 194112, 1, 2)} }, false},
		{"an old qualified policy", func(c *x509.Certificate) { c.Policies = []x509.OID{oid(t, 0, 4, 0, 1456, 1, 1)} }, false},
		{"a QC statement", func(c *x509.Certificate) {
			c.ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 3}, Value: []byte{0x30, 0x00}}}
		}, false},
	}
	for _, tt := range tests {
		c := template()
		tt.change(c)
		der, err := x509.CreateCertificate(rand.Reader, c, a.cert, &a.key.PublicKey, a.key)
		if err != nil {
			t.Fatal(err)
		}
		read, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		if err := profile.Refuse(read); (err == nil) != tt.good || (err != nil && !errors.Is(err, profile.ErrRefused)) {
			t.Errorf("%s: got %v", tt.name, err)
		}
	}
}

func oid(t *testing.T, arcs ...uint64) x509.OID {
	t.Helper()
	o, err := x509.OIDFromInts(arcs)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func TestNotAfter(t *testing.T) {
	day := func(y int, m time.Month, d int) civil.Date { return civil.Date{Year: y, Month: m, Day: d} }
	far := day(2100, 1, 1).Start()
	tests := []struct {
		name    string
		issued  time.Time
		expires civil.Date
		end     time.Time
		want    time.Time
	}{
		{"the card's last second, winter", start, day(2030, 1, 31), far, time.Date(2030, 1, 31, 22, 59, 59, 0, time.UTC)},
		{"the card's last second, summer", start, day(2030, 7, 31), far, time.Date(2030, 7, 31, 21, 59, 59, 0, time.UTC)},
		{"six years to the day (R44)", start, day(2032, 11, 23), far, day(2032, 11, 23).End()},
		{"a card of ten years", start, day(2036, 11, 23), far, day(2032, 11, 23).End()},
		{"issued on 29 February", time.Date(2028, 2, 29, 12, 0, 0, 0, time.UTC), day(2040, 1, 1), far, day(2034, 2, 28).End()},
		{"issued after midnight in Rome", time.Date(2026, 11, 22, 23, 30, 0, 0, time.UTC), day(2040, 1, 1), far, day(2032, 11, 23).End()},
		{"the authority ends first", start, day(2032, 11, 23), time.Date(2030, 5, 1, 0, 0, 0, 0, time.UTC), time.Date(2030, 5, 1, 0, 0, 0, 0, time.UTC)},
	}
	for _, tt := range tests {
		if got := profile.NotAfter(tt.issued, tt.expires, tt.end); !got.Equal(tt.want) {
			t.Errorf("%s: got %s, want %s", tt.name, got, tt.want)
		}
	}
}

func TestNotAfterNeverOutlives(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		issued := start.Add(time.Duration(rapid.Int64Range(0, 10*366*24*3600).Draw(rt, "issued")) * time.Second)
		expires := civil.DayOf(issued).AddDays(rapid.IntRange(-10, 4000).Draw(rt, "expires"))
		end := issued.AddDate(0, 0, rapid.IntRange(1, 5000).Draw(rt, "end"))
		got := profile.NotAfter(issued, expires, end)
		six := civil.DayOf(issued).AddYears(6).End()
		if got.After(expires.End()) || got.After(end) || got.After(six) {
			rt.Fatalf("%s outlives card %s, authority %s or six years %s", got, expires, end, six)
		}
		if !got.Equal(expires.End()) && !got.Equal(end) && !got.Equal(six) {
			rt.Fatalf("%s is none of the three ends", got)
		}
	})
}

func TestSerialNumbers(t *testing.T) {
	seen := map[profile.Serial]bool{}
	for range 2000 {
		s := serial(t)
		if s[0] == 0 || s[0] > 0x7f || seen[s] || len(s.String()) != 32 {
			t.Fatalf("serial %s", s)
		}
		seen[s] = true
		if got := profile.SerialText(s.Big()); got != s.String() {
			t.Fatalf("%s became %s", s, got)
		}
	}
	if _, err := profile.NewSerial(strings.NewReader("short")); err == nil {
		t.Error("a serial number was drawn without randomness")
	}
}

func TestResponderLivesShort(t *testing.T) {
	a := newAuthority(t)
	r := profile.Authority{
		Serial: serial(t), Key: a.cert.PublicKey, NotBefore: start, NotAfter: start.AddDate(0, 0, 90), URLs: profile.URLsAt("http://pki.example.it"),
		Names: profile.Names{Country: "IT", Organisation: "CSE", CommonName: "OCSP"},
	}
	tbs, err := r.Responder(a.cert)
	if err != nil {
		t.Fatal(err)
	}
	c := signed(t, a.key, tbs)
	if c.KeyUsage != x509.KeyUsageDigitalSignature || len(c.ExtKeyUsage) != 1 || c.ExtKeyUsage[0] != x509.ExtKeyUsageOCSPSigning {
		t.Errorf("usage %v %v", c.KeyUsage, c.ExtKeyUsage)
	}
	if !slices.ContainsFunc(c.Extensions, func(e pkix.Extension) bool { return e.Id.String() == "1.3.6.1.5.5.7.48.1.5" }) {
		t.Error("id-pkix-ocsp-nocheck is missing")
	}
	r.NotAfter = start.AddDate(1, 0, 0)
	if _, err := r.Responder(a.cert); !errors.Is(err, profile.ErrRefused) {
		t.Errorf("a responder of one year: %v", err)
	}
}
