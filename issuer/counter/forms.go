package counter

import (
	"context"

	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/staff"
)

// Needs is what the form of an act asks for besides the card.
type Needs struct {
	// Identity: who stands there, and a document.
	Identity bool
	// Shown: the card lies on the counter.
	Shown bool
	// Title: it is a parent or guardian, who declares it here.
	Title bool
	// Report of loss or theft, Address confirmed, Lights of the reader, Text of
	// what is wrong, Email typed twice.
	Report, Address, Lights, Text, Email bool
}

// desk is one act of one form.
type desk struct {
	kind   ActKind
	action staff.Action
	needs  Needs
	// fits tells whether the act makes sense for a card in its state.
	fits func(card lifecycle.Card) bool
	do   func(c *Counter, ctx context.Context, op staff.Operator, o Order) (Act, error)
}

func active(card lifecycle.Card) bool { return card.State == lifecycle.Active }
func held(card lifecycle.Card) bool {
	return card.State == lifecycle.Suspended && card.Reason != lifecycle.Loss && card.Reason != lifecycle.Theft && waitsForCodes(card) == nil
}
func posted(card lifecycle.Card) bool { return card.State.Posted() && !card.State.Final() }
func onItsWay(card lifecycle.Card) bool {
	return card.State == lifecycle.Shipped || card.State == lifecycle.Delivered || card.State == lifecycle.Returned
}

func coded(card lifecycle.Card) bool {
	return card.HasChip() && (card.State == lifecycle.Active || card.State == lifecycle.Suspended)
}
func every(lifecycle.Card) bool { return true }

// desks lists the acts of one form in the order of the sheet's buttons.
func desks() []desk {
	return []desk{
		{KindReprint, staff.ReprintCodes, Needs{Identity: true, Shown: true, Email: true}, coded, (*Counter).Reprint},
		{KindNewCodes, staff.ReprintCodes, Needs{Identity: true, Shown: true, Email: true}, coded, (*Counter).NewCodes},
		{KindEmail, staff.CorrectEmail, Needs{Identity: true, Email: true}, coded, (*Counter).CorrectEmail},
		{KindJoin, staff.ActivateRepresented, Needs{Identity: true, Title: true, Email: true}, coded, (*Counter).Join},
		{KindSuspend, staff.SuspendNow, Needs{Identity: true}, func(c lifecycle.Card) bool { return c.HasChip() && active(c) }, (*Counter).Suspend},
		{KindReactivate, staff.Reactivate, Needs{Identity: true}, held, (*Counter).Reactivate},
		{KindRevoke, staff.RevokeInPerson, Needs{Identity: true}, func(c lifecycle.Card) bool { return c.HasChip() && !c.State.Final() }, (*Counter).Revoke},
		{KindLoss, staff.LossTheft, Needs{Identity: true, Report: true, Address: true}, posted, (*Counter).LossOrTheft},
		{KindNotReceived, staff.ReissueNotReceived, Needs{Identity: true, Address: true}, onItsWay, (*Counter).NotReceived},
		{KindChipFault, staff.ReissueChipFault, Needs{Identity: true, Lights: true}, func(c lifecycle.Card) bool { return c.HasChip() && posted(c) }, (*Counter).ChipFault},
		{KindCorrection, staff.CorrectData, Needs{Identity: true, Text: true}, every, (*Counter).Correct},
		{KindReferral, staff.View, Needs{}, every, (*Counter).Refer},
		{KindWithdrawal, staff.View, Needs{}, func(c lifecycle.Card) bool {
			return c.State.Final() && c.Reason != "" && c.Reason != lifecycle.ByHolder
		}, (*Counter).Withdraw},
	}
}

// FormOf is what the form of an act asks, false for an act that has none.
func FormOf(kind ActKind) (Needs, bool) {
	for _, d := range desks() {
		if d.kind == kind {
			return d.needs, true
		}
	}
	return Needs{}, false
}

// Do performs an act of one form.
func (c *Counter) Do(ctx context.Context, op staff.Operator, kind ActKind, o Order) (Act, error) {
	for _, d := range desks() {
		if d.kind == kind {
			return d.do(c, ctx, op, o)
		}
	}
	return Act{}, words.Refuse("CSE-002")
}

// May asks the matrix, and refuses an operator his own card and his children's,
// before the form of an act is shown or read; the act asks again.
func (c *Counter) May(ctx context.Context, op staff.Operator, kind ActKind, card string) error {
	for _, d := range desks() {
		if d.kind != kind {
			continue
		}
		f, err := c.searched(ctx, CardStep{Card: card})
		if err != nil {
			return err
		}
		return c.mayServe(ctx, op, d.action, f)
	}
	return words.Refuse("CSE-002")
}

// Offer is an act that makes sense for a card now: allowed to op, or why not.
type Offer struct {
	Kind    ActKind
	Refusal *words.Fault
}

// Offers lists what the sheet offers for a card of somebody of the health unit
// asl. The referral is offered only to who may not correct himself.
func (c *Counter) Offers(op staff.Operator, card lifecycle.Card, asl string) []Offer {
	var out []Offer
	corrects := c.d.Directory.Allowed(op, staff.CorrectData, asl) == nil
	for _, d := range desks() {
		if !d.fits(card) || d.kind == KindReferral && corrects || d.kind == KindCorrection && !corrects {
			continue
		}
		out = append(out, Offer{d.kind, words.FaultOf(c.d.Directory.AllowedInPerson(op, d.action, asl))})
	}
	return out
}
