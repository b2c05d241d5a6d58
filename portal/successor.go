package portal

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/throttle"
	"cse.example/cse/person/codicefiscale"
)

// The new card with the old one: who entered with an active card activates its
// successor from home. The page of the first halves is the only one of the
// portal that shows any part of a code: once, after a login by card, never from
// a cache or an address, and the second halves are elsewhere.

// Home is what a holder does with his old card; a *counter.Counter is one.
type Home interface {
	Successor(ctx context.Context, cf codicefiscale.Code, old string) (lifecycle.Card, error)
	ActivateSuccessor(ctx context.Context, o counter.SuccessorOrder) (counter.Act, error)
	SuccessorAct(ctx context.Context, cf codicefiscale.Code, protocol string) (counter.Act, error)
	ShowHalves(ctx context.Context, cf codicefiscale.Code, protocol string) (card string, err error)
}

// Half is the first half of one code, and how many digits the letter has.
type Half struct {
	Name string
	// First is wiped once shown.
	First secret.Text
	Rest  int
}

// FirstHalves opens the first halves of a card's codes.
type FirstHalves func(ctx context.Context, card string) ([]Half, error)

func (p *Portal) successorRoutes(at func(pattern string, a answer)) {
	at("GET /tessera/attiva-nuova", citizen(func(c *call) error { return c.successorPage(nil) }))
	at("POST /tessera/attiva-nuova", citizen((*call).activateSuccessor))
	at("GET /tessera/nuova/{anno}/{numero}", citizen((*call).successorDone))
	at("POST /tessera/nuova/{anno}/{numero}/codici", citizen((*call).showHalves))
}

// successor is the card that this session may activate, or why none.
func (c *call) successor() (lifecycle.Card, codicefiscale.Code, error) {
	if c.p.Home == nil || c.p.Halves == nil {
		return lifecycle.Card{}, "", words.Refuse("CSE-460")
	}
	cf, err := codicefiscale.Parse(c.session.CF)
	if err != nil {
		return lifecycle.Card{}, "", err
	}
	next, err := c.p.Home.Successor(c.r.Context(), cf, c.session.Card)
	return next, cf, err
}

// hasSuccessor tells whether "La mia tessera" offers it.
func (c *call) hasSuccessor() bool {
	_, _, err := c.successor()
	return err == nil
}

func (c *call) successorPage(values url.Values, faults ...*words.Fault) error {
	next, _, err := c.successor()
	if err != nil {
		return err
	}
	if values == nil {
		values = url.Values{"lingua": {string(c.tongue.lang)}}
	}
	request := values.Get("richiesta")
	if request == "" {
		if request, err = c.p.Acts.NewRequest(); err != nil {
			return err
		}
	}
	page := c.page("tessera", "portal.successor.title")
	c.crumbs(page, "portal.card.title", "/tessera")
	page.Form = c.newForm(values, faults...)
	page.Data = struct {
		Request string
		Issued  string
	}{request, next.Issued.Italian()}
	status := http.StatusOK
	if len(faults) > 0 {
		page.Fault, status = faults[0], http.StatusUnprocessableEntity
	}
	return c.show(status, "successor", page)
}

func (c *call) activateSuccessor() error {
	if err := c.form(); err != nil {
		return err
	}
	faults := c.empty("tessera_nuova", "email", "email_ripetuta")
	if c.value("consenso") == "" {
		faults = append(faults, words.Refuse("CSE-360").At("consenso"))
	}
	if len(faults) > 0 {
		return c.successorPage(c.r.PostForm, faults...)
	}
	cf, err := codicefiscale.Parse(c.session.CF)
	if err != nil {
		return err
	}
	if c.p.Home == nil || c.p.Halves == nil {
		return words.Refuse("CSE-460")
	}
	a, err := c.p.Home.ActivateSuccessor(c.r.Context(), counter.SuccessorOrder{
		Request: c.value("richiesta"), Old: c.session.Card, CF: cf, Number: compact(c.value("tessera_nuova")),
		Email: c.value("email"), EmailAgain: c.value("email_ripetuta"), Lang: words.Lang(c.value("lingua")),
	})
	if wait := throttle.WaitOf(err); wait > 0 {
		c.w.Header().Set("Retry-After", strconv.Itoa(int(wait.Seconds())+1))
	}
	if f := words.FaultOf(err); f != nil && f.Field != "" {
		return c.successorPage(c.r.PostForm, f)
	}
	if err != nil {
		return err
	}
	return c.leave("/tessera/nuova/" + a.Protocol)
}

func (c *call) protocolOfPath() string { return c.r.PathValue("anno") + "/" + c.r.PathValue("numero") }

// successorDone is the page after the act: what comes by mail, and the button
// that shows the first halves.
func (c *call) successorDone() error {
	if c.p.Home == nil {
		return words.Refuse("CSE-002")
	}
	a, err := c.p.Home.SuccessorAct(c.r.Context(), codicefiscale.Code(c.session.CF), c.protocolOfPath())
	if err != nil {
		return err
	}
	page := c.page("tessera", "portal.successor.done.title")
	c.crumbs(page, "portal.card.title", "/tessera")
	page.Data = struct {
		Protocol, Email string
		Shown           bool
		Lists           *listsView
	}{a.Protocol, a.Form.EmailMasked, !a.PrintedAt.IsZero(), c.lists(a.Form.At)}
	return c.show(http.StatusOK, "successordone", page)
}

// showHalves shows the first halves, once.
func (c *call) showHalves() error {
	if c.p.Home == nil || c.p.Halves == nil {
		return words.Refuse("CSE-460")
	}
	card, err := c.p.Home.ShowHalves(c.r.Context(), codicefiscale.Code(c.session.CF), c.protocolOfPath())
	if err != nil {
		return err
	}
	halves, err := c.p.Halves(c.r.Context(), card)
	if err != nil {
		return err
	}
	type line struct {
		Name, Digits string
		Rest         int
	}
	var lines []line
	for _, h := range halves {
		lines = append(lines, line{h.Name, string(h.First.Reveal()), h.Rest})
		h.First.Wipe()
	}
	c.w.Header().Set("Cache-Control", "no-store")
	page := c.page("tessera", "portal.successor.codes.title")
	page.Data = lines
	return c.show(http.StatusOK, "successorcodes", page)
}
