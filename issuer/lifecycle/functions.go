package lifecycle

import (
	"slices"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/person/registry"
)

// FunctionName is one of the four functions of the card.
type FunctionName string

// The four functions.
const (
	FunctionTS   FunctionName = "ts"
	FunctionCF   FunctionName = "cf"
	FunctionTEAM FunctionName = "team"
	FunctionCNS  FunctionName = "cns"
)

// FunctionState is what a function is worth today.
type FunctionState string

// What a function can be. Valid alone lets its holder use it.
const (
	Valid         FunctionState = "valid"
	Pending       FunctionState = "pending"       // the card has not reached its holder
	NotActivated  FunctionState = "not-activated" // CNS: go to a counter
	OnHold        FunctionState = "suspended"
	Absent        FunctionState = "absent" // no chip; or no right abroad
	FunctionEnded FunctionState = "ended"  // assistance lost, death, card reported
	FunctionOver  FunctionState = "expired"
	Withdrawn     FunctionState = "revoked"
)

// Function is one function of one card on one day.
type Function struct {
	Name  FunctionName
	State FunctionState
	// Reason is a key of the words catalogue ("lifecycle.why.…").
	Reason string
	// Until is the last good day: to come while Valid, gone by when expired;
	// zero when there is none (CF) or none is known.
	Until civil.Date
	// Since is the day the state began, when it is known.
	Since civil.Date
}

// Successor are the facts about the card that follows, if any. DeliveredAt is
// that of the first one that reached the holder.
type Successor struct {
	Model                               Model
	ShippedAt, DeliveredAt, ActivatedAt time.Time
}

// Facts are what the functions depend on besides the card.
type Facts struct {
	Died civil.Date // zero: alive
	// AssistedFrom and AssistedUntil bound the assistance by the regional
	// health service, both days included; From zero: never assisted; Until
	// zero: no end.
	AssistedFrom, AssistedUntil civil.Date
	AbroadRight                 bool // TEAM: care abroad is charged to Italy
	Successor                   *Successor
}

// FactsOf takes the facts about card c from the registry and from all the cards
// of its holder.
func FactsOf(p registry.Person, c Card, cards []Card) Facts {
	f := Facts{
		Died: p.Died, AssistedFrom: p.AssistedFrom, AssistedUntil: p.AssistedUntil, AbroadRight: p.AbroadRight,
	}
	if x, ok := SuccessorOf(c, cards); ok {
		f.Successor = &Successor{Model: x.Model, ShippedAt: x.ShippedAt, DeliveredAt: came(c, cards), ActivatedAt: x.ActivatedAt}
	}
	return f
}

// came is when the first card that follows c was delivered, whatever became of
// it later; one that its holder says he never had does not count.
func came(c Card, cards []Card) time.Time {
	for range cards {
		i := slices.IndexFunc(cards, func(x Card) bool { return x.ID != "" && x.ID == c.ReplacedBy })
		if i < 0 {
			break
		}
		if c = cards[i]; !c.DeliveredAt.IsZero() && c.Reason != NotReceived {
			return c.DeliveredAt
		}
	}
	return time.Time{}
}

// SuccessorOf is the card that follows c. One that ended before it was ever used
// (lost on its way, say) counts for nothing: the next one does.
func SuccessorOf(c Card, cards []Card) (Card, bool) {
	var last Card
	for range cards {
		i := slices.IndexFunc(cards, func(x Card) bool { return x.ID != "" && x.ID == c.ReplacedBy })
		if i < 0 {
			break
		}
		last, c = cards[i], cards[i]
		if !c.State.Final() || !c.ActivatedAt.IsZero() || c.ReplacedBy == "" {
			break
		}
	}
	return last, last.ID != ""
}

// CorrectionGrace is how long the old CNS lasts after the posting of a card with
// corrected data that nobody activates, days, where nobody decided otherwise
// (R30; ours). What counts is Card.CorrectionDays.
const CorrectionGrace = 60

// Overtaken tells that the CNS of a living card has ended because of its
// successor: table D.11.
func Overtaken(c Card, f Facts, today civil.Date) bool {
	last, byGrace := cnsLast(c, f)
	return byGrace && today.After(last)
}

