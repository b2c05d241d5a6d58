package ceremony_test

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"

	"cse.example/cse/ground/words"
	"cse.example/cse/pki/ceremony"
	"cse.example/cse/pki/profile"
)

func sha(b []byte) string { return fmt.Sprintf("%x", sha256.Sum256(b)) }

// faults are the fields named in err.
func faults(err error) []string {
	var out []string
	var walk func(error)
	walk = func(err error) {
		if f, ok := err.(*words.Fault); ok { //nolint:errorlint // level by level
			out = append(out, f.Code+" "+f.Field)
			return
		}
		if many, ok := err.(interface{ Unwrap() []error }); ok { //nolint:errorlint // level by level
			for _, e := range many.Unwrap() {
				walk(e)
			}
		}
	}
	walk(err)
	return out
}

// Every field that will not do is named, with what to write.
func TestEveryFieldIsRefusedByName(t *testing.T) {
	h := newHall(t)
	root, issuing, responder, list := h.rootFile(), h.issuingFile(), h.responderFile(), h.listFile("  entries: [{serial: 0a, reason: superseded, date: 2026-11-25}]\n")
	tests := []struct{ text, old, new, want string }{
		{root, "cse.ceremony/1", "cse.ceremony/2", "CSE-919 schema"},
		{root, "mode: root", "mode: everything", "CSE-919 mode"},
		{root, "title: Prova di cerimonia", `title: ""`, "CSE-919 title"},
		{root, "from: 2026-11-26", "from: 26/11/2026", "CSE-919 days.from"},
		{root, "to: 2026-11-30", "to: 2026-11-25", "CSE-919 days.to"},
		{root, "to: 2026-11-30", "to: 2027-11-30", "CSE-919 days.to"},
		{root, "[Carla Rossi, Dino Gialli]", "[]", "CSE-919 witnesses"},
		{root, "[Carla Rossi, Dino Gialli]", "[Carla Rossi, Carla Rossi]", "CSE-919 witnesses[1]"},
		{root, "needed: 2", "needed: 1", "CSE-919 approvals.needed"},
		{root, "needed: 2", "needed: 4", "CSE-919 approvals.approvers"},
		{root, "- sara.neri", "- x", "CSE-919 approvals.approvers[2]"},
		{root, h.lines["sara.neri"], h.lines["anna.bianchi"], "CSE-919 approvals.approvers[2]"},
		{root, h.lines["sara.neri"], renamed(t, h.lines["anna.bianchi"]), "CSE-919 approvals.approvers[2]"},
		{root, "out: ca", "out: ''", "CSE-919 out"},
		{root, "out: ca", "out: ca\naddresses: http://pki.example.it", "CSE-919 addresses"},
		{root, "kind: P-384", "kind: P-521", "CSE-919 root.key.kind"},
		{root, "kind: P-384", "kind: RSA-2048", "CSE-919 root.key.kind"},
		{root, "where: file", "where: drawer", "CSE-919 root.key.where"},
		{root, "where: file", "where: token", "CSE-919 token"},
		{root, "out: ca", "out: ca\ntoken: {module: x.so, label: '', pin_file: ''}", "CSE-919 token.module"},
		{root, "country: IT", "country: it", "CSE-919 root.names.country"},
		{root, "organisation: CSE", "organisation: ''", "CSE-919 root.names.organisation"},
		{root, "unit: Servizi", "unit: " + strings.Repeat("è", 65), "CSE-919 root.names.unit"},
		{root, "Regione di prova - CA Radice", "", "CSE-919 root.names.common_name"},
		{root, "years: 25", "years: 50", "CSE-919 root.years"},
		{root, "years: 25", "year: 25", "CSE-922 "},
		{root, "years: 25", "years: a quarter", "CSE-922 "},
		{root, "years: 25", "years: 25\n---\nmode: root", "CSE-922 "},
		{root, "root:\n", "issuing: {}\nroot:\n", "CSE-919 issuing"},
		{root, "mode: root", "mode: root-crl", "CSE-919 root_crl"},
		{issuing, "http://pki", "https://pki", "CSE-919 addresses"},
		{issuing, "label: issuing", "label: Issuing", "CSE-919 issuing.label"},
		{issuing, "certificate: ca/root.pem, ", "", "CSE-919 issuing.signer.certificate"},
		{issuing, "key: ca/root.key, ", "", "CSE-919 issuing.signer.key"},
		{issuing, "  years: 12", "  request: a.csr\n  years: 12", "CSE-919 issuing.request"},
		{issuing, "  key: {kind: P-256, where: file, passphrase_files: [part1, part2]}", "  request: a.csr", "CSE-919 issuing.request_sha256"},
		{issuing, "years: 12", "years: 6", "CSE-919 issuing.years"},
		{issuing, "from: 2026-12-01", "from: 2026-11-01", "CSE-919 issuing.issues.from"},
		{issuing, "1.3.159.6.1.3.2.10", "1.3.01", "CSE-919 issuing.policies[1]"},
		{issuing, "1.3.76.16.2.1, ", "", "CSE-919 issuing.policies"}, // cards assert it
		{issuing, "crl_shards: 128", "crl_shards: 0", "CSE-919 issuing.crl_shards"},
		{issuing, "  crl_shards", "  follows: {certificate: old.pem, issues_to: 2026-11-29}\n  crl_shards", "CSE-919 issuing.issues.from"},
		{responder, "label: issuing", "label: root", "CSE-919 responder.label"},
		{responder, "days: 90", "days: 121", "CSE-919 responder.days"},
		{list, "days: 180", "days: 0", "CSE-919 root_crl.days"},
		{list, "serial: 0a", "serial: 0A", "CSE-919 root_crl.entries[0].serial"},
		{list, "superseded", "certificateHold", "CSE-919 root_crl.entries[0].reason"},
		{list, "2026-11-25", "yesterday", "CSE-919 root_crl.entries[0].date"},
	}
	for _, tt := range tests {
		if !strings.Contains(tt.text, tt.old) {
			t.Fatalf("the file has no %q", tt.old)
		}
		_, err := ceremony.Read(h.write("f.yaml", strings.Replace(tt.text, tt.old, tt.new, 1)))
		found := false
		for _, f := range faults(err) {
			found = found || f == tt.want
		}
		if !found {
			t.Errorf("%q for %q: %v, want %q", tt.new, tt.old, faults(err), tt.want)
		}
	}
	if _, err := ceremony.Read(h.path("nothing.yaml")); code(err) != "CSE-922" {
		t.Errorf("no file: %v, want CSE-922", err)
	}
}

