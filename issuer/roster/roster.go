// Package roster keeps who works at the counters: offices and operators that the
// platform's own people add, change, end and review while it runs, over those of
// the configuration (issuer/staff.Directory, which the roster brings up to date).
//
// Guarantees:
//   - Four eyes: an operator comes into being, gets a role or an office more, and
//     has his credentials renewed only when a second person, a security officer,
//     approves exactly that (issuer/approval). Ending an account needs one person
//     and counts from the next request on, in every process.
//   - Nobody touches his own account, and a responsible of a counter proposes
//     plain operators of his own offices only.
//   - No one person can take over an account: the first access needs two halves of
//     a code, one drawn by who asked, the other by who approved, each on his own
//     page, once; the operator sets password and one-time code himself.
//   - What names people rests sealed. The journal has accounts, never a codice
//     fiscale.
//   - An import is whole or nothing, with every faulty line told.
package roster

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/approval"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/issuer/throttle"
)

// OfficeRow is an office as it is kept: Body is its JSON and names nobody.
type OfficeRow struct {
	ID   string
	Body []byte
	At   time.Time
	By   string
}

// AccountRow is an account as it is kept. Body, sealed, is the account as it
// counts; empty for one that was only proposed, or that stands in the
// configuration. Proposal, sealed, waits for approval.
type AccountRow struct {
	Account        string
	Body, Proposal []byte
	Disabled       bool
	// Reviewed is when somebody last said that the account is still needed.
	Reviewed time.Time
	At       time.Time
	By       string
}

// Store keeps the roster. Writes happen inside an act.
type Store interface {
	// Version changes with every write that the directory must learn of.
	Version(ctx context.Context) (int64, error)
	Bump(ctx context.Context) error
	Offices(ctx context.Context) ([]OfficeRow, error)
	PutOffice(ctx context.Context, r OfficeRow) error
	Accounts(ctx context.Context) ([]AccountRow, error)
	// GetAccount answers ErrNone.
	GetAccount(ctx context.Context, account string) (AccountRow, error)
	PutAccount(ctx context.Context, r AccountRow) error
	// GetEnrolment answers ErrNone.
	GetEnrolment(ctx context.Context, account string) (EnrolmentRow, error)
	PutEnrolment(ctx context.Context, r EnrolmentRow) error
	DeleteEnrolment(ctx context.Context, account string) error
}

// ErrNone: there is no such row.
var ErrNone = errors.New("roster: not there")

// Deps is what the room stands on; all of it must be there.
type Deps struct {
	Store      Store
	Directory  *staff.Directory
	Seal       staff.AEAD
	Tries      throttle.Tries
	Atomically func(ctx context.Context, act func(ctx context.Context) error) error
	Record     journal.Recorder
	Clock      civil.Clock
	Rand       io.Reader
	Log        *slog.Logger
	// ReviewDays is how long an account goes on before somebody must look at it again.
	ReviewDays func(ctx context.Context) (int, error)
}

// Room is the roster. Make one with New; it is safe for concurrent use.
type Room struct {
	d     Deps
	brake throttle.Brake
	// ask is the approval's Ask, set by the wiring: the approval calls the roster.
	ask Asker

	mu    sync.Mutex
	known int64 // version of the directory; -1 before the first look
}

// Asker asks for an approval; (*approval.Room).Ask is one.
type Asker func(ctx context.Context, op staff.Operator, kind, subject string, content []byte, note string) (approval.Request, error)

// New refuses a missing part.
func New(d Deps) (*Room, error) {
	if d.Store == nil || d.Directory == nil || d.Seal == nil || d.Tries == nil || d.Atomically == nil || d.Record == nil ||
		d.Clock == nil || d.Rand == nil || d.Log == nil || d.ReviewDays == nil {
		return nil, errors.New("roster: a part is missing")
	}
	return &Room{d: d, brake: throttle.Brake{Tries: d.Tries, Clock: d.Clock}, known: -1}, nil
}

// Asks sets how approvals are asked.
func (r *Room) Asks(ask Asker) { r.ask = ask }

func bound(account string) []byte { return []byte("cse.roster/1|account|" + account) }

func (r *Room) seal(a staff.Account) ([]byte, error) {
	b, err := json.Marshal(a)
	if err != nil {
		return nil, fmt.Errorf("roster: write account: %w", err)
	}
	s, err := r.d.Seal.Encrypt(b, bound(a.Account))
	if err != nil {
		return nil, fmt.Errorf("roster: seal account: %w", err)
	}
	return s, nil
}

func (r *Room) open(account string, sealed []byte) (staff.Account, error) {
	var a staff.Account
	b, err := r.d.Seal.Decrypt(sealed, bound(account))
	if err != nil {
		return a, fmt.Errorf("roster: open account %s: %w", account, err)
	}
	if err := json.Unmarshal(b, &a); err != nil {
		return a, fmt.Errorf("roster: read account %s: %w", account, err)
	}
	if a.Account != account {
		return a, fmt.Errorf("roster: the row %s holds another account", account)
	}
	return a, nil
}

