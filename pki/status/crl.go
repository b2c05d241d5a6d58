package status

import (
	"bufio"
	"context"
	"crypto"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/hex"
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

// Write writes the DER of l to w. entries hands over the lines one by one;
// they are spooled in the file spool (read and write, empty), so that memory
// does not grow with the list. It returns the number of lines.
func (l List) Write(rand io.Reader, w io.Writer, spool *os.File, entries func(yield func(Entry) error) error) (int, error) {
	n, size, err := spoolEntries(spool, entries)
	if err != nil {
		return 0, err
	}
	head, tail, err := l.around(size)
	if err != nil {
		return 0, err
	}
	alg, err := profile.AlgorithmOf(l.Signer.Public())
	if err != nil {
		return 0, err
	}
	h := alg.Hash.New()
	if err := l.pour(h, head, spool, tail); err != nil {
		return 0, err
	}
	sig, err := l.Signer.Sign(rand, h.Sum(nil), alg.Hash)
	if err != nil {
		return 0, fmt.Errorf("status: sign CRL: %w", err)
	}
	var b cryptobyte.Builder
	b.AddBytes(alg.Identifier)
	b.AddASN1BitString(sig)
	end, err := b.Bytes()
	if err != nil {
		return 0, fmt.Errorf("status: encode CRL: %w", err)
	}
	total := int64(len(head)) + size + int64(len(tail)) + int64(len(end))
	if _, err := w.Write(header(0x30, total)); err != nil {
		return 0, err
	}
	if err := l.pour(w, head, spool, tail); err != nil {
		return 0, err
	}
	_, err = w.Write(end)
	return n, err
}

// pour writes the tbsCertList: head, the spooled lines, tail.
func (l List) pour(w io.Writer, head []byte, spool *os.File, tail []byte) error {
	if _, err := w.Write(head); err != nil {
		return err
	}
	if _, err := spool.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("status: CRL spool: %w", err)
	}
	if _, err := io.Copy(w, spool); err != nil {
		return fmt.Errorf("status: CRL spool: %w", err)
	}
	_, err := w.Write(tail)
	return err
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

func spoolEntries(spool *os.File, entries func(yield func(Entry) error) error) (n int, size int64, err error) {
	w := bufio.NewWriterSize(spool, 64<<10)
	var line []byte
	err = entries(func(e Entry) error {
		if line, err = appendEntry(line[:0], e); err != nil {
			return err
		}
		n++
		size += int64(len(line))
		_, err := w.Write(line)
		return err
	})
	if err = errors.Join(err, w.Flush()); err != nil {
		return 0, 0, fmt.Errorf("status: CRL entries: %w", err)
	}
	return n, size, nil
}

// reasonExtensions is crlEntryExtensions with one reasonCode, whose value is
// the last octet.
var reasonExtensions = []byte{0x30, 0x0c, 0x30, 0x0a, 0x06, 0x03, 0x55, 0x1d, 0x15, 0x04, 0x03, 0x0a, 0x01, 0}

// appendEntry writes one line without allocating: a list may have a million.
func appendEntry(to []byte, e Entry) ([]byte, error) {
	var serial [21]byte
	if len(e.Serial) > 2*(len(serial)-1) {
		return nil, fmt.Errorf("status: serial number %q has more than 20 octets", e.Serial)
	}
	k, err := hex.Decode(serial[1:], []byte(e.Serial))
	if err != nil || k == 0 {
		return nil, fmt.Errorf("status: serial number %q", e.Serial)
	}
	s := serial[1 : 1+k]
	for len(s) > 1 && s[0] == 0 {
		s = s[1:] // DER is the shortest form
	}
	if s[0] >= 0x80 {
		s = serial[k-len(s) : 1+k] // a sign octet, which is zero
	}
	var stamp [15]byte
	tag, date := byte(0x17), e.Since.UTC().AppendFormat(stamp[:0], "060102150405Z")
	if y := e.Since.UTC().Year(); y >= 2050 || y < 1950 {
		tag, date = 0x18, e.Since.UTC().AppendFormat(stamp[:0], "20060102150405Z")
	}
	n := 2 + len(s) + 2 + len(date)
	if e.Reason != 0 {
		n += len(reasonExtensions)
	}
	to = append(to, 0x30, byte(n), 0x02, byte(len(s)))
	to = append(to, s...)
	to = append(to, tag, byte(len(date)))
	to = append(to, date...)
	if e.Reason != 0 {
		to = append(to, reasonExtensions...)
		to[len(to)-1] = byte(e.Reason)
	}
	return to, nil
}

// listed turns the store's walk into what Write takes.
func listed(ctx context.Context, s Lists, issuer string, shard int, since time.Time) func(func(Entry) error) error {
	return func(yield func(Entry) error) error { return s.Listed(ctx, issuer, shard, since, yield) }
}
