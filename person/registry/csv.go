package registry

import (
	"fmt"
	"strings"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/person/codicefiscale"
)

// Columns is the header of the CSV, in order. Days are ISO 8601; yes and no are
// 1 and 0 (or si, no); representatives are "CF:kind:from:until", the last two
// may be empty, separated by spaces.
var Columns = []string{
	"codice_fiscale", "cognome", "nome", "data_nascita", "sesso", "luogo_nascita", "provincia_nascita",
	"cittadinanza", "comune_residenza", "indirizzo", "cap", "data_decesso", "asl", "assistito_dal", "assistito_al",
	"diritto_estero", "permesso", "permesso_fino_al", "tutela", "rappresentanti", "email",
}

// ParseRow reads the fields of one row, in the order of Columns, and checks them
// as known on day today. All that is wrong is reported, not only the first thing.
func ParseRow(fields []string, today civil.Date) (Person, []*words.Fault) {
	if len(fields) != len(Columns) {
		return Person{}, []*words.Fault{words.Refuse("CSE-169", fmt.Sprintf("%d/%d", len(fields), len(Columns)))}
	}
	r := rowReader{fields: fields}
	p := Person{
		Surname: r.text("cognome"), Name: r.text("nome"), Born: r.day("data_nascita"), Sex: r.word("sesso"),
		BirthPlace: r.word("luogo_nascita"), BirthProvince: r.word("provincia_nascita"), Citizenship: r.word("cittadinanza"),
		Residence: r.word("comune_residenza"), Address: r.text("indirizzo"), PostCode: r.text("cap"),
		Died: r.day("data_decesso"), ASL: r.text("asl"),
		AssistedFrom: r.day("assistito_dal"), AssistedUntil: r.day("assistito_al"), AbroadRight: r.yes("diritto_estero"),
		Permit:            Permit{Kind: PermitKind(strings.ToLower(r.text("permesso"))), Until: r.day("permesso_fino_al")},
		UnderGuardianship: r.yes("tutela"), Email: r.text("email"),
	}
	p.CF = r.code("codice_fiscale")
	p.Guardians = r.guardians("rappresentanti")
	for _, f := range p.Check(today) {
		if !r.blamed(f.Field) {
			r.faults = append(r.faults, f)
		}
	}
	return p, r.faults
}

type rowReader struct {
	fields []string
	faults []*words.Fault
}

var columnAt = func() map[string]int {
	m := map[string]int{}
	for i, c := range Columns {
		m[c] = i
	}
	return m
}()

func (r *rowReader) text(column string) string { return strings.TrimSpace(r.fields[columnAt[column]]) }

func (r *rowReader) word(column string) string { return strings.ToUpper(r.text(column)) }

func (r *rowReader) refuse(column, code string, args ...any) {
	r.faults = append(r.faults, words.Refuse(code, args...).At(column))
}

// blamed tells whether the column was refused when it was read: what follows
// from that needs no second fault.
func (r *rowReader) blamed(column string) bool {
	for _, f := range r.faults {
		if f.Field == column {
			return true
		}
	}
	return false
}

func (r *rowReader) day(column string) civil.Date {
	s := r.text(column)
	if s == "" {
		return civil.Date{}
	}
	d, err := civil.ParseISO(s)
	if err != nil {
		r.refuse(column, "CSE-106", clip(s))
	}
	return d
}

func (r *rowReader) yes(column string) bool {
	switch s := strings.ToLower(r.text(column)); s {
	case "1", "si", "sì", "s":
		return true
	case "", "0", "no", "n":
		return false
	default:
		r.refuse(column, "CSE-168", clip(s))
		return false
	}
}

func (r *rowReader) code(column string) codicefiscale.Code {
	s := r.text(column)
	if s == "" {
		r.refuse(column, "CSE-105", column)
		return ""
	}
	c, err := codicefiscale.Parse(s)
	if f := words.FaultOf(err); f != nil {
		r.faults = append(r.faults, f.At(column))
	}
	return c
}

func (r *rowReader) guardians(column string) []Guardian {
	var out []Guardian
	for _, s := range strings.Fields(r.text(column)) {
		g, err := parseGuardian(s)
		if err != nil {
			r.faults = append(r.faults, words.Refuse("CSE-162", clip(s)).At(column).Because(err))
			continue
		}
		out = append(out, g)
	}
	return out
}

func parseGuardian(s string) (Guardian, error) {
	f := strings.Split(s, ":")
	if len(f) < 2 || len(f) > 4 {
		return Guardian{}, errGuardian
	}
	cf, err := codicefiscale.Parse(f[0])
	if err != nil {
		return Guardian{}, err
	}
	g := Guardian{CF: cf, Kind: GuardianKind(strings.ToLower(f[1]))}
	for i, d := range []*civil.Date{&g.From, &g.Until} {
		if len(f) > 2+i {
			if err := d.UnmarshalText([]byte(f[2+i])); err != nil {
				return Guardian{}, err
			}
		}
	}
	return g, nil
}

func formatGuardian(g Guardian) string {
	return strings.TrimRight(fmt.Sprintf("%s:%s:%s:%s", g.CF, g.Kind, g.From, g.Until), ":")
}

// Row is the inverse of ParseRow.
func (p Person) Row() []string {
	yes := map[bool]string{true: "1", false: "0"}
	guardians := make([]string, len(p.Guardians))
	for i, g := range p.Guardians {
		guardians[i] = formatGuardian(g)
	}
	return []string{
		string(p.CF), p.Surname, p.Name, p.Born.String(), p.Sex, p.BirthPlace, p.BirthProvince,
		p.Citizenship, p.Residence, p.Address, p.PostCode, p.Died.String(), p.ASL, p.AssistedFrom.String(), p.AssistedUntil.String(),
		yes[p.AbroadRight], string(p.Permit.Kind), p.Permit.Until.String(), yes[p.UnderGuardianship],
		strings.Join(guardians, " "), p.Email,
	}
}
