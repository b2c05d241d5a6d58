package registration

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// nss is an NSS database: a folder whose file pkcs11.txt lists modules, one
// block of "key=value" lines each, an empty line behind every block.
type nss struct {
	kind Kind
	dir  string
}

func (n nss) file() string { return filepath.Join(n.dir, "pkcs11.txt") }

// slotFlags let NSS read certificates before the PIN: without them a browser
// asks for the PIN whenever it looks for a certificate.
func slotFlags() string {
	var b strings.Builder
	for slot := range 8 {
		b.WriteString(" " + strconv.Itoa(slot) + "={slotFlags=[PublicCerts] askpw=any timeout=30}")
	}
	return "(" + strings.TrimSpace(b.String()) + ")"
}

func block(module string) []byte {
	return []byte("library=" + module + "\nname=" + Name + "\nNSS=slotParams=" + slotFlags() + "\n\n")
}

// blocks cuts the file into blocks, each with its empty line; joined they are
// the file.
func blocks(b []byte) [][]byte {
	var list [][]byte
	for len(b) > 0 {
		n := bytes.Index(b, []byte("\n\n"))
		if n < 0 {
			return append(list, b)
		}
		list, b = append(list, b[:n+2]), b[n+2:]
	}
	return list
}

// closed tells whether the last block has its empty line, as all have that NSS
// writes.
func closed(b []byte) bool {
	list := blocks(b)
	return len(list) == 0 || bytes.HasSuffix(list[len(list)-1], []byte("\n\n"))
}

// ours gives the module file of a block that is ours.
func ours(block []byte) (module string, ok bool) {
	for line := range strings.Lines(string(block)) {
		line = strings.TrimRight(line, "\r\n")
		if line == "name="+Name {
			ok = true
		}
		if v, is := strings.CutPrefix(line, "library="); is {
			module = v
		}
	}
	return module, ok
}

func (n nss) look() (Place, error) {
	p := Place{Kind: n.kind, Path: n.dir, State: Absent, Running: n.running()}
	b, err := read(n.file())
	for _, x := range blocks(b) {
		if m, ok := ours(x); ok {
			p.State, p.Module = Registered, m
		}
	}
	return p, err
}

func (n nss) put(module string) error {
	b, err := read(n.file())
	if err != nil {
		return err
	}
	rest := without(b)
	if !closed(rest) {
		rest = append(bytes.TrimRight(rest, "\n"), "\n\n"...)
	}
	return write(n.file(), append(rest, block(module)...), 0o600, 0o700)
}

func (n nss) take() error {
	b, err := read(n.file())
	if err != nil {
		return err
	}
	if rest := without(b); len(rest) > 0 {
		return write(n.file(), rest, 0o600, 0o700)
	}
	if n.kind == Chromium {
		return clean(n.file(), 2) // .pki/nssdb, when we made it
	}
	return clean(n.file(), 0)
}

func without(b []byte) []byte {
	var rest []byte
	for _, x := range blocks(b) {
		if _, ok := ours(x); !ok {
			rest = append(rest, x...)
		}
	}
	return rest
}

// running tells whether a Mozilla program has the profile open: its lock is a
// link that names address and process, "127.0.1.1:+4711".
func (n nss) running() bool {
	to, err := os.Readlink(filepath.Join(n.dir, "lock"))
	if err != nil {
		return false
	}
	_, id, _ := strings.Cut(to, ":+")
	pid, err := strconv.Atoi(id)
	if err != nil || pid <= 0 {
		return false
	}
	p, err := os.FindProcess(pid)
	return err == nil && p.Signal(syscall.Signal(0)) == nil
}
