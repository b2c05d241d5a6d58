package localhost

import (
	"context"
	"net"
	"testing"
)

func TestAddress(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"portal.cse.localhost:8443", "127.0.0.1:8443"},
		{"LOCALHOST:1", "127.0.0.1:1"},
		{"cns.cse.localhost.:443", "127.0.0.1:443"},
		{"notlocalhost:443", "notlocalhost:443"},
		{"localhost.example:443", "localhost.example:443"},
		{"192.0.2.1:80", "192.0.2.1:80"},
		{"no port", "no port"},
	} {
		if got := Address(c.in); got != c.want {
			t.Errorf("Address(%q) = %q, want %q", c.in, got, c.want)
		}
	}
}

func TestDialer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	c, err := Dialer()(t.Context(), "tcp", "portal.cse.localhost:"+port)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

func TestDialContextReachesLoopback(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, _ := net.SplitHostPort(l.Addr().String())
	c, err := DialContext(context.Background(), "tcp", "any.name.cse.localhost:"+port)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got, want := c.RemoteAddr().String(), l.Addr().String(); got != want {
		t.Fatalf("dialled %s, want %s", got, want)
	}
}
