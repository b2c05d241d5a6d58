package cades

import (
	"bytes"
	"encoding/asn1"
	"testing"

	"golang.org/x/crypto/cryptobyte"
)

// attributeOf is the value of one of the signer's signed attributes.
func attributeOf(t testing.TB, s *Signer, want asn1.ObjectIdentifier) cryptobyte.String {
	t.Helper()
	e, body, err := readHeader(s.signedAttrs)
	if err != nil || e.tag[0] != 0x31 {
		t.Fatal("no attributes")
	}
	var out cryptobyte.String
	if err := attributes(body, true, func(oid asn1.ObjectIdentifier, v cryptobyte.String) error {
		if oid.Equal(want) {
			out = v
		}
		return nil
	}); err != nil || out == nil {
		t.Fatalf("no attribute %v: %v", want, err)
	}
	return out
}

// stripAttributes takes the signed attributes out of a message.
func stripAttributes(t testing.TB, der []byte) []byte {
	t.Helper()
	m := must[*Message](t)(Parse(der))
	attrs := bytes.Clone(m.Signers[0].signedAttrs)
	attrs[0] = 0xA0
	return rebuild(t, der, attrs)
}

// rebuild copies the TLV tree and leaves out the element equal to drop.
func rebuild(t testing.TB, der, drop []byte) []byte {
	t.Helper()
	var out []byte
	for len(der) > 0 {
		e, body, err := readHeader(der)
		if err != nil {
			t.Fatal(err)
		}
		whole := der[:len(der)-len(body)+e.length]
		der = body[e.length:]
		switch {
		case bytes.Equal(whole, drop):
		case e.constructed:
			out = appendTLV(out, e.tag, rebuild(t, body[:e.length], drop))
		default:
			out = append(out, whole...)
		}
	}
	return out
}
