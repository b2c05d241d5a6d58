// Package packages proves what make packages makes, quickly: it is the part of
// the proof that needs no clean root (test/packages/clean.sh has the rest).
//
// With CSE_PACKAGES=FOLDER it looks at the packages there. Without it, it builds
// what can be built in seconds.
package packages

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"compress/gzip"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// folder is where the packages are; ok is false when nobody made them.
func folder(t *testing.T) (dir string, ok bool) {
	t.Helper()
	dir = os.Getenv("CSE_PACKAGES")
	return dir, dir != ""
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

func one(t *testing.T, dir, pattern string) string {
	t.Helper()
	list, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(list) != 1 {
		t.Fatalf("%s: %v %v", pattern, list, err)
	}
	return list[0]
}

// One command builds the holder's program for the three systems: every package
// that it needs is there for each, without cgo. With packages made, each system
// has its file. (The Windows module is built and loaded by test/foreign.)
func TestR88_TheProgramBuildsForTheThreeSystems(t *testing.T) {
	if dir, ok := folder(t); ok && len(glob(dir, "*.zip")) > 0 {
		for _, pattern := range []string{"cse_*_amd64.deb", "cse-*.x86_64.rpm", "cse_*_linux_arm64.tar.gz", "cse_*_darwin_arm64.tar.gz", "cse_*_darwin_amd64.tar.gz", "cse_*_windows_amd64.zip"} {
			one(t, dir, pattern)
		}
	}
	for _, target := range []string{"linux/amd64", "linux/arm64", "darwin/arm64", "windows/amd64"} {
		system, arch, _ := strings.Cut(target, "/")
		c := exec.Command("go", "list", "-deps", "-f", "{{if .Error}}{{.ImportPath}}: {{.Error}}{{end}}{{if .CgoFiles}}{{.ImportPath}} needs cgo{{end}}", "../../cmd/cse")
		c.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS="+system, "GOARCH="+arch)
		out, err := c.CombinedOutput()
		if err != nil || strings.TrimSpace(string(out)) != "" {
			t.Errorf("%s: %v\n%s", target, err, out)
		}
	}
	script, err := os.ReadFile("../../scripts/packages.sh")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"archive linux arm64", "archive darwin arm64", "archive darwin amd64", "archive windows amd64"} {
		if !strings.Contains(string(script), "\n  "+line+"\n") {
			t.Errorf("the build command does not %q", line)
		}
	}
}

func glob(dir, pattern string) []string {
	list, _ := filepath.Glob(filepath.Join(dir, pattern))
	return list
}

