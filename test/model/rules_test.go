package model

import (
	"slices"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
)

// The rules, written a second time from the catalogue (docs/rules.md), by facts
// about plastic and people instead of states and events.

// place is where the plastic is.
type place int

const (
	making  place = iota // ordered, at the bureau, not posted yet
	posted               // on its way
	arrived              // at its holder's
	back                 // the post brought it back
)

// card is a card as the model knows it.
type card struct {
	id, team        string
	holder          codicefiscale.Code
	chip            bool
	issued, expires civil.Date
	at              place
	// batched: in the making, and no longer merely ordered.
	batched bool
	// sent tells that it was posted once.
	sent                bool
	postedAt, arrivedAt time.Time
	used, held          bool
	usedAt              time.Time
	over                string // why it ended, empty while it lives
	overAt              time.Time
	corrected           bool
	next                *card // the card that was ordered to follow it
	withdrawn           bool
	handedTo            []recipient // to whom codes were given
	waits               bool        // on hold until there are new codes, which the model does not give
	reprints            []time.Time
	wrongCIP            time.Time // the last wrong one
	phone               question
	activatedByHolder   bool
}

// recipient is who was given codes: the holder, a parent, …, and who that was.
type recipient struct {
	by  string
	who codicefiscale.Code
}

// question is what the call centre asks about a card.
type question struct {
	until time.Time
	wrong int
	last  time.Time // the last wrong answer
}

// title is a right to stand for somebody, declared at a counter.
type title struct {
	holder, who codicefiscale.Code
	parent      bool
	until       civil.Date // a guardian's last day, zero: until revoked
}

// model is all that it knows.
type model struct {
	people map[codicefiscale.Code]registry.Person
	order  []codicefiscale.Code
	cards  []*card
	titles []title
}

func (m *model) card(id string) *card {
	for _, c := range m.cards {
		if c.id == id {
			return c
		}
	}
	return nil
}

// out tells that the plastic has left for its holder and not come back.
func (c *card) out() bool { return c.at == posted || c.at == arrived }

func alive(p registry.Person, d civil.Date) bool { return p.Died.IsZero() || d.Before(p.Died) }

// assisted: from the first day to the last, both included, in life.
func assisted(p registry.Person, d civil.Date) bool {
	return alive(p, d) && !p.AssistedFrom.IsZero() && !d.Before(p.AssistedFrom) && (p.AssistedUntil.IsZero() || !d.After(p.AssistedUntil))
}

func minor(p registry.Person, d civil.Date) bool {
	return d.Before(civil.Date{Year: p.Born.Year + 18, Month: p.Born.Month, Day: p.Born.Day})
}

func dependent(p registry.Person, d civil.Date) bool { return minor(p, d) || p.UnderGuardianship }

// capable: whoever stands for somebody else is a living adult who decides for himself.
func capable(p registry.Person, d civil.Date) bool { return alive(p, d) && !dependent(p, d) }

// follower is the card that counts as the one that follows c: one that ended
// before it was ever used (lost on its way) counts for nothing.
func (c *card) follower() *card {
	n := c.next
	for n != nil && n.over != "" && !n.used && n.next != nil {
		n = n.next
	}
	return n
}

// newCardCame tells that a card after c has reached the holder, whatever became
// of it later; the post's word counts for nothing once he said that it did not.
func (c *card) newCardCame() bool {
	for n := c.next; n != nil; n = n.next {
		if !n.arrivedAt.IsZero() && n.over != "not-received" {
			return true
		}
	}
	return false
}

// overtaken is table D.11: the old CNS ends 30 days after the activation of a
// successor with a chip; after a correction (R30) with the activation itself,
// and at the latest 60 days after the posting of the new card. A successor
// without a chip leaves it alone (R107).
func (c *card) overtaken(d civil.Date) bool {
	n := c.follower()
	switch {
	case n == nil:
		return false
	case c.corrected && n.used && !d.Before(civil.DayOf(n.usedAt)):
		return true
	case c.corrected && !n.used && n.sent && d.After(civil.DayOf(n.postedAt).AddDays(60)):
		return true
	case !c.corrected && n.chip && n.used && d.After(civil.DayOf(n.usedAt).AddDays(30)):
		return true
	}
	return false
}

// worth are the states that a function may have: empty means valid.
type worth []string

// printed is TS, and TEAM where there is a right abroad: to the printed date,
// unless the event says otherwise.
func (m *model) printed(c *card, d civil.Date) (out worth) {
	p := m.people[c.holder]
	out = c.taxCode()
	if d.After(c.expires) {
		out = append(out, "expired")
	}
	off := c.over == "loss" || c.over == "theft" || c.over == "not-received" || c.over == "death" || c.over == "end-assistance"
	if c.over == "chip-fault" || c.over == "wrong-data" || c.corrected {
		off = off || c.newCardCame()
	}
	if off || !assisted(p, d) {
		out = append(out, "ended")
	}
	return out
}

func (m *model) abroad(c *card, d civil.Date) worth {
	out := m.printed(c, d)
	if len(out) == 0 && !m.people[c.holder].AbroadRight {
		out = append(out, "absent")
	}
	return out
}

// taxCode stays valid always, once the card is there. A card that ended before
// it was posted never will be.
func (c *card) taxCode() (out worth) {
	switch {
	case c.over != "" && !c.sent:
		out = append(out, "ended")
	case c.over == "" && (!c.sent || c.at == back):
		out = append(out, "pending")
	}
	return out
}

