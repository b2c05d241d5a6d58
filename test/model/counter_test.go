package model

import (
	"fmt"
	"slices"
	"time"

	"pgregory.net/rapid"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/staff"
)

// activatable: a chip card that is with its holder, lives, was never used, is
// not past its day and not overtaken by a posted one; the holder has a right.
func (m *model) activatable(c *card, d civil.Date) bool {
	n := c.follower()
	overtaken := n != nil && n.chip && n.sent && n.over == ""
	return c.chip && c.out() && !c.used && c.over == "" && !d.After(c.expires) && !overtaken && assisted(m.people[c.holder], d)
}

// activate goes through the four steps; the clock may move before the last.
func (l *life) activate(rt *rapid.T) {
	c := l.pick(rt, func(c *card) bool { return l.m.activatable(c, l.day()) })
	kind := func() string {
		if dependent(l.m.people[c.holder], l.day()) {
			return "represented"
		}
		return "activate"
	}
	op := l.operator(rt, func(op staff.Operator) bool { return l.m.may(op, kind(), c.holder) })
	s := l.stands(rt, c, true)
	email := c.address()
	again := email
	if seldom(rt, "a slip") {
		again = "altro@posta.example"
	}
	fits := func() bool {
		return l.m.activatable(c, l.day()) && l.m.may(op, kind(), c.holder) && s.fits(op, l.day()) && again == email
	}
	first := fits()
	pause := rapid.SampledFrom([]time.Duration{0, 0, 0, 0, time.Hour, 11 * time.Hour, 13 * time.Hour}).Draw(rt, "pause")
	l.wait(pause)
	foreseen := first && fits() && pause < 12*time.Hour
	l.wait(-pause)
	var a counter.Act
	did := l.try(rt, fmt.Sprintf("activate %s (%s) by %s at %s", c.id, s.by, op.Account, op.Office.ID), foreseen, func() error {
		d, err := l.w.counter.StartDraft(l.ctx, op, counter.CardStep{CF: c.holder, Card: c.id, LastFive: c.id[11:], NoReader: "lettore guasto"})
		if err == nil {
			d, err = l.w.counter.Identify(l.ctx, op, d.ID, d.Version, s.IdentityStep)
		}
		if err == nil {
			d, err = l.w.counter.Contacts(l.ctx, op, d.ID, d.Version, counter.ContactStep{Email: email, EmailAgain: again, Lang: words.Italian, Consent: true})
		}
		l.wait(pause)
		if err == nil {
			a, err = l.w.counter.Activate(l.ctx, op, d.ID, d.Version)
		}
		if err == nil {
			l.last = func() (counter.Act, error) { return l.w.counter.Activate(l.ctx, op, d.ID, d.Version) }
		}
		return err
	})
	if !did {
		return
	}
	c.use(l.now())
	c.handedTo, c.activatedByHolder = append(c.handedTo, s.recipient()), s.by == "titolare"
	if s.by == "genitore" || s.by == "tutore" {
		l.m.declare(s.title(c))
	}
	l.written(rt, a, counter.KindActivation, op, c)
	l.keep(a, op, true)
}

// use is an activation: whoever activates a card has it in his hand.
func (c *card) use(at time.Time) {
	c.used, c.usedAt, c.at = true, at, arrived
	if c.arrivedAt.IsZero() {
		c.arrivedAt = at
	}
}

func (c *card) end(why string, at time.Time) {
	c.over, c.overAt, c.held, c.waits = why, at, false, false
}

// keep remembers an act whose papers are to be printed.
func (l *life) keep(a counter.Act, op staff.Operator, withCodes bool) {
	l.acts = append(l.acts, &done{Act: a, op: op, withCodes: withCodes})
}

// form is one act of one form, as the rules have it.
type form struct {
	kind counter.ActKind
	// fits tells whether the act makes sense for the card today.
	fits func(l *life, c *card) bool
	// then is what it does; whether another card is ordered.
	then func(l *life, c *card) (reissue bool)
	// unidentified acts need nobody's document.
	unidentified bool
	withCodes    bool
	// declares: whoever stands there has no title yet, and declares one.
	declares bool
}

