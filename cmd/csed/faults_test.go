package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"cse.example/cse/demo/inbox"
	"cse.example/cse/engine/queue"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/pki/ca"
	"cse.example/cse/portal"
)

// What goes wrong around the acts of a counter, each over the real platform:
// nothing is lost, nothing is done twice. A bounce that comes later is in
// bounce_test.go, a full disk of the letters' spool in spool_test.go, the clock in
// issuer/counter/clock_test.go and below, a kill in test/crash.

// shownToday is a holder with a document that is good on the region's day.
func shownToday(r *region) counter.IdentityStep {
	today := civil.Today(r.clock)
	return counter.IdentityStep{Present: counter.PresentHolder, Document: counter.Document{
		Kind: counter.ElectronicCard, Number: "CA00000AA", Issuer: "COMUNE DI FIRENZE", Issued: today.AddYears(-1), Expires: today.AddYears(5),
	}}
}

// drafted fills the first three steps of an activation of the card that waits.
func drafted(t *testing.T, p *Platform, r *region, op staff.Operator) counter.Draft {
	t.Helper()
	return draftedFor(t, p, r, op, r.waiting)
}

func draftedFor(t *testing.T, p *Platform, r *region, op staff.Operator, id string) counter.Draft {
	t.Helper()
	d, err := p.counter.StartDraft(t.Context(), op, counter.CardStep{Card: id, LastFive: id[11:], NoReader: "lettore guasto"})
	check(t, err)
	d, err = p.counter.Identify(t.Context(), op, d.ID, d.Version, shownToday(r))
	check(t, err)
	d, err = p.counter.Contacts(t.Context(), op, d.ID, d.Version, counter.ContactStep{
		Email: "t" + id + "@example.org", EmailAgain: "t" + id + "@example.org", Lang: words.Italian, Consent: true,
	})
	check(t, err)
	return d
}

func activatedNow(t *testing.T, p *Platform, r *region) counter.Act {
	t.Helper()
	op := operatorOf(t, p, "anna")
	d := drafted(t, p, r, op)
	a, err := p.counter.Activate(t.Context(), op, d.ID, d.Version)
	check(t, err)
	return a
}

// asked is a form that every act of one form would take, for one card.
func asked(t *testing.T, p *Platform, r *region, id string) counter.Order {
	t.Helper()
	request, err := p.counter.NewRequest()
	check(t, err)
	return counter.Order{
		Request: request, Card: id, Identity: shownToday(r), Lang: words.Italian, Address: true,
		Report: counter.Report{Authority: "Carabinieri di Prato", Number: "AB/77", Date: civil.Today(r.clock)},
		Lights: &counter.Lights{PIN: true, PUK: true}, Text: "il nome è un altro",
		Shown: counter.CardStep{LastFive: id[11:]}, NoReader: "lettore guasto", Email: "nuovo@example.org", EmailAgain: "nuovo@example.org",
	}
}

// The mail server is away for an hour, and acts go on. No letter is lost, none is
// given up, none becomes a task meanwhile; when it is back each arrives, dated as
// its act; one of which nobody knows whether it left comes twice under one name.
func TestFaultSMTPIsAwayForAnHour(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.config.Mail.ResendSeconds = 60
	box := r.withInbox(t)
	address := r.config.Mail.Server
	check(t, box.Stop())
	p := r.open(t, Options{}, "web", "print", "mail")
	ctx := t.Context()
	acts := []time.Time{noon}
	for minute := range 60 {
		if minute == 20 {
			acts = append(acts, activatedNow(t, p, r).At)
		}
		work(t, p)
		r.clock.Advance(time.Minute)
	}
	counts, err := p.queue.Counts(ctx)
	check(t, err)
	for _, c := range counts {
		if strings.HasPrefix(c.Kind, "mail.") && c.State != queue.Pending {
			t.Errorf("while the server was away: %d of %s are %s", c.N, c.Kind, c.State)
		}
	}
	if n := len(waiting(t, p, counter.TaskUndelivered)); n != 0 {
		t.Errorf("%d tasks for letters that only wait", n)
	}
	clean(t, p)

	if _, err := box.Listen(ctx, address); err != nil {
		t.Fatal(err)
	}
	box.CutAfterData(1)
	for range 30 {
		r.clock.Advance(time.Minute)
		work(t, p)
	}
	list, err := box.List()
	check(t, err)
	byID := map[string][]inbox.Letter{}
	for _, l := range list {
		byID[l.ID] = append(byID[l.ID], l)
	}
	if len(byID) != 4 || len(list) != 5 {
		t.Errorf("%d letters under %d names, want 5 under 4 (one was in doubt)", len(list), len(byID))
	}
	for id, copies := range byID {
		if l := copies[0]; !l.Date.Equal(acts[0].Truncate(time.Second)) && !l.Date.Equal(acts[1].Truncate(time.Second)) {
			t.Errorf("%s is dated %s, of no act", id, l.Date)
		}
		for _, l := range copies[1:] {
			if l.Text != copies[0].Text || l.To != copies[0].To {
				t.Errorf("%s came in two versions", id)
			}
		}
	}
	if n := len(withCodes(t, box)); n < 2 || n > 3 {
		t.Errorf("%d letters with codes", n)
	}
	for _, c := range must(p.queue.Counts(ctx)) {
		if strings.HasPrefix(c.Kind, "mail.") && c.State != queue.Done {
			t.Errorf("in the end: %d of %s are %s", c.N, c.Kind, c.State)
		}
	}
	clean(t, p)
}

