package codes

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/tink-crypto/tink-go/v2/hybrid"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf"
)

// AEAD wraps a keyset; the wiring gives one from pki/keys. Tink's has this shape.
type AEAD interface {
	Encrypt(plaintext, associatedData []byte) ([]byte, error)
	Decrypt(ciphertext, associatedData []byte) ([]byte, error)
}

// Wraps are the keys under which the three secret keysets are sealed. Whoever
// splits printing and mailing over two users gives First and Second different
// keys, held by different users; one key for all three is allowed.
type Wraps struct{ First, Second, CIP AEAD }

// The files of a keyset folder.
const (
	firstSecret  = "codes-first.keyset"
	firstPublic  = "codes-first.pub.keyset"
	secondSecret = "codes-second.keyset"
	secondPublic = "codes-second.pub.keyset"
	cipSecret    = "codes-cip.keyset"
)

// CreateKeysets makes the three keysets in dir, which must exist: two HPKE pairs
// (X25519, HKDF-SHA-256, AES-256-GCM) and the PRF of the CIPs (HMAC-SHA-256). A
// file that exists already is an error: a lost keyset is a lost set of codes.
func CreateKeysets(dir string, w Wraps) error {
	if w.First == nil || w.Second == nil || w.CIP == nil {
		return errors.New("codes: a keyset needs a key that wraps it")
	}
	if err := createPair(dir, firstSecret, firstPublic, w.First); err != nil {
		return err
	}
	if err := createPair(dir, secondSecret, secondPublic, w.Second); err != nil {
		return err
	}
	h, err := keyset.NewHandle(prf.HMACSHA256PRFKeyTemplate())
	if err != nil {
		return fmt.Errorf("codes: make %s: %w", cipSecret, err)
	}
	return writeSecret(dir, cipSecret, h, w.CIP)
}

func createPair(dir, secretName, publicName string, w AEAD) error {
	h, err := keyset.NewHandle(hybrid.DHKEM_X25519_HKDF_SHA256_HKDF_SHA256_AES_256_GCM_Key_Template())
	if err != nil {
		return fmt.Errorf("codes: make %s: %w", secretName, err)
	}
	pub, err := h.Public()
	if err != nil {
		return fmt.Errorf("codes: make %s: %w", publicName, err)
	}
	var b bytes.Buffer
	if err := pub.WriteWithNoSecrets(keyset.NewBinaryWriter(&b)); err != nil {
		return fmt.Errorf("codes: write %s: %w", publicName, err)
	}
	if err := writeSecret(dir, secretName, h, w); err != nil {
		return err
	}
	return writeNew(filepath.Join(dir, publicName), b.Bytes(), 0o644)
}

func writeSecret(dir, name string, h *keyset.Handle, w AEAD) error {
	var b bytes.Buffer
	if err := h.WriteWithAssociatedData(keyset.NewBinaryWriter(&b), w, []byte(name)); err != nil {
		return fmt.Errorf("codes: write %s: %w", name, err)
	}
	return writeNew(filepath.Join(dir, name), b.Bytes(), 0o600)
}

func writeNew(path string, b []byte, mode os.FileMode) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return fmt.Errorf("codes: %w", err)
	}
	if _, err := f.Write(b); err != nil {
		return errors.Join(fmt.Errorf("codes: write %s: %w", path, err), f.Close())
	}
	if err := f.Sync(); err != nil {
		return errors.Join(fmt.Errorf("codes: write %s: %w", path, err), f.Close())
	}
	return f.Close()
}

func readSecret(dir, name string, w AEAD) (*keyset.Handle, error) {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return nil, fmt.Errorf("codes: %w", err)
	}
	h, err := keyset.ReadWithAssociatedData(keyset.NewBinaryReader(bytes.NewReader(b)), w, []byte(name))
	if err != nil {
		return nil, fmt.Errorf("codes: open %s: %w", name, err)
	}
	return h, nil
}

func readPublic(dir, name string) (*keyset.Handle, error) {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return nil, fmt.Errorf("codes: %w", err)
	}
	h, err := keyset.ReadWithNoSecrets(keyset.NewBinaryReader(bytes.NewReader(b)))
	if err != nil {
		return nil, fmt.Errorf("codes: read %s: %w", name, err)
	}
	return h, nil
}

// LoadCIPs opens the keyset of the CIPs in dir.
func LoadCIPs(dir string, w AEAD, store Store) (*CIPs, error) {
	h, err := readSecret(dir, cipSecret, w)
	if err != nil {
		return nil, err
	}
	set, err := prf.NewPRFSet(h)
	if err != nil {
		return nil, fmt.Errorf("codes: %s: %w", cipSecret, err)
	}
	return &CIPs{set: set, store: store, marking: marking(h)}, nil
}

// LoadSealer reads the two public keysets of dir: no secret is needed to seal.
func LoadSealer(dir string, p Policy, cips *CIPs) (*Sealer, error) {
	if err := p.Check(); err != nil {
		return nil, err
	}
	if cips == nil {
		return nil, errors.New("codes: a sealer needs the CIPs")
	}
	s := &Sealer{policy: p, cips: cips}
	h, err := readPublic(dir, firstPublic)
	if err != nil {
		return nil, err
	}
	if s.first, err = hybrid.NewHybridEncrypt(h); err != nil {
		return nil, fmt.Errorf("codes: %s: %w", firstPublic, err)
	}
	if h, err = readPublic(dir, secondPublic); err != nil {
		return nil, err
	}
	if s.second, err = hybrid.NewHybridEncrypt(h); err != nil {
		return nil, fmt.Errorf("codes: %s: %w", secondPublic, err)
	}
	return s, nil
}

// LoadFirst opens the secret keyset of the first halves.
func LoadFirst(dir string, w AEAD, store Store) (*FirstOpener, error) {
	o, err := loadOpener(dir, firstSecret, w, store, first)
	return &FirstOpener{o}, err
}

// LoadSecond opens the secret keyset of the second halves.
func LoadSecond(dir string, w AEAD, store Store) (*SecondOpener, error) {
	o, err := loadOpener(dir, secondSecret, w, store, second)
	return &SecondOpener{o}, err
}

func loadOpener(dir, name string, w AEAD, store Store, half int) (opener, error) {
	h, err := readSecret(dir, name, w)
	if err != nil {
		return opener{}, err
	}
	key, err := hybrid.NewHybridDecrypt(h)
	if err != nil {
		return opener{}, fmt.Errorf("codes: %s: %w", name, err)
	}
	return opener{key: key, store: store, half: half}, nil
}

// LoadMaker is LoadCIPs, LoadSealer and a Maker in one.
func LoadMaker(dir string, w AEAD, p Policy, store Store, rand io.Reader) (*Maker, *CIPs, error) {
	cips, err := LoadCIPs(dir, w, store)
	if err != nil {
		return nil, nil, err
	}
	s, err := LoadSealer(dir, p, cips)
	if err != nil {
		return nil, nil, err
	}
	return &Maker{Sealer: s, Store: store, Rand: rand}, cips, nil
}

func isNone(err error) bool { return errors.Is(err, ErrNone) }
