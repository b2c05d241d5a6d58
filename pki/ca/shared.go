package ca

import (
	"context"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/words"
	"cse.example/cse/pki/ca/factors"
)

// KeyStore is the keys of all records, and the primes that were found in two.
type KeyStore interface {
	// Keys lists up to limit records that extend none, of any state, with Serial >
	// after: Serial, Card, TBS and ReservedAt only.
	Keys(ctx context.Context, after string, limit int) ([]Record, error)
	// AddSharedPrime tells whether the prime is new.
	AddSharedPrime(ctx context.Context, p *big.Int, at time.Time) (bool, error)
	SharedPrimes(ctx context.Context) ([]*big.Int, error)
}

// Sharing is a key that shares a prime with others: each of them is broken by a
// greatest common divisor.
type Sharing struct {
	Serial, Card string
	Prime        *big.Int
	// With are the cards that it shares it with.
	With []string
}

// Name is how a prime is called where it must not stand itself: the first 64 bits
// of its SHA-256.
func (s Sharing) Name() string {
	sum := sha256.Sum256(s.Prime.Bytes())
	return fmt.Sprintf("%x", sum[:8])
}

// Sweep compares the keys of records reserved at since or later with those of
// all. What it finds is journalled, both cards by name, and the prime kept, in one act:
// no further key that has it is certified. It may take minutes, and holds no act
// while it searches; asked again it finds and writes the same.
type Sweep struct {
	Keys       KeyStore
	Atomically func(ctx context.Context, act func(ctx context.Context) error) error
	Record     journal.Recorder
	Clock      civil.Clock
	Bounds     factors.Bounds
}

const keysPage = 500

// Run is one sweep.
func (s Sweep) Run(ctx context.Context, since time.Time) ([]Sharing, error) {
	cards := map[string]string{} // of the serial numbers found
	weak, err := factors.Search(ctx, s.scan(since, nil), s.Bounds)
	if err != nil || len(weak) == 0 {
		return nil, err
	}
	for _, w := range weak {
		cards[w.Name] = ""
		for _, o := range w.With {
			cards[o] = ""
		}
	}
	if err := s.scan(since, cards)(ctx, func(factors.Key) error { return nil }); err != nil {
		return nil, err
	}
	out := make([]Sharing, len(weak))
	for i, w := range weak {
		out[i] = Sharing{Serial: w.Name, Card: cards[w.Name], Prime: w.Divisor}
		for _, o := range w.With {
			out[i].With = append(out[i].With, cards[o])
		}
	}
	return out, s.keep(ctx, out)
}

// scan reads every key; it fills in the cards of the serial numbers in cards.
func (s Sweep) scan(since time.Time, cards map[string]string) factors.Scan {
	return func(ctx context.Context, each func(factors.Key) error) error {
		for after := ""; ; {
			page, err := s.Keys.Keys(ctx, after, keysPage)
			if err != nil {
				return err
			}
			if len(page) == 0 {
				return nil
			}
			for _, r := range page {
				after = r.Serial
				if _, ok := cards[r.Serial]; ok {
					cards[r.Serial] = r.Card
				}
				n, err := modulusOf(r.TBS)
				if err != nil {
					return fmt.Errorf("ca: certificate %s: %w", r.Serial, err)
				}
				if err := each(factors.Key{Name: r.Serial, N: n, Fresh: !r.ReservedAt.Before(since)}); err != nil {
					return err
				}
			}
		}
	}
}

func (s Sweep) keep(ctx context.Context, found []Sharing) error {
	return s.Atomically(ctx, func(ctx context.Context) error {
		for _, f := range found {
			isNew, err := s.Keys.AddSharedPrime(ctx, f.Prime, s.Clock.Now())
			if err != nil {
				return err
			}
			if !isNew {
				continue // its cards were named with the first
			}
			for i, card := range append([]string{f.Card}, f.With...) {
				with := f.Card
				if i == 0 && len(f.With) > 0 {
					with = f.With[0]
				}
				e := journal.Entry{Act: "certificate.sharedprime", Actor: "system:ca", Card: card, Detail: map[string]string{"prime": f.Name(), "with": with}}
				if err := s.Record(ctx, e); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// refuseShared refuses, of requests that come together, those whose keys share a
// prime with each other, and those with a prime that is known to be shared.
func (a *Authority) refuseShared(ctx context.Context, jobs []job) {
	known, err := a.knownPrimes(ctx)
	if err != nil {
		fail(jobs, err)
		return
	}
	var ns []*big.Int
	var whose []int
	seen := map[string]bool{}
	for i := range jobs {
		j := &jobs[i]
		if j.err != nil {
			continue
		}
		if j.err = known.refuse(j.q.Key); j.err != nil || seen[j.record.KeyHash] {
			continue // one key asked for twice is reserve's business
		}
		seen[j.record.KeyHash] = true
		ns, whose = append(ns, j.q.Key.N), append(whose, i)
	}
	divisors := factors.Among(ns)
	for n, d := range divisors {
		if d == nil {
			continue
		}
		for m, o := range divisors {
			if m != n && o != nil && new(big.Int).GCD(nil, nil, d, ns[m]).Cmp(big.NewInt(1)) != 0 {
				jobs[whose[n]].err = words.Refuse("CSE-194").Because(fmt.Errorf("%w: cards %s and %s share a prime", ErrKey, jobs[whose[n]].q.Card, jobs[whose[m]].q.Card))
			}
		}
	}
}

// known is the product of the primes that are known to be shared.
type knownPrimes struct{ product *big.Int }

func (a *Authority) knownPrimes(ctx context.Context) (knownPrimes, error) {
	p := knownPrimes{big.NewInt(1)}
	if a.SharedPrimes == nil {
		return p, nil
	}
	all, err := a.SharedPrimes(ctx)
	for _, x := range all {
		p.product.Mul(p.product, x)
	}
	return p, err
}

func (p knownPrimes) refuse(k *rsa.PublicKey) error {
	if new(big.Int).GCD(nil, nil, k.N, new(big.Int).Rem(p.product, k.N)).Cmp(big.NewInt(1)) == 0 {
		return nil
	}
	return words.Refuse("CSE-194").Because(fmt.Errorf("%w: it has a prime that other cards' keys share", ErrKey))
}

// modulusOf reads the key out of a TBSCertificate.
func modulusOf(tbs []byte) (*big.Int, error) {
	in := cryptobyte.String(tbs)
	var t, spki cryptobyte.String
	if !in.ReadASN1(&t, cbasn1.SEQUENCE) || !t.SkipOptionalASN1(cbasn1.Tag(0).Constructed().ContextSpecific()) || !t.SkipASN1(cbasn1.INTEGER) {
		return nil, errors.New("not a TBSCertificate")
	}
	for range 4 { // algorithm, issuer, validity, subject
		if !t.SkipASN1(cbasn1.SEQUENCE) {
			return nil, errors.New("not a TBSCertificate")
		}
	}
	var bits asn1.BitString
	if !t.ReadASN1(&spki, cbasn1.SEQUENCE) || !spki.SkipASN1(cbasn1.SEQUENCE) || !spki.ReadASN1BitString(&bits) {
		return nil, errors.New("no public key")
	}
	k, err := x509.ParsePKCS1PublicKey(bits.Bytes)
	if err != nil {
		return nil, fmt.Errorf("public key: %w", err)
	}
	return k.N, nil
}
