package loopback

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"os"
	"strconv"
	"strings"
)

// ownerOf looks the client's end of a connection up. A connection that is in no
// table is a stranger's: its user is gone, or in a place that we do not see.
func ownerOf(client, server netip.AddrPort) Owner {
	known := false
	for _, file := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		table, err := os.ReadFile(file)
		if err != nil || len(table) == 0 {
			continue
		}
		known = true
		if uid, ok := find(string(table), client, server); ok {
			if uid == os.Getuid() {
				return Mine
			}
			return Foreign
		}
	}
	if known {
		return Foreign
	}
	return Unknown
}

// find looks for the connection from local to remote in one of the kernel's tables
// and tells its user.
func find(table string, local, remote netip.AddrPort) (uid int, ok bool) {
	for line := range strings.Lines(table) {
		f := strings.Fields(line)
		if len(f) < 8 {
			continue
		}
		l, ok1 := endpoint(f[1])
		r, ok2 := endpoint(f[2])
		if !ok1 || !ok2 || l != local || r != remote {
			continue
		}
		n, err := strconv.ParseUint(f[7], 10, 32)
		if err != nil {
			return 0, false
		}
		return int(n), true
	}
	return 0, false
}

// endpoint reads "0100007F:1F90": words of 32 bits in the machine's order.
func endpoint(s string) (netip.AddrPort, bool) {
	address, port, _ := strings.Cut(s, ":")
	b, err := hex.DecodeString(address)
	p, err2 := strconv.ParseUint(port, 16, 16)
	if err != nil || err2 != nil || len(b)%4 != 0 {
		return netip.AddrPort{}, false
	}
	for i := 0; i < len(b); i += 4 {
		binary.NativeEndian.PutUint32(b[i:], binary.BigEndian.Uint32(b[i:]))
	}
	a, ok := netip.AddrFromSlice(b)
	return netip.AddrPortFrom(a.Unmap(), uint16(p)), ok
}
