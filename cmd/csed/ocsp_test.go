package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/status"
	"cse.example/cse/pki/status/presigned"
)

// Two platforms on one database: what one revokes the other answers as revoked
// after one look at the order of changes, and without any look once a second has
// passed; the one that revoked, at once. Meanwhile neither asks the database.
func TestR35_TwoPlatformsOnOneDatabase(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	a, b := r.open(t, Options{Duties: []string{}}, "web"), r.open(t, Options{Duties: []string{}}, "web")
	ctx := t.Context()
	serial := card(t, a, r.active).CertSerial
	leaf := must(must(a.authority.Get(ctx, serial)).Certificate())
	look := func(p *Platform) { check(t, p.follower.Look(ctx)) }
	says := func(p *Platform, want int, when string) {
		t.Helper()
		if got := ocspOf(t, p, leaf); got.Status != want {
			t.Errorf("%s: %d, want %d", when, got.Status, want)
		}
	}
	for i, act := range []struct {
		name string
		do   func(context.Context, string) error
		want int
	}{
		{"hold", a.authority.Hold, ocsp.Revoked},
		{"release", a.authority.Release, ocsp.Good},
		{"hold again", a.authority.Hold, ocsp.Revoked},
		{"release again", a.authority.Release, ocsp.Good},
		{"revoke", func(ctx context.Context, s string) error { return a.authority.Revoke(ctx, s, ca.KeyCompromise) }, ocsp.Revoked},
	} {
		look(a)
		look(b)
		before, looks := ocspOf(t, b, leaf).Status, b.follower.Looks()
		check(t, act.do(ctx, serial))
		says(a, act.want, act.name+": where it was done")
		says(b, before, act.name+": the other, before it looked") // else this proves nothing
		if i%2 == 0 {
			look(b)
			if n := b.follower.Looks() - looks; n != 1 {
				t.Errorf("%d looks", n)
			}
		} else {
			r.clock.Advance(status.MaxStale + time.Millisecond)
		}
		says(b, act.want, act.name+": the other")
	}
}

// The folder that the platform publishes is all that the validation tier needs:
// with the platforms closed and the data folder gone it answers for every
// certificate, a revocation of just before included, and serves lists and
// certificates.
func TestTheValidationTierNeedsOnlyTheFolder(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	p := r.open(t, Options{Duties: []string{}}, "web")
	ctx := t.Context()
	active, waiting := card(t, p, r.active), card(t, p, r.waiting)
	if active.State != lifecycle.Active || waiting.State != lifecycle.Delivered {
		t.Fatal(active.State, waiting.State)
	}
	var leaves []*x509.Certificate
	for _, c := range []lifecycle.Card{active, waiting} {
		leaves = append(leaves, must(must(p.authority.Get(ctx, c.CertSerial)).Certificate()))
	}
	_, err := p.publisher.Publish(ctx)
	check(t, err)
	told := 0
	check(t, p.presignAll(ctx, false, func(_ string, about presigned.About) { told += about.Records }))
	if told < 2 {
		t.Fatalf("%d answers were signed", told)
	}
	folder := t.TempDir()
	s, err := p.openShelf(1)
	check(t, err)
	if _, err := p.openShelf(1); err == nil {
		t.Error("two write into one folder")
	}
	check(t, s.turn(ctx))
	check(t, p.authority.Revoke(ctx, active.CertSerial, ca.KeyCompromise))
	check(t, s.turn(ctx))
	check(t, s.Close())
	check(t, os.CopyFS(folder, os.DirFS(p.Config.under("validation"))))
	tier, err := presigned.NewTier(presigned.TierParts{Dir: folder, Work: t.TempDir(), Clock: r.clock, Log: slog.New(slog.DiscardHandler)})
	check(t, err)
	issuing, root := p.material.Issuing, p.material.Root
	check(t, p.db.Close()) // Close does it again, and says nothing
	check(t, os.RemoveAll(r.config.Data))

	get := func(path string) []byte {
		w := httptest.NewRecorder()
		tier.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, path, nil))
		if w.Code != http.StatusOK {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
		return w.Body.Bytes()
	}
	for i, want := range []int{ocsp.KeyCompromise, ocsp.CertificateHold} {
		q, err := ocsp.CreateRequest(leaves[i], issuing, nil)
		check(t, err)
		rq := httptest.NewRequestWithContext(ctx, http.MethodPost, "/ocsp", bytes.NewReader(q))
		rq.Header.Set("Content-Type", "application/ocsp-request")
		w := httptest.NewRecorder()
		tier.ServeHTTP(w, rq)
		got, err := ocsp.ParseResponseForCert(w.Body.Bytes(), leaves[i], issuing)
		check(t, err)
		if got.Status != ocsp.Revoked || got.RevocationReason != want {
			t.Errorf("card %d: %d, reason %d, want revoked for %d", i, got.Status, got.RevocationReason, want)
		}
		at := leaves[i].CRLDistributionPoints[0]
		list, err := x509.ParseRevocationList(get(at[strings.Index(at, "/crl/"):]))
		check(t, err)
		check(t, list.CheckSignatureFrom(issuing))
	}
	if !bytes.Equal(get("/ca/issuing.cer"), issuing.Raw) || !bytes.Equal(get("/ca/root.cer"), root.Raw) {
		t.Error("other certificates")
	}
	if ready := get("/readyz"); !bytes.Contains(ready, []byte("answers issuing: base of")) {
		t.Errorf("%s", ready)
	}
}

// csed validate without a folder, or with an empty one, is told what is missing;
// with one it serves until it is told to stop, and needs no configuration.
func TestTheValidateCommand(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	p := r.open(t, Options{Duties: []string{}}, "web")
	check(t, p.presignAll(t.Context(), false, func(string, presigned.About) {}))
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"validate"}, 2, "--from"},
		{[]string{"validate", "--from", t.TempDir()}, 1, "CSE-953"},
		{[]string{"validate", "--from", p.Config.under("validation"), "--listen-plain", "no port"}, 1, "CSE-372"},
	} {
		var out bytes.Buffer
		if code := run(t.Context(), tt.args, []string{"LANG=en"}, io.Discard, &out); code != tt.code || !strings.Contains(out.String(), tt.want) {
			t.Errorf("%v: %d %s", tt.args, code, out.String())
		}
	}
	ctx, stop := context.WithCancel(t.Context())
	read, write := io.Pipe()
	done := make(chan int)
	go func() {
		done <- run(ctx, []string{"validate", "--from", p.Config.under("validation"), "--listen-plain", "127.0.0.1:0"}, []string{"LANG=en"}, io.Discard, write)
	}()
	line := make([]byte, 200)
	n, err := read.Read(line)
	check(t, err)
	go func() { _, _ = io.Copy(io.Discard, read) }()
	url := strings.TrimSpace(string(line[strings.Index(string(line), "http://"):n]))
	resp, err := http.Get(url + "/livez")
	check(t, err)
	check(t, resp.Body.Close())
	if resp.StatusCode != http.StatusOK {
		t.Error(resp.Status)
	}
	stop()
	if code := <-done; code != 0 {
		t.Errorf("stopped: %d", code)
	}
}
