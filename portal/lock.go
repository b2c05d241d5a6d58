package portal

import (
	"context"
	"encoding/json"
	"io"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"cse.example/cse/ground/words"
)

// The idle lock (ux.md 4.1): an operator's screen that nobody touched for ten
// minutes shows nothing until he has proved himself again, and then goes on where
// it was. The session stays, its absolute end too. A form that hits the lock is
// kept sealed for a while and sent again only when he says so; one with a code or
// a password in it is not kept.

// Held keeps the forms that hit a lock, one for a session, sealed by the portal.
// Writes happen inside an act. *store.DB's Held() is one.
type Held interface {
	PutHeld(ctx context.Context, key, sealed []byte, until time.Time) error
	// GetHeld answers a nil body when nothing is kept, or no longer.
	GetHeld(ctx context.Context, key []byte, now time.Time) ([]byte, error)
	DeleteHeld(ctx context.Context, key []byte) (bool, error)
	PruneHeld(ctx context.Context, now time.Time) (int64, error)
}

// heldLife is how long a form waits for its operator; maxHeld its size.
const (
	heldLife = 30 * time.Minute
	maxHeld  = 64 << 10
)

// heldForm is a form that was sent to a locked screen.
type heldForm struct {
	Path, Query string
	Form        string // as it was sent
	Back        string // the page it was sent from
}

// heldUnder are the addresses whose forms are kept: an operator's work.
var heldUnder = []string{"/sportello/", opsRoot, "/gestione/", "/approvazioni"}

// secretFields are never kept, nor a form that has one.
var secretFields = []string{"cip", "cifre", "pin", "puk", "password", "password_ripetuta", "totp", "meta_uno", "meta_due", "codice_attuale", "codice_nuovo"}

func heldName(key []byte) []byte { return append([]byte("cse.portal.held/1|"), key...) }

func (p *Portal) lockRoutes(at func(pattern string, a answer)) {
	at("GET /sblocca/ripresa", staffed((*call).resumeForm))
	at("POST /sblocca/ripresa", staffed((*call).sendHeld))
	at("POST /sblocca/scarta", staffed((*call).dropHeld))
}

// locks tells that an idle session is an operator's, whose screen locks instead
// of ending.
func (c *call) locks(s Session) bool {
	if c.p.Clock.Now().Sub(s.Seen) <= c.p.Config.CounterIdle {
		return false
	}
	_, err := c.p.operator(s)
	return err == nil
}

// whileLocked answers a request of a locked screen: the way back in and the way
// out are open, everything else is the lock.
func (c *call) whileLocked(a answer) error {
	switch c.tongue.path {
	case "/entra", "/ritorno":
		return a(c)
	case "/uscita":
		c.session = c.locked
		return a(c)
	}
	return c.lockPage()
}

func (c *call) lockPage() error {
	data := struct {
		Name, To   string
		Kept, Lost bool
	}{Name: c.locked.Name(), To: c.tongue.path}
	if c.r.URL.RawQuery != "" {
		data.To += "?" + c.r.URL.RawQuery
	}
	if c.r.Method != http.MethodGet && c.r.Method != http.MethodHead {
		data.To = c.from()
		kept, err := c.hold(data.To)
		if err != nil {
			return err
		}
		data.Kept, data.Lost = kept, !kept
	}
	page := c.page("", "portal.lock.title")
	page.Data = data
	page.Fault = words.Refuse("CSE-484")
	return c.show(http.StatusForbidden, "lock", page)
}

// from is the page of ours that a form was sent from.
func (c *call) from() string {
	u, err := url.Parse(c.r.Referer())
	if err != nil || u.Scheme+"://"+u.Host != c.p.Config.URL || u.Path == "" {
		return "/sportello"
	}
	path := strings.TrimPrefix(u.Path, c.tongue.prefix)
	if u.RawQuery != "" {
		path += "?" + u.RawQuery
	}
	return ourPath(path)
}

// hold keeps the form of this request, and tells whether.
func (c *call) hold(back string) (bool, error) {
	if c.p.Held == nil || !slices.ContainsFunc(heldUnder, func(p string) bool { return strings.HasPrefix(c.tongue.path, p) }) {
		return false, nil
	}
	if kind, _, err := mime.ParseMediaType(c.r.Header.Get("Content-Type")); err != nil || kind != "application/x-www-form-urlencoded" {
		return false, nil // a file is not kept
	}
	body, err := io.ReadAll(http.MaxBytesReader(c.w, c.r.Body, maxHeld))
	if err != nil {
		return false, nil
	}
	form, err := url.ParseQuery(string(body))
	if err != nil || slices.ContainsFunc(secretFields, form.Has) {
		return false, nil
	}
	key := c.locked.Key
	return true, c.p.Atomically(c.r.Context(), func(ctx context.Context) error {
		return c.p.putHeld(ctx, key, heldForm{c.tongue.path, c.r.URL.RawQuery, form.Encode(), back})
	})
}

func (p *Portal) putHeld(ctx context.Context, key []byte, f heldForm) error {
	b, err := json.Marshal(f)
	if err != nil {
		return err
	}
	sealed, err := p.Seal.Encrypt(b, heldName(key))
	if err != nil {
		return err
	}
	now := p.Clock.Now()
	if _, err := p.Held.PruneHeld(ctx, now); err != nil {
		return err
	}
	return p.Held.PutHeld(ctx, key, sealed, now.Add(heldLife))
}

