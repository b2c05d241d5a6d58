package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/issuer/trustlist"
	"cse.example/cse/login/door"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/pki/profile"
	"cse.example/cse/pki/trust/tsl"
)

// R9: two installations trust each other by a list. Region B takes A's list, two people let A's authority in, A's card opens B's
// door by what A's own responder says; when A withdraws the authority, the door is shut, at once and for a session that is open.
func TestR9_TwoInstallationsByAList(t *testing.T) {
	t.Parallel()
	a := newOffice(t)
	x := a.patient(t, 1)
	check(t, a.db.Atomically(t.Context(), func(ctx context.Context) error {
		return a.authority.Activate(ctx, profile.SerialText(x.leaf.SerialNumber))
	}))
	signer, _, err := a.listSigner()
	check(t, err)
	first, err := a.publishTrust(t.Context(), staff.Operator{Account: "anna"}, "IT", nil, 30)
	check(t, err)

	c := defaults()
	c.Data = t.TempDir()
	c.Region.Name, c.Region.Certifier = "REGIONE ALTRA", "Certificatore altro"
	check(t, os.WriteFile(c.under("a.pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: signer.Raw}), 0o600))
	c.Login.TrustLists = []TrustedList{{Name: "a", Territory: "IT", Signers: []string{"a.pem"}}}
	c.Counters = []staff.Office{{ID: "asl", Type: staff.ASL, Name: "ASL di prova", Comune: "D612", ASL: "101"}}
	c.Operators = []staff.Account{
		{Account: "carlo", Name: "Carlo Neri", CF: inventedCF(t, "Neri", "Carlo"), Roles: []staff.Role{staff.RoleOperations}, Offices: []string{"asl"}},
		{Account: "dora", Name: "Dora Gialli", CF: inventedCF(t, "Gialli", "Dora"), Roles: []staff.Role{staff.RoleSecurity}, Offices: []string{"asl"}},
	}
	c.settle()
	_, err = c.initialise(t.Context(), a.hand)
	check(t, err)
	b, err := Open(t.Context(), c, Options{Clock: a.hand, Log: slog.New(slog.DiscardHandler)})
	check(t, err)
	t.Cleanup(func() { check(t, b.Close()) })
	asked := 0
	b.neighbour.post = func(_ context.Context, url string, body []byte) ([]byte, error) {
		asked++
		if url != a.Config.Public.PKI+"/ocsp" {
			t.Errorf("asked at %s", url)
		}
		rq := httptest.NewRequest(http.MethodPost, "/ocsp", bytes.NewReader(body))
		rq.Header.Set("Content-Type", "application/ocsp-request")
		w := httptest.NewRecorder()
		a.site.ServeHTTP(w, rq)
		return w.Body.Bytes(), nil
	}
	d := door.Door{Trust: b.believe(), Revocation: b.revocation, Cards: b.doorCard, Clock: a.hand, ACR: c.Login.ACR}
	opens := func(want string) {
		t.Helper()
		_, err := d.Admit(t.Context(), tls.ConnectionState{PeerCertificates: []*x509.Certificate{x.leaf}})
		got := ""
		if f := words.FaultOf(err); f != nil {
			got = f.Code
		} else {
			check(t, err)
		}
		if got != want {
			t.Errorf("%q, want %q (%v)", got, want, err)
		}
	}
	carlo, err := b.directory.OperatorByAccount("carlo")
	check(t, err)
	take := func(body []byte, want trustlist.State) {
		t.Helper()
		r, err := b.trusted.Import(t.Context(), carlo, "a", body, "prova")
		check(t, err)
		if r.State != want {
			t.Errorf("%s, want %s", r.State, want)
		}
	}
	opens("CSE-308")
	take(first, trustlist.Waiting)
	opens("CSE-308")
	if asked != 0 {
		t.Errorf("asked %d times about a card whose authority nobody let in", asked)
	}
	list, err := b.approvals.Waiting(t.Context(), carlo)
	check(t, err)
	if err := b.approvals.Decide(t.Context(), carlo, list[0].ID, list[0].Sum(), true); words.FaultOf(err) == nil || words.FaultOf(err).Code != "CSE-552" {
		t.Errorf("one person alone: %v", err)
	}
	opens("CSE-308")
	dora, err := b.directory.OperatorByAccount("dora")
	check(t, err)
	check(t, b.approvals.Decide(t.Context(), dora, list[0].ID, list[0].Sum(), true))
	opens("")
	if asked != 1 {
		t.Errorf("asked %d times, want once", asked)
	}
	id, err := d.Admit(t.Context(), tls.ConnectionState{PeerCertificates: []*x509.Certificate{x.leaf}})
	check(t, err)

	// A withdraws its authority: no second person is needed to shut a door.
	a.hand.Advance(time.Hour)
	second, err := a.publishTrust(t.Context(), staff.Operator{Account: "anna"}, "IT", []string{tsl.Fingerprint(a.material.Issuing)}, 30)
	check(t, err)
	take(second, trustlist.Current)
	opens("CSE-308")
	if err := d.Live(t.Context(), id); words.FaultOf(err) == nil {
		t.Errorf("a session of a card whose authority is withdrawn: %v", err)
	}
	if views, err := b.trusted.Views(t.Context()); err != nil || len(views) != 1 || len(views[0].History) != 2 || len(views[0].Believed) != 0 {
		t.Errorf("%+v, %v", views, err)
	}
}

func inventedCF(t *testing.T, surname, name string) string {
	t.Helper()
	born, err := civil.NewDate(1980, 1, 1)
	check(t, err)
	cf, err := codicefiscale.Compute(codicefiscale.Person{Surname: surname, Name: name, Born: born, Sex: "F", Belfiore: "D612"})
	check(t, err)
	return string(cf)
}

// `csed trust` from end to end: our own list, taken by ourselves.
func TestTrustCommands(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	data := filepath.Join(dir, "data")
	config := written(t, "data: "+data+"\ncounters: [{id: asl, type: ASL, name: ASL di prova, comune: D612, asl: \"101\"}]\n"+
		"operators: [{account: carlo, name: Carlo Neri, codice_fiscale: "+inventedCF(t, "Neri", "Carlo")+", roles: [operations], offices: [asl]}]\n")
	run := func(want int, args ...string) string {
		t.Helper()
		code, out, errs := said(t, nil, append(args, "--config", config)...)
		if code != want {
			t.Fatalf("%v: exit %d, want %d: %s%s", args, code, want, out, errs)
		}
		return out + errs
	}
	run(0, "ca", "init")
	signer, list := filepath.Join(dir, "signer.pem"), filepath.Join(dir, "list.xml")
	check(t, os.WriteFile(signer, []byte(run(0, "trust", "signer")), 0o600))
	run(0, "trust", "publish", "--by", "carlo", "--out", list)
	b, err := os.ReadFile(config)
	check(t, err)
	check(t, os.WriteFile(config, append(b, "login: {trust_lists: [{name: noi, territory: IT, signers: ["+signer+"]}]}\n"...), 0o600))
	run(1, "trust", "import", list, "--list", "altri", "--by", "carlo")
	run(2, "trust", "import", list, "--list", "noi", "--by", "nessuno")
	web := httptest.NewServer(http.FileServer(http.Dir(dir)))
	t.Cleanup(web.Close)
	if out := run(0, "trust", "import", web.URL+"/list.xml", "--list", "noi", "--by", "carlo"); !strings.Contains(out, "waits") || !strings.Contains(out, "new: ") {
		t.Error(out)
	}
	run(1, "trust", "import", web.URL+"/none.xml", "--list", "noi", "--by", "carlo")
	if out := run(0, "trust", "history"); !strings.Contains(out, "noi 1 ") || !strings.Contains(out, "waiting") || !strings.Contains(out, "own 1 ") {
		t.Error(out)
	}
	if out := run(0, "trust", "list"); out != "" {
		t.Error(out)
	}
	run(0, "trust", "drop", "--list", "noi", "--by", "carlo")
}

func TestTrustedListsConfigured(t *testing.T) {
	t.Parallel()
	c := defaults()
	c.Data = t.TempDir()
	check(t, os.WriteFile(c.under("s.pem"), []byte("no certificate"), 0o600))
	good := TrustedList{Name: "italia", Territory: "IT", Signers: []string{"s.pem"}}
	for name, change := range map[string]func(*TrustedList){
		"a signer that is none": func(*TrustedList) {}, "no signer": func(l *TrustedList) { l.Signers = nil }, "no name": func(l *TrustedList) { l.Name = "" },
		"our own name": func(l *TrustedList) { l.Name = "own" }, "a territory": func(l *TrustedList) { l.Territory = "Italia" }, "expired": func(l *TrustedList) { l.Expired = "ignore" },
		"responders": func(l *TrustedList) { l.Responders = "any" },
	} {
		l := good
		change(&l)
		c.Login.TrustLists = []TrustedList{l}
		if f := words.FaultOf(c.check()); f == nil || f.Code != "CSE-383" {
			t.Errorf("%s: %v", name, f)
		}
	}
}
