package crash

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/base32"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"cse.example/cse/issuer/staff"

	"cse.example/cse/demo/browser"
	"cse.example/cse/demo/inbox"
	"cse.example/cse/engine/listen/webca"
	"cse.example/cse/engine/queue"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/secret"
)

// withCodes is the letter with the second halves.
var withCodes = regexp.MustCompile(`(?m)^PIN: [0-9]+`)

// counterSite is a site with a counter: csed serves, an operator works with a
// browser, letters go to an inbox.
type counterSite struct {
	*site
	inbox  *inbox.Inbox
	portal string
	totp   secret.Text

	server  *exec.Cmd
	browser *browser.Browser
	// forms counts the PDFs that reached the operator, by protocol number.
	forms map[string]int
	// page is the address of the activation that is being done, once it happened.
	page    string
	cohorts uint64
}

const (
	account  = "anna"
	password = "quattro parole a caso"
)

// newCounter makes a site whose first cohort has its cards.
func newCounter(t *testing.T) *counterSite {
	t.Helper()
	c := emptyCounter(t)
	c.more()
	return c
}

// emptyCounter makes a site that has no people yet.
func emptyCounter(t *testing.T) *counterSite {
	t.Helper()
	box, err := inbox.Open(filepath.Join(t.TempDir(), "inbox"))
	if err != nil {
		t.Fatal(err)
	}
	smtp, err := box.Listen(t.Context(), "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := box.Stop(); err != nil {
			t.Error(err)
		}
	})
	tls, plain := freePort(t), freePort(t)
	yaml := fmt.Sprintf("listen: %s\nlisten_plain: %s\nmail: {server: %q, resend_seconds: 1}\n", tls, plain, smtp) +
		"counters: [{id: comune, type: COMUNE, name: Comune di prova, comune: D612}]\n"
	_, port, err := net.SplitHostPort(tls)
	if err != nil {
		t.Fatal(err)
	}
	c := &counterSite{site: newSite(t, yaml), inbox: box, portal: "https://portal.cse.localhost:" + port, forms: map[string]int{}}
	c.hireOperator()
	c.hireBureau()
	return c
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// hireOperator uses `csed operator hash` as an administrator would, with pipes
// in the place of the terminal.
func (c *counterSite) hireOperator() {
	c.t.Helper()
	in, give, err := os.Pipe()
	if err != nil {
		c.t.Fatal(err)
	}
	take, out, err := os.Pipe()
	if err != nil {
		c.t.Fatal(err)
	}
	var lines, errs bytes.Buffer
	cmd := c.command("operator", "hash", account, "--fd", "3", "--totp-fd", "4")
	cmd.ExtraFiles, cmd.Stdout, cmd.Stderr = []*os.File{in, out}, &lines, &errs
	if _, err := give.WriteString(password + "\n"); err != nil {
		c.t.Fatal(err)
	}
	if err := cmd.Run(); err != nil {
		c.t.Fatalf("operator hash: %v\n%s", err, errs.String())
	}
	for _, f := range []*os.File{in, give, out} {
		f.Close()
	}
	address, err := io.ReadAll(take)
	if err != nil {
		c.t.Fatal(err)
	}
	take.Close()
	u, err := url.Parse(strings.TrimSpace(string(address)))
	if err != nil || u.Scheme != "otpauth" {
		c.t.Fatalf("no otpauth address: %v", err)
	}
	key, err := base32.StdEncoding.WithPadding(base32.NoPadding).DecodeString(u.Query().Get("secret"))
	if err != nil {
		c.t.Fatal(err)
	}
	if strings.Contains(lines.String()+errs.String(), u.Query().Get("secret")) {
		c.t.Fatal("the one-time secret is among the lines to be kept")
	}
	c.totp = secret.New(key)
	old, err := os.ReadFile(c.config)
	if err != nil {
		c.t.Fatal(err)
	}
	c.write("csed.yaml", string(old)+"operators:\n- account: "+account+
		"\n  name: Anna Esempio\n  codice_fiscale: RSSMRA85T10A562S\n  roles: [operator]\n  offices: [comune]\n  "+
		strings.ReplaceAll(strings.TrimSpace(lines.String()), "\n", "\n  ")+"\n")
	c.must("check-config")
}