// SuccessorGrace is how long the old CNS lasts after its successor's activation, days
// (table D.11).
const SuccessorGrace = 30

// Functions computes TS, CF, TEAM and CNS, in that order, at instant now.
func Functions(c Card, f Facts, now time.Time) [4]Function {
	today := civil.DayOf(now)
	return [4]Function{ts(c, f, today), taxCode(c), abroad(c, f, today), cns(c, f, today)}
}

func ts(c Card, f Facts, today civil.Date) Function {
	fn := Function{Name: FunctionTS, State: Valid, Reason: "lifecycle.why.assisted", Until: c.Expires}
	if x, over := printedOver(c, f, today); over {
		x.Name = FunctionTS
		return x
	}
	if !f.AssistedUntil.IsZero() && f.AssistedUntil.Before(fn.Until) {
		fn.Until = f.AssistedUntil
	}
	return fn
}

// taxCode: the codice fiscale stays valid always, save one that the Revenue
// Agency replaced.
func taxCode(c Card) Function {
	fn := Function{Name: FunctionCF, State: Valid, Reason: "lifecycle.why.always"}
	switch {
	case c.State == Revoked && c.Reason == CFChanged:
		fn.State, fn.Reason, fn.Since = FunctionEnded, "lifecycle.why.cf-changed", civil.DayOf(c.EndedAt)
	case c.NeverLeft():
		fn.State, fn.Reason, fn.Since = FunctionEnded, endedWhy(c), civil.DayOf(c.EndedAt)
	case !c.State.Posted():
		fn.State, fn.Reason = Pending, pendingWhy(c)
	}
	return fn
}

func abroad(c Card, f Facts, today civil.Date) Function {
	fn := ts(c, f, today)
	fn.Name = FunctionTEAM
	if fn.State != Valid {
		return fn
	}
	fn.Reason = "lifecycle.why.abroad"
	if !f.AbroadRight {
		return Function{Name: FunctionTEAM, State: Absent, Reason: "lifecycle.why.no-right-abroad"}
	}
	return fn
}

// printedOver is what ends TS and TEAM together.
func printedOver(c Card, f Facts, today civil.Date) (Function, bool) {
	ended := func(key string, since civil.Date) (Function, bool) {
		return Function{State: FunctionEnded, Reason: "lifecycle.why." + key, Since: since}, true
	}
	switch {
	case !f.Died.IsZero() && !today.Before(f.Died):
		return ended("death", f.Died)
	case c.Reason == NotReceived && c.State.Final():
		return ended("not-received", civil.DayOf(c.EndedAt))
	case c.NeverLeft():
		return Function{State: FunctionEnded, Reason: endedWhy(c), Since: civil.DayOf(c.EndedAt)}, true
	case !c.State.Posted():
		return Function{State: Pending, Reason: pendingWhy(c)}, true
	case today.After(c.Expires):
		return Function{State: FunctionOver, Reason: "lifecycle.why.expired", Until: c.Expires, Since: c.Expires.AddDays(1)}, true
	}
	if key, since, over := reported(c, f); over {
		return ended(key, since)
	}
	switch {
	case f.AssistedFrom.IsZero() || today.Before(f.AssistedFrom):
		return ended("not-assisted", civil.Date{})
	case !f.AssistedUntil.IsZero() && today.After(f.AssistedUntil):
		return ended(string(EndOfAssistance), f.AssistedUntil.AddDays(1))
	}
	return Function{}, false
}

// reported are the ends of a card that end what is printed on it, too.
func reported(c Card, f Facts) (key string, since civil.Date, over bool) {
	if !c.CorrectedAt.IsZero() && f.Successor != nil && !f.Successor.DeliveredAt.IsZero() {
		return "replaced", civil.DayOf(f.Successor.DeliveredAt), true
	}
	if !c.State.Final() && c.State != Suspended {
		return "", civil.Date{}, false
	}
	day := civil.DayOf(c.EndedAt)
	switch c.Reason {
	case Loss, Theft:
		if c.State == Suspended {
			return "", civil.Date{}, false // a suspension alone leaves TS and TEAM unchanged
		}
		return string(c.Reason), day, true
	case CFChanged, Death, EndOfAssistance:
		return string(c.Reason), day, true
	case ChipFault, WrongData, KeyCompromise:
		if f.Successor != nil && !f.Successor.DeliveredAt.IsZero() {
			return "replaced", civil.DayOf(f.Successor.DeliveredAt), true
		}
	}
	return "", civil.Date{}, false
}

