// Package storetest opens the store for other packages' tests, once on SQLite
// and once on PostgreSQL (see engine/store/internal/scratch for the variable
// that names the server). Every adapter's suite runs inside Each, so that no
// behaviour is true on one engine only.
package storetest

import (
	"testing"

	"cse.example/cse/engine/store"
	"cse.example/cse/engine/store/internal/scratch"
)

// Each runs f as a subtest on a fresh, migrated store of every engine at hand.
func Each(t *testing.T, f func(t *testing.T, db *store.DB)) {
	t.Helper()
	scratch.Each(t, func(t *testing.T, dsn string) { f(t, open(t, dsn)) })
}

// SQLite is one fresh store, for tests in which the engine does not matter.
func SQLite(t testing.TB) *store.DB {
	t.Helper()
	return open(t, scratch.SQLite(t))
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
