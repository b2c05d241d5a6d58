package main

import (
	"context"
	"crypto/rand"
	"encoding/csv"
	"errors"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"cse.example/cse/demo/browser"
	"cse.example/cse/engine/audit"
	"cse.example/cse/engine/queue"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/effect"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/operations"
	"cse.example/cse/issuer/production"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/person/codicefiscale"
)

const passphraseOfAll = "quattro parole a caso"

// employ gives the region an operator with a password; it answers his secret.
func (r *region) employ(t *testing.T, account string, day int, roles ...staff.Role) secret.Text {
	t.Helper()
	web, err := r.config.ring(ringWeb, r.config.Keys.Web)
	check(t, err)
	seal, err := web.aead(aeadDesk)
	check(t, err)
	key, err := staff.NewTOTP(rand.Reader)
	check(t, err)
	sealed, err := staff.SealTOTP(seal, account, key)
	check(t, err)
	hash, err := staff.HashPassword(rand.Reader, secret.FromString(passphraseOfAll))
	check(t, err)
	cf, err := codicefiscale.Compute(codicefiscale.Person{
		Surname: "Prove", Name: account, Born: civil.Date{Year: 1980, Month: 4, Day: day}, Sex: "M", Belfiore: "D612",
	})
	check(t, err)
	r.config.Operators = append(r.config.Operators, staff.Account{
		Account: account, Name: "Prove " + account, CF: string(cf), Roles: roles, Offices: []string{"comune"}, PasswordHash: hash, TOTP: sealed,
	})
	return key
}

// atWork is the browser of an operator who has logged in.
func atWork(t *testing.T, p *Platform, account string, key secret.Text, path string) *browser.Browser {
	t.Helper()
	b, err := browser.New(p.webCA.Pool(), nil)
	check(t, err)
	check(t, b.Get(t.Context(), p.Config.Public.Portal+"/entra?"+url.Values{"a": {path}}.Encode()))
	loginAs(t, p, b, account, key)
	if b.Page.URL.Path != path {
		t.Fatalf("%s is at %s %s", account, b.Page.Where(), b.Page.Code())
	}
	return b
}

// loginAs fills in the operators' form at a login that was begun.
func loginAs(t *testing.T, p *Platform, b *browser.Browser, account string, key secret.Text) {
	t.Helper()
	if !b.Page.HasForm("/operator") {
		check(t, b.Get(t.Context(), b.Page.Href(func(h string) bool { return strings.Contains(h, "/operator") })))
	}
	code := staff.TOTP(key, p.Clock.Now())
	check(t, b.Submit(t.Context(), "/operator", map[string]string{"account": account, "password": passphraseOfAll, "totp": string(code.Reveal())}))
}

// records are the trail's about an act, newest first.
func records(t *testing.T, p *Platform, act string) []audit.Record {
	t.Helper()
	list, err := p.trail.Search(t.Context(), audit.Search{Act: act})
	check(t, err)
	return list
}

