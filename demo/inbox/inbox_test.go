package inbox

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cse.example/cse/engine/mail"
)

var letter = mail.Message{
	ID: "0001@cse.example", Date: time.Date(2026, 11, 23, 11, 0, 0, 0, time.UTC),
	From: "Carta Sanitaria <noreply@cse.example>", To: "anna.rossi@esempio.it",
	Subject: "È arrivata la seconda metà", Text: "PIN: 345\nPerché è così.\n.\n..fine\n", HTML: "<p>Perché è così.</p>\n",
}

func listen(t *testing.T, in *Inbox, address string) *mail.Sender {
	t.Helper()
	at, err := in.Listen(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	s, err := mail.New(mail.Config{Address: at.String(), TLS: mail.TLSNone, Timeout: 2 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestKeepsAndReads(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "mail")
	in, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := listen(t, in, "127.0.0.1:0")
	if err := s.Send(t.Context(), letter); err != nil {
		t.Fatal(err)
	}
	second := letter
	second.ID, second.HTML, second.Subject = "../../x y@cse.example", "", "plain"
	if err := s.Send(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	if err := in.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := s.Send(t.Context(), letter); err == nil {
		t.Error("sent to a server that is away")
	}
	again, err := Open(dir) // as after a restart: numbers go on
	if err != nil {
		t.Fatal(err)
	}
	third := letter
	third.ID = "0003@cse.example"
	if err := listen(t, again, "127.0.0.1:0").Send(t.Context(), third); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(again.Stop(), again.Stop()); err != nil {
		t.Error(err)
	}
	got, err := again.List()
	if err != nil {
		t.Fatal(err)
	}
	want := func(file string, m mail.Message) Letter {
		return Letter{File: file, ID: m.ID, Date: m.Date, From: `"Carta Sanitaria" <noreply@cse.example>`, To: "anna.rossi@esempio.it", Subject: m.Subject, Text: m.Text, HTML: m.HTML}
	}
	if diff := cmp.Diff([]Letter{want("0003-0003@cse.example.eml", third), want("0002-_.._x_y@cse.example.eml", second), want("0001-0001@cse.example.eml", letter)}, got); diff != "" {
		t.Error(diff)
	}
	for _, name := range []string{"", "0009-x.eml", "../mail/0001-0001@cse.example.eml", "0001-0001@cse.example.eml.new", "/etc/passwd"} {
		if _, err := in.Read(name); !errors.Is(err, ErrUnknown) {
			t.Errorf("Read(%q) = %v", name, err)
		}
	}
	info, err := os.Stat(filepath.Join(dir, "0001-0001@cse.example.eml"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v %v", info.Mode(), err)
	}
}

func TestLoopbackOnly(t *testing.T) {
	in, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range []string{"0.0.0.0:0", ":0", "192.0.2.1:0", "mail.example:0", "127.0.0.1"} {
		if at, err := in.Listen(t.Context(), address); err == nil {
			t.Errorf("it listens on %v", at)
		}
	}
}

func TestComesBackOnTheSamePort(t *testing.T) {
	in, err := Open(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	at, err := in.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := in.Stop(); err != nil {
			t.Fatal(err)
		}
		if c, err := net.Dial("tcp", at.String()); err == nil {
			_ = c.Close()
			t.Fatal("the port is open after Stop")
		}
		if err := listen(t, in, at.String()).Send(t.Context(), letter); err != nil {
			t.Fatal(err)
		}
	}
	if err := in.Stop(); err != nil {
		t.Fatal(err)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("Subject: =?utf-8?q?=C3=88?=\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n"))
	f.Add([]byte("Content-Transfer-Encoding: base64\r\n\r\neA==\r\n"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		l, err := Parse(raw)
		if err == nil && strings.ToValidUTF8(l.Text+l.HTML, "") != l.Text+l.HTML {
			t.Error("text that is not UTF-8")
		}
	})
}
