package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/cardbase"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/pki/profile"
)

// O1 and O9 over HTTP: how fast OCSP answered, keys with their end, logins that
// were refused and no older than their window; requests to other issuers, which
// are marked once; the models of the letters in both languages, without a code.
func TestTheMachineOnTheDashboard(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	now := time.Now()
	r.clock.Set(now)
	key := r.employ(t, "carlo", 1, staff.RoleOperations)
	p := r.serve(t, "web", "print")
	note := func(ago time.Duration, act string) {
		t.Helper()
		r.clock.Set(now.Add(-ago))
		check(t, p.db.Atomically(t.Context(), func(ctx context.Context) error {
			return p.trail.Record(ctx, journal.Entry{Act: act, Actor: "x"})
		}))
	}
	for _, ago := range []time.Duration{8 * 24 * time.Hour, 6 * 24 * time.Hour, 25 * time.Hour, 23 * time.Hour, time.Hour} {
		note(ago, "operator.refused")
	}
	note(30*time.Minute, "login.refused")
	r.clock.Set(now)

	rq, err := http.NewRequestWithContext(t.Context(), http.MethodPost, p.Config.Public.PKI+profile.PathOCSP, strings.NewReader("no request"))
	check(t, err)
	rq.Header.Set("Content-Type", "application/ocsp-request")
	w := httptest.NewRecorder()
	h := p.timed(p.site)
	h.ServeHTTP(w, rq)
	other := httptest.NewRecorder()
	h.ServeHTTP(other, httptest.NewRequestWithContext(t.Context(), http.MethodGet, profile.PathRoot, http.NoBody))
	if l := p.answers.latency(); l.Answers != 1 || l.P95 <= 0 || l.Failed != 0 {
		t.Errorf("one question to OCSP, one for a certificate: %+v", l)
	}

	b := atWork(t, p, "carlo", key, "/operazioni")
	if got := b.Page.Pairs("data-logins", "data-n"); got["operators"] != "2" || got["cards"] != "1" {
		t.Errorf("logins refused today: %v", got)
	}
	op, err := p.directory.OperatorByAccount("carlo")
	check(t, err)
	ops, err := p.operations()
	check(t, err)
	health, err := ops.Health(t.Context(), op)
	check(t, err)
	if health.Week.Operators != 4 || health.Week.Cards != 1 {
		t.Errorf("in seven days: %+v", health.Week)
	}
	here := map[string]bool{}
	for _, k := range health.Keys {
		here[k.Name] = k.Here
		if !words.Has(words.Italian, "portal.ops.key."+k.Name) {
			t.Errorf("the key %s has no name", k.Name)
		}
	}
	if !here["issuing"] || !here["responder"] || here["root"] || !here["first"] || here["second"] {
		t.Errorf("keys of a process that prints and does not mail: %v", here)
	}
	text := b.Page.Text()
	for _, want := range []string{p.material.Responder.NotAfter.Format("2006"), "1 risposte", "non in questo processo"} {
		if !strings.Contains(text, want) {
			t.Errorf("the dashboard lacks %q: %s", want, text)
		}
	}

	// requests to other issuers
	request := cardbase.Request{Issuer: "00ff", Serial: "0a1b", Card: r.active, Act: "revoke", Reason: 1, At: now.UTC()}
	body, err := json.Marshal(request)
	check(t, err)
	check(t, os.MkdirAll(p.Config.requestsDir(), 0o700))
	name := r.active + "-7"
	check(t, os.WriteFile(filepath.Join(p.Config.requestsDir(), name+".json"), body, 0o600))
	home := p.Config.Public.Portal
	check(t, b.Get(t.Context(), home+"/it/operazioni/richieste"))
	if text := b.Page.Text(); !strings.Contains(text, "0a1b") || !strings.Contains(text, "revoca") || !strings.Contains(text, "da mandare") {
		t.Fatalf("the requests: %s", text)
	}
	check(t, b.Submit(t.Context(), "/operazioni/richieste", map[string]string{"richiesta": name}))
	if !strings.Contains(b.Page.Text(), "Segnata come mandata") || b.Page.HasForm("/operazioni/richieste") {
		t.Errorf("after the mark: %s", b.Page.Text())
	}
	if err := ops.RequestSent(t.Context(), op, name); words.FaultOf(err) == nil || words.FaultOf(err).Code != "CSE-650" {
		t.Errorf("marked twice: %v", err)
	}
	for _, bad := range []string{"", "../" + name, ".", "sent/" + name} {
		if err := ops.RequestSent(t.Context(), op, bad); words.FaultOf(err) == nil {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if got := records(t, p, "issuer-request.sent"); len(got) != 1 || got[0].Actor != "carlo" || got[0].Card != r.active {
		t.Errorf("on record: %+v", got)
	}
	list, err := ops.Requests(t.Context(), op)
	check(t, err)
	if len(list) != 1 || list[0].SentAt.IsZero() || !list[0].At.Equal(request.At) {
		t.Errorf("the list: %+v", list)
	}

	// models of the letters
	check(t, b.Get(t.Context(), home+"/it/operazioni/modelli/codici"))
	if text := b.Page.Text(); !strings.Contains(text, "PIN: •••") || !strings.Contains(text, words.Say(words.English, "counter.codes.subject")) {
		t.Errorf("the letter of codes: %s", text)
	}
	check(t, b.Get(t.Context(), home+"/it/operazioni/modelli"))
	if text := b.Page.Text(); !strings.Contains(text, words.Say(words.Italian, "contacts.mail.expiry.subject")) {
		t.Errorf("the models: %s", text)
	}
}

// The ring keeps the last answers only.
func TestTheStopwatchForgets(t *testing.T) {
	var s stopwatch
	for range lastAnswers {
		s.add(noon, time.Second, true)
	}
	for range lastAnswers {
		s.add(noon.Add(time.Hour), time.Millisecond, false)
	}
	if l := s.latency(); l.Answers != 2*lastAnswers || l.P95 != time.Millisecond || l.Failed != lastAnswers || !l.Since.Equal(noon) {
		t.Errorf("%+v", l)
	}
}
