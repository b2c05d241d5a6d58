// Package localhost dials *.localhost to 127.0.0.1.
//
// Browsers and curl know that names under .localhost are this machine (RFC 6761
// section 6.3); Go's resolver asks the DNS. Every HTTP client of ours uses
// Dialer, so that portal.cse.localhost works everywhere without a line in the
// hosts file. Other names are dialled as usual.
package localhost

import (
	"context"
	"net"
	"strings"
	"time"
)

// DialFunc dials as net.Dialer.DialContext does.
type DialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// Dialer returns a DialFunc that takes localhost and *.localhost for 127.0.0.1
// and gives up after ten seconds.
func Dialer() DialFunc { return Over((&net.Dialer{Timeout: 10 * time.Second}).DialContext) }

// Over is Dialer on top of dial.
func Over(dial DialFunc) DialFunc {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		return dial(ctx, network, Address(address))
	}
}

// Address replaces the host of host:port by 127.0.0.1 when it is localhost or
// ends in .localhost; anything else comes back as it is.
func Address(address string) string {
	host, port, err := net.SplitHostPort(address)
	if err != nil || !Is(host) {
		return address
	}
	return net.JoinHostPort("127.0.0.1", port)
}

// Is tells whether name is localhost or a name under it.
func Is(name string) bool {
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	return name == "localhost" || strings.HasSuffix(name, ".localhost")
}

// DialContext is Dialer as a function, for the field of the same name of
// net/http.Transport.
func DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	return Dialer()(ctx, network, address)
}