func forms() []form {
	ends := func(why string) func(l *life, c *card) bool {
		return func(l *life, c *card) bool {
			order := l.m.reissues(c, l.day())
			c.end(why, l.now())
			return order
		}
	}
	return []form{
		{
			kind: counter.KindSuspend, fits: func(_ *life, c *card) bool { return c.chip && c.used && !c.held && c.over == "" },
			then: func(_ *life, c *card) bool { c.held = true; return false },
		},
		{
			kind: counter.KindReactivate, fits: func(l *life, c *card) bool { return c.held && !c.waits && c.over == "" && !l.day().After(c.expires) },
			then: func(_ *life, c *card) bool { c.held = false; return false },
		},
		{
			kind: counter.KindRevoke, fits: func(_ *life, c *card) bool { return c.chip && c.over == "" },
			then: func(l *life, c *card) bool { c.end("holder", l.now()); return false },
		},
		{kind: counter.KindLoss, fits: func(_ *life, c *card) bool { return c.over == "" && c.out() }, then: func(l *life, c *card) bool {
			if stolen(c) {
				return ends("theft")(l, c)
			}
			return ends("loss")(l, c)
		}},
		{kind: counter.KindNotReceived, fits: func(_ *life, c *card) bool { return c.over == "" && c.sent && !c.used }, then: ends("not-received")},
		{kind: counter.KindChipFault, fits: func(_ *life, c *card) bool { return c.chip && c.over == "" && c.out() }, then: ends("chip-fault")},
		{
			kind: counter.KindReprint, fits: func(_ *life, c *card) bool { return c.chip && c.used && c.over == "" }, withCodes: true,
			then: func(l *life, c *card) bool { c.reprints = append(c.reprints, l.now()); return false },
		},
		{
			kind: counter.KindEmail, fits: func(_ *life, c *card) bool { return c.chip && c.used && c.over == "" },
			then: func(*life, *card) bool { return false },
		},
		{
			kind: counter.KindJoin, declares: true,
			fits: func(l *life, c *card) bool {
				return c.chip && c.used && c.over == "" && dependent(l.m.people[c.holder], l.day())
			},
			then: func(*life, *card) bool { return false },
		},
		{kind: counter.KindCorrection, fits: func(*life, *card) bool { return true }, then: func(*life, *card) bool { return false }},
		{kind: counter.KindReferral, fits: func(*life, *card) bool { return true }, then: func(*life, *card) bool { return false }, unidentified: true},
		{kind: counter.KindWithdrawal, fits: func(_ *life, c *card) bool {
			return !c.withdrawn && slices.Contains([]string{"not-received", "loss", "theft", "chip-fault", "wrong-data"}, c.over)
		}, then: func(_ *life, c *card) bool { c.withdrawn = true; return false }, unidentified: true},
	}
}

// stolen tells theft from loss: every other card is stolen, never lost.
func stolen(c *card) bool { return c.id[12]%2 == 1 }

// right is the row of the permission matrix of a form.
func (f form) right() string {
	switch f.kind {
	case counter.KindReferral, counter.KindWithdrawal:
		return "view"
	case counter.KindEmail:
		return "email"
	case counter.KindJoin:
		return "represented"
	case counter.KindNewCodes: // asked as a reprint is; the model does not give new codes
		return "reprint"
	}
	return string(f.kind)
}

// fill draws what the form asks besides the identity; foreseen tells whether it
// is complete. by is who stands there.
func (l *life) fill(rt *rapid.T, f form, c *card, by string, o *counter.Order) (foreseen bool) {
	foreseen = true
	slip := seldom(rt, "a slip")
	switch f.kind {
	case counter.KindLoss:
		o.Report = counter.Report{Theft: stolen(c), Authority: "Carabinieri", Number: "12/2026", Date: l.day()}
		o.Address, foreseen = true, !slip
		if slip {
			switch rapid.IntRange(0, 3).Draw(rt, "which") {
			case 0:
				o.Report = counter.Report{} // R37: first the report
			case 1:
				o.Report.Date = l.day().AddDays(1)
			case 2:
				o.Report.Number = ""
			case 3:
				o.Address = false
			}
		}
	case counter.KindNotReceived:
		o.Address, foreseen = !slip, !slip
	case counter.KindChipFault:
		o.Lights, o.NoReader = &counter.Lights{ATR: slip, Files: true, Certificate: true, PIN: true, PUK: true}, "lettore guasto"
		if rapid.Bool().Draw(rt, "by telephone") {
			o.Lights = nil
			if delete(l.w.tickets, c.id); !slip {
				l.w.tickets[c.id] = "T-0001"
			}
			return !slip
		}
		_, ticket := l.w.tickets[c.id]
		foreseen = !slip || ticket
	case counter.KindReprint:
		o.Shown = counter.CardStep{ReadID: c.id}
		if rapid.Bool().Draw(rt, "typed") {
			o.Shown, o.NoReader = counter.CardStep{LastFive: c.id[11:]}, "lettore guasto"
			if slip {
				o.NoReader = ""
			}
			foreseen = !slip
		}
		o.Email, o.EmailAgain = c.address(), c.address()
		for _, had := range c.handedTo { // somebody else has had these codes: new ones are needed
			foreseen = foreseen && (had.by == "titolare" || had.by == by && l.m.standsFor(had.who, c.holder, l.day()))
		}
	case counter.KindEmail, counter.KindJoin:
		o.Email, o.EmailAgain = c.address(), c.address()
		if slip {
			o.EmailAgain = "altro@posta.example"
		}
		foreseen = !slip
	case counter.KindCorrection:
		if o.Text = "il cognome è sbagliato"; slip {
			o.Text = ""
		}
		foreseen = !slip
	}
	return foreseen
}

