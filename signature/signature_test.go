package signature

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"codeberg.org/go-pdf/fpdf"
	"github.com/digitorus/timestamp"

	"cse.example/cse/card/cns"
	"cse.example/cse/card/holder"
	"cse.example/cse/card/holder/holdertest"
	"cse.example/cse/card/reader"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/pki/trust"
	"cse.example/cse/signature/signtest"
)

var clock = civil.NewHand(signtest.Now)

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

func pdf(t testing.TB) []byte {
	t.Helper()
	p := fpdf.New("P", "mm", "A4", "")
	p.SetFont("Helvetica", "", 12)
	p.AddPage()
	p.Cell(40, 10, "Chiedo il rimborso")
	var out bytes.Buffer
	if err := p.Output(&out); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// says is a revocation source that always says the same.
type says trust.Status

func (s says) Revocation(context.Context, *x509.Certificate, *x509.Certificate) (trust.Status, error) {
	return trust.Status(s), nil
}

var good = says{Standing: trust.StandingGood}

func believing(ca *signtest.Authority, sources ...trust.Revocation) *Verifier {
	return &Verifier{CNS: trust.Verifier{Anchors: []*x509.Certificate{ca.Cert}, Revocation: sources}, Clock: clock}
}

func signer(s signtest.Signer) *Signer {
	return &Signer{Key: s.Key, Certificate: s.Cert, Clock: clock, Random: rand.Reader}
}

// The card itself signs, in every form, with one PIN, and the verifier says FEA.
func TestR103_TheCardSignsInEveryFormAndItIsFEA(t *testing.T) {
	card := holdertest.Make(t, filepath.Join(t.TempDir(), "card.cse"), cns.Neutral(), 7)
	c := must[reader.Card](t)(reader.FromFile(card.Path))
	defer c.Close()
	h := must[*holder.Holder](t)(holder.New(c))
	asked := 0
	key, err := h.Signer(func() (secret.Text, error) { asked++; return secret.FromString(holdertest.PIN), nil })
	if err != nil {
		t.Fatal(err)
	}
	s := &Signer{Key: key, Certificate: card.Leaf, Clock: clock, Random: rand.Reader}
	v := &Verifier{CNS: trust.Verifier{Anchors: []*x509.Certificate{card.Authority.Certificate}, Revocation: []trust.Revocation{good}}, Clock: clock}
	for _, c := range []struct {
		wish Format
		in   []byte
		form string
	}{
		{"", pdf(t), "PAdES-B"},
		{"", []byte("<istanza>Chiedo il rimborso</istanza>"), "XAdES-B"},
		{"", []byte("Chiedo il rimborso"), "CAdES-B"},
		{CAdESDetached, pdf(t), "CAdES-B"},
		{CAdES, pdf(t), "CAdES-B"},
		{CAdES, nil, "CAdES-B"},
	} {
		out := must[Signed](t)(s.Sign(context.Background(), c.in, Wish{Format: c.wish}))
		if out.Level != FEA {
			t.Errorf("%s: signed at level %s", c.form, out.Level)
		}
		content := c.in
		if out.Format != CAdESDetached {
			content = nil
		}
		r := must[Report](t)(v.Verify(context.Background(), out.Data, content))
		f := r.Signatures[0]
		if r.Verdict != Valid || f.Form != c.form || f.Level != FEA || !f.Intact || f.Signer.CF != holdertest.CF || !f.Claimed.Equal(signtest.Now) {
			t.Errorf("%s: %+v", c.form, f)
		}
	}
	if asked != 1 {
		t.Errorf("the PIN was asked %d times", asked)
	}
}

// R101: the level that signing reports is never above FEA for a card.
func TestR101_SigningReportsFEA(t *testing.T) {
	ca := signtest.NewAuthority(t, "CA di prova")
	out := must[Signed](t)(signer(ca.CNS(t, nil)).Sign(context.Background(), []byte("x"), Wish{}))
	if out.Level != FEA {
		t.Fatalf("level %s", out.Level)
	}
}

func TestR104_AcceptedByPublicAdministrationsOnly(t *testing.T) {
	ca := signtest.NewAuthority(t, "CA di prova")
	v := believing(ca, good)
	for _, c := range []struct {
		name  string
		s     signtest.Signer
		level Level
		want  map[Recipient]string
	}{
		{"a card", ca.CNS(t, nil), FEA, map[Recipient]string{PublicAdministration: Accepted, Private: "CSE-732", LegalTransaction: "CSE-732"}},
		// A source that speaks of other authorities too leaves only the level open; without one the revocation is (see below).
		{"declared qualified", ca.Qualified(t), DeclaredQualified, map[Recipient]string{PublicAdministration: "CSE-744", Private: "CSE-744", LegalTransaction: "CSE-744"}},
		{"something else", ca.Issue(t, signtest.RSAKey(), func(*x509.Certificate) {}), NotDetermined, map[Recipient]string{PublicAdministration: "CSE-744", Private: "CSE-744", LegalTransaction: "CSE-744"}},
		{"a card of nobody known", signtest.NewAuthority(t, "Altra CA").CNS(t, nil), NotDetermined, map[Recipient]string{PublicAdministration: "CSE-746", Private: "CSE-746", LegalTransaction: "CSE-746"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			out := must[Signed](t)(signer(c.s).Sign(context.Background(), pdf(t), Wish{}))
			r := must[Report](t)(v.Verify(context.Background(), out.Data, nil))
			f := r.Signatures[0]
			if f.Level != c.level || !f.Intact {
				t.Errorf("level %s, intact %v", f.Level, f.Intact)
			}
			for who, want := range c.want {
				got := Accepted
				if fault := r.For(who); fault != nil {
					got = fault.Code
				}
				if got != want || f.Answers[who] != want {
					t.Errorf("%s: got %s and %s, want %s", who, got, f.Answers[who], want)
				}
			}
		})
	}
}

// Signers of other authorities: their revocation is asked of the same sources, and what nobody answers stays unproved.
func TestRevocationOfOtherSigners(t *testing.T) {
	ca := signtest.NewAuthority(t, "CA di prova")
	day := 24 * time.Hour
	for _, c := range []struct {
		name   string
		source []trust.Revocation
		code   string
		now    Standing
	}{
		{"nobody answers", nil, "CSE-747", Unknown},
		{"unknown to its issuer", []trust.Revocation{says{}}, "CSE-747", Unknown},
		{"good", []trust.Revocation{good}, "CSE-744", Good},
		{"revoked before", []trust.Revocation{says{Standing: trust.StandingRevoked, Since: signtest.Now.Add(-2 * day), Code: 1}}, "CSE-748", Revoked},
	} {
		for name, s := range map[string]signtest.Signer{"declared qualified": ca.Qualified(t), "something else": ca.Issue(t, signtest.RSAKey(), func(*x509.Certificate) {})} {
			t.Run(c.name+", "+name, func(t *testing.T) {
				out := must[Signed](t)(signer(s).Sign(context.Background(), []byte("testo"), Wish{}))
				v := believing(ca)
				v.CNS.Revocation = c.source
				r := must[Report](t)(v.Verify(context.Background(), out.Data, nil))
				fault := r.For(PublicAdministration)
				if fault == nil || fault.Code != c.code || r.Signatures[0].Now.Standing != c.now {
					t.Errorf("got %v and %s, want %s and %s", fault, r.Signatures[0].Now.Standing, c.code, c.now)
				}
			})
		}
	}
}

func TestR105_ALegalTransactionNeedsAQualifiedSignature(t *testing.T) {
	ca := signtest.NewAuthority(t, "CA di prova")
	out := must[Signed](t)(signer(ca.CNS(t, nil)).Sign(context.Background(), []byte("<contratto/>"), Wish{}))
	r := must[Report](t)(believing(ca, good).Verify(context.Background(), out.Data, nil))
	if r.Verdict != Valid {
		t.Fatalf("%+v", r)
	}
	fault := r.For(LegalTransaction)
	if fault == nil || fault.Code != "CSE-732" {
		t.Fatalf("a legal transaction takes an FEA: %v", fault)
	}
	for _, lang := range []words.Lang{words.Italian, words.English} {
		if s := fault.Sentence(lang); !bytes.Contains([]byte(s), []byte("FEQ")) {
			t.Errorf("%s: %q does not name the FEQ", lang, s)
		}
	}
}

// The certificate at the signature and now, with and without a time-stamp.
func TestStandingThenAndNow(t *testing.T) {
	ca := signtest.NewAuthority(t, "CA di prova")
	tsa := signtest.NewAuthority(t, "Marche")
	day := 24 * time.Hour
	now := signtest.Now
	revoked := func(at time.Time) says { return says{Standing: trust.StandingRevoked, Since: at, Code: 1} }
	for _, c := range []struct {
		name     string
		source   trust.Revocation
		signedAt time.Time
		stamped  bool
		verdict  Verdict
		code     string
		at, now  Standing
	}{
		{"good", good, now.Add(-day), false, Valid, "", Good, Good},
		{"revoked later, no proof", revoked(now.Add(-time.Hour)), now.Add(-day), false, Unproved, "CSE-749", Good, Revoked},
		{"revoked later, stamped before", revoked(now.Add(-time.Hour)), now.Add(-day), true, Valid, "", Good, Revoked},
		{"revoked before", revoked(now.Add(-2 * day)), now.Add(-day), false, Invalid, "CSE-748", Revoked, Revoked},
		{"revoked before, stamped", revoked(now.Add(-2 * day)), now.Add(-day), true, Invalid, "CSE-748", Revoked, Revoked},
		{"suspended", says{Standing: trust.StandingHeld, Since: now.Add(-2 * day)}, now.Add(-day), false, Invalid, "CSE-748", Suspended, Suspended},
		{"not activated", says{Standing: trust.StandingPending}, now.Add(-day), false, Invalid, "CSE-748", NotActive, NotActive},
		{"nobody answers", nil, now.Add(-day), false, Unproved, "CSE-747", Unknown, Unknown},
		{"unknown to its issuer", says{}, now.Add(-day), false, Unproved, "CSE-747", Unknown, Unknown},
		{"before its days", good, now.AddDate(0, -2, 0), false, Invalid, "CSE-748", NotYetValid, Good},
		{"expired now", good, now.AddDate(0, 0, -20), false, Unproved, "CSE-749", Good, Expired},
		{"expired now, stamped before", good, now.AddDate(0, 0, -20), true, Valid, "", Good, Expired},
		{"in the future", good, now.Add(day), false, Unproved, "CSE-745", Good, Good},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := ca.CNS(t, func(x *x509.Certificate) {
				if c.now == Expired {
					x.NotAfter = now.AddDate(0, 0, -10)
				}
				if c.at == NotYetValid {
					x.NotBefore = now.AddDate(0, 0, -30)
				}
			})
			one := signer(s)
			if c.at == NotYetValid { // nobody signs like that here: a signer with a wrong clock
				wide := *s.Cert
				wide.NotBefore = now.AddDate(-1, 0, 0)
				one.Certificate = &wide
			}
			one.Clock = civil.NewHand(c.signedAt)
			if c.stamped {
				one.Stamp = tsa.Stamper(t, c.signedAt, false)
			}
			out := must[Signed](t)(one.Sign(context.Background(), []byte("testo"), Wish{}))
			v := believing(ca)
			if c.source != nil {
				v.CNS.Revocation = []trust.Revocation{c.source}
			}
			v.Stamps = []*x509.Certificate{tsa.Cert}
			f := must[Report](t)(v.Verify(context.Background(), out.Data, nil)).Signatures[0]
			if f.Verdict != c.verdict || f.Code != c.code || f.AtSigning.Standing != c.at || f.Now.Standing != c.now || (f.Stamped != nil) != c.stamped {
				t.Errorf("%s %s, %+v, %+v", f.Verdict, f.Code, f.AtSigning, f.Now)
			}
			if c.stamped { // the same stamp of nobody known proves nothing
				v.Stamps = nil
				f = must[Report](t)(v.Verify(context.Background(), out.Data, nil)).Signatures[0]
				if f.Stamped != nil || !f.StampRefused || f.Form != "CAdES-B" || (c.now != Good && f.Verdict == Valid) {
					t.Errorf("a stamp of nobody known: %s, %s", f.Form, f.Verdict)
				}
			}
		})
	}
}

