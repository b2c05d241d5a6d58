package counter_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"cse.example/cse/issuer/staff"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"cse.example/cse/engine/store"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
)

func (b *bench) worklist(t *testing.T, lost *[]counter.Undelivered) *counter.Worklist {
	t.Helper()
	w, err := counter.NewWorklist(counter.WorklistParts{
		Directory: b.deps.Directory, Cards: b.db.Cards(), Find: b.db.Acts().Find, Open: b.db.Acts().Open, Of: b.db.Acts().Of, ByCard: b.db.Acts().ByCard,
		Undelivered: func(context.Context) ([]counter.Undelivered, error) { return *lost, nil },
		Unit:        func(context.Context, string) (string, error) { return b.unit, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// A task appears with the act, changes with the print, ends with the tick; a
// lost mail is a task of its own; other offices see nothing (R75).
func TestWorklist(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBench(t, db)
		var lost []counter.Undelivered
		w := b.worklist(t, &lost)
		op, _, a := b.activated(t)
		tasks := func(when string, op staff.Operator, want ...counter.Task) {
			t.Helper()
			got, err := w.Tasks(t.Context(), op)
			if err != nil || cmp.Diff(want, got, cmpopts.EquateEmpty()) != "" {
				t.Errorf("%s: %v\n%s", when, err, cmp.Diff(want, got))
			}
		}
		task := func(kind counter.TaskKind, at time.Time) counter.Task {
			return counter.Task{Kind: kind, Protocol: a.Protocol, Card: number, At: at}
		}
		tasks("activated", op, task(counter.TaskPrint, monday))
		tasks("another office", b.operator(t, "op2", "com"))

		b.clock.Advance(time.Minute)
		if err := b.Printed(t.Context(), op, a.Protocol); err != nil {
			t.Fatal(err)
		}
		tasks("printed", op, task(counter.TaskHandOver, monday.Add(time.Minute)))

		lost = []counter.Undelivered{
			{Key: "mail.notice/activated/" + a.Protocol, At: monday}, // no codes in it
			{Key: counter.MailKey("2026/0000777"), At: monday},       // nobody's
			{Key: counter.MailKey(a.Protocol), At: monday.Add(time.Second)},
		}
		tasks("mail lost", op, task(counter.TaskUndelivered, monday.Add(time.Second)), task(counter.TaskHandOver, monday.Add(time.Minute)))
		tasks("mail lost, another office", b.operator(t, "op2", "com"))
		if err := b.HandOver(t.Context(), op, a.Protocol); err != nil {
			t.Fatal(err)
		}
		tasks("handed over", op, task(counter.TaskUndelivered, monday.Add(time.Second)))

		// Sent again to a better address: what counts is that letter's fate.
		o := b.order(t)
		o.Email, o.EmailAgain = "altro@posta.example", "altro@posta.example"
		fixed, err := b.CorrectEmail(t.Context(), op, o)
		if err != nil {
			t.Fatal(err)
		}
		slip := counter.Task{Kind: counter.TaskPrint, Protocol: fixed.Protocol, Card: number, At: fixed.At}
		tasks("sent again", op, slip)
		lost = append(lost, counter.Undelivered{Key: counter.MailKey(fixed.Protocol), At: monday})
		tasks("that letter is lost, too", op, counter.Task{Kind: counter.TaskUndelivered, Protocol: fixed.Protocol, Card: number, At: monday}, slip)
		lost = nil

		// A sheet that the printer spoilt is printed by an act of its own.
		spoilt, err := b.Reprint(t.Context(), op, b.order(t))
		if err != nil {
			t.Fatal(err)
		}
		sheet := counter.Task{Kind: counter.TaskPrint, Protocol: spoilt.Protocol, Card: number, At: spoilt.At}
		tasks("reprinted", op, slip, sheet)
		if err := b.Printed(t.Context(), op, spoilt.Protocol); err != nil {
			t.Fatal(err)
		}
		again, err := b.Reprint(t.Context(), op, b.order(t))
		if err != nil {
			t.Fatal(err)
		}
		sheet.Protocol, sheet.At = again.Protocol, again.At
		tasks("reprinted once more", op, slip, sheet)

		cip := secret.FromString(string(b.codes[number].CIP.Reveal()))
		if _, err := b.RevokeWithCIP(t.Context(), number, cip, "192.0.2.1", words.Italian); err != nil {
			t.Fatal(err)
		}
		tasks("revoked: the codes are gone, the receipt is not", op, slip)
	})
}

// R75: a letter that was not printed is a task of the counter that did the act; the
// mail of a card activated from home is one of the holder's own health unit, and
// of any counter that may help where it has none. A later act ends both.
func TestR75_LettersAndActivationsFromHomeAreTasks(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := homely(t, db)
		var lost []counter.Undelivered
		w := b.worklist(t, &lost)
		op, p, a := b.activated(t)
		kinds := func(op staff.Operator) (out []counter.TaskKind) {
			t.Helper()
			list, err := w.Tasks(t.Context(), op)
			if err != nil {
				t.Fatal(err)
			}
			for _, x := range list {
				if x.Kind != counter.TaskPrint {
					out = append(out, x.Kind)
				}
			}
			return out
		}
		want := func(when string, op staff.Operator, kinds []counter.TaskKind, want ...counter.TaskKind) {
			t.Helper()
			if d := cmp.Diff(want, kinds, cmpopts.EquateEmpty()); d != "" {
				t.Errorf("%s at %s: %s", when, op.Office.ID, d)
			}
		}
		com, other, ade := b.operator(t, "op2", "com"), b.operator(t, "op2", "asl2"), b.operator(t, "op2", "ade")
		lost = []counter.Undelivered{{Key: counter.LetterKey(a.Protocol), At: monday}}
		want("a letter that failed", op, kinds(op), counter.TaskLetter)
		want("a letter that failed", com, kinds(com))
		if _, err := b.CorrectEmail(t.Context(), op, b.order(t)); err != nil {
			t.Fatal(err)
		}
		want("the halves went by mail", op, kinds(op))

		b.issue(t, p, newer, nil)
		old := b.card(t, number)
		old.ReplacedBy = newer
		b.put(t, old)
		home, err := b.ActivateSuccessor(t.Context(), b.successorOrder(t, p))
		if err != nil {
			t.Fatal(err)
		}
		lost = []counter.Undelivered{{Key: counter.MailKey(home.Protocol), At: monday}}
		b.unit = "201"
		want("from home", op, kinds(op), counter.TaskHome)
		want("from home", com, kinds(com))
		want("from home", other, kinds(other))
		b.unit = "299" // has no counter
		want("no counter of his unit", com, kinds(com), counter.TaskHome)
		want("no counter of his unit", ade, kinds(ade))
		b.unit = "201"
		o := b.order(t)
		o.Card = home.Card
		if _, err := b.CorrectEmail(t.Context(), com, o); err != nil {
			t.Fatal(err)
		}
		want("sent again, at whatever counter", op, kinds(op))
	})
}

