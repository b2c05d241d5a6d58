// Package bettertls holds the path validator against Netflix's BetterTLS
// (github.com/Netflix/bettertls, Apache-2.0): 9,491 cases of name constraints
// and 81 of path building, which its own program writes when the test runs
// (tools/bettertls pins it; nothing of it is committed). `make bettertls`
// prints each miss and last `bettertls: N of 9572, F false accepts`; `make test`
// takes those of path building.
//
// The suite is about servers: whether a name is the server's is asked here, of
// crypto/x509, because the product has no use for the question.
package bettertls

import (
	"crypto/x509"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"cse.example/cse/pki/trust/path"
)

const every = 9491 + 81

type suites struct {
	TrustRoot []byte `json:"trustRoot"`
	Suites    map[string]struct {
		Cases []struct {
			ID           int      `json:"id"`
			Certificates [][]byte `json:"certificates"`
			Hostname     string   `json:"hostname"`
			Expected     string   `json:"expected"`
			Warning      bool     `json:"failureIsWarning"`
		} `json:"testCases"`
	} `json:"suites"`
}

// export lets BetterTLS write its cases. With -modfile the tool's own module decides what is built.
func export(t *testing.T, args ...string) suites {
	t.Helper()
	out := filepath.Join(t.TempDir(), "cases.json")
	c := exec.Command("go", append([]string{"tool", "-modfile=" + filepath.Join("..", "..", "tools", "bettertls", "go.mod"), "bettertls", "export-tests", "--out", out}, args...)...)
	if b, err := c.CombinedOutput(); err != nil {
		t.Fatalf("bettertls: %v: %s", err, b)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	var s suites
	if err := json.Unmarshal(b, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func judge(anchor *path.Certificate, certificates [][]byte, host string) error {
	var all []*path.Certificate
	for _, der := range certificates {
		c, err := path.Parse(der)
		if err != nil {
			return err
		}
		all = append(all, c)
	}
	if _, err := path.Build(all[0], all[1:], []*path.Certificate{anchor}, path.Options{At: time.Now(), Purpose: path.Server, MinRSA: 2048}); err != nil {
		return err
	}
	leaf, err := x509.ParseCertificate(certificates[0])
	if err != nil {
		return err
	}
	return leaf.VerifyHostname(host)
}

// score counts what is right, false accepts, and all.
func score(t *testing.T, s suites) (right, falseAccepts, all int) {
	t.Helper()
	anchor, err := path.Parse(s.TrustRoot)
	if err != nil {
		t.Fatal(err)
	}
	for name, suite := range s.Suites {
		for _, c := range suite.Cases {
			all++
			err := judge(anchor, c.Certificates, c.Hostname)
			want := c.Expected == "ACCEPT"
			if !want && c.Expected != "REJECT" {
				t.Fatalf("%s %d: expected %q", name, c.ID, c.Expected)
			}
			switch {
			case (err == nil) == want:
				right++
				continue
			case err == nil:
				falseAccepts++
			}
			t.Logf("miss: %s %d: %s, got %v (a warning only: %v)", name, c.ID, c.Expected, err, c.Warning)
		}
	}
	return right, falseAccepts, all
}

// TestBetterTLS takes all cases for `make bettertls`, and those of path building
// otherwise.
func TestBetterTLS(t *testing.T) {
	if os.Getenv("CSE_FOREIGN") == "" {
		t.Skip("BetterTLS is built for this: CSE_FOREIGN=1")
	}
	if os.Getenv("CSE_BETTERTLS") != "" {
		right, wrong, all := score(t, export(t))
		fmt.Printf("bettertls: %d of %d, %d false accepts\n", right, all, wrong)
		if right != every || all != every || wrong != 0 {
			t.Errorf("%d of %d right, %d accepted that must not be; want all of %d", right, all, wrong, every)
		}
		return
	}
	if right, wrong, all := score(t, export(t, "--suite", "pathbuilding")); right != all || wrong != 0 || all != 81 {
		t.Errorf("%d of %d right, %d accepted that must not be", right, all, wrong)
	}
}