func TestRefusedBeforeTheCardIsAsked(t *testing.T) {
	ca := signtest.NewAuthority(t, "CA di prova")
	s := signer(ca.CNS(t, func(c *x509.Certificate) { c.NotAfter = signtest.Now.Add(-time.Hour) }))
	s.Key = nil // would panic
	_, err := s.Sign(context.Background(), []byte("x"), Wish{})
	if got := code(err); got != "CSE-728" {
		t.Errorf("expired: %s", got)
	}
	s = signer(ca.CNS(t, nil))
	for _, c := range []struct {
		f  Format
		in string
	}{{PAdES, "testo"}, {XAdES, "%PDF-1.7"}, {"altro", "testo"}} {
		if _, err := s.Sign(context.Background(), []byte(c.in), Wish{Format: c.f}); code(err) != "CSE-720" {
			t.Errorf("%s of %q: %v", c.f, c.in, err)
		}
	}
}

func TestFilesThatAreRefused(t *testing.T) {
	ca := signtest.NewAuthority(t, "CA di prova")
	detached := must[Signed](t)(signer(ca.CNS(t, nil)).Sign(context.Background(), []byte("testo"), Wish{Format: CAdESDetached}))
	weak := must[*rsa.PrivateKey](t)(rsa.GenerateKey(rand.Reader, 1024))
	old := must[Signed](t)(signer(ca.Issue(t, weak, func(*x509.Certificate) {})).Sign(context.Background(), []byte("testo"), Wish{}))
	v := believing(ca, good)
	for _, c := range []struct {
		name     string
		in, with []byte
		want     string
	}{
		{"empty", nil, nil, "CSE-735"},
		{"text", []byte("ciao"), nil, "CSE-722"},
		{"an unsigned PDF", pdf(t), nil, "CSE-721"},
		{"unsigned XML", []byte("<a/>"), nil, "CSE-721"},
		{"detached, alone", detached.Data, nil, "CSE-727"},
		{"detached, another document", detached.Data, []byte("altro"), "CSE-733"},
		{"detached", detached.Data, []byte("testo"), ""},
		{"in base64", fmt.Appendf(nil, "-----BEGIN PKCS7-----\n%s\n-----END PKCS7-----\n", base64Of(detached.Data)), []byte("testo"), ""},
		{"in bare base64", []byte(base64Of(detached.Data)), []byte("testo"), ""},
		{"RSA of 1024 bits", old.Data, nil, "CSE-736"},
	} {
		r, err := v.Verify(context.Background(), c.in, c.with)
		if err == nil && r.Signatures[0].Err != nil {
			err = r.Signatures[0].Err
		}
		if got := code(err); got != c.want {
			t.Errorf("%s: got %s (%v), want %q", c.name, got, err, c.want)
		}
	}
}

