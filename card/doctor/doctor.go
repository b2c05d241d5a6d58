// Package doctor looks at everything between a holder and a site that asks for
// his card, in the order in which it can fail: the PC/SC service, the readers,
// the card, its files, its certificate, the clock, activation and revocation, the
// tries left, the browser. Each thing gets a line with a light; a red line has its
// CSE code, cause and next step (package diagnosis).
//
// What is beyond the card is passed in: the service, the places where browsers
// learn of the PKCS#11 module, and what is asked over the network. A missing part
// of Deps is a line that says "not looked at", never a green one.
//
// It guarantees that no PIN or PUK is asked, and that no try is spent: it sends
// SELECT, READ BINARY, and VERIFY without data to those masks only where that is
// proved harmless (package holder). It refuses to guess: an answer that nobody
// gave is unknown.
package doctor

import (
	"context"
	"crypto/x509"
	"errors"
	"time"

	"cse.example/cse/card/diagnosis"
	"cse.example/cse/card/holder"
	"cse.example/cse/card/reader"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
)

// Deps are what Run looks at. The zero value looks at nothing.
type Deps struct {
	// Open opens the PC/SC service; PCSC is the real one. Nil with Card.
	Open func() (Service, error)
	// Card opens one card without a service (a chip file). Name is what it is called.
	Card func() (reader.Card, error)
	Name string
	// Reader is the name, or a part of it, of the reader to use; any when empty.
	Reader string
	// Host knows what this computer has; the zero value is this machine.
	Host Host
	// Clock is this computer's; the system's when nil.
	Clock civil.Clock
	// Programs are the places where the PKCS#11 module is or could be known, and
	// the module's own file ("" when it is not there). Nil: not looked at.
	Programs func() (module string, places []Program, err error)
	// Online asks others; nil: nobody is asked.
	Online Online
}

// Service is the PC/SC service; a *reader.PCSC is one.
type Service interface {
	Slots() ([]reader.Slot, error)
	Connect(s reader.Slot) (reader.Card, error)
	Close() error
}

// PCSC opens the service of this machine, for Deps.Open.
func PCSC() (Service, error) {
	s, err := reader.OpenPCSC()
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Online asks others over the network.
type Online interface {
	// Time is the time elsewhere, now. leaf is the card's certificate, nil without one.
	Time(ctx context.Context, leaf *x509.Certificate) (time.Time, error)
	// Standing is what the issuer says of a certificate; now is the right time.
	Standing(ctx context.Context, leaf *x509.Certificate, now time.Time) (Standing, error)
}

// Standing is what an issuer says of a certificate.
type Standing struct {
	State StandingState
	// Since is when it was revoked, suspended or put on hold.
	Since time.Time
}

// StandingState is the answer; zero is "the issuer does not know it".
type StandingState int

// The answers of an issuer.
const (
	NeverIssued StandingState = iota
	Good
	NotActivated
	Suspended
	Revoked
)

// Program is a place where the module is or could be known.
type Program struct {
	// Name is the program, Path its place.
	Name, Path string
	// Browser tells a browser from other programs.
	Browser bool
	State   ProgramState
}

// ProgramState is what is in a place.
type ProgramState int

// The states of a place.
const (
	Absent     ProgramState = iota
	Registered              // our module, and its file is there
	Stale                   // our name, with a file that is gone or another one
	Sandboxed               // a snap or flatpak: the module cannot be reached from inside
)

// run is one diagnosis.
type run struct {
	Deps
	report diagnosis.Report
	now    time.Time // the right time, as far as is known
	leaf   *x509.Certificate
	born   civil.Date // the day the card was issued, by its own file
}

// Run looks at everything once. It never fails: what cannot be looked at is a
// line of the report. ctx bounds the questions over the network.
func Run(ctx context.Context, d Deps) diagnosis.Report {
	if d.Clock == nil {
		d.Clock = civil.System{}
	}
	r := &run{Deps: d, now: d.Clock.Now()}
	r.report.At = r.now
	h, done := r.card()
	if h != nil {
		r.files(h)
		r.certificate(h)
	}
	r.clock(ctx)
	if h != nil {
		r.validity(ctx)
		r.tries(h)
	}
	done()
	r.browser()
	r.fill()
	return r.report
}

func (r *run) add(c diagnosis.Check) { r.report.Checks = append(r.report.Checks, c) }

func (r *run) good(p diagnosis.Part, note string, args ...any) {
	r.add(diagnosis.Check{Part: p, State: diagnosis.OK, Note: note, Args: args})
}

func (r *run) unknown(p diagnosis.Part, note string, args ...any) {
	r.add(diagnosis.Check{Part: p, State: diagnosis.Unknown, Note: note, Args: args})
}

func (r *run) bad(p diagnosis.Part, err error) {
	r.add(diagnosis.Check{Part: p, State: diagnosis.Fault, Fault: fault(err)})
}

func (r *run) attention(p diagnosis.Part, f *words.Fault, detail string) {
	r.add(diagnosis.Check{Part: p, State: diagnosis.Attention, Fault: f, Detail: detail})
}

// fault finds the fault in err; whatever has none is CSE-259.
func fault(err error) *words.Fault {
	if errors.Is(err, reader.ErrRemoved) {
		return words.Refuse(reader.CodeNoCard).Because(err)
	}
	if f := words.FaultOf(err); f != nil {
		return f
	}
	return words.Refuse("CSE-259", err.Error()).Because(err)
}

// fill says of every part without a line that it was not looked at, and puts the
// lines into the parts' order.
func (r *run) fill() {
	var sorted []diagnosis.Check
	for _, p := range diagnosis.Parts {
		n := len(sorted)
		for _, c := range r.report.Checks {
			if c.Part == p {
				sorted = append(sorted, c)
			}
		}
		if len(sorted) == n {
			sorted = append(sorted, diagnosis.Check{Part: p, State: diagnosis.Unknown, Note: "not-looked"})
		}
	}
	r.report.Checks = sorted
}

// tries tells what is left of PIN and PUK, on cards that tell it for nothing.
func (r *run) tries(h *holder.Holder) {
	left, err := h.Tries()
	if err != nil {
		r.bad(diagnosis.PIN, err)
		return
	}
	for _, x := range []struct {
		part          diagnosis.Part
		left          holder.Counter
		blocked, last string
	}{{diagnosis.PUK, left.PUK, "CSE-214", "CSE-227"}, {diagnosis.PIN, left.PIN, "CSE-212", "CSE-211"}} {
		switch {
		case !x.left.Known:
			r.unknown(x.part, "tries.unknown")
		case x.left.Blocked():
			r.bad(x.part, words.Refuse(x.blocked))
		case x.left.Last():
			r.attention(x.part, words.Refuse(x.last), "")
		default:
			r.good(x.part, "tries", x.left.Left)
		}
	}
}
