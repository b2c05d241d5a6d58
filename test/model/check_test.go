package model

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"cse.example/cse/engine/audit"
	"cse.example/cse/engine/queue"
	"cse.example/cse/issuer/codes"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/pki/ca"
)

// seen accepts what has happened: the next act starts from here. Before, every
// card that moved, and every certificate, has a record of its own.
func (l *life) seen(rt *rapid.T) {
	after, recs := l.look(rt), l.fresh(rt)
	about := func(card string, acts ...string) bool {
		return slices.ContainsFunc(recs, func(r audit.Record) bool {
			return r.Card == card && (len(acts) == 0 || slices.ContainsFunc(acts, func(a string) bool { return strings.HasPrefix(r.Act, a) }))
		})
	}
	for id, x := range after.cards {
		was := l.before.cards[id]
		linked := was.ReplacedBy == "" && x.ReplacedBy != ""
		was.ReplacedBy, was.Version = x.ReplacedBy, x.Version
		if linked && !about(x.ReplacedBy, "card.ordered") {
			rt.Fatalf("card %s follows %s, without a record", x.ReplacedBy, id)
		}
		if x != was && !about(id) {
			rt.Fatalf("card %s was %+v and is %+v, without a record", id, was, x)
		}
		if x.State != was.State && !about(id, "card.") {
			rt.Fatalf("card %s was %s and is %s, without a record of a card", id, was.State, x.State)
		}
		if s := x.CertSerial; s != "" && after.certs[s] != l.before.certs[s] && !about(id, "certificate.") {
			rt.Fatalf("certificate of card %s was %q and is %q, without a record", id, l.before.certs[s], after.certs[s])
		}
	}
	for _, r := range l.newRows(rt) { // every act is checked where it is done
		rt.Fatalf("an act that nobody did: %+v", r)
	}
	l.before = after
	if len(recs) > 0 {
		l.records = recs[len(recs)-1].Index
	}
}

// check compares world and model: every card's place, four functions, today and
// on days to come, certificate and codes.
func (l *life) check(rt *rapid.T) {
	if n := l.adopt(rt); n > 0 {
		rt.Fatalf("%d cards were ordered, and the model does not know why", n)
	}
	l.seen(rt)
	all := slices.Collect(func(yield func(lifecycle.Card) bool) {
		for _, c := range l.before.cards {
			if !yield(c) {
				return
			}
		}
	})
	for _, c := range l.m.cards {
		x := l.before.cards[c.id]
		if got, want := stateOf(x), c.state(x); got != want {
			rt.Fatalf("card %s is %s; the model says %s: %+v", c.id, got, want, *c)
		}
		mine := slices.DeleteFunc(slices.Clone(all), func(o lifecycle.Card) bool { return o.CF != c.holder })
		for _, days := range []int{0, 1, 29, 31, 61, 400} {
			d := l.day().AddDays(days)
			at := l.now()
			if days > 0 {
				at = d.Start()
			}
			got := lifecycle.Functions(x, lifecycle.FactsOf(l.m.people[c.holder], x, mine), at)
			for i, want := range []worth{l.m.printed(c, d), c.taxCode(), l.m.abroad(c, d), l.m.cns(c, d)} {
				if !want.is(string(got[i].State)) {
					rt.Fatalf("card %s, %s on %s: %s (%s); the model says %v\n%+v\n%+v", c.id, got[i].Name, d, got[i].State, got[i].Reason, want, *c, x)
				}
			}
		}
		l.standing(rt, c, x)
		l.learn(rt, c, x)
	}
	for _, cf := range l.m.order {
		n := 0
		for _, c := range l.m.living(cf) {
			if c.next == nil {
				n++
			}
		}
		if n > 1 {
			rt.Fatalf("%s has %d living cards that nothing follows", cf, n)
		}
	}
}

// is tells whether a state is one that the model allows.
func (w worth) is(got string) bool {
	if len(w) == 0 {
		return got == string(lifecycle.Valid)
	}
	return slices.Contains(w, got)
}

// stateOf is what the record says of the plastic, with the reason of an end.
func stateOf(x lifecycle.Card) string {
	if x.State.Final() {
		return "over: " + string(x.Reason)
	}
	return string(x.State)
}

// state is the same of the model's card; of one in the making the record tells
// how far the bureau is.
func (c *card) state(x lifecycle.Card) string {
	making3 := x.State == lifecycle.Ordered && !c.batched || (x.State == lifecycle.InProduction || x.State == lifecycle.Produced) && c.batched
	switch {
	case c.over == "expired":
		return "over: "
	case c.over != "":
		return "over: " + c.over
	case c.held:
		return string(lifecycle.Suspended)
	case c.used:
		return string(lifecycle.Active)
	case c.at == posted:
		return string(lifecycle.Shipped)
	case c.at == arrived:
		return string(lifecycle.Delivered)
	case c.at == back:
		return string(lifecycle.Returned)
	case making3:
		return string(x.State)
	}
	return "in the making"
}

