package holder

import (
	"errors"
	"fmt"

	"cse.example/cse/card/cns"
	"cse.example/cse/card/iso7816"
	"cse.example/cse/card/reader"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
)

// MaxTries is the number of tries of PIN and PUK after a right one.
const MaxTries = 3

// Counter is a number of tries left, when it is known.
type Counter struct {
	Known bool
	Left  int
}

// Blocked is true when the counter is known to be zero.
func (c Counter) Blocked() bool { return c.Known && c.Left == 0 }

// Last is true when the counter is known to be one.
func (c Counter) Last() bool { return c.Known && c.Left == 1 }

// Tries are the tries left of the two codes.
type Tries struct{ PIN, PUK Counter }

// WrongPINError says that the PIN was wrong and how many tries are left.
type WrongPINError struct{ Left int }

// Error implements error.
func (e *WrongPINError) Error() string { return fmt.Sprintf("wrong PIN, %d tries left", e.Left) }

// WrongPUKError says that the PUK was wrong and how many tries are left.
type WrongPUKError struct{ Left int }

// Error implements error.
func (e *WrongPUKError) Error() string { return fmt.Sprintf("wrong PUK, %d tries left", e.Left) }

// Tries reads the tries left without spending one: VERIFY without data, sent
// only to masks where it is proved harmless (card.md section 8). On other masks
// it tells what the card has answered so far in this session.
func (h *Holder) Tries() (Tries, error) {
	if !h.mask.Query {
		return h.tries, nil
	}
	err := h.exclusively(func() (err error) {
		if h.tries.PIN, err = h.query(h.mask.PIN); err != nil {
			return err
		}
		h.tries.PUK, err = h.query(h.mask.PUK)
		return err
	})
	return h.tries, err
}

// PINTries is Tries for the PIN alone, in one command.
func (h *Holder) PINTries() (Counter, error) {
	if !h.mask.Query {
		return h.tries.PIN, nil
	}
	err := h.exclusively(func() (err error) {
		h.tries.PIN, err = h.query(h.mask.PIN)
		return err
	})
	return h.tries.PIN, err
}

func (h *Holder) query(reference byte) (Counter, error) {
	r, err := h.send(iso7816.Command{INS: iso7816.InsVerify, P2: reference})
	if err != nil {
		return Counter{}, err
	}
	if n, ok := r.SW.TriesLeft(); ok {
		return Counter{Known: true, Left: n}, nil
	}
	switch r.SW {
	case iso7816.OK:
		return Counter{Known: true, Left: MaxTries}, nil
	case iso7816.AuthenticationBlocked:
		return Counter{Known: true}, nil
	case iso7816.ReferenceNotFound, iso7816.ReferenceUnusable:
		return Counter{}, nil
	}
	return Counter{}, fmt.Errorf("query of code %02X: %w", reference, r.SW)
}

// VerifyPIN presents the PIN, once. CSE-210 with *WrongPINError when it is
// wrong, CSE-212 when it is or has become blocked, CSE-221 for a PIN of a wrong
// shape, which is not sent.
func (h *Holder) VerifyPIN(pin secret.Text) error {
	if !digits(pin, cns.MinPIN, cns.MaxPIN) {
		return words.Refuse("CSE-221").At("pin")
	}
	return h.exclusively(func() error { return h.verify(pin) })
}

// verify is VerifyPIN inside a transaction.
func (h *Holder) verify(pin secret.Text) error {
	data := padded(pin)
	defer clear(data)
	r, err := h.exchange(iso7816.Command{INS: iso7816.InsVerify, P2: h.mask.PIN, Data: data})
	if err != nil {
		return err
	}
	err = h.pinOutcome(r.SW)
	h.verified = err == nil
	return err
}

// ChangePIN replaces the PIN. The new one must follow cns.CheckPIN (CSE-221,
// CSE-222; nothing is sent). CSE-216 when the card went away before answering.
func (h *Holder) ChangePIN(old, replacement secret.Text) error {
	if !digits(old, cns.MinPIN, cns.MaxPIN) {
		return words.Refuse("CSE-221").At("pin")
	}
	if err := h.newPIN(replacement); err != nil {
		return err
	}
	return h.exclusively(func() error {
		sw, err := h.replace(iso7816.InsChangeReferenceData, old, replacement)
		if err != nil {
			return err
		}
		return h.pinOutcome(sw)
	})
}