// Fresh brings the directory up to date if the store has changed. It is asked at
// each request, so that an end counts at once, in every process.
func (r *Room) Fresh(ctx context.Context) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	v, err := r.d.Store.Version(ctx)
	if err != nil || v == r.known {
		return err
	}
	offices, err := r.offices(ctx)
	if err != nil {
		return err
	}
	rows, err := r.d.Store.Accounts(ctx)
	if err != nil {
		return err
	}
	var accounts []staff.Account
	for _, row := range rows {
		a, ok, err := r.counts(row)
		if err != nil { // sealed under another key, or changed: he does not work
			r.d.Log.ErrorContext(ctx, "an operator's account cannot be read", "account", row.Account, "err", err)
		}
		if ok {
			accounts = append(accounts, a)
		}
	}
	if err := r.d.Directory.Overlay(offices, accounts); err != nil {
		r.d.Log.ErrorContext(ctx, "the roster has a fault; what is faulty was left out", "err", err)
	}
	r.known = v
	return nil
}

// counts is the account of a row as it counts; false: it is only proposed. A row
// that cannot be read ends the account, also one of the configuration.
func (r *Room) counts(row AccountRow) (staff.Account, bool, error) {
	var a staff.Account
	if len(row.Body) == 0 {
		var ok bool
		if a, ok = r.d.Directory.Configured(row.Account); !ok {
			return a, false, nil
		}
	} else {
		var err error
		if a, err = r.open(row.Account, row.Body); err != nil {
			a, ok := r.d.Directory.Configured(row.Account)
			a.Disabled = true
			return a, ok, err
		}
	}
	a.Disabled = a.Disabled || row.Disabled
	return a, true, nil
}

func (r *Room) offices(ctx context.Context) ([]staff.Office, error) {
	rows, err := r.d.Store.Offices(ctx)
	if err != nil {
		return nil, err
	}
	out := make([]staff.Office, 0, len(rows))
	for _, row := range rows {
		var o staff.Office
		if err := json.Unmarshal(row.Body, &o); err != nil {
			return nil, fmt.Errorf("roster: read office %s: %w", row.ID, err)
		}
		out = append(out, o)
	}
	return out, nil
}

// row is somebody's row, a new one for an account without.
func (r *Room) row(ctx context.Context, account string) (AccountRow, error) {
	row, err := r.d.Store.GetAccount(ctx, account)
	if errors.Is(err, ErrNone) {
		return AccountRow{Account: account}, nil
	}
	return row, err
}

func (r *Room) put(ctx context.Context, op staff.Operator, row AccountRow) error {
	row.At, row.By = r.d.Clock.Now(), op.Account
	return errors.Join(r.d.Store.PutAccount(ctx, row), r.d.Store.Bump(ctx))
}

// act runs one change and then brings the directory up to date.
func (r *Room) act(ctx context.Context, do func(ctx context.Context) error) error {
	if err := r.d.Atomically(ctx, do); err != nil {
		return err
	}
	return r.Fresh(ctx)
}

func (r *Room) record(ctx context.Context, op staff.Operator, act string, detail map[string]string) error {
	return r.d.Record(ctx, journal.Entry{Act: act, Actor: op.Account, Office: op.Office.ID, Detail: detail})
}

// reads are the roles that see the roster, keeps those that change it.
func reads(op staff.Operator) error {
	if op.Has(staff.RoleSecurity) || op.Has(staff.RoleSupervisor) || op.Has(staff.RoleAuditor) {
		return nil
	}
	return words.Refuse("CSE-003")
}

// keeps tells whether op may see to an account as it would be: a security officer
// all, a responsible plain operators of his own offices, nobody himself.
func keeps(op staff.Operator, a staff.Account) error {
	switch {
	case !op.Has(staff.RoleSecurity) && !op.Has(staff.RoleSupervisor):
		return words.Refuse("CSE-003")
	case a.Account == op.Account || sameCode(a.CF, op.CF):
		return words.Refuse("CSE-503")
	case op.Has(staff.RoleSecurity):
		return nil
	}
	for _, id := range a.Offices {
		if !slices.ContainsFunc(op.Offices, func(o staff.Office) bool { return o.ID == id }) {
			return words.Refuse("CSE-504")
		}
	}
	for _, role := range a.Roles {
		if role != staff.RoleOperator {
			return words.Refuse("CSE-504")
		}
	}
	return nil
}

// sum binds an approval to what was proposed, without telling what it is.
func sum(sealed []byte) string {
	h := sha256.Sum256(sealed)
	return hex.EncodeToString(h[:16])
}
