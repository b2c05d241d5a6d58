package demo

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"cse.example/cse/card/cns"
	"cse.example/cse/card/holder"
	"cse.example/cse/card/reader"
	"cse.example/cse/demo/browser"
	"cse.example/cse/demo/bureau"
	"cse.example/cse/ground/civil"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/production"
	"cse.example/cse/issuer/production/exchange"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
)

// importPeople is step 2: a CSV with three bad rows.
func (g *game) importPeople(ctx context.Context) error {
	g.tell.Say("demo.step.people", people+badRows)
	var csv bytes.Buffer
	if err := registry.GenerateWithErrors(&csv, people, badRows, seed, civil.Today(g.Clock)); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(g.Data, "people.csv"), csv.Bytes(), 0o600); err != nil {
		return err
	}
	rep, err := g.Platform.ImportPeople(ctx, &csv)
	if err != nil {
		return err
	}
	for _, e := range rep.Errors {
		g.tell.Say("demo.step.people.row", e.Line, e.Field, e.Reason.Sentence(g.tell.Lang))
	}
	g.tell.Say("demo.step.people.done", rep.Accepted, rep.Rejected)
	g.result.People, g.result.Rejected = rep.Accepted, rep.Rejected
	if rep.Accepted != people || rep.Rejected != badRows {
		return fmt.Errorf("%d rows were accepted and %d rejected", rep.Accepted, rep.Rejected)
	}
	return nil
}

// cardFolder is where the finished chips lie, as files.
func (g *game) cardFolder() string { return filepath.Join(g.Data, "cards") }

// makeCards is step 3: orders, batches, the bureau, the post.
func (g *game) makeCards(ctx context.Context) error {
	g.tell.Say("demo.step.cards")
	progress := func(step string, done, total int) { g.tell.Progress("demo.progress."+step, done, total) }
	plant, err := g.Platform.Plant(g.Config, progress)
	if err != nil {
		return err
	}
	profile := cns.Neutral()
	profile.PUKChangeable = true // new codes at a counter need it; unknown on real cards (docs/decisions/0480)
	if g.ATR == "st2021" {
		profile = cns.ST2021()
	}
	maker, err := bureau.New(bureau.Parts{
		Identity: g.Bureau, Issuer: g.IssuerKey, Files: exchange.Folder(g.Exchange),
		Folder: filepath.Join(g.Data, "bureau"), Cards: g.cardFolder(), Profile: profile, Clock: g.Clock, Rand: rand.Reader,
		Progress: progress,
	})
	if err != nil {
		return err
	}
	ordered, err := plant.OrderMissing(ctx)
	if err != nil {
		return err
	}
	if ordered.Exceptions > 0 {
		g.tell.Say("demo.step.cards.exceptions", ordered.Exceptions)
	}
	if err := produce(ctx, plant, maker); err != nil {
		return err
	}
	return g.countCards(ctx)
}

// produce lets issuer and bureau answer each other until every batch is
// reconciled, then posts and delivers the cards.
func produce(ctx context.Context, plant *production.Plant, maker *bureau.Bureau) error {
	for range 20 {
		open, err := plant.AdvanceAll(ctx)
		if err != nil {
			return err
		}
		waiting := false
		for _, b := range open {
			if b.State == production.Received {
				if _, err := plant.Ship(ctx, b.ID); err != nil {
					return err
				}
				if _, err := plant.Deliver(ctx, b.ID); err != nil {
					return err
				}
				continue
			}
			waiting = true
		}
		if !waiting {
			return nil
		}
		if err := maker.Work(ctx); err != nil {
			return err
		}
	}
	return errors.New("the batches do not come to an end")
}

func (g *game) countCards(ctx context.Context) error {
	after := ""
	for {
		cards, err := g.Platform.Cards().ByState(ctx, lifecycle.Delivered, after, 100)
		if err != nil {
			return err
		}
		for _, c := range cards {
			after = c.ID
			if c.HasChip() {
				g.result.Cards.Chip++
			} else {
				g.result.Cards.Chipless++
			}
		}
		if len(cards) < 100 {
			break
		}
	}
	g.tell.Say("demo.step.cards.done", g.result.Cards.Chip, g.result.Cards.Chipless)
	if g.result.Cards.Chip != people-chipless || g.result.Cards.Chipless != chipless {
		return fmt.Errorf("%d cards with a chip and %d without", g.result.Cards.Chip, g.result.Cards.Chipless)
	}
	return nil
}

