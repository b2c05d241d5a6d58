// Package trustlist keeps the trusted lists of others (ETSI TS 119 612) by which
// cards of other Regions are believed (R8, R9), and publishes our own.
//
// Guarantees: a list is taken only when a pinned signer signed it, its number is
// greater than the last one's and its days have come; an authority that was not
// believed becomes so only when a second person has approved exactly that list
// (its hash); one that a newer list no longer grants is believed no more at once,
// also while that list waits. The last good list stays when a new one is bad.
// Every list is kept, and its signature verified again whenever it is read.
//
// Refused, and nothing changes: a list that cannot be read (CSE-958), of nobody
// who is pinned or changed since (CSE-959), of another territory (CSE-960), not
// newer (CSE-961), out of date (CSE-962); a name that no configuration has
// (CSE-963); an approval of a list that is not the one waiting (CSE-968).
package trustlist

import (
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/approval"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/pki/trust/tsl"
)

// Scheme is a list that the configuration expects.
type Scheme struct {
	// Name is the list's here; Territory may be empty for any.
	Name, Territory string
	// Type is the service type of its authorities for cards.
	Type string
	// Signers are pinned.
	Signers []*x509.Certificate
	// Lenient: past its next update the list is believed with a warning.
	Lenient bool
}

// Own is the name under which our own lists are kept.
const Own = "own"

// State is where a list is.
type State string

// The states.
const (
	Waiting State = "waiting" // for a second person
	Current State = "current"
	Past    State = "past"
	Refused State = "refused"
)

// Row is a list in the store. Body is there only where it is asked for.
type Row struct {
	ID, List, Hash     string
	Sequence           int64
	Issued, NextUpdate time.Time // zero: closed
	State              State
	Body               []byte
	AskedBy            string
	At, DecidedAt      time.Time
}

// Store keeps lists. Writes happen inside an act.
type Store interface {
	Add(ctx context.Context, r Row) error
	// Move writes the state if it is still was, and tells whether.
	Move(ctx context.Context, id string, was, to State, at time.Time) (bool, error)
	// Heads are the lists that are current or waiting, with ID, List, Hash, Sequence, Issued and State alone.
	Heads(ctx context.Context) ([]Row, error)
	Body(ctx context.Context, id string) ([]byte, error)
	// History lists those of a name, the newest first, without bodies.
	History(ctx context.Context, list string, limit int) ([]Row, error)
}

// Deps is what the room stands on.
type Deps struct {
	Store      Store
	Schemes    []Scheme
	Atomically func(ctx context.Context, act func(ctx context.Context) error) error
	Record     journal.Recorder
	Clock      civil.Clock
	Log        *slog.Logger
}

// Room keeps trusted lists. Make one with New.
type Room struct {
	d Deps
	// Ask asks a second person; an *approval.Room's Ask.
	Ask func(ctx context.Context, op staff.Operator, kind, subject string, content []byte, note string) (approval.Request, error)

	mu   sync.Mutex
	read map[string]*tsl.List // by row
	said map[string]bool      // lists about whose end the log was told
}

// New refuses Deps with something missing, and schemes that cannot work.
func New(d Deps) (*Room, error) {
	if d.Store == nil || d.Atomically == nil || d.Record == nil || d.Clock == nil || d.Log == nil {
		return nil, errors.New("trustlist: a part is missing")
	}
	for i, s := range d.Schemes {
		if s.Name == "" || s.Name == Own || s.Type == "" || len(s.Signers) == 0 || slices.ContainsFunc(d.Schemes[:i], func(o Scheme) bool { return o.Name == s.Name }) {
			return nil, errors.New("trustlist: a list without a name of its own, a type or a signer")
		}
	}
	return &Room{d: d, read: map[string]*tsl.List{}, said: map[string]bool{}}, nil
}

// Kind is the approval of a list with new authorities.
const Kind = "trust.list"

// life is how long a list may wait for its second person.
const life = 7 * 24 * time.Hour

// Kinds are what needs a second person.
func (r *Room) Kinds() []approval.Kind {
	may := []staff.Role{staff.RoleOperations, staff.RoleSecurity}
	return []approval.Kind{{Name: Kind, Asks: may, Decides: may, Life: life, Done: r.approved}}
}

