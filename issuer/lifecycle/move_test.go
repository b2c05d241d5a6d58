package lifecycle

import (
	"errors"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"cse.example/cse/ground/civil"
)

var noon = time.Date(2026, 11, 23, 11, 0, 0, 0, time.UTC)

func day(t testing.TB, s string) civil.Date {
	t.Helper()
	d, err := civil.ParseISO(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func chipCard(s State) Card {
	return Card{
		ID: "6090000000000123", Model: TSCNS, State: s, CertSerial: "0a",
		Issued: civil.Date{Year: 2026, Month: 1, Day: 10}, Expires: civil.Date{Year: 2032, Month: 1, Day: 10},
	}
}

// chipHeld is a suspended card.
func chipHeld(why Reason) Card {
	c := chipCard(Suspended)
	c.Reason = why
	return c
}

// reasonFor gives an event the reason it wants.
func reasonFor(e Event) Reason {
	switch e {
	case Suspend, Revoke:
		return ByHolder
	case Replace:
		return Renewal
	}
	return ""
}

// The whole table, written by hand: state by state, which events may come and
// where they lead. What is not written is refused.
func TestMoves(t *testing.T) {
	afterAll := time.Date(2033, 1, 1, 0, 0, 0, 0, time.UTC)
	want := map[State]map[Event]State{
		Ordered:      {StartProduction: InProduction, Revoke: Revoked, Expire: Expired},
		InProduction: {Reject: Ordered, Produce: Produced, Revoke: Revoked, Expire: Expired},
		Produced:     {Ship: Shipped, Revoke: Revoked, Expire: Expired},
		Shipped:      {Deliver: Delivered, Return: Returned, Activate: Active, Revoke: Revoked, Expire: Expired, Replace: Replaced},
		Delivered:    {Return: Returned, Activate: Active, Revoke: Revoked, Expire: Expired, Replace: Replaced},
		Returned:     {Ship: Shipped, Revoke: Revoked, Expire: Expired, Replace: Replaced},
		Active:       {Suspend: Suspended, Revoke: Revoked, Expire: Expired, Replace: Replaced},
		Suspended:    {Reactivate: Active, Revoke: Revoked, Expire: Expired, Replace: Replaced},
		Revoked:      {},
		Expired:      {},
		Replaced:     {},
	}
	for _, from := range States() {
		for _, e := range Events() {
			at := noon
			if e == Expire {
				at = afterAll
			}
			to, may := want[from][e]
			got, err := Move(chipCard(from), e, reasonFor(e), at)
			var refused *MoveError
			switch {
			case may && (err != nil || got.State != to):
				t.Errorf("%s, %s: %s, %v; want %s", from, e, got.State, err, to)
			case !may && !errors.As(err, &refused):
				t.Errorf("%s, %s: %s, %v; want a MoveError", from, e, got.State, err)
			case !may && (refused.From != from || refused.Event != e || got != chipCard(from)):
				t.Errorf("%s, %s: the refusal says %+v and the card became %+v", from, e, refused, got)
			}
		}
	}
}

func TestMoveGuards(t *testing.T) {
	chipless := chipCard(Delivered)
	chipless.Model = TS
	bare := chipCard(InProduction)
	bare.CertSerial = ""
	lost := chipCard(Suspended)
	lost.Reason = Loss
	extended := chipCard(Active)
	extended.CertExpires = day(t, "2034-01-10")
	for _, c := range []struct {
		name  string
		card  Card
		event Event
		why   Reason
		at    string
		ok    bool
	}{
		{"a chipless card has nothing to activate", chipless, Activate, "", "2026-11-23", false},
		{"a chip needs its certificate", bare, Produce, "", "2026-11-23", false},
		{"after a loss only a new card", lost, Reactivate, "", "2026-11-23", false},
		{"activated on the last day", chipCard(Delivered), Activate, "", "2032-01-10", true},
		{"not a day later", chipCard(Delivered), Activate, "", "2032-01-11", false},
		{"not expired on its last day", chipCard(Active), Expire, "", "2032-01-10", false},
		{"expired the day after", chipCard(Active), Expire, "", "2032-01-11", true},
		{"an extended certificate keeps it alive", extended, Expire, "", "2032-01-11", false},
		{"until it ends too", extended, Expire, "", "2034-01-11", true},
		{"a revocation says why", chipCard(Active), Revoke, "", "2026-11-23", false},
		{"an activation does not", chipCard(Delivered), Activate, ByHolder, "2026-11-23", false},
		{"a hold for new codes takes the holder's place", chipHeld(ByHolder), Suspend, RepresentationEnded, "2026-11-23", true},
		{"and that of an unconfirmed title's", chipHeld(Unconfirmed), Suspend, RepresentationEnded, "2026-11-23", true},
		{"an unconfirmed title's takes the holder's", chipHeld(ByHolder), Suspend, Unconfirmed, "2026-11-23", true},
		{"and not that of one that ended", chipHeld(RepresentationEnded), Suspend, Unconfirmed, "2026-11-23", false},
		{"nor a loss", chipHeld(Loss), Suspend, Unconfirmed, "2026-11-23", false},
		{"and no other does", chipHeld(RepresentationEnded), Suspend, ByHolder, "2026-11-23", false},
		{"nor is it put twice", chipHeld(RepresentationEnded), Suspend, RepresentationEnded, "2026-11-23", false},
		{"a loss on file stays", chipHeld(Loss), Suspend, RepresentationEnded, "2026-11-23", false},
		{"unknown events are refused", chipCard(Active), "explode", "", "2026-11-23", false},
	} {
		if _, err := Move(c.card, c.event, c.why, day(t, c.at).Start()); (err == nil) != c.ok {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

func TestMoveRemembers(t *testing.T) {
	at := noon
	c := chipCard(Produced)
	for _, e := range []Event{Ship, Activate, Suspend, Reactivate, Revoke} {
		at = at.Add(time.Hour)
		var err error
		if c, err = Move(c, e, reasonFor(e), at); err != nil {
			t.Fatal(err)
		}
	}
	want := chipCard(Revoked)
	want.ShippedAt, want.ActivatedAt, want.DeliveredAt = noon.Add(time.Hour), noon.Add(2*time.Hour), noon.Add(2*time.Hour)
	want.RevokedAt, want.EndedAt, want.Reason = at, at, ByHolder
	if c != want {
		t.Errorf("after a life\n got %+v\nwant %+v", c, want)
	}
}

// A small model: four facts about the plastic instead of a state. Whatever the
// events, machine and model agree on what is possible and on what is true.
func TestMoveAgainstAModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, at := chipCard(Ordered), noon
		var made, out, used, hold, over bool // made: leaves the bureau; out: on its way or arrived; used: activated once
		var inBatch bool
		events := Events()
		for range rapid.IntRange(1, 40).Draw(t, "length") {
			e := rapid.SampledFrom(events).Draw(t, "event")
			at = at.Add(time.Minute)
			may := !over
			switch e {
			case StartProduction:
				may = may && !made && !inBatch
			case Reject, Produce:
				may = may && inBatch
			case Ship:
				may = may && made && !out && !used
			case Deliver:
				may = may && c.State == Shipped
			case Return, Activate:
				may = may && out && !used
			case Suspend:
				may = may && used && !hold
			case Reactivate:
				may = may && hold
			case Expire:
				may = false // its day does not come here
			case Replace:
				may = may && !c.ShippedAt.IsZero()
			}
			next, err := Move(c, e, reasonFor(e), at)
			if (err == nil) != may {
				t.Fatalf("%s on %s: %v, the model says %v", e, c.State, err, may)
			}
			if err != nil {
				if next != c {
					t.Fatalf("a refused %s changed the card", e)
				}
				continue
			}
			c = next
			switch e {
			case StartProduction:
				inBatch = true
			case Reject:
				inBatch = false
			case Produce:
				inBatch, made = false, true
			case Ship:
				out = true
			case Return:
				out = false
			case Activate:
				used = true
			case Suspend:
				hold = true
			case Reactivate:
				hold = false
			case Revoke, Replace:
				over = true
			}
			if over != c.State.Final() || over != !c.EndedAt.IsZero() || used != !c.ActivatedAt.IsZero() ||
				(c.State == Suspended) != (hold && !over) || (over && c.Reason == "") {
				t.Fatalf("the card says %+v; model: used %v, hold %v, over %v", c, used, hold, over)
			}
		}
	})
}

func TestCurrent(t *testing.T) {
	old, fresh, ended := chipCard(Active), chipCard(Shipped), chipCard(Revoked)
	old.ID, old.OrderedAt = "1", noon
	fresh.ID, fresh.OrderedAt = "2", noon.Add(time.Hour)
	ended.ID, ended.OrderedAt = "3", noon.Add(2*time.Hour)
	for _, c := range []struct {
		cards []Card
		want  string
	}{
		{nil, ""},
		{[]Card{ended}, "3"},
		{[]Card{old, ended}, "1"},
		{[]Card{ended, fresh, old}, "2"},
	} {
		for range 2 {
			if got, ok := Current(c.cards); got.ID != c.want || ok != (c.want != "") {
				t.Errorf("Current(%v) = %q, %v; want %q", c.cards, got.ID, ok, c.want)
			}
			slices.Reverse(c.cards)
		}
	}
}
