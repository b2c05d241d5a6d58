package store

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"testing"

	"cse.example/cse/engine/store/internal/scratch"
)

// fill writes rows of every kind into every table, past what one INSERT carries.
func fill(t *testing.T, db *DB, rows int) {
	t.Helper()
	ctx := t.Context()
	all, err := db.tables(ctx, db.read)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) < 50 {
		t.Fatalf("only %d tables", len(all))
	}
	err = db.Atomically(ctx, func(ctx context.Context) error {
		for _, x := range all {
			n := rows
			if slices.Contains(fromMigrations, x.Table) {
				continue
			}
			for i := range n {
				var args []any
				for j, k := range x.Kinds {
					switch k {
					case kindInteger:
						args = append(args, int64(i)*1_000_003-int64(j))
					case kindText:
						args = append(args, fmt.Sprintf("%d è %d\n\x00"[:6+i%2], i, j))
					default:
						args = append(args, []byte(strings.Repeat(string(rune(i)), i%3)))
					}
				}
				for j, k := range x.Kinds { // keys must differ
					if k == kindOctets && i > 0 {
						args[j] = []byte{byte(i), byte(i >> 8), 0, 255}
					}
				}
				if _, err := db.Conn(ctx).ExecContext(ctx, insert(x, 1), args...); err != nil {
					return fmt.Errorf("%s: %w", x.Table, err)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// content is every row of every table, as text.
func content(t *testing.T, db *DB) map[string][]string {
	t.Helper()
	out := map[string][]string{}
	all, err := db.tables(t.Context(), db.read)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range all {
		slices.Sort(x.Columns)
		rows, err := db.read.QueryContext(t.Context(), "SELECT "+list(x.Columns)+" FROM "+quoted(x.Table))
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			values, into := make([]any, len(x.Columns)), make([]any, len(x.Columns))
			for i := range values {
				into[i] = &values[i]
			}
			if err := rows.Scan(into...); err != nil {
				t.Fatal(err)
			}
			line := ""
			for _, v := range values {
				if s, ok := v.(string); ok {
					v = []byte(s)
				}
				line += fmt.Sprintf("%v|", v)
			}
			out[x.Table] = append(out[x.Table], line)
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			t.Fatal(err)
		}
		slices.Sort(out[x.Table])
	}
	return out
}

func taken(t *testing.T, db *DB, meanwhile func()) []byte {
	t.Helper()
	var b bytes.Buffer
	err := db.Snapshot(t.Context(), func(_ context.Context, write func(io.Writer) error) error {
		meanwhile()
		return write(&b)
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A snapshot of either engine restores to both, row by row; what is written while
// it is taken is not in it.
func TestASnapshotRestoresToEitherEngine(t *testing.T) {
	version, err := SchemaVersion()
	if err != nil {
		t.Fatal(err)
	}
	scratch.Each(t, func(t *testing.T, dsn string) {
		from, err := Open(t.Context(), dsn)
		if err != nil {
			t.Fatal(err)
		}
		defer from.Close()
		fill(t, from, 7)
		before := content(t, from)
		b := taken(t, from, func() {
			err := from.Atomically(t.Context(), func(ctx context.Context) error {
				_, err := from.Conn(ctx).ExecContext(ctx, "UPDATE audit_head SET idx = 99")
				return err
			})
			if err != nil {
				t.Error(err)
			}
		})
		if maps.EqualFunc(before, content(t, from), slices.Equal) {
			t.Error("nothing was written meanwhile: the test proves nothing")
		}
		scratch.Each(t, func(t *testing.T, dsn string) {
			if err := Restore(t.Context(), dsn, version, bytes.NewReader(b)); err != nil {
				t.Fatal(err)
			}
			to, err := Open(t.Context(), dsn)
			if err != nil {
				t.Fatal(err)
			}
			defer to.Close()
			after := content(t, to)
			for name, rows := range before {
				if !slices.Equal(rows, after[name]) {
					t.Errorf("%s: %d rows were %d\n%q\n%q", name, len(after[name]), len(rows), after[name], rows)
				}
			}
			if err := Restore(t.Context(), dsn, version, bytes.NewReader(b)); !errors.Is(err, ErrNotEmpty) {
				t.Errorf("a second time: %v", err)
			}
		})
	})
}

// What is cut, changed or of another schema is refused, and the place stays empty.
func TestADamagedSnapshotIsRefused(t *testing.T) {
	version, err := SchemaVersion()
	if err != nil {
		t.Fatal(err)
	}
	dsn := scratch.SQLite(t)
	from, err := Open(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	fill(t, from, 3)
	whole := taken(t, from, func() {})
	to := scratch.SQLite(t)
	refused := func(what string, b []byte) {
		t.Helper()
		if err := Restore(t.Context(), to, version, bytes.NewReader(b)); err == nil {
			t.Fatalf("%s is restored", what)
		}
	}
	for _, at := range []int{0, 5, len(snapshotLine), len(whole) / 3, len(whole) / 2, len(whole) - 1} {
		refused(fmt.Sprintf("cut at %d", at), whole[:at])
	}
	refused("something at the end", append(bytes.Clone(whole), 0))
	refused("another table", bytes.Replace(whole, []byte(`{"table":"card",`), []byte(`{"table":"dard",`), 1))
	refused("another column", bytes.Replace(whole, []byte(`"tbs"`), []byte(`"tbt"`), 1))
	if err := Restore(t.Context(), to, version+1, bytes.NewReader(whole)); !errors.Is(err, ErrNewer) {
		t.Errorf("of a later program: %v", err)
	}
	if err := Restore(t.Context(), to, version, bytes.NewReader(whole)); err != nil {
		t.Errorf("after all that, the whole one: %v", err)
	}
}

func FuzzReadSnapshot(f *testing.F) {
	f.Add([]byte(snapshotLine+`{"table":"x","columns":["a"],"kinds":["BIGINT"]}`+"\n\x01\x01\x02\x00\x01"), 0)
	f.Add([]byte("\x03\x05abcde"), 1)
	f.Fuzz(func(t *testing.T, b []byte, kind int) {
		kinds := []string{kindInteger, kindText, kindOctets}
		in := bufio.NewReader(bytes.NewReader(b))
		if _, err := readHead(in); err != nil && !errors.Is(err, ErrSnapshot) {
			t.Error(err)
		}
		k := kinds[uint(kind)%3]
		v, err := readValue(bufio.NewReader(bytes.NewReader(b)), k)
		if err != nil {
			if !errors.Is(err, ErrSnapshot) {
				t.Error(err)
			}
			return
		}
		again, err := appendValue(nil, v, k)
		if err != nil {
			t.Fatal(err)
		}
		if w, err := readValue(bufio.NewReader(bytes.NewReader(again)), k); err != nil || fmt.Sprint(w) != fmt.Sprint(v) {
			t.Errorf("%v came back as %v, %v", v, w, err)
		}
	})
}

// A snapshot of an earlier program is read into its own schema, and brought up to date.
func TestASnapshotOfAnEarlierSchema(t *testing.T) {
	all, err := sources()
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(all)
	before := all[len(all)-2]
	from, err := open(t.Context(), scratch.SQLite(t))
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	if err := from.migrateTo(t.Context(), before); err != nil {
		t.Fatal(err)
	}
	b := taken(t, from, func() {})
	dsn := scratch.SQLite(t)
	if err := Restore(t.Context(), dsn, before, bytes.NewReader(b)); err != nil {
		t.Fatal(err)
	}
}
