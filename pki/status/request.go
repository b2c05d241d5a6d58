package status

import (
	"bytes"
	"crypto"
	"encoding/asn1"
	"errors"
	"fmt"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Limits of a request: more is malformed.
const (
	MaxRequest = 8 << 10
	MaxCertIDs = 32
)

// ErrRequest is returned for octets that are not an OCSP request.
var ErrRequest = errors.New("status: malformed OCSP request")

var (
	oidSHA1   = asn1.ObjectIdentifier{1, 3, 14, 3, 2, 26}
	oidSHA256 = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 2, 1}
	oidNonce  = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 2}
	oidBasic  = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1, 1}
)

// CertID names a certificate (RFC 6960, 4.1.1).
type CertID struct {
	// Raw is the DER, echoed in the answer.
	Raw []byte
	// Hash is crypto.SHA1 or crypto.SHA256, or 0 for an algorithm not served.
	Hash              crypto.Hash
	NameHash, KeyHash []byte
	// Serial is the content of the INTEGER, without a sign octet.
	Serial []byte
	// plain tells that the hash's parameters are NULL, as in what is kept: an answer
	// repeats the CertID octet by octet.
	plain bool
}

// Request is an OCSP request.
type Request struct {
	CertIDs []CertID
	// Nonce is the value to echo; nil when the request has none, or one whose
	// length is not 16 to 32 octets, which RFC 9654 lets a responder ignore.
	Nonce []byte
}

// ParseRequest reads a DER OCSPRequest. A signature on the request is skipped:
// nobody is asked who he is here.
func ParseRequest(der []byte) (*Request, error) {
	if len(der) > MaxRequest {
		return nil, fmt.Errorf("%w: more than %d octets", ErrRequest, MaxRequest)
	}
	in := cryptobyte.String(der)
	var outer, tbs cryptobyte.String
	if !in.ReadASN1(&outer, cbasn1.SEQUENCE) || !in.Empty() {
		return nil, fmt.Errorf("%w: not one SEQUENCE", ErrRequest)
	}
	if !outer.ReadASN1(&tbs, cbasn1.SEQUENCE) || !outer.SkipOptionalASN1(cbasn1.Tag(0).Constructed().ContextSpecific()) || !outer.Empty() {
		return nil, fmt.Errorf("%w: tbsRequest", ErrRequest)
	}
	var version int
	if !tbs.ReadOptionalASN1Integer(&version, cbasn1.Tag(0).Constructed().ContextSpecific(), 0) || version != 0 {
		return nil, fmt.Errorf("%w: version", ErrRequest)
	}
	if !tbs.SkipOptionalASN1(cbasn1.Tag(1).Constructed().ContextSpecific()) {
		return nil, fmt.Errorf("%w: requestorName", ErrRequest)
	}
	r := &Request{}
	if err := r.readList(&tbs); err != nil {
		return nil, err
	}
	return r, r.readExtensions(&tbs)
}

func (r *Request) readList(tbs *cryptobyte.String) error {
	var list cryptobyte.String
	if !tbs.ReadASN1(&list, cbasn1.SEQUENCE) {
		return fmt.Errorf("%w: requestList", ErrRequest)
	}
	for !list.Empty() {
		var one, id cryptobyte.String
		if !list.ReadASN1(&one, cbasn1.SEQUENCE) || !one.ReadASN1Element(&id, cbasn1.SEQUENCE) ||
			!one.SkipOptionalASN1(cbasn1.Tag(0).Constructed().ContextSpecific()) || !one.Empty() {
			return fmt.Errorf("%w: request", ErrRequest)
		}
		c, err := parseCertID(id)
		if err != nil {
			return err
		}
		if r.CertIDs = append(r.CertIDs, c); len(r.CertIDs) > MaxCertIDs {
			return fmt.Errorf("%w: more than %d certificates", ErrRequest, MaxCertIDs)
		}
	}
	if len(r.CertIDs) == 0 {
		return fmt.Errorf("%w: no certificate", ErrRequest)
	}
	return nil
}

func parseCertID(raw cryptobyte.String) (CertID, error) {
	c := CertID{Raw: bytes.Clone(raw)}
	var id, alg cryptobyte.String
	var oid asn1.ObjectIdentifier
	var serial cryptobyte.String
	if !raw.ReadASN1(&id, cbasn1.SEQUENCE) || !id.ReadASN1(&alg, cbasn1.SEQUENCE) || !alg.ReadASN1ObjectIdentifier(&oid) ||
		!id.ReadASN1Bytes(&c.NameHash, cbasn1.OCTET_STRING) || !id.ReadASN1Bytes(&c.KeyHash, cbasn1.OCTET_STRING) ||
		!id.ReadASN1(&serial, cbasn1.INTEGER) || !id.Empty() {
		return CertID{}, fmt.Errorf("%w: certID", ErrRequest)
	}
	// One name, one encoding: the answers are cached under these octets.
	if !alg.Empty() && !bytes.Equal(alg, []byte{0x05, 0x00}) {
		return CertID{}, fmt.Errorf("%w: parameters of the hash", ErrRequest)
	}
	if len(serial) == 0 || len(serial) > 21 || (len(serial) > 1 && serial[0] == 0 && serial[1] < 0x80) {
		return CertID{}, fmt.Errorf("%w: serialNumber", ErrRequest)
	}
	if serial[0] == 0 && len(serial) > 1 {
		serial = serial[1:]
	}
	c.Serial, c.plain = bytes.Clone(serial), !alg.Empty()
	switch {
	case oid.Equal(oidSHA1):
		c.Hash = crypto.SHA1
	case oid.Equal(oidSHA256):
		c.Hash = crypto.SHA256
	}
	return c, nil
}

func (r *Request) readExtensions(tbs *cryptobyte.String) error {
	var wrapped, exts cryptobyte.String
	var present bool
	if !tbs.ReadOptionalASN1(&wrapped, &present, cbasn1.Tag(2).Constructed().ContextSpecific()) || !tbs.Empty() {
		return fmt.Errorf("%w: requestExtensions", ErrRequest)
	}
	if !present {
		return nil
	}
	if !wrapped.ReadASN1(&exts, cbasn1.SEQUENCE) || !wrapped.Empty() {
		return fmt.Errorf("%w: requestExtensions", ErrRequest)
	}
	for !exts.Empty() {
		var ext, value cryptobyte.String
		var oid asn1.ObjectIdentifier
		var critical bool
		if !exts.ReadASN1(&ext, cbasn1.SEQUENCE) || !ext.ReadASN1ObjectIdentifier(&oid) ||
			!ext.ReadOptionalASN1Boolean(&critical, cbasn1.BOOLEAN, false) ||
			!ext.ReadASN1(&value, cbasn1.OCTET_STRING) || !ext.Empty() {
			return fmt.Errorf("%w: extension", ErrRequest)
		}
		if oid.Equal(oidNonce) {
			r.Nonce = nonce(value)
		} else if critical {
			return fmt.Errorf("%w: critical extension %v", ErrRequest, oid)
		}
	}
	return nil
}

// nonce is the octets inside the extension's value, or nil when they are not to
// be echoed.
func nonce(value cryptobyte.String) []byte {
	var n []byte
	if !value.ReadASN1Bytes(&n, cbasn1.OCTET_STRING) || !value.Empty() || len(n) < 16 || len(n) > 32 {
		return nil
	}
	return bytes.Clone(n)
}
