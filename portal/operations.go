package portal

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/operations"
	"cse.example/cse/issuer/production"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/portal/content"
	"cse.example/cse/portal/look"
)

// The pages of operations, /operazioni/…: dashboard, batches, post that comes
// back, queues, search of the audit trail. Who may see and do what is asked of
// the room at each request; a refusal is recorded there.

// OpsBoard is the numbers and the batches; an *operations.Room is one.
type OpsBoard interface {
	Board(ctx context.Context, op staff.Operator) (operations.Board, error)
	Batches(ctx context.Context, op staff.Operator) ([]production.Batch, error)
	Batch(ctx context.Context, op staff.Operator, id string) (operations.Lot, error)
	PostBatch(ctx context.Context, op staff.Operator, id string, delivered bool) (int, error)
	Exceptions(ctx context.Context, op staff.Operator, after codicefiscale.Code) ([]production.Exception, error)
}

// OpsPost is what the post brings back; an *operations.Room is one.
type OpsPost interface {
	Returned(ctx context.Context, op staff.Operator, after string) ([]lifecycle.Card, error)
	Return(ctx context.Context, op staff.Operator, card, why string) error
	PostAgain(ctx context.Context, op staff.Operator, card string) error
}

// OpsQueue is the mails and prints; an *operations.Room is one.
type OpsQueue interface {
	Effects(ctx context.Context, op staff.Operator, f operations.EffectFilter) ([]operations.Effect, []operations.EffectCount, error)
	Effect(ctx context.Context, op staff.Operator, key string) (operations.Effect, error)
	Retry(ctx context.Context, op staff.Operator, key string) error
	Drop(ctx context.Context, op staff.Operator, key, reason string) error
}

// OpsTrail is the search of the audit trail; an *operations.Room is one.
type OpsTrail interface {
	Enter(ctx context.Context, op staff.Operator) error
	Search(ctx context.Context, op staff.Operator, q operations.Query) ([]operations.Entry, error)
	Verify(ctx context.Context, op staff.Operator) (operations.Verified, error)
}

// Operations are the rooms behind /operazioni.
type Operations struct {
	Board  OpsBoard
	Post   OpsPost
	Queue  OpsQueue
	Trail  OpsTrail
	Health OpsHealth
}

// OperationsOf is one room behind all of it.
func OperationsOf(r *operations.Room) *Operations { return &Operations{r, r, r, r, r} }

const opsRoot = "/operazioni"

// operationsRoutes are there when the rooms are.
func (p *Portal) operationsRoutes(at func(pattern string, a answer)) {
	if p.Operations == nil {
		return
	}
	at("GET "+opsRoot, staffed((*call).opsBoard))
	at("GET "+opsRoot+"/lotti", staffed((*call).opsBatches))
	at("GET "+opsRoot+"/lotti/{lotto}", staffed((*call).opsBatch))
	at("POST "+opsRoot+"/lotti/{lotto}/{passo}", staffed((*call).opsPostBatch))
	at("GET "+opsRoot+"/eccezioni", staffed((*call).opsExceptions))
	at("POST "+opsRoot+"/eccezioni", staffed((*call).opsExceptions))
	at("GET "+opsRoot+"/ritorni", staffed((*call).opsReturns))
	at("POST "+opsRoot+"/ritorni", staffed((*call).opsReturn))
	at("POST "+opsRoot+"/ritorni/rispedisci", staffed((*call).opsPostAgain))
	at("GET "+opsRoot+"/coda", staffed((*call).opsQueue))
	at("GET "+opsRoot+"/coda/voce", staffed((*call).opsEffect))
	at("POST "+opsRoot+"/coda/riprova", staffed((*call).opsRetry))
	at("POST "+opsRoot+"/coda/abbandona", staffed((*call).opsDrop))
	at("GET "+opsRoot+"/registro", staffed((*call).opsAudit))
	at("POST "+opsRoot+"/registro", staffed((*call).opsSearch))
	at("POST "+opsRoot+"/registro/verifica", staffed((*call).opsVerify))
	p.healthRoutes(at)
}

// staffed lets in everybody who works here, asked again at each request; what he
// may do is the room's word.
func staffed(a answer) answer {
	return func(c *call) error {
		if c.session == nil {
			return c.askLogin()
		}
		op, err := c.p.operator(*c.session)
		if err != nil {
			return err
		}
		c.op = &op
		return a(c)
	}
}

