package helpdesk

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"cse.example/cse/card/diagnosis"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/throttle"
)

// ReportRow is a diagnosis that a holder sent, as it is kept: Body is sealed.
type ReportRow struct {
	Reference string
	At        time.Time
	Body      []byte
}

// Reports keeps them. Writes happen inside an act.
type Reports interface {
	// PutReport answers false when the reference is taken.
	PutReport(ctx context.Context, r ReportRow) (bool, error)
	// Report answers ErrNoReport for a reference that nothing is kept under.
	Report(ctx context.Context, reference string) (ReportRow, error)
	// CountReports tells how many are kept.
	CountReports(ctx context.Context) (int64, error)
}

// ErrNoReport is returned for a reference that nothing is kept under.
var ErrNoReport = errors.New("helpdesk: no such report")

// InboxDeps are what the inbox stands on; all are needed.
type InboxDeps struct {
	Reports Reports
	// Brake slows down by source; its Free reports of a day cost no wait.
	Brake throttle.Brake
	Seal  AEAD
	Rand  io.Reader
	Clock civil.Clock
	// Days is how long a report is kept.
	Days       int
	Atomically func(ctx context.Context, act func(ctx context.Context) error) error
}

// Inbox takes the diagnoses that holders send without saying who they are, and
// opens them for the call centre by their reference. It is safe for concurrent use.
type Inbox struct{ d InboxDeps }

// Bounds of the inbox: reports of one source in a day that cost no wait, reports
// kept at once (a reference must stay hard to hit by chance), and tries for one
// that is free.
const (
	FreeReports = 20
	mostReports = diagnosis.Kept / 10
	drawn       = 32
)

// NewInbox refuses a missing part.
func NewInbox(d InboxDeps) (*Inbox, error) {
	if d.Reports == nil || d.Brake.Tries == nil || d.Brake.Clock == nil || d.Seal == nil || d.Rand == nil || d.Clock == nil || d.Days < 1 || d.Atomically == nil {
		return nil, errors.New("helpdesk: a part of the inbox is missing")
	}
	return &Inbox{d}, nil
}

// Receive keeps a report and says under which reference and until which day.
// CSE-817: it is none. CSE-818: the source sent many and waits (WaitOf). CSE-819:
// too many are kept.
func (x *Inbox) Receive(ctx context.Context, letter []byte, source string) (diagnosis.Sent, error) {
	l, err := diagnosis.ParseLetter(letter)
	if err != nil {
		return diagnosis.Sent{}, words.Refuse("CSE-817").Because(err)
	}
	body, err := json.Marshal(l)
	if err != nil {
		return diagnosis.Sent{}, err
	}
	var sent diagnosis.Sent
	var refusal *words.Fault
	err = x.d.Atomically(ctx, func(ctx context.Context) error {
		who := throttle.Subject("diagnosis", source)
		refusal = nil
		wait, err := x.d.Brake.Wait(ctx, who)
		if err != nil {
			return err
		}
		if wait > 0 {
			refusal = throttle.Refuse("CSE-818", wait)
			return nil
		}
		if _, err := x.d.Brake.Failed(ctx, who); err != nil { // every report counts
			return err
		}
		n, err := x.d.Reports.CountReports(ctx)
		if err != nil {
			return err
		}
		if n >= int64(mostReports) {
			refusal = words.Refuse("CSE-819")
			return nil
		}
		sent, err = x.keep(ctx, body)
		return err
	})
	if err != nil {
		return diagnosis.Sent{}, err
	}
	if refusal != nil {
		return diagnosis.Sent{}, refusal
	}
	return sent, nil
}