func base64Of(b []byte) string { return base64.StdEncoding.EncodeToString(b) }

// The time-stamp of an authority that answers badly is CSE-730, and nothing is
// signed without it.
func TestStampFrom(t *testing.T) {
	ca, tsa := signtest.NewAuthority(t, "CA di prova"), signtest.NewAuthority(t, "Marche")
	answer := tsa.TSA(t, signtest.Now)
	for _, c := range []struct {
		name, want string
		post       func([]byte) ([]byte, error)
	}{
		{"well", "", answer},
		{"not at all", "CSE-730", func([]byte) ([]byte, error) { return nil, errors.New("away") }},
		{"with noise", "CSE-730", func([]byte) ([]byte, error) { return []byte("ciao"), nil }},
		{"about something else", "CSE-730", func([]byte) ([]byte, error) {
			q, err := timestamp.CreateRequest(strings.NewReader("altro"), nil)
			if err != nil {
				return nil, err
			}
			return answer(q)
		}},
	} {
		s := signer(ca.CNS(t, nil))
		s.Stamp = StampFrom(func(_ context.Context, q []byte) ([]byte, error) { return c.post(q) })
		for _, f := range []Format{CAdES, PAdES} {
			out, err := s.Sign(context.Background(), pdf(t), Wish{Format: f})
			if got := code(err); got != c.want {
				t.Errorf("%s, %s: got %s (%v), want %q", c.name, f, got, err, c.want)
			}
			if err != nil {
				continue
			}
			v := believing(ca, good)
			v.Stamps = []*x509.Certificate{tsa.Cert}
			if one := must[Report](t)(v.Verify(context.Background(), out.Data, nil)).Signatures[0]; !strings.HasSuffix(one.Form, "-T") || one.Stamped == nil {
				t.Errorf("%s: %s", f, one.Form)
			}
		}
	}
}

