package path_test

import (
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"testing"

	"cse.example/cse/pki/trust/path"
)

// One attribute never reads as two, whatever its value holds, and what is no text equals only itself.
func TestNamesAreNotConfused(t *testing.T) {
	cn, ou := asn1.ObjectIdentifier{2, 5, 4, 3}, asn1.ObjectIdentifier{2, 5, 4, 11}
	utf8 := func(b string) asn1.RawValue { return asn1.RawValue{Tag: 12, Bytes: []byte(b)} }
	set := func(atv ...pkix.AttributeTypeAndValue) pkix.RelativeDistinguishedNameSET { return atv }
	name := func(rdns ...pkix.RelativeDistinguishedNameSET) path.Name {
		der, err := asn1.Marshal(pkix.RDNSequence(rdns))
		if err != nil {
			t.Fatal(err)
		}
		by := issue(t, nil, "by", true, nil)
		// Signed, and read by nobody but us: crypto/x509 refuses some of these names.
		raw, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{SerialNumber: big.NewInt(1), RawSubject: der}, by.cert, by.key.Public(), by.key)
		if err != nil {
			t.Fatal(err)
		}
		c, err := path.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		return c.Subject
	}
	plain := name(set(pkix.AttributeTypeAndValue{Type: cn, Value: "Regione"}), set(pkix.AttributeTypeAndValue{Type: ou, Value: "CA"}))
	for _, c := range []struct {
		what string
		a, b path.Name
		same bool
	}{
		{"case, space and string type", plain, name(set(pkix.AttributeTypeAndValue{Type: cn, Value: utf8(" REGIONE ")}), set(pkix.AttributeTypeAndValue{Type: ou, Value: "ca"})), true},
		{"a separator in a value", name(set(pkix.AttributeTypeAndValue{Type: cn, Value: "a"}, pkix.AttributeTypeAndValue{Type: ou, Value: "b"})), name(set(pkix.AttributeTypeAndValue{Type: ou, Value: utf8("b\x012.5.4.3=a")})), false},
		{"another separator", name(set(pkix.AttributeTypeAndValue{Type: cn, Value: "a"}, pkix.AttributeTypeAndValue{Type: ou, Value: "b"})), name(set(pkix.AttributeTypeAndValue{Type: ou, Value: utf8("b9:2.5.4.3=a")})), false},
		{"one set or two", plain, name(set(pkix.AttributeTypeAndValue{Type: cn, Value: "Regione"}, pkix.AttributeTypeAndValue{Type: ou, Value: "CA"})), false},
		{"the order of sets", plain, name(set(pkix.AttributeTypeAndValue{Type: ou, Value: "CA"}), set(pkix.AttributeTypeAndValue{Type: cn, Value: "Regione"})), false},
		{"NUL at the end", plain, name(set(pkix.AttributeTypeAndValue{Type: cn, Value: utf8("Regione\x00")}), set(pkix.AttributeTypeAndValue{Type: ou, Value: "CA"})), false},
		{"two that are not UTF-8", name(set(pkix.AttributeTypeAndValue{Type: cn, Value: utf8("a\xff")})), name(set(pkix.AttributeTypeAndValue{Type: cn, Value: utf8("a\xfe")})), false},
	} {
		if got := c.a.Equal(c.b); got != c.same {
			t.Errorf("%s: equal %v, want %v", c.what, got, c.same)
		}
	}
}