// O1, O2, O3, O4 and O7 over HTTP, on the real store: the dashboard, a batch, a card that
// comes back, a letter that failed, the trail.
func TestADayOfOperations(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.clock.Set(time.Now()) // the browser checks the platform's certificates on the machine's day
	key := r.employ(t, "carlo", 1, staff.RoleOperations)
	p := r.serve(t, "web")
	b := atWork(t, p, "carlo", key, "/operazioni")
	ctx, home := t.Context(), p.Config.Public.Portal
	holder := card(t, p, r.waiting)
	submit := func(action, code string, pairs ...string) {
		t.Helper()
		values := map[string]string{}
		for i := 0; i+1 < len(pairs); i += 2 {
			values[pairs[i]] = pairs[i+1]
		}
		check(t, b.Submit(ctx, action, values))
		if b.Page.Code() != code {
			t.Fatalf("%s: %s %q, want %q: %s", action, b.Page.Where(), b.Page.Code(), code, b.Page.Text())
		}
		if strings.Contains(b.Page.URL.String(), string(holder.CF)) {
			t.Errorf("the codice fiscale is in an address: %s", b.Page.URL)
		}
	}
	look := func(path, want string) {
		t.Helper()
		check(t, b.Get(ctx, home+path))
		if b.Page.Status != http.StatusOK || !strings.Contains(b.Page.Text(), want) {
			t.Errorf("%s: %s, want %q: %s", path, b.Page.Where(), want, b.Page.Text())
		}
	}

	// The lines of the table make the total, and the total is what was ordered.
	sum, states := 0, b.Page.Pairs("data-state", "data-n")
	for state, n := range states {
		if v, err := strconv.Atoi(n); err == nil && state != "total" {
			sum += v
		}
	}
	if total := states["total"]; total != strconv.Itoa(sum) || total != b.Page.Data("data-ordered") || sum == 0 {
		t.Errorf("the states make %d, the page says %s of %s ordered", sum, total, b.Page.Data("data-ordered"))
	}
	if !strings.Contains(b.Page.Text(), "I conti tornano") {
		t.Error("the counts do not reconcile: ", b.Page.Text())
	}

	// A card comes back and is posted again, once each.
	look("/operazioni/ritorni", "Nessuna tessera in deposito")
	submit("/ritorni", "CSE-542", "tessera", holder.ID)
	submit("/ritorni", "", "tessera", " "+holder.ID[:8]+" "+holder.ID[8:], "motivo_ritorno", "giacenza")
	if s := card(t, p, holder.ID).State; s != lifecycle.Returned {
		t.Fatalf("the card is %s", s)
	}
	submit("/ritorni", "CSE-543", "tessera", holder.ID, "motivo_ritorno", "giacenza")
	look("/operazioni/ritorni", holder.ID)
	submit("/rispedisci", "")
	if s := card(t, p, holder.ID).State; s != lifecycle.Shipped {
		t.Fatalf("the card is %s", s)
	}
	if got := records(t, p, "card.returned"); len(got) != 1 || got[0].Actor != "carlo" || got[0].Card != holder.ID || got[0].Detail["reason"] != "giacenza" {
		t.Errorf("the return left %+v", got)
	}

	// Its batch: the counters agree with the lines, and the delivery is noted.
	look("/operazioni/lotti/"+holder.Batch, "Segna le tessere come consegnate")
	if strings.Contains(b.Page.Text(), "Non torna") {
		t.Error("the batch does not reconcile: ", b.Page.Text())
	}
	submit("/consegnato", "")
	if s := card(t, p, holder.ID).State; s != lifecycle.Delivered || !strings.Contains(b.Page.Text(), "1 tessere spostate") {
		t.Errorf("the card is %s: %s", s, b.Page.Text())
	}

	// The trail tells what happened to the holder, and that somebody asked.
	look("/operazioni/registro", "Integrità del registro")
	submit("/registro", "CSE-547", "codice_fiscale", string(holder.CF))
	submit("/registro", "", "codice_fiscale", strings.ToLower(string(holder.CF)), "motivo_ricerca", "reclamo 12/2026")
	if acts := b.Page.Pairs("data-act", "data-act"); acts["card.returned"] == "" || acts["card.ordered"] == "" {
		t.Errorf("the trail shows %v", acts)
	}
	submit("/registro", "", "formato", "csv")
	rows, err := csv.NewReader(strings.NewReader(string(b.Page.Body))).ReadAll()
	if err != nil || b.Page.Header.Get("Content-Type") != "text/csv; charset=utf-8" || len(rows) < 4 || rows[1][2] != "audit.searched" {
		t.Errorf("the file: %v, %d rows, %s", err, len(rows), b.Page.Header.Get("Content-Type"))
	}
	if strings.Contains(string(b.Page.Body), string(holder.CF)) {
		t.Error("the file names the person")
	}
	look("/operazioni/registro", "Integrità del registro")
	submit("/verifica", "")
	if !strings.Contains(b.Page.Text(), "Il registro è integro") {
		t.Error(b.Page.Text())
	}
	clean(t, p)
}

// A letter that failed is tried again once, whoever presses twice.
func TestQueueRetryOnce(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.clock.Set(time.Now())
	secretOf := r.employ(t, "carlo", 1, staff.RoleOperations)
	p := r.serve(t, "web")
	b := atWork(t, p, "carlo", secretOf, "/operazioni")
	ctx, key := t.Context(), counter.MailKey("2026/0000001")
	page := p.Config.Public.Portal + "/operazioni/coda/voce?" + url.Values{"chiave": {key}}.Encode()
	sent := 0
	send := func(err error) error {
		return p.queue.Do(ctx, key, func(context.Context, effect.Effect, int) error {
			sent++
			return err
		})
	}
	if err := send(errors.Join(effect.ErrPermanent, errors.New("550 no such mailbox"))); err == nil {
		t.Fatal("the letter left")
	}
	if item, err := p.queue.Get(ctx, key); err != nil || item.State != queue.Failed {
		t.Fatalf("%+v, %v", item, err)
	}
	check(t, b.Get(ctx, p.Config.Public.Portal+"/operazioni/coda"))
	if !strings.Contains(b.Page.Text(), key) {
		t.Error("the letter is not listed: ", b.Page.Text())
	}
	check(t, b.Get(ctx, page))
	twice := b.Page
	if strings.Contains(string(b.Page.Body), "titolare@example.org") {
		t.Error("the page shows whom the letter is for")
	}
	check(t, b.Submit(ctx, "/riprova", nil))
	if b.Page.Code() != "" {
		t.Fatal(b.Page.Where(), b.Page.Code())
	}
	check(t, send(nil))
	b.Page = twice // the other window
	check(t, b.Submit(ctx, "/riprova", nil))
	if b.Page.Code() != "CSE-545" {
		t.Errorf("pressed again: %s %q", b.Page.Where(), b.Page.Code())
	}
	var wrong *queue.StateError
	if err := send(nil); !errors.As(err, &wrong) || sent != 2 {
		t.Errorf("sent %d times, then %v", sent, err)
	}
	if got := records(t, p, "effect.retried"); len(got) != 1 || got[0].Actor != "carlo" || got[0].Detail["key"] != key {
		t.Errorf("the trail has %+v", got)
	}
	clean(t, p)
}

