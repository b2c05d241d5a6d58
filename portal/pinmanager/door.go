package pinmanager

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"slices"
	"strings"

	"cse.example/cse/ground/words"
)

// door is who may come in.
type door struct {
	key  [sha256.Size]byte // of the key in the first address
	open bool              // the key was not used yet
	// session is the hash of the cookie's value; nil before somebody came in.
	session []byte
}

// cookieName carries the port, because browsers do not tell ports apart in cookies.
func cookieName(host string) string {
	return "cse-" + host[strings.LastIndexByte(host, ':')+1:]
}

// fromOutside tells what makes a request somebody else's: another Host, another
// Origin, another site. Nil when it is ours.
func (m *Manager) fromOutside(r *http.Request) *words.Fault {
	refuse := words.Refuse("CSE-856")
	if !slices.Contains(m.Hosts, r.Host) {
		return refuse
	}
	origins := r.Header.Values("Origin")
	switch {
	case len(origins) > 1:
		return refuse
	case len(origins) == 1 && origins[0] != "http://"+r.Host:
		return refuse
	case len(origins) == 0 && r.Method == http.MethodPost:
		return refuse // browsers send it with every POST
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "", "same-origin", "none":
		return nil
	}
	// The page in the redirect file is another site, and may lead to the door only.
	if r.Method == http.MethodGet && (r.URL.Path == "/entra" || r.URL.Path == "/benvenuto") {
		return nil
	}
	return refuse
}

// inside tells whether the request has the cookie.
func (m *Manager) inside(r *http.Request) bool {
	c, err := r.Cookie(cookieName(r.Host))
	if err != nil {
		return false
	}
	sum := sha256.Sum256([]byte(c.Value))
	m.mu.Lock()
	defer m.mu.Unlock()
	return subtle.ConstantTimeCompare(sum[:], m.door.session) == 1
}

// enter takes the key of the first address and gives the cookie, once. What a
// browser fetches ahead of its person does not count.
func (c *call) enter() error {
	if strings.Contains(c.r.Header.Get("Sec-Purpose")+c.r.Header.Get("Purpose"), "prefetch") {
		c.w.WriteHeader(http.StatusServiceUnavailable)
		return nil
	}
	value := fresh()
	if !c.m.unlock(c.r.URL.Query().Get("chiave"), value) {
		return c.refuse(http.StatusForbidden, words.Refuse("CSE-855"))
	}
	http.SetCookie(c.w, &http.Cookie{
		Name: cookieName(c.r.Host), Value: value, Path: "/", HttpOnly: true, SameSite: http.SameSiteStrictMode,
	})
	if c.m.Entered != nil {
		c.m.Entered()
	}
	c.redirect("/benvenuto")
	return nil
}

func (m *Manager) unlock(key, session string) bool {
	sum := sha256.Sum256([]byte(key))
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.ended || !m.door.open || subtle.ConstantTimeCompare(sum[:], m.door.key[:]) != 1 {
		return false
	}
	value := sha256.Sum256([]byte(session))
	m.door = door{session: value[:]}
	m.last = m.Clock.Now()
	return true
}

// welcome follows the door. A browser that comes from the redirect file, another
// site, keeps its strict cookie back until somebody follows a link of ours.
func (c *call) welcome() error {
	if c.m.inside(c.r) {
		c.redirect("/")
		return nil
	}
	return c.show(http.StatusOK, "welcome", c.page("", "manager.welcome.title"), nil)
}

// keptTokens is how many forms may be open at once; the oldest is forgotten.
const keptTokens = 64

// token makes one for the forms of a page.
func (m *Manager) token() string {
	t := fresh()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tokens = append(m.tokens, t)
	if len(m.tokens) > keptTokens {
		m.tokens = slices.Clone(m.tokens[1:])
	}
	return t
}

// spend takes a token back: CSE-857 when it is none, or was spent.
func (m *Manager) spend(token string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	i := slices.Index(m.tokens, token)
	if i < 0 {
		return words.Refuse("CSE-857")
	}
	m.tokens = slices.Delete(m.tokens, i, i+1)
	return nil
}
