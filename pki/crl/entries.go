package crl

import (
	"bytes"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"iter"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Hold is the reason certificateHold (RFC 5280, 5.3.1).
const Hold = 6

// Entry is one line of a list.
type Entry struct {
	// Serial is the content of the INTEGER. It is valid until the next entry.
	Serial []byte
	// Since is the revocation date; Reason the CRLReason, 0 when absent.
	Since  time.Time
	Reason int
}

const (
	// window is how much of the file is in memory.
	window = 64 << 10
	// maxEntry bounds one entry, maxSerial its number: twenty octets (RFC 5280,
	// 4.1.2.2) and a sign.
	maxEntry  = 16 << 10
	maxSerial = 21
)

// Entries goes over the list. An error is the last thing it gives, and makes all
// of the list unusable, what came before included.
func (l *List) Entries() iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		r := reader{r: l.section(l.entries), buf: make([]byte, 0, window)}
		for {
			b, err := r.next()
			if errors.Is(err, io.EOF) {
				return
			}
			var e Entry
			if err == nil {
				e, err = readEntry(b)
			}
			if !yield(e, err) || err != nil {
				return
			}
		}
	}
}

// reader hands out the elements of a sequence.
type reader struct {
	r    io.Reader
	buf  []byte
	at   int
	done bool
}

// next is the content of the next element; io.EOF when there is none.
func (r *reader) next() ([]byte, error) {
	for {
		rest := r.buf[r.at:]
		if tag, n, size, ok := element(rest); ok {
			switch {
			case tag != 0x30:
				return nil, malformed("an entry begins with %02x", tag)
			case size > maxEntry:
				return nil, malformed("an entry of %d octets", size)
			case int64(len(rest)) >= int64(n)+size:
				r.at += n + int(size)
				return rest[n : n+int(size)], nil
			}
		} else if len(rest) >= 8 {
			return nil, malformed("an entry without a DER length")
		}
		if r.done {
			if len(rest) > 0 {
				return nil, malformed("the last entry ends early")
			}
			return nil, io.EOF
		}
		if err := r.fill(); err != nil {
			return nil, err
		}
	}
}

// fill reads on, behind what is left.
func (r *reader) fill() error {
	left := copy(r.buf[:cap(r.buf)], r.buf[r.at:])
	n, err := io.ReadFull(r.r, r.buf[left:cap(r.buf)])
	r.buf, r.at = r.buf[:left+n], 0
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		r.done = true
		return nil
	}
	if err != nil {
		return fmt.Errorf("crl: read entries: %w", err)
	}
	return nil
}

// oneReason is crlEntryExtensions with a reasonCode alone, up to its value: what
// nearly every entry has.
var oneReason = []byte{0x30, 0x0c, 0x30, 0x0a, 0x06, 0x03, 0x55, 0x1d, 0x15, 0x04, 0x03, 0x0a, 0x01}

// readEntry reads the content of an entry.
func readEntry(b []byte) (e Entry, err error) {
	tag, n, size, ok := element(b)
	if !ok || tag != 0x02 || size == 0 || size > maxSerial || int64(len(b)) < int64(n)+size {
		return e, malformed("an entry has no serial number of 1 to %d octets", maxSerial)
	}
	e.Serial = b[n : n+int(size)]
	if s := e.Serial; len(s) > 1 && (s[0] == 0 && s[1] < 0x80 || s[0] == 0xff && s[1] >= 0x80) {
		return e, malformed("a serial number is not in its shortest form")
	}
	b = b[n+int(size):]
	if e.Since, n, err = readTime(b); err != nil {
		return e, err
	}
	if b = b[n:]; len(b) == 0 {
		return e, nil
	}
	if len(b) == len(oneReason)+1 && bytes.HasPrefix(b, oneReason) {
		e.Reason = int(int8(b[len(b)-1]))
		return e, nil
	}
	e.Reason, err = readExtensions(b)
	return e, err
}

var (
	oidReason     = asn1.ObjectIdentifier{2, 5, 29, 21}
	oidInvalidity = asn1.ObjectIdentifier{2, 5, 29, 24}
)

