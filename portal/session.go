package portal

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"cse.example/cse/ground/words"
)

// SessionCookie carries 256 random bits and nothing else.
const SessionCookie = "__Host-cse"

const sessionCookie = SessionCookie

// Session is one person at the portal. It is kept under the SHA-256 of the
// cookie, so that a copy of the store opens nothing.
type Session struct {
	Key     []byte `json:"-"` // SHA-256 of the cookie's value
	Subject string // sub of the ID token
	CF      string
	Given   string
	Family  string
	// Card is the number of the card that opened the session, empty for an
	// operator's password.
	Card string
	// CardIssuer names the issuer of a card that is not ours; empty for ours.
	CardIssuer string `json:",omitempty"`
	ACR        string
	AMR        []string
	// Account is the operator's account name, empty for a citizen.
	Account string
	// Office is the counter that the operator chose to work at; empty: not chosen.
	Office string `json:",omitempty"`
	// Sid is login's session, for back-channel logout; may be empty.
	Sid   string
	Began time.Time `json:"-"`
	Seen  time.Time `json:"-"`
}

// Name is how the person is addressed.
func (s Session) Name() string { return strings.TrimSpace(s.Given + " " + s.Family) }

// ErrNoSession: no session under that key.
var ErrNoSession = errors.New("portal: no such session")

// Sessions keeps sessions: who it is is sealed by the portal before it gets
// here. Writes happen inside an act. *store.DB's Sessions() is one.
type Sessions interface {
	PutSession(ctx context.Context, key, sealed []byte, began, seen time.Time) error
	// GetSession answers a nil body when there is no such session.
	GetSession(ctx context.Context, key []byte) (sealed []byte, began, seen time.Time, err error)
	TouchSession(ctx context.Context, key []byte, seen time.Time) error
	DeleteSession(ctx context.Context, key []byte) error
	// DeleteSessionsBefore deletes those begun before, and tells how many.
	DeleteSessionsBefore(ctx context.Context, began time.Time) (int64, error)
}

// Sealer encrypts what rests in the store; tink.AEAD is one.
type Sealer interface {
	Encrypt(plaintext, associatedData []byte) ([]byte, error)
	Decrypt(ciphertext, associatedData []byte) ([]byte, error)
}

// sealName binds a sealed session to its row.
func sealName(key []byte) []byte { return append([]byte("cse.portal.session/1|"), key...) }

func (p *Portal) putSession(ctx context.Context, s Session) error {
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	sealed, err := p.Seal.Encrypt(b, sealName(s.Key))
	if err != nil {
		return err
	}
	return p.Sessions.PutSession(ctx, s.Key, sealed, s.Began, s.Seen)
}

// getSession answers ErrNoSession for an unknown key, and for a row that does
// not open: it belongs to another key or was changed.
func (p *Portal) getSession(ctx context.Context, key []byte) (Session, error) {
	var s Session
	sealed, began, seen, err := p.Sessions.GetSession(ctx, key)
	if err != nil {
		return s, err
	}
	if sealed == nil {
		return s, ErrNoSession
	}
	b, err := p.Seal.Decrypt(sealed, sealName(key))
	if err != nil {
		return s, ErrNoSession
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return s, err
	}
	s.Key, s.Began, s.Seen = key, began, seen
	return s, nil
}

// token makes 256 random bits for a cookie.
func token(r io.Reader) (string, error) {
	b := make([]byte, 32)
	if _, err := io.ReadFull(r, b); err != nil {
		return "", fmt.Errorf("portal: random: %w", err)
	}
	return base64.RawURLEncoding.EncodeToString(b), nil
}

func keyOf(cookie string) []byte {
	h := sha256.Sum256([]byte(cookie))
	return h[:]
}

// OpenSession begins a session for somebody whom login has proved, and answers
// the cookie's value. replaced is the cookie of this browser's former session,
// which ends, so that a cookie planted before the login is worth nothing.
func (p *Portal) OpenSession(ctx context.Context, s Session, replaced string) (cookie string, err error) {
	if cookie, err = token(p.Rand); err != nil {
		return "", err
	}
	now := p.Clock.Now()
	s.Key, s.Began, s.Seen = keyOf(cookie), now, now
	err = p.Atomically(ctx, func(ctx context.Context) error {
		if replaced != "" {
			if err := p.forget(ctx, keyOf(replaced)); err != nil {
				return err
			}
		}
		if _, err := p.Sessions.DeleteSessionsBefore(ctx, now.Add(-p.Config.Longest)); err != nil {
			return err
		}
		return p.putSession(ctx, s)
	})
	if err != nil {
		return "", fmt.Errorf("portal: open session: %w", err)
	}
	return cookie, nil
}

// open begins a session in this browser.
func (c *call) open(s Session) error {
	var old string
	if cookie, err := c.r.Cookie(sessionCookie); err == nil {
		old = cookie.Value
	}
	value, err := c.p.OpenSession(c.r.Context(), s, old)
	if err != nil {
		return err
	}
	setCookie(c.w, sessionCookie, value, 0)
	return nil
}

func setCookie(w http.ResponseWriter, name, value string, maxAge int) {
	http.SetCookie(w, &http.Cookie{
		Name: name, Value: value, Path: "/", MaxAge: maxAge,
		Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

// end deletes the session, if any, and the browser's copy of everything.
func (c *call) end() error {
	setCookie(c.w, sessionCookie, "", -1)
	c.w.Header().Set("Clear-Site-Data", `"cache", "storage"`)
	if c.session == nil {
		return nil
	}
	key := c.session.Key
	c.session, c.op, c.locked = nil, nil, nil
	return c.p.Atomically(c.r.Context(), func(ctx context.Context) error { return c.p.forget(ctx, key) })
}

// resume finds the request's session and asks again whether it may go on: term,
// idle time, and the life of the card (rule R5). A session that is over is
// deleted, and the Fault says why; an operator's that is idle is locked.
func (c *call) resume() error {
	cookie, err := c.r.Cookie(sessionCookie)
	if err != nil {
		return nil // nobody: not an error
	}
	s, err := c.p.getSession(c.r.Context(), keyOf(cookie.Value))
	if errors.Is(err, ErrNoSession) {
		setCookie(c.w, sessionCookie, "", -1)
		return nil
	}
	if err != nil {
		return fmt.Errorf("portal: read session: %w", err)
	}
	c.session = &s
	if f := c.over(s); f != nil {
		return errors.Join(f, c.recordEnd(f), c.end())
	}
	if c.locks(s) {
		c.session, c.locked = nil, &s
		return nil
	}
	return c.touch(s)
}

// over tells why a session must end now, or nil.
func (c *call) over(s Session) *words.Fault {
	now := c.p.Clock.Now()
	idle := c.p.Config.Idle
	if s.Card == "" {
		idle = c.p.Config.CounterIdle
	}
	if now.Sub(s.Began) > c.p.Config.Longest || now.Sub(s.Seen) > idle && !c.locks(s) {
		return words.Refuse("CSE-350")
	}
	if s.Card == "" {
		return nil
	}
	return c.p.CardAlive(c.r.Context(), s.Card, s.CardIssuer)
}

// touch writes the last request's time, at most once a minute.
func (c *call) touch(s Session) error {
	now := c.p.Clock.Now()
	if now.Sub(s.Seen) < time.Minute {
		return nil
	}
	return c.p.Atomically(c.r.Context(), func(ctx context.Context) error { return c.p.Sessions.TouchSession(ctx, s.Key, now) })
}

// byCard tells that a card and its PIN opened the session.
func (s Session) byCard() bool { return s.Card != "" || slices.Contains(s.AMR, "sc") }
