package ca_test

import (
	"context"
	"testing"

	"cse.example/cse/engine/audit"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/secret"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/ca/catest"
)

// BenchmarkIssue is the figure of make bench: certificates per second, each
// reserved, linted, signed, stored and journalled in the audit chain, durable
// (SQLite, synchronous=FULL) when counted. The keys are made before the clock
// starts: the card makes them in life.
func BenchmarkIssue(b *testing.B) {
	db := storetest.SQLite(b)
	a := catest.New(b, db, db.PKI(), func(p *ca.Parts) {
		trail, err := audit.New(audit.Config{
			Conn:       func(ctx context.Context) audit.DBTX { return db.Conn(ctx) },
			Atomically: db.Atomically, Clock: p.Clock, Key: secret.New(make([]byte, 32)),
		})
		if err != nil {
			b.Fatal(err)
		}
		p.Record = trail.Record
	})
	qs := make([]ca.Request, b.N)
	for i := range qs {
		qs[i] = catest.Request(b, i)
	}
	b.ResetTimer()
	for i, r := range a.IssueBatch(b.Context(), qs) {
		if r.Err != nil {
			b.Fatalf("request %d: %v", i, r.Err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "issued/s")
}
