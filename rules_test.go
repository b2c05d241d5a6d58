package cse_test

import (
	"testing"

	"cse.example/cse/test/rules/proofs"
)

// Every rule has a proof that exists, or stands on the list of docs/status.md;
// the rules of the work done so far may not be open at all. make rules prints
// them.
func TestTheRulesAreProved(t *testing.T) {
	r, err := proofs.Collect(".")
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Rules) != 119 {
		t.Errorf("%d rules in the catalogue", len(r.Rules))
	}
	for _, f := range r.Faults {
		t.Error(f)
	}
}
