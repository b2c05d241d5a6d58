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
		{"ROCA, built by the published form", &rsa.PublicKey{N: rocaModulus(t), E: 65537}, "CVE-2017-15361"},
		{"ROCA, the finders' public vector", &rsa.PublicKey{N: publicROCA, E: 65537}, "CVE-2017-15361"},
	}
	for _, tt := range tests {
		err := CheckKey(tt.key)
		if (tt.want == "") != (err == nil) || (err != nil && !strings.Contains(err.Error(), tt.want)) {
			t.Errorf("%s: got %v, want %q", tt.name, err, tt.want)
		}
	}
}

// publicROCA is a modulus of a real faulty chip: crocs-muni/roca, roca/tests/data/mod03.txt.
var publicROCA, _ = new(big.Int).SetString("9dcd7420e420c270a68060eb8b5aa7457a9f6648f86fafed2775cc1f79ae962f1e63f1b9e51c55f9ea6fdc7332e9b005"+
	"8c9ff2eb1fc89855029cf6aafe21e689feb38ac9ffb12f1ce371bb5d0e9aae64161abce74b4244bf68f1edb4411f756a"+
	"097c8929c14740245ea355f8332d1aa36bb50c7dcb4505da8de02e4e53d38f8df06097da7524df0df93db48eac8cc4af"+
	"2d3a16257eb2b2adca6ba464e5974fa92550d31b1babf161e7692d00b86e3dd886ecab4abfbe1a8f8cc263ff4af55cdb"+
	"45f4249a5193925f5e983d762f0b6800943eb0267b08f42ed311ce1f5c86eacbc8ce4d3cb7a2fee1ef5641423a1cf411"+
	"4e5ecf50034a60a412523af9e6f4aa11", 16)

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
