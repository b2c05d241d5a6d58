package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"cse.example/cse/demo/browser"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/merkle"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/person/codicefiscale"
)

// The log is signed, given out without a record in it, exported and deposited; a
// store that does not contain what was signed, or is older than what was given out,
// is not written to, and the commands that only read say from which act on.
func TestTheLogOfActs(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	ctx := t.Context()
	p := r.closing(t, Options{}, "web")
	note, err := p.trail.Checkpoint(ctx)
	check(t, err)
	check(t, p.giveOut(note))

	site := p.withLog(http.NotFoundHandler())
	get := func(path string) (int, string) {
		t.Helper()
		w := httptest.NewRecorder()
		site.ServeHTTP(w, httptest.NewRequestWithContext(ctx, http.MethodGet, path, nil))
		return w.Code, w.Body.String()
	}
	_, lines := get("/log/key")
	keys, err := merkle.ParseKeys(lines)
	check(t, err)
	c, err := keys.Open(note)
	check(t, err)
	if _, now := get("/log/checkpoint"); now != string(note) || c.Origin != hostname(r.config.Public.PKI)+"/log" || c.Size == 0 {
		t.Errorf("the newest head: %s", now)
	}
	var first string
	_, history := get("/log/checkpoints?after=0")
	check(t, json.Unmarshal([]byte(strings.SplitN(history, "\n", 2)[0]), &first))
	tiles := merkle.Tiles(func(level int, n int64) ([]byte, error) {
		_, b := get("/log/tile/" + jsonOf(level) + "/" + jsonOf(n))
		return []byte(b), nil
	})
	if root, err := tiles.Root(c.Size); first != string(note) || err != nil || root != c.Root {
		t.Errorf("the hashes that are given out do not give the head: %v, %v", root, err)
	}
	for path, want := range map[string]int{"/log/": 404, "/log/record/1": 404, "/log/tile/9/0": 404, "/log/tile/0/-1": 404, "/log/tile/0/99": 404, "/log/checkpoints?after=x": 400, "/log/checkpoints?after=9": 404, "/crl/x": 404} {
		if got, _ := get(path); got != want {
			t.Errorf("%s: %d, want %d", path, got, want)
		}
	}
	check(t, p.Close())

	config := written(t, "data: "+r.config.Data+"\n")
	dir := filepath.Join(t.TempDir(), "log")
	if code, _, msg := said(t, nil, "audit", "export", dir, "--config", config); code != 0 {
		t.Fatalf("exit %d: %s", code, msg)
	}
	report, err := merkle.Verify(os.DirFS(dir), keys)
	check(t, err)
	if report.Signed != c.Size || report.Records != report.Head.Index || report.Origin != c.Origin {
		t.Errorf("the export: %+v", report)
	}
	_, slip, _ := said(t, nil, "audit", "deposit", "--config", config)
	known := filepath.Join(t.TempDir(), "head.txt")
	check(t, os.WriteFile(known, []byte(slip), 0o600))
	if code, out, msg := said(t, nil, "audit", "verify", "--known", known, "--config", config); code != 0 || !strings.Contains(out, report.Head.Hash) {
		t.Errorf("exit %d: %s%s", code, out, msg)
	}

	// Somebody changes an act that is signed.
	p = r.closing(t, Options{Reads: true})
	check(t, p.db.Atomically(ctx, func(ctx context.Context) error {
		_, err := p.db.Conn(ctx).ExecContext(ctx, "UPDATE audit_record SET actor = 'nobody' WHERE idx = 3")
		return err
	}))
	check(t, p.Close())
	if _, err := r.tryOpen(ctx, Options{}, "web"); codeOf(err) != "CSE-971" {
		t.Errorf("a changed act: %v", err)
	}
	if code, _, msg := said(t, nil, "audit", "verify", "--config", config); code != 1 || !strings.Contains(msg, "CSE-975") || !strings.Contains(msg, "record 3") {
		t.Errorf("exit %d: %s", code, msg)
	}
	if code, out, msg := said(t, nil, "fsck", "--config", config); code != 1 || !strings.Contains(out, "record 3") {
		t.Errorf("exit %d: %s%s", code, out, msg)
	}
}

// closing is open, for who closes it himself.
func (r *region) closing(t *testing.T, o Options, roles ...string) *Platform {
	t.Helper()
	p, err := r.tryOpen(t.Context(), o, roles...)
	check(t, err)
	return p
}

func jsonOf(v any) string {
	b, _ := json.Marshal(v) // a number
	return string(b)
}

