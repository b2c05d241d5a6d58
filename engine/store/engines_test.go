package store

import (
	"testing"

	"cse.example/cse/engine/store/internal/scratch"
)

// eachEngine runs f as a subtest on a fresh, migrated store of every engine at
// hand: SQLite always, PostgreSQL when CSE_TEST_POSTGRES names a server.
func eachEngine(t *testing.T, f func(t *testing.T, db *DB)) {
	t.Helper()
	scratch.Each(t, func(t *testing.T, dsn string) {
		db, err := Open(t.Context(), dsn)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		})
		f(t, db)
	})
}

func TestOpenTwice(t *testing.T) {
	scratch.Each(t, func(t *testing.T, dsn string) {
		for range 2 { // the second finds the schema in place
			db, err := Open(t.Context(), dsn)
			if err != nil {
				t.Fatal(err)
			}
			if err := db.Ping(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := db.Close(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
