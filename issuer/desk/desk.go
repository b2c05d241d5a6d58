// Package desk is the reader on a counter: the platform asks it to read the card
// that lies in it, or to write new codes to its chip, and learns what came of it.
//
// A program at the desk (cse desk) proves itself by a key of its own, registered
// for one office (mutual TLS), and asks for work; an operator of that office makes
// the work at the page of the card. Neither is enough alone: who has the desk's
// key gets no code without an operator's act, an operator gets none without it.
//
// Guarantees: a job is taken once, by one program, within minutes; the codes it
// needs are sealed, half by half, by the process that prints and by the one that
// mails, to a key that the program made for this job (HPKE, RFC 9180) and that is
// never kept: the web process, the store and a backup hold nothing that opens. The
// halves meet in the program's memory, since the chip takes whole codes
// (docs/security.md). What the reader read counts for ten minutes, for the operator
// who asked and for that card alone.
package desk

import (
	"context"
	"crypto/ecdh"
	"crypto/hpke"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/effect"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/staff"
)

// Desk is a reader with its program, as configuration writes it.
type Desk struct {
	ID     string `yaml:"id"`
	Name   string `yaml:"name"`
	Office string `yaml:"office"`
	// Key is the SHA-256 of the program's public key (SubjectPublicKeyInfo), 64
	// hexadecimal digits.
	Key string `yaml:"key_sha256"`
}

// Kind is what a reader is asked to do.
type Kind string

// The kinds of job.
const (
	Read  Kind = "read"  // which card lies there
	Write Kind = "write" // new PIN and PUK
	Test  Kind = "test"  // does its chip work
)

// State is where a job is.
type State string

// The states of a job.
const (
	Waiting State = "waiting"
	Taken   State = "taken"
	Done    State = "done"
	Failed  State = "failed"
)

// Job is one piece of work. Outcome is the number of the card that was read, or
// why it failed (CSE-nnn); a chip that was tested may not tell its number.
type Job struct {
	ID, Desk, Office, Operator string
	Kind                       Kind
	Card, Protocol             string
	State                      State
	At, Expires                time.Time
	Reader, First, Second      []byte
	Outcome                    string
	// Found is what a test found, as Findings are written in JSON; empty otherwise.
	Found []byte
}

// ErrNone: there is no such job.
var ErrNone = errors.New("desk: no such job")

// Store keeps jobs. Writes happen inside an act.
type Store interface {
	Add(ctx context.Context, j Job) error
	// Get answers ErrNone.
	Get(ctx context.Context, id string) (Job, error)
	// Next is the oldest job of a desk in a state that has not run out, or ErrNone.
	Next(ctx context.Context, desk string, s State, now time.Time) (Job, error)
	// Put writes all of j if its state is still was, and tells whether.
	Put(ctx context.Context, j Job, was State) (bool, error)
	// SetPiece writes one sealed half (1 or 2) of a job that was taken.
	SetPiece(ctx context.Context, id string, half int, sealed []byte) error
	Prune(ctx context.Context, before time.Time) (int64, error)
}

// The effects by which the two processes seal their halves to the program.
const (
	KindFirst  = "desk.first"
	KindSecond = "desk.second"
)

// Wanted is such an effect's body.
type Wanted struct {
	Job, Card string
	Reader    []byte
}

// Piece is what one process gives: its halves of the new PIN and PUK and of the
// PUK that the chip may still hold.
type Piece struct {
	PIN    string `json:"pin"`
	PUK    string `json:"puk"`
	OldPUK string `json:"old_puk"`
}

// How long a job waits for its program, and what it read counts.
const (
	jobLife  = 5 * time.Minute
	readLife = 10 * time.Minute
)

// Deps is what the room stands on; all of it must be there.
type Deps struct {
	Desks      []Desk
	Store      Store
	Clock      civil.Clock
	Atomically func(ctx context.Context, act func(ctx context.Context) error) error
	Enqueue    effect.Enqueue
	Record     journal.Recorder
	// Written ends the act whose codes are now in the chip, in the act of ctx.
	Written func(ctx context.Context, protocol string) error
}

// Room is the readers. Make one with New; it is safe for concurrent use.
type Room struct {
	d     Deps
	byKey map[string]Desk
}

