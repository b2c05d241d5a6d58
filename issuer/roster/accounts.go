package roster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/approval"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/person/codicefiscale"
)

// The kinds of approval that the roster needs.
const (
	KindSave  = "operator.save"
	KindReset = "operator.reset"
)

// approvalLife is how long a proposal may wait.
const approvalLife = 7 * 24 * time.Hour

// Kinds are the roster's kinds of approval.
func (r *Room) Kinds() []approval.Kind {
	asks, decides := []staff.Role{staff.RoleSupervisor, staff.RoleSecurity}, []staff.Role{staff.RoleSecurity}
	return []approval.Kind{
		{Name: KindSave, Asks: asks, Decides: decides, Life: approvalLife, Done: r.saved},
		{Name: KindReset, Asks: asks, Decides: decides, Life: approvalLife, Done: r.reset},
	}
}

// State is how an account stands today.
type State string

// The states of an account.
const (
	Active   State = "active"
	Proposed State = "proposed" // waits for a second person; never worked yet
	Disabled State = "disabled"
	Ended    State = "ended" // contract over, or no office left
)

// Line is an account as the list shows it; it has no password and no secret.
type Line struct {
	staff.Account
	State State
	// Waits is what was proposed and not yet approved, nil for nothing.
	Waits *staff.Account
	// Reviewed is when it was last looked at; Due tells that it is time again.
	Reviewed time.Time
	Due      bool
	// Configured accounts stand in the configuration.
	Configured bool
	// Enrolling tells that a first access waits for its halves, MyHalf that one of
	// them is for the operator who looks.
	Enrolling bool
	MyHalf    bool
}

func bare(a staff.Account) staff.Account {
	a.PasswordHash, a.TOTP = "", ""
	return a
}

// mine tells whether op sees an account: a responsible those of his offices.
func mine(op staff.Operator, a staff.Account) bool {
	if op.Has(staff.RoleSecurity) || op.Has(staff.RoleAuditor) {
		return true
	}
	return slices.ContainsFunc(op.Offices, func(o staff.Office) bool { return slices.Contains(a.Offices, o.ID) })
}

// List is every account that op may see, by name.
func (r *Room) List(ctx context.Context, op staff.Operator) ([]Line, error) {
	if err := errors.Join(reads(op), r.Fresh(ctx)); err != nil {
		return nil, err
	}
	rows, err := r.d.Store.Accounts(ctx)
	if err != nil {
		return nil, err
	}
	days, err := r.d.ReviewDays(ctx)
	if err != nil {
		return nil, err
	}
	kept := map[string]AccountRow{}
	for _, row := range rows {
		kept[row.Account] = row
	}
	var out []Line
	for _, a := range r.d.Directory.Accounts() {
		l, err := r.line(ctx, op, a, kept[a.Account], days)
		if err != nil {
			return nil, err
		}
		delete(kept, a.Account)
		out = append(out, l)
	}
	for _, row := range kept { // only proposed
		if len(row.Proposal) == 0 {
			continue
		}
		a, err := r.open(row.Account, row.Proposal)
		if err != nil {
			return nil, err
		}
		out = append(out, Line{Account: bare(a), State: Proposed, Waits: &a})
	}
	out = slices.DeleteFunc(out, func(l Line) bool { return !mine(op, l.Account) })
	slices.SortFunc(out, func(a, b Line) int { return strings.Compare(a.Account.Account, b.Account.Account) })
	return out, nil
}

func (r *Room) line(ctx context.Context, op staff.Operator, a staff.Account, row AccountRow, days int) (Line, error) {
	l := Line{Account: bare(a), State: Active, Reviewed: row.Reviewed}
	_, l.Configured = r.d.Directory.Configured(a.Account)
	if _, err := r.d.Directory.OperatorByAccount(a.Account); err != nil {
		l.State = Ended
	}
	if a.Disabled {
		l.State = Disabled
	}
	now := r.d.Clock.Now()
	l.Due = l.State == Active && civil.DayOf(l.Reviewed).AddDays(days).Before(civil.DayOf(now))
	if len(row.Proposal) > 0 {
		w, err := r.open(row.Account, row.Proposal)
		if err != nil {
			return l, err
		}
		w = bare(w)
		l.Waits = &w
	}
	e, err := r.d.Store.GetEnrolment(ctx, a.Account)
	switch {
	case errors.Is(err, ErrNone):
	case err != nil:
		return l, err
	default:
		l.Enrolling = now.Before(e.Expires)
		l.MyHalf = l.Enrolling && (e.FirstBy == op.Account || e.SecondBy == op.Account)
	}
	return l, nil
}

// Find is one account of List, or CSE-002.
func (r *Room) Find(ctx context.Context, op staff.Operator, account string) (Line, error) {
	list, err := r.List(ctx, op)
	if err != nil {
		return Line{}, err
	}
	i := slices.IndexFunc(list, func(l Line) bool { return l.Account.Account == account })
	if i < 0 {
		return Line{}, words.Refuse("CSE-002")
	}
	return list[i], nil
}

