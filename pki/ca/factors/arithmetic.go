package factors

import (
	"math/big"

	"github.com/remyoudompheng/bigfft"
)

// large is from how many bits on an FFT beats Karatsuba.
const large = 64 * 1800

func mul(x, y *big.Int) *big.Int {
	if min(x.BitLen(), y.BitLen()) > large {
		return bigfft.Mul(x, y)
	}
	return new(big.Int).Mul(x, y)
}

// tree is the products of neighbours, level by level; the last has one number.
func tree(ns []*big.Int) [][]*big.Int {
	levels := [][]*big.Int{ns}
	for len(ns) > 1 {
		up := make([]*big.Int, (len(ns)+1)/2)
		every(len(up), func(i int) {
			if 2*i+1 == len(ns) {
				up[i] = ns[2*i]
				return
			}
			up[i] = mul(ns[2*i], ns[2*i+1])
		})
		ns = up
		levels = append(levels, ns)
	}
	return levels
}

func product(ns []*big.Int) *big.Int {
	levels := tree(append([]*big.Int(nil), ns...))
	return levels[len(levels)-1][0]
}

// modulus divides by m, which is positive, by multiplying with its reciprocal
// (Barrett) once m is large: Go's own division takes as long as its multiplication.
type modulus struct {
	m    *big.Int
	bits uint     // of m
	inv  *big.Int // about 2^(2 bits)/m; nil when m is small
}

func newModulus(m *big.Int) modulus {
	out := modulus{m: m, bits: uint(m.BitLen())}
	if m.BitLen() > 4*large {
		out.inv = reciprocal(m)
	}
	return out
}

// reduce is x modulo m, for x not negative.
func (m modulus) reduce(x *big.Int) *big.Int {
	if x.Cmp(m.m) < 0 {
		return x
	}
	if m.inv == nil {
		return new(big.Int).Rem(x, m.m)
	}
	// From the top, as many bits as m has at a time.
	n := uint(x.BitLen())
	rest := new(big.Int)
	chunks := (n + m.bits - 1) / m.bits
	mask := new(big.Int)
	mask.Sub(mask.Lsh(one, m.bits), one)
	for i := int(chunks) - 1; i >= 0; i-- {
		part := new(big.Int).Rsh(x, uint(i)*m.bits)
		part.And(part, mask)
		rest.Add(rest.Lsh(rest, m.bits), part)
		rest = m.barrett(rest)
	}
	return rest
}

// barrett is x modulo m for x below 2^(2 bits).
func (m modulus) barrett(x *big.Int) *big.Int {
	if x.Cmp(m.m) < 0 {
		return x
	}
	q := mul(new(big.Int).Rsh(x, m.bits-1), m.inv)
	q.Rsh(q, m.bits+1)
	out := new(big.Int).Sub(x, mul(q, m.m))
	for out.Sign() < 0 {
		out.Add(out, m.m)
	}
	for out.Cmp(m.m) >= 0 {
		out.Sub(out, m.m)
	}
	return out
}

// reciprocal is 2^(2 bits)/m to within a few units, by Newton's iteration over
// the leading half.
func reciprocal(m *big.Int) *big.Int {
	n := uint(m.BitLen())
	if n <= large {
		return new(big.Int).Quo(new(big.Int).Lsh(one, 2*n), m)
	}
	half := n/2 + 8
	low := n - half
	// 2^(2 half)/(m / 2^low), so that 2^(2n)/m is about it times 2^(n - half).
	start := reciprocal(new(big.Int).Rsh(m, low))
	x := new(big.Int).Lsh(start, low)
	// x + x (2^(2n) - m x) / 2^(2n)
	e := mul(m, x)
	e.Sub(new(big.Int).Lsh(one, 2*n), e)
	sign := e.Sign()
	e.Abs(e)
	step := mul(e, x)
	step.Rsh(step, 2*n)
	if sign < 0 {
		return x.Sub(x, step)
	}
	return x.Add(x, step)
}