// heldOf is the form that a session's lock keeps; false for none.
func (p *Portal) heldOf(ctx context.Context, key []byte) (f heldForm, there bool, err error) {
	if p.Held == nil {
		return f, false, nil
	}
	sealed, err := p.Held.GetHeld(ctx, key, p.Clock.Now())
	if err != nil || sealed == nil {
		return f, false, err
	}
	b, err := p.Seal.Decrypt(sealed, heldName(key))
	if err != nil {
		return f, false, nil // another session's, or changed: nobody's
	}
	return f, true, json.Unmarshal(b, &f)
}

// unlock takes a login at a locked screen: the same operator goes on with a new
// cookie, his office and his form, until the absolute end of the session he had;
// anybody else is refused (CSE-483), and that is recorded.
func (c *call) unlock(s Session, to string) error {
	was := *c.locked
	before, err := c.p.operator(was)
	if err != nil {
		return err
	}
	if now, err := c.p.operator(s); err != nil || now.Account != before.Account {
		return c.notTheirs(s, now.Account)
	}
	cookie, err := token(c.p.Rand)
	if err != nil {
		return err
	}
	s.Key, s.Began, s.Seen, s.Office = keyOf(cookie), was.Began, c.p.Clock.Now(), was.Office
	kept := false
	err = c.p.Atomically(c.r.Context(), func(ctx context.Context) error {
		f, there, err := c.p.heldOf(ctx, was.Key)
		if err == nil {
			err = c.p.forget(ctx, was.Key)
		}
		if err == nil {
			err = c.p.putSession(ctx, s)
		}
		if err == nil && there {
			kept, err = true, c.p.putHeld(ctx, s.Key, f)
		}
		return err
	})
	if err != nil {
		return err
	}
	setCookie(c.w, sessionCookie, cookie, 0)
	if kept {
		return c.leave("/sblocca/ripresa")
	}
	c.w.Header().Set("Cache-Control", "no-store")
	http.Redirect(c.w, c.r, to, http.StatusSeeOther)
	return nil
}

func (c *call) notTheirs(s Session, account string) error {
	f := words.Refuse("CSE-483")
	if c.p.Refused == nil {
		return f
	}
	r := Refusal{Actor: account, Route: c.r.Pattern, Code: f.Code}
	switch {
	case account != "":
	case s.Account != "":
		r.Actor = s.Account
	default:
		r.Actor, r.Person, r.Card = "holder", s.CF, s.Card
	}
	c.recorded = true
	if err := c.p.Refused(c.r.Context(), r); err != nil {
		return err
	}
	return f
}

// forget deletes a session and what its lock kept, in the act of ctx.
func (p *Portal) forget(ctx context.Context, key []byte) error {
	if p.Held != nil {
		if _, err := p.Held.DeleteHeld(ctx, key); err != nil {
			return err
		}
	}
	return p.Sessions.DeleteSession(ctx, key)
}

// notShown are fields that say nothing to a person.
var notShown = []string{"richiesta", "versione", "lettura", "tessera"}

// resumeForm shows the form that was kept, and asks whether to send it.
func (c *call) resumeForm() error {
	f, there, err := c.p.heldOf(c.r.Context(), c.session.Key)
	if err != nil {
		return err
	}
	if !there {
		return words.Refuse("CSE-485")
	}
	form, err := url.ParseQuery(f.Form)
	if err != nil {
		return err
	}
	type line struct{ Name, Value string }
	var data struct{ Lines []line }
	names := make([]string, 0, len(form))
	for name := range form {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		value := strings.TrimSpace(strings.Join(form[name], ", "))
		if value == "" || slices.Contains(notShown, name) {
			continue
		}
		label := strings.ReplaceAll(name, "_", " ")
		if key := labels[name]; key != "" {
			label = c.say(key)
		}
		data.Lines = append(data.Lines, line{label, value})
	}
	page := c.page("", "portal.lock.resume")
	page.Data = data
	return c.show(http.StatusOK, "lockresume", page)
}

// takeHeld takes what was kept away from the store: it is sent, or thrown away,
// once.
func (c *call) takeHeld() (f heldForm, err error) {
	err = c.p.Atomically(c.r.Context(), func(ctx context.Context) error {
		there := false
		if f, there, err = c.p.heldOf(ctx, c.session.Key); err != nil {
			return err
		}
		if there {
			there, err = c.p.Held.DeleteHeld(ctx, c.session.Key)
		}
		if err == nil && !there {
			err = words.Refuse("CSE-485")
		}
		return err
	})
	return f, err
}

// sendHeld sends the form to its page, as the browser would: session, rights and
// everything else are asked as ever.
func (c *call) sendHeld() error {
	f, err := c.takeHeld()
	if err != nil {
		return err
	}
	r := c.r.Clone(c.r.Context())
	r.URL.Path, r.URL.RawPath, r.URL.RawQuery = c.tongue.prefix+f.Path, "", f.Query
	r.RequestURI = r.URL.RequestURI()
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Body, r.ContentLength = io.NopCloser(strings.NewReader(f.Form)), int64(len(f.Form))
	r.Form, r.PostForm, r.MultipartForm = nil, nil, nil
	c.p.handler.ServeHTTP(c.w, r)
	return nil
}

// dropHeld throws the form away and leads to the page it was sent from.
func (c *call) dropHeld() error {
	f, err := c.takeHeld()
	if err != nil {
		return err
	}
	return c.leave(f.Back)
}
