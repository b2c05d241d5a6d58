package chip

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"io"
	"math/big"

	"cse.example/cse/card/iso7816"
)

// errBlock is returned for a block that is not below the modulus.
var errBlock = errors.New("the block is not below the modulus")

type rsaOperation func(random io.Reader, k *rsa.PrivateKey, block []byte) ([]byte, error)

// answerRSA runs the operation and makes the answer; a Le below the size of
// the modulus is answered 6Cxx before anything is computed.
func answerRSA(cmd iso7816.Command, k key, block []byte, random io.Reader, do rsaOperation) ([]byte, iso7816.SW) {
	size := k.private.Size()
	if cmd.Le > 0 && cmd.Le < size {
		return nil, iso7816.WrongLe | iso7816.SW(size&0xFF)
	}
	out, err := do(random, k.private, block)
	switch {
	case errors.Is(err, errBlock):
		return nil, iso7816.WrongData
	case err != nil:
		return nil, iso7816.InternalError
	}
	return out, iso7816.OK
}

// signPadded pads with PKCS#1 type 1 and signs, in constant time (crypto/rsa).
func signPadded(random io.Reader, k *rsa.PrivateKey, data []byte) ([]byte, error) {
	return rsa.SignPKCS1v15(random, k, crypto.Hash(0), data)
}

// rawRSA is the private operation on a block as long as the modulus. A block
// that the host padded as PKCS#1 type 1 goes through crypto/rsa, which works in
// constant time. Any other block (PSS) goes through math/big, which does not:
// the base is blinded with a fresh random value, so that the time tells nothing
// of the block, and the result is checked against faults. The exponents still
// are the key's own: good enough for a test card, not for a real one.
func rawRSA(random io.Reader, k *rsa.PrivateKey, block []byte) ([]byte, error) {
	c := new(big.Int).SetBytes(block)
	if c.Cmp(k.N) >= 0 {
		return nil, errBlock
	}
	if payload, ok := type1Payload(block); ok {
		return signPadded(random, k, payload)
	}
	r, inverse, err := blinding(random, k.N)
	if err != nil {
		return nil, err
	}
	e := big.NewInt(int64(k.E))
	blinded := new(big.Int).Exp(r, e, k.N)
	blinded.Mul(blinded, c).Mod(blinded, k.N)
	m := crt(k, blinded)
	m.Mul(m, inverse).Mod(m, k.N)
	if new(big.Int).Exp(m, e, k.N).Cmp(c) != 0 {
		return nil, errors.New("the result does not verify")
	}
	return m.FillBytes(make([]byte, k.Size())), nil
}

// blinding is a random unit modulo n and its inverse.
func blinding(random io.Reader, n *big.Int) (r, inverse *big.Int, err error) {
	for {
		if r, err = rand.Int(random, n); err != nil {
			return nil, nil, err
		}
		if inverse = new(big.Int).ModInverse(r, n); inverse != nil {
			return r, inverse, nil
		}
	}
}

// crt is c^d mod n by the Chinese remainder theorem.
func crt(k *rsa.PrivateKey, c *big.Int) *big.Int {
	p, q := k.Primes[0], k.Primes[1]
	m1 := new(big.Int).Exp(c, k.Precomputed.Dp, p)
	m2 := new(big.Int).Exp(c, k.Precomputed.Dq, q)
	h := m1.Sub(m1, m2)
	h.Mul(h, k.Precomputed.Qinv).Mod(h, p)
	return h.Mul(h, q).Add(h, m2)
}

// type1Payload takes 00 01 FF..FF 00 off; at least eight FF must be there.
func type1Payload(block []byte) ([]byte, bool) {
	if len(block) < 11 || block[0] != 0 || block[1] != 1 {
		return nil, false
	}
	rest := bytes.TrimLeft(block[2:], "\xff")
	if ff := len(block) - 2 - len(rest); ff < 8 || len(rest) == 0 || rest[0] != 0 {
		return nil, false
	}
	return rest[1:], true
}
