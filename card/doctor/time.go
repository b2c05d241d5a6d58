package doctor

import (
	"context"
	"fmt"
	"time"

	"cse.example/cse/card/diagnosis"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
)

// skew is how far this computer's clock may be from the others': what OCSP
// answers are judged with (pki/trust).
const skew = 5 * time.Minute

// clock compares this computer's clock with the time elsewhere; with nobody to
// ask, with the day on which the card was made. When it is wrong, what follows is
// judged by the right time, so that a good certificate is not called expired.
func (r *run) clock(ctx context.Context) {
	if r.Online == nil {
		switch {
		case r.made().After(r.now):
			r.bad(diagnosis.Clock, words.Refuse("CSE-810"))
		default:
			r.unknown(diagnosis.Clock, "offline")
		}
		return
	}
	before := r.Clock.Now()
	elsewhere, err := r.Online.Time(ctx, r.leaf)
	after := r.Clock.Now()
	if err != nil {
		r.attention(diagnosis.Clock, words.Refuse("CSE-812").Because(err), "")
		return
	}
	off := before.Add(after.Sub(before) / 2).Sub(elsewhere)
	if off.Abs() <= skew {
		r.good(diagnosis.Clock, "clock")
		return
	}
	r.now = r.now.Add(-off)
	r.bad(diagnosis.Clock, words.Refuse("CSE-305", distance(off)))
}

// made is an instant at which the card was certainly made already.
func (r *run) made() time.Time {
	var t time.Time
	if !r.born.IsZero() {
		t = r.born.Start()
	}
	if r.leaf != nil && r.leaf.NotBefore.After(t) {
		t = r.leaf.NotBefore
	}
	return t
}

// distance is a span in units that both languages write alike.
func distance(d time.Duration) string {
	d = d.Abs().Round(time.Minute)
	days, hours, minutes := int(d.Hours())/24, int(d.Hours())%24, int(d.Minutes())%60
	switch {
	case days > 0:
		return fmt.Sprintf("%d d %d h", days, hours)
	case hours > 0:
		return fmt.Sprintf("%d h %d min", hours, minutes)
	}
	return fmt.Sprintf("%d min", minutes)
}

// validity is whether the certificate can be used: its dates, then what the
// issuer says.
func (r *run) validity(ctx context.Context) {
	switch c := r.leaf; {
	case c == nil:
		return
	case r.now.Before(c.NotBefore) && r.report.State(diagnosis.Clock) == diagnosis.Fault && r.Online == nil:
		r.unknown(diagnosis.Validity, "no-clock") // the clock is known to be wrong, and not by how much
		return
	case r.now.Before(c.NotBefore):
		r.bad(diagnosis.Validity, words.Refuse("CSE-307", day(c.NotBefore)))
		return
	case r.now.After(c.NotAfter):
		r.bad(diagnosis.Validity, words.Refuse("CSE-301", day(c.NotAfter)))
		return
	case r.Online == nil:
		r.good(diagnosis.Validity, "validity.offline", day(c.NotAfter))
		return
	}
	s, err := r.Online.Standing(ctx, r.leaf, r.now)
	switch {
	case err != nil:
		r.attention(diagnosis.Validity, words.Refuse("CSE-812").Because(err), "")
	case s.State == Good:
		r.good(diagnosis.Validity, "validity", day(r.leaf.NotAfter))
	case s.State == NotActivated:
		r.bad(diagnosis.Validity, words.Refuse("CSE-205"))
	case s.State == Suspended:
		r.bad(diagnosis.Validity, words.Refuse("CSE-303"))
	case s.State == Revoked:
		r.bad(diagnosis.Validity, words.Refuse("CSE-302", day(s.Since)))
	default:
		r.bad(diagnosis.Validity, words.Refuse("CSE-811"))
	}
}

func day(t time.Time) string { return civil.DayOf(t).Italian() }
