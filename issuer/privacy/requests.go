package privacy

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/words"
	"cse.example/cse/person/codicefiscale"
)

// Kind is what somebody asks.
type Kind string

// The requests.
const (
	Access        Kind = "access"        // article 15: what do you hold, why, who saw it
	Rectification Kind = "rectification" // article 16
	Portability   Kind = "export"        // article 20: in a form that a program reads
)

// Kinds lists them in the order of the menu.
func Kinds() []Kind { return []Kind{Access, Portability, Rectification} }

// State is how far a request is.
type State string

// The states of a request.
const (
	Open     State = "open"
	Answered State = "answered"
	Refused  State = "refused"
)

// Request is one request of a person.
type Request struct {
	ID         string
	CF         codicefiscale.Code
	Kind       Kind
	State      State
	At, Due    time.Time
	AnsweredAt time.Time
	// Text is what was asked, Answer what was said.
	Text, Answer string
}

// Late tells that the term has passed without an answer.
func (q Request) Late(now time.Time) bool { return q.State == Open && now.After(q.Due) }

// body is the sealed part.
type body struct {
	CF     codicefiscale.Code `json:"cf"`
	Text   string             `json:"text"`
	Answer string             `json:"answer"`
}

// maxText bounds what a person writes, in characters.
const maxText = 2000

// Ask files a request of the person himself, who has logged in. Access and
// export are answered at once, since what is held can be shown at once (Export);
// a rectification waits for an answer until its term. CSE-640: the text is
// missing or too long; CSE-641: an open request of that kind is there; CSE-642:
// no such kind.
func (r *Room) Ask(ctx context.Context, cf codicefiscale.Code, kind Kind, text string) (Request, error) {
	text = strings.TrimSpace(text)
	switch kind {
	case Access, Portability:
	case Rectification:
		if text == "" {
			return Request{}, words.Refuse("CSE-640", maxText).At("testo")
		}
	default:
		return Request{}, words.Refuse("CSE-642").At("richiesta")
	}
	if len([]rune(text)) > maxText {
		return Request{}, words.Refuse("CSE-640", maxText).At("testo")
	}
	id := make([]byte, 10)
	if _, err := io.ReadFull(r.d.Rand, id); err != nil {
		return Request{}, fmt.Errorf("privacy: %w", err)
	}
	now := r.d.Clock.Now()
	q := Request{
		ID: hex.EncodeToString(id), CF: cf, Kind: kind, State: Open, At: now, Text: text,
		Due: civil.DayOf(now).AddDays(r.d.Terms.AnswerDays + 1).Start(), // to the end of the last day, in Rome
	}
	if kind != Rectification {
		q.State, q.AnsweredAt = Answered, now
	}
	err := r.d.Atomically(ctx, func(ctx context.Context) error {
		mine, err := r.d.Requests.RequestsOf(ctx, r.d.Pseudonym(cf))
		if err != nil {
			return err
		}
		for _, x := range mine {
			if x.Kind == kind && x.State == Open {
				return words.Refuse("CSE-641").At("richiesta")
			}
		}
		row, err := r.row(q)
		if err != nil {
			return err
		}
		if err := r.d.Requests.PutRequest(ctx, row); err != nil {
			return err
		}
		return r.d.Record(ctx, journal.Entry{Act: "privacy.asked", Actor: "holder", Person: string(cf), Detail: map[string]string{"kind": string(kind)}})
	})
	if err != nil {
		return Request{}, err
	}
	return q, nil
}

func (r *Room) row(q Request) (RequestRow, error) {
	b, err := r.seal(q.ID, body{q.CF, q.Text, q.Answer})
	return RequestRow{ID: q.ID, Person: r.d.Pseudonym(q.CF), Kind: q.Kind, State: q.State, At: q.At, Due: q.Due, Answer: q.AnsweredAt, Body: b}, err
}

func (r *Room) request(x RequestRow) (Request, error) {
	var b body
	if err := r.open(x.ID, x.Body, &b); err != nil {
		return Request{}, err
	}
	return Request{ID: x.ID, CF: b.CF, Kind: x.Kind, State: x.State, At: x.At, Due: x.Due, AnsweredAt: x.Answer, Text: b.Text, Answer: b.Answer}, nil
}

func (r *Room) requests(rows []RequestRow, err error) ([]Request, error) {
	if err != nil {
		return nil, err
	}
	out := make([]Request, 0, len(rows))
	for _, x := range rows {
		q, err := r.request(x)
		if err != nil {
			return nil, err
		}
		out = append(out, q)
	}
	return out, nil
}

// Of lists somebody's requests, newest first.
func (r *Room) Of(ctx context.Context, cf codicefiscale.Code) ([]Request, error) {
	return r.requests(r.d.Requests.RequestsOf(ctx, r.d.Pseudonym(cf)))
}

// Waiting lists open requests, the one whose term ends first at the top.
func (r *Room) Waiting(ctx context.Context) ([]Request, error) {
	return r.requests(r.d.Requests.OpenRequests(ctx, 200))
}

// Answer closes an open request with words for the person; refuse needs a
// reason too, which is the same words. CSE-643: it is not open any more.
func (r *Room) Answer(ctx context.Context, account, id, text string, refuse bool) error {
	text = strings.TrimSpace(text)
	if text == "" || len([]rune(text)) > maxText {
		return words.Refuse("CSE-640", maxText).At("risposta")
	}
	return r.d.Atomically(ctx, func(ctx context.Context) error {
		x, err := r.d.Requests.GetRequest(ctx, id)
		if errors.Is(err, ErrNotFound) {
			return words.Refuse("CSE-643")
		}
		if err != nil {
			return err
		}
		q, err := r.request(x)
		if err != nil {
			return err
		}
		q.State, q.Answer, q.AnsweredAt = Answered, text, r.d.Clock.Now()
		if refuse {
			q.State = Refused
		}
		row, err := r.row(q)
		if err != nil {
			return err
		}
		open, err := r.d.Requests.AnswerRequest(ctx, row)
		if err == nil && !open {
			err = words.Refuse("CSE-643")
		}
		if err != nil {
			return err
		}
		return r.d.Record(ctx, journal.Entry{
			Act: "privacy.answered", Actor: account, Person: string(q.CF), Detail: map[string]string{"kind": string(q.Kind), "state": string(q.State)},
		})
	})
}

// Section is one part of what is held about a person. Rows are field and value,
// in the order of reading; Key names the section in the catalogue
// (privacy.section.KEY) and in the JSON.
type Section struct {
	Key  string    `json:"section"`
	Rows [][]Field `json:"rows"`
}

// Field is a datum.
type Field struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Export is everything held about a person, on his word; the look is journaled.
type Export struct {
	Schema   string    `json:"schema"`
	At       time.Time `json:"at"`
	CF       string    `json:"codice_fiscale"`
	Sections []Section `json:"sections"`
}

// Export collects it.
func (r *Room) Export(ctx context.Context, cf codicefiscale.Code) (Export, error) {
	parts, err := r.d.Export(ctx, cf)
	if err != nil {
		return Export{}, fmt.Errorf("privacy: export: %w", err)
	}
	e := Export{Schema: "cse.privacy.export/1", At: r.d.Clock.Now().UTC(), CF: string(cf), Sections: parts}
	return e, r.d.Atomically(ctx, func(ctx context.Context) error {
		return r.d.Record(ctx, journal.Entry{Act: "privacy.exported", Actor: "holder", Person: string(cf)})
	})
}
