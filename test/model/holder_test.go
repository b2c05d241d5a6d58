package model

import (
	"fmt"
	"time"

	"pgregory.net/rapid"

	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/staff"
)

// wrong is a code with its last digit changed.
func wrong(code string) string {
	return code[:len(code)-1] + string('0'+(code[len(code)-1]-'0'+1)%10)
}

// slowed tells that a refusal to wait may come: a wrong try was made in the last
// fifteen minutes.
func (l *life) slowed(last time.Time) bool {
	return !last.IsZero() && l.now().Sub(last) < 15*time.Minute
}

// byCIP is the holder at home: the CIP alone suspends and revokes, with a
// signature of the card it reactivates.
func (l *life) byCIP(rt *rapid.T) {
	what := rapid.SampledFrom([]string{"suspend", "suspend", "reactivate", "revoke"}).Draw(rt, "what")
	fits := func(c *card) bool {
		switch usable := c.chip && c.used && c.over == ""; what {
		case "suspend":
			return usable && !c.held
		case "reactivate":
			return usable && c.held && !c.waits && !l.day().After(c.expires)
		default:
			return usable && !c.waits
		}
	}
	c := l.pick(rt, fits)
	code := l.secretsOf(c)
	if code == nil {
		return // no codes: there is nothing to type
	}
	cip, right := code.cip(), true
	if seldom(rt, "a wrong CIP") {
		cip, right = wrong(cip), false
	}
	which := c.id
	if what != "reactivate" && rapid.Bool().Draw(rt, "by codice fiscale") {
		which = string(c.holder)
	}
	var tried []*card // the cards against which a wrong CIP counts: the one named, or all that could be meant
	for _, x := range l.m.living(c.holder) {
		if which == c.id && x == c || which != c.id && x.chip && x.used {
			tried = append(tried, x)
		}
	}
	for _, x := range tried {
		if l.slowed(x.wrongCIP) {
			l.wait(16 * time.Minute)
			break
		}
	}
	source := fmt.Sprintf("192.0.2.%d", l.sources%250)
	l.sources++
	l.wait(24 * time.Hour * time.Duration(l.sources/250)) // a source seen again is forgotten meanwhile
	var r counter.Receipt
	did := l.try(rt, fmt.Sprintf("cip-%s of %s, right: %v", what, c.id, right), right && fits(c), func() (err error) {
		switch what {
		case "suspend":
			r, err = l.w.counter.SuspendWithCIP(l.ctx, which, secret.FromString(cip), source, words.Italian)
		case "reactivate":
			r, err = l.w.counter.ReactivateWithCIP(l.ctx, c.id, secret.FromString(cip), source, words.Italian)
		default:
			r, err = l.w.counter.RevokeWithCIP(l.ctx, which, secret.FromString(cip), source, words.Italian)
		}
		return err
	})
	if !did {
		if !right || !c.used { // codes that nobody can have had yet count as wrong ones
			for _, x := range tried {
				x.wrongCIP = l.now()
			}
		}
		return
	}
	switch what {
	case "suspend":
		c.held = true
	case "reactivate":
		c.held = false
	default:
		c.end("holder", l.now())
	}
	l.recorded(rt, "cip-"+what, r.Protocol, "holder", "", c)
}

// call is a call to the call centre: four digits of the CIP, drawn by the system.
func (l *life) call(rt *rapid.T) {
	fits := func(c *card) bool { return c.chip && c.used && !c.held && c.over == "" }
	c := l.pick(rt, fits)
	op := l.operator(rt, func(op staff.Operator) bool { return op.Has(staff.RoleCallCentre) })
	may := op.Has(staff.RoleCallCentre) && fits(c)
	open := l.now().Before(c.phone.until)
	var q counter.Question
	if !l.try(rt, "ask-by-phone about "+c.id+" by "+op.Account, may && !(open && c.phone.wrong >= 3), func() (err error) {
		q, err = l.w.counter.AskPositions(l.ctx, op, c.id)
		return err
	}) {
		return
	}
	if !open {
		c.phone = question{until: l.now().Add(10 * time.Minute), last: c.phone.last}
	}
	l.wait(time.Duration(rapid.SampledFrom([]int{20, 20, 20, 700}).Draw(rt, "seconds")) * time.Second)
	if l.slowed(c.phone.last) {
		return // the agent would be told to wait
	}
	digits, cip, right := "", l.secretsOf(c).cip(), often(rt, "right digits")
	for _, at := range q.Places {
		digits += cip[at-1 : at]
	}
	if !right {
		digits = wrong(digits)
	}
	inTime := l.now().Before(c.phone.until)
	var r counter.Receipt
	did := l.try(rt, fmt.Sprintf("suspend-by-phone of %s, right: %v", c.id, right), right && inTime, func() (err error) {
		r, err = l.w.counter.SuspendByPhone(l.ctx, op, c.id, secret.FromString(digits))
		return err
	}, "cip.wrong-by-phone")
	switch {
	case did:
		c.held, c.phone = true, question{}
		l.recorded(rt, "suspend-by-phone", r.Protocol, op.Account, op.Office.ID, c)
	case inTime:
		c.phone.wrong++
		c.phone.last = l.now()
		if !right && len(l.fresh(rt)) != 1 {
			rt.Fatalf("a wrong answer by phone left %d records", len(l.fresh(rt)))
		}
	}
}

// fromHome activates the successor with the old card: an adult who was himself
// at a counter with the old one.
func (l *life) fromHome(rt *rapid.T) {
	ready := func(c *card) bool {
		n := c.follower()
		return c.used && !c.held && c.over == "" && c.activatedByHolder && !dependent(l.m.people[c.holder], l.day()) && n != nil && l.m.activatable(n, l.day())
	}
	c := l.pick(rt, ready)
	if len(l.m.cns(c, l.day())) > 0 {
		return // the door would not let him in
	}
	n := c.follower()
	number := c.id
	if n != nil {
		number = n.id
		if rapid.Bool().Draw(rt, "by the number on the back") {
			number = n.team
		}
	}
	typed := number
	if seldom(rt, "a slip") {
		typed = wrong(number)
	}
	if l.slowed(c.wrongCIP) {
		l.wait(16 * time.Minute)
		if len(l.m.cns(c, l.day())) > 0 {
			return
		}
	}
	request, err := l.w.counter.NewRequest()
	l.must(rt, err)
	o := counter.SuccessorOrder{Request: request, Old: c.id, CF: c.holder, Number: typed, Email: c.address(), EmailAgain: c.address(), Lang: words.Italian}
	var a counter.Act
	did := l.try(rt, "activate-from-home with "+c.id, ready(c) && typed == number, func() (err error) {
		a, err = l.w.counter.ActivateSuccessor(l.ctx, o)
		return err
	})
	if !did {
		if typed != number {
			c.wrongCIP = l.now()
		}
		return
	}
	n.use(l.now())
	n.activatedByHolder, n.handedTo = true, append(n.handedTo, recipient{by: "titolare"})
	l.last = func() (counter.Act, error) { return l.w.counter.ActivateSuccessor(l.ctx, o) }
	l.written(rt, a, counter.KindSuccessor, staff.Operator{Account: "holder"}, n)
	for _, first := range []bool{true, false} { // the first halves are shown once
		did := l.try(rt, "show-halves of "+n.id, first, func() error {
			_, err := l.w.counter.ShowHalves(l.ctx, c.holder, a.Protocol)
			return err
		})
		if did {
			l.seen(rt)
		}
	}
}