// renamed gives an approver's key another name.
func renamed(t *testing.T, line string) string {
	t.Helper()
	data := strings.SplitN(line, "+", 3)[2]
	for _, hash := range []string{"00000000"} {
		if _, err := note.NewVerifier("sara.neri+" + hash + "+" + data); err == nil {
			t.Fatal("a key under another name was accepted by the library")
		}
	}
	return "sara.neri+00000000+" + data
}

// What only other files tell.
func TestWhatTheFilesTell(t *testing.T) {
	h := newHall(t)
	h.hold("root.yaml", h.rootFile())
	h.hold("issuing.yaml", h.issuingFile())
	issuing := h.cert("ca/issuing.pem")
	h.hold("list.yaml", h.listFile(fmt.Sprintf("  entries: [{serial: %s, reason: superseded, date: 2026-11-25}]\n", profile.SerialText(issuing.SerialNumber))))
	next := strings.Replace(strings.Replace(h.issuingFile(), "out: ca", "out: next", 1), "label: issuing", "label: next", 1)
	follows := "  follows: {certificate: ca/issuing.pem, issues_to: %s}\n  crl_shards"
	tests := []struct{ name, text, old, new, want string }{
		{"not the day", next, "to: 2026-11-30", "to: 2026-11-26", "CSE-919 days"},
		{"no certificate of the root", next, "certificate: ca/root.pem", "certificate: nowhere.pem", "CSE-919 issuing.signer.certificate"},
		{"signed by an issuing authority", next, "certificate: ca/root.pem", "certificate: ca/issuing.pem", "CSE-919 issuing.signer.certificate"},
		{"the root's name", next, "Regione di prova - CA Cittadini", "Regione di prova - CA Radice", "CSE-919 issuing.names.common_name"},
		{"the last card does not fit", next, "to: 2031-12-31", "to: 2032-12-31", "CSE-919 issuing.years"},
		{"the name of the one before", next, "  crl_shards", fmt.Sprintf(follows, "2031-12-31"), "CSE-919 issuing.names.common_name"},
		{"the one before issues too long", strings.Replace(next, "CA Cittadini", "CA Cittadini 2", 1), "  crl_shards", fmt.Sprintf(follows, "2037-12-31"), "CSE-919 issuing.follows.issues_to"},
		{"key and certificate of two", next, "key: ca/root.key, passphrase_files: [root.pass]", "key: ca/issuing.key, passphrase_files: [part1, part2]", "CSE-919 issuing.signer.key"},
		{"no key of the root", next, "key: ca/root.key", "key: nowhere.key", "CSE-919 issuing.signer.key"},
		{"a wrong passphrase", next, "[root.pass]", "[part1]", "CSE-190 "},
		{"nobody to ask", next, ", passphrase_files: [root.pass]", "", "CSE-919 issuing.signer.passphrase_files"},
		{"a revoked authority forgotten", strings.Replace(h.listFile(""), "out: crl", "out: crl2", 1), "days: 180", "days: 180\n  previous: crl/root.crl", "CSE-919 root_crl.entries"},
		{"revoked tomorrow", strings.Replace(h.listFile("  entries: [{serial: 0a, reason: superseded, date: 2026-11-25}]\n"), "out: crl", "out: crl2", 1), "2026-11-25", "2026-11-28", "CSE-919 root_crl.entries[0].date"},
		{"a responder that outlives nobody", h.responderFile(), "certificate: ca/issuing.pem", "certificate: ca/root.pem", "CSE-919 responder.signer.certificate"},
	}
	h.clock.Advance(26 * 60 * 60 * 1e9)
	for _, tt := range tests {
		if !strings.Contains(tt.text, tt.old) {
			t.Fatalf("%s: the file has no %q", tt.name, tt.old)
		}
		f := h.read("f.yaml", strings.Replace(tt.text, tt.old, tt.new, 1))
		h.approve(f, "anna.bianchi", "luca.verdi")
		_, _, err := f.Hold(t.Context(), h.env())
		if got := faults(err); len(got) != 1 || got[0] != tt.want {
			t.Errorf("%s: %v (%v), want %q", tt.name, got, err, tt.want)
		}
		for _, dir := range []string{"next", "crl2"} {
			if left := h.files(dir); len(left) > 0 {
				t.Errorf("%s: made %v", tt.name, left)
			}
			if err := os.RemoveAll(h.path(dir)); err != nil {
				t.Fatal(err)
			}
		}
	}
	// And as it is, a second authority in a folder of its own.
	good := strings.Replace(strings.Replace(next, "CA Cittadini", "CA Cittadini 2", 1), "  crl_shards", fmt.Sprintf(follows, "2031-12-31"), 1)
	h.hold("good.yaml", good)
	// It says what the folder is.
	if a := h.files("next")["authority.json"]; !strings.Contains(a, `"crl_shards": 128`) || !strings.Contains(a, `"label": "next"`) {
		t.Errorf("authority.json: %s", a)
	}
}

