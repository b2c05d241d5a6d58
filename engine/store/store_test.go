package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
)

func putMeta(ctx context.Context, db *DB, name, value string) error {
	_, err := db.Conn(ctx).ExecContext(ctx, "INSERT INTO meta (name, value) VALUES ($1, $2)", name, value)
	return err
}

func names(t *testing.T, ctx context.Context, db *DB) string {
	t.Helper()
	rows, err := db.Conn(ctx).QueryContext(ctx, "SELECT name FROM meta WHERE name LIKE 'test.%' ORDER BY name")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	var all []string
	for rows.Next() {
		var n string
		if err := rows.Scan(&n); err != nil {
			t.Fatal(err)
		}
		all = append(all, strings.TrimPrefix(n, "test."))
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.Join(all, " ")
}

// Whoever else has an account on the machine reads neither the database nor its
// journal, wherever the folder lies.
func TestFileIsPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "platform.db")
	db, err := Open(t.Context(), "sqlite:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		st, err := os.Stat(path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if st.Mode().Perm() != 0o600 {
			t.Errorf("platform.db%s has mode %o", suffix, st.Mode().Perm())
		}
	}
}

// What an act destroyed (a card's codes, the body of a mail) must not lie on in
// the file's free pages.
func TestDestroyedIsOverwritten(t *testing.T) {
	path := filepath.Join(t.TempDir(), "platform.db")
	db, err := Open(t.Context(), "sqlite:"+path)
	if err != nil {
		t.Fatal(err)
	}
	act := func(query string, args ...any) {
		t.Helper()
		err := db.Atomically(t.Context(), func(ctx context.Context) error {
			_, err := db.Conn(ctx).ExecContext(ctx, query, args...)
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	long := strings.Repeat("long gone ", 1000) // more than a page
	for name, value := range map[string]string{"test.deleted": long, "test.emptied": long, "test.short": "long gone", "test.kept": "kept on"} {
		act("INSERT INTO meta (name, value) VALUES ($1, $2)", name, value)
	}
	act("DELETE FROM meta WHERE name = $1 OR name = $2", "test.deleted", "test.short")
	act("UPDATE meta SET value = '' WHERE name = $1", "test.emptied")
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(b, []byte("kept on")) {
		t.Fatal("the file does not show what it keeps: this test sees nothing")
	}
	if bytes.Contains(b, []byte("long gone")) {
		t.Error("what was destroyed is still in the file")
	}
}

func TestInnerActJoins(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		err := db.Atomically(t.Context(), func(ctx context.Context) error {
			if err := putMeta(ctx, db, "test.outer", ""); err != nil {
				return err
			}
			if err := db.Atomically(ctx, func(ctx context.Context) error { return putMeta(ctx, db, "test.inner", "") }); err != nil {
				return err
			}
			if got := names(t, ctx, db); got != "inner outer" {
				t.Errorf("inside the act: %q", got)
			}
			if got := names(t, t.Context(), db); got != "" && db.SQLite() {
				t.Errorf("outside the act, before it ended: %q", got)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if got := names(t, t.Context(), db); got != "inner outer" {
			t.Errorf("after the act: %q", got)
		}
	})
}

// The failure of the outer act takes back what an inner one had ended well.
func TestNothingIsLeft(t *testing.T) {
	failed := errors.New("failed")
	for name, end := range map[string]func() error{
		"error": func() error { return failed },
		"panic": func() error { panic(failed) },
	} {
		t.Run(name, func(t *testing.T) {
			eachEngine(t, func(t *testing.T, db *DB) {
				func() {
					defer func() {
						if p := recover(); (p != nil) != (name == "panic") {
							t.Errorf("recovered %v", p)
						}
					}()
					err := db.Atomically(t.Context(), func(ctx context.Context) error {
						if err := db.Atomically(ctx, func(ctx context.Context) error { return putMeta(ctx, db, "test.a", "") }); err != nil {
							return err
						}
						return end()
					})
					if !errors.Is(err, failed) {
						t.Errorf("Atomically = %v", err)
					}
				}()
				if got := names(t, t.Context(), db); got != "" {
					t.Errorf("left behind: %q", got)
				}
				// The connection is free again: SQLite has a single writer.
				if err := db.Atomically(t.Context(), func(ctx context.Context) error { return putMeta(ctx, db, "test.b", "") }); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

func TestEndedContext(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		ctx, cancel := context.WithCancel(t.Context())
		err := db.Atomically(ctx, func(ctx context.Context) error {
			if err := putMeta(ctx, db, "test.a", ""); err != nil {
				return err
			}
			cancel()
			return nil
		})
		if err == nil {
			t.Error("an act whose context ended was committed")
		}
		if got := names(t, t.Context(), db); got != "" {
			t.Errorf("left behind: %q", got)
		}
	})
}

// Writing outside an act fails where it can be made to fail.
func TestReadOnlyOutsideActs(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		if err := putMeta(t.Context(), db, "test.a", ""); err == nil && db.SQLite() {
			t.Error("written outside an act")
		}
	})
}

// Read, think, write: no update may be lost, whatever the engine does about it.
func TestConcurrentWriters(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		const writers, each = 6, 15
		if err := db.Atomically(t.Context(), func(ctx context.Context) error { return putMeta(ctx, db, "test.n", "0") }); err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		for range writers {
			all.Go(func() {
				for range each {
					if err := db.Atomically(t.Context(), func(ctx context.Context) error { return increment(ctx, db) }); err != nil {
						t.Error(err)
					}
				}
			})
		}
		all.Wait()
		if got := metaCounter(t, db); got != writers*each {
			t.Errorf("%d increments were kept, want %d", got, writers*each)
		}
	})
}

func increment(ctx context.Context, db *DB) error {
	var n int
	if err := db.Conn(ctx).QueryRowContext(ctx, "SELECT value FROM meta WHERE name = 'test.n'").Scan(&n); err != nil {
		return err
	}
	_, err := db.Conn(ctx).ExecContext(ctx, "UPDATE meta SET value = $1 WHERE name = 'test.n'", fmt.Sprint(n+1))
	return err
}

func metaCounter(t *testing.T, db *DB) (n int) {
	t.Helper()
	if err := db.Conn(t.Context()).QueryRowContext(t.Context(), "SELECT value FROM meta WHERE name = 'test.n'").Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// Readers see whole acts while somebody writes.
func TestReadersSeeWholeActs(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		stop := make(chan struct{})
		var all sync.WaitGroup
		all.Go(func() {
			defer close(stop)
			for i := range 30 {
				err := db.Atomically(t.Context(), func(ctx context.Context) error {
					return errors.Join(putMeta(ctx, db, fmt.Sprintf("test.%02da", i), ""), putMeta(ctx, db, fmt.Sprintf("test.%02db", i), ""))
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
		for reading := true; reading; {
			select {
			case <-stop:
				reading = false
			default:
			}
			if n := len(strings.Fields(names(t, t.Context(), db))); n%2 != 0 {
				t.Fatalf("half an act was seen: %d rows", n)
			}
		}
		all.Wait()
	})
}

// A serialization failure repeats the act; any other error does not.
func TestRetries(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int // calls
	}{
		{nil, 1},
		{errors.New("no"), 1},
		{&pgconn.PgError{Code: "23505"}, 1},
		{fmt.Errorf("wrapped: %w", &pgconn.PgError{Code: "40001"}), 3},
		{&pgconn.PgError{Code: "40P01"}, 3},
	} {
		eachEngine(t, func(t *testing.T, db *DB) {
			calls := 0
			err := db.Atomically(t.Context(), func(ctx context.Context) error {
				calls++
				if err := putMeta(ctx, db, "test.a", ""); err != nil { // a second call would collide with a first that was kept
					return err
				}
				if calls < 3 {
					return c.err
				}
				return nil
			})
			if calls != c.want {
				t.Errorf("%v: %d calls, want %d", c.err, calls, c.want)
			}
			if ok := c.err == nil || c.want > 1; (err == nil) != ok {
				t.Errorf("%v: Atomically = %v", c.err, err)
			}
		})
	}
}

func TestRetriesEnd(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		defer cancel()
		err := db.Atomically(ctx, func(context.Context) error { return &pgconn.PgError{Code: "40001"} })
		if !retryable(err) && !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Atomically = %v", err)
		}
	})
}

func TestRefusedAddresses(t *testing.T) {
	for _, dsn := range []string{"", "mysql://x", "cse.db", "sqlite:" + filepath.Join(t.TempDir(), "no", "such", "folder", "cse.db"), "postgres://nobody@127.0.0.1:1/none?connect_timeout=1"} {
		db, err := Open(t.Context(), dsn)
		if err == nil {
			_ = db.Close()
			t.Errorf("Open(%q) was accepted", dsn)
		}
	}
}

// A path with what a URL would take for its own.
func TestOddPath(t *testing.T) {
	db, err := Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "a b?c#d%20.db"))
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
}

func TestColumns(t *testing.T) {
	at := time.Date(2026, 11, 23, 11, 0, 0, 123456000, time.UTC)
	for _, c := range []time.Time{{}, at} {
		if got := instant(micros(c)); !got.Equal(c) || got.IsZero() != c.IsZero() {
			t.Errorf("instant(micros(%v)) = %v", c, got)
		}
	}
	if flag(true) != 1 || flag(false) != 0 {
		t.Error("flag")
	}
}

func FuzzRewrite(f *testing.F) {
	f.Add("SELECT $1, $12 FROM t WHERE a = $2")
	f.Fuzz(func(t *testing.T, q string) {
		if got := rewrite(q); dollar.MatchString(got) {
			t.Errorf("rewrite(%q) = %q", q, got)
		}
	})
}
