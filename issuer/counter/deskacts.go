package counter

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/staff"
)

// The acts at a counter that are one form: what the operator fills in, checked
// and done in one transaction, with one record, one receipt and one mail.
const (
	KindSuspend     ActKind = "suspend"
	KindReactivate  ActKind = "reactivate"
	KindRevoke      ActKind = "revoke"
	KindLoss        ActKind = "loss"
	KindNotReceived ActKind = "not-received"
	KindChipFault   ActKind = "chip-fault"
	KindCorrection  ActKind = "correction"
	KindReferral    ActKind = "referral"
	KindWithdrawal  ActKind = "withdrawal"
)

// journaled are the acts' names in the journal.
var journaled = map[ActKind]string{
	KindSuspend: "card.suspended", KindReactivate: "card.reactivated", KindRevoke: "card.revoked", KindLoss: "card.lost",
	KindNotReceived: "card.not-received", KindChipFault: "card.faulty", KindCorrection: "card.correction-asked", KindReferral: "holder.referred",
	KindWithdrawal: "card.withdrawn", KindReprint: "codes.reprinted", KindNewCodes: "codes.renewed", KindEmail: "contact.corrected", KindJoin: "representation.joined",
}

// PaperReceipt is what the holder takes home from an act without codes;
// PaperReferral sends him to the office that is competent.
const (
	PaperReceipt  PaperKind = "receipt"
	PaperReferral PaperKind = "referral"
)

// Report is the report of a loss or theft to the authorities // denuncia (R34).
type Report struct {
	Theft     bool       `json:"theft"`
	Authority string     `json:"authority"`
	Date      civil.Date `json:"date"`
	Number    string     `json:"number"`
}

// Empty tells that nothing was filled in.
func (r Report) Empty() bool { return r.Authority == "" && r.Number == "" && r.Date.IsZero() }

// check refuses a report that is not complete (CSE-430) or not of the past
// (CSE-431).
func (r Report) check(today civil.Date) error {
	switch {
	case !plain(r.Authority, 2, 80):
		return words.Refuse("CSE-430").At("denuncia_autorita")
	case !plain(r.Number, 1, 40):
		return words.Refuse("CSE-430").At("denuncia_numero")
	case r.Date.IsZero():
		return words.Refuse("CSE-430").At("denuncia_data")
	case !r.Date.Valid() || r.Date.After(today):
		return words.Refuse("CSE-431").At("denuncia_data")
	}
	return nil
}

// Order is what an operator asks in one form.
type Order struct {
	// Request makes pressing twice one act; NewRequest makes one.
	Request string
	// Card is the card concerned.
	Card string
	// Identity is who stands there and with which document.
	Identity IdentityStep
	Report   Report
	// Lights is the diagnosis ticked by hand, nil when the reader made it (Reading)
	// or the call centre.
	Lights *Lights
	// Text says what is wrong with the data, for a correction.
	Text string
	// Address is the holder's word that the card comes to the right address.
	Address bool
	// Shown is the card on the counter, NoReader why its number was typed.
	Shown    CardStep
	NoReader string
	// Reading is the job of the reader that read or tested the card.
	Reading string
	// Email is where second halves go, typed twice.
	Email, EmailAgain string
	// NoEmail sends them by post instead.
	NoEmail bool
	Lang    words.Lang
}

// NewRequest makes the token of a form.
func (c *Counter) NewRequest() (string, error) {
	b := make([]byte, 16)
	if _, err := io.ReadFull(c.d.Rand, b); err != nil {
		return "", fmt.Errorf("counter: %w", err)
	}
	return hex.EncodeToString(b), nil
}

// Reissue orders the card that takes another's place, in the act of ctx; an
// empty card tells that none can be made yet (the exceptions of production).
type Reissue func(ctx context.Context, old lifecycle.Card) (lifecycle.Card, error)

// Diagnosis answers the call centre's finding of a chip fault: the number of
// its ticket, empty for none.
type Diagnosis func(ctx context.Context, card string) (ticket string, err error)

