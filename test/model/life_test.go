package model

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"pgregory.net/rapid"

	"cse.example/cse/engine/audit"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
	"cse.example/cse/pki/ca"
)

// life is one run: the real rooms and the model, side by side.
type life struct {
	w   *world
	m   *model
	ctx context.Context
	// records is the number of the last record of the trail that was looked at.
	records int64
	// rows are the acts at counters so far.
	rows map[string]counter.ActRow
	// acts are what is still to be printed or handed over, the last one last.
	acts []*done
	// last repeats the last act of one form, for who presses twice.
	last func() (counter.Act, error)
	// codes are everybody's codes, as the holders know them.
	codes map[string][]whole
	// answers are what the rooms gave to pages.
	answers []string
	before  snapshot
	counts  map[string]int
	// hold tells that minors.at18 is hold.
	hold bool
	// joining tells that whoever stands there is to be a second one.
	joining bool
	// sources are how many addresses have tried a CIP.
	sources int
}

// done is an act at a counter and what became of its papers.
type done struct {
	counter.Act
	op                         staff.Operator
	printed, handed, withCodes bool
	// replaced tells that a later reprint took the place of the sheet.
	replaced bool
}

// snapshot is the store before an act.
type snapshot struct {
	cards map[string]lifecycle.Card
	certs map[string]ca.State
}

func (l *life) now() time.Time       { return l.w.clock.Now() }
func (l *life) day() civil.Date      { return civil.DayOf(l.now()) }
func (l *life) wait(d time.Duration) { l.w.clock.Advance(d) }

// born opens a life: the model learns who lives in the region and what cards
// they were given.
func born(rt *rapid.T, w *world) *life {
	l := &life{
		w: w, m: &model{people: map[codicefiscale.Code]registry.Person{}}, ctx: context.Background(),
		rows: map[string]counter.ActRow{}, codes: map[string][]whole{}, counts: map[string]int{},
	}
	l.hold = rapid.Bool().Draw(rt, "hold")
	for _, p := range townspeople() {
		l.m.people[p.CF], l.m.order = p, append(l.m.order, p.CF)
	}
	l.before = snapshot{cards: map[string]lifecycle.Card{}}
	l.adopt(rt)
	for _, c := range l.m.cards {
		c.batched, c.sent, c.at, c.postedAt, c.arrivedAt = true, true, arrived, start, start
	}
	l.before = l.look(rt)
	head, err := w.trail.Head(l.ctx)
	l.must(rt, err)
	l.records = head.Index
	return l
}

func (l *life) must(rt *rapid.T, err error) {
	rt.Helper()
	if err != nil {
		rt.Fatal(err)
	}
}

// look reads every card and its certificate.
func (l *life) look(rt *rapid.T) snapshot {
	s := snapshot{cards: map[string]lifecycle.Card{}, certs: map[string]ca.State{}}
	cards, err := l.w.db.Cards().Each(l.ctx, "", 10_000)
	l.must(rt, err)
	for _, c := range cards {
		s.cards[c.ID] = c
	}
	certs, err := l.w.db.PKI().Each(l.ctx, "", 10_000)
	l.must(rt, err)
	for _, r := range certs {
		s.certs[r.Serial] = r.State
	}
	return s
}