// must is for reads in conditions of tests.
func must[T any](x T, err error) T {
	if err != nil {
		panic(err)
	}
	return x
}

// The printing process fails while it makes the papers: the form does not count
// as printed, waits in the list, and comes out once when the fault is mended.
func TestFaultThePrinterFailsInTheMiddleOfAForm(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	p := r.open(t, Options{}, "web", "print")
	ctx, op := t.Context(), operatorOf(t, p, "anna")
	a := activatedNow(t, p, r)
	form, err := p.counter.ToPrint(ctx, op, a.Protocol)
	check(t, err)
	var half []byte
	check(t, p.db.Conn(ctx).QueryRowContext(ctx, "SELECT puk_first FROM card_codes WHERE card = $1", r.waiting).Scan(&half))
	write := func(half []byte) {
		t.Helper()
		check(t, p.db.Atomically(ctx, func(ctx context.Context) error {
			_, err := p.db.Conn(ctx).ExecContext(ctx, "UPDATE card_codes SET puk_first = $1 WHERE card = $2", half, r.waiting)
			return err
		}))
	}
	// The PUK's half cannot be read: PIN is drawn already.
	write(half[1:])
	for range 3 {
		if pdf, err := p.print(ctx, form); err == nil || len(pdf) != 0 {
			t.Fatalf("half a form came out: %d bytes, %v", len(pdf), err)
		}
	}
	if x := must(p.counter.Act(ctx, op, a.Protocol)); !x.PrintedAt.IsZero() {
		t.Errorf("it counts as printed at %s", x.PrintedAt)
	}
	if err := p.counter.HandOver(ctx, op, a.Protocol); !errors.Is(err, words.Refuse("CSE-146")) {
		t.Errorf("what never came out was handed over: %v", err)
	}
	if list := waiting(t, p, counter.TaskPrint); len(list) != 1 || list[0].Path != portal.FilePath(a.Protocol) {
		t.Errorf("the list: %+v", list)
	}
	if item := must(p.queue.Get(ctx, counter.PrintKey(a.Protocol))); item.State != queue.Pending || item.Attempts != 3 {
		t.Errorf("the print is %s after %d attempts", item.State, item.Attempts)
	}
	write(half)
	pdf, err := p.print(ctx, form)
	if err != nil || !bytes.HasPrefix(pdf, []byte("%PDF-")) {
		t.Fatalf("mended: %d bytes, %v", len(pdf), err)
	}
	// The process dies before it marks the form: nobody has seen it, it may come out.
	if again, err := p.print(ctx, form); err != nil || !bytes.HasPrefix(again, []byte("%PDF-")) {
		t.Errorf("after a death between drawing and marking: %v", err)
	}
	check(t, p.counter.Printed(ctx, op, a.Protocol))
	if err := p.counter.Printed(ctx, op, a.Protocol); !errors.Is(err, words.Refuse("CSE-150")) {
		t.Errorf("marked twice: %v", err)
	}
	if _, err := p.counter.ToPrint(ctx, op, a.Protocol); !errors.Is(err, words.Refuse("CSE-150")) {
		t.Errorf("it comes out a second time: %v", err)
	}
	if n := len(records(t, p, "codes.printed")); n != 2 { // the template's, and this one
		t.Errorf("%d prints in the trail, want 2", n)
	}
	clean(t, p)
}

