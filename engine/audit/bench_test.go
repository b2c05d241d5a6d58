package audit_test

import (
	"context"
	"fmt"
	"testing"

	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/journal"
)

// BenchmarkRecord is what a record costs: alone in its act, and beside others in
// one, about people and cards that are known or new.
func BenchmarkRecord(b *testing.B) {
	for _, c := range []struct {
		name    string
		per, of int // records in an act; people and cards in turn, 0: each its own
	}{{"alone", 1, 1000}, {"hundred", 100, 1000}, {"hundred-new", 100, 0}} {
		b.Run(c.name, func(b *testing.B) {
			db := storetest.SQLite(b)
			trail := open(b, db)
			for i := 0; i < b.N; {
				err := db.Atomically(b.Context(), func(ctx context.Context) error {
					for n := 0; n < c.per && i < b.N; n, i = n+1, i+1 {
						who := i
						if c.of > 0 {
							who = i % c.of
						}
						err := trail.Record(ctx, journal.Entry{
							Act: "certificate.issued", Actor: "system:production", Card: fmt.Sprintf("60900%011d", who), Person: fmt.Sprintf("P%015d", who),
							Detail: map[string]string{"serial": fmt.Sprintf("%032x", i), "until": "2032-11-23"},
						})
						if err != nil {
							return err
						}
					}
					return nil
				})
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
}