// opsPage begins a page below the dashboard.
func (c *call) opsPage(key string, args ...any) *look.Page {
	page := c.page("operazioni", key, args...)
	c.crumbs(page, "look.menu.operations", opsRoot)
	return page
}

// readsOnly tells whether the operator may only read.
func (c *call) readsOnly() bool { return !c.op.Has(staff.RoleOperations) }

type checkView struct {
	Name      string
	Want, Got int
	Badge     look.Badge
}

func (c *call) checks(list []operations.Check) []checkView {
	out := make([]checkView, len(list))
	for i, x := range list {
		b := look.Badge{Tone: look.Good, Word: c.say("portal.ops.agrees")}
		if !x.OK() {
			b = look.Badge{Tone: look.Bad, Word: c.say("portal.ops.differs")}
		}
		out[i] = checkView{c.say(x.Name), x.Want, x.Got, b}
	}
	return out
}

type listView struct {
	operations.List
	This, Next string
	Badge      look.Badge
}

type agingView struct {
	Title, Address, Until string
	Badge                 look.Badge
}

func (c *call) opsBoard() error {
	b, err := c.p.Operations.Board.Board(c.r.Context(), *c.op)
	if err != nil {
		return err
	}
	type stateView struct {
		operations.StateLine
		Badge look.Badge
	}
	data := struct {
		operations.Board
		Lines    []stateView
		Sum      operations.StateLine
		Verdicts []checkView
		// Drawn counts the self-declarations to check.
		Drawn    []line
		Batches  []batchView
		Effects  []countView
		CRLs     []listView
		Texts    []agingView
		ReadOnly bool
		// Approvals wait for a second person.
		Approvals int
		Health    healthView
	}{Board: b, Verdicts: c.checks(b.Checks), Drawn: c.drawn(b.Declarations), Batches: c.batchViews(b.Open), Effects: c.countViews(b.Queue), ReadOnly: c.readsOnly(), Texts: c.aging()}
	for _, s := range b.States {
		data.Lines = append(data.Lines, stateView{s, c.stateBadge(s.State)})
		data.Sum.Chip += s.Chip
		data.Sum.Without += s.Without
	}
	if c.p.FourEyes != nil {
		waiting, err := c.p.FourEyes.Approvals.Waiting(c.r.Context(), *c.op)
		if err != nil {
			return err
		}
		data.Approvals = len(waiting)
	}
	now := c.p.Clock.Now()
	for _, l := range b.Lists {
		v := listView{List: l, This: when(l.This), Next: when(l.Next), Badge: look.Badge{Tone: look.Good, Word: c.say("portal.ops.crl.fresh")}}
		if left := l.Next.Sub(now); left <= 0 {
			v.Badge = look.Badge{Tone: look.Bad, Word: c.say("portal.ops.crl.over")}
		} else if left < l.Next.Sub(l.This)/4 {
			v.Badge = look.Badge{Tone: look.Wait, Word: c.say("portal.ops.crl.soon")}
		}
		if l.Late > 0 {
			v.Badge = look.Badge{Tone: look.Bad, Word: c.say("portal.ops.crl.late", l.Late)}
		}
		data.CRLs = append(data.CRLs, v)
	}
	if data.Health, err = c.health(); err != nil {
		return err
	}
	page := c.page("operazioni", "portal.ops.title")
	c.crumbs(page)
	page.Data = data
	return c.show(http.StatusOK, "ops-board", page)
}

// agingDays is how long before its end a text is shown to operations.
const agingDays = 30

// aging are the public site's texts that are over or about to be.
func (c *call) aging() []agingView {
	var out []agingView
	for _, l := range c.p.content.Aging(c.p.today(), agingDays) {
		if l.Lang != c.tongue.lang {
			continue
		}
		v := agingView{Title: l.Title, Address: l.Address, Badge: look.Badge{Tone: look.Wait, Word: c.say("portal.ops.text." + string(l.Age))}}
		if !l.Until.IsZero() {
			v.Until = l.Until.Italian()
		}
		if l.Age == content.Past {
			v.Badge.Tone = look.Bad
		}
		out = append(out, v)
	}
	return out
}

