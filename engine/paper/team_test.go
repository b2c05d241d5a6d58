package paper

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
)

func teamCertificate() TEAMCertificate {
	return TEAMCertificate{
		State: "IT", Surname: "ROSSI", Names: "MARIO LUIGI", Born: "12/05/1980", PersonalID: "RSSMLG80E12D612X", Institution: "SSN-MIN SALUTE - 500001",
		Card: "80380 00900 00090 00012", Expires: "01/02/2031",
		From: civil.Date{Year: 2026, Month: 7, Day: 1}, To: civil.Date{Year: 2026, Month: 7, Day: 31}, Issued: civil.Date{Year: 2026, Month: 6, Day: 20},
		Number:  "0a1b2c3d-4e5f6071-8293a4b5-c6d7e8f9",
		Address: "https://portal.cse.localhost:8443/verifica-team/0a1b2c3d-4e5f6071-8293a4b5-c6d7e8f9",
	}
}

// R14: every EHIC field stands on the certificate, with its period, in both
// languages, on one page.
func TestR14_TEAMCertificate(t *testing.T) {
	p := press(t)
	for _, lang := range []words.Lang{words.Italian, words.English} {
		c := teamCertificate()
		pdf, err := p.TEAMCertificate(lang, c)
		if err != nil {
			t.Fatal(err)
		}
		keep(t, lang, map[string][]byte{"team": pdf})
		text := strings.Join(strings.Fields(extract(t, pdf)), " ")
		for _, w := range []string{
			c.Surname, c.Names, c.Born, c.PersonalID, c.Institution, c.Card, c.Expires, "01/07/2026", "31/07/2026", "20/06/2026", c.Number,
			"3. Cognome / Name", "9. Scadenza / Expiry date", "Provisional replacement certificate", "soggiorno temporaneo", "temporary stay",
		} {
			if !strings.Contains(text, w) {
				t.Errorf("%s: the certificate does not say %q: %s", lang, w, text)
			}
		}
		if strings.Contains(text, "⟦") {
			t.Errorf("%s: a text is missing: %s", lang, text)
		}
		if n := bytes.Count(pdf, []byte("/Type /Page\n")); n != 1 {
			t.Errorf("%s: %d pages, want 1", lang, n)
		}
	}
	for _, spoil := range []func(*TEAMCertificate){
		func(c *TEAMCertificate) { c.PersonalID = "" }, func(c *TEAMCertificate) { c.To = c.From.AddDays(-1) }, func(c *TEAMCertificate) { c.Address = "" },
	} {
		c := teamCertificate()
		spoil(&c)
		if _, err := p.TEAMCertificate(words.Italian, c); err == nil {
			t.Error("a certificate with a field missing was printed")
		}
	}
}

// TestZbar reads the QR code with a program nobody here wrote.
func TestZbar(t *testing.T) {
	if os.Getenv("CSE_FOREIGN") != "1" {
		t.Skip("CSE_FOREIGN=1 runs the tests with foreign programs")
	}
	for prog, pack := range map[string]string{"zbarimg": "zbar-tools", "pdftoppm": "poppler-utils"} {
		if _, err := exec.LookPath(prog); err != nil {
			t.Fatalf("%s is missing: install the package %s", prog, pack)
		}
	}
	c := teamCertificate()
	pdf, err := press(t).TEAMCertificate(words.Italian, c)
	if err != nil {
		t.Fatal(err)
	}
	base := filepath.Join(t.TempDir(), "team")
	if err := os.WriteFile(base+".pdf", pdf, 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("pdftoppm", "-r", "150", "-png", "-singlefile", base+".pdf", base).CombinedOutput(); err != nil {
		t.Fatalf("pdftoppm: %v: %s", err, out)
	}
	out, err := exec.Command("zbarimg", "--quiet", "--raw", base+".png").Output()
	if err != nil || strings.TrimSpace(string(out)) != c.Address {
		t.Errorf("the code says %q, %v; want %q", out, err, c.Address)
	}
}