// torn is a connection that breaks after some bytes of the answer.
type torn struct {
	*httptest.ResponseRecorder
	left int
}

func (w *torn) Write(b []byte) (int, error) {
	if len(b) > w.left {
		n, _ := w.ResponseRecorder.Write(b[:w.left]) // a recorder takes everything
		w.left = 0
		return n, errors.New("connection reset by peer")
	}
	w.left -= len(b)
	return w.ResponseRecorder.Write(b)
}

// visit sends one request of anna's browser.
func visit(t *testing.T, p *Platform, w http.ResponseWriter, cookie, method, path string, form url.Values) {
	t.Helper()
	rq := httptest.NewRequestWithContext(t.Context(), method, p.Config.Public.Portal+path, strings.NewReader(form.Encode()))
	rq.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	rq.Header.Set("Sec-Fetch-Site", "same-origin")
	rq.AddCookie(&http.Cookie{Name: portal.SessionCookie, Value: cookie})
	p.portal.ServeHTTP(w, rq)
}

func browserOf(t *testing.T, p *Platform, account string) string {
	t.Helper()
	op := operatorOf(t, p, account)
	return must(p.portal.OpenSession(t.Context(), portal.Session{
		Subject: account, CF: string(op.CF), Given: "P", Family: "R", Account: account, AMR: []string{"pwd", "otp"},
	}, ""))
}

// The sheet tears on its way to the operator's printer. Nobody can tell what was
// read of it, so it never comes out again; the reprint is an act of its own,
// and takes its place in the list and in the queue.
func TestFaultTheSheetTearsOnItsWay(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.clock.Set(time.Now())
	p := r.serve(t, "web", "print")
	ctx, op := t.Context(), operatorOf(t, p, "anna")
	a := activatedNow(t, p, r)
	path, cookie := portal.FilePath(a.Protocol), browserOf(t, p, "anna")
	w := &torn{httptest.NewRecorder(), 2000}
	visit(t, p, w, cookie, http.MethodPost, path+"/modulo", nil)
	if w.Body.Len() != 2000 || !bytes.HasPrefix(w.Body.Bytes(), []byte("%PDF-")) {
		t.Fatalf("%d bytes arrived, %q", w.Body.Len(), w.Header().Get("CSE-Error"))
	}
	again := httptest.NewRecorder()
	visit(t, p, again, cookie, http.MethodPost, path+"/modulo", nil)
	if again.Header().Get("CSE-Error") != "CSE-150" || bytes.Contains(again.Body.Bytes(), []byte("%PDF-")) {
		t.Errorf("asked again: %d %s", again.Code, again.Header().Get("CSE-Error"))
	}
	if n := len(waiting(t, p, counter.TaskHandOver)); n != 1 {
		t.Errorf("%d sheets to hand over, want 1", n)
	}
	old := counter.PrintKey(a.Protocol)
	if item := must(p.queue.Get(ctx, old)); !item.Held {
		t.Errorf("before the reprint: %+v", item)
	}
	x, err := p.counter.Reprint(ctx, op, asked(t, p, r, r.waiting))
	check(t, err)
	if item := must(p.queue.Get(ctx, old)); item.Held || item.State != queue.Done {
		t.Errorf("what is left of the torn sheet: %+v", item)
	}
	if n, k := len(waiting(t, p, counter.TaskHandOver)), len(waiting(t, p, counter.TaskPrint)); n != 0 || k != 1 {
		t.Errorf("%d sheets to hand over and %d to print, want 0 and 1", n, k)
	}
	good := httptest.NewRecorder()
	visit(t, p, good, cookie, http.MethodPost, portal.FilePath(x.Protocol)+"/modulo", nil)
	if good.Code != http.StatusOK || !bytes.HasPrefix(good.Body.Bytes(), []byte("%PDF-")) {
		t.Errorf("the reprint: %d %s", good.Code, good.Header().Get("CSE-Error"))
	}
	visit(t, p, httptest.NewRecorder(), cookie, http.MethodPost, portal.FilePath(x.Protocol)+"/consegna", url.Values{"consegnato": {"si"}})
	if n := len(waiting(t, p, counter.TaskHandOver)); n != 0 {
		t.Errorf("%d sheets still to hand over", n)
	}
	clean(t, p)
}