// outcome is what an act did, for its papers and its record.
type outcome struct {
	card    lifecycle.Card // as it is afterwards
	next    lifecycle.Card // the card that takes its place; empty for none
	reissue bool           // one was asked for
	notice  Event
	detail  map[string]string
	// after is what else the act does, once it has its protocol number.
	after func(ctx context.Context, a Act) error
}

// once does what every act of one form has in common: the same request is done
// once, the matrix is asked, nobody serves himself, and all of it is one
// transaction.
func (c *Counter) once(ctx context.Context, op staff.Operator, kind ActKind, action staff.Action, o Order,
	do func(ctx context.Context, f found, e *Evidence) (outcome, error),
) (Act, error) {
	if len(o.Request) != 32 {
		return Act{}, words.Refuse("CSE-442")
	}
	var out Act
	err := c.d.Atomically(ctx, func(ctx context.Context) error {
		a, err := c.already(ctx, op, o.Request)
		if err == nil || !errors.Is(err, ErrNotFound) {
			out = a
			return err
		}
		f, err := c.searched(ctx, CardStep{Card: o.Card})
		if err != nil {
			return err
		}
		if err := c.mayServe(ctx, op, action, f); err != nil {
			return err
		}
		out, err = c.perform(ctx, op, kind, o, f, do)
		return err
	})
	if errors.Is(err, lifecycle.ErrStale) || errors.Is(err, ErrStale) {
		return Act{}, words.Refuse("CSE-149").Because(err)
	}
	return out, err
}

// mayServe asks the matrix for an act in person, and refuses an operator his own
// card and his children's.
func (c *Counter) mayServe(ctx context.Context, op staff.Operator, action staff.Action, f found) error {
	if err := c.ownFamily(ctx, op, f.Person); err != nil {
		return err
	}
	return c.d.Directory.AllowedInPerson(op, action, f.Person.ASL)
}

func (c *Counter) perform(ctx context.Context, op staff.Operator, kind ActKind, o Order, f found,
	do func(ctx context.Context, f found, e *Evidence) (outcome, error),
) (Act, error) {
	now := c.d.Clock.Now()
	e := Evidence{Identity: o.Identity, Contact: ContactStep{Lang: o.Lang}}
	done, err := do(ctx, f, &e)
	if err != nil {
		return Act{}, err
	}
	number, err := c.protocol(ctx, now)
	if err != nil {
		return Act{}, err
	}
	f.Card = done.card
	papers := e.Form.Papers
	if papers == nil {
		papers = []PaperKind{PaperReceipt}
	}
	if e.Contact.Lang != words.English {
		e.Contact.Lang = words.Italian
	}
	e.Form = form(number, now, op, f, o.Identity, e.Contact)
	e.Form.Kind, e.Form.Papers, e.Form.Next, e.Form.Reissue = kind, papers, done.next.ID, done.reissue
	e.Form.Report, e.Form.Text = o.Report, o.Text
	entry := journal.Entry{Act: journaled[kind], Detail: map[string]string{"present": string(o.Identity.Present)}}
	for k, v := range done.detail {
		entry.Detail[k] = v
	}
	if done.next.ID != "" {
		entry.Detail["next"] = done.next.ID
	}
	a, err := c.keep(ctx, op, o.Request, f, e, entry)
	if err == nil && done.after != nil {
		err = done.after(ctx, a)
	}
	if err != nil || done.notice == "" {
		return a, err
	}
	return a, c.tell(ctx, done.notice, Receipt{Protocol: number, Card: f.Card.ID, At: now}, "")
}

// present checks who stands there: the holder, or who represents a minor or a
// ward. A delegate may only activate (CSE-438).
func (c *Counter) present(ctx context.Context, op staff.Operator, f found, s IdentityStep) error {
	switch s.Present {
	case PresentDelegate:
		return words.Refuse("CSE-438").At("presente")
	case PresentParent, PresentGuardian:
		return c.checkRepresentative(ctx, op, f, s)
	}
	return c.checkIdentity(f, s)
}