// OpenSSL's time-stamping authority.
func TestStampFromOpenSSL(t *testing.T) {
	if !signtest.Foreign() {
		t.Skip("CSE_FOREIGN=1 runs the tests with foreign programs")
	}
	ca, marche := signtest.NewAuthority(t, "CA di prova"), signtest.NewAuthority(t, "Marche")
	tsa := marche.StampingCertificate(t)
	dir := t.TempDir()
	signtest.Write(t, dir, "cert.pem", signtest.PEM(tsa.Cert))
	signtest.Write(t, dir, "key.pem", signtest.KeyPEM(t, tsa.Key))
	signtest.Write(t, dir, "serial", []byte("01\n"))
	signtest.Write(t, dir, "tsa.cnf", []byte(`[tsa]
default_tsa = one
[one]
serial = serial
crypto_device = builtin
signer_cert = cert.pem
signer_key = key.pem
signer_digest = sha256
default_policy = 1.2.3.4
digests = sha256
ess_cert_id_alg = sha256
`))
	s := signer(ca.CNS(t, nil))
	s.Stamp = StampFrom(func(_ context.Context, q []byte) ([]byte, error) {
		signtest.Write(t, dir, "q.tsq", q)
		signtest.MustRun(t, dir, "openssl", "ts", "-reply", "-config", "tsa.cnf", "-queryfile", "q.tsq", "-out", "r.tsr")
		return os.ReadFile(filepath.Join(dir, "r.tsr"))
	})
	out := must[Signed](t)(s.Sign(context.Background(), []byte("testo"), Wish{}))
	v := believing(ca, good)
	v.Stamps, v.Clock = []*x509.Certificate{marche.Cert}, civil.System{}
	f := must[Report](t)(v.Verify(context.Background(), out.Data, nil)).Signatures[0]
	if f.Form != "CAdES-T" || f.Stamped == nil || time.Since(*f.Stamped) > time.Hour {
		t.Errorf("%s, %v, %v", f.Form, f.Stamped, f.StampRefused)
	}
}

