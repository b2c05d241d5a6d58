package status

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"cse.example/cse/ground/civil"
)

// How closely the changes are followed.
const (
	// FollowEvery is the pause between two looks at the order of changes.
	FollowEvery = 250 * time.Millisecond
	// MaxStale is how old the knowledge may be on which a kept answer is given
	// without asking the store: no revoked certificate is answered "good" later.
	MaxStale = time.Second

	followPage = 1000
	followFor  = 2 * time.Second // one look takes no longer
	// tendSlots bounds what one look renews of what is kept.
	tendSlots = 2500
	markEvery = time.Minute
)

// Follower keeps responders up with the changes of certificates that any process
// on the same records commits. Make one with NewFollower; Run follows.
//
// What it gives is a time: fresh tells whether everything that was committed up to
// MaxStale ago is known. Only then is an answer given without asking the store.
type Follower struct {
	changes Changes
	clock   civil.Clock
	kick    chan struct{}
	asOf    atomic.Pointer[time.Time] // when the last look that came to its end began
	lost    atomic.Bool               // the last look did not come to its end
	looks   atomic.Int64

	who        sync.RWMutex
	responders map[string]*Responder

	mu    sync.Mutex // one look at a time
	begun map[*Responder]bool
	place int64
	// seen are the versions of what stands at place: a look reads them again, since
	// an act that committed later may have put more there.
	seen map[string]int64
}

// NewFollower follows for these responders; Add takes more.
func NewFollower(c Changes, clock civil.Clock, rs ...*Responder) *Follower {
	f := &Follower{
		changes: c, clock: clock, kick: make(chan struct{}, 1), responders: map[string]*Responder{},
		begun: map[*Responder]bool{}, place: -1, seen: map[string]int64{},
	}
	for _, r := range rs {
		f.Add(r)
	}
	return f
}

// Add has a responder kept up, from the next look on.
func (f *Follower) Add(r *Responder) {
	f.who.Lock()
	defer f.who.Unlock()
	f.responders[r.issuerID] = r
}

func (f *Follower) of(issuer string) *Responder {
	f.who.RLock()
	defer f.who.RUnlock()
	return f.responders[issuer]
}

func (f *Follower) all() []*Responder {
	f.who.RLock()
	defer f.who.RUnlock()
	return slices.Collect(maps.Values(f.responders))
}

// fresh tells whether all that was committed MaxStale before now is known.
func (f *Follower) fresh(now time.Time) bool {
	at := f.asOf.Load()
	if at == nil {
		return false
	}
	old := now.Sub(*at)
	return 0 <= old && old <= MaxStale
}

// Looks counts the looks that came to their end.
func (f *Follower) Looks() int64 { return f.looks.Load() }

// Moved is told at once of a certificate that this process moved: what is kept of
// it is not given any more. It never waits for the store.
func (f *Follower) Moved(issuer, serial string, version int64) {
	if s, ok := SerialFrom(serial); ok {
		if r := f.of(issuer); r != nil {
			r.now().kept.forget(s, version)
		}
	}
	select {
	case f.kick <- struct{}{}:
	default:
	}
}

// Run looks every FollowEvery, and when this process moved something, until ctx
// ends. failed is told when looks begin to fail.
func (f *Follower) Run(ctx context.Context, failed func(error)) {
	every := time.NewTicker(FollowEvery)
	defer every.Stop()
	marks := time.NewTicker(markEvery)
	defer marks.Stop()
	var marking sync.WaitGroup
	defer marking.Wait()
	for silent := false; ; {
		err := f.Look(ctx)
		if err != nil && ctx.Err() == nil && !silent {
			failed(err)
		}
		silent = err != nil
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		case <-f.kick:
		case <-marks.C: // beside the looks: it waits for other acts
			marking.Wait()
			marking.Go(func() {
				if err := f.Keep(ctx); err != nil && ctx.Err() == nil {
					failed(err)
				}
			})
		}
	}
}

// Look learns what changed since the last one, signs anew what was kept of it,
// and renews what has lived half its life.
func (f *Follower) Look(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	ctx, stop := context.WithTimeout(ctx, followFor)
	defer stop()
	begin := f.clock.Now()
	err := f.look(ctx)
	if f.lost.Store(err != nil); err != nil {
		return fmt.Errorf("status: follow the changes of certificates: %w", err)
	}
	f.asOf.Store(&begin)
	f.looks.Add(1)
	var errs []error
	for _, r := range f.all() {
		errs = append(errs, r.tend())
	}
	return errors.Join(errs...)
}

func (f *Follower) look(ctx context.Context) error {
	if err := f.begin(ctx); err != nil {
		return err
	}
	for from, serial := f.place, ""; ; {
		page, err := f.changes.Since(ctx, from, serial, followPage)
		if err != nil {
			return err
		}
		for _, c := range page {
			if c.Place > f.place {
				f.place = c.Place
				clear(f.seen)
			}
			if v, ok := f.seen[c.Serial]; ok && v == c.Standing.Version {
				continue
			}
			if r := f.of(c.Issuer); r != nil {
				r.learn(c)
			}
			f.seen[c.Serial] = c.Standing.Version
		}
		if len(page) < followPage {
			return nil
		}
		from, serial = page[len(page)-1].Place, page[len(page)-1].Serial
	}
}

// begin starts where the order stands; what a responder kept before is not
// trusted.
func (f *Follower) begin(ctx context.Context) error {
	for _, r := range f.all() {
		if f.begun[r] {
			continue
		}
		if f.place < 0 {
			place, err := f.changes.Place(ctx)
			if err != nil {
				return err
			}
			f.place = place
		}
		at, err := f.changes.Mark(ctx, r.issuerID)
		if err != nil {
			return err
		}
		r.raise(at)
		r.now().kept.reset()
		f.begun[r] = true
		r.follower.Store(f)
	}
	return nil
}

// Keep keeps until when answers were signed, for whoever starts next.
func (f *Follower) Keep(ctx context.Context) error {
	for _, r := range f.all() {
		if at := r.lastSigned(); !at.IsZero() {
			if err := f.changes.Raise(ctx, r.issuerID, at); err != nil {
				return err
			}
		}
	}
	return nil
}
