// Package scratch makes throw-away databases for tests: a SQLite file in the
// test's own folder, always, and a PostgreSQL database of its own when the
// environment names a server:
//
//	CSE_TEST_POSTGRES=postgres://postgres@127.0.0.1:5432/postgres
//
// The account named must be allowed to create databases; each test gets a new
// one with a random name, dropped when the test ends. Without the variable the
// PostgreSQL half is skipped, and says so.
package scratch

import (
	"crypto/rand"
	"database/sql"
	"encoding/hex"
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
	name := "cse_test_" + random(t)
	if _, err := db.ExecContext(t.Context(), "CREATE DATABASE "+name); err != nil {
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
	address.Path = "/" + name
	return address.String()
}

func random(t testing.TB) string {
	t.Helper()
	b := make([]byte, 8)
	if _, err := rand.Read(b); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(b)
}
