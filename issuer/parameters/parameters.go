// Package parameters is the rules that a body may set, each with a default, its
// bounds and a value from a day on. A change is asked by one person of
// operations and approved by another (issuer/approval, kind "rules.change"); it
// never counts backwards, and the history stays.
package parameters

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/approval"
	"cse.example/cse/issuer/staff"
)

// KindChange is the approval that a change needs.
const KindChange = "rules.change"

// The parameters.
const (
	// Reprints is how many reprints of a card's codes in 30 days need no
	// supervisor.
	Reprints = "reprints"
	// RenewalDays is how many days before its end a card is renewed.
	RenewalDays = "renewal-days"
	// CorrectionDays is how long the old CNS lasts after the posting of a card with
	// corrected data (R30).
	CorrectionDays = "correction-days"
	// CorrectionsFree is how many corrections of one import need no second person.
	CorrectionsFree = "corrections-free"
	// CampaignFree is how many cards a renewal campaign may have without one.
	CampaignFree = "campaign-free"
	// StaffReview is after how many days an operator's account must be looked at
	// again.
	StaffReview = "staff-review"
	// AdultsAddress is how many other adults may have one e-mail address.
	AdultsAddress = "adults-address"
	// ExtensionUntil is the last day of the service that extends certificates, and of
	// what it gives (R108): a day as a number, 20231231.
	ExtensionUntil = "extension-until"
	// SamplePercent is how many of a hundred self-declarations of parents and
	// guardians are drawn for a check.
	SamplePercent = "sample-percent"
)

// Bounds of a parameter.
type Bounds struct {
	Name              string
	Default, Min, Max int
}

// Known lists the parameters.
func Known() []Bounds {
	return []Bounds{{Reprints, 2, 0, 20}, {RenewalDays, 90, 1, 366}, {CorrectionDays, 60, 0, 366}, {CorrectionsFree, 20, 0, 100_000}, {CampaignFree, 100, 0, 100_000}, {StaffReview, 180, 30, 730}, {AdultsAddress, 5, 1, 50}, {ExtensionUntil, 20231231, 20220601, 20991231}, {SamplePercent, 10, 0, 100}}
}

// Value is what a parameter is from a day on.
type Value struct {
	Name     string
	From     civil.Date
	Value    int
	Approval string
	At       time.Time
}

// Store keeps values. Writes happen inside an act.
type Store interface {
	Add(ctx context.Context, v Value) error
	// All lists every value, by name, the latest day first.
	All(ctx context.Context) ([]Value, error)
	// On is the value in force on a day; ok is false before the first.
	On(ctx context.Context, name string, day civil.Date) (n int, ok bool, err error)
}

// Asker asks for an approval; (*approval.Room).Ask is one.
type Asker func(ctx context.Context, op staff.Operator, kind, subject string, content []byte, note string) (approval.Request, error)

// Room is the parameters. Make one with New; Ask is set by the wiring, since the
// approval calls Apply.
type Room struct {
	Store Store
	Clock civil.Clock
	Ask   Asker
	// Defaults replace those of Known where the configuration says so.
	Defaults map[string]int
}

func (r *Room) bounds(name string) (Bounds, bool) {
	for _, b := range Known() {
		if b.Name == name {
			if n, ok := r.Defaults[name]; ok {
				b.Default = n
			}
			return b, true
		}
	}
	return Bounds{}, false
}

// Int is a parameter's value at an instant, by the day in Rome.
func (r *Room) Int(ctx context.Context, name string, at time.Time) (int, error) {
	b, ok := r.bounds(name)
	if !ok {
		return 0, fmt.Errorf("parameters: there is no %q", name)
	}
	n, set, err := r.Store.On(ctx, name, civil.DayOf(at))
	if err != nil || !set {
		return b.Default, err
	}
	return n, nil
}

// Line is a parameter as it stands, with what was and will be.
type Line struct {
	Bounds
	Now int
	// History has the latest day first; days to come are in it.
	History []Value
}

