package ca_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"cse.example/cse/pki/ca"
)

// What is read is what was written, whoever wrote it.
func FuzzParseAsking(f *testing.F) {
	f.Add(string(ca.Asking{Act: ca.AskRotation, Label: "due", Fingerprint: "00ff"}.Content()))
	f.Add(string(ca.Asking{Act: ca.AskRevocation, Label: "issuing", Fingerprint: "00ff", Next: "due", NextFingerprint: "ff00"}.Content()))
	f.Add("cse.authority/1|authority.rotate|a|b|c")
	f.Add("cse.campaign/1|revocation|a|1|b")
	f.Fuzz(func(t *testing.T, content string) {
		a, ok := ca.ParseAsking([]byte(content))
		if !ok {
			return
		}
		if d := cmp.Diff(content, string(a.Content())); d != "" {
			t.Error(d)
		}
	})
}
