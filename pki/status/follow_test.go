package status

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"
	"pgregory.net/rapid"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/pki/ca/catest"
)

// ledger is a Store and its Changes in memory, shared by several responders; it
// counts its readers and can be away.
type ledger struct {
	mu     sync.Mutex
	issuer string
	place  int64
	all    map[string]Change
	marks  map[string]time.Time
	away   bool
	reads  int
}

var errAway = errors.New("the store is away")

func newLedger(issuer string) *ledger {
	return &ledger{issuer: issuer, all: map[string]Change{}, marks: map[string]time.Time{}}
}

// move commits a move of a certificate.
func (l *ledger) move(serial string, s Standing) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.Known, s.Version = true, l.all[serial].Standing.Version+1
	l.all[serial] = Change{Place: l.place, Issuer: l.issuer, Serial: serial, Standing: s}
	l.place++
	return s.Version
}

func (l *ledger) Standing(_ context.Context, _, serial string) (Standing, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.away {
		return Standing{}, errAway
	}
	l.reads++
	return l.all[strings.Repeat("0", max(0, 32-len(serial)))+serial].Standing, nil
}

func (l *ledger) Since(_ context.Context, place int64, serial string, limit int) ([]Change, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.away {
		return nil, errAway
	}
	var out []Change
	for _, c := range l.all {
		if c.Place > place || c.Place == place && c.Serial > serial {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b Change) int {
		if a.Place != b.Place {
			return int(a.Place - b.Place)
		}
		return strings.Compare(a.Serial, b.Serial)
	})
	return out[:min(len(out), limit)], nil
}

func (l *ledger) Place(context.Context) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.away {
		return 0, errAway
	}
	return l.place, nil
}

func (l *ledger) Known(_ context.Context, _, after string, _ time.Time, limit int) ([]Change, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []Change
	for s, c := range l.all {
		if s > after {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b Change) int { return strings.Compare(a.Serial, b.Serial) })
	return out[:min(len(out), limit)], nil
}

func (l *ledger) Mark(_ context.Context, issuer string) (time.Time, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.marks[issuer], nil
}

func (l *ledger) Raise(_ context.Context, issuer string, at time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if at.After(l.marks[issuer]) {
		l.marks[issuer] = at
	}
	return nil
}

func (l *ledger) Listed(context.Context, string, int, time.Time, func(Entry) error) error { return nil }

func (l *ledger) NextNumber(context.Context, string, int, time.Time) (Number, error) {
	return Number{}, nil
}

func (l *ledger) setAway(away bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.away = away
}

func serialText(n int64) string { return fmt.Sprintf("%032x", n) }

// follower is a process on the ledger: a responder and what keeps it up.
type process struct {
	bench
	f *Follower
}

