package ca

import (
	"strings"
)

// What a second person approves of an authority: the exact certificate, and what
// becomes of it.

// The acts that need two people.
const (
	AskRotation   = "authority.rotate"
	AskRevocation = "authority.revoke"
)

// Asking is the content of a request.
type Asking struct {
	// Act is one of the above; Label and Fingerprint (SHA-256) are the authority's.
	Act, Label, Fingerprint string
	// Next and NextFingerprint are the authority that issues after a revocation of
	// the one that does; empty when it does not.
	Next, NextFingerprint string
}

const askingPrefix = "cse.authority/1"

// Content is exactly what is approved.
func (a Asking) Content() []byte {
	return []byte(strings.Join([]string{askingPrefix, a.Act, a.Label, a.Fingerprint, a.Next, a.NextFingerprint}, "|"))
}

// ParseAsking reads what Content wrote; ok is false for anything else.
func ParseAsking(content []byte) (a Asking, ok bool) {
	p := strings.Split(string(content), "|")
	if len(p) != 6 || p[0] != askingPrefix || p[1] != AskRotation && p[1] != AskRevocation {
		return a, false
	}
	return Asking{p[1], p[2], p[3], p[4], p[5]}, true
}
