package foreignpki

import (
	"bytes"
	"crypto"
	"encoding/base64"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/crypto/ocsp"

	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/profile"
	"cse.example/cse/pki/status"
	"cse.example/cse/pki/status/presigned"
)

// openssl ocsp asks over POST, with a nonce, through the life of a card.
func TestOpenSSLAsks(t *testing.T) {
	o := open(t)
	serial, card := o.issue(t, 1)
	steps := []struct {
		name string
		do   func() error
		want []string
	}{
		{"not activated", func() error { return nil }, []string{": revoked", "Reason: certificateHold"}},
		{"activated", func() error { return o.Activate(t.Context(), serial) }, []string{": good"}},
		{"suspended", func() error { return o.Hold(t.Context(), serial) }, []string{": revoked", "Reason: certificateHold"}},
		{"released", func() error { return o.Release(t.Context(), serial) }, []string{": good"}},
		{"revoked", func() error { return o.Revoke(t.Context(), serial, ca.KeyCompromise) }, []string{": revoked", "Reason: keyCompromise"}},
	}
	for _, s := range steps {
		if err := s.do(); err != nil {
			t.Fatal(err)
		}
		for _, hash := range []string{"-sha1", "-sha256"} {
			says(t, append(s.want, "Response verify OK"), "openssl", "ocsp", hash, "-issuer", o.Material.IssuingFile, "-cert", card,
				"-url", o.url+"/ocsp", "-CAfile", o.top)
		}
	}
	// Several in one request, one of them never issued; the nonce must match.
	_, second := o.issue(t, 2)
	out := []string{"Response verify OK", card + ": revoked", second + ": revoked", "0x1234567890: unknown"}
	says(t, out, "openssl", "ocsp", "-issuer", o.Material.IssuingFile, "-cert", card, "-cert", second, "-serial", "0x1234567890",
		"-nonce", "-url", o.url+"/ocsp", "-CAfile", o.top)
	says(t, []string{"Responder Id: ", "OCSP Nonce", "Signature Algorithm: ecdsa-with-SHA256"}, "openssl", "ocsp", "-issuer", o.Material.IssuingFile,
		"-cert", card, "-nonce", "-url", o.url+"/ocsp", "-CAfile", o.top, "-resp_text")
}

// curl asks over GET what OpenSSL wrote, OpenSSL reads what curl got.
func TestCurlAsks(t *testing.T) {
	o := open(t)
	serial, card := o.issue(t, 1)
	if err := o.Activate(t.Context(), serial); err != nil {
		t.Fatal(err)
	}
	req, resp := filepath.Join(o.dir, "req"), filepath.Join(o.dir, "resp")
	says(t, nil, "openssl", "ocsp", "-issuer", o.Material.IssuingFile, "-cert", card, "-no_nonce", "-reqout", req)
	der, err := os.ReadFile(req)
	if err != nil {
		t.Fatal(err)
	}
	b64 := base64.StdEncoding.EncodeToString(der)
	read := []string{"ocsp", "-issuer", o.Material.IssuingFile, "-cert", card, "-respin", resp, "-CAfile", o.top, "-no_nonce"}
	for _, path := range []string{b64, url.PathEscape(b64), url.QueryEscape(b64)} {
		says(t, []string{"Content-Type: application/ocsp-response", "Cache-Control: max-age=", "Etag: "},
			"curl", "-sS", "--fail", "--path-as-is", "-D", "-", "-o", resp, o.url+"/ocsp/"+path)
		says(t, []string{": good", "Response verify OK"}, "openssl", read...)
	}
	says(t, nil, "curl", "-sS", "--fail", "-H", "Content-Type: application/ocsp-request", "--data-binary", "@"+req, "-o", resp, o.url+"/ocsp")
	says(t, []string{": good", "Response verify OK"}, "openssl", read...)
}

// GnuTLS's client is a second opinion on the codec.
func TestGnuTLSAsks(t *testing.T) {
	o := open(t)
	serial, card := o.issue(t, 1)
	ask := []string{"--ask=" + o.url + "/ocsp", "--load-cert", card, "--load-issuer", o.Material.IssuingFile, "--load-trust", o.top}
	if err := o.Activate(t.Context(), serial); err != nil {
		t.Fatal(err)
	}
	says(t, []string{"Certificate Status: good"}, "ocsptool", ask...)
	if err := o.Revoke(t.Context(), serial, ca.Superseded); err != nil {
		t.Fatal(err)
	}
	says(t, []string{"Certificate Status: revoked"}, "ocsptool", ask...)
}