// Suspend puts the CNS on hold at once (table D.11): TS and TEAM stay as they
// are. Without any report; a loss reported later ends the card.
func (c *Counter) Suspend(ctx context.Context, op staff.Operator, o Order) (Act, error) {
	c = c.still()
	return c.once(ctx, op, KindSuspend, staff.SuspendNow, o, func(ctx context.Context, f found, _ *Evidence) (outcome, error) {
		if err := c.present(ctx, op, f, o.Identity); err != nil {
			return outcome{}, err
		}
		card, err := c.suspend(ctx, f.Card, lifecycle.ByHolder)
		return outcome{card: card, notice: Suspended}, err
	})
}

// suspend moves card and certificate, in the act of ctx. CSE-433 for a card that
// is not active.
func (c *Counter) suspend(ctx context.Context, card lifecycle.Card, why lifecycle.Reason) (lifecycle.Card, error) {
	if card.State != lifecycle.Active {
		return card, notSuspendable(card)
	}
	card, err := lifecycle.Move(card, lifecycle.Suspend, why, c.d.Clock.Now())
	if err != nil {
		return card, err
	}
	if card, err = c.d.Cards.Put(ctx, card); err != nil {
		return card, err
	}
	return card, c.d.Certificates.Hold(ctx, card.CertSerial)
}

func notSuspendable(card lifecycle.Card) error {
	if err := waitsForCodes(card); err != nil {
		return err
	}
	switch {
	case !card.HasChip() || card.State.Final():
		return nothingToRevoke(card)
	case card.State == lifecycle.Suspended:
		return words.Refuse("CSE-444", civil.DayOf(card.SuspendedAt).Italian())
	}
	return words.Refuse("CSE-433")
}

// Reactivate takes the hold away, at a counter; never once a loss or theft is on
// file (CSE-432).
func (c *Counter) Reactivate(ctx context.Context, op staff.Operator, o Order) (Act, error) {
	c = c.still()
	return c.once(ctx, op, KindReactivate, staff.Reactivate, o, func(ctx context.Context, f found, _ *Evidence) (outcome, error) {
		if err := c.present(ctx, op, f, o.Identity); err != nil {
			return outcome{}, err
		}
		card, err := c.reactivate(ctx, f.Card)
		return outcome{card: card, notice: Reactivated}, err
	})
}

func (c *Counter) reactivate(ctx context.Context, card lifecycle.Card) (lifecycle.Card, error) {
	switch {
	case card.Reason == lifecycle.Loss || card.Reason == lifecycle.Theft:
		return card, words.Refuse("CSE-432")
	case card.State.Final() || !card.HasChip():
		return card, nothingToRevoke(card)
	case card.State != lifecycle.Suspended:
		return card, words.Refuse("CSE-445")
	}
	if err := waitsForCodes(card); err != nil {
		return card, err
	}
	return c.release(ctx, card)
}

// release moves card and certificate, in the act of ctx.
func (c *Counter) release(ctx context.Context, card lifecycle.Card) (lifecycle.Card, error) {
	card, err := lifecycle.Move(card, lifecycle.Reactivate, "", c.d.Clock.Now())
	if err != nil {
		return card, words.Refuse("CSE-445").Because(err)
	}
	if card, err = c.d.Cards.Put(ctx, card); err != nil {
		return card, err
	}
	return card, c.d.Certificates.Release(ctx, card.CertSerial)
}

// Revoke is the holder's own word at a counter, final: identified by document.
// Loss and theft, which need a report, are another act. The FSE is not touched.
func (c *Counter) Revoke(ctx context.Context, op staff.Operator, o Order) (Act, error) {
	c = c.still()
	return c.once(ctx, op, KindRevoke, staff.RevokeInPerson, o, func(ctx context.Context, f found, _ *Evidence) (outcome, error) {
		if err := c.present(ctx, op, f, o.Identity); err != nil {
			return outcome{}, err
		}
		if f.Card.State.Final() || !f.Card.HasChip() {
			return outcome{}, nothingToRevoke(f.Card)
		}
		card, err := c.close(ctx, f.Card, lifecycle.ByHolder, cessation)
		return outcome{card: card, notice: Revoked}, err
	})
}

