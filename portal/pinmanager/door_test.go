package pinmanager_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"cse.example/cse/portal/pinmanager"
	"cse.example/cse/portal/pinmanager/managertest"
)

// What other sites and other addresses send is refused, with the cookie and a
// right form, and tells nothing.
func TestTheDoorIsOurs(t *testing.T) {
	s := managertest.Entered(t, "mario")
	h := func(kv ...string) http.Header {
		out := http.Header{}
		for i := 0; i < len(kv); i += 2 {
			out[kv[i]] = []string{kv[i+1]}
		}
		return out
	}
	none := http.Header{"Origin": nil}
	_, port, _ := strings.Cut(strings.TrimPrefix(s.Origin, "http://"), ":")
	for name, x := range map[string]struct {
		method string
		header http.Header
		want   int
	}{
		"ours":                       {"GET", nil, 200},
		"typed":                      {"GET", h("Sec-Fetch-Site", "none"), 200},
		"an old browser":             {"GET", http.Header{"Sec-Fetch-Site": nil}, 200},
		"rebound name":               {"GET", h("Host", "evil.example:"+port), 403},
		"rebound name, no port":      {"GET", h("Host", "evil.example"), 403},
		"localhost":                  {"GET", h("Host", "localhost:"+port), 403},
		"another port":               {"GET", h("Host", "127.0.0.1:1"), 403},
		"no port":                    {"GET", h("Host", "127.0.0.1"), 403},
		"trailing dot":               {"GET", h("Host", "127.0.0.1.:"+port), 403},
		"another loopback address":   {"GET", h("Host", "127.0.0.2:"+port), 403},
		"fetch of a site":            {"GET", h("Sec-Fetch-Site", "cross-site"), 403},
		"page at another port":       {"GET", h("Sec-Fetch-Site", "same-site"), 403},
		"script of a site":           {"GET", h("Origin", "https://evil.example"), 403},
		"form of ours":               {"POST", nil, 200},
		"form of a site":             {"POST", h("Origin", "https://evil.example"), 403},
		"form at another port":       {"POST", h("Origin", "http://127.0.0.1:1"), 403},
		"form over https":            {"POST", h("Origin", "https://127.0.0.1:"+port), 403},
		"form of a file":             {"POST", h("Origin", "null"), 403},
		"form without origin":        {"POST", none, 403},
		"form of two origins":        {"POST", http.Header{"Origin": {s.Origin, "https://evil.example"}}, 403},
		"ours said by another site":  {"POST", h("Sec-Fetch-Site", "cross-site"), 403},
		"rebound form, matching own": {"POST", h("Host", "evil.example:"+port, "Origin", "http://evil.example:"+port), 403},
	} {
		t.Run(name, func(t *testing.T) {
			s.T = t
			var body *strings.Reader = strings.NewReader("")
			if x.method == "POST" {
				s.Get("/lettori")
				body = strings.NewReader(s.Fill("lettore", "Lettore 1").Encode())
			}
			path := map[string]string{"GET": "/", "POST": "/lettori"}[x.method]
			a := s.Follow(s.Do(x.method, path, body, x.header))
			if x.want == 200 {
				a.Want(t, 200, "", "ROSSI")
				return
			}
			a.Want(t, 403, "CSE-856", "!ROSSI", "!gettone", "!Lettore 1")
			if got := a.Header.Get("Access-Control-Allow-Origin"); got != "" {
				t.Errorf("CORS says %q", got)
			}
		})
	}
	s.T = t
}

// The key in the first address opens once; nothing opens without.
func TestTheKeyIsGoodOnce(t *testing.T) {
	s := managertest.New(t, "mario")
	s.Do("GET", "/entra?chiave=bad", nil, nil).Want(t, 403, "CSE-855")
	s.Do("GET", "/entra", nil, nil).Want(t, 403, "CSE-855")
	s.Do("GET", s.Key, nil, http.Header{"Sec-Purpose": {"prefetch;prerender"}}).Want(t, 503, "")
	s.Do("HEAD", s.Key, nil, nil)
	s.Do("POST", s.Key, strings.NewReader(""), nil).Want(t, 403, "CSE-862")
	first := s.Do("GET", s.Key, nil, http.Header{"Sec-Fetch-Site": {"cross-site"}}) // from the redirect file
	first.Want(t, 303, "")
	cookie := first.Header.Get("Set-Cookie")
	for _, part := range []string{"HttpOnly", "SameSite=Strict", "Path=/"} {
		if !strings.Contains(cookie, part) {
			t.Errorf("the cookie %q lacks %s", cookie, part)
		}
	}
	if strings.Contains(cookie, "Max-Age") || strings.Contains(cookie, "Expires") {
		t.Errorf("the cookie outlives the browser: %q", cookie)
	}
	key, err := url.Parse(s.Key)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(cookie+first.Header.Get("Location"), key.Query().Get("chiave")) {
		t.Error("the key lives on in the cookie or the address")
	}
	s.Get("/").Want(t, 200, "", "MARIO ROSSI")
	jar := s.Client.Jar
	s.Client.Jar = nil // another browser
	s.Do("GET", s.Key, nil, nil).Want(t, 403, "CSE-855", "già stata usata")
	s.Do("GET", "/benvenuto", nil, nil).Want(t, 200, "", `href="/"`, "!ROSSI")
	for _, path := range []string{"/", "/pin", "/lettori", "/fatto", "/nulla", "/en/pin"} {
		s.Do("GET", path, nil, nil).Want(t, 403, "CSE-862", "!ROSSI", "!gettone")
	}
	s.Do("POST", "/chiudi", strings.NewReader("gettone=x"), nil).Want(t, 403, "CSE-862")
	s.Client.Jar = jar
	s.Get("/nulla").Want(t, 404, "CSE-865")
	s.Get("/").Want(t, 200, "", "MARIO ROSSI")
}

