package status

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"
	"os"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"cse.example/cse/pki/profile"
)

var (
	oidCRLNumber = asn1.ObjectIdentifier{2, 5, 29, 20}
	oidIDP       = asn1.ObjectIdentifier{2, 5, 29, 28}
)

// List describes a CRL to be written.
type List struct {
	Issuer                 *x509.Certificate
	Signer                 crypto.Signer
	Number                 int64
	ThisUpdate, NextUpdate time.Time
	// Point is the address in the issuing distribution point, the one that the
	// certificates carry. Empty for a list that is not one part of several.
	Point string
	// Authorities is true for a root's list, which has CA certificates only.
	Authorities bool
}

// Write writes the DER of l into f, a new file open for reading and writing. entries
// hands over the lines one by one; those beyond two megabytes go into their place in f
// at once, so that memory does not grow with the list. It returns the number of lines.
func (l List) Write(rand io.Reader, f *os.File, entries func(yield func(Entry) error) error) (int, error) {
	return l.write(rand, f, f, entries)
}

// Bytes is the DER of a list of a few lines, at most two megabytes.
func (l List) Bytes(rand io.Reader, entries func(yield func(Entry) error) error) ([]byte, error) {
	var out bytes.Buffer
	if _, err := l.write(rand, &out, nil, entries); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func (l List) write(rand io.Reader, w io.Writer, f *os.File, entries func(yield func(Entry) error) error) (int, error) {
	room, err := l.room()
	if err != nil {
		return 0, err
	}
	lines := placed{file: f, whole: w, room: room}
	if err := errors.Join(entries(lines.add), lines.flush()); err != nil {
		return 0, fmt.Errorf("status: CRL entries: %w", err)
	}
	head, tail, err := l.around(lines.size)
	if err != nil {
		return 0, err
	}
	alg, err := profile.AlgorithmOf(l.Signer.Public())
	if err != nil {
		return 0, err
	}
	h := alg.Hash.New()
	h.Write(head)
	if err := lines.hash(h); err != nil {
		return 0, err
	}
	h.Write(tail)
	sig, err := l.Signer.Sign(rand, h.Sum(nil), alg.Hash)
	if err != nil {
		return 0, fmt.Errorf("status: sign CRL: %w", err)
	}
	var b cryptobyte.Builder
	b.AddBytes(tail)
	b.AddBytes(alg.Identifier)
	b.AddASN1BitString(sig)
	end, err := b.Bytes()
	if err != nil {
		return 0, fmt.Errorf("status: encode CRL: %w", err)
	}
	begin := append(header(0x30, int64(len(head))+lines.size+int64(len(end))), head...)
	return lines.n, lines.between(begin, end)
}

// room is how many octets stand before the lines of a list of sixteen megabytes or
// more; before those of a shorter one it is some less.
func (l List) room() (int64, error) {
	const long = 1 << 24
	head, _, err := l.around(long)
	return int64(len(header(0x30, long)) + len(head)), err
}

// around makes what stands before and after the lines, whose octets are size.
func (l List) around(size int64) (head, tail []byte, err error) {
	alg, err := profile.AlgorithmOf(l.Signer.Public())
	if err != nil {
		return nil, nil, err
	}
	var b cryptobyte.Builder
	b.AddASN1Int64(1) // v2
	b.AddBytes(alg.Identifier)
	b.AddBytes(l.Issuer.RawSubject)
	profile.AddTime(&b, l.ThisUpdate)
	profile.AddTime(&b, l.NextUpdate)
	fields, err := b.Bytes()
	if err != nil {
		return nil, nil, fmt.Errorf("status: encode CRL: %w", err)
	}
	if size > 0 { // without lines the field must be absent (RFC 5280, 5.1.2.6)
		fields = append(fields, header(0x30, size)...)
	}
	if tail, err = l.extensions(); err != nil {
		return nil, nil, err
	}
	return append(header(0x30, int64(len(fields))+size+int64(len(tail))), fields...), tail, nil
}

func (l List) extensions() ([]byte, error) {
	aki, err := profile.AuthorityKeyID(l.Issuer.SubjectKeyId)
	if err != nil {
		return nil, err
	}
	number, err := asn1.Marshal(big.NewInt(l.Number))
	if err != nil {
		return nil, fmt.Errorf("status: CRL number: %w", err)
	}
	only := cbasn1.Tag(1).ContextSpecific() // onlyContainsUserCerts
	if l.Authorities {
		only = cbasn1.Tag(2).ContextSpecific() // onlyContainsCACerts
	}
	var idp cryptobyte.Builder
	idp.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		if l.Point != "" {
			profile.AddDistributionPointName(b, l.Point)
		}
		b.AddASN1(only, func(b *cryptobyte.Builder) { b.AddUint8(0xff) })
	})
	point, err := idp.Bytes()
	if err != nil {
		return nil, fmt.Errorf("status: encode CRL: %w", err)
	}
	var b cryptobyte.Builder
	b.AddASN1(explicit(0), func(b *cryptobyte.Builder) {
		profile.AddExtensions(b, []pkix.Extension{
			aki, {Id: oidCRLNumber, Value: number}, {Id: oidIDP, Critical: true, Value: point},
		})
	})
	return b.Bytes()
}

