package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"encoding/json"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"cse.example/cse/ground/words"
	"cse.example/cse/signature"
)

// upload sends a file to the page that verifies and reads the report.
func (p *Platform) upload(t *testing.T, file []byte) signature.Report {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	part, err := w.CreateFormFile("firmato", "istanza.pdf")
	check(t, err)
	_, err = part.Write(file)
	check(t, err)
	check(t, w.WriteField("rapporto", "json"))
	check(t, w.Close())
	r := httptest.NewRequest(http.MethodPost, p.Config.Public.Portal+"/verifica-firma", &b)
	r.Header.Set("Content-Type", w.FormDataContentType())
	rec := httptest.NewRecorder()
	p.portal.ServeHTTP(rec, r)
	var report signature.Report
	if err := json.Unmarshal(rec.Body.Bytes(), &report); err != nil {
		t.Fatalf("%d: %v: %s", rec.Code, err, rec.Body)
	}
	return report
}

// A produced and activated card signs; the platform says what the signature is
// worth by its own records: good, then, once the card is revoked, no more than
// intact for what nobody proves to be older, and invalid for what is newer.
func TestR103_R104_AProducedCardsSignatureIsVerifiedByItsIssuer(t *testing.T) {
	r := newRegion(t)
	p := r.serve(t, "web", "print", "mail")
	c := r.cardOf(t, p)
	s := &signature.Signer{Key: c.Certificate.PrivateKey.(crypto.Signer), Certificate: c.Certificate.Leaf, Clock: r.clock, Random: rand.Reader}
	form, err := p.blankForm("")("delega", words.Italian)
	check(t, err)
	sign := func() []byte {
		t.Helper()
		out, err := s.Sign(context.Background(), form, signature.Wish{})
		check(t, err)
		if out.Level != signature.FEA || out.Format != signature.PAdES {
			t.Fatalf("%s at %s", out.Format, out.Level)
		}
		return out.Data
	}
	old := sign()
	f := p.upload(t, old).Signatures[0]
	if f.Verdict != signature.Valid || f.Level != signature.FEA || f.Signer.CF != string(card(t, p, r.active).CF) ||
		f.Answers[signature.PublicAdministration] != signature.Accepted || f.Answers[signature.Private] != "CSE-732" {
		t.Fatalf("%+v", f)
	}

	r.clock.Advance(time.Hour)
	check(t, p.db.Atomically(t.Context(), func(ctx context.Context) error {
		return p.authority.Revoke(ctx, card(t, p, r.active).CertSerial, 1)
	}))
	r.clock.Advance(time.Hour)
	if f := p.upload(t, old).Signatures[0]; f.Verdict != signature.Unproved || f.Code != "CSE-749" || f.Now.Standing != signature.Revoked || f.AtSigning.Standing != signature.Good {
		t.Errorf("signed before the revocation: %+v", f)
	}
	if f := p.upload(t, sign()).Signatures[0]; f.Verdict != signature.Invalid || f.Code != "CSE-748" {
		t.Errorf("signed after the revocation: %+v", f)
	}
}
