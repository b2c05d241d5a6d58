package main

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"cse.example/cse/card/holder/holdertest"
	"cse.example/cse/ground/secret"
)

// person answers the program's questions in order and keeps them.
type person struct {
	asked   []string
	answers []string
}

func (p *person) Secret(_ context.Context, prompt string) (secret.Text, error) {
	p.asked = append(p.asked, strings.TrimSpace(prompt))
	answer := p.answers[0]
	p.answers = p.answers[1:]
	return secret.FromString(answer), nil
}

func (p *person) Confirm(context.Context, string) (bool, error) { return true, nil }

// The holder unblocks the card on his own: three wrong PINs, then the program
// asks for the PUK, for the new PIN and for the new PIN again, and the card has
// it. No network, no operator: a chip file and a terminal are the whole world.
// Two new PINs that differ change nothing and spend no try of the PUK.
func TestR89_TheHolderUnblocksTheCardOnHisOwn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "card.cse")
	if err := os.WriteFile(path, oneCard()["card.cse"], 0o600); err != nil {
		t.Fatal(err)
	}
	do := func(answers []string, args ...string) (int, string, []string) {
		who := &person{answers: answers}
		var out bytes.Buffer
		w := World{Out: &out, Err: &out, Getenv: func(string) string { return "" }, Terminal: who}
		code := Run(t.Context(), w, append([]string{"--card", path, "--lang", "en"}, args...))
		return code, out.String(), who.asked
	}
	for range 3 {
		do([]string{"55555"}, "pin", "verify")
	}
	if code, out, asked := do(nil, "pin", "verify"); code != exitPINBlock || len(asked) != 0 || !strings.Contains(out, "pin unblock") {
		t.Errorf("blocked: exit %d, asked %q, and the way on is not told: %s", code, asked, out)
	}
	if code, out, _ := do([]string{holdertest.PUK, "48207", "48208"}, "pin", "unblock"); code == exitOK || !strings.Contains(out, "CSE-215") || !strings.Contains(out, "PUK 3") {
		t.Errorf("two new PINs: exit %d: %s", code, out)
	}
	code, out, asked := do([]string{holdertest.PUK, "48207", "48207"}, "pin", "unblock")
	if code != exitOK || len(asked) != 3 || !strings.Contains(asked[0], "PUK") || slices.ContainsFunc(asked[1:], func(q string) bool { return !strings.Contains(q, "PIN") }) {
		t.Errorf("exit %d, asked %q: %s", code, asked, out)
	}
	if code, out, _ := do([]string{"48207"}, "pin", "verify"); code != exitOK {
		t.Errorf("the new PIN: exit %d: %s", code, out)
	}
}
