package crash

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/csv"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"cse.example/cse/ground/civil"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/person/registry"
	"cse.example/cse/pki/ca"
)

// authoritySite is a counter whose cards are put on hold, taken up again and revoked
// while csed is killed, and somebody who never stops asking for their standing.
type authoritySite struct {
	*counterSite
	plain  string // where OCSP is
	issuer *x509.Certificate
	// rows are the registry's, by codice fiscale.
	rows map[string][]string
	head []string
	// foreign: the holders have a permit of stay.
	foreign bool

	mu sync.Mutex
	// over are the serials that are revoked for good, since when.
	over map[string]time.Time
	// asked counts the watcher's answers, wrong what it saw.
	asked map[int]int
	wrong []string
	watch []string
}

// TestAuthority kills csed while it starts and publishes, while an operator puts
// cards on hold and takes them up again, and while the registry's deaths revoke.
func TestAuthority(t *testing.T) {
	want := kills(t)
	t.Parallel()
	a := &authoritySite{counterSite: newCounter(t), rows: map[string][]string{}, over: map[string]time.Time{}, asked: map[int]int{}}
	a.plain = a.plainAddress()
	cert, err := ca.ReadCertificate(filepath.Join(a.data, "ca", ca.FileIssuing))
	if err != nil {
		t.Fatal(err)
	}
	a.issuer = cert
	a.readPeople()
	a.start()
	a.login()
	// The first act goes undisturbed: it tells how long one takes.
	holders := a.activated(3)
	whole := stopwatch(func() { a.must0(a.turn(holders[0], time.Hour)) })
	starting := stopwatch(func() { a.stop(); a.start() })
	stop := a.watcher()
	done := map[string]int{}
	total := func() (n int) {
		for _, x := range done {
			n += x
		}
		return n
	}
	for n := 0; total() < want; n++ {
		left := want - total()
		switch kind := []string{"publish", "hold", "revoke"}[n%3]; kind {
		case "publish":
			done[kind] += a.startKilled(starting)
		case "hold":
			done[kind] += a.turnKilled(holders[a.dice.IntN(len(holders))], whole)
		case "revoke":
			done[kind] += a.deathKilled(holders[len(holders)-1], left)
			holders = holders[:len(holders)-1]
			if len(holders) < 2 {
				holders = append(holders, a.activated(3)...)
			}
		}
	}
	stop()
	a.stop()
	a.sound("the end")
	a.lists()
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, w := range a.wrong {
		t.Error(w)
	}
	if want >= 3 && (a.asked[ocsp.Revoked] == 0 || a.asked[ocsp.Good] == 0) {
		t.Errorf("the watcher saw too little: %v", a.asked)
	}
	t.Logf("%v kills; %d revoked for good; the watcher had %d good answers and %d revoked", done, len(a.over), a.asked[ocsp.Good], a.asked[ocsp.Revoked])
}

func (a *authoritySite) must0(err error) {
	a.t.Helper()
	if err != nil {
		a.t.Fatal(err)
	}
}

func (a *authoritySite) plainAddress() string {
	a.t.Helper()
	b, err := os.ReadFile(a.config)
	if err != nil {
		a.t.Fatal(err)
	}
	for _, line := range strings.Split(string(b), "\n") {
		if v, ok := strings.CutPrefix(line, "listen_plain: "); ok {
			return v
		}
	}
	a.t.Fatal("no plain port")
	return ""
}

// readPeople keeps the registry's rows of all cohorts, to bring them in again.
func (a *authoritySite) readPeople() {
	a.t.Helper()
	files, err := filepath.Glob(filepath.Join(a.dir, "people-*.csv"))
	if err != nil {
		a.t.Fatal(err)
	}
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			a.t.Fatal(err)
		}
		rows, err := csv.NewReader(bytes.NewReader(b)).ReadAll()
		if err != nil {
			a.t.Fatal(err)
		}
		a.head = rows[0]
		for _, r := range rows[1:] {
			a.rows[r[0]] = r
		}
	}
}

// activated are n more holders with an active card; csed runs.
func (a *authoritySite) activated(n int) []cardholder {
	a.t.Helper()
	var out []cardholder
	for len(out) < n {
		free := a.waiting()
		if len(free) == 0 {
			a.stop()
			a.more()
			a.readPeople()
			a.start()
			a.refresh()
			continue
		}
		for _, h := range free[:min(len(free), n-len(out))] {
			a.prepare(h)
			a.must0(a.act())
			out = append(out, h)
		}
	}
	return out
}

// waiting are adults whose card lies at home.
func (a *authoritySite) waiting() []cardholder {
	a.t.Helper()
	db := a.store()
	defer db.Close()
	cards, err := db.Cards().ByState(context.Background(), lifecycle.Delivered, "", 10_000)
	a.must0(err)
	today := civil.Today(civil.System{})
	var out []cardholder
	for _, c := range cards {
		p, err := db.People().Get(context.Background(), c.CF)
		a.must0(err)
		if c.HasChip() && !p.MinorOn(today) && p.NeedsPermit() == a.foreign && !p.UnderGuardianship && !p.CF.Provisional() && p.Died.IsZero() {
			out = append(out, cardholder{p, c, fmt.Sprintf("h%s@example.org", c.ID)})
		}
	}
	return out
}

