// Package foreign proves the card and the program cse against other people's
// software: OpenSC, OpenSSL, curl, GnuTLS and NSS, through pcscd and the virtual
// reader.
//
// It runs as root, in namespaces of its own:
//
//	test/foreign/pcscd.sh go test ./test/foreign/...
//
// Without CSE_FOREIGN=1 (which pcscd.sh sets) it says that it did nothing. With
// it, a missing program is a failure that names the package to install.
package foreign

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cse.example/cse/card/chip"
	"cse.example/cse/card/cns"
	"cse.example/cse/card/holder"
	"cse.example/cse/card/holder/holdertest"
	"cse.example/cse/card/reader"
)

// programs are what these tests run, and the Debian package of each.
var programs = []struct{ name, pkg string }{
	{"opensc-tool", "opensc"},
	{"pkcs15-tool", "opensc"},
	{"pkcs11-tool", "opensc"},
	{"openssl", "openssl"},
	{"curl", "curl"},
	{"gnutls-cli", "gnutls-bin"},
	{"certutil", "libnss3-tools"},
	{"modutil", "libnss3-tools"},
	{"p11-kit", "p11-kit"},
	{"setpriv", "util-linux"},
	{"gcc", "gcc"},
	{"x86_64-w64-mingw32-gcc", "gcc-mingw-w64-x86-64"},
	{"wine", "wine"},
	{"ssh", "openssh-client"},
	{"sshd", "openssh-server"},
	{"chromium", "chromium"},
	{"firefox-esr", "firefox-esr"},
	{"Xvfb", "xvfb"},
	{"openbox", "openbox"},
	{"xdotool", "xdotool"},
}

// module is OpenSC's PKCS#11 module; engine is OpenSSL's engine over it.
var (
	module = firstFile("/usr/lib/*/opensc-pkcs11.so", "/usr/lib/opensc-pkcs11.so")
	engine = firstFile("/usr/lib/*/engines-3/pkcs11.so", "/usr/lib/*/engines-*/pkcs11.so")
)

func firstFile(patterns ...string) string {
	for _, p := range patterns {
		if m, _ := filepath.Glob(p); len(m) > 0 {
			return m[0]
		}
	}
	return ""
}

// cse is the program under test, built once.
var cse string

func TestMain(m *testing.M) {
	if os.Getenv("CSE_FOREIGN") == "" {
		fmt.Println("test/foreign: nothing ran; use test/foreign/pcscd.sh go test ./test/foreign/...")
		os.Exit(0)
	}
	if err := ready(); err != nil {
		fmt.Fprintln(os.Stderr, "test/foreign:", err)
		os.Exit(1)
	}
	dir, err := os.MkdirTemp("", "cse-foreign")
	if err == nil {
		cse = filepath.Join(dir, "cse")
		var out []byte
		if out, err = exec.Command("go", "build", "-o", cse, "cse.example/cse/cmd/cse").CombinedOutput(); err != nil {
			err = fmt.Errorf("build cse: %w\n%s", err, out)
		}
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "test/foreign:", err)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// ready names everything that is missing.
func ready() error {
	var missing []error
	for _, p := range programs {
		if _, err := exec.LookPath(p.name); err != nil {
			missing = append(missing, fmt.Errorf("%s is missing: apt-get install %s", p.name, p.pkg))
		}
	}
	if module == "" {
		missing = append(missing, errors.New("opensc-pkcs11.so is missing: apt-get install opensc-pkcs11"))
	}
	if engine == "" {
		missing = append(missing, errors.New("the pkcs11 engine is missing: apt-get install libengine-pkcs11-openssl"))
	}
	c, err := net.DialTimeout("tcp", reader.VPCDAddress, time.Second)
	if err != nil {
		missing = append(missing, fmt.Errorf("no virtual reader at %s: run under test/foreign/pcscd.sh", reader.VPCDAddress))
	} else {
		c.Close()
	}
	return errors.Join(missing...)
}

// desk is a card in the virtual reader and somebody's home folder.
type desk struct {
	t     *testing.T
	card  holdertest.Card
	count *reader.APDUCounter
	home  string
	port  string
	// module is the PKCS#11 module that programs at the desk load.
	module string
	// visits gets a line for every page that serve hands out.
	visits chan string
}

// serial makes the cards of one run different.
var serial atomic.Uint64

// insert makes a card of profile and puts it into the reader until the test ends.
func insert(t *testing.T, profile cns.Profile) *desk {
	t.Helper()
	d := newDesk(t, profile)
	c, err := chip.Open(d.card.Path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	v := reader.Virtual{Address: reader.VPCDAddress, Pause: 50 * time.Millisecond}
	go func() { done <- v.Run(ctx, reader.ObserveChip(c, d.count.See)) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		_ = c.Close()
		waitForCard(t, false)
	})
	waitForCard(t, true)
	return d
}

// newDesk makes the card and the home folder, and inserts nothing.
func newDesk(t *testing.T, profile cns.Profile) *desk {
	t.Helper()
	home := t.TempDir()
	d := &desk{t: t, count: &reader.APDUCounter{}, home: home, module: module, visits: make(chan string, 1000)}
	d.card = holdertest.Make(t, filepath.Join(home, "card.cse"), profile, 100+serial.Add(1))
	return d
}

// waitForCard waits until PC/SC sees a card of ours, or none at all: pcscd looks
// for cards some twice a second, and does not notice one that was away for less.
func waitForCard(t *testing.T, want bool) {
	t.Helper()
	service, err := reader.OpenPCSC()
	if err != nil {
		t.Fatal(err)
	}
	defer service.Close()
	for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		slots, err := service.Slots()
		if err != nil {
			t.Fatal(err)
		}
		present, ours := false, false
		for _, s := range slots {
			present, ours = present || s.Present, ours || holder.IsCNS(s.ATR)
		}
		if want && ours || !want && !present {
			return
		}
	}
	t.Fatalf("PC/SC did not come to see card present = %v", want)
}

// run executes a program at the desk and wants exit status 0.
func (d *desk) run(name string, args ...string) string {
	d.t.Helper()
	out, err := d.try("", name, args...)
	if err != nil {
		d.t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return out
}

// try executes a program with input on its standard input and gives back all it
// printed.
func (d *desk) try(input, name string, args ...string) (string, error) {
	d.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, name, args...)
	c.Dir = d.home
	c.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + d.home, "LANG=C.UTF-8", "LC_ALL=C.UTF-8",
		"PKCS11_MODULE_PATH=" + d.module, "XDG_CACHE_HOME=" + d.home,
	}
	c.Stdin = strings.NewReader(input)
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	err := c.Run()
	return out.String(), err
}

// file writes a file into the home folder and gives its path.
func (d *desk) file(name string, content []byte) string {
	d.t.Helper()
	path := filepath.Join(d.home, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		d.t.Fatal(err)
	}
	return path
}

// contains fails the test unless out has every one of want.
func (d *desk) contains(out string, want ...string) {
	d.t.Helper()
	for _, w := range want {
		if !strings.Contains(out, w) {
			d.t.Errorf("no %q in:\n%s", w, out)
		}
	}
}
