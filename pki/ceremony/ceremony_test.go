package ceremony_test

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/ceremony"
	"cse.example/cse/pki/keys"
	"cse.example/cse/pki/keys/keystest"
	"cse.example/cse/pki/profile"
)

func TestMain(m *testing.M) {
	keystest.Cheap()
	os.Exit(m.Run())
}

var start = time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC)

func code(err error) string {
	if f := words.FaultOf(err); f != nil {
		return f.Code
	}
	return ""
}

// hall is a folder with three approvers, two of whom are needed.
type hall struct {
	t     *testing.T
	dir   string
	clock *civil.Hand
	lines map[string]string // approvers' public keys
}

var pass = secret.FromString("una frase per le prove")

func newHall(t *testing.T) *hall {
	t.Helper()
	h := &hall{t: t, dir: t.TempDir(), clock: civil.NewHand(start), lines: map[string]string{}}
	for _, name := range []string{"anna.bianchi", "luca.verdi", "sara.neri"} {
		line, err := ceremony.NewApprover(rand.Reader, h.path(name+".key"), name, pass)
		if err != nil {
			t.Fatal(err)
		}
		h.lines[name] = line
	}
	h.write("root.pass", "la frase della radice\n")
	h.write("part1", "metà di Anna, \n")
	h.write("part2", "metà di Luca\n")
	return h
}

func (h *hall) path(name string) string { return filepath.Join(h.dir, name) }

func (h *hall) write(name, text string) string {
	h.t.Helper()
	if err := os.WriteFile(h.path(name), []byte(text), 0o600); err != nil {
		h.t.Fatal(err)
	}
	return h.path(name)
}

// head is what every file begins with.
func (h *hall) head(mode, out string) string {
	return fmt.Sprintf(`schema: cse.ceremony/1
mode: %s
title: Prova di cerimonia
days: {from: 2026-11-26, to: 2026-11-30}
witnesses: [Carla Rossi, Dino Gialli]
approvals:
  needed: 2
  approvers:
    - %s
    - %s
    - %s
out: %s
`, mode, h.lines["anna.bianchi"], h.lines["luca.verdi"], h.lines["sara.neri"], out)
}

const names = `names: {country: IT, organisation: CSE, unit: Servizi, common_name: "%s"}`

func (h *hall) rootFile() string {
	return h.head("root", "ca") + `root:
  key: {kind: P-384, where: file, passphrase_files: [root.pass]}
  ` + fmt.Sprintf(names, "Regione di prova - CA Radice") + `
  years: 25
`
}

func (h *hall) issuingFile() string {
	return h.head("issuing", "ca") + `addresses: http://pki.example.it
issuing:
  label: issuing
  signer: {certificate: ca/root.pem, key: ca/root.key, passphrase_files: [root.pass]}
  key: {kind: P-256, where: file, passphrase_files: [part1, part2]}
  ` + fmt.Sprintf(names, "Regione di prova - CA Cittadini") + `
  years: 12
  issues: {from: 2026-12-01, to: 2031-12-31}
  policies: [1.3.76.16.2.1, 1.3.159.6.1.3.2.10]
  crl_shards: 128
`
}

func (h *hall) responderFile() string {
	return h.head("responder", "ca") + `addresses: http://pki.example.it
responder:
  label: issuing
  signer: {certificate: ca/issuing.pem, key: ca/issuing.key, passphrase_files: [part1, part2]}
  key: {kind: P-256, where: file, passphrase_files: [part1, part2]}
  ` + fmt.Sprintf(names, "Regione di prova - OCSP") + `
  days: 90
`
}

func (h *hall) listFile(entries string) string {
	return h.head("root-crl", "crl") + `root_crl:
  signer: {certificate: ca/root.pem, key: ca/root.key, passphrase_files: [root.pass]}
  days: 180
` + entries
}

func (h *hall) env() ceremony.Env {
	return ceremony.Env{Clock: h.clock, Rand: rand.Reader, Program: "prova"}
}

func (h *hall) read(name, text string) *ceremony.File {
	h.t.Helper()
	f, err := ceremony.Read(h.write(name, text))
	if err != nil {
		h.t.Fatal(err)
	}
	return f
}

func (h *hall) approve(f *ceremony.File, who ...string) {
	h.t.Helper()
	for _, w := range who {
		if _, err := ceremony.Approve(f, h.path(w+".key"), pass, h.clock.Now(), 7*24*time.Hour); err != nil {
			h.t.Fatal(err)
		}
	}
}

