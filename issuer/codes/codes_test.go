package codes

import (
	"bytes"
	"crypto/rand"
	"errors"
	"strings"
	"testing"

	"cse.example/cse/card/cns"
	"cse.example/cse/ground/civil"
)

func TestPolicy(t *testing.T) {
	if err := DefaultPolicy().Check(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		p    Policy
		want string
	}{
		{Policy{PIN: Split{2, 2}, PUK: Split{2, 6}, CIP: Split{5, 5}}, "PIN must have"},
		{Policy{PIN: Split{5, 4}, PUK: Split{2, 6}, CIP: Split{5, 5}}, "PIN must have"},
		{Policy{PIN: Split{4, 4}, PUK: Split{2, 6}, CIP: Split{5, 5}}, "more digits than the PIN"},
		{Policy{PIN: Split{2, 3}, PUK: Split{2, 5}, CIP: Split{5, 5}}, "PUK must have"},
		{Policy{PIN: Split{5, 0}, PUK: Split{2, 6}, CIP: Split{5, 5}}, "half of the PIN"},
		{Policy{PIN: Split{2, 3}, PUK: Split{0, 8}, CIP: Split{5, 5}}, "half of the PUK"},
		{Policy{PIN: Split{2, 3}, PUK: Split{2, 6}, CIP: Split{3, 3}}, "CIP must have"},
	} {
		if err := c.p.Check(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, want %q", c.p, err, c.want)
		}
		if _, err := Generate(rand.Reader, c.p); err == nil {
			t.Errorf("%+v makes codes", c.p)
		}
	}
}

func TestGenerate(t *testing.T) {
	born := civil.Date{Year: 1985, Month: 12, Day: 10}
	for range 2000 {
		s, err := Generate(rand.Reader, DefaultPolicy(), born)
		if err != nil {
			t.Fatal(err)
		}
		if s.PIN.Len() != 5 || s.PUK.Len() != 8 || s.CIP.Len() != 10 {
			t.Fatalf("lengths %d %d %d", s.PIN.Len(), s.PUK.Len(), s.CIP.Len())
		}
		if err := cns.CheckPIN(s.PIN, born); err != nil {
			t.Fatalf("the card would refuse the PIN: %v", err)
		}
		if err := cns.CheckPUK(s.PUK); err != nil {
			t.Fatalf("the card would refuse the PUK: %v", err)
		}
	}
}

// Bytes from 250 up must be thrown away, not folded on the low digits.
func TestDigitsAreNotBiased(t *testing.T) {
	all := make([]byte, 256)
	for i := range all {
		all[i] = byte(i)
	}
	got, err := digits(bytes.NewReader(all), 250)
	if err != nil {
		t.Fatal(err)
	}
	var n [10]int
	for _, d := range got.Reveal() {
		n[d-'0']++
	}
	if n != [10]int{25, 25, 25, 25, 25, 25, 25, 25, 25, 25} {
		t.Errorf("every byte once gives %v", n)
	}
	if _, err := digits(bytes.NewReader(all[250:]), 1); err == nil {
		t.Error("bytes over 249 made a digit")
	}
}

// Chi-squared over 100,000 digits at each position; 9 degrees of freedom exceed
// 40 less than once in 100,000 runs.
func TestDigitsAreUniform(t *testing.T) {
	const draws = 10_000
	var n [10][10]float64
	for range draws {
		s, err := digits(rand.Reader, 10)
		if err != nil {
			t.Fatal(err)
		}
		for i, d := range s.Reveal() {
			n[i][d-'0']++
		}
	}
	for i := range n {
		chi := 0.0
		for _, x := range n[i] {
			chi += (x - draws/10) * (x - draws/10) / (draws / 10)
		}
		if chi > 45 {
			t.Errorf("position %d: chi-squared %.1f, counts %v", i, chi, n[i])
		}
	}
}

func TestWeakPINsAreMadeAgain(t *testing.T) {
	// 1,2,3,4,5 first, then 7,3,9,1,5; PUK and CIP follow.
	stream := []byte{1, 2, 3, 4, 5, 7, 3, 9, 1, 5, 4, 8, 2, 7, 1, 9, 3, 6, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
	s, err := Generate(bytes.NewReader(stream), DefaultPolicy())
	if err != nil {
		t.Fatal(err)
	}
	if got := string(s.PIN.Reveal()); got != "73915" {
		t.Errorf("PIN %s", got)
	}
	if _, err := Generate(zeros{}, DefaultPolicy()); err == nil {
		t.Error("a source of zeros makes codes")
	}
	if _, err := Generate(bytes.NewReader(nil), DefaultPolicy()); err == nil || errors.Is(err, ErrSeal) {
		t.Errorf("an empty source: %v", err)
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }
