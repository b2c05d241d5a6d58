package counter

import (
	"context"
	"errors"
	"slices"
	"strconv"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
)

// AtMajority is what happens to a card when its holder comes of age, his
// guardianship ends, or a guardian's title does.
type AtMajority string

// The choices of the configuration (minors.at18). The rights of whoever stood
// for him end in either case, by date.
const (
	MajorityNotify AtMajority = "notify" // everybody is told, and new codes are offered
	MajorityHold   AtMajority = "hold"   // and the CNS is on hold until they are given
)

// ComeOfAge is the look, after midnight in Rome, at titles that have ended: of each
// holder all of them together, in one act. Whoever stood for him is told, so are
// the holder and who still stands for him, and new codes are offered; with
// MajorityHold a card whose codes one of them had is on hold until new ones are
// given (hold.go). Done twice it does nothing more. It answers how many titles
// ended.
func (c *Counter) ComeOfAge(ctx context.Context, how AtMajority) (int, error) {
	n := 0
	for after := codicefiscale.Code(""); ; {
		links, err := c.d.Links.OpenLinks(ctx, after, 500)
		if err != nil || len(links) == 0 {
			return n, err
		}
		for _, l := range links {
			if l.Holder == after {
				continue // his were looked at together
			}
			after = l.Holder
			ended, err := c.comeOfAge(ctx, l.Holder, how)
			if err != nil {
				return n, err
			}
			n += ended
		}
	}
}

// comeOfAge ends what is over of one holder's titles.
func (c *Counter) comeOfAge(ctx context.Context, holder codicefiscale.Code, how AtMajority) (ended int, err error) {
	c = c.still()
	err = c.d.Atomically(ctx, func(ctx context.Context) error {
		ended = 0
		p, over, err := c.over(ctx, holder)
		if err != nil || len(over) == 0 {
			return err
		}
		ended = len(over)
		for _, l := range over {
			if err := c.d.Links.EndLink(ctx, l, c.d.Clock.Now()); err != nil {
				return err
			}
			if err := c.d.Record(ctx, journal.Entry{
				Act: "representation.ended", Actor: "system:night", Person: string(p.CF),
				Detail: map[string]string{"protocol": l.Protocol, "how": string(how), "why": l.why(p, c.today())},
			}); err != nil {
				return err
			}
		}
		if !p.AliveOn(c.today()) {
			return nil // his cards ended with him, and nobody is congratulated
		}
		gone, err := c.gone(ctx, p, over)
		if err != nil || len(gone) == 0 {
			return err
		}
		held := false
		if how == MajorityHold {
			if held, err = c.holdFor(ctx, p, gone); err != nil {
				return err
			}
		}
		return c.tellEnded(ctx, p, gone, held)
	})
	if err != nil {
		return 0, err
	}
	return ended, nil
}

// over lists the open titles over a holder that do not last any more; none for
// somebody whom the registry has lost.
func (c *Counter) over(ctx context.Context, holder codicefiscale.Code) (p registry.Person, over []Link, err error) {
	p, err = c.d.People.Get(ctx, holder)
	if errors.Is(err, registry.ErrUnknown) {
		return p, nil, nil
	}
	if err != nil {
		return p, nil, err
	}
	links, err := c.d.Links.LinksOf(ctx, holder)
	for _, l := range links {
		if l.EndedAt.IsZero() && !l.Lasts(p, c.today()) {
			over = append(over, l)
		}
	}
	return p, over, err
}

// gone are the titles of those who stand for the holder by no other either: a
// provisional guardian may be a parent, too.
func (c *Counter) gone(ctx context.Context, p registry.Person, over []Link) ([]Link, error) {
	var out []Link
	for _, l := range over {
		stands, err := c.Stands(ctx, p, l.Representative)
		if err != nil {
			return nil, err
		}
		if !stands {
			out = append(out, l)
		}
	}
	return out, nil
}

// why is the reason for which a title ended, for the journal.
func (l Link) why(holder registry.Person, today civil.Date) string {
	switch {
	case !holder.AliveOn(today):
		return "death"
	case !l.Until.IsZero() && today.After(l.Until):
		return "term"
	case l.Kind == PresentParent && !holder.MinorOn(today):
		return "majority"
	case !needsSomebody(holder, today) && civil.DayOf(l.Since).Before(holder.Born.AddYears(18)):
		return "majority"
	case !needsSomebody(holder, today):
		return "guardianship-ended"
	}
	return "registry"
}

// tellEnded tells everybody whom the end of titles concerns: whoever had one, at
// each address that he is known by; the holder when he now speaks for himself, and
// otherwise whoever still stands for him.
func (c *Counter) tellEnded(ctx context.Context, p registry.Person, over []Link, held bool) error {
	cards, err := c.d.Cards.ByPerson(ctx, p.CF)
	if err != nil {
		return err
	}
	card, ok := lifecycle.Current(cards)
	if !ok {
		return nil // a title without a card: there is nothing to speak of
	}
	m := mailbag{c, over[0].Protocol, card.ID, 0}
	for _, l := range append(slices.Clone(over), c.namedUntilNow(p, over)...) {
		all, err := c.reachable(ctx, cards, l.Representative)
		if err != nil {
			return err
		}
		for _, to := range all {
			if err := m.send(ctx, RightsEnded, l.Protocol, to); err != nil {
				return err
			}
		}
	}
	if needsSomebody(p, c.today()) {
		rest, err := c.Standers(ctx, p.CF)
		for _, s := range rest {
			if err == nil && validEmail(s.Email) {
				err = m.send(ctx, AnotherLeft, "", reached{s.Email, firstName(s.Name), s.Lang})
			}
		}
		return err
	}
	event := OfAge
	if held {
		event = OfAgeHeld
	}
	own, err := c.ownAddresses(ctx, p)
	for _, to := range own {
		if err == nil {
			err = m.send(ctx, event, "", to)
		}
	}
	return err
}