func TestWorklistRefusals(t *testing.T) {
	if _, err := counter.NewWorklist(counter.WorklistParts{}); err == nil {
		t.Error("a worklist of nothing was made")
	}
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBench(t, db)
		broken := errors.New("no queue")
		w, err := counter.NewWorklist(counter.WorklistParts{
			Directory: b.deps.Directory, Cards: db.Cards(), Find: db.Acts().Find, Open: db.Acts().Open, Of: db.Acts().Of, ByCard: db.Acts().ByCard,
			Undelivered: func(context.Context) ([]counter.Undelivered, error) { return nil, broken },
			Unit:        func(context.Context, string) (string, error) { return "", nil },
		})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Tasks(t.Context(), b.operator(t, "op1", "asl1")); !errors.Is(err, broken) {
			t.Errorf("a broken queue is hidden: %v", err)
		}
	})
}

// The module carries the whole address and the birthplace; the form does not.
func TestModule(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBench(t, db)
		_, _, a := b.activated(t)
		m, err := b.Module(t.Context(), a.Form)
		if err != nil {
			t.Fatal(err)
		}
		if m.Email != "Mario.Rossi@posta.example" || m.BirthPlace != "Firenze (FI)" || m.Informativa != "1/2026" || m.Notices || m.Protocol != a.Protocol {
			t.Errorf("module %+v", m)
		}
		a.Form.Protocol = "2026/0000099"
		if _, err := b.Module(t.Context(), a.Form); !errors.Is(err, counter.ErrNotFound) {
			t.Errorf("the module of nothing: %v", err)
		}
	})
}
