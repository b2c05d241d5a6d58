// Package localhost dials the names that RFC 6761 section 6.3 reserves for this
// machine.
//
// Browsers and curl send every name under ".localhost" to the loopback
// interface; the resolvers of Go, Node, Python and openssl ask the DNS instead
// and fail. Every HTTP client of ours therefore dials through DialContext, so
// that https://login.cse.localhost works without touching the hosts file.
//
// It guarantees that a name equal to "localhost" or ending in ".localhost" (any
// case, with or without the final dot) reaches 127.0.0.1 and nothing else, and
// that every other name is dialled as the standard library would. It speaks no
// protocol above TCP and imports package net only.
package localhost

import (
	"context"
	"net"
)

const suffix = ".localhost"

// DialContext has the shape of net.Dialer.DialContext and of the field of the
// same name of net/http.Transport. addr is "host:port".
func DialContext(ctx context.Context, network, addr string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, network, Address(addr))
}

// Address gives the address that DialContext dials for addr ("host:port").
func Address(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if err != nil || !Is(host) {
		return addr
	}
	return net.JoinHostPort("127.0.0.1", port)
}

// Is tells whether host (without port) is a name of this machine under RFC 6761.
func Is(host string) bool {
	if n := len(host); n > 0 && host[n-1] == '.' {
		host = host[:n-1]
	}
	if equalFold(host, suffix[1:]) {
		return true
	}
	return len(host) > len(suffix) && equalFold(host[len(host)-len(suffix):], suffix)
}

// equalFold compares ASCII without case (the package imports only net).
func equalFold(a, b string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range len(a) {
		if lower(a[i]) != lower(b[i]) {
			return false
		}
	}
	return true
}

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}
