package logintest

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"cse.example/cse/login"
	"cse.example/cse/login/handover"
	"cse.example/cse/login/provider"
)

// Act is how a store runs an act.
type Act func(ctx context.Context, act func(ctx context.Context) error) error

// Suite is what every implementation of login.Records must do.
func Suite(t *testing.T, r login.Records, atomically Act) {
	in := func(t *testing.T, act func(ctx context.Context) error) error {
		t.Helper()
		return atomically(t.Context(), act)
	}
	now := time.Now().UTC().Truncate(time.Microsecond)
	t.Run("flow", func(t *testing.T) { flowCase(t, r, in, now) })
	t.Run("ticket", func(t *testing.T) { ticketCase(t, r, in, now) })
	t.Run("session", func(t *testing.T) { sessionCase(t, r, in, now) })
	t.Run("grant", func(t *testing.T) { grantCase(t, r, in, now) })
	t.Run("end", func(t *testing.T) { endCase(t, r, in, now) })
	t.Run("token", func(t *testing.T) { tokenCase(t, r, in, now) })
	t.Run("spent", func(t *testing.T) { spentCase(t, r, in, now) })
	t.Run("race", func(t *testing.T) { raceCase(t, r, in, now) })
}

type run func(t *testing.T, act func(ctx context.Context) error) error

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func want(t *testing.T, err, target error) {
	t.Helper()
	if !errors.Is(err, target) {
		t.Fatalf("got %v, want %v", err, target)
	}
}

func flowCase(t *testing.T, r login.Records, in run, now time.Time) {
	f := handover.Flow{Hash: "f1", Browser: "b", Session: "s", Client: "c", ACR: "a", Expires: now.Add(time.Minute)}
	must(t, in(t, func(ctx context.Context) error { return r.SaveFlow(ctx, f) }))
	got, err := r.Flow(t.Context(), "f1")
	if err != nil || got != f {
		t.Fatalf("got %+v %v, want %+v", got, err, f)
	}
	for _, first := range []bool{true, false} {
		must(t, in(t, func(ctx context.Context) error {
			won, err := r.EndFlow(ctx, "f1", now)
			if won != first {
				t.Errorf("EndFlow: %v, want %v", won, first)
			}
			return err
		}))
	}
	if got, _ = r.Flow(t.Context(), "f1"); !got.Ended.Equal(now) {
		t.Errorf("ended %v, want %v", got.Ended, now)
	}
	_, err = r.Flow(t.Context(), "none")
	want(t, err, handover.ErrUnknown)
}

func ticketCase(t *testing.T, r login.Records, in run, now time.Time) {
	k := handover.Ticket{Hash: "t1", Flow: "f1", Identity: []byte("sealed"), Expires: now.Add(time.Minute)}
	must(t, in(t, func(ctx context.Context) error { return r.SaveTicket(ctx, k) }))
	got, err := r.Ticket(t.Context(), "t1")
	if err != nil || string(got.Identity) != "sealed" || !got.Taken.IsZero() || got.Flow != "f1" {
		t.Fatalf("got %+v %v", got, err)
	}
	for _, first := range []bool{true, false} {
		must(t, in(t, func(ctx context.Context) error {
			won, err := r.TakeTicket(ctx, "t1", now)
			if won != first {
				t.Errorf("TakeTicket: %v, want %v", won, first)
			}
			return err
		}))
	}
	if got, _ = r.Ticket(t.Context(), "t1"); len(got.Identity) != 0 || !got.Taken.Equal(now) {
		t.Errorf("a taken ticket keeps %q, taken %v", got.Identity, got.Taken)
	}
	_, err = r.Ticket(t.Context(), "none")
	want(t, err, handover.ErrUnknown)
}

func sessionCase(t *testing.T, r login.Records, in run, now time.Time) {
	row := provider.SessionRow{ID: "s1", PAR: "p1", Body: []byte("one"), Open: true, Expires: now.Add(time.Minute)}
	put := func() error { return in(t, func(ctx context.Context) error { return r.PutSession(ctx, row) }) }
	must(t, put())
	got, err := r.SessionByPAR(t.Context(), "p1")
	if err != nil || got.Version != 1 || string(got.Body) != "one" || !got.Open {
		t.Fatalf("got %+v %v", got, err)
	}
	row.Version, row.PAR, row.Body = 1, "", []byte("two")
	must(t, put())
	want(t, put(), provider.ErrConflict) // the same version again
	_, err = r.SessionByPAR(t.Context(), "p1")
	want(t, err, provider.ErrUnknown) // a pushed request works once
	_, err = r.SessionByPAR(t.Context(), "")
	want(t, err, provider.ErrUnknown)
	row.Version, row.Open = 2, false
	must(t, put())
	row.Version, row.Open = 3, true
	want(t, put(), provider.ErrConflict) // what is closed stays closed
	_, err = r.Session(t.Context(), "none")
	want(t, err, provider.ErrUnknown)
}

