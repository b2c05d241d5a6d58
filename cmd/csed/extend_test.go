package main

import (
	"context"
	"crypto/tls"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cse.example/cse/card/cns"
	"cse.example/cse/card/holder"
	"cse.example/cse/card/reader"
	"cse.example/cse/cmd/cse/extend"
	"cse.example/cse/demo/browser"
	"cse.example/cse/engine/queue"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/contacts"
	"cse.example/cse/issuer/extension"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/parameters"
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

	got, err := r.extended(t, p)
	check(t, err)
	until := civil.Today(r.clock).AddYears(6) // the profile's most, though the service gives more
	if got.From != old.Expires || got.Until != until || got.Already || got.Resumed {
		t.Errorf("%+v", got)
	}
	now := card(t, p, old.ID)
	next := must(p.authority.Get(ctx, now.CertSerial))
	if now.CertSerial != got.Serial || next.State != ca.Good || next.Extends != was.Serial || civil.DayOf(next.NotAfter) != got.Until || next.KeyHash != was.KeyHash {
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
	letter := must(p.queue.Open(ctx, contacts.KindMail+"/extended-"+got.Until.String()+"/"+old.ID))
	if !strings.Contains(string(letter.Body), got.Until.Italian()) {
		t.Errorf("the mail: %s", letter.Body)
	}
	sound(t, p)
}

var (
	_ = math.Abs
	_ = os.Getenv
	_ = queue.Filter{}
	_ = extension.Open
	_ = parameters.Number
)