// UnblockPIN sets a new PIN with the PUK. CSE-213 with *WrongPUKError when the
// PUK is wrong, CSE-214 when it is or has become blocked: then the card is
// finished.
func (h *Holder) UnblockPIN(puk, replacement secret.Text) error {
	if !digits(puk, cns.PUKLength, cns.PUKLength) {
		return words.Refuse("CSE-223").At("puk")
	}
	if err := h.newPIN(replacement); err != nil {
		return err
	}
	return h.exclusively(func() error {
		sw, err := h.replace(iso7816.InsResetRetryCounter, puk, replacement)
		if err != nil {
			return err
		}
		return h.pukOutcome(sw)
	})
}

// replace sends the code that allows and the new PIN in one command.
func (h *Holder) replace(ins byte, allows, replacement secret.Text) (iso7816.SW, error) {
	data := append(padded(allows), padded(replacement)...)
	defer clear(data)
	r, err := h.exchange(iso7816.Command{INS: ins, P2: h.mask.PIN, Data: data})
	if err != nil {
		if errors.Is(err, reader.ErrReset) || errors.Is(err, reader.ErrRemoved) || words.FaultOf(err) != nil {
			return 0, words.Refuse("CSE-216").Because(err)
		}
		return 0, err
	}
	return r.SW, nil
}

// pinOutcome keeps the PIN's counter and names the error.
func (h *Holder) pinOutcome(sw iso7816.SW) error {
	left, wrong := sw.TriesLeft()
	switch {
	case sw.OK():
		h.tries.PIN = Counter{Known: true, Left: MaxTries}
		return nil
	case wrong && left > 0:
		h.tries.PIN = Counter{Known: true, Left: left}
		return words.Refuse("CSE-210", left).At("pin").Because(&WrongPINError{Left: left})
	case wrong, sw == iso7816.AuthenticationBlocked:
		h.tries.PIN = Counter{Known: true}
		return words.Refuse("CSE-212").At("pin").Because(sw)
	}
	return fmt.Errorf("PIN: %w", sw)
}

// pukOutcome keeps the PUK's counter, and the PIN's after a success.
func (h *Holder) pukOutcome(sw iso7816.SW) error {
	left, wrong := sw.TriesLeft()
	switch {
	case sw.OK():
		full := Counter{Known: true, Left: MaxTries}
		h.tries = Tries{PIN: full, PUK: full}
		return nil
	case wrong && left > 0:
		h.tries.PUK = Counter{Known: true, Left: left}
		return words.Refuse("CSE-213", left).At("puk").Because(&WrongPUKError{Left: left})
	case wrong, sw == iso7816.AuthenticationBlocked:
		h.tries.PUK = Counter{Known: true}
		return words.Refuse("CSE-214").At("puk").Because(sw)
	}
	return fmt.Errorf("PUK: %w", sw)
}

// newPIN applies the rules of new PINs before any code reaches the card, with
// the holder's birth date when the card tells it.
func (h *Holder) newPIN(pin secret.Text) error {
	if !digits(pin, cns.MinPIN, cns.MaxPIN) {
		return words.Refuse("CSE-221").At("new")
	}
	var born civil.Date
	if data, _, err := h.ReadPersonalData(); err == nil {
		born = data.Born
	}
	if err := cns.CheckPIN(pin, born); err != nil {
		return words.Refuse("CSE-222").At("new").Because(err)
	}
	return nil
}

// digits tells whether a code is ASCII digits, between shortest and longest of
// them.
func digits(code secret.Text, shortest, longest int) bool {
	b := code.Reveal()
	defer clear(b)
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return shortest <= len(b) && len(b) <= longest
}

// padded is a code whose shape was checked, as the card stores it.
func padded(code secret.Text) []byte {
	b, err := cns.PadCode(code)
	if err != nil {
		return nil // not reached: digits came first; the card refuses a short field
	}
	return b
}
