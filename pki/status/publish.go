package status

import (
	"bufio"
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/pki/profile"
)

// PublisherParts are what a Publisher is made of; all but Life are required.
type PublisherParts struct {
	Issuer     *x509.Certificate
	Signer     crypto.Signer
	Store      Store
	Atomically func(ctx context.Context, act func(ctx context.Context) error) error
	Clock      civil.Clock
	Rand       io.Reader
	// Dir is where the lists appear, under the last element of their addresses:
	// issuing-0.crl, …
	Dir string
	// URLs are those of the certificates; Shards the number of parts (0 means 1).
	URLs   profile.URLs
	Shards int
	// Life is nextUpdate - thisUpdate; 24 hours when zero.
	Life time.Duration
}

// Publisher writes an issuer's lists. One process publishes into one folder.
type Publisher struct {
	parts PublisherParts
	mu    sync.Mutex
}

// Published is a list that was put in place.
type Published struct {
	Path       string
	Number     int64
	Entries    int
	NextUpdate time.Time
}

// NewPublisher refuses missing parts and makes the folder.
func NewPublisher(p PublisherParts) (*Publisher, error) {
	if p.Issuer == nil || p.Signer == nil || p.Store == nil || p.Atomically == nil || p.Clock == nil || p.Rand == nil || p.Dir == "" || p.URLs.CRL == "" {
		return nil, ErrPart
	}
	if p.Life == 0 {
		p.Life = 24 * time.Hour
	}
	p.Shards = max(p.Shards, 1)
	if err := os.MkdirAll(p.Dir, 0o755); err != nil {
		return nil, fmt.Errorf("status: %w", err)
	}
	return &Publisher{parts: p}, nil
}

// FileCRL is the file of one part of the first authority's list, the last element
// of its address; profile.URLs.FileCRL is that of any.
func FileCRL(shard int) string { return profile.URLsAt("").FileCRL(shard) }

// FileRootCRL is the file of the root's list.
const FileRootCRL = "root.crl"

// Publish writes a new list for every part. Do not call it inside an act: it
// signs, and writes files.
func (p *Publisher) Publish(ctx context.Context) ([]Published, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var out []Published
	for shard := range p.parts.Shards {
		one, err := p.publish(ctx, shard)
		if err != nil {
			return out, fmt.Errorf("status: CRL part %d: %w", shard, err)
		}
		out = append(out, one)
	}
	return out, nil
}

func (p *Publisher) publish(ctx context.Context, shard int) (Published, error) {
	now := p.parts.Clock.Now().UTC().Truncate(time.Second)
	issuer := fmt.Sprintf("%x", p.parts.Issuer.SubjectKeyId)
	var number Number
	err := p.parts.Atomically(ctx, func(ctx context.Context) (err error) {
		number, err = p.parts.Store.NextNumber(ctx, issuer, shard, now)
		return err
	})
	if err != nil {
		return Published{}, err
	}
	since := number.Last // an entry appears once more after its certificate's end
	if since.IsZero() || since.After(now) {
		since = now
	}
	l := List{
		Issuer: p.parts.Issuer, Signer: p.parts.Signer, Number: number.Number,
		ThisUpdate: now, NextUpdate: now.Add(p.parts.Life), Point: p.parts.URLs.Shard(shard),
	}
	path := filepath.Join(p.parts.Dir, p.parts.URLs.FileCRL(shard))
	n, err := l.publish(p.parts.Rand, path, listed(ctx, p.parts.Store, issuer, shard, since))
	return Published{Path: path, Number: l.Number, Entries: n, NextUpdate: l.NextUpdate}, err
}

// PublishRoot writes the root's list, which has no entry: the issuing authority
// stands. The number is the second of thisUpdate, which a root kept off line
// can count without a store. life is nextUpdate - thisUpdate. The list names no
// distribution point: it is whole, and the root's own certificate, which a
// strict checker looks up too, carries none.
func PublishRoot(root *x509.Certificate, key crypto.Signer, clock civil.Clock, rand io.Reader, dir string, life time.Duration) (Published, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return Published{}, fmt.Errorf("status: %w", err)
	}
	now := clock.Now().UTC().Truncate(time.Second)
	l := List{
		Issuer: root, Signer: key, Number: now.Unix(), ThisUpdate: now, NextUpdate: now.Add(life),
		Authorities: true,
	}
	path := filepath.Join(dir, FileRootCRL)
	n, err := l.publish(rand, path, noEntries)
	return Published{Path: path, Number: l.Number, Entries: n, NextUpdate: l.NextUpdate}, err
}

// publish writes the list beside path and renames it into place.
func (l List) publish(rand io.Reader, path string, entries func(func(Entry) error) error) (n int, err error) {
	dir := filepath.Dir(path)
	spool, err := os.CreateTemp(dir, ".entries-*")
	if err != nil {
		return 0, fmt.Errorf("status: %w", err)
	}
	defer func() { err = errors.Join(err, spool.Close(), os.Remove(spool.Name())) }()
	tmp, err := os.CreateTemp(dir, ".crl-*")
	if err != nil {
		return 0, fmt.Errorf("status: %w", err)
	}
	w := bufio.NewWriterSize(tmp, 64<<10)
	n, werr := l.Write(rand, w, spool, entries)
	werr = errors.Join(werr, w.Flush(), tmp.Chmod(0o644), tmp.Sync(), tmp.Close())
	if werr == nil {
		werr = os.Rename(tmp.Name(), path)
	}
	if werr != nil {
		return 0, errors.Join(werr, os.Remove(tmp.Name()))
	}
	return n, nil
}
