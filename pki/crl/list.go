// Package crl reads revocation lists (RFC 5280, 5) of any size from their DER,
// in a memory that does not grow with the list. It is for those who rely on a
// list: is this number on it, since when, why? crypto/x509 takes more than a
// gigabyte for a list of a million entries (docs/bench.md).
//
// Open walks over the head of a list, jumps over its entries, and has the rest,
// which is small, parsed by crypto/x509. CheckSignatureFrom and Entries then pass
// over the file, once each. BuildIndex keeps the numbers in order, 28 octets
// each, for who asks more than once (index.go).
//
// It is strict: DER lengths in their shortest form, whole seconds of UTC, no
// empty list of entries, nothing after the list. An entry with a critical
// extension that is not understood here, certificateIssuer included, makes the
// whole list unusable (RFC 5280, 5.3): indirect lists are for pki/trust/path.
// Whatever it accepts, crypto/x509 accepts, and reads alike.
//
// No list is to be believed before CheckSignatureFrom. Whether it is complete,
// of whom it speaks and whether it is in date is for the caller to judge by Head.
package crl

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	_ "crypto/sha256" // hashes of signatures
	_ "crypto/sha512"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
)

// ErrMalformed is returned for what is not a list by RFC 5280.
var ErrMalformed = errors.New("crl: not a revocation list")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrMalformed, fmt.Sprintf(format, args...))
}

// The bounds of what stands before and after the entries. A list whose issuer
// or whose extensions need more is refused.
const (
	maxHead = 64 << 10
	maxTail = 1 << 20
)

// List is a revocation list in a file. Make one with Open. It is safe for
// concurrent use if the file is.
type List struct {
	// Head is the list without its entries, as crypto/x509 reads it: issuer,
	// number, times, extensions. Its Raw fields are not those of the list.
	Head *x509.RevocationList
	// Size is that of the whole list, in octets.
	Size int64

	r            io.ReaderAt
	tbs, entries span
}

// span is a part of the file.
type span struct{ from, to int64 }

func (s span) size() int64 { return s.to - s.from }

// section reads a part of the file from its beginning.
func (l *List) section(s span) *io.SectionReader { return io.NewSectionReader(l.r, s.from, s.size()) }

// Open reads head and tail of the DER list that fills the first size octets of r.
// Entries and signature are not looked at.
func Open(r io.ReaderAt, size int64) (*List, error) {
	head := make([]byte, min(maxHead, size))
	if _, err := io.ReadFull(io.NewSectionReader(r, 0, size), head); err != nil {
		return nil, fmt.Errorf("crl: read the head: %w", err)
	}
	l := &List{Size: size, r: r}
	w := walk{b: head}
	w.enter(0x30)
	if w.err == nil && w.end != size {
		return nil, malformed("it has %d octets and should have %d", size, w.end)
	}
	l.tbs.from = w.at
	w.enter(0x30)
	l.tbs.to = w.end
	fields := w.at
	for _, f := range []struct {
		tags     [2]byte
		optional bool
	}{{[2]byte{0x02}, false}, {[2]byte{0x30}, false}, {[2]byte{0x30}, false}, {[2]byte{0x17, 0x18}, false}, {[2]byte{0x17, 0x18}, true}} {
		w.over(f.optional, f.tags)
	}
	until := w.at
	if w.err == nil && w.at < l.tbs.to && w.tag() == 0x30 {
		w.enter(0x30)
		if l.entries = (span{w.at, w.end}); w.err == nil && l.entries.size() == 0 {
			return nil, malformed("the list of entries is empty: it must be absent (5.1.2.6)")
		}
		w.at = w.end
	}
	if w.err != nil {
		return nil, w.err
	}
	if l.tbs.to > size || w.at > l.tbs.to || size-w.at > maxTail {
		return nil, malformed("%d octets after the entries", size-w.at)
	}
	rest := make([]byte, size-w.at)
	if _, err := io.ReadFull(io.NewSectionReader(r, w.at, int64(len(rest))), rest); err != nil {
		return nil, fmt.Errorf("crl: read the tail: %w", err)
	}
	inTBS := l.tbs.to - w.at // the extensions
	if !whole(rest[:inTBS], 0xa0) || !whole(rest[inTBS:], 0x30, 0x03) {
		return nil, malformed("what stands after the entries")
	}
	tbs := wrap(head[fields:until], rest[:inTBS])
	var err error
	if l.Head, err = x509.ParseRevocationList(wrap(tbs, rest[inTBS:])); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return l, l.strict(head[fields:until])
}

