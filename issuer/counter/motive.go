package counter

import "context"

// Motive is why an operator looks at somebody's sheet; the person reads it among
// his activities.
type Motive string

// The motives, in the order of the menu.
const (
	MotiveCounter Motive = "counter" // the holder, or who stands for him, is here
	MotivePhone   Motive = "phone"   // a call
	MotiveCheck   Motive = "check"   // a check of the office
	MotiveClaim   Motive = "claim"   // a complaint or a request
)

// Motives lists them.
func Motives() []Motive { return []Motive{MotiveCounter, MotivePhone, MotiveCheck, MotiveClaim} }

type motiveKey struct{}

// WithMotive carries the motive of a look to Sheet; anything that is no motive
// counts as the first.
func WithMotive(ctx context.Context, m Motive) context.Context {
	for _, x := range Motives() {
		if x == m {
			return context.WithValue(ctx, motiveKey{}, m)
		}
	}
	return context.WithValue(ctx, motiveKey{}, MotiveCounter)
}

func motiveOf(ctx context.Context) Motive {
	if m, ok := ctx.Value(motiveKey{}).(Motive); ok {
		return m
	}
	return MotiveCounter
}