// hold approves and holds.
func (h *hall) hold(name, text string) (*ceremony.Transcript, string) {
	h.t.Helper()
	f := h.read(name, text)
	h.approve(f, "anna.bianchi", "sara.neri")
	t, path, err := f.Hold(h.t.Context(), h.env())
	if err != nil {
		h.t.Fatalf("%s: %v", name, err)
	}
	return t, path
}

func (h *hall) cert(name string) *x509.Certificate {
	h.t.Helper()
	c, err := ca.ReadCertificate(h.path(name))
	if err != nil {
		h.t.Fatal(err)
	}
	return c
}

// All modes in one folder give an authority that csed opens.
func TestAnAuthorityByCeremonies(t *testing.T) {
	h := newHall(t)
	_, rootScript := h.hold("root.yaml", h.rootFile())
	tr, path := h.hold("issuing.yaml", h.issuingFile())
	if len(tr.Certificates) != 1 || len(tr.Keys) != 1 || len(tr.Approvals) != 2 || len(tr.Inputs) != 1 || tr.Witnesses[0] != "Carla Rossi" {
		t.Errorf("transcript: %+v", tr)
	}
	root, issuing := h.cert("ca/root.pem"), h.cert("ca/issuing.pem")
	for _, p := range []string{path, rootScript} {
		if _, err := ceremony.Verify(p, root); err != nil {
			t.Errorf("%s by the root: %v", p, err)
		}
		if _, err := ceremony.Verify(p, issuing); code(err) != "CSE-923" {
			t.Errorf("%s by another: %v, want CSE-923", p, err)
		}
	}
	if _, err := ca.Load(h.path("ca"), keys.Sealed(secret.FromString("metà di Anna, metà di Luca"))); code(err) != "CSE-197" {
		t.Errorf("without responder: %v, want CSE-197: it is no whole authority", err)
	}
	_, path = h.hold("responder.yaml", h.responderFile())
	if _, err := ceremony.Verify(path, issuing); err != nil {
		t.Error(err)
	}
	m, err := ca.Load(h.path("ca"), keys.Sealed(secret.FromString("metà di Anna, metà di Luca")))
	if err != nil {
		t.Fatal(err)
	}
	if m.Details.CRLShards != 128 || m.Details.IssuesTo != "2031-12-31" {
		t.Errorf("details: %+v", m.Details)
	}
	h.write("ca/authority.json", strings.Replace(h.files("ca")["authority.json"], "issuing", "another", 1))
	if _, err := ca.Load(h.path("ca"), keys.Sealed(secret.FromString("metà di Anna, metà di Luca"))); code(err) != "CSE-197" {
		t.Errorf("details of another authority: %v, want CSE-197", err)
	}
	if !m.Issuing.MaxPathLenZero || len(m.Issuing.Policies) != 2 || m.Issuing.NotAfter.Before(civil.Date{Year: 2037, Month: 12, Day: 31}.End()) || m.Root.MaxPathLen != -1 {
		t.Errorf("issuing: path length %d, policies %v, until %s", m.Issuing.MaxPathLen, m.Issuing.Policies, m.Issuing.NotAfter)
	}
	if got := m.Issuing.CRLDistributionPoints; len(got) != 1 || got[0] != profile.URLsAt("http://pki.example.it").RootCRL {
		t.Errorf("distribution points %v", got)
	}
	tr, path = h.hold("list.yaml", h.listFile(fmt.Sprintf("  entries: [{serial: %s, reason: cACompromise, date: 2026-11-25}]\n", profile.SerialText(issuing.SerialNumber))))
	if len(tr.Lists) != 1 || tr.Lists[0].Entries != 1 {
		t.Errorf("lists: %+v", tr.Lists)
	}
	if _, err := ceremony.Verify(path, root); err != nil {
		t.Error(err)
	}
	der, err := os.ReadFile(h.path("crl/root.crl"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := x509.ParseRevocationList(der)
	if err != nil || l.CheckSignatureFrom(root) != nil || l.RevokedCertificateEntries[0].ReasonCode != 2 {
		t.Errorf("list: %v", err)
	}
	for _, f := range []string{"ca/root.key", "ca/issuing.key", "ca/ocsp.key"} {
		if st, err := os.Stat(h.path(f)); err != nil || st.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v %v", f, st, err)
		}
	}
}

// The root signs on a machine of its own: only a request goes there, and a
// certificate comes back.
func TestARootOnAMachineOfItsOwn(t *testing.T) {
	offline, online := newHall(t), newHall(t)
	offline.hold("root.yaml", offline.rootFile())
	n := fmt.Sprintf(names, "Regione di prova - CA Cittadini")
	online.hold("key.yaml", online.head("key", "new")+"key:\n  key: {kind: RSA-2048, where: file, passphrase_files: [part1, part2]}\n  "+n+"\n")
	csr, err := os.ReadFile(online.path("new/issuing.csr"))
	if err != nil {
		t.Fatal(err)
	}
	offline.write("issuing.csr", string(csr))
	text := strings.Replace(offline.issuingFile(), "  key: {kind: P-256, where: file, passphrase_files: [part1, part2]}\n",
		"  request: issuing.csr\n  request_sha256: "+sha(csr)+"\n", 1)
	text = strings.Replace(text, "out: ca", "out: for-region", 1)
	offline.hold("issuing.yaml", text)
	if _, err := os.Stat(offline.path("for-region/issuing.key")); !errors.Is(err, os.ErrNotExist) {
		t.Error("a key was made on the root's machine")
	}
	c := offline.cert("for-region/issuing.pem")
	k, err := keys.Load(online.path("new/issuing.key"), secret.FromString("metà di Anna, metà di Luca"))
	if err != nil || !k.Public().(interface{ Equal(crypto.PublicKey) bool }).Equal(c.PublicKey) || keys.AlgorithmOf(c.PublicKey) != keys.RSA2048 {
		t.Errorf("the certificate is of another key (%v)", err)
	}
	// The key that approvers did not see is not certified.
	other := newHall(t)
	other.hold("key.yaml", other.head("key", "new")+"key:\n  key: {kind: P-256, where: file, passphrase_files: [part1]}\n  "+n+"\n")
	strange, err := os.ReadFile(other.path("new/issuing.csr"))
	if err != nil {
		t.Fatal(err)
	}
	offline.write("issuing.csr", string(strange))
	f := offline.read("again.yaml", strings.Replace(text, "out: for-region", "out: again", 1))
	offline.approve(f, "anna.bianchi", "luca.verdi")
	if _, _, err := f.Hold(t.Context(), offline.env()); code(err) != "CSE-919" || words.FaultOf(err).Field != "issuing.request_sha256" {
		t.Errorf("another request: %v, want CSE-919 at issuing.request_sha256", err)
	}
}

// Four eyes: each way in which they lack.
func TestFourEyes(t *testing.T) {
	day := 24 * time.Hour
	tests := []struct {
		name string
		do   func(h *hall, f *ceremony.File) // what happens before the ceremony
		code string
		says string
	}{
		{"two approve", func(h *hall, f *ceremony.File) { h.approve(f, "anna.bianchi", "luca.verdi") }, "", ""},
		{"nobody approves", func(*hall, *ceremony.File) {}, "CSE-920", "0 of 2"},
		{"one approves", func(h *hall, f *ceremony.File) { h.approve(f, "anna.bianchi") }, "CSE-920", "1 of 2"},
		{"one approves twice", func(h *hall, f *ceremony.File) {
			h.approve(f, "anna.bianchi")
			b, err := os.ReadFile(h.path("root.yaml.anna.bianchi.approval"))
			if err != nil {
				h.t.Fatal(err)
			}
			h.write("root.yaml.copy.approval", string(b))
		}, "CSE-920", "counts once"},
		{"one octet of the file changes", func(h *hall, f *ceremony.File) {
			h.approve(f, "anna.bianchi", "luca.verdi")
			h.write("root.yaml", strings.Replace(h.rootFile(), "years: 25", "years: 24", 1))
		}, "CSE-920", "another file"},
		{"a blank is added", func(h *hall, f *ceremony.File) {
			h.approve(f, "anna.bianchi", "luca.verdi")
			h.write("root.yaml", h.rootFile()+" \n")
		}, "CSE-920", "another file"},
		{"the approvals are a week old", func(h *hall, f *ceremony.File) {
			h.clock.Set(start.Add(-8 * day))
			h.approve(f, "anna.bianchi", "luca.verdi")
			h.clock.Set(start)
		}, "CSE-920", "ended at"},
		{"the approvals come from tomorrow", func(h *hall, f *ceremony.File) {
			h.clock.Set(start.Add(day))
			h.approve(f, "anna.bianchi", "luca.verdi")
			h.clock.Set(start)
		}, "CSE-920", "clocks"},
		{"a stranger approves", func(h *hall, f *ceremony.File) {
			h.approve(f, "anna.bianchi")
			o := newHall(h.t)
			g := o.read("root.yaml", o.rootFile())
			o.approve(g, "luca.verdi") // of the same name, with another key
			b, err := os.ReadFile(o.path("root.yaml.luca.verdi.approval"))
			if err != nil {
				h.t.Fatal(err)
			}
			h.write("root.yaml.luca.verdi.approval", string(b))
		}, "CSE-920", "not signed by an approver"},
		{"an approval is touched", func(h *hall, f *ceremony.File) {
			h.approve(f, "anna.bianchi", "luca.verdi")
			p := h.path("root.yaml.luca.verdi.approval")
			b, err := os.ReadFile(p)
			if err != nil {
				h.t.Fatal(err)
			}
			h.write("root.yaml.luca.verdi.approval", strings.Replace(string(b), "until 2026", "until 2027", 1))
		}, "CSE-920", "not signed by an approver"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h := newHall(t)
			f := h.read("root.yaml", h.rootFile())
			tt.do(h, f)
			f, err := ceremony.Read(h.path("root.yaml")) // as it is now
			if err != nil {
				t.Fatal(err)
			}
			_, _, err = f.Hold(t.Context(), h.env())
			if code(err) != tt.code || (tt.code == "") != (err == nil) || (err != nil && !strings.Contains(err.Error(), tt.says)) {
				t.Errorf("got %v, want %q and %q", err, tt.code, tt.says)
			}
			if _, err := os.Stat(h.path("ca/root.key")); (err == nil) != (tt.code == "") {
				t.Errorf("a key was made: %t", err == nil)
			}
		})
	}
	h := newHall(t)
	f := h.read("root.yaml", h.rootFile())
	if _, err := ceremony.Approve(f, h.path("anna.bianchi.key"), pass, start, 31*day); code(err) != "CSE-919" {
		t.Errorf("an approval of 31 days: %v, want CSE-919", err)
	}
	for _, name := range []string{"due parole", "", "../x", "Anna", "a+b", "-a"} {
		if _, err := ceremony.NewApprover(rand.Reader, h.path("x.key"), name, pass); code(err) != "CSE-919" {
			t.Errorf("an approver %q: %v, want CSE-919", name, err)
		}
	}
	if _, err := ceremony.Approve(f, newHall(t).path("anna.bianchi.key"), pass, start, day); code(err) != "CSE-920" {
		t.Errorf("a key that the file does not list: %v, want CSE-920", err)
	}
	if _, err := ceremony.Approve(f, h.path("anna.bianchi.key"), secret.FromString("x"), start, day); code(err) != "CSE-190" {
		t.Errorf("a wrong passphrase: %v, want CSE-190", err)
	}
}