// A signed PDF inside a .p7m: both are told, and the outer one decides.
func TestAFileInsideAnother(t *testing.T) {
	ca := signtest.NewAuthority(t, "CA di prova")
	s := signer(ca.CNS(t, nil))
	inner := must[Signed](t)(s.Sign(context.Background(), pdf(t), Wish{}))
	bad := bytes.Clone(inner.Data)
	bad[bytes.Index(bad, []byte("/MediaBox"))+12] ^= 1
	for _, c := range []struct {
		name    string
		in      []byte
		want    Verdict
		deepest int
	}{{"signed", inner.Data, Valid, 1}, {"changed", bad, Invalid, 1}, {"not signed", pdf(t), "", 0}} {
		data := c.in
		for range 2 {
			data = must[Signed](t)(s.Sign(context.Background(), data, Wish{Format: CAdES})).Data
		}
		r := must[Report](t)(believing(ca, good).Verify(context.Background(), data, nil))
		if r.Verdict != Valid || r.Inside == nil || (r.Inside.Inside != nil) != (c.deepest == 1) {
			t.Fatalf("%s: %s, %+v", c.name, r.Verdict, r.Inside)
		}
		if c.want != "" && r.Inside.Inside.Verdict != c.want {
			t.Errorf("%s: inside %s", c.name, r.Inside.Inside.Verdict)
		}
		if n := len(r.All(words.Italian)); n != 2+c.deepest {
			t.Errorf("%s: %d headings", c.name, n)
		}
	}
}
