// Package secmsg is how the issuer proves himself to a chip after the card was
// handed out (EXTERNAL AUTHENTICATE), and how what he then sends is closed
// against everybody in between (secure messaging): the chip on one side, the
// issuer on the other, and the holder's computer carries what it cannot read,
// change, repeat or leave out.
//
// THIS IS OURS. The cryptogram and the secure messaging of real masks are not
// public (card.md sections 8.2 and 13: DES3, tags 87, 97, 8E, 99, from memory).
// What stands here keeps the shape of ISO/IEC 7816-4 clause 10 (class 0C, those
// tags) with AES; a real mask's would take the place of this package, which
// nobody but card/chip and issuer/extension uses (docs/decisions/0880).
//
// A card's key K comes from the issuer's master key and the card's number
// (Diversify); it has 16 or 32 bytes. From K and a challenge of the chip of 16
// bytes, with AES-CMAC (RFC 4493) and a byte that keeps the uses apart:
//
//	cryptogram  CMAC(K, 03 ‖ challenge)    the data of EXTERNAL AUTHENTICATE
//	encryption  CMAC(K, 01 ‖ challenge)    an AES-128 key
//	MAC         CMAC(K, 02 ‖ challenge)    an AES-128 key
//
// The n-th command of a session, from 1, and its answer carry n and a direction
// in their MAC and in the IV of their encryption (AES-CBC, IV the encryption of
// that block, padding 80 00…). A command holds 87 (01 and the encrypted data), 97
// (Le) and 8E (eight bytes of MAC over header and objects); an answer 87, 99
// (status word) and 8E. Whatever does not fit ends the session on the chip.
package secmsg

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
	"encoding/binary"
	"errors"
	"fmt"

	"cse.example/cse/card/iso7816"
)

// Class is the bits of CLA that announce secure messaging with the header in
// the MAC (ISO/IEC 7816-4, 5.4.1).
const Class byte = 0x0C

// ChallengeSize is what GET CHALLENGE must have given, in bytes.
const ChallengeSize = 16

// Overhead is the most that protection adds to the data of a command or of an
// answer, in bytes.
const Overhead = 4 + 1 + aes.BlockSize + 4 + 10

// Tags of the data objects.
const (
	tagData uint32 = 0x87
	tagLe   uint32 = 0x97
	tagSW   uint32 = 0x99
	tagMAC  uint32 = 0x8E
)

const macSize = 8

// What is wrong with a protected command or answer.
var (
	ErrMissing = errors.New("secmsg: an object is missing or there twice")
	ErrWrong   = errors.New("secmsg: the MAC, or what it covers, is wrong")
	ErrKey     = errors.New("secmsg: a key has 16 or 32 bytes, a challenge 16")
)

// Diversify is the key of one card under the issuer's master key (16 or 32
// bytes): 32 bytes.
func Diversify(master []byte, card string) ([]byte, error) {
	if len(master) != 16 && len(master) != 32 {
		return nil, ErrKey
	}
	block, err := aes.NewCipher(master)
	if err != nil {
		return nil, ErrKey
	}
	one, two := cmac(block, []byte{0x10, 1}, []byte(card)), cmac(block, []byte{0x10, 2}, []byte(card))
	return append(one[:], two[:]...), nil
}

// Cryptogram is the data of EXTERNAL AUTHENTICATE for a challenge: 16 bytes.
func Cryptogram(key, challenge []byte) ([]byte, error) { return derive(key, 0x03, challenge) }

func derive(key []byte, use byte, challenge []byte) ([]byte, error) {
	if len(key) != 16 && len(key) != 32 || len(challenge) != ChallengeSize {
		return nil, ErrKey
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, ErrKey
	}
	out := cmac(block, []byte{use}, challenge)
	return out[:], nil
}

// Session is one session's two keys. The number of a command is the caller's to
// count: the chip counts what it receives, the issuer writes a whole session
// beforehand.
type Session struct{ enc, mac cipher.Block }

// New is the session that an EXTERNAL AUTHENTICATE with this challenge opens.
func New(key, challenge []byte) (*Session, error) {
	s := &Session{}
	for use, to := range map[byte]*cipher.Block{0x01: &s.enc, 0x02: &s.mac} {
		k, err := derive(key, use, challenge)
		if err != nil {
			return nil, err
		}
		if *to, err = aes.NewCipher(k); err != nil {
			return nil, err
		}
	}
	return s, nil
}

const (
	toCard   byte = 0
	fromCard byte = 1
)

// counter is the block that tells direction, number and header of a message.
func counter(direction byte, n uint64, header []byte) []byte {
	b := make([]byte, aes.BlockSize)
	b[0] = direction
	binary.BigEndian.PutUint64(b[1:], n)
	copy(b[9:], header)
	return b
}

// close encrypts data; nothing stays nothing.
func (s *Session) close(direction byte, n uint64, data []byte) []byte {
	padded := append(bytes.Clone(data), 0x80)
	padded = append(padded, make([]byte, (aes.BlockSize-len(padded)%aes.BlockSize)%aes.BlockSize)...)
	cipher.NewCBCEncrypter(s.enc, s.iv(direction, n)).CryptBlocks(padded, padded)
	return padded
}

func (s *Session) iv(direction byte, n uint64) []byte {
	iv := counter(direction, n, nil)
	s.enc.Encrypt(iv, iv)
	return iv
}

