package counter

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/staff"
)

// Act is something done at a counter.
type Act struct {
	// Protocol is AAAA/NNNNNNN.
	Protocol            string
	Kind                ActKind
	Card                string
	Operator            string
	Office              string
	At                  time.Time
	PrintedAt, HandedAt time.Time
	Form                Form
	// Shown is how the card was shown, Lights the diagnosis of a chip fault; nil for
	// acts without.
	Shown  *Shown
	Lights *Lights
	// Destroyed tells that retention has taken the papers away.
	Destroyed bool
}

// Evidence is what an act leaves in the archive, sealed: who stood there, where
// the mails go, what the papers say, and what the act itself has to remember.
type Evidence struct {
	Identity IdentityStep `json:"identity"`
	Contact  ContactStep  `json:"contact"`
	Form     Form         `json:"form"`
	// Shown is how the card was shown, where the act wants it there.
	Shown *Shown          `json:"shown,omitempty"`
	Extra json.RawMessage `json:"extra,omitempty"`
}

// PaperKind is a paper that an act prints.
type PaperKind string

// The papers of an activation; other acts have more, each beside its act.
const (
	PaperCodes   PaperKind = "codes"   // first halves: printed once, and never again
	PaperRequest PaperKind = "request" // the module in two copies
)

// has tells whether f prints paper k.
func (f Form) has(k PaperKind) bool { return slices.Contains(f.Papers, k) }

// already finds what a request has done, for whoever presses twice; ErrNotFound.
func (c *Counter) already(ctx context.Context, op staff.Operator, request string) (Act, error) {
	r, err := c.d.Acts.Find(ctx, "", request)
	if err != nil {
		return Act{}, err
	}
	return c.actOf(op, r)
}

// keep writes down an act that has happened, in its transaction: the row with
// its sealed evidence, the print of its papers, the journal entry (act, and
// detail besides the protocol number; actor, office, card and person are filled
// in). e.Form has its protocol number, kind and papers. ErrStale: the request
// was used a moment ago by another act.
func (c *Counter) keep(ctx context.Context, op staff.Operator, request string, f found, e Evidence, entry journal.Entry) (Act, error) {
	row := ActRow{
		Protocol: e.Form.Protocol, Kind: e.Form.Kind, Request: request, Card: f.Card.ID, Operator: op.Account, Office: op.Office.ID, At: e.Form.At,
	}
	e.Form.Informativa = c.d.Informativa(e.Form.At)
	var err error
	if row.Body, err = c.seal("act", row.Protocol, e); err != nil {
		return Act{}, err
	}
	added, err := c.d.Acts.Add(ctx, row)
	if err == nil && !added {
		err = ErrStale
	}
	if err != nil {
		return Act{}, err
	}
	if e.Form.has(PaperCodes) {
		if err := c.enqueue(ctx, PrintKey(row.Protocol), KindPrintCodes, row.Card, e.Form); err != nil {
			return Act{}, err
		}
	}
	entry.Actor, entry.Office, entry.Card, entry.Person = op.Account, op.Office.ID, f.Card.ID, string(f.Person.CF)
	detail := map[string]string{"protocol": row.Protocol}
	for k, v := range entry.Detail {
		detail[k] = v
	}
	entry.Detail = detail
	if err := c.d.Record(ctx, entry); err != nil {
		return Act{}, err
	}
	if err := c.note(ctx, f, e); err != nil {
		return Act{}, err
	}
	if err := c.remember(ctx, f, e); err != nil {
		return Act{}, err
	}
	if err := c.expect(ctx, op, f, e); err != nil {
		return Act{}, err
	}
	if err := c.sample(ctx, f, e, row); err != nil {
		return Act{}, err
	}
	return c.actOf(op, row)
}

// evidence opens what an act left; once retention has destroyed it, only what the
// row says is left.
func (c *Counter) evidence(r ActRow) (Evidence, error) {
	var e Evidence
	if r.Destroyed() {
		e.Form = Form{Protocol: r.Protocol, Kind: r.Kind, Card: r.Card, At: r.At}
		return e, nil
	}
	return e, c.open("act", r.Protocol, r.Body, &e)
}