// A letter given up needs a reason, and its body is gone.
func TestQueueDropNeedsAReason(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.employ(t, "carlo", 1, staff.RoleOperations)
	p := r.open(t, Options{}, "web")
	room, err := p.operations()
	check(t, err)
	op, err := p.directory.OperatorByAccount("carlo")
	check(t, err)
	ctx, key := t.Context(), counter.MailKey("2026/0000001")
	if err := room.Drop(ctx, op, key, "casella inesistente"); !errors.Is(err, words.Refuse("CSE-545")) {
		t.Errorf("a letter that waits for its turn: %v", err)
	}
	_ = p.queue.Do(ctx, key, func(context.Context, effect.Effect, int) error { return effect.ErrPermanent }) // fails, as it should
	for _, reason := range []string{"", " no ", strings.Repeat("x", 201)} {
		if err := room.Drop(ctx, op, key, reason); !errors.Is(err, words.Refuse("CSE-546")) {
			t.Errorf("reason %q: %v", reason, err)
		}
	}
	check(t, room.Drop(ctx, op, key, "casella inesistente"))
	if item, err := p.queue.Get(ctx, key); err != nil || item.State != queue.Dropped {
		t.Errorf("%+v, %v", item, err)
	}
	if _, err := p.queue.Open(ctx, key); err == nil {
		t.Error("the body is still there")
	}
	if got := records(t, p, "effect.dropped"); len(got) != 1 || got[0].Detail["reason"] != "casella inesistente" {
		t.Errorf("the trail has %+v", got)
	}
}

// Every search leaves its record, with motive and number; a refused one none,
// but who has no business there leaves the refusal.
func TestAuditSearchIsRecorded(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.employ(t, "carlo", 1, staff.RoleOperations)
	r.employ(t, "sara", 2, staff.RoleAuditor)
	p := r.open(t, Options{}, "web")
	room, err := p.operations()
	check(t, err)
	as := func(account string) staff.Operator {
		op, err := p.directory.OperatorByAccount(account)
		check(t, err)
		return op
	}
	who := card(t, p, r.active).CF
	day := civil.DayOf(noon)
	for _, c := range []struct {
		name, account string
		q             operations.Query
		want          string // code of the refusal
		first         string // act of the newest record found
	}{
		{"by person", "sara", operations.Query{Person: who, Motive: "richiesta del Garante"}, "", "codes.handed-over"},
		{"by card", "carlo", operations.Query{Card: r.active, Motive: "reclamo 12/2026"}, "", "codes.handed-over"},
		{"by operator", "sara", operations.Query{Operator: "anna", Motive: "reclamo 12/2026"}, "", "codes.handed-over"},
		{"by office and act", "sara", operations.Query{Office: "comune", Act: "card.activated", Motive: "reclamo 12/2026"}, "", "card.activated"},
		{"by day", "sara", operations.Query{From: day, Until: day, Motive: "reclamo 12/2026"}, "", "audit.searched"},
		{"another day", "sara", operations.Query{From: day.AddDays(1), Motive: "reclamo 12/2026"}, "", ""},
		{"no motive", "sara", operations.Query{Person: who, Motive: "  boh  "}, "CSE-547", ""},
		{"nothing", "sara", operations.Query{Motive: "reclamo 12/2026"}, "CSE-548", ""},
		{"days swapped", "sara", operations.Query{From: day, Until: day.AddDays(-1), Motive: "reclamo 12/2026"}, "CSE-549", ""},
		{"a counter's operator", "anna", operations.Query{Person: who, Motive: "reclamo 12/2026"}, "CSE-540", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			before, refused := len(records(t, p, "audit.searched")), len(records(t, p, "operations.refused"))
			found, err := room.Search(t.Context(), as(c.account), c.q)
			after := records(t, p, "audit.searched")
			if c.want != "" {
				if !errors.Is(err, words.Refuse(c.want)) || len(found) != 0 || len(after) != before {
					t.Errorf("%d found, %d records more, %v; want %s and none", len(found), len(after)-before, err, c.want)
				}
				if n := len(records(t, p, "operations.refused")) - refused; (n == 1) != (c.want == "CSE-540") {
					t.Errorf("%d refusals recorded", n)
				}
				return
			}
			check(t, err)
			first := ""
			if len(found) > 0 {
				first = found[0].Act
			}
			if first != c.first {
				t.Errorf("the newest found is %q, want %q", first, c.first)
			}
			if len(after) != before+1 || after[0].Actor != c.account || after[0].Detail["motive"] != c.q.Motive || after[0].Detail["found"] != strconv.Itoa(min(len(found), operations.PageSize)) {
				t.Errorf("%d records of the search more, the last %+v", len(after)-before, after[0])
			}
			if (after[0].Person != "") != (c.q.Person != "") || after[0].Card != c.q.Card {
				t.Errorf("the record does not say of whom: %+v", after[0])
			}
		})
	}
	clean(t, p)
}

