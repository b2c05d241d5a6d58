package store

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"cse.example/cse/engine/store/internal/scratch"
)

// Queries of the form that sqlc writes, and so kept.
const (
	keptAll    = "-- name: All :many\nSELECT * FROM kept ORDER BY id"
	keptOne    = "-- name: One :one\nSELECT * FROM kept WHERE id = $1"
	keptInsert = "-- name: Insert :exec\nINSERT INTO kept (id, word) VALUES ($1, $2)"
)

func keptWords(ctx context.Context, db *DB) (words []string, columns int, err error) {
	rows, err := db.Conn(ctx).QueryContext(ctx, keptAll)
	if err != nil {
		return nil, 0, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	names, err := rows.Columns()
	if err != nil {
		return nil, 0, err
	}
	for rows.Next() {
		row := make([]any, len(names))
		for i := range row {
			row[i] = new(any)
		}
		if err := rows.Scan(row...); err != nil {
			return nil, 0, err
		}
		words = append(words, fmt.Sprint(*row[1].(*any))) //nolint:forcetypeassert // made above
	}
	return words, len(names), rows.Err()
}

func openKept(t *testing.T, dsn string) *DB {
	t.Helper()
	db, err := Open(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return db
}

func within(t *testing.T, db *DB, statement string, args ...any) error {
	t.Helper()
	return db.Atomically(t.Context(), func(ctx context.Context) error {
		_, err := db.Conn(ctx).ExecContext(ctx, statement, args...)
		return err
	})
}

// Kept statements outlive a change of the schema that somebody else makes, inside
// acts and outside; one that fails can be run again; an act that is undone leaves
// nothing.
func TestKeptStatementsSurvive(t *testing.T) {
	scratch.Each(t, func(t *testing.T, dsn string) {
		db, other := openKept(t, dsn), openKept(t, dsn)
		must := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		expect := func(want []string, columns int) {
			t.Helper()
			for _, ctx := range []context.Context{t.Context(), nil} {
				if ctx != nil {
					got, n, err := keptWords(ctx, db)
					if err != nil || !slices.Equal(got, want) || n != columns {
						t.Errorf("outside an act: %v, %d columns, %v", got, n, err)
					}
					continue
				}
				must(db.Atomically(t.Context(), func(ctx context.Context) error {
					got, n, err := keptWords(ctx, db)
					if err == nil && (!slices.Equal(got, want) || n != columns) {
						t.Errorf("inside an act: %v, %d columns", got, n)
					}
					return err
				}))
			}
		}
		must(within(t, db, "CREATE TABLE kept (id BIGINT PRIMARY KEY, word TEXT NOT NULL)"))
		must(within(t, db, keptInsert, 1, "uno"))
		expect([]string{"uno"}, 2)
		must(within(t, other, "ALTER TABLE kept ADD COLUMN more TEXT NOT NULL DEFAULT 'x'"))
		expect([]string{"uno"}, 3)
		if err := within(t, db, keptInsert, 1, "again"); err == nil {
			t.Error("one key twice")
		}
		must(within(t, db, keptInsert, 2, "due"))
		undone := errors.New("undone")
		err := db.Atomically(t.Context(), func(ctx context.Context) error {
			_, err := db.Conn(ctx).ExecContext(ctx, keptInsert, 3, "tre")
			return errors.Join(err, undone)
		})
		if !errors.Is(err, undone) {
			t.Error(err)
		}
		expect([]string{"uno", "due"}, 3)
		gone, stop := context.WithCancel(t.Context())
		stop()
		if _, err := db.Conn(t.Context()).ExecContext(gone, keptInsert, 4, "quattro"); err == nil {
			t.Error("written with a context that had ended")
		}
		must(within(t, other, "DROP TABLE kept"))
		if _, _, err := keptWords(t.Context(), db); err == nil {
			t.Error("read from a table that is gone")
		}
		must(within(t, other, "CREATE TABLE kept (id BIGINT PRIMARY KEY, word TEXT NOT NULL)"))
		expect(nil, 2)
	})
}

// The same query may run inside its own rows, and from several goroutines of one
// act or none.
func TestKeptStatementsDoNotMix(t *testing.T) {
	db := sqliteOnly(t)
	if err := within(t, db, "CREATE TABLE kept (id BIGINT PRIMARY KEY, word TEXT NOT NULL)"); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		if err := within(t, db, keptInsert, i, fmt.Sprint(i)); err != nil {
			t.Fatal(err)
		}
	}
	one := func(ctx context.Context, id int) {
		var got, word string
		if err := db.Conn(ctx).QueryRowContext(ctx, keptOne, id).Scan(&got, &word); err != nil || word != fmt.Sprint(id) {
			t.Errorf("row %d: %q, %v", id, word, err)
		}
	}
	look := func(ctx context.Context) error {
		rows, err := db.Conn(ctx).QueryContext(ctx, keptAll)
		if err != nil {
			return err
		}
		defer func() { _ = rows.Close() }() // read to its end below
		for n := 0; rows.Next(); n++ {
			var id int
			var word string
			if err := rows.Scan(&id, &word); err != nil {
				return err
			}
			if id != n || word != fmt.Sprint(n) {
				t.Errorf("row %d is %d %q", n, id, word)
			}
			if n == 3 {
				inner, _, err := keptWords(ctx, db)
				if err != nil || len(inner) != 20 {
					t.Errorf("inside the rows: %v, %v", inner, err)
				}
			}
			one(ctx, n)
		}
		return rows.Err()
	}
	if err := look(t.Context()); err != nil {
		t.Error(err)
	}
	err := db.Atomically(t.Context(), func(ctx context.Context) error {
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				if err := look(ctx); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		return look(ctx)
	})
	if err != nil {
		t.Error(err)
	}
}

// A query is parsed once a connection; one that sqlc did not write is not kept.
func TestStatementsAreKeptOnce(t *testing.T) {
	db := sqliteOnly(t)
	if err := within(t, db, "CREATE TABLE kept (id BIGINT PRIMARY KEY, word TEXT NOT NULL)"); err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		if err := within(t, db, keptInsert, i, "x"); err != nil {
			t.Fatal(err)
		}
		if err := within(t, db, fmt.Sprintf("UPDATE kept SET word = 'y' WHERE id = %d", i)); err != nil {
			t.Fatal(err)
		}
	}
	c, err := db.write.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }() // back to the pool
	err = c.Raw(func(x any) error {
		kept := x.(*preparedConn).kept //nolint:forcetypeassert // the only kind there is
		if kept[rewrite(keptInsert)] == nil {
			t.Error("the query of sqlc's form is not kept")
		}
		for q := range kept {
			if !strings.HasPrefix(q, "-- name:") {
				t.Errorf("%q is kept", q)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