// strict is what crypto/x509 lets pass.
func (l *List) strict(fields []byte) error {
	w := walk{b: fields}
	w.over(false, [2]byte{0x02})
	w.over(false, [2]byte{0x30})
	w.over(false, [2]byte{0x30})
	for w.err == nil && w.at < int64(len(fields)) {
		from := w.at
		w.over(false, [2]byte{0x17, 0x18})
		if _, _, err := readTime(fields[from:w.at]); err != nil {
			return err
		}
	}
	seen := map[string]bool{}
	for _, e := range l.Head.Extensions {
		if seen[e.Id.String()] {
			return malformed("extension %s is there twice", e.Id)
		}
		seen[e.Id.String()] = true
	}
	return w.err
}

// wrap is a SEQUENCE of the parts.
func wrap(parts ...[]byte) []byte {
	n := 0
	for _, p := range parts {
		n += len(p)
	}
	out := append(make([]byte, 0, n+6), header(n)...)
	for _, p := range parts {
		out = append(out, p...)
	}
	return out
}

func header(n int) []byte {
	switch {
	case n < 0x80:
		return []byte{0x30, byte(n)}
	case n < 1<<8:
		return []byte{0x30, 0x81, byte(n)}
	case n < 1<<16:
		return []byte{0x30, 0x82, byte(n >> 8), byte(n)}
	}
	return []byte{0x30, 0x83, byte(n >> 16), byte(n >> 8), byte(n)} // maxHead + maxTail have no more
}

// whole tells whether b is one element of each tag, one after the other, or empty
// where there may be one only.
func whole(b []byte, tags ...byte) bool {
	if len(b) == 0 {
		return len(tags) == 1
	}
	for _, want := range tags {
		tag, n, size, ok := element(b)
		if !ok || tag != want || int64(len(b)) < int64(n)+size {
			return false
		}
		b = b[int64(n)+size:]
	}
	return len(b) == 0
}

// walk steps over the elements in b, whose first octet is the file's.
type walk struct {
	b   []byte
	at  int64
	end int64 // of the element entered last
	err error
}

func (w *walk) tag() byte {
	if w.at >= int64(len(w.b)) {
		w.fail("the head is too long, or ends early")
		return 0
	}
	return w.b[w.at]
}

func (w *walk) fail(why string) {
	if w.err == nil {
		w.err = malformed("%s", why)
	}
}

// enter goes behind the tag and length of an element.
func (w *walk) enter(tag byte) {
	if w.err != nil {
		return
	}
	got, n, size, ok := element(w.b[min(w.at, int64(len(w.b))):])
	if !ok || got != tag {
		w.fail(fmt.Sprintf("no element %02x at octet %d", tag, w.at))
		return
	}
	w.at += int64(n)
	w.end = w.at + size
}

// over goes behind an element of one of two tags.
func (w *walk) over(optional bool, tags [2]byte) {
	if w.err != nil {
		return
	}
	t := w.tag()
	if w.err == nil && t != tags[0] && (t != tags[1] || t == 0) {
		if !optional {
			w.fail(fmt.Sprintf("no element %02x at octet %d", tags[0], w.at))
		}
		return
	}
	end := w.end
	w.enter(t)
	if w.err == nil && w.end > int64(len(w.b)) {
		w.fail("the head is too long, or ends early")
		return
	}
	w.at, w.end = w.end, end
}

// element reads a tag and a DER length in its shortest form: the octets they take,
// and the size of what follows.
func element(b []byte) (tag byte, n int, size int64, ok bool) {
	if len(b) < 2 {
		return 0, 0, 0, false
	}
	tag = b[0]
	if b[1] < 0x80 {
		return tag, 2, int64(b[1]), true
	}
	k := int(b[1] & 0x7f)
	if k == 0 || k > 6 || len(b) < 2+k || b[2] == 0 {
		return 0, 0, 0, false
	}
	for _, x := range b[2 : 2+k] {
		size = size<<8 | int64(x)
	}
	return tag, 2 + k, size, size >= 0x80
}

