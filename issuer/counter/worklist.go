package counter

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/staff"
)

// TaskKind is why something waits at a counter.
type TaskKind string

// The tasks.
const (
	// TaskPrint: activated, and the form was never printed.
	TaskPrint TaskKind = "print"
	// TaskHandOver: printed, and nobody ticked "consegnato e firmato".
	TaskHandOver TaskKind = "handover"
	// TaskUndelivered: the mail with the second halves did not arrive, or may
	// not have (R75).
	TaskUndelivered TaskKind = "undelivered"
	// TaskLetter: the letter for who has no e-mail address was not laid in the print
	// queue of its office.
	TaskLetter TaskKind = "letter"
	// TaskHome is TaskUndelivered for a card activated from home: no counter did
	// that, and the holder's own health unit looks after it.
	TaskHome TaskKind = "undelivered-home"
)

// Task is something that an office has begun and not ended.
type Task struct {
	Kind           TaskKind
	Protocol, Card string
	// At is when it began to wait.
	At time.Time
}

// Undelivered is a mail or a letter with second halves that stands still.
type Undelivered struct {
	Key string // as MailKey or LetterKey makes it
	At  time.Time
}

// WorklistParts are what a Worklist reads; all are needed.
type WorklistParts struct {
	Directory *staff.Directory
	Cards     lifecycle.Store
	// Find is that of Activations.
	Find func(ctx context.Context, protocol, draft string) (ActRow, error)
	// Open lists an office's activations that nobody ticked as handed over,
	// oldest first, at most limit.
	Open func(ctx context.Context, office string, limit int) ([]ActRow, error)
	// ByCard is that of Acts.
	ByCard func(ctx context.Context, card string) ([]ActRow, error)
	// Of lists an operator's acts at an office from one instant to before another,
	// oldest first, at most limit.
	Of func(ctx context.Context, operator, office string, from, to time.Time, limit int) ([]ActRow, error)
	// Undelivered lists the mails and letters that failed, came back or whose fate is
	// unknown, of all offices.
	Undelivered func(ctx context.Context) ([]Undelivered, error)
	// Unit is the health unit of a card's holder, empty for none.
	Unit func(ctx context.Context, card string) (asl string, err error)
}

// Worklist tells an operator what waits at his office ("da completare"). Make
// one with NewWorklist.
type Worklist struct{ d WorklistParts }

// NewWorklist refuses a missing part.
func NewWorklist(d WorklistParts) (*Worklist, error) {
	if d.Directory == nil || d.Cards == nil || d.Find == nil || d.Open == nil || d.Of == nil || d.ByCard == nil || d.Undelivered == nil || d.Unit == nil {
		return nil, errors.New("counter: a worklist needs all its parts")
	}
	return &Worklist{d}, nil
}

// maxTasks is how many tasks a list shows; maxOpen how many acts are looked at,
// since many that nobody ticked may be over by themselves.
const (
	maxTasks = 50
	maxOpen  = 2000
)

// Tasks lists what waits at op's office, oldest first, at most fifty. Codes that
// cannot be given any more, since the card has ended and they with it, are left
// out; the receipt of the act that ended it is not.
func (w *Worklist) Tasks(ctx context.Context, op staff.Operator) ([]Task, error) {
	if err := w.d.Directory.Allowed(op, staff.View, ""); err != nil {
		return nil, err
	}
	rows, err := w.d.Open(ctx, op.Office.ID, maxOpen)
	if err != nil {
		return nil, err
	}
	var out, papers []Task // papers: receipts and slips, which a card's end does not take away
	for _, r := range rows {
		withCodes := r.Kind == KindActivation || r.Kind == KindReprint || r.Kind == KindNewCodes
		if withCodes {
			again, err := w.later(ctx, r, KindReprint, KindNewCodes) // the paper was spoilt or lost, and printed again
			if err != nil {
				return nil, err
			}
			if again {
				continue
			}
		}
		t := Task{Kind: TaskPrint, Protocol: r.Protocol, Card: r.Card, At: r.At}
		if !r.PrintedAt.IsZero() {
			t.Kind, t.At = TaskHandOver, r.PrintedAt
		}
		if withCodes {
			out = append(out, t)
		} else {
			papers = append(papers, t)
		}
	}
	lost, err := w.undelivered(ctx, op)
	if err != nil {
		return nil, err
	}
	if out, err = w.alive(ctx, append(out, lost...)); err != nil {
		return nil, err
	}
	out = append(out, papers...)
	slices.SortStableFunc(out, func(a, b Task) int { return cmp.Or(a.At.Compare(b.At), strings.Compare(a.Protocol, b.Protocol)) })
	return out[:min(len(out), maxTasks)], nil
}

