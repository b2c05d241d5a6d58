package demo_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"cse.example/cse/demo"
	"cse.example/cse/ground/words"
)

// What the demonstration makes afresh it must have made itself.
func TestPrepareLeavesOthersFoldersAlone(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		code  string
	}{
		"empty":                         {nil, ""},
		"marker of a killed run":        {map[string]string{demo.Marker: ""}, ""},
		"somebody's":                    {map[string]string{"thesis.txt": "x"}, "CSE-385"},
		"somebody's, with a file DEMO":  {map[string]string{"thesis.txt": "x", demo.Marker: "my demo tape\n"}, "CSE-385"},
		"somebody's, with an empty one": {map[string]string{"thesis.txt": "x", demo.Marker: ""}, "CSE-385"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			for file, text := range c.files {
				if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			mark, err := demo.Prepare(dir)
			if c.code != "" {
				if !errors.Is(err, words.Refuse(c.code)) {
					t.Errorf("got %v, want %s", err, c.code)
				}
				for file := range c.files {
					if _, err := os.Stat(filepath.Join(dir, file)); err != nil {
						t.Error(err)
					}
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			again(t, dir, mark)
		})
	}
}

// again prepares a folder that a run left behind.
func again(t *testing.T, dir string, mark *os.File) {
	t.Helper()
	left := filepath.Join(dir, "left")
	if err := errors.Join(os.WriteFile(left, nil, 0o600), mark.Close()); err != nil {
		t.Fatal(err)
	}
	mark, err := demo.Prepare(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer mark.Close()
	if _, err := os.Stat(left); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("what a run left is still there: %v", err)
	}
}
