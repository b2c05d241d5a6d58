package cades

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/asn1"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cse.example/cse/ground/words"
	"cse.example/cse/signature/signtest"
)

var text = []byte("Chiedo il rimborso del ticket.\n")

func code(err error) string {
	if f := words.FaultOf(err); f != nil {
		return f.Code
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func must[V any](t testing.TB) func(v V, err error) V {
	return func(v V, err error) V {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

// make signs text.
func signed(t testing.TB, s signtest.Signer, change func(*Request)) []byte {
	t.Helper()
	d := sha256.Sum256(text)
	r := Request{Key: s.Key, Certificate: s.Cert, Time: signtest.Now, Digest: d[:]}
	if change != nil {
		change(&r)
	}
	return must[[]byte](t)(Sign(context.Background(), rand.Reader, r))
}

func enveloped(r *Request) { r.Content = text }

func TestOursReadBack(t *testing.T) {
	ca := signtest.NewAuthority(t, "CA di prova")
	s := ca.CNS(t, nil)
	stamp := ca.Stamper(t, signtest.Now.Add(time.Second), false)
	for _, c := range []struct {
		name     string
		change   func(*Request)
		detached bool
		inPDF    bool
		level    string
	}{
		{"detached", nil, true, false, "B"},
		{"enveloped", enveloped, false, false, "B"},
		{"with a time-stamp", func(r *Request) { r.Stamp = stamp }, true, false, "T"},
		{"for a PDF", func(r *Request) { r.Time = time.Time{} }, true, true, "B"},
		{"without a time", func(r *Request) { r.Time = time.Time{} }, true, false, "CMS"},
	} {
		t.Run(c.name, func(t *testing.T) {
			der := signed(t, s, c.change)
			m := must[*Message](t)(Parse(der))
			one := m.Signers[0]
			if m.Detached != c.detached || len(m.Signers) != 1 || one.Level(c.inPDF) != c.level || !one.Bound {
				t.Fatalf("detached %v, %d signers, level %s", m.Detached, len(m.Signers), one.Level(c.inPDF))
			}
			if !m.Detached && !bytes.Equal(m.Content, text) {
				t.Fatalf("content %q", m.Content)
			}
			if err := one.Check(one.Digest(text)); err != nil {
				t.Fatal(err)
			}
			if got := code(one.Check(one.Digest([]byte("altro")))); got != "CSE-733" {
				t.Errorf("another text: %s", got)
			}
			if again := must[[]byte](t)(toDER(der)); !bytes.Equal(again, der) {
				t.Error("what is built is not DER")
			}
		})
	}
}

// Whatever octet is changed, nothing that is signed can be passed off.
func TestTampered(t *testing.T) {
	s := signtest.NewAuthority(t, "CA di prova").CNS(t, nil)
	der := signed(t, s, enveloped)
	whole := must[*Message](t)(Parse(der))
	for i := range der {
		bad := bytes.Clone(der)
		bad[i] ^= 0x01
		m, err := Parse(bad)
		if err != nil {
			continue
		}
		for _, one := range m.Signers {
			if one.Check(one.Digest(m.Content)) != nil {
				continue
			}
			// What is left must say the same: text, time, certificate.
			if !bytes.Equal(m.Content, text) || !one.SigningTime.Equal(whole.Signers[0].SigningTime) || !one.Certificate.Equal(s.Cert) {
				t.Fatalf("octet %d changed, and it verifies as something else", i)
			}
		}
	}
}

func TestHostile(t *testing.T) {
	ca := signtest.NewAuthority(t, "CA di prova")
	s := ca.CNS(t, nil)
	good := signed(t, s, enveloped)
	deep := bytes.Repeat([]byte{0x30, 0x80}, 5000)
	noAttributes := stripAttributes(t, good)
	for _, c := range []struct {
		name string
		in   []byte
		want string
	}{
		{"nothing", nil, "CSE-722"},
		{"data after the message", append(bytes.Clone(good), 0), "CSE-722"},
		{"cut short", good[:len(good)-1], "CSE-722"},
		{"nested without end", deep, "CSE-722"},
		{"a length of four gigabytes", []byte{0x30, 0x84, 0xFF, 0xFF, 0xFF, 0xFF, 0x00}, "CSE-722"},
		{"without signed attributes", noAttributes, "CSE-722"},
		{"not signed data", must[[]byte](t)(asn1.Marshal(struct {
			T asn1.ObjectIdentifier
			C asn1.RawValue
		}{oidData, asn1.RawValue{Class: 2, Tag: 0, IsCompound: true, Bytes: []byte{4, 0}}})), "CSE-722"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Parse(c.in)
			if got := code(err); got != c.want {
				t.Errorf("got %s (%v), want %s", got, err, c.want)
			}
		})
	}

	// The certificate changed for another one of the same name, number and key:
	// only the hash in the attributes tells them apart.
	twin := ca.CNS(t, nil)
	twin.Cert.SerialNumber = s.Cert.SerialNumber
	m := must[*Message](t)(Parse(good))
	one := m.Signers[0]
	one.Certificate, one.Bound = twin.Cert, false
	if err := one.bind(attributeOf(t, one, oidSigningCertV2), true); err != nil {
		t.Fatal(err)
	}
	if got := code(one.Check(one.Digest(text))); got != "CSE-733" {
		t.Errorf("another certificate of the same key: %q", got)
	}
}

func TestAStampOfSomethingElse(t *testing.T) {
	ca := signtest.NewAuthority(t, "CA di prova")
	s := ca.CNS(t, nil)
	d := sha256.Sum256(text)
	_, err := Sign(context.Background(), rand.Reader, Request{
		Key: s.Key, Certificate: s.Cert, Time: signtest.Now, Digest: d[:], Stamp: ca.Stamper(t, signtest.Now, true),
	})
	if got := code(err); got != "CSE-730" {
		t.Fatalf("got %s, want CSE-730", got)
	}
}

func TestTheKeyMustBeTheCertificates(t *testing.T) {
	ca := signtest.NewAuthority(t, "CA di prova")
	s := ca.CNS(t, nil)
	d := sha256.Sum256(text)
	_, err := Sign(context.Background(), rand.Reader, Request{Key: ca.Key, Certificate: s.Cert, Digest: d[:]})
	if got := code(err); got != "CSE-729" {
		t.Fatalf("got %s, want CSE-729", got)
	}
}

// OpenSSL accepts ours and refuses them when the text is another.
func TestOpenSSLAcceptsOurs(t *testing.T) {
	if !signtest.Foreign() {
		t.Skip("CSE_FOREIGN=1 runs the tests with foreign programs")
	}
	ca := signtest.NewAuthority(t, "CA di prova")
	s := ca.CNS(t, nil)
	dir := t.TempDir()
	signtest.Write(t, dir, "ca.pem", signtest.PEM(ca.Cert))
	signtest.Write(t, dir, "text", text)
	signtest.Write(t, dir, "other", []byte("altro"))
	signtest.Write(t, dir, "d.p7s", signed(t, s, nil))
	signtest.Write(t, dir, "e.p7m", signed(t, s, enveloped))
	signtest.Write(t, dir, "t.p7s", signed(t, s, func(r *Request) { r.Stamp = ca.Stamper(t, signtest.Now, false) }))
	verify := []string{"cms", "-verify", "-inform", "DER", "-CAfile", "ca.pem", "-purpose", "any", "-binary", "-cades"}
	for _, c := range []struct {
		args []string
		ok   bool
	}{
		{[]string{"-in", "d.p7s", "-content", "text"}, true},
		{[]string{"-in", "t.p7s", "-content", "text"}, true},
		{[]string{"-in", "e.p7m", "-out", "back"}, true},
		{[]string{"-in", "d.p7s", "-content", "other"}, false},
	} {
		out, err := signtest.Run(t, dir, "openssl", append(verify, c.args...)...)
		if (err == nil) != c.ok {
			t.Errorf("%v: %v\n%s", c.args, err, out)
		}
	}
	if diff := cmp.Diff(text, must[[]byte](t)(os.ReadFile(filepath.Join(dir, "back")))); diff != "" {
		t.Error(diff)
	}
}

// What OpenSSL signs in its ways is verified here; what cannot be accepted has
// its reason.
func TestOpenSSLsAreVerified(t *testing.T) {
	if !signtest.Foreign() {
		t.Skip("CSE_FOREIGN=1 runs the tests with foreign programs")
	}
	ca := signtest.NewAuthority(t, "CA di prova")
	s := ca.CNS(t, nil)
	dir := t.TempDir()
	signtest.Write(t, dir, "cert.pem", signtest.PEM(s.Cert))
	signtest.Write(t, dir, "key.pem", signtest.KeyPEM(t, s.Key))
	signtest.Write(t, dir, "text", text)
	for _, c := range []struct {
		name        string
		args        []string
		level, want string
		hash        crypto.Hash
	}{
		{"detached", nil, "CMS", "", crypto.SHA256},
		{"cades", []string{"-cades"}, "B", "", crypto.SHA256},
		{"enveloped, SHA-512", []string{"-nodetach", "-md", "sha512"}, "CMS", "", crypto.SHA512},
		{"streamed BER", []string{"-nodetach", "-stream", "-cades"}, "B", "", crypto.SHA256},
		{"PSS", []string{"-keyopt", "rsa_padding_mode:pss", "-keyopt", "rsa_mgf1_md:sha256", "-cades"}, "B", "", crypto.SHA256},
		{"by key identifier", []string{"-keyid"}, "CMS", "", crypto.SHA256},
		{"SHA-1", []string{"-md", "sha1"}, "", "CSE-736", 0},
		{"no attributes", []string{"-noattr"}, "", "CSE-722", 0},
		{"no certificate", []string{"-nocerts"}, "CMS", "CSE-722", crypto.SHA256},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := append([]string{"cms", "-sign", "-binary", "-in", "text", "-signer", "cert.pem", "-inkey", "key.pem", "-outform", "DER", "-out", "out"}, c.args...)
			if out, err := signtest.Run(t, dir, "openssl", args...); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			m, err := Parse(must[[]byte](t)(os.ReadFile(filepath.Join(dir, "out"))))
			if err == nil {
				err = m.Signers[0].Check(m.Signers[0].Digest(text))
			}
			if got := code(err); got != c.want {
				t.Fatalf("got %s (%v), want %q", got, err, c.want)
			}
			if c.want == "" && (m.Signers[0].Level(false) != c.level || m.Signers[0].Hash != c.hash) {
				t.Errorf("level %s, %v", m.Signers[0].Level(false), m.Signers[0].Hash)
			}
			if c.want == "" && !m.Detached && !bytes.Equal(m.Content, text) {
				t.Errorf("content %q", m.Content)
			}
		})
	}
}

// Whatever comes in, the parser answers without a panic, and what it accepts is
// the same when it is read as DER again.
func FuzzParse(f *testing.F) {
	ca := signtest.NewAuthority(f, "CA di prova")
	s := ca.CNS(f, nil)
	f.Add(signed(f, s, nil))
	f.Add(signed(f, s, enveloped))
	f.Add(signed(f, s, func(r *Request) { r.Stamp = ca.Stamper(f, signtest.Now, false) }))
	f.Add([]byte{0x30, 0x80, 0x24, 0x80, 0x04, 0x01, 0x41, 0x00, 0x00, 0x00, 0x00})
	f.Fuzz(func(t *testing.T, in []byte) {
		m, err := Parse(in)
		if err != nil {
			if words.FaultOf(err) == nil {
				t.Fatalf("no reason: %v", err)
			}
			return
		}
		der, err := toDER(in)
		if err != nil {
			t.Fatal(err)
		}
		if again, err := toDER(der); err != nil || !bytes.Equal(again, der) {
			t.Fatalf("DER of DER differs: %v", err)
		}
		for _, one := range m.Signers {
			_ = one.Check(one.Digest(m.Content))
		}
	})
}
