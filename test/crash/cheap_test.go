package crash

import (
	"bytes"
	"crypto/rand"
	"encoding/pem"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"cse.example/cse/ground/secret"
	"cse.example/cse/pki/keys"
)

// cheapen seals the installation's key files again at the lowest cost there is:
// csed opens a dozen of them at each start, and what is killed here is not Argon2id.
// (TestMain lets this process seal cheaply; the files say their cost themselves.)
func (s *site) cheapen() {
	s.t.Helper()
	var phrases []secret.Text
	files, err := filepath.Glob(filepath.Join(s.data, "secrets", "*"))
	if err != nil || len(files) == 0 {
		s.t.Fatal("no passphrases: ", err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			s.t.Fatal(err)
		}
		phrases = append(phrases, secret.New(bytes.TrimSpace(b)))
	}
	n := 0
	err = filepath.WalkDir(s.data, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		block, _ := pem.Decode(b)
		if block == nil || block.Type != "CSE SEALED" {
			return nil
		}
		n++
		return reseal(s.t, path, block.Headers["Purpose"], phrases)
	})
	if err != nil || n < 8 {
		s.t.Fatalf("%d files sealed again, %v", n, err)
	}
}

func reseal(t *testing.T, path, purpose string, phrases []secret.Text) error {
	t.Helper()
	for _, p := range phrases {
		data, err := keys.Open(path, purpose, p)
		if err != nil {
			continue
		}
		if err := os.Remove(path); err != nil {
			return err
		}
		return keys.Seal(rand.Reader, path, purpose, data, p)
	}
	t.Fatalf("no passphrase opens %s", path)
	return nil
}