type batchView struct {
	production.Batch
	Badge   look.Badge
	Path    string
	Created string
}

func (c *call) batchViews(list []production.Batch) []batchView {
	out := make([]batchView, len(list))
	for i, b := range list {
		tone := look.Wait
		if b.State == production.Sent {
			tone = look.Good
		}
		out[i] = batchView{b, look.Badge{Tone: tone, Word: c.say("portal.ops.batch." + string(b.State))}, c.tongue.prefix + opsRoot + "/lotti/" + url.PathEscape(b.ID), when(b.CreatedAt)}
	}
	return out
}

// turnOf cuts out the page that the address asks for.
func turnOf(c *call, n int, path string) (from, to int, t look.Turn) {
	pages := max((n+operations.PageSize-1)/operations.PageSize, 1)
	at, _ := strconv.Atoi(c.r.URL.Query().Get("pagina")) // nonsense is the first page
	at = min(max(at, 1), pages)
	from = (at - 1) * operations.PageSize
	return from, min(from+operations.PageSize, n), look.Turn{Page: at, Pages: pages, Href: c.tongue.prefix + path + "?pagina="}
}

func (c *call) opsBatches() error {
	list, err := c.p.Operations.Board.Batches(c.r.Context(), *c.op)
	if err != nil {
		return err
	}
	from, to, turn := turnOf(c, len(list), opsRoot+"/lotti")
	page := c.opsPage("portal.ops.batches")
	page.Data = struct {
		Batches []batchView
		Turn    look.Turn
	}{c.batchViews(list[from:to]), turn}
	return c.show(http.StatusOK, "ops-batches", page)
}

func (c *call) opsBatch() error { return c.opsBatchPage(c.r.PathValue("lotto")) }

func (c *call) opsBatchPage(id string, faults ...*words.Fault) error {
	l, err := c.p.Operations.Board.Batch(c.r.Context(), *c.op, id)
	if err != nil {
		return err
	}
	type stateView struct {
		Badge look.Badge
		N     int
	}
	steps := []production.State{production.Filling, production.Filled, production.Keyed, production.Certified, production.Received, production.Sent}
	data := struct {
		View     batchView
		Lot      operations.Lot
		Verdicts []checkView
		States   []stateView
		Steps    look.Steps
		Done     string
	}{View: c.batchViews([]production.Batch{l.Batch})[0], Lot: l, Verdicts: c.checks(l.Checks), Steps: look.Steps{Current: slices.Index(steps, l.State)}}
	for _, s := range steps {
		data.Steps.Names = append(data.Steps.Names, c.say("portal.ops.batch."+string(s)))
	}
	for _, s := range lifecycle.States() {
		if n := l.Count.States[s]; n > 0 {
			data.States = append(data.States, stateView{c.stateBadge(s), n})
		}
	}
	if n, err := strconv.Atoi(c.r.URL.Query().Get("fatto")); err == nil {
		data.Done = c.say("portal.ops.batch.moved", n)
	}
	page := c.page("operazioni", "portal.ops.batch.title", l.ID)
	c.crumbs(page, "look.menu.operations", opsRoot, "portal.ops.batches", opsRoot+"/lotti")
	page.Form = c.newForm(nil, faults...)
	page.Data = data
	status := http.StatusOK
	if len(faults) > 0 {
		page.Fault, status = faults[0], http.StatusUnprocessableEntity
	}
	return c.show(status, "ops-batch", page)
}

// opsPostBatch tells production that the post has a batch, or has delivered it.
func (c *call) opsPostBatch() error {
	id, step := c.r.PathValue("lotto"), c.r.PathValue("passo")
	if step != "spedito" && step != "consegnato" {
		return words.Refuse("CSE-002")
	}
	n, err := c.p.Operations.Board.PostBatch(c.r.Context(), *c.op, id, step == "consegnato")
	if f := words.FaultOf(err); f != nil && f.Code != "CSE-540" && f.Code != "CSE-541" && f.Code != "CSE-175" {
		return c.opsBatchPage(id, f)
	}
	if err != nil {
		return err
	}
	return c.leave(opsRoot + "/lotti/" + url.PathEscape(id) + "?fatto=" + strconv.Itoa(n))
}