// header is a DER tag and length.
func header(tag byte, n int64) []byte {
	if n < 0x80 {
		return []byte{tag, byte(n)}
	}
	b := big.NewInt(n).Bytes()
	return append([]byte{tag, 0x80 | byte(len(b))}, b...)
}

// inMemory is how many octets of lines are kept before they go into the file: a part of a Region's list.
const inMemory = 2 << 20

// placed are lines in DER: the last ones in memory, those before in the file, where
// room was left for what comes before them.
type placed struct {
	whole io.Writer // takes a list that stays in memory to its end
	file  *os.File  // nil: no other comes
	room  int64
	buf   []byte
	n     int
	size  int64 // of all lines
	away  int64 // of those in the file
}

func (s *placed) add(e Entry) (err error) {
	if cap(s.buf)-len(s.buf) < maxLine {
		if cap(s.buf) < inMemory {
			s.buf = append(make([]byte, 0, min(max(8*cap(s.buf), 4<<10), inMemory)), s.buf...)
		} else if err := s.spill(); err != nil {
			return err
		}
	}
	before := len(s.buf)
	if s.buf, err = appendEntry(s.buf, e); err != nil {
		return err
	}
	s.n++
	s.size += int64(len(s.buf) - before)
	return nil
}

// spill puts what is in memory into the file.
func (s *placed) spill() error {
	if s.file == nil {
		return errors.New("so many lines need a file")
	}
	if s.away == 0 {
		if _, err := s.file.Seek(s.room, io.SeekStart); err != nil {
			return err
		}
	}
	if _, err := s.file.Write(s.buf); err != nil {
		return err
	}
	s.away, s.buf = s.size, s.buf[:0]
	return nil
}

// flush is the last spill; lines that never needed one stay in memory.
func (s *placed) flush() error {
	if s.away == 0 {
		return nil
	}
	return s.spill()
}

// atOnce is how much of the file is read at a time, through the buffer that is free again.
const atOnce = 512 << 10

// hash adds all lines to h, which does not fail.
func (s *placed) hash(h io.Writer) error {
	if s.away == 0 {
		_, err := h.Write(s.buf)
		return err
	}
	for at := int64(0); at < s.size; {
		b := s.buf[:min(atOnce, s.size-at)]
		if _, err := s.file.ReadAt(b, s.room+at); err != nil {
			return fmt.Errorf("status: CRL lines: %w", err)
		}
		if _, err := h.Write(b); err != nil {
			return err
		}
		at += int64(len(b))
	}
	return nil
}

