// Package storetest opens the store for other packages' tests, once on SQLite
// and once on PostgreSQL (see engine/store/internal/scratch for the variable
// that names the server). Every adapter's suite runs inside Each, so that no
// behaviour is true on one engine only.
//
// Migrations run once: a test's store is a copy of one that was migrated, a
// file for SQLite, a template database on the server for PostgreSQL.
package storetest

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"cse.example/cse/engine/store"
	"cse.example/cse/engine/store/internal/scratch"
)

// Each runs f as a subtest on a fresh, migrated store of every engine at hand.
func Each(t *testing.T, f func(t *testing.T, db *store.DB)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { f(t, SQLite(t)) })
	t.Run("postgres", func(t *testing.T) {
		f(t, open(t, scratch.PostgresLike(t, "cse_template_"+store.SchemaDigest()[:16], migrate)))
	})
}

// SQLite is one fresh store, for tests in which the engine does not matter.
func SQLite(t testing.TB) *store.DB {
	t.Helper()
	dsn := scratch.SQLite(t)
	b, err := migrated()
	if err == nil {
		err = os.WriteFile(strings.TrimPrefix(dsn, "sqlite:"), b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return open(t, dsn)
}

// migrated is the content of an empty SQLite store; the log is folded into the file when the store is closed.
var migrated = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "cse-template-*")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }() // a folder of ours in the system's place for such
	path := filepath.Join(dir, "cse.db")
	if err := migrate(context.Background(), "sqlite:"+path); err != nil {
		return nil, err
	}
	return os.ReadFile(path)
})

func migrate(ctx context.Context, dsn string) error {
	db, err := store.Open(ctx, dsn)
	if err != nil {
		return err
	}
	return db.Close()
}

func open(t testing.TB, dsn string) *store.DB {
	t.Helper()
	db, err := store.Open(t.Context(), dsn)
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

// Postgres is the address of an empty PostgreSQL database, for what opens the store
// itself; the test is skipped when no server is named.
func Postgres(t testing.TB) string {
	t.Helper()
	return scratch.Postgres(t)
}
