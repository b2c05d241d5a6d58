package reader

import (
	"net"
	"syscall"
)

// acknowledge tells the kernel to acknowledge the next piece of data at once.
// vpcd writes the length of a message and its body in two pieces, with Nagle's
// algorithm on: the body leaves only when the length is acknowledged, which by
// default takes 40 ms for every APDU. The kernel forgets this setting, so it is
// said again before each message; failure only costs time.
func acknowledge(conn net.Conn) {
	t, ok := conn.(*net.TCPConn)
	if !ok {
		return
	}
	raw, err := t.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, syscall.TCP_QUICKACK, 1)
	})
}