// Everything that a transcript vouches for is looked at.
func TestATranscriptIsVerified(t *testing.T) {
	h := newHall(t)
	h.hold("root.yaml", h.rootFile())
	_, path := h.hold("issuing.yaml", h.issuingFile())
	whole := h.files("ca")
	other := newHall(t)
	other.hold("root.yaml", other.rootFile())
	flip := func(name string) func() {
		return func() {
			b := []byte(whole[name])
			b[len(b)/2] ^= 1
			h.write("ca/"+name, string(b))
		}
	}
	tests := []struct {
		name string
		do   func()
		code string
	}{
		{"as it is", func() {}, ""},
		{"the transcript is changed", func() {
			h.write("ca/ceremony-issuing.json", strings.Replace(whole["ceremony-issuing.json"], "Carla Rossi", "Carla Rosso", 1))
		}, "CSE-923"},
		{"the signature is changed", flip("ceremony-issuing.json.sig"), "CSE-923"},
		{"the signature is gone", func() { _ = os.Remove(h.path("ca/ceremony-issuing.json.sig")) }, "CSE-923"},
		{"the certificate is another", func() { h.write("ca/issuing.pem", pemOf(other.cert("ca/root.pem"))) }, "CSE-923"},
		{"the key file is changed", flip("issuing.key"), "CSE-923"},
		{"a result is gone", func() { _ = os.Remove(h.path("ca/issuing.pem")) }, "CSE-921"},
		{"another's transcript", func() {
			h.write("ca/ceremony-issuing.json", other.files("ca")["ceremony-root.json"])
		}, "CSE-923"},
	}
	for _, tt := range tests {
		tt.do()
		if _, err := ceremony.Verify(path, h.cert("ca/root.pem")); code(err) != tt.code || (tt.code == "") != (err == nil) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.code)
		}
		for name, b := range whole {
			h.write("ca/"+name, b)
		}
	}
	var tr map[string]any
	if err := json.Unmarshal([]byte(whole["ceremony-issuing.json"]), &tr); err != nil || tr["program"] == "" {
		t.Errorf("not JSON: %v", err)
	}
	for _, secret := range []string{"metà di Anna", "frase della radice", "PRIVATE"} {
		if strings.Contains(whole["ceremony-issuing.json"], secret) {
			t.Errorf("the transcript tells %q", secret)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte("schema: cse.ceremony/1\nmode: root\nroot: {years: 25}\n"))
	f.Add([]byte("schema: cse.ceremony/1\nmode: root-crl\nroot_crl: {entries: [{serial: 0a}]}\n"))
	f.Add([]byte("a: &a [*a]"))
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ceremony.Parse("f.yaml", b)
		if err == nil && len(c.Digest()) != 64 {
			t.Fatal("read, and no digest")
		}
		for _, one := range faults(err) {
			if !strings.HasPrefix(one, "CSE-919 ") && one != "CSE-922 " {
				t.Fatalf("an odd fault: %q", one)
			}
		}
		if err != nil && len(faults(err)) == 0 {
			t.Fatalf("an error that is no fault: %v", err)
		}
	})
}

func FuzzParseApproval(f *testing.F) {
	f.Add("CSE ceremony approval 1\nfile 00\nmode root\nfrom 2026-11-26T09:00:00Z\nuntil 2026-12-03T09:00:00Z\n")
	f.Fuzz(func(t *testing.T, s string) {
		if a, err := ceremony.ParseApproval(s); err == nil && a.Text() != s {
			t.Fatalf("%q became %q", s, a.Text())
		}
	})
}

func FuzzParseTranscript(f *testing.F) {
	f.Add([]byte(`{"schema":"cse.transcript/1","signer":""}`), []byte{0x30})
	f.Fuzz(func(_ *testing.T, text, sig []byte) { _, _, _ = ceremony.ParseTranscript(text, sig) })
}