func grantCase(t *testing.T, r login.Records, in run, now time.Time) {
	row := provider.GrantRow{ID: "g1", Code: "c1", Credential: "card:1", Body: []byte("one"), Expires: now.Add(time.Hour)}
	put := func() error { return in(t, func(ctx context.Context) error { return r.PutGrant(ctx, row) }) }
	must(t, put())
	got, err := r.GrantByCode(t.Context(), "c1")
	if err != nil || got.ID != "g1" || got.Version != 1 || got.Credential != "card:1" {
		t.Fatalf("got %+v %v", got, err)
	}
	_, err = r.GrantByRefresh(t.Context(), "")
	want(t, err, provider.ErrUnknown)
	row.Version, row.Refresh = 1, "r1"
	must(t, put())
	want(t, put(), provider.ErrConflict)
	if got, err = r.GrantByRefresh(t.Context(), "r1"); err != nil || got.Version != 2 {
		t.Fatalf("got %+v %v", got, err)
	}
	row.Version, row.Revoked = 2, now
	must(t, put())
	row.Version, row.Revoked = 3, time.Time{}
	want(t, put(), provider.ErrConflict) // what was revoked stays revoked
	if got, _ = r.Grant(t.Context(), "g1"); !got.Revoked.Equal(now) {
		t.Errorf("revoked %v, want %v", got.Revoked, now)
	}
	_, err = r.GrantByCode(t.Context(), "none")
	want(t, err, provider.ErrUnknown)
}

func endCase(t *testing.T, r login.Records, in run, now time.Time) {
	must(t, in(t, func(ctx context.Context) error {
		for _, g := range []provider.GrantRow{
			{ID: "e1", Credential: "card:7"}, {ID: "e2", Credential: "card:7"}, {ID: "e3", Credential: "card:8"},
		} {
			g.Body, g.Expires = []byte("x"), now.Add(time.Hour)
			if err := r.PutGrant(ctx, g); err != nil {
				return err
			}
		}
		return nil
	}))
	for _, wantN := range []int64{2, 0} {
		must(t, in(t, func(ctx context.Context) error {
			n, err := r.EndGrants(ctx, "card:7", now)
			if n != wantN {
				t.Errorf("ended %d, want %d", n, wantN)
			}
			return err
		}))
	}
	// An act that read the grant before cannot bring it back.
	err := in(t, func(ctx context.Context) error {
		return r.PutGrant(ctx, provider.GrantRow{ID: "e1", Body: []byte("y"), Version: 1, Expires: now})
	})
	want(t, err, provider.ErrConflict)
	if got, _ := r.Grant(t.Context(), "e3"); !got.Revoked.IsZero() {
		t.Error("another card's session was ended")
	}
	must(t, in(t, func(ctx context.Context) error { return r.EndGrant(ctx, "e3", now) }))
	if got, _ := r.Grant(t.Context(), "e3"); got.Revoked.IsZero() {
		t.Error("EndGrant did not end it")
	}
}

func tokenCase(t *testing.T, r login.Records, in run, now time.Time) {
	row := provider.TokenRow{ID: "k1", Grant: "g1", Body: []byte("x"), Expires: now.Add(time.Hour)}
	must(t, in(t, func(ctx context.Context) error { return r.PutToken(ctx, row) }))
	row.Revoked = now
	must(t, in(t, func(ctx context.Context) error { return r.PutToken(ctx, row) }))
	got, err := r.Token(t.Context(), "k1")
	if err != nil || !got.Revoked.Equal(now) || got.Grant != "g1" {
		t.Errorf("got %+v %v", got, err)
	}
	_, err = r.Token(t.Context(), "none")
	want(t, err, provider.ErrUnknown)
}

