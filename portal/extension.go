package portal

import (
	"context"
	"net/http"

	"cse.example/cse/ground/civil"
	"cse.example/cse/issuer/extension"
	"cse.example/cse/person/codicefiscale"
)

// The pages about the extension of the old card's certificate (R106 to R109): what
// it is, for everybody, and where one's own stands. The act itself is the program's
// on the holder's computer (cmd/cse/extend).

// Extensions tells of the service; an *extension.Room is one.
type Extensions interface {
	// Ends is the service's last day.
	Ends(ctx context.Context) (civil.Date, error)
	// Offer is how somebody's own card stands.
	Offer(ctx context.Context, cf codicefiscale.Code) (extension.Offer, error)
}

func (p *Portal) extensionRoutes(at func(pattern string, a answer)) {
	if p.Extensions == nil {
		return
	}
	at("GET /estensione-certificato", (*call).extensionInfo)
	at("GET /tessera/certificato", citizen((*call).myExtension))
}

// extensionInfo is the page for everybody.
func (c *call) extensionInfo() error {
	ends, err := c.p.Extensions.Ends(c.r.Context())
	if err != nil {
		return err
	}
	page := c.page("cartasanitaria", "portal.extension.title")
	c.crumbs(page, "look.menu.hub", "/cartasanitaria")
	page.Data = struct {
		Ends civil.Date
		Over bool
	}{ends, civil.Today(c.p.Clock).After(ends)}
	return c.show(http.StatusOK, "extension", page)
}

// myExtension is where the holder's own stands: he may, he began, it is done, or
// why not.
func (c *call) myExtension() error {
	cf, err := c.myCF()
	if err != nil {
		return err
	}
	o, err := c.p.Extensions.Offer(c.r.Context(), cf)
	if err != nil {
		return err
	}
	data := map[string]any{"Card": o.Card, "Known": o.Card.ID != "", "From": o.Card.CertUntil(), "Until": o.Until, "State": "may"}
	switch q := o.Request; {
	case q != nil && q.State.Living() && o.Refusal == nil:
		data["State"], data["Since"] = "begun", civil.DayOf(q.OpenedAt)
	case q != nil && q.State == extension.Confirmed && (o.Refusal == nil || o.Refusal.Code == "CSE-890") && q.New == o.Card.CertSerial:
		data["State"], data["Since"], data["Again"] = "done", civil.DayOf(q.EndedAt), o.Refusal == nil
	case o.Refusal != nil:
		data["State"], data["Fault"] = "refused", faultView{o.Refusal.Code, o.Refusal.Sentence(c.tongue.lang), o.Refusal.Cause(c.tongue.lang), o.Refusal.Next(c.tongue.lang)}
	}
	return c.show(http.StatusOK, "myextension", c.areaPage("portal.extension.mine", data))
}

// faultView is a refusal that is no error: the reason of a state.
type faultView struct{ Code, Sentence, Cause, Next string }

// mayExtend tells whether "La mia tessera" leads there: somebody whose next card has
// no chip.
func (c *call) mayExtend(w Wallet) bool {
	return c.p.Extensions != nil && len(w.Cards) > 1 && !w.Cards[0].HasChip()
}