// close ends a card for good in the act of ctx: moved, certificate revoked,
// codes destroyed.
func (c *Counter) close(ctx context.Context, card lifecycle.Card, why lifecycle.Reason, crl int) (lifecycle.Card, error) {
	card, err := lifecycle.Move(card, lifecycle.Revoke, why, c.d.Clock.Now())
	if err != nil {
		return card, err
	}
	if card, err = c.d.Cards.Put(ctx, card); err != nil {
		return card, err
	}
	if card.CertSerial != "" {
		if err := c.d.Certificates.Revoke(ctx, card.CertSerial, crl); err != nil {
			return card, err
		}
	}
	return card, c.d.Codes.Destroy(ctx, card.ID)
}

// closeAndReissue ends a card and orders the next, in one act.
func (c *Counter) closeAndReissue(ctx context.Context, f found, why lifecycle.Reason, crl int) (outcome, error) {
	card, err := c.close(ctx, f.Card, why, crl)
	if err != nil {
		return outcome{}, err
	}
	next, err := c.d.Reissue(ctx, card)
	if err != nil {
		return outcome{}, err
	}
	if next.ID != "" { // the chain was written meanwhile
		if card, err = c.d.Cards.Get(ctx, card.ID); err != nil {
			return outcome{}, err
		}
	}
	return outcome{card: card, next: next, reissue: true, detail: map[string]string{"reason": string(why)}}, nil
}

// LossOrTheft ends the card and orders a duplicate in one act; the report comes
// first (R34, R37: CSE-430 without it), and the holder confirms the address. A
// suspended card is ended likewise.
func (c *Counter) LossOrTheft(ctx context.Context, op staff.Operator, o Order) (Act, error) {
	c = c.still()
	return c.once(ctx, op, KindLoss, staff.LossTheft, o, func(ctx context.Context, f found, _ *Evidence) (outcome, error) {
		if err := o.Report.check(civil.Today(c.d.Clock)); err != nil {
			return outcome{}, err
		}
		if err := c.present(ctx, op, f, o.Identity); err != nil {
			return outcome{}, err
		}
		if !o.Address {
			return outcome{}, words.Refuse("CSE-443").At("indirizzo")
		}
		if f.Card.State.Final() {
			return outcome{}, nothingToRevoke(f.Card)
		}
		if !f.Card.State.Posted() {
			return outcome{}, words.Refuse("CSE-434")
		}
		why := lifecycle.Loss
		if o.Report.Theft {
			why = lifecycle.Theft
		}
		out, err := c.closeAndReissue(ctx, f, why, keyCompromise)
		out.notice = Lost
		return out, err
	})
}

// NotReceived is for a card that never came (R26): the posted one is void for
// ever, its certificate revoked, and another is made. A card still at the bureau
// is only late (CSE-434), one that was activated has come (CSE-435).
func (c *Counter) NotReceived(ctx context.Context, op staff.Operator, o Order) (Act, error) {
	c = c.still()
	return c.once(ctx, op, KindNotReceived, staff.ReissueNotReceived, o, func(ctx context.Context, f found, _ *Evidence) (outcome, error) {
		if err := c.present(ctx, op, f, o.Identity); err != nil {
			return outcome{}, err
		}
		switch f.Card.State {
		case lifecycle.Shipped, lifecycle.Delivered, lifecycle.Returned:
		case lifecycle.Active, lifecycle.Suspended:
			return outcome{}, words.Refuse("CSE-435", civil.DayOf(f.Card.ActivatedAt).Italian())
		case lifecycle.Ordered, lifecycle.InProduction, lifecycle.Produced:
			return outcome{}, words.Refuse("CSE-434")
		default:
			return outcome{}, nothingToRevoke(f.Card)
		}
		if !o.Address {
			return outcome{}, words.Refuse("CSE-443").At("indirizzo")
		}
		out, err := c.closeAndReissue(ctx, f, lifecycle.NotReceived, cessation)
		out.notice = Ordered
		return out, err
	})
}