// opsExceptions names people, so that its pages follow each other by forms and
// not by addresses.
func (c *call) opsExceptions() error {
	var after codicefiscale.Code
	if c.r.Method == http.MethodPost {
		if err := c.form(); err != nil {
			return err
		}
		after = codicefiscale.Code(c.value("dopo"))
	}
	list, err := c.p.Operations.Board.Exceptions(c.r.Context(), *c.op, after)
	if err != nil {
		return err
	}
	type view struct {
		CF                codicefiscale.Code
		Why, Field, Since string
	}
	data := struct {
		List []view
		Next codicefiscale.Code
	}{}
	for _, e := range list {
		v := view{e.CF, e.Reason, e.Field, when(e.Since)}
		if words.Has(c.tongue.lang, e.Reason) {
			v.Why = c.say(e.Reason)
		} else if cause := words.Refuse(e.Reason).Cause(c.tongue.lang); cause != "" {
			v.Why = e.Reason + " · " + cause
		}
		data.List = append(data.List, v)
	}
	if len(list) == operations.PageSize {
		data.Next = list[len(list)-1].CF
	}
	page := c.opsPage("portal.ops.exceptions")
	page.Data = data
	return c.show(http.StatusOK, "ops-exceptions", page)
}

func (c *call) opsReturns() error { return c.opsReturnsPage(nil) }

func (c *call) opsReturnsPage(values url.Values, faults ...*words.Fault) error {
	list, err := c.p.Operations.Post.Returned(c.r.Context(), *c.op, c.r.URL.Query().Get("dopo"))
	if err != nil {
		return err
	}
	data := struct {
		Cards    []lifecycle.Card
		Next     string
		Reasons  []string
		Done     string
		ReadOnly bool
	}{Cards: list, Reasons: operations.Returns(), ReadOnly: c.readsOnly()}
	if len(list) == operations.PageSize {
		data.Next = opsRoot + "/ritorni?dopo=" + url.QueryEscape(list[len(list)-1].ID)
	}
	if done := c.r.URL.Query().Get("fatto"); done == "ritorno" || done == "rispedita" {
		data.Done = c.say("portal.ops.returns.done." + done)
	}
	page := c.opsPage("portal.ops.returns")
	page.Form = c.newForm(values, faults...)
	page.Data = data
	status := http.StatusOK
	if len(faults) > 0 {
		page.Fault, status = faults[0], http.StatusUnprocessableEntity
	}
	return c.show(status, "ops-returns", page)
}

// opsDone goes on after an act, or shows the form again with its refusal.
func (c *call) opsDone(err error, path string, again func(f *words.Fault) error) error {
	if err == nil {
		return c.leave(path)
	}
	if f := words.FaultOf(err); f != nil && f.Code != "CSE-540" && f.Code != "CSE-541" && f.Code != "CSE-002" {
		return again(f)
	}
	return err
}

func (c *call) opsReturn() error {
	if err := c.form(); err != nil {
		return err
	}
	if faults := c.empty("tessera"); len(faults) > 0 {
		return c.opsReturnsPage(c.r.PostForm, faults...)
	}
	err := c.p.Operations.Post.Return(c.r.Context(), *c.op, compact(c.value("tessera")), c.value("motivo_ritorno"))
	return c.opsDone(err, opsRoot+"/ritorni?fatto=ritorno", func(f *words.Fault) error { return c.opsReturnsPage(c.r.PostForm, f) })
}

func (c *call) opsPostAgain() error {
	if err := c.form(); err != nil {
		return err
	}
	err := c.p.Operations.Post.PostAgain(c.r.Context(), *c.op, c.value("numero"))
	return c.opsDone(err, opsRoot+"/ritorni?fatto=rispedita", func(f *words.Fault) error { return c.opsReturnsPage(nil, at(f, "")) })
}

type countView struct {
	Kind, State string
	Badge       look.Badge
	N           int
	Path        string
}

func (c *call) effectBadge(state string) look.Badge {
	tone := map[string]look.Tone{operations.Done: look.Good, operations.Failed: look.Bad, operations.Uncertain: look.Bad, operations.Bounced: look.Bad, operations.Dropped: look.None}[state]
	if tone == "" {
		tone = look.Wait
	}
	return look.Badge{Tone: tone, Word: c.say("portal.ops.effect." + state)}
}

func (c *call) kind(kind string) string {
	if key := "portal.ops.kind." + kind; words.Has(c.tongue.lang, key) {
		return c.say(key)
	}
	return kind
}

