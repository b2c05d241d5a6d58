package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// The folder of packages may be missing, or come later; nothing outside of it is
// reached, not even by a link that somebody laid in it.
func TestR87_TheFolderOfPackagesHasNoWayOut(t *testing.T) {
	t.Parallel()
	base := t.TempDir()
	p := &Platform{Config: Config{Data: base, Downloads: "packages"}}
	if _, err := fs.ReadFile(p.downloads(), "SHA256SUMS"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no folder: %v", err)
	}
	check(t, os.Mkdir(filepath.Join(base, "packages"), 0o755))
	check(t, os.WriteFile(filepath.Join(base, "packages", "SHA256SUMS"), []byte("inside"), 0o644))
	check(t, os.WriteFile(filepath.Join(base, "secret"), []byte("outside"), 0o600))
	check(t, os.Symlink("../secret", filepath.Join(base, "packages", "link")))
	check(t, os.Symlink(filepath.Join(base, "secret"), filepath.Join(base, "packages", "absolute")))
	if b, err := fs.ReadFile(p.downloads(), "SHA256SUMS"); err != nil || string(b) != "inside" {
		t.Errorf("it came later: %q, %v", b, err)
	}
	for _, name := range []string{"link", "absolute", "../secret", filepath.Join(base, "secret")} {
		if b, err := fs.ReadFile(p.downloads(), name); err == nil {
			t.Errorf("%s: %q", name, b)
		}
	}
	p.Config.Downloads = ""
	if p.downloads() != nil {
		t.Error("no folder is configured, and there is one")
	}
}
