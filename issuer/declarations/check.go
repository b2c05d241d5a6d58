package declarations

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/staff"
)

// maxWaiting is how many cases the list shows.
const maxWaiting = 200

// Line is a case on the list. It names nobody.
type Line struct {
	Row
	// Own: op did the act, and somebody else decides.
	Own bool
}

// Case is one with what was declared.
type Case struct {
	Row
	What Declared
	// Text is what whoever decided wrote.
	Text string
}

// Waiting lists what op's office has to check, oldest first.
func (r *Room) Waiting(ctx context.Context, op staff.Operator) ([]Line, error) {
	if !op.Has(staff.RoleSupervisor) {
		return nil, words.Refuse("CSE-003")
	}
	rows, err := r.d.Store.Waiting(ctx, op.Office.ID, unitOf(op), maxWaiting)
	var out []Line
	for _, x := range rows {
		if r.d.Directory.Allowed(op, staff.ActivateRepresented, x.ASL) == nil {
			out = append(out, Line{x, own(op, x)})
		}
	}
	return out, err
}

// unitOf is the health unit whose holders op checks for, empty for none.
func unitOf(op staff.Operator) string {
	if op.Office.Type == staff.ASL {
		return op.Office.ASL
	}
	return ""
}

// own tells whether op did the act: a person has one account (staff.Directory).
func own(op staff.Operator, x Row) bool { return x.Operator == op.Account }

// may answers a case that op may check, or why not.
func (r *Room) may(ctx context.Context, op staff.Operator, protocol string) (Row, error) {
	if !op.Has(staff.RoleSupervisor) {
		return Row{}, words.Refuse("CSE-003")
	}
	x, err := r.d.Store.Get(ctx, protocol)
	if errors.Is(err, ErrNotFound) {
		return x, words.Refuse("CSE-760")
	}
	if err != nil {
		return x, err
	}
	if err := r.d.Directory.Allowed(op, staff.ActivateRepresented, x.ASL); err != nil {
		return x, err
	}
	if unit := unitOf(op); x.Office != op.Office.ID && (unit == "" || unit != x.ASL) {
		return x, r.refuse(ctx, op, x, "CSE-754")
	}
	if own(op, x) {
		return x, r.refuse(ctx, op, x, "CSE-755")
	}
	return x, nil
}

// refuse answers the fault, after it has been recorded.
func (r *Room) refuse(ctx context.Context, op staff.Operator, x Row, code string) error {
	return errors.Join(words.Refuse(code), r.d.Atomically(ctx, func(ctx context.Context) error {
		return r.d.Record(ctx, journal.Entry{
			Act: "declaration.refused", Actor: op.Account, Office: op.Office.ID, Detail: map[string]string{"protocol": x.Protocol, "code": code},
		})
	}))
}

// May tells whether op may see the papers of a case: while it is open.
func (r *Room) May(ctx context.Context, op staff.Operator, protocol string) error {
	x, err := r.may(ctx, op, protocol)
	if err == nil && x.State != Open {
		err = words.Refuse("CSE-758", x.DecidedBy)
	}
	return err
}

// Case opens one: a look at the holder's data, written down.
func (r *Room) Case(ctx context.Context, op staff.Operator, protocol string) (Case, error) {
	x, err := r.may(ctx, op, protocol)
	if err != nil {
		return Case{}, err
	}
	c := Case{Row: x}
	if c.What, err = r.d.Read(ctx, op, protocol); err != nil {
		return Case{}, err
	}
	if len(x.Note) > 0 {
		note, err := r.d.Seal.Decrypt(x.Note, noteOf(protocol))
		if err != nil {
			return Case{}, fmt.Errorf("declarations: open the note of %s: %w", protocol, err)
		}
		c.Text = string(note)
	}
	return c, r.d.Atomically(ctx, func(ctx context.Context) error {
		return r.d.Record(ctx, journal.Entry{
			Act: "holder.viewed", Actor: op.Account, Office: op.Office.ID, Person: string(c.What.Holder.CF), Detail: map[string]string{"motive": "check"},
		})
	})
}

func noteOf(protocol string) []byte { return []byte("cse.declarations/1|note|" + protocol) }

// Decide ends a case: note says what was looked at, and where. Not confirmed, the
// title ends in the same act.
func (r *Room) Decide(ctx context.Context, op staff.Operator, protocol string, confirmed bool, note string) error {
	x, err := r.may(ctx, op, protocol)
	if err != nil {
		return err
	}
	note = strings.TrimSpace(note)
	if n := len([]rune(note)); n < 5 || n > 500 {
		return words.Refuse("CSE-756").At("nota_controllo")
	}
	d, err := r.d.Read(ctx, op, protocol)
	if err != nil {
		return err
	}
	x.State, x.DecidedBy, x.DecidedIn, x.DecidedAt = Confirmed, op.Account, op.Office.ID, r.d.Clock.Now()
	if !confirmed {
		x.State = NotConfirmed
	}
	if x.Note, err = r.d.Seal.Encrypt([]byte(note), noteOf(protocol)); err != nil {
		return fmt.Errorf("declarations: seal the note of %s: %w", protocol, err)
	}
	return r.d.Atomically(ctx, func(ctx context.Context) error {
		first, err := r.d.Store.Decide(ctx, x)
		if err != nil {
			return err
		}
		if !first { // another window, or another supervisor, a moment ago
			was, err := r.d.Store.Get(ctx, protocol)
			return errors.Join(words.Refuse("CSE-758", was.DecidedBy), err)
		}
		detail := map[string]string{"protocol": protocol}
		if !confirmed {
			held, err := r.d.Disown(ctx, op, protocol)
			if err != nil {
				return err
			}
			detail["held"] = strconv.Itoa(held)
		}
		return r.d.Record(ctx, journal.Entry{
			Act: "declaration." + string(x.State), Actor: op.Account, Office: op.Office.ID, Card: x.Card, Person: string(d.Holder.CF), Detail: detail,
		})
	})
}
