package lint_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"cse.example/cse/card/cns"
	"cse.example/cse/ground/civil"
	"cse.example/cse/pki/profile"
	"cse.example/cse/pki/profile/lint"
)

var start = time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC)

// authority is one that signs in a test.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

func newAuthority(t testing.TB, key crypto.Signer, from, to time.Time) authority {
	t.Helper()
	s, err := profile.NewSerial(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tbs, err := profile.Authority{
		Serial: s, Key: key.Public(), NotBefore: from, NotAfter: to,
		Names: profile.Names{Country: "IT", Organisation: "CSE", CommonName: "CSE - CA Cittadini"},
	}.Root()
	if err != nil {
		t.Fatal(err)
	}
	der, err := profile.Sign(rand.Reader, key, tbs)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{c, key}
}

func p256(t testing.TB) crypto.Signer {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// cardKey is a modulus that nobody has the primes of.
func cardKey(t testing.TB) *rsa.PublicKey {
	t.Helper()
	n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 2047))
	if err != nil {
		t.Fatal(err)
	}
	return &rsa.PublicKey{N: n.SetBit(n, 2047, 1).SetBit(n, 0, 1), E: 65537}
}

func keyHash(t testing.TB, k *rsa.PublicKey) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%x", sha256.Sum256(der))
}

const (
	cf     = "RSSMRA80A01H501U"
	number = "6090000000000016"
)

var personal = []byte("the card's file")

