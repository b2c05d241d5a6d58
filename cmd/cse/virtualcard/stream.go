package virtualcard

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"math/big"
	"math/rand/v2"

	"cse.example/cse/ground/secret"
)

// stream is a run of bytes that follows from a seed and what it is for. The
// standard library draws keys from the system whatever reader it is given (Go
// 1.26), hence the few lines below. Good for test cards, for nothing else.
type stream struct{ *rand.ChaCha8 }

func newStream(seed, purpose string) stream {
	return stream{rand.NewChaCha8(sha256.Sum256([]byte("cse virtual\x00" + seed + "\x00" + purpose)))}
}

// below draws a number from 0 to n-1; the bias of a modulus is nobody's concern here.
func (s stream) below(n uint64) uint64 { return s.Uint64() % n }

func (s stream) digits(n int) secret.Text {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('0' + s.below(10)) //nolint:gosec // a digit
	}
	return secret.New(b)
}

// ecdsa draws a key on P-256.
func (s stream) ecdsa() (*ecdsa.PrivateKey, error) {
	scalar := make([]byte, 32)
	_, _ = s.Read(scalar)
	scalar[0] &= 0x7f // below the order of the group
	return ecdsa.ParseRawPrivateKey(elliptic.P256(), scalar)
}

// rsa draws a key of that many bits (1024, 2048) with exponent 65537.
func (s stream) rsa(bits int) (*rsa.PrivateKey, error) {
	const e = 65537
	p := s.prime(bits/2, e)
	q := s.prime(bits/2, e)
	for p.Cmp(q) == 0 {
		q = s.prime(bits/2, e)
	}
	one := big.NewInt(1)
	phi := new(big.Int).Mul(new(big.Int).Sub(p, one), new(big.Int).Sub(q, one))
	k := &rsa.PrivateKey{
		PublicKey: rsa.PublicKey{N: new(big.Int).Mul(p, q), E: e},
		D:         new(big.Int).ModInverse(big.NewInt(e), phi),
		Primes:    []*big.Int{p, q},
	}
	k.Precompute()
	if err := k.Validate(); err != nil {
		return nil, fmt.Errorf("draw an RSA key: %w", err)
	}
	return k, nil
}

// prime draws an odd number with its two highest bits set and goes up by twos
// to the first prime p with gcd(p-1, e) = 1.
func (s stream) prime(bits int, e int64) *big.Int {
	b := make([]byte, bits/8)
	_, _ = s.Read(b)
	b[0] |= 0xC0
	b[len(b)-1] |= 1
	two := big.NewInt(2)
	for p := new(big.Int).SetBytes(b); ; p.Add(p, two) {
		if new(big.Int).Mod(p, big.NewInt(e)).Int64() != 1 && p.ProbablyPrime(0) && p.ProbablyPrime(20) {
			return p
		}
	}
}
