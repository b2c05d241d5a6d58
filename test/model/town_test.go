package model

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"pgregory.net/rapid"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/production"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
)

// lastDay bounds a life: the authority certifies thirty years.
var lastDay = today.AddYears(20)

// time passes: minutes, days, years, or up to an instant at which something changes.
func (l *life) passes(rt *rapid.T) {
	d := l.day()
	day := 24 * time.Hour
	to := l.now()
	switch rapid.IntRange(0, 7).Draw(rt, "how long") {
	case 0, 1:
		to = to.Add(time.Duration(rapid.IntRange(1, 600).Draw(rt, "minutes")) * time.Minute)
	case 2, 3:
		to = to.Add(time.Duration(rapid.IntRange(1, 45).Draw(rt, "days")) * day)
	case 4:
		to = to.Add(time.Duration(rapid.IntRange(45, 800).Draw(rt, "many days")) * day)
	default: // the last second of a day, or the first of the next
		var days []civil.Date
		for _, c := range l.m.cards {
			days = append(days, c.expires, c.expires.AddDays(-60))
			if c.used {
				days = append(days, civil.DayOf(c.usedAt).AddDays(30))
			}
			if c.sent {
				days = append(days, civil.DayOf(c.postedAt).AddDays(60))
			}
		}
		for _, t := range l.m.titles {
			days = append(days, t.until)
		}
		for _, p := range l.m.people {
			days = append(days, p.AssistedUntil, civil.Date{Year: p.Born.Year + 18, Month: p.Born.Month, Day: p.Born.Day}.AddDays(-1))
		}
		days = slices.DeleteFunc(days, func(x civil.Date) bool { return x.Before(d) })
		slices.SortFunc(days, civil.Date.Compare)
		days = slices.Compact(days)
		if len(days) == 0 {
			return
		}
		// Mostly the nearest ones: what is far comes by itself.
		to = days[min(len(days)-1, rapid.IntRange(0, 3).Draw(rt, "which day"))].End()
		if rapid.Bool().Draw(rt, "after midnight") {
			to = to.Add(time.Second)
		}
	}
	if to.After(l.now()) && civil.DayOf(to).Before(lastDay) {
		l.w.clock.Set(to)
	}
	l.counts["passes"]++
}

// registry brings news of somebody: death, the end of assistance, a correction
// of what is printed, a new datum.
func (l *life) registry(rt *rapid.T) {
	cf := l.m.order[rapid.IntRange(0, len(l.m.order)-1).Draw(rt, "person")]
	was, d := l.m.people[cf], l.day()
	p := was
	switch rapid.IntRange(0, 9).Draw(rt, "news") {
	case 0:
		if rapid.IntRange(0, 2).Draw(rt, "dies") == 0 {
			p.Died = d.AddDays(-rapid.IntRange(0, 3).Draw(rt, "days ago"))
		}
	case 1, 2:
		p.AssistedUntil = d.AddDays(rapid.IntRange(-2, 40).Draw(rt, "days"))
	case 3, 4:
		p.AssistedUntil = civil.Date{}
	case 5, 6, 7:
		p.Surname = map[bool]string{true: "DERUSSIS", false: "LOMBARDI"}[p.Surname == "LOMBARDI"]
	case 8:
		p.Permit = registry.Permit{Kind: registry.PermitUntil, Until: d.AddDays(rapid.IntRange(100, 900).Draw(rt, "permit"))}
	case 9:
		p.AbroadRight = !p.AbroadRight
	}
	l.m.people[cf] = p
	why := ""
	switch {
	case !alive(p, d):
		why = "death"
	case !p.AssistedUntil.IsZero() && d.After(p.AssistedUntil):
		why = "end-assistance"
	}
	corrected := why == "" && p.Surname != was.Surname
	rt.Logf("news of %s: died %s, assisted until %s, permit %v, corrected %v", cf, p.Died, p.AssistedUntil, p.Permit, corrected)
	l.try(rt, "registry", true, func() error { return l.imported(p, why, corrected) })
	if why != "" {
		l.closes(cf, why)
	}
	if !corrected {
		return
	}
	var wrong []*card
	for _, c := range l.m.living(cf) {
		switch {
		case c.sent:
			c.corrected = true
			wrong = append(wrong, c)
		case c.batched: // made with wrong data: it never leaves
			c.end("wrong-data", l.now())
			wrong = append(wrong, c)
		}
	}
	want := 0
	for _, c := range wrong {
		if l.m.reissues(c, d) {
			want = 1 // the last of a chain: what follows one follows all
		}
	}
	if n := l.adopt(rt); n != want {
		rt.Fatalf("a correction ordered %d cards, want %d", n, want)
	}
}

