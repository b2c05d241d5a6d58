package portal

import (
	"context"
	"net/http"

	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/desk"
	"cse.example/cse/issuer/staff"
)

// The counter's reader: /sportello/tessera/{numero}/lettura asks it which card lies
// there, /sportello/pratica/…/chip to write new codes, and /sportello/lettura/{id}
// tells how far it is.

// Reader is the readers on the counters; a *desk.Room is one.
type Reader interface {
	At(office string) []desk.Desk
	Ask(ctx context.Context, op staff.Operator, kind desk.Kind, card, protocol, which string) (desk.Job, error)
	Find(ctx context.Context, op staff.Operator, id string) (desk.Job, error)
}

// Readers are the readers and the acts that wait for one; nil: numbers are typed.
type Readers struct {
	Reader Reader
	// ToWrite tells whether an act's codes wait for the chip.
	ToWrite func(ctx context.Context, a counter.Act) (bool, error)
}

func (p *Portal) readerRoutes(at func(pattern string, a answer)) {
	if p.Readers == nil {
		return
	}
	at("POST /sportello/tessera/{numero}/lettura/{atto}", atCounter((*call).askReading))
	at("GET /sportello/lettura/{id}", atCounter((*call).reading))
	at("POST /sportello/pratica/{anno}/{numero}/chip", atCounter((*call).askWriting))
}

// desks are the readers of the operator's office.
func (c *call) desks() []desk.Desk {
	if c.p.Readers == nil {
		return nil
	}
	return c.p.Readers.Reader.At(c.op.Office.ID)
}

func (c *call) askReading() error {
	if err := c.form(); err != nil {
		return err
	}
	word := c.r.PathValue("atto")
	kind, ok := actWords[word]
	if !ok {
		return words.Refuse("CSE-002")
	}
	card := c.r.PathValue("numero")
	if err := c.p.Acts.May(c.r.Context(), *c.op, kind, card); err != nil {
		return err
	}
	j, err := c.p.Readers.Reader.Ask(c.r.Context(), *c.op, desk.Read, card, "", c.value("postazione"))
	if err != nil {
		return err
	}
	return c.leave("/sportello/lettura/" + j.ID + "?atto=" + word)
}

func (c *call) askWriting() error {
	if err := c.form(); err != nil {
		return err
	}
	ctx := c.r.Context()
	a, err := c.p.Papers.Act(ctx, *c.op, c.protocol())
	if err != nil {
		return err
	}
	waits, err := c.p.Readers.ToWrite(ctx, a)
	if err != nil {
		return err
	}
	if !waits {
		return c.leave(FilePath(a.Protocol)) // written already
	}
	j, err := c.p.Readers.Reader.Ask(ctx, *c.op, desk.Write, a.Card, a.Protocol, c.value("postazione"))
	if err != nil {
		return err
	}
	return c.leave("/sportello/lettura/" + j.ID)
}

// reading waits for the reader, and leads on when it is done.
func (c *call) reading() error {
	j, err := c.p.Readers.Reader.Find(c.r.Context(), *c.op, c.r.PathValue("id"))
	if err != nil {
		return err
	}
	word := c.r.URL.Query().Get("atto")
	if _, ok := actWords[word]; !ok {
		word = "ristampa"
	}
	back := cardPath(j.Card) + "/" + word
	if j.Kind == desk.Write {
		back = FilePath(j.Protocol)
	}
	if j.State == desk.Done && j.Kind == desk.Read {
		return c.leave(back + "?lettura=" + j.ID)
	}
	if j.State == desk.Done {
		return c.leave(back)
	}
	page := c.page("sportello", "portal.reader.title")
	c.crumbs(page, "look.menu.counter", "/sportello")
	data := struct {
		Kind, Back string
		Waiting    bool
	}{string(j.Kind), back, j.State != desk.Failed}
	page.Form = c.newForm(nil)
	status := http.StatusOK
	if j.State == desk.Failed {
		f := words.Refuse(j.Outcome)
		if text, ok := words.Explain(words.Italian, j.Outcome); !ok || verbs(text.Sentence) {
			f = words.Refuse("CSE-479", j.Outcome)
		}
		page.Fault, status = f, http.StatusUnprocessableEntity
		page.Form = c.newForm(nil, f)
	}
	page.Data = data
	return c.show(status, "reader", page)
}

// verbs tells whether a sentence wants values that we do not have.
func verbs(sentence string) bool {
	for i := 0; i+1 < len(sentence); i++ {
		if sentence[i] == '%' && sentence[i+1] != '%' {
			return true
		}
	}
	return false
}
