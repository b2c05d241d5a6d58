//go:build !linux

package loopback

import "net/netip"

// ownerOf: no table of connections is read here.
func ownerOf(_, _ netip.AddrPort) Owner { return Unknown }