// New refuses a missing part and desks that are not complete or there twice.
func New(d Deps) (*Room, error) {
	if d.Store == nil || d.Clock == nil || d.Atomically == nil || d.Enqueue == nil || d.Record == nil || d.Written == nil {
		return nil, errors.New("desk: a part is missing")
	}
	r := &Room{d, map[string]Desk{}}
	seen := map[string]bool{}
	for _, x := range d.Desks {
		b, err := hex.DecodeString(x.Key)
		if x.ID == "" || x.Office == "" || err != nil || len(b) != sha256.Size || seen[x.ID] {
			return nil, fmt.Errorf("desk %q: id, office and key_sha256 (64 hexadecimal digits) are needed, once", x.ID)
		}
		seen[x.ID] = true
		r.byKey[strings.ToLower(x.Key)] = x
	}
	return r, nil
}

// At lists the desks of an office.
func (r *Room) At(office string) []Desk {
	return slices.DeleteFunc(slices.Clone(r.d.Desks), func(x Desk) bool { return x.Office != office })
}

// Of finds the desk that owns a certificate: CSE-473 for none.
func (r *Room) Of(chain []*x509.Certificate) (Desk, error) {
	if len(chain) > 0 {
		sum := sha256.Sum256(chain[0].RawSubjectPublicKeyInfo)
		if d, ok := r.byKey[hex.EncodeToString(sum[:])]; ok {
			return d, nil
		}
	}
	return Desk{}, words.Refuse("CSE-473")
}

// Ask gives work to a desk of op's office; an empty desk means the only one.
// CSE-470: there is none; CSE-481: there are several, and none was chosen.
func (r *Room) Ask(ctx context.Context, op staff.Operator, kind Kind, card, protocol, which string) (Job, error) {
	list := r.At(op.Office.ID)
	if which == "" && len(list) > 1 {
		return Job{}, words.Refuse("CSE-481").At("postazione")
	}
	i := slices.IndexFunc(list, func(x Desk) bool { return x.ID == which || which == "" })
	if i < 0 {
		return Job{}, words.Refuse("CSE-470")
	}
	now := r.d.Clock.Now()
	j := Job{
		ID: strings.ToLower(rand.Text()[:20]), Desk: list[i].ID, Office: op.Office.ID, Operator: op.Account, Kind: kind, Card: card, Protocol: protocol,
		State: Waiting, At: now, Expires: now.Add(jobLife),
	}
	return j, r.d.Atomically(ctx, func(ctx context.Context) error {
		if _, err := r.d.Store.Prune(ctx, now.Add(-24*time.Hour)); err != nil {
			return err
		}
		return r.d.Store.Add(ctx, j)
	})
}

// Find is a job of op's own, CSE-002 for another's. One that nobody took in its
// time has failed (CSE-472).
func (r *Room) Find(ctx context.Context, op staff.Operator, id string) (Job, error) {
	j, err := r.d.Store.Get(ctx, id)
	if errors.Is(err, ErrNone) || err == nil && (j.Operator != op.Account || j.Office != op.Office.ID) {
		return Job{}, words.Refuse("CSE-002")
	}
	if err == nil && (j.State == Waiting || j.State == Taken) && !r.d.Clock.Now().Before(j.Expires) {
		j.State, j.Outcome = Failed, "CSE-472"
	}
	return j, err
}

// Seen tells that the reader read card for op in the last ten minutes; CSE-474 for
// anything else.
func (r *Room) Seen(ctx context.Context, op staff.Operator, id, card string) error {
	j, err := r.Find(ctx, op, id)
	if err != nil {
		return err
	}
	if j.Kind != Read || j.Outcome != card || !r.counts(j, card) {
		return words.Refuse("CSE-474")
	}
	return nil
}

// counts tells that a job on card ended well in the last ten minutes.
func (r *Room) counts(j Job, card string) bool {
	return j.State == Done && j.Card == card && r.d.Clock.Now().Before(j.At.Add(readLife))
}

