package keys_test

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"encoding/pem"
	"os"
	"path/filepath"
	"testing"

	"cse.example/cse/ground/words"
	"cse.example/cse/pki/keys"
)

// token is one without a device: it keeps its keys in memory.
type token struct{ keys map[string]*keys.Key }

func (t *token) Find(r keys.TokenKey) (crypto.Signer, error) { return t.keys[r.Label], nil }

func (t *token) Generate(label string, a keys.Algorithm) (keys.TokenKey, crypto.Signer, error) {
	k, err := keys.Generate(rand.Reader, a)
	if err != nil {
		return keys.TokenKey{}, nil, err
	}
	t.keys[label] = k
	return keys.TokenKey{Token: "prova", Label: label, ID: []byte{1}, Public: k.Public()}, k, nil
}

func (t *token) Named(label string) (keys.TokenKey, crypto.Signer, error) {
	k := t.keys[label]
	if k == nil {
		return keys.TokenKey{}, nil, words.Refuse("CSE-918", label, "prova")
	}
	return keys.TokenKey{Token: "prova", Label: label, Public: k.Public()}, k, nil
}

// One function opens both kinds of file, and says what lacks.
func TestVaultOpensBothKinds(t *testing.T) {
	dir, tok := t.TempDir(), &token{keys: map[string]*keys.Key{}}
	sealed, inside := filepath.Join(dir, "sealed.key"), filepath.Join(dir, "inside.key")
	v := keys.Vault{Passphrase: phrase, Token: tok}
	a, err := v.Make(rand.Reader, sealed, keys.P256, "unused")
	if err != nil {
		t.Fatal(err)
	}
	v.Inside = true
	b, err := v.Make(rand.Reader, inside, keys.P384, "issuing 2026")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := v.Make(rand.Reader, sealed, keys.P256, "again"); code(err) != "CSE-193" {
		t.Errorf("over a file: %v, want CSE-193", err)
	}
	if len(tok.keys) != 1 {
		t.Errorf("%d keys in the token, want 1", len(tok.keys))
	}
	for path, want := range map[string]crypto.Signer{sealed: a, inside: b} {
		got, err := v.Open(path)
		if err != nil || !got.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(want.Public()) {
			t.Errorf("%s: %v, or another key", path, err)
		}
		if in, err := keys.InToken(path); err != nil || in != (path == inside) {
			t.Errorf("%s: in the token: %v (%v)", path, in, err)
		}
	}
	if _, err := keys.Sealed(phrase).Open(inside); code(err) != "CSE-914" {
		t.Errorf("no token: %v, want CSE-914", err)
	}
	if _, err := (keys.Vault{Inside: true}).Make(rand.Reader, filepath.Join(dir, "x"), keys.P256, "x"); code(err) != "CSE-914" {
		t.Errorf("made in no token: %v, want CSE-914", err)
	}
	adopted := filepath.Join(dir, "adopted.key")
	if k, err := v.Adopt(adopted, "issuing 2026"); err != nil || k != b {
		t.Errorf("adopted: %v", err)
	}
	if _, err := v.Adopt(filepath.Join(dir, "y"), "nobody"); code(err) != "CSE-918" {
		t.Errorf("adopted from nowhere: %v, want CSE-918", err)
	}
	raw, err := os.ReadFile(inside)
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(*pem.Block){
		"no label, no id":    func(b *pem.Block) { delete(b.Headers, "Label"); delete(b.Headers, "Id") },
		"no token":           func(b *pem.Block) { delete(b.Headers, "Token") },
		"another version":    func(b *pem.Block) { b.Headers["Version"] = "2" },
		"a header of others": func(b *pem.Block) { b.Headers["Pin"] = "1234" },
		"no public key":      func(b *pem.Block) { b.Bytes = b.Bytes[:20] },
		"an id that is none": func(b *pem.Block) { b.Headers["Id"] = "zz" },
	} {
		block, _ := pem.Decode(raw)
		change(block)
		path := filepath.Join(t.TempDir(), "k")
		if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := v.Open(path); code(err) != "CSE-191" {
			t.Errorf("%s: %v, want CSE-191", name, err)
		}
	}
}

func FuzzParseTokenKey(f *testing.F) {
	tok := &token{keys: map[string]*keys.Key{}}
	r, _, err := tok.Generate("issuing 2026", keys.P256)
	if err != nil {
		f.Fatal(err)
	}
	b, err := r.Marshal()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, raw []byte) {
		r, err := keys.ParseTokenKey(raw)
		if err != nil {
			return
		}
		again, err := r.Marshal()
		if err != nil {
			t.Fatalf("read and not written: %v", err)
		}
		if s, err := keys.ParseTokenKey(again); err != nil || s.Label != r.Label || s.Token != r.Token || !bytes.Equal(s.ID, r.ID) {
			t.Fatalf("%+v became %+v (%v)", r, s, err)
		}
	})
}