func newProcess(t testing.TB, l *ledger, clock *civil.Hand) process {
	t.Helper()
	m := catest.Material(t, civil.NewHand(catest.Start))
	r, err := NewResponder(ResponderParts{Issuer: m.Issuing, Cert: m.Responder, Signer: m.ResponderKey, Store: l, Clock: clock, Rand: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	l.issuer = r.issuerID
	return process{bench{Responder: r, m: m, clock: clock}, NewFollower(l, clock, r)}
}

func (p process) look(t testing.TB) {
	t.Helper()
	if err := p.f.Look(t.Context()); err != nil {
		t.Fatal(err)
	}
}

var (
	good    = Standing{}
	onHold  = Standing{Revoked: true, Reason: Hold, Since: catest.Start}
	revoked = Standing{Revoked: true, Reason: 1, Since: catest.Start}
)

// Once followed, answers come without the store; a change by another process shows
// after one look; a change by this one at once.
func TestAFollowedResponderDoesNotAskTheStore(t *testing.T) {
	clock := civil.NewHand(catest.Start)
	l := newLedger("")
	p, q := newProcess(t, l, clock), newProcess(t, l, clock)
	l.move(serialText(1), good)
	for _, x := range []process{p, q} {
		x.look(t)
		x.ask(t, 1, crypto.SHA1)
	}
	reads := l.reads
	for range 100 {
		for _, h := range []crypto.Hash{crypto.SHA1, crypto.SHA256} {
			if got := q.ask(t, 1, h); got.Status != ocsp.Good {
				t.Fatal(got.Status)
			}
		}
	}
	if l.reads != reads {
		t.Errorf("%d questions to the store for 200 answers that were known", l.reads-reads)
	}
	v := l.move(serialText(1), revoked)
	p.f.Moved(l.issuer, serialText(1), v)
	if got := p.ask(t, 1, crypto.SHA1); got.Status != ocsp.Revoked {
		t.Error("the process that revoked goes on answering good")
	}
	if got := q.ask(t, 1, crypto.SHA1); got.Status != ocsp.Good {
		t.Error("the other process was told by nobody, and knows") // else this test proves nothing
	}
	q.look(t)
	reads = l.reads
	for _, h := range []crypto.Hash{crypto.SHA1, crypto.SHA256} {
		if got := q.ask(t, 1, h); got.Status != ocsp.Revoked || got.RevocationReason != 1 {
			t.Errorf("%v: after a look the other process answers %d", h, got.Status)
		}
	}
	if l.reads != reads {
		t.Error("what was asked for was not signed anew by the look")
	}
}

// No look for longer than a second: the store is asked, and shows the truth.
func TestWithoutALookTheStoreIsAsked(t *testing.T) {
	clock := civil.NewHand(catest.Start)
	l := newLedger("")
	p := newProcess(t, l, clock)
	l.move(serialText(1), good)
	p.look(t)
	p.ask(t, 1, crypto.SHA1)
	l.move(serialText(1), revoked)
	clock.Advance(MaxStale + time.Millisecond)
	if got := p.ask(t, 1, crypto.SHA1); got.Status != ocsp.Revoked {
		t.Error("a revoked certificate is answered good more than a second after the act")
	}
}

// With the store away: what was signed goes on being given until its nextUpdate,
// nothing good is signed, what is final may be, and nothing is cached for longer.
func TestTheStoreIsAway(t *testing.T) {
	clock := civil.NewHand(catest.Start)
	l := newLedger("")
	p := newProcess(t, l, clock)
	for i, s := range []Standing{good, onHold, revoked, good} {
		l.move(serialText(int64(i+1)), s)
	}
	p.look(t)
	for i := range int64(3) {
		p.ask(t, i+1, crypto.SHA1)
	}
	l.setAway(true)
	clock.Advance(2 * time.Second)
	if err := p.f.Look(t.Context()); !errors.Is(err, errAway) {
		t.Fatal(err)
	}
	question1 := question(t, p.m.Issuing, 1, crypto.SHA1)
	tests := []struct {
		name   string
		after  time.Duration
		q      []byte
		status int // -1: none
	}{
		{"good, kept", 0, question1, ocsp.Good},
		{"good, with a nonce: without it", 0, extended(t, []ext{nonceExt(16)}, question1), ocsp.Good},
		{"good, with the other hash", 0, question(t, p.m.Issuing, 1, crypto.SHA256), -1},
		{"never asked before", 0, question(t, p.m.Issuing, 4, crypto.SHA1), -1},
		{"several", 0, extended(t, nil, question1, question1), -1},
		{"good, second half of its life", 40 * time.Minute, question1, ocsp.Good},
		{"good, past its nextUpdate", 20 * time.Minute, question1, -1},
		{"hold, past its nextUpdate", 0, question(t, p.m.Issuing, 2, crypto.SHA1), -1},
		{"revoked, past its nextUpdate: signed anew", 0, question(t, p.m.Issuing, 3, crypto.SHA1), ocsp.Revoked},
	}
	for _, tt := range tests {
		clock.Advance(tt.after)
		reply, err := p.Answer(t.Context(), tt.q)
		if tt.status < 0 {
			if err == nil || !bytes.Equal(reply.DER, answerInternal) {
				t.Errorf("%s: answered % x", tt.name, reply.DER[:20])
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		got, err := ocsp.ParseResponse(reply.DER, p.m.Issuing)
		if err != nil || got.Status != tt.status {
			t.Errorf("%s: %v %+v", tt.name, err, got)
		}
		if reply.Cacheable && tt.status == ocsp.Good {
			t.Errorf("%s: may be cached", tt.name)
		}
	}
	l.setAway(false)
	l.move(serialText(1), revoked)
	p.look(t)
	if got := p.ask(t, 1, crypto.SHA1); got.Status != ocsp.Revoked {
		t.Error("the store is back, and the change of the meantime was missed")
	}
}

// The clock goes back: nothing is signed, and what is of the future is not given;
// what was signed before that time still is.
func TestTheClockGoesBack(t *testing.T) {
	clock := civil.NewHand(catest.Start)
	l := newLedger("")
	p := newProcess(t, l, clock)
	l.move(serialText(1), good)
	l.move(serialText(2), good)
	p.look(t)
	p.ask(t, 1, crypto.SHA1)
	clock.Advance(10 * time.Minute)
	p.look(t)
	p.ask(t, 2, crypto.SHA1)
	clock.Advance(-5 * time.Minute)
	if got := p.ask(t, 1, crypto.SHA1); !got.ThisUpdate.Equal(catest.Start) {
		t.Errorf("thisUpdate %s", got.ThisUpdate)
	}
	if r, err := p.Answer(t.Context(), question(t, p.m.Issuing, 2, crypto.SHA1)); !errors.Is(err, words.Refuse("CSE-950")) {
		t.Errorf("an answer of the future: % x (%v)", r.DER, err)
	}
	if r, err := p.Answer(t.Context(), extended(t, []ext{nonceExt(16)}, question(t, p.m.Issuing, 1, crypto.SHA1))); !errors.Is(err, words.Refuse("CSE-950")) {
		t.Errorf("signed backwards: % x (%v)", r.DER, err)
	}
	// Who starts afterwards knows from the records.
	if err := p.f.Keep(t.Context()); err != nil {
		t.Fatal(err)
	}
	again := newProcess(t, l, clock)
	again.look(t)
	if _, err := again.Answer(t.Context(), question(t, p.m.Issuing, 1, crypto.SHA1)); !errors.Is(err, words.Refuse("CSE-950")) {
		t.Errorf("a new process signs backwards: %v", err)
	}
}

// What is asked for is renewed before its end, what nobody asks for is dropped.
func TestAnswersAreRenewedBeforeTheirEnd(t *testing.T) {
	clock := civil.NewHand(catest.Start)
	l := newLedger("")
	p := newProcess(t, l, clock)
	l.move(serialText(1), good)
	l.move(serialText(2), good)
	p.look(t)
	p.ask(t, 1, crypto.SHA1)
	p.ask(t, 2, crypto.SHA1)
	clock.Advance(31 * time.Minute)
	p.look(t) // renews both
	serial, _ := SerialFrom(serialText(1))
	if r, _, ok := p.now().kept.get(serial, false); !ok || int64(r.This) != clock.Now().Unix() {
		t.Error("not renewed in the second half of its life")
	}
	clock.Advance(61 * time.Minute)
	p.look(t)
	if n := p.now().kept.len(); n != 0 {
		t.Errorf("%d answers kept past their end", n)
	}
}

// Two processes, acts by both and by others, looks and questions in any order: no
// revoked certificate is answered good later than a second after the act, whatever
// the process; and a hold never hides a revocation.
func TestR35_NoRevokedCertificateIsAnsweredGood(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		clock := civil.NewHand(catest.Start)
		l := newLedger("")
		ps := []process{newProcess(t, l, clock), newProcess(t, l, clock)}
		bad := map[int64]time.Time{} // since when not good
		for n := range int64(3) {
			l.move(serialText(n+1), good)
		}
		rt.Repeat(map[string]func(*rapid.T){
			"look": func(rt *rapid.T) {
				if err := rapid.SampledFrom(ps).Draw(rt, "process").f.Look(t.Context()); err != nil {
					rt.Fatal(err)
				}
			},
			"wait": func(rt *rapid.T) {
				clock.Advance(time.Duration(rapid.IntRange(1, 1500).Draw(rt, "ms")) * time.Millisecond)
			},
			"move": func(rt *rapid.T) {
				n := rapid.Int64Range(1, 3).Draw(rt, "serial")
				s := rapid.SampledFrom([]Standing{good, onHold, revoked}).Draw(rt, "to")
				if old := l.all[serialText(n)].Standing; old.Revoked && old.Reason != Hold {
					return
				}
				v := l.move(serialText(n), s)
				if delete(bad, n); s.Revoked {
					bad[n] = clock.Now()
				}
				if by := rapid.IntRange(0, 2).Draw(rt, "by"); by < 2 { // 2: a third process
					ps[by].f.Moved(l.issuer, serialText(n), v)
				}
			},
			"ask": func(rt *rapid.T) {
				n := rapid.Int64Range(1, 3).Draw(rt, "serial")
				p := rapid.SampledFrom(ps).Draw(rt, "process")
				got := p.ask(t, n, rapid.SampledFrom([]crypto.Hash{crypto.SHA1, crypto.SHA256}).Draw(rt, "hash"))
				if since, ok := bad[n]; ok && got.Status == ocsp.Good && clock.Now().Sub(since) > MaxStale {
					rt.Fatalf("good, %s after it stopped being so", clock.Now().Sub(since))
				}
			},
		})
	})
}
