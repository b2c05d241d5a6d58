package presigned

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/pki/status"
)

// Parts are what a Publisher is made of; Life, Workers and Delta may be zero.
type Parts struct {
	// Dir is the folder of the files: <label>.delta and <label>-<id>.base. One
	// process writes into one folder.
	Dir, Label string
	Responder  *status.Responder
	Changes    status.Changes
	Clock      civil.Clock
	// Life is nextUpdate - thisUpdate, 24 hours when zero: so long goes a Tier on
	// when everything else is gone. Answers are signed anew after half of it.
	Life time.Duration
	// Workers sign at once when a base is made; 1 when zero, which leaves the other
	// processors to whoever is at work.
	Workers int
	// Delta is how many records a delta may have before a new base is made; zero is
	// a fiftieth of the base, 20,000 at the least.
	Delta int
}

// Publisher writes the answers of one authority's certificates, and goes on
// writing what changes.
type Publisher struct {
	parts Parts

	mu      sync.Mutex
	read    bool // what the folder had was looked at
	base    *About
	next    *About    // made, and read by those who serve until it takes over
	over    time.Time // when it does
	old     string    // the base before, when it was not cleaned up after yet
	delta   map[[status.SerialSize]byte]entry
	place   int64
	seen    map[string]int64 // versions of what stands at place
	dirty   bool
	written time.Time
	every   time.Duration // between deltas
	looked  time.Time
	making  chan made // a base that is being made
	pause   time.Time // no new try before
	last    int64     // the last name given to a file
}

// entry is a record of the delta.
type entry struct {
	status.Record
	head  *status.Letterhead
	place int64
}

// made is what became of a base.
type made struct {
	about *About
	err   error
}

// NewPublisher refuses missing parts and makes the folder.
func NewPublisher(p Parts) (*Publisher, error) {
	if p.Dir == "" || p.Label == "" || p.Responder == nil || p.Changes == nil || p.Clock == nil {
		return nil, status.ErrPart
	}
	if p.Life == 0 {
		p.Life = 24 * time.Hour
	}
	p.Workers = max(p.Workers, 1)
	if err := os.MkdirAll(p.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("presigned: %w", err)
	}
	return &Publisher{parts: p, every: deltaEvery, delta: map[[status.SerialSize]byte]entry{}, seen: map[string]int64{}}, nil
}

const (
	changesPage = 1000
	knownPage   = 2000
	// deltaEvery is the least time between two deltas: with a great one, and many
	// changes, little else would be written.
	deltaEvery = 400 * time.Millisecond
	// againAfter is the pause after a base that could not be made.
	againAfter = time.Minute
)

// Step takes one turn: it learns what changed and writes it, and has a new base
// made beside it when there is none, when half its answers' life is over, or when
// the delta has grown. It never waits for a base.
func (p *Publisher) Step(ctx context.Context) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.read {
		p.adopt()
		p.read = true
	}
	var failed error
	if p.making != nil {
		select {
		case m := <-p.making:
			failed = p.finish(m)
		default:
		}
	}
	if p.next != nil && !p.parts.Clock.Now().Before(p.over) {
		p.change()
	}
	if p.base != nil {
		failed = errors.Join(failed, p.turn(ctx, false))
	}
	if p.making == nil && p.next == nil && p.due() {
		failed = errors.Join(failed, p.begin(ctx, false))
	}
	return failed
}

// turn learns what changed and writes it: never a delta that lacks what happened.
func (p *Publisher) turn(ctx context.Context, now bool) error {
	if err := p.learn(ctx); err != nil {
		return err
	}
	return errors.Join(p.renew(), p.write(now))
}

// Make makes a new base at once and waits for it; all signs every answer anew.
func (p *Publisher) Make(ctx context.Context, all bool) (About, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.read {
		p.adopt()
		p.read = true
	}
	p.next = nil
	if p.making == nil {
		if err := p.begin(ctx, all); err != nil {
			return About{}, err
		}
	}
	if err := p.finish(<-p.making); err != nil {
		return About{}, err
	}
	p.change()
	if err := p.turn(ctx, true); err != nil {
		return About{}, err
	}
	return *p.base, nil
}

