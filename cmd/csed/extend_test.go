package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cse.example/cse/card/cns"
	"cse.example/cse/card/holder"
	"cse.example/cse/card/reader"
	"cse.example/cse/cmd/cse/extend"
	"cse.example/cse/demo/browser"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/contacts"
	"cse.example/cse/issuer/extension"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/pki/ca"
)

// sheet gives the holder of a card its successor: a TS without chip, delivered.
func (p *Platform) sheet(t *testing.T, old lifecycle.Card, model lifecycle.Model) lifecycle.Card {
	t.Helper()
	next := old
	id, err := cns.NewCardID(p.Config.Region.Issuer, 990_002, 0)
	check(t, err)
	next.ID, next.TEAM, next.Batch = string(id), id.TEAM(), ""
	next.Model, next.State, next.Replaces, next.CertSerial, next.Version = model, lifecycle.Delivered, old.ID, "", 0
	next.OrderedAt, next.DeliveredAt, next.ActivatedAt = p.Clock.Now(), p.Clock.Now(), time.Time{}
	next.Issued, next.Expires = civil.Today(p.Clock), civil.Today(p.Clock).AddYears(6)
	check(t, p.db.Atomically(t.Context(), func(ctx context.Context) (err error) {
		if next, err = p.db.Cards().Put(ctx, next); err != nil {
			return err
		}
		old.ReplacedBy = next.ID
		_, err = p.db.Cards().Put(ctx, old)
		return err
	}))
	return next
}

// chipOf opens the region's active card, and gives its PIN.
func (r *region) chipOf(t *testing.T, p *Platform) (*holder.Holder, holder.AskPIN, func()) {
	t.Helper()
	first, err := p.first.FirstHalves(t.Context(), r.active)
	check(t, err)
	second, err := p.second.SecondHalves(t.Context(), r.active)
	check(t, err)
	c, err := reader.FromFile(filepath.Join(r.config.under("cards"), r.active+".cse"))
	check(t, err)
	h, err := holder.New(c)
	check(t, err)
	return h, func() (secret.Text, error) {
		return secret.New(append(first.PIN.Reveal(), second.PIN.Reveal()...)), nil
	}, func() { check(t, c.Close()) }
}

// extended runs the holder's program once.
func (r *region) extended(t *testing.T, p *Platform) (extend.Result, error) {
	t.Helper()
	h, pin, done := r.chipOf(t, p)
	defer done()
	return extend.Run(t.Context(), h, extend.Options{Service: p.Config.Public.CNS, Roots: p.webCA.Pool(), PIN: pin})
}

// The journey C8 by the real programs: csed on its ports, the chip that its bureau
// made, the holder's tool. The clock stands two months before the printed date.
func TestR107_R108_R109_TheOldCardIsExtended(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.config.Extension.Until = "2033-06-30"
	r.clock.Set(time.Now()) // the tool checks the servers on the machine's day
	p := r.serve(t, knownRoles()...)
	ctx, old := t.Context(), card(t, p, r.active)
	refused := func(when, code string) {
		t.Helper()
		if _, err := r.extended(t, p); !errors.Is(err, words.Refuse(code)) {
			t.Errorf("%s: %v, want %s", when, err, code)
		}
	}
	refused("without a next card", "CSE-888")
	p.sheet(t, old, lifecycle.TS)
	was := must(p.authority.Get(ctx, old.CertSerial))

	got := r.byTool(t, p)
	until := civil.Today(r.clock).AddYears(6) // the profile's most, though the service gives more
	if got.From != old.Expires.String() || got.Until != until.String() || got.Already || got.Resumed || got.Card != old.ID {
		t.Errorf("%+v", got)
	}
	now := card(t, p, old.ID)
	next := must(p.authority.Get(ctx, now.CertSerial))
	if now.CertSerial != got.Serial || next.State != ca.Good || next.Extends != was.Serial || civil.DayOf(next.NotAfter) != until || next.KeyHash != was.KeyHash {
		t.Errorf("%+v: %s %s until %s", got, next.Serial, next.State, next.NotAfter)
	}
	if before := must(p.authority.Get(ctx, was.Serial)); before.State != ca.Revoked || before.Reason != ca.Superseded {
		t.Errorf("the old certificate is %s %d", before.State, before.Reason)
	}
	enters := func() *browser.Browser {
		h, pin, done := r.chipOf(t, p)
		defer done()
		leaf := must(h.Certificate())
		return enter(t, p, &browser.Card{
			Host: hostname(p.Config.Public.CNS), Certificate: tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: must(h.Signer(pin)), Leaf: leaf},
		})
	}
	if b := enters(); b.Page.Status != 200 || b.Page.URL.Path != "/tessera" {
		t.Errorf("with the new certificate: %s %s", b.Page.Where(), b.Page.Code())
	}
	letter := must(p.queue.Open(ctx, contacts.KindMail+"/extended-"+until.String()+"/"+old.ID))
	if !strings.Contains(string(letter.Body), until.Italian()) {
		t.Errorf("the mail: %s", letter.Body)
	}
	if held := must(p.heldExtensions(ctx, old.CF)); len(held) != 1 || held[0][1].Value != string(extension.Confirmed) || held[0][5].Value != got.Serial {
		t.Errorf("the copy of his data: %+v", held)
	}
	if again, err := r.extended(t, p); err != nil || !again.Already || again.Serial != got.Serial {
		t.Errorf("a second time: %+v, %v", again, err)
	}
	sound(t, p)
}

