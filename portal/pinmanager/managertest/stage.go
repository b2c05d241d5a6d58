// Package managertest is the PIN manager on a stage: readers with chip files in
// them, a clock that is set by hand, and a person's browser before it, over HTTP.
// The tests of package pinmanager walk through it, and test/pages/serve shows its
// States to a browser. Nothing here is for production.
package managertest

import (
	"bytes"
	"context"
	"crypto/x509"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"cse.example/cse/card/cns"
	"cse.example/cse/card/diagnosis"
	"cse.example/cse/card/doctor"
	"cse.example/cse/card/holder"
	"cse.example/cse/card/holder/holdertest"
	"cse.example/cse/card/iso7816"
	"cse.example/cse/card/reader"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/portal/pinmanager"
	"cse.example/cse/signature"
)

// TB is what the stage needs of a test.
type TB interface {
	Helper()
	Fatal(args ...any)
	Errorf(format string, args ...any)
	TempDir() string
	Cleanup(f func())
	Context() context.Context
}

// Now is inside of the validity of holdertest's cards.
var Now = time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC)

// images are chip files made once; each stage gets copies. The keys take a while.
var images = sync.OnceValue(func() map[string][]byte {
	dir, err := os.MkdirTemp("", "pinmanager")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	out := map[string][]byte{}
	anchors = nil
	for name, x := range map[string]struct {
		profile cns.Profile
		serial  uint64
	}{"mario": {cns.Neutral(), 12}, "other": {cns.Neutral(), 13}, "silent": {cns.ST2021(), 14}} {
		path := filepath.Join(dir, name)
		card := holdertest.Make(&testing.T{}, path, x.profile, x.serial)
		anchors = append(anchors, card.Authority.Certificate)
		if out[name], err = os.ReadFile(path); err != nil {
			panic(err)
		}
	}
	return out
})

// anchors are the authorities of the cards in images.
var anchors []*x509.Certificate

// Drawer has readers with chip files in them.
type Drawer struct {
	mu sync.Mutex
	// In are the readers, Files the chip files in them by the reader's name.
	In    []reader.Slot
	Files map[string]string
	// Err is what the service says instead.
	Err error
	// Spent counts commands that could have cost a try.
	Spent int
	// Cut, when set, takes the card away at a command.
	Cut func(command []byte) bool
}

// Slots implements pinmanager.Cards.
func (d *Drawer) Slots() ([]reader.Slot, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.In, d.Err
}

// Open implements pinmanager.Cards.
func (d *Drawer) Open(s reader.Slot) (reader.Card, error) {
	d.mu.Lock()
	path := d.Files[s.Name]
	d.mu.Unlock()
	c, err := reader.FromFile(path)
	if err != nil {
		return nil, err
	}
	return &watched{c, d}, nil
}

// watched counts what could cost a try.
type watched struct {
	reader.Card
	d *Drawer
}

func (w *watched) Transmit(b []byte) ([]byte, error) {
	w.d.mu.Lock()
	if len(b) > 5 && (b[1] == byte(iso7816.InsVerify) || b[1] == byte(iso7816.InsChangeReferenceData) || b[1] == byte(iso7816.InsResetRetryCounter)) {
		w.d.Spent++
	}
	cut := w.d.Cut != nil && w.d.Cut(b)
	w.d.mu.Unlock()
	if cut {
		return nil, reader.ErrRemoved
	}
	return w.Card.Transmit(b)
}

// service is the drawer as the doctor sees it.
type service struct{ *Drawer }

func (s service) Connect(x reader.Slot) (reader.Card, error) { return s.Open(x) }
func (service) Close() error                                 { return nil }

