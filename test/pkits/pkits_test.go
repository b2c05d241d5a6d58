// Package pkits holds the path validator against NIST's PKITS, complete: 249
// vectors, whose certificates and expectations come with the Go distribution
// and whose revocation lists come with Debian's python3-cryptography-vectors
// (public domain both). `make pkits` prints each miss, what OpenSSL makes of
// the same vectors, and last `pkits: N of 249, F false accepts`.
package pkits

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cse.example/cse/pki/trust/path"
)

const lists = "/usr/lib/python3/dist-packages/cryptography_vectors/x509/PKITS_data/crls"

type vector struct {
	Name                                                                        string
	CertPath, CRLPath                                                           []string
	ShouldValidate                                                              bool
	InitialPolicySet                                                            []string
	InitialPolicyMappingInhibit, InitialExplicitPolicy, InitialAnyPolicyInhibit bool
}

// names are the policies of PKITS as the vectors call them.
func (v vector) policies(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, p := range v.InitialPolicySet {
		switch n, ok := strings.CutPrefix(p, "NIST-test-policy-"); {
		case p == "anyPolicy":
			return nil
		case ok:
			out = append(out, "2.16.840.1.101.3.2.1.48."+n)
		default:
			t.Fatalf("%s: policy %q", v.Name, p)
		}
	}
	return out
}

func folder(t *testing.T) string {
	t.Helper()
	root, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(strings.TrimSpace(string(root)), "src/crypto/x509/testdata/nist-pkits")
}

func vectors(t *testing.T) []vector {
	t.Helper()
	if _, err := os.Stat(lists); err != nil {
		if os.Getenv("CSE_FOREIGN") == "" {
			t.Skip("the revocation lists of PKITS are not here: apt install python3-cryptography-vectors")
		}
		t.Fatal("install python3-cryptography-vectors: ", err)
	}
	b, err := os.ReadFile(filepath.Join(folder(t), "vectors.json"))
	if err != nil {
		t.Fatal(err)
	}
	var out []vector
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	if len(out) != 249 {
		t.Fatalf("%d vectors, want 249", len(out))
	}
	return out
}

func load[T any](t *testing.T, dir string, names []string, parse func([]byte) (T, error)) ([]T, error) {
	t.Helper()
	var out []T
	for _, n := range names {
		b, err := os.ReadFile(filepath.Join(dir, n))
		if err != nil {
			t.Fatal(err)
		}
		v, err := parse(b)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", n, err)
		}
		out = append(out, v)
	}
	return out, nil
}

// now lies within the validity of the vectors (2010 to 2030).
var now = time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)

func judge(t *testing.T, v vector) error {
	certs, err := load(t, filepath.Join(folder(t), "certs"), v.CertPath, path.Parse)
	if err != nil {
		return err
	}
	crls, err := load(t, lists, v.CRLPath, path.ParseList)
	if err != nil {
		// A list that cannot be read is no list: whether the others are enough is for the validator to say.
		crls = slices.DeleteFunc(crls, func(l *path.List) bool { return l == nil })
	}
	_, err = path.Build(certs[len(certs)-1], certs[1:len(certs)-1], certs[:1], path.Options{
		At: now, Policies: v.policies(t), ExplicitPolicy: v.InitialExplicitPolicy, InhibitMapping: v.InitialPolicyMappingInhibit,
		InhibitAny: v.InitialAnyPolicyInhibit, Legacy: true, Revocation: &path.Evidence{Lists: crls},
	})
	return err
}

func TestPKITS(t *testing.T) {
	right, falseAccepts := 0, 0
	for _, v := range vectors(t) {
		err := judge(t, v)
		switch {
		case (err == nil) == v.ShouldValidate:
			right++
			continue
		case err == nil:
			falseAccepts++
		}
		t.Logf("miss: %s: want valid %v, got %v", v.Name, v.ShouldValidate, err)
	}
	report(t, right, falseAccepts)
	if right < 248 || falseAccepts > 0 {
		t.Errorf("%d of 249 with %d false accepts, want 248 or more and none", right, falseAccepts)
	}
}

// report prints, for `make pkits`, OpenSSL's score first.
func report(t *testing.T, right, falseAccepts int) {
	if os.Getenv("CSE_PKITS") != "" {
		n, f := openssl(t)
		fmt.Printf("openssl: %d of 249, %d false accepts\n", n, f)
		fmt.Printf("pkits: %d of 249, %d false accepts\n", right, falseAccepts)
	}
}

// openssl judges the same vectors with `openssl verify`.
func openssl(t *testing.T) (right, falseAccepts int) {
	t.Helper()
	dir := t.TempDir()
	pem := func(kind, from string) string {
		out := filepath.Join(dir, kind+filepath.Base(from)+".pem")
		if _, err := os.Stat(out); err != nil {
			if b, err := exec.Command("openssl", kind, "-inform", "DER", "-in", from, "-out", out).CombinedOutput(); err != nil {
				t.Fatalf("openssl %s: %v: %s", kind, err, b)
			}
		}
		return out
	}
	for _, v := range vectors(t) {
		args := []string{
			"verify", "-policy_check", "-no-CApath", "-no-CAstore", "-crl_check_all", "-extended_crl", "-use_deltas", "-auth_level", "0",
			"-attime", fmt.Sprint(now.Unix()),
		}
		for _, p := range v.policies(t) {
			args = append(args, "-policy", p)
		}
		if len(v.policies(t)) == 0 {
			args = append(args, "-policy", "2.5.29.32.0")
		}
		if v.InitialExplicitPolicy || len(v.policies(t)) > 0 {
			args = append(args, "-explicit_policy")
		}
		if v.InitialPolicyMappingInhibit {
			args = append(args, "-inhibit_map")
		}
		if v.InitialAnyPolicyInhibit {
			args = append(args, "-inhibit_any")
		}
		certs := filepath.Join(folder(t), "certs")
		for i, c := range v.CertPath[:len(v.CertPath)-1] {
			kind := "-untrusted"
			if i == 0 {
				kind = "-CAfile" // with -trusted, OpenSSL does not find the way up from a signer of lists
			}
			args = append(args, kind, pem("x509", filepath.Join(certs, c)))
		}
		for _, c := range v.CRLPath {
			args = append(args, "-CRLfile", pem("crl", filepath.Join(lists, c)))
		}
		err := exec.Command("openssl", append(args, pem("x509", filepath.Join(certs, v.CertPath[len(v.CertPath)-1])))...).Run()
		switch {
		case (err == nil) == v.ShouldValidate:
			right++
			continue
		case err == nil:
			falseAccepts++
		}
		t.Logf("openssl misses %s (want valid %v)", v.Name, v.ShouldValidate)
	}
	return right, falseAccepts
}
