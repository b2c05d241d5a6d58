package localhost

import (
	"context"
	"net"
	"testing"
	"time"
)

func TestAddress(t *testing.T) {
	for _, c := range []struct{ addr, want string }{
		{"login.cse.localhost:8443", "127.0.0.1:8443"},
		{"LOGIN.CSE.LocalHost:1", "127.0.0.1:1"},
		{"cns.cse.localhost.:443", "127.0.0.1:443"},
		{"localhost:80", "127.0.0.1:80"},
		{".localhost:80", ".localhost:80"},
		{"notlocalhost:80", "notlocalhost:80"},
		{"localhost.example.org:80", "localhost.example.org:80"},
		{"localhost.evil:80", "localhost.evil:80"},
		{"192.0.2.1:80", "192.0.2.1:80"},
		{"[::1]:80", "[::1]:80"},
		{"no port", "no port"},
	} {
		if got := Address(c.addr); got != c.want {
			t.Errorf("Address(%q) = %q, want %q", c.addr, got, c.want)
		}
	}
}

func TestDialContextReachesLoopback(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	c, err := DialContext(ctx, "tcp", "any.name.cse.localhost:"+port)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got, want := c.RemoteAddr().String(), l.Addr().String(); got != want {
		t.Fatalf("dialled %s, want %s", got, want)
	}
}
