package extend_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"cse.example/cse/card/chip"
	"cse.example/cse/card/cns"
	"cse.example/cse/card/iso7816"
	"cse.example/cse/card/reader"
	"cse.example/cse/pki/ca"
)

// killer ends a run at its n-th step, a step being a command to the card or a
// request to the service: after it was done and before its answer came, which is
// also the state before the next step left. What comes later in that run gets
// nothing either. Step 0 is before the first.
type killer struct {
	at   int
	n    int
	dead bool
}

// step counts one; it answers whether to do it, and whether its answer comes.
func (k *killer) step() (do, answer bool) {
	if k.dead || k.at == 0 {
		k.dead = true
		return false, false
	}
	k.n++
	k.dead = k.n == k.at
	return true, !k.dead
}

type killedCard struct {
	reader.Card
	k *killer
}

func (c *killedCard) Transmit(apdu []byte) ([]byte, error) {
	do, answer := c.k.step()
	var out []byte
	var err error
	if do {
		out, err = c.Card.Transmit(apdu)
	}
	if !answer {
		return nil, fmt.Errorf("killed: %w", reader.ErrRemoved)
	}
	return out, err
}

func (k *killer) card(c reader.Card) reader.Card { return &killedCard{c, k} }

func (k *killer) requests(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		do, answer := k.step()
		if do && !answer {
			next.ServeHTTP(httptest.NewRecorder(), r) // done, and nobody hears of it
		}
		if !answer {
			panic(http.ErrAbortHandler)
		}
		next.ServeHTTP(w, r)
	})
}

// shortOnly is a chip that takes no long UPDATE BINARY, neither chained nor in
// extended length.
type shortOnly struct{ reader.Card }

func (c shortOnly) Transmit(apdu []byte) ([]byte, error) {
	cmd, err := iso7816.ParseCommand(apdu)
	if err == nil && cmd.INS == iso7816.InsUpdateBinary && (cmd.Extended || cmd.CLA&iso7816.ClassChaining != 0) {
		return iso7816.Response{SW: iso7816.WrongLength}.Bytes(), nil
	}
	return c.Card.Transmit(apdu)
}

// done fails unless the extension is complete.
func (w *world) done(when string) {
	w.t.Helper()
	w.sound(when)
	old, next := w.standing()
	if old.State != ca.Revoked || old.Reason != ca.Superseded || next == nil || next.State != ca.Good {
		w.t.Errorf("%s: the old one is %s, the new one %+v", when, old.State, next)
	}
}

// TestR108_KilledAtEveryStep: whatever command or request a run ends at, exactly one certificate is good and the card holds one whole; and the
// next run goes on to the end.
func TestR108_KilledAtEveryStep(t *testing.T) {
	t.Parallel()
	w := newWorld(t, cns.Neutral())
	steps := w.sweep(0, func(c reader.Card) reader.Card { return c })
	if steps < 25 {
		t.Errorf("only %d steps were found: the sweep misses some", steps)
	}
}

// sweep kills a run at each step from the first one, runs it again, and answers how
// many steps there are.
func (w *world) sweep(first int, kind func(reader.Card) reader.Card) int {
	t := w.t
	for at := first; ; at++ {
		k := &killer{at: at}
		w.wire(k.requests)
		_, err := w.run(func(c reader.Card) reader.Card { return k.card(kind(c)) })
		when := fmt.Sprintf("killed at step %d", at)
		if !k.dead {
			check(t, err)
			w.done(when)
			return at - 1
		}
		if err == nil {
			t.Errorf("%s: the run says it is done", when)
		}
		w.sound(when)
		w.wire(func(h http.Handler) http.Handler { return h })
		got, err := w.run(kind)
		if err != nil {
			t.Fatalf("%s: the next run: %v", when, err)
		}
		if _, next := w.standing(); next == nil || got.Serial != next.Serial {
			t.Errorf("%s: the next run says %+v", when, got)
		}
		w.done(when + ", and run again")
		w.anew()
	}
}

// TestR108_PowerCutAtEveryWrite: the same for the chip's own writes, torn ones too.
func TestR108_PowerCutAtEveryWrite(t *testing.T) {
	t.Parallel()
	profile := cns.Neutral()
	profile.RefuseExtended = true // written in a chain
	w := newWorld(t, profile)
	for at := 1; ; at++ {
		for _, kind := range []chip.Cut{chip.CutBefore, chip.CutTorn, chip.CutAfter} {
			cut := false
			_, err := w.run(nil, chip.WithPowerCut(func(write int) chip.Cut {
				if write == at {
					cut = true
					return kind
				}
				return chip.CutNone
			}))
			when := fmt.Sprintf("power cut %d at write %d", kind, at)
			if !cut {
				check(t, err)
				w.done(when)
				if at < 6 {
					t.Errorf("only %d writes", at-1)
				}
				return
			}
			if err == nil {
				t.Errorf("%s: the run says it is done", when)
			}
			w.sound(when)
			if _, err := w.run(nil); err != nil {
				t.Fatalf("%s: the next run: %v", when, err)
			}
			w.done(when + ", and run again")
			w.anew()
		}
	}
}

// TestR108_ATornFileIsMended: a chip that takes no long command is written in
// pieces; its file is torn by the kill, and mended by the next run.
func TestR108_ATornFileIsMended(t *testing.T) {
	t.Parallel()
	w := newWorld(t, cns.Neutral())
	tears := 0
	w.torn = func() { tears++ }
	w.sweep(20, func(c reader.Card) reader.Card { return shortOnly{c} }) // what comes before is as above
	if tears < 4 {
		t.Errorf("only %d kills left a torn file: the sweep misses what it is for", tears)
	}
}

// TestDoneOnce: a second run finds nothing to do and says so; without consent
// nothing is issued.
func TestDoneOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, cns.Neutral())
	first, err := w.run(nil)
	check(t, err)
	again, err := w.run(nil)
	if err != nil || !again.Already || again.Serial != first.Serial || again.Until != first.Until || w.told != 1 {
		t.Errorf("%+v, %v; %d mails", again, err, w.told)
	}
	w.ends = w.ends.AddDays(30) // the term is moved: it can be extended once more
	further, err := w.run(nil)
	if err != nil || further.Already || further.Until != w.ends || w.told != 2 {
		t.Errorf("%+v, %v; %d mails", further, err, w.told)
	}
}
