package keys

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
)

// Token is a PKCS #11 token. keys/hsm has one; it exists only where the program
// was built with cgo, so everybody else knows it by this interface.
type Token interface {
	// Find answers with the key that r names; r.Public must be its public half.
	Find(r TokenKey) (crypto.Signer, error)
	// Generate makes a key inside that can never leave, under a label that no
	// key there has yet.
	Generate(label string, a Algorithm) (TokenKey, crypto.Signer, error)
	// Named answers with the one key of that label, whoever made it.
	Named(label string) (TokenKey, crypto.Signer, error)
}

// TokenKey names a key in a token: what a *.key file says in place of the key.
type TokenKey struct {
	// Token is the token's label, Label and ID are CKA_LABEL and CKA_ID of the
	// key; either of the last two may be empty, not both.
	Token, Label string
	ID           []byte
	// Public is the public half.
	Public crypto.PublicKey
}

// Vault is where an authority's keys are.
type Vault struct {
	// Passphrase opens and seals files.
	Passphrase secret.Text
	// Token is nil where none is configured.
	Token Token
	// Inside makes new keys in the token; otherwise they are sealed in files.
	Inside bool
}

// Sealed is a vault of sealed files only.
func Sealed(passphrase secret.Text) Vault { return Vault{Passphrase: passphrase} }

// Open opens the *.key file at path, whichever of the two kinds it is. A file
// that names a token's key is refused where no token is configured (CSE-914).
func (v Vault) Open(path string) (crypto.Signer, error) {
	raw, err := readPrivate(path)
	if err != nil {
		return nil, err
	}
	if !bytes.Contains(raw, []byte(tokenBlock)) {
		return Load(path, v.Passphrase)
	}
	ref, err := ParseTokenKey(raw)
	if err != nil {
		return nil, damaged(path, err)
	}
	if v.Token == nil {
		return nil, words.Refuse("CSE-914", path)
	}
	return v.Token.Find(ref)
}

// InToken tells whether the *.key file at path names a token's key.
func InToken(path string) (bool, error) {
	raw, err := readPrivate(path)
	return err == nil && bytes.Contains(raw, []byte(tokenBlock)), err
}

// Make makes a key whose file is path, in the token where v.Inside says so,
// under a label that tells authority and file. It never replaces a file (CSE-193).
func (v Vault) Make(rand io.Reader, path string, a Algorithm, label string) (crypto.Signer, error) {
	if !v.Inside {
		return Create(rand, path, a, v.Passphrase)
	}
	if v.Token == nil {
		return nil, words.Refuse("CSE-914", path)
	}
	if _, err := os.Lstat(path); err == nil {
		return nil, words.Refuse("CSE-193", path)
	}
	ref, k, err := v.Token.Generate(label, a)
	if err != nil {
		return nil, err
	}
	return k, ref.write(path)
}

// Adopt writes the file of a key that is in the token already, under that label.
func (v Vault) Adopt(path, label string) (crypto.Signer, error) {
	if v.Token == nil {
		return nil, words.Refuse("CSE-914", path)
	}
	ref, k, err := v.Token.Named(label)
	if err != nil {
		return nil, err
	}
	return k, ref.write(path)
}

func (r TokenKey) write(path string) error {
	b, err := r.Marshal()
	if err != nil {
		return err
	}
	return writeNew(filepath.Clean(path), b)
}

const tokenBlock = "CSE TOKEN KEY"

// Marshal writes the file that names r: one PEM block, CSE TOKEN KEY, whose
// headers are the three names and whose body is the SubjectPublicKeyInfo. It
// holds no secret.
func (r TokenKey) Marshal() ([]byte, error) {
	spki, err := x509.MarshalPKIXPublicKey(r.Public)
	if err != nil {
		return nil, fmt.Errorf("keys: token key: %w", err)
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	h := map[string]string{"Version": "1", "Token": r.Token}
	if r.Label != "" {
		h["Label"] = r.Label
	}
	if len(r.ID) > 0 {
		h["Id"] = hex.EncodeToString(r.ID)
	}
	return pem.EncodeToMemory(&pem.Block{Type: tokenBlock, Headers: h, Bytes: spki}), nil
}

// ParseTokenKey reads what Marshal writes, and nothing else.
func ParseTokenKey(raw []byte) (TokenKey, error) {
	block, rest := pem.Decode(raw)
	if block == nil || block.Type != tokenBlock || len(bytes.TrimSpace(rest)) > 0 {
		return TokenKey{}, errors.New("not one " + tokenBlock + " block")
	}
	if block.Headers["Version"] != "1" {
		return TokenKey{}, fmt.Errorf("unknown version %q", block.Headers["Version"])
	}
	for h := range block.Headers {
		if h != "Version" && h != "Token" && h != "Label" && h != "Id" {
			return TokenKey{}, fmt.Errorf("unknown header %q", h)
		}
	}
	pub, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return TokenKey{}, err
	}
	id, err := hex.DecodeString(block.Headers["Id"])
	if err != nil {
		return TokenKey{}, fmt.Errorf("header Id: %w", err)
	}
	r := TokenKey{Token: block.Headers["Token"], Label: block.Headers["Label"], ID: id, Public: pub}
	return r, r.check()
}

// check keeps to names that a header of one line carries unchanged.
func (r TokenKey) check() error {
	if AlgorithmOf(r.Public) == "" {
		return fmt.Errorf("a %T is none of %v", r.Public, Algorithms())
	}
	if r.Token == "" || (r.Label == "" && len(r.ID) == 0) || len(r.ID) > 64 {
		return errors.New("a token's key has the token's label, and a label or an id of its own")
	}
	for _, s := range []string{r.Token, r.Label} {
		if len(s) > 64 || strings.TrimSpace(s) != s || strings.IndexFunc(s, func(c rune) bool { return c < ' ' || c > '~' }) >= 0 {
			return fmt.Errorf("%q is no label of 1 to 64 printable characters", s)
		}
	}
	return nil
}
