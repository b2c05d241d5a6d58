package portaltest

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"time"

	"cse.example/cse/portal"
)

// PutHeld implements portal.Held.
func (m *Memory) PutHeld(_ context.Context, key, sealed []byte, until time.Time) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.held[string(key)] = row{body: sealed, seen: until}
	return nil
}

// GetHeld implements portal.Held.
func (m *Memory) GetHeld(_ context.Context, key []byte, now time.Time) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r := m.held[string(key)]; r.seen.After(now) {
		return r.body, nil
	}
	return nil, nil
}

// DeleteHeld implements portal.Held.
func (m *Memory) DeleteHeld(_ context.Context, key []byte) (bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, there := m.held[string(key)]
	delete(m.held, string(key))
	return there, nil
}

// PruneHeld implements portal.Held.
func (m *Memory) PruneHeld(_ context.Context, now time.Time) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var n int64
	for k, r := range m.held {
		if !r.seen.After(now) {
			delete(m.held, k)
			n++
		}
	}
	return n, nil
}

// LenHeld is the number of forms that are kept.
func (m *Memory) LenHeld() int { m.mu.Lock(); defer m.mu.Unlock(); return len(m.held) }

// Typed is a form at a counter, as an operator fills it in.
func (s *Stage) Typed() (path string, form url.Values) {
	return "/sportello/tessera/" + s.Cards["active"].ID + "/sospendi", url.Values{
		"richiesta": {token}, "presente": {"titolare"}, "documento_tipo": {"CI"}, "documento_numero": {"AX1234567"}, "documento_ente": {"Comune"},
		"documento_rilascio": {"05/03/2022"}, "documento_scadenza": {"05/03/2032"}, "lingua": {"it"},
	}
}

func (s *Stage) refused(_ context.Context, r portal.Refusal) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.Refusals = append(s.Refusals, r)
	return nil
}

// resumed is an operator who sent a form to his locked screen and unlocked it.
func (s *Stage) resumed(ctx context.Context, cookie *http.Cookie) error {
	path, form := s.Typed()
	r := httptest.NewRequestWithContext(ctx, http.MethodPost, s.addr.Portal+path, strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.AddCookie(cookie)
	w := httptest.NewRecorder()
	s.Portal.ServeHTTP(w, r)
	if w.Header().Get("CSE-Error") != "CSE-484" {
		return errors.New("portaltest: the screen is not locked: " + w.Header().Get("CSE-Error"))
	}
	key := sha256.Sum256([]byte(cookie.Value))
	return s.Sessions.TouchSession(ctx, key[:], s.Clock.Now())
}

// lockStates are the pages of the idle lock.
func (s *Stage) lockStates() []State {
	path, typed := s.Typed()
	return []State{
		{Name: "blocco", Host: "portal", Path: "/sportello", Who: "locked", Status: 403, Fault: "CSE-484"},
		{Name: "blocco-modulo", Host: "portal", Path: path, Form: typed, Who: "locked", Status: 403, Fault: "CSE-484"},
		{Name: "blocco-codice", Host: "portal", Path: "/sportello/tessera/" + s.Cards["active"].ID + "/telefono", Form: form("cifre", "1234"), Who: "locked", Status: 403, Fault: "CSE-484"},
		{Name: "ripresa", Host: "portal", Path: "/sblocca/ripresa", Who: "resumed", Status: 200},
		{Name: "ripresa-niente", Host: "portal", Path: "/sblocca/ripresa", Who: "password", Status: 403, Fault: "CSE-485"},
		{Name: "ripresa-inviata", Host: "portal", Path: "/sblocca/ripresa", Form: form(), Who: "resumed", Status: 200, Follow: true},
		{Name: "ripresa-scartata", Host: "portal", Path: "/sblocca/scarta", Form: form(), Who: "resumed", Status: 200, Follow: true},
	}
}

var _ portal.Held = (*Memory)(nil)