// try does one act and compares with what the model foresaw. What was refused
// changed no card, no certificate and no act, and left no record, but those of
// the kinds named.
func (l *life) try(rt *rapid.T, what string, foreseen bool, act func() error, leaves ...string) bool {
	rt.Helper()
	err := act()
	rt.Logf("%s: %s: %v", l.now().In(civil.Rome).Format(time.DateTime), what, err)
	if err != nil && words.FaultOf(err) == nil {
		rt.Fatalf("%s: %v", what, err)
	}
	if (err == nil) != foreseen {
		rt.Fatalf("%s on %s: %v; the model says %v", what, l.now().In(civil.Rome).Format(time.RFC3339), err, foreseen)
	}
	if err == nil {
		l.counts[strings.Fields(what)[0]]++
		return true
	}
	l.answers = append(l.answers, err.Error())
	l.counts["refused"]++
	if after := l.look(rt); !maps.Equal(after.cards, l.before.cards) || !maps.Equal(after.certs, l.before.certs) {
		rt.Fatalf("%s was refused (%v) and changed a card", what, err)
	}
	for _, r := range l.fresh(rt) {
		if !slices.Contains(leaves, r.Act) {
			rt.Fatalf("%s was refused (%v) and recorded %s", what, err, r.Act)
		}
	}
	if rows := l.newRows(rt); len(rows) > 0 {
		rt.Fatalf("%s was refused (%v) and left an act", what, err)
	}
	return false
}

// fresh are the records of the trail since the last look.
func (l *life) fresh(rt *rapid.T) []audit.Record {
	recs, err := l.w.trail.Page(l.ctx, l.records, 0)
	l.must(rt, err)
	return recs
}

// newRows are the acts at counters since the last look.
func (l *life) newRows(rt *rapid.T) (out []counter.ActRow) {
	rows, err := l.w.db.Acts().Each(l.ctx, "", 10_000)
	l.must(rt, err)
	for _, r := range rows {
		if _, known := l.rows[r.Protocol]; !known {
			out = append(out, r)
		}
	}
	return out
}

// written checks what an act at a counter leaves: one row, one record of its
// own, a protocol number of this year that nobody has.
func (l *life) written(rt *rapid.T, a counter.Act, kind counter.ActKind, op staff.Operator, c *card) {
	rows := l.newRows(rt)
	if len(rows) != 1 {
		rt.Fatalf("%s left %d acts", kind, len(rows))
	}
	r := rows[0]
	l.rows[r.Protocol] = r
	if r.Protocol != a.Protocol || r.Kind != kind || r.Card != c.id || r.Operator != op.Account || r.Office != op.Office.ID || !r.At.Equal(l.now()) {
		rt.Fatalf("%s by %s at %s on card %s left the act %+v", kind, op.Account, op.Office.ID, c.id, r)
	}
	l.recorded(rt, string(kind), a.Protocol, op.Account, op.Office.ID, c)
	b, err := json.Marshal(a)
	l.must(rt, err)
	l.answers = append(l.answers, string(b))
}

// recorded checks that exactly one new record carries the protocol number.
func (l *life) recorded(rt *rapid.T, what, protocol, actor, office string, c *card) {
	if !strings.HasPrefix(protocol, fmt.Sprintf("%04d/", l.day().Year)) {
		rt.Fatalf("%s: protocol number %s on %s", what, protocol, l.day())
	}
	n := 0
	for _, r := range l.fresh(rt) {
		if r.Detail["protocol"] != protocol {
			continue
		}
		n++
		if r.Actor != actor || r.Office != office || r.Card != c.id || !r.At.Equal(l.now()) {
			rt.Fatalf("%s by %s at %q on card %s: the record says %+v", what, actor, office, c.id, r)
		}
	}
	of, err := l.w.trail.ByPerson(l.ctx, string(c.holder), l.records, 0)
	l.must(rt, err)
	mine := slices.ContainsFunc(of, func(r audit.Record) bool { return r.Detail["protocol"] == protocol })
	if n != 1 || !mine {
		rt.Fatalf("%s: %d records of protocol number %s, under the holder's name: %v", what, n, protocol, mine)
	}
}

