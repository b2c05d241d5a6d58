package bench

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cse.example/cse/demo/browser"
	"cse.example/cse/ground/civil"
	"cse.example/cse/issuer/staff"
)

// counters is a working day in small: 300 operators at their counters over
// HTTPS, each looking for somebody, opening his sheet, activating his card
// (four steps, the act, the form, the tick), with pauses as of people who type.
// csed, PostgreSQL (fsync) and the browsers share the machine's processors.
var counters = row{"counters", func(t *testing.T, s size) []figure {
	operators, rounds := s.of(300, 6), s.of(3, 1)
	pause := 4 * time.Second
	if !s.full {
		pause = 50 * time.Millisecond
	}
	r := newRegion(t, operators, operators*rounds)
	r.serve()
	crew := r.login()
	day := make([]*measured, rounds)
	for i := range day {
		day[i] = &measured{took: map[string][]time.Duration{}}
	}
	before, begin := cpuOf(t, r.server.Process.Pid), time.Now()
	work(t, crew, r.holders, pause, day)
	spent, cpu := time.Since(begin), cpuOf(t, r.server.Process.Pid)-before
	var f tally
	for _, m := range day {
		f.add(m)
	}
	pages := f.pages
	for _, e := range f.complaints {
		fmt.Fprintf(os.Stderr, "bench: counters: %s\n", e)
	}
	if len(f.errors) == 0 || f.pages < operators*rounds {
		t.Fatalf("%d pages in %d rounds", f.pages, len(f.errors))
	}
	name := func(what string) string { return fmt.Sprintf("%d operators: %s", operators, what) }
	out := []figure{
		{name: name("pages"), unit: "pages/s", ours: []float64{float64(pages) / spent.Seconds()}},
		{name: name("csed"), unit: "CPU-ms/page", ours: []float64{milliseconds(cpu) / float64(pages)}},
		{name: name("errors"), unit: "errors", ours: f.errors},
	}
	for _, kind := range kinds {
		out = append(
			out,
			figure{name: name(kind + ", p50"), unit: "ms", ours: f.p50[kind]},
			figure{name: name(kind + ", p95"), unit: "ms", ours: f.p95[kind]},
		)
	}
	return out
}}

// kinds are what an operator waits for, in the order of his work.
var kinds = []string{"search", "sheet", "activation, a step", "activation, the act", "activation, the form", "activation, handed over"}

// measured is what one round gave.
type measured struct {
	mu         sync.Mutex
	took       map[string][]time.Duration
	pages      int
	errors     int
	complaints []string
}

func (m *measured) note(kind string, d time.Duration, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err != nil {
		m.errors++
		if len(m.complaints) < 5 {
			m.complaints = append(m.complaints, kind+": "+err.Error())
		}
		return
	}
	m.pages++
	m.took[kind] = append(m.took[kind], d)
}

// tally collects the rounds.
type tally struct {
	p50, p95   map[string][]float64
	errors     []float64
	pages      int
	complaints []string
}

func (f *tally) add(m *measured) {
	if f.p50 == nil {
		f.p50, f.p95 = map[string][]float64{}, map[string][]float64{}
	}
	for kind, list := range m.took {
		slices.Sort(list)
		f.p50[kind] = append(f.p50[kind], milliseconds(percentile(list, 50)))
		f.p95[kind] = append(f.p95[kind], milliseconds(percentile(list, 95)))
	}
	f.errors = append(f.errors, float64(m.errors))
	f.pages += m.pages
	f.complaints = append(f.complaints, m.complaints...)
}

// percentile p of a sorted list: the smallest value that p per cent do not exceed.
func percentile(sorted []time.Duration, p int) time.Duration {
	return sorted[(len(sorted)*p+99)/100-1]
}

func TestPercentile(t *testing.T) {
	list := make([]time.Duration, 100)
	for i := range list {
		list[i] = time.Duration(i + 1)
	}
	if percentile(list, 50) != 50 || percentile(list, 95) != 95 || percentile(list[:1], 95) != 1 || percentile(list[:3], 50) != 2 {
		t.Error(percentile(list, 50), percentile(list, 95), percentile(list[:1], 95), percentile(list[:3], 50))
	}
}

// operator is one at his counter, with a browser of his own.
type operator struct {
	*browser.Browser
	portal string
}

// login brings every operator to his counter, eight at a time.
func (r *region) login() []*operator {
	r.t.Helper()
	crew := make([]*operator, len(r.operators))
	errs := make([]error, len(r.operators))
	var all sync.WaitGroup
	turns := make(chan struct{}, 8)
	for i, a := range r.operators {
		all.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			crew[i], errs[i] = r.enter(a)
		})
	}
	all.Wait()
	for _, err := range errs {
		r.must(err)
	}
	return crew
}

