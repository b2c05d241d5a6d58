package keys_test

import (
	"crypto/rand"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"

	"cse.example/cse/pki/keys"
	"cse.example/cse/pki/keys/keystest"
)

// dear is a file sealed at the cost that everybody else pays.
var dear struct {
	raw []byte
	err error
}

func TestMain(m *testing.M) {
	dear.raw, dear.err = sealed()
	keystest.Cheap()
	os.Exit(m.Run())
}

func sealed() ([]byte, error) {
	dir, err := os.MkdirTemp("", "cse-keys-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "a.key")
	if _, err := keys.Create(rand.Reader, path, keys.P256, phrase); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
}

// The tests seal cheaply; nobody else does: 64 MiB, three passes, four lanes (the
// second recommendation of RFC 9106, 4).
func TestTheUsualCost(t *testing.T) {
	block, _ := pem.Decode(dear.raw)
	if dear.err != nil || block == nil {
		t.Fatal(dear.err)
	}
	if h := block.Headers; h["Memory-KiB"] != "65536" || h["Passes"] != "3" || h["Lanes"] != "4" {
		t.Errorf("a key is sealed at %v", h)
	}
	path := filepath.Join(t.TempDir(), "a.key")
	if err := os.WriteFile(path, dear.raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := keys.Load(path, phrase); err != nil {
		t.Error(err)
	}
}
