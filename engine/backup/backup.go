// Package backup writes what must not be lost into archives, and reads them back.
//
// A set is a folder: one archive a part, a manifest (JSON), the manifest's
// signature. An archive is a gzipped tar inside an age file (age-encryption.org/v1),
// encrypted to the public keys of that part's custodians: who makes a backup cannot
// open it, and custodians open theirs with age itself if this program is lost. The
// first entry of an archive says to which set and part it belongs, the last one the
// SHA-256 of every entry.
//
// Guarantees:
//   - A set appears whole, under its name, or not at all: it is written in a folder
//     .writing-…, synced, then renamed. Who is killed leaves that folder, which is no
//     set; who fails removes it.
//   - The manifest names the SHA-256 of each archive and is signed (ECDSA P-256);
//     Open believes one signer, given by its fingerprint, and no other.
//   - What is damaged, missing, of another set or in another part's place is refused
//     by its name (CSE-985), before anything of it is used.
//
// What goes into a part, and that no part holds too much, is its caller's to say.
package backup

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"filippo.io/age"

	"cse.example/cse/ground/words"
)

// Format is the version of what is written here.
const Format = 1

// The files of a set beside its archives.
const (
	manifestFile  = "manifest.json"
	signatureFile = "manifest.sig"
	writing       = ".writing-"
)

// Head is the audit log's: how many records it has, and the root of their tree.
type Head struct {
	Index int64  `json:"index"`
	Hash  string `json:"hash"`
}

// Manifest is what a set says of itself.
type Manifest struct {
	Format int `json:"format"`
	// Set is the set's own name, at random; Kind is what it is for.
	Set  string    `json:"set"`
	Kind string    `json:"kind"`
	Made time.Time `json:"made"`
	// Schema is the store's newest migration, Trail the head of the audit log's tree,
	// Checkpoint the log's last signed note.
	Schema     int64  `json:"schema,omitempty"`
	Trail      *Head  `json:"trail,omitempty"`
	Checkpoint string `json:"checkpoint,omitempty"`
	// Keys names the key files that were in force, without saying anything of them.
	Keys  string    `json:"keys"`
	Parts []PartSum `json:"parts"`
}

// PartSum is one archive.
type PartSum struct {
	Name       string   `json:"name"`
	File       string   `json:"file"`
	SHA256     string   `json:"sha256"`
	Size       int64    `json:"size"`
	Entries    int      `json:"entries"`
	Recipients []string `json:"recipients"`
}

// Part is an archive to be written.
type Part struct {
	Name string
	// Recipients are age's public keys (age1…); none is refused (CSE-984).
	Recipients []string
	Write      func(ctx context.Context, a *Archive) error
}

// Job is a set to be written.
type Job struct {
	// Dir is where the set's folder appears; it is made if need be.
	Dir      string
	Manifest Manifest
	Parts    []Part
	Signer   crypto.Signer
	// Seal is asked when everything is written and nothing is in place; its error
	// leaves nothing. nil: no one is asked. Until then m may be completed by Write.
	Seal func(ctx context.Context, m Manifest) error
}

// Create writes a set and answers its folder.
func Create(ctx context.Context, j Job) (path string, m Manifest, err error) {
	m = j.Manifest
	m.Format, m.Set, m.Made = Format, strings.ToLower(rand.Text()), m.Made.UTC().Truncate(time.Microsecond)
	if err := os.MkdirAll(j.Dir, 0o700); err != nil {
		return "", m, cannotWrite(j.Dir, err)
	}
	tmp := filepath.Join(j.Dir, writing+m.Set)
	if err := os.Mkdir(tmp, 0o700); err != nil {
		return "", m, cannotWrite(j.Dir, err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.RemoveAll(tmp))
		}
	}()
	for _, p := range j.Parts {
		sum, err := writePart(ctx, tmp, m, p)
		if err != nil {
			return "", m, err
		}
		m.Parts = append(m.Parts, sum)
	}
	if j.Seal != nil {
		if err := j.Seal(ctx, m); err != nil {
			return "", m, err
		}
	}
	if err := seal(tmp, m, j.Signer); err != nil {
		return "", m, err
	}
	path = filepath.Join(j.Dir, m.Made.Format("20060102T150405Z")+"-"+m.Kind+"-"+m.Set[:6])
	if err := syncDir(tmp); err != nil {
		return "", m, cannotWrite(path, err)
	}
	if err := os.Rename(tmp, path); err != nil {
		return "", m, cannotWrite(path, err)
	}
	if err := syncDir(j.Dir); err != nil { // whole, and nobody knows whether it stays: it is no set
		return "", m, errors.Join(cannotWrite(path, err), os.RemoveAll(path))
	}
	return path, m, nil
}