// imported is what csed's import does with a person (cmd/csed/registry.go).
func (l *life) imported(p registry.Person, why string, corrected bool) error {
	return l.w.db.Atomically(l.ctx, func(ctx context.Context) error {
		if _, err := l.w.db.People().Put(ctx, p); err != nil {
			return err
		}
		if why != "" {
			_, err := l.w.counter.CloseFor(ctx, p.CF, lifecycle.Reason(why))
			return err
		}
		if corrected {
			_, err := l.w.counter.Corrected(ctx, p.CF)
			return err
		}
		return nil
	})
}

func (l *life) closes(cf codicefiscale.Code, why string) {
	for _, c := range l.m.living(cf) {
		c.end(why, l.now())
	}
}

// renewalDays before its end a card gets its successor.
const renewalDays = 60

// night is csed's (cmd/csed/night.go): ends, coming of age, renewal, first
// issues, batches.
func (l *life) night(rt *rapid.T) {
	d := l.day()
	l.try(rt, "night", true, func() error { return l.nightly() })
	for _, cf := range l.m.order {
		switch p := l.m.people[cf]; {
		case !alive(p, d):
			l.closes(cf, "death")
		case !p.AssistedUntil.IsZero() && d.After(p.AssistedUntil):
			l.closes(cf, "end-assistance")
		}
	}
	// What ends, ends together: first it is seen, then it is written.
	var expired, overtaken []*card
	for _, c := range l.m.cards {
		switch {
		case c.over != "":
		case d.After(c.expires):
			expired = append(expired, c)
		case c.chip && c.sent && c.overtaken(d):
			overtaken = append(overtaken, c)
		}
	}
	for _, c := range expired {
		c.end("expired", l.now())
	}
	for _, c := range overtaken {
		why := "renewal"
		if c.corrected {
			why = "wrong-data"
		}
		c.end(why, l.now())
	}
	for _, c := range l.m.cards { // codes that somebody had who has no title any more
		if l.hold && c.used && c.over == "" && l.m.others(c, d) {
			c.held, c.waits = true, true
		}
	}
	l.adopt(rt)
	l.batched(rt)
	l.everybodyServed(rt)
}

func (l *life) nightly() error {
	for _, cf := range l.m.order {
		p, d := l.m.people[cf], l.day()
		why := lifecycle.Reason("")
		switch {
		case !alive(p, d):
			why = lifecycle.Death
		case !p.AssistedUntil.IsZero() && d.After(p.AssistedUntil):
			why = lifecycle.EndOfAssistance
		default:
			continue
		}
		if _, err := l.w.counter.CloseFor(l.ctx, cf, why); err != nil {
			return err
		}
	}
	if _, err := l.w.counter.Sweep(l.ctx); err != nil {
		return err
	}
	how := counter.MajorityNotify
	if l.hold {
		how = counter.MajorityHold
	}
	if _, err := l.w.counter.ComeOfAge(l.ctx, how); err != nil {
		return err
	}
	if err := l.w.counter.Tidy(l.ctx); err != nil {
		return err
	}
	if _, err := l.w.plant.Renew(l.ctx, renewalDays); err != nil {
		return err
	}
	if _, err := l.w.plant.OrderMissing(l.ctx); err != nil {
		return err
	}
	_, err := l.w.plant.AdvanceAll(l.ctx)
	return err
}

