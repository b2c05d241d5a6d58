package store

import (
	"bufio"
	"context"
	"database/sql"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// A snapshot is every row of every table as they stood at one instant, in a form
// that both engines read (docs/decisions/0984): the line "CSE STORE 1", then for
// each table a line of JSON (name, columns, their kinds), its rows, and its count;
// at the end an empty table. A row is the octet 1 and its values in the order of the
// columns; a value is a tag (0 NULL, 1 integer, 2 text, 3 octets), then a zigzag
// varint, or a length and that many octets. The count is the octet 0 and a varint.
const snapshotLine = "CSE STORE 1\n"

// kinds of a column, as its table declares it; every column is one of these.
const (
	kindInteger = "BIGINT"
	kindText    = "TEXT"
	kindOctets  = "BYTEA"
)

// table is a table's head in a snapshot; an empty name ends the snapshot.
type table struct {
	Table   string   `json:"table"`
	Columns []string `json:"columns,omitempty"`
	Kinds   []string `json:"kinds,omitempty"`
}

// The tags of values and rows.
const (
	tagNull, tagInteger, tagText, tagOctets = 0, 1, 2, 3
	tagEnd, tagRow                          = 0, 1
)

// Snapshot runs read on the store as it stands now: whatever it reads through ctx,
// and what write writes, is of one instant, whatever others do meanwhile. Nothing
// may be written in it. Writers are not kept waiting.
func (db *DB) Snapshot(ctx context.Context, read func(ctx context.Context, write func(w io.Writer) error) error) (err error) {
	opts := &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead}
	if db.sqlite {
		opts = &sql.TxOptions{} // a read transaction of the write-ahead log is a snapshot
	}
	tx, err := db.read.BeginTx(ctx, opts)
	if err != nil {
		return fmt.Errorf("store: snapshot: %w", err)
	}
	defer func() {
		if e := tx.Rollback(); err == nil && !errors.Is(e, sql.ErrTxDone) {
			err = e
		}
	}()
	// The instant is that of the first read.
	var n int64
	if err := tx.QueryRowContext(ctx, "SELECT COUNT(*) FROM goose_db_version").Scan(&n); err != nil {
		return fmt.Errorf("store: snapshot: %w", err)
	}
	return read(context.WithValue(ctx, txKey{db}, tx), func(w io.Writer) error { return db.dump(ctx, tx, w) })
}

func (db *DB) dump(ctx context.Context, tx *sql.Tx, w io.Writer) error {
	out := bufio.NewWriterSize(w, 1<<16)
	if _, err := out.WriteString(snapshotLine); err != nil {
		return fmt.Errorf("store: snapshot: %w", err)
	}
	all, err := db.tables(ctx, tx)
	if err != nil {
		return err
	}
	for _, t := range all {
		if err := db.dumpTable(ctx, tx, t, out); err != nil {
			return fmt.Errorf("store: snapshot of %s: %w", t.Table, err)
		}
	}
	if err := writeHead(out, table{}); err != nil {
		return err
	}
	if err := out.Flush(); err != nil {
		return fmt.Errorf("store: snapshot: %w", err)
	}
	return nil
}

func writeHead(w io.Writer, t table) error {
	b, err := json.Marshal(t)
	if err != nil {
		return fmt.Errorf("store: snapshot: %w", err)
	}
	_, err = w.Write(append(b, '\n'))
	return err
}

// tables lists ours, with their columns; goose's own is not among them.
func (db *DB) tables(ctx context.Context, tx DBTX) ([]table, error) {
	q := `SELECT c.table_name, c.column_name, upper(c.data_type) FROM information_schema.columns c
JOIN information_schema.tables t ON t.table_schema = c.table_schema AND t.table_name = c.table_name
WHERE c.table_schema = current_schema() AND t.table_type = 'BASE TABLE' ORDER BY c.table_name, c.ordinal_position`
	if db.sqlite {
		q = `SELECT m.name, c.name, upper(c.type) FROM sqlite_master m, pragma_table_info(m.name) c
WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' ORDER BY m.name, c.cid`
	}
	rows, err := tx.QueryContext(ctx, q)
	if err != nil {
		return nil, fmt.Errorf("store: list tables: %w", err)
	}
	defer rows.Close()
	var out []table
	for rows.Next() {
		var name, column, kind string
		if err := rows.Scan(&name, &column, &kind); err != nil {
			return nil, fmt.Errorf("store: list tables: %w", err)
		}
		if name == "goose_db_version" {
			continue
		}
		if len(out) == 0 || out[len(out)-1].Table != name {
			out = append(out, table{Table: name})
		}
		t := &out[len(out)-1]
		t.Columns, t.Kinds = append(t.Columns, column), append(t.Kinds, kind)
		if kind != kindInteger && kind != kindText && kind != kindOctets {
			return nil, fmt.Errorf("store: %s.%s is of kind %s, which no snapshot has", name, column, kind)
		}
	}
	return out, rows.Err()
}

// quoted is a name in SQL.
func quoted(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

func list(names []string) string {
	out := make([]string, len(names))
	for i, n := range names {
		out[i] = quoted(n)
	}
	return strings.Join(out, ", ")
}

func (db *DB) dumpTable(ctx context.Context, tx *sql.Tx, t table, out *bufio.Writer) error {
	if err := writeHead(out, t); err != nil {
		return err
	}
	rows, err := tx.QueryContext(ctx, "SELECT "+list(t.Columns)+" FROM "+quoted(t.Table)) //nolint:gosec // names of our own tables
	if err != nil {
		return err
	}
	defer rows.Close()
	values, into := make([]any, len(t.Columns)), make([]any, len(t.Columns))
	for i := range values {
		into[i] = &values[i]
	}
	var line []byte
	count := uint64(0)
	for ; rows.Next(); count++ {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		line = append(line[:0], tagRow)
		for i, v := range values {
			if line, err = appendValue(line, v, t.Kinds[i]); err != nil {
				return fmt.Errorf("column %s: %w", t.Columns[i], err)
			}
		}
		if _, err := out.Write(line); err != nil {
			return err
		}
	}
	if err := rows.Err(); err != nil {
		return err
	}
	_, err = out.Write(binary.AppendUvarint([]byte{tagEnd}, count))
	return err
}

// appendValue writes a value as its column declares it: SQLite keeps the default
// of a column of octets as a text.
func appendValue(b []byte, v any, kind string) ([]byte, error) {
	text := func(tag byte, s string) []byte {
		b = binary.AppendUvarint(append(b, tag), uint64(len(s)))
		return append(b, s...)
	}
	tag := byte(tagText)
	if kind == kindOctets {
		tag = tagOctets
	}
	switch v := v.(type) {
	case nil:
		return append(b, tagNull), nil
	case int64:
		if kind != kindInteger {
			return nil, fmt.Errorf("an integer in a column of %s", kind)
		}
		return binary.AppendVarint(append(b, tagInteger), v), nil
	case string:
		if kind == kindInteger {
			return nil, errors.New("a text in a column of integers")
		}
		return text(tag, v), nil
	case []byte:
		if kind == kindInteger {
			return nil, errors.New("octets in a column of integers")
		}
		return text(tag, string(v)), nil
	}
	return nil, fmt.Errorf("a value of type %T", v)
}
