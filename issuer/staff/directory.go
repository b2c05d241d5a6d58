// Package staff is who works at the counters and what each may do: offices,
// operators with their roles, the permission matrix of the rules, and the proof
// of an operator by password and one-time code (RFC 6238) or by his own card.
//
// The Directory knows the offices and operators of the configuration, and over
// them those of the store, which issuer/roster keeps: it changes while the
// program runs. An account ends with its contract, and its place at an office
// with the day written for it; both are looked at again at each question.
//
// The matrix (permissions.go) is the one place that says which action is whose:
// own or other ASL, Revenue Agency, Comune, URP, pharmacy, call centre, holder.
// It is asked again at each request. Every refusal carries a CSE code that says
// where to go instead.
package staff

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/person/codicefiscale"
)

// OfficeType is the kind of a counter.
type OfficeType string

// The kinds of counter (R59, R26); the call centre has no counter but has a row.
const (
	ASL        OfficeType = "ASL"
	Comune     OfficeType = "COMUNE"
	URP        OfficeType = "URP"
	Pharmacy   OfficeType = "FARMACIA"
	ADE        OfficeType = "ADE" // Agenzia delle Entrate, the Revenue Agency
	CallCentre OfficeType = "CALLCENTRE"
)

// Office is a counter.
type Office struct {
	ID   string     `yaml:"id"`
	Type OfficeType `yaml:"type"`
	Name string     `yaml:"name"`
	// Comune is a Belfiore code.
	Comune string `yaml:"comune"`
	// ASL is the local health unit's code, as the registry writes it; needed for
	// the type ASL.
	ASL string `yaml:"asl"`
	// TakesPart is a pharmacy's agreement to activate cards; other types ignore it.
	TakesPart bool `yaml:"takes_part"`
	// Address, Phone and Hours are what the public directory tells.
	Address string `yaml:"address"`
	Phone   string `yaml:"phone"`
	Hours   Hours  `yaml:"hours"`
	// Services, when set, are the only acts done here, of those its type may do.
	Services []Action `yaml:"services"`
	// Accessible tells that the entrance has no steps.
	Accessible bool `yaml:"accessible"`
	// Until is the office's last day; zero: no end is known.
	Until civil.Date `yaml:"until"`
}

// Role is what an operator is at his counters.
type Role string

// The roles.
const (
	RoleOperator   Role = "operator"
	RoleSupervisor Role = "supervisor" // responsabile di sportello
	RoleCallCentre Role = "call-centre"
	RoleOperations Role = "operations" // batches, post, queues; not the counter
	RoleAuditor    Role = "auditor"    // reads the audit trail and the dashboard
	// RoleSecurity sees to requests of data subjects, odd looks and retention.
	RoleSecurity Role = "security-officer"
)

// Roles lists every role.
func Roles() []Role {
	return []Role{RoleOperator, RoleSupervisor, RoleCallCentre, RoleOperations, RoleAuditor, RoleSecurity}
}

// AtCounter tells whether o works with holders: at a counter or by telephone.
func (o Operator) AtCounter() bool {
	return o.Has(RoleOperator) || o.Has(RoleSupervisor) || o.Has(RoleCallCentre)
}

// Account is an operator as configuration writes him.
type Account struct {
	Account string   `yaml:"account"`
	Name    string   `yaml:"name"`
	CF      string   `yaml:"codice_fiscale"`
	Roles   []Role   `yaml:"roles"`
	Offices []string `yaml:"offices"`
	// PasswordHash is what HashPassword made; empty: no local login.
	PasswordHash string `yaml:"password_hash"`
	// TOTP is what SealTOTP made.
	TOTP string `yaml:"totp"`
	// OwnCNS allows the login with his own card.
	OwnCNS   bool `yaml:"own_cns"`
	Disabled bool `yaml:"disabled"`
	// ContractEnd is his last day at work; zero: no end is known.
	ContractEnd civil.Date `yaml:"contract_end"`
	// OfficeEnd is the last day at an office, by the office's identifier.
	OfficeEnd map[string]civil.Date `yaml:"office_end"`
}

// Config is the counters' part of the configuration.
type Config struct {
	Offices   []Office  `yaml:"offices"`
	Operators []Account `yaml:"operators"`
	// PharmacyAlso are the acts marked "configurable" for pharmacies.
	PharmacyAlso []Action `yaml:"pharmacy_also"`
	// Clock tells when a contract ends; nil: the system's.
	Clock civil.Clock `yaml:"-"`
}

// Operator is somebody at work at a counter.
type Operator struct {
	Account, Name string
	CF            codicefiscale.Code
	Roles         []Role
	// Offices are all his counters; Office is the one he works at.
	Offices []Office
	Office  Office
}

