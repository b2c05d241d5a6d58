package counter

import (
	"context"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
)

// Title is by what appointment a guardian declares that he stands for somebody.
type Title string

// The appointments. A provisional one is that of articles 419 and 405 of the civil
// code, or a special curator's: it always has a last day.
const (
	TitleTutor         Title = "tutore"
	TitleCurator       Title = "curatore"
	TitleAdministrator Title = "ads" // amministratore di sostegno
	TitleProvisional   Title = "provvisorio"
)

// Titles lists the appointments in the order of the form.
func Titles() []Title {
	return []Title{TitleTutor, TitleCurator, TitleAdministrator, TitleProvisional}
}

// declares checks what a guardian says about the length of his title, decision
// 0766: which it is (CSE-772), and one of two, its last day or that the decree sets
// none (CSE-773 for neither, CSE-774 for both); a provisional one has a last day
// (CSE-776), and one that is over gives no right (CSE-775). A parent's ends when the
// child is of age and asks nothing.
func (r *Representative) declares(by Present, today civil.Date) error {
	if by != PresentGuardian {
		r.Title, r.Until, r.UntilRevoked = "", civil.Date{}, false
		return nil
	}
	known := false
	for _, t := range Titles() {
		known = known || r.Title == t
	}
	switch {
	case !known:
		return words.Refuse("CSE-772").At("titolo")
	case r.UntilRevoked && !r.Until.IsZero():
		return words.Refuse("CSE-774").At("titolo_fino_al")
	case r.UntilRevoked && r.Title == TitleProvisional:
		return words.Refuse("CSE-776").At("titolo_fino_al")
	case !r.UntilRevoked && !r.Until.Valid():
		return words.Refuse("CSE-773").At("titolo_fino_al")
	case !r.UntilRevoked && today.After(r.Until):
		return words.Refuse("CSE-775", r.Until.Italian()).At("titolo_fino_al")
	}
	return nil
}

// Link is a title that was declared at a counter: from then on its owner stands
// for the holder, for as long as the holder needs it and the title lasts.
type Link struct {
	Holder, Representative codicefiscale.Code
	Kind                   Present
	Since                  time.Time
	Protocol               string
	// Until is a guardian's last day, from the decree; zero: until revoked.
	Until civil.Date
	// ByRegistry: nothing was declared, the registry names him. Such a link gives no
	// right of its own; it remembers whom to tell when the registry's word ends.
	ByRegistry bool
	// EndedAt is when its end was told to both; the right ended before, by date, or
	// then, for the reason Why (WhyUnconfirmed).
	EndedAt time.Time
	Why     string
}

// Lasts tells whether a title holds on a day: a parent's until the child comes of
// age, a guardian's while the guardianship and his appointment last. What the
// registry says later than the declaration comes before it.
func (l Link) Lasts(holder registry.Person, today civil.Date) bool {
	if !l.EndedAt.IsZero() || !holder.AliveOn(today) || !needsSomebody(holder, today) {
		return false
	}
	for _, g := range holder.GuardiansOn(today) {
		if g.CF.Base() == l.Representative.Base() {
			return true
		}
	}
	switch {
	case l.ByRegistry:
		return false
	case l.Kind == PresentParent && !holder.MinorOn(today):
		return false
	case !l.Until.IsZero() && today.After(l.Until):
		return false
	}
	return !l.overruled(holder, today)
}

// overruled tells that the registry, which does not name him today, ended his
// title after he declared it, or has put another guardian in the place of one.
func (l Link) overruled(holder registry.Person, today civil.Date) bool {
	declared := civil.DayOf(l.Since)
	for _, g := range holder.Guardians {
		his := g.CF.Base() == l.Representative.Base()
		switch {
		case his && !g.Until.IsZero() && !g.Until.Before(declared) && today.After(g.Until):
			return true
		case !his && l.Kind == PresentGuardian && g.Kind != registry.Parent && g.From.After(declared) && g.On(today):
			return true
		}
	}
	return false
}

// last is the last day of a title that has ended on its own, zero for none: the
// declared one's, or the registry's.
func (c *Counter) last(ctx context.Context, holder registry.Person, rep codicefiscale.Code) (civil.Date, error) {
	var last civil.Date
	today := c.today()
	later := func(d civil.Date) {
		if !d.IsZero() && today.After(d) && d.After(last) {
			last = d
		}
	}
	links, err := c.d.Links.LinksOf(ctx, holder.CF)
	for _, l := range links {
		if l.Representative.Base() == rep.Base() {
			later(l.Until)
		}
	}
	for _, g := range holder.Guardians {
		if g.CF.Base() == rep.Base() {
			later(g.Until)
		}
	}
	return last, err
}

// noTitle refuses who does not stand for a holder: CSE-777 when he did, until a
// day, CSE-447 when nobody says so.
func (c *Counter) noTitle(ctx context.Context, holder registry.Person, rep codicefiscale.Code) error {
	last, err := c.last(ctx, holder, rep)
	switch {
	case err != nil:
		return err
	case !last.IsZero():
		return words.Refuse("CSE-777", last.Italian()).At("rappresentante_cf")
	}
	return words.Refuse("CSE-447").At("rappresentante_cf")
}

// remember keeps, of a representative whom the registry names and who was given
// codes or had mails sent to him, that he is to be told when his title ends.
func (c *Counter) remember(ctx context.Context, f found, e Evidence) error {
	by, r := e.Identity.Present, e.Identity.Representative
	if r == nil || by != PresentParent && by != PresentGuardian || e.Contact.Email == "" && !e.Contact.NoEmail {
		return nil
	}
	return c.d.Links.AddLink(ctx, Link{
		Holder: f.Person.CF, Representative: r.CF, Kind: by, Since: e.Form.At, Protocol: e.Form.Protocol, ByRegistry: true,
	})
}
