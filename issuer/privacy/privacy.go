// Package privacy is what a person may ask of the platform about himself, and
// what the platform watches over itself: requests of access, rectification and
// export with their terms (GDPR, articles 12, 15, 16 and 20); alerts on odd
// looks at people's sheets; retention, kind of datum by kind, with a nightly run
// and its report (article 5.1.e).
//
// A request is answered with what the platform holds (Export), as JSON and for
// reading; rectification of printed data is the Revenue Agency's (R27, R29) and
// says so. An alert never stops an operator: it waits for the security officer,
// who looks and writes what he found. Watch stands in the journal's way and sees
// every look in the act that made it.
//
// It keeps no name: people are keyed pseudonyms, bodies are sealed. It refuses a
// second open request of one kind, and a term that retention would cut short.
package privacy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
)

// ErrNotFound: there is no such request or alert.
var ErrNotFound = errors.New("privacy: not found")

// AEAD seals what a request says and what it was answered.
type AEAD interface {
	Encrypt(plaintext, associatedData []byte) ([]byte, error)
	Decrypt(ciphertext, associatedData []byte) ([]byte, error)
}

// RequestRow is a request as it is kept.
type RequestRow struct {
	ID, Person      string
	Kind            Kind
	State           State
	At, Due, Answer time.Time
	Body            []byte
}

// Requests keeps requests. Writes happen inside an act.
type Requests interface {
	PutRequest(ctx context.Context, r RequestRow) error
	// AnswerRequest closes an open request; false when it is not open.
	AnswerRequest(ctx context.Context, r RequestRow) (bool, error)
	// GetRequest answers ErrNotFound.
	GetRequest(ctx context.Context, id string) (RequestRow, error)
	RequestsOf(ctx context.Context, person string) ([]RequestRow, error)
	OpenRequests(ctx context.Context, limit int) ([]RequestRow, error)
}

// Looks keeps whom an operator looked at on a day, and the alerts. Writes happen
// inside an act.
type Looks interface {
	// AddLook answers whether the person is new to that operator's day, and how
	// many people that day has.
	AddLook(ctx context.Context, operator, day, person string) (added bool, n int, err error)
	PutAlert(ctx context.Context, a Alert) error
	Alerts(ctx context.Context, limit int) ([]Alert, error)
	// SeeAlert closes an alert; false when it is not open.
	SeeAlert(ctx context.Context, id, by, note string, at time.Time) (bool, error)
}

// Reports keeps what each night's retention did.
type Reports interface {
	PutRetention(ctx context.Context, day, report string) error
	Retention(ctx context.Context, limit int) ([]string, error)
}

// Deps are what the room stands on; all are needed.
type Deps struct {
	Requests Requests
	Looks    Looks
	Reports  Reports
	// Export collects everything held about a person, by section.
	Export func(ctx context.Context, cf codicefiscale.Code) ([]Section, error)
	// Person and Operator are for the alerts: the registry's datum (ErrUnknown of
	// registry is no error here), and who works under an account.
	Person   func(ctx context.Context, cf codicefiscale.Code) (registry.Person, error)
	Operator func(ctx context.Context, account string) (cf codicefiscale.Code, ok bool)
	// Colleague tells whether somebody works at a counter.
	Colleague func(ctx context.Context, cf codicefiscale.Code) bool
	// Pseudonym is keyed; the same for the same person.
	Pseudonym  func(cf codicefiscale.Code) string
	Seal       AEAD
	Clock      civil.Clock
	Rand       io.Reader
	Atomically func(ctx context.Context, act func(ctx context.Context) error) error
	Record     journal.Recorder
	Terms      Terms
}

// Terms are the configurable numbers.
type Terms struct {
	// AnswerDays is the term of a request (GDPR article 12.3: one month).
	AnswerDays int
	// LooksADay is how many different people an operator may look at in a day
	// before an alert.
	LooksADay int
}

// DefaultTerms are thirty days and eighty people.
func DefaultTerms() Terms { return Terms{AnswerDays: 30, LooksADay: 80} }

// Room does all of it. Make one with New; it is safe for concurrent use.
type Room struct{ d Deps }

// New refuses a missing part and terms that make no sense.
func New(d Deps) (*Room, error) {
	if d.Requests == nil || d.Looks == nil || d.Reports == nil || d.Export == nil || d.Person == nil || d.Operator == nil || d.Colleague == nil ||
		d.Pseudonym == nil || d.Seal == nil || d.Clock == nil || d.Rand == nil || d.Atomically == nil || d.Record == nil {
		return nil, errors.New("privacy: a part is missing")
	}
	if d.Terms.AnswerDays < 1 || d.Terms.AnswerDays > 90 || d.Terms.LooksADay < 1 {
		return nil, errors.New("privacy: a request is answered in 1 to 90 days, and a day has at least one look")
	}
	return &Room{d}, nil
}

func (r *Room) seal(id string, v any) ([]byte, error) {
	plain, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("privacy: request %s: %w", id, err)
	}
	b, err := r.d.Seal.Encrypt(plain, []byte("cse.privacy/1|request|"+id))
	if err != nil {
		return nil, fmt.Errorf("privacy: seal request %s: %w", id, err)
	}
	return b, nil
}

func (r *Room) open(id string, b []byte, v any) error {
	plain, err := r.d.Seal.Decrypt(b, []byte("cse.privacy/1|request|"+id))
	if err != nil {
		return fmt.Errorf("privacy: open request %s: %w", id, err)
	}
	if err := json.Unmarshal(plain, v); err != nil {
		return fmt.Errorf("privacy: read request %s: %w", id, err)
	}
	return nil
}
