package virtualcard

import (
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"cse.example/cse/card/chip"
	"cse.example/cse/card/cns"
	"cse.example/cse/card/holder"
	"cse.example/cse/card/reader"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
)

var today = civil.Date{Year: 2026, Month: 11, Day: 20}

func plan(p Profile) Plan {
	return Plan{Profile: p, Seed: "prova", Day: today, Model: cns.Neutral(), Lang: words.Italian}
}

// whole makes all ten cards in a folder.
func whole(t *testing.T, dir, seed string, day civil.Date) []Card {
	t.Helper()
	var out []Card
	for _, p := range Profiles() {
		x := plan(p)
		x.Seed, x.Day = seed, day
		c, err := Create(dir, x)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, c)
	}
	return out
}

func certificate(t *testing.T, path string) *x509.Certificate {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(b)
	c, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// code reads PIN or PUK out of codes.txt, as an integrator does.
func code(t *testing.T, dir, name string) secret.Text {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "codes.txt"))
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`(?m)^` + name + `: ([0-9]+)$`).FindSubmatch(b)
	if m == nil {
		t.Fatalf("no %s in codes.txt", name)
	}
	return secret.New(m[1])
}

// Every profile is what its name says: the certificate's dates and standing in
// the list, the codes' state on the chip, who the holder is.
func TestProfiles(t *testing.T) {
	dir := t.TempDir()
	seen := map[string]bool{}
	for _, c := range whole(t, dir, "prova", today) {
		at := func(name string) string { return filepath.Join(c.Dir, name) }
		if seen[string(c.Holder.CF)] || seen[string(c.ID)] {
			t.Errorf("%s: holder or number is another card's", c.Profile)
		}
		seen[string(c.Holder.CF)], seen[string(c.ID)] = true, true
		if c.Profile == "chipless" {
			if b, err := os.ReadFile(at("sheet.pdf")); err != nil || !bytes.HasPrefix(b, []byte("%PDF")) {
				t.Errorf("chipless: %v", err)
			}
			if _, err := os.Stat(at("chip.cse")); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("chipless has a chip: %v", err)
			}
			continue
		}
		leaf, issuing, root := certificate(t, at("card.pem")), certificate(t, at("issuing-ca.pem")), certificate(t, at("root-ca.pem"))
		roots, between := x509.NewCertPool(), x509.NewCertPool()
		roots.AddCert(root)
		between.AddCert(issuing)
		_, err := leaf.Verify(x509.VerifyOptions{
			Roots: roots, Intermediates: between, CurrentTime: today.Start(), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
		})
		if (err != nil) != (c.Standing == Ended) {
			t.Errorf("%s: verify: %v", c.Profile, err)
		}
		der, err := os.ReadFile(at("issuing.crl"))
		if err != nil {
			t.Fatal(err)
		}
		list, err := x509.ParseRevocationList(der)
		if err != nil || list.CheckSignatureFrom(issuing) != nil || list.NextUpdate.Before(today.AddYears(9).Start()) {
			t.Fatalf("%s: list: %v", c.Profile, err)
		}
		reason := -1
		for _, e := range list.RevokedCertificateEntries {
			if e.SerialNumber.Cmp(leaf.SerialNumber) == 0 {
				reason = e.ReasonCode
			}
		}
		if want := map[Standing]int{Good: -1, Ended: -1, Held: 6, Revoked: 1}[c.Standing]; reason != want {
			t.Errorf("%s: reason %d in the list, want %d", c.Profile, reason, want)
		}
		if region := strings.Contains(issuing.Subject.String(), "Lombardia"); region != (c.Profile == "other-region") {
			t.Errorf("%s under %s", c.Profile, issuing.Subject)
		}
		if age := c.Holder.Born.AgeOn(today); (age < 18) != (c.Profile == "minor") || (len(c.Holder.By) > 0) != (c.Profile == "minor" || c.Profile == "ward") {
			t.Errorf("%s: %d years old, represented by %d", c.Profile, age, len(c.Holder.By))
		}
		onTheCard(t, c)
	}
}

