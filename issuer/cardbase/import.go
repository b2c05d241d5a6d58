package cardbase

import (
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"unicode/utf8"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/table"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/person/registry"
)

// Import reads a CSV with the header Columns, separated by commas or semicolons,
// in UTF-8. A predecessor stands before its successor. The error is a fault for
// a wrong header (CSE-104), or technical; Report then tells what was kept.
func (i *Importer) Import(ctx context.Context, r io.Reader) (Report, error) {
	in := importing{Importer: i, today: civil.Today(i.Clock), report: Report{States: map[lifecycle.State]Count{}}}
	rows, err := open(r)
	if err != nil {
		return in.report, err
	}
	for {
		fields, err := rows.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err := in.row(ctx, rows, fields, err); err != nil {
			return in.report, err
		}
	}
	if err := in.flush(ctx); err != nil {
		return in.report, err
	}
	t := in.report.Total
	return in.report, in.Atomically(ctx, func(ctx context.Context) error {
		return in.Record(ctx, journal.Entry{Act: "cardbase.imported", Actor: "system:cardbase", Detail: map[string]string{
			"issuer": in.Issuer.ID, "rows": strconv.Itoa(t.Rows), "kept": strconv.Itoa(t.Kept),
			"already": strconv.Itoa(t.Already), "refused": strconv.Itoa(t.Refused),
		}})
	})
}

func open(r io.Reader) (*csv.Reader, error) {
	header, rows, err := table.Open(r)
	if err != nil {
		return nil, words.Refuse("CSE-104", "–").Because(err)
	}
	if !slices.Equal(header, Columns) {
		n := 0
		for n < len(header) && n < len(Columns) && header[n] == Columns[n] {
			n++
		}
		return nil, words.Refuse("CSE-104", strconv.Itoa(n+1))
	}
	return rows, nil
}

type pending struct {
	line int
	card lifecycle.Card
}

type importing struct {
	*Importer
	today  civil.Date
	batch  []pending
	report Report
}

func (in *importing) count(s lifecycle.State, add Count) {
	in.report.Total = in.report.Total.plus(add)
	in.report.States[s] = in.report.States[s].plus(add)
}

func (in *importing) refuse(line int, s lifecycle.State, faults ...*words.Fault) {
	in.count(s, Count{Rows: 1, Refused: 1})
	for _, f := range faults {
		if len(in.report.Errors) < in.MaxErrors {
			in.report.Errors = append(in.report.Errors, RowError{Line: line, Field: f.Field, Reason: f})
		}
	}
}

func (in *importing) row(ctx context.Context, rows *csv.Reader, fields []string, err error) error {
	var syntax *csv.ParseError
	if errors.As(err, &syntax) {
		in.refuse(syntax.StartLine, "", words.Refuse("CSE-169", syntax.Err.Error()).Because(syntax))
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the card base: %w", err)
	}
	line, _ := rows.FieldPos(0)
	for _, f := range fields {
		if !utf8.ValidString(f) {
			in.refuse(line, "", words.Refuse("CSE-169", "UTF-8"))
			return nil
		}
	}
	c, faults := ParseRow(fields, in.Issuer, in.today)
	if len(faults) > 0 {
		in.refuse(line, c.State, faults...)
		return nil
	}
	in.batch = append(in.batch, pending{line, c})
	if len(in.batch) < in.Batch {
		return nil
	}
	return in.flush(ctx)
}

// verdict is what an act decided about a row.
type verdict struct {
	already bool
	fault   *words.Fault
}

func (in *importing) flush(ctx context.Context) error {
	if len(in.batch) == 0 {
		return nil
	}
	var seen []verdict
	err := in.Atomically(ctx, func(ctx context.Context) error {
		seen = seen[:0] // the act may be tried again
		var kept []string
		for _, p := range in.batch {
			v, err := in.keep(ctx, p.card)
			if err != nil {
				return fmt.Errorf("keep the card of line %d: %w", p.line, err)
			}
			seen = append(seen, v)
			if v.fault == nil && !v.already {
				kept = append(kept, p.card.ID)
			}
		}
		return in.Reserve(ctx, kept)
	})
	if err != nil {
		return err
	}
	for n, v := range seen {
		p := in.batch[n]
		switch {
		case v.fault != nil:
			in.refuse(p.line, p.card.State, v.fault)
		case v.already:
			in.count(p.card.State, Count{Rows: 1, Already: 1})
		default:
			in.count(p.card.State, Count{Rows: 1, Kept: 1})
		}
	}
	in.batch = in.batch[:0]
	if in.Progress != nil {
		in.Progress(in.report.Total.Rows)
	}
	return nil
}

// keep writes one card, in the act of ctx, unless it is there or does not fit.
func (in *importing) keep(ctx context.Context, c lifecycle.Card) (verdict, error) {
	no := func(field, code string, args ...any) (verdict, error) {
		return verdict{fault: words.Refuse(code, args...).At(field)}, nil
	}
	if _, err := in.People.Get(ctx, c.CF); errors.Is(err, registry.ErrUnknown) {
		return no("codice_fiscale", "CSE-625")
	} else if err != nil {
		return verdict{}, err
	}
	cards, err := in.Cards.ByPerson(ctx, c.CF)
	if err != nil {
		return verdict{}, err
	}
	var old lifecycle.Card
	for _, x := range cards {
		switch {
		case x.ID == c.ID && same(x, c):
			return verdict{already: true}, nil
		case x.ID == c.ID:
			return no("numero_tessera", "CSE-624")
		case x.ID == c.Replaces:
			old = x
		}
	}
	if c.Replaces != "" && (old.ID == "" || old.ReplacedBy != "") {
		return no("sostituisce", "CSE-630")
	}
	for _, x := range cards {
		if !c.State.Final() && !x.State.Final() && x.ReplacedBy == "" && x.ID != c.Replaces {
			return no("codice_fiscale", "CSE-627")
		}
	}
	if _, err := in.Cards.Put(ctx, c); errors.Is(err, lifecycle.ErrStale) {
		return no("numero_tessera", "CSE-624") // the number, or that of the TEAM, is another's
	} else if err != nil {
		return verdict{}, err
	}
	if old.ID != "" {
		old.ReplacedBy = c.ID
		if _, err := in.Cards.Put(ctx, old); err != nil {
			return verdict{}, err
		}
	}
	return verdict{}, nil
}

// same tells whether the card on record came from this row: what no act of ours
// changes afterwards is equal.
func same(x, c lifecycle.Card) bool {
	return x.TEAM == c.TEAM && x.Model == c.Model && x.Issued == c.Issued && x.Issuer == c.Issuer && x.CertSerial == c.CertSerial && x.Replaces == c.Replaces
}
