package loopback

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// A table as a little-endian kernel writes it: our end, the other end, the user.
const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 20 1 0 100 0 0 10 0
   1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000  1000        0 21 1 0 20 4 30 10 -1
   2: 0100007F:C350 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  1001        0 22 1 0 20 4 30 10 -1
   3: 00000000000000000000000001000000:C351 00000000000000000000000001000000:1F90 01 00000000:00000000 00:00000000 00000000 1002 0 23
   4: 0000000000000000FFFF00000100007F:C352 0000000000000000FFFF00000100007F:1F90 01 00000000:00000000 00:00000000 00000000 1003 0 24
   5: 0100007F:C353 0100007F:1F90 01 00000000:00000000 00:00000000 00000000 many 0 25
`

func TestFind(t *testing.T) {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Log("this machine writes the words the other way round: the sample does not apply")
		return
	}
	for _, x := range []struct {
		client, server string
		uid            int
		ok             bool
	}{
		{"127.0.0.1:50000", "127.0.0.1:8080", 1001, true},
		{"127.0.0.1:8080", "127.0.0.1:50000", 1000, true},
		{"[::1]:50001", "[::1]:8080", 1002, true},
		{"127.0.0.1:50002", "127.0.0.1:8080", 1003, true},
		{"127.0.0.1:50003", "127.0.0.1:8080", 0, false},
		{"127.0.0.1:50000", "127.0.0.1:8081", 0, false},
		{"127.0.0.2:50000", "127.0.0.1:8080", 0, false},
	} {
		uid, ok := find(table, netip.MustParseAddrPort(x.client), netip.MustParseAddrPort(x.server))
		if uid != x.uid || ok != x.ok {
			t.Errorf("%s to %s: %d %v, want %d %v", x.client, x.server, uid, ok, x.uid, x.ok)
		}
	}
}

// A connection of this test's own is found as such, and no other is.
func TestOwnConnection(t *testing.T) {
	if _, err := os.ReadFile("/proc/net/tcp"); err != nil {
		t.Logf("no table here: %v", err)
		return
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	client, server := netip.MustParseAddrPort(s.RemoteAddr().String()), netip.MustParseAddrPort(s.LocalAddr().String())
	if got := ownerOf(client, server); got != Mine {
		t.Errorf("our own connection is %d", got)
	}
	if got := ownerOf(netip.AddrPortFrom(client.Addr(), client.Port()^1), server); got != Foreign {
		t.Errorf("a connection that does not exist is %d", got)
	}
}

func FuzzFind(f *testing.F) {
	f.Add(table)
	f.Add("x: 0100007F:1F90 0100007F:C350 01 a b c 1")
	a := netip.MustParseAddrPort("127.0.0.1:50000")
	b := netip.MustParseAddrPort("127.0.0.1:8080")
	f.Fuzz(func(t *testing.T, table string) {
		if uid, ok := find(table, a, b); ok && uid < 0 {
			t.Fatalf("user %d", uid)
		}
	})
}

// Another user of this computer is hung up on. It takes root to be two users.
func TestAnotherUserIsHungUpOn(t *testing.T) {
	if os.Getuid() != 0 {
		t.Log("not root: TestStrangersAreHungUpOn has a stranger that is played")
		return
	}
	l, err := Listen()
	if err != nil {
		t.Fatal(err)
	}
	l.Each(func(x net.Listener) {
		t.Cleanup(func() { _ = x.Close() })
		go func() {
			for {
				c, err := x.Accept()
				if err != nil {
					return
				}
				_, _ = io.WriteString(c, "come in")
				_ = c.Close()
			}
		}()
	})
	for uid, want := range map[uint32]string{0: "come in", 65534: ""} {
		c := exec.Command("bash", "-c", fmt.Sprintf("exec 3<>/dev/tcp/127.0.0.1/%d; cat <&3", l.port))
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
		out, err := c.Output()
		var ended *exec.ExitError // a connection that is reset makes cat fail
		if string(out) != want || err != nil && !errors.As(err, &ended) {
			t.Errorf("user %d got %q, want %q (%v)", uid, out, want, err)
		}
	}
}
