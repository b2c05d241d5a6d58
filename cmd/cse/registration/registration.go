// Package registration makes the PKCS#11 module known to the programs of one
// person, tells where it is known, and takes all of it back.
//
// Places, on Linux:
//   - p11-kit (GnuTLS, GNOME, curl and others): a module file in the person's
//     configuration folder, or for the whole machine;
//   - NSS databases: Chromium's (~/.pki/nssdb) and each profile of Firefox and
//     Thunderbird, by their file pkcs11.txt;
//   - Firefox's policies (policies.json), which exist for the whole machine only;
//   - browsers from snap and flatpak, which are told about and not touched: their
//     sandbox does not see the module.
//
// It guarantees that everything else in those files stays as it is, byte for
// byte in pkcs11.txt, that a file is replaced whole or not at all, and that
// Remove leaves neither an entry nor a file or folder made by Install. It
// refuses a module file that is not there.
package registration

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sort"

	"cse.example/cse/ground/words"
)

// Name is what the module is called in every place.
const Name = "CSE TS-CNS"

// Kind says what sort of place it is.
type Kind string

// The kinds of places.
const (
	P11Kit   Kind = "p11-kit"
	Chromium Kind = "chromium"
	Firefox  Kind = "firefox"
	Mail     Kind = "thunderbird"
	Policy   Kind = "firefox-policy"
	Snap     Kind = "snap"
	Flatpak  Kind = "flatpak"
)

// State says what is in a place.
type State string

// The states of a place.
const (
	Registered State = "registered"
	Other      State = "other" // our name, another file, or one that is gone
	Absent     State = "absent"
	Sandboxed  State = "sandboxed" // cannot be registered from outside
)

// Place is one place where the module is or could be known.
type Place struct {
	Kind Kind   `json:"kind"`
	Path string `json:"path"`
	// State is what is there.
	State State `json:"state"`
	// Module is the file registered there, when one is.
	Module string `json:"module,omitempty"`
	// Running is true when a browser has the profile open: it must be started again.
	Running bool `json:"running,omitempty"`
}

// World is where to look.
type World struct {
	// Home is the person's folder; Config is XDG_CONFIG_HOME, or empty.
	Home, Config string
	// Root is in front of /etc; empty outside of tests.
	Root string
	// System registers for the whole machine instead of the person.
	System bool
}

// Find finds the module file: the one given, or the usual places beside the
// program (at path self). CSE-702 when there is none.
func Find(given, self string) (string, error) {
	candidates := []string{given}
	if given == "" {
		dir := filepath.Dir(self)
		candidates = []string{
			filepath.Join(dir, "libcse-pkcs11.so"), filepath.Join(dir, "../lib/libcse-pkcs11.so"),
			filepath.Join(dir, "../lib/pkcs11/libcse-pkcs11.so"), "/usr/lib/pkcs11/libcse-pkcs11.so",
		}
	}
	for _, c := range candidates {
		path, err := filepath.Abs(c)
		if err != nil {
			continue
		}
		if i, err := os.Stat(path); err == nil && i.Mode().IsRegular() {
			return path, nil
		}
	}
	return "", words.Refuse("CSE-702", candidates[0])
}

// place is how a Place is looked at and changed.
type place interface {
	// look says what is there.
	look() (Place, error)
	// put registers the module file.
	put(module string) error
	// take takes the registration back.
	take() error
}

// Status lists all places, sorted by kind and path.
func (w World) Status(module string) ([]Place, error) {
	var list []Place
	for _, p := range w.places() {
		here, err := p.look()
		if err != nil {
			return nil, cannot(here.Path, err)
		}
		if here.State == Registered && (here.Module != module && module != "" || !exists(here.Module)) {
			here.State = Other
		}
		list = append(list, here)
	}
	list = append(list, w.sandboxes()...)
	sort.Slice(list, func(i, j int) bool {
		return list[i].Kind < list[j].Kind || list[i].Kind == list[j].Kind && list[i].Path < list[j].Path
	})
	return list, nil
}