func sameCode(a string, b codicefiscale.Code) bool {
	cf, err := codicefiscale.Parse(a)
	return err == nil && cf.Base() == b.Base()
}

// maxName is the longest name of an operator, account or office, in characters.
const maxName = 100

// valid looks at a proposal field by field. Refused: CSE-501 (a value that
// cannot be), CSE-505 (the account or the codice fiscale is somebody else's),
// CSE-506 (no such office).
func (r *Room) valid(a staff.Account) error {
	bad := func(field string, value any) error { return words.Refuse("CSE-501", fmt.Sprint(value)).At(field) }
	if n := len(a.Account); n < 2 || n > 40 || strings.Trim(a.Account, "abcdefghijklmnopqrstuvwxyz0123456789.-_") != "" {
		return bad("account", a.Account)
	}
	if n := len([]rune(strings.TrimSpace(a.Name))); n < 2 || n > maxName {
		return bad("nome", a.Name)
	}
	cf, err := codicefiscale.Parse(a.CF)
	if err != nil {
		return words.Refuse("CSE-501", "…").At("codice_fiscale").Because(err)
	}
	if len(a.Roles) == 0 {
		return bad("ruoli", "")
	}
	for _, role := range a.Roles {
		if !slices.Contains(staff.Roles(), role) {
			return bad("ruoli", role)
		}
	}
	if len(a.Offices) == 0 {
		return bad("uffici", "")
	}
	for _, id := range a.Offices {
		if _, ok := r.d.Directory.Office(id); !ok {
			return words.Refuse("CSE-506", id).At("uffici")
		}
	}
	for id := range a.OfficeEnd {
		if !slices.Contains(a.Offices, id) {
			return words.Refuse("CSE-506", id).At("uffici")
		}
	}
	if old, ok := r.d.Directory.Account(a.Account); ok && !sameCode(old.CF, cf) {
		return words.Refuse("CSE-505").At("account")
	}
	if other := r.d.Directory.AccountOf(cf); other != "" && other != a.Account {
		return words.Refuse("CSE-505").At("codice_fiscale")
	}
	return nil
}

// content is what an approval is bound to.
type content struct {
	Accounts []string `json:"accounts"`
	Sum      string   `json:"sum"`
}

// Propose writes down an operator, new or changed, and asks a security officer
// to approve; nothing counts before. Refused besides what valid says: CSE-003,
// CSE-503 (himself), CSE-504 (not his to propose), CSE-546 (no reason).
func (r *Room) Propose(ctx context.Context, op staff.Operator, a staff.Account, note string) (approval.Request, error) {
	return r.propose(ctx, op, a.Account, []staff.Account{a}, note)
}

func (r *Room) propose(ctx context.Context, op staff.Operator, subject string, list []staff.Account, note string) (q approval.Request, err error) {
	err = r.act(ctx, func(ctx context.Context) error {
		c := content{}
		var all []byte
		for _, a := range list {
			if err := r.mayPropose(op, a); err != nil {
				return err
			}
			row, err := r.row(ctx, a.Account)
			if err != nil {
				return err
			}
			a.Disabled, a.PasswordHash, a.TOTP = false, "", "" // the credentials are the operator's own
			if row.Proposal, err = r.seal(a); err != nil {
				return err
			}
			if err := r.put(ctx, op, row); err != nil {
				return err
			}
			c.Accounts, all = append(c.Accounts, a.Account), append(all, row.Proposal...)
		}
		c.Sum = sum(all)
		b, err := json.Marshal(c)
		if err != nil {
			return fmt.Errorf("roster: write what is to be approved: %w", err)
		}
		q, err = r.ask(ctx, op, KindSave, subject, b, note)
		return err
	})
	return q, err
}

// mayPropose looks at the account as it would be, and as it is.
func (r *Room) mayPropose(op staff.Operator, a staff.Account) error {
	if err := keeps(op, a); err != nil {
		return err
	}
	if err := r.valid(a); err != nil {
		return err
	}
	if old, ok := r.d.Directory.Account(a.Account); ok {
		return keeps(op, old)
	}
	return nil
}

// Proposals are the accounts that a request of approval would save, as they
// would be. The page of approvals shows them to who decides.
func (r *Room) Proposals(ctx context.Context, q approval.Request) ([]staff.Account, error) {
	_, list, err := r.proposed(ctx, q)
	return list, err
}

