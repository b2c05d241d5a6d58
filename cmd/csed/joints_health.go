package main

import (
	"context"
	"crypto/x509"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"cse.example/cse/issuer/operations"
	"cse.example/cse/pki/profile"
)

// What the dashboard shows of the machine: how fast OCSP answers, which keys are
// open and until when their certificates last, how many logins were refused.

// lastAnswers is over how many answers the latency is taken.
const lastAnswers = 1000

// stopwatch takes the time of OCSP answers; its zero value is ready.
type stopwatch struct {
	mu     sync.Mutex
	took   []time.Duration // a ring, once it is full
	next   int
	n      int
	failed int
	since  time.Time
}

func (s *stopwatch) add(at time.Time, took time.Duration, failed bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.n == 0 {
		s.since = at
	}
	s.n++
	if failed {
		s.failed++
	}
	if len(s.took) < lastAnswers {
		s.took = append(s.took, took)
		return
	}
	s.took[s.next] = took
	s.next = (s.next + 1) % lastAnswers
}

func (s *stopwatch) latency() operations.Latency {
	s.mu.Lock()
	took := slices.Clone(s.took)
	l := operations.Latency{Answers: s.n, Failed: s.failed, Since: s.since}
	s.mu.Unlock()
	if len(took) == 0 {
		return l
	}
	slices.Sort(took)
	l.P50, l.P95 = took[len(took)/2], took[len(took)*95/100]
	return l
}

// answered keeps the status of an answer.
type answered struct {
	http.ResponseWriter
	status int
}

func (a *answered) WriteHeader(status int) {
	a.status = status
	a.ResponseWriter.WriteHeader(status)
}

// timed takes the time of what h answers under the address of OCSP.
func (p *Platform) timed(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != profile.PathOCSP && !strings.HasPrefix(r.URL.Path, profile.PathOCSP+"/") {
			h.ServeHTTP(w, r)
			return
		}
		begun := time.Now() // a duration, not a date: the machine's own clock
		a := &answered{w, http.StatusOK}
		h.ServeHTTP(a, r)
		p.answers.add(p.Clock.Now(), time.Since(begun), a.status >= http.StatusInternalServerError)
	})
}

// machine is the platform as operations see it.
type machine struct{ p *Platform }

func (m machine) Latency() operations.Latency { return m.p.answers.latency() }

func (m machine) Count(ctx context.Context, act string, since time.Time) (int, error) {
	return m.p.trail.Count(ctx, act, since)
}

// Keys lists certificates with their days and the keysets; those of the halves
// are open only where forms and letters are made.
func (m machine) Keys(ctx context.Context) ([]operations.Key, error) {
	p := m.p
	var out []operations.Key
	certificate := func(name string, c *x509.Certificate, here bool) {
		if c != nil {
			out = append(out, operations.Key{Name: name, From: c.NotBefore, Until: c.NotAfter, Here: here})
		}
	}
	ours, err := p.authorityKeys(ctx)
	if err != nil {
		return nil, err
	}
	out = append(out, ours...)
	if p.webCA != nil && p.Config.Web.Certificate == "" {
		certificate("webca", p.webCA.Certificate(), true)
	} else if p.Config.Web.Certificate != "" {
		get, err := p.serverCertificate()
		if err != nil {
			return out, err
		}
		pair, err := get(nil)
		if err != nil {
			return out, err
		}
		certificate("web", pair.Leaf, true)
	}
	return append(
		out,
		operations.Key{Name: "audit", Here: p.trail != nil},
		operations.Key{Name: "queue", Here: p.queue != nil},
		operations.Key{Name: "sealed", Here: p.cips != nil},
		operations.Key{Name: "first", Here: p.first != nil},
		operations.Key{Name: "second", Here: p.second != nil},
	), nil
}

var _ operations.Machine = machine{}