// Every file is in SHA256SUMS and is what it says; every bill of materials is
// CycloneDX with the libraries that the program has.
func TestR87_SumsAndBillsOfMaterials(t *testing.T) {
	dir, ok := folder(t)
	if !ok {
		t.Log("no packages: make packages-test looks at them")
		return
	}
	f, err := os.Open(filepath.Join(dir, "SHA256SUMS"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	listed := map[string]bool{"SHA256SUMS": true, "SHA256SUMS.asc": true}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		sum, name, _ := strings.Cut(lines.Text(), "  ")
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || fmt.Sprintf("%x", sha256.Sum256(b)) != sum {
			t.Errorf("%s: %v", name, err)
		}
		listed[name] = true
	}
	for _, path := range glob(dir, "*") {
		if !listed[filepath.Base(path)] {
			t.Errorf("%s is not in the list", path)
		}
	}
	for name, library := range map[string]string{"cse": "goscard", "csed": "modernc.org/sqlite"} {
		b, err := os.ReadFile(filepath.Join(dir, name+".cdx.json"))
		var doc struct {
			Format     string `json:"bomFormat"`
			Components []struct{ Name, Version, Purl string }
		}
		if err == nil {
			err = json.Unmarshal(b, &doc)
		}
		found := false
		for _, c := range doc.Components {
			found = found || strings.Contains(c.Name, library) && c.Version != "" && strings.HasPrefix(c.Purl, "pkg:golang/")
		}
		if err != nil || doc.Format != "CycloneDX" || !found {
			t.Errorf("%s: %v, %s, %d components, %s among them: %v", name, err, doc.Format, len(doc.Components), library, found)
		}
	}
}

// The packages hold what they should, where programs look for it, owned by root;
// the program in the .deb runs; the .rpm is read by rpm and holds the same.
func TestR87_PackagesHoldWhatTheyShould(t *testing.T) {
	dir, ok := folder(t)
	if !ok {
		t.Log("no packages: make packages-test looks at them")
		return
	}
	for name, files := range map[string][]string{
		"cse": {
			"/usr/bin/cse", "/usr/lib/pkcs11/libcse-pkcs11.so", "/usr/share/p11-kit/modules/cse-pkcs11.module", "/usr/share/applications/cse.desktop",
			"/usr/share/man/man1/cse.1.gz", "/usr/share/man/it/man1/cse.1.gz", "/usr/share/bash-completion/completions/cse",
			"/usr/share/zsh/vendor-completions/_cse", "/usr/share/fish/vendor_completions.d/cse.fish", "/usr/share/doc/cse/copyright",
		},
		"csed": {
			"/usr/bin/csed", "/usr/lib/systemd/system/csed.service", "/usr/lib/sysusers.d/csed.conf", "/usr/lib/tmpfiles.d/csed.conf",
			"/usr/share/doc/csed/csed.example.yaml", "/usr/share/doc/csed/copyright", "/etc/csed",
		},
	} {
		here, err := filepath.Abs("../..")
		if err != nil {
			t.Fatal(err)
		}
		deb := run(t, "dpkg-deb", "-c", one(t, dir, name+"_*_amd64.deb"))
		rpm := run(t, "rpm", "-qlp", "--nosignature", one(t, dir, name+"-*.x86_64.rpm"))
		for _, f := range files {
			if !regexp.MustCompile(`(?m) root/root .* \.`+regexp.QuoteMeta(f)+`/?$`).MatchString(deb) || !strings.Contains("\n"+rpm, "\n"+f+"\n") {
				t.Errorf("%s: no %s in both packages", name, f)
			}
		}
		if strings.Contains(deb, here) {
			t.Errorf("%s: paths of the machine that built it", name)
		}
	}
	root := t.TempDir()
	run(t, "dpkg-deb", "-x", one(t, dir, "cse_*_amd64.deb"), root)
	if out := run(t, filepath.Join(root, "usr/bin/cse"), "version"); !strings.HasPrefix(out, "cse ") {
		t.Errorf("version: %s", out)
	}
	desktop, err := os.ReadFile(filepath.Join(root, "usr/share/applications/cse.desktop"))
	if err != nil || !strings.Contains(string(desktop), "Name[it]=") {
		t.Errorf("desktop: %v", err)
	}
}

// The archives for other systems hold program, licence and what to do with them,
// under one folder, with one time.
func TestR88_ArchivesForOtherSystems(t *testing.T) {
	dir, ok := folder(t)
	if !ok || len(glob(dir, "*.zip")) == 0 {
		t.Log("no archives: make packages-test looks at them")
		return
	}
	for _, path := range append(glob(dir, "*.tar.gz"), glob(dir, "*.zip")...) {
		names := map[string]bool{}
		prefix := strings.TrimSuffix(strings.TrimSuffix(filepath.Base(path), ".tar.gz"), ".zip")
		for _, name := range members(t, path) {
			rest, ok := strings.CutPrefix(name, prefix+"/")
			if !ok {
				t.Errorf("%s: %s outside its folder", path, name)
			}
			names[rest] = true
		}
		want := []string{"cse", "LICENSE", "NOTICE", "README.txt"}
		if strings.HasSuffix(path, ".zip") {
			want = []string{"cse.exe", "cse-pkcs11.dll", "LICENSE", "NOTICE", "README.txt"}
		}
		for _, w := range want {
			if !names[w] {
				t.Errorf("%s: no %s", path, w)
			}
		}
	}
}

func members(t *testing.T, path string) []string {
	t.Helper()
	var out []string
	if strings.HasSuffix(path, ".zip") {
		z, err := zip.OpenReader(path)
		if err != nil {
			t.Fatal(err)
		}
		defer z.Close()
		for _, f := range z.File {
			out = append(out, f.Name)
		}
		return out
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err == io.EOF { //nolint:errorlint // Next returns io.EOF itself
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, h.Name)
	}
}

// The service gives up what it does not need; systemd's own score says so
// ("exposure" at most 1.5 of 10), where systemd-analyze is found.
func TestTheServiceIsHardened(t *testing.T) {
	unit := "../../packaging/csed/csed.service"
	text, err := os.ReadFile(unit)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"User=csed", "CapabilityBoundingSet=", "NoNewPrivileges=yes", "ProtectSystem=strict", "MemoryDenyWriteExecute=yes", "UMask=0077"} {
		if !strings.Contains(string(text), "\n"+line+"\n") {
			t.Errorf("no %s", line)
		}
	}
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Log("no systemd-analyze: its score is not asked")
		return
	}
	run(t, "systemd-analyze", "security", "--offline=yes", "--no-pager", "--threshold=15", unit)
}
