package listen

import (
	"crypto/rsa"
	"crypto/tls"
	"errors"
	"net"
	"sync"
	"time"
)

// suites of TLS 1.2: forward secrecy and AEAD. TLS 1.3 has no others.
var suites = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

// exchanges are the groups of the key exchange, best first: the first one also
// holds against who records today and computes later.
var exchanges = []tls.CurveID{tls.X25519MLKEM768, tls.X25519, tls.CurveP256, tls.CurveP384}

func tlsConfig(h Host) *tls.Config {
	c := &tls.Config{
		GetCertificate:   h.Certificate,
		MinVersion:       max(h.MinTLS, tls.VersionTLS12),
		MaxVersion:       h.MaxTLS,
		CipherSuites:     suites,
		CurvePreferences: exchanges,
		NextProtos:       []string{"h2", "http/1.1"},
	}
	if h.Machines {
		c.ClientAuth, c.SessionTicketsDisabled = tls.RequestClientCert, true
		c.VerifyConnection = strongCaller
	}
	if h.Card {
		c.ClientAuth = tls.RequestClientCert
		c.SessionTicketsDisabled = true
		c.NextProtos = []string{"http/1.1"}
	}
	return c
}

// MinCallerRSA is the smallest RSA key, in bits, with which a program may call a
// machines' host. A card's is judged by its door, which answers with a page.
const MinCallerRSA = 2048

// strongCaller ends the handshake of a program whose key is too small.
func strongCaller(s tls.ConnectionState) error {
	for _, c := range s.PeerCertificates {
		if k, ok := c.PublicKey.(*rsa.PublicKey); ok && k.N.BitLen() < MinCallerRSA {
			return errWeakCaller
		}
	}
	return nil
}

var errWeakCaller = errors.New("listen: the caller's RSA key is shorter than 2048 bits")

// nobody has no certificate: the handshake ends with unrecognized_name.
var nobody = &tls.Config{MinVersion: tls.VersionTLS12}

// choose is GetConfigForClient: the SNI table.
func (s *Server) choose(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	h := s.hosts[hostName(hello.ServerName)]
	if h == nil {
		return nobody, nil
	}
	if h.Card {
		if err := s.crowd.begin(hello.Conn); err != nil {
			return nil, err
		}
		// net/http gives a handshake the time of a header; this one waits for a
		// person. net/http clears the deadline after the handshake.
		if err := hello.Conn.SetDeadline(time.Now().Add(s.site.Handshake)); err != nil {
			return nil, err
		}
	}
	if h.Card && h.ClientCAs != nil {
		c := h.config.Clone()
		c.ClientCAs = h.ClientCAs()
		return c, nil
	}
	return h.config, nil
}

// limit lets at most n connections be open at a time; others wait in the
// kernel's queue.
func limit(l net.Listener, n int) net.Listener {
	return &limited{Listener: l, seats: make(chan struct{}, n), closed: make(chan struct{})}
}

type limited struct {
	net.Listener
	seats  chan struct{}
	closed chan struct{}
	once   sync.Once
}

func (l *limited) Accept() (net.Conn, error) {
	select {
	case l.seats <- struct{}{}:
	case <-l.closed:
		return nil, net.ErrClosed
	}
	c, err := l.Listener.Accept()
	if err != nil {
		<-l.seats
		return nil, err
	}
	return &seated{Conn: c, leave: sync.OnceFunc(func() { <-l.seats })}, nil
}

func (l *limited) Close() error {
	l.once.Do(func() { close(l.closed) })
	return l.Listener.Close()
}

type seated struct {
	net.Conn
	leave func()

	mu    sync.Mutex
	place func() // gives back the place of an unfinished card handshake
}

func (c *seated) Close() error {
	defer c.leave()
	defer c.unfinished(nil)
	return c.Conn.Close()
}
