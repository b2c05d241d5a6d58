// Package listen owns the platform's ports: one TLS port whose host names are
// told apart by SNI (RFC 6066), one plain port for CRL and OCSP, and the way
// they stop.
//
// Guarantees:
//   - A host sees only connections that named it in SNI and only requests whose
//     Host header is the same name; others get 421 Misdirected Request (RFC
//     9110 section 15.5.20). An unknown or missing name is refused in the
//     handshake (unrecognized_name).
//   - A card host (`cns.`) asks for a client certificate, checks nothing of it
//     (the handler does, after the handshake, so that a refusal is a readable
//     page), never resumes a session (tickets off: a resumed one would show the
//     old identity without a signature by the card), speaks HTTP/1.1 only and
//     closes after each answer. Its handshake may last minutes: the holder is
//     choosing a certificate and typing the PIN. How many a source may keep
//     unfinished is bounded (handshakes.go).
//   - A machines' host asks for a certificate likewise, refuses RSA keys below
//     2048 bits in the handshake, and is otherwise like any other.
//   - Other hosts never ask for a certificate and speak HTTP/2 and HTTP/1.1.
//   - TLS 1.2 (ECDHE with AEAD only) and 1.3.
//   - Run stops when its context ends: no new connections, requests under way
//     finish within the grace, then they are cut.
//
// The choices follow the project's login notes, section 5.
package listen

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Host is one name on the TLS port.
type Host struct {
	// Name is the exact DNS name, lower case.
	Name    string
	Handler http.Handler
	// Certificate picks the server certificate; give each name its own, so that
	// browsers do not share connections between names.
	Certificate func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	// Card makes this a card host, see the package comment.
	Card bool
	// Machines makes this a host for programs with a client certificate: asked
	// for and not checked here, tickets off, HTTP/2 as usual.
	Machines bool
	// ClientCAs are the issuers whose names the card host sends, so that the
	// browser offers matching certificates only. They decide nothing else.
	// They are asked for at each handshake, since they change; nil for none.
	ClientCAs func() *x509.CertPool
	// MinTLS is the lowest version; below TLS 1.2, and 0, mean TLS 1.2.
	MinTLS uint16
	// MaxTLS caps the version (tls.VersionTLS12 for middleware without
	// RSA-PSS); 0 means the newest.
	MaxTLS uint16
	// MaxBody is the largest request body, in bytes; 0 means 1 MiB.
	MaxBody int64
}

// Site is what is served.
type Site struct {
	Hosts []Host
	// Plain answers on the plain port; needed when that port is bound.
	Plain http.Handler
	// Log hears refused handshakes (debug) and handlers' panics; nil for nobody.
	Log *slog.Logger
	// Grace is how long requests under way may take once Run's context has
	// ended; 0 means 10 s.
	Grace time.Duration
	// Header is the time a request's header may take; 0 means 10 s.
	Header time.Duration
	// Handshake is the time a card host's handshake may take; 0 means 3 min.
	Handshake time.Duration
	// SourceHandshakes bounds the unfinished card handshakes of one source (an IPv4
	// address, an IPv6 /64), Handshakes those of all; 0 means 64, and a quarter of
	// MaxConns.
	SourceHandshakes, Handshakes int
	// MaxConns bounds open connections on each port; 0 means 4096.
	MaxConns int
}

const (
	maxHeader = 64 << 10 // bytes; go-oidc's authorization requests are the longest
	maxBody   = 1 << 20
)

// Server serves a Site on Ports. Make one with New.
type Server struct {
	ports   *Ports
	site    Site
	hosts   map[string]*host
	servers []*http.Server
	crowd   *crowd
	stop    context.CancelFunc // ends the requests' contexts
}

type host struct {
	Host
	config *tls.Config
}

// New refuses a site without hosts, and hosts without name, handler or certificate.
func New(p *Ports, s Site) (*Server, error) {
	if p == nil {
		return nil, errors.New("listen: no ports")
	}
	if p.plain != nil && s.Plain == nil {
		return nil, errors.New("listen: the plain port has no handler")
	}
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	s.Grace, s.Header = orElse(s.Grace, 10*time.Second), orElse(s.Header, 10*time.Second)
	s.Handshake = orElse(s.Handshake, 3*time.Minute)
	if s.MaxConns <= 0 {
		s.MaxConns = 4096
	}
	if s.SourceHandshakes <= 0 {
		s.SourceHandshakes = 64
	}
	if s.Handshakes <= 0 {
		s.Handshakes = max(s.MaxConns/4, 1)
	}
	srv := &Server{ports: p, site: s, hosts: map[string]*host{}, crowd: newCrowd(s.SourceHandshakes, s.Handshakes)}
	for _, h := range s.Hosts {
		if err := srv.add(h); err != nil {
			return nil, err
		}
	}
	if len(srv.hosts) == 0 {
		return nil, errors.New("listen: no hosts")
	}
	srv.prepare()
	return srv, nil
}

