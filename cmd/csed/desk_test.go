package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cse.example/cse/card/holder"
	"cse.example/cse/card/reader"
	"cse.example/cse/engine/queue"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/codes"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/desk"
	"cse.example/cse/issuer/staff"
)

// deskProgram is the holder's tool beside a counter's reader, with a key of its own.
type deskProgram struct {
	t                            *testing.T
	p                            *Platform
	binary, cert, key, authority string
}

func newDeskProgram(t *testing.T, r *region, office string) *deskProgram {
	t.Helper()
	d := &deskProgram{t: t, binary: filepath.Join(t.TempDir(), "cse")}
	build := exec.CommandContext(t.Context(), "go", "build", "-o", d.binary, "../cse")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build cse: %v\n%s", err, out)
	}
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(t, err)
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(7), Subject: pkix.Name{CommonName: "postazione"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, k.Public(), k)
	check(t, err)
	cert, err := x509.ParseCertificate(der)
	check(t, err)
	sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
	r.config.Desks = append(r.config.Desks, desk.Desk{ID: "postazione-a", Name: "Postazione A", Office: office, Key: hex.EncodeToString(sum[:])})
	raw, err := x509.MarshalPKCS8PrivateKey(k)
	check(t, err)
	d.cert = d.write("cert.pem", "CERTIFICATE", der)
	d.key = d.write("key.pem", "PRIVATE KEY", raw)
	return d
}

func (d *deskProgram) write(name, kind string, der []byte) string {
	d.t.Helper()
	path := filepath.Join(filepath.Dir(d.binary), name)
	check(d.t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600))
	return path
}

// once lets the program do one job with the chip in a file.
func (d *deskProgram) once(chip string) (string, error) {
	d.t.Helper()
	c := exec.CommandContext(d.t.Context(), d.binary, "desk", "--once", "--api", d.p.Config.Public.API, "--cert", d.cert, "--key", d.key, "--ca", d.authority, "--card", chip)
	out, err := c.CombinedOutput()
	return string(out), err
}