// Wait waits for a base that is being made: for who is about to end.
func (p *Publisher) Wait() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.making != nil {
		<-p.making
		p.making = nil
	}
}

func (p *Publisher) deltaPath() string { return filepath.Join(p.parts.Dir, p.parts.Label+".delta") }

func basePath(dir, label, id string) string { return filepath.Join(dir, label+"-"+id+".base") }

// adopt goes on from what the folder has. Whatever cannot be read is made again.
func (p *Publisher) adopt() {
	d, err := openPath(p.deltaPath())
	if err != nil {
		return
	}
	defer d.Close()
	b, err := openPath(basePath(p.parts.Dir, p.parts.Label, d.Base))
	if err != nil {
		return
	}
	defer b.Close()
	if !bytes.Equal(b.About.Issuing, p.parts.Responder.Issuer().Raw) || b.ID != d.Base {
		return
	}
	in := d.Scan()
	for {
		more, err := in.Next()
		if err != nil {
			return
		}
		if !more {
			break
		}
		r := in.Record
		r.Signatures = bytes.Clone(r.Signatures)
		p.delta[r.Serial] = entry{r, d.Head(&r), d.Place}
	}
	about := b.About
	p.base, p.place = &about, d.Place
	for _, id := range []string{d.ID, b.ID} {
		if n, err := strconv.ParseInt(id, 16, 64); err == nil {
			p.last = max(p.last, n)
		}
	}
}

// name is the next file's: the time, and later than any before even when the clock
// is not, so that who serves can tell which of two is the newer.
func (p *Publisher) name() string {
	p.last = max(p.last+1, p.parts.Clock.Now().UnixNano())
	return fmt.Sprintf("%0*x", idSize, p.last)
}

// due tells whether a new base is needed.
func (p *Publisher) due() bool {
	now := p.parts.Clock.Now()
	if now.Before(p.pause) && p.pause.Sub(now) <= againAfter {
		return false
	}
	most := p.parts.Delta
	if p.base != nil && most == 0 {
		most = max(20_000, p.base.Records/50)
	}
	aged := p.base != nil && p.base.Records > 0 && !now.Before(p.base.First.Add(-p.parts.Life/2)) && now.Sub(p.base.Made) >= p.parts.Life/12
	return p.base == nil || len(p.delta) > most || aged
}

// learn takes the changes since the last turn into the delta.
func (p *Publisher) learn(ctx context.Context) error {
	for from, serial := p.place, ""; ; {
		page, err := p.parts.Changes.Since(ctx, from, serial, changesPage)
		if err != nil {
			return fmt.Errorf("presigned: changes of certificates: %w", err)
		}
		for _, c := range page {
			if v, ok := p.seen[c.Serial]; c.Place > p.place || !ok || v != c.Standing.Version {
				if err := p.take(c); err != nil {
					return err
				}
			}
			if c.Place > p.place {
				p.place = c.Place
				clear(p.seen)
			}
			p.seen[c.Serial] = c.Standing.Version
		}
		if len(page) < changesPage {
			return nil
		}
		from, serial = page[len(page)-1].Place, page[len(page)-1].Serial
	}
}

func (p *Publisher) take(c status.Change) error {
	serial, ok := status.SerialFrom(c.Serial)
	if c.Issuer != p.parts.Responder.IssuerID() || !ok || !c.Standing.Known {
		return nil
	}
	if old, ok := p.delta[serial]; ok && old.Says(c.Standing) {
		return nil
	}
	r, head, err := p.parts.Responder.Presign(serial, c.Standing, p.parts.Life)
	if err != nil {
		return err
	}
	p.delta[serial] = entry{r, head, c.Place}
	p.dirty = true
	return nil
}

