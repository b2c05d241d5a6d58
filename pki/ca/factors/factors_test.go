package factors

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"math/big"
	mrand "math/rand/v2"
	"os"
	"runtime"
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// odd is a number of that many bits.
func odd(rnd *mrand.Rand, bits int) *big.Int {
	b := make([]byte, bits/8)
	for i := range b {
		b[i] = byte(rnd.Uint32())
	}
	n := new(big.Int).SetBytes(b)
	return n.SetBit(n, bits-1, 1).SetBit(n, 0, 1)
}

func prime(t testing.TB, bits int) *big.Int {
	t.Helper()
	p, err := rand.Prime(rand.Reader, bits)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func scanOf(keys []Key) Scan {
	return func(_ context.Context, each func(Key) error) error {
		for _, k := range keys {
			if err := each(k); err != nil {
				return err
			}
		}
		return nil
	}
}

// The search agrees with the comparison of every key with every other, whatever
// the bounds and whoever is fresh.
func TestSearchAgreesWithEveryPair(t *testing.T) {
	primes := make([]*big.Int, 40)
	for i := range primes {
		primes[i] = prime(t, 128)
	}
	rapid.Check(t, func(rt *rapid.T) {
		n := rapid.IntRange(2, 40).Draw(rt, "keys")
		var keys []Key
		for i := range n {
			p, q := rapid.IntRange(0, len(primes)-1).Draw(rt, "p"), rapid.IntRange(0, len(primes)-1).Draw(rt, "q")
			keys = append(keys, Key{Name: fmt.Sprint(i), N: new(big.Int).Mul(primes[p], primes[q]), Fresh: rapid.Bool().Draw(rt, "fresh")})
		}
		b := Bounds{Block: rapid.IntRange(1, 9).Draw(rt, "block"), Blocks: rapid.IntRange(1, 3).Draw(rt, "blocks")}
		got, err := Search(context.Background(), scanOf(keys), b)
		if err != nil {
			rt.Fatal(err)
		}
		found := map[string][]string{}
		for _, w := range got {
			found[w.Name] = w.With
		}
		for i, k := range keys {
			var want []string
			for j, o := range keys {
				if i != j && new(big.Int).GCD(nil, nil, k.N, o.N).Cmp(one) != 0 {
					want = append(want, o.Name)
				}
			}
			if !k.Fresh {
				want = nil
			}
			if !slices.Equal(found[k.Name], want) {
				rt.Fatalf("key %d (fresh %t): found %v, want %v", i, k.Fresh, found[k.Name], want)
			}
		}
	})
}

func TestAmong(t *testing.T) {
	p, q, r, s := prime(t, 256), prime(t, 256), prime(t, 256), prime(t, 256)
	u, v := prime(t, 256), prime(t, 256)
	n := func(a, b *big.Int) *big.Int { return new(big.Int).Mul(a, b) }
	got := Among([]*big.Int{n(p, q), n(r, s), n(p, u), n(v, v)})
	want := []*big.Int{p, nil, p, nil}
	for i := range want {
		if (got[i] == nil) != (want[i] == nil) || got[i] != nil && got[i].Cmp(want[i]) != 0 {
			t.Errorf("modulus %d: %v, want %v", i, got[i], want[i])
		}
	}
	if got := Among([]*big.Int{n(p, q)}); len(got) != 1 || got[0] != nil {
		t.Errorf("one alone: %v", got)
	}
	if got := Among(nil); len(got) != 0 {
		t.Errorf("none: %v", got)
	}
}

// Division by multiplication, against Go's own, at sizes where it is used.
func TestReduce(t *testing.T) {
	rnd := mrand.New(mrand.NewPCG(1, 2))
	for i := range 4 {
		m := newModulus(odd(rnd, 64*(7300+rnd.IntN(9000))))
		if m.inv == nil {
			t.Fatal("the sizes are too small to test anything")
		}
		for _, x := range []*big.Int{
			odd(rnd, 64*(1+rnd.IntN(40_000))), new(big.Int).Mul(m.m, big.NewInt(int64(i))), new(big.Int).Sub(new(big.Int).Mul(m.m, m.m), one),
			new(big.Int).Sub(m.m, one), new(big.Int),
		} {
			if got, want := m.reduce(x), new(big.Int).Rem(x, m.m); got.Cmp(want) != 0 {
				t.Fatalf("%d bits modulo %d bits: wrong", x.BitLen(), m.m.BitLen())
			}
		}
	}
}

func TestSearchStops(t *testing.T) {
	keys := []Key{{Name: "a", N: big.NewInt(15), Fresh: true}, {Name: "b", N: big.NewInt(21)}}
	broken := errors.New("broken")
	if _, err := Search(t.Context(), func(context.Context, func(Key) error) error { return broken }, Bounds{}); !errors.Is(err, broken) {
		t.Errorf("a scan that fails: %v", err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := Search(ctx, scanOf(keys), Bounds{}); !errors.Is(err, context.Canceled) {
		t.Errorf("stopped: %v", err)
	}
	got, err := Search(t.Context(), scanOf(keys), Bounds{})
	if err != nil || len(got) != 1 || got[0].Divisor.Int64() != 3 || !slices.Equal(got[0].With, []string{"b"}) {
		t.Errorf("15 and 21: %v, %v", got, err)
	}
}

// A base of CSE_MODULI (100,000 in make moduli) moduli of 2,048 bits, two of which
// share a prime; then a night's new ones against it, one of which does.
func TestTheWholeBase(t *testing.T) {
	n, err := strconv.Atoi(os.Getenv("CSE_MODULI"))
	if err != nil {
		n = 600
	}
	const each = 66 // primes of 32 bits in a modulus of 2,048
	own := primesFrom(1<<31, each*(n+300))
	p, night := prime(t, 1024), prime(t, 1024)
	plant := func(i int, shared *big.Int) *big.Int {
		m, mine := big.NewInt(1), own[each*i:each*(i+1)]
		if shared != nil {
			m, mine = shared, mine[:each/2]
		}
		for _, q := range mine {
			m = new(big.Int).Mul(m, new(big.Int).SetUint64(uint64(q)))
		}
		return m
	}
	keys := make([]Key, n)
	for i := range keys {
		var shared *big.Int
		if i == n/3 || i == n-2 {
			shared = p
		} else if i == n/2 {
			shared = night
		}
		keys[i] = Key{Name: strconv.Itoa(i), N: plant(i, shared), Fresh: true}
	}
	measure(t, "all", keys, map[string]string{strconv.Itoa(n / 3): strconv.Itoa(n - 2), strconv.Itoa(n - 2): strconv.Itoa(n / 3)})
	for i := range keys {
		keys[i].Fresh = false
	}
	for i := range 300 {
		var shared *big.Int
		if i == 100 {
			shared = night
		}
		keys = append(keys, Key{Name: "new " + strconv.Itoa(i), N: plant(n+i, shared), Fresh: true})
	}
	measure(t, "300 new", keys, map[string]string{"new 100": strconv.Itoa(n / 2)})
}

// primesFrom are the first n primes from a number of 32 bits on. Moduli made of
// them share none by chance, which numbers drawn at random do.
func primesFrom(from uint32, n int) []uint32 {
	var base []uint32
	low := make([]bool, 1<<16)
	for i := 2; i < len(low); i++ {
		if !low[i] {
			base = append(base, uint32(i))
			for j := i * i; j < len(low); j += i {
				low[j] = true
			}
		}
	}
	out := make([]uint32, 0, n)
	for at := uint64(from); len(out) < n; at += 1 << 20 {
		composite := make([]bool, 1<<20)
		for _, q := range base {
			for j := (uint64(q) - at%uint64(q)) % uint64(q); j < uint64(len(composite)); j += uint64(q) {
				composite[j] = true
			}
		}
		for j, c := range composite {
			if !c && len(out) < n {
				out = append(out, uint32(at)+uint32(j))
			}
		}
	}
	return out
}

func measure(t *testing.T, what string, keys []Key, want map[string]string) {
	t.Helper()
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	begin := time.Now()
	got, err := Search(t.Context(), scanOf(keys), Bounds{Block: max(64, min(8192, len(keys)/4))})
	if err != nil {
		t.Fatal(err)
	}
	runtime.ReadMemStats(&after)
	t.Logf("moduli: %s among %d: %.1f s, memory taken from the system grew by %d MB", what, len(keys), time.Since(begin).Seconds(), int64(after.Sys-before.Sys)>>20)
	found := map[string]string{}
	for _, w := range got {
		found[w.Name] = fmt.Sprint(w.With)
	}
	for name, with := range want {
		if found[name] != "["+with+"]" {
			t.Errorf("%s: %s shares a prime with %q, want %s", what, name, found[name], with)
		}
		delete(found, name)
	}
	if len(found) > 0 {
		t.Errorf("%s: also found %v", what, found)
	}
}
