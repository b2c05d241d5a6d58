package portal

import (
	"context"
	"net/http"

	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
)

// PaperBlock is one part of what a paper says: Kind is heading, section, fields,
// paragraph, list, consent or signatures.
type PaperBlock struct {
	Kind, Text string
	Items      []string
	Pairs      [][2]string
	Given      bool
}

// Twin says what the papers of an act say, without any code.
type Twin func(ctx context.Context, f counter.Form) ([]PaperBlock, error)

// twinRoutes are the pages that say what a printed form says, for whoever cannot
// read paper. Blank forms have theirs at /modulo-delega/, the TEAM certificate at
// its own page.
func (p *Portal) twinRoutes(at func(pattern string, a answer)) {
	at("GET /sportello/pratica/{anno}/{numero}/testo", atCounter((*call).twinPage))
}

// paperTongue marks the text's language when it is not the page's.
func paperTongue(page, text words.Lang) string {
	if page == text {
		return ""
	}
	return string(text)
}

func (c *call) twinPage() error {
	a, err := c.p.Papers.Act(c.r.Context(), *c.op, c.protocol())
	if err != nil {
		return err
	}
	if a.Destroyed {
		return words.Refuse("CSE-646")
	}
	card, err := c.card(a.Card)
	if err != nil {
		return err
	}
	// The desk is asked for the sheet, so that the look is allowed and journaled.
	if _, err := c.p.Desk.Sheet(c.r.Context(), *c.op, card.CF); err != nil {
		return err
	}
	blocks, err := c.p.Twin(c.r.Context(), a.Form)
	if err != nil {
		return err
	}
	page := c.page("sportello", "portal.paper.title", a.Protocol)
	c.crumbs(page, "look.menu.counter", "/sportello")
	page.Data = struct {
		Blocks     []PaperBlock
		Path, Lang string
	}{blocks, FilePath(a.Protocol), paperTongue(c.tongue.lang, a.Form.Lang)}
	return c.show(http.StatusOK, "papertwin", page)
}