// Every answer forbids what our pages do not need.
func TestHeaders(t *testing.T) {
	s := managertest.Entered(t, "mario")
	h := s.Get("/").Header
	for name, want := range map[string]string{
		"Referrer-Policy": "same-origin", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Strict-Transport-Security": "",
		"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin", "Refresh": "",
	} {
		if got := h.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	for _, part := range []string{"default-src 'none'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"} {
		if !strings.Contains(h.Get("Content-Security-Policy"), part) {
			t.Errorf("the policy lacks %s", part)
		}
	}
	if strings.Contains(s.Page.Text, "http-equiv") {
		t.Error("the page reloads by itself")
	}
}

// The words are those of the browser, or of the switch.
func TestLanguages(t *testing.T) {
	s := managertest.Entered(t, "mario")
	s.Do("GET", "/", nil, nil).Want(t, 200, "", "La tua tessera", `href="/en/"`)
	s.Do("GET", "/", nil, http.Header{"Accept-Language": {"en-GB"}}).Want(t, 200, "", "Your card")
	s.Get("/en/").Want(t, 200, "", "Your card", `href="/en/pin"`, `action="/en/chiudi"`)
	s.Get("/en/pin").Want(t, 200, "", `href="/it/pin"`)
}

// hands is time.After worked by hand: each call of it is seen, and ends when told.
type hands struct {
	t     *testing.T
	asked chan time.Duration
	tick  chan time.Time
}

func newHands(t *testing.T) hands {
	return hands{t, make(chan time.Duration, 8), make(chan time.Time, 8)}
}

func (h hands) after(d time.Duration) <-chan time.Time { h.asked <- d; return h.tick }

// looks waits until the manager looks again, and wants that to be in so long.
func (h hands) looks(want time.Duration) {
	h.t.Helper()
	select {
	case got := <-h.asked:
		if got != want {
			h.t.Errorf("it looks again after %v, want %v", got, want)
		}
	case <-time.After(10 * time.Second):
		h.t.Fatal("it does not look again")
	}
}

// ends waits for an end.
func ends(t *testing.T, end <-chan pinmanager.End, want pinmanager.End) {
	t.Helper()
	select {
	case got := <-end:
		if got != want {
			t.Errorf("it ended: %s, want %s", got, want)
		}
	case <-time.After(10 * time.Second):
		t.Fatal("it does not end")
	}
}

// Nobody uses it: it ends, and every page had said when.
func TestItEndsByItself(t *testing.T) {
	s := managertest.Entered(t, "mario")
	h := newHands(t)
	end := s.Waits(h.after)
	h.looks(10 * time.Minute)
	s.Get("/").Want(t, 200, "", "si chiude da sola alle 09:10")
	s.Clock.Advance(9 * time.Minute)
	s.Get("/pin").Want(t, 200, "", "si chiude da sola alle 09:19")
	// What is no use of the person's does not keep it open.
	s.Clock.Advance(5 * time.Minute)
	s.Do("GET", "/", nil, http.Header{"Origin": {"https://evil.example"}}).Want(t, 403, "CSE-856")
	s.Do("GET", "/", nil, http.Header{"Sec-Fetch-Site": {"cross-site"}}).Want(t, 403, "CSE-856")
	s.Do("GET", "/benvenuto", nil, nil).Want(t, 303, "")
	h.tick <- managertest.Now
	h.looks(5 * time.Minute)
	s.Clock.Advance(5 * time.Minute)
	h.tick <- managertest.Now
	ends(t, end, pinmanager.Unused)
	s.Get("/").Want(t, 403, "CSE-862", "!ROSSI")
	s.Do("GET", s.Key, nil, nil).Want(t, 403, "CSE-855")
}

// What takes long is use: a card at work, a document that still comes in.
func TestItDoesNotEndInAnAct(t *testing.T) {
	s := managertest.Entered(t, "mario")
	h := newHands(t)
	end := s.Waits(h.after)
	h.looks(10 * time.Minute)
	s.Drawer.Cut = func([]byte) bool {
		if s.Clock.Now().Equal(managertest.Now) {
			s.Clock.Advance(time.Hour)
			h.tick <- managertest.Now
			h.looks(time.Second)
		}
		return false
	}
	s.Get("/").Want(t, 200, "", "ROSSI", "alle 10:10")
	s.Clock.Advance(10 * time.Minute)
	h.tick <- managertest.Now
	ends(t, end, pinmanager.Unused)
}

// The button ends it.
func TestTheButtonEndsIt(t *testing.T) {
	s := managertest.Entered(t, "mario")
	end := s.Waits(time.After)
	s.Get("/")
	s.Do("POST", "/chiudi", strings.NewReader("gettone=invented"), nil).Want(t, 409, "CSE-857")
	s.Post("/chiudi").Want(t, 200, "", "Il programma è chiuso")
	ends(t, end, pinmanager.Closed)
	s.Get("/").Want(t, 403, "CSE-862", "!ROSSI")
}