func (r *Room) scheme(name string) (Scheme, error) {
	i := slices.IndexFunc(r.d.Schemes, func(s Scheme) bool { return s.Name == name })
	if i < 0 {
		return Scheme{}, words.Refuse("CSE-963", name)
	}
	return r.d.Schemes[i], nil
}

// Schemes are the lists that the configuration expects.
func (r *Room) Schemes() []Scheme { return r.d.Schemes }

// fault says in people's words why a list is refused.
func fault(err error) error {
	switch tsl.ReasonOf(err) {
	case tsl.Malformed:
		return words.Refuse("CSE-958").Because(err)
	case tsl.BadSignature, tsl.UnknownSigner:
		return words.Refuse("CSE-959").Because(err)
	case tsl.WrongScheme:
		return words.Refuse("CSE-960").Because(err)
	case tsl.NotNewer:
		return words.Refuse("CSE-961").Because(err)
	case tsl.OutOfDate:
		return words.Refuse("CSE-962").Because(err)
	}
	return err
}

// Result is what became of a list that was brought in.
type Result struct {
	State    State
	Sequence int64
	Changes  tsl.Changes
	// Unchanged: it is the current one already.
	Unchanged bool
}

// Import takes a list in the name of an operator. One that makes nobody new
// believed counts at once; another waits for a second person, and what it no
// longer grants is believed no more meanwhile.
func (r *Room) Import(ctx context.Context, op staff.Operator, list string, body []byte, why string) (Result, error) {
	s, err := r.scheme(list)
	if err != nil {
		return Result{}, err
	}
	now := r.d.Clock.Now()
	l, err := tsl.Read(body, s.Signers, s.Territory) // outside the act: it may take a while
	if err == nil {
		err = l.Fresh(now)
	}
	if err != nil {
		return Result{}, errors.Join(fault(err), r.refused(ctx, op, list, err))
	}
	res := Result{Sequence: l.Sequence, State: Current}
	err = r.d.Atomically(ctx, func(ctx context.Context) error { return r.place(ctx, op, s, l, body, why, &res) })
	if tsl.ReasonOf(err) != "" {
		return Result{}, errors.Join(fault(err), r.refused(ctx, op, list, err))
	}
	return res, err
}

// refused writes down what somebody tried.
func (r *Room) refused(ctx context.Context, op staff.Operator, list string, why error) error {
	return r.d.Atomically(ctx, func(ctx context.Context) error {
		return r.record(ctx, op, "trust.refused", list, map[string]string{"reason": string(tsl.ReasonOf(why))})
	})
}

func (r *Room) record(ctx context.Context, op staff.Operator, act, list string, detail map[string]string) error {
	detail["list"] = list
	return r.d.Record(ctx, journal.Entry{Act: act, Actor: op.Account, Office: op.Office.ID, Detail: detail})
}

func (r *Room) place(ctx context.Context, op staff.Operator, s Scheme, l *tsl.List, body []byte, why string, res *Result) error {
	now := r.d.Clock.Now()
	current, waiting, err := r.heads(ctx, s)
	if err != nil {
		return err
	}
	hash := hex.EncodeToString(l.Hash[:])
	if current != nil && current.Hash == hash {
		res.Unchanged = true
		return nil
	}
	for _, h := range []*head{current, waiting} {
		if h != nil && h.Hash != hash {
			if err := l.Newer(h.numbers()); err != nil {
				return err
			}
		}
	}
	res.Changes = l.Changes(current.listed(), s.Type, now)
	row := Row{
		ID: strings.ToLower(rand.Text()[:16]), List: s.Name, Hash: hash, Sequence: l.Sequence, Issued: l.Issued, NextUpdate: l.NextUpdate, State: Waiting,
		Body: body, AskedBy: op.Account, At: now, DecidedAt: now,
	}
	if waiting != nil && waiting.Hash == hash {
		row = waiting.Row
	} else {
		if waiting != nil { // a newer one takes its place
			if err := r.move(ctx, waiting.Row, Waiting, Past); err != nil {
				return err
			}
		}
		if err := r.again(ctx, &row); err != nil {
			return err
		}
	}
	detail := map[string]string{"hash": hash}
	if len(res.Changes.New) == 0 {
		return errors.Join(r.adopt(ctx, current, row), r.record(ctx, op, "trust.imported", s.Name, detail))
	}
	res.State = Waiting
	content, err := json.Marshal(contentOf(s.Name, hash, l, res.Changes))
	if err != nil {
		return err
	}
	if _, err := r.Ask(ctx, op, Kind, s.Name, content, why); err != nil {
		return err
	}
	return r.record(ctx, op, "trust.imported", s.Name, detail)
}