// CheckSignatureFrom verifies the list's signature with the key of issuer, which
// must be an authority's and may be for signing lists. It reads the list once.
func (l *List) CheckSignatureFrom(issuer *x509.Certificate) error {
	if issuer.Version == 3 && !issuer.BasicConstraintsValid || issuer.BasicConstraintsValid && !issuer.IsCA {
		return x509.ConstraintViolationError{}
	}
	if issuer.KeyUsage != 0 && issuer.KeyUsage&x509.KeyUsageCRLSign == 0 {
		return x509.ConstraintViolationError{}
	}
	s, known := schemes[l.Head.SignatureAlgorithm]
	if !known {
		return fmt.Errorf("crl: a list is not believed that is signed with %s", l.Head.SignatureAlgorithm)
	}
	if s.hash == 0 {
		return l.checkEd25519(issuer.PublicKey)
	}
	h := s.hash.New()
	if _, err := io.CopyBuffer(h, struct{ io.Reader }{l.section(l.tbs)}, make([]byte, window)); err != nil {
		return fmt.Errorf("crl: %w", err)
	}
	if !s.verify(issuer.PublicKey, s.hash, h.Sum(nil), l.Head.Signature) {
		return fmt.Errorf("crl: the signature is not that of %s", issuer.Subject)
	}
	return nil
}

// scheme is how a signature is verified over a digest.
type scheme struct {
	hash   crypto.Hash
	verify func(key crypto.PublicKey, h crypto.Hash, digest, sig []byte) bool
}

// schemes are those that crypto/x509 believes; SHA-1 is not among them.
var schemes = map[x509.SignatureAlgorithm]scheme{
	x509.SHA256WithRSA: {crypto.SHA256, pkcs1}, x509.SHA384WithRSA: {crypto.SHA384, pkcs1}, x509.SHA512WithRSA: {crypto.SHA512, pkcs1},
	x509.SHA256WithRSAPSS: {crypto.SHA256, pss}, x509.SHA384WithRSAPSS: {crypto.SHA384, pss}, x509.SHA512WithRSAPSS: {crypto.SHA512, pss},
	x509.ECDSAWithSHA256: {crypto.SHA256, ecdsaDigest}, x509.ECDSAWithSHA384: {crypto.SHA384, ecdsaDigest}, x509.ECDSAWithSHA512: {crypto.SHA512, ecdsaDigest},
	x509.PureEd25519: {},
}

func pkcs1(key crypto.PublicKey, h crypto.Hash, digest, sig []byte) bool {
	k, ok := key.(*rsa.PublicKey)
	return ok && rsa.VerifyPKCS1v15(k, h, digest, sig) == nil
}

func pss(key crypto.PublicKey, h crypto.Hash, digest, sig []byte) bool {
	k, ok := key.(*rsa.PublicKey)
	return ok && rsa.VerifyPSS(k, h, digest, sig, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash}) == nil
}

func ecdsaDigest(key crypto.PublicKey, _ crypto.Hash, digest, sig []byte) bool {
	k, ok := key.(*ecdsa.PublicKey)
	return ok && ecdsa.VerifyASN1(k, digest, sig)
}

// maxWhole bounds a list that has to be in memory as a whole: Ed25519 goes over
// what is signed twice, and the library gives no other way.
const maxWhole = 32 << 20

func (l *List) checkEd25519(key crypto.PublicKey) error {
	k, ok := key.(ed25519.PublicKey)
	if !ok || l.tbs.size() > maxWhole {
		return errors.New("crl: the signature is not the issuer's, or the list is too long for Ed25519")
	}
	b, err := io.ReadAll(l.section(l.tbs))
	if err != nil {
		return fmt.Errorf("crl: %w", err)
	}
	if !ed25519.Verify(k, b, l.Head.Signature) {
		return errors.New("crl: the signature is not the issuer's")
	}
	return nil
}

// Complete tells whether silence of the list about any certificate of its issuer
// means that it stands: no delta, no part, nothing critical that is unknown.
func (l *List) Complete() error {
	for _, e := range l.Head.Extensions {
		if e.Critical {
			return fmt.Errorf("crl: not a complete list: critical extension %s", e.Id)
		}
	}
	return nil
}
