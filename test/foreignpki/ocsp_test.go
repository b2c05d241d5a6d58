package foreignpki

import (
	"encoding/base64"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	"cse.example/cse/pki/ca"
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
