// Command prove prints every rule of the catalogue with the tests that prove it
// and its kind (make rules). It ends with status 1 when a proof is missing that
// should be there.
package main

import (
	"fmt"
	"os"

	"cse.example/cse/test/rules/proofs"
)

func main() {
	r, err := proofs.Collect(".")
	if err == nil {
		err = r.Print(os.Stdout)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if len(r.Faults) > 0 {
		os.Exit(1)
	}
}
