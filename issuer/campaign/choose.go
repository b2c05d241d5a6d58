package campaign

import (
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"cse.example/cse/card/cns"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/table"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/approval"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/production"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/person/registry"
)

// Motive is why many cards are revoked at once.
type Motive string

// The motives. Each leads to a new card; a holder's own word, loss, death and the
// end of assistance are never a matter of many cards.
const (
	WeakKey      Motive = "weak-key"      // the chip made keys that can be guessed
	IssuerKey    Motive = "issuer-key"    // the authority's key is not safe any more
	FaultyLot    Motive = "faulty-lot"    // chips that do not work
	WrongPrint   Motive = "wrong-print"   // printed or written wrongly
	LostShipment Motive = "lost-shipment" // stolen or lost on the way to the holders
)

type ending struct {
	why lifecycle.Reason
	crl int // CRLReason, RFC 5280 section 5.3.1
}

// motives is what each leads to (table D.11).
var motives = map[Motive]ending{
	WeakKey:      {lifecycle.KeyCompromise, 1},
	IssuerKey:    {lifecycle.KeyCompromise, 2},
	FaultyLot:    {lifecycle.ChipFault, 0},
	WrongPrint:   {lifecycle.WrongData, 4},
	LostShipment: {lifecycle.NotReceived, 5},
}

// Motives lists them.
func Motives() []Motive { return []Motive{WeakKey, IssuerKey, FaultyLot, WrongPrint, LostShipment} }

// chooser counts while it chooses.
type chooser struct {
	*Room
	today civil.Date
	c     Criteria
	p     Preview
	items []Item
}

func (r *Room) chooser(c Criteria) *chooser {
	return &chooser{Room: r, today: civil.Today(r.d.Clock), c: c, p: Preview{
		ASL: map[string]int{}, Model: map[string]int{}, State: map[string]int{}, Motive: map[string]int{},
	}}
}

// NewRenewal chooses the cards of a renewal campaign: those whose printed date is
// in the window, whose holders are still assisted and fit, and that nothing
// follows yet. Nothing happens to them before Start.
func (r *Room) NewRenewal(ctx context.Context, op staff.Operator, name string, c Criteria) (Campaign, error) {
	if err := acts(op, Renewal); err != nil {
		return Campaign{}, err
	}
	name, err := checkName(name)
	if err != nil {
		return Campaign{}, err
	}
	today := civil.Today(r.d.Clock)
	switch {
	case c.Until.IsZero() || c.Until.Before(today):
		return Campaign{}, words.Refuse("CSE-634").At("scadono_al")
	case !c.From.IsZero() && c.Until.Before(c.From):
		return Campaign{}, words.Refuse("CSE-634").At("scadono_dal")
	case !slices.Contains(production.Chips(), c.Chip):
		return Campaign{}, words.Refuse("CSE-002")
	}
	ch := r.chooser(Criteria{From: c.From, Until: c.Until, ASL: c.ASL, Comune: c.Comune, Model: c.Model, Chip: c.Chip})
	if err := ch.each(ctx, production.RenewedStates(), ch.renewable); err != nil {
		return Campaign{}, err
	}
	return r.write(ctx, entryOf(op), Campaign{Kind: Renewal, Name: name, Criteria: ch.c, Preview: ch.p}, ch.items)
}

