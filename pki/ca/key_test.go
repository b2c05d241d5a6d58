package ca

import (
	"crypto/rand"
	"crypto/rsa"
	"math/big"
	"strings"
	"testing"
)

func TestCheckKey(t *testing.T) {
	good, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	even := new(big.Int).Sub(good.N, big.NewInt(1))
	tests := []struct {
		name string
		key  *rsa.PublicKey
		want string // part of the error; empty for a good key
	}{
		{"honest", &good.PublicKey, ""},
		{"none", nil, "none"},
		{"1024 bits", &short.PublicKey, "1024 bits"},
		{"exponent 3", &rsa.PublicKey{N: good.N, E: 3}, "exponent 3"},
		{"even", &rsa.PublicKey{N: even, E: 65537}, "small factor"},
		{"close primes", &rsa.PublicKey{N: twins(t), E: 65537}, "too close"},
		{"ROCA", &rsa.PublicKey{N: rocaModulus(t), E: 65537}, "CVE-2017-15361"},
	}
	for _, tt := range tests {
		err := CheckKey(tt.key)
		if (tt.want == "") != (err == nil) || (err != nil && !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
}

// twins is the product of two neighbouring primes.
func twins(t *testing.T) *big.Int {
	t.Helper()
	for {
		p, err := rand.Prime(rand.Reader, 1024)
		if err != nil {
			t.Fatal(err)
		}
		q := new(big.Int).Add(p, big.NewInt(2))
		for !q.ProbablyPrime(20) {
			q.Add(q, big.NewInt(2))
		}
		if n := new(big.Int).Mul(p, q); n.BitLen() == 2048 {
			return n
		}
	}
}

// rocaModulus is a product of two primes of the faulty library's form,
// k*M + 65537^a mod M, where M is the product of the first 126 primes.
func rocaModulus(t *testing.T) *big.Int {
	t.Helper()
	m := big.NewInt(1)
	for _, p := range primesBelow(702) { // 126 primes
		m.Mul(m, big.NewInt(p))
	}
	prime := func() *big.Int {
		for {
			a, err := rand.Int(rand.Reader, big.NewInt(1<<60))
			if err != nil {
				t.Fatal(err)
			}
			k, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), uint(1024-m.BitLen())))
			if err != nil {
				t.Fatal(err)
			}
			p := new(big.Int).Exp(big.NewInt(65537), a, m)
			p.Add(p, k.Mul(k, m))
			if p.BitLen() == 1024 && p.ProbablyPrime(20) {
				return p
			}
		}
	}
	for {
		if n := new(big.Int).Mul(prime(), prime()); n.BitLen() == 2048 {
			return n
		}
	}
}

func TestMaybeSquare(t *testing.T) {
	passed := 0
	for range 2000 {
		n, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 1024))
		if err != nil {
			t.Fatal(err)
		}
		if !maybeSquare(new(big.Int).Mul(n, n)) {
			t.Fatalf("%d squared was taken for no square", n)
		}
		if maybeSquare(n) {
			passed++
		}
	}
	if passed > 200 { // about 2000/2^8 are expected
		t.Errorf("%d of 2000 random numbers passed the sieve", passed)
	}
}
