package main

import (
	"context"
	"crypto/tls"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cse.example/cse/card/holder"
	"cse.example/cse/card/reader"
	"cse.example/cse/demo/browser"
	"cse.example/cse/demo/inbox"
	"cse.example/cse/engine/listen"
	"cse.example/cse/engine/queue"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/secret"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/portal/look"
)

// serve runs the region's platform on free ports until the test ends.
func (r *region) serve(t *testing.T, roles ...string) *Platform {
	t.Helper()
	if _, err := look.Assets(); err != nil {
		if os.Getenv("CSE_FOREIGN") != "" {
			t.Fatal("the pages are not built: run make assets")
		}
		t.Skip("the pages are not built: run make assets")
	}
	ports, err := listen.Bind(t.Context(), listen.Addresses{TLS: "127.0.0.1:0", Plain: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	r.config.Listen, r.config.ListenPlain = ports.TLS().String(), ports.Plain().String()
	r.config.Public = Public{}
	r.config.settle()
	p := r.open(t, Options{Listen: true, Ports: ports, NoNight: true}, roles...)
	running(t, p)
	return p
}

// running lets p work until the test ends.
func running(t *testing.T, p *Platform) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	select {
	case <-p.ready:
	case err := <-ended:
		ended <- nil
		t.Fatal("the platform did not start: ", err)
	}
}

// cardOf is what a browser may use of the active card in its reader.
func (r *region) cardOf(t *testing.T, p *Platform) *browser.Card {
	t.Helper()
	first, err := p.first.FirstHalves(t.Context(), r.active)
	if err != nil {
		t.Fatal(err)
	}
	second, err := p.second.SecondHalves(t.Context(), r.active)
	if err != nil {
		t.Fatal(err)
	}
	chip, err := reader.FromFile(filepath.Join(r.config.under("cards"), r.active+".cse"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = chip.Close() }) // a copy
	h, err := holder.New(chip)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := h.Certificate()
	if err != nil {
		t.Fatal(err)
	}
	key, err := h.Signer(func() (secret.Text, error) {
		return secret.New(append(first.PIN.Reveal(), second.PIN.Reveal()...)), nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return &browser.Card{
		Host:        hostname(p.Config.Public.CNS),
		Certificate: tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert},
	}
}

// enter goes to "La mia tessera" by card, with a browser that knows nothing yet.
func enter(t *testing.T, p *Platform, c *browser.Card) *browser.Browser {
	t.Helper()
	b, err := browser.New(p.webCA.Pool(), c)
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Get(t.Context(), p.Config.Public.Portal+"/entra?a=/tessera"); err != nil {
		t.Fatal(err)
	}
	if err := b.Follow(t.Context(), "cns"); err != nil {
		t.Fatal(err)
	}
	return b
}

// The holder's session ends within a second of the import that tells of his
// death, and the door stays shut (R5).
func TestDeathEndsTheSession(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.clock.Set(time.Now()) // the browser checks the platform's certificates on the machine's day
	p := r.serve(t, knownRoles()...)
	c := r.cardOf(t, p)
	b := enter(t, p, c)
	if b.Page.Status != 200 || b.Page.URL.Path != "/tessera" {
		t.Fatalf("before: %s %s", b.Page.Where(), b.Page.Code())
	}
	died := civil.Today(r.clock).String()
	imported(t, p, r.row(t, card(t, p, r.active).CF, map[string]string{"data_decesso": died}))
	if err := b.Get(t.Context(), p.Config.Public.Portal+"/tessera"); err != nil {
		t.Fatal(err)
	}
	if b.Page.Code() != "CSE-314" {
		t.Errorf("the session after the death: %s %q %s", b.Page.Where(), b.Page.Code(), b.Page.Title())
	}
	if again := enter(t, p, c); again.Page.Code() != "CSE-314" {
		t.Errorf("the door after the death: %s %q", again.Page.Where(), again.Page.Code())
	}
	clean(t, p)
}

// The web process never opens what belongs to the mail process: it starts, and
// prints, without a trace of the second halves' keys.
func TestWebAndPrintWithoutTheSecondHalf(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	remove(t, r, r.config.Keys.Second, "keys/"+ringSecond, "keys/codes-second.keyset")
	p := r.serve(t, "web", "print")
	op, err := p.directory.OperatorByAccount("anna")
	if err != nil {
		t.Fatal(err)
	}
	if err := p.handOver(t.Context(), op, card(t, p, r.waiting), r.clock); err != nil {
		t.Errorf("activation and print: %v", err)
	}
	if p.second != nil {
		t.Error("second halves are open")
	}
}

// The mail process needs the queue's keys and the second halves', no other, and
// no port.
func TestMailWithoutTheRest(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
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
	r.config.Mail.Server = smtp.String()
	remove(t, r, r.config.Keys.First, r.config.Keys.CA, r.config.Keys.Web, "ca", "webca",
		"keys/"+ringFirst, "keys/"+ringWeb, "keys/codes-first.keyset", "keys/codes-cip.keyset", "keys/"+signingKeyFile, "keys/"+productionKeyFile)
	p := r.open(t, Options{Listen: true}, "mail")
	if p.ports != nil || p.server != nil || p.first != nil || p.authority != nil {
		t.Error("the mail process has more than it needs")
	}
	running(t, p)
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		list, err := box.List()
		if err != nil {
			t.Fatal(err)
		}
		if len(list) == 2 {
			if !strings.Contains(list[0].Text+list[1].Text, "PIN: ") {
				t.Error("no letter has the second halves")
			}
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d letters arrived", len(list))
		}
	}
	item, err := p.queue.Get(t.Context(), counter.MailKey("2026/0000001"))
	if err != nil || item.State == queue.Failed {
		t.Errorf("%+v, %v", item, err)
	}
}

// Two processes of one role, in one data folder, are one too many; two of
// different roles are not.
func TestRolesSideBySide(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.open(t, Options{}, "web", "print")
	r.open(t, Options{}, "mail")
	for _, roles := range [][]string{{"web"}, {"mail", "print"}, {"mail"}} {
		if p, err := r.tryOpen(t.Context(), Options{}, roles...); err == nil {
			t.Errorf("%v: a second process was let in", roles)
			_ = p.Close() // fails already
		} else if !strings.Contains(err.Error(), "CSE-386") {
			t.Errorf("%v: %v", roles, err)
		}
	}
	r.open(t, Options{Duties: []string{dutyRegistry}}, "web") // an import, beside the servers
}

func remove(t *testing.T, r *region, names ...string) {
	t.Helper()
	for _, n := range names {
		if err := os.RemoveAll(r.config.under(n)); err != nil {
			t.Fatal(err)
		}
	}
}
