// Package mail sends messages by SMTP (RFC 5321), one connection each.
//
// Guarantees:
//   - The same Message gives the same bytes, Message-ID, Date and MIME boundary
//     included, so that a repetition is recognisable as one (RFC 5322 section
//     3.6.4; see IDFor).
//   - The answer says what happened, in the words of ground/effect: nil, the
//     server took the message; effect.ErrUncertain, the connection was lost
//     between the end of the data and the server's answer, and SMTP cannot tell
//     whether it was taken; effect.ErrPermanent (as *Refused), the server said no
//     for good (5yz), or the message is not one; any other error, try later.
//   - Errors carry no address.
//   - ReadBounce reads what another server sends back later (RFC 3464), and keeps
//     nothing of it but the letter's Message-ID and the status.
//
// Refusals: a message without ID, date, sender, recipient, subject or text; line
// breaks in header fields; a password over an unencrypted connection (save to
// this machine).
package mail

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/mail"
	"slices"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"

	"cse.example/cse/ground/effect"
	"cse.example/cse/ground/localhost"
	"cse.example/cse/ground/redact"
	"cse.example/cse/ground/secret"
)

// Message is one letter to one person.
type Message struct {
	// ID is the Message-ID without angle brackets; see IDFor.
	ID string
	// Date is the instant of the act that caused the message, not of the attempt.
	Date time.Time
	// From and To are RFC 5322 addresses, with or without a display name.
	From, To string
	Subject  string
	// Text is the plain part; HTML the richer one, or empty.
	Text, HTML string
}

// IDFor makes the Message-ID of the effect key in domain: always the same, and
// nobody without mac makes one, so that whoever names it has had the letter.
// reference, when given, stands in front in clear, for ReferenceIn to find.
func IDFor(mac secret.Text, key, reference, domain string) string {
	h := hmac.New(sha256.New, mac.Reveal())
	h.Write([]byte("cse.mail/2\x00" + key))
	id := hex.EncodeToString(h.Sum(nil)[:16]) + "@" + domain
	if reference != "" {
		id = reference + "." + id
	}
	return id
}

// ReferenceIn is the reference in a Message-ID of ours, or empty. The ID proves
// nothing until SameID has compared it with the one that IDFor makes.
func ReferenceIn(id string) string {
	local, _, _ := strings.Cut(id, "@")
	reference, _, found := strings.Cut(local, ".")
	if !found {
		return ""
	}
	return reference
}

// SameID compares two Message-IDs in the part that we make: our domain may have
// changed since.
func SameID(a, b string) bool {
	a, _, _ = strings.Cut(a, "@")
	b, _, _ = strings.Cut(b, "@")
	return hmac.Equal([]byte(a), []byte(b))
}

// The ways to protect the connection.
const (
	TLSNone          = "none"          // a server on this machine
	TLSOpportunistic = "opportunistic" // STARTTLS when offered
	TLSMandatory     = "mandatory"     // STARTTLS or nothing
	TLSImplicit      = "implicit"      // TLS from the first byte (RFC 8314)
)

// Config names the server.
type Config struct {
	// Address is host:port.
	Address string
	// TLS is one of the constants above; empty means mandatory.
	TLS string
	// User and Password authenticate; an empty User does not.
	User     string
	Password secret.Text
	// Hello is the name said in EHLO; empty means localhost.
	Hello string
	// Timeout bounds each step of a conversation; 0 means 30 s.
	Timeout time.Duration
	// Trust is the TLS configuration of a server with a private authority; nil
	// for the system's.
	Trust *tls.Config
}

// Sender sends messages. It is safe for concurrent use.
type Sender struct {
	host     string
	opts     []gomail.Option
	implicit bool
}

// New refuses an address that is not host:port and an unknown TLS word.
func New(c Config) (*Sender, error) {
	host, portText, err := net.SplitHostPort(c.Address)
	if err != nil {
		return nil, fmt.Errorf("mail: server address: %w", err)
	}
	port, err := strconv.Atoi(portText)
	if err != nil || port < 1 || port > 65535 {
		return nil, fmt.Errorf("mail: server address: %q is not a port", portText)
	}
	if c.Timeout <= 0 {
		c.Timeout = 30 * time.Second
	}
	if c.Hello == "" {
		c.Hello = "localhost"
	}
	opts := []gomail.Option{
		gomail.WithPort(port), gomail.WithTimeout(c.Timeout), gomail.WithHELO(c.Hello), gomail.WithoutNoop(), gomail.WithoutRset(),
	}
	protection, err := c.protection()
	if err != nil {
		return nil, err
	}
	opts = append(opts, protection...)
	if c.Trust != nil {
		trust := c.Trust.Clone()
		if trust.ServerName == "" {
			trust.ServerName = host
		}
		opts = append(opts, gomail.WithTLSConfig(trust))
	}
	if c.User != "" {
		opts = append(opts, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(c.User), gomail.WithPassword(string(c.Password.Reveal())))
	}
	if _, err := gomail.NewClient(host, opts...); err != nil { // the options are checked now, not at the first message
		return nil, fmt.Errorf("mail: %w", err)
	}
	return &Sender{host: host, opts: opts, implicit: c.TLS == TLSImplicit}, nil
}

