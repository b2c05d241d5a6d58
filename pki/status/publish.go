package status

import (
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/pki/crl"
	"cse.example/cse/pki/profile"
)

// PublisherParts are what a Publisher is made of; all but Shards, Life and Every
// are required.
type PublisherParts struct {
	Issuer     *x509.Certificate
	Signer     crypto.Signer
	Store      Lists
	Atomically func(ctx context.Context, act func(ctx context.Context) error) error
	Clock      civil.Clock
	Rand       io.Reader
	// Dir is where the lists appear, each under the last element of its address:
	// issuing-0.crl, …
	Dir string
	// URLs are those of the certificates; Shards the number of parts in which new
	// certificates stand (0 means 1). Parts on record beyond are published, too.
	URLs   profile.URLs
	Shards int
	// Life is nextUpdate - thisUpdate; 24 hours when zero.
	Life time.Duration
	// Every is the least time between two lists of a part whose certificates change;
	// 5 minutes when zero. A hold or a revocation waits a minute at most.
	Every time.Duration
}

// urgent is the least time between two lists of a part in which a certificate was
// put on hold or revoked.
const urgent = time.Minute

// spread is how much the clocks of several machines that publish lists of one issuer
// may differ.
const spread = time.Minute

// Publisher writes an issuer's lists. Several may write the same issuer's, in one
// folder or in one each: what is due is told by the records and by the list that
// lies in the folder.
type Publisher struct {
	parts PublisherParts
	id    string
	mu    sync.Mutex
	kept  bool
}

// Published is a list that was put in place.
type Published struct {
	Shard      int
	Path       string
	Number     int64
	Entries    int
	NextUpdate time.Time
}

// NewPublisher refuses missing parts, makes the folder, and removes what killed
// publications left there.
func NewPublisher(p PublisherParts) (*Publisher, error) {
	if p.Issuer == nil || p.Signer == nil || p.Store == nil || p.Atomically == nil || p.Clock == nil || p.Rand == nil || p.Dir == "" || p.URLs.CRL == "" {
		return nil, ErrPart
	}
	if p.Life == 0 {
		p.Life = 24 * time.Hour
	}
	if p.Every == 0 {
		p.Every = 5 * time.Minute
	}
	p.Shards = max(p.Shards, 1)
	if err := os.MkdirAll(p.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("status: %w", err)
	}
	if err := sweep(p.Dir); err != nil {
		return nil, err
	}
	return &Publisher{parts: p, id: fmt.Sprintf("%x", p.Issuer.SubjectKeyId)}, nil
}

// FileRootCRL is the file of the root's list.
const FileRootCRL = "root.crl"

// file is where a part's list lies.
func (p *Publisher) file(shard int) string {
	return filepath.Join(p.parts.Dir, p.parts.URLs.FileCRL(shard))
}

// Publish writes a new list for every part. Do not call it inside an act: it
// signs, and writes files. A part that fails does not keep the others from theirs.
func (p *Publisher) Publish(ctx context.Context) ([]Published, error) {
	return p.some(ctx, func(Part, *held, time.Time) bool { return true })
}

// Refresh writes a new list for every part whose list is missing or broken, half
// through its life, or behind its certificates; see Every. Call it often.
func (p *Publisher) Refresh(ctx context.Context) ([]Published, error) {
	return p.some(ctx, p.due)
}

// due tells whether the part needs another list than the one in the folder.
func (p *Publisher) due(part Part, h *held, now time.Time) bool {
	if h == nil || !now.Before(h.this.Add(min(p.parts.Life, h.next.Sub(h.this))/2)) {
		return true
	}
	if !part.behind(h) {
		return false
	}
	gap := p.parts.Every
	if part.Urgent {
		gap = min(gap, urgent)
	}
	return !now.Before(h.this.Add(gap))
}

// behind tells whether certificates have changed since the list was made.
func (p Part) behind(h *held) bool { return p.Waiting > 0 || !slices.Contains(p.Whole, h.number) }

func (p *Publisher) some(ctx context.Context, wanted func(Part, *held, time.Time) bool) ([]Published, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	parts, err := p.all(ctx)
	if err != nil {
		return nil, err
	}
	var jobs []job
	for _, part := range parts {
		if h := inPlace(p.file(part.Shard)); wanted(part, h, p.parts.Clock.Now()) {
			jobs = append(jobs, job{shard: part.Shard, before: h})
		}
	}
	var out []Published
	var errs []error
	for some := range slices.Chunk(jobs, actSize) {
		if err := p.number(ctx, some); err != nil {
			return out, errors.Join(append(errs, err)...) // it would be the same for the others
		}
		for _, j := range some {
			one, err := p.publish(ctx, j)
			if err != nil {
				errs = append(errs, err)
				continue
			}
			out = append(out, one)
		}
	}
	return out, errors.Join(errs...)
}