func cannotWrite(path string, err error) error {
	return words.Refuse("CSE-995", path).Because(err)
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// label is an archive's first entry.
type label struct {
	Set  string `json:"set"`
	Kind string `json:"kind"`
	Part string `json:"part"`
}

// The entries that are ours.
const (
	entryLabel = "PART"
	entrySums  = "SUMS"
)

func writePart(ctx context.Context, dir string, m Manifest, p Part) (sum PartSum, err error) {
	if len(p.Recipients) == 0 {
		return sum, words.Refuse("CSE-984", p.Name)
	}
	to, err := age.ParseRecipients(strings.NewReader(strings.Join(p.Recipients, "\n")))
	if err != nil {
		return sum, words.Refuse("CSE-984", p.Name).Because(err)
	}
	file := filepath.Join(dir, p.Name+".age")
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return sum, cannotWrite(file, err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	out := &counted{w: f, sum: sha256.New()}
	sealed, err := age.Encrypt(out, to...)
	if err != nil {
		return sum, cannotWrite(file, err)
	}
	zip, err := gzip.NewWriterLevel(sealed, gzip.BestSpeed)
	if err != nil {
		return sum, err
	}
	a := &Archive{tar: tar.NewWriter(zip), made: m.Made}
	err = a.JSON(entryLabel, label{m.Set, m.Kind, p.Name})
	if err == nil {
		err = p.Write(ctx, a)
	}
	n := len(a.sums)
	if err == nil {
		err = a.Bytes(entrySums, []byte(strings.Join(a.sums, "")))
	}
	if err == nil {
		err = errors.Join(a.tar.Close(), zip.Close(), sealed.Close(), f.Sync())
	}
	switch {
	case out.failed != nil:
		return sum, cannotWrite(file, out.failed)
	case err != nil:
		return sum, fmt.Errorf("backup: %s: %w", p.Name, err)
	}
	return PartSum{
		Name: p.Name, File: filepath.Base(file), SHA256: hex.EncodeToString(out.sum.Sum(nil)), Size: out.n, Entries: n, Recipients: slices.Clone(p.Recipients),
	}, nil
}

type counted struct {
	w   io.Writer
	sum hash.Hash
	n   int64
	// failed is why the file could not be written.
	failed error
}

func (c *counted) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	if err != nil && c.failed == nil {
		c.failed = err
	}
	c.sum.Write(b[:n])
	c.n += int64(n)
	return n, err
}

// Archive takes entries.
type Archive struct {
	tar  *tar.Writer
	made time.Time
	sums []string
}

// Bytes adds an entry; names are paths with slashes and appear once.
func (a *Archive) Bytes(name string, b []byte) error {
	sum := sha256.Sum256(b)
	h := &tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o600, Size: int64(len(b)), ModTime: a.made, Format: tar.FormatPAX}
	if err := a.tar.WriteHeader(h); err != nil {
		return err
	}
	if _, err := a.tar.Write(b); err != nil {
		return err
	}
	a.sums = append(a.sums, fmt.Sprintf("%x %d %s\n", sum, len(b), name))
	return nil
}

// JSON adds an entry.
func (a *Archive) JSON(name string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return a.Bytes(name, b)
}

// File adds a file as it is now.
func (a *Archive) File(name, path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return a.Bytes(name, b)
}

// chunk is the size of a stream's pieces.
const chunk = 1 << 20

// Stream adds what write writes as entries name/00000000, name/00000001, …: how
// long it is need not be known before, and it is never laid down in clear.
func (a *Archive) Stream(name string, write func(w io.Writer) error) error {
	s := &stream{a: a, name: name}
	if err := write(s); err != nil {
		return err
	}
	return s.flush()
}

type stream struct {
	a    *Archive
	name string
	b    []byte
	n    int
}

func (s *stream) Write(b []byte) (int, error) {
	for rest := b; len(rest) > 0; {
		n := min(len(rest), chunk-len(s.b))
		s.b, rest = append(s.b, rest[:n]...), rest[n:]
		if len(s.b) == chunk {
			if err := s.flush(); err != nil {
				return len(b) - len(rest), err
			}
		}
	}
	return len(b), nil
}

func (s *stream) flush() error {
	if len(s.b) == 0 {
		return nil
	}
	err := s.a.Bytes(fmt.Sprintf("%s/%08d", s.name, s.n), s.b)
	s.b, s.n = s.b[:0], s.n+1
	return err
}

// signature is the file beside the manifest.
type signature struct {
	Key       []byte `json:"key"` // SubjectPublicKeyInfo
	Signature []byte `json:"signature"`
}

func digest(manifest []byte) []byte {
	h := sha256.New()
	h.Write([]byte("cse.backup/1\x00"))
	h.Write(manifest)
	return h.Sum(nil)
}

// Fingerprint names who signs: SHA-256 of the public key, in hexadecimal.
func Fingerprint(public crypto.PublicKey) (string, error) {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return "", fmt.Errorf("backup: %w", err)
	}
	sum := sha256.Sum256(der)
	return hex.EncodeToString(sum[:]), nil
}

func seal(dir string, m Manifest, signer crypto.Signer) error {
	b, err := json.MarshalIndent(m, "", "  ")
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	b = append(b, '\n')
	if _, ok := signer.Public().(*ecdsa.PublicKey); !ok {
		return errors.New("backup: the signer's key is not ECDSA")
	}
	sig, err := signer.Sign(rand.Reader, digest(b), crypto.SHA256)
	if err != nil {
		return fmt.Errorf("backup: sign: %w", err)
	}
	key, err := x509.MarshalPKIXPublicKey(signer.Public())
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	s, err := json.Marshal(signature{key, sig})
	if err != nil {
		return fmt.Errorf("backup: %w", err)
	}
	for name, text := range map[string][]byte{manifestFile: b, signatureFile: append(bytes.TrimSpace(s), '\n')} {
		if err := writeSynced(filepath.Join(dir, name), text); err != nil {
			return cannotWrite(filepath.Join(dir, name), err)
		}
	}
	return nil
}

func writeSynced(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Sync(), f.Close())
}
