package chip_test

import (
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"strconv"
	"testing"

	"cse.example/cse/card/chip"
	"cse.example/cse/card/cns"
)

// What personalisation costs on the disk, without the key: one blank chip
// created, written, closed, opened and closed again.
func BenchmarkPersonaliseWithoutKey(b *testing.B) {
	dir := b.TempDir()
	cert := make([]byte, 1400)
	for i := 0; b.Loop(); i++ {
		path := filepath.Join(dir, strconv.Itoa(i))
		c, err := chip.Create(path, cns.Neutral())
		if err != nil {
			b.Fatal(err)
		}
		for range 5 {
			if err := c.WriteFile(cns.EFCCarta, cert); err != nil {
				b.Fatal(err)
			}
		}
		if err := c.Close(); err != nil {
			b.Fatal(err)
		}
		if c, err = chip.Open(path); err != nil {
			b.Fatal(err)
		}
		if err := c.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

// A right PIN: two durable writes.
func BenchmarkVerify(b *testing.B) {
	c, _ := open(b, cns.Neutral())
	for b.Loop() {
		script(b, c, "00200010 08 PINPIN -> 9000")
	}
}

func BenchmarkSignature(b *testing.B) {
	c, _ := open(b, cns.Neutral())
	login(b, c)
	for name, block := range map[string][]byte{"pkcs1": type1(256, digestInfo(b, "x")), "pss": pssLike()} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, sw := decipher(b, c, block); !sw.OK() {
					b.Fatal(sw)
				}
			}
		})
	}
}

func pssLike() []byte {
	block := make([]byte, 256)
	for i := 0; i < 224; i += 32 {
		sum := sha256.Sum256([]byte(hex.EncodeToString(block[:i])))
		copy(block[i+1:], sum[:])
	}
	return block
}