// drawer is a holder with his papers.
type drawer struct {
	Dir    string
	Card   lifecycle.Card
	Person registry.Person
	Email  string
	Form   string // file of the form
	Letter string // file of the mail
	Image  string // file of the chip
	// session is the browser in which the holder logged in.
	session *browser.Browser
	reader  reader.Card
	tool    *holder.Holder
}

// adults finds n people who may activate their own card: of age, assisted, with
// a chip, in nobody's care, the permit of nobody in doubt.
func (g *game) adults(ctx context.Context, n int) ([]drawer, error) {
	var out []drawer
	var after codicefiscale.Code
	today := civil.Today(g.Clock)
	for {
		ps, err := g.Platform.People().Each(ctx, after, 100)
		if err != nil {
			return nil, err
		}
		for _, p := range ps {
			after = p.CF
			if age := p.Born.AgeOn(today); age < 25 || age > 70 || p.UnderGuardianship || p.NeedsPermit() || p.CF.Provisional() || !p.AbroadRight {
				continue
			}
			cards, err := g.Platform.Cards().ByPerson(ctx, p.CF)
			if err != nil {
				return nil, err
			}
			if c, ok := lifecycle.Current(cards); ok && c.HasChip() && c.State == lifecycle.Delivered {
				out = append(out, drawer{Card: c, Person: p})
			}
			if len(out) == n {
				return out, nil
			}
		}
		if len(ps) < 100 {
			return nil, errors.New("too few adults with a card")
		}
	}
}

// activate is step 4, twice: the holder of the story, and the citizen of the
// one-click entrance.
func (g *game) activate(ctx context.Context) error {
	two, err := g.adults(ctx, 2)
	if err != nil {
		return err
	}
	for i, name := range []string{"holder", "citizen"} {
		d := &two[i]
		d.Dir = filepath.Join(g.Data, name)
		d.Email = name + "@posta.cse.localhost"
		d.Image = filepath.Join(d.Dir, "tessera-"+d.Card.ID+".cse")
		if err := os.MkdirAll(d.Dir, 0o700); err != nil {
			return err
		}
		if err := os.Rename(filepath.Join(g.cardFolder(), d.Card.ID+".cse"), d.Image); err != nil {
			return err
		}
	}
	g.tell.Say("demo.step.counter", two[0].Person.Name+" "+two[0].Person.Surname)
	desk, err := browser.New(g.Roots, nil)
	if err != nil {
		return err
	}
	if err := g.operatorLogin(ctx, desk); err != nil {
		return err
	}
	for i := range two {
		if err := g.activateAt(ctx, desk, &two[i]); err != nil {
			return err
		}
		if err := g.collectMail(ctx, &two[i]); err != nil {
			return err
		}
	}
	g.holder, g.Citizen = two[0], &two[1]
	g.result.Activation = Activation{Form: g.rel(two[0].Form), Mail: g.rel(two[0].Letter)}
	g.tell.Say("demo.step.counter.done", g.rel(two[0].Form), g.rel(two[0].Letter))
	return g.describeCard(ctx)
}

// operatorLogin goes to the counter and proves the operator.
func (g *game) operatorLogin(ctx context.Context, b *browser.Browser) error {
	if err := b.Get(ctx, g.Addresses.Portal+"/entra?a=/sportello"); err != nil {
		return err
	}
	if !b.Page.HasForm("/operator") {
		to := b.Page.Href(func(h string) bool { u, err := url.Parse(h); return err == nil && u.Path == "/operator" })
		if to == "" {
			return fmt.Errorf("no way in for operators on %s", b.Page.Where())
		}
		if err := b.Get(ctx, to); err != nil {
			return err
		}
	}
	if err := g.Operators.fill(ctx, b, g.Clock); err != nil {
		return err
	}
	return at(b, "/sportello")
}

// at checks that the browser arrived where it was going.
func at(b *browser.Browser, path string) error {
	if b.Page.Status != 200 || b.Page.URL == nil || !strings.HasPrefix(b.Page.URL.Path, path) {
		return fmt.Errorf("expected %s, got %s %s %s", path, b.Page.Where(), b.Page.Code(), b.Page.Title())
	}
	return nil
}

