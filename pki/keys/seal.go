package keys

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"

	"golang.org/x/crypto/argon2"

	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/pki/internal/kdf"
)

const (
	blockType = "CSE SEALED"
	saltLen   = 16
	nonceLen  = 12
	maxFile   = 64 << 10
	keyLen    = 32 // of AES, in bytes
)

// cipherName is what aead makes.
var cipherName = fmt.Sprintf("AES-%d-GCM", keyLen*8)

// cost is Argon2id's: passes over memory KiB with lanes threads.
type cost struct{ passes, memory, lanes uint32 }

// usual is the cost of a new file.
func usual() cost { return cost{kdf.Usual.Passes, kdf.Usual.MemoryKiB, kdf.Usual.Lanes} }

// bearable bounds what a file may ask of the machine that opens it.
var bearable = cost{passes: 16, memory: 1 << 20, lanes: 16}

func (c cost) sane() bool {
	return c.passes >= 1 && c.memory >= 8 && c.lanes >= 1 &&
		c.passes <= bearable.passes && c.memory <= bearable.memory && c.lanes <= bearable.lanes
}

func (c cost) aead(passphrase secret.Text, salt []byte) (cipher.AEAD, error) {
	p := passphrase.Reveal()
	defer clear(p)
	k := argon2.IDKey(p, salt, c.passes, c.memory, uint8(c.lanes), keyLen)
	defer clear(k)
	b, err := aes.NewCipher(k)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(b)
}

// Seal encrypts data (at most 32 KiB) under passphrase into a new file at path.
// The purpose is authenticated: Open must name the same one.
func Seal(rand io.Reader, path, purpose string, data []byte, passphrase secret.Text) error {
	if passphrase.Len() == 0 {
		return words.Refuse("CSE-190", path).Because(errors.New("the passphrase is empty"))
	}
	if len(data) > maxFile/2 {
		return fmt.Errorf("keys: seal %s: %d bytes are too many", path, len(data))
	}
	salted := make([]byte, saltLen+nonceLen)
	if _, err := io.ReadFull(rand, salted); err != nil {
		return fmt.Errorf("keys: seal %s: %w", path, err)
	}
	c := usual()
	aead, err := c.aead(passphrase, salted[:saltLen])
	if err != nil {
		return fmt.Errorf("keys: seal %s: %w", path, err)
	}
	h := headers(purpose, c)
	body := aead.Seal(salted, salted[saltLen:], data, additional(h))
	return writeNew(path, pem.EncodeToMemory(&pem.Block{Type: blockType, Headers: h, Bytes: body}))
}

// Open decrypts the file at path, which must have been sealed for purpose.
func Open(path, purpose string, passphrase secret.Text) ([]byte, error) {
	raw, err := readPrivate(path)
	if err != nil {
		return nil, err
	}
	block, rest := pem.Decode(raw)
	if block == nil || block.Type != blockType || len(bytes.TrimSpace(rest)) > 0 {
		return nil, damaged(path, errors.New("not one CSE SEALED block"))
	}
	if block.Headers["Purpose"] != purpose {
		return nil, damaged(path, fmt.Errorf("sealed as %q, wanted %q", block.Headers["Purpose"], purpose))
	}
	c, err := costOf(block.Headers)
	if err != nil {
		return nil, damaged(path, err)
	}
	if len(block.Bytes) < saltLen+nonceLen+16 {
		return nil, damaged(path, errors.New("too short"))
	}
	salt, nonce, body := block.Bytes[:saltLen], block.Bytes[saltLen:saltLen+nonceLen], block.Bytes[saltLen+nonceLen:]
	aead, err := c.aead(passphrase, salt)
	if err != nil {
		return nil, fmt.Errorf("keys: open %s: %w", path, err)
	}
	data, err := aead.Open(nil, nonce, body, additional(block.Headers))
	if err != nil {
		// An AEAD cannot tell a wrong passphrase from a flipped bit.
		return nil, words.Refuse("CSE-190", path).Because(err)
	}
	return data, nil
}

func headers(purpose string, c cost) map[string]string {
	return map[string]string{
		"Version": "1", "Purpose": purpose, "KDF": "argon2id",
		"Passes":     strconv.FormatUint(uint64(c.passes), 10),
		"Memory-KiB": strconv.FormatUint(uint64(c.memory), 10),
		"Lanes":      strconv.FormatUint(uint64(c.lanes), 10),
	}
}

// additional is the authenticated form of the headers: fixed names, fixed order.
func additional(h map[string]string) []byte {
	var b bytes.Buffer
	for _, k := range []string{"Version", "Purpose", "KDF", "Passes", "Memory-KiB", "Lanes"} {
		fmt.Fprintf(&b, "%s=%q\n", k, h[k])
	}
	return b.Bytes()
}

func costOf(h map[string]string) (cost, error) {
	if h["Version"] != "1" || h["KDF"] != "argon2id" {
		return cost{}, fmt.Errorf("unknown version %q or derivation %q", h["Version"], h["KDF"])
	}
	var n [3]uint32
	for i, k := range []string{"Passes", "Memory-KiB", "Lanes"} {
		v, err := strconv.ParseUint(h[k], 10, 32)
		if err != nil {
			return cost{}, fmt.Errorf("header %s: %w", k, err)
		}
		n[i] = uint32(v)
	}
	c := cost{n[0], n[1], n[2]}
	if !c.sane() {
		return cost{}, fmt.Errorf("unbearable cost: %d passes, %d KiB, %d lanes", n[0], n[1], n[2])
	}
	return c, nil
}

func readPrivate(path string) (_ []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	st, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("keys: %w", err)
	}
	if !st.Mode().IsRegular() || st.Size() > maxFile {
		return nil, damaged(path, errors.New("not a small regular file"))
	}
	if runtime.GOOS != "windows" && st.Mode().Perm()&0o077 != 0 {
		return nil, words.Refuse("CSE-192", path).Because(fmt.Errorf("mode %04o", st.Mode().Perm()))
	}
	b, err := io.ReadAll(io.LimitReader(f, maxFile))
	if err != nil {
		return nil, fmt.Errorf("keys: read %s: %w", path, err)
	}
	return b, nil
}

// writeNew makes path appear whole, mode 0600, or not at all. A link, unlike a
// rename, never replaces what is there.
func writeNew(path string, b []byte) (err error) {
	dir := filepath.Dir(path)
	tmp, err := os.CreateTemp(dir, ".sealing-*") // CreateTemp gives mode 0600
	if err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	defer func() { err = errors.Join(err, os.Remove(tmp.Name())) }()
	_, werr := tmp.Write(b)
	if err := errors.Join(werr, tmp.Sync(), tmp.Close()); err != nil {
		return fmt.Errorf("keys: write %s: %w", path, err)
	}
	if err := os.Link(tmp.Name(), path); err != nil {
		if errors.Is(err, fs.ErrExist) {
			return words.Refuse("CSE-193", path).Because(err)
		}
		return fmt.Errorf("keys: %w", err)
	}
	return syncDir(dir)
}

func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // directories cannot be synced there
	}
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("keys: sync %s: %w", dir, err)
	}
	return nil
}
