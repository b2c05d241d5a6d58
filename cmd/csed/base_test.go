package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/csv"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cse.example/cse/card/cns"
	"cse.example/cse/engine/queue"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/effect"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/cardbase"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/login/door"
	"cse.example/cse/login/logintest"
	"cse.example/cse/person/registry"
)

// A card of the Region's earlier issuer opens if and only if its issuer's list
// and our record say so; an act on it shuts the door at once, and asks the
// issuer for what it alone can do.
func TestCardOfAnEarlierIssuer(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	before := logintest.NewAuthority(t, "CA di prima", noon)
	authority := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: before.Cert.Raw})
	check(t, os.WriteFile(r.config.under("prima.pem"), authority, 0o600))
	r.config.Login.Trust = []Trusted{{Certificate: "prima.pem", CRL: "prima.crl"}}
	p := r.open(t, Options{}, knownRoles()...)

	var file bytes.Buffer
	check(t, registry.Generate(&file, 5, 99, civil.Today(r.clock)))
	people := file.String()
	_, err := p.ImportPeople(t.Context(), strings.NewReader(people))
	check(t, err)
	rows, err := csv.NewReader(strings.NewReader(people)).ReadAll()
	check(t, err)
	who := ""
	for _, row := range rows[1:] {
		x, _ := registry.ParseRow(row, civil.Today(r.clock))
		if x.AssistedOn(civil.Today(r.clock)) && x.AliveOn(civil.Today(r.clock)) {
			who = string(x.CF)
			break
		}
	}
	id, err := cns.NewCardID(cns.IssuerToscana, 4000, 0)
	check(t, err)
	leaf := before.Issue(t, who, id, noon, logintest.CardKey(), nil).Leaf
	row := []string{
		string(id), id.TEAM(), who, "TS-CNS", "active", "", "2026-01-02", "2031-01-02", "", "2026-02-01", "", "",
		base64.StdEncoding.EncodeToString(leaf.Raw), "", "", "",
	}
	var base bytes.Buffer
	w := csv.NewWriter(&base)
	check(t, w.WriteAll([][]string{cardbase.Columns, row}))
	rep, err := p.ImportBase(t.Context(), authority, bytes.NewReader(base.Bytes()), nil)
	if err != nil || rep.Total.Kept != 1 || !rep.Balanced() {
		t.Fatalf("%+v %v %v", rep.Total, rep.Errors, err)
	}
	if _, err := p.ImportBase(t.Context(), logintest.NewAuthority(t, "CA ignota", noon).Cert.Raw, bytes.NewReader(base.Bytes()), nil); words.FaultOf(err) == nil || words.FaultOf(err).Code != "CSE-621" {
		t.Errorf("an issuer without a list: %v", err)
	}
	// Our own numbers go on beyond those of the base.
	check(t, p.db.Atomically(t.Context(), func(ctx context.Context) error {
		n, err := p.db.Orders().Serials(ctx, "card", 1)
		if n <= 4000 {
			t.Errorf("the next card would be %d", n)
		}
		return err
	}))

	d := door.Door{Trust: p.believe(), Revocation: p.revocation, Cards: p.doorCard, Clock: r.clock, ACR: p.Config.Login.ACR}
	enter := func(step, want string) {
		t.Helper()
		_, err := d.Admit(t.Context(), tls.ConnectionState{PeerCertificates: []*x509.Certificate{leaf}})
		got := ""
		if f := words.FaultOf(err); f != nil {
			got = f.Code
		} else {
			check(t, err)
		}
		if got != want {
			t.Errorf("%s: the door says %q, want %q (%v)", step, got, want, err)
		}
	}
	n := 0
	list := func(gone map[*x509.Certificate]int) {
		t.Helper()
		n++
		check(t, os.WriteFile(r.config.under("prima.crl"), before.List(t, noon.Add(-time.Hour), noon.Add(time.Hour), gone), 0o600))
		at := noon.Add(time.Duration(n) * time.Minute)
		check(t, os.Chtimes(r.config.under("prima.crl"), at, at))
	}
	move := func(e lifecycle.Event, why lifecycle.Reason, tell func(context.Context, string) error) {
		t.Helper()
		check(t, p.db.Atomically(t.Context(), func(ctx context.Context) error {
			c, err := p.db.Cards().Get(ctx, string(id))
			if err != nil {
				return err
			}
			if c, err = lifecycle.Move(c, e, why, r.clock.Now()); err != nil {
				return err
			}
			if c, err = p.db.Cards().Put(ctx, c); err != nil {
				return err
			}
			return tell(ctx, c.CertSerial)
		}))
	}
	differ := func(want int) {
		t.Helper()
		looked, list, err := p.reconcileBase(t.Context())
		if err != nil || looked != 1 || len(list) != want {
			t.Errorf("reconciled: %d, %v, %v, want %d differences", looked, list, err, want)
		}
	}
	certs := certificates{p}
	enter("no list", "CSE-306")
	list(nil)
	enter("good", "")
	differ(0)
	move(lifecycle.Suspend, lifecycle.ByHolder, certs.Hold)
	enter("suspended here", "CSE-303")
	differ(1)
	move(lifecycle.Reactivate, "", certs.Release)
	enter("reactivated", "")
	list(map[*x509.Certificate]int{leaf: 1})
	enter("revoked by its issuer", "CSE-302")
	differ(1)
	list(nil)
	move(lifecycle.Revoke, lifecycle.Loss, func(ctx context.Context, s string) error { return certs.Revoke(ctx, s, 1) })
	enter("lost", "CSE-302")

	items, err := p.queue.List(t.Context(), queue.Filter{Kind: cardbase.KindRequest, Limit: 10})
	if err != nil || len(items) != 3 {
		t.Fatalf("%d requests to the issuer, %v", len(items), err)
	}
	_, err = p.queue.RunOnce(t.Context(), map[string]effect.Handler{cardbase.KindRequest: p.handlers[cardbase.KindRequest]})
	check(t, err)
	files, err := os.ReadDir(p.Config.requestsDir())
	if err != nil || len(files) != 3 {
		t.Errorf("%d files for the issuer, %v", len(files), err)
	}
	// Each is signed: whoever gets it can tell that we asked.
	k, err := p.Config.productionKey()
	check(t, err)
	for _, f := range files {
		b, err := os.ReadFile(filepath.Join(p.Config.requestsDir(), f.Name()))
		check(t, err)
		text, err := os.ReadFile(filepath.Join(p.Config.signaturesDir(), f.Name()+".sig"))
		check(t, err)
		sig, err := base64.StdEncoding.DecodeString(strings.TrimSpace(string(text)))
		check(t, err)
		if h := sha256.Sum256(b); !ecdsa.VerifyASN1(k.Public().(*ecdsa.PublicKey), h[:], sig) {
			t.Errorf("%s: the signature is not ours", f.Name())
		}
	}
	clean(t, p)
}
