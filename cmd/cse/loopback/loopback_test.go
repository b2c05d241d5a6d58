package loopback

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"
)

// Only loopback addresses, one port, chosen by the system.
func TestListensOnLoopbackOnly(t *testing.T) {
	l, err := Listen()
	if err != nil {
		t.Fatal(err)
	}
	l.Each(func(x net.Listener) { t.Cleanup(func() { _ = x.Close() }) })
	ports := map[string]bool{}
	for _, h := range l.Hosts() {
		a, err := netip.ParseAddrPort(h)
		if err != nil || !a.Addr().IsLoopback() || a.Port() == 0 {
			t.Errorf("it listens at %s (%v)", h, err)
		}
		ports[h[strings.LastIndexByte(h, ':'):]] = true
	}
	if len(ports) != 1 || !strings.HasPrefix(l.Origin(), "http://127.0.0.1:") {
		t.Errorf("it listens at %v, first page at %s", l.Hosts(), l.Origin())
	}
}

// A stranger's connection is closed before it can say anything; one's own works.
func TestStrangersAreHungUpOn(t *testing.T) {
	l, err := Listen()
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		owner Owner
		want  string
	}{{Mine, "ok"}, {Unknown, "ok"}, {Foreign, ""}} {
		l.owner = func(client, server netip.AddrPort) Owner {
			if server.String() != l.Hosts()[0] || client == server {
				t.Errorf("asked for %s at %s", client, server)
			}
			return x.owner
		}
		g := &guarded{l.listeners[0], l.owner}
		go func() {
			c, err := g.Accept()
			if err == nil {
				_, _ = io.WriteString(c, "ok")
				_ = c.Close()
			}
		}()
		c, err := net.Dial("tcp", l.Hosts()[0])
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		b, err := io.ReadAll(c)
		_ = c.Close()
		if string(b) != x.want || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("owner %d: %q, %v", x.owner, b, err)
		}
	}
	for _, x := range l.listeners {
		_ = x.Close()
	}
}

// The redirect file is the person's alone, leads to the address and goes away.
func TestRedirect(t *testing.T) {
	dir := t.TempDir()
	path, remove, err := Redirect(dir, `http://127.0.0.1:1/entra?chiave="<x>`, "Apri & guarda")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]os.FileMode{path: 0o600, strings.TrimSuffix(path, "/cse.html"): 0o700 | os.ModeDir} {
		if i, err := os.Stat(name); err != nil || i.Mode() != want {
			t.Errorf("%s has mode %v, want %v (%v)", name, i.Mode(), want, err)
		}
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if text := string(b); !strings.Contains(text, `href="http://127.0.0.1:1/entra?chiave=&#34;&lt;x&gt;"`) || strings.Contains(text, "http-equiv") {
		t.Errorf("the file says:\n%s", text)
	}
	remove()
	remove()
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}