// Take gives the desk's program its next job, ErrNone for nothing to do. reader is
// the public key (X25519) that it made for the job.
func (r *Room) Take(ctx context.Context, d Desk, reader []byte) (j Job, err error) {
	if _, err := kem().NewPublicKey(reader); err != nil {
		return Job{}, words.Refuse("CSE-357").Because(err)
	}
	err = r.d.Atomically(ctx, func(ctx context.Context) error {
		now := r.d.Clock.Now()
		if j, err = r.d.Store.Next(ctx, d.ID, Waiting, now); err != nil {
			return err
		}
		j.State, j.Reader, j.Expires = Taken, reader, now.Add(jobLife)
		if ok, err := r.d.Store.Put(ctx, j, Waiting); err != nil || !ok {
			return errors.Join(err, ErrNone)
		}
		if j.Kind != Write {
			return nil
		}
		b, err := json.Marshal(Wanted{j.ID, j.Card, reader})
		if err != nil {
			return fmt.Errorf("desk: write what is wanted: %w", err)
		}
		for _, kind := range []string{KindFirst, KindSecond} {
			if err := r.d.Enqueue(ctx, effect.Effect{Key: kind + "/" + j.ID, Kind: kind, Card: j.Card, Body: b}); err != nil {
				return err
			}
		}
		return r.d.Record(ctx, journal.Entry{
			Act: "codes.to-reader", Actor: j.Operator, Office: j.Office, Card: j.Card, Detail: map[string]string{"desk": d.ID, "protocol": j.Protocol},
		})
	})
	return j, err
}

// Taken is a job that this desk's program has in hand, with the pieces that are
// there by now; ErrNone otherwise.
func (r *Room) Taken(ctx context.Context, d Desk, id string) (Job, error) {
	j, err := r.d.Store.Get(ctx, id)
	if err == nil && (j.Desk != d.ID || j.State != Taken || !r.d.Clock.Now().Before(j.Expires)) {
		err = ErrNone
	}
	return j, err
}

// Result is what a program says of its job: the number of the card that was read,
// why it failed, and what a test found.
type Result struct {
	Card, Code string
	Found      *Findings
}

// Finish takes what came of a job. The codes are in the chip when a job of writing
// ends well; then its act goes on. A card that says another number than the one
// that was meant is CSE-475, whatever the job.
func (r *Room) Finish(ctx context.Context, d Desk, id string, x Result) error {
	return r.d.Atomically(ctx, func(ctx context.Context) error {
		j, err := r.Taken(ctx, d, id)
		if err != nil {
			return err
		}
		code := x.Code
		if code == "" {
			j.Found, code = judge(j, x)
		}
		j.State, j.Outcome = Done, x.Card
		if code != "" {
			if _, known := words.Explain(words.Italian, code); !known {
				code = "CSE-001"
			}
			j.State, j.Outcome, j.Found = Failed, code, nil
		}
		j.Reader, j.First, j.Second = nil, nil, nil
		if ok, err := r.d.Store.Put(ctx, j, Taken); err != nil || !ok {
			return errors.Join(err, ErrNone)
		}
		act := map[Kind]string{Read: "card.read-at-desk", Write: "codes.written", Test: "card.tested-at-desk"}[j.Kind]
		if j.State == Failed {
			act = "desk.failed"
		}
		err = r.d.Record(ctx, journal.Entry{
			Act: act, Actor: j.Operator, Office: j.Office, Card: j.Card, Detail: map[string]string{"desk": d.ID, "protocol": j.Protocol, "code": code},
		})
		if err != nil || j.State == Failed || j.Kind != Write {
			return err
		}
		return r.d.Written(ctx, j.Protocol)
	})
}

func kem() hpke.KEM { return hpke.DHKEM(ecdh.X25519()) }

func info(job string, half int) []byte { return fmt.Appendf(nil, "cse.desk/1|%s|%d", job, half) }

// Seal closes one process's halves for the program; they are wiped.
func Seal(w Wanted, half int, pin, puk, old secret.Text) ([]byte, error) {
	pub, err := kem().NewPublicKey(w.Reader)
	if err != nil {
		return nil, fmt.Errorf("desk: the program's key: %w", err)
	}
	defer func() { pin.Wipe(); puk.Wipe(); old.Wipe() }()
	b, err := json.Marshal(Piece{string(pin.Reveal()), string(puk.Reveal()), string(old.Reveal())})
	if err != nil {
		return nil, fmt.Errorf("desk: write halves: %w", err)
	}
	defer clear(b)
	return hpke.Seal(pub, hpke.HKDFSHA256(), hpke.AES256GCM(), info(w.Job, half), b)
}