// Killed before each thing that is written, and held again: the same keys, the
// same certificate, a whole folder; and in between no folder is taken for whole.
func TestAKillAtEveryStep(t *testing.T) {
	killed := errors.New("killed")
	h := newHall(t)
	h.hold("root.yaml", h.rootFile())
	rootFiles := h.files("ca")
	for _, mode := range []string{"root", "issuing", "root-crl"} {
		steps := 1
		for n := 0; n < steps; n++ {
			g := newHall(t)
			text := map[string]func() string{"root": g.rootFile, "issuing": g.issuingFile, "root-crl": func() string { return g.listFile("") }}[mode]()
			if mode != "root" {
				for name, b := range rootFiles {
					g.write(name, b)
				}
				text = strings.ReplaceAll(text, "ca/root", "root")
			}
			f := g.read("file.yaml", text)
			g.approve(f, "anna.bianchi", "luca.verdi")
			count, last := 0, ""
			env := ceremony.Before(g.env(), func(step string) error {
				count++
				last = step
				if count == n+1 {
					return killed
				}
				return nil
			})
			_, _, err := f.Hold(t.Context(), env)
			if err == nil {
				break // all steps were tried
			}
			steps++
			if !errors.Is(err, killed) {
				t.Fatalf("%s, before %q: %v", mode, last, err)
			}
			out := filepath.Join(g.dir, map[string]string{"root": "ca", "issuing": "ca", "root-crl": "crl"}[mode])
			whole := filepath.Join(out, ceremony.TranscriptName(f.Mode))
			if _, err := ceremony.Verify(whole, nil); err == nil && last != "tidy" {
				t.Errorf("%s, killed before %q: taken for whole", mode, last)
			}
			before := g.files(filepath.Base(out))
			g.clock.Advance(2 * time.Hour)
			_, path, err := f.Hold(t.Context(), g.env())
			if err != nil {
				t.Errorf("%s, killed before %q and held again: %v", mode, last, err)
				continue
			}
			after := g.files(filepath.Base(out))
			for name, b := range before {
				if strings.HasPrefix(name, "ceremony-") || strings.HasSuffix(name, ".sig") {
					continue
				}
				if after[name] != b {
					t.Errorf("%s, killed before %q: %s was replaced", mode, last, name)
				}
			}
			if _, err := ceremony.Verify(path, nil); err != nil {
				t.Errorf("%s, killed before %q: %v", mode, last, err)
			}
			if left, _ := filepath.Glob(filepath.Join(out, ".*")); len(left) > 0 {
				t.Errorf("%s: left behind: %v", mode, left)
			}
		}
		if steps < 7 {
			t.Errorf("%s: only %d steps", mode, steps)
		}
	}
}