// onTheCard uses the card as its holder does.
func onTheCard(t *testing.T, c Card) {
	t.Helper()
	card, err := reader.FromFile(filepath.Join(c.Dir, "chip.cse"))
	if err != nil {
		t.Fatal(err)
	}
	defer card.Close()
	h, err := holder.New(card)
	if err != nil {
		t.Fatal(err)
	}
	blocked := c.Profile == "pin-blocked"
	left, err := h.Tries()
	if err != nil || left.PIN.Blocked() != blocked || left.PUK.Left != 3 {
		t.Errorf("%s: tries %+v, %v", c.Profile, left, err)
	}
	pin, puk := code(t, c.Dir, "PIN"), code(t, c.Dir, "PUK")
	if blocked {
		if err := h.UnblockPIN(puk, pin); err != nil {
			t.Errorf("%s: unblock: %v", c.Profile, err)
		}
	}
	if err := h.VerifyPIN(pin); err != nil {
		t.Errorf("%s: PIN: %v", c.Profile, err)
	}
	if leaf, err := h.Certificate(); err != nil || !leaf.Equal(certificate(t, filepath.Join(c.Dir, "card.pem"))) {
		t.Errorf("%s: certificate: %v", c.Profile, err)
	}
}

// The same seed and day give the same bytes; another seed another key, another
// day the same key. Codes and keys are for the owner's eyes.
func TestSeedAndDay(t *testing.T) {
	one, two, other, later := t.TempDir(), t.TempDir(), t.TempDir(), t.TempDir()
	whole(t, one, "a", today)
	whole(t, two, "a", today)
	for dir, p := range map[string]Plan{other: {Seed: "b", Day: today}, later: {Seed: "a", Day: today.AddDays(1)}} {
		x := plan(profiles[0])
		x.Seed, x.Day = p.Seed, p.Day
		if _, err := Create(dir, x); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	err := filepath.WalkDir(one, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		n++
		name, _ := filepath.Rel(one, path)
		a, errA := os.ReadFile(path)
		b, errB := os.ReadFile(filepath.Join(two, name))
		if errA != nil || errB != nil || !bytes.Equal(a, b) {
			t.Errorf("%s differs between two runs", name)
		}
		info, err := d.Info()
		secretFile := strings.HasSuffix(name, "codes.txt") || strings.HasSuffix(name, ".key") || strings.HasSuffix(name, ".cse")
		if err != nil || secretFile != (info.Mode().Perm() == 0o600) {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
		return nil
	})
	if err != nil || n < 100 {
		t.Errorf("%d files, %v", n, err)
	}
	a := certificate(t, filepath.Join(one, "adult", "card.pem"))
	if b := certificate(t, filepath.Join(other, "adult", "card.pem")); bytes.Equal(a.RawSubjectPublicKeyInfo, b.RawSubjectPublicKeyInfo) || a.SerialNumber.Cmp(b.SerialNumber) == 0 {
		t.Error("two seeds, one key or serial number")
	}
	if b := certificate(t, filepath.Join(later, "adult", "card.pem")); !bytes.Equal(a.RawSubjectPublicKeyInfo, b.RawSubjectPublicKeyInfo) {
		t.Error("another day, another key")
	}
}

func TestRefusals(t *testing.T) {
	if _, err := Find("nobody"); !isCode(err, "CSE-835") || !strings.Contains(words.FaultOf(err).Sentence(words.English), "not-activated") {
		t.Errorf("profile: %v", err)
	}
	dir := t.TempDir()
	p, err := Find("adult")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Create(dir, plan(p)); err != nil {
		t.Fatal(err)
	}
	if _, err := Create(dir, plan(p)); !isCode(err, "CSE-836") {
		t.Errorf("again in the same folder: %v", err)
	}
}

func isCode(err error, code string) bool {
	f := words.FaultOf(err)
	return f != nil && f.Code == code
}

// A card whose power goes at the n-th write falls silent once, is told of, and
// is a card again when the reader gives it power, with what the disk holds.
func TestInsertedWithAPowerCut(t *testing.T) {
	p, err := Find("adult")
	if err != nil {
		t.Fatal(err)
	}
	c, err := Create(t.TempDir(), plan(p))
	if err != nil {
		t.Fatal(err)
	}
	in, err := Insert(filepath.Join(c.Dir, "chip.cse"), 2)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	lost := 0
	in.Lost = func() { lost++ }
	wrong := []byte{0, 0x20, 0, cns.RefPIN, 8, '5', '5', '5', '5', '5', 0xFF, 0xFF, 0xFF}
	for n, want := range []string{"63C2", "power", "63C1", "6983"} {
		answer, err := in.Transmit(wrong)
		got := fmt.Sprintf("%X", answer)
		if errors.Is(err, chip.ErrPowerLost) {
			got = "power"
		} else if err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("try %d: %s, want %s", n+1, got, want)
		}
	}
	if lost != 1 {
		t.Errorf("told %d times", lost)
	}
}
