package portal

import (
	"context"
	"net/http"
	"net/url"

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
	// MayActivate tells whether op may activate a card, asked before the reader is.
	MayActivate func(ctx context.Context, op staff.Operator, card string) error
	// Tested are the lights of a chip that the reader has tested.
	Tested func(ctx context.Context, op staff.Operator, job, card string) (counter.Lights, error)
}

func (p *Portal) readerRoutes(at func(pattern string, a answer)) {
	if p.Readers == nil {
		return
	}
	at("POST /sportello/tessera/{numero}/lettura/{atto}", atCounter((*call).askReading))
	at("POST /sportello/attivazione/lettura", atCounter((*call).askActivating))
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
	what := desk.Read
	if kind == counter.KindChipFault {
		what = desk.Test
	}
	j, err := c.p.Readers.Reader.Ask(c.r.Context(), *c.op, what, card, "", c.value("postazione"))
	if err != nil {
		return err
	}
	return c.leave("/sportello/lettura/" + j.ID + "?atto=" + word)
}

// activating is the word of the activation among those of the acts.
const activating = "attivazione"

// askActivating asks the reader for the card of an activation's first step.
func (c *call) askActivating() error {
	if err := c.form(); err != nil {
		return err
	}
	card := c.value("tessera")
	err := c.p.Readers.MayActivate(c.r.Context(), *c.op, card)
	if err != nil {
		return err
	}
	j, err := c.p.Readers.Reader.Ask(c.r.Context(), *c.op, desk.Read, card, "", c.value("postazione"))
	if err != nil {
		return err
	}
	return c.leave("/sportello/lettura/" + j.ID + "?atto=" + activating)
}

// readingOf is the job of the address or of the form, while what it read of the
// card may still count; empty otherwise, and the page asks again.
func (c *call) readingOf(job, card string) string {
	if job == "" || c.p.Readers == nil {
		return ""
	}
	j, err := c.p.Readers.Reader.Find(c.r.Context(), *c.op, job)
	if err != nil || j.State != desk.Done || j.Card != card {
		return ""
	}
	return job
}

// noReader is why a number is typed where there is no reader: the reason stands in
// the form, and the operator may write a better one.
func (c *call) noReader() string {
	if len(c.desks()) > 0 {
		return ""
	}
	return c.say("portal.reader.nohere")
}

// lightView is one of the five lights; On is what the reader found.
type lightView struct {
	Key string
	On  bool
}

// lightsView is a diagnosis as the page tells it.
type lightsView struct {
	List       []lightView
	Conclusion string
	Faulty     bool
	// Number tells that the chip said which card it is.
	Number bool
	// By says who answered, Reason why not the reader, Answer is the chip's to reset.
	By, Reason, Answer string
}

func viewOf(l counter.Lights) *lightsView {
	end := l.Conclusion()
	return &lightsView{
		[]lightView{{"atr", l.ATR}, {"files", l.Files}, {"certificate", l.Certificate}, {"pin", l.PIN}, {"puk", l.PUK}},
		string(end), end.Faulty(), l.Number, l.By, l.Reason, l.Answer,
	}
}

// lights are those that the reader found for a chip fault; nil: it has not been
// asked, or too long ago.
func (c *call) lights(job, card string) (*lightsView, error) {
	if job == "" {
		return nil, nil
	}
	l, err := c.p.Readers.Tested(c.r.Context(), *c.op, job, card)
	if words.FaultOf(err) != nil {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	l.By = counter.ByReader
	return viewOf(l), nil
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
	if _, ok := actWords[word]; !ok && word != activating {
		word = "ristampa"
	}
	back, join := cardPath(j.Card)+"/"+word, "?"
	switch {
	case j.Kind == desk.Write:
		back = FilePath(j.Protocol)
	case j.Kind == desk.Test:
		back = cardPath(j.Card) + "/" + wordOf(counter.KindChipFault)
	case word == activating:
		back, join = "/sportello/attivazione?tessera="+url.QueryEscape(j.Card), "&"
	}
	if j.State == desk.Done && j.Kind != desk.Write {
		return c.leave(back + join + "lettura=" + j.ID)
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