// Has tells whether o has a role.
func (o Operator) Has(r Role) bool { return slices.Contains(o.Roles, r) }

// At is o at another of his counters, or CSE-147.
func (o Operator) At(office string) (Operator, error) {
	for _, x := range o.Offices {
		if x.ID == office {
			o.Office = x
			return o, nil
		}
	}
	return o, words.Refuse("CSE-147")
}

// Directory is the counters and operators. It is safe for concurrent use; Overlay
// changes what it knows as a whole, never in part.
type Directory struct {
	base  Config
	clock civil.Clock
	view  atomic.Pointer[view]
}

// view is everything at one moment; it is never written to.
type view struct {
	offices   map[string]Office
	accounts  map[string]Account
	operators map[string]Operator
	byCF      map[codicefiscale.Code]string
	pharmacy  map[Action]bool
}

// NewDirectory checks the whole configuration and lists everything wrong.
func NewDirectory(c Config) (*Directory, error) {
	if c.Clock == nil {
		c.Clock = civil.System{}
	}
	d := &Directory{base: c, clock: c.Clock}
	v, err := newView(c)
	d.view.Store(v)
	return d, err
}

func newView(c Config) (*view, error) {
	v := &view{
		offices: map[string]Office{}, accounts: map[string]Account{}, operators: map[string]Operator{},
		byCF: map[codicefiscale.Code]string{}, pharmacy: map[Action]bool{},
	}
	var errs []error
	for _, o := range c.Offices {
		errs = append(errs, v.addOffice(o))
	}
	for _, a := range c.Operators {
		errs = append(errs, v.addOperator(a))
	}
	for _, a := range c.PharmacyAlso {
		if matrix[a].cells[colPharmacy] != configurable {
			errs = append(errs, fmt.Errorf("counters: pharmacy_also: %q cannot be configured", a))
		}
		v.pharmacy[a] = true
	}
	return v, errors.Join(errs...)
}

// Overlay puts offices and accounts over those of the configuration: one with
// the same identifier takes its place. A faulty one is left out, and told.
func (d *Directory) Overlay(offices []Office, accounts []Account) error {
	v, err := d.over(offices, accounts)
	d.view.Store(v)
	return err
}

// Try tells what would be wrong after Overlay, and changes nothing.
func (d *Directory) Try(offices []Office, accounts []Account) error {
	_, err := d.over(offices, accounts)
	return err
}

func (d *Directory) over(offices []Office, accounts []Account) (*view, error) {
	c := d.base
	c.Offices = slices.Concat(slices.DeleteFunc(slices.Clone(c.Offices), func(o Office) bool {
		return slices.ContainsFunc(offices, func(x Office) bool { return x.ID == o.ID })
	}), offices)
	mine := map[string]bool{}
	for _, a := range accounts {
		mine[a.Account] = true
	}
	c.Operators = slices.Concat(slices.DeleteFunc(slices.Clone(c.Operators), func(a Account) bool { return mine[a.Account] }), accounts)
	return newView(c)
}

func (v *view) addOffice(o Office) error {
	if err := o.Check(); err != nil {
		return err
	}
	if _, dup := v.offices[o.ID]; dup {
		return fmt.Errorf("counter %q is there twice", o.ID)
	}
	v.offices[o.ID] = o
	return nil
}

// Check tells what is wrong with an office by itself.
func (o Office) Check() error {
	switch o.Type {
	case ASL:
		if o.ASL == "" {
			return fmt.Errorf("counter %q: an ASL counter needs its asl", o.ID)
		}
	case Comune, URP, Pharmacy, ADE, CallCentre:
	default:
		return fmt.Errorf("counter %q: unknown type %q", o.ID, o.Type)
	}
	if o.ID == "" || o.Name == "" {
		return fmt.Errorf("counter %q: id and name are needed", o.ID)
	}
	for _, a := range o.Services {
		if _, known := matrix[a]; !known {
			return fmt.Errorf("counter %q: unknown service %q", o.ID, a)
		}
	}
	return nil
}

