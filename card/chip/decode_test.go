package chip

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"testing"

	"cse.example/cse/card/cns"
)

// seal puts head and checksum around a body, so that the fuzzer reaches it.
func seal(body []byte) []byte {
	out := append([]byte(imageMagic), 0, imageVersion, 0, 0)
	out = binary.BigEndian.AppendUint32(out, uint32(len(body)))
	out = append(out, body...)
	sum := sha256.Sum256(out)
	return append(out, sum[:]...)
}

func FuzzImage(f *testing.F) {
	p, _ := cns.ParseProfile("cns10")
	image, err := encodeImage(newState(p))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(image, false)
	f.Add(image[imageHead:len(image)-sha256.Size], true)
	f.Add([]byte(`{"profile":{},"files":[{"path":"","directory":true}]}`), true)
	f.Fuzz(func(t *testing.T, b []byte, isBody bool) {
		if isBody {
			b = seal(b)
		}
		s, err := decodeImage(b)
		if err != nil {
			for _, known := range []error{ErrNotImage, ErrVersion, ErrChecksum, ErrContent} {
				if errors.Is(err, known) {
					return
				}
			}
			t.Fatal("an error of no kind:", err)
		}
		c := build("nowhere", nil, s, nil) // read-only: it must answer whatever it holds
		for _, apdu := range []string{"\x00\xA4\x00\x00", "\x00\xA4\x08\x00\x04\x11\x00\x11\x02\x00", "\x00\xB0\x00\x00\x00", "\x00\x20\x00\x10", "\x00\x20\x00\x10\x0812345678", "\x00\x2C\x00\x10\x101234567812345678"} {
			if answer, err := c.Transmit([]byte(apdu)); err != nil || len(answer) < 2 {
				t.Fatal(answer, err)
			}
		}
		once, err := encodeImage(s)
		if err != nil {
			t.Fatal(err)
		}
		again, err := decodeImage(once)
		if err != nil {
			t.Fatal("it does not read what it wrote:", err)
		}
		if twice, err := encodeImage(again); err != nil || !bytes.Equal(once, twice) {
			t.Fatal("not stable", err)
		}
	})
}