// open decrypts the value of a tag 87; the MAC was checked before.
func (s *Session) open(direction byte, n uint64, value []byte) ([]byte, error) {
	if len(value) < 1+aes.BlockSize || value[0] != 0x01 || (len(value)-1)%aes.BlockSize != 0 {
		return nil, ErrWrong
	}
	out := bytes.Clone(value[1:])
	cipher.NewCBCDecrypter(s.enc, s.iv(direction, n)).CryptBlocks(out, out)
	end := bytes.LastIndexByte(out, 0x80)
	if end < 0 || len(out)-end > aes.BlockSize || len(bytes.Trim(out[end+1:], "\x00")) != 0 {
		return nil, ErrWrong
	}
	return out[:end], nil
}

func (s *Session) sum(block, objects []byte) []byte {
	sum := cmac(s.mac, block, objects)
	return sum[:macSize]
}

// Protect closes the n-th command. Its class must be 00.
func (s *Session) Protect(n uint64, c iso7816.Command) (iso7816.Command, error) {
	if c.CLA != 0 {
		return iso7816.Command{}, fmt.Errorf("secmsg: class %02X cannot be protected", c.CLA)
	}
	out := iso7816.Command{CLA: Class, INS: c.INS, P1: c.P1, P2: c.P2, Le: iso7816.MaxShortLe}
	if len(c.Data) > 0 {
		out.Data = iso7816.AppendTLV(out.Data, tagData, []byte{0x01}, s.close(toCard, n, c.Data))
	}
	switch {
	case c.Le > iso7816.MaxShortLe || c.Le > 0 && c.Extended:
		out.Data = iso7816.AppendTLV(out.Data, tagLe, []byte{byte(c.Le >> 8), byte(c.Le)})
		out.Le = iso7816.MaxExtendedLe
	case c.Le > 0:
		out.Data = iso7816.AppendTLV(out.Data, tagLe, []byte{byte(c.Le)})
	}
	mac := s.sum(counter(toCard, n, header(out)), out.Data)
	out.Data = iso7816.AppendTLV(out.Data, tagMAC, mac)
	return out, nil
}

func header(c iso7816.Command) []byte { return []byte{c.CLA, c.INS, c.P1, c.P2, 0x80} }

// Open is the card's side of Protect: the command as it was, or ErrMissing or
// ErrWrong.
func (s *Session) Open(n uint64, c iso7816.Command) (iso7816.Command, error) {
	o, err := parse(c.Data, tagLe)
	if err != nil {
		return iso7816.Command{}, err
	}
	if subtle.ConstantTimeCompare(s.sum(counter(toCard, n, header(c)), o.covered), o.mac) != 1 {
		return iso7816.Command{}, ErrWrong
	}
	out := iso7816.Command{INS: c.INS, P1: c.P1, P2: c.P2}
	if o.data != nil {
		if out.Data, err = s.open(toCard, n, o.data); err != nil {
			return iso7816.Command{}, err
		}
	}
	switch le := o.other; {
	case le == nil:
	case len(le) == 1 && le[0] == 0:
		out.Le = iso7816.MaxShortLe
	case len(le) == 1:
		out.Le = int(le[0])
	case len(le) == 2 && le[0]|le[1] == 0:
		out.Le, out.Extended = iso7816.MaxExtendedLe, true
	case len(le) == 2:
		out.Le, out.Extended = int(le[0])<<8|int(le[1]), true
	default:
		return iso7816.Command{}, ErrWrong
	}
	return out, nil
}

// Answer closes the card's answer to the n-th command. The status word stands
// outside as well.
func (s *Session) Answer(n uint64, r iso7816.Response) iso7816.Response {
	out := iso7816.Response{SW: r.SW}
	if len(r.Data) > 0 {
		out.Data = iso7816.AppendTLV(out.Data, tagData, []byte{0x01}, s.close(fromCard, n, r.Data))
	}
	out.Data = iso7816.AppendTLV(out.Data, tagSW, []byte{byte(r.SW >> 8), byte(r.SW)})
	out.Data = iso7816.AppendTLV(out.Data, tagMAC, s.sum(counter(fromCard, n, nil), out.Data))
	return out
}

// OpenAnswer is the issuer's side of Answer: data and status word as the card
// gave them. The status word outside is not looked at.
func (s *Session) OpenAnswer(n uint64, data []byte) (iso7816.Response, error) {
	o, err := parse(data, tagSW)
	if err != nil {
		return iso7816.Response{}, err
	}
	if subtle.ConstantTimeCompare(s.sum(counter(fromCard, n, nil), o.covered), o.mac) != 1 || len(o.other) != 2 {
		return iso7816.Response{}, ErrWrong
	}
	r := iso7816.Response{SW: iso7816.SW(o.other[0])<<8 | iso7816.SW(o.other[1])}
	if o.data != nil {
		r.Data, err = s.open(fromCard, n, o.data)
	}
	return r, err
}

// objects are the parts of a protected field. covered is what the MAC covers.
type objects struct{ data, other, mac, covered []byte }

// parse reads 87, then the other tag (97 or 99), then 8E: each once at most, in
// this order, the MAC last and there.
func parse(field []byte, other uint32) (objects, error) {
	list, err := iso7816.ParseTLV(field)
	if err != nil {
		return objects{}, ErrMissing
	}
	var o objects
	if len(list) > 0 && list[0].Tag == tagData {
		o.data, list = list[0].Value, list[1:]
	}
	if len(list) > 0 && list[0].Tag == other {
		o.other, list = list[0].Value, list[1:]
	}
	if len(list) != 1 || list[0].Tag != tagMAC || len(list[0].Value) != macSize {
		return objects{}, ErrMissing
	}
	o.mac = list[0].Value
	o.covered = field[:len(field)-2-macSize]
	return o, nil
}