// each looks at every card in the states.
func (ch *chooser) each(ctx context.Context, states []lifecycle.State, look func(ctx context.Context, c lifecycle.Card) error) error {
	for _, s := range states {
		for after := ""; ; {
			cards, err := ch.d.Cards.ByState(ctx, s, after, chunk)
			if err != nil {
				return err
			}
			if len(cards) == 0 {
				break
			}
			for _, c := range cards {
				after = c.ID
				if err := look(ctx, c); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (ch *chooser) renewable(ctx context.Context, c lifecycle.Card) error {
	if !production.Renewable(c, ch.today) || c.Expires.Before(ch.c.From) || c.Expires.After(ch.c.Until) {
		return nil
	}
	ch.p.Looked++
	who, err := ch.d.Person(ctx, c.CF)
	if err != nil && !errors.Is(err, registry.ErrUnknown) {
		return err
	}
	cards, err := ch.d.Cards.ByPerson(ctx, c.CF)
	if err != nil {
		return err
	}
	next, follows := lifecycle.SuccessorOf(c, cards)
	switch {
	case ch.c.Model != "" && c.Model != ch.c.Model, ch.c.ASL != "" && who.ASL != ch.c.ASL, ch.c.Comune != "" && who.Residence != ch.c.Comune:
		ch.p.Elsewhere++
	case follows && !next.State.Final():
		ch.p.Followed++
	case !who.AssistedOn(ch.today):
		ch.p.NotAssisted++
	default:
		longer, err := ch.d.Longer(ctx, c)
		if err != nil {
			return err
		}
		if !longer {
			ch.p.NotLonger++
			return nil
		}
		ch.take(c, who, "")
	}
	return nil
}

func (ch *chooser) take(c lifecycle.Card, who registry.Person, m Motive) {
	ch.p.ASL[who.ASL]++
	ch.p.Model[string(c.Model)]++
	ch.p.State[string(c.State)]++
	if m != "" {
		ch.p.Motive[string(m)]++
	}
	ch.items = append(ch.items, Item{Key: c.ID, Motive: string(m)})
}

// NewRevocation chooses the cards of a bulk revocation by criteria: the lot, the
// authority that certified them, the days of issue; one of them at least. Cards
// that are only ordered have nothing to revoke.
func (r *Room) NewRevocation(ctx context.Context, op staff.Operator, name string, c Criteria) (Campaign, error) {
	if err := acts(op, Revocation); err != nil {
		return Campaign{}, err
	}
	name, err := checkName(name)
	if err != nil {
		return Campaign{}, err
	}
	switch _, ok := motives[c.Motive]; {
	case !ok:
		return Campaign{}, words.Refuse("CSE-638", string(c.Motive)).At("motivo_revoca")
	case c.Batch == "" && c.Issuer == "" && c.IssuedFrom.IsZero() && c.IssuedUntil.IsZero():
		return Campaign{}, words.Refuse("CSE-688").At("lotto")
	case !c.IssuedFrom.IsZero() && !c.IssuedUntil.IsZero() && c.IssuedUntil.Before(c.IssuedFrom):
		return Campaign{}, words.Refuse("CSE-634").At("emesse_al")
	}
	ch := r.chooser(Criteria{Batch: c.Batch, Issuer: c.Issuer, IssuedFrom: c.IssuedFrom, IssuedUntil: c.IssuedUntil, Motive: c.Motive})
	err = ch.each(ctx, lifecycle.States(), func(ctx context.Context, x lifecycle.Card) error {
		in, err := ch.within(ctx, x)
		if err != nil || !in {
			return err
		}
		return ch.recallable(ctx, x, c.Motive)
	})
	if err != nil {
		return Campaign{}, err
	}
	return r.write(ctx, entryOf(op), Campaign{Kind: Revocation, Name: name, Criteria: ch.c, Preview: ch.p}, ch.items)
}

// within tells whether the lot, the authority and the days choose the card.
func (ch *chooser) within(ctx context.Context, x lifecycle.Card) (bool, error) {
	switch c := ch.c; {
	case c.Batch != "" && x.Batch != c.Batch,
		c.Issuer != "" && x.CertSerial == "",
		!c.IssuedFrom.IsZero() && x.Issued.Before(c.IssuedFrom),
		!c.IssuedUntil.IsZero() && x.Issued.After(c.IssuedUntil):
		return false, nil
	case c.Issuer == "":
		return true, nil
	}
	issuer, err := ch.d.IssuerOf(ctx, x)
	return issuer == ch.c.Issuer, err
}

func (ch *chooser) recallable(ctx context.Context, x lifecycle.Card, m Motive) error {
	ch.p.Looked++
	if x.State.Final() || x.State == lifecycle.Ordered {
		ch.p.Over++
		return nil
	}
	who, err := ch.d.Person(ctx, x.CF)
	if err != nil && !errors.Is(err, registry.ErrUnknown) {
		return err
	}
	ch.take(x, who, m)
	return nil
}

// ListColumns is the header of a list of cards to revoke.
var ListColumns = []string{"numero_tessera", "motivo"}

// NewRevocationOf chooses the cards of a list: CSV with the header ListColumns,
// separated by commas or semicolons. Every line must be right, or nothing is
// chosen (CSE-637 names the first wrong one): whoever revokes many cards knows
// which.
func (r *Room) NewRevocationOf(ctx context.Context, op staff.Operator, name, list string) (Campaign, error) {
	if err := acts(op, Revocation); err != nil {
		return Campaign{}, err
	}
	return r.revocationOf(ctx, entryOf(op), name, list)
}

func (r *Room) revocationOf(ctx context.Context, by journal.Entry, name, list string) (Campaign, error) {
	name, err := checkName(name)
	if err != nil {
		return Campaign{}, err
	}
	lines, err := ParseList(list)
	if err != nil {
		return Campaign{}, err
	}
	sum := sha256.Sum256([]byte(list))
	ch := r.chooser(Criteria{List: hex.EncodeToString(sum[:])})
	for _, l := range lines {
		x, err := r.d.Cards.Get(ctx, l.Card)
		if errors.Is(err, lifecycle.ErrUnknown) {
			ch.p.Looked++
			ch.p.Unknown++
			continue
		}
		if err != nil {
			return Campaign{}, err
		}
		if err := ch.recallable(ctx, x, l.Motive); err != nil {
			return Campaign{}, err
		}
	}
	return r.write(ctx, by, Campaign{Kind: Revocation, Name: name, Criteria: ch.c, Preview: ch.p}, ch.items)
}

// Line is one card of a list.
type Line struct {
	Card   string
	Motive Motive
}

// ParseList reads a list of cards to revoke.
func ParseList(list string) ([]Line, error) {
	wrong := func(line int, why string) error { return words.Refuse("CSE-637", line, why).At("elenco") }
	header, rows, err := table.Open(strings.NewReader(list))
	if err != nil || !slices.Equal(header, ListColumns) {
		return nil, wrong(1, strings.Join(ListColumns, ";"))
	}
	rows.FieldsPerRecord = len(ListColumns)
	all, err := rows.ReadAll()
	var syntax *csv.ParseError
	if errors.As(err, &syntax) {
		return nil, wrong(syntax.Line, "CSV")
	}
	if err != nil {
		return nil, fmt.Errorf("campaign: list: %w", err)
	}
	if len(all) >= Most {
		return nil, words.Refuse("CSE-639", Most).At("elenco")
	}
	seen := map[string]bool{}
	var out []Line
	for n, row := range all {
		id, err := cns.ParseCardID(strings.ReplaceAll(strings.TrimSpace(row[0]), " ", ""))
		m := Motive(strings.TrimSpace(row[1]))
		switch _, ok := motives[m]; {
		case err != nil:
			return nil, wrong(n+2, "numero_tessera")
		case !ok:
			return nil, wrong(n+2, "motivo")
		case seen[string(id)]:
			return nil, wrong(n+2, "=")
		}
		seen[string(id)] = true
		out = append(out, Line{string(id), m})
	}
	return out, nil
}

// Collect keeps corrections that an import found: few enough begin at once, more
// wait for a second person, asked for in the name of who ran the import.
func (r *Room) Collect(ctx context.Context, by, name, note string, items []Item) (Campaign, error) {
	e := entryOf(staff.Operator{Account: by})
	c, err := r.write(ctx, e, Campaign{Kind: Correction, Name: name, Preview: Preview{Looked: len(items)}}, items)
	if err != nil {
		return c, err
	}
	alone, err := r.alone(ctx, c)
	if err != nil {
		return c, err
	}
	if alone {
		return r.run(ctx, e, c)
	}
	return r.ask(ctx, c, by, "", note, func(ctx context.Context, c Campaign) error {
		_, err := r.Approvals.AskFor(ctx, by, ApprovalKind(c.Kind), c.ID, Content(c), note)
		return err
	})
}

// standing says what became of the last request for v.
func (r *Room) standing(ctx context.Context, v *View) error {
	q, err := r.Approvals.Last(ctx, ApprovalKind(v.Kind), v.ID)
	if errors.Is(err, approval.ErrUnknown) {
		v.Lapsed = true
		return nil
	}
	if err != nil {
		return err
	}
	v.Refused = q.State == approval.Refused
	v.Lapsed = q.State == approval.Open && !r.d.Clock.Now().Before(q.Expires)
	return nil
}
