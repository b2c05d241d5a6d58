package diagnosis

import (
	"errors"
	"strings"
)

// Reference is six letters that name a diagnosis: five that carry a number and
// one that checks them. The alphabet has the seventeen letters whose town in the
// Italian spelling (Ancona, Bari, Como …) is a town and which are not taken for a
// digit or for each other when written: no I, O, Q, no H, J, K, W, X, Y.
//
// Numbers below lightCodes are the ten lights themselves, two bits each, stirred
// so that like diagnoses have unlike references. Numbers from there on are given
// out by whoever keeps reports that were sent.
type Reference string

// letters are the digits of a reference, and towns their spelling.
const letters = "ABCDEFGLMNPRSTUVZ"

var towns = map[byte]string{
	'A': "Ancona", 'B': "Bari", 'C': "Como", 'D': "Domodossola", 'E': "Empoli", 'F': "Firenze", 'G': "Genova", 'L': "Livorno", 'M': "Milano",
	'N': "Napoli", 'P': "Palermo", 'R': "Roma", 'S': "Savona", 'T': "Torino", 'U': "Udine", 'V': "Venezia", 'Z': "Zara",
}

const (
	base       = len(letters) // prime: any one wrong letter, and any two exchanged, are noticed
	dataDigits = 5
	lightCodes = 1 << 20
	allCodes   = base * base * base * base * base
	// Kept is how many references there are for reports that are sent.
	Kept = allCodes - lightCodes
	// odd and mask stir twenty bits; unodd is the inverse of odd.
	odd   = 0x9E375
	mask  = 0x2B6D3
	check = 7 // what the weighted sum of all six is
)

// unodd is the inverse of odd modulo 2^20, by Newton's iteration.
var unodd = func() uint32 {
	x := uint32(odd)
	for range 5 {
		x *= 2 - odd*x
	}
	return x % lightCodes
}()

// ErrReference is returned for six characters that are no reference.
var ErrReference = errors.New("not a reference")

// ParseReference reads a reference as people say and write it: any case, with
// spaces, dots and hyphens, or as the towns' names. The check letter must be right.
func ParseReference(s string) (Reference, error) {
	var b strings.Builder
	for _, w := range strings.FieldsFunc(strings.ToUpper(s), func(r rune) bool { return strings.ContainsRune(" \t.-,", r) }) {
		if t, ok := towns[w[0]]; ok && strings.ToUpper(t) == w {
			w = w[:1]
		}
		b.WriteString(w)
	}
	r := Reference(b.String())
	if _, ok := r.number(); !ok {
		return "", ErrReference
	}
	return r, nil
}

// reference writes number n.
func reference(n uint32) Reference {
	var b [dataDigits + 1]byte
	sum := 0
	for i := dataDigits - 1; i >= 0; i-- {
		d := int(n) % base
		n /= uint32(base)
		b[i] = letters[d]
		sum += (i + 2) * d
	}
	b[dataDigits] = letters[((check-sum)%base+base)%base]
	return Reference(b[:])
}

func (r Reference) number() (n uint32, ok bool) {
	if len(r) != dataDigits+1 {
		return 0, false
	}
	sum := 0
	for i := range len(r) {
		d := strings.IndexByte(letters, r[i])
		if d < 0 {
			return 0, false
		}
		weight := 1
		if i < dataDigits {
			weight = i + 2
			n = n*uint32(base) + uint32(d)
		}
		sum += weight * d
	}
	return n, sum%base == check
}

// ForKept is the reference of place i of a store of reports, modulo Kept.
func ForKept(i uint32) Reference { return reference(lightCodes + i%uint32(Kept)) }

// IsKept tells a reference of a report that was sent from one that carries its
// lights.
func (r Reference) IsKept() bool {
	n, ok := r.number()
	return ok && n >= lightCodes
}

// Spelled is the reference as it is read out: the towns.
func (r Reference) Spelled() string {
	out := make([]string, 0, len(r))
	for i := range len(r) {
		out = append(out, towns[r[i]])
	}
	return strings.Join(out, " ")
}

// Reference is the lights as six letters.
func (l Lights) Reference() Reference {
	var n uint32
	for i, p := range Parts {
		for bits, s := range states {
			if l.of(p) == s {
				n |= uint32(bits) << (2 * i)
			}
		}
	}
	return reference((n ^ mask) * odd % lightCodes)
}

// Lights are those that the reference carries; false for one of a sent report.
func (r Reference) Lights() (Lights, bool) {
	n, ok := r.number()
	if !ok || n >= lightCodes {
		return nil, false
	}
	n = n*unodd%lightCodes ^ mask
	l := Lights{}
	for i, p := range Parts {
		l[p] = states[n>>(2*i)&3]
	}
	return l, true
}

func (l Lights) of(p Part) State {
	if s, ok := l[p]; ok {
		return s
	}
	return Unknown
}
