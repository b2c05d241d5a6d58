package listen

import (
	"crypto/tls"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"sync"
)

// A card host's handshake waits for a person, for minutes. What one source, and
// all of them together, may keep waiting is bounded: whoever opens many and
// finishes none is refused in the handshake, and the seats of the other hosts are
// not his to take.

// errCrowded ends a handshake of a source that has too many unfinished ones, or of
// any when all together have.
var errCrowded = errors.New("listen: too many unfinished card handshakes")

// crowd counts unfinished card handshakes.
type crowd struct {
	each, all int

	mu      sync.Mutex
	total   int
	sources map[netip.Prefix]int
}

func newCrowd(each, all int) *crowd {
	return &crowd{each: each, all: all, sources: map[netip.Prefix]int{}}
}

// enter takes a place for a source; leave gives it back, and must be called once.
func (c *crowd) enter(from netip.Prefix) (leave func(), ok bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.total >= c.all || c.sources[from] >= c.each {
		return nil, false
	}
	c.total++
	c.sources[from]++
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.total--
		if c.sources[from]--; c.sources[from] == 0 {
			delete(c.sources, from)
		}
	}, true
}

// sourceOf is whom a connection counts for: an IPv4 address, or the IPv6 network
// (/64) that one customer has.
func sourceOf(c net.Conn) netip.Prefix {
	a, err := netip.ParseAddrPort(c.RemoteAddr().String())
	if err != nil {
		return netip.Prefix{}
	}
	ip, bits := a.Addr().Unmap().WithZone(""), 64
	if ip.Is4() {
		bits = 32
	}
	p, err := ip.Prefix(bits)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// begin counts a card handshake on a connection until it is finished or closed.
func (c *crowd) begin(conn net.Conn) error {
	s, ok := conn.(*seated)
	if !ok {
		return nil
	}
	leave, ok := c.enter(sourceOf(conn))
	if !ok {
		return errCrowded
	}
	s.unfinished(sync.OnceFunc(leave))
	return nil
}

// finished is the server's ConnState: the first octets of a request tell that the
// handshake is over.
func finished(conn net.Conn, state http.ConnState) {
	if t, ok := conn.(*tls.Conn); ok && state == http.StateActive {
		if s, ok := t.NetConn().(*seated); ok {
			s.unfinished(nil)
		}
	}
}

// unfinished keeps how a handshake's place is given back, and gives back the one
// kept before.
func (c *seated) unfinished(leave func()) {
	c.mu.Lock()
	before := c.place
	c.place = leave
	c.mu.Unlock()
	if before != nil {
		before()
	}
}