func (c *call) countViews(counts []operations.EffectCount) []countView {
	out := make([]countView, len(counts))
	for i, x := range counts {
		path := c.tongue.prefix + opsRoot + "/coda?" + url.Values{"stato": {x.State}, "tipo": {x.Kind}}.Encode()
		out[i] = countView{c.kind(x.Kind), x.State, c.effectBadge(x.State), x.N, path}
	}
	return out
}

type effectView struct {
	operations.Effect
	What, Created, Next, Ended, Path string
	Badge                            look.Badge
}

func (c *call) effect(e operations.Effect) effectView {
	return effectView{
		Effect: e, What: c.kind(e.Kind), Created: when(e.Created), Next: when(e.Next), Ended: when(e.Ended),
		Path: opsRoot + "/coda/voce?" + url.Values{"chiave": {e.Key}}.Encode(), Badge: c.effectBadge(e.State),
	}
}

// opsQueue lists mails and prints; those that wait for somebody unless the
// address asks for others.
func (c *call) opsQueue() error {
	q := c.r.URL.Query()
	f := operations.EffectFilter{State: q.Get("stato"), Kind: q.Get("tipo"), After: q.Get("dopo")}
	if !q.Has("stato") {
		f.State = operations.Failed
	}
	list, counts, err := c.p.Operations.Queue.Effects(c.r.Context(), *c.op, f)
	if err != nil {
		return err
	}
	data := struct {
		Counts     []countView
		List       []effectView
		Next, Done string
	}{Counts: c.countViews(counts)}
	for _, e := range list {
		data.List = append(data.List, c.effect(e))
	}
	if len(list) == operations.PageSize {
		data.Next = opsRoot + "/coda?" + url.Values{"stato": {f.State}, "tipo": {f.Kind}, "dopo": {list[len(list)-1].Key}}.Encode()
	}
	if done := q.Get("fatto"); done == "riprova" || done == "abbandona" {
		data.Done = c.say("portal.ops.queue.done." + done)
	}
	page := c.opsPage("portal.ops.queue")
	page.Form = c.newForm(url.Values{"stato": {f.State}})
	page.Data = data
	return c.show(http.StatusOK, "ops-queue", page)
}

func (c *call) opsEffect() error { return c.opsEffectPage(c.r.URL.Query().Get("chiave"), nil) }

func (c *call) opsEffectPage(key string, values url.Values, faults ...*words.Fault) error {
	e, err := c.p.Operations.Queue.Effect(c.r.Context(), *c.op, key)
	if err != nil {
		return err
	}
	page := c.page("operazioni", "portal.ops.effect.title")
	c.crumbs(page, "look.menu.operations", opsRoot, "portal.ops.queue", opsRoot+"/coda")
	page.Form = c.newForm(values, faults...)
	page.Data = c.effect(e)
	status := http.StatusOK
	if len(faults) > 0 {
		page.Fault, status = faults[0], http.StatusUnprocessableEntity
	}
	return c.show(status, "ops-effect", page)
}

func (c *call) opsRetry() error {
	if err := c.form(); err != nil {
		return err
	}
	key := c.value("chiave")
	err := c.p.Operations.Queue.Retry(c.r.Context(), *c.op, key)
	return c.opsDone(err, opsRoot+"/coda?fatto=riprova", func(f *words.Fault) error { return c.opsEffectPage(key, nil, f) })
}

func (c *call) opsDrop() error {
	if err := c.form(); err != nil {
		return err
	}
	key := c.value("chiave")
	err := c.p.Operations.Queue.Drop(c.r.Context(), *c.op, key, c.value("motivo_rinuncia"))
	return c.opsDone(err, opsRoot+"/coda?fatto=abbandona", func(f *words.Fault) error { return c.opsEffectPage(key, c.r.PostForm, f) })
}

var errNoOperations = errors.New("portal: Operations has a part missing")

func (o *Operations) check() error {
	if o != nil && (o.Board == nil || o.Post == nil || o.Queue == nil || o.Trail == nil || o.Health == nil) {
		return errNoOperations
	}
	return nil
}

// second is the instant of a record, to the second.
func second(t time.Time) string { return t.In(civil.Rome).Format("02/01/2006 15:04:05") }
