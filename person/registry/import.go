package registry

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
	"cse.example/cse/person/codicefiscale"
)

// ErrMissing is returned by NewImporter when a dependency is not given.
var ErrMissing = errors.New("registry: missing dependency")

// Importer brings people into the store. Make one with NewImporter.
type Importer struct {
	Store      Store
	Atomically func(ctx context.Context, act func(ctx context.Context) error) error
	// Record writes one journal entry for each import.
	Record journal.Recorder
	Clock  civil.Clock
	// Batch is the number of rows of one act; zero means 1000.
	Batch int
	// MaxErrors bounds Report.Errors; zero means 10,000. Rejected counts all.
	MaxErrors int
	// Progress, when given, is told the rows done so far after each batch.
	Progress func(done int)
}

// NewImporter refuses missing dependencies.
func NewImporter(i Importer) (*Importer, error) {
	if i.Store == nil || i.Atomically == nil || i.Record == nil || i.Clock == nil {
		return nil, ErrMissing
	}
	if i.Batch <= 0 {
		i.Batch = 1000
	}
	if i.MaxErrors <= 0 {
		i.MaxErrors = 10_000
	}
	return &i, nil
}

// Report is the outcome of an import.
type Report struct {
	// Accepted rows are in the store; Changed of them were new or different.
	Accepted, Changed int
	// Rejected rows are not; Errors says why.
	Rejected int
	Errors   []RowError
}

// RowError is one thing wrong with one row; a row may have several.
type RowError struct {
	// Line counts from 1, the header being line 1.
	Line int
	// Field is a column of Columns; empty when the whole row cannot be read.
	Field  string
	Reason *words.Fault
}

// Error is for logs: it quotes no personal datum save what the reason quotes.
func (e RowError) Error() string { return fmt.Sprintf("line %d: %s: %v", e.Line, e.Field, e.Reason) }

// Import reads a CSV with the header Columns, separated by commas or semicolons,
// in UTF-8 (a byte order mark is forgiven). Good rows are kept in acts of Batch
// rows each, bad rows reported. The error is a fault for a wrong header
// (CSE-104), or technical (reading, store); Report then tells what was kept.
func (i *Importer) Import(ctx context.Context, r io.Reader) (Report, error) {
	in := importing{Importer: i, today: civil.Today(i.Clock), seen: map[codicefiscale.Code]int{}}
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
	return in.report, in.record(ctx)
}

func open(r io.Reader) (*csv.Reader, error) {
	header, rows, err := table.Open(r)
	if err != nil {
		return nil, words.Refuse("CSE-104", "–").Because(err)
	}
	if !slices.Equal(header, Columns) {
		return nil, words.Refuse("CSE-104", clip(firstDifference(header)))
	}
	return rows, nil
}

func firstDifference(header []string) string {
	for n, want := range Columns {
		if n >= len(header) {
			return "… " + want + "?"
		}
		if header[n] != want {
			return header[n] + " ≠ " + want
		}
	}
	return strconv.Itoa(len(header)) + " ≠ " + strconv.Itoa(len(Columns))
}

type importing struct {
	*Importer
	today  civil.Date
	seen   map[codicefiscale.Code]int // line of each code accepted so far
	batch  []Person
	lines  []int // of batch
	report Report
}

func (in *importing) row(ctx context.Context, rows *csv.Reader, fields []string, err error) error {
	var syntax *csv.ParseError
	if errors.As(err, &syntax) {
		in.reject(syntax.StartLine, words.Refuse("CSE-169", syntax.Err.Error()).Because(syntax))
		return nil
	}
	if err != nil {
		return fmt.Errorf("read the registry's file: %w", err)
	}
	line, _ := rows.FieldPos(0)
	for _, f := range fields {
		if !utf8.ValidString(f) {
			in.reject(line, words.Refuse("CSE-169", "UTF-8"))
			return nil
		}
	}
	p, faults := ParseRow(fields, in.today)
	if first, dup := in.seen[p.CF]; dup && len(faults) == 0 {
		faults = append(faults, words.Refuse("CSE-161", first).At("codice_fiscale"))
	}
	if len(faults) > 0 {
		in.reject(line, faults...)
		return nil
	}
	in.seen[p.CF] = line
	in.batch, in.lines = append(in.batch, p), append(in.lines, line)
	if len(in.batch) < in.Batch {
		return nil
	}
	return in.flush(ctx)
}

func (in *importing) reject(line int, faults ...*words.Fault) {
	in.report.Rejected++
	for _, f := range faults {
		if len(in.report.Errors) < in.MaxErrors {
			in.report.Errors = append(in.report.Errors, RowError{Line: line, Field: f.Field, Reason: f})
		}
	}
}

func (in *importing) flush(ctx context.Context) error {
	if len(in.batch) == 0 {
		return nil
	}
	changed := 0
	refused := map[int]*words.Fault{} // by place in the batch
	err := in.Atomically(ctx, func(ctx context.Context) error {
		changed = 0 // the act may be tried again
		clear(refused)
		for n, p := range in.batch {
			c, err := in.Store.Put(ctx, p)
			if f := words.FaultOf(err); f != nil { // refused before anything was written
				refused[n] = f
				continue
			}
			if err != nil {
				return fmt.Errorf("keep a person: %w", err)
			}
			if c {
				changed++
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	in.report.Accepted += len(in.batch) - len(refused)
	in.report.Changed += changed
	for n := range in.batch {
		if f := refused[n]; f != nil {
			in.reject(in.lines[n], f)
		}
	}
	in.batch, in.lines = in.batch[:0], in.lines[:0]
	if in.Progress != nil {
		in.Progress(in.report.Accepted + in.report.Rejected)
	}
	return nil
}

func (in *importing) record(ctx context.Context) error {
	return in.Atomically(ctx, func(ctx context.Context) error {
		return in.Record(ctx, journal.Entry{
			Act: "registry.imported", Actor: "system:registry",
			Detail: map[string]string{
				"accepted": strconv.Itoa(in.report.Accepted),
				"changed":  strconv.Itoa(in.report.Changed),
				"rejected": strconv.Itoa(in.report.Rejected),
			},
		})
	})
}