func orElse(d, otherwise time.Duration) time.Duration {
	if d <= 0 {
		return otherwise
	}
	return d
}

func (s *Server) add(h Host) error {
	switch {
	case h.Name == "" || h.Name != strings.ToLower(h.Name) || strings.ContainsAny(h.Name, ":/ "):
		return fmt.Errorf("listen: %q is not a host name in lower case", h.Name)
	case h.Handler == nil || h.Certificate == nil:
		return fmt.Errorf("listen: %s has no handler or no certificate", h.Name)
	case s.hosts[h.Name] != nil:
		return fmt.Errorf("listen: %s is there twice", h.Name)
	}
	if h.MaxBody <= 0 {
		h.MaxBody = maxBody
	}
	s.hosts[h.Name] = &host{Host: h, config: tlsConfig(h)}
	return nil
}

func (s *Server) prepare() {
	ctx, stop := context.WithCancel(context.Background())
	s.stop = stop
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	secure := s.server(ctx, http.HandlerFunc(s.dispatch))
	secure.Protocols, secure.ConnState = protocols, finished
	secure.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: 100}
	secure.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, GetConfigForClient: s.choose}
	s.servers = []*http.Server{secure}
	if s.ports.plain != nil {
		s.servers = append(s.servers, s.server(ctx, http.MaxBytesHandler(s.site.Plain, maxBody)))
	}
}

func (s *Server) server(ctx context.Context, h http.Handler) *http.Server {
	return &http.Server{
		Handler:           h,
		ReadHeaderTimeout: s.site.Header,
		ReadTimeout:       time.Minute,
		WriteTimeout:      2 * time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.site.Log.Handler(), slog.LevelDebug),
		BaseContext:       func(net.Listener) context.Context { return ctx },
	}
}

// dispatch hands a request to the host that both SNI and Host name.
func (s *Server) dispatch(w http.ResponseWriter, r *http.Request) {
	name := hostName(r.TLS.ServerName)
	h := s.hosts[name]
	if h == nil || hostName(r.Host) != name {
		http.Error(w, http.StatusText(http.StatusMisdirectedRequest), http.StatusMisdirectedRequest)
		return
	}
	if h.Card {
		w.Header().Set("Connection", "close")
	}
	r.Body = http.MaxBytesReader(w, r.Body, h.MaxBody)
	h.Handler.ServeHTTP(w, r)
}

// hostName is the name in a Host header or SNI: no port, no final dot, lower case.
func hostName(s string) string {
	if name, _, err := net.SplitHostPort(s); err == nil {
		s = name
	}
	return strings.ToLower(strings.TrimSuffix(s, "."))
}

// Run serves until ctx ends or a port fails, then stops. nil means a clean
// stop; ErrCut, that requests under way were cut after the grace.
func (s *Server) Run(ctx context.Context) error {
	failed := make(chan error, 2)
	var all sync.WaitGroup
	all.Go(func() {
		failed <- s.servers[0].ServeTLS(limit(s.ports.tls, s.site.MaxConns), "", "")
	})
	if s.ports.plain != nil {
		all.Go(func() { failed <- s.servers[1].Serve(limit(s.ports.plain, s.site.MaxConns)) })
	}
	var err error
	select {
	case <-ctx.Done():
	case err = <-failed:
		err = fmt.Errorf("listen: %w", err)
	}
	err = errors.Join(err, s.shutdown())
	all.Wait()
	return err
}

// ErrCut is returned by Run when the grace was not enough.
var ErrCut = errors.New("listen: requests under way were cut")

func (s *Server) shutdown() error {
	grace, cancel := context.WithTimeout(context.Background(), s.site.Grace)
	defer cancel()
	outcome := make(chan error, len(s.servers))
	for _, srv := range s.servers {
		go func() {
			err := srv.Shutdown(grace)
			if errors.Is(err, context.DeadlineExceeded) {
				err = errors.Join(ErrCut, srv.Close())
			}
			outcome <- err
		}()
	}
	var errs []error
	for range s.servers {
		errs = append(errs, <-outcome)
	}
	s.stop()
	return errors.Join(errs...)
}
