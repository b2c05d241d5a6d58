package main

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/pki/status"
)

// From the act at the counter to the list that the certificate names, by the
// lister's turns: a suspension within two minutes, a reactivation within ten, OCSP
// at once. A card that nobody activated is on hold on both. The papers say by when
// others know, with the hours of the configuration.
func TestR35_ListsFollowTheActsWithinMinutes(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.clock.Set(time.Now().Truncate(time.Second))
	r.config.Issue.CRLHours = 4
	p := r.open(t, Options{}, "web")
	ctx, anna := t.Context(), operatorOf(t, p, "anna")
	turns := func(within time.Duration, on bool) {
		t.Helper()
		leaf := must(must(p.authority.Get(ctx, card(t, p, r.active).CertSerial)).Certificate())
		for from := r.clock.Now(); ; r.clock.Advance(listerTurn) {
			check(t, p.refreshLists(ctx))
			if (onList(listOf(t, p, leaf), leaf) != nil) == on {
				return
			}
			if r.clock.Now().Sub(from) > within {
				t.Fatalf("on the list: %t, %s after the act", !on, within)
			}
		}
	}
	turns(0, false)
	pending := must(must(p.authority.Get(ctx, card(t, p, r.waiting).CertSerial)).Certificate())
	if e := onList(listOf(t, p, pending), pending); e == nil || e.ReasonCode != status.Hold || ocspOf(t, p, pending).RevocationReason != ocsp.CertificateHold {
		t.Errorf("a card that nobody activated: %+v on the list, %+v by OCSP", e, ocspOf(t, p, pending))
	}
	_, err := p.counter.Suspend(ctx, anna, asked(t, p, r, r.active))
	check(t, err)
	turns(2*time.Minute, true)
	_, err = p.counter.Reactivate(ctx, anna, asked(t, p, r, r.active))
	check(t, err)
	turns(10*time.Minute, false)

	for _, l := range []words.Lang{words.Italian, words.English} {
		at := time.Date(2026, 12, 1, 9, 30, 0, 0, time.UTC) // the sample's
		by := counter.PublishedBy(at, 4*time.Hour).In(civil.Rome).Format("02/01/2006 15:04")
		found := 0
		for _, f := range must(p.formTexts(l)) {
			if f.ID != "foglio-codici" && f.ID != "ricevuta-reactivate" {
				continue
			}
			found++
			text := ""
			for _, b := range f.Blocks {
				text += b.Text + " " + strings.Join(b.Items, " ") + "\n"
			}
			if !strings.Contains(text, by) || f.ID == "foglio-codici" && !strings.Contains(text, "(4 h)") {
				t.Errorf("%s, %s: does not say that others may need until %s\n%s", l, f.ID, by, text)
			}
		}
		if found != 2 {
			t.Errorf("%s: %d papers that say when others know", l, found)
		}
	}
	clean(t, p)
}

// A list that cannot be published: operations and /readyz are told, the refusal says
// what to do, and the others go on; then it comes by itself.
func TestLateListsAreTold(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	p := r.open(t, Options{}, "web")
	ctx := t.Context()
	check(t, p.refreshLists(ctx))
	ready := func() string {
		w := httptest.NewRecorder()
		p.health(http.NotFoundHandler()).ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, "/readyz", nil))
		if w.Code != http.StatusOK {
			t.Errorf("/readyz: %d", w.Code)
		}
		return w.Body.String()
	}
	if got := ready(); got != "ok\n" {
		t.Errorf("with fresh lists: %q", got)
	}
	path := filepath.Join(p.crlDir(), "issuing-2.crl")
	check(t, errors.Join(os.Remove(path), os.MkdirAll(filepath.Join(path, "in-the-way"), 0o700)))
	r.clock.Advance(5 * time.Hour)
	if err := p.refreshLists(ctx); !errors.Is(err, words.Refuse("CSE-943")) || !strings.Contains(err.Error(), "issuing-2.crl") {
		t.Errorf("a folder in the list's place: %v", err)
	}
	if got := ready(); got != "ok\nrevocation lists: 1 late\n" {
		t.Errorf("with a list that is late: %q", got)
	}
	check(t, errors.Join(os.RemoveAll(path)))
	lists := must(p.lists(ctx))
	if len(lists) != 2 || lists[0].Parts != 4 || lists[0].Late != 1 || lists[0].Name != "issuing-0.crl … issuing-3.crl" || lists[0].Entries == 0 {
		t.Errorf("operations see %+v", lists)
	}
	check(t, p.refreshLists(ctx))
	if got := ready(); got != "ok\n" {
		t.Errorf("then: %q", got)
	}
}
