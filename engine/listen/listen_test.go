package listen_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"cse.example/cse/engine/listen"
	"cse.example/cse/engine/listen/webca"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/localhost"
	"cse.example/cse/ground/words"
)

const (
	portal = "portal.cse.localhost"
	cns    = "cns.cse.localhost"
)

// site is a running server with the two kinds of hosts.
type site struct {
	ports *listen.Ports
	ca    *webca.Authority
	stop  context.CancelFunc
	ended chan error
}

// start serves who, which says who asked for what and with which certificate.
func start(t *testing.T, change func(*listen.Site)) *site {
	t.Helper()
	ca, err := webca.Open(t.TempDir(), "cse.localhost", civil.System{}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ports, err := listen.Bind(t.Context(), listen.Addresses{TLS: "127.0.0.1:0", Plain: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	who := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer := "nobody"
		if len(r.TLS.PeerCertificates) > 0 {
			peer = r.TLS.PeerCertificates[0].Subject.CommonName
		}
		_, _ = fmt.Fprintf(w, "%s %s resumed=%v", r.Host, peer, r.TLS.DidResume)
	})
	s := listen.Site{
		Hosts: []listen.Host{
			{Name: portal, Handler: who, Certificate: ca.GetCertificate},
			{Name: cns, Handler: who, Certificate: ca.GetCertificate, Card: true},
		},
		Plain: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "plain") }),
	}
	if change != nil {
		change(&s)
	}
	srv, err := listen.New(ports, s)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	x := &site{ports: ports, ca: ca, stop: stop, ended: make(chan error, 1)}
	go func() { x.ended <- srv.Run(ctx) }()
	t.Cleanup(stop)
	return x
}

func (s *site) end(t *testing.T) error {
	t.Helper()
	s.stop()
	select {
	case err := <-s.ended:
		return err
	case <-time.After(10 * time.Second):
		t.Fatal("Run does not return")
		return nil
	}
}

// config is a client that shows a certificate of its own when asked.
func (s *site) config(t *testing.T, name string) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{
		ServerName: name, RootCAs: s.ca.Pool(), Certificates: []tls.Certificate{selfSigned(t, key)},
		ClientSessionCache: tls.NewLRUClientSessionCache(8),
	}
}

func selfSigned(t *testing.T, key crypto.Signer) tls.Certificate {
	t.Helper()
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "holder"}, NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func (s *site) url(name string) string {
	return fmt.Sprintf("https://%s:%d/", name, s.ports.TLS().Port)
}

func (s *site) client(c *tls.Config, h2 bool) *http.Client {
	return &http.Client{Transport: &http.Transport{TLSClientConfig: c, DialContext: localhost.Dialer(), ForceAttemptHTTP2: h2}}
}

func get(t *testing.T, c *http.Client, url string) (*http.Response, string) {
	t.Helper()
	resp, err := c.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func TestHostsApart(t *testing.T) {
	s := start(t, nil)
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, c := range []struct {
			host, peer, proto string
			closes, resumes   bool
		}{
			{portal, "nobody", "HTTP/2.0", false, true},
			{cns, "holder", "HTTP/1.1", true, false},
		} {
			conf := s.config(t, "")
			conf.MinVersion, conf.MaxVersion = version, version
			for i := range 2 { // the second time with the first one's ticket, if there is one
				client := s.client(conf, true)
				resp, body := get(t, client, s.url(c.host))
				client.CloseIdleConnections()
				want := fmt.Sprintf("%s:%d %s resumed=%v", c.host, s.ports.TLS().Port, c.peer, c.resumes && i == 1)
				if body != want || resp.Proto != c.proto || resp.Close != c.closes {
					t.Errorf("%s, %s: %q %s close=%v; want %q", tls.VersionName(version), c.host, body, resp.Proto, resp.Close, want)
				}
				if resp.TLS.Version != version || resp.TLS.DidResume != (c.resumes && i == 1) {
					t.Errorf("%s: %s, resumed %v", c.host, tls.VersionName(resp.TLS.Version), resp.TLS.DidResume)
				}
			}
		}
	}
	if err := s.end(t); err != nil {
		t.Error(err)
	}
}