// standing: the certificate says what the CNS says, and codes live as long as
// the card.
func (l *life) standing(rt *rapid.T, c *card, x lifecycle.Card) {
	_, err := l.w.db.Codes().Get(l.ctx, c.id)
	if err != nil && !errors.Is(err, codes.ErrNone) {
		rt.Fatal(err)
	}
	if has, want := err == nil, c.chip && c.over == "" && c.batched; has != want {
		rt.Fatalf("card %s has codes: %v; the model says %v: %+v", c.id, has, want, *c)
	}
	if x.CertSerial == "" {
		if c.chip && c.sent {
			rt.Fatalf("card %s was posted without a certificate", c.id)
		}
		return
	}
	want := ca.Pending
	switch {
	case c.over == "expired":
		return // lists forget it, whatever it was
	case c.over != "":
		want = ca.Revoked
	case c.held:
		want = ca.Held
	case c.used:
		want = ca.Good
	}
	if got := l.before.certs[x.CertSerial]; got != want {
		rt.Fatalf("card %s: its certificate is %s, want %s: %+v", c.id, got, want, *c)
	}
}

// whole is a set of codes as the holder has them: both halves in his hand.
type whole struct {
	version int64
	first   codes.First
	second  codes.Second
}

func (w *whole) cip() string { return string(w.first.CIP.Reveal()) + string(w.second.CIP.Reveal()) }

// secretsOf are the codes of a living card, nil for none.
func (l *life) secretsOf(c *card) *whole {
	list := l.codes[c.id]
	if len(list) == 0 || c.over != "" || !c.batched {
		return nil
	}
	return &list[len(list)-1]
}

// learn opens the codes of a card once, as a holder with both letters does. The
// halves together are what the chip has (R76), and the CIP opens only with both.
func (l *life) learn(rt *rapid.T, c *card, x lifecycle.Card) {
	if !c.chip || c.over != "" || !c.batched {
		return
	}
	s, err := l.w.db.Codes().Get(l.ctx, c.id)
	l.must(rt, err)
	if list := l.codes[c.id]; len(list) > 0 && list[len(list)-1].version == s.Version {
		return
	}
	w := whole{version: s.Version}
	w.first, err = l.w.openFirst.FirstHalves(l.ctx, c.id)
	l.must(rt, err)
	w.second, err = l.w.openSecnd.SecondHalves(l.ctx, c.id)
	l.must(rt, err)
	l.codes[c.id] = append(l.codes[c.id], w)
	if job, ok := l.w.bureau.Jobs[c.id]; ok && x.State != lifecycle.InProduction {
		pin := string(w.first.PIN.Reveal()) + string(w.second.PIN.Reveal())
		puk := string(w.first.PUK.Reveal()) + string(w.second.PUK.Reveal())
		if pin != string(job.PIN.Reveal()) || puk != string(job.PUK.Reveal()) {
			rt.Fatalf("card %s: the halves do not make the codes that the chip has", c.id)
		}
	}
}

// apart is the last look at a life: nowhere do the halves of a code stand in
// clear, except those on the papers that print first ones and in the mails that
// carry second ones; never both. No key opens both.
func (l *life) apart(rt *rapid.T) {
	head, err := l.w.trail.Verify(l.ctx)
	l.must(rt, err)
	if head.Index < l.records {
		rt.Fatalf("the trail ends at %d, and had %d records", head.Index, l.records)
	}
	digits := map[string]string{} // runs of eight digits, and where
	note := func(where string, b []byte) {
		for i := 0; i+8 <= len(b); i++ {
			if run := b[i : i+8]; len(bytes.Trim(run, "0123456789")) == 0 {
				digits[string(run)] = where
			}
		}
	}
	l.rowsOf(rt, note)
	l.effects(rt, note)
	l.filesOf(rt, note)
	for _, a := range l.answers {
		note("an answer to a page", []byte(a))
	}
	for card, list := range l.codes {
		for _, w := range list {
			first, second := string(w.first.CIP.Reveal()), string(w.second.CIP.Reveal())
			puk := string(w.first.PUK.Reveal()) + string(w.second.PUK.Reveal())
			for what, code := range map[string]string{"first half of the CIP": first, "second half of the CIP": second, "PUK": puk} {
				if where, ok := digits[code]; ok {
					rt.Fatalf("the %s of card %s stands in clear in %s", what, card, where)
				}
			}
			for key, text := range l.w.papers {
				if strings.Contains(text, second) {
					rt.Fatalf("paper %s has a second half of card %s", key, card)
				}
			}
			for key, text := range l.w.mails {
				if strings.Contains(text, first) || strings.Contains(text, string(l.m.card(card).holder)) {
					rt.Fatalf("mail %s has a first half of card %s, or its holder's codice fiscale", key, card)
				}
			}
		}
	}
	l.keysApart(rt)
}