// mailbag numbers the letters that follow the end of one holder's titles: each has
// a key of its own, the same however often the night is begun.
type mailbag struct {
	c        *Counter
	protocol string // of the first title
	card     string
	sent     int
}

// send asks for a letter about a title, or about the first one.
func (m *mailbag) send(ctx context.Context, e Event, protocol string, to reached) error {
	key := KindMailNotice + "/" + string(e) + "/" + m.protocol
	if m.sent > 0 {
		key += "/" + strconv.Itoa(m.sent)
	}
	m.sent++
	if protocol == "" {
		protocol = m.protocol
	}
	if to.Lang != words.English {
		to.Lang = words.Italian
	}
	return m.c.enqueue(ctx, key, KindMailNotice, m.card, Notice{
		Event: e, Protocol: protocol, Card: m.card, To: to.Email, FirstName: to.Name, At: m.c.d.Clock.Now(), Lang: to.Lang,
	})
}

// namedUntilNow are those whom the registry named until the holder spoke for
// himself, and who declared nothing: they are told too.
func (c *Counter) namedUntilNow(p registry.Person, over []Link) (out []Link) {
	today := c.today()
	if needsSomebody(p, today) {
		return nil
	}
	lastMinor := p.Born.AddYears(18).AddDays(-1)
	for _, g := range p.Guardians {
		known := slices.ContainsFunc(append(over, out...), func(l Link) bool { return l.Representative.Base() == g.CF.Base() })
		day := today.AddDays(-1)
		if g.Kind == registry.Parent {
			day = lastMinor
		}
		if !known && g.On(day) {
			out = append(out, Link{Holder: p.CF, Representative: g.CF})
		}
	}
	return out
}

// reachable are the addresses of a representative: those he gave in acts for the
// holder's cards, and his own. The dead are not written to.
func (c *Counter) reachable(ctx context.Context, cards []lifecycle.Card, cf codicefiscale.Code) ([]reached, error) {
	who, err := c.d.People.Get(ctx, cf)
	unknown := errors.Is(err, registry.ErrUnknown)
	if err != nil && !unknown {
		return nil, err
	}
	if !unknown && !who.AliveOn(c.today()) {
		return nil, nil
	}
	var out []reached
	add := func(x reached) {
		if validEmail(x.Email) && !slices.ContainsFunc(out, func(y reached) bool { return sameAddress(x.Email, y.Email) }) {
			out = append(out, x)
		}
	}
	for _, card := range cards {
		rows, err := c.d.Acts.ByCard(ctx, card.ID)
		if err != nil {
			return nil, err
		}
		for _, r := range rows {
			e, err := c.evidence(r)
			if err != nil {
				return nil, err
			}
			if x := e.Identity.Representative; x == nil || x.CF.Base() != cf.Base() || e.Identity.Present == PresentDelegate {
				continue
			}
			to, err := gave(r, e)
			if err != nil {
				return nil, err
			}
			add(to)
		}
	}
	if unknown {
		return out, nil
	}
	own, err := c.ownAddresses(ctx, who)
	for _, x := range own {
		add(x)
	}
	for i := range out {
		out[i].Name = firstName(who.Name) // acts of one form know no name
	}
	return out, err
}

// gave is the address that a representative gave in an act.
func gave(r ActRow, e Evidence) (reached, error) {
	to := reached{e.Contact.Email, firstName(e.Identity.Representative.Name), e.Contact.Lang}
	if r.Kind == KindJoin {
		own, err := joinedIn(e)
		to.Email, to.Lang = own.Email, own.Lang
		return to, err
	}
	return to, nil
}

// ownAddresses are those by which somebody is known himself: the book's, or what
// he told at his own acts, and the registry's.
func (c *Counter) ownAddresses(ctx context.Context, p registry.Person) ([]reached, error) {
	var email string
	var lang words.Lang
	var err error
	if c.d.Book != nil {
		email, _, lang, err = c.d.Book.Of(ctx, p.CF)
	} else {
		email, lang, err = c.KnownAddress(ctx, p.CF)
	}
	var out []reached
	for _, to := range []string{email, p.Email} {
		if validEmail(to) && (len(out) == 0 || !sameAddress(to, email)) {
			out = append(out, reached{to, firstName(p.Name), lang})
		}
	}
	return out, err
}

// given is the evidence of the newest act that gave a card's codes an address.
func (c *Counter) given(ctx context.Context, card string) (Evidence, bool, error) {
	rows, err := c.d.Acts.ByCard(ctx, card)
	if err != nil {
		return Evidence{}, false, err
	}
	for _, r := range rows {
		e, err := c.evidence(r)
		if err != nil {
			return Evidence{}, false, err
		}
		if e.Contact.Email == "" {
			continue
		}
		if x := e.Identity.Representative; x != nil {
			no, err := c.disowned(ctx, codicefiscale.Code(e.Form.CF), x.CF)
			if err != nil {
				return Evidence{}, false, err
			}
			if no {
				continue // an address that was never the holder's to give
			}
		}
		return e, true, nil
	}
	return Evidence{}, false, nil
}

// representativeName is the given name of whoever stood there.
func (f Form) representativeName() string {
	if f.Representative != nil {
		return f.Representative.Name
	}
	return f.Name
}