// activateAt is the act in four steps, as an operator does it.
func (g *game) activateAt(ctx context.Context, b *browser.Browser, d *drawer) error {
	today := civil.Today(g.Clock)
	steps := []struct {
		form   string
		values map[string]string
	}{
		{"/sportello/cerca", map[string]string{"q": string(d.Person.CF)}},
		{"", nil}, // the sheet's link
		{"/sportello/attivazione", map[string]string{"tessera_ultime_cinque": d.Card.ID[len(d.Card.ID)-5:]}},
		{"/2", map[string]string{
			"presente": "titolare", "documento_tipo": "CIE", "documento_numero": "CA00000AA", "documento_ente": "COMUNE DI FIRENZE",
			"documento_rilascio": today.AddYears(-1).Italian(), "documento_scadenza": today.AddYears(5).Italian(),
		}},
		{"/3", map[string]string{"email": d.Email, "email_ripetuta": d.Email, "lingua": "it", "consenso": "si"}},
		{"/4", nil},
	}
	if err := b.Get(ctx, g.Addresses.Portal+"/sportello"); err != nil {
		return err
	}
	for i, s := range steps {
		if s.form == "" {
			if err := g.openActivation(ctx, b, d); err != nil {
				return err
			}
			continue
		}
		if err := b.Submit(ctx, s.form, s.values); err != nil {
			return err
		}
		if b.Page.Status != 200 {
			return fmt.Errorf("activation, page %d: %s %s %s", i+1, b.Page.Where(), b.Page.Code(), b.Page.Text())
		}
	}
	return g.takeForm(ctx, b, d)
}

// openActivation goes from the search's answer or the sheet to step 1.
func (g *game) openActivation(ctx context.Context, b *browser.Browser, d *drawer) error {
	if sheet := "/sportello/tessera/" + d.Card.ID; !strings.HasSuffix(b.Page.URL.Path, sheet) {
		if to := b.Page.Href(func(h string) bool { return strings.HasSuffix(h, sheet) }); to != "" {
			if err := b.Get(ctx, to); err != nil {
				return err
			}
		}
	}
	to := b.Page.Href(func(h string) bool { return strings.Contains(h, "/sportello/attivazione?") })
	if to == "" {
		return fmt.Errorf("nothing to activate on %s: %s", b.Page.Where(), b.Page.Text())
	}
	return b.Get(ctx, to)
}

// takeForm prints the form, puts it in the drawer and ticks "handed over".
func (g *game) takeForm(ctx context.Context, b *browser.Browser, d *drawer) error {
	here := b.Page
	if err := b.Submit(ctx, "/modulo", nil); err != nil {
		return err
	}
	if !bytes.HasPrefix(b.Page.Body, []byte("%PDF-")) {
		return fmt.Errorf("the form is no PDF: %s %s", b.Page.Where(), b.Page.Code())
	}
	d.Form = filepath.Join(d.Dir, "modulo.pdf")
	if err := os.WriteFile(d.Form, b.Page.Body, 0o600); err != nil {
		return err
	}
	if err := b.Get(ctx, here.URL.String()); err != nil {
		return err
	}
	return b.Submit(ctx, "/consegna", map[string]string{"consegnato": "si"})
}

// collectMail waits for the letter with the second halves.
func (g *game) collectMail(ctx context.Context, d *drawer) error {
	return wait(ctx, "the mail with the second halves", func() (bool, error) {
		letters, err := g.Inbox.List()
		if err != nil {
			return false, err
		}
		for _, l := range letters {
			if strings.Contains(l.To, d.Email) && halves(l.Text).PIN != "" {
				d.Letter = filepath.Join(d.Dir, "lettera.eml")
				return true, copyFile(filepath.Join(g.Inbox.Dir(), l.File), d.Letter)
			}
		}
		return false, nil
	})
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// describeCard reads the card as anybody could, and keeps its certificate.
func (g *game) describeCard(context.Context) error {
	d := &g.holder
	if err := d.insert(); err != nil {
		return err
	}
	cert, err := d.tool.Certificate()
	if err != nil {
		return err
	}
	path := filepath.Join(d.Dir, "certificato.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}), 0o600); err != nil {
		return err
	}
	g.result.Card = Card{
		ID: d.Card.ID, TEAM: d.Card.TEAM, CF: string(d.Card.CF), Image: g.rel(d.Image), Certificate: g.rel(path),
	}
	return nil
}

// insert puts the card in a reader (in this process).
func (d *drawer) insert() error {
	if d.tool != nil {
		return nil
	}
	r, err := reader.FromFile(d.Image)
	if err != nil {
		return err
	}
	if d.tool, err = holder.New(r); err != nil {
		return errors.Join(err, r.Close())
	}
	d.reader = r
	return nil
}

// remove takes the card out: its file is free for other programs.
func (d *drawer) remove() error {
	if d.reader == nil {
		return nil
	}
	err := d.reader.Close()
	d.reader, d.tool = nil, nil
	return err
}