// A form that nobody had printed is not printed any more once a reprint has taken
// its place: two sheets of one card never lie on two counters.
func TestFaultAnUnprintedFormAfterAReprint(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	p := r.open(t, Options{}, "web", "print")
	ctx, op := t.Context(), operatorOf(t, p, "anna")
	a := activatedNow(t, p, r)
	form := must(p.counter.ToPrint(ctx, op, a.Protocol))
	x, err := p.counter.Reprint(ctx, op, asked(t, p, r, r.waiting))
	check(t, err)
	if pdf, err := p.print(ctx, form); !errors.Is(err, words.Refuse("CSE-150")) || len(pdf) != 0 {
		t.Errorf("the first form: %d bytes, %v", len(pdf), err)
	}
	if pdf, err := p.print(ctx, must(p.counter.ToPrint(ctx, op, x.Protocol))); err != nil || len(pdf) == 0 {
		t.Errorf("the second: %v", err)
	}
	clean(t, p)
}

// The operator closes the browser between "print" and "handed over": after a
// night and a restart the file waits in the list, does not print again, and is
// ticked once, by him or by a colleague of the same counter.
func TestFaultTheBrowserIsClosedBeforeTheTick(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.clock.Set(time.Now())
	r.employ(t, "bruno", 9, staff.RoleOperator)
	r.employ(t, "lontano", 10, staff.RoleOperator)
	r.config.Counters = append(r.config.Counters, staff.Office{ID: "altro", Type: staff.Comune, Name: "Altro comune", Comune: "G999"})
	r.config.Operators[len(r.config.Operators)-1].Offices = []string{"altro"}
	protocol, path := "", ""
	func() {
		p, err := r.tryOpen(t.Context(), Options{}, "web", "print")
		check(t, err)
		defer func() { check(t, p.Close()) }()
		op := operatorOf(t, p, "anna")
		a := activatedNow(t, p, r)
		protocol, path = a.Protocol, portal.FilePath(a.Protocol)
		_ = must(p.print(t.Context(), must(p.counter.ToPrint(t.Context(), op, protocol))))
		check(t, p.counter.Printed(t.Context(), op, protocol))
	}()
	r.clock.Advance(20 * time.Hour)
	p := r.serve(t, "web", "print")
	if list := waiting(t, p, counter.TaskHandOver); len(list) != 1 || list[0].Path != path {
		t.Fatalf("the list: %+v", list)
	}
	for _, c := range []struct{ account, code string }{{"lontano", "CSE-145"}, {"bruno", ""}} {
		w := httptest.NewRecorder()
		visit(t, p, w, browserOf(t, p, c.account), http.MethodGet, path, nil)
		if got := w.Header().Get("CSE-Error"); got != c.code {
			t.Errorf("%s: %d %q, want %q", c.account, w.Code, got, c.code)
		}
		if page := w.Body.String(); c.code == "" && (strings.Contains(page, path+"/modulo") || !strings.Contains(page, path+"/consegna")) {
			t.Error("the page prints again, or has no tick")
		}
	}
	w := httptest.NewRecorder()
	visit(t, p, w, browserOf(t, p, "anna"), http.MethodPost, path+"/modulo", nil)
	if w.Header().Get("CSE-Error") != "CSE-150" {
		t.Errorf("printed again: %d %s", w.Code, w.Header().Get("CSE-Error"))
	}
	for range 2 {
		for _, account := range []string{"bruno", "anna"} {
			w := httptest.NewRecorder()
			visit(t, p, w, browserOf(t, p, account), http.MethodPost, path+"/consegna", url.Values{"consegnato": {"si"}})
			if w.Code != http.StatusSeeOther {
				t.Errorf("%s ticks: %d %s", account, w.Code, w.Header().Get("CSE-Error"))
			}
		}
	}
	said := 0
	for _, x := range records(t, p, "codes.handed-over") {
		if x.Detail["protocol"] == protocol {
			said++
			if x.Actor != "bruno" {
				t.Errorf("ticked by %s", x.Actor)
			}
		}
	}
	if item := must(p.queue.Get(t.Context(), counter.PrintKey(protocol))); said != 1 || item.Held || len(waiting(t, p, counter.TaskHandOver)) != 0 {
		t.Errorf("ticked %d times, %+v, %v", said, item, waiting(t, p, counter.TaskHandOver))
	}
	clean(t, p)
}

