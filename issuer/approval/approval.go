// Package approval is the rule of four eyes: what one person asks and another
// decides. It is used for a third reprint in thirty days and for a change of the
// rules; whoever needs it for more adds a Kind.
//
// Guarantees: who decides is not who asked, neither by account nor by codice
// fiscale; the decision is bound to the exact content that was asked, and shown;
// it runs out; it is spent once, in the act that needed it; asking twice for the
// same is one request; request, decision and use each leave a record.
//
// Refused: deciding one's own request (CSE-552), one that is decided, spent or
// run out (CSE-553), one whose content is not what the page showed (CSE-554), a
// decision by somebody without the role (CSE-555).
package approval

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/staff"
)

// State is where a request is.
type State string

// The states.
const (
	Open     State = "open"
	Approved State = "approved"
	Refused  State = "refused"
	Spent    State = "spent"
)

// Kind is something that needs a second person.
type Kind struct {
	Name string
	// Asks and Decides are the roles of either.
	Asks, Decides []staff.Role
	// Life is how long a request, and then its approval, may be used.
	Life time.Duration
	// Done, when set, is what the approval itself does, in the same act; the
	// request is then spent at once.
	Done func(ctx context.Context, r Request) error
}

// Request is what somebody asked.
type Request struct {
	ID, Kind, Subject string
	// Content is exactly what is approved; it names nobody.
	Content []byte
	// Note is the reason, in words.
	Note             string
	State            State
	AskedBy, Office  string
	AskedAt, Expires time.Time
	DecidedBy        string
	DecidedAt        time.Time
}

// Sum binds a decision to the content.
func (r Request) Sum() string {
	h := sha256.Sum256([]byte("cse.approval/1\x00" + r.Kind + "\x00" + r.Subject + "\x00" + string(r.Content)))
	return hex.EncodeToString(h[:16])
}

// ErrNone: nobody approved that.
var ErrNone = errors.New("approval: not approved")

// ErrUnknown: no such request.
var ErrUnknown = errors.New("approval: no such request")

// Store keeps requests. Writes happen inside an act.
type Store interface {
	Add(ctx context.Context, r Request) error
	// Move writes state and decision if the state is still was, and tells whether.
	Move(ctx context.Context, r Request, was State) (bool, error)
	// Get answers ErrUnknown.
	Get(ctx context.Context, id string) (Request, error)
	// Of lists the requests of a kind about a subject, newest first.
	Of(ctx context.Context, kind, subject string) ([]Request, error)
	// Waiting lists open requests that have not run out, oldest first.
	Waiting(ctx context.Context, now time.Time, limit int) ([]Request, error)
}

// Deps is what the room stands on; all of it must be there.
type Deps struct {
	Store      Store
	Kinds      []Kind
	Directory  *staff.Directory
	Atomically func(ctx context.Context, act func(ctx context.Context) error) error
	Record     journal.Recorder
	Clock      civil.Clock
}

// Room is the four eyes. Make one with New.
type Room struct{ d Deps }

// New refuses Deps with something missing.
func New(d Deps) (*Room, error) {
	if d.Store == nil || len(d.Kinds) == 0 || d.Directory == nil || d.Atomically == nil || d.Record == nil || d.Clock == nil {
		return nil, errors.New("approval: a part is missing")
	}
	return &Room{d}, nil
}

// Kinds are the names of what needs a second person.
func (r *Room) Kinds() []string {
	var out []string
	for _, k := range r.d.Kinds {
		out = append(out, k.Name)
	}
	return out
}

func (r *Room) kind(name string) (Kind, bool) {
	i := slices.IndexFunc(r.d.Kinds, func(k Kind) bool { return k.Name == name })
	if i < 0 {
		return Kind{}, false
	}
	return r.d.Kinds[i], true
}

func has(op staff.Operator, roles []staff.Role) bool { return slices.ContainsFunc(roles, op.Has) }

func (r *Room) record(ctx context.Context, op staff.Operator, act string, q Request) error {
	e := journal.Entry{Act: act, Actor: op.Account, Office: op.Office.ID, Detail: map[string]string{
		"request": q.ID, "kind": q.Kind, "sum": q.Sum(), "note": q.Note, "content": string(q.Content),
	}}
	return r.d.Record(ctx, e)
}

// maxNote is the longest reason, in characters.
const maxNote = 200

// Ask asks for an approval; the same request, still open, is given back.
// Refused: no reason (CSE-546), a role that does not ask for that (CSE-555).
func (r *Room) Ask(ctx context.Context, op staff.Operator, kind, subject string, content []byte, note string) (Request, error) {
	k, ok := r.kind(kind)
	if !ok || !has(op, k.Asks) {
		err := words.Refuse("CSE-555")
		return Request{}, errors.Join(err, r.denied(ctx, op, "", kind, err.Code))
	}
	note = strings.TrimSpace(note)
	if n := len([]rune(note)); n < 3 || n > maxNote {
		return Request{}, words.Refuse("CSE-546", maxNote).At("motivo_richiesta")
	}
	return r.ask(ctx, op, k, subject, content, note)
}

// AskFor asks in the name of an account, or of the machine's user ("system:…"):
// for work that begins with a command. The kind alone says who decides.
func (r *Room) AskFor(ctx context.Context, account, kind, subject string, content []byte, note string) (Request, error) {
	k, ok := r.kind(kind)
	if !ok {
		return Request{}, words.Refuse("CSE-555")
	}
	return r.ask(ctx, staff.Operator{Account: account}, k, subject, content, note)
}

