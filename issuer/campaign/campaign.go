// Package campaign is work on many cards at once: chosen first, shown with its
// counts, approved by a second person where that is the rule, then done card by
// card. Three kinds use it: renewals by name and criteria (R22, R23), bulk
// revocations, and corrections of the registry that are too many for one person
// (R30).
//
// Guarantees: the list is frozen when it is chosen, and an approval is bound to
// it (Campaign.Sum over criteria and items) and runs out; who approves is not who
// asked (issuer/approval). Each item is an act of its own that moves the item and
// does the work together, so that a kill loses nothing and nothing is done twice;
// Work goes on where it was. The counts by state always make the total, and what
// an item came to is kept with it. A name is used once; the same name with the
// same criteria is the same campaign.
//
// Refused: a bad name (CSE-631) or one in use (CSE-632), a choice that finds
// nothing (CSE-633), days in the wrong order (CSE-634), a step that the state
// does not allow (CSE-635), an approval of another list than the one kept
// (CSE-636), a list that cannot be read (CSE-637), an unknown motive (CSE-638),
// too many cards (CSE-639), a revocation without criteria (CSE-688).
package campaign

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/issuer/approval"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/production"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
)

// Kind is what is done to each card.
type Kind string

// The kinds; an approval's kind is "campaign." and one of these.
const (
	Renewal    Kind = "renewal"
	Revocation Kind = "revocation"
	Correction Kind = "correction"
)

// State is where a campaign is.
type State string

// The states. Ended and Dropped are final.
const (
	Choosing State = "choosing" // the list is being written; a kill leaves it so, and the next try begins again
	Draft    State = "draft"
	Asked    State = "asked" // waits for a second person
	Running  State = "running"
	Stopped  State = "stopped"
	Ended    State = "ended"
	Dropped  State = "dropped"
)

// ItemState is what became of a card.
type ItemState string

// The states of an item; all but Waiting are final.
const (
	Waiting    ItemState = "waiting"
	Done       ItemState = "done"
	Nothing    ItemState = "nothing"    // there was nothing to do any more
	Exception  ItemState = "exception"  // no card can be made: production's list of exceptions says why
	Failed     ItemState = "failed"     // refused: Outcome is the code
	Superseded ItemState = "superseded" // a later file said otherwise
)

// ItemStates lists them in the order of a page.
func ItemStates() []ItemState {
	return []ItemState{Waiting, Done, Nothing, Exception, Failed, Superseded}
}

// Criteria choose cards; empty fields choose all. They name nobody.
type Criteria struct {
	// From and Until bound the printed date (renewal), both included.
	From  civil.Date `json:"from,omitzero"`
	Until civil.Date `json:"until,omitzero"`
	// ASL and Comune (Belfiore code) are the holder's.
	ASL    string          `json:"asl,omitempty"`
	Comune string          `json:"comune,omitempty"`
	Model  lifecycle.Model `json:"model,omitempty"`
	// Chip is whether the new cards have one (renewal).
	Chip production.Chip `json:"chip,omitempty"`
	// Batch is a production lot, Issuer the authority that certified (revocation).
	Batch  string `json:"batch,omitempty"`
	Issuer string `json:"issuer,omitempty"`
	// IssuedFrom and IssuedUntil bound the day of issue (revocation).
	IssuedFrom  civil.Date `json:"issued_from,omitzero"`
	IssuedUntil civil.Date `json:"issued_until,omitzero"`
	// Motive of all the cards (revocation); empty: each line says its own.
	Motive Motive `json:"motive,omitempty"`
	// List is the SHA-256 of the file that named the cards.
	List string `json:"list,omitempty"`
}

// Preview is what the choice counted.
type Preview struct {
	// Looked are the cards that the dates, the lot or the list chose; Followed of
	// them have a successor already, NotAssisted a holder without right, Over are
	// ended, Elsewhere do not fit the rest, Unknown no card has, NotLonger would not
	// be outlasted by a card made today. What is left is the list.
	Looked, Followed, NotAssisted, Over, Elsewhere, Unknown, NotLonger int

	ASL, Model, State, Motive map[string]int
}

// Left is what the counts leave for the list.
func (p Preview) Left() int {
	return p.Looked - p.Followed - p.NotAssisted - p.Over - p.Elsewhere - p.Unknown - p.NotLonger
}

// Campaign is one of them.
type Campaign struct {
	ID       string
	Kind     Kind
	Name     string
	Criteria Criteria
	Preview  Preview
	State    State
	// Sum is over kind, criteria and items.
	Sum   string
	Total int
	// Note is the reason, in words.
	Note                          string
	AskedBy, Office, ApprovedBy   string
	CreatedAt, StartedAt, EndedAt time.Time
	// Version counts the writes; Put compares it.
	Version int64
}

// Item is one card of a campaign, or one person's correction.
type Item struct {
	Campaign, Key, Motive string
	// Body is what the kind needs to do it, sealed when it names somebody; erased
	// when the item is settled.
	Body    []byte
	State   ItemState
	Outcome string
	Next    string
	DoneAt  time.Time
}

// Errors of the store.
var (
	ErrUnknown = errors.New("campaign: no such campaign or item")
	ErrRaced   = errors.New("campaign: it changed meanwhile")
	ErrTaken   = errors.New("campaign: the name is in use")
)

