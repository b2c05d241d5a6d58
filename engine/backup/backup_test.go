package backup

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"filippo.io/age"

	"cse.example/cse/ground/words"
)

func code(err error) string {
	if f := words.FaultOf(err); f != nil {
		return f.Code
	}
	return ""
}

func signer(t *testing.T) (crypto.Signer, string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	who, err := Fingerprint(k.Public())
	if err != nil {
		t.Fatal(err)
	}
	return k, who
}

// custodian makes a key as `csed backup key` does.
func custodian(t *testing.T) (string, []age.Identity) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "key")
	public, err := NewIdentity(file)
	if err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(file); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("the key's file: %v, %v", st.Mode(), err)
	}
	if _, err := NewIdentity(file); code(err) != "CSE-995" {
		t.Errorf("a key is written over: %v", err)
	}
	who, err := Identities(file)
	if err != nil {
		t.Fatal(err)
	}
	return public, who
}

// big is more than a chunk of a stream.
var big = bytes.Repeat([]byte("righe del database "), 150_000)

// job is a set of two parts of different custodians.
func job(t *testing.T, dir string, by crypto.Signer, one, two string) Job {
	t.Helper()
	return Job{
		Dir: dir, Signer: by, Manifest: Manifest{Kind: "backup", Made: time.Date(2026, 11, 26, 5, 0, 0, 1, time.UTC), Schema: 7, Trail: &Head{3, "aa"}, Keys: "kk"},
		Parts: []Part{
			{Name: "records", Recipients: []string{one}, Write: func(_ context.Context, a *Archive) error {
				return errors.Join(a.Bytes("files/ca/root.pem", []byte("radice")), a.Stream("store", func(w io.Writer) error {
					_, err := w.Write(big)
					return err
				}))
			}},
			{Name: "keys", Recipients: []string{two}, Write: func(_ context.Context, a *Archive) error { return a.Bytes("files/keys/web.ring", []byte("chiuso")) }},
		},
	}
}

func read(set *Set, part string, who []age.Identity) (map[string][]byte, error) {
	out := map[string][]byte{}
	return out, set.Read(part, who, func(name string, b []byte) error {
		if before, _, ok := strings.Cut(name, "/0"); ok {
			name = before
		}
		out[name] = append(out[name], b...)
		return nil
	})
}