func spentCase(t *testing.T, r login.Records, in run, now time.Time) {
	for _, first := range []bool{true, false} {
		must(t, in(t, func(ctx context.Context) error {
			fresh, err := r.Spend(ctx, "jti/1", "g9", now.Add(time.Hour))
			if fresh != first {
				t.Errorf("fresh %v, want %v", fresh, first)
			}
			return err
		}))
	}
	if g, err := r.Spent(t.Context(), "jti/1"); err != nil || g != "g9" {
		t.Errorf("got %q %v", g, err)
	}
	_, err := r.Spent(t.Context(), "none")
	want(t, err, provider.ErrUnknown)
}

// raceCase: of many that read one version, one writes.
func raceCase(t *testing.T, r login.Records, in run, now time.Time) {
	const grants, racers = 20, 8
	for g := range grants {
		id := fmt.Sprintf("race-%d", g)
		row := provider.GrantRow{ID: id, Body: []byte("x"), Expires: now.Add(time.Hour)}
		must(t, in(t, func(ctx context.Context) error { return r.PutGrant(ctx, row) }))
		row.Version = 1
		won := together(racers, func() bool {
			err := in(t, func(ctx context.Context) error { return r.PutGrant(ctx, row) })
			if err != nil && !errors.Is(err, provider.ErrConflict) {
				t.Error(err)
			}
			return err == nil
		})
		if won != 1 {
			t.Errorf("%s: %d won", id, won)
		}
	}
}

// together runs f n times at once and counts the successes.
func together(n int, f func() bool) int {
	var wg sync.WaitGroup
	var mu sync.Mutex
	won, start := 0, make(chan struct{})
	for range n {
		wg.Go(func() {
			<-start
			if f() {
				mu.Lock()
				won++
				mu.Unlock()
			}
		})
	}
	close(start)
	wg.Wait()
	return won
}

var cardLink = regexp.MustCompile(`<a rel="cns" href="([^"]+)">`)

// Redemptions logs in codes times with the card and redeems each code racers
// times at once, over TLS: exactly one may succeed. The library alone lets more
// through (measured: 9 codes of 200).
func Redemptions(t *testing.T, w *World, codes, racers int) {
	t.Helper()
	const verifier = "a-code-verifier-of-forty-three-characters-or-more"
	sum := sha256.Sum256([]byte(verifier))
	start := w.LoginURL + "/authorize?" + url.Values{
		"client_id": {ClientID}, "redirect_uri": {Redirect}, "response_type": {"code"}, "scope": {"openid"}, "state": {"s"},
		"code_challenge": {base64.RawURLEncoding.EncodeToString(sum[:])}, "code_challenge_method": {"S256"},
	}.Encode()
	b, client := w.Browser(&w.Card), &http.Client{Transport: w.Transport(nil)}
	for n := range codes {
		code := codeFor(t, b, start)
		body := url.Values{"grant_type": {"authorization_code"}, "code": {code}, "redirect_uri": {Redirect}, "code_verifier": {verifier}}.Encode()
		won := together(racers, func() bool { return redeem(t, client, w.LoginURL+"/token", body) })
		if won != 1 {
			t.Errorf("code %d: redeemed %d times", n, won)
		}
	}
}

func codeFor(t *testing.T, b *http.Client, start string) string {
	t.Helper()
	page := text(t, b, start)
	m := cardLink.FindStringSubmatch(page)
	if m == nil {
		t.Fatalf("no link to the card's host: %s", page)
	}
	r, err := b.Get(m[1])
	must(t, err)
	defer r.Body.Close()
	code := Query(t, r.Header.Get("Location"), "code")
	if code == "" {
		t.Fatalf("no code: %d %s", r.StatusCode, r.Header.Get("Location"))
	}
	return code
}

func text(t *testing.T, b *http.Client, address string) string {
	t.Helper()
	r, err := b.Get(address)
	must(t, err)
	defer r.Body.Close()
	var s strings.Builder
	if err := r.Write(&s); err != nil {
		t.Fatal(err)
	}
	return s.String()
}

func redeem(t *testing.T, c *http.Client, address, body string) bool {
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, address, strings.NewReader(body))
	if err != nil {
		t.Error(err)
		return false
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.SetBasicAuth(ClientID, ClientSecret)
	r, err := c.Do(req)
	if err != nil {
		t.Error(err)
		return false
	}
	defer r.Body.Close()
	if r.StatusCode != http.StatusOK && r.StatusCode != http.StatusBadRequest {
		t.Errorf("a loser was told %d, want 400 invalid_grant", r.StatusCode)
	}
	return r.StatusCode == http.StatusOK
}