// endedWhy is why a card ended.
func endedWhy(c Card) string {
	if c.Reason == "" {
		return "lifecycle.why.expired"
	}
	return "lifecycle.why." + string(c.Reason)
}

func pendingWhy(c Card) string {
	if c.State == Returned {
		return "lifecycle.why.returned"
	}
	return "lifecycle.why.on-its-way"
}

func cns(c Card, f Facts, today civil.Date) Function {
	fn := Function{Name: FunctionCNS}
	end := func(s FunctionState, key string, since civil.Date) Function {
		fn.State, fn.Reason, fn.Since = s, "lifecycle.why."+key, since
		return fn
	}
	last, byGrace := cnsLast(c, f)
	switch {
	case !c.HasChip():
		return end(Absent, "no-chip", civil.Date{})
	case c.State == Revoked:
		return end(Withdrawn, string(c.Reason), civil.DayOf(c.EndedAt))
	case c.State == Replaced:
		return end(Withdrawn, "replaced", civil.DayOf(c.EndedAt))
	case !f.Died.IsZero() && !today.Before(f.Died):
		return end(Withdrawn, string(Death), f.Died)
	case !f.AssistedUntil.IsZero() && today.After(f.AssistedUntil):
		return end(Withdrawn, string(EndOfAssistance), f.AssistedUntil.AddDays(1))
	case c.State == Expired || today.After(c.CertUntil()):
		fn.Until = c.CertUntil()
		return end(FunctionOver, "expired", fn.Until.AddDays(1))
	case byGrace && today.After(last):
		fn.Until = last
		return end(Withdrawn, "replaced", last.AddDays(1))
	}
	return cnsLiving(c, fn, last)
}

// cnsLiving is the function of a card that nothing has ended.
func cnsLiving(c Card, fn Function, last civil.Date) Function {
	switch c.State {
	case Active:
		fn.State, fn.Reason, fn.Until, fn.Since = Valid, "lifecycle.why.activated", last, civil.DayOf(c.ActivatedAt)
	case Suspended:
		fn.State, fn.Reason, fn.Since = OnHold, "lifecycle.why.suspended", civil.DayOf(c.SuspendedAt)
		if c.Reason == Unconfirmed || c.Reason == RepresentationEnded {
			fn.Reason = "lifecycle.why." + string(c.Reason)
		}
	case Shipped, Delivered:
		fn.State, fn.Reason = NotActivated, "lifecycle.why.not-activated"
	default:
		fn.State, fn.Reason = Pending, pendingWhy(c)
	}
	return fn
}

// cnsLast is the last day of the CNS: the certificate's, or the end of the
// grace after a chip successor's activation, whichever comes first. A successor
// without a chip changes nothing (R107). After a correction the old CNS ends
// with the new card's activation, and at the latest some time after its posting
// (R30).
func cnsLast(c Card, f Facts) (last civil.Date, byGrace bool) {
	last = c.CertUntil()
	s := f.Successor
	if s == nil {
		return last, false
	}
	sooner := func(d civil.Date) {
		if d.Before(last) {
			last, byGrace = d, true
		}
	}
	switch corrected := !c.CorrectedAt.IsZero(); {
	case corrected && !s.ActivatedAt.IsZero():
		sooner(civil.DayOf(s.ActivatedAt).AddDays(-1))
	case corrected && !s.ShippedAt.IsZero():
		sooner(civil.DayOf(s.ShippedAt).AddDays(c.CorrectionDays))
	case s.Model == TSCNS && !s.ActivatedAt.IsZero():
		sooner(civil.DayOf(s.ActivatedAt).AddDays(SuccessorGrace))
	}
	return last, byGrace
}
