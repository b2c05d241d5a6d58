// Package factors finds RSA moduli that share a prime, among as many as a Region
// certifies (Heninger, Durumeric, Wustrow, Halderman: "Mining Your Ps and Qs",
// USENIX Security 2012; Bernstein, "How to find smooth parts of integers", 2004).
// Two that do are both broken by one greatest common divisor, so their source was
// weak.
//
// The moduli are taken in blocks. Of each block of those that are new the product
// P is kept, and R, what the product of all others leaves modulo P; the tree of
// the block then gives every modulus N the remainder of R times P/N, which has a
// common divisor with N just when another one shares a prime with it. Memory is
// that of the new ones' products and of one block's tree, however many the others.
//
// A modulus that stands twice counts as shared (its divisor is itself): leave out
// what is the same key on purpose. Products are multiplied by FFT (bigfft, which
// SQLite's driver links already); nothing here is constant-time: moduli are public.
package factors

import (
	"context"
	"math/big"
	"runtime"
	"sync"
)

// Key is a modulus and how its owner calls it.
type Key struct {
	Name string
	N    *big.Int
	// Fresh: it is to be compared with all; others only with the fresh ones.
	Fresh bool
}

// Weak is a key whose modulus shares Divisor with another's, a prime or, of
// moduli that stand twice, the modulus.
type Weak struct {
	Name    string
	Divisor *big.Int
	// With are the others that it shares it with.
	With []string
}

// Scan hands over every key, each time in the same order.
type Scan func(ctx context.Context, each func(Key) error) error

// Bounds are what a search may take. Zero fields take the defaults.
type Bounds struct {
	// Block is how many moduli make one product (8,192: 2 MB).
	Block int
	// Blocks is how many blocks of fresh ones are compared with all in one pass (8).
	Blocks int
}

func (b Bounds) block() int {
	if b.Block <= 0 {
		return 8192
	}
	return b.Block
}

func (b Bounds) window() int {
	if b.Blocks <= 0 {
		return 8 * b.block()
	}
	return b.Blocks * b.block()
}

// Search finds the fresh keys that share a prime with any key, and with whom. It
// scans once to count, once for each window of fresh ones, and once more when it
// found something.
func Search(ctx context.Context, scan Scan, b Bounds) ([]Weak, error) {
	fresh := 0
	if err := scan(ctx, func(k Key) error {
		if k.Fresh {
			fresh++
		}
		return ctx.Err()
	}); err != nil {
		return nil, err
	}
	var weak []Weak
	for from := 0; from < fresh; from += b.window() {
		some, err := pass(ctx, scan, b, from, min(from+b.window(), fresh))
		if err != nil {
			return nil, err
		}
		weak = append(weak, some...)
	}
	if len(weak) == 0 {
		return nil, nil
	}
	return weak, name(ctx, scan, weak)
}

// pass compares the fresh keys from to to, by their order, with all.
func pass(ctx context.Context, scan Scan, b Bounds, from, to int) ([]Weak, error) {
	blocks, err := window(ctx, scan, b, from, to)
	if err != nil {
		return nil, err
	}
	at := 0
	var others []*big.Int
	flush := func() {
		if len(others) > 0 {
			p := product(others)
			others = others[:0]
			every(len(blocks), func(i int) { blocks[i].times(p) })
		}
	}
	err = scan(ctx, func(k Key) error {
		mine := k.Fresh && at >= from && at < to
		if k.Fresh {
			at++
		}
		if mine {
			return ctx.Err()
		}
		if others = append(others, k.N); len(others) == b.block() {
			flush()
		}
		return ctx.Err()
	})
	if err != nil {
		return nil, err
	}
	flush()
	for i := range blocks {
		for j := range blocks {
			if i != j {
				blocks[i].times(blocks[j].p.m)
			}
		}
	}
	var out []Weak
	for i := range blocks {
		out = append(out, blocks[i].weak()...)
	}
	return out, ctx.Err()
}

// block is one of fresh keys.
type block struct {
	keys []Key
	p    modulus
	r    *big.Int // the product of all others so far, modulo p
}