// adopt lets the model see the cards that were ordered: each for somebody who
// has a right to it, with the last day that the rules give, in the place of one
// card only. It answers how many.
func (l *life) adopt(rt *rapid.T) int {
	s, n := l.look(rt), 0
	for _, id := range slices.Sorted(maps.Keys(s.cards)) {
		x := s.cards[id]
		if l.m.card(id) != nil {
			continue
		}
		n++
		p, d := l.m.people[x.CF], l.day()
		if want, ok := expiry(p, d, len(l.ofPerson(x.CF)) == 0); !assisted(p, d) || !ok || x.Issued != d || x.Expires != want {
			rt.Fatalf("card %s ordered on %s, issued %s, until %s; want %s (%v) for %+v", id, d, x.Issued, x.Expires, want, ok, p)
		}
		c := &card{id: id, team: x.TEAM, holder: x.CF, chip: x.Model == lifecycle.TSCNS, issued: x.Issued, expires: x.Expires}
		if x.Replaces != "" {
			old := l.m.card(x.Replaces)
			if old == nil || old.next != nil || old.holder != c.holder {
				rt.Fatalf("card %s takes the place of %s, which has %+v", id, x.Replaces, old)
			}
			old.next = c
		}
		l.m.cards = append(l.m.cards, c)
	}
	return n
}

func (l *life) ofPerson(cf codicefiscale.Code) (out []*card) {
	for _, c := range l.m.cards {
		if c.holder == cf {
			out = append(out, c)
		}
	}
	return out
}

// often draws true more often than not.
func often(rt *rapid.T, label string) bool { return rapid.IntRange(0, 4).Draw(rt, label) > 0 }

// seldom draws true now and then.
func seldom(rt *rapid.T, label string) bool { return rapid.IntRange(0, 5).Draw(rt, label) == 5 }

// pick draws a card, often one that fits.
func (l *life) pick(rt *rapid.T, fits func(c *card) bool) *card {
	all := l.m.cards
	if some := slices.DeleteFunc(slices.Clone(all), func(c *card) bool { return !fits(c) }); len(some) > 0 && often(rt, "fitting") {
		all = some
	}
	return all[rapid.IntRange(0, len(all)-1).Draw(rt, "card")]
}

// operator draws somebody at one of his counters, often one who may.
func (l *life) operator(rt *rapid.T, may func(op staff.Operator) bool) staff.Operator {
	var all, some []staff.Operator
	for _, a := range []string{"ada", "capo", "madre", "voce", "centro", "revisore", "garante"} {
		op, err := l.w.directory.OperatorByAccount(a)
		l.must(rt, err)
		for _, o := range op.Offices {
			here, err := op.At(o.ID)
			l.must(rt, err)
			all = append(all, here)
			if may(here) {
				some = append(some, here)
			}
		}
	}
	if len(some) > 0 && often(rt, "entitled") {
		all = some
	}
	return all[rapid.IntRange(0, len(all)-1).Draw(rt, "operator")]
}

// document is what lies on the counter, and the last day on which it proves anything.
func (l *life) document(rt *rapid.T) (counter.Document, func(d civil.Date) bool) {
	d := counter.Document{Kind: counter.ElectronicCard, Number: "CA00000AA", Issuer: "Ministero dell'Interno", Issued: l.day().AddYears(-4), Expires: l.day().AddYears(6)}
	good := true
	switch rapid.IntRange(0, 15).Draw(rt, "document") {
	case 15:
		d.Expires = l.day().AddDays(-1)
	case 14:
		d.Expires = l.day() // good on its last day
	case 13:
		d.Kind, good = counter.HealthServiceCard, false // R40
	}
	return d, func(on civil.Date) bool { return good && !on.After(d.Expires) }
}

// stance is who stands at the counter for a card's holder.
type stance struct {
	counter.IdentityStep
	by string
	// fits tells whether he may speak on a day, at an operator's counter.
	fits func(op staff.Operator, d civil.Date) bool
}

// recipient is he, where he is given codes.
func (s stance) recipient() recipient {
	r := recipient{by: s.by}
	if s.Representative != nil {
		r.who = s.Representative.CF
	}
	return r
}

// title is what he declares for a card's holder.
func (s stance) title(c *card) title {
	return title{c.holder, s.Representative.CF, s.by == "genitore", s.Representative.Until}
}