// A ticket of another host must not open a card session either.
func TestNoResumptionAcrossHosts(t *testing.T) {
	s := start(t, nil)
	cache := tls.NewLRUClientSessionCache(1)
	conf := s.config(t, portal)
	conf.ClientSessionCache = sameKey{cache}
	for i := range 2 {
		client := s.client(conf, false)
		_, body := get(t, client, s.url(portal))
		client.CloseIdleConnections()
		if i == 1 && !strings.Contains(body, "resumed=true") {
			t.Fatalf("the portal does not resume, the test shows nothing: %s", body)
		}
	}
	conf.ServerName = cns
	if _, body := get(t, s.client(conf, false), s.url(cns)); !strings.Contains(body, "holder resumed=false") {
		t.Errorf("with a ticket of the portal: %s", body)
	}
}

// sameKey offers one session to every host.
type sameKey struct{ tls.ClientSessionCache }

func (s sameKey) Get(string) (*tls.ClientSessionState, bool) { return s.ClientSessionCache.Get("") }
func (s sameKey) Put(_ string, c *tls.ClientSessionState)    { s.ClientSessionCache.Put("", c) }

func TestRefusedHandshakes(t *testing.T) {
	s := start(t, nil)
	for _, c := range []struct {
		name   string
		change func(*tls.Config)
		want   string
	}{
		{"unknown name", func(c *tls.Config) { c.ServerName = "other.cse.localhost" }, "unrecognized name"},
		{"no name", func(c *tls.Config) { c.ServerName, c.InsecureSkipVerify = "", true }, "unrecognized name"},
		{"h2 on the card host", func(c *tls.Config) { c.ServerName, c.NextProtos = cns, []string{"h2"} }, "no application protocol"},
		{"TLS 1.1", func(c *tls.Config) { c.MinVersion, c.MaxVersion = tls.VersionTLS11, tls.VersionTLS11 }, "protocol version"},
		{"CBC suite", func(c *tls.Config) {
			c.MaxVersion, c.CipherSuites = tls.VersionTLS12, []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA}
		}, "handshake failure"},
	} {
		conf := s.config(t, portal)
		c.change(conf)
		conn, err := tls.Dial("tcp", s.ports.TLS().String(), conf)
		if err == nil {
			_ = conn.Close()
			t.Errorf("%s: accepted", c.name)
		} else if !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.name, err, c.want)
		}
	}
}

// A connection that named one host reaches no other.
func TestMisdirected(t *testing.T) {
	s := start(t, nil)
	for _, c := range []struct{ sni, host string }{{portal, cns}, {cns, portal}, {portal, "evil.example"}} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url(c.sni), nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Host = c.host
		resp, err := s.client(s.config(t, ""), true).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != http.StatusMisdirectedRequest {
			t.Errorf("SNI %s, Host %s: %s", c.sni, c.host, resp.Status)
		}
		_ = resp.Body.Close()
	}
}

// slow signs after a while, like a holder who looks for the PIN.
type slow struct {
	crypto.Signer
	pause time.Duration
}

func (s slow) Sign(r io.Reader, digest []byte, o crypto.SignerOpts) ([]byte, error) {
	time.Sleep(s.pause)
	return s.Signer.Sign(r, digest, o)
}

func TestHolderMayTakeTime(t *testing.T) {
	s := start(t, func(s *listen.Site) { s.Header, s.Handshake = 100*time.Millisecond, 700*time.Millisecond })
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, c := range []struct {
			pause time.Duration
			ok    bool
		}{{300 * time.Millisecond, true}, {1200 * time.Millisecond, false}} {
			key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			conf := s.config(t, cns)
			cert := selfSigned(t, key)
			cert.PrivateKey = slow{key, c.pause}
			conf.Certificates = []tls.Certificate{cert}
			conf.MinVersion, conf.MaxVersion = version, version
			resp, err := s.client(conf, false).Get(s.url(cns))
			if (err == nil) != c.ok {
				t.Errorf("%s, after %v: %v", tls.VersionName(version), c.pause, err)
			}
			if err == nil {
				_ = resp.Body.Close()
			}
		}
	}
	// A header that does not come is not waited for, on a card host neither.
	conn, err := tls.Dial("tcp", s.ports.TLS().String(), s.config(t, cns))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := conn.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		t.Fatal(err)
	}
	var timeout net.Error
	if _, err := io.ReadAll(conn); errors.As(err, &timeout) && timeout.Timeout() {
		t.Error("the connection stays open without a request")
	}
}

