// Package registry is the regional registry of assisted people (anagrafe degli
// assistiti): who is assisted by the health service, since and until when, with
// which permit of stay, represented by whom.
//
// A Person is facts, read-only to the rest of the platform: printed data come
// from the tax registry through Import and no screen edits them (R27). Import
// reads CSV of any length, row by row; a bad row is reported with line, field
// and reason and never stops the good ones; importing the same file twice
// changes nothing. The codice fiscale of the registry is believed as it is once
// its check character matches: it is not compared with name and birth date,
// because only the Revenue Agency assigns codes.
//
// Generate makes invented people with valid codes, for the demo and tests.
package registry

import (
	"context"
	"errors"
	"strings"

	"cse.example/cse/ground/civil"
	"cse.example/cse/person/codicefiscale"
)

// Person is one assisted person. Days are in Europe/Rome; zero means "none".
type Person struct {
	CF            codicefiscale.Code
	Surname, Name string
	Born          civil.Date
	// Sex is M or F.
	Sex string
	// BirthPlace is a Belfiore code; BirthProvince the sign at birth, EE abroad.
	BirthPlace, BirthProvince string
	// Citizenship is ISO 3166-1 alpha-2; XX when the person has none (apolide).
	Citizenship string
	// Residence is a Belfiore code.
	Residence, Address, PostCode string
	Died                         civil.Date
	// ASL is the local health unit's code ("201").
	ASL string
	// AssistedFrom and AssistedUntil are the first and last day of assistance.
	AssistedFrom, AssistedUntil civil.Date
	// AbroadRight tells whether the person has a right to care abroad: TEAM
	// fields, or asterisks.
	AbroadRight bool
	Permit      Permit
	Guardians   []Guardian
	// UnderGuardianship is set for whoever cannot consent alone, minors apart.
	UnderGuardianship bool
	// Email is a known contact; may be empty.
	Email string
}

// PermitKind is the kind of a permit of stay (permesso di soggiorno).
type PermitKind string

// The kinds. PermitNone means that the registry has no datum.
const (
	PermitNone      PermitKind = ""
	PermitUntil     PermitKind = "until"
	PermitUnlimited PermitKind = "unlimited"
	PermitRenewal   PermitKind = "renewal"
)

// Permit is a permit of stay. Until is set for PermitUntil, and may be for
// PermitRenewal: then it is the end of the temporary enrolment.
type Permit struct {
	Kind  PermitKind
	Until civil.Date
}

// GuardianKind is the title by which somebody represents a person.
type GuardianKind string

// The titles: parent, guardian, curator, support administrator.
const (
	Parent        GuardianKind = "genitore"
	Tutor         GuardianKind = "tutore"
	Curator       GuardianKind = "curatore"
	Administrator GuardianKind = "ads" // amministratore di sostegno
)

// Guardian represents a person from a day, until a day or without end.
type Guardian struct {
	CF          codicefiscale.Code `json:"cf"`
	Kind        GuardianKind       `json:"kind"`
	From, Until civil.Date
}

// On tells whether the title holds on day d.
func (g Guardian) On(d civil.Date) bool {
	return !d.Before(g.From) && (g.Until.IsZero() || !d.After(g.Until))
}

// AliveOn tells whether the person was born and had not died by day d.
func (p Person) AliveOn(d civil.Date) bool {
	return !d.Before(p.Born) && (p.Died.IsZero() || d.Before(p.Died))
}

// AssistedOn tells whether the health service assists the person on day d, which
// needs being alive.
func (p Person) AssistedOn(d civil.Date) bool {
	if p.AssistedFrom.IsZero() || d.Before(p.AssistedFrom) || !p.AliveOn(d) {
		return false
	}
	return p.AssistedUntil.IsZero() || !d.After(p.AssistedUntil)
}

// MinorOn tells whether the person is under 18 on day d.
func (p Person) MinorOn(d civil.Date) bool { return p.Born.AgeOn(d) < 18 }

// GuardiansOn lists who represents the person on day d; a parent as such only until
// the child is of age, whatever the registry still says.
func (p Person) GuardiansOn(d civil.Date) []Guardian {
	var out []Guardian
	for _, g := range p.Guardians {
		if g.On(d) && (g.Kind != Parent || p.MinorOn(d)) {
			out = append(out, g)
		}
	}
	return out
}

// NeedsPermit tells whether R45 concerns the person: citizens of the EU, the EEA
// and Switzerland are not concerned.
func (p Person) NeedsPermit() bool { return !EUorEEA(p.Citizenship) }

// states of the EU (27), the EEA and Switzerland.
var states = map[string]bool{
	"AT": true, "BE": true, "BG": true, "HR": true, "CY": true, "CZ": true, "DK": true, "EE": true, "FI": true,
	"FR": true, "DE": true, "GR": true, "HU": true, "IE": true, "IT": true, "LV": true, "LT": true, "LU": true,
	"MT": true, "NL": true, "PL": true, "PT": true, "RO": true, "SK": true, "SI": true, "ES": true, "SE": true,
	"IS": true, "LI": true, "NO": true, "CH": true,
}

// EUorEEA tells whether iso (ISO 3166-1 alpha-2, upper case) is a member of the
// European Union, of the European Economic Area, or Switzerland.
func EUorEEA(iso string) bool { return states[iso] }

// ErrUnknown is returned for a codice fiscale that the registry does not hold.
var ErrUnknown = errors.New("person not in the registry")

// Query asks for people: by CF alone, or by the beginning of "surname name" (or
// "name surname"), accents, case, spaces and apostrophes ignored, and birth day.
type Query struct {
	CF   codicefiscale.Code
	Name string
	Born civil.Date
	// Limit is the greatest number of answers; zero means 50.
	Limit int
}

// Store keeps people. Put answers whether anything changed.
type Store interface {
	Put(ctx context.Context, p Person) (changed bool, err error)
	Get(ctx context.Context, cf codicefiscale.Code) (Person, error)
	Search(ctx context.Context, q Query) ([]Person, error)
	// Each lists at most limit people in the order of their codes, after a code.
	Each(ctx context.Context, after codicefiscale.Code, limit int) ([]Person, error)
	Count(ctx context.Context) (int, error)
}

// SearchKeys are the two keys by which a person is found by name: letters only,
// "SURNAMENAME" and "NAMESURNAME".
func (p Person) SearchKeys() (bySurname, byName string) {
	s, n := searchKey(p.Surname), searchKey(p.Name)
	return s + n, n + s
}

// Key is the beginning of the keys that q.Name asks for; empty for no name.
func (q Query) Key() string { return searchKey(q.Name) }

func searchKey(s string) string {
	b := []byte(codicefiscale.Fold(s))
	out := b[:0]
	for _, c := range b {
		if c >= 'A' && c <= 'Z' || c >= 0x80 {
			out = append(out, c)
		}
	}
	return string(out)
}

// FirstName is the first of some given names, in the case of a sentence.
func FirstName(names string) string {
	first, _, _ := strings.Cut(strings.TrimSpace(names), " ")
	r := []rune(strings.ToLower(first))
	if len(r) == 0 {
		return ""
	}
	return strings.ToUpper(string(r[:1])) + string(r[1:])
}