func window(ctx context.Context, scan Scan, b Bounds, from, to int) ([]block, error) {
	at := 0
	var blocks []block
	err := scan(ctx, func(k Key) error {
		if k.Fresh {
			if at >= from && at < to {
				if (at-from)%b.block() == 0 {
					blocks = append(blocks, block{r: big.NewInt(1)})
				}
				last := &blocks[len(blocks)-1]
				last.keys = append(last.keys, k)
			}
			at++
		}
		return ctx.Err()
	})
	every(len(blocks), func(i int) { blocks[i].p = newModulus(product(moduli(blocks[i].keys))) })
	return blocks, err
}

func moduli(keys []Key) []*big.Int {
	out := make([]*big.Int, len(keys))
	for i, k := range keys {
		out[i] = k.N
	}
	return out
}

func (b *block) times(x *big.Int) { b.r = b.p.reduce(mul(b.r, x)) }

// weak are those of the block that share a prime with any other.
func (b *block) weak() []Weak {
	var out []Weak
	for i, d := range divisors(moduli(b.keys), b.r) {
		if d != nil {
			out = append(out, Weak{Name: b.keys[i].Name, Divisor: d})
		}
	}
	return out
}

// Among finds those of a few moduli that share a prime with another of them: for
// each the divisor, or nil.
func Among(ns []*big.Int) []*big.Int {
	if len(ns) < 2 {
		return make([]*big.Int, len(ns))
	}
	return divisors(ns, big.NewInt(1))
}

var one = big.NewInt(1)

// divisors gives for each n its common divisor with r times the product of the
// others, nil for 1.
func divisors(ns []*big.Int, r *big.Int) []*big.Int {
	levels := tree(ns)
	top := newModulus(levels[len(levels)-1][0])
	rest := []*big.Int{top.reduce(mul(derivative(levels), top.reduce(r)))}
	for l := len(levels) - 2; l >= 0; l-- {
		next := make([]*big.Int, len(levels[l]))
		every(len(next), func(i int) { next[i] = newModulus(levels[l][i]).reduce(rest[i/2]) })
		rest = next
	}
	out := make([]*big.Int, len(ns))
	every(len(ns), func(i int) {
		if d := new(big.Int).GCD(nil, nil, ns[i], rest[i]); d.Cmp(one) != 0 {
			out[i] = d
		}
	})
	return out
}

// derivative is the sum of P/N over the tree's leaves: modulo N it is P/N, since
// every other term has N as a factor.
func derivative(levels [][]*big.Int) *big.Int {
	sums := make([]*big.Int, len(levels[0]))
	for i := range sums {
		sums[i] = one
	}
	for _, products := range levels[:len(levels)-1] {
		next := make([]*big.Int, (len(sums)+1)/2)
		every(len(next), func(i int) {
			if 2*i+1 == len(sums) {
				next[i] = sums[2*i]
				return
			}
			next[i] = new(big.Int).Add(mul(sums[2*i], products[2*i+1]), mul(sums[2*i+1], products[2*i]))
		})
		sums = next
	}
	return sums[0]
}

// name finds whom each weak key shares its divisor with.
func name(ctx context.Context, scan Scan, weak []Weak) error {
	all := big.NewInt(1)
	for _, w := range weak {
		all = mul(all, w.Divisor)
	}
	return scan(ctx, func(k Key) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		if new(big.Int).GCD(nil, nil, k.N, new(big.Int).Rem(all, k.N)).Cmp(one) == 0 {
			return nil
		}
		for i := range weak {
			w := &weak[i]
			if w.Name != k.Name && new(big.Int).GCD(nil, nil, w.Divisor, k.N).Cmp(one) != 0 {
				w.With = append(w.With, k.Name)
			}
		}
		return nil
	})
}

// every runs f for 0 to n-1 on all processors.
func every(n int, f func(i int)) {
	if n < 2 {
		for i := range n {
			f(i)
		}
		return
	}
	var all sync.WaitGroup
	next := make(chan int, n)
	for i := range n {
		next <- i
	}
	close(next)
	for range min(runtime.GOMAXPROCS(0), n) {
		all.Go(func() {
			for i := range next {
				f(i)
			}
		})
	}
	all.Wait()
}
