//go:build !linux

package reader

import "net"

// acknowledge is needed, and possible, on Linux only.
func acknowledge(net.Conn) {}