// Every kind of answer there is, signed on line, kept and followed, and from the
// validation tier's files: OpenSSL, GnuTLS and Go read it, by both hashes, say the
// same of it, and find its signature good.
func TestEveryKindOfAnswer(t *testing.T) {
	o := open(t)
	follower := status.NewFollower(o.db.PKI(), o.Hand, o.responder)
	kinds := []struct {
		name, openssl  string
		reason, status int // status is Go's; OpenSSL's table of names ends at 8
		do             func(string) error
	}{
		{"not activated", "certificateHold", 6, ocsp.Revoked, func(string) error { return nil }},
		{"good", "", 0, ocsp.Good, func(s string) error { return o.Activate(t.Context(), s) }},
		{"unspecified", "", 0, ocsp.Revoked, o.revoking(t, ca.Unspecified)},
		{"keyCompromise", "keyCompromise", 1, ocsp.Revoked, o.revoking(t, ca.KeyCompromise)},
		{"cACompromise", "cACompromise", 2, ocsp.Revoked, o.revoking(t, ca.CACompromise)},
		{"affiliationChanged", "affiliationChanged", 3, ocsp.Revoked, o.revoking(t, ca.AffiliationChanged)},
		{"superseded", "superseded", 4, ocsp.Revoked, o.revoking(t, ca.Superseded)},
		{"cessationOfOperation", "cessationOfOperation", 5, ocsp.Revoked, o.revoking(t, ca.CessationOfOperation)},
		{"privilegeWithdrawn", "(UNKNOWN)", 9, ocsp.Revoked, o.revoking(t, ca.PrivilegeWithdrawn)},
	}
	var cards []string
	for i, k := range kinds {
		serial, card := o.issue(t, i)
		if err := k.do(serial); err != nil {
			t.Fatal(err)
		}
		cards = append(cards, card)
	}
	if err := follower.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
	p, err := presigned.NewPublisher(presigned.Parts{
		Dir: filepath.Join(o.dir, presigned.FolderAnswers), Label: profile.FirstLabel, Responder: o.responder, Changes: o.db.PKI(), Clock: o.Hand,
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Make(t.Context(), true); err != nil {
		t.Fatal(err)
	}
	tier, err := presigned.NewTier(presigned.TierParts{Dir: o.dir, Work: t.TempDir(), Clock: o.Hand, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	shelf := httptest.NewServer(tier)
	t.Cleanup(shelf.Close)
	for _, where := range []struct{ name, url string }{{"on line", o.url}, {"kept", o.url}, {"the tier", shelf.URL}} {
		for i, k := range kinds {
			card := cards[i]
			for _, hash := range []string{"-sha1", "-sha256"} {
				want := []string{"Response verify OK", ": " + map[int]string{ocsp.Good: "good", ocsp.Revoked: "revoked"}[k.status]}
				if k.openssl != "" {
					want = append(want, "Reason: "+k.openssl)
				}
				says(t, want, "openssl", "ocsp", hash, "-issuer", o.Material.IssuingFile, "-cert", card, "-no_nonce", "-url", where.url+"/ocsp", "-CAfile", o.top)
			}
			want := []string{"Verifying OCSP Response: Success", "Certificate Status: " + map[int]string{ocsp.Good: "good", ocsp.Revoked: "revoked"}[k.status]}
			says(t, want, "ocsptool", "--no-nonce", "--ask="+where.url+"/ocsp", "--load-cert", card, "--load-issuer", o.Material.IssuingFile, "--load-trust", o.top)
			for _, h := range []crypto.Hash{crypto.SHA1, crypto.SHA256} {
				got := o.asked(t, where.url, card, h)
				if got.Status != k.status || got.RevocationReason != k.reason {
					t.Errorf("%s, %s, %v: Go reads %d for %d, want %d for %d", where.name, k.name, h, got.Status, got.RevocationReason, k.status, k.reason)
				}
			}
		}
	}
	// A number never issued is unknown to who signs, and nothing to the tier.
	never := []string{"ocsp", "-issuer", o.Material.IssuingFile, "-serial", "0x1234567890", "-no_nonce", "-CAfile", o.top, "-url"}
	says(t, []string{"0x1234567890: unknown", "Response verify OK"}, "openssl", append(never, o.url+"/ocsp")...)
	refuses(t, "unauthorized (6)", "openssl", append(never, shelf.URL+"/ocsp")...)
}

func (o *office) revoking(t *testing.T, reason int) func(string) error {
	return func(serial string) error { return o.Revoke(t.Context(), serial, reason) }
}

// asked is what Go's client reads of an answer about a card's certificate.
func (o *office) asked(t *testing.T, url, card string, h crypto.Hash) *ocsp.Response {
	t.Helper()
	c, err := ca.ReadCertificate(card)
	if err != nil {
		t.Fatal(err)
	}
	q, err := ocsp.CreateRequest(c, o.Material.Issuing, &ocsp.RequestOptions{Hash: h})
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.Post(url+"/ocsp", "application/ocsp-request", bytes.NewReader(q))
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		t.Fatal(err)
	}
	got, err := ocsp.ParseResponseForCert(body, c, o.Material.Issuing)
	if err != nil {
		t.Fatal(err)
	}
	return got
}
