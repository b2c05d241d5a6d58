package main

import (
	"context"
	"io"

	"github.com/spf13/cobra"

	"cse.example/cse/card/holder"
)

type pinDocument struct {
	Schema string `json:"schema"`
	// Done is verified, changed or unblocked; empty for tries.
	Done  string `json:"done,omitempty"`
	Tries *tries `json:"tries"`
}

// pinCommand is what the holder does with PIN and PUK.
func (a *app) pinCommand() *cobra.Command {
	return a.group("pin", "pin", nil,
		a.command("verify", "pin.verify", []string{"verifica"}, 0, a.pinAct("verified", a.verify)),
		a.command("change", "pin.change", []string{"cambia"}, 0, a.pinAct("changed", a.change)),
		a.command("unblock", "pin.unblock", []string{"sblocca"}, 0, a.pinAct("unblocked", a.unblock)),
		a.command("tries", "pin.tries", []string{"tentativi", "status", "stato"}, 0, a.pinAct("", nil)),
	)
}

// pinAct runs one act on the codes with the tries left before it, and shows
// those after it whatever the outcome.
func (a *app) pinAct(done string, act func(ctx context.Context, h *holder.Holder, left holder.Tries) error) func(context.Context, []string) error {
	return func(ctx context.Context, _ []string) error {
		return a.withCard(func(h *holder.Holder, _ string) error {
			left, err := h.Tries()
			if err != nil {
				return err
			}
			if act != nil {
				err = act(ctx, h, left)
				if now, lost := h.Tries(); lost == nil {
					left = now
				}
			}
			if err != nil {
				return withTries{error: err, tries: left}
			}
			doc := pinDocument{Schema: "cse.pin/1", Done: done, Tries: triesOf(left)}
			return a.emit(doc, func(w io.Writer) {
				if done != "" {
					_, _ = io.WriteString(w, a.say("pin."+done)+"\n")
				}
				a.triesLines(w, left)
			})
		})
	}
}

// verify presents the PIN, to see whether it is the right one.
func (a *app) verify(ctx context.Context, h *holder.Holder, left holder.Tries) error {
	if err := a.mayTry(ctx, left.PIN, "CSE-212", "CSE-211"); err != nil {
		return err
	}
	pin, err := a.code(ctx, "pin")
	if err != nil {
		return err
	}
	defer pin.Wipe()
	return h.VerifyPIN(pin)
}

// change replaces the PIN by another of the holder's choice.
func (a *app) change(ctx context.Context, h *holder.Holder, left holder.Tries) error {
	if err := a.mayTry(ctx, left.PIN, "CSE-212", "CSE-211"); err != nil {
		return err
	}
	old, err := a.code(ctx, "pin")
	if err != nil {
		return err
	}
	defer old.Wipe()
	pin, err := a.newPIN(ctx)
	if err != nil {
		return err
	}
	defer pin.Wipe()
	return h.ChangePIN(old, pin)
}

// unblock sets a new PIN with the PUK; the PIN need not be blocked.
func (a *app) unblock(ctx context.Context, h *holder.Holder, left holder.Tries) error {
	if err := a.mayTry(ctx, left.PUK, "CSE-214", "CSE-227"); err != nil {
		return err
	}
	puk, err := a.code(ctx, "puk")
	if err != nil {
		return err
	}
	defer puk.Wipe()
	pin, err := a.newPIN(ctx)
	if err != nil {
		return err
	}
	defer pin.Wipe()
	return h.UnblockPIN(puk, pin)
}