// ChipFault replaces a card whose chip is at fault (R33): by the call centre's
// diagnosis, or by the five lights of the counter's reader; CSE-436 without
// either, or when the lights say that the chip works.
func (c *Counter) ChipFault(ctx context.Context, op staff.Operator, o Order) (Act, error) {
	c = c.still()
	return c.once(ctx, op, KindChipFault, staff.ReissueChipFault, o, func(ctx context.Context, f found, e *Evidence) (outcome, error) {
		if err := c.present(ctx, op, f, o.Identity); err != nil {
			return outcome{}, err
		}
		if !f.Card.HasChip() || f.Card.State.Final() {
			return outcome{}, nothingToRevoke(f.Card)
		}
		if !f.Card.State.Posted() {
			return outcome{}, words.Refuse("CSE-434")
		}
		by, lit, err := c.diagnosed(ctx, op, f, o)
		if err != nil {
			return outcome{}, err
		}
		if e.Extra, err = json.Marshal(map[string]any{"diagnosis": by, "lights": lit}); err != nil {
			return outcome{}, err
		}
		out, err := c.closeAndReissue(ctx, f, lifecycle.ChipFault, unspecified)
		if err != nil {
			return out, err
		}
		out.notice, out.detail["diagnosis"] = Ordered, by
		if lit != nil {
			out.detail["lights"] = lit.By
		}
		return out, nil
	})
}

// Correct opens a correction of printed data: the Revenue Agency's alone (R29).
// Nothing is edited here; the registry's answer leads to a new card (R30).
func (c *Counter) Correct(ctx context.Context, op staff.Operator, o Order) (Act, error) {
	c = c.still()
	return c.once(ctx, op, KindCorrection, staff.CorrectData, o, func(ctx context.Context, f found, _ *Evidence) (outcome, error) {
		if err := c.present(ctx, op, f, o.Identity); err != nil {
			return outcome{}, err
		}
		if !plain(o.Text, 5, 500) {
			return outcome{}, words.Refuse("CSE-439").At("testo")
		}
		return outcome{card: f.Card}, nil
	})
}

// Refer prints the slip that sends somebody with wrong data to the Revenue
// Agency: any counter may, and nothing else happens.
func (c *Counter) Refer(ctx context.Context, op staff.Operator, o Order) (Act, error) {
	c = c.still()
	return c.once(ctx, op, KindReferral, staff.View, o, func(_ context.Context, f found, e *Evidence) (outcome, error) {
		e.Form.Papers = []PaperKind{PaperReferral}
		return outcome{card: f.Card}, nil
	})
}

// Withdraw notes that a void card turned up and was destroyed: one declared not
// received, lost, stolen or faulty (CSE-440 for any other).
func (c *Counter) Withdraw(ctx context.Context, op staff.Operator, o Order) (Act, error) {
	c = c.still()
	void := []lifecycle.Reason{lifecycle.NotReceived, lifecycle.Loss, lifecycle.Theft, lifecycle.ChipFault, lifecycle.WrongData, lifecycle.CFChanged}
	return c.once(ctx, op, KindWithdrawal, staff.View, o, func(ctx context.Context, f found, _ *Evidence) (outcome, error) {
		if !f.Card.State.Final() || !slices.Contains(void, f.Card.Reason) {
			return outcome{}, words.Refuse("CSE-440")
		}
		rows, err := c.d.Acts.ByCard(ctx, f.Card.ID)
		if err != nil {
			return outcome{}, err
		}
		if slices.ContainsFunc(rows, func(r ActRow) bool { return r.Kind == KindWithdrawal }) {
			return outcome{}, words.Refuse("CSE-440") // withdrawn already
		}
		return outcome{card: f.Card}, nil
	})
}

// PublishedBy is the latest instant at which other administrations learn of a
// revocation made at: the life of a list.
func PublishedBy(at time.Time, life time.Duration) time.Time { return at.Add(life) }
