package main

import (
	"bytes"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"cse.example/cse/pki/trust/trusttest"
)

// R4, R9, R15: `cse verify certificate` refuses what the card's door refuses, with the reason and the exit status of each, and
// accepts each without its fault (login.md 8.1, X.509).
func TestR9_VerifyCertificateNegative(t *testing.T) {
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	anchors, cases := trusttest.Make(t, now)
	dir := t.TempDir()
	n := 0
	file := func(kind string, ders ...[]byte) string {
		n++
		name := filepath.Join(dir, fmt.Sprint(n))
		var out []byte
		for _, der := range ders {
			out = append(out, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})...)
		}
		if err := os.WriteFile(name, out, 0o600); err != nil {
			t.Fatal(err)
		}
		return name
	}
	var pinned [][]byte
	for _, a := range anchors {
		pinned = append(pinned, a.Raw)
	}
	anchorFile := file("CERTIFICATE", pinned...)
	judge := func(s trusttest.Sample) (pathAnswer, int) {
		args := []string{"--json", "verify", "certificate", file("CERTIFICATE", s.Leaf.Raw), "--anchors", anchorFile, "--purpose", "cns", "--at", now.Format(time.RFC3339)}
		for _, o := range s.Offered {
			args = append(args, "--intermediates", file("CERTIFICATE", o.Raw))
		}
		// A list that proves the leaf's authority is among Lists where revocation is asked about at all.
		for _, l := range s.Lists {
			args = append(args, "--crls", file("X509 CRL", l))
		}
		if len(s.Lists) > 0 {
			for _, a := range s.Answers {
				args = append(args, "--ocsp", file("OCSP RESPONSE", a))
			}
		}
		var out, errs bytes.Buffer
		status := Run(t.Context(), World{Out: &out, Err: &errs, Getenv: func(string) string { return "" }}, args)
		var a pathAnswer
		if err := json.Unmarshal(out.Bytes(), &a); err != nil {
			t.Fatalf("%v: %s%s", err, out.Bytes(), errs.Bytes())
		}
		return a, status
	}
	for _, c := range cases {
		if a, status := judge(c.Twin); status != exitOK || !a.Valid {
			t.Errorf("%s: %s: the twin: %d %s %s", c.Row, c.Name, status, a.Reason, a.Detail)
		}
		a, status := judge(c.Bad)
		if status != c.Exit || a.Valid || (c.Path != "" && string(a.Reason) != c.Path) {
			t.Errorf("%s: %s: exit %d, %q (%s); want %d, %q", c.Row, c.Name, status, a.Reason, a.Detail, c.Exit, c.Path)
		}
		if bytes.Contains([]byte(a.Detail), []byte(trusttest.CF)) {
			t.Errorf("%s: %s: the answer quotes the codice fiscale", c.Row, c.Name)
		}
	}
}
