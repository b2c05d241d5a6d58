// Package journey takes a card through the whole system with the real programs,
// bin/cse and bin/csed, and looks at everything they say and leave behind; next
// to them work other people's: OpenSC, OpenSSL, GnuTLS, curl, poppler, Chromium.
//
// It runs as root in a network and a mount namespace of its own, with one pcscd,
// one virtual reader, one X server:
//
//	scripts/journey.sh
//
// Two demonstrations run at once: one stays up and is visited, one is played
// with --once. TestJourney tells the order. Without CSE_JOURNEY=1 the package
// says that it did nothing; with it, a missing program is a failure that names
// the package to install. CSE_BIN is the folder of the two programs (bin).
package journey

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// programs are what these tests run, and the Debian package of each.
var programs = []struct{ name, pkg string }{
	{"openssl", "openssl"},
	{"certtool", "gnutls-bin"},
	{"curl", "curl"},
	{"pdftotext", "poppler-utils"},
	{"opensc-tool", "opensc"},
	{"pkcs15-tool", "opensc"},
	{"pkcs11-tool", "opensc"},
	{"certutil", "libnss3-tools"},
	{"modutil", "libnss3-tools"},
	{"chromium", "chromium"},
	{"Xvfb", "xvfb"},
	{"openbox", "openbox"},
	{"xdotool", "xdotool"},
	{"node", "nodejs"},
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

// The programs under test, and our PKCS#11 module.
var cse, csed, ours string

func TestMain(m *testing.M) {
	if os.Getenv("CSE_JOURNEY") == "" {
		fmt.Println("test/journey: nothing ran; use scripts/journey.sh")
		os.Exit(0)
	}
	if err := ready(); err != nil {
		fmt.Fprintln(os.Stderr, "test/journey:", err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// ready finds the programs, and names everything that is missing.
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
	if os.Getenv("CSE_FOREIGN") == "" {
		missing = append(missing, errors.New("no reader: run under test/foreign/pcscd.sh, as scripts/journey.sh does"))
	}
	if _, err := os.Stat("../pages/node_modules"); err != nil {
		missing = append(missing, errors.New("test/pages/node_modules is missing: (cd test/pages && npm ci)"))
	}
	bin := os.Getenv("CSE_BIN")
	if bin == "" {
		bin = "../../bin"
	}
	for name, to := range map[string]*string{"cse": &cse, "csed": &csed, "libcse-pkcs11.so": &ours} {
		path, err := filepath.Abs(filepath.Join(bin, name))
		if err == nil {
			_, err = os.Stat(path)
		}
		if err != nil {
			missing = append(missing, fmt.Errorf("%w: make build", err))
		}
		*to = path
	}
	return errors.Join(missing...)
}
