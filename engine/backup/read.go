package backup

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"filippo.io/age"

	"cse.example/cse/ground/words"
)

// The bounds of what is read.
const (
	maxManifest = 1 << 20
	maxEntry    = 64 << 20
	maxEntries  = 10_000_000
)

// Set is a set whose manifest is believed.
type Set struct {
	Dir      string
	Manifest Manifest
	// Signer is the fingerprint of who signed it.
	Signer string
}

func damaged(name string, err error) error { return words.Refuse("CSE-985", name).Because(err) }

// Open reads a set's manifest. signer is the fingerprint that is believed; empty
// believes whoever signed, for who only wants to read the fingerprint.
func Open(dir, signer string) (*Set, error) {
	b, err := small(filepath.Join(dir, manifestFile))
	if err != nil {
		return nil, err
	}
	sig, err := small(filepath.Join(dir, signatureFile))
	if err != nil {
		return nil, err
	}
	var s signature
	if err := json.Unmarshal(sig, &s); err != nil {
		return nil, damaged(filepath.Join(dir, signatureFile), err)
	}
	public, err := x509.ParsePKIXPublicKey(s.Key)
	key, ok := public.(*ecdsa.PublicKey)
	if err != nil || !ok {
		return nil, damaged(filepath.Join(dir, signatureFile), errors.Join(err, errors.New("no ECDSA key")))
	}
	who, err := Fingerprint(key)
	if err != nil {
		return nil, err
	}
	if !ecdsa.VerifyASN1(key, digest(b), s.Signature) {
		return nil, damaged(filepath.Join(dir, manifestFile), errors.New("the signature does not verify"))
	}
	if signer != "" && who != strings.ToLower(strings.ReplaceAll(signer, ":", "")) {
		return nil, words.Refuse("CSE-986", dir, who)
	}
	set := &Set{Dir: dir, Signer: who}
	if err := json.Unmarshal(b, &set.Manifest); err != nil || set.Manifest.Format != Format {
		return nil, damaged(filepath.Join(dir, manifestFile), errors.Join(err, fmt.Errorf("format %d", set.Manifest.Format)))
	}
	return set, nil
}

func small(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, damaged(path, err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxManifest+1))
	if err != nil || len(b) > maxManifest {
		return nil, damaged(path, errors.Join(err, errors.New("too large")))
	}
	return b, nil
}

// Part is the archive of that name; false when the set has none.
func (s *Set) Part(name string) (PartSum, bool) {
	i := slices.IndexFunc(s.Manifest.Parts, func(p PartSum) bool { return p.Name == name })
	if i < 0 {
		return PartSum{}, false
	}
	return s.Manifest.Parts[i], true
}

// Check compares every archive with the manifest, without opening it. only, when
// given, names the parts that have to be there.
func (s *Set) Check(only ...string) error {
	var errs []error
	for _, p := range s.Manifest.Parts {
		if len(only) > 0 && !slices.Contains(only, p.Name) {
			continue
		}
		errs = append(errs, s.check(p))
	}
	return errors.Join(errs...)
}

func (s *Set) check(p PartSum) error {
	file := filepath.Join(s.Dir, filepath.Base(p.File))
	f, err := os.Open(file)
	if err != nil {
		return damaged(file, err)
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, f)
	if err != nil {
		return damaged(file, err)
	}
	if got := hex.EncodeToString(h.Sum(nil)); got != p.SHA256 || n != p.Size {
		return damaged(file, fmt.Errorf("%d octets with SHA-256 %s, the manifest says %d with %s", n, got, p.Size, p.SHA256))
	}
	return nil
}

