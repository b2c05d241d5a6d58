// Package scratch makes throw-away databases for tests: a SQLite file in the
// test's own folder, always, and a PostgreSQL database of its own when the
// environment names a server:
//
//	CSE_TEST_POSTGRES=postgres://postgres@127.0.0.1:5432/postgres
//
// The account named must be allowed to create databases; each test gets a new
// one with a random name, dropped when the test ends; templates stay. Without the variable the
// PostgreSQL half is skipped, and says so.
package scratch

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the "pgx" driver
)

// Variable names the environment variable that holds the administrator's
// address of a PostgreSQL server.
const Variable = "CSE_TEST_POSTGRES"

// Each runs f as a subtest on every engine at hand, with the address of an
// empty database in the form that store.Open takes.
func Each(t *testing.T, f func(t *testing.T, dsn string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { f(t, SQLite(t)) })
	t.Run("postgres", func(t *testing.T) { f(t, Postgres(t)) })
}

// SQLite is the address of a new file in the test's folder.
func SQLite(t testing.TB) string {
	t.Helper()
	return "sqlite:" + filepath.Join(t.TempDir(), "cse.db")
}

// Postgres is the address of a new database; the test is skipped when no
// server is named.
func Postgres(t testing.TB) string {
	t.Helper()
	return create(t, "", nil)
}

// PostgresLike is the address of a new database, a copy of the one called
// template, which prepare fills when the server does not have it. It stays on
// the server for the next process: its name should say what is in it.
func PostgresLike(t testing.TB, template string, prepare func(ctx context.Context, dsn string) error) string {
	t.Helper()
	return create(t, template, prepare)
}

func create(t testing.TB, template string, prepare func(ctx context.Context, dsn string) error) string {
	t.Helper()
	admin := os.Getenv(Variable)
	if admin == "" {
		t.Skip(Variable + " names no PostgreSQL server")
	}
	address, err := url.Parse(admin)
	if err != nil {
		t.Fatalf("%s: %v", Variable, err)
	}
	db, err := sql.Open("pgx", admin)
	if err != nil {
		t.Fatal(err)
	}
	like := ""
	if template != "" {
		if err := once(t.Context(), db, address, template, prepare); err != nil {
			t.Fatalf("make the template of the scratch databases: %v", err)
		}
		like = " TEMPLATE " + template
	}
	name := "cse_test_" + random(t)
	if _, err := db.ExecContext(t.Context(), "CREATE DATABASE "+name+like); err != nil {
		t.Fatalf("make a scratch database: %v", err)
	}
	t.Cleanup(func() {
		// FORCE: a test that failed may have left connections behind.
		if _, err := db.Exec("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
			t.Errorf("drop the scratch database: %v", err)
		}
		if err := db.Close(); err != nil {
			t.Error(err)
		}
	})
	return at(*address, name)
}

func at(address url.URL, database string) string {
	address.Path = "/" + database
	return address.String()
}

// once makes the template unless it is there. Test processes that start together take turns by the server's advisory lock; a
// template gets its name only when it is whole.
func once(ctx context.Context, db *sql.DB, address *url.URL, template string, prepare func(ctx context.Context, dsn string) error) (err error) {
	c, err := db.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	const turn = 0x435345 // CSE
	if _, err := c.ExecContext(ctx, "SELECT pg_advisory_lock($1)", turn); err != nil {
		return err
	}
	defer func() {
		_, unlock := c.ExecContext(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock($1)", turn)
		err = errors.Join(err, unlock)
	}()
	var n int
	if err := c.QueryRowContext(ctx, "SELECT count(*) FROM pg_database WHERE datname = $1", template).Scan(&n); err != nil || n == 1 {
		return err
	}
	making := template + "_new"
	if _, err := c.ExecContext(ctx, "DROP DATABASE IF EXISTS "+making+" WITH (FORCE)"); err != nil {
		return err
	}
	if _, err := c.ExecContext(ctx, "CREATE DATABASE "+making); err != nil {
		return err
	}
	if err := prepare(ctx, at(*address, making)); err != nil {
		return err
	}
	_, err = c.ExecContext(ctx, "ALTER DATABASE "+making+" RENAME TO "+template)
	return err
}

func random(t testing.TB) string {
	t.Helper()
	b := make([]byte, 8)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(b)
}