// again adds a row, or takes up one of the same list that was refused once.
func (r *Room) again(ctx context.Context, row *Row) error {
	all, err := r.d.Store.History(ctx, row.List, manyLists)
	if err != nil {
		return err
	}
	for _, x := range all {
		if x.Hash == row.Hash {
			*row = x
			return r.move(ctx, x, x.State, Waiting)
		}
	}
	return r.d.Store.Add(ctx, *row)
}

// manyLists bounds what of a history is looked at.
const manyLists = 1000

func (r *Room) move(ctx context.Context, row Row, was, to State) error {
	moved, err := r.d.Store.Move(ctx, row.ID, was, to, r.d.Clock.Now())
	if err == nil && !moved {
		err = words.Refuse("CSE-968")
	}
	return err
}

// adopt makes a waiting list the current one.
func (r *Room) adopt(ctx context.Context, current *head, row Row) error {
	if current != nil {
		if err := r.move(ctx, current.Row, Current, Past); err != nil {
			return err
		}
	}
	return r.move(ctx, row, Waiting, Current)
}

// Drop gives up a list that waits; what the current one grants is believed again.
func (r *Room) Drop(ctx context.Context, op staff.Operator, list string) error {
	s, err := r.scheme(list)
	if err != nil {
		return err
	}
	return r.d.Atomically(ctx, func(ctx context.Context) error {
		_, waiting, err := r.heads(ctx, s)
		if err != nil {
			return err
		}
		if waiting == nil {
			return words.Refuse("CSE-968")
		}
		if err := r.move(ctx, waiting.Row, Waiting, Refused); err != nil {
			return err
		}
		return r.record(ctx, op, "trust.dropped", list, map[string]string{"hash": waiting.Hash})
	})
}

// Content is what a second person approves: the list by its hash, and whom it
// makes believed.
type Content struct {
	List      string   `json:"list"`
	Hash      string   `json:"sha256"`
	Sequence  int64    `json:"sequence"`
	New, Gone []Issuer `json:",omitempty"`
}

// Issuer is an authority in a Content.
type Issuer struct {
	Name        string `json:"name"`
	Provider    string `json:"provider"`
	Fingerprint string `json:"sha256"`
}

func contentOf(list, hash string, l *tsl.List, c tsl.Changes) Content {
	out := Content{List: list, Hash: hash, Sequence: l.Sequence}
	for into, from := range map[*[]Issuer][]tsl.Issuer{&out.New: c.New, &out.Gone: c.Gone} {
		for _, x := range from {
			*into = append(*into, Issuer{x.Name, x.Provider, x.Fingerprint()})
		}
	}
	return out
}

// ReadContent reads what an approval of a list is about.
func ReadContent(content []byte) (Content, bool) {
	var c Content
	err := json.Unmarshal(content, &c)
	return c, err == nil && c.List != "" && c.Hash != ""
}

// approved is what the approval does: the list that waits becomes current, if it
// is that very one and may still follow.
func (r *Room) approved(ctx context.Context, q approval.Request) error {
	c, ok := ReadContent(q.Content)
	if !ok {
		return words.Refuse("CSE-968")
	}
	s, err := r.scheme(c.List)
	if err != nil {
		return err
	}
	current, waiting, err := r.heads(ctx, s)
	if err != nil {
		return err
	}
	if waiting == nil || waiting.Hash != c.Hash || waiting.list == nil {
		return words.Refuse("CSE-968")
	}
	if err := errors.Join(waiting.list.Fresh(r.d.Clock.Now()), waiting.list.Newer(current.numbers())); err != nil {
		return fault(err)
	}
	if err := r.adopt(ctx, current, waiting.Row); err != nil {
		return err
	}
	return r.record(ctx, staff.Operator{Account: q.DecidedBy}, "trust.adopted", c.List, map[string]string{"hash": c.Hash})
}
