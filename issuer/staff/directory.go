// Package staff is who works at the counters and what each may do: offices,
// operators with their roles, the permission matrix of the rules, and the proof
// of an operator by password and one-time code (RFC 6238) or by his own card.
//
// The matrix (permissions.go) is the one place that says which action is whose:
// own or other ASL, Revenue Agency, Comune, URP, pharmacy, call centre, holder.
// It is asked again at each request. Every refusal carries a CSE code that says
// where to go instead.
package staff

import (
	"errors"
	"fmt"
	"slices"
	"strings"

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
}

// Config is the counters' part of the configuration.
type Config struct {
	Offices   []Office  `yaml:"offices"`
	Operators []Account `yaml:"operators"`
	// PharmacyAlso are the acts marked "configurable" for pharmacies.
	PharmacyAlso []Action `yaml:"pharmacy_also"`
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

// Directory is the configured counters and operators. It does not change while
// the program runs.
type Directory struct {
	offices   map[string]Office
	accounts  map[string]Account
	operators map[string]Operator
	byCF      map[codicefiscale.Code]string
	pharmacy  map[Action]bool
}

// NewDirectory checks the whole configuration and lists everything wrong.
func NewDirectory(c Config) (*Directory, error) {
	d := &Directory{
		offices: map[string]Office{}, accounts: map[string]Account{}, operators: map[string]Operator{},
		byCF: map[codicefiscale.Code]string{}, pharmacy: map[Action]bool{},
	}
	var errs []error
	for _, o := range c.Offices {
		errs = append(errs, d.addOffice(o))
	}
	for _, a := range c.Operators {
		errs = append(errs, d.addOperator(a))
	}
	for _, a := range c.PharmacyAlso {
		if matrix[a].cells[colPharmacy] != configurable {
			errs = append(errs, fmt.Errorf("counters: pharmacy_also: %q cannot be configured", a))
		}
		d.pharmacy[a] = true
	}
	return d, errors.Join(errs...)
}

func (d *Directory) addOffice(o Office) error {
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
	if _, dup := d.offices[o.ID]; dup {
		return fmt.Errorf("counter %q is there twice", o.ID)
	}
	d.offices[o.ID] = o
	return nil
}

func (d *Directory) addOperator(a Account) error {
	cf, err := codicefiscale.Parse(a.CF)
	if err != nil {
		return fmt.Errorf("operator %q: codice fiscale: %w", a.Account, err)
	}
	op := Operator{Account: a.Account, Name: a.Name, CF: cf, Roles: a.Roles}
	for _, r := range a.Roles {
		if !slices.Contains(Roles(), r) {
			return fmt.Errorf("operator %q: unknown role %q", a.Account, r)
		}
	}
	for _, id := range a.Offices {
		o, ok := d.offices[id]
		if !ok {
			return fmt.Errorf("operator %q: there is no counter %q", a.Account, id)
		}
		op.Offices = append(op.Offices, o)
	}
	switch {
	case a.Account == "" || strings.ContainsAny(a.Account, " \t\n:"):
		return fmt.Errorf("operator %q: the account must be one word", a.Account)
	case len(op.Offices) == 0 || len(op.Roles) == 0:
		return fmt.Errorf("operator %q: at least one counter and one role are needed", a.Account)
	case (a.PasswordHash == "") != (a.TOTP == ""):
		return fmt.Errorf("operator %q: password_hash and totp go together", a.Account)
	}
	if a.PasswordHash != "" {
		if _, err := parseHash(a.PasswordHash); err != nil {
			return fmt.Errorf("operator %q: %w", a.Account, err)
		}
	}
	if _, dup := d.operators[a.Account]; dup {
		return fmt.Errorf("operator %q is there twice", a.Account)
	}
	if other, dup := d.byCF[cf.Base()]; dup {
		return fmt.Errorf("operators %q and %q have one codice fiscale", other, a.Account)
	}
	op.Office = op.Offices[0]
	d.accounts[a.Account], d.operators[a.Account], d.byCF[cf.Base()] = a, op, a.Account
	return nil
}

// OperatorByAccount finds an operator who may work, at his first counter, or
// refuses with CSE-144.
func (d *Directory) OperatorByAccount(account string) (Operator, error) {
	op, ok := d.operators[account]
	if !ok || d.accounts[account].Disabled {
		return Operator{}, words.Refuse("CSE-144")
	}
	return op, nil
}

// OperatorByCF finds the operator who logged in with his own card: his account
// must allow it, else CSE-144.
func (d *Directory) OperatorByCF(cf codicefiscale.Code) (Operator, error) {
	account, ok := d.byCF[cf.Base()]
	if !ok || !d.accounts[account].OwnCNS {
		return Operator{}, words.Refuse("CSE-144")
	}
	return d.OperatorByAccount(account)
}

// Office finds a counter by its identifier.
func (d *Directory) Office(id string) (Office, bool) { o, ok := d.offices[id]; return o, ok }

// Offices lists the counters by identifier.
func (d *Directory) Offices() []Office {
	out := make([]Office, 0, len(d.offices))
	for _, o := range d.offices {
		out = append(out, o)
	}
	slices.SortFunc(out, func(a, b Office) int { return strings.Compare(a.ID, b.ID) })
	return out
}

// Works tells whether somebody has an account, whatever he may do with it.
func (d *Directory) Works(cf codicefiscale.Code) bool { return d.byCF[cf.Base()] != "" }