func (c Config) protection() ([]gomail.Option, error) {
	switch c.TLS {
	case TLSNone:
		return []gomail.Option{gomail.WithTLSPolicy(gomail.NoTLS)}, nil
	case TLSOpportunistic:
		return []gomail.Option{gomail.WithTLSPolicy(gomail.TLSOpportunistic)}, nil
	case TLSMandatory, "":
		return []gomail.Option{gomail.WithTLSPolicy(gomail.TLSMandatory)}, nil
	case TLSImplicit:
		return []gomail.Option{gomail.WithSSL()}, nil
	}
	return nil, fmt.Errorf("mail: %q is not a way to protect the connection", c.TLS)
}

// Refused is a message that will never leave: the server's answer, or a fault of
// the message itself (Code 0). It is an effect.ErrPermanent.
type Refused struct {
	// Code is the server's reply code (550…).
	Code int
	// Why, without addresses.
	Why string
}

func (r *Refused) Error() string {
	if r.Code == 0 {
		return "mail: " + r.Why
	}
	return fmt.Sprintf("mail: the server refuses: %s", r.Why)
}

// Is makes a Refused an effect.ErrPermanent.
func (r *Refused) Is(target error) bool { return target == effect.ErrPermanent }

// Send hands m to the server. The end of ctx stops it while connecting; after
// that each step has its own time limit, so that a message is not cut in half.
func (s *Sender) Send(ctx context.Context, m Message) error {
	msg, err := m.compose()
	if err != nil {
		return err
	}
	opts, hangUp := s.dial()
	defer hangUp()
	client, err := gomail.NewClient(s.host, opts...)
	if err != nil {
		return fmt.Errorf("mail: %w", err)
	}
	conn, err := client.DialToSMTPClientWithContext(ctx)
	if err != nil {
		return later("connect", err)
	}
	err = client.SendWithSMTPClient(conn, msg)
	// QUIT is a courtesy: its failure changes nothing that was said before.
	_ = client.CloseWithSMTPClient(conn)
	if msg.IsDelivered() {
		return nil
	}
	return outcome(err)
}

// dial makes go-mail use the localhost dialer, and keeps hold of the connection:
// go-mail leaves it open when the greeting or STARTTLS fails. For implicit TLS
// go-mail must dial itself, or it takes the connection for an unencrypted one.
func (s *Sender) dial() ([]gomail.Option, func()) {
	if s.implicit {
		return s.opts, func() {}
	}
	var conn net.Conn
	dial := localhost.Dialer()
	keep := func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dial(ctx, network, address)
		if err == nil {
			conn = c
		}
		return c, err
	}
	hangUp := func() {
		if conn != nil {
			_ = conn.Close() // closed already when all went well
		}
	}
	return append(slices.Clone(s.opts), gomail.WithDialContextFunc(keep)), hangUp
}

func later(step string, err error) error {
	return fmt.Errorf("mail: %s: %s", step, redact.Short(err.Error(), 300))
}

// outcome reads go-mail's error.
func outcome(err error) error {
	var failed *gomail.SendError
	if !errors.As(err, &failed) {
		if err == nil {
			return fmt.Errorf("mail: no answer from the sender: %w", effect.ErrUncertain)
		}
		return later("send", err)
	}
	why := redact.Short(failed.Error(), 300)
	// go-mail reads the code from the text; 4yz and 5yz are the server's word.
	switch code := failed.ErrorCode(); {
	case code >= 500:
		return &Refused{Code: code, Why: why}
	case code >= 400:
		return fmt.Errorf("mail: the server asks to try later: %s", why)
	case failed.Reason == gomail.ErrSMTPDataClose, failed.Reason == gomail.ErrWriteContent:
		return fmt.Errorf("mail: the connection was lost after DATA: %w (%s)", effect.ErrUncertain, why)
	}
	return fmt.Errorf("mail: the connection was lost: %s", why)
}

// compose makes the MIME message, always the same bytes for the same m.
func (m Message) compose() (*gomail.Msg, error) {
	if err := m.check(); err != nil {
		return nil, err
	}
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent(), gomail.WithCharset(gomail.CharsetUTF8), gomail.WithEncoding(gomail.EncodingQP))
	if err := errors.Join(msg.From(m.From), msg.To(m.To)); err != nil {
		return nil, &Refused{Why: redact.Text(err.Error())}
	}
	sum := sha256.Sum256([]byte(m.ID))
	msg.SetBoundary(hex.EncodeToString(sum[:12]))
	msg.SetMessageIDWithValue(m.ID)
	msg.SetDateWithValue(m.Date.UTC())
	msg.Subject(m.Subject)
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // RFC 3834: no out-of-office replies
	msg.SetBodyString(gomail.TypeTextPlain, m.Text)
	if m.HTML != "" {
		msg.AddAlternativeString(gomail.TypeTextHTML, m.HTML)
	}
	return msg, nil
}

func (m Message) check() error {
	for name, v := range map[string]string{"ID": m.ID, "sender": m.From, "recipient": m.To, "subject": m.Subject} {
		if v == "" {
			return &Refused{Why: "the message has no " + name}
		}
		if strings.ContainsAny(v, "\r\n") {
			return &Refused{Why: "a line break in the " + name}
		}
	}
	if m.Text == "" || m.Date.IsZero() {
		return &Refused{Why: "the message has no text or no date"}
	}
	for _, a := range []string{m.From, m.To} {
		if _, err := mail.ParseAddress(a); err != nil {
			return &Refused{Why: "an address is malformed"}
		}
	}
	return nil
}