// Two operators of two offices act on one card at the same moment: each act
// happens whole or not at all, and card, certificate, codes, successor and trail
// tell one story.
func TestFaultTwoOperatorsOneCard(t *testing.T) {
	t.Parallel()
	type do = func(*counter.Counter, context.Context, staff.Operator, counter.Order) (counter.Act, error)
	acts := map[string]struct {
		do    do
		agent bool // the Revenue Agency's; others are the Comune's
	}{
		"suspension": {(*counter.Counter).Suspend, true}, "revocation": {(*counter.Counter).Revoke, false}, "loss": {(*counter.Counter).LossOrTheft, true},
		"chip fault": {(*counter.Counter).ChipFault, true}, "reprint": {(*counter.Counter).Reprint, false}, "email": {(*counter.Counter).CorrectEmail, false},
	}
	p, r, comune, agency := twoCounters(t)
	pairs := [][2]string{
		{"loss", "loss"},
		{"loss", "suspension"},
		{"loss", "revocation"},
		{"loss", "chip fault"},
		{"loss", "reprint"},
		{"suspension", "suspension"},
		{"suspension", "revocation"},
		{"reprint", "reprint"},
		{"reprint", "revocation"},
	}
	for n, id := range adultsCards(t, p, r, len(pairs)) {
		pair := pairs[n]
		name := pair[0] + " and " + pair[1]
		if id != r.active {
			d := draftedFor(t, p, r, comune[0], id)
			_, err := p.counter.Activate(t.Context(), comune[0], d.ID, d.Version)
			check(t, err)
		}
		before := must(p.db.Acts().ByCard(t.Context(), id))
		var errs [2]error
		var wg sync.WaitGroup
		start := make(chan struct{})
		for i, x := range pair {
			o, op := asked(t, p, r, id), comune[i]
			if acts[x].agent {
				op = agency[i]
			}
			o.Email, o.EmailAgain = fmt.Sprintf("n%d@example.org", i), fmt.Sprintf("n%d@example.org", i)
			wg.Go(func() { <-start; _, errs[i] = acts[x].do(p.counter, t.Context(), op, o) })
		}
		close(start)
		wg.Wait()
		good := 0
		for i, err := range errs {
			if err == nil {
				good++
			} else if f := words.FaultOf(err); f == nil || f.Code == "CSE-122" || f.Code == "CSE-124" {
				t.Errorf("%s: the %s ends with %v", name, pair[i], err)
			}
		}
		rows := must(p.db.Acts().ByCard(t.Context(), id))
		if good == 0 || len(rows)-len(before) != good {
			t.Errorf("%s: %d acts went well, %d are written down: %v", name, good, len(rows)-len(before), errs)
		}
		oneStory(t, p, id)
	}
	clean(t, p)
}

// twoCounters is a region with two operators in the Comune and two of the Revenue Agency.
func twoCounters(t *testing.T) (p *Platform, r *region, comune, agency [2]staff.Operator) {
	t.Helper()
	r = newRegion(t)
	r.config.Counters = append(r.config.Counters, staff.Office{ID: "ade1", Type: staff.ADE, Name: "Agenzia delle Entrate", Comune: "D612"})
	for i, account := range []string{"bruno", "ettore", "dora"} {
		r.employ(t, account, 11+i, staff.RoleOperator)
		if i > 0 {
			r.config.Operators[len(r.config.Operators)-1].Offices = []string{"ade1"}
		}
	}
	p = r.open(t, Options{}, "web", "print")
	return p, r, [2]staff.Operator{operatorOf(t, p, "anna"), operatorOf(t, p, "bruno")}, [2]staff.Operator{operatorOf(t, p, "ettore"), operatorOf(t, p, "dora")}
}

// adultsCards are n cards that lie at their holders', the active one first.
func adultsCards(t *testing.T, p *Platform, r *region, n int) []string {
	t.Helper()
	out := []string{r.active}
	for _, c := range must(p.db.Cards().ByState(t.Context(), lifecycle.Delivered, "", 100)) {
		if who := must(p.db.People().Get(t.Context(), c.CF)); c.HasChip() && !who.MinorOn(civil.Today(r.clock)) && !who.NeedsPermit() && len(out) < n {
			out = append(out, c.ID)
		}
	}
	if len(out) < n {
		t.Fatalf("only %d adults with a card", len(out))
	}
	return out
}