// Check tells what is wrong with an account by itself.
func (a Account) Check() error {
	if _, err := codicefiscale.Parse(a.CF); err != nil {
		return fmt.Errorf("operator %q: codice fiscale: %w", a.Account, err)
	}
	for _, r := range a.Roles {
		if !slices.Contains(Roles(), r) {
			return fmt.Errorf("operator %q: unknown role %q", a.Account, r)
		}
	}
	switch {
	case a.Account == "" || strings.ContainsAny(a.Account, " \t\n:"):
		return fmt.Errorf("operator %q: the account must be one word", a.Account)
	case len(a.Offices) == 0 || len(a.Roles) == 0:
		return fmt.Errorf("operator %q: at least one counter and one role are needed", a.Account)
	case (a.PasswordHash == "") != (a.TOTP == ""):
		return fmt.Errorf("operator %q: password_hash and totp go together", a.Account)
	}
	for id := range a.OfficeEnd {
		if !slices.Contains(a.Offices, id) {
			return fmt.Errorf("operator %q: office_end: he is not at the counter %q", a.Account, id)
		}
	}
	if a.PasswordHash != "" {
		if _, err := parseHash(a.PasswordHash); err != nil {
			return fmt.Errorf("operator %q: %w", a.Account, err)
		}
	}
	return nil
}

func (v *view) addOperator(a Account) error {
	if err := a.Check(); err != nil {
		return err
	}
	cf, _ := codicefiscale.Parse(a.CF) // checked above
	op := Operator{Account: a.Account, Name: a.Name, CF: cf, Roles: a.Roles}
	for _, id := range a.Offices {
		o, ok := v.offices[id]
		if !ok {
			return fmt.Errorf("operator %q: there is no counter %q", a.Account, id)
		}
		op.Offices = append(op.Offices, o)
	}
	if _, dup := v.operators[a.Account]; dup {
		return fmt.Errorf("operator %q is there twice", a.Account)
	}
	if other, dup := v.byCF[cf.Base()]; dup {
		return fmt.Errorf("operators %q and %q have one codice fiscale", other, a.Account)
	}
	v.accounts[a.Account], v.operators[a.Account], v.byCF[cf.Base()] = a, op, a.Account
	return nil
}

// OperatorByAccount finds an operator who may work today, at the first of his
// counters, or refuses with CSE-144: nobody, disabled, his contract over, or no
// counter left.
func (d *Directory) OperatorByAccount(account string) (Operator, error) {
	v := d.view.Load()
	op, ok := v.operators[account]
	a, today := v.accounts[account], civil.Today(d.clock)
	if !ok || a.Disabled || over(a.ContractEnd, today) {
		return Operator{}, words.Refuse("CSE-144")
	}
	op.Offices = slices.DeleteFunc(slices.Clone(op.Offices), func(o Office) bool { return over(o.Until, today) || over(a.OfficeEnd[o.ID], today) })
	if len(op.Offices) == 0 {
		return Operator{}, words.Refuse("CSE-144")
	}
	op.Office = op.Offices[0]
	return op, nil
}

// over tells that a last day has passed; a day that is not set never has.
func over(last, today civil.Date) bool { return !last.IsZero() && today.After(last) }

// OperatorByCF finds the operator who logged in with his own card: his account
// must allow it, else CSE-144.
func (d *Directory) OperatorByCF(cf codicefiscale.Code) (Operator, error) {
	v := d.view.Load()
	account, ok := v.byCF[cf.Base()]
	if !ok || !v.accounts[account].OwnCNS {
		return Operator{}, words.Refuse("CSE-144")
	}
	return d.OperatorByAccount(account)
}

// Account is an account as it is known, whether or not it may work today.
func (d *Directory) Account(account string) (Account, bool) {
	a, ok := d.view.Load().accounts[account]
	return a, ok
}

// Configured is an account of the configuration.
func (d *Directory) Configured(account string) (Account, bool) {
	i := slices.IndexFunc(d.base.Operators, func(a Account) bool { return a.Account == account })
	if i < 0 {
		return Account{}, false
	}
	return d.base.Operators[i], true
}

// Accounts lists all of them by name.
func (d *Directory) Accounts() []Account {
	return slices.SortedFunc(maps.Values(d.view.Load().accounts), func(a, b Account) int { return strings.Compare(a.Account, b.Account) })
}

// AccountOf is somebody's account, whatever he may do with it; empty for none.
func (d *Directory) AccountOf(cf codicefiscale.Code) string { return d.view.Load().byCF[cf.Base()] }

// Office finds a counter by its identifier.
func (d *Directory) Office(id string) (Office, bool) {
	o, ok := d.view.Load().offices[id]
	return o, ok
}

// Offices lists the counters by identifier.
func (d *Directory) Offices() []Office {
	return slices.SortedFunc(maps.Values(d.view.Load().offices), func(a, b Office) int { return strings.Compare(a.ID, b.ID) })
}

// Open lists the counters whose last day has not passed.
func (d *Directory) Open() []Office {
	today := civil.Today(d.clock)
	return slices.DeleteFunc(d.Offices(), func(o Office) bool { return over(o.Until, today) })
}

// Works tells whether somebody has an account, whatever he may do with it.
func (d *Directory) Works(cf codicefiscale.Code) bool { return d.AccountOf(cf) != "" }
