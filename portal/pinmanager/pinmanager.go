// Package pinmanager is the PIN manager (gestore PIN): the holder's card on pages
// that `cse app` serves to one person's browser on one computer. Card, tries left,
// new PIN, unblocking with the PUK, signature, verification, diagnosis.
//
// The pages are the portal's look (package look), work without scripts and ask
// nothing of another site. Whoever listens and opens the card is passed in; this
// package has the rules of the door:
//
//   - a request's Host is one of Hosts, letter by letter (no DNS rebinding), and what
//     comes from another page, by Origin or Sec-Fetch-Site, is refused;
//   - the key in the first address opens once, for a cookie (HttpOnly,
//     SameSite=Strict, until the end of this run), and is worth nothing afterwards;
//   - each form carries a token that is good once, so that nothing is sent twice and
//     a page that is reloaded never spends a try.
//
// It guarantees that codes come in the body of a POST, are kept in a secret.Text as
// long as the act lasts and wiped after it, and never go back to a page; that no
// try is spent on another card than the one that the page showed, nor without the
// number left beside the field, nor the last one without a tick. It keeps one
// document at a time in memory and nothing on disk. It ends by itself when nobody
// uses it; every page says when.
//
// Standards: RFC 9110, RFC 6265bis (SameSite), W3C Fetch Metadata.
package pinmanager

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"sync"
	"time"

	"cse.example/cse/card/diagnosis"
	"cse.example/cse/card/reader"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/portal/look"
	"cse.example/cse/signature"
	"cse.example/cse/signature/cades"
)

//go:embed pages/*.html
var pages embed.FS

// Cards are the readers of this computer.
type Cards interface {
	// Slots lists them; no reader is an empty list.
	Slots() ([]reader.Slot, error)
	// Open connects to the card in a slot. Whoever calls closes it.
	Open(s reader.Slot) (reader.Card, error)
}

// Deps is what the manager stands on. What may be missing says so.
type Deps struct {
	Cards Cards
	// Assets are the built files of package look; nil in tests only.
	Assets fs.FS
	// Hosts are the values of Host that are ours: "127.0.0.1:PORT", "[::1]:PORT".
	Hosts []string
	Clock civil.Clock
	// Zone is where the hours on the pages are; the computer's when nil.
	Zone *time.Location
	// Idle is how long it stays open without being used; a quarter of an hour when zero.
	Idle time.Duration
	// Entered is called once, when the key has been used; may be nil.
	Entered func()

	// Stamp asks a time-stamping authority for signatures; may be nil.
	Stamp cades.Stamper
	// Verify and Print are those of cse verify.
	Verify func(ctx context.Context, file, content []byte) (signature.Report, error)
	Print  func(r signature.Report, lang words.Lang) ([]byte, error)
	// Diagnose looks at everything; reader is the chosen one, empty for any. Online
	// allows questions over the network.
	Diagnose func(ctx context.Context, reader string, online bool) diagnosis.Report
	// Extend is the extension of the certificate.
	Extend Extend
}

// idle is how long the manager stays open when nobody says otherwise.
const idle = 15 * time.Minute

// Manager serves the pages. Make one with New.
type Manager struct {
	Deps
	look   *look.Look
	assets http.Handler
	mux    *http.ServeMux
	secret [32]byte // marks cards on forms

	card    sync.Mutex // one act on a card at a time
	loading sync.Mutex // one upload at a time

	mu     sync.Mutex // what follows
	door   door
	tokens []string
	chosen string // the reader's name; empty for the only one with a card
	last   time.Time
	busy   int
	desk   desk
	told   outcome
	done   chan struct{}
	ended  bool
}

// New makes the manager: CSE-860 without the built assets, unless Assets is nil.
func New(d Deps) (*Manager, error) {
	if d.Cards == nil || d.Clock == nil || len(d.Hosts) == 0 || d.Verify == nil || d.Print == nil || d.Diagnose == nil || d.Extend == nil {
		return nil, errors.New("pinmanager: Cards, Clock, Hosts, Verify, Print, Diagnose and Extend are required")
	}
	if d.Idle == 0 {
		d.Idle = idle
	}
	if d.Zone == nil {
		d.Zone = time.Local
	}
	theme := look.DefaultTheme()
	theme.Body, theme.Parent = "cse", ""
	sub, err := fs.Sub(pages, "pages")
	if err != nil {
		return nil, err
	}
	m := &Manager{Deps: d, mux: http.NewServeMux(), last: d.Clock.Now(), done: make(chan struct{})}
	if m.look, err = look.New(theme, d.Assets, sub); err != nil {
		if errors.Is(err, look.ErrNotBuilt) {
			err = words.Refuse("CSE-860").Because(err)
		}
		return nil, err
	}
	m.assets = m.look.Handler()
	_, _ = rand.Read(m.secret[:]) // never fails (crypto/rand)
	m.routes()
	return m, nil
}

// fresh is 32 random bytes as text.
func fresh() string {
	var b [32]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// Entrance makes the key and gives the address that opens the manager, once, at
// origin ("http://127.0.0.1:PORT"). A second call makes a new key and forgets the
// first.
func (m *Manager) Entrance(origin string) string {
	key := fresh()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.door = door{key: sha256.Sum256([]byte(key)), open: true}
	return origin + "/entra?" + url.Values{"chiave": {key}}.Encode()
}

// End is why a manager ended.
type End string

// The ends.
const (
	Closed      End = "closed"      // by its button
	Unused      End = "unused"      // nobody used it for Idle
	Interrupted End = "interrupted" // its context ended
)

// Until is when the manager ends if nobody uses it.
func (m *Manager) Until() time.Time {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.last.Add(m.Idle)
}

// Wait returns when the manager has ended; after that it answers nothing but
// refusals. after is time.After outside of tests.
func (m *Manager) Wait(ctx context.Context, after func(time.Duration) <-chan time.Time) End {
	defer m.end()
	for {
		left, over := m.remaining()
		if over {
			return Unused
		}
		select {
		case <-m.done:
			return Closed
		case <-ctx.Done():
			return Interrupted
		case <-after(left):
		}
	}
}

// remaining is the time until the end, and whether it has come. A request that is
// being answered (a card at work, a long upload) keeps the manager open.
func (m *Manager) remaining() (time.Duration, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	left := m.last.Add(m.Idle).Sub(m.Clock.Now())
	if m.busy > 0 {
		return max(left, time.Second), false
	}
	return left, left <= 0
}

// use counts a request of the person's as use, from its beginning to its end.
func (m *Manager) use() (done func()) {
	m.mu.Lock()
	m.last = m.Clock.Now()
	m.busy++
	m.mu.Unlock()
	return func() {
		m.mu.Lock()
		m.last = m.Clock.Now()
		m.busy--
		m.mu.Unlock()
	}
}

// again is Until for a page that is about to be shown: the act before it may have
// taken long.
func (m *Manager) again() time.Time {
	m.mu.Lock()
	m.last = m.Clock.Now()
	m.mu.Unlock()
	return m.Until()
}

// end forgets everything and closes the door for good.
func (m *Manager) end() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.ended {
		m.ended = true
		close(m.done)
	}
	m.door, m.tokens, m.desk, m.told = door{}, nil, desk{}, outcome{}
}
