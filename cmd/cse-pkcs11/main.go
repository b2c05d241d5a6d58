//go:build cgo

// Command cse-pkcs11 is the PKCS#11 module: libcse-pkcs11.so, made with
//
//	CGO_ENABLED=1 go build -buildmode=c-shared -o bin/libcse-pkcs11.so ./cmd/cse-pkcs11
//
// All logic is in card/cryptoki; module.c holds the C functions, and this
// package carries values from C memory to Go and back. No Go pointer is left in
// C memory, and no panic leaves: it becomes CKR_GENERAL_ERROR.
//
// CSE_PKCS11_CARD, when set, names a chip file to use instead of the readers of
// this machine: for tests.
package main

import (
	"os"
	"time"

	"cse.example/cse/card/cryptoki"
)

var module = cryptoki.New(readers, time.Now)

func readers() cryptoki.Readers {
	if path := os.Getenv("CSE_PKCS11_CARD"); path != "" {
		return cryptoki.File(path)
	}
	return cryptoki.PCSC()
}

func main() {}
