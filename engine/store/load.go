package store

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/pressly/goose/v3"
)

// Faults of a snapshot that is read back.
var (
	// ErrNotEmpty: there are records in the place.
	ErrNotEmpty = errors.New("store: the database is not empty")
	// ErrNewer: the snapshot was made by a later version of the program.
	ErrNewer = errors.New("store: the snapshot is of a later version of the program")
	// ErrSnapshot: what is read is no whole snapshot.
	ErrSnapshot = errors.New("store: not a whole snapshot")
)

// SchemaVersion is the number of the newest migration.
func SchemaVersion() (int64, error) {
	p, err := sources()
	if err != nil {
		return 0, err
	}
	last := int64(0)
	for _, v := range p {
		last = max(last, v)
	}
	return last, nil
}

func sources() ([]int64, error) {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return nil, fmt.Errorf("store: migrations: %w", err)
	}
	var out []int64
	for _, n := range names {
		v, err := goose.NumericComponent(n)
		if err != nil {
			return nil, fmt.Errorf("store: migrations: %w", err)
		}
		out = append(out, v)
	}
	return out, nil
}

// Restore brings an empty database to the schema that a snapshot has, reads the
// snapshot into it in one transaction, then brings it up to date. Refused: a place
// with records (ErrNotEmpty), a later schema (ErrNewer), a snapshot that is not
// whole (ErrSnapshot); the database stays as empty as it was.
func Restore(ctx context.Context, dsn string, version int64, r io.Reader) (err error) {
	newest, err := SchemaVersion()
	if err != nil {
		return err
	}
	if version > newest {
		return fmt.Errorf("%w: schema %d, ours is %d", ErrNewer, version, newest)
	}
	db, err := open(ctx, dsn)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if err := db.empty(ctx); err != nil {
		return err
	}
	if err := db.migrateTo(ctx, version); err != nil {
		return err
	}
	if err := db.Atomically(ctx, func(ctx context.Context) error { return db.load(ctx, r) }); err != nil {
		return err
	}
	return db.migrate(ctx)
}

// empty refuses a database in which there is anything but what migrations write.
func (db *DB) empty(ctx context.Context) error {
	all, err := db.tables(ctx, db.read)
	if err != nil {
		return err
	}
	for _, t := range all {
		if slices.Contains(fromMigrations, t.Table) {
			continue
		}
		var n int64
		if err := db.read.QueryRowContext(ctx, "SELECT COUNT(*) FROM "+quoted(t.Table)).Scan(&n); err != nil { //nolint:gosec // a table of our own
			return fmt.Errorf("store: count %s: %w", t.Table, err)
		}
		if n > 0 {
			return fmt.Errorf("%w: %d records in %s", ErrNotEmpty, n, t.Table)
		}
	}
	return nil
}

// fromMigrations are the tables in which a fresh database has a row.
var fromMigrations = []string{"audit_head", "audit_foot", "audit_chain_head", "audit_chain_foot", "roster_version"}

// load reads a snapshot inside an act.
func (db *DB) load(ctx context.Context, r io.Reader) error {
	in := bufio.NewReaderSize(r, 1<<16)
	line, err := in.ReadString('\n')
	if err != nil || line != snapshotLine {
		return fmt.Errorf("%w: it does not begin like one", ErrSnapshot)
	}
	mine, err := db.tables(ctx, db.tx(ctx))
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for {
		t, err := readHead(in)
		if err != nil {
			return err
		}
		if t.Table == "" {
			break
		}
		i := slices.IndexFunc(mine, func(x table) bool { return x.Table == t.Table })
		if i < 0 || seen[t.Table] || !slices.Equal(sorted(mine[i]), sorted(t)) {
			return fmt.Errorf("%w: the table %q is not as this schema has it", ErrSnapshot, t.Table)
		}
		seen[t.Table] = true
		if err := db.loadTable(ctx, t, in); err != nil {
			return fmt.Errorf("store: read %s back: %w", t.Table, err)
		}
	}
	for _, t := range mine {
		if !seen[t.Table] {
			return fmt.Errorf("%w: the table %q is missing", ErrSnapshot, t.Table)
		}
	}
	if n, err := in.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: something follows its end", ErrSnapshot)
	}
	return nil
}

