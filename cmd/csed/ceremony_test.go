package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/keys"
)

// asCsed makes this test's binary be csed (TestMain): the guide is walked through
// with the whole program, and keys that open at once.
const asCsed = "CSE_TEST_AS_CSED"

func beCsed() {
	if os.Getenv(asCsed) != "" {
		os.Exit(run(context.Background(), os.Args[1:], os.Environ(), os.Stdout, os.Stderr))
	}
}

var fence = regexp.MustCompile("(?ms)^```(sh|yaml) (\\S+)\n(.*?)^```$")

// docs/ceremony.md is walked through, block by block, in an empty folder: files are
// written as they stand there, with days of now, approvers and digests filled in.
func TestTheCeremonyGuide(t *testing.T) {
	guide, err := os.ReadFile("../../docs/ceremony.md")
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, d := range []string{"root", "region", "approvers", "stick", "bin"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	put := func(name, text string, mode os.FileMode) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), mode); err != nil {
			t.Fatal(err)
		}
	}
	put("phrase", "la frase di chi approva\n", 0o600)
	// Approvers are asked at their terminals; here is none.
	put("bin/csed", fmt.Sprintf(`#!/bin/sh
export %s=1
case "$1 $2" in
"ca approve"|"ca approver") exec %q "$@" --passphrase-file %q ;;
*) exec %q "$@" ;;
esac
`, asCsed, self, filepath.Join(dir, "phrase"), self), 0o755)
	blocks := fence.FindAllStringSubmatch(string(guide), -1)
	if len(blocks) < 15 {
		t.Fatalf("only %d blocks in the guide", len(blocks))
	}
	for _, b := range blocks {
		kind, where, text := b[1], b[2], b[3]
		if kind == "yaml" {
			put(where, filled(t, dir, text), 0o644)
			continue
		}
		cmd := exec.CommandContext(t.Context(), "bash", "-euo", "pipefail", "-c", text)
		cmd.Dir = filepath.Join(dir, where)
		cmd.Env = append(os.Environ(), "PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"), "LC_ALL=C")
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("on %s: %v\n%s\n%s", where, err, text, bytes.TrimSpace(out))
		}
	}
	pass, err := keys.ReadPassphrase(filepath.Join(dir, "region/data/secrets/ca.passphrase"))
	if err != nil {
		t.Fatal(err)
	}
	m, err := ca.Load(filepath.Join(dir, "region/data/ca"), keys.Sealed(pass))
	if err != nil {
		t.Fatal(err)
	}
	if m.Details.CRLShards != 128 || !strings.HasSuffix(m.Root.Subject.CommonName, "CA Radice") {
		t.Errorf("the authority: %+v, %s", m.Details, m.Root.Subject)
	}
	lists, err := filepath.Glob(filepath.Join(dir, "region/data/crl/issuing-*.crl"))
	if err != nil || len(lists) != 128 {
		t.Errorf("%d parts of the list (%v), want the 128 of the ceremony", len(lists), err)
	}
	if _, err := os.Stat(filepath.Join(dir, "region/data/ca/root.key")); err == nil {
		t.Error("the root's key is on the Region's machine")
	}
}

// filled puts days of now, approvers' lines and digests into a file of the guide.
func filled(t *testing.T, dir, text string) string {
	t.Helper()
	written := time.Date(2026, 11, 26, 0, 0, 0, 0, time.UTC)
	shift := int(time.Since(written).Hours() / 24)
	text = regexp.MustCompile(`\b20\d\d-\d\d-\d\d\b`).ReplaceAllStringFunc(text, func(s string) string {
		d, err := time.Parse(time.DateOnly, s)
		if err != nil {
			t.Fatal(err)
		}
		return d.AddDate(0, 0, shift).Format(time.DateOnly)
	})
	return regexp.MustCompile(`<(sha256 )?([^>]+)>`).ReplaceAllStringFunc(text, func(s string) string {
		name, isDigest := strings.CutPrefix(strings.Trim(s, "<>"), "sha256 ")
		if !isDigest {
			name = "approvers/" + name + ".line"
		}
		b, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if isDigest {
			return fmt.Sprintf("%x", sha256.Sum256(b))
		}
		return strings.TrimSpace(string(b))
	})
}