// cns: what has ended it for good comes before what is passing.
func (m *model) cns(c *card, d civil.Date) (out worth) {
	if !c.chip {
		return worth{"absent"}
	}
	p := m.people[c.holder]
	if c.over != "" && c.over != "expired" || c.over == "" && c.overtaken(d) || !alive(p, d) || !p.AssistedUntil.IsZero() && d.After(p.AssistedUntil) {
		out = append(out, "revoked")
	}
	if d.After(c.expires) || c.over == "expired" {
		out = append(out, "expired")
	}
	switch {
	case len(out) > 0:
	case c.held:
		out = append(out, "suspended")
	case c.used:
	case c.out():
		out = append(out, "not-activated")
	default:
		out = append(out, "pending")
	}
	return out
}

// expiry is the last day of a card made on day d; ok is false when the datum is
// missing that decides it (R24, R43, R45).
func expiry(p registry.Person, d civil.Date, first bool) (last civil.Date, ok bool) {
	last = d.AddYears(6)
	if born := p.Born; first && d.Before(civil.Date{Year: born.Year + 1, Month: born.Month, Day: born.Day}) {
		last = d.AddYears(1)
	}
	if p.Citizenship == "IT" {
		return last, true
	}
	if p.Permit.Kind != registry.PermitUntil || p.Permit.Until.Before(d) {
		return last, false
	}
	if p.Permit.Until.Before(last) {
		last = p.Permit.Until
	}
	return last, true
}

// matrix is the permission matrix: own ASL, other ASL, Revenue Agency, Comune,
// URP, pharmacy that takes part. c: where the configuration says so.
var matrix = map[string]string{
	"activate":     "yy-yyy",
	"represented":  "yy-yyc",
	"reprint":      "yy-yyc",
	"email":        "yy-yyc",
	"not-received": "y-y---",
	"chip-fault":   "y-y---",
	"loss":         "y-y---",
	"revoke":       "yyyyy-",
	"suspend":      "yyyyyy",
	"reactivate":   "yy-yy-",
	"correction":   "--y---",
	"view":         "yyyyyy",
}

// atPharmacies are the configurable acts that pharmacies of this Region do.
var atPharmacies = map[string]bool{"reprint": true}

// may asks the matrix for an operator at his counter, and refuses his own card
// and that of whom he stands for.
func (m *model) may(op staff.Operator, act string, holder codicefiscale.Code) bool {
	p := m.people[holder]
	if op.CF == p.CF {
		return false
	}
	for _, g := range p.Guardians {
		if g.CF == op.CF {
			return false
		}
	}
	for _, t := range m.titles {
		if t.holder == holder && t.who == op.CF {
			return false
		}
	}
	return m.entitled(op, act, p.ASL)
}

func (m *model) entitled(op staff.Operator, act, asl string) bool {
	serves := false
	for _, r := range op.Roles {
		serves = serves || r == staff.RoleOperator || r == staff.RoleSupervisor
		if r == staff.RoleCallCentre && act == "view" {
			return true
		}
	}
	if !serves {
		return false
	}
	column := map[staff.OfficeType]int{staff.ASL: 1, staff.ADE: 2, staff.Comune: 3, staff.URP: 4, staff.Pharmacy: 5}[op.Office.Type]
	if op.Office.Type == staff.ASL && op.Office.ASL == asl {
		column = 0
	}
	if op.Office.Type == staff.Pharmacy && !op.Office.TakesPart && act != "view" {
		return false
	}
	switch matrix[act][column] {
	case 'y':
		return true
	case 'c':
		return atPharmacies[act]
	}
	return false
}

// standsFor tells whether who has a title for holder on day d: the registry's,
// or one declared at a counter; a parent's ends at eighteen, every title when
// the holder needs nobody any more.
func (m *model) standsFor(who, holder codicefiscale.Code, d civil.Date) bool {
	p := m.people[holder]
	if !dependent(p, d) || !p.AliveOn(d) { // nobody stands for the dead
		return false
	}
	for _, g := range p.Guardians {
		if g.CF == who && !d.Before(g.From) && (g.Until.IsZero() || !d.After(g.Until)) && (g.Kind != registry.Parent || minor(p, d)) {
			return true
		}
	}
	for _, t := range m.titles {
		if t.holder == holder && t.who == who && (!t.parent || minor(p, d)) && (t.until.IsZero() || !d.After(t.until)) {
			return true
		}
	}
	return false
}

// declare puts a title on file; the same one again takes the place of the former.
func (m *model) declare(t title) {
	m.titles = slices.DeleteFunc(m.titles, func(x title) bool { return x.holder == t.holder && x.who == t.who && x.parent == t.parent })
	m.titles = append(m.titles, t)
}

// others tells that codes of a card were given to somebody who may not have them
// any more: a representative whose title has ended.
func (m *model) others(c *card, d civil.Date) bool {
	return slices.ContainsFunc(c.handedTo, func(r recipient) bool {
		return (r.by == "genitore" || r.by == "tutore") && !m.standsFor(r.who, c.holder, d)
	})
}

// living are the cards of somebody that have not ended.
func (m *model) living(cf codicefiscale.Code) (out []*card) {
	for _, c := range m.cards {
		if c.holder == cf && c.over == "" {
			out = append(out, c)
		}
	}
	return out
}

// after lists the cards that follow c, in order.
func (c *card) after() (out []*card) {
	for n := c.next; n != nil; n = n.next {
		out = append(out, n)
	}
	return out
}

// reissues tells whether an act that asks for a card in c's place orders one
// now: nobody follows c who lives, the holder is assisted, and no datum is missing.
func (m *model) reissues(c *card, d civil.Date) bool {
	for _, n := range c.after() {
		if n.over == "" {
			return false
		}
	}
	p := m.people[c.holder]
	_, ok := expiry(p, d, false)
	return ok && assisted(p, d)
}
