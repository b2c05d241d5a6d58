package chip

import (
	"crypto/rsa"
	"maps"
	"slices"

	"cse.example/cse/card/cns"
)

// state is everything that outlives the power: the content of the image.
// Values inside are replaced and never changed in place, so that snapshot is
// cheap and true.
type state struct {
	profile     cns.Profile
	operational bool
	files       map[cns.Path]file
	codes       map[byte]code
	keys        map[byte]key
	issuer      issuerKey
}

// file is a DF or a transparent EF.
type file struct {
	directory   bool
	access      cns.Access
	data        []byte // EF: the whole content, its length is the size
	deactivated bool
	// protected: UPDATE BINARY only under secure messaging.
	protected bool
}

// code is a PIN or a PUK.
type code struct {
	block     []byte // 8 bytes, nil before personalisation
	left, max int
	unblock   byte // reference of the code that unblocks it, 0 for a PUK
}

// key is an RSA private key and the code that must be verified before use.
type key struct {
	private *rsa.PrivateKey
	pin     byte
}

// issuerKey lets the issuer update files of an operational card; nil = none.
type issuerKey struct {
	secret    []byte
	left, max int
}

func newState(p cns.Profile) *state {
	s := &state{
		profile: p,
		files:   map[cns.Path]file{cns.MF: {directory: true, access: cns.NewAccess(nil)}},
		codes: map[byte]code{
			cns.RefPIN: {left: p.PINTries, max: p.PINTries, unblock: cns.RefPUK},
			cns.RefPUK: {left: p.PUKTries, max: p.PUKTries},
		},
		keys: map[byte]key{},
	}
	if p.IssuerKeyRef != 0 {
		s.issuer = issuerKey{left: p.IssuerKeyTries, max: p.IssuerKeyTries}
	}
	if p.DigitalSignature {
		s.codes[cns.RefDSPIN] = code{left: p.PINTries, max: p.PINTries, unblock: cns.RefDSPUK}
		s.codes[cns.RefDSPUK] = code{left: p.PUKTries, max: p.PUKTries}
	}
	for _, f := range p.Layout() {
		s.files[f.Path] = file{directory: f.Directory, access: f.Access, data: make([]byte, f.Size), protected: f.Protected}
	}
	if p.ATRFile {
		f := s.files[cns.EFATR]
		copy(f.data, append([]byte{byte(len(p.ATR))}, p.ATR...))
	}
	return s
}

func (s *state) snapshot() *state {
	c := *s
	c.files, c.codes, c.keys = maps.Clone(s.files), maps.Clone(s.codes), maps.Clone(s.keys)
	return &c
}

// setData replaces the beginning of an EF's content.
func (s *state) setData(path cns.Path, offset int, data []byte) {
	f := s.files[path]
	f.data = slices.Clone(f.data)
	copy(f.data[offset:], data)
	s.files[path] = f
}

// paths lists the files, parents before children.
func (s *state) paths() []cns.Path { return slices.Sorted(maps.Keys(s.files)) }