// keep seals a report under a reference that is free.
func (x *Inbox) keep(ctx context.Context, body []byte) (diagnosis.Sent, error) {
	now := x.d.Clock.Now()
	for range drawn {
		var b [4]byte
		if _, err := io.ReadFull(x.d.Rand, b[:]); err != nil {
			return diagnosis.Sent{}, fmt.Errorf("helpdesk: %w", err)
		}
		ref := diagnosis.ForKept(binary.BigEndian.Uint32(b[:]))
		sealed, err := x.d.Seal.Encrypt(body, reportData(ref))
		if err != nil {
			return diagnosis.Sent{}, fmt.Errorf("helpdesk: seal: %w", err)
		}
		done, err := x.d.Reports.PutReport(ctx, ReportRow{Reference: string(ref), At: now, Body: sealed})
		if err != nil {
			return diagnosis.Sent{}, err
		}
		if done {
			return diagnosis.Sent{Reference: string(ref), KeptUntil: civil.DayOf(now).AddDays(x.d.Days).String()}, nil
		}
	}
	return diagnosis.Sent{}, errors.New("helpdesk: no free reference")
}

func reportData(ref diagnosis.Reference) []byte { return []byte("cse.diagnosis/1|" + string(ref)) }

// Diagnosis is what a reference says.
type Diagnosis struct {
	Reference diagnosis.Reference
	Lights    diagnosis.Lights
	// Letter and At are there when the holder sent his report.
	Letter *diagnosis.Letter
	At     time.Time
}

// Read tells what a reference says, as somebody spells it: the lights it carries
// itself, or the report that was sent. CSE-563: it is none. CSE-816: nothing is
// kept under it, or not any more.
func (x *Inbox) Read(ctx context.Context, said string) (Diagnosis, error) {
	ref, err := diagnosis.ParseReference(said)
	if err != nil {
		return Diagnosis{}, words.Refuse("CSE-563").At("riferimento").Because(err)
	}
	if l, ok := ref.Lights(); ok {
		return Diagnosis{Reference: ref, Lights: l}, nil
	}
	row, err := x.d.Reports.Report(ctx, string(ref))
	if err == nil && civil.DayOf(x.d.Clock.Now()).After(civil.DayOf(row.At).AddDays(x.d.Days)) {
		err = ErrNoReport // its day has passed; the night's work deletes it
	}
	if errors.Is(err, ErrNoReport) {
		return Diagnosis{}, words.Refuse("CSE-816").At("riferimento")
	}
	if err != nil {
		return Diagnosis{}, err
	}
	plain, err := x.d.Seal.Decrypt(row.Body, reportData(ref))
	if err != nil {
		return Diagnosis{}, fmt.Errorf("helpdesk: open report: %w", err)
	}
	l, err := diagnosis.ParseLetter(plain)
	if err != nil {
		return Diagnosis{}, fmt.Errorf("helpdesk: read report: %w", err)
	}
	return Diagnosis{Reference: ref, Lights: l.Lights(), Letter: &l, At: row.At}, nil
}

// Findings are the answers of the guided questions as far as the lights give
// them. What no light tells (another card in the same reader) is to be asked; of
// PIN, PUK and browser the answer is yes unless a light is red, and Open says which
// of them nobody looked at.
func (d Diagnosis) Findings() (f Findings, open []diagnosis.Part) {
	seen := func(p diagnosis.Part) bool { s := d.Lights[p]; return s == diagnosis.OK || s == diagnosis.Attention }
	red := func(p diagnosis.Part) bool { return d.Lights[p] == diagnosis.Fault }
	f.Answers = seen(diagnosis.Card)
	f.Reader = f.Answers || seen(diagnosis.Reader) && !red(diagnosis.Service)
	f.Certificate = seen(diagnosis.Files) && seen(diagnosis.Certificate)
	f.PIN, f.PUK, f.Browser = !red(diagnosis.PIN), !red(diagnosis.PUK), !red(diagnosis.Browser)
	if !f.Answers {
		return f, nil
	}
	for _, p := range []diagnosis.Part{diagnosis.PUK, diagnosis.PIN, diagnosis.Browser} {
		if !seen(p) && !red(p) {
			open = append(open, p)
		}
	}
	return f, open
}

// Outcome is what the lights conclude for a card, before anything else was asked.
func (d Diagnosis) Outcome(card lifecycle.Card) Outcome {
	f, _ := d.Findings()
	return Conclude(card, f)
}