// toolSaid is what cse certificate extend --json says.
type toolSaid struct {
	Schema, Card, From, Until, Serial string
	Already, Resumed                  bool
}

// byTool runs the holder's program itself.
func (r *region) byTool(t *testing.T, p *Platform) toolSaid {
	t.Helper()
	dir, ctx := t.TempDir(), t.Context()
	binary := filepath.Join(dir, "cse")
	build := exec.CommandContext(ctx, "go", "build", "-o", binary, "../cse")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	first, second := must(p.first.FirstHalves(ctx, r.active)), must(p.second.SecondHalves(ctx, r.active))
	c := exec.CommandContext(ctx, binary, "certificate", "extend", "--json", "--yes", "--pin-fd", "0", "--lang", "it",
		"--card", filepath.Join(r.config.under("cards"), r.active+".cse"), "--service", p.Config.Public.CNS, "--ca", p.webCA.Path())
	c.Stdin = bytes.NewReader(append(append(first.PIN.Reveal(), second.PIN.Reveal()...), '\n'))
	var out, steps bytes.Buffer
	c.Stdout, c.Stderr = &out, &steps
	if err := c.Run(); err != nil {
		t.Fatalf("%v: %s%s", err, out.String(), steps.String())
	}
	for _, step := range []string{"Leggo la tessera", "dopo la proroga", "scrive il certificato nuovo", "Rileggo", "conferma"} {
		if !strings.Contains(strings.ToLower(steps.String()), strings.ToLower(step)) {
			t.Errorf("the tool does not tell %q: %s", step, steps.String())
		}
	}
	var s toolSaid
	check(t, json.Unmarshal(out.Bytes(), &s))
	if s.Schema != "cse.certificate-extend/1" {
		t.Errorf("schema %q", s.Schema)
	}
	return s
}

// waits is an extension that stops once the new certificate is issued.
func (r *region) waits(t *testing.T, p *Platform) extension.Request {
	t.Helper()
	ctx, c := t.Context(), card(t, p, r.active)
	s, err := p.extension.Begin(ctx, extension.Proof{Card: c.ID, Serial: c.CertSerial}, cns.SizeCertificate)
	check(t, err)
	h, pin, done := r.chipOf(t, p)
	defer done()
	sum := sha256.Sum256(extension.Message(c.ID, s.Nonce))
	signature, err := must(h.KeySigner(pin)).Sign(rand.Reader, sum[:], crypto.SHA256)
	check(t, err)
	_, err = p.extension.Prove(ctx, s.Token, signature)
	check(t, err)
	return must(p.db.Extensions().Of(ctx, c.ID))[0]
}

// A card that ends takes the certificate that waits along, in the same act; the
// night ends what the service's end has overtaken.
func TestR108_WhatEndsTheCardEndsTheExtension(t *testing.T) {
	t.Parallel()
	for name, end := range map[string]func(t *testing.T, r *region, p *Platform){
		"revoked": func(t *testing.T, r *region, p *Platform) {
			t.Helper()
			check(t, p.db.Atomically(t.Context(), func(ctx context.Context) error {
				c, err := lifecycle.Move(card(t, p, r.active), lifecycle.Revoke, lifecycle.ByHolder, r.clock.Now())
				if err != nil {
					return err
				}
				if _, err = p.db.Cards().Put(ctx, c); err != nil {
					return err
				}
				return errors.Join(p.cips.Destroy(ctx, c.ID), certificates{p}.Revoke(ctx, c.CertSerial, ca.CessationOfOperation))
			}))
		},
		"the service is over": func(t *testing.T, r *region, p *Platform) {
			t.Helper()
			if n := must(p.extension.Sweep(t.Context())); n != 0 {
				t.Errorf("%d swept while the service is open", n)
			}
			r.clock.Set(time.Date(2033, 7, 1, 1, 0, 0, 0, time.UTC))
			if n := must(p.extension.Sweep(t.Context())); n != 1 {
				t.Errorf("%d swept", n)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRegion(t)
			r.config.Extension.Until = "2033-06-30"
			r.clock.Set(noon.AddDate(0, 2, 0))
			p := r.open(t, Options{}, knownRoles()...)
			p.sheet(t, card(t, p, r.active), lifecycle.TS)
			q := r.waits(t, p)
			sound(t, p)
			if next := must(p.authority.Get(t.Context(), q.New)); q.State != extension.Issued || next.State != ca.Pending {
				t.Fatalf("%+v, %s", q, next.State)
			}
			end(t, r, p)
			q = must(p.db.Extensions().Of(t.Context(), r.active))[0]
			if next := must(p.authority.Get(t.Context(), q.New)); q.State != extension.Abandoned || next.State != ca.Revoked {
				t.Errorf("%s, the waiting certificate is %s", q.State, next.State)
			}
			sound(t, p)
		})
	}
}