// Install registers the module file everywhere; doing it again changes nothing.
// CSE-703 names the first place that cannot be written; those before it stay
// registered.
func (w World) Install(module string) error {
	for _, p := range w.places() {
		here, err := p.look()
		if err == nil && here.Module != module {
			err = p.put(module)
		}
		if err != nil {
			return cannot(here.Path, err)
		}
	}
	return nil
}

// Remove takes every registration back, also those of an older file.
func (w World) Remove() error {
	for _, p := range w.places() {
		here, err := p.look()
		if err == nil && here.Module != "" {
			err = p.take()
		}
		if err != nil {
			return cannot(here.Path, err)
		}
	}
	return nil
}

func cannot(path string, err error) error { return words.Refuse("CSE-703", path).Because(err) }

// places are those that can be written, for this person or for the machine.
func (w World) places() []place {
	if w.System {
		return []place{
			p11kit{filepath.Join(w.Root, "/etc/pkcs11/modules/cse-pkcs11.module"), 2},
			policies{filepath.Join(w.Root, "/etc/firefox/policies/policies.json")},
		}
	}
	list := []place{
		p11kit{filepath.Join(w.config(), "pkcs11/modules/cse-pkcs11.module"), 3},
		nss{Chromium, filepath.Join(w.Home, ".pki/nssdb")},
	}
	for _, f := range []struct {
		kind Kind
		dirs []string
	}{
		{Firefox, []string{filepath.Join(w.Home, ".mozilla/firefox"), filepath.Join(w.config(), "mozilla/firefox")}},
		{Mail, []string{filepath.Join(w.Home, ".thunderbird")}},
	} {
		for _, dir := range f.dirs {
			for _, profile := range profiles(dir) {
				list = append(list, nss{f.kind, profile})
			}
		}
	}
	return list
}

func (w World) config() string {
	if w.Config != "" {
		return w.Config
	}
	return filepath.Join(w.Home, ".config")
}

// profiles are the folders of dir that a Mozilla program has used.
func profiles(dir string) []string {
	entries, _ := os.ReadDir(dir)
	var list []string
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if e.IsDir() && (exists(filepath.Join(path, "cert9.db")) || exists(filepath.Join(path, "prefs.js")) || exists(filepath.Join(path, "times.json"))) {
			list = append(list, path)
		}
	}
	return list
}

// sandboxes are the browsers from snap and flatpak that this person has used.
func (w World) sandboxes() []Place {
	var list []Place
	for _, s := range []struct {
		kind Kind
		path string
	}{
		{Snap, "snap/firefox"},
		{Snap, "snap/chromium"},
		{Snap, "snap/thunderbird"},
		{Flatpak, ".var/app/org.mozilla.firefox"},
		{Flatpak, ".var/app/org.chromium.Chromium"},
		{Flatpak, ".var/app/com.google.Chrome"},
		{Flatpak, ".var/app/org.mozilla.Thunderbird"},
	} {
		if path := filepath.Join(w.Home, s.path); exists(path) && !w.System {
			list = append(list, Place{Kind: s.kind, Path: path, State: Sandboxed})
		}
	}
	return list
}

func exists(path string) bool { _, err := os.Stat(path); return err == nil }

// read reads a file; one that is not there is empty.
func read(path string) ([]byte, error) {
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return b, err
}

// write replaces a file as a whole, keeping its mode, and makes the folders
// above it with dirMode.
func write(path string, content []byte, mode, dirMode fs.FileMode) error {
	if i, err := os.Stat(path); err == nil {
		mode = i.Mode().Perm()
		if path, err = filepath.EvalSymlinks(path); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Dir(path), dirMode); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".cse-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(content)
	err = errors.Join(err, f.Chmod(mode), f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}

// clean removes a file and then those of the folders above it, n at most, that
// are empty.
func clean(path string, n int) error {
	if err := os.Remove(path); err != nil {
		return err
	}
	for range n {
		path = filepath.Dir(path)
		if os.Remove(path) != nil { // not empty: somebody else's
			return nil
		}
	}
	return nil
}
