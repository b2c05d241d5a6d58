// Package loopback lets the browser of one person reach a program of his on this
// computer, and nobody else.
//
// It listens on 127.0.0.1, and on ::1 where there is one, at a port of the
// system's choice. On Linux each connection is looked up in the kernel's table
// (/proc/net/tcp and tcp6, proc(5)): it must have been made by the same user.
// Elsewhere, and where the table cannot be read, the key in the address alone
// keeps other users of the computer out.
//
// The browser is not given the address with the key, which any user could read in
// the list of processes, but the name of a file of the person's (mode 0600, in a
// folder of mode 0700) that leads there; whoever has used it removes it.
package loopback

import (
	"fmt"
	"html"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"sync"
)

// Listener accepts this person's connections on the loopback addresses.
type Listener struct {
	listeners []net.Listener
	port      int
	// owner tells whose the other end of a connection is.
	owner func(client, server netip.AddrPort) Owner
}

// Owner is whose a connection is.
type Owner int

// The owners. Unknown: this system does not tell.
const (
	Unknown Owner = iota
	Mine
	Foreign
)

// Listen opens the port.
func Listen() (*Listener, error) {
	first, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("loopback: %w", err)
	}
	l := &Listener{listeners: []net.Listener{first}, port: first.Addr().(*net.TCPAddr).Port, owner: ownerOf}
	// Not every computer has ::1, and the port may be taken there.
	if second, err := net.Listen("tcp6", net.JoinHostPort("::1", strconv.Itoa(l.port))); err == nil {
		l.listeners = append(l.listeners, second)
	}
	return l, nil
}

// Origin is the address of the first page, without a path.
func (l *Listener) Origin() string { return "http://" + l.Hosts()[0] }

// Hosts are the values that Host may have.
func (l *Listener) Hosts() []string {
	hosts := make([]string, len(l.listeners))
	for i, x := range l.listeners {
		hosts[i] = x.Addr().String()
	}
	return hosts
}

// Each gives the listeners to serve, one per address, without strangers.
func (l *Listener) Each(serve func(net.Listener)) {
	for _, x := range l.listeners {
		serve(&guarded{x, l.owner})
	}
}

// guarded hangs up on other users.
type guarded struct {
	net.Listener
	owner func(client, server netip.AddrPort) Owner
}

// Accept implements net.Listener.
func (g *guarded) Accept() (net.Conn, error) {
	for {
		c, err := g.Listener.Accept()
		if err != nil {
			return nil, err
		}
		client, err1 := netip.ParseAddrPort(c.RemoteAddr().String())
		server, err2 := netip.ParseAddrPort(c.LocalAddr().String())
		if err1 == nil && err2 == nil && client.Addr().IsLoopback() && g.owner(client, server) != Foreign {
			return c, nil
		}
		_ = c.Close() // a stranger's
	}
}

// Redirect writes the file that leads a browser to address, under folder (the
// person's runtime folder; empty for the system's temporary one). remove takes it
// away and may be called twice.
func Redirect(folder, address, title string) (path string, remove func(), err error) {
	dir, err := os.MkdirTemp(folder, "cse-") // mode 0700
	if err != nil {
		return "", nil, fmt.Errorf("loopback: %w", err)
	}
	remove = sync.OnceFunc(func() { _ = os.RemoveAll(dir) }) // empty at worst: the key is good once
	path = filepath.Join(dir, "cse.html")
	a, t := html.EscapeString(address), html.EscapeString(title)
	page := "<!doctype html>\n<html><head><meta charset=\"utf-8\"><meta name=\"referrer\" content=\"no-referrer\"><title>" + t + "</title></head>\n" +
		"<body><main><h1><a id=\"go\" href=\"" + a + "\">" + t + "</a></h1></main>\n" +
		"<script>location.replace(document.getElementById(\"go\").href)</script></body></html>\n"
	if err := os.WriteFile(path, []byte(page), 0o600); err != nil {
		remove()
		return "", nil, fmt.Errorf("loopback: %w", err)
	}
	return path, remove, nil
}