// job is one list on its way.
type job struct {
	shard  int
	before *held // what lies in the folder, nil for nothing
	now    time.Time
	number Number
}

// actSize is how many lists take their numbers in one act.
const actSize = 64

// number gives the lists their numbers and their time. A list that then does not
// come into place is due again: the one in the folder does not have its number.
func (p *Publisher) number(ctx context.Context, jobs []job) error {
	now := p.parts.Clock.Now().UTC().Truncate(time.Second)
	return p.parts.Atomically(ctx, func(ctx context.Context) error {
		for i := range jobs {
			n, err := p.parts.Store.NextNumber(ctx, p.id, jobs[i].shard, now)
			if err != nil {
				return err
			}
			if err := forwards(now, n); err != nil {
				return err
			}
			jobs[i].now, jobs[i].number = now, n
		}
		return nil
	})
}

// all are the parts on record; those of the configuration are put there first.
func (p *Publisher) all(ctx context.Context) ([]Part, error) {
	if !p.kept {
		err := p.parts.Atomically(ctx, func(ctx context.Context) error { return p.parts.Store.Keep(ctx, p.id, p.parts.Shards) })
		if err != nil {
			return nil, err
		}
		p.kept = true
	}
	return p.parts.Store.Parts(ctx, p.id)
}

// held is the list that lies in the folder.
type held struct {
	number     int64
	this, next time.Time
}

// inPlace reads the list in a file; nil when there is none that can be read.
func inPlace(file string) *held {
	f, err := crl.OpenFile(file)
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }() // read only
	if f.Head.Number == nil || !f.Head.Number.IsInt64() {
		return nil
	}
	return &held{number: f.Head.Number.Int64(), this: f.Head.ThisUpdate, next: f.Head.NextUpdate}
}

func (p *Publisher) publish(ctx context.Context, j job) (Published, error) {
	since := j.number.Last // an entry appears once more after its certificate's end
	if j.before != nil && j.before.this.Before(since) {
		since = j.before.this // the list before this one never came into place
	}
	if since.IsZero() || since.After(j.now) {
		since = j.now
	}
	l := List{
		Issuer: p.parts.Issuer, Signer: p.parts.Signer, Number: j.number.Number,
		ThisUpdate: j.now, NextUpdate: j.now.Add(p.parts.Life), Point: p.parts.URLs.Shard(j.shard),
	}
	file := p.file(j.shard)
	n, err := l.publish(p.parts.Rand, file, listed(ctx, p.parts.Store, p.id, j.shard, since))
	return Published{Shard: j.shard, Path: file, Number: l.Number, Entries: n, NextUpdate: l.NextUpdate}, err
}

// forwards refuses a list that would be older than the one before it.
func forwards(now time.Time, n Number) error {
	last := n.Last
	if t := n.Newest.Add(-spread); t.After(last) {
		last = t
	}
	if now.Before(last) {
		return words.Refuse("CSE-942").Because(fmt.Errorf("it is %s, the last list is of %s", now.Format(time.RFC3339), last.Format(time.RFC3339)))
	}
	return nil
}

// Late is how long a change may wait for its list: what the activation's receipt
// promises, lists' own life aside.
const Late = 10 * time.Minute

// State is how one part of the list stands.
type State struct {
	Shard int
	// File is where the list lies; Number, This and Next are zero while it is missing
	// or broken.
	File       string
	Number     int64
	This, Next time.Time
	// Waiting is how many changes no list has yet.
	Waiting int
	// Late tells that the part should have another list by now: something keeps
	// Refresh from its work.
	Late bool
}

// States tells how all parts stand.
func (p *Publisher) States(ctx context.Context) ([]State, error) {
	parts, err := p.parts.Store.Parts(ctx, p.id)
	if err != nil {
		return nil, err
	}
	now := p.parts.Clock.Now()
	out := make([]State, len(parts))
	for i, part := range parts {
		s := State{Shard: part.Shard, File: p.file(part.Shard), Waiting: part.Waiting, Late: true}
		if h := inPlace(s.File); h != nil {
			s.Number, s.This, s.Next = h.number, h.this, h.next
			s.Late = !now.Before(h.this.Add(h.next.Sub(h.this)*3/4)) || part.Waiting > 0 && !now.Before(part.Since.Add(Late)) && !now.Before(h.this.Add(Late))
		}
		out[i] = s
	}
	return out, nil
}