// rowsOf reads every column of every table.
func (l *life) rowsOf(rt *rapid.T, note func(where string, b []byte)) {
	db := l.w.db.Conn(l.ctx)
	names, err := column(l.ctx, l.w, "SELECT name FROM sqlite_master WHERE type = 'table'")
	l.must(rt, err)
	for _, table := range names {
		rows, err := db.QueryContext(l.ctx, "SELECT * FROM "+table)
		l.must(rt, err)
		columns, err := rows.Columns()
		l.must(rt, err)
		for rows.Next() {
			values := make([]any, len(columns))
			into := make([]any, len(columns))
			for i := range values {
				into[i] = &values[i]
			}
			l.must(rt, rows.Scan(into...))
			for i, v := range values {
				switch v := v.(type) {
				case []byte:
					note(table+"."+columns[i], v)
				case string:
					note(table+"."+columns[i], []byte(v))
				case int64:
					if v < 1e15 { // an instant in microseconds is no code
						note(table+"."+columns[i], []byte(fmt.Sprintf("%08d", v)))
					}
				}
			}
		}
		l.must(rt, errors.Join(rows.Err(), rows.Close()))
	}
}

// column is what a query of one text column answers.
func column(ctx context.Context, w *world, query string) (out []string, err error) {
	rows, err := w.db.Conn(ctx).QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		var s string
		if err := rows.Scan(&s); err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		out = append(out, s)
	}
	return out, errors.Join(rows.Err(), rows.Close())
}

// effects opens every body that the queue keeps.
func (l *life) effects(rt *rapid.T, note func(where string, b []byte)) {
	items, err := l.w.queue.List(l.ctx, queue.Filter{Limit: 10_000})
	l.must(rt, err)
	for _, i := range items {
		e, err := l.w.queue.Open(l.ctx, i.Key)
		var gone *queue.StateError
		if errors.As(err, &gone) {
			continue
		}
		l.must(rt, err)
		note("effect "+i.Kind, e.Body)
	}
}

// filesOf reads what lies in the exchange folder.
func (l *life) filesOf(rt *rapid.T, note func(where string, b []byte)) {
	l.must(rt, filepath.WalkDir(l.w.exchange, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		note("file "+d.Name(), b)
		return err
	}))
}

// swapped hands each half to the key of the other.
type swapped struct{ codes.Store }

func (s swapped) Get(ctx context.Context, card string) (codes.Sealed, error) {
	x, err := s.Store.Get(ctx, card)
	x.PINFirst, x.PINSecond = x.PINSecond, x.PINFirst
	x.PUKFirst, x.PUKSecond = x.PUKSecond, x.PUKFirst
	x.CIPFirst, x.CIPSecond = x.CIPSecond, x.CIPFirst
	return x, err
}

// keysApart: the key of one half opens no other half, the wrapping key of one
// keyset no other keyset, and what the web and the queue hold opens neither.
func (l *life) keysApart(rt *rapid.T) {
	w := l.w
	first, err := codes.LoadFirst(w.dir, w.first, swapped{w.db.Codes()})
	l.must(rt, err)
	second, err := codes.LoadSecond(w.dir, w.second, swapped{w.db.Codes()})
	l.must(rt, err)
	for card := range l.codes {
		if _, err := w.db.Codes().Get(l.ctx, card); errors.Is(err, codes.ErrNone) {
			continue
		}
		if h, err := first.FirstHalves(l.ctx, card); !errors.Is(err, codes.ErrSeal) {
			rt.Fatalf("the first key opened a second half of card %s: %v %v", card, h, err)
		}
		if h, err := second.SecondHalves(l.ctx, card); !errors.Is(err, codes.ErrSeal) {
			rt.Fatalf("the second key opened a first half of card %s: %v %v", card, h, err)
		}
	}
	for name, k := range map[string]codes.AEAD{"cip": w.cip, "desk": w.desk, "queue": w.vault.queue, "first": w.first, "second": w.vault.second} {
		_, one := codes.LoadFirst(w.dir, k, w.db.Codes())
		_, two := codes.LoadSecond(w.dir, k, w.db.Codes())
		if (one == nil) != (name == "first") || (two == nil) != (name == "second") {
			rt.Fatalf("key %s opens the keyset of first halves (%v) or of second ones (%v)", name, one, two)
		}
	}
}
