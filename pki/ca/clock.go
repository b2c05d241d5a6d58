package ca

import (
	"context"
	"fmt"
	"time"

	"cse.example/cse/ground/words"
)

// ClockTolerance is how far the clock may stand before the newest signature: what
// the clocks of two machines that follow the same time differ by, and no more.
const ClockTolerance = 5 * time.Second

// awake refuses to sign outside the authority's own validity (CSE-198), and when
// the clock stands before the newest signature (CSE-927).
func (a *Authority) awake(ctx context.Context, now time.Time) error {
	if now.Before(a.Issuer.NotBefore) || now.After(a.Issuer.NotAfter) {
		return words.Refuse("CSE-198").Because(fmt.Errorf("it is %s, the authority is valid from %s to %s",
			now.Format(time.RFC3339), a.Issuer.NotBefore.Format(time.RFC3339), a.Issuer.NotAfter.Format(time.RFC3339)))
	}
	_, err := forward(ctx, a.Store, now)
	return err
}

// forward is the newest signature; CSE-927 when now stands before it.
func forward(ctx context.Context, h HighWater, now time.Time) (time.Time, error) {
	newest, err := h.Signed(ctx)
	if err != nil {
		return newest, err
	}
	if now.Before(newest.Add(-ClockTolerance)) {
		return newest, words.Refuse("CSE-927", newest.UTC().Format(time.RFC3339)).Because(fmt.Errorf("the clock says %s", now.UTC().Format(time.RFC3339)))
	}
	return newest, nil
}

// Forward tells whether the clock stands where certificates may be signed (CSE-927):
// for who asks how the platform is.
func (as *Authorities) Forward(ctx context.Context) error {
	_, err := forward(ctx, as.s.Store, as.s.Clock.Now())
	return err
}

// may is asked within every act that leads to a certificate: the clock has not gone
// back, and the keys of those that reserved are still held to be safe. It moves the
// newest signature on, once a second at most.
func (a *Authority) may(ctx context.Context, jobs []job) error {
	asked := map[string]bool{}
	for _, j := range jobs {
		if j.err == nil {
			asked[j.record.Issuer] = true
		}
	}
	if len(asked) == 0 {
		return nil
	}
	now := a.Clock.Now().UTC().Truncate(time.Second)
	newest, err := forward(ctx, a.Store, now)
	if err != nil {
		return err
	}
	if a.family != nil {
		for id := range asked {
			if err := a.family.safe(ctx, id); err != nil {
				return err
			}
		}
	}
	if !now.After(newest) {
		return nil
	}
	return a.Store.RaiseSigned(ctx, now)
}

// begins refuses what may not be begun now: what awake refuses, and anything under
// a profile that two people have not agreed on.
func (a *Authority) begins(ctx context.Context, now time.Time) error {
	if err := a.awake(ctx, now); err != nil || a.Agreed == nil {
		return err
	}
	return a.Agreed(ctx)
}
