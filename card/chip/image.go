package chip

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"

	"cse.example/cse/card/cns"
)

// The image file: magic (8 bytes), version (2), reserved 0 (2), length of the
// body (4), body (JSON), SHA-256 of all before it (32). Numbers big-endian.
const (
	imageMagic   = "CSECHIP\x1a"
	imageVersion = 1
	imageHead    = len(imageMagic) + 8
	imageLimit   = 1 << 20 // no card is larger, in bytes
)

type imageBody struct {
	Profile     cns.Profile  `json:"profile"`
	Operational bool         `json:"operational"`
	Files       []imageFile  `json:"files"`
	Codes       []imageCode  `json:"codes"`
	Keys        []imageKey   `json:"keys"`
	Issuer      *imageIssuer `json:"issuer,omitempty"`
}

type imageFile struct {
	Path        cns.Path `json:"path"`
	Directory   bool     `json:"directory,omitempty"`
	Size        int      `json:"size"`
	Access      []byte   `json:"access"`
	Data        []byte   `json:"data,omitempty"` // without trailing zeros
	Deactivated bool     `json:"deactivated,omitempty"`
	Protected   bool     `json:"protected,omitempty"`
}

type imageCode struct {
	Ref     byte   `json:"ref"`
	Block   []byte `json:"block,omitempty"`
	Left    int    `json:"left"`
	Max     int    `json:"max"`
	Unblock byte   `json:"unblock,omitempty"`
}

type imageKey struct {
	Ref   byte   `json:"ref"`
	PIN   byte   `json:"pin"`
	PKCS1 []byte `json:"pkcs1"`
}

type imageIssuer struct {
	Secret []byte `json:"secret,omitempty"`
	Left   int    `json:"left"`
	Max    int    `json:"max"`
}

func encodeImage(s *state) ([]byte, error) {
	body, err := json.Marshal(bodyOf(s))
	if err != nil {
		return nil, fmt.Errorf("encode card image: %w", err)
	}
	out := append(make([]byte, 0, imageHead+len(body)+sha256.Size), imageMagic...)
	out = binary.BigEndian.AppendUint16(out, imageVersion)
	out = binary.BigEndian.AppendUint16(out, 0)
	out = binary.BigEndian.AppendUint32(out, uint32(len(body))) //nolint:gosec // a card is far below 4 GiB
	out = append(out, body...)
	sum := sha256.Sum256(out)
	return append(out, sum[:]...), nil
}

func bodyOf(s *state) imageBody {
	b := imageBody{Profile: s.profile, Operational: s.operational}
	for _, p := range s.paths() {
		f := s.files[p]
		b.Files = append(b.Files, imageFile{
			Path: p, Directory: f.directory, Size: len(f.data), Access: slices.Clone(f.access[:]),
			Data: bytes.TrimRight(f.data, "\x00"), Deactivated: f.deactivated, Protected: f.protected,
		})
	}
	for _, ref := range slices.Sorted(maps.Keys(s.codes)) {
		c := s.codes[ref]
		b.Codes = append(b.Codes, imageCode{Ref: ref, Block: c.block, Left: c.left, Max: c.max, Unblock: c.unblock})
	}
	for _, ref := range slices.Sorted(maps.Keys(s.keys)) {
		k := s.keys[ref]
		b.Keys = append(b.Keys, imageKey{Ref: ref, PIN: k.pin, PKCS1: x509.MarshalPKCS1PrivateKey(k.private)})
	}
	if s.profile.IssuerKeyRef != 0 {
		b.Issuer = &imageIssuer{Secret: s.issuer.secret, Left: s.issuer.left, Max: s.issuer.max}
	}
	return b
}

// decodeImage reads an image; every error wraps one of ErrNotImage, ErrVersion,
// ErrChecksum, ErrContent.
func decodeImage(b []byte) (*state, error) {
	if len(b) < imageHead || string(b[:len(imageMagic)]) != imageMagic {
		return nil, fmt.Errorf("%w: %d bytes", ErrNotImage, len(b))
	}
	end := len(b) - sha256.Size
	if len(b) > imageLimit || end < imageHead {
		return nil, fmt.Errorf("%w: %d bytes", ErrChecksum, len(b))
	}
	if sum := sha256.Sum256(b[:end]); !bytes.Equal(sum[:], b[end:]) {
		return nil, ErrChecksum
	}
	if v := binary.BigEndian.Uint16(b[8:]); v != imageVersion {
		return nil, fmt.Errorf("%w: version %d", ErrVersion, v)
	}
	if n := binary.BigEndian.Uint32(b[12:]); int64(n) != int64(end-imageHead) || b[10] != 0 || b[11] != 0 {
		return nil, fmt.Errorf("%w: length field", ErrContent)
	}
	return decodeBody(b[imageHead:end])
}