// Last is the newest request of a kind about a subject, or ErrUnknown.
func (r *Room) Last(ctx context.Context, kind, subject string) (Request, error) {
	list, err := r.d.Store.Of(ctx, kind, subject)
	if err != nil {
		return Request{}, err
	}
	if len(list) == 0 {
		return Request{}, ErrUnknown
	}
	return list[0], nil
}

func (r *Room) ask(ctx context.Context, op staff.Operator, k Kind, subject string, content []byte, note string) (Request, error) {
	now := r.d.Clock.Now()
	q := Request{
		ID: strings.ToLower(rand.Text()[:16]), Kind: k.Name, Subject: subject, Content: content, Note: note, State: Open,
		AskedBy: op.Account, Office: op.Office.ID, AskedAt: now, Expires: now.Add(k.Life),
	}
	return q, r.d.Atomically(ctx, func(ctx context.Context) error {
		list, err := r.d.Store.Of(ctx, k.Name, subject)
		if err != nil {
			return err
		}
		for _, x := range list {
			if x.State == Open && now.Before(x.Expires) && x.Sum() == q.Sum() {
				q = x
				return nil
			}
		}
		if err := r.d.Store.Add(ctx, q); err != nil {
			return err
		}
		return r.record(ctx, op, "approval.asked", q)
	})
}

// Waiting lists what op may decide, or has asked.
func (r *Room) Waiting(ctx context.Context, op staff.Operator) ([]Request, error) {
	list, err := r.d.Store.Waiting(ctx, r.d.Clock.Now(), 500)
	return slices.DeleteFunc(list, func(q Request) bool {
		k, ok := r.kind(q.Kind)
		return !ok || q.AskedBy != op.Account && !has(op, k.Decides)
	}), err
}

// Own tells whether op asked q himself, under any account of his.
func (r *Room) own(op staff.Operator, q Request) bool {
	if q.AskedBy == op.Account {
		return true
	}
	asked, err := r.d.Directory.OperatorByAccount(q.AskedBy)
	return err == nil && asked.CF.Base() == op.CF.Base()
}

// Decide approves or refuses a request; sum is what the page showed.
func (r *Room) Decide(ctx context.Context, op staff.Operator, id, sum string, yes bool) error {
	var q Request
	err := r.d.Atomically(ctx, func(ctx context.Context) error {
		var err error
		q, err = r.d.Store.Get(ctx, id)
		if errors.Is(err, ErrUnknown) {
			return words.Refuse("CSE-002").Because(err)
		}
		if err != nil {
			return err
		}
		k, ok := r.kind(q.Kind)
		now := r.d.Clock.Now()
		switch {
		case !ok || !has(op, k.Decides):
			return words.Refuse("CSE-555")
		case r.own(op, q):
			return words.Refuse("CSE-552")
		case q.State != Open || !now.Before(q.Expires):
			return words.Refuse("CSE-553")
		case q.Sum() != sum:
			return words.Refuse("CSE-554")
		}
		q.DecidedBy, q.DecidedAt, q.State = op.Account, now, Refused
		act := "approval.refused"
		if yes {
			q.State, act = Approved, "approval.given"
		}
		if yes && k.Done != nil {
			q.State = Spent
			if err := k.Done(ctx, q); err != nil {
				return err
			}
		}
		if err := r.move(ctx, q, Open); err != nil {
			return err
		}
		return r.record(ctx, op, act, q)
	})
	f := words.FaultOf(err)
	if f == nil || q.ID == "" {
		return err
	}
	// The act is undone; that somebody tried it stays.
	return errors.Join(err, r.denied(ctx, op, id, q.Kind, f.Code))
}

// denied writes down what somebody tried, in an act of its own.
func (r *Room) denied(ctx context.Context, op staff.Operator, id, kind, code string) error {
	detail := map[string]string{"kind": kind, "code": code}
	if id != "" {
		detail["request"] = id
	}
	return r.d.Atomically(ctx, func(ctx context.Context) error {
		return r.d.Record(ctx, journal.Entry{Act: "approval.denied", Actor: op.Account, Office: op.Office.ID, Detail: detail})
	})
}

func (r *Room) move(ctx context.Context, q Request, was State) error {
	moved, err := r.d.Store.Move(ctx, q, was)
	if err == nil && !moved {
		err = words.Refuse("CSE-553")
	}
	return err
}

// Spend uses an approval of exactly this content, in the act of ctx, or answers
// ErrNone. An approval lives as long again as its request from its decision on.
func (r *Room) Spend(ctx context.Context, kind, subject string, content []byte) error {
	k, ok := r.kind(kind)
	if !ok {
		return ErrNone
	}
	list, err := r.d.Store.Of(ctx, kind, subject)
	if err != nil {
		return err
	}
	want := Request{Kind: kind, Subject: subject, Content: content}.Sum()
	for _, q := range list {
		if q.State != Approved || q.Sum() != want || !r.d.Clock.Now().Before(q.DecidedAt.Add(k.Life)) {
			continue
		}
		q.State = Spent
		return r.move(ctx, q, Approved)
	}
	return ErrNone
}