func (r *Room) proposed(ctx context.Context, q approval.Request) ([]AccountRow, []staff.Account, error) {
	var c content
	if err := json.Unmarshal(q.Content, &c); err != nil {
		return nil, nil, fmt.Errorf("roster: read what is to be approved: %w", err)
	}
	var rows []AccountRow
	var list []staff.Account
	var all []byte
	for _, account := range c.Accounts {
		row, err := r.row(ctx, account)
		if err != nil {
			return nil, nil, err
		}
		if len(row.Proposal) == 0 {
			return nil, nil, words.Refuse("CSE-512")
		}
		a, err := r.open(account, row.Proposal)
		if err != nil {
			return nil, nil, err
		}
		rows, list, all = append(rows, row), append(list, a), append(all, row.Proposal...)
	}
	if sum(all) != c.Sum { // proposed anew meanwhile
		return nil, nil, words.Refuse("CSE-512")
	}
	return rows, list, nil
}

// saved is what the approval of a proposal does, in its act.
func (r *Room) saved(ctx context.Context, q approval.Request) error {
	rows, list, err := r.proposed(ctx, q)
	if err != nil {
		return err
	}
	by := staff.Operator{Account: q.DecidedBy}
	for i, row := range rows {
		a := list[i]
		if err := r.valid(a); err != nil { // somebody else may have come meanwhile
			return err
		}
		old, had := r.d.Directory.Account(a.Account)
		if had {
			a.PasswordHash, a.TOTP = old.PasswordHash, old.TOTP
		}
		if row.Body, err = r.seal(a); err != nil {
			return err
		}
		row.Proposal, row.Disabled, row.Reviewed = nil, false, r.d.Clock.Now()
		if err := r.put(ctx, by, row); err != nil {
			return err
		}
		if a.PasswordHash == "" && !a.OwnCNS {
			if err := r.enrols(ctx, a.Account, q); err != nil {
				return err
			}
		}
		detail := map[string]string{"account": a.Account, "asked_by": q.AskedBy, "offices": strings.Join(a.Offices, ","), "roles": roleList(a.Roles)}
		if err := r.record(ctx, by, "operator.saved", detail); err != nil {
			return err
		}
	}
	return nil
}

func roleList(roles []staff.Role) string {
	out := make([]string, len(roles))
	for i, x := range roles {
		out[i] = string(x)
	}
	return strings.Join(out, ",")
}

// Disable ends an account at once; to open it again is a proposal.
func (r *Room) Disable(ctx context.Context, op staff.Operator, account, note string) error {
	note = strings.TrimSpace(note)
	if n := len([]rune(note)); n < 3 || n > 200 {
		return words.Refuse("CSE-546", 200).At("motivo_richiesta")
	}
	return r.change(ctx, op, account, "operator.disabled", note, func(ctx context.Context, row *AccountRow) error {
		row.Disabled = true
		return r.d.Store.DeleteEnrolment(ctx, account)
	})
}

// Review says that an account is still needed as it is.
func (r *Room) Review(ctx context.Context, op staff.Operator, account string) error {
	return r.change(ctx, op, account, "operator.reviewed", "", func(_ context.Context, row *AccountRow) error {
		row.Reviewed = r.d.Clock.Now()
		return nil
	})
}

func (r *Room) change(ctx context.Context, op staff.Operator, account, act, note string, do func(ctx context.Context, row *AccountRow) error) error {
	return r.act(ctx, func(ctx context.Context) error {
		a, ok := r.d.Directory.Account(account)
		if !ok {
			return words.Refuse("CSE-002")
		}
		if err := keeps(op, a); err != nil {
			return err
		}
		row, err := r.row(ctx, account)
		if err != nil {
			return err
		}
		if err := do(ctx, &row); err != nil {
			return err
		}
		if err := r.put(ctx, op, row); err != nil {
			return err
		}
		return r.record(ctx, op, act, map[string]string{"account": account, "note": note})
	})
}

// AskReset asks that an operator may set a new password and one-time code.
func (r *Room) AskReset(ctx context.Context, op staff.Operator, account, note string) (q approval.Request, err error) {
	a, ok := r.d.Directory.Account(account)
	if !ok {
		return q, words.Refuse("CSE-002")
	}
	if err := keeps(op, a); err != nil {
		return q, err
	}
	b, err := json.Marshal(content{Accounts: []string{account}})
	if err != nil {
		return q, fmt.Errorf("roster: write what is to be approved: %w", err)
	}
	return r.ask(ctx, op, KindReset, account, b, note)
}

// reset is what the approval of a reset does: the old password and one-time code
// count no more, and the first access begins.
func (r *Room) reset(ctx context.Context, q approval.Request) error {
	a, ok := r.d.Directory.Account(q.Subject)
	if !ok {
		return words.Refuse("CSE-002")
	}
	row, err := r.row(ctx, a.Account)
	if err != nil {
		return err
	}
	a.PasswordHash, a.TOTP = "", ""
	a.Disabled = false // row.Disabled says it
	if row.Body, err = r.seal(a); err != nil {
		return err
	}
	by := staff.Operator{Account: q.DecidedBy}
	return errors.Join(
		r.put(ctx, by, row),
		r.enrols(ctx, a.Account, q),
		r.record(ctx, by, "operator.reset", map[string]string{"account": a.Account, "asked_by": q.AskedBy}),
	)
}