// draft is a certificate of the profile with what was reserved for it.
func draft(t testing.TB, a authority, p profile.CNS) ([]byte, lint.Expected) {
	t.Helper()
	s, err := profile.NewSerial(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	k := cardKey(t)
	expires := civil.Date{Year: 2032, Month: time.November, Day: 23}
	e := lint.Expected{
		Issuer: a.cert, Profile: &p, Serial: s.String(), Shard: p.Shard(s), KeyHash: keyHash(t, k), CF: cf, Card: number,
		NotBefore: start, NotAfter: profile.NotAfter(start, expires, a.cert.NotAfter), Expires: expires, Personal: personal,
	}
	tbs, err := p.TBS(a.cert, profile.Leaf{
		Serial: s, CommonName: cns.CommonName(cf, number, personal), Key: k, NotBefore: e.NotBefore, NotAfter: e.NotAfter,
	})
	if err != nil {
		t.Fatal(err)
	}
	return tbs, e
}

// fields is a TBSCertificate that a test may change, also into what no encoder
// of ours writes.
type fields struct {
	Version    int `asn1:"explicit,tag:0"`
	Serial     *big.Int
	Algorithm  asn1.RawValue
	Issuer     asn1.RawValue
	Validity   asn1.RawValue
	Subject    asn1.RawValue
	Key        asn1.RawValue
	Unique     asn1.BitString   `asn1:"optional,tag:1"`
	Extensions []pkix.Extension `asn1:"explicit,tag:3"`
}

func (f *fields) set(oid string, change func(e *pkix.Extension)) {
	for i := range f.Extensions {
		if f.Extensions[i].Id.String() == oid {
			change(&f.Extensions[i])
		}
	}
}

func (f *fields) replace(oid string, value []byte) {
	f.set(oid, func(e *pkix.Extension) { e.Value = value })
}

func (f *fields) add(oid asn1.ObjectIdentifier, value []byte) {
	f.Extensions = append(f.Extensions, pkix.Extension{Id: oid, Value: value})
}

// swap replaces octets by others of the same length, wherever they stand.
func swap(in *asn1.RawValue, from, to string) {
	in.FullBytes = bytes.Replace(in.FullBytes, []byte(from), []byte(to), 1)
}

func must(t *testing.T, v any) []byte {
	t.Helper()
	der, err := asn1.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

// Each lint has a certificate that trips it.
func TestR101_EachLintTrips(t *testing.T) {
	a := newAuthority(t, p256(t), start.AddDate(-1, 0, 0), start.AddDate(12, 0, 0))
	p := profile.CNS{Organisation: "CSE", Unit: "REGIONE DI PROVA", URLs: profile.URLsAt("http://pki.example.it"), Shards: 4}
	const ku, eku, ski, aki, policy, crl, aia = "2.5.29.15", "2.5.29.37", "2.5.29.14", "2.5.29.35", "2.5.29.32", "2.5.29.31", "1.3.6.1.5.5.7.1.1"
	validity := func(f *fields, from, to string) {
		f.Validity.FullBytes = must(t, struct{ A, B asn1.RawValue }{raw(23, from), raw(23, to)})
	}
	tests := []struct {
		lint, name string
		change     func(f *fields, e *lint.Expected)
	}{
		{"cns_version", "version 2 in name", func(f *fields, _ *lint.Expected) { f.Version = 1 }},
		{"cns_serial_form", "three octets, as an old issuer's", func(f *fields, _ *lint.Expected) { f.Serial = big.NewInt(522258) }},
		{"cns_serial_form", "seventeen octets", func(f *fields, _ *lint.Expected) { f.Serial.SetBit(f.Serial, 127, 1) }},
		{"cns_serial_reserved", "another number", func(f *fields, _ *lint.Expected) { f.Serial.Xor(f.Serial, big.NewInt(4)) }},
		{"cns_signature_algorithm", "SHA-384 of a P-256 key", func(f *fields, _ *lint.Expected) {
			f.Algorithm.FullBytes = bytes.Replace(f.Algorithm.FullBytes, []byte{4, 3, 2}, []byte{4, 3, 3}, 1)
		}},
		{"cns_issuer", "another authority", func(f *fields, _ *lint.Expected) { swap(&f.Issuer, "Cittadini", "Cittadine") }},
		{"cns_validity_order", "ends before it begins", func(f *fields, _ *lint.Expected) { validity(f, "261123093000Z", "251123093000Z") }},
		{"cns_validity_encoding", "without seconds", func(f *fields, _ *lint.Expected) { validity(f, "2611230930Z", "321123225959Z") }},
		{"cns_validity_encoding", "GeneralizedTime before 2050", func(f *fields, _ *lint.Expected) {
			f.Validity.FullBytes = must(t, struct{ A, B asn1.RawValue }{raw(23, "261123093000Z"), raw(24, "20321123225959Z")})
		}},
		{"cns_validity_in_issuer", "outlives its authority", func(f *fields, _ *lint.Expected) { validity(f, "261123093000Z", "391123225959Z") }},
		{"cns_validity_six_years", "a day more", func(f *fields, _ *lint.Expected) { validity(f, "261123093000Z", "321124225959Z") }},
		{"cns_validity_card", "the card ends before", func(_ *fields, e *lint.Expected) { e.Expires = e.Expires.AddDays(-1) }},
		{"cns_validity_last_second", "a second less", func(f *fields, _ *lint.Expected) { validity(f, "261123093000Z", "321123225958Z") }},
		{"cns_validity_reserved", "another day", func(f *fields, _ *lint.Expected) { validity(f, "261123093000Z", "321122225959Z") }},
		{"cns_validity_reserved", "another beginning", func(f *fields, _ *lint.Expected) { validity(f, "261123093001Z", "321123225959Z") }},
		{"cns_subject_attributes", "two common names", func(f *fields, _ *lint.Expected) {
			f.Subject.FullBytes = name(t, "IT", "CSE", "REGIONE DI PROVA", cns.CommonName(cf, number, personal), "due")
		}},
		{"cns_subject_attributes", "no unit", func(f *fields, _ *lint.Expected) {
			f.Subject.FullBytes = must(t, pkix.Name{Country: []string{"IT"}, Organization: []string{"CSE"}, CommonName: cns.CommonName(cf, number, personal)}.ToRDNSequence())
		}},
		{"cns_subject_attributes", "PrintableString for the organisation", func(f *fields, _ *lint.Expected) { swap(&f.Subject, "\x0c\x03CSE", "\x13\x03CSE") }},
		{"cns_subject_country", "another country", func(f *fields, _ *lint.Expected) { swap(&f.Subject, "\x13\x02IT", "\x13\x02AT") }},
		{"cns_subject_configured", "another administration", func(f *fields, _ *lint.Expected) { swap(&f.Subject, "PROVA", "PROVE") }},
		{"cns_common_name", "an underscore for the slash", func(f *fields, _ *lint.Expected) { swap(&f.Subject, cf+"/", cf+"_") }},
		{"cns_common_name", "a hash that decodes alike and is written otherwise", func(f *fields, _ *lint.Expected) {
			hash := strings.SplitAfter(cns.CommonName(cf, number, personal), ".")[1]
			swap(&f.Subject, hash, hash[:26]+string(hash[26]+1)+"=")
		}},
		{"cns_card_number", "a Luhn digit", func(f *fields, e *lint.Expected) {
			swap(&f.Subject, number, "6090000000000019")
			e.Card = "6090000000000019"
		}},
		{"cns_codice_fiscale", "a check letter", func(f *fields, e *lint.Expected) {
			swap(&f.Subject, cf, "RSSMRA80A01H501T")
			e.CF = "RSSMRA80A01H501T"
		}},
		{"cns_codice_fiscale", "lower case after a digit's place", func(f *fields, e *lint.Expected) {
			swap(&f.Subject, cf, "RSSMRA80A01H5O1U")
			e.CF = "RSSMRA80A01H5O1U"
		}},
		{"cns_subject_reserved", "another holder", func(_ *fields, e *lint.Expected) { e.CF = "VRDGNN85M41D612X" }},
		{"cns_subject_reserved", "another card", func(_ *fields, e *lint.Expected) { e.Card = "6090000000000026" }},
		{"cns_personal_data", "another file", func(_ *fields, e *lint.Expected) { e.Personal = []byte("another card's file") }},
		{"cns_key", "exponent 3", func(f *fields, e *lint.Expected) {
			f.Key.FullBytes, e.KeyHash = spki(t, &rsa.PublicKey{N: cardKey(t).N, E: 3})
		}},
		{"cns_key", "1024 bits", func(f *fields, e *lint.Expected) {
			f.Key.FullBytes, e.KeyHash = spki(t, &rsa.PublicKey{N: new(big.Int).Rsh(cardKey(t).N, 1024), E: 65537})
		}},
		{"cns_key_reserved", "another key", func(_ *fields, e *lint.Expected) { e.KeyHash = keyHash(t, cardKey(t)) }},
		{"cns_unique_identifiers", "one of the issuer", func(f *fields, _ *lint.Expected) { f.Unique = asn1.BitString{Bytes: []byte{1}, BitLength: 8} }},
		{"cns_extensions", "an alternative name (an e-mail address)", func(f *fields, _ *lint.Expected) {
			f.add(asn1.ObjectIdentifier{2, 5, 29, 17}, []byte("\x30\x06\x81\x04a@bc"))
		}},
		{"cns_extensions", "no policy", func(f *fields, _ *lint.Expected) {
			f.Extensions = slices.DeleteFunc(f.Extensions, func(x pkix.Extension) bool { return x.Id.String() == policy })
		}},
		{"cns_criticality", "key usage not critical", func(f *fields, _ *lint.Expected) { f.set(ku, func(x *pkix.Extension) { x.Critical = false }) }},
		{"cns_criticality", "policies critical", func(f *fields, _ *lint.Expected) { f.set(policy, func(x *pkix.Extension) { x.Critical = true }) }},
		{"cns_key_usage", "keyEncipherment beside", func(f *fields, _ *lint.Expected) { f.replace(ku, []byte{3, 2, 5, 0xa0}) }},
		{"cns_ext_key_usage", "emailProtection beside", func(f *fields, _ *lint.Expected) {
			f.replace(eku, must(t, []asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 2}, {1, 3, 6, 1, 5, 5, 7, 3, 4}}))
		}},
		{"cns_subject_key_id", "of another key", func(f *fields, _ *lint.Expected) { f.replace(ski, must(t, make([]byte, 20))) }},
		{"cns_authority_key_id", "of another authority", func(f *fields, _ *lint.Expected) {
			f.replace(aki, must(t, struct {
				ID []byte `asn1:"tag:0"`
			}{make([]byte, 20)}))
		}},
		{"cns_policy", "the identity card's", func(f *fields, _ *lint.Expected) {
			f.replace(policy, notice(t, asn1.ObjectIdentifier{1, 3, 76, 47, 4}, 12, profile.DefaultNotice))
		}},
		{"cns_policy_notice", "another text", func(f *fields, _ *lint.Expected) { f.replace(policy, notice(t, profile.PolicyCNS, 12, "altro testo")) }},
		{"cns_policy_notice", "VisibleString", func(f *fields, _ *lint.Expected) {
			f.replace(policy, notice(t, profile.PolicyCNS, 26, profile.DefaultNotice))
		}},
		{"cns_policy_notice", "none", func(f *fields, _ *lint.Expected) {
			f.replace(policy, must(t, []struct{ ID asn1.ObjectIdentifier }{{profile.PolicyCNS}}))
		}},
		{"cns_distribution_point", "another part's", func(f *fields, _ *lint.Expected) {
			f.set(crl, func(x *pkix.Extension) { x.Value = bytes.Replace(x.Value, []byte("issuing-"), []byte("issuing_"), 1) })
		}},
		{"cns_distribution_point", "the part is not the serial's", func(_ *fields, e *lint.Expected) { e.Shard++ }},
		{"cns_authority_information", "another responder", func(f *fields, _ *lint.Expected) {
			f.set(aia, func(x *pkix.Extension) { x.Value = bytes.Replace(x.Value, []byte("/ocsp"), []byte("/ocsq"), 1) })
		}},
		{"cns_not_qualified", "nonRepudiation", func(f *fields, _ *lint.Expected) { f.replace(ku, []byte{3, 2, 6, 0xc0}) }},
		{"cns_not_qualified", "a statement", func(f *fields, _ *lint.Expected) {
			f.add(asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 3}, []byte{0x30, 0})
		}},
		{"cns_not_qualified", "a qualified policy", func(f *fields, _ *lint.Expected) {
			f.replace(policy, must(t, []struct{ ID asn1.ObjectIdentifier }{{asn1.ObjectIdentifier{0, 4, 0, 194112, 1, 2}}}))
		}},
		{"cns_size", "an old card's small file", func(_ *fields, e *lint.Expected) { e.Room = 1024 }},
	}
	tripped := map[string]bool{}
	for _, tt := range tests {
		tbs, e := draft(t, a, p)
		var f fields
		if _, err := asn1.Unmarshal(tbs, &f); err != nil {
			t.Fatal(err)
		}
		tt.change(&f, &e)
		found := lint.CNS(assemble(t, must(t, f)), e)
		tripped[tt.lint] = true
		i := slices.IndexFunc(found, func(x lint.Finding) bool { return x.Lint == tt.lint })
		if i < 0 {
			t.Errorf("%s: %s: found %v", tt.lint, tt.name, found)
			continue
		}
		if err := lint.Fault(found); !errors.Is(err, lint.ErrForm) || strings.Contains(err.Error(), e.CF) {
			t.Errorf("%s: %v", tt.lint, err)
		}
	}
	for _, l := range lint.Lints() {
		if !tripped[l.Name] || l.Source == "" {
			t.Errorf("no certificate trips %s (%s)", l.Name, l.Source)
		}
	}
	tbs, e := draft(t, a, p)
	if found := lint.CNS(assemble(t, tbs), e); len(found) != 0 || lint.Fault(found) != nil {
		t.Errorf("a good certificate: %v", found)
	}
	// Under a configuration that is not known any more: form only.
	e.Profile = nil
	if found := lint.CNS(assemble(t, tbs), e); len(found) != 0 {
		t.Errorf("a good certificate of an older configuration: %v", found)
	}
	e.Shard++
	if found := lint.CNS(assemble(t, tbs), e); len(found) != 1 || found[0].Lint != "cns_distribution_point" {
		t.Errorf("a list of another part, of an older configuration: %v", found)
	}
}

