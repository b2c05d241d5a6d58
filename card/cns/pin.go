package cns

import (
	"errors"
	"fmt"
	"strings"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/secret"
)

// Lengths of the codes, in digits; on the card each fills CodeBlock bytes, the
// rest being FF (card.md section 7). A PUK always has more digits than the PIN
// we give out (rule R79).
const (
	MinPIN    = 5
	MaxPIN    = 8
	PUKLength = 8
	CodeBlock = 8
)

// Why a code is refused. None of them carries the code.
var (
	ErrCodeLength = errors.New("the code has a wrong number of digits")
	ErrCodeDigits = errors.New("the code has something that is not a digit")
	ErrCodeWeak   = errors.New("the code is too easy to guess")
)

// CheckPIN tells whether a PIN may be set: 5 to 8 digits, and not one that
// people try first: one digit repeated, a run up or down, a pattern repeated,
// a listed favourite, or part of a birth date given in born.
func CheckPIN(pin secret.Text, born ...civil.Date) error {
	b := pin.Reveal()
	defer clear(b)
	if err := checkDigits(b, MinPIN, MaxPIN); err != nil {
		return fmt.Errorf("PIN: %w", err)
	}
	s := string(b)
	if repeats(s) || runs(s) || favourite(s) {
		return fmt.Errorf("PIN: %w", ErrCodeWeak)
	}
	for _, d := range born {
		if ofDate(s, d) {
			return fmt.Errorf("PIN: %w: a birth date", ErrCodeWeak)
		}
	}
	return nil
}

// CheckPUK tells whether a PUK may be set: exactly 8 digits, not all alike.
func CheckPUK(puk secret.Text) error {
	b := puk.Reveal()
	defer clear(b)
	if err := checkDigits(b, PUKLength, PUKLength); err != nil {
		return fmt.Errorf("PUK: %w", err)
	}
	if s := string(b); repeats(s) || runs(s) {
		return fmt.Errorf("PUK: %w", ErrCodeWeak)
	}
	return nil
}

// PadCode makes the block of 8 bytes that goes to the card: the digits, then
// FF. It refuses what is not 5 to 8 digits; weak codes pass, for a card made
// elsewhere may have one.
func PadCode(code secret.Text) ([]byte, error) {
	b := code.Reveal()
	defer clear(b)
	if err := checkDigits(b, MinPIN, MaxPIN); err != nil {
		return nil, err
	}
	block := []byte{0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF}
	copy(block, b)
	return block, nil
}

// ValidBlock tells whether 8 bytes are 5 to 8 digits followed by FF only.
func ValidBlock(block []byte) bool {
	if len(block) != CodeBlock {
		return false
	}
	n := 0
	for n < CodeBlock && block[n] >= '0' && block[n] <= '9' {
		n++
	}
	for _, c := range block[n:] {
		if c != 0xFF {
			return false
		}
	}
	return n >= MinPIN
}

func checkDigits(b []byte, least, most int) error {
	for _, c := range b {
		if c < '0' || c > '9' {
			return ErrCodeDigits
		}
	}
	if len(b) < least || len(b) > most {
		return ErrCodeLength
	}
	return nil
}

// repeats tells 11111, 1212(1), 123123: a piece of one to three digits again
// and again.
func repeats(s string) bool {
	for n := 1; n <= 3 && n*2 <= len(s); n++ {
		if strings.HasPrefix(strings.Repeat(s[:n], len(s)), s) {
			return true
		}
	}
	return false
}

// runs tells 12345, 98765, 89012, 13579 and the like: one constant step of one
// or two, modulo ten.
func runs(s string) bool {
	for _, step := range []int{1, 9, 2, 8} {
		all := true
		for i := 1; i < len(s) && all; i++ {
			all = (int(s[i])-int(s[i-1])+10)%10 == step
		}
		if all {
			return true
		}
	}
	return false
}

// favourite tells codes that published lists of leaked PINs put on top and
// that no rule above catches: keypad lines and pairs.
func favourite(s string) bool {
	switch s {
	case "14725", "25836", "36914", "14789", "15963", "75395", "95175", "12369", "98741",
		"11223", "11122", "11222", "22111", "55667", "99887", "10203", "12321", "12543", "54123",
		"147258", "258369", "159753", "112233", "123321", "102030", "147852", "321654", "520131",
		"1234321", "8675309", "12344321", "11223344", "14725836", "11112222", "10203040":
		return true
	}
	return false
}

func ofDate(pin string, d civil.Date) bool {
	if d.IsZero() {
		return false
	}
	dd, mm, yyyy := fmt.Sprintf("%02d", d.Day), fmt.Sprintf("%02d", int(d.Month)), fmt.Sprintf("%04d", d.Year)
	yy := yyyy[2:]
	for _, form := range []string{dd + mm + yyyy, dd + mm + yy, yyyy + mm + dd, yy + mm + dd, mm + dd + yyyy, mm + dd + yy} {
		if strings.Contains(form, pin) {
			return true
		}
	}
	return false
}