func (r *region) enter(a account) (*operator, error) {
	b, err := browser.New(r.roots, nil)
	if err != nil {
		return nil, err
	}
	ctx := r.t.Context()
	if err := b.Get(ctx, r.portal+"/entra?a=/sportello"); err != nil {
		return nil, err
	}
	if !b.Page.HasForm("/operator") {
		err := b.Get(ctx, b.Page.Href(func(h string) bool { u, err := url.Parse(h); return err == nil && u.Path == "/operator" }))
		if err != nil {
			return nil, err
		}
	}
	code := staff.TOTP(a.totp, civil.System{}.Now())
	if err := b.Submit(ctx, "/operator", map[string]string{"account": a.name, "password": password, "totp": string(code.Reveal())}); err != nil {
		return nil, err
	}
	if b.Page.Status != 200 || b.Page.URL.Path != "/sportello" {
		return nil, fmt.Errorf("%s is at %s %s", a.name, b.Page.Where(), b.Page.Code())
	}
	return &operator{b, r.portal}, nil
}

// perHolder is how many pages an operator rests before, for one holder.
const perHolder = 9

// work has every operator serve one holder a round. They begin one after the
// other, over the time that a holder takes: nobody's day is in step with another's.
func work(t *testing.T, crew []*operator, holders []patient, pause time.Duration, day []*measured) {
	t.Helper()
	var all sync.WaitGroup
	for i, o := range crew {
		all.Go(func() {
			dice := rand.New(rand.NewPCG(uint64(i), 300))
			time.Sleep(perHolder * pause * time.Duration(i) / time.Duration(len(crew)))
			for n, m := range day {
				o.serve(t.Context(), holders[n*len(crew)+i], m, func() {
					time.Sleep(pause/2 + time.Duration(dice.Int64N(int64(pause)))) // half to three halves
				})
			}
		})
	}
	all.Wait()
}

// serve does the whole of it for one holder, and gives up at the first page
// that is not what it should be.
func (o *operator) serve(ctx context.Context, h patient, m *measured, rest func()) {
	timed := func(kind string, do func() error, right func(p browser.Page) bool) bool {
		rest()
		begin := time.Now()
		err := do()
		took := time.Since(begin)
		if err == nil && !right(o.Page) {
			err = fmt.Errorf("%s %s", o.Page.Where(), o.Page.Code())
		}
		m.note(kind, took, err)
		return err == nil
	}
	is := func(path string) func(p browser.Page) bool {
		return func(p browser.Page) bool { return p.Status == 200 && strings.HasPrefix(p.URL.Path, path) }
	}
	if err := o.Get(ctx, o.portal+"/sportello"); err != nil {
		m.note("desk", 0, err)
		return
	}
	o.Hold = true
	ok := timed("search", func() error { return o.Submit(ctx, "/sportello/cerca", map[string]string{"q": string(h.person.CF)}) },
		func(p browser.Page) bool { return p.Status == 303 })
	o.Hold = false
	if !ok || !timed("sheet", func() error { return o.Get(ctx, o.Page.Header.Get("Location")) }, func(p browser.Page) bool {
		return is("/sportello/tessera/")(p) && bytes.Contains(p.Body, []byte(h.card.ID[len(h.card.ID)-5:]))
	}) {
		return
	}
	today, address := civil.Today(civil.System{}), strings.ToLower(string(h.person.CF))+"@posta.example"
	for _, s := range []struct {
		form   string
		values map[string]string
	}{
		{"/sportello/attivazione", map[string]string{"tessera_ultime_cinque": h.card.ID[len(h.card.ID)-5:]}},
		{"/2", map[string]string{
			"presente": "titolare", "documento_tipo": "CIE", "documento_numero": "CA00000AA", "documento_ente": "COMUNE DI FIRENZE",
			"documento_rilascio": today.AddYears(-1).Italian(), "documento_scadenza": today.AddYears(5).Italian(),
		}},
		{"/3", map[string]string{"email": address, "email_ripetuta": address, "lingua": "it", "consenso": "si"}},
	} {
		if s.form == "/sportello/attivazione" && !timed("activation, a step", func() error {
			return o.Get(ctx, o.portal+"/sportello/attivazione?tessera="+h.card.ID)
		}, is("/sportello/attivazione")) {
			return
		}
		if !timed("activation, a step", func() error { return o.Submit(ctx, s.form, s.values) }, func(p browser.Page) bool {
			return is("/sportello/attivazione/")(p) && p.Code() == ""
		}) {
			return
		}
	}
	file := is("/sportello/pratica/")
	if !timed("activation, the act", func() error { return o.Submit(ctx, "/4", nil) }, file) {
		return
	}
	at := o.Page.URL.String()
	if !timed("activation, the form", func() error { return o.Submit(ctx, "/modulo", nil) }, func(p browser.Page) bool {
		return bytes.HasPrefix(p.Body, []byte("%PDF-"))
	}) {
		return
	}
	if err := o.Get(ctx, at); err != nil {
		m.note("file", 0, err)
		return
	}
	timed("activation, handed over", func() error { return o.Submit(ctx, "/consegna", map[string]string{"consegnato": "si"}) }, file)
}