// What is written comes back, to its own custodian only.
func TestWhatIsWrittenComesBack(t *testing.T) {
	by, who := signer(t)
	one, oneKey := custodian(t)
	two, twoKey := custodian(t)
	dir := t.TempDir()
	asked := 0
	j := job(t, dir, by, one, two)
	j.Seal = func(_ context.Context, m Manifest) error {
		asked++
		if left, err := os.ReadDir(dir); err != nil || len(left) != 1 || !strings.HasPrefix(left[0].Name(), ".writing-") || len(m.Parts) != 2 {
			t.Errorf("before the seal: %v, %v, %+v", left, err, m)
		}
		return nil
	}
	path, m, err := Create(t.Context(), j)
	if err != nil || asked != 1 {
		t.Fatal(asked, err)
	}
	set, err := Open(path, who)
	if err != nil {
		t.Fatal(err)
	}
	if err := set.Check(); err != nil {
		t.Fatal(err)
	}
	if set.Manifest.Trail.Hash != "aa" || set.Manifest.Schema != 7 || !set.Manifest.Made.Equal(m.Made) || filepath.Base(path)[:16] != "20261126T050000Z" {
		t.Errorf("%s: %+v", path, set.Manifest)
	}
	got, err := read(set, "records", oneKey)
	if err != nil || string(got["files/ca/root.pem"]) != "radice" || !bytes.Equal(got["store"], big) {
		t.Errorf("%v, %d files", err, len(got))
	}
	if _, err := read(set, "records", twoKey); code(err) != "CSE-989" {
		t.Errorf("another custodian: %v", err)
	}
	if got, err := read(set, "keys", append(oneKey, twoKey...)); err != nil || string(got["files/keys/web.ring"]) != "chiuso" {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := read(set, "letters", oneKey); code(err) != "CSE-988" {
		t.Errorf("a part that is not there: %v", err)
	}
	_, other := signer(t)
	if _, err := Open(path, other); code(err) != "CSE-986" {
		t.Errorf("another signer: %v", err)
	}
	for _, name := range []string{"records.age", "keys.age", manifestFile} {
		b, err := os.ReadFile(filepath.Join(path, name))
		if err != nil || bytes.Contains(b, []byte("radice")) || bytes.Contains(b, []byte("chiuso")) {
			t.Errorf("%s: in clear, or %v", name, err)
		}
	}
}

// Every octet that is changed, every file that is missing or of another set, is
// found, and named, before anything is used.
func TestDamageIsNamed(t *testing.T) {
	by, who := signer(t)
	one, oneKey := custodian(t)
	two, _ := custodian(t)
	make := func(dir string) string {
		path, _, err := Create(t.Context(), job(t, dir, by, one, two))
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	whole, other := make(t.TempDir()), make(t.TempDir())
	for what, x := range map[string]struct {
		file  string
		spoil func(b []byte) []byte
	}{
		"a bit of the archive":       {"records.age", func(b []byte) []byte { b[len(b)/2] ^= 1; return b }},
		"the archive's end":          {"records.age", func(b []byte) []byte { return b[:len(b)-1] }},
		"something more":             {"records.age", func(b []byte) []byte { return append(b, 0) }},
		"an empty archive":           {"records.age", func([]byte) []byte { return nil }},
		"no archive":                 {"records.age", nil},
		"the same part, another set": {"records.age", func([]byte) []byte { b, _ := os.ReadFile(filepath.Join(other, "records.age")); return b }},
		"another part in its place":  {"records.age", func([]byte) []byte { b, _ := os.ReadFile(filepath.Join(whole, "keys.age")); return b }},
		"the manifest":               {manifestFile, func(b []byte) []byte { return bytes.Replace(b, []byte(`"index": 3`), []byte(`"index": 4`), 1) }},
		"another manifest":           {manifestFile, func([]byte) []byte { b, _ := os.ReadFile(filepath.Join(other, manifestFile)); return b }},
		"no manifest":                {manifestFile, nil},
		"the signature":              {signatureFile, func(b []byte) []byte { return bytes.Replace(b, []byte("M"), []byte("N"), 1) }},
		"no signature":               {signatureFile, nil},
	} {
		dir := filepath.Join(t.TempDir(), "set")
		if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, x.file)
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if x.spoil != nil {
			if err := os.WriteFile(path, x.spoil(b), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		set, err := Open(dir, who)
		if err == nil {
			_, err = read(set, "records", oneKey)
		}
		if code(err) != "CSE-985" || !strings.Contains(fmt.Sprint(words.FaultOf(err).Args), x.file) && x.file != signatureFile {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// An archive whose inside is not what its first and last entry say is refused, even
// when its file is the one that was signed.
func TestTheInsideIsChecked(t *testing.T) {
	by, who := signer(t)
	one, oneKey := custodian(t)
	for what, write := range map[string]func(a *Archive) error{
		"a way out":     func(a *Archive) error { return a.Bytes("../etc/passwd", nil) },
		"an absolute":   func(a *Archive) error { return a.Bytes("/etc/passwd", nil) },
		"a hidden one":  func(a *Archive) error { return a.Bytes("files/.writing-1", nil) },
		"twice":         func(a *Archive) error { return errors.Join(a.Bytes("files/a", nil), a.Bytes("files/a", nil)) },
		"a second end":  func(a *Archive) error { return a.Bytes(entrySums, nil) },
		"another's sum": func(a *Archive) error { err := a.Bytes("files/a", nil); a.sums[1] = "x"; return err },
		"one too few":   func(a *Archive) error { err := a.Bytes("files/a", nil); a.sums = a.sums[:1]; return err },
	} {
		path, _, err := Create(t.Context(), Job{Dir: t.TempDir(), Signer: by, Parts: []Part{{Name: "records", Recipients: []string{one}, Write: func(_ context.Context, a *Archive) error { return write(a) }}}})
		if err != nil {
			t.Fatal(what, err)
		}
		set, err := Open(path, who)
		if err != nil {
			t.Fatal(what, err)
		}
		if _, err := read(set, "records", oneKey); code(err) != "CSE-985" {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// What fails, is refused, or cannot be written leaves nothing in the folder.
func TestAFailureLeavesNothing(t *testing.T) {
	by, _ := signer(t)
	one, _ := custodian(t)
	wrong := errors.New("no")
	for what, x := range map[string]struct {
		change func(*Job)
		want   string
	}{
		"the source fails":  {func(j *Job) { j.Parts[1].Write = func(context.Context, *Archive) error { return wrong } }, ""},
		"nobody's":          {func(j *Job) { j.Parts[1].Recipients = nil }, "CSE-984"},
		"no key":            {func(j *Job) { j.Parts[1].Recipients = []string{"age1nulla"} }, "CSE-984"},
		"not approved":      {func(j *Job) { j.Seal = func(context.Context, Manifest) error { return wrong } }, ""},
		"no room in a file": {func(j *Job) { j.Parts[0].Name = strings.Repeat("x", 300) }, "CSE-995"},
	} {
		dir := t.TempDir()
		j := job(t, dir, by, one, one)
		x.change(&j)
		_, _, err := Create(t.Context(), j)
		if err == nil || code(err) != x.want || x.want == "" && !errors.Is(err, wrong) {
			t.Errorf("%s: %v, want %s", what, err, x.want)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
			t.Errorf("%s: %v is left, %v", what, left, err)
		}
	}
	if _, _, err := Create(t.Context(), job(t, "/dev/null/x", by, one, one)); code(err) != "CSE-995" {
		t.Errorf("no folder: %v", err)
	}
}

func FuzzArchive(f *testing.F) {
	f.Add([]byte{}, 0)
	f.Add(sampleArchive(), 7)
	f.Fuzz(func(t *testing.T, b []byte, at int) {
		if len(b) > 0 {
			b = bytes.Clone(b)
			b[uint(at)%uint(len(b))] ^= byte(at >> 8)
		}
		err := entries(bytes.NewReader(b), label{"s", "backup", "records"}, "f", -1, func(name string, _ []byte) error {
			if strings.Contains(name, "..") || strings.HasPrefix(name, "/") {
				t.Errorf("the entry %q comes through", name)
			}
			return nil
		})
		if err != nil && code(err) != "CSE-985" {
			t.Error(err)
		}
	})
}
