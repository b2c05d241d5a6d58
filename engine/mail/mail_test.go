package mail

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"cse.example/cse/ground/effect"
	"cse.example/cse/ground/secret"
)

var mac = secret.New(make([]byte, 32))

var letter = Message{
	ID: IDFor(mac, "mail.codes/1", "", "cse.example"), Date: time.Date(2026, 11, 23, 11, 0, 0, 0, time.UTC),
	From: "Carta Sanitaria <noreply@cse.example>", To: "anna.rossi@esempio.it",
	Subject: "Attività: è arrivata la seconda metà", Text: "PIN: 345\nPUK: 678901\nCIP: 12345\n\nPerché è così.\n", HTML: "<p>Perché è così.</p>",
}

func sender(t *testing.T, s *server, change func(*Config)) *Sender {
	t.Helper()
	c := Config{Address: s.addr, TLS: TLSNone, Timeout: 2 * time.Second}
	if change != nil {
		change(&c)
	}
	x, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	return x
}

func TestSameBytesEveryTime(t *testing.T) {
	s := newServer(t)
	x := sender(t, s, nil)
	for range 10 {
		if err := x.Send(t.Context(), letter); err != nil {
			t.Fatal(err)
		}
	}
	for _, raw := range s.kept() {
		if !bytes.Equal(raw, s.kept()[0]) {
			t.Fatalf("two repetitions differ:\n%s\n---\n%s", s.kept()[0], raw)
		}
	}
	raw := string(s.kept()[0])
	for _, want := range []string{
		"Message-ID: <" + letter.ID + ">", "Date: Mon, 23 Nov 2026 11:00:00 +0000", "To: <anna.rossi@esempio.it>",
		"\r\nPIN: 345\r\nPUK: 678901\r\nCIP: 12345\r\n", "Perch=C3=A9", "multipart/alternative", "Auto-Submitted: auto-generated",
	} {
		if !strings.Contains(raw, want) {
			t.Errorf("no %q in\n%s", want, raw)
		}
	}
	for _, r := range raw {
		if r > 126 {
			t.Fatalf("a character outside ASCII on the wire: %q", r)
		}
	}
}

func TestOutcomes(t *testing.T) {
	smtpError := func(code int, text string) error {
		return &smtp.SMTPError{Code: code, EnhancedCode: smtp.EnhancedCode{code / 100, 1, 1}, Message: text}
	}
	const later, done = "later", "done"
	for _, c := range []struct {
		name    string
		prepare func(*server)
		want    string
	}{
		{"taken", func(*server) {}, done},
		{"recipient unknown", func(s *server) { s.refuseRcpt = smtpError(550, "anna.rossi@esempio.it unknown") }, "permanent"},
		{"recipient's box full", func(s *server) { s.refuseRcpt = smtpError(452, "anna.rossi@esempio.it is full") }, later},
		{"content refused", func(s *server) { s.refuseData = smtpError(554, "no, anna.rossi@esempio.it") }, "permanent"},
		{"content refused for now", func(s *server) { s.refuseData = smtpError(451, "greylisted") }, later},
		{"lost after DATA, kept", func(s *server) { s.hangUp = 1 }, "uncertain"},
		{"lost after DATA, thrown away", func(s *server) { s.hangUp = 2 }, "uncertain"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newServer(t)
			s.set(func() { c.prepare(s) })
			err := sender(t, s, nil).Send(t.Context(), letter)
			got := later
			switch {
			case err == nil:
				got = done
			case errors.Is(err, effect.ErrUncertain):
				got = "uncertain"
			case errors.Is(err, effect.ErrPermanent):
				got = "permanent"
			}
			if got != c.want {
				t.Errorf("%s: %v, want %s", got, err, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "esempio.it") {
				t.Errorf("an address in the error: %v", err)
			}
		})
	}
}