// batched learns which cards in the making are no longer merely ordered.
func (l *life) batched(rt *rapid.T) {
	s := l.look(rt)
	for _, c := range l.m.cards {
		if c.at == making && c.over == "" {
			c.batched = s.cards[c.id].State != lifecycle.Ordered
		}
	}
}

// everybodyServed is what a night must have seen to: R7, R23, one successor for
// each card, one card on its way for each person.
func (l *life) everybodyServed(rt *rapid.T) {
	d := l.day()
	list, err := l.w.db.Orders().Exceptions(l.ctx, "", 1000)
	l.must(rt, err)
	excepted := func(cf codicefiscale.Code) bool {
		return slices.ContainsFunc(list, func(e production.Exception) bool { return e.CF == cf })
	}
	for _, cf := range l.m.order {
		p := l.m.people[cf]
		served := false
		for _, c := range l.m.ofPerson(cf) {
			coming := c.over == "" && (c.at == making || c.at == back) && !d.After(c.expires)
			served = served || coming || len(l.m.printed(c, d)) == 0
		}
		if assisted(p, d) && !served && !excepted(cf) {
			rt.Fatalf("after a night %s has no card, none coming, and no exception (R7)", cf)
		}
		if !assisted(p, d) && len(l.m.living(cf)) > 0 {
			rt.Fatalf("after a night %s, not assisted on %s, has a living card", cf, d)
		}
	}
	for _, c := range l.m.cards {
		due := c.out() && (c.over == "" || c.over == "holder" && c.sent) && !c.expires.Before(d) && !c.expires.After(d.AddDays(renewalDays))
		// A card bound to a permit of stay that was not renewed is followed by none.
		if last, ok := expiry(l.m.people[c.holder], d, false); !due || !assisted(l.m.people[c.holder], d) || ok && !last.After(c.expires) {
			continue
		}
		next := 0
		for _, n := range c.after() {
			if n.over == "" {
				next++
			}
		}
		if next == 0 && !excepted(c.holder) { // never two at the end of a chain: check
			rt.Fatalf("card %s ends on %s and no living card follows it (R23)", c.id, c.expires)
		}
	}
}

func (m *model) ofPerson(cf codicefiscale.Code) (out []*card) {
	for _, c := range m.cards {
		if c.holder == cf {
			out = append(out, c)
		}
	}
	return out
}

// makes lets the bureau work; a card may be spoiled, and is made again.
func (l *life) makes(rt *rapid.T) {
	bad := rapid.IntRange(0, 9).Draw(rt, "spoiled")
	l.try(rt, "bureau", true, func() error {
		return l.w.bureau.Work(func(card string) bool { return int(card[13]-'0') == bad && bad < 2 })
	})
}

// advances takes the batches on without a night.
func (l *life) advances(rt *rapid.T) {
	l.try(rt, "advance", true, func() error {
		_, err := l.w.plant.AdvanceAll(l.ctx)
		return err
	})
	l.batched(rt)
}

// posts ships what the bureau has finished.
func (l *life) posts(rt *rapid.T) {
	l.try(rt, "ship", true, func() error {
		return l.batches(production.Received, func(id string) error {
			_, err := l.w.plant.Ship(l.ctx, id)
			return err
		})
	})
	s := l.look(rt)
	for _, c := range l.m.cards {
		if c.over == "" && c.at == making && l.before.cards[c.id].State == lifecycle.Produced && s.cards[c.id].State == lifecycle.Shipped {
			c.at, c.sent, c.postedAt = posted, true, l.now()
		}
	}
}

// delivers brings everything home that is on its way.
func (l *life) delivers(rt *rapid.T) {
	l.try(rt, "deliver", true, func() error {
		return l.batches(production.Sent, func(id string) error {
			_, err := l.w.plant.Deliver(l.ctx, id)
			return err
		})
	})
	for _, c := range l.m.cards {
		if c.over == "" && c.at == posted {
			c.at, c.arrivedAt = arrived, l.now()
		}
	}
}

