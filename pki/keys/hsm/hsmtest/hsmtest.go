// Package hsmtest makes SoftHSM2 tokens for tests, in a folder of their own. It
// needs Debian's package softhsm2.
package hsmtest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"cse.example/cse/pki/keys/hsm"
)

// PIN and SOPIN are those of every token made here.
const PIN, SOPIN = "271828", "31415926"

var once sync.Once

// Module is where SoftHSM2's library is.
func Module(t testing.TB) string {
	t.Helper()
	found, err := filepath.Glob("/usr/lib/*/softhsm/libsofthsm2.so")
	if err != nil || len(found) == 0 {
		t.Fatal("libsofthsm2.so is missing: apt-get install softhsm2")
	}
	return found[0]
}

// New makes a token of that label, which no other test of the process may use.
func New(t testing.TB, label string) hsm.Config {
	t.Helper()
	once.Do(func() {
		// One folder for the process: the library looks for it when it is
		// initialised, not when a test begins. It goes with the machine's /tmp.
		dir, err := os.MkdirTemp("", "cse-softhsm-")
		if err != nil {
			t.Fatal(err)
		}
		conf := filepath.Join(dir, "softhsm2.conf")
		text := fmt.Sprintf("directories.tokendir = %s\nobjectstore.backend = file\nlog.level = ERROR\nslots.removable = false\n", dir)
		if err := os.WriteFile(conf, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Setenv("SOFTHSM2_CONF", conf); err != nil {
			t.Fatal(err)
		}
	})
	c := exec.Command("softhsm2-util", "--init-token", "--free", "--label", label, "--so-pin", SOPIN, "--pin", PIN)
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("softhsm2-util (package softhsm2): %v\n%s", err, bytes.TrimSpace(out))
	}
	file := filepath.Join(t.TempDir(), "pin")
	if err := os.WriteFile(file, []byte(PIN+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return hsm.Config{Module: Module(t), Token: label, PINFile: file, Sessions: 4}
}