func TestServerGoesAwayAndComesBack(t *testing.T) {
	s := newServer(t)
	x := sender(t, s, nil)
	s.goAway()
	err := x.Send(t.Context(), letter)
	if err == nil || errors.Is(err, effect.ErrUncertain) || errors.Is(err, effect.ErrPermanent) {
		t.Fatalf("while it is away: %v", err)
	}
	s.comeBack(t)
	if err := x.Send(t.Context(), letter); err != nil {
		t.Fatal(err)
	}
	// Uncertain, then sent again: two copies, one Message-ID.
	s.set(func() { s.hangUp = 1 })
	other := letter
	other.ID = IDFor(mac, "mail.codes/2", "", "cse.example")
	if err := x.Send(t.Context(), other); !errors.Is(err, effect.ErrUncertain) {
		t.Fatal(err)
	}
	s.set(func() { s.hangUp = 0 })
	if err := x.Send(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	ids := s.ids(t)
	if len(ids) != 2 || ids["<"+other.ID+">"] != 2 || ids["<"+letter.ID+">"] != 1 {
		t.Errorf("kept %v", ids)
	}
}

// A server that says nothing is not waited for longer than the time limit.
func TestSilentServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	x, err := New(Config{Address: l.Addr().String(), TLS: TLSNone, Timeout: 200 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	if err := x.Send(t.Context(), letter); err == nil || time.Since(begun) > 5*time.Second {
		t.Errorf("after %v: %v", time.Since(begun), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := x.Send(ctx, letter); err == nil {
		t.Error("sent after the end of the context")
	}
}

func TestProtection(t *testing.T) {
	for _, c := range []struct {
		tls    string
		offers bool
		ok     bool
		sealed bool
	}{
		{TLSNone, false, true, false},
		{TLSOpportunistic, false, true, false},
		{TLSOpportunistic, true, true, true},
		{TLSMandatory, true, true, true},
		{TLSMandatory, false, false, false},
		{"", false, false, false},
	} {
		t.Run(fmt.Sprintf("%s offered=%v", c.tls, c.offers), func(t *testing.T) {
			s := &server{addr: "127.0.0.1:0"}
			var trust *tls.Config
			if c.offers {
				s.tls, trust = certificate(t)
			}
			s.comeBack(t)
			defer s.goAway()
			x := sender(t, s, func(conf *Config) { conf.TLS, conf.Trust = c.tls, trust })
			err := x.Send(t.Context(), letter)
			if (err == nil) != c.ok {
				t.Fatalf("Send = %v", err)
			}
			if c.ok && s.sealed != c.sealed {
				t.Errorf("encrypted: %v, want %v", s.sealed, c.sealed)
			}
		})
	}
	// A certificate nobody vouches for.
	s := &server{addr: "127.0.0.1:0"}
	s.tls, _ = certificate(t)
	s.comeBack(t)
	defer s.goAway()
	if err := sender(t, s, func(c *Config) { c.TLS = TLSOpportunistic }).Send(t.Context(), letter); err == nil {
		t.Error("an unknown certificate was accepted")
	}
}

func TestRefusedMessages(t *testing.T) {
	x, err := New(Config{Address: "127.0.0.1:1", TLS: TLSNone})
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*Message){
		"no ID":                            func(m *Message) { m.ID = "" },
		"no date":                          func(m *Message) { m.Date = time.Time{} },
		"no recipient":                     func(m *Message) { m.To = "" },
		"bad recipient":                    func(m *Message) { m.To = "anna at esempio" },
		"two recipients":                   func(m *Message) { m.To = "a@esempio.it, b@esempio.it" },
		"header smuggled in the subject":   func(m *Message) { m.Subject = "x\r\nBcc: b@esempio.it" },
		"header smuggled in the recipient": func(m *Message) { m.To = "a@esempio.it\r\nBcc: b@esempio.it" },
		"no text":                          func(m *Message) { m.Text = "" },
	} {
		m := letter
		change(&m)
		if err := x.Send(t.Context(), m); !errors.Is(err, effect.ErrPermanent) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, c := range []Config{{}, {Address: "mail"}, {Address: "mail:0"}, {Address: "mail:25", TLS: "ssl"}} {
		if _, err := New(c); err == nil {
			t.Errorf("New(%+v) was accepted", c)
		}
	}
}
