package privacy

import (
	"context"
	"errors"
	"strings"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/words"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
)

// AlertKind is what is odd about a look.
type AlertKind string

// The odd looks.
const (
	// Volume: more people in one day than the terms allow.
	Volume AlertKind = "volume"
	// Colleague: at somebody who works at a counter himself.
	Colleague AlertKind = "colleague"
	// SameSurname: at somebody of the operator's own surname.
	SameSurname AlertKind = "surname"
)

// Alert waits for the security officer.
type Alert struct {
	ID       string
	Kind     AlertKind
	Operator string
	Office   string
	// Card is the card whose sheet was opened, when the look had one.
	Card  string
	Day   string
	Count int
	At    time.Time
}

// looked are the acts of the journal by which somebody's data are looked at.
var looked = map[string]bool{"holder.viewed": true, "paper.viewed": true}

// Watch is record with an eye on looks: those that are odd leave an alert, in
// the same act. An act that is no look passes through.
func (r *Room) Watch(record journal.Recorder) journal.Recorder {
	return func(ctx context.Context, e journal.Entry) error {
		if err := record(ctx, e); err != nil || !looked[e.Act] || e.Person == "" {
			return err
		}
		return r.look(ctx, e)
	}
}

func (r *Room) look(ctx context.Context, e journal.Entry) error {
	now := r.d.Clock.Now()
	cf := codicefiscale.Code(e.Person)
	a := Alert{Operator: e.Actor, Office: e.Office, Card: e.Card, Day: civil.DayOf(now).String(), Count: 1, At: now}
	who := r.d.Pseudonym(cf)
	_, n, err := r.d.Looks.AddLook(ctx, e.Actor, a.Day, who)
	if err != nil {
		return err
	}
	raise := func(kind AlertKind, id string, count int) error {
		x := a
		x.Kind, x.ID, x.Count = kind, string(kind)+"/"+id, count
		if kind == Volume {
			x.Card = ""
		}
		return r.d.Looks.PutAlert(ctx, x)
	}
	var errs []error
	if n > r.d.Terms.LooksADay {
		errs = append(errs, raise(Volume, e.Actor+"/"+a.Day, n))
	}
	own, ok := r.d.Operator(ctx, e.Actor)
	if r.d.Colleague(ctx, cf) && own.Base() != cf.Base() {
		errs = append(errs, raise(Colleague, e.Actor+"/"+a.Day+"/"+who, 1))
	}
	if ok && own.Base() != cf.Base() {
		same, err := r.sameSurname(ctx, own, cf)
		if err == nil && same {
			err = raise(SameSurname, e.Actor+"/"+a.Day+"/"+who, 1)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// sameSurname compares the registry's surnames; somebody whom it does not know
// has none to compare.
func (r *Room) sameSurname(ctx context.Context, a, b codicefiscale.Code) (bool, error) {
	x, err := r.d.Person(ctx, a)
	if err == nil {
		var y registry.Person
		if y, err = r.d.Person(ctx, b); err == nil {
			return x.Surname != "" && strings.EqualFold(x.Surname, y.Surname), nil
		}
	}
	if errors.Is(err, registry.ErrUnknown) {
		err = nil
	}
	return false, err
}

// Alerts lists those that nobody has seen to, newest first.
func (r *Room) Alerts(ctx context.Context) ([]Alert, error) { return r.d.Looks.Alerts(ctx, 200) }

// See closes an alert with what the security officer found. Nobody closes an
// alert about himself (CSE-645); CSE-644: it is not open; CSE-640: no words.
func (r *Room) See(ctx context.Context, account, id, note string) error {
	note = strings.TrimSpace(note)
	if note == "" || len([]rune(note)) > maxText {
		return words.Refuse("CSE-640", maxText).At("esito")
	}
	open, err := r.Alerts(ctx)
	if err != nil {
		return err
	}
	for _, a := range open {
		if a.ID == id && a.Operator == account {
			return words.Refuse("CSE-645")
		}
	}
	return r.d.Atomically(ctx, func(ctx context.Context) error {
		first, err := r.d.Looks.SeeAlert(ctx, id, account, note, r.d.Clock.Now())
		if err == nil && !first {
			err = words.Refuse("CSE-644")
		}
		if err != nil {
			return err
		}
		return r.d.Record(ctx, journal.Entry{Act: "privacy.alert-seen", Actor: account, Detail: map[string]string{"kind": kindOf(id)}})
	})
}

func kindOf(id string) string {
	kind, _, _ := strings.Cut(id, "/")
	return kind
}
