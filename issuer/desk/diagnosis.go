package desk

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/staff"
)

// Findings is what a reader finds of a chip without any code of the holder's:
// five lights (ux.md 4.1 D) and what they stand on.
type Findings struct {
	// ATR is the answer to reset in hexadecimal; empty: the chip does not answer.
	ATR string `json:"atr"`
	// Card is the number in the chip; empty when it cannot be read.
	Card string `json:"card"`
	// Files and Certificate tell that they can be read and understood.
	Files       bool `json:"files"`
	Certificate bool `json:"certificate"`
	// PINShut and PUKShut tell that no try is left, where the chip says so.
	PINShut bool `json:"pin_shut"`
	PUKShut bool `json:"puk_shut"`
}

// maxATR is the length of an answer to reset (ISO/IEC 7816-3: 33 octets).
const maxATR = 33

// sound tells that the findings do not contradict themselves.
func (f Findings) sound() bool {
	b, err := hex.DecodeString(f.ATR)
	if err != nil || len(b) > maxATR {
		return false
	}
	return (f.ATR != "" || f.Card == "" && !f.Files && !f.Certificate) && (f.Card != "" || !f.Files)
}

// judge reads what a job ended with: the findings to keep, or why it failed.
func judge(j Job, x Result) (found []byte, code string) {
	if j.Kind == Test {
		if x.Found == nil || x.Found.Card != x.Card || !x.Found.sound() {
			return nil, "CSE-001"
		}
		found, _ = json.Marshal(x.Found) // strings and booleans: never refused
		if x.Card == "" {
			return found, ""
		}
	}
	if x.Card != j.Card {
		return nil, "CSE-475"
	}
	return found, ""
}

// Tested is what the reader found of card for op in the last ten minutes; CSE-474
// for anything else.
func (r *Room) Tested(ctx context.Context, op staff.Operator, id, card string) (Findings, error) {
	j, err := r.Find(ctx, op, id)
	if err != nil {
		return Findings{}, err
	}
	if j.Kind != Test || !r.counts(j, card) {
		return Findings{}, words.Refuse("CSE-474")
	}
	var f Findings
	if err := json.Unmarshal(j.Found, &f); err != nil {
		return Findings{}, fmt.Errorf("desk: read findings: %w", err)
	}
	return f, nil
}
