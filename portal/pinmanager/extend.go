package pinmanager

import (
	"context"
	"errors"
	"net/http"

	"cse.example/cse/card/holder"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/portal/look"
)

// Extension has two steps, each with the PIN: the service says from which day to
// which, and the person agrees. Between them nothing is kept; whatever stops in
// between is taken up by the next try.

// Extension is how an extension ended, or what it comes to.
type Extension struct {
	// From is the last day of the certificate that is good now, Until that of the new.
	From, Until civil.Date
	// Already: the certificate is an extended one and cannot be extended further.
	Already bool
}

// Extend extends the certificate of h's card. agree is asked before anything is
// issued; its error stops the act and comes back. CSE-870: no service is known.
type Extend func(ctx context.Context, h *holder.Holder, pin holder.AskPIN, agree func(Extension) error) (Extension, error)

// errNotYet stops an extension that the person has not agreed to.
var errNotYet = errors.New("the person has not agreed yet")

// extendView is a page of the extension.
type extendView struct {
	codeView
	Steps look.Steps
	// Terms are what the person is asked to agree to; nil in the first step.
	Terms *Extension
}

func (c *call) extendSteps(current int) look.Steps {
	return look.Steps{Current: current, Names: []string{c.say("manager.extend.step.ask"), c.say("manager.extend.step.agree"), c.say("manager.extend.step.done")}}
}

// extendPage says what it is, and asks for the PIN.
func (c *call) extendPage() error {
	g, err := c.lookAtCard()
	if err != nil {
		return err
	}
	return c.extendForm(http.StatusOK, g, nil)
}

func (c *call) extendForm(status int, g glance, terms *Extension, faults ...*words.Fault) error {
	p := c.page("extend", "manager.extend.title")
	p.Path = "/estendi"
	v := extendView{codeView: c.codeView(askedPIN, g), Steps: c.extendSteps(0), Terms: terms}
	if terms != nil {
		v.Steps = c.extendSteps(1)
	}
	c.codeForm(p, v.codeView, signLabels, faults...)
	return c.show(status, "extend", p, v)
}

// extend asks for the terms, or does it when the person has agreed to them.
func (c *call) extend() error {
	f, err := c.read()
	if err != nil {
		return err
	}
	defer f.wipe()
	var terms *Extension
	if until, err := civil.ParseISO(f.Get("fino")); err == nil {
		if from, err := civil.ParseISO(f.Get("dal")); err == nil {
			terms = &Extension{From: from, Until: until}
		}
	}
	var offered, done Extension
	g, err := c.spendTry(askedPIN, f, func(h *holder.Holder) (err error) {
		done, err = c.m.Extend(c.r.Context(), h, f.pinFor(h), func(x Extension) error {
			if terms != nil && *terms == x {
				return nil
			}
			offered = x
			return errNotYet
		})
		return err
	})
	switch refusal := words.FaultOf(err); {
	case errors.Is(err, errNotYet):
		return c.extendForm(http.StatusOK, g, &offered)
	case refusal != nil && refusal.Field != "" && g.Mark != "":
		return c.extendForm(http.StatusUnprocessableEntity, g, terms, refusal)
	case err != nil:
		return err
	}
	key := "manager.extend.done"
	if done.Already {
		key = "manager.extend.already"
	}
	return c.finished("extend", key, g, done.Until.Italian())
}