// oneStory compares a card with its certificate, its codes and what follows it.
func oneStory(t *testing.T, p *Platform, id string) {
	t.Helper()
	ctx, c := t.Context(), card(t, p, id)
	want := map[lifecycle.State]ca.State{lifecycle.Active: ca.Good, lifecycle.Suspended: ca.Held, lifecycle.Revoked: ca.Revoked}[c.State]
	if r := must(p.authority.Get(ctx, c.CertSerial)); r.State != want {
		t.Errorf("the card is %s and its certificate %s", c.State, r.State)
	}
	if has := must(p.cips.Has(ctx, id)); has == c.State.Final() {
		t.Errorf("the card is %s and its codes are there: %t", c.State, has)
	}
	follow := 0
	for _, x := range must(p.db.Cards().ByPerson(ctx, c.CF)) {
		if x.Replaces == id {
			follow++
		}
	}
	if (c.ReplacedBy != "") != (follow == 1) || follow > 1 {
		t.Errorf("%d cards follow, the card names %q", follow, c.ReplacedBy)
	}
}

// Two operators of one counter activate the same card, each with a draft of his
// own: one activation, one form, one letter with codes.
func TestFaultTwoOperatorsActivateOneCard(t *testing.T) {
	t.Parallel()
	p, r, ops, _ := twoCounters(t)
	ctx := t.Context()
	drafts := [2]counter.Draft{drafted(t, p, r, ops[0]), drafted(t, p, r, ops[1])}
	var errs [2]error
	var wg sync.WaitGroup
	start := make(chan struct{})
	for i, d := range drafts {
		wg.Go(func() { <-start; _, errs[i] = p.counter.Activate(ctx, ops[i], d.ID, d.Version) })
	}
	close(start)
	wg.Wait()
	good := 0
	for _, err := range errs {
		switch {
		case err == nil:
			good++
		case !errors.Is(err, words.Refuse("CSE-113")) && !errors.Is(err, words.Refuse("CSE-149")):
			t.Errorf("the slower one is told: %v", err)
		}
	}
	rows := must(p.db.Acts().ByCard(ctx, r.waiting))
	if good != 1 || len(rows) != 1 {
		t.Fatalf("%d went well, %d are written down", good, len(rows))
	}
	for _, kind := range []string{counter.KindMailCodes, counter.KindPrintCodes, counter.KindMailNotice} {
		if list := must(p.queue.List(ctx, queue.Filter{Kind: kind, Card: r.waiting})); len(list) != 1 {
			t.Errorf("%d of %s", len(list), kind)
		}
	}
	oneStory(t, p, r.waiting)
	clean(t, p)
}

// The rooms around an act keep their order when the hour comes twice, when it is
// missing, and when the year ends between two steps: letters leave when due,
// tasks stand in order, and the trail's chain holds.
func TestFaultTheClockCrossesMidnightAndDST(t *testing.T) {
	t.Parallel()
	for name, edge := range map[string]time.Time{
		"the hour that comes twice":  time.Date(2026, 10, 25, 1, 0, 0, 0, time.UTC),
		"the hour that is not there": time.Date(2027, 3, 28, 1, 0, 0, 0, time.UTC),
		"the new year":               time.Date(2026, 12, 31, 23, 0, 0, 0, time.UTC),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRegion(t)
			box := r.withInbox(t)
			p := r.open(t, Options{}, "web", "print", "mail")
			ctx, op := t.Context(), operatorOf(t, p, "anna")
			work(t, p)
			letters := len(must(box.List()))
			r.clock.Set(edge.Add(-2 * time.Minute))
			d := drafted(t, p, r, op)
			r.clock.Advance(3 * time.Minute)
			a, err := p.counter.Activate(ctx, op, d.ID, d.Version)
			check(t, err)
			if want := fmt.Sprintf("%04d/", civil.DayOf(a.At).Year); !strings.HasPrefix(a.Protocol, want) {
				t.Errorf("%s of %s", a.Protocol, a.At)
			}
			work(t, p)
			fresh := must(box.List())
			if len(fresh) != letters+2 {
				t.Errorf("%d letters left at once, want 2", len(fresh)-letters)
			}
			r.clock.Advance(time.Minute)
			_ = must(p.print(ctx, must(p.counter.ToPrint(ctx, op, a.Protocol))))
			check(t, p.counter.Printed(ctx, op, a.Protocol))
			if list := waiting(t, p, counter.TaskHandOver); len(list) != 1 || !list[0].At.Equal(r.clock.Now()) {
				t.Errorf("the list: %+v", list)
			}
			check(t, p.counter.HandOver(ctx, op, a.Protocol))
			if _, err := p.night(ctx); err != nil {
				t.Errorf("the night after: %v", err)
			}
			clean(t, p)
		})
	}
}