// Store keeps campaigns. Writes happen inside an act.
type Store interface {
	// Put inserts a campaign of Version 0 (ErrTaken when the kind has that name
	// already), else replaces the one of equal Version (ErrRaced).
	Put(ctx context.Context, c Campaign) (Campaign, error)
	Get(ctx context.Context, id string) (Campaign, error)
	ByName(ctx context.Context, k Kind, name string) (Campaign, error)
	// List is the newest first.
	List(ctx context.Context, k Kind, limit int) ([]Campaign, error)
	In(ctx context.Context, s State) ([]Campaign, error)
}

// Items keeps the items. Writes happen inside an act.
type Items interface {
	Add(ctx context.Context, i Item) error
	// Move writes what became of an item that is still Waiting, and tells whether
	// it was.
	Move(ctx context.Context, i Item) (bool, error)
	// Page lists by key, after a key; an empty state lists all.
	Page(ctx context.Context, campaign string, s ItemState, after string, limit int) ([]Item, error)
	Counts(ctx context.Context, campaign string) (map[ItemState]int, error)
	Clear(ctx context.Context, campaign string) error
}

// Cards is what the choice reads.
type Cards interface {
	Get(ctx context.Context, id string) (lifecycle.Card, error)
	ByPerson(ctx context.Context, cf codicefiscale.Code) ([]lifecycle.Card, error)
	ByState(ctx context.Context, s lifecycle.State, after string, limit int) ([]lifecycle.Card, error)
}

// Do does one item of a kind in the act of ctx: state, outcome and next card. A
// fault undoes the act and settles the item as Failed with its code.
type Do func(ctx context.Context, c Campaign, i Item) (Item, error)

// Deps is what the room stands on; all of it must be there.
type Deps struct {
	Store  Store
	Items  Items
	Cards  Cards
	Person func(ctx context.Context, cf codicefiscale.Code) (registry.Person, error)
	// Longer tells whether a card made today would outlast a card: production's.
	Longer func(ctx context.Context, old lifecycle.Card) (bool, error)
	// Renew orders a card's successor: production's.
	Renew func(ctx context.Context, old lifecycle.Card, chip production.Chip) (next lifecycle.Card, ordered bool, err error)
	// Recall revokes a card for good, orders the next and tells its holder: the
	// counter's.
	Recall func(ctx context.Context, card string, why lifecycle.Reason, crl int) (next string, ended bool, err error)
	// Correct writes a correction that waited, from the item's body: the wiring's.
	Correct Do
	// IssuerOf is the name that Criteria.Issuer gives to who certified a card; empty
	// for a card without certificate.
	IssuerOf func(ctx context.Context, c lifecycle.Card) (string, error)
	// Free is how many cards of a kind need no second person; a revocation always
	// needs one.
	Free       func(ctx context.Context, k Kind) (int, error)
	Atomically func(ctx context.Context, act func(ctx context.Context) error) error
	Record     journal.Recorder
	Clock      civil.Clock
}

// Room is the campaigns. Make one with New; Approvals is set by the wiring, since
// the approval calls back.
type Room struct {
	d         Deps
	Approvals Approvals
	// Bulk is how many cards EndIssuer takes at a time; Most when zero.
	Bulk int
}

// Approvals is the four eyes; an *approval.Room is one.
type Approvals interface {
	Ask(ctx context.Context, op staff.Operator, kind, subject string, content []byte, note string) (approval.Request, error)
	AskFor(ctx context.Context, account, kind, subject string, content []byte, note string) (approval.Request, error)
	Last(ctx context.Context, kind, subject string) (approval.Request, error)
}

// New refuses Deps with something missing.
func New(d Deps) (*Room, error) {
	if d.Store == nil || d.Items == nil || d.Cards == nil || d.Person == nil || d.Longer == nil || d.Renew == nil || d.Recall == nil || d.Correct == nil || d.IssuerOf == nil ||
		d.Free == nil || d.Atomically == nil || d.Record == nil || d.Clock == nil {
		return nil, errors.New("campaign: a part is missing")
	}
	return &Room{d: d}, nil
}

// summer makes a campaign's Sum, item by item in the order of their keys.
type summer struct{ parts []byte }

func (s *summer) add(words ...string) {
	for _, w := range words {
		s.parts = strconv.AppendInt(s.parts, int64(len(w)), 10)
		s.parts = append(append(s.parts, ':'), w...)
	}
	h := sha256.Sum256(s.parts)
	s.parts = append(s.parts[:0], h[:]...)
}

func (s *summer) String() string { return hex.EncodeToString(s.parts[:16]) }

func begin(c Campaign) (*summer, error) {
	b, err := json.Marshal(c.Criteria)
	if err != nil {
		return nil, fmt.Errorf("campaign: criteria: %w", err)
	}
	s := &summer{}
	s.add("cse.campaign/1", string(c.Kind), c.Name, string(b))
	return s, nil
}

const contentPrefix = "cse.campaign/1|"

// Content is exactly what is approved.
func Content(c Campaign) []byte {
	return []byte(contentPrefix + string(c.Kind) + "|" + c.ID + "|" + strconv.Itoa(c.Total) + "|" + c.Sum)
}

// Asking is what Content says.
type Asking struct {
	Kind  Kind
	ID    string
	Total int
	Sum   string
}

// ParseContent reads what Content wrote; ok is false for anything else.
func ParseContent(content []byte) (a Asking, ok bool) {
	text, ok := strings.CutPrefix(string(content), contentPrefix)
	p := strings.Split(text, "|")
	if !ok || len(p) != 4 {
		return a, false
	}
	n, err := strconv.Atoi(p[2])
	return Asking{Kind(p[0]), p[1], n, p[3]}, err == nil
}

// ApprovalKind is how approvals call a kind.
func ApprovalKind(k Kind) string { return "campaign." + string(k) }
