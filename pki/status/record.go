package status

import (
	"crypto"
	"encoding/binary"
	"encoding/hex"
	"time"
)

// Record is a signed answer about one certificate in its compact form: what
// differs from one answer to the next, and the signatures. A Letterhead has the
// rest, and writes the whole OCSPResponse from both, the same octets each time.
// There are two signatures, since a client finds its answer by its CertID, and
// that names the issuer by SHA-1 or by SHA-256; both answers say the same and
// differ in the CertID alone.
type Record struct {
	// Serial is the serial number, left-padded with zeros.
	Serial [SerialSize]byte
	// Version is that of the Standing which was signed.
	Version int64
	// Since, This and Next are seconds since 1970.
	Since, This, Next uint32
	// Mark is 0 for good, 1 + CRLReason for revoked or on hold.
	Mark uint8
	// Head numbers the Letterhead, for who keeps several.
	Head uint8
	// Signed tells which signatures are there: 1 for SHA-1, 2 for SHA-256.
	Signed uint8
	// Signatures are the two, each of the Letterhead's Width.
	Signatures []byte
}

// SerialSize is the length of our serial numbers.
const SerialSize = 16

// fixedSize is what a Record takes without its signatures.
const fixedSize = SerialSize + 8 + 3*4 + 4

// RecordSize is the length of a Record with signatures of width octets.
func RecordSize(width int) int { return fixedSize + 2*width }

// Put writes r into b, RecordSize octets long.
func (r *Record) Put(b []byte) {
	copy(b, r.Serial[:])
	binary.BigEndian.PutUint64(b[16:], uint64(r.Version))
	binary.BigEndian.PutUint32(b[24:], r.Since)
	binary.BigEndian.PutUint32(b[28:], r.This)
	binary.BigEndian.PutUint32(b[32:], r.Next)
	b[36], b[37], b[38], b[39] = r.Mark, r.Head, r.Signed, 0
	n := copy(b[fixedSize:], r.Signatures) // which may be those of b
	clear(b[fixedSize+n:])
}

// Read reads what Put wrote; Signatures are those of b, not a copy.
func (r *Record) Read(b []byte) {
	copy(r.Serial[:], b)
	r.Version = int64(binary.BigEndian.Uint64(b[16:]))
	r.Since, r.This, r.Next = binary.BigEndian.Uint32(b[24:]), binary.BigEndian.Uint32(b[28:]), binary.BigEndian.Uint32(b[32:])
	r.Mark, r.Head, r.Signed, r.Signatures = b[36], b[37], b[38], b[fixedSize:]
}

// NewRecord is the record, not signed yet, of a known certificate.
func NewRecord(serial [SerialSize]byte, s Standing, this, next time.Time) Record {
	r := Record{Serial: serial, Version: s.Version, This: uint32(this.Unix()), Next: uint32(next.Unix())}
	if s.Revoked {
		r.Mark, r.Since = uint8(1+s.Reason), uint32(s.Since.Unix())
	}
	return r
}

// Standing is what the record says.
func (r *Record) Standing() Standing {
	s := Standing{Known: true, Version: r.Version}
	if r.Mark > 0 {
		s.Revoked, s.Reason, s.Since = true, int(r.Mark-1), time.Unix(int64(r.Since), 0).UTC()
	}
	return s
}

// Says tells whether the record is about this standing.
func (r *Record) Says(s Standing) bool {
	old := r.Standing()
	return s.Known && r.Version == s.Version && old.Revoked == s.Revoked && (!s.Revoked || old.Reason == s.Reason)
}

// Valid tells whether the answer may be given at an instant: not before its
// thisUpdate, not from its nextUpdate on.
func (r *Record) Valid(now time.Time) bool {
	at := now.Unix()
	return int64(r.This) <= at && at < int64(r.Next)
}

// Young tells whether the first half of the answer's life is not over.
func (r *Record) Young(now time.Time) bool {
	return r.Valid(now) && now.Unix() < int64(r.This)+(int64(r.Next)-int64(r.This))/2
}

// has tells whether the answer to CertIDs with h is signed.
func (r *Record) has(h crypto.Hash) bool { return r.Signed&bit(h) != 0 }

func bit(h crypto.Hash) uint8 {
	if h == crypto.SHA256 {
		return 2
	}
	return 1
}

// SerialOf pads a serial number (the INTEGER's content without a sign octet);
// false for one longer than ours are.
func SerialOf(content []byte) (s [SerialSize]byte, ok bool) {
	if len(content) > SerialSize {
		return s, false
	}
	copy(s[SerialSize-len(content):], content)
	return s, true
}

// SerialFrom reads a serial number of the records, in hexadecimal.
func SerialFrom(text string) ([SerialSize]byte, bool) {
	b, err := hex.DecodeString(text)
	if err != nil {
		return [SerialSize]byte{}, false
	}
	return SerialOf(b)
}