// files are the plain files in a folder of the hall.
func (h *hall) files(dir string) map[string]string {
	h.t.Helper()
	out := map[string]string{}
	entries, err := os.ReadDir(h.path(dir))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		h.t.Fatal(err)
	}
	for _, e := range entries {
		if e.IsDir() {
			continue
		}
		b, err := os.ReadFile(filepath.Join(h.path(dir), e.Name()))
		if err != nil {
			h.t.Fatal(err)
		}
		out[e.Name()] = string(b)
	}
	return out
}

// Nothing is ever replaced, and a folder that another file left half done is not
// gone on with.
func TestNothingIsReplaced(t *testing.T) {
	h := newHall(t)
	_, path := h.hold("root.yaml", h.rootFile())
	before := h.files("ca")
	f := h.read("root.yaml", h.rootFile())
	if _, again, err := f.Hold(t.Context(), h.env()); err != nil || again != path {
		t.Errorf("held again when all is done: %v", err)
	}
	f = h.read("other.yaml", strings.Replace(h.rootFile(), "Prova di", "Altra", 1))
	h.approve(f, "anna.bianchi", "luca.verdi")
	if _, _, err := f.Hold(t.Context(), h.env()); code(err) != "CSE-193" {
		t.Errorf("another ceremony in the same folder: %v, want CSE-193", err)
	}
	if after := h.files("ca"); len(after) != len(before) || after["root.key"] != before["root.key"] {
		t.Error("the folder changed")
	}
	g := newHall(t)
	f = g.read("one.yaml", g.rootFile())
	g.approve(f, "anna.bianchi", "luca.verdi")
	if _, _, err := f.Hold(t.Context(), ceremony.Before(g.env(), func(s string) error {
		if s == "make root.pem" {
			return errors.New("killed")
		}
		return nil
	})); err == nil {
		t.Fatal("not killed")
	}
	f = g.read("two.yaml", strings.Replace(g.rootFile(), "Prova di", "Altra", 1))
	g.approve(f, "anna.bianchi", "luca.verdi")
	if _, _, err := f.Hold(t.Context(), g.env()); code(err) != "CSE-921" {
		t.Errorf("in the half done folder of another file: %v, want CSE-921", err)
	}
	m := newHall(t)
	if err := os.MkdirAll(m.path("ca"), 0o755); err != nil {
		t.Fatal(err)
	}
	m.write("ca/root.pem", "what is here stays here")
	f = m.read("root.yaml", m.rootFile())
	m.approve(f, "anna.bianchi", "luca.verdi")
	if _, _, err := f.Hold(t.Context(), m.env()); code(err) != "CSE-193" {
		t.Errorf("over a file: %v, want CSE-193", err)
	}
	if m.files("ca")["root.pem"] != "what is here stays here" {
		t.Error("a file was replaced")
	}
}