// readExtensions gives the reason code, and refuses what it may not ignore.
func readExtensions(b []byte) (reason int, err error) {
	var list cryptobyte.String
	s := cryptobyte.String(b)
	if !s.ReadASN1(&list, cbasn1.SEQUENCE) || !s.Empty() || list.Empty() {
		return 0, malformed("the extensions of an entry")
	}
	seen := map[string]bool{}
	for !list.Empty() {
		var ext, value cryptobyte.String
		var oid asn1.ObjectIdentifier
		var critical bool
		if !list.ReadASN1(&ext, cbasn1.SEQUENCE) || !ext.ReadASN1ObjectIdentifier(&oid) ||
			ext.PeekASN1Tag(cbasn1.BOOLEAN) && !ext.ReadASN1Boolean(&critical) ||
			!ext.ReadASN1(&value, cbasn1.OCTET_STRING) || !ext.Empty() || seen[oid.String()] {
			return 0, malformed("an extension of an entry")
		}
		seen[oid.String()] = true
		switch {
		case oid.Equal(oidReason):
			if !value.ReadASN1Enum(&reason) || !value.Empty() {
				return 0, malformed("the reason code of an entry")
			}
		case critical && !oid.Equal(oidInvalidity):
			return 0, fmt.Errorf("crl: an entry has a critical extension that is not known here: %s", oid)
		}
	}
	return reason, nil
}

// readTime reads an X.509 Time in whole seconds of UTC, and says how long it is.
func readTime(b []byte) (time.Time, int, error) {
	if len(b) < 2 || len(b) < 2+int(b[1]) {
		return time.Time{}, 0, malformed("a time is missing")
	}
	text, year := b[2:2+int(b[1])], 0
	switch {
	case b[0] == 0x17 && b[1] == 13:
		if year = two(text); year < 50 {
			year += 100
		}
		year, text = year+1900, text[2:]
	case b[0] == 0x18 && b[1] == 15:
		year, text = two(text)*100+two(text[2:]), text[4:]
	default:
		return time.Time{}, 0, malformed("a time is not in whole seconds of UTC")
	}
	month, day, hour, minute, second := two(text), two(text[2:]), two(text[4:]), two(text[6:]), two(text[8:])
	t := time.Date(year, time.Month(month), day, hour, minute, second, 0, time.UTC)
	// What time.Date had to put right was no date.
	if text[10] != 'Z' || year < 0 || min(month, day, hour, minute, second) < 0 || t.Month() != time.Month(month) || t.Day() != day ||
		hour > 23 || minute > 59 || second > 59 {
		return time.Time{}, 0, malformed("the time %q", b[2:2+int(b[1])])
	}
	return t, 2 + int(b[1]), nil
}

// two is a number of two digits, far below zero for what is none.
func two(b []byte) int {
	if b[0] < '0' || b[0] > '9' || b[1] < '0' || b[1] > '9' {
		return -1 << 20
	}
	return int(b[0]-'0')*10 + int(b[1]-'0')
}

// Find looks for a serial number, in one pass. All of the list is read, since a
// fault further on makes it unusable; a number that is there twice counts with
// the stricter word.
func (l *List) Find(serial *big.Int) (found Entry, listed bool, err error) {
	want := content(serial)
	for e, err := range l.Entries() {
		if err != nil {
			return Entry{}, false, err
		}
		if bytes.Equal(e.Serial, want) && (!listed || stricter(e.Reason, found.Reason)) {
			found, listed = e, true
			found.Serial = bytes.Clone(e.Serial)
		}
	}
	return found, listed, nil
}

// stricter tells whether reason a says more than b: an end more than a hold.
func stricter(a, b int) bool { return a != Hold && b == Hold }

// content is the content of the DER INTEGER.
func content(n *big.Int) []byte {
	var b cryptobyte.Builder
	b.AddASN1BigInt(n)
	der := b.BytesOrPanic() // a number can always be written
	_, k, _, _ := element(der)
	return der[k:]
}
