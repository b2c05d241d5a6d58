// Package inbox is the demo's mail server and letter box in one: a real SMTP
// server (RFC 5321) on loopback that keeps every message as a file, and lists
// and opens them for a page.
//
// It takes any sender and recipient, without password and without TLS, and
// therefore refuses to listen anywhere but on loopback. Each message is one
// NNNN-ID.eml (0600), written under another name first, so that a file that is
// there is complete; the answer to DATA comes after the file is on disk.
// Message-IDs may repeat: SMTP cannot be exactly-once, see engine/mail.
package inbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/mail"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-smtp"
)

// maxMessage is the largest message taken, in bytes.
const maxMessage = 4 << 20

// Inbox is a letter box with its server.
type Inbox struct {
	dir string

	mu   sync.Mutex
	next int
	srv  *smtp.Server
	port net.Listener
	done chan error
	cuts int // messages still to be kept and then not answered
}

// Open takes up the letter box in folder dir, or makes it (0700). Nobody
// listens yet.
func Open(dir string) (*Inbox, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("inbox: %w", err)
	}
	in := &Inbox{dir: dir, next: 1}
	names, err := in.names()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if n, err := strconv.Atoi(name[:strings.IndexByte(name, '-')]); err == nil {
			in.next = max(in.next, n+1)
		}
	}
	return in, nil
}

// Listen begins to take mail on address (host:port, port 0 for any) and returns
// the address bound. After Stop it may be called again.
func (in *Inbox) Listen(ctx context.Context, address string) (*net.TCPAddr, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("inbox: %w", err)
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return nil, fmt.Errorf("inbox: %s is not a loopback address", host)
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.srv != nil {
		return nil, errors.New("inbox: it listens already")
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("inbox: %w", err)
	}
	srv := smtp.NewServer(smtp.BackendFunc(func(c *smtp.Conn) (smtp.Session, error) { return session{in, c}, nil }))
	srv.Domain, srv.MaxMessageBytes, srv.MaxRecipients = "localhost", maxMessage, 10
	srv.ReadTimeout, srv.WriteTimeout = 30*time.Second, 30*time.Second
	srv.ErrorLog = silent{}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	in.srv, in.port, in.done = srv, l, done
	return l.Addr().(*net.TCPAddr), nil
}

// silent drops the server's log: a client that hangs up is no event here.
type silent struct{}

func (silent) Printf(string, ...any) {}
func (silent) Println(...any)        {}

// Stop goes away: the port is closed and conversations are cut, as when a mail
// server is switched off. Stopping twice is no error.
func (in *Inbox) Stop() error {
	in.mu.Lock()
	srv, port, done := in.srv, in.port, in.done
	in.srv, in.port, in.done = nil, nil, nil
	in.mu.Unlock()
	if srv == nil {
		return nil
	}
	// Serve may not have begun: closing the port is what ends it in any case.
	if err := port.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		return fmt.Errorf("inbox: stop: %w", err)
	}
	if err := srv.Close(); err != nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, smtp.ErrServerClosed) {
		return fmt.Errorf("inbox: stop: %w", err)
	}
	if err := <-done; err != nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, smtp.ErrServerClosed) {
		return fmt.Errorf("inbox: %w", err)
	}
	return nil
}

// CutAfterData rehearses the accident that SMTP cannot tell from success: the
// next n messages are kept, and the connection is cut before the answer.
func (in *Inbox) CutAfterData(n int) {
	in.mu.Lock()
	defer in.mu.Unlock()
	in.cuts = n
}

// session is one conversation; it takes everything.
type session struct {
	in   *Inbox
	conn *smtp.Conn
}

func (session) Reset()                               {}
func (session) Logout() error                        { return nil }
func (session) Mail(string, *smtp.MailOptions) error { return nil }
func (session) Rcpt(string, *smtp.RcptOptions) error { return nil }

func (s session) Data(r io.Reader) error {
	raw, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if err := s.in.keep(raw); err != nil {
		return &smtp.SMTPError{Code: 451, EnhancedCode: smtp.EnhancedCode{4, 3, 0}, Message: "the message could not be kept"}
	}
	if s.in.cut() {
		return s.conn.Conn().Close()
	}
	return nil
}

func (in *Inbox) cut() bool {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.cuts == 0 {
		return false
	}
	in.cuts--
	return true
}

// strange is what a Message-ID may not bring into a file name.
var strange = regexp.MustCompile(`[^A-Za-z0-9.@-]+`)

func (in *Inbox) keep(raw []byte) error {
	id := ""
	if m, err := mail.ReadMessage(strings.NewReader(string(raw))); err == nil {
		id = strings.Trim(m.Header.Get("Message-Id"), "<> ")
	}
	id = strings.Trim(strange.ReplaceAllString(id, "_"), ".")
	if id == "" {
		id = "message"
	}
	in.mu.Lock()
	defer in.mu.Unlock()
	name := fmt.Sprintf("%04d-%s.eml", in.next, id[:min(len(id), 80)])
	tmp := filepath.Join(in.dir, name+".new")
	if err := write(tmp, raw); err != nil {
		return err
	}
	if err := os.Rename(tmp, filepath.Join(in.dir, name)); err != nil {
		return err
	}
	in.next++
	return nil
}

func write(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if _, err := f.Write(b); err != nil {
		return errors.Join(err, f.Close())
	}
	return errors.Join(f.Sync(), f.Close())
}
