package portal

import (
	"html/template"
	"net/http"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/team"
	"cse.example/cse/portal/look"
)

// functionView is one function of a card in the page's language.
type functionView struct {
	// ID is ts, cf, team or cns; it is the block's id in the page, and State is
	// repeated as data-state for programs that read the page.
	ID, State  string
	Name, What string
	Badge      look.Badge
	Why        string
	Until      civil.Date
	UntilKey   string
	Since      civil.Date
}

type cardView struct {
	Card
	Model, StateWord string
	Badge            look.Badge
	Views            []functionView
	Current          bool
	Activable        bool
	// Expiry warns of an end that is near.
	Expiry *expiryView
	// CodesToChange: who stands for the holder no more has had its codes; OnHold: the
	// card waits for new ones.
	CodesToChange, OnHold bool
	// Offers are the counter's acts.
	Offers []offerView
	// Faces are the drawings of front and back, for the counter.
	Faces []template.HTML
}

type line struct{ Label, Value string }

type activityView struct{ When, What, Where, Proof string }

// tessera is "La mia tessera": what works today, until when, and why.
func (c *call) tessera() error {
	cf, err := codicefiscale.Parse(c.session.CF)
	if err != nil {
		return err
	}
	w, err := c.p.wallet(c.r.Context(), cf)
	if err != nil {
		return err
	}
	acts, err := c.history(cf)
	if err != nil {
		return err
	}
	page := c.page("tessera", "portal.card.title")
	c.crumbs(page)
	data := struct {
		Nav        []areaLink
		CF, Name   string
		Cards      []cardView
		Back       []line
		Activities []activityView
		NewCard    bool
		Extend     bool
	}{Nav: c.areaNav(), NewCard: c.hasSuccessor(), Extend: c.mayExtend(w), CF: c.session.CF, Name: c.session.Name(), Activities: acts}
	for i, card := range w.Cards {
		v := c.view(card, i == 0)
		if v.CodesToChange, err = c.codesToChange(card); err != nil {
			return err
		}
		data.Cards = append(data.Cards, v)
	}
	if len(w.Cards) > 0 && w.Cards[0].Back != nil {
		data.Back = c.back7(*w.Cards[0].Back)
	}
	page.Data = data
	return c.show(http.StatusOK, "tessera", page)
}

func (c *call) view(card Card, current bool) cardView {
	v := cardView{
		Card: card, Current: current, Model: c.say("portal.model." + string(card.Model)),
		StateWord: c.say("portal.state." + string(card.State)), Badge: c.stateBadge(card.State), Expiry: c.expiry(card),
	}
	for _, f := range card.Functions {
		v.Views = append(v.Views, c.function(f))
	}
	v.OnHold = card.State == lifecycle.Suspended && card.Reason == lifecycle.RepresentationEnded
	v.Activable = card.HasChip() && (card.State == lifecycle.Shipped || card.State == lifecycle.Delivered)
	return v
}

func (c *call) function(f lifecycle.Function) functionView {
	v := functionView{
		ID: string(f.Name), State: string(f.State), Until: f.Until, Since: f.Since, Why: c.say(f.Reason),
		Name: c.say("portal.function." + string(f.Name)), What: c.say("portal.function." + string(f.Name) + ".what"),
		Badge:    look.Badge{Tone: functionTone(f.State), Word: c.say("portal.fstate." + string(f.State))},
		UntilKey: "portal.until",
	}
	if f.State == lifecycle.FunctionOver {
		v.UntilKey = "portal.wasuntil"
	}
	return v
}

func functionTone(s lifecycle.FunctionState) look.Tone {
	switch s {
	case lifecycle.Valid:
		return look.Good
	case lifecycle.NotActivated, lifecycle.Pending, lifecycle.OnHold:
		return look.Wait
	case lifecycle.Absent:
		return look.None
	}
	return look.Bad
}

func (c *call) stateBadge(s lifecycle.State) look.Badge {
	tone := look.Wait
	switch s {
	case lifecycle.Active:
		tone = look.Good
	case lifecycle.Revoked, lifecycle.Expired, lifecycle.Returned:
		tone = look.Bad
	case lifecycle.Replaced:
		tone = look.None
	}
	return look.Badge{Tone: tone, Word: c.say("portal.state." + string(s))}
}

// back7 is the text of the card's back, EHIC fields 3 to 9.
func (c *call) back7(b team.Back) []line {
	var out []line
	for i, v := range []string{b.Surname, b.Names, b.Born, b.PersonalID, b.Institution, string(b.Number), b.Expires} {
		out = append(out, line{c.say("portal.team." + string(rune('3'+i))), v})
	}
	return out
}

// history says each act in words; an act without words is left out, since a
// page never shows a name made for programs.
func (c *call) history(cf codicefiscale.Code) ([]activityView, error) {
	if c.p.Activities == nil {
		return nil, nil
	}
	acts, err := c.p.Activities(c.r.Context(), cf)
	var out []activityView
	for _, a := range acts {
		if key := "portal.act." + a.Act; words.Has(c.tongue.lang, key) {
			out = append(out, activityView{When: when(a.At), What: c.say(key), Where: a.Office})
		}
	}
	return out, err
}

// when is an instant in Rome, to the minute.
func when(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(civil.Rome).Format("02/01/2006 15:04")
}
