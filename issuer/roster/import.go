package roster

import (
	"context"
	"crypto/rand"
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/table"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/approval"
	"cse.example/cse/issuer/staff"
)

// The columns of the two files, in this order, separated by commas or
// semicolons, in UTF-8. Lists within a column are separated by "|"; an office may
// carry its last day after "@": "asl-fi-01|asl-fi-02@2027-06-30".
var (
	OfficeColumns   = []string{"id", "tipo", "nome", "comune", "asl", "aderisce", "indirizzo", "telefono", "orari", "servizi", "accessibile", "fino_al"}
	OperatorColumns = []string{"account", "nome", "codice_fiscale", "ruoli", "uffici", "contratto_fino_al", "propria_cns"}
)

// maxRows bounds one file.
const maxRows = 2000

// LineError is one thing wrong with one line; the header is line 1.
type LineError struct {
	Line   int
	Reason *words.Fault
}

// Report is the outcome of an import: nothing was kept when Errors is not empty.
type Report struct {
	Rows   int
	Errors []LineError
}

func readCSV(in io.Reader, columns []string, row func(f map[string]string) error) (Report, error) {
	var rep Report
	header, rows, err := table.Open(in)
	if err != nil || !slices.Equal(header, columns) {
		return rep, words.Refuse("CSE-502", strings.Join(columns, ", ")).At("file").Because(err)
	}
	for {
		fields, err := rows.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		line := table.Line(rows, fields, err)
		rep.Rows++
		switch {
		case rep.Rows > maxRows:
			return rep, words.Refuse("CSE-513", maxRows).At("file")
		case err != nil || len(fields) != len(columns):
			rep.Errors = append(rep.Errors, LineError{line, words.Refuse("CSE-502", strings.Join(columns, ", ")).Because(err)})
			var syntax *csv.ParseError
			if err != nil && !errors.As(err, &syntax) {
				return rep, err
			}
			continue
		}
		f := map[string]string{}
		for i, name := range columns {
			f[name] = strings.TrimSpace(fields[i])
		}
		if err := row(f); err != nil {
			fault := words.FaultOf(err)
			if fault == nil {
				return rep, err
			}
			rep.Errors = append(rep.Errors, LineError{line, fault})
		}
	}
	if rep.Rows == 0 {
		return rep, words.Refuse("CSE-514").At("file")
	}
	return rep, nil
}

func list(s string) []string {
	var out []string
	for x := range strings.SplitSeq(s, "|") {
		if x = strings.TrimSpace(x); x != "" {
			out = append(out, x)
		}
	}
	return out
}

func yes(field, s string) (bool, error) {
	switch strings.ToLower(s) {
	case "si", "sì", "yes", "1":
		return true, nil
	case "", "no", "0":
		return false, nil
	}
	return false, words.Refuse("CSE-501", s).At(field)
}

func lastDay(field, s string) (civil.Date, error) {
	if s == "" {
		return civil.Date{}, nil
	}
	for _, read := range []func(string) (civil.Date, error){civil.ParseISO, civil.ParseItalian} {
		if d, err := read(s); err == nil {
			return d, nil
		}
	}
	return civil.Date{}, words.Refuse("CSE-501", s).At(field)
}

// OfficeOf reads an office from its fields, named as OfficeColumns; a page's form
// has the same ones.
func OfficeOf(f map[string]string) (staff.Office, error) {
	o := staff.Office{
		ID: f["id"], Type: staff.OfficeType(strings.ToUpper(f["tipo"])), Name: f["nome"], Comune: strings.ToUpper(f["comune"]), ASL: f["asl"],
		Address: f["indirizzo"], Phone: f["telefono"],
	}
	for _, s := range list(f["servizi"]) {
		o.Services = append(o.Services, staff.Action(s))
	}
	var errs [4]error
	o.TakesPart, errs[0] = yes("aderisce", f["aderisce"])
	o.Accessible, errs[1] = yes("accessibile", f["accessibile"])
	o.Until, errs[2] = lastDay("fino_al", f["fino_al"])
	hours, err := staff.ParseHours(f["orari"])
	if err != nil {
		errs[3] = words.Refuse("CSE-515").At("orari").Because(err)
	}
	o.Hours = hours
	for _, err := range errs {
		if err != nil {
			return o, err
		}
	}
	return o, nil
}

// AccountOf reads an operator from his fields, named as OperatorColumns.
func AccountOf(f map[string]string) (staff.Account, error) {
	a := staff.Account{Account: strings.ToLower(f["account"]), Name: f["nome"], CF: strings.ToUpper(f["codice_fiscale"])}
	for _, s := range list(f["ruoli"]) {
		a.Roles = append(a.Roles, staff.Role(s))
	}
	for _, s := range list(f["uffici"]) {
		id, until, ends := strings.Cut(s, "@")
		a.Offices = append(a.Offices, id)
		if !ends {
			continue
		}
		d, err := lastDay("uffici", until)
		if err != nil {
			return a, err
		}
		if a.OfficeEnd == nil {
			a.OfficeEnd = map[string]civil.Date{}
		}
		a.OfficeEnd[id] = d
	}
	var err error
	if a.ContractEnd, err = lastDay("contratto_fino_al", f["contratto_fino_al"]); err != nil {
		return a, err
	}
	a.OwnCNS, err = yes("propria_cns", f["propria_cns"])
	return a, err
}

// ImportOffices reads a file of offices and keeps all of it, or none when a line
// is faulty.
func (r *Room) ImportOffices(ctx context.Context, op staff.Operator, in io.Reader) (Report, error) {
	if err := keepsOffices(op); err != nil {
		return Report{}, err
	}
	var all []staff.Office
	seen := map[string]bool{}
	rep, err := readCSV(in, OfficeColumns, func(f map[string]string) error {
		o, err := OfficeOf(f)
		if err == nil {
			err = r.validOffice(o)
		}
		if err == nil && seen[o.ID] {
			err = words.Refuse("CSE-516", o.ID).At("id")
		}
		seen[o.ID] = true
		all = append(all, o)
		return err
	})
	if err != nil || len(rep.Errors) > 0 {
		return rep, err
	}
	return rep, r.saveOffices(ctx, op, all, "office.imported")
}

// ImportOperators reads a file of operators and proposes all of them as one
// request, or none when a line is faulty: a second person approves the file.
func (r *Room) ImportOperators(ctx context.Context, op staff.Operator, in io.Reader, note string) (Report, approval.Request, error) {
	if err := reads(op); err != nil {
		return Report{}, approval.Request{}, err
	}
	var all []staff.Account
	accounts, codes := map[string]bool{}, map[string]bool{}
	rep, err := readCSV(in, OperatorColumns, func(f map[string]string) error {
		a, err := AccountOf(f)
		if err == nil {
			err = r.mayPropose(op, a)
		}
		if err == nil && (accounts[a.Account] || codes[a.CF]) {
			err = words.Refuse("CSE-516", a.Account).At("account")
		}
		accounts[a.Account], codes[a.CF] = true, true
		all = append(all, a)
		return err
	})
	if err != nil || len(rep.Errors) > 0 {
		return rep, approval.Request{}, err
	}
	q, err := r.propose(ctx, op, "file-"+strings.ToLower(rand.Text()[:10]), all, note)
	return rep, q, err
}