func assemble(t testing.TB, tbs []byte) *x509.Certificate {
	t.Helper()
	var f fields
	if _, err := asn1.Unmarshal(tbs, &f); err != nil {
		t.Fatal(err)
	}
	der, err := profile.Assemble(tbs, profile.Algorithm{Identifier: f.Algorithm.FullBytes}, make([]byte, 72))
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func raw(tag int, value string) asn1.RawValue {
	return asn1.RawValue{Tag: tag, Bytes: []byte(value)}
}

func name(t *testing.T, values ...string) []byte {
	t.Helper()
	types := []asn1.ObjectIdentifier{{2, 5, 4, 6}, {2, 5, 4, 10}, {2, 5, 4, 11}, {2, 5, 4, 3}, {2, 5, 4, 3}}
	var seq pkix.RDNSequence
	for i, v := range values {
		seq = append(seq, pkix.RelativeDistinguishedNameSET{{Type: types[i], Value: v}})
	}
	return must(t, seq)
}

func spki(t *testing.T, k *rsa.PublicKey) (der []byte, hash string) {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return der, keyHash(t, k)
}

func notice(t *testing.T, oid asn1.ObjectIdentifier, tag int, text string) []byte {
	t.Helper()
	type qualifier struct {
		ID     asn1.ObjectIdentifier
		Notice struct{ Text asn1.RawValue }
	}
	q := qualifier{ID: asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 2, 2}}
	q.Notice.Text = raw(tag, text)
	return must(t, []struct {
		ID         asn1.ObjectIdentifier
		Qualifiers []qualifier
	}{{oid, []qualifier{q}}})
}
