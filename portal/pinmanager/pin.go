package pinmanager

import (
	"net/http"

	"cse.example/cse/card/holder"
	"cse.example/cse/card/reader"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/portal/look"
)

// codeView is a page that asks for a code.
type codeView struct {
	glance
	// Left is what is left of the code that is asked for.
	Left stateRow
	// Blocked: the form makes no sense any more.
	Blocked *look.Notice
	// Unblock: the PUK helps.
	Unblock bool
	// Confirm is the key of the tick that a try needs; empty for none.
	Confirm string
}

// asked is a code that a page asks for, with its counter and its refusals.
type asked struct {
	row                   string // the key of its row
	left                  func(holder.Tries) holder.Counter
	blocked, last, unsure string // codes: blocked, last try, number not known
	confirm               string // the key of the tick before the last try
}

var (
	askedPIN = asked{"manager.state.pin", func(t holder.Tries) holder.Counter { return t.PIN }, "CSE-212", "CSE-211", "CSE-863", "manager.confirm.pin"}
	askedPUK = asked{"manager.state.puk", func(t holder.Tries) holder.Counter { return t.PUK }, "CSE-214", "CSE-227", "CSE-863", "manager.confirm.puk"}
)

// mayTry stands before every try: a blocked code is refused, and the last try, or
// one of a number that nobody knows, needs its tick.
func (a asked) mayTry(t holder.Tries, f fields) *words.Fault {
	left, ticked := a.left(t), f.Get("last") != ""
	switch {
	case left.Blocked():
		return words.Refuse(a.blocked)
	case ticked:
		return nil
	case left.Last():
		return words.Refuse(a.last).At("last")
	case !left.Known:
		return words.Refuse(a.unsure).At("last")
	}
	return nil
}

// pinFor gives the typed PIN to a signature. It may be asked for again, when another
// program made the card forget it; after a wrong one it is not given again.
func (f fields) pinFor(h *holder.Holder) holder.AskPIN {
	before, err := h.PINTries()
	return func() (secret.Text, error) {
		if err != nil {
			return secret.Text{}, err
		}
		if now, lost := h.PINTries(); lost == nil && now.Known && (now.Left < before.Left || !before.Known && now.Left < holder.MaxTries) {
			return secret.Text{}, words.Refuse("CSE-210", now.Left).At("pin")
		}
		b := f.code("pin").Reveal()
		defer clear(b)
		return secret.New(b), nil // the asker wipes its own
	}
}

// codeView is the page's part about the code.
func (c *call) codeView(a asked, g glance) codeView {
	v := codeView{glance: g, Left: c.tries(a.row, a.left(g.Tries))}
	switch left := a.left(g.Tries); {
	case left.Blocked():
		n := look.NoticeOf(c.lang, words.Refuse(a.blocked))
		v.Blocked, v.Unblock = &n, a.blocked == askedPIN.blocked && !g.Tries.PUK.Blocked()
	case left.Last():
		v.Confirm = a.confirm
	case !left.Known:
		v.Confirm = "manager.confirm.unsure"
	}
	return v
}

// codeForm gives a page its form, unless the code is blocked: then the notice says it,
// and there is no field to point to.
func (c *call) codeForm(p *look.Page, v codeView, labels map[string]string, faults ...*words.Fault) {
	c.form(p, labels, nil, faults...)
	if v.Blocked != nil {
		p.Form = look.NewForm(c.lang, nil)
	}
}

var codeLabels = map[string]string{
	"pin": "manager.pin.now", "new": "manager.pin.new", "again": "manager.pin.again", "puk": "manager.puk", "last": "manager.confirm",
}

// spendTry does one act with a code on the card of the form, once: the counters
// are read before it, and again after it. The glance is of after.
func (c *call) spendTry(a asked, f fields, act func(h *holder.Holder) error) (g glance, err error) {
	err = c.m.withCard(func(h *holder.Holder, s reader.Slot) error {
		if err := c.m.sameCard(h, f.Get("carta")); err != nil {
			return err
		}
		var err error
		if g, err = c.m.glance(h, s); err != nil {
			return err
		}
		if refusal := a.mayTry(g.Tries, f); refusal != nil {
			return refusal
		}
		err = act(h)
		if after, lost := h.Tries(); lost == nil {
			g.Tries = after
		}
		return err
	})
	return g, err
}

// newPIN checks that the new PIN was typed twice alike; the shape is the holder's.
func newPIN(f fields) *words.Fault {
	if a, b := f.code("new"), f.code("again"); !a.Equal(b) {
		return words.Refuse("CSE-215").At("again")
	}
	return nil
}

// pinPage asks for the old and the new PIN.
func (c *call) pinPage() error {
	g, err := c.lookAtCard()
	if err != nil {
		return err
	}
	return c.pinForm(http.StatusOK, g)
}

func (c *call) pinForm(status int, g glance, faults ...*words.Fault) error {
	p := c.page("pin", "manager.pin.title")
	p.Path = "/pin"
	v := c.codeView(askedPIN, g)
	c.codeForm(p, v, codeLabels, faults...)
	return c.show(status, "pin", p, v)
}

// changePIN spends at most one try.
func (c *call) changePIN() error {
	f, err := c.read()
	if err != nil {
		return err
	}
	defer f.wipe()
	g, err := c.spendTry(askedPIN, f, func(h *holder.Holder) error {
		if refusal := newPIN(f); refusal != nil {
			return refusal
		}
		return h.ChangePIN(f.code("pin"), f.code("new"))
	})
	if refusal := words.FaultOf(err); refusal != nil && refusal.Field != "" && g.Mark != "" {
		return c.pinForm(http.StatusUnprocessableEntity, g, refusal)
	} else if err != nil {
		return err
	}
	return c.finished("pin", "manager.pin.done", g)
}

// outcome is what the page after an act tells.
type outcome struct {
	section, key string
	glance
	args []any
}

// finished leads to the page after an act; reloading that does nothing again.
func (c *call) finished(section, key string, g glance, args ...any) error {
	c.m.mu.Lock()
	c.m.told = outcome{section, key, g, args}
	c.m.mu.Unlock()
	c.redirect("/fatto")
	return nil
}

// doneView is the page after an act.
type doneView struct {
	Text string
	Rows []stateRow
	// Steps of an act that has some.
	Steps *look.Steps
}

// donePage says what was done last.
func (c *call) donePage() error {
	c.m.mu.Lock()
	o := c.m.told
	c.m.mu.Unlock()
	if o.key == "" {
		c.redirect("/")
		return nil
	}
	v := doneView{Text: c.say(o.key+".text", o.args...), Rows: []stateRow{
		c.tries("manager.state.pin", o.Tries.PIN), c.tries("manager.state.puk", o.Tries.PUK),
	}}
	switch o.section {
	case "unblock":
		steps := c.unblockSteps(2)
		v.Steps = &steps
	case "extend":
		steps := c.extendSteps(2)
		v.Steps = &steps
	}
	return c.show(http.StatusOK, "done", c.page(o.section, o.key), v)
}