// A dry run needs no approval, no key and no passphrase, finds what the ceremony
// would find, and leaves nothing.
func TestADryRunWritesNothing(t *testing.T) {
	h := newHall(t)
	if _, err := h.read("root.yaml", h.rootFile()).Rehearse(t.Context(), h.env()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(h.path("ca")); !errors.Is(err, os.ErrNotExist) {
		t.Error("the dry run made a folder")
	}
	h.hold("root.yaml", h.rootFile())
	before := h.files("ca")
	texts := map[string]string{"issuing": h.issuingFile(), "list": h.listFile("")}
	if err := os.Remove(h.path("root.pass")); err != nil {
		t.Fatal(err)
	}
	for name, text := range texts {
		if _, err := h.read(name+".yaml", text).Rehearse(t.Context(), h.env()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if after := h.files("ca"); len(after) != len(before) {
		t.Error("the dry run left files")
	}
	if _, err := os.Stat(h.path("crl")); !errors.Is(err, os.ErrNotExist) {
		t.Error("the dry run made a folder")
	}
	var none context.Context = t.Context()
	long := strings.Replace(h.issuingFile(), "years: 12", "years: 11", 1) // a card of the last day would not fit
	if _, err := h.read("long.yaml", long).Rehearse(none, h.env()); code(err) != "CSE-919" || words.FaultOf(err).Field != "issuing.years" {
		t.Errorf("a card that does not fit: %v, want CSE-919 at issuing.years", err)
	}
}

func pemOf(c *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}))
}
