package status

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"testing"

	"golang.org/x/crypto/ocsp"

	"cse.example/cse/ground/civil"
	"cse.example/cse/pki/ca/catest"
)

// leafOf is enough of a certificate for a client to ask about it.
func leafOf(serial int64) *x509.Certificate {
	return &x509.Certificate{SerialNumber: big.NewInt(serial)}
}

func question(t testing.TB, issuer *x509.Certificate, serial int64, h crypto.Hash) []byte {
	t.Helper()
	q, err := ocsp.CreateRequest(leafOf(serial), issuer, &ocsp.RequestOptions{Hash: h})
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// extended builds a request by hand: several CertIDs, a nonce, other extensions.
func extended(t testing.TB, exts []ext, requests ...[]byte) []byte {
	t.Helper()
	type one struct{ ID asn1.RawValue }
	var tbs struct {
		List []one
		Exts []ext `asn1:"explicit,tag:2,optional,omitempty"`
	}
	for _, r := range requests {
		q, err := ParseRequest(r)
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range q.CertIDs {
			tbs.List = append(tbs.List, one{asn1.RawValue{FullBytes: id.Raw}})
		}
	}
	tbs.Exts = exts
	der, err := asn1.Marshal(struct{ TBS any }{tbs})
	if err != nil {
		t.Fatal(err)
	}
	return der
}

type ext struct {
	ID       asn1.ObjectIdentifier
	Critical bool `asn1:"optional"`
	Value    []byte
}

func nonceExt(n int) ext {
	v, err := asn1.Marshal(bytes.Repeat([]byte{7}, n))
	if err != nil {
		panic(err)
	}
	return ext{ID: oidNonce, Value: v}
}

func TestParseRequest(t *testing.T) {
	m := catest.Material(t, civil.NewHand(catest.Start))
	for _, h := range []crypto.Hash{crypto.SHA1, crypto.SHA256} {
		q, err := ParseRequest(question(t, m.Issuing, 0x80ff, h))
		if err != nil {
			t.Fatal(err)
		}
		want, err := ocsp.ParseRequest(question(t, m.Issuing, 0x80ff, h))
		if err != nil {
			t.Fatal(err)
		}
		id := q.CertIDs[0]
		if id.Hash != h || !bytes.Equal(id.NameHash, want.IssuerNameHash) || !bytes.Equal(id.KeyHash, want.IssuerKeyHash) || !bytes.Equal(id.Serial, []byte{0x80, 0xff}) {
			t.Errorf("%v: %+v, want %+v", h, id, want)
		}
	}
	one, two := question(t, m.Issuing, 1, crypto.SHA1), question(t, m.Issuing, 2, crypto.SHA256)
	many := make([][]byte, MaxCertIDs+1)
	for i := range many {
		many[i] = one
	}
	other := ext{ID: asn1.ObjectIdentifier{1, 2, 3}, Value: []byte{5, 0}}
	grave := other
	grave.Critical = true
	tests := []struct {
		name  string
		der   []byte
		ids   int // 0: refused
		nonce int
	}{
		{"one", one, 1, 0},
		{"two", extended(t, nil, one, two), 2, 0},
		{"as many as allowed", extended(t, nil, many[1:]...), MaxCertIDs, 0},
		{"one too many", extended(t, nil, many...), 0, 0},
		{"none", extended(t, nil), 0, 0},
		{"nonce of 16", extended(t, []ext{nonceExt(16)}, one), 1, 16},
		{"nonce of 32", extended(t, []ext{nonceExt(32)}, one), 1, 32},
		{"nonce of 15 is ignored", extended(t, []ext{nonceExt(15)}, one), 1, 0},
		{"nonce of 33 is ignored", extended(t, []ext{nonceExt(33)}, one), 1, 0},
		{"nonce that is no octet string is ignored", extended(t, []ext{{ID: oidNonce, Value: bytes.Repeat([]byte{1}, 20)}}, one), 1, 0},
		{"an extension nobody knows", extended(t, []ext{other}, one), 1, 0},
		{"a critical one", extended(t, []ext{grave}, one), 0, 0},
		{"trailing octets", append(bytes.Clone(one), 0), 0, 0},
		{"cut short", one[:len(one)-1], 0, 0},
		{"empty", nil, 0, 0},
		{"too long", make([]byte, MaxRequest+1), 0, 0},
	}
	for _, tt := range tests {
		q, err := ParseRequest(tt.der)
		if (err == nil) != (tt.ids > 0) {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if err == nil && (len(q.CertIDs) != tt.ids || len(q.Nonce) != tt.nonce) {
			t.Errorf("%s: %d certificates and a nonce of %d, want %d and %d", tt.name, len(q.CertIDs), len(q.Nonce), tt.ids, tt.nonce)
		}
	}
}

// Whatever comes in, the parser answers without a panic, and what it accepts
// can be written again and read to the same.
func FuzzParseRequest(f *testing.F) {
	m := catest.Material(f, civil.NewHand(catest.Start))
	one, two := question(f, m.Issuing, 1, crypto.SHA1), question(f, m.Issuing, 2, crypto.SHA256)
	f.Add(one)
	f.Add(two)
	f.Add(extended(f, []ext{nonceExt(20)}, one, two))
	f.Fuzz(func(t *testing.T, der []byte) {
		q, err := ParseRequest(der)
		if err != nil {
			return
		}
		if len(q.CertIDs) == 0 || len(q.CertIDs) > MaxCertIDs {
			t.Fatalf("%d certificates", len(q.CertIDs))
		}
		for _, id := range q.CertIDs {
			again, err := parseCertID(id.Raw)
			if err != nil || !bytes.Equal(again.Serial, id.Serial) || again.Hash != id.Hash {
				t.Fatalf("a CertID read twice differs: %v", err)
			}
		}
		r, err := NewResponder(ResponderParts{
			Issuer: m.Issuing, Cert: m.Responder, Signer: m.ResponderKey, Store: fixed{}, Clock: civil.NewHand(catest.Start), Rand: rand.Reader,
		})
		if err != nil {
			t.Fatal(err)
		}
		if reply, err := r.Answer(t.Context(), der); err != nil || len(reply.DER) == 0 {
			t.Fatalf("no answer to a request that was parsed: %v", err)
		}
	})
}
