package ca

import (
	"crypto/rsa"
	"errors"
	"fmt"
	"math/big"
	"math/bits"
	"sync"
)

// ErrKey is returned for a subject key that must not be certified.
var ErrKey = errors.New("ca: unacceptable key")

// SubjectBits is the length of the RSA keys that are certified.
const SubjectBits = 2048

// CheckKey refuses a key that is not RSA-2048 with exponent 65537, and the weak
// keys that can be told from the modulus alone: small factors, primes too close
// together (Fermat), the fingerprint of CVE-2017-15361 (ROCA).
func CheckKey(k *rsa.PublicKey) error {
	switch {
	case k == nil || k.N == nil:
		return fmt.Errorf("%w: none", ErrKey)
	case k.N.BitLen() != SubjectBits:
		return fmt.Errorf("%w: RSA of %d bits, wanted %d", ErrKey, k.N.BitLen(), SubjectBits)
	case k.E != 65537:
		return fmt.Errorf("%w: exponent %d, wanted 65537", ErrKey, k.E)
	case smallFactor(k.N):
		return fmt.Errorf("%w: the modulus has a small factor", ErrKey)
	case roca(k.N):
		return fmt.Errorf("%w: made by a faulty library (CVE-2017-15361)", ErrKey)
	case closePrimes(k.N):
		return fmt.Errorf("%w: the primes are too close", ErrKey)
	}
	return nil
}

// primorial is the product of the primes below 2^12: one gcd finds any of them.
var primorial = sync.OnceValue(func() *big.Int {
	p := big.NewInt(1)
	for _, q := range primesBelow(1 << 12) {
		p.Mul(p, big.NewInt(q))
	}
	return p
})

func primesBelow(n int64) []int64 {
	composite := make([]bool, n)
	var out []int64
	for i := int64(2); i < n; i++ {
		if composite[i] {
			continue
		}
		out = append(out, i)
		for j := i * i; j < n; j += i {
			composite[j] = true
		}
	}
	return out
}

func smallFactor(n *big.Int) bool {
	r := new(big.Int).Mod(primorial(), n)
	return new(big.Int).GCD(nil, nil, n, r).Cmp(big.NewInt(1)) != 0
}

// rocaPrimes are those modulo which the moduli of the faulty library are powers
// of 65537 (Nemec et al., "The Return of Coppersmith's Attack", ACM CCS 2017).
var rocaPrimes = []int64{11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157}

var rocaResidues = sync.OnceValue(func() map[int64]map[int64]bool {
	out := map[int64]map[int64]bool{}
	for _, p := range rocaPrimes {
		out[p] = map[int64]bool{}
		for x := int64(1); !out[p][x]; x = x * 65537 % p {
			out[p][x] = true
		}
	}
	return out
})

// roca is wrong about an honest key once in some 2^27.
func roca(n *big.Int) bool {
	residues := rocaResidues()
	for _, p := range rocaPrimes {
		if !residues[p][int64(modulo(n, uint64(p)))] {
			return false
		}
	}
	return true
}

// modulo is n modulo m, without a number for the quotient.
func modulo(n *big.Int, m uint64) uint64 {
	var r uint64
	for words := n.Bits(); len(words) > 0; words = words[:len(words)-1] {
		_, r = bits.Div64(r, uint64(words[len(words)-1]), m)
	}
	return r
}

// closePrimes tries a hundred steps of Fermat's factorisation: a² - n for each a
// from the root of n on, each from the last by 2a+1.
func closePrimes(n *big.Int) bool {
	one := big.NewInt(1)
	a := new(big.Int).Sqrt(n)
	b2 := new(big.Int).Mul(a, a)
	b2.Sub(b2, n)
	var step, b, square big.Int
	for range 100 {
		step.Lsh(a, 1)
		b2.Add(b2, step.Add(&step, one))
		a.Add(a, one)
		if !maybeSquare(b2) {
			continue
		}
		if square.Mul(b.Sqrt(b2), &b).Cmp(b2) == 0 {
			return true
		}
	}
	return false
}

// sievePrimes have a product of less than 2^32, so that one division serves all.
var sievePrimes = []uint64{3, 5, 7, 11, 13, 17, 19, 23}

const sieveProduct = 3 * 5 * 7 * 11 * 13 * 17 * 19 * 23

// maybeSquare is false for most numbers that are no squares, at the cost of one
// division instead of a root.
func maybeSquare(n *big.Int) bool {
	r := modulo(n, sieveProduct)
	for _, p := range sievePrimes {
		// Euler's criterion: r^((p-1)/2) is p-1 for a non-residue.
		x, y := r%p, uint64(1)
		for range (p - 1) / 2 {
			y = y * x % p
		}
		if y == p-1 {
			return false
		}
	}
	return true
}
