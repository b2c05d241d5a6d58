package main

import (
	"bytes"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/pki/profile"
)

// ocspOf asks our responder, over its HTTP face, as a stranger would.
func ocspOf(t *testing.T, p *Platform, leaf *x509.Certificate) *ocsp.Response {
	t.Helper()
	der, err := ocsp.CreateRequest(leaf, p.material.Issuing, nil)
	check(t, err)
	rq := httptest.NewRequestWithContext(t.Context(), http.MethodPost, profile.PathOCSP, bytes.NewReader(der))
	rq.Header.Set("Content-Type", "application/ocsp-request")
	w := httptest.NewRecorder()
	p.site.ServeHTTP(w, rq)
	answer, err := ocsp.ParseResponseForCert(w.Body.Bytes(), leaf, p.material.Issuing)
	check(t, err)
	return answer
}

// listOf fetches the list that the certificate itself names.
func listOf(t *testing.T, p *Platform, leaf *x509.Certificate) *x509.RevocationList {
	t.Helper()
	u, err := url.Parse(leaf.CRLDistributionPoints[0])
	check(t, err)
	w := httptest.NewRecorder()
	p.site.ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, u.Path, nil))
	body, err := io.ReadAll(w.Body)
	check(t, err)
	list, err := x509.ParseRevocationList(body)
	check(t, err)
	check(t, list.CheckSignatureFrom(p.material.Issuing))
	return list
}

// onList is the entry of leaf, nil for none.
func onList(list *x509.RevocationList, leaf *x509.Certificate) *x509.RevocationListEntry {
	for i, e := range list.RevokedCertificateEntries {
		if e.SerialNumber.Cmp(leaf.SerialNumber) == 0 {
			return &list.RevokedCertificateEntries[i]
		}
	}
	return nil
}

// From the form of the counter to what the world is told. R37: without the
// report the form is refused with 422, nothing moves, and "Sospendi subito" is
// offered. R35: with it, OCSP says revoked at once, with the reason and the
// instant of the act, and so does the next list, before the hour on the receipt.
func TestR35_R37_ALossReachesOCSPAndCRL(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.clock.Set(time.Now().Truncate(time.Second))
	r.config.Counters = append(r.config.Counters, staff.Office{ID: "ade1", Type: staff.ADE, Name: "Agenzia delle Entrate", Comune: "D612"})
	r.employ(t, "ettore", 12, staff.RoleOperator)
	r.config.Operators[len(r.config.Operators)-1].Offices = []string{"ade1"}
	p := r.serve(t, "web", "print")
	ctx := t.Context()
	leaf := must(must(p.authority.Get(ctx, card(t, p, r.active).CertSerial)).Certificate())
	// Suspended at the Comune first: the world is told of a hold, with its day.
	_, err := p.counter.Suspend(ctx, operatorOf(t, p, "anna"), asked(t, p, r, r.active))
	check(t, err)
	if a := ocspOf(t, p, leaf); a.Status != ocsp.Revoked || a.RevocationReason != ocsp.CertificateHold {
		t.Errorf("suspended: OCSP says %d, %d", a.Status, a.RevocationReason)
	}
	r.clock.Advance(time.Hour)

	cookie, path := browserOf(t, p, "ettore"), "/sportello/tessera/"+r.active+"/smarrimento"
	form := url.Values{
		"richiesta": {strings.Repeat("ab", 16)}, "presente": {"titolare"}, "documento_tipo": {"CIE"}, "documento_numero": {"CA00000AA"}, "documento_ente": {"COMUNE DI FIRENZE"},
		"documento_rilascio": {civil.Today(r.clock).AddYears(-1).Italian()}, "documento_scadenza": {civil.Today(r.clock).AddYears(5).Italian()}, "indirizzo": {"si"}, "lingua": {"it"},
	}
	post := func() *httptest.ResponseRecorder {
		w := httptest.NewRecorder()
		visit(t, p, w, cookie, http.MethodPost, path, form)
		return w
	}
	next := words.Refuse("CSE-430").Next(words.Italian)
	for _, given := range []map[string]string{
		{}, {"denuncia_tipo": "furto"}, {"denuncia_autorita": "Carabinieri di Prato", "denuncia_data": civil.Today(r.clock).Italian()},
	} {
		for k, v := range given {
			form.Set(k, v)
		}
		w := post()
		if w.Code != http.StatusUnprocessableEntity || w.Header().Get("CSE-Error") != "CSE-430" || !strings.Contains(w.Body.String(), "Sospendi subito") {
			t.Errorf("with %v: %d %s, want 422 CSE-430 and %q", given, w.Code, w.Header().Get("CSE-Error"), next)
		}
	}
	if a := ocspOf(t, p, leaf); a.RevocationReason != ocsp.CertificateHold || card(t, p, r.active).State != lifecycle.Suspended {
		t.Errorf("a refusal moved something: %d, %s", a.RevocationReason, card(t, p, r.active).State)
	}
	_, err = p.publisher.Publish(ctx)
	check(t, err)
	if e := onList(listOf(t, p, leaf), leaf); e == nil || e.ReasonCode != int(ocsp.CertificateHold) {
		t.Errorf("the list before the act: %+v", e)
	}

	r.clock.Advance(time.Minute)
	form.Set("denuncia_numero", "AB/77")
	w := post()
	if w.Code != http.StatusSeeOther {
		t.Fatalf("the act: %d %s", w.Code, w.Header().Get("CSE-Error"))
	}
	at := r.clock.Now()
	if again := post(); again.Header().Get("Location") != w.Header().Get("Location") {
		t.Errorf("pressed twice: %s and %s", w.Header().Get("Location"), again.Header().Get("Location"))
	}
	a := ocspOf(t, p, leaf)
	if a.Status != ocsp.Revoked || a.RevocationReason != ocsp.KeyCompromise || a.RevokedAt.Sub(at).Abs() > time.Second {
		t.Errorf("at once, OCSP says %d, reason %d, since %s; want revoked, 1, %s", a.Status, a.RevocationReason, a.RevokedAt, at)
	}
	life := time.Duration(p.Config.Issue.CRLHours) * time.Hour
	r.clock.Advance(life / 2) // when the list is renewed: broom
	_, err = p.publisher.Publish(ctx)
	check(t, err)
	list := listOf(t, p, leaf)
	e := onList(list, leaf)
	if e == nil || e.ReasonCode != int(ocsp.KeyCompromise) || e.RevocationTime.Sub(at).Abs() > time.Second {
		t.Errorf("the next list: %+v", e)
	}
	if by := counter.PublishedBy(at, life); list.ThisUpdate.After(by) {
		t.Errorf("the list is of %s, the receipt says by %s", list.ThisUpdate, by)
	}
	// The duplicate is another card with another certificate, which nobody revoked (R36).
	dup := card(t, p, card(t, p, r.active).ReplacedBy)
	if dup.State != lifecycle.Ordered || dup.CF != card(t, p, r.active).CF || dup.ID == r.active {
		t.Errorf("the duplicate: %+v", dup)
	}
	clean(t, p)
}