// Put puts a copy of a card into a reader; an empty card takes it out.
func (d *Drawer) Put(t TB, name, card string) {
	t.Helper()
	s := reader.Slot{Name: name}
	path := ""
	if card != "" {
		path = filepath.Join(t.TempDir(), card+".cse")
		if err := os.WriteFile(path, images()[card], 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := reader.FromFile(path)
		if err != nil {
			t.Fatal(err)
		}
		s.Present, s.ATR = true, c.ATR()
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.Files[name] = path
	for i := range d.In {
		if d.In[i].Name == name {
			d.In[i] = s
			return
		}
	}
	d.In = append(d.In, s)
}

// Stage is a manager that listens, with a person's browser before it.
type Stage struct {
	T      TB
	M      *pinmanager.Manager
	Clock  *civil.Hand
	Drawer *Drawer
	Origin string
	Client *http.Client
	Key    string
	// Lang is what the browser wants, "it" unless it is set.
	Lang string
	// Page is the last one that was opened.
	Page Answer
}

// Answer is a page that came back; Code is its CSE-Error.
type Answer struct {
	Status int
	Code   string
	Header http.Header
	Text   string
}

// New has the card in a reader, unless card is empty. change may alter what
// the manager stands on.
func New(t TB, card string, change ...func(*pinmanager.Deps)) *Stage {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Stage{T: t, Clock: civil.NewHand(Now), Drawer: &Drawer{Files: map[string]string{}}, Origin: "http://" + l.Addr().String()}
	if card != "" {
		s.Drawer.Put(t, "Lettore 1", card)
	}
	d := pinmanager.Deps{Cards: s.Drawer, Hosts: []string{l.Addr().String()}, Clock: s.Clock, Zone: time.UTC, Idle: 10 * time.Minute}
	images()
	verifier := &signature.Verifier{Clock: s.Clock}
	verifier.CNS.Anchors = anchors
	d.Verify = verifier.Verify
	d.Print = func(signature.Report, words.Lang) ([]byte, error) { return []byte("%PDF-1.3"), nil }
	d.Diagnose = func(ctx context.Context, name string, _ bool) diagnosis.Report {
		return doctor.Run(ctx, doctor.Deps{Reader: name, Clock: s.Clock, Open: func() (doctor.Service, error) { return service{s.Drawer}, s.Drawer.Err }})
	}
	d.Extend = func(context.Context, *holder.Holder, holder.AskPIN, func(pinmanager.Extension) error) (pinmanager.Extension, error) {
		return pinmanager.Extension{}, words.Refuse("CSE-870")
	}
	for _, f := range change {
		f(&d)
	}
	if s.M, err = pinmanager.New(d); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(s.M)
	_ = server.Listener.Close()
	server.Listener = l
	server.Start()
	t.Cleanup(server.Close)
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	s.Client = &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	s.Key = s.M.Entrance(s.Origin)
	return s
}

// Entered is New after the person came in.
func Entered(t TB, card string, change ...func(*pinmanager.Deps)) *Stage {
	t.Helper()
	s := New(t, card, change...)
	s.Follow(s.Do(http.MethodGet, s.Key, nil, nil))
	return s
}

// Do sends a request and reads the answer; header goes over what a browser sends.
func (s *Stage) Do(method, address string, body io.Reader, header http.Header) Answer {
	s.T.Helper()
	if strings.HasPrefix(address, "/") {
		address = s.Origin + address
	}
	r, err := http.NewRequestWithContext(s.T.Context(), method, address, body)
	if err != nil {
		s.T.Fatal(err)
	}
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	r.Header.Set("Accept-Language", s.lang()+";q=0.9")
	if method == http.MethodPost {
		r.Header.Set("Origin", s.Origin)
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	for k, v := range header {
		r.Header[k] = v
		if k == "Host" {
			r.Host = v[0]
		}
		if v == nil {
			delete(r.Header, k)
		}
	}
	res, err := s.Client.Do(r)
	if err != nil {
		s.T.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		s.T.Fatal(err)
	}
	return Answer{res.StatusCode, res.Header.Get("CSE-Error"), res.Header, string(b)}
}

// Follow goes where an Answer leads, and keeps the page.
func (s *Stage) Follow(a Answer) Answer {
	s.T.Helper()
	for a.Status == http.StatusSeeOther {
		a = s.Do(http.MethodGet, a.Header.Get("Location"), nil, nil)
	}
	s.Page = a
	return a
}

// Get opens a page of ours.
func (s *Stage) Get(path string) Answer {
	s.T.Helper()
	return s.Follow(s.Do(http.MethodGet, path, nil, nil))
}

var hidden = regexp.MustCompile(`<input type="hidden" name="([a-z]+)" value="([^"]*)">`)

// Fill adds values to the hidden fields of the last page.
func (s *Stage) Fill(values ...string) url.Values {
	s.T.Helper()
	v := url.Values{}
	for _, m := range hidden.FindAllStringSubmatch(s.Page.Text, -1) {
		v.Set(m[1], m[2])
	}
	for i := 0; i+1 < len(values); i += 2 {
		v.Set(values[i], values[i+1])
	}
	return v
}

// Post sends the form of the last page, and follows.
func (s *Stage) Post(path string, values ...string) Answer {
	s.T.Helper()
	return s.Follow(s.Do(http.MethodPost, path, strings.NewReader(s.Fill(values...).Encode()), nil))
}

// Upload sends the form of the last page with files, and follows.
func (s *Stage) Upload(path string, files map[string]string, values ...string) Answer {
	s.T.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	form := s.Fill(values...)
	check := func(err error) {
		if err != nil {
			s.T.Fatal(err)
		}
	}
	check(w.WriteField("gettone", form.Get("gettone")))
	form.Del("gettone")
	for k := range form {
		check(w.WriteField(k, form.Get(k)))
	}
	for field, content := range files {
		name, text, _ := strings.Cut(content, "\n")
		part, err := w.CreateFormFile(field, name)
		check(err)
		_, err = io.WriteString(part, text)
		check(err)
	}
	check(w.Close())
	return s.Follow(s.Do(http.MethodPost, path, &b, http.Header{"Content-Type": {w.FormDataContentType()}}))
}

// Want checks status, code and parts of the text; a part that begins with ! may
// not be there.
func (a Answer) Want(t TB, status int, code string, parts ...string) {
	t.Helper()
	if a.Status != status || a.Code != code {
		t.Errorf("status %d %q, want %d %q", a.Status, a.Code, status, code)
	}
	for _, p := range parts {
		if not, banned := strings.CutPrefix(p, "!"); banned == strings.Contains(a.Text, not) && (banned || p != "") {
			t.Errorf("the page and %q do not agree:\n%s", p, main(a.Text))
		}
	}
}

// main is the part of a page that changes.
func main(page string) string {
	_, rest, _ := strings.Cut(page, "<main")
	text, _, _ := strings.Cut(rest, "</main>")
	return text
}

// Waits runs Wait and gives its end.
func (s *Stage) Waits(after func(time.Duration) <-chan time.Time) <-chan pinmanager.End {
	end := make(chan pinmanager.End, 1)
	ctx, cancel := context.WithCancel(s.T.Context())
	s.T.Cleanup(cancel)
	go func() { end <- s.M.Wait(ctx, after) }()
	return end
}

func (s *Stage) lang() string {
	if s.Lang == "" {
		return "it"
	}
	return s.Lang
}