func (l *life) batches(state production.State, do func(id string) error) error {
	list, err := l.w.db.Batches().List(l.ctx, false)
	if err != nil {
		return err
	}
	for _, b := range list {
		if b.State != state {
			continue
		}
		if err := do(b.ID); err != nil {
			return err
		}
	}
	return nil
}

// line is a night, and all that follows it until what was ordered is at home.
func (l *life) line(rt *rapid.T) {
	for _, step := range []func(*rapid.T){l.night, l.makes, l.advances, l.makes, l.advances, l.posts, l.delivers} {
		step(rt)
		l.check(rt)
	}
}

// renewal lets the time come at which a card in use gets its successor, and the
// successor arrive.
func (l *life) renewal(rt *rapid.T) {
	fits := func(c *card) bool {
		return c.used && c.over == "" && c.next == nil && assisted(l.m.people[c.holder], c.expires)
	}
	c := l.pick(rt, func(c *card) bool { return fits(c) && c.activatedByHolder && !c.held })
	to := c.expires.AddDays(-rapid.IntRange(1, renewalDays).Draw(rt, "days left"))
	if !fits(c) || !to.After(l.day()) || !to.Before(lastDay) {
		return
	}
	l.w.clock.Set(to.Start().Add(10 * time.Hour))
	l.line(rt)
	if rapid.Bool().Draw(rt, "from home") {
		l.fromHome(rt)
	}
}

// returns is the post that brings a card back, or takes one that came back again.
func (l *life) returns(rt *rapid.T) {
	c := l.pick(rt, func(c *card) bool { return c.over == "" && c.sent && !c.used })
	event, act := lifecycle.Return, "card.returned"
	if c.at == back {
		event, act = lifecycle.Ship, "card.shipped"
	}
	if c.over != "" || !c.sent || c.used {
		return
	}
	l.try(rt, "return", true, func() error {
		return l.w.db.Atomically(l.ctx, func(ctx context.Context) error {
			x, err := l.w.db.Cards().Get(ctx, c.id)
			if err == nil {
				x, err = lifecycle.Move(x, event, "", l.now())
			}
			if err == nil {
				_, err = l.w.db.Cards().Put(ctx, x)
			}
			if err != nil {
				return err
			}
			return l.w.trail.Record(ctx, journal.Entry{Act: act, Actor: "centro", Office: "asl1", Card: c.id, Person: string(c.holder)})
		})
	})
	if c.at == back {
		c.at, c.postedAt = posted, l.now()
		return
	}
	c.at, c.arrivedAt = back, time.Time{}
}

// mails lets the post office work.
func (l *life) mails(rt *rapid.T) {
	l.try(rt, "mails", true, func() error { return l.w.postOffice(l.ctx) })
}

// reads is an operator at the search and a sheet.
func (l *life) reads(rt *rapid.T) {
	c := l.pick(rt, func(*card) bool { return true })
	op := l.operator(rt, func(op staff.Operator) bool { return l.m.entitled(op, "view", "") })
	var s counter.Sheet
	did := l.try(rt, "sheet of "+c.id+" by "+op.Account, l.m.entitled(op, "view", ""), func() error {
		hits, err := l.w.counter.Search(l.ctx, op, c.id)
		if err == nil {
			s, err = l.w.counter.Sheet(l.ctx, op, hits[0].Person.CF)
		}
		return err
	})
	if !did {
		return
	}
	if recs := l.fresh(rt); len(recs) != 1 || recs[0].Act != "holder.viewed" || recs[0].Actor != op.Account {
		rt.Fatalf("a look at a sheet left %+v", recs)
	}
	for _, x := range s.Cards {
		for _, o := range l.w.counter.Offers(op, x.Card, s.Person.ASL) {
			f := form{kind: o.Kind}
			if may := l.m.entitled(op, f.right(), s.Person.ASL); may != (o.Refusal == nil) {
				rt.Fatalf("%s is offered to %s at %s: %v; the matrix says %v", o.Kind, op.Account, op.Office.ID, o.Refusal, may)
			}
		}
	}
	b, err := json.Marshal(s)
	l.must(rt, err)
	l.answers = append(l.answers, string(b))
}
