package status

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"encoding/asn1"
	"errors"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/ca/catest"
)

// fixed is a Store of standings by serial number.
type fixed map[string]Standing

func (f fixed) Standing(_ context.Context, _, serial string) (Standing, error) {
	if serial == "0bad" {
		return Standing{}, errors.New("the store is away")
	}
	return f[serial], nil
}

type bench struct {
	*Responder
	m     *ca.Material
	clock *civil.Hand
	store fixed
}

func newBench(t testing.TB) bench {
	t.Helper()
	clock := civil.NewHand(catest.Start)
	m := catest.Material(t, clock)
	since := catest.Start.Add(-time.Hour)
	s := fixed{
		"01": {Known: true, Version: 1},
		"02": {Known: true, Revoked: true, Reason: Hold, Since: since, Version: 1},
		"03": {Known: true, Revoked: true, Reason: 1, Since: since, Version: 1},
		"04": {Known: true, Revoked: true, Reason: 0, Since: since, Version: 1},
	}
	r, err := NewResponder(ResponderParts{Issuer: m.Issuing, Cert: m.Responder, Signer: m.ResponderKey, Store: s, Clock: clock, Rand: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	return bench{r, m, clock, s}
}

func (b bench) ask(t *testing.T, serial int64, h crypto.Hash) *ocsp.Response {
	t.Helper()
	reply, err := b.Answer(t.Context(), question(t, b.m.Issuing, serial, h))
	if err != nil {
		t.Fatal(err)
	}
	got, err := ocsp.ParseResponseForCert(reply.DER, leafOf(serial), b.m.Issuing)
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestAnswers(t *testing.T) {
	b := newBench(t)
	tests := []struct {
		serial         int64
		status, reason int
	}{
		{1, ocsp.Good, 0},
		{2, ocsp.Revoked, ocsp.CertificateHold},
		{3, ocsp.Revoked, ocsp.KeyCompromise},
		{4, ocsp.Revoked, ocsp.Unspecified},
		{5, ocsp.Unknown, 0}, // never issued
	}
	for _, tt := range tests {
		for _, h := range []crypto.Hash{crypto.SHA1, crypto.SHA256} {
			got := b.ask(t, tt.serial, h)
			if got.Status != tt.status || got.RevocationReason != tt.reason {
				t.Errorf("serial %d, %v: status %d reason %d, want %d %d", tt.serial, h, got.Status, got.RevocationReason, tt.status, tt.reason)
			}
			if tt.status == ocsp.Revoked && !got.RevokedAt.Equal(catest.Start.Add(-time.Hour)) {
				t.Errorf("serial %d: revoked at %s", tt.serial, got.RevokedAt)
			}
			if !got.ThisUpdate.Equal(catest.Start) || !got.NextUpdate.Equal(catest.Start.Add(time.Hour)) || !got.Certificate.Equal(b.m.Responder) {
				t.Errorf("serial %d: from %s to %s", tt.serial, got.ThisUpdate, got.NextUpdate)
			}
		}
	}
}

func TestUnsignedAnswers(t *testing.T) {
	b := newBench(t)
	stranger := catest.Fresh(t, b.clock)
	tests := []struct {
		name string
		der  []byte
		want byte
		err  bool
	}{
		{"malformed", []byte{0x30, 0x00}, 1, true},
		{"store away", question(t, b.m.Issuing, 0x0bad, crypto.SHA1), 2, true},
		{"another issuer", question(t, stranger.Issuing, 1, crypto.SHA1), 6, false},
		{"a hash that is not served", question(t, b.m.Issuing, 1, crypto.SHA384), 6, false},
	}
	for _, tt := range tests {
		reply, err := b.Answer(t.Context(), tt.der)
		if want := []byte{0x30, 3, 0x0a, 1, tt.want}; !bytes.Equal(reply.DER, want) || (err != nil) != tt.err || reply.Cacheable {
			t.Errorf("%s: % x (%v), want % x", tt.name, reply.DER, err, want)
		}
	}
}

// basic is a BasicOCSPResponse as RFC 6960 writes it, read with encoding/asn1,
// which x/crypto's reader does not do for several answers and a nonce.
type basic struct {
	Data struct {
		Raw       asn1.RawContent
		Responder asn1.RawValue
		Produced  time.Time `asn1:"generalized"`
		Responses []struct {
			ID     asn1.RawValue
			Status asn1.RawValue
			This   time.Time `asn1:"generalized"`
			Next   time.Time `asn1:"generalized,explicit,tag:0,optional"`
		}
		Exts []ext `asn1:"explicit,tag:1,optional"`
	}
	Algorithm asn1.RawValue
	Signature asn1.BitString
	Certs     []asn1.RawValue `asn1:"explicit,tag:0,optional"`
}

func readBasic(t *testing.T, der []byte) basic {
	t.Helper()
	var outer struct {
		Status asn1.Enumerated
		Bytes  struct {
			Type asn1.ObjectIdentifier
			Body []byte
		} `asn1:"explicit,tag:0"`
	}
	var b basic
	if rest, err := asn1.Unmarshal(der, &outer); err != nil || len(rest) > 0 || outer.Status != 0 || !outer.Bytes.Type.Equal(oidBasic) {
		t.Fatalf("OCSPResponse: %v", err)
	}
	if rest, err := asn1.Unmarshal(outer.Bytes.Body, &b); err != nil || len(rest) > 0 {
		t.Fatalf("BasicOCSPResponse: %v", err)
	}
	return b
}

func TestSeveralCertificatesAndANonce(t *testing.T) {
	b := newBench(t)
	stranger := catest.Fresh(t, b.clock)
	one, three, five := question(t, b.m.Issuing, 1, crypto.SHA1), question(t, b.m.Issuing, 3, crypto.SHA256), question(t, b.m.Issuing, 5, crypto.SHA1)
	q := extended(t, []ext{nonceExt(20)}, one, three, five, question(t, stranger.Issuing, 1, crypto.SHA1))
	reply, err := b.Answer(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	got := readBasic(t, reply.DER)
	wantTags := []int{0, 1, 2, 2} // good, revoked, unknown, unknown
	parsed, err := ParseRequest(q)
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Data.Responses) != len(wantTags) {
		t.Fatalf("%d answers, want %d", len(got.Data.Responses), len(wantTags))
	}
	for i, r := range got.Data.Responses {
		if r.Status.Tag != wantTags[i] || !bytes.Equal(r.ID.FullBytes, parsed.CertIDs[i].Raw) {
			t.Errorf("answer %d: status %d, want %d", i, r.Status.Tag, wantTags[i])
		}
	}
	if n := got.Data.Exts; len(n) != 1 || !n[0].ID.Equal(oidNonce) || !bytes.Equal(n[0].Value, nonceExt(20).Value) {
		t.Errorf("nonce: %v", n)
	}
	if got.Data.Responder.Tag != 2 {
		t.Errorf("responder by choice %d, want 2 (by key)", got.Data.Responder.Tag)
	}
	if err := b.m.Responder.CheckSignature(b.m.Responder.SignatureAlgorithm, got.Data.Raw, got.Signature.RightAlign()); err != nil {
		t.Error(err)
	}
	if reply.Cacheable {
		t.Error("an answer with a nonce must not be kept")
	}
}

func TestAChangeShowsAtOnce(t *testing.T) {
	b := newBench(t)
	b.clock.Advance(24 * time.Hour)
	q := question(t, b.m.Issuing, 1, crypto.SHA1)
	ask := func() Reply {
		t.Helper()
		r, err := b.Answer(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	first := ask()
	b.clock.Advance(time.Second)
	if again := ask(); !bytes.Equal(first.DER, again.DER) {
		t.Error("an unchanged standing was signed twice")
	}
	b.store["01"] = Standing{Known: true, Revoked: true, Reason: 1, Since: catest.Start, Version: 2}
	if got := b.ask(t, 1, crypto.SHA1); got.Status != ocsp.Revoked {
		t.Error("the cache hid a revocation")
	}
	b.store["01"] = Standing{Known: true, Version: 3}
	fresh := ask()
	b.clock.Advance(31 * time.Minute)
	if again := ask(); bytes.Equal(fresh.DER, again.DER) {
		t.Error("an answer was given in the second half of its life")
	}
	b.clock.Advance(-time.Hour)
	if again, err := b.Answer(t.Context(), q); !errors.Is(err, words.Refuse("CSE-950")) || !bytes.Equal(again.DER, answerInternal) {
		t.Errorf("with the clock an hour back: % x (%v), want a refusal to sign", again.DER, err)
	}
}

func TestTheResponderEnds(t *testing.T) {
	b := newBench(t)
	b.clock.Set(b.m.Responder.NotAfter.Add(-10 * time.Minute))
	if got := b.ask(t, 1, crypto.SHA1); got.NextUpdate.After(b.m.Responder.NotAfter) {
		t.Errorf("nextUpdate %s, the responder ends %s", got.NextUpdate, b.m.Responder.NotAfter)
	}
	b.clock.Set(b.m.Responder.NotAfter.Add(time.Second))
	if reply, err := b.Answer(t.Context(), question(t, b.m.Issuing, 1, crypto.SHA1)); !errors.Is(err, words.Refuse("CSE-951")) || !bytes.Equal(reply.DER, answerInternal) {
		t.Errorf("an expired responder answered % x (%v)", reply.DER, err)
	}
}

func TestNewResponderRefuses(t *testing.T) {
	b := newBench(t)
	other := catest.Fresh(t, b.clock)
	good := ResponderParts{Issuer: b.m.Issuing, Cert: b.m.Responder, Signer: b.m.ResponderKey, Store: b.store, Clock: b.clock, Rand: rand.Reader}
	for name, change := range map[string]func(*ResponderParts){
		"no store":                  func(p *ResponderParts) { p.Store = nil },
		"no certificate":            func(p *ResponderParts) { p.Cert = nil },
		"another's delegate":        func(p *ResponderParts) { p.Cert, p.Signer = other.Responder, other.ResponderKey },
		"another's key":             func(p *ResponderParts) { p.Signer = other.ResponderKey },
		"not for OCSP signing":      func(p *ResponderParts) { p.Issuer, p.Cert, p.Signer = b.m.Root, b.m.Issuing, b.m.IssuingKey },
		"the issuer in its own":     func(p *ResponderParts) { p.Cert, p.Signer = b.m.Issuing, b.m.IssuingKey },
		"a certificate of nobody's": func(p *ResponderParts) { p.Cert = b.m.Root },
	} {
		p := good
		change(&p)
		if _, err := NewResponder(p); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestTheCacheIsBounded(t *testing.T) {
	k := newKept(64, 5000)
	for i := range 5010 {
		r := Record{This: uint32(catest.Start.Unix()), Next: uint32(catest.Start.Add(time.Hour).Unix()), Signatures: make([]byte, 128)}
		r.Serial[0], r.Serial[1] = byte(i>>8), byte(i)
		k.put(&r, k.turns.Load())
	}
	if k.len() != 5000 || len(k.chunks) != 5 {
		t.Errorf("%d answers kept in %d chunks, want 5000 in 5", k.len(), len(k.chunks))
	}
}
