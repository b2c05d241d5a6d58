package mail

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"math/big"
	"net"
	"net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"
)

// server is a real SMTP server that keeps what it gets, and can go away, come
// back, refuse, and hang up after DATA.
type server struct {
	addr string
	tls  *tls.Config

	mu   sync.Mutex
	srv  *smtp.Server
	port net.Listener
	got  [][]byte

	refuseRcpt error // answer to RCPT TO
	refuseData error // answer after the data
	// hangUp cuts the connection after the data, before the answer: with the
	// message kept (1) or thrown away (2).
	hangUp int
	sealed bool // the last message came over TLS
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{addr: "127.0.0.1:0"}
	s.comeBack(t)
	t.Cleanup(s.goAway)
	return s
}

func (s *server) goAway() {
	s.mu.Lock()
	srv, port := s.srv, s.port
	s.mu.Unlock()
	_ = port.Close() // Serve may not have begun; closed twice is no fault
	_ = srv.Close()
}

func (s *server) comeBack(t *testing.T) {
	t.Helper()
	l, err := net.Listen("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	srv := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return &session{s, c}, nil }))
	srv.Domain, srv.TLSConfig, srv.AllowInsecureAuth = "mail.test", s.tls, true
	srv.ErrorLog = quiet{}
	s.mu.Lock()
	s.srv, s.port, s.addr = srv, l, l.Addr().String()
	s.mu.Unlock()
	go func() { _ = srv.Serve(l) }()
}

type quiet struct{}

func (quiet) Printf(string, ...any) {}
func (quiet) Println(...any)        {}

// ids counts distinct Message-IDs among what was kept.
func (s *server) ids(t *testing.T) map[string]int {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	ids := map[string]int{}
	for _, raw := range s.got {
		m, err := mail.ReadMessage(strings.NewReader(string(raw)))
		if err != nil {
			t.Fatal(err)
		}
		ids[m.Header.Get("Message-Id")]++
	}
	return ids
}

func (s *server) kept() [][]byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got
}

func (s *server) set(f func()) { s.mu.Lock(); defer s.mu.Unlock(); f() }

type session struct {
	s    *server
	conn *smtp.Conn
}

func (x *session) Reset()                               {}
func (x *session) Logout() error                        { return nil }
func (x *session) Mail(string, *smtp.MailOptions) error { return nil }
func (x *session) Rcpt(string, *smtp.RcptOptions) error {
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	return x.s.refuseRcpt
}

func (x *session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	_, sealed := x.conn.TLSConnectionState()
	x.s.mu.Lock()
	defer x.s.mu.Unlock()
	x.s.sealed = sealed
	if x.s.refuseData != nil {
		return x.s.refuseData
	}
	if x.s.hangUp != 2 {
		x.s.got = append(x.s.got, raw)
	}
	if x.s.hangUp != 0 {
		return errors.Join(errors.New("hung up"), x.conn.Conn().Close())
	}
	return nil
}

// certificate is a TLS configuration for 127.0.0.1, and one that trusts it.
func certificate(t *testing.T) (serve, trust *tls.Config) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(cert)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, &tls.Config{RootCAs: pool}
}