// entryName is what an entry may be called: it stays below the place it is put.
var entryName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@:+=,~-]*(/[A-Za-z0-9][A-Za-z0-9._@:+=,~-]*)*$`)

// Read opens a part and hands over its entries in order. What take has done before an
// error is to be thrown away: only the end proves that the part was whole.
func (s *Set) Read(part string, who []age.Identity, take func(name string, b []byte) error) error {
	p, ok := s.Part(part)
	if !ok {
		return words.Refuse("CSE-988", part)
	}
	if err := s.check(p); err != nil {
		return err
	}
	file := filepath.Join(s.Dir, filepath.Base(p.File))
	f, err := os.Open(file)
	if err != nil {
		return damaged(file, err)
	}
	defer f.Close()
	in, err := age.Decrypt(f, who...)
	var none *age.NoIdentityMatchError
	if errors.As(err, &none) {
		return words.Refuse("CSE-989", file)
	}
	if err != nil {
		return damaged(file, err)
	}
	return entries(in, label{s.Manifest.Set, s.Manifest.Kind, part}, file, p.Entries, take)
}

// entries reads an archive's inside.
func entries(in io.Reader, want label, file string, count int, take func(name string, b []byte) error) error {
	zip, err := gzip.NewReader(in)
	if err != nil {
		return damaged(file, err)
	}
	archive := tar.NewReader(zip)
	var sums strings.Builder
	seen := map[string]bool{}
	for n := 0; ; n++ {
		h, err := archive.Next()
		if err != nil {
			return damaged(file, fmt.Errorf("it ends after %d entries: %w", n, err))
		}
		if h.Typeflag != tar.TypeReg || h.Size > maxEntry || n > maxEntries || seen[h.Name] || path.Clean(h.Name) != h.Name || !entryName.MatchString(h.Name) {
			return damaged(file, fmt.Errorf("the entry %q", h.Name))
		}
		seen[h.Name] = true
		var b bytes.Buffer
		if m, err := io.Copy(&b, archive); err != nil || m != h.Size {
			return damaged(file, fmt.Errorf("the entry %s is cut: %w", h.Name, err))
		}
		switch {
		case n == 0:
			var l label
			if err := json.Unmarshal(b.Bytes(), &l); err != nil || h.Name != entryLabel || l != want {
				return damaged(file, fmt.Errorf("it is %s of %s %s, not %s of %s %s", l.Part, l.Kind, l.Set, want.Part, want.Kind, want.Set))
			}
		case h.Name == entrySums:
			if b.String() != sums.String() || count >= 0 && n != count {
				return damaged(file, errors.New("its entries are not those that its sums name"))
			}
			if _, err := archive.Next(); !errors.Is(err, io.EOF) {
				return damaged(file, errors.New("something follows its end"))
			}
			if _, err := io.Copy(io.Discard, zip); err != nil {
				return damaged(file, err)
			}
			return nil
		default:
			if err := take(h.Name, b.Bytes()); err != nil {
				return err
			}
		}
		fmt.Fprintf(&sums, "%x %d %s\n", sha256.Sum256(b.Bytes()), b.Len(), h.Name)
	}
}

// Identities reads an age identity file (age-keygen's, or `csed backup key`).
func Identities(file string) ([]age.Identity, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, words.Refuse("CSE-990", file).Because(err)
	}
	defer f.Close()
	who, err := age.ParseIdentities(io.LimitReader(f, maxManifest))
	if err != nil {
		return nil, words.Refuse("CSE-990", file).Because(errors.New("no age identity"))
	}
	return who, nil
}

// NewIdentity makes a custodian's key in a new file, mode 0600, and answers the
// public key for the configuration.
func NewIdentity(file string) (string, error) {
	k, err := age.GenerateX25519Identity()
	if err != nil {
		return "", fmt.Errorf("backup: %w", err)
	}
	text := fmt.Sprintf("# public key: %s\n%s\n", k.Recipient(), k)
	if err := writeSynced(file, []byte(text)); err != nil {
		return "", words.Refuse("CSE-995", file).Because(err)
	}
	return k.Recipient().String(), nil
}

// CheckRecipient refuses what is no public key of age.
func CheckRecipient(s string) error {
	_, err := age.ParseRecipients(strings.NewReader(s))
	return err
}

// RecipientKind names what a public key encrypts with.
func RecipientKind(s string) string {
	list, err := age.ParseRecipients(strings.NewReader(s))
	if err != nil || len(list) != 1 {
		return "?"
	}
	switch list[0].(type) {
	case *age.X25519Recipient:
		return "age, X25519, ChaCha20-Poly1305"
	case *age.HybridRecipient:
		return "age, ML-KEM-768 + X25519, ChaCha20-Poly1305"
	}
	return fmt.Sprintf("age, %T", list[0])
}