// List is every parameter. Operations and auditors may read it (CSE-540).
func (r *Room) List(ctx context.Context, op staff.Operator) ([]Line, error) {
	if !op.Has(staff.RoleOperations) && !op.Has(staff.RoleAuditor) {
		return nil, words.Refuse("CSE-540")
	}
	all, err := r.Store.All(ctx)
	if err != nil {
		return nil, err
	}
	var out []Line
	for _, k := range Known() {
		l := Line{}
		l.Bounds, _ = r.bounds(k.Name)
		if l.Now, err = r.Int(ctx, k.Name, r.Clock.Now()); err != nil {
			return nil, err
		}
		for _, v := range all {
			if v.Name == k.Name {
				l.History = append(l.History, v)
			}
		}
		out = append(out, l)
	}
	return out, nil
}

// Propose asks for a change. Refused: a value out of bounds (CSE-556), a day that
// is not after today (CSE-557); the role and the reason are the approval's.
func (r *Room) Propose(ctx context.Context, op staff.Operator, name string, value int, from civil.Date, why string) (approval.Request, error) {
	b, ok := r.bounds(name)
	if !ok {
		return approval.Request{}, words.Refuse("CSE-002")
	}
	if _, err := Day(value); value < b.Min || value > b.Max || name == ExtensionUntil && err != nil {
		return approval.Request{}, words.Refuse("CSE-556", b.Min, b.Max).At("valore")
	}
	if !from.After(civil.Today(r.Clock)) {
		return approval.Request{}, words.Refuse("CSE-557").At("dal")
	}
	return r.Ask(ctx, op, KindChange, name, Content(name, value, from), why)
}

// Day reads a day written as a number: 20231231.
func Day(n int) (civil.Date, error) {
	return civil.ParseISO(fmt.Sprintf("%04d-%02d-%02d", n/10000, n/100%100, n%100))
}

// Number writes a day so.
func Number(d civil.Date) int { return d.Year*10000 + int(d.Month)*100 + d.Day }

const contentPrefix = "cse.parameter/1|"

// Content is exactly what is approved.
func Content(name string, value int, from civil.Date) []byte {
	return []byte(contentPrefix + name + "|" + strconv.Itoa(value) + "|" + from.String())
}

// Change reads what Content wrote.
func Change(content []byte) (name string, value int, from civil.Date, err error) {
	text, ok := strings.CutPrefix(string(content), contentPrefix)
	parts := strings.Split(text, "|")
	if !ok || len(parts) != 3 {
		return "", 0, from, errors.New("parameters: not a change")
	}
	if value, err = strconv.Atoi(parts[1]); err != nil {
		return "", 0, from, fmt.Errorf("parameters: %w", err)
	}
	if from, err = civil.ParseISO(parts[2]); err != nil {
		return "", 0, from, fmt.Errorf("parameters: %w", err)
	}
	return parts[0], value, from, nil
}

// Apply writes an approved change, in the approval's act. A day that has come
// meanwhile is refused (CSE-557): a rule never counts backwards.
func (r *Room) Apply(ctx context.Context, q approval.Request) error {
	name, value, from, err := Change(q.Content)
	if err != nil {
		return err
	}
	if !from.After(civil.Today(r.Clock)) {
		return words.Refuse("CSE-557")
	}
	return r.Store.Add(ctx, Value{Name: name, From: from, Value: value, Approval: q.ID, At: r.Clock.Now()})
}

// Kind is what the approval must know.
func (r *Room) Kind() approval.Kind {
	return approval.Kind{
		Name: KindChange, Asks: []staff.Role{staff.RoleOperations}, Decides: []staff.Role{staff.RoleOperations, staff.RoleSupervisor},
		Life: 7 * 24 * time.Hour, Done: r.Apply,
	}
}

// Names lists the parameters' names.
func Names() []string {
	var out []string
	for _, b := range Known() {
		out = append(out, b.Name)
	}
	slices.Sort(out)
	return out
}