func (w *Worklist) undelivered(ctx context.Context, op staff.Operator) ([]Task, error) {
	mails, err := w.d.Undelivered(ctx)
	if err != nil {
		return nil, err
	}
	var out []Task
	for _, m := range mails {
		kind := TaskUndelivered
		protocol, ok := strings.CutPrefix(m.Key, KindMailCodes+"/")
		if !ok {
			kind = TaskLetter
			protocol, ok = strings.CutPrefix(m.Key, KindPrintLetter+"/")
		}
		if !ok {
			continue
		}
		r, err := w.d.Find(ctx, protocol, "")
		if errors.Is(err, ErrNotFound) {
			continue // not an activation's
		}
		if err != nil {
			return nil, fmt.Errorf("counter: tasks: %w", err)
		}
		if r.Kind == KindSuccessor {
			kind = TaskHome
			if ok, err = w.looksAfter(ctx, op, r.Card); err != nil {
				return nil, err
			}
		} else {
			ok = r.Office == op.Office.ID
		}
		if !ok {
			continue
		}
		again, err := w.later(ctx, r, KindEmail, KindReprint, KindNewCodes)
		if err != nil {
			return nil, err
		}
		if !again {
			out = append(out, Task{Kind: kind, Protocol: protocol, Card: r.Card, At: m.At})
		}
	}
	return out, nil
}

// looksAfter tells whether op's office ends what a holder began at home: one of
// his own health unit; where that has no counter, any that may send the codes
// again.
func (w *Worklist) looksAfter(ctx context.Context, op staff.Operator, card string) (bool, error) {
	asl, err := w.d.Unit(ctx, card)
	if err != nil {
		return false, fmt.Errorf("counter: tasks: %w", err)
	}
	if w.d.Directory.AllowedInPerson(op, staff.CorrectEmail, asl) != nil {
		return false, nil
	}
	own := func(o staff.Office) bool { return o.Type == staff.ASL && o.ASL == asl }
	return own(op.Office) || !slices.ContainsFunc(w.d.Directory.Open(), own), nil
}

// later tells that something of an act was done again by a later one of any
// counter: that one's fate is what counts, and the task is done.
func (w *Worklist) later(ctx context.Context, r ActRow, kinds ...ActKind) (bool, error) {
	rows, err := w.d.ByCard(ctx, r.Card)
	if err != nil {
		return false, fmt.Errorf("counter: tasks: %w", err)
	}
	return slices.ContainsFunc(rows, func(x ActRow) bool { return slices.Contains(kinds, x.Kind) && x.Protocol > r.Protocol }), nil
}

// alive keeps the tasks of cards that are still in use.
func (w *Worklist) alive(ctx context.Context, tasks []Task) ([]Task, error) {
	out := tasks[:0]
	for _, t := range tasks {
		c, err := w.d.Cards.Get(ctx, t.Card)
		if err != nil {
			return nil, fmt.Errorf("counter: tasks: %w", err)
		}
		if c.State == lifecycle.Active || c.State == lifecycle.Suspended {
			out = append(out, t)
		}
	}
	return out, nil
}