// between puts begin before the lines and end after them.
func (s *placed) between(begin, end []byte) error {
	if s.away == 0 {
		for _, b := range [][]byte{begin, s.buf, end} {
			if _, err := s.whole.Write(b); err != nil {
				return err
			}
		}
		return nil
	}
	first := int64(len(begin))
	if first > s.room {
		return fmt.Errorf("status: CRL: %d octets before the lines, room for %d", first, s.room)
	}
	if first < s.room { // a list of less than sixteen megabytes: its lines move up
		for at := int64(0); at < s.size; {
			b := s.buf[:min(atOnce, s.size-at)]
			if _, err := s.file.ReadAt(b, s.room+at); err != nil {
				return fmt.Errorf("status: CRL lines: %w", err)
			}
			if _, err := s.file.WriteAt(b, first+at); err != nil {
				return err
			}
			at += int64(len(b))
		}
	}
	for _, x := range []struct {
		b  []byte
		at int64
	}{{begin, 0}, {end, first + s.size}} {
		if _, err := s.file.WriteAt(x.b, x.at); err != nil {
			return err
		}
	}
	return s.file.Truncate(first + s.size + int64(len(end)))
}

// reasonExtensions is crlEntryExtensions with one reasonCode, whose value is
// the last octet.
var reasonExtensions = []byte{0x30, 0x0c, 0x30, 0x0a, 0x06, 0x03, 0x55, 0x1d, 0x15, 0x04, 0x03, 0x0a, 0x01, 0}

// appendEntry writes one line without allocating: a list may have a million.
func appendEntry(to []byte, e Entry) ([]byte, error) {
	digits := e.Serial
	if len(digits) > 40 {
		return nil, fmt.Errorf("status: the serial number %q has more than 20 octets", e.Serial)
	}
	for len(digits) > 2 && digits[:2] == "00" {
		digits = digits[2:] // DER is the shortest form
	}
	k := len(digits) / 2
	if k == 0 || len(digits)%2 != 0 {
		return nil, fmt.Errorf("status: the serial number %q has no whole octets", e.Serial)
	}
	at := len(to)
	to = append(to, 0x30, 0, 0x02, byte(k))
	if digits[0] > '7' { // a sign octet
		to[at+3]++
		to = append(to, 0)
	}
	bad := byte(0)
	for i := 0; i < 2*k; i += 2 {
		high, low := nibble[digits[i]], nibble[digits[i+1]]
		bad |= high | low
		to = append(to, high<<4|low)
	}
	if bad > 0x0f {
		return nil, fmt.Errorf("status: the serial number %q is not hexadecimal", e.Serial)
	}
	to = appendLineTime(to, e.Since)
	if e.Reason != 0 {
		to = append(to, reasonExtensions...)
		to[len(to)-1] = byte(e.Reason)
	}
	to[at+1] = byte(len(to) - at - 2)
	return to, nil
}

// nibble is what a hexadecimal digit stands for, 0xff for what is none.
var nibble = func() (t [256]byte) {
	for i := range t {
		t[i] = 0xff
	}
	for i, c := range "0123456789abcdef" {
		t[c] = byte(i)
	}
	return t
}()

// maxLine is the longest line.
const maxLine = 2 + 2 + 21 + 2 + 15 + 14

// appendLineTime writes an X.509 Time as profile.AddTime does; time.Format takes ten
// times as long.
func appendLineTime(to []byte, t time.Time) []byte {
	y, month, d := t.UTC().Date()
	if y >= 1950 && y < 2050 {
		to = append(to, 0x17, 13)
	} else {
		to = append(to, 0x18, 15)
		to = appendTwo(to, y/100)
	}
	h, minute, sec := t.UTC().Clock()
	to = appendTwo(to, y%100)
	to = appendTwo(to, int(month))
	to = appendTwo(to, d)
	to = appendTwo(to, h)
	to = appendTwo(to, minute)
	to = appendTwo(to, sec)
	return append(to, 'Z')
}

func appendTwo(to []byte, n int) []byte { return append(to, byte('0'+n/10), byte('0'+n%10)) }

// listed turns the store's walk into what Write takes.
func listed(ctx context.Context, s Lists, issuer string, shard int, since time.Time) func(func(Entry) error) error {
	return func(yield func(Entry) error) error { return s.Listed(ctx, issuer, shard, since, yield) }
}