func decodeBody(b []byte) (*state, error) {
	var body imageBody
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	if err := d.Decode(&body); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrContent, err)
	}
	if _, err := d.Token(); err != io.EOF { //nolint:errorlint // Token returns io.EOF itself
		return nil, fmt.Errorf("%w: something follows", ErrContent)
	}
	if err := body.Profile.Validate(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrContent, err)
	}
	s := &state{
		profile: body.Profile, operational: body.Operational,
		files: map[cns.Path]file{}, codes: map[byte]code{}, keys: map[byte]key{},
	}
	for _, fill := range []func(imageBody) error{s.fillFiles, s.fillCodes, s.fillKeys, s.fillIssuer} {
		if err := fill(body); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrContent, err)
		}
	}
	return s, nil
}

func (s *state) fillFiles(b imageBody) error {
	for _, f := range b.Files {
		parent, _ := split(f.Path)
		_, dup := s.files[f.Path]
		switch fids, err := f.Path.FIDs(); {
		case err != nil:
			return err
		case dup:
			return fmt.Errorf("file %q is there twice", f.Path)
		case len(fids) > 0 && !s.files[parent].directory:
			return fmt.Errorf("file %q has no directory", f.Path)
		case len(fids) == 0 && !f.Directory:
			return fmt.Errorf("the MF is not a directory")
		case f.Size < 0 || f.Size > 0xFFFF || len(f.Data) > f.Size || f.Directory && f.Size != 0:
			return fmt.Errorf("file %q has an impossible size", f.Path)
		case len(f.Access) != len(cns.Access{}):
			return fmt.Errorf("file %q has no access conditions", f.Path)
		}
		data := make([]byte, f.Size)
		copy(data, f.Data)
		s.files[f.Path] = file{directory: f.Directory, access: cns.Access(f.Access), data: data, deactivated: f.Deactivated, protected: f.Protected}
	}
	if _, ok := s.files[cns.MF]; !ok {
		return fmt.Errorf("no MF")
	}
	return nil
}

func (s *state) fillCodes(b imageBody) error {
	for _, c := range b.Codes {
		if _, dup := s.codes[c.Ref]; dup || c.Ref == 0 || c.Ref > 0x1F {
			return fmt.Errorf("code reference %02X", c.Ref)
		}
		if c.Max < 1 || c.Max > 15 || c.Left < 0 || c.Left > c.Max {
			return fmt.Errorf("code %02X: impossible counter", c.Ref)
		}
		if len(c.Block) != 0 && !cns.ValidBlock(c.Block) || len(c.Block) == 0 && b.Operational {
			return fmt.Errorf("code %02X: impossible content", c.Ref)
		}
		s.codes[c.Ref] = code{block: c.Block, left: c.Left, max: c.Max, unblock: c.Unblock}
	}
	for ref, c := range s.codes {
		if _, ok := s.codes[c.unblock]; c.unblock != 0 && (!ok || c.unblock == ref) {
			return fmt.Errorf("code %02X: its PUK is missing", ref)
		}
	}
	if _, ok := s.codes[cns.RefPIN]; !ok {
		return fmt.Errorf("no PIN")
	}
	return nil
}

func (s *state) fillKeys(b imageBody) error {
	for _, k := range b.Keys {
		if _, dup := s.keys[k.Ref]; dup {
			return fmt.Errorf("key %02X is there twice", k.Ref)
		}
		if _, ok := s.codes[k.PIN]; !ok {
			return fmt.Errorf("key %02X: its PIN is missing", k.Ref)
		}
		private, err := x509.ParsePKCS1PrivateKey(k.PKCS1)
		if err != nil {
			return fmt.Errorf("key %02X: unreadable", k.Ref) // the cause could quote the key
		}
		if err := usable(private); err != nil {
			return fmt.Errorf("key %02X: %w", k.Ref, err)
		}
		s.keys[k.Ref] = key{private: private, pin: k.PIN}
	}
	return nil
}

func usable(k *rsa.PrivateKey) error {
	if bits := k.N.BitLen(); bits != 1024 && bits != 2048 || len(k.Primes) != 2 {
		return fmt.Errorf("a modulus of %d bits", bits)
	}
	return nil
}

func (s *state) fillIssuer(b imageBody) error {
	if (b.Issuer != nil) != (b.Profile.IssuerKeyRef != 0) {
		return fmt.Errorf("issuer key does not match the profile")
	}
	if b.Issuer == nil {
		return nil
	}
	i := *b.Issuer
	if n := len(i.Secret); i.Max < 1 || i.Max > 15 || i.Left < 0 || i.Left > i.Max || n != 0 && n != 16 && n != 32 {
		return fmt.Errorf("issuer key: impossible counter or length")
	}
	s.issuer = issuerKey{secret: i.Secret, left: i.Left, max: i.Max}
	return nil
}