// desk does one act of one form.
func (l *life) desk(rt *rapid.T, f form) {
	c := l.pick(rt, func(c *card) bool { return f.fits(l, c) })
	op := l.operator(rt, func(op staff.Operator) bool { return l.m.may(op, f.right(), c.holder) })
	request, err := l.w.counter.NewRequest()
	l.must(rt, err)
	o := counter.Order{Request: request, Card: c.id, Lang: words.Italian}
	foreseen, by := f.fits(l, c) && l.m.may(op, f.right(), c.holder), ""
	var who stance
	if !f.unidentified {
		l.joining = f.declares // somebody else than the registry's
		s := l.stands(rt, c, f.declares)
		l.joining = false
		o.Identity, by, who = s.IdentityStep, s.by, s
		foreseen = foreseen && s.fits(op, l.day())
		if f.declares {
			foreseen = foreseen && (by == "genitore" || by == "tutore") && !l.m.standsFor(s.Representative.CF, c.holder, l.day())
		}
	}
	complete := l.fill(rt, f, c, by, &o)
	foreseen = foreseen && complete
	if f.kind == counter.KindReprint && foreseen {
		foreseen = l.third(rt, c, op)
	}
	var a counter.Act
	again := func() (counter.Act, error) { return l.w.counter.Do(l.ctx, op, f.kind, o) }
	did := l.try(rt, fmt.Sprintf("%s of %s (%s) by %s at %s", f.kind, c.id, by, op.Account, op.Office.ID), foreseen, func() (err error) {
		a, err = again()
		return err
	})
	if !did {
		return
	}
	l.last = again
	order := f.then(l, c)
	if f.declares {
		l.m.declare(who.title(c))
	}
	if f.kind == counter.KindReprint {
		c.handedTo = append(c.handedTo, who.recipient())
		for _, d := range l.acts { // a sheet that nobody had yet is replaced by this one
			d.replaced = d.replaced || d.Card == c.id && d.withCodes && !d.handed
		}
	}
	if n := l.adopt(rt); n != 0 && !order || n != 1 && order {
		rt.Fatalf("%s of %s ordered %d cards; want one: %v", f.kind, c.id, n, order)
	}
	l.written(rt, a, f.kind, op, c)
	l.keep(a, op, f.withCodes)
}

// third is the third reprint in thirty days: a supervisor who is somebody else
// approves it, or it is refused.
func (l *life) third(rt *rapid.T, c *card, op staff.Operator) bool {
	n := 0
	for _, at := range c.reprints {
		if at.After(l.now().Add(-30 * 24 * time.Hour)) {
			n++
		}
	}
	if n < 2 {
		return true
	}
	if !rapid.Bool().Draw(rt, "approved") {
		return false
	}
	content, err := l.w.counter.ReprintToApprove(l.ctx, c.id)
	l.must(rt, err)
	q, err := l.w.approvals.Ask(l.ctx, op, counter.ApprovalThirdReprint, c.id, content, "titolare presente")
	l.must(rt, err)
	boss, err := l.w.directory.OperatorByAccount("vice")
	l.must(rt, err)
	l.must(rt, l.w.approvals.Decide(l.ctx, boss, q.ID, q.Sum(), true))
	l.counts["approved"]++
	return true
}

// twice presses the last button again: the same act, and nothing more.
func (l *life) twice(rt *rapid.T) {
	if l.last == nil {
		return
	}
	a, err := l.last()
	l.must(rt, err)
	if _, known := l.rows[a.Protocol]; !known || len(l.newRows(rt)) > 0 || len(l.fresh(rt)) > 0 || l.adopt(rt) > 0 {
		rt.Fatalf("pressed twice: act %s", a.Protocol)
	}
	l.counts["twice"]++
}

// papers prints and hands over what the last acts left: codes once, the rest
// as often as asked.
func (l *life) papers(rt *rapid.T) {
	if len(l.acts) == 0 {
		return
	}
	some := l.acts
	if waiting := slices.DeleteFunc(slices.Clone(some), func(d *done) bool { return !d.printed || d.handed }); len(waiting) > 0 && rapid.Bool().Draw(rt, "waiting") {
		some = waiting // printed, and not handed over yet
	}
	d := some[rapid.IntRange(max(0, len(some)-4), len(some)-1).Draw(rt, "act")]
	if d.withCodes && l.m.card(d.Card).over != "" && !d.printed {
		return // its codes are destroyed: there is nothing to print any more
	}
	op := d.op
	if seldom(rt, "elsewhere") {
		op = l.operator(rt, func(op staff.Operator) bool { return op.Office.ID != d.Office })
	}
	here := op.Office.ID == d.Office
	if often(rt, "next step") == (d.printed && !d.handed) {
		if l.try(rt, "hand-over of "+d.Protocol, here && d.printed, func() error { return l.w.counter.HandOver(l.ctx, op, d.Protocol) }) {
			d.handed = true
		}
		return
	}
	did := l.try(rt, "print of "+d.Protocol, here && !(d.withCodes && (d.printed || d.handed || d.replaced)), func() error {
		f, err := l.w.counter.ToPrint(l.ctx, op, d.Protocol)
		if err != nil {
			return err
		}
		if err := l.w.print(l.ctx, f, d.withCodes); err != nil {
			return err
		}
		return l.w.counter.Printed(l.ctx, op, d.Protocol)
	})
	d.printed = d.printed || did
}
