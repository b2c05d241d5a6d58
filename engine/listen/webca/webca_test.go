package webca

import (
	"crypto/x509"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
)

var noon = time.Date(2026, 11, 23, 11, 0, 0, 0, time.UTC)

func open(t *testing.T, dir string, clock civil.Clock) *Authority {
	t.Helper()
	a, err := Open(dir, "cse.localhost", clock, nil)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestIssues(t *testing.T) {
	clock := civil.NewHand(noon)
	dir := filepath.Join(t.TempDir(), "webca")
	a := open(t, dir, clock)
	c, err := a.For("Portal.cse.localhost.")
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []struct {
		name string
		ok   bool
	}{{"portal.cse.localhost", true}, {"cns.cse.localhost", false}} {
		_, err := c.Leaf.Verify(x509.VerifyOptions{Roots: a.Pool(), DNSName: v.name, CurrentTime: noon})
		if (err == nil) != v.ok {
			t.Errorf("%s: %v", v.name, err)
		}
	}
	again, _ := a.For("portal.cse.localhost")
	if again != c {
		t.Error("a fresh certificate was not used again")
	}
	clock.Advance(21 * 24 * time.Hour)
	if renewed, _ := a.For("portal.cse.localhost"); renewed == c || renewed.Leaf.NotAfter.Sub(clock.Now()) != serverLife {
		t.Error("a certificate in its last third was not renewed")
	}
	for _, name := range []string{"cse.localhost.example", "evilcse.localhost", "", "example.org"} {
		if _, err := a.For(name); !errors.Is(err, ErrForeign) {
			t.Errorf("For(%q) = %v", name, err)
		}
	}
}

// Whoever stole the key could still not impersonate other sites.
func TestConstrained(t *testing.T) {
	a := open(t, t.TempDir(), civil.NewHand(noon))
	c, err := a.issue("bank.example") // past For's own check
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Leaf.Verify(x509.VerifyOptions{Roots: a.Pool(), DNSName: "bank.example", CurrentTime: noon}); err == nil {
		t.Error("a name outside the domain is trusted")
	}
}

func TestFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "webca")
	first := open(t, dir, civil.NewHand(noon))
	if second := open(t, dir, civil.NewHand(noon)); !second.Certificate().Equal(first.Certificate()) {
		t.Error("the authority was made anew")
	}
	for _, name := range []string{CertificateFile, keyFile} {
		info, err := os.Stat(filepath.Join(dir, name))
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", name, info.Mode(), err)
		}
	}
	refused := words.Refuse("CSE-373")
	if _, err := Open(dir, "other.example", civil.NewHand(noon), nil); !errors.Is(err, refused) {
		t.Errorf("another domain: %v", err)
	}
	if _, err := Open(dir, "cse.localhost", civil.NewHand(noon.AddDate(1, 0, 1)), nil); !errors.Is(err, refused) {
		t.Errorf("expired: %v", err)
	}
	other := filepath.Join(t.TempDir(), "webca")
	open(t, other, civil.NewHand(noon))
	if err := os.Rename(filepath.Join(other, keyFile), filepath.Join(dir, keyFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, "cse.localhost", civil.NewHand(noon), nil); !errors.Is(err, refused) {
		t.Errorf("somebody else's key: %v", err)
	}
	if err := os.Remove(filepath.Join(dir, keyFile)); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir, "cse.localhost", civil.NewHand(noon), nil); !errors.Is(err, refused) {
		t.Errorf("no key: %v", err)
	}
}