// renew signs anew what has lived half its life in the delta.
func (p *Publisher) renew() error {
	now := p.parts.Clock.Now()
	if since := now.Sub(p.looked); 0 <= since && since < time.Minute {
		return nil
	}
	p.looked = now
	for serial, e := range p.delta {
		if e.Young(now) {
			continue
		}
		r, head, err := p.parts.Responder.Presign(serial, e.Standing(), p.parts.Life)
		if err != nil {
			return err
		}
		p.delta[serial] = entry{r, head, e.place}
		p.dirty = true
	}
	return nil
}

// heads numbers letterheads.
type heads struct {
	all  []*status.Letterhead
	ders [][]byte
}

func (h *heads) number(l *status.Letterhead) (uint8, error) {
	for i, o := range h.all {
		if bytes.Equal(o.Cert.Raw, l.Cert.Raw) {
			return uint8(i), nil
		}
	}
	if len(h.all) == 255 {
		return 0, errors.New("presigned: too many responder certificates")
	}
	h.all, h.ders = append(h.all, l), append(h.ders, l.Cert.Raw)
	return uint8(len(h.all) - 1), nil
}

func (p *Publisher) about(width int) About {
	return About{Label: p.parts.Label, Issuing: p.parts.Responder.Issuer().Raw, Width: width, Made: p.parts.Clock.Now().UTC()}
}

// write writes the delta, when something is new.
func (p *Publisher) write(now bool) error {
	// A pause, not a date: the machine's own clock.
	if !p.dirty || !now && time.Since(p.written) < p.every {
		return nil
	}
	width := p.parts.Responder.Letterhead().Width
	var h heads
	rs := make([]status.Record, 0, len(p.delta))
	for _, e := range p.delta {
		var err error
		if e.head.Width != width { // a responder with another kind of key: signed anew
			if e.Record, e.head, err = p.parts.Responder.Presign(e.Serial, e.Standing(), p.parts.Life); err != nil {
				return err
			}
		}
		if e.Record.Head, err = h.number(e.head); err != nil {
			return err
		}
		rs = append(rs, e.Record)
	}
	slices.SortFunc(rs, func(a, b status.Record) int { return bytes.Compare(a.Serial[:], b.Serial[:]) })
	about := p.about(width)
	about.Base, about.Place, about.Responders = p.base.ID, p.place, h.ders
	about.ID = p.name()
	err := Replace(p.deltaPath(), func(f io.Writer) error {
		w := NewWriter(f, about)
		for i := range rs {
			if err := w.Add(&rs[i]); err != nil {
				return err
			}
		}
		_, err := w.Close()
		return err
	})
	if err != nil {
		return err
	}
	p.dirty, p.written = false, time.Now()
	if p.old != "" { // the base before stays for who is reading it
		err = p.clean(p.base.ID, p.old)
		p.old = ""
	}
	return err
}

// Replace writes a file beside its place, makes it last, and renames it.
func Replace(path string, write func(io.Writer) error) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".writing-*")
	if err != nil {
		return fmt.Errorf("presigned: %w", err)
	}
	err = errors.Join(write(tmp), tmp.Chmod(0o644), tmp.Sync(), tmp.Close())
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("presigned: %s: %w", path, err), os.Remove(tmp.Name()))
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("presigned: %w", err)
	}
	return errors.Join(d.Sync(), d.Close())
}

// clean removes what a kill left half written, and bases but the two last.
func (p *Publisher) clean(keep ...string) error {
	all, err := os.ReadDir(p.parts.Dir)
	if err != nil {
		return fmt.Errorf("presigned: %w", err)
	}
	var errs []error
	for _, f := range all {
		id, base := strings.CutPrefix(strings.TrimSuffix(f.Name(), ".base"), p.parts.Label+"-")
		base = base && strings.HasSuffix(f.Name(), ".base") && len(id) == idSize && !slices.Contains(keep, id)
		half := strings.HasPrefix(f.Name(), ".writing-")
		if info, err := f.Info(); err == nil && half {
			half = time.Since(info.ModTime()) > time.Hour
		}
		if base || half {
			if err := os.Remove(filepath.Join(p.parts.Dir, f.Name())); !errors.Is(err, os.ErrNotExist) {
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}