// turn puts a card on hold, or takes it up again; csed is killed after at.
func (a *authoritySite) turn(h cardholder, at time.Duration) error {
	a.t.Helper()
	word := "sospendi"
	if a.card(h).State == lifecycle.Suspended {
		word = "riattiva"
	}
	ctx, b, today := a.t.Context(), a.browser, civil.Today(civil.System{})
	if err := b.Get(ctx, a.portal+"/sportello/tessera/"+h.card.ID+"/"+word); err != nil {
		return err
	}
	killer := time.AfterFunc(at, func() { _ = a.server.Process.Kill() }) // gone waits for it
	err := b.Submit(ctx, "/"+word, map[string]string{
		"presente": "titolare", "documento_tipo": "CIE", "documento_numero": "CA00000AA", "documento_ente": "COMUNE DI FIRENZE",
		"documento_rilascio": today.AddYears(-1).Italian(), "documento_scadenza": today.AddYears(5).Italian(),
	})
	if err == nil && !strings.HasPrefix(b.Page.URL.Path, "/sportello/pratica/") {
		a.t.Fatalf("%s: %s %s %s", word, b.Page.Where(), b.Page.Code(), b.Page.Text())
	}
	if killer.Stop() {
		return err
	}
	a.gone()
	return errKilled
}

var errKilled = fmt.Errorf("csed was killed")

// turnKilled is a turn with a kill in it, or a little after.
func (a *authoritySite) turnKilled(h cardholder, whole time.Duration) int {
	a.t.Helper()
	at := time.Duration(a.dice.Float64() * float64(whole) * 1.2)
	err := a.turn(h, at)
	if err == nil {
		return 0
	}
	if err != errKilled { //nolint:errorlint // ours
		a.gone() // the page noticed before us
	}
	a.after("an act at the counter killed after " + at.String())
	return 1
}

// startKilled ends csed and kills it while it starts: it opens, signs lists, signs
// answers, then serves.
func (a *authoritySite) startKilled(starting time.Duration) int {
	a.t.Helper()
	a.kill()
	at := time.Duration((0.3 + a.dice.Float64()) * float64(starting))
	cmd := a.command("serve")
	if err := cmd.Start(); err != nil {
		a.t.Fatal(err)
	}
	time.Sleep(at)
	if err := cmd.Process.Kill(); err != nil {
		a.t.Fatal(err)
	}
	if err := cmd.Wait(); !died(err) {
		a.t.Fatalf("csed serve ended by itself: %v", err)
	}
	a.after("a start killed after " + at.String())
	return 1
}

func (a *authoritySite) kill() {
	a.t.Helper()
	if err := a.server.Process.Kill(); err != nil {
		a.t.Fatal(err)
	}
	a.gone()
}

// killsOfOne bounds the kills of one import, so that publications and acts at the
// counter have their share.
const killsOfOne = 2

// deathKilled brings the holder's death in, killing the import; now and then csed
// serve with it. It answers the number of kills.
func (a *authoritySite) deathKilled(h cardholder, left int) (n int) {
	a.t.Helper()
	row := slices.Clone(a.rows[string(h.card.CF)])
	row[slices.Index(registry.Columns, "data_decesso")] = civil.Today(civil.System{}).String()
	var text bytes.Buffer
	w := csv.NewWriter(&text)
	a.must0(w.WriteAll([][]string{a.head, row}))
	a.write("death.csv", text.String())
	file := filepath.Join(a.dir, "death.csv")
	for n < min(left, killsOfOne) {
		at, begin := a.instant("import"), time.Now()
		if !a.interrupted(at, "people", "import", file) {
			a.took("import", time.Since(begin))
			break
		}
		n++
		a.kill()
		a.after("an import killed after " + at.String())
	}
	a.must("people", "import", file)
	serial := a.card(h).CertSerial
	a.mu.Lock()
	a.over[serial] = time.Now()
	a.mu.Unlock()
	return n
}

func (a *authoritySite) card(h cardholder) lifecycle.Card {
	a.t.Helper()
	db := a.store()
	defer db.Close()
	c, err := db.Cards().Get(context.Background(), h.card.ID)
	a.must0(err)
	return c
}

// after is what must be true after every kill: lists whole, records sound, and the
// first answers of the next csed those of the records.
func (a *authoritySite) after(what string) {
	a.t.Helper()
	a.lists()
	a.sound(what)
	a.start()
	records := a.records()
	for serial, r := range records {
		status, err := a.ask(serial)
		if err != nil {
			a.t.Fatalf("after %s: %v", what, err)
		}
		if good := status == ocsp.Good; good != (r.State == ca.Good) {
			a.t.Errorf("after %s: certificate %s is %s on record, and the first answer says %d", what, serial, r.State, status)
		}
	}
	a.complete(what, records)
}

