package holder

import (
	"fmt"

	"cse.example/cse/card/cns"
	"cse.example/cse/card/iso7816"
	"cse.example/cse/card/reader"
	"cse.example/cse/ground/words"
)

// Verified tells whether the card took a PIN in this session and, as far as is
// known, still holds it as verified.
func (h *Holder) Verified() bool { return h.verified || h.second }

// Known are the tries left as far as the card has told them; nothing is sent.
func (h *Holder) Known() Tries { return h.tries }

// VerifyPINOnReader is VerifyPIN with the PIN typed on the reader's own keys.
// CSE-700 when the holder gave up or took too long: no try is spent.
func (h *Holder) VerifyPINOnReader() error {
	pad, ok := h.card.(reader.PINPad)
	if !ok || !pad.HasPINPad() {
		return words.Refuse("CSE-701")
	}
	empty := make([]byte, cns.CodeBlock)
	for i := range empty {
		empty[i] = 0xFF
	}
	command, err := iso7816.Command{INS: iso7816.InsVerify, P2: h.mask.PIN, Data: empty}.Bytes()
	if err != nil {
		return err
	}
	return h.exclusively(func() error {
		answer, err := pad.VerifyOnPad(command, cns.MinPIN, cns.MaxPIN)
		if err != nil {
			return err
		}
		r, err := iso7816.ParseResponse(answer)
		if err != nil {
			return fmt.Errorf("pinpad: %w", err)
		}
		if r.SW == 0x6400 || r.SW == 0x6401 {
			return words.Refuse("CSE-700").Because(r.SW)
		}
		err = h.pinOutcome(r.SW)
		h.verified = err == nil
		return err
	})
}