// start runs `csed serve` until it is ready.
func (c *counterSite) start() {
	c.t.Helper()
	log, err := os.OpenFile(filepath.Join(c.dir, "serve.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		c.t.Fatal(err)
	}
	defer log.Close()
	c.server = c.command("serve")
	c.server.Stderr = log
	if err := c.server.Start(); err != nil {
		c.t.Fatal(err)
	}
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(30 * time.Millisecond) {
		if err = c.ready(); err == nil {
			return
		}
		if time.Now().After(deadline) {
			b, _ := os.ReadFile(log.Name()) // for the message only
			c.t.Fatalf("csed serve is not ready: %v\n%s", err, b)
		}
	}
}

func (c *counterSite) ready() error {
	pem, err := os.ReadFile(filepath.Join(c.data, "webca", webca.CertificateFile))
	if err != nil {
		return err
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	if c.browser == nil {
		if c.browser, err = browser.New(roots, nil); err != nil {
			return err
		}
	}
	probe, err := browser.New(roots, nil)
	if err != nil {
		return err
	}
	if err := probe.Get(context.Background(), c.portal+"/readyz"); err != nil {
		return err
	}
	if probe.Page.Status != 200 {
		return fmt.Errorf("/readyz: %s", probe.Page.Where())
	}
	return nil
}

// stop ends csed as a system does.
func (c *counterSite) stop() {
	c.t.Helper()
	if err := c.server.Process.Signal(syscall.SIGTERM); err != nil {
		c.t.Fatal(err)
	}
	if err := c.server.Wait(); err != nil {
		c.t.Fatalf("csed serve, stopped: %v", err)
	}
}

// gone waits for csed's end by a kill.
func (c *counterSite) gone() {
	c.t.Helper()
	if err := c.server.Wait(); !died(err) {
		c.t.Fatalf("csed serve ended by itself: %v", err)
	}
}

// login brings the operator to his counter.
func (c *counterSite) login() {
	c.t.Helper()
	ctx, b := c.t.Context(), c.browser
	c.get(c.portal + "/entra?a=/sportello")
	if !b.Page.HasForm("/operator") {
		c.get(b.Page.Href(func(h string) bool { u, err := url.Parse(h); return err == nil && u.Path == "/operator" }))
	}
	for deadline := time.Now().Add(70 * time.Second); b.Page.HasForm("/operator"); time.Sleep(time.Second) {
		if time.Now().After(deadline) {
			c.t.Fatalf("the operator is refused: %s", b.Page.Code())
		}
		code := staff.TOTP(c.totp, civil.System{}.Now())
		err := b.Submit(ctx, "/operator", map[string]string{"account": account, "password": password, "totp": string(code.Reveal())})
		if err != nil {
			c.t.Fatal(err)
		}
	}
	if b.Page.Status != 200 || b.Page.URL.Path != "/sportello" {
		c.t.Fatalf("the operator is at %s %s", b.Page.Where(), b.Page.Code())
	}
}

// refresh finds the operator at his counter: sessions outlive a kill.
func (c *counterSite) refresh() {
	c.t.Helper()
	c.get(c.portal + "/sportello")
	if c.browser.Page.URL.Path != "/sportello" || c.browser.Page.Status != 200 {
		c.t.Fatalf("the operator's session is lost: %s %s", c.browser.Page.Where(), c.browser.Page.Code())
	}
}

func (c *counterSite) get(address string) {
	c.t.Helper()
	if err := c.browser.Get(c.t.Context(), address); err != nil {
		c.t.Fatal(err)
	}
}

// prepare fills the first three steps of an activation.
func (c *counterSite) prepare(h cardholder) {
	c.t.Helper()
	c.page = ""
	b, today := c.browser, civil.Today(civil.System{})
	c.get(c.portal + "/sportello/attivazione?tessera=" + h.card.ID)
	for _, s := range []struct {
		form   string
		values map[string]string
	}{
		{"/sportello/attivazione", map[string]string{"tessera_ultime_cinque": h.card.ID[len(h.card.ID)-5:]}},
		{"/2", map[string]string{
			"presente": "titolare", "documento_tipo": "CIE", "documento_numero": "CA00000AA", "documento_ente": "COMUNE DI FIRENZE",
			"documento_rilascio": today.AddYears(-1).Italian(), "documento_scadenza": today.AddYears(5).Italian(),
		}},
		{"/3", map[string]string{"email": h.email, "email_ripetuta": h.email, "lingua": "it", "consenso": "si"}},
	} {
		if err := b.Submit(c.t.Context(), s.form, s.values); err != nil {
			c.t.Fatal(err)
		}
		if b.Page.Status != 200 {
			c.t.Fatalf("form %s: %s %s %s", s.form, b.Page.Where(), b.Page.Code(), b.Page.Text())
		}
	}
	if !b.Page.HasForm("/4") {
		c.t.Fatalf("not at step 4: %s %s", b.Page.Where(), b.Page.Text())
	}
}

// act does the act, prints the form and hands it over; after a kill it goes on
// from the page on which the operator was, by pressing the button again.
func (c *counterSite) act() error {
	ctx, b := c.t.Context(), c.browser
	if c.page == "" {
		if err := b.Submit(ctx, "/4", nil); err != nil {
			return err
		}
		if !strings.HasPrefix(b.Page.URL.Path, "/sportello/pratica/") {
			return fmt.Errorf("the act: %s %s %s", b.Page.Where(), b.Page.Code(), b.Page.Text())
		}
		c.page = b.Page.URL.String()
	} else if err := b.Get(ctx, c.page); err != nil {
		return err
	}
	if b.Page.HasForm("/modulo") {
		if err := c.printForm(ctx); err != nil {
			return err
		}
	}
	if !b.Page.HasForm("/consegna") {
		return nil // handed over before the kill
	}
	if err := b.Submit(ctx, "/consegna", map[string]string{"consegnato": "si"}); err != nil {
		return err
	}
	if b.Page.Status != 200 || b.Page.HasForm("/consegna") {
		return fmt.Errorf("handing over: %s %s %s", b.Page.Where(), b.Page.Code(), b.Page.Text())
	}
	return nil
}

// printForm asks for the form. One that was printed before the kill is spent,
// whether or not it arrived (CSE-150): it never leaves twice.
func (c *counterSite) printForm(ctx context.Context) error {
	b := c.browser
	if err := b.Submit(ctx, "/modulo", nil); err != nil {
		return err
	}
	switch {
	case bytes.HasPrefix(b.Page.Body, []byte("%PDF-")):
		u, err := url.Parse(c.page)
		if err != nil {
			return err
		}
		c.forms[strings.TrimPrefix(u.Path, "/sportello/pratica/")]++
	case b.Page.Code() != "CSE-150":
		return fmt.Errorf("the form: %s %s %s", b.Page.Where(), b.Page.Code(), b.Page.Text())
	}
	return b.Get(ctx, c.page)
}

// arrived waits for a holder's two letters.
func (c *counterSite) arrived(h cardholder) {
	c.t.Helper()
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		codes, notices := c.letters().of(h.email)
		if codes.distinct() > 0 && notices.distinct() > 0 {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("card %s: %d letters with codes and %d notices arrived", h.card.ID, codes.distinct(), notices.distinct())
		}
	}
}

// settled runs csed until no letter waits or is in doubt.
func (c *counterSite) settled() {
	c.t.Helper()
	c.start()
	defer c.stop()
	db := c.store()
	defer db.Close()
	const left = "SELECT COUNT(*) FROM effect WHERE kind LIKE 'mail.%' AND state <> '" + queue.Done + "'"
	for deadline := time.Now().Add(60 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		n := 0
		if err := db.Conn(c.t.Context()).QueryRowContext(c.t.Context(), left).Scan(&n); err != nil {
			c.t.Fatal(err)
		}
		if n == 0 {
			return
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("%d letters never left", n)
		}
	}
}