// records are the certificates that are or were in use, by serial.
func (a *authoritySite) records() map[string]ca.Record {
	a.t.Helper()
	db := a.store()
	defer db.Close()
	cards, err := db.Cards().Each(context.Background(), "", 10_000)
	a.must0(err)
	out := map[string]ca.Record{}
	for _, c := range cards {
		list, err := db.PKI().OfCard(context.Background(), c.ID)
		a.must0(err)
		for _, r := range list {
			if len(r.DER) > 0 {
				out[r.Serial] = r
			}
		}
	}
	a.mu.Lock()
	a.watch = slices.Collect(maps.Keys(out))
	a.mu.Unlock()
	return out
}

// lists reads every list that lies there: each is whole and verifies, at any time.
func (a *authoritySite) lists() []*x509.RevocationList {
	a.t.Helper()
	files, err := filepath.Glob(filepath.Join(a.data, "crl", "*.crl"))
	if err != nil {
		a.t.Fatal(err)
	}
	var out []*x509.RevocationList
	for _, f := range files {
		if filepath.Base(f) == "root.crl" {
			continue
		}
		b, err := os.ReadFile(f)
		a.must0(err)
		l, err := x509.ParseRevocationList(b)
		if err == nil {
			err = l.CheckSignatureFrom(a.issuer)
		}
		if err != nil {
			a.t.Fatalf("the list %s: %v", filepath.Base(f), err)
		}
		out = append(out, l)
	}
	return out
}

// complete asks that what was revoked before a list was signed is in a list.
func (a *authoritySite) complete(what string, records map[string]ca.Record) {
	a.t.Helper()
	listed, oldest := map[string]bool{}, time.Now()
	for _, l := range a.lists() {
		if l.ThisUpdate.Before(oldest) {
			oldest = l.ThisUpdate
		}
		for _, e := range l.RevokedCertificateEntries {
			listed[fmt.Sprintf("%032x", e.SerialNumber)] = true
		}
	}
	for serial, r := range records {
		n, ok := new(big.Int).SetString(serial, 16)
		if !ok {
			a.t.Fatalf("the serial %s", serial)
		}
		in := listed[fmt.Sprintf("%032x", n)]
		since := r.ChangedAt
		if since.IsZero() { // never activated: on hold since it was issued
			since = r.IssuedAt
		}
		if r.State != ca.Good && since.Before(oldest) && !in {
			a.t.Errorf("after %s: %s is %s since %s, and in no list of %s", what, serial, r.State, since, oldest)
		}
	}
}

// ask is an OCSP question over HTTP, as a relying party puts it.
func (a *authoritySite) ask(serial string) (int, error) {
	n, ok := new(big.Int).SetString(serial, 16)
	if !ok {
		return 0, fmt.Errorf("the serial %s", serial)
	}
	q, err := ocsp.CreateRequest(&x509.Certificate{SerialNumber: n}, a.issuer, nil)
	if err != nil {
		return 0, err
	}
	ctx, stop := context.WithTimeout(context.Background(), 5*time.Second)
	defer stop()
	rq, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+a.plain+"/ocsp", bytes.NewReader(q))
	if err != nil {
		return 0, err
	}
	rq.Header.Set("Content-Type", "application/ocsp-request")
	w, err := asker.Do(rq)
	if err != nil {
		return 0, err
	}
	defer w.Body.Close()
	b, err := io.ReadAll(w.Body)
	if err != nil {
		return 0, err
	}
	r, err := ocsp.ParseResponseForCert(b, &x509.Certificate{SerialNumber: n}, a.issuer)
	if err != nil {
		return 0, fmt.Errorf("the answer for %s (%s): %w", serial, hex.EncodeToString(b[:min(8, len(b))]), err)
	}
	return r.Status, nil
}

// asker opens a connection for each question: the one before may have been killed.
var asker = &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: (&net.Dialer{Timeout: time.Second}).DialContext}}

// visible is how long a revocation may take to be seen (issue 5: one second).
const visible = time.Second

// watcher asks for ever, whether csed lives or not. A certificate that is revoked for
// good is never good again.
func (a *authoritySite) watcher() (stop func()) {
	end := make(chan struct{})
	var group sync.WaitGroup
	group.Go(func() {
		for n := 0; ; n++ {
			select {
			case <-end:
				return
			case <-time.After(3 * time.Millisecond):
			}
			a.mu.Lock()
			list := a.watch
			a.mu.Unlock()
			if len(list) == 0 {
				continue
			}
			serial, begin := list[n%len(list)], time.Now()
			status, err := a.ask(serial)
			if err != nil {
				continue // killed, or starting
			}
			a.mu.Lock()
			a.asked[status]++
			since, over := a.over[serial]
			if status == ocsp.Good && over && begin.After(since.Add(visible)) {
				a.wrong = append(a.wrong, fmt.Sprintf("%s, revoked at %s, was good at %s", serial, since, begin))
			}
			a.mu.Unlock()
		}
	})
	return func() { close(end); group.Wait() }
}
