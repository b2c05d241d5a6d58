package demo

import (
	"context"
	"errors"
	"fmt"
	"time"

	"cse.example/cse/issuer/staff"

	"cse.example/cse/demo/browser"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/secret"
)

// Operator is a counter operator that the demonstration plays.
type Operator struct {
	Account  string
	Password secret.Text
	TOTP     secret.Text
	// last is the step of the one-time code used last: a code serves once.
	last int64
}

// Operators take turns, so that visitors need not wait for the next code. They
// are used by one goroutine at a time.
type Operators []*Operator

// step is the life of a one-time code, seconds.
const step = 30

// fill fills the operator's form with a code that was never used, one step
// ahead of the clock at most, waiting for it if need be.
func (os Operators) fill(ctx context.Context, b *browser.Browser, clock civil.Clock) error {
	if len(os) == 0 {
		return errors.New("nobody works at the counter")
	}
	o := os[0]
	for _, x := range os {
		if x.last < o.last {
			o = x
		}
	}
	at, err := o.next(ctx, clock)
	if err != nil {
		return err
	}
	err = b.Submit(ctx, "/operator", map[string]string{
		"account": o.Account, "password": string(o.Password.Reveal()), "totp": string(staff.TOTP(o.TOTP, at).Reveal()),
	})
	if err != nil {
		return err
	}
	if b.Page.HasForm("/operator") {
		return fmt.Errorf("the operator is refused: %s", b.Page.Code())
	}
	return nil
}

// next is an instant whose code is fresh and will be accepted now.
func (o *Operator) next(ctx context.Context, clock civil.Clock) (time.Time, error) {
	for {
		now := clock.Now().Unix() / step
		want := max(now, o.last+1)
		if want <= now+1 {
			o.last = want
			return time.Unix(want*step, 0), nil
		}
		select {
		case <-ctx.Done():
			return time.Time{}, ctx.Err()
		case <-time.After(time.Second):
		}
	}
}