// proveMine downloads the proof of every act about whoever is logged in, and of one:
// each stands alone, under the key that is given out, and names nobody else's act.
func proveMine(t *testing.T, p *Platform, b *browser.Browser, cf string) {
	t.Helper()
	page := b.Page
	defer func() { b.Page = page }()
	_, err := p.trail.Checkpoint(t.Context())
	check(t, err)
	lines, err := p.Config.logLines()
	check(t, err)
	keys, err := merkle.ParseKeys(lines)
	check(t, err)
	mine, err := p.trail.ByPerson(t.Context(), cf, 0, 0)
	check(t, err)
	at := p.Config.Public.Portal + "/it/tessera/attivita/prova"
	get := func(address string) []merkle.Proven {
		t.Helper()
		check(t, b.Get(t.Context(), address))
		proof, err := merkle.ParseProof(b.Page.Body)
		if err != nil {
			t.Fatalf("%s: %v: %.200s", b.Page.Where(), err, b.Page.Body)
		}
		acts, _, err := proof.Check(keys)
		check(t, err)
		return acts
	}
	if acts := get(at); len(acts) != len(mine) || acts[0].Leaf.Act != mine[0].Act || acts[0].Facts.Card != mine[0].Card {
		t.Errorf("%d acts are proved of %d, the first %+v", len(acts), len(mine), acts[0])
	}
	last := mine[len(mine)-1]
	if acts := get(at + "?atto=" + strconv.FormatInt(last.Index, 10)); len(acts) != 1 || acts[0].Leaf.Act != last.Act {
		t.Errorf("one act: %+v, want %+v", acts, last)
	}
	check(t, p.trail.Record(t.Context(), journal.Entry{Act: "access.refused", Actor: "nobody"}))
	others, err := p.trail.Head(t.Context())
	check(t, err)
	for n, code := range map[int64]string{others.Index: "CSE-002", 1 << 40: "CSE-002"} {
		check(t, b.Get(t.Context(), at+"?atto="+strconv.FormatInt(n, 10)))
		if got := b.Page.Code(); got != code {
			t.Errorf("act %d: %s, want %s", n, got, code)
		}
	}
}

// A store that was set back to before what was given out is refused, and so is a log
// whose key vanished.
func TestTheLogIsNotSetBack(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	ctx := t.Context()
	p := r.closing(t, Options{}, "web")
	_, err := p.trail.Checkpoint(ctx)
	check(t, err)
	check(t, p.Close())
	db := filepath.Join(r.config.Data, "platform.db")
	before, err := os.ReadFile(db)
	check(t, err)

	p = r.closing(t, Options{}, "web")
	check(t, p.trail.Record(ctx, journal.Entry{Act: "access.refused", Actor: "nobody"}))
	r.clock.Advance(time.Second)
	note, err := p.trail.Checkpoint(ctx)
	check(t, err)
	check(t, p.giveOut(note))
	r.clock.Advance(-time.Hour)
	check(t, p.trail.Record(ctx, journal.Entry{Act: "access.refused", Actor: "nobody"}))
	if _, err := p.trail.Checkpoint(ctx); codeOf(err) != "CSE-970" {
		t.Errorf("the clock went back: %v", err)
	}
	r.clock.Advance(time.Hour)
	check(t, p.Close())

	check(t, os.WriteFile(db, before, 0o600))
	for _, x := range []string{"-wal", "-shm"} {
		check(t, os.RemoveAll(db+x))
	}
	if _, err := r.tryOpen(ctx, Options{}, "web"); codeOf(err) != "CSE-973" {
		t.Errorf("a store of before: %v", err)
	}
	check(t, os.Remove(r.config.under(logGivenOut)))
	check(t, r.closing(t, Options{}, "web").Close())
	check(t, os.Remove(r.config.logFile(logKeyFile)))
	if _, err := r.tryOpen(ctx, Options{}, "web"); codeOf(err) != "CSE-974" {
		t.Errorf("without its key: %v", err)
	}
}

// A person leaves the log of acts when his last act is old enough and a second person
// approved exactly that; who has a living card does not.
func TestErasureFromTheLogNeedsTwoAndTheTerm(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.employ(t, "sara", 23, staff.RoleSecurity)
	ctx, p := t.Context(), r.open(t, Options{}, "web")
	const gone codicefiscale.Code = "RSSMRA85T10A562S"
	check(t, p.trail.Record(ctx, journal.Entry{Act: "card.revoked", Actor: "holder", Person: string(gone), Card: "6090000000000017"}))
	alive, err := p.db.Cards().Get(ctx, r.active)
	check(t, err)
	r.clock.Advance(time.Duration(p.Config.Privacy.EvidenceDays) * 24 * time.Hour)
	for what, cf := range map[string]codicefiscale.Code{"before the term": gone, "a living card": alive.CF} {
		if _, err := p.eraseActs(ctx, cf, "richiesta"); codeOf(err) != "CSE-982" {
			t.Errorf("%s: %v", what, err)
		}
	}
	r.clock.Advance(48 * time.Hour)
	if _, err := p.eraseActs(ctx, gone, "richiesta"); codeOf(err) != "CSE-983" {
		t.Fatalf("alone: %v", err)
	}
	op, err := p.directory.OperatorByAccount("sara")
	check(t, err)
	waiting, err := p.approvals.Waiting(ctx, op)
	check(t, err)
	if len(waiting) != 1 || strings.Contains(string(waiting[0].Content), string(gone)) {
		t.Fatalf("what waits: %+v", waiting)
	}
	check(t, p.approvals.Decide(ctx, op, waiting[0].ID, waiting[0].Sum(), true))
	done, err := p.eraseActs(ctx, gone, "richiesta")
	if err != nil || done.Keys != 1 || done.Records != 1 {
		t.Errorf("%+v, %v", done, err)
	}
	if list, err := p.trail.ByPerson(ctx, string(gone), 0, 0); err != nil || len(list) != 0 {
		t.Errorf("still found: %+v, %v", list, err)
	}
	if _, err := p.trail.Verify(ctx); err != nil {
		t.Error(err)
	}
	if done, err := p.eraseActs(ctx, gone, "richiesta"); err != nil || done.Keys != 0 {
		t.Errorf("again: %+v, %v", done, err)
	}
}