// New codes from the form to the chip, on the real store with the real program: the
// CIP at once, PIN and PUK by the reader, then the print and the mail; another card
// in the reader changes nothing, and the former codes end.
func TestR52_R72_NewCodesAreWrittenByTheCountersReader(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.clock.Set(time.Now())
	key := r.employ(t, "ugo", 3, staff.RoleOperator)
	d := newDeskProgram(t, r, "comune")
	p := r.serve(t, "web", "print", "mail")
	d.p = p
	d.authority = p.webCA.Path()
	ctx, home := t.Context(), p.Config.Public.Portal
	id := r.active
	chip := filepath.Join(p.Config.under("cards"), id+".cse")
	before, err := p.first.FirstHalves(ctx, id)
	check(t, err)
	was, err := p.second.SecondHalves(ctx, id)
	check(t, err)
	cipWas := secret.FromString(string(before.CIP.Reveal()) + string(was.CIP.Reveal()))

	b := atWork(t, p, "ugo", key, "/sportello/tessera/"+id)
	// The card is read in the reader; another one is not taken for it.
	ask := func() {
		t.Helper()
		check(t, b.Get(ctx, home+"/sportello/tessera/"+id+"/nuovi-codici"))
		check(t, b.Submit(ctx, "/lettura/nuovi-codici", nil))
		if !strings.HasPrefix(b.Page.URL.Path, "/sportello/lettura/") || b.Page.Code() != "" {
			t.Fatalf("%s %s: %s", b.Page.Where(), b.Page.Code(), b.Page.Text())
		}
	}
	ask()
	out, err := d.once(filepath.Join(p.Config.under("cards"), r.waiting+".cse"))
	if err == nil || !strings.Contains(out, "CSE-475") {
		t.Errorf("another card in the reader: %v %s", err, out)
	}
	waits := b.Page.URL.String()
	check(t, b.Get(ctx, waits))
	if b.Page.Code() != "CSE-475" {
		t.Errorf("the page says %q", b.Page.Code())
	}
	ask()
	waits = b.Page.URL.String()
	if out, err := d.once(chip); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	check(t, b.Get(ctx, waits))
	if b.Page.URL.Path != "/sportello/tessera/"+id+"/nuovi-codici" || b.Page.URL.Query().Get("lettura") == "" {
		t.Fatalf("after the reading: %s %s", b.Page.Where(), b.Page.Code())
	}
	check(t, b.Submit(ctx, "/nuovi-codici", map[string]string{
		"presente": "titolare", "documento_tipo": "CI", "documento_numero": "AX1234567", "documento_ente": "Comune",
		"documento_rilascio": "05/03/2022", "documento_scadenza": "05/03/2032", "email": "nuova@esempio.it", "email_ripetuta": "nuova@esempio.it", "lingua": "it",
	}))
	if !strings.HasPrefix(b.Page.URL.Path, "/sportello/pratica/") || b.Page.Code() != "" {
		t.Fatalf("%s %s: %s", b.Page.Where(), b.Page.Code(), b.Page.Text())
	}
	act := b.Page.URL.String()
	if ok, err := p.cips.Check(ctx, id, cipWas); err != nil || ok {
		t.Errorf("the former CIP still counts: %t, %v", ok, err)
	}
	if b.Page.HasForm("/modulo") {
		t.Error("the form can be printed before the chip has the codes")
	}
	protocol := strings.TrimPrefix(b.Page.URL.Path, "/sportello/pratica/")
	if _, err := p.counter.ToPrint(ctx, operatorOf(t, p, "ugo"), protocol); !errors.Is(err, words.Refuse("CSE-476")) {
		t.Errorf("printed before the chip has the codes: %v", err)
	}
	if _, err := p.queue.Get(ctx, counter.MailKey(protocol)); !errors.Is(err, queue.ErrUnknown) {
		t.Errorf("the other half left before the chip has the codes: %v", err)
	}
	if err := p.db.Atomically(ctx, func(ctx context.Context) error {
		renew, err := p.renewer()
		check(t, err)
		return renew.New(ctx, id, civil.Date{Year: 1980, Month: 1, Day: 1})
	}); !errors.Is(err, codes.ErrPending) {
		t.Errorf("other new codes while these wait: %v", err)
	}
	check(t, b.Submit(ctx, "/chip", nil))
	out, err = d.once(chip)
	if err != nil {
		t.Fatalf("%v %s", err, out)
	}
	check(t, b.Get(ctx, act))
	if !b.Page.HasForm("/modulo") {
		t.Fatalf("the form cannot be printed: %s", b.Page.Text())
	}
	// The chip has what form and mail say, and nothing else.
	first, err := p.first.FirstHalves(ctx, id)
	check(t, err)
	second, err := p.second.SecondHalves(ctx, id)
	check(t, err)
	card, err := reader.FromFile(chip)
	check(t, err)
	defer card.Close()
	h, err := holder.New(card)
	check(t, err)
	join := func(a, b secret.Text) secret.Text {
		return secret.FromString(string(a.Reveal()) + string(b.Reveal()))
	}
	if join(first.PIN, second.PIN).Equal(join(before.PIN, was.PIN)) && join(first.PUK, second.PUK).Equal(join(before.PUK, was.PUK)) {
		t.Fatal("the codes are the former ones")
	}
	check(t, h.VerifyPIN(join(first.PIN, second.PIN)))
	check(t, h.UnblockPIN(join(first.PUK, second.PUK), join(first.PIN, second.PIN)))
	if _, err := p.queue.Get(ctx, counter.MailKey(protocol)); err != nil {
		t.Errorf("the other half does not leave: %v", err)
	}
	check(t, b.Submit(ctx, "/modulo", nil))
	sheet := readBack(t, b.Page.Body)
	if raw := rawKey.FindString(sheet); raw != "" || !strings.Contains(sheet, string(first.CIP.Reveal())) {
		t.Errorf("the sheet of the new codes (%q): %d octets", raw, len(sheet))
	}
	sound(t, p)
	for _, name := range []string{"codes.renewed", "card.read-at-desk", "codes.to-reader", "codes.written", "desk.failed"} {
		if len(records(t, p, name)) == 0 {
			t.Errorf("the trail has no %s", name)
		}
	}
	j, err := p.db.Desk().Next(ctx, "postazione-a", desk.Done, time.Time{})
	if err != nil || len(j.First)+len(j.Second)+len(j.Reader) != 0 {
		t.Errorf("a job that is over keeps halves: %+v, %v", j, err)
	}
	if strings.Contains(out, string(join(first.PIN, second.PIN).Reveal())) {
		t.Error("the program printed a code")
	}
}

// A program whose key is not registered gets nothing.
func TestAnUnknownReaderGetsNothing(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.clock.Set(time.Now())
	d := newDeskProgram(t, r, "comune")
	r.config.Desks = nil
	p := r.serve(t, "web")
	d.p = p
	d.authority = p.webCA.Path()
	if out, err := d.once("no.cse"); err == nil || !strings.Contains(out, "CSE-473") {
		t.Errorf("%v %s", err, out)
	}
}
