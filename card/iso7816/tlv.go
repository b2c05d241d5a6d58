package iso7816

import (
	"errors"
	"fmt"
)

// ErrTLV is returned for bytes that are not BER-TLV as ISO/IEC 7816-4 allows it.
var ErrTLV = errors.New("malformed BER-TLV")

// TLV is one data object. Tag holds the tag's bytes as written (5A, 7F49,
// 5FC102); Value is the content, which for a constructed object can be parsed
// again with ParseTLV.
type TLV struct {
	Tag   uint32
	Value []byte
}

// Constructed tells whether the object holds other objects (bit 6 of the
// first tag byte).
func (t TLV) Constructed() bool {
	first := t.Tag
	for first > 0xFF {
		first >>= 8
	}
	return first&0x20 != 0
}

// Children parses the value of a constructed object.
func (t TLV) Children() ([]TLV, error) {
	if !t.Constructed() {
		return nil, fmt.Errorf("%w: tag %X is primitive", ErrTLV, t.Tag)
	}
	return ParseTLV(t.Value)
}

// ParseTLV reads a sequence of data objects that fills b to its end. Values
// share b's memory.
func ParseTLV(b []byte) ([]TLV, error) {
	var out []TLV
	for len(b) > 0 {
		t, rest, err := nextTLV(b)
		if err != nil {
			return nil, err
		}
		out, b = append(out, t), rest
	}
	return out, nil
}

// FindTLV returns the value of the first object with that tag.
func FindTLV(list []TLV, tag uint32) ([]byte, bool) {
	for _, t := range list {
		if t.Tag == tag {
			return t.Value, true
		}
	}
	return nil, false
}

func nextTLV(b []byte) (TLV, []byte, error) {
	tag, b, err := readTag(b)
	if err != nil {
		return TLV{}, nil, err
	}
	n, b, err := readLength(b)
	if err != nil {
		return TLV{}, nil, fmt.Errorf("tag %X: %w", tag, err)
	}
	if n > len(b) {
		return TLV{}, nil, fmt.Errorf("%w: tag %X announces %d bytes, %d follow", ErrTLV, tag, n, len(b))
	}
	return TLV{Tag: tag, Value: b[:n:n]}, b[n:], nil
}

func readTag(b []byte) (uint32, []byte, error) {
	if b[0] == 0x00 || b[0] == 0xFF { // not tags of ISO/IEC 7816-4 clause 6.3
		return 0, nil, fmt.Errorf("%w: tag byte %02X", ErrTLV, b[0])
	}
	tag, n := uint32(b[0]), 1
	if b[0]&0x1F == 0x1F {
		for {
			if n == len(b) {
				return 0, nil, fmt.Errorf("%w: tag cut short", ErrTLV)
			}
			if n == 3 {
				return 0, nil, fmt.Errorf("%w: tag of more than three bytes", ErrTLV)
			}
			tag = tag<<8 | uint32(b[n])
			n++
			if b[n-1]&0x80 == 0 {
				break
			}
		}
	}
	return tag, b[n:], nil
}

func readLength(b []byte) (int, []byte, error) {
	if len(b) == 0 {
		return 0, nil, fmt.Errorf("%w: length missing", ErrTLV)
	}
	first, b := b[0], b[1:]
	if first < 0x80 {
		return int(first), b, nil
	}
	n := int(first & 0x7F)
	if n == 0 || n > 3 || n > len(b) {
		return 0, nil, fmt.Errorf("%w: length byte %02X", ErrTLV, first)
	}
	length := 0
	for _, x := range b[:n] {
		length = length<<8 | int(x)
	}
	return length, b[n:], nil
}

// AppendTLV writes one data object, with the shortest length form. Tags are
// constants of the caller; values of 16 MB and more are a programming error
// and panic.
func AppendTLV(dst []byte, tag uint32, value ...[]byte) []byte {
	n := 0
	for _, v := range value {
		n += len(v)
	}
	for shift := 16; shift >= 0; shift -= 8 {
		if tag>>shift != 0 {
			dst = append(dst, byte(tag>>shift))
		}
	}
	switch {
	case n < 0x80:
		dst = append(dst, byte(n))
	case n <= 0xFF:
		dst = append(dst, 0x81, byte(n))
	case n <= 0xFFFF:
		dst = append(dst, 0x82, byte(n>>8), byte(n))
	case n <= 0xFFFFFF:
		dst = append(dst, 0x83, byte(n>>16), byte(n>>8), byte(n))
	default:
		panic("iso7816: value too long for a data object")
	}
	for _, v := range value {
		dst = append(dst, v...)
	}
	return dst
}
