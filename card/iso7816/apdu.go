// Package iso7816 is the language in which a card and a reader speak: command
// and response APDUs, status words, BER-TLV and command chaining.
//
// Standard: ISO/IEC 7816-4:2020, clauses 5.1 (command-response pairs), 5.3.3
// (chaining), 5.6 (status bytes), 6.3 (BER-TLV) and 7.4 (file control
// parameters). The four cases are read and written in short and in extended
// length; an absent Le is 0 and the "as much as you have" Le is 256 or 65536.
//
// It guarantees that ParseCommand and Command.Bytes are inverse of each other,
// and that no input, however long or broken, makes a parser panic, loop or
// allocate more than the input's own size. It refuses indefinite BER lengths,
// lengths that run past the input and tags of more than three bytes.
package iso7816

import (
	"errors"
	"fmt"
)

// Lengths of the two APDU forms, in bytes.
const (
	MaxShortData    = 255
	MaxShortLe      = 256
	MaxExtendedData = 65535
	MaxExtendedLe   = 65536
)

// ClassChaining is the bit of CLA saying "more of this command follows".
const ClassChaining byte = 0x10

// ErrAPDU is returned for bytes that are not an APDU, or for a command that
// no APDU can carry.
var ErrAPDU = errors.New("malformed APDU")

// Command is a command APDU.
type Command struct {
	CLA, INS, P1, P2 byte
	// Data is the command data field, 0 to 65535 bytes.
	Data []byte
	// Le is the number of bytes expected in answer: 0 for none, 256 (short) or
	// 65536 (extended) for "all there is".
	Le int
	// Extended asks for, or tells of, the extended length form.
	Extended bool
}

// Bytes serialises the command. The extended form is used when Extended is
// set or when the lengths do not fit the short one.
func (c Command) Bytes() ([]byte, error) {
	if len(c.Data) > MaxExtendedData || c.Le < 0 || c.Le > MaxExtendedLe {
		return nil, fmt.Errorf("%w: Lc %d, Le %d", ErrAPDU, len(c.Data), c.Le)
	}
	out := make([]byte, 4, 4+3+len(c.Data)+3)
	out[0], out[1], out[2], out[3] = c.CLA, c.INS, c.P1, c.P2
	if c.extended() {
		return c.appendExtended(out), nil
	}
	if len(c.Data) > 0 {
		out = append(append(out, byte(len(c.Data))), c.Data...)
	}
	if c.Le > 0 {
		out = append(out, byte(c.Le)) // 256 is written 00
	}
	return out, nil
}

func (c Command) extended() bool {
	if len(c.Data) == 0 && c.Le == 0 {
		return false // case 1 has one form only
	}
	return c.Extended || len(c.Data) > MaxShortData || c.Le > MaxShortLe
}

func (c Command) appendExtended(out []byte) []byte {
	out = append(out, 0)
	if n := len(c.Data); n > 0 {
		out = append(out, byte(n>>8), byte(n))
		out = append(out, c.Data...)
	}
	if c.Le > 0 {
		out = append(out, byte(c.Le>>8), byte(c.Le)) // 65536 is written 0000
	}
	return out
}

// ParseCommand reads a command APDU of any of the four cases. A short case 3
// written with Lc 00 does not exist: five bytes are always case 2.
func ParseCommand(b []byte) (Command, error) {
	if len(b) < 4 {
		return Command{}, fmt.Errorf("%w: %d bytes, at least 4 wanted", ErrAPDU, len(b))
	}
	c := Command{CLA: b[0], INS: b[1], P1: b[2], P2: b[3]}
	rest := b[4:]
	switch {
	case len(rest) == 0:
		return c, nil
	case len(rest) == 1:
		c.Le = shortLe(rest[0])
		return c, nil
	case rest[0] == 0:
		return c.parseExtended(rest[1:])
	default:
		return c.parseShort(rest)
	}
}

func (c Command) parseShort(rest []byte) (Command, error) {
	n := int(rest[0])
	switch body := rest[1:]; len(body) {
	case n:
		c.Data = clone(body)
	case n + 1:
		c.Data, c.Le = clone(body[:n]), shortLe(body[n])
	default:
		return Command{}, fmt.Errorf("%w: Lc says %d, %d bytes follow", ErrAPDU, n, len(body))
	}
	return c, nil
}

// parseExtended reads what follows the 00 that announces the extended form.
func (c Command) parseExtended(rest []byte) (Command, error) {
	c.Extended = true
	if len(rest) < 2 {
		return Command{}, fmt.Errorf("%w: extended length cut short", ErrAPDU)
	}
	n, body := int(rest[0])<<8|int(rest[1]), rest[2:]
	switch {
	case len(body) == 0:
		c.Le = extendedLe(n)
	case n == 0:
		return Command{}, fmt.Errorf("%w: extended Lc of zero with data", ErrAPDU)
	case len(body) == n:
		c.Data = clone(body)
	case len(body) == n+2:
		c.Data = clone(body[:n])
		c.Le = extendedLe(int(body[n])<<8 | int(body[n+1]))
	default:
		return Command{}, fmt.Errorf("%w: extended Lc says %d, %d bytes follow", ErrAPDU, n, len(body))
	}
	return c, nil
}

func shortLe(b byte) int {
	if b == 0 {
		return MaxShortLe
	}
	return int(b)
}

func extendedLe(n int) int {
	if n == 0 {
		return MaxExtendedLe
	}
	return n
}

func clone(b []byte) []byte { return append([]byte(nil), b...) }

// String names the command without its data, which may hold a PIN.
func (c Command) String() string {
	return fmt.Sprintf("%02X %02X %02X %02X Lc=%d Le=%d", c.CLA, c.INS, c.P1, c.P2, len(c.Data), c.Le)
}

// Response is a response APDU.
type Response struct {
	Data []byte
	SW   SW
}

// ParseResponse reads data and status word; fewer than two bytes are refused.
func ParseResponse(b []byte) (Response, error) {
	if len(b) < 2 {
		return Response{}, fmt.Errorf("%w: response of %d bytes", ErrAPDU, len(b))
	}
	n := len(b) - 2
	return Response{Data: clone(b[:n]), SW: SW(b[n])<<8 | SW(b[n+1])}, nil
}

// Bytes serialises the response.
func (r Response) Bytes() []byte {
	return append(append(make([]byte, 0, len(r.Data)+2), r.Data...), byte(r.SW>>8), byte(r.SW))
}
