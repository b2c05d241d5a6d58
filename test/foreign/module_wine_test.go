package foreign

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"cse.example/cse/card/cns"
	"cse.example/cse/card/holder/holdertest"
)

// The module for Windows, cross-built, loaded under Wine by a small program in C
// that logs in and signs, with a chip file as the card. This runs the packed
// structures and the four-byte CK_ULONG of Windows; WinSCard and a real Windows
// are not run.
func TestModuleUnderWine(t *testing.T) {
	d := newDesk(t, cns.ST2021())
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(here, "../..")
	const cc = "x86_64-w64-mingw32-gcc"
	build := exec.Command("go", "build", "-buildmode=c-shared", "-o", filepath.Join(d.home, "cse-pkcs11.dll"), "./cmd/cse-pkcs11")
	build.Dir = root
	build.Env = append(os.Environ(), "CGO_ENABLED=1", "GOOS=windows", "GOARCH=amd64", "CC="+cc)
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	d.run(cc, "-static", "-I", filepath.Join(root, "cmd/cse-pkcs11"), "-o", "sign.exe", filepath.Join(root, "test/bench/testdata/sign.c"), "-lwinpthread")
	wine := func(args ...string) string {
		return d.run("env", append([]string{"WINEPREFIX=" + filepath.Join(d.home, "wine"), "WINEARCH=win64", "WINEDEBUG=-all", "CSE_PKCS11_CARD=card.cse"}, args...)...)
	}
	t.Cleanup(func() { _, _ = d.try("", "env", "WINEPREFIX="+filepath.Join(d.home, "wine"), "wineserver", "-k") })
	wine("wine", "wineboot", "--init")
	d.run(cc, "-shared", "-o", filepath.Join(d.home, "wine/drive_c/windows/system32/bcryptprimitives.dll"),
		filepath.Join(here, "testdata/bcryptprimitives.c"), "-ladvapi32")
	var rate float64
	out := wine("wine", "sign.exe", "cse-pkcs11.dll", holdertest.PIN, "5")
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if _, err := fmt.Sscan(lines[len(lines)-1], &rate); err != nil || rate <= 0 {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, err := d.try("", "env", "WINEPREFIX="+filepath.Join(d.home, "wine"), "WINEARCH=win64", "WINEDEBUG=-all", "CSE_PKCS11_CARD=card.cse",
		"wine", "sign.exe", "cse-pkcs11.dll", "99174", "1"); err == nil || !strings.Contains(out, "Login: 0xA0") {
		t.Fatalf("a wrong PIN: %v\n%s", err, out)
	}
	d.wantTries(2, 3)
}
