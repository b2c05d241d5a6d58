//go:build !cgo

// Command cse-pkcs11 is the PKCS#11 module; it needs a C compiler and cgo.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Fprintln(os.Stderr, "cse-pkcs11 is a library: build it with cgo, see docs/module.md")
	os.Exit(64)
}