func TestLimits(t *testing.T) {
	s := start(t, func(s *listen.Site) {
		s.Hosts[0].MaxBody = 10
		s.Hosts[0].Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.ReadAll(r.Body); err != nil {
				w.WriteHeader(http.StatusRequestEntityTooLarge)
			}
		})
	})
	for _, c := range []struct{ body, header, want int }{
		{10, 0, http.StatusOK},
		{11, 0, http.StatusRequestEntityTooLarge},
		{0, 80 << 10, http.StatusRequestHeaderFieldsTooLarge},
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url(portal), strings.NewReader(strings.Repeat("x", c.body)))
		if err != nil {
			t.Fatal(err)
		}
		if c.header > 0 {
			req.Header.Set("X-Long", strings.Repeat("x", c.header))
		}
		resp, err := s.client(s.config(t, ""), false).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		if resp.StatusCode != c.want {
			t.Errorf("body %d, header %d: %s", c.body, c.header, resp.Status)
		}
	}
}

func TestConnectionsAreBounded(t *testing.T) {
	s := start(t, func(s *listen.Site) { s.MaxConns = 1 })
	addr := s.ports.Plain().String()
	first, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Timeout: 300 * time.Millisecond, Transport: &http.Transport{DisableKeepAlives: true}}
	if resp, err := client.Get("http://" + addr); err == nil {
		_ = resp.Body.Close()
		t.Error("a second connection was served beside the first")
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	client.Timeout = 5 * time.Second
	if _, body := get(t, client, "http://"+addr); body != "plain" {
		t.Errorf("after the first left: %q", body)
	}
}

func TestGracefulStop(t *testing.T) {
	for _, c := range []struct {
		name  string
		grace time.Duration
		want  error
	}{{"finished", 5 * time.Second, nil}, {"cut", 50 * time.Millisecond, listen.ErrCut}} {
		t.Run(c.name, func(t *testing.T) {
			begun, ended := make(chan struct{}), make(chan struct{})
			s := start(t, func(s *listen.Site) {
				s.Grace = c.grace
				s.Hosts[0].Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					defer close(ended)
					close(begun)
					select {
					case <-time.After(400 * time.Millisecond):
						_, _ = io.WriteString(w, "finished")
					case <-r.Context().Done():
					}
				})
			})
			answer := make(chan string, 1)
			go func() {
				resp, err := s.client(s.config(t, ""), true).Get(s.url(portal))
				if err != nil {
					answer <- "cut"
					return
				}
				body, _ := io.ReadAll(resp.Body)
				_ = resp.Body.Close()
				answer <- string(body)
			}()
			<-begun
			if err := s.end(t); !errors.Is(err, c.want) {
				t.Errorf("Run = %v, want %v", err, c.want)
			}
			if got := <-answer; got != c.name {
				t.Errorf("the request under way got %q", got)
			}
			<-ended
			if conn, err := net.Dial("tcp", s.ports.TLS().String()); err == nil {
				_ = conn.Close()
				t.Error("the port still accepts")
			}
		})
	}
}

func TestTakenPort(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	taken := l.Addr().String()
	for _, c := range []struct {
		a    listen.Addresses
		code string
	}{
		{listen.Addresses{TLS: taken}, "CSE-370"},
		{listen.Addresses{TLS: "127.0.0.1:0", Plain: taken}, "CSE-370"},
		{listen.Addresses{TLS: "no port"}, "CSE-372"},
		{listen.Addresses{TLS: "192.0.2.1:0", FreePorts: true}, "CSE-372"},
	} {
		_, err := listen.Bind(t.Context(), c.a)
		if !errors.Is(err, words.Refuse(c.code)) {
			t.Errorf("Bind(%+v) = %v, want %s", c.a, err, c.code)
		}
	}
	p, err := listen.Bind(t.Context(), listen.Addresses{TLS: taken, Plain: taken, FreePorts: true})
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Moved()) != 2 || p.TLS().String() == taken || p.Plain().Port == p.TLS().Port {
		t.Errorf("moved %v to %v and %v", p.Moved(), p.TLS(), p.Plain())
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

func TestRefusedSites(t *testing.T) {
	ports, err := listen.Bind(t.Context(), listen.Addresses{TLS: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = ports.Close() }()
	h := listen.Host{Name: portal, Handler: http.NotFoundHandler(), Certificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, nil }}
	for name, s := range map[string]listen.Site{
		"no hosts":       {},
		"twice":          {Hosts: []listen.Host{h, h}},
		"upper case":     {Hosts: []listen.Host{{Name: "Portal", Handler: h.Handler, Certificate: h.Certificate}}},
		"no certificate": {Hosts: []listen.Host{{Name: portal, Handler: h.Handler}}},
	} {
		if _, err := listen.New(ports, s); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