// actOf opens r for op, who must work at the counter where it was done.
func (c *Counter) actOf(op staff.Operator, r ActRow) (Act, error) {
	if r.Office != op.Office.ID {
		return Act{}, words.Refuse("CSE-145")
	}
	e, err := c.evidence(r)
	if err != nil {
		return Act{}, err
	}
	return Act{
		Protocol: r.Protocol, Kind: r.Kind, Card: r.Card, Operator: r.Operator, Office: r.Office, At: r.At,
		PrintedAt: r.PrintedAt, HandedAt: r.HandedAt, Form: e.Form, Destroyed: r.Destroyed(), Shown: e.Shown, Lights: e.lightsOf(),
	}, nil
}

// Act reads one by protocol number; CSE-145 when it is not op's counter's.
func (c *Counter) Act(ctx context.Context, op staff.Operator, protocol string) (Act, error) {
	r, err := c.d.Acts.Find(ctx, protocol, "")
	if errors.Is(err, ErrNotFound) || protocol == "" {
		return Act{}, words.Refuse("CSE-145")
	}
	if err != nil {
		return Act{}, err
	}
	return c.actOf(op, r)
}

// ToPrint answers what the papers say. Papers with codes print once: CSE-150
// when they were printed or handed over. Others are copies from the second time
// on. The printing process makes the pages, and calls Printed before they leave.
func (c *Counter) ToPrint(ctx context.Context, op staff.Operator, protocol string) (Form, error) {
	a, err := c.Act(ctx, op, protocol)
	if err != nil {
		return Form{}, err
	}
	if a.Destroyed {
		return Form{}, words.Refuse("CSE-646")
	}
	spent := !a.PrintedAt.IsZero() || !a.HandedAt.IsZero()
	if spent && a.Form.has(PaperCodes) {
		return Form{}, words.Refuse("CSE-150")
	}
	if a.Kind == KindNewCodes && c.d.Renew != nil {
		switch pending, err := c.d.Renew.Pending(ctx, a.Card); {
		case err != nil:
			return Form{}, err
		case pending:
			return Form{}, words.Refuse("CSE-476") // the chip first
		}
	}
	a.Form.Copy = spent
	return a.Form, nil
}

// Printed marks the papers as printed; with codes CSE-150 when they were
// already, so that of two windows one prints; without, the copy is journaled.
func (c *Counter) Printed(ctx context.Context, op staff.Operator, protocol string) error {
	a, err := c.Act(ctx, op, protocol)
	if err != nil {
		return err
	}
	return c.d.Atomically(ctx, func(ctx context.Context) error {
		first, err := c.d.Acts.Mark(ctx, protocol, StepPrinted, c.d.Clock.Now())
		if err != nil {
			return err
		}
		act := "papers.printed"
		switch codes := a.Form.has(PaperCodes); {
		case codes && !first:
			return words.Refuse("CSE-150")
		case codes:
			act = "codes.printed"
		case !first:
			act = "papers.copied"
		}
		return c.d.Record(ctx, journal.Entry{
			Act: act, Actor: op.Account, Office: op.Office.ID, Card: a.Card, Person: a.Form.CF,
			Detail: map[string]string{"protocol": protocol},
		})
	})
}

// HandOver is the operator's tick «Consegnato e firmato»: whatever is left of
// the print is destroyed. Papers that were not printed cannot have been handed
// over (CSE-146); ticking twice is no error.
func (c *Counter) HandOver(ctx context.Context, op staff.Operator, protocol string) error {
	a, err := c.Act(ctx, op, protocol)
	if err != nil {
		return err
	}
	if a.PrintedAt.IsZero() {
		return words.Refuse("CSE-146")
	}
	return c.d.Atomically(ctx, func(ctx context.Context) error {
		first, err := c.d.Acts.Mark(ctx, protocol, StepHandedOver, c.d.Clock.Now())
		if err != nil || !first {
			return err
		}
		act := "papers.handed-over"
		if a.Form.has(PaperCodes) {
			act = "codes.handed-over"
			if err := c.d.DropPrint(ctx, PrintKey(protocol)); err != nil {
				return err
			}
		}
		return c.d.Record(ctx, journal.Entry{
			Act: act, Actor: op.Account, Office: op.Office.ID, Card: a.Card, Person: a.Form.CF,
			Detail: map[string]string{"protocol": protocol},
		})
	})
}
