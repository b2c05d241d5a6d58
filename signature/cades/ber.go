package cades

import (
	"encoding/binary"
)

// toDER turns the BER of other programs into DER as far as lengths and strings
// in pieces go: definite and shortest lengths, an OCTET STRING in one piece.
// Primitive contents are left as they are. Octets after the first element are
// refused. DER comes back equal, octet by octet, so that signed attributes are
// those that were signed.
func toDER(ber []byte) ([]byte, error) {
	if rest, ok := definite(ber, 0); ok && len(rest) == 0 {
		return ber, nil
	}
	out, rest, err := derElement(ber, 0)
	if err != nil {
		return nil, err
	}
	if len(rest) != 0 {
		return nil, malformed("%d octets after the message", len(rest))
	}
	return out, nil
}

// definite tells whether the first element of in needs no change, and gives what
// follows it: the usual case, without copying the content.
func definite(in []byte, depth int) (rest []byte, ok bool) {
	if depth > maxDepth {
		return nil, false
	}
	e, body, err := readHeader(in)
	if err != nil || e.indefinite || (len(e.tag) == 1 && e.tag[0] == 0x24) {
		return nil, false
	}
	if len(in)-len(body) != len(e.tag)+lengthOctets(e.length) {
		return nil, false // a length longer than it need be
	}
	inner, rest := body[:e.length], body[e.length:]
	for e.constructed && len(inner) > 0 {
		if inner, ok = definite(inner, depth+1); !ok {
			return nil, false
		}
	}
	return rest, true
}

// lengthOctets is how many octets DER takes for a length.
func lengthOctets(n int) int {
	k := 1
	if n >= 0x80 {
		for ; n > 0; n >>= 8 {
			k++
		}
	}
	return k
}

// element is the header of one TLV.
type element struct {
	tag         []byte
	constructed bool
	indefinite  bool
	length      int
}

func readHeader(in []byte) (element, []byte, error) {
	var e element
	if len(in) < 2 {
		return e, nil, malformed("cut short")
	}
	e.constructed = in[0]&0x20 != 0
	n := 1
	if in[0]&0x1F == 0x1F {
		for {
			if n >= len(in) || n > 4 {
				return e, nil, malformed("tag too long")
			}
			n++
			if in[n-1]&0x80 == 0 {
				break
			}
		}
	}
	e.tag = in[:n]
	in = in[n:]
	if len(in) == 0 {
		return e, nil, malformed("cut short")
	}
	l := in[0]
	in = in[1:]
	switch {
	case l < 0x80:
		e.length = int(l)
	case l == 0x80:
		if !e.constructed {
			return e, nil, malformed("indefinite length of a primitive")
		}
		e.indefinite = true
		return e, in, nil
	default:
		k := int(l & 0x7F)
		if k > 8 || k > len(in) {
			return e, nil, malformed("length of %d octets", k)
		}
		var buf [8]byte
		copy(buf[8-k:], in[:k])
		v := binary.BigEndian.Uint64(buf[:])
		in = in[k:]
		if v > uint64(len(in)) {
			return e, nil, malformed("cut short")
		}
		e.length = int(v)
	}
	if e.length > len(in) {
		return e, nil, malformed("cut short")
	}
	return e, in, nil
}

// derElement is the DER of the first element of in, and what follows it.
func derElement(in []byte, depth int) (out, rest []byte, err error) {
	if depth > maxDepth {
		return nil, nil, malformed("nested too deep")
	}
	e, body, err := readHeader(in)
	if err != nil {
		return nil, nil, err
	}
	if !e.constructed {
		return appendTLV(nil, e.tag, body[:e.length]), body[e.length:], nil
	}
	var content []byte
	if !e.indefinite {
		body, rest = body[:e.length], body[e.length:]
	}
	octets := len(e.tag) == 1 && e.tag[0] == 0x24 // an OCTET STRING in pieces
	for {
		if e.indefinite {
			if len(body) >= 2 && body[0] == 0 && body[1] == 0 {
				rest = body[2:]
				break
			}
		} else if len(body) == 0 {
			break
		}
		var child []byte
		if child, body, err = derElement(body, depth+1); err != nil {
			return nil, nil, err
		}
		if octets {
			if child, err = octetsOf(child); err != nil {
				return nil, nil, err
			}
		}
		content = append(content, child...)
	}
	if octets {
		return appendTLV(nil, []byte{0x04}, content), rest, nil
	}
	return appendTLV(nil, e.tag, content), rest, nil
}

func octetsOf(der []byte) ([]byte, error) {
	e, body, err := readHeader(der)
	if err != nil {
		return nil, err
	}
	if e.tag[0] != 0x04 {
		return nil, malformed("a piece of an octet string has tag %02X", e.tag[0])
	}
	return body, nil
}

func appendTLV(to, tag, content []byte) []byte {
	to = append(to, tag...)
	n := len(content)
	if n < 0x80 {
		return append(append(to, byte(n)), content...)
	}
	var buf [8]byte
	binary.BigEndian.PutUint64(buf[:], uint64(n))
	i := 0
	for buf[i] == 0 {
		i++
	}
	to = append(to, 0x80|byte(8-i))
	return append(append(to, buf[i:]...), content...)
}

// Length is the number of octets of the message at the beginning of b, as it
// stands there: a PDF pads it with zeros.
func Length(b []byte) (int, error) {
	_, rest, err := derElement(b, 0)
	if err != nil {
		return 0, err
	}
	return len(b) - len(rest), nil
}
