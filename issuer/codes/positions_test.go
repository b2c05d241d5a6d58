package codes

import (
	"bytes"
	"errors"
	"testing"

	"cse.example/cse/ground/secret"
)

func TestDigitsOneByOne(t *testing.T) {
	b := newBench(t)
	set, other := b.make(t, "1"), b.make(t, "2")
	cip := set.CIP.Reveal()
	at := func(places ...int) secret.Text {
		var out []byte
		for _, n := range places {
			out = append(out, cip[n-1])
		}
		return secret.New(out)
	}
	if n, err := b.cips.Digits(t.Context(), "1"); n != 10 || err != nil {
		t.Errorf("%d digits, %v", n, err)
	}
	next := at(1, 4, 7, 10).Reveal()
	next[3] = '0' + (next[3]-'0'+1)%10
	for name, c := range map[string]struct {
		places []int
		digits secret.Text
		want   bool
	}{
		"right":              {[]int{1, 4, 7, 10}, at(1, 4, 7, 10), true},
		"one wrong":          {[]int{1, 4, 7, 10}, secret.New(next), false},
		"too few":            {[]int{1, 4, 7, 10}, at(1, 4, 7), false},
		"none":               {nil, secret.Text{}, false},
		"beyond the end":     {[]int{11}, at(1), false},
		"before the first":   {[]int{0}, at(1), false},
		"the whole, instead": {[]int{1, 4, 7, 10}, set.CIP, false},
	} {
		if got, err := b.cips.CheckDigits(t.Context(), "1", c.places, c.digits); got != c.want || err != nil {
			t.Errorf("%s: %v, %v", name, got, err)
		}
	}
	if ok, _ := b.cips.CheckDigits(t.Context(), "2", []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}, set.CIP); ok || set.CIP.Equal(other.CIP) {
		t.Error("one card's digits are another's")
	}
	moved := b.store["1"] // a mark moved to another place, or under another version, says nothing
	moved.Version++
	b.store["1"] = moved
	if ok, err := b.cips.CheckDigits(t.Context(), "1", []int{1, 4, 7, 10}, at(1, 4, 7, 10)); ok || err != nil {
		t.Errorf("under another version: %v, %v", ok, err)
	}
	if _, err := b.cips.Digits(t.Context(), "9"); !errors.Is(err, ErrNone) {
		t.Errorf("no codes: %v", err)
	}
	marks := b.store["1"].CIPDigits
	for i := 16; i < len(marks); i += 16 {
		if bytes.Equal(marks[:16], marks[i:i+16]) {
			t.Error("equal digits have equal marks")
		}
	}
}