// length draws until when a guardian says that his title lasts; the answer tells
// whether that may be declared on a day.
func (l *life) length(rt *rapid.T, r *counter.Representative) func(d civil.Date) bool {
	r.Title = rapid.SampledFrom(counter.Titles()).Draw(rt, "title")
	switch rapid.IntRange(0, 9).Draw(rt, "length") {
	case 9:
		return func(civil.Date) bool { return false } // neither a day nor until revoked
	case 5, 6, 7, 8:
		until := l.day().AddDays(rapid.SampledFrom([]int{-1, 0, 1, 30, 300}).Draw(rt, "until"))
		r.Until = until
		return func(d civil.Date) bool { return !d.After(until) }
	}
	r.UntilRevoked = true
	provisional := r.Title == counter.TitleProvisional
	return func(civil.Date) bool { return !provisional }
}

// stands draws somebody, often the right one. activating tells an activation,
// where a title may be declared and a delegate may come, from other acts.
func (l *life) stands(rt *rapid.T, c *card, activating bool) stance {
	p := l.m.people[c.holder]
	doc, good := l.document(rt)
	right := "titolare"
	if dependent(p, l.day()) {
		right = "genitore"
		if !minor(p, l.day()) {
			right = "tutore"
		}
	}
	by := right
	if !often(rt, "the right one") {
		by = rapid.SampledFrom([]string{"titolare", "genitore", "tutore", "delegato"}).Draw(rt, "present")
	}
	if activating && right == "titolare" && seldom(rt, "a delegate") {
		by = "delegato"
	}
	s := stance{IdentityStep: counter.IdentityStep{Present: counter.Present(by), Document: doc}, by: by}
	if by == "titolare" {
		s.fits = func(_ staff.Operator, d civil.Date) bool { return !dependent(p, d) && good(d) }
		return s
	}
	who := l.m.people[l.m.order[rapid.IntRange(0, len(l.m.order)-1).Draw(rt, "who")]]
	if len(p.Guardians) > 0 && !l.joining && often(rt, "the registry's") {
		who = l.m.people[p.Guardians[0].CF]
	}
	r := &counter.Representative{CF: who.CF, Surname: who.Surname, Name: who.Name}
	s.Representative = r
	if by == "delegato" {
		return l.delegate(rt, s, p, who, activating, good)
	}
	r.Declared = often(rt, "declared")
	ownCard := true
	if cards := l.m.living(who.CF); len(cards) > 0 {
		r.Card = cards[0].id
	} else if r.NoCard = "cittadino straniero"; seldom(rt, "no reason") {
		r.NoCard, ownCard = "", false
	}
	length := func(civil.Date) bool { return true }
	if activating && by == "tutore" {
		length = l.length(rt, r)
	}
	s.fits = func(op staff.Operator, d civil.Date) bool {
		switch {
		case who.CF == op.CF || !good(d) || !capable(who, d):
			return false
		case !activating:
			return l.m.standsFor(who.CF, p.CF, d)
		}
		return dependent(p, d) && (by == "tutore" || minor(p, d)) && who.CF != p.CF && r.Declared && ownCard && length(d) && l.m.entitled(op, "represented", p.ASL)
	}
	return s
}

// delegate is somebody sent by an ill adult, with his four papers (R95-R100).
func (l *life) delegate(rt *rapid.T, s stance, p, who registry.Person, activating bool, good func(civil.Date) bool) stance {
	r := s.Representative
	r.Health, r.Delegation, r.Copy = often(rt, "health"), often(rt, "delegation"), often(rt, "copy")
	s.fits = func(op staff.Operator, d civil.Date) bool {
		return activating && !dependent(p, d) && r.Health && r.Delegation && r.Copy && who.CF != p.CF && who.CF != op.CF && good(d) && capable(who, d) &&
			l.m.entitled(op, "represented", p.ASL)
	}
	return s
}

// address is the holder's own.
func (c *card) address() string { return strings.ToLower(string(c.holder)) + "@posta.example" }
