package status

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"math/big"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"
	"pgregory.net/rapid"

	"cse.example/cse/pki/ca/catest"
	"cse.example/cse/pki/profile"
)

// certID is the CertID that a client sends.
func (b bench) certID(t testing.TB, serial []byte, h crypto.Hash) []byte {
	t.Helper()
	q, err := ocsp.CreateRequest(&x509.Certificate{SerialNumber: new(big.Int).SetBytes(serial)}, b.m.Issuing, &ocsp.RequestOptions{Hash: h})
	if err != nil {
		t.Fatal(err)
	}
	p, err := ParseRequest(q)
	if err != nil {
		t.Fatal(err)
	}
	return p.CertIDs[0].Raw
}

// What a Letterhead writes from a Record is, octet by octet, what the encoder
// writes that knows nothing of records, for each kind of answer and of key.
func TestRecordsMakeTheSameOctets(t *testing.T) {
	b := newBench(t)
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsa2048, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	for name, key := range map[string]crypto.Signer{"P-256": b.m.ResponderKey, "P-384": p384, "RSA": rsa2048} {
		cert := b.m.Responder
		if name != "P-256" {
			c := *cert
			spki, err := x509.MarshalPKIXPublicKey(key.Public())
			if err != nil {
				t.Fatal(err)
			}
			c.PublicKey, c.RawSubjectPublicKeyInfo, cert = key.Public(), spki, &c
		}
		head, err := NewLetterhead(b.m.Issuing, cert)
		if err != nil {
			t.Fatal(err)
		}
		sig, err := newSignature(rand.Reader, key, cert)
		if err != nil {
			t.Fatal(err)
		}
		rapid.Check(t, func(rt *rapid.T) {
			number := rapid.SliceOfN(rapid.Byte(), 1, SerialSize).Draw(rt, "serial")
			serial, _ := SerialOf(number)
			s := Standing{Known: true, Version: rapid.Int64Min(0).Draw(rt, "version")}
			if s.Revoked = rapid.Bool().Draw(rt, "revoked"); s.Revoked {
				s.Reason = rapid.SampledFrom([]int{0, 1, 2, 3, 4, 5, 6, 9}).Draw(rt, "reason")
				s.Since = catest.Start.Add(-time.Duration(rapid.IntRange(0, 1e6).Draw(rt, "since")) * time.Second)
			}
			h := rapid.SampledFrom([]crypto.Hash{crypto.SHA1, crypto.SHA256}).Draw(rt, "hash")
			this, next := catest.Start, catest.Start.Add(time.Hour)
			rec := NewRecord(serial, s, this, next)
			if err := head.Sign(rand.Reader, key, &rec, h); err != nil {
				rt.Fatal(err)
			}
			// There and back through the compact form.
			octets := make([]byte, RecordSize(head.Width))
			rec.Put(octets)
			var back Record
			back.Read(octets)
			if got := back.Standing(); got != s && !(got.Revoked == s.Revoked && got.Since.Equal(s.Since) && got.Version == s.Version && got.Reason == s.Reason) {
				rt.Fatalf("the record says %+v, want %+v", got, s)
			}
			got, err := head.AppendAnswer(nil, &back, h)
			if err != nil {
				rt.Fatal(err)
			}
			raw, err := head.signatureOf(&back, h)
			if err != nil {
				rt.Fatal(err)
			}
			if head.ecdsa {
				raw = appendECDSA(nil, raw)
			}
			want, err := sig.around(this, []single{{b.certID(t, number, h), s, this, next}}, nil, raw)
			if err != nil {
				rt.Fatal(err)
			}
			if !bytes.Equal(got, want) {
				rt.Fatalf("\n% x, want\n% x", got, want)
			}
			read := readBasic(t, got)
			if err := cert.CheckSignature(algorithmName(key), read.Data.Raw, read.Signature.RightAlign()); err != nil {
				rt.Fatal(err)
			}
			if _, err := head.AppendAnswer(nil, &back, crypto.SHA1+crypto.SHA256-h); err == nil {
				rt.Fatal("an answer was made that nobody signed")
			}
		})
	}
}

func algorithmName(key crypto.Signer) x509.SignatureAlgorithm {
	switch k := key.Public().(type) {
	case *rsa.PublicKey:
		return x509.SHA256WithRSA
	case *ecdsa.PublicKey:
		if k.Curve == elliptic.P384() {
			return x509.ECDSAWithSHA384
		}
	}
	return x509.ECDSAWithSHA256
}

// around is the OCSPResponse with a signature made elsewhere.
func (s signature) around(now time.Time, answers []single, nonce, sig []byte) ([]byte, error) {
	tbs, err := s.data(now, answers, nonce)
	if err != nil {
		return nil, err
	}
	alg, err := profile.AlgorithmOf(s.cert.PublicKey)
	if err != nil {
		return nil, err
	}
	return s.wrap(tbs, alg, sig)
}
