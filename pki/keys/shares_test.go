package keys_test

import (
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cse.example/cse/ground/secret"
	"cse.example/cse/pki/keys"
)

// filed writes lines to files and gives their paths.
func filed(t *testing.T, lines ...string) []string {
	t.Helper()
	var out []string
	dir := t.TempDir()
	for i, l := range lines {
		p := filepath.Join(dir, fmt.Sprint(i))
		if err := os.WriteFile(p, []byte(l+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		out = append(out, p)
	}
	return out
}

func TestAPassphraseThatNobodyHasAlone(t *testing.T) {
	made, err := keys.Share(rand.Reader, 3, 5)
	if err != nil || len(made) != 5 {
		t.Fatalf("%d shares (%v)", len(made), err)
	}
	var lines []string
	for _, s := range made {
		lines = append(lines, string(s.Reveal()))
	}
	pick := func(n ...int) []string {
		var out []string
		for _, i := range n {
			out = append(out, lines[i])
		}
		return out
	}
	var whole secret.Text
	for _, n := range [][]int{{0, 1, 2}, {4, 2, 0}, {1, 3, 4}, {0, 1, 2, 3, 4}} {
		s, err := keys.ReadPassphrase(filed(t, pick(n...)...)...)
		if err != nil || s.Len() != 32 {
			t.Fatalf("shares %v: %v", n, err)
		}
		if whole.Len() != 0 && !whole.Equal(s) {
			t.Errorf("shares %v give another passphrase", n)
		}
		whole = s
	}
	others, err := keys.Share(rand.Reader, 3, 5)
	if err != nil {
		t.Fatal(err)
	}
	typo := []byte(lines[1])
	typo[len(typo)-1] ^= 1
	for name, l := range map[string][]string{
		"two of three":            pick(0, 1),
		"one twice":               pick(0, 1, 1),
		"one of another":          {lines[0], lines[1], string(others[2].Reveal())},
		"a line that is no share": {lines[0], lines[1], "something else"},
		"a digit written wrongly": {lines[0], string(typo), lines[2]},
		"a number out of range":   {lines[0], lines[1], strings.Replace(lines[2], " 3 5 3 ", " 3 5 6 ", 1)},
	} {
		if _, err := keys.ReadPassphrase(filed(t, l...)...); code(err) != "CSE-389" {
			t.Errorf("%s: %v, want CSE-389", name, err)
		} else if strings.Contains(err.Error(), lines[0][20:]) {
			t.Errorf("%s: the error tells a share", name)
		}
	}
	for _, n := range [][2]int{{1, 3}, {4, 3}, {2, 21}} {
		if _, err := keys.Share(rand.Reader, n[0], n[1]); err == nil {
			t.Errorf("%d of %d was accepted", n[0], n[1])
		}
	}
	if s, err := keys.ReadPassphrase(filed(t, "metà di Anna, ", "metà di Luca")...); err != nil || !s.Equal(secret.FromString("metà di Anna, metà di Luca")) {
		t.Errorf("two parts: %v", err)
	}
	p := filepath.Join(t.TempDir(), "p")
	if err := keys.KeepPassphrase(p, whole); err != nil {
		t.Fatal(err)
	}
	if s, err := keys.ReadPassphrase(p); err != nil || !s.Equal(whole) {
		t.Errorf("kept and read: %v", err)
	}
	if err := keys.KeepPassphrase(p, whole); code(err) != "CSE-193" {
		t.Errorf("kept twice: %v, want CSE-193", err)
	}
}

func FuzzShares(f *testing.F) {
	f.Add("cse-share 1 2 2 1 00000000 00", "cse-share 1 2 2 2 00000000 00")
	f.Fuzz(func(t *testing.T, a, b string) {
		s, err := keys.Join([][]byte{[]byte(a), []byte(b)})
		if r, err2 := keys.Join([][]byte{[]byte(b), []byte(a)}); (err == nil) != (err2 == nil) || !r.Equal(s) {
			t.Fatalf("the order of shares matters: %v, %v", err, err2)
		}
	})
}
