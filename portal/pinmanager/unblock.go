package pinmanager

import (
	"net/http"

	"cse.example/cse/card/holder"
	"cse.example/cse/card/reader"
	"cse.example/cse/ground/words"
	"cse.example/cse/portal/look"
)

// Unblocking has three steps: what it takes, the codes, what came of it. Nothing
// typed is kept from one to the next: the codes of the second step go to the card
// in one command.

// unblockSteps is the stepper at a step, from 0.
func (c *call) unblockSteps(current int) look.Steps {
	return look.Steps{Current: current, Names: []string{c.say("manager.unblock.step.ready"), c.say("manager.unblock.step.codes"), c.say("manager.unblock.step.done")}}
}

func (c *call) lookAtCard() (g glance, err error) {
	err = c.m.withCard(func(h *holder.Holder, s reader.Slot) error {
		g, err = c.m.glance(h, s)
		return err
	})
	return g, err
}

// unblockView is a page of the first two steps.
type unblockView struct {
	codeView
	Steps look.Steps
	// PIN is what is left of the PIN: unblocking is good also when it is forgotten.
	PIN stateRow
}

// Both are the two counters.
func (v unblockView) Both() []stateRow { return []stateRow{v.PIN, v.Left} }

// unblockReady is the first step.
func (c *call) unblockReady() error {
	g, err := c.lookAtCard()
	if err != nil {
		return err
	}
	v := unblockView{c.codeView(askedPUK, g), c.unblockSteps(0), c.tries("manager.state.pin", g.Tries.PIN)}
	return c.show(http.StatusOK, "unblock", c.page("unblock", "manager.unblock.title"), v)
}

// unblockCodes is the second step.
func (c *call) unblockCodes() error {
	g, err := c.lookAtCard()
	if err != nil {
		return err
	}
	return c.unblockForm(http.StatusOK, g)
}

func (c *call) unblockForm(status int, g glance, faults ...*words.Fault) error {
	p := c.page("unblock", "manager.unblock.title")
	p.Path = "/sblocca/codici"
	v := c.codeView(askedPUK, g)
	c.codeForm(p, v, codeLabels, faults...)
	return c.show(status, "unblockcodes", p, unblockView{v, c.unblockSteps(1), c.tries("manager.state.pin", g.Tries.PIN)})
}

// unblock spends at most one try of the PUK.
func (c *call) unblock() error {
	f, err := c.read()
	if err != nil {
		return err
	}
	defer f.wipe()
	g, err := c.spendTry(askedPUK, f, func(h *holder.Holder) error {
		if refusal := newPIN(f); refusal != nil {
			return refusal
		}
		return h.UnblockPIN(f.code("puk"), f.code("new"))
	})
	if refusal := words.FaultOf(err); refusal != nil && refusal.Field != "" && g.Mark != "" {
		return c.unblockForm(http.StatusUnprocessableEntity, g, refusal)
	} else if err != nil {
		return err
	}
	return c.finished("unblock", "manager.unblock.done", g)
}