// sorted names columns with their kinds, whatever their order.
func sorted(t table) []string {
	var out []string
	for i, c := range t.Columns {
		if i < len(t.Kinds) {
			out = append(out, c+" "+t.Kinds[i])
		}
	}
	slices.Sort(out)
	return out
}

// The bounds of what is read: a line of a table's head, one value, one row.
const (
	maxHeadLine = 1 << 16
	maxValue    = 64 << 20
	maxParams   = 4000
)

func readHead(in *bufio.Reader) (table, error) {
	var t table
	line, err := in.ReadSlice('\n')
	if err != nil || len(line) > maxHeadLine {
		return t, fmt.Errorf("%w: a table's head is cut", ErrSnapshot)
	}
	if err := json.Unmarshal(line, &t); err != nil || len(t.Columns) != len(t.Kinds) {
		return t, fmt.Errorf("%w: a table's head cannot be read", ErrSnapshot)
	}
	return t, nil
}

// loadTable reads rows and inserts them, many at a time.
func (db *DB) loadTable(ctx context.Context, t table, in *bufio.Reader) error {
	tx := db.Conn(ctx)
	if _, err := tx.ExecContext(ctx, "DELETE FROM "+quoted(t.Table)); err != nil { //nolint:gosec // a table that tables listed
		return err
	}
	many := max(1, maxParams/max(1, len(t.Columns)))
	var args []any
	count := uint64(0)
	flush := func() error {
		if len(args) == 0 {
			return nil
		}
		_, err := tx.ExecContext(ctx, insert(t, len(args)/len(t.Columns)), args...)
		args = args[:0]
		return err
	}
	for {
		tag, err := in.ReadByte()
		if err != nil {
			return fmt.Errorf("%w: it ends in the middle", ErrSnapshot)
		}
		if tag == tagEnd {
			break
		}
		if tag != tagRow || len(t.Columns) == 0 {
			return fmt.Errorf("%w: row %d does not begin like one", ErrSnapshot, count)
		}
		for i := range t.Columns {
			v, err := readValue(in, t.Kinds[i])
			if err != nil {
				return fmt.Errorf("row %d, column %s: %w", count, t.Columns[i], err)
			}
			args = append(args, v)
		}
		if count++; count%uint64(many) == 0 {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	want, err := binary.ReadUvarint(in)
	if err != nil || want != count {
		return fmt.Errorf("%w: %d rows, its count says %d", ErrSnapshot, count, want)
	}
	return flush()
}

func insert(t table, rows int) string {
	var b strings.Builder
	b.WriteString("INSERT INTO " + quoted(t.Table) + " (" + list(t.Columns) + ") VALUES ")
	n := 0
	for r := range rows {
		if r > 0 {
			b.WriteByte(',')
		}
		for i := range t.Columns {
			n++
			b.WriteByte("(,"[min(i, 1)])
			fmt.Fprintf(&b, "$%d", n)
		}
		b.WriteByte(')')
	}
	return b.String()
}

// readValue reads what appendValue wrote.
func readValue(in *bufio.Reader, kind string) (any, error) {
	tag, err := in.ReadByte()
	if err != nil {
		return nil, fmt.Errorf("%w: it ends in the middle", ErrSnapshot)
	}
	switch {
	case tag == tagNull:
		return nil, nil //nolint:nilnil // NULL is a value
	case tag == tagInteger && kind == kindInteger:
		v, err := binary.ReadVarint(in)
		if err != nil {
			return nil, fmt.Errorf("%w: an integer is cut", ErrSnapshot)
		}
		return v, nil
	case tag == tagText && kind == kindText, tag == tagOctets && kind == kindOctets:
		n, err := binary.ReadUvarint(in)
		if err != nil || n > maxValue {
			return nil, fmt.Errorf("%w: a length of %d", ErrSnapshot, n)
		}
		var b strings.Builder
		if m, err := io.CopyN(&b, in, int64(n)); err != nil || uint64(m) != n {
			return nil, fmt.Errorf("%w: a value is cut", ErrSnapshot)
		}
		if kind == kindText {
			return b.String(), nil
		}
		return []byte(b.String()), nil
	}
	return nil, fmt.Errorf("%w: tag %d in a column of %s", ErrSnapshot, tag, kind)
}