// What does not add up is shown as such.
func TestOperationsCountsReconcile(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.employ(t, "carlo", 1, staff.RoleOperations)
	r.employ(t, "sara", 2, staff.RoleAuditor)
	p := r.open(t, Options{}, "web")
	room, err := p.operations()
	check(t, err)
	carlo, err := p.directory.OperatorByAccount("carlo")
	check(t, err)
	sara, err := p.directory.OperatorByAccount("sara")
	check(t, err)
	ctx := t.Context()

	board, err := room.Board(ctx, carlo)
	check(t, err)
	sum := 0
	for _, s := range board.States {
		sum += s.Total()
	}
	if !board.Balanced() || sum != board.Cards || board.Cards != board.Numbers || board.Taken != 0 || len(board.Queue) == 0 {
		t.Errorf("a sound region: %+v", board)
	}
	if b, err := room.Board(ctx, sara); err != nil || len(b.Queue) != 0 || b.Cards != board.Cards {
		t.Errorf("the auditor sees %+v, %v", b.Queue, err)
	}
	batch := card(t, p, r.waiting).Batch
	lot, err := room.Batch(ctx, sara, batch)
	check(t, err)
	for _, c := range lot.Checks {
		if !c.OK() {
			t.Errorf("a sound batch: %+v", c)
		}
	}
	if lot.Ship || lot.Deliver {
		t.Error("an auditor is offered to post")
	}
	if _, err := room.PostBatch(ctx, sara, batch, true); !errors.Is(err, words.Refuse("CSE-541")) {
		t.Errorf("an auditor posts: %v", err)
	}

	check(t, p.db.Atomically(ctx, func(ctx context.Context) error {
		if err := p.db.Batches().PutItem(ctx, production.Item{Batch: batch, Card: "6000000000009999"}); err != nil {
			return err
		}
		_, err := p.db.Conn(ctx).ExecContext(ctx, "DELETE FROM card WHERE id = '"+r.waiting+"'")
		return err
	}))
	if board, err = room.Board(ctx, carlo); err != nil || board.Balanced() {
		t.Errorf("a card was lost and nobody sees it: %+v, %v", board.Checks, err)
	}
	lot, err = room.Batch(ctx, carlo, batch)
	check(t, err)
	if lot.Checks[0].OK() {
		t.Errorf("a line too many and nobody sees it: %+v", lot.Checks)
	}
}

// A card that came back is not posted to somebody who has died.
func TestReturnedCardsOfTheDeadStay(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.employ(t, "carlo", 1, staff.RoleOperations)
	p := r.open(t, Options{}, "web")
	room, err := p.operations()
	check(t, err)
	carlo, err := p.directory.OperatorByAccount("carlo")
	check(t, err)
	ctx := t.Context()
	check(t, room.Return(ctx, carlo, r.waiting, "deceduto"))
	check(t, p.db.Atomically(ctx, func(ctx context.Context) error {
		who, err := p.db.People().Get(ctx, card(t, p, r.waiting).CF)
		if err != nil {
			return err
		}
		who.Died = civil.Today(r.clock)
		_, err = p.db.People().Put(ctx, who)
		return err
	}))
	if err := room.PostAgain(ctx, carlo, r.waiting); !errors.Is(err, words.Refuse("CSE-544")) {
		t.Errorf("posted again: %v", err)
	}
	if err := room.PostAgain(ctx, carlo, r.active); !errors.Is(err, words.Refuse("CSE-543")) {
		t.Errorf("a card at its holder's, posted again: %v", err)
	}
	if s := card(t, p, r.waiting).State; s != lifecycle.Returned {
		t.Errorf("the card is %s", s)
	}
}
