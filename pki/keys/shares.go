package keys

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"cse.example/cse/ground/secret"
)

// A passphrase that nobody has alone: Shamir's sharing over GF(2⁸), octet by
// octet, with the polynomial of AES (x⁸+x⁴+x³+x+1). A share is one line,
//
//	cse-share 1 NEED OF NUMBER MARK DATA
//
// whose MARK, four octets of a hash of the passphrase, says which shares belong
// together and that they were joined rightly; it does not help to guess 192
// random bits. Fewer than NEED shares tell nothing else.

const shareHead = "cse-share"

// MaxShares bounds how many custodians there are.
const MaxShares = 20

// Share makes a random passphrase and splits it into of shares, need of which
// give it back (2 ≤ need ≤ of ≤ 20). Nobody ever sees the passphrase itself.
func Share(rand io.Reader, need, of int) ([]secret.Text, error) {
	if need < 2 || need > of || of > MaxShares {
		return nil, fmt.Errorf("keys: %d of %d shares: 2 ≤ need ≤ of ≤ %d", need, of, MaxShares)
	}
	raw := make([]byte, 24)
	if _, err := io.ReadFull(rand, raw); err != nil {
		return nil, fmt.Errorf("keys: share: %w", err)
	}
	defer clear(raw)
	phrase := []byte(base64.RawURLEncoding.EncodeToString(raw))
	defer clear(phrase)
	coefficients := make([]byte, len(phrase)*(need-1))
	if _, err := io.ReadFull(rand, coefficients); err != nil {
		return nil, fmt.Errorf("keys: share: %w", err)
	}
	defer clear(coefficients)
	var out []secret.Text
	for x := 1; x <= of; x++ {
		data := make([]byte, len(phrase))
		for i, c := range phrase {
			// Horner, from the highest power down to the octet itself.
			var y byte
			for _, k := range coefficients[i*(need-1) : (i+1)*(need-1)] {
				y = times(y^k, byte(x))
			}
			data[i] = y ^ c
		}
		out = append(out, secret.FromString(fmt.Sprintf("%s 1 %d %d %d %x %x", shareHead, need, of, x, shareMark(phrase), data)))
		clear(data)
	}
	return out, nil
}

// isShare tells whether a line is one.
func isShare(line []byte) bool { return bytes.HasPrefix(line, []byte(shareHead+" ")) }

// join gives back the passphrase of at least as many shares as it needs.
func join(lines [][]byte) (secret.Text, error) {
	var all []share
	for _, l := range lines {
		s, err := parseShare(string(l))
		if err != nil {
			return secret.Text{}, err
		}
		for _, o := range all {
			if o.need != s.need || o.of != s.of || !bytes.Equal(o.mark, s.mark) || len(o.data) != len(s.data) {
				return secret.Text{}, errors.New("shares of two passphrases")
			}
			if o.x == s.x {
				return secret.Text{}, fmt.Errorf("share %d twice", s.x)
			}
		}
		all = append(all, s)
	}
	if len(all) == 0 || len(all) < all[0].need {
		return secret.Text{}, fmt.Errorf("%d shares, and it needs more", len(all))
	}
	all = all[:all[0].need]
	phrase := make([]byte, len(all[0].data))
	defer clear(phrase)
	for i, s := range all {
		// Lagrange at nought: the product of x_j / (x_j - x_i), where minus is plus.
		weight := byte(1)
		for j, o := range all {
			if j != i {
				weight = times(weight, times(o.x, inverse(o.x^s.x)))
			}
		}
		for k, y := range s.data {
			phrase[k] ^= times(weight, y)
		}
	}
	if !bytes.Equal(shareMark(phrase), all[0].mark) {
		return secret.Text{}, errors.New("a share was written down wrongly")
	}
	return secret.New(phrase), nil
}

type share struct {
	need, of   int
	x          byte
	mark, data []byte
}

func parseShare(line string) (share, error) {
	f := strings.Split(line, " ")
	if len(f) != 7 || f[0] != shareHead || f[1] != "1" {
		return share{}, errors.New("not a share")
	}
	var n [3]int
	for i := range n {
		v, err := strconv.Atoi(f[2+i])
		if err != nil || strconv.Itoa(v) != f[2+i] {
			return share{}, errors.New("not a share")
		}
		n[i] = v
	}
	mark, err := hex.DecodeString(f[5])
	data, err2 := hex.DecodeString(f[6])
	if err != nil || err2 != nil || len(mark) != 4 || len(data) == 0 || len(data) > 256 {
		return share{}, errors.New("not a share")
	}
	if n[0] < 2 || n[0] > n[1] || n[1] > MaxShares || n[2] < 1 || n[2] > n[1] {
		return share{}, errors.New("not a share")
	}
	return share{n[0], n[1], byte(n[2]), mark, data}, nil
}

func shareMark(phrase []byte) []byte {
	sum := sha256.Sum256(append([]byte("CSE share of a passphrase\n"), phrase...))
	return sum[:4]
}

// times multiplies in GF(2⁸), in constant time.
func times(a, b byte) byte {
	var p byte
	for range 8 {
		p ^= a & -(b & 1)
		a = a<<1 ^ 0x1b&-(a>>7)
		b >>= 1
	}
	return p
}

// inverse is a²⁵⁴.
func inverse(a byte) byte {
	r := byte(1)
	for range 254 {
		r = times(r, a)
	}
	return r
}
