package listen_test

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"testing"
	"time"

	"cse.example/cse/engine/listen"
)

// stall begins a card handshake from an address and stops where the holder would
// type his PIN; ok tells whether the server waits for him. finish ends the wait.
func (x *site) stall(t *testing.T, from string) (ok bool, finish func() error, leave func() error) {
	t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	raw, err := d.DialContext(t.Context(), "tcp", x.ports.TLS().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = raw.Close() })
	asked, go_on, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	c := tls.Client(raw, &tls.Config{RootCAs: x.ca.Pool(), ServerName: cns, GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
		close(asked)
		<-go_on
		return &tls.Certificate{}, nil
	}})
	go func() { done <- c.HandshakeContext(context.WithoutCancel(t.Context())) }()
	finish = func() error {
		close(go_on)
		if err := <-done; err != nil {
			return err
		}
		if _, err := c.Write([]byte("GET / HTTP/1.1\r\nHost: " + cns + "\r\n\r\n")); err != nil {
			return err
		}
		_, err := c.Read(make([]byte, 1))
		return err
	}
	select {
	case <-asked:
		return true, finish, raw.Close
	case <-done:
		return false, finish, raw.Close
	case <-time.After(10 * time.Second):
		t.Fatal("the server neither waits nor refuses")
		return false, nil, nil
	}
}

// One source, and all together, may keep so many handshakes unfinished and no more;
// other hosts go on; who finishes, leaves or runs out of time makes room.
func TestUnfinishedHandshakesAreBounded(t *testing.T) {
	x := start(t, func(s *listen.Site) { s.SourceHandshakes, s.Handshakes, s.Handshake = 3, 5, time.Minute })
	const one, two, three = "127.0.0.1", "127.0.0.2", "127.0.0.3"
	var finish, leave [5]func() error
	for i, from := range []string{one, one, one, two, two} {
		var ok bool
		if ok, finish[i], leave[i] = x.stall(t, from); !ok {
			t.Fatalf("handshake %d from %s is refused", i, from)
		}
		if i != 2 {
			continue
		}
		if ok, _, _ := x.stall(t, one); ok {
			t.Error("a fourth from one source waits")
		}
	}
	for _, from := range []string{two, three} {
		if ok, _, _ := x.stall(t, from); ok {
			t.Errorf("a sixth, from %s, waits", from)
		}
	}
	if resp, _ := get(t, x.client(x.config(t, portal), true), x.url(portal)); resp.StatusCode != http.StatusOK {
		t.Errorf("another host answers %d", resp.StatusCode)
	}
	again := func(what, from string) {
		t.Helper()
		deadline := time.Now().Add(10 * time.Second)
		for {
			ok, _, close := x.stall(t, from)
			if ok {
				_ = close()
				return
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s makes no room", what)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	if err := finish[0](); err != nil {
		t.Fatal(err)
	}
	again("who finished", one)
	if err := leave[3](); err != nil {
		t.Fatal(err)
	}
	again("who left", three)
}

// A handshake that nobody finishes ends, and its place is free.
func TestUnfinishedHandshakesEnd(t *testing.T) {
	x := start(t, func(s *listen.Site) { s.SourceHandshakes, s.Handshake = 1, 300*time.Millisecond })
	if ok, _, _ := x.stall(t, "127.0.0.1"); !ok {
		t.Fatal("the first is refused")
	}
	if ok, _, _ := x.stall(t, "127.0.0.1"); ok {
		t.Error("a second waits")
	}
	deadline := time.Now().Add(10 * time.Second)
	for {
		if ok, _, _ := x.stall(t, "127.0.0.1"); ok {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(errors.New("its time is over, and there is no room"))
		}
		time.Sleep(50 * time.Millisecond)
	}
}
