package presigned

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"cse.example/cse/pki/status"
)

// idSize is the length of a base's name.
const idSize = 16

// begin has a base made. Whatever moves from here on stays in the delta.
func (p *Publisher) begin(ctx context.Context, all bool) error {
	place, err := p.parts.Changes.Place(ctx)
	if err != nil {
		return fmt.Errorf("presigned: %w", err)
	}
	if p.base == nil {
		p.place = place
	}
	old := ""
	if p.base != nil && !all {
		old = p.base.ID
	}
	about := p.about(p.parts.Responder.Letterhead().Width)
	about.ID, about.Place = p.name(), place
	p.making = make(chan made, 1)
	go func(done chan<- made) {
		a, err := p.make(ctx, about, old)
		done <- made{a, err}
	}(p.making)
	return nil
}

// finish takes a base that was made. Who serves needs a while to read a great one,
// and follows the deltas of the old one meanwhile: so it takes over later.
func (p *Publisher) finish(m made) error {
	p.making = nil
	now := p.parts.Clock.Now()
	if m.err != nil {
		p.pause = now.Add(againAfter)
		return fmt.Errorf("presigned: base of %s: %w", p.parts.Label, m.err)
	}
	p.next, p.over = m.about, now
	if p.base != nil {
		p.over = now.Add(2*time.Second + time.Duration(m.about.Records)*readOne)
	}
	return nil
}

// readOne is how long a slow machine takes to read and verify one record.
const readOne = 10 * time.Microsecond

// change makes the next delta one of the new base: of what moved since that was
// begun.
func (p *Publisher) change() {
	p.old = "-"
	if p.base != nil {
		p.old = p.base.ID
	}
	p.base, p.next = p.next, nil
	for serial, e := range p.delta {
		if e.place < p.base.Place {
			delete(p.delta, serial)
		}
	}
	p.dirty, p.written = true, time.Time{}
}

// make writes a base: answers of the old one as long as they are right and have
// two thirds of their life before them, new ones for the rest.
func (p *Publisher) make(ctx context.Context, about About, old string) (*About, error) {
	from := &source{}
	if old != "" {
		f, err := openPath(basePath(p.parts.Dir, p.parts.Label, old))
		if err != nil {
			return nil, err
		}
		defer f.Close()
		from = &source{scan: f.Scan(), file: f.File}
	}
	var h heads
	if _, err := h.number(p.parts.Responder.Letterhead()); err != nil {
		return nil, err
	}
	if from.file != nil {
		for _, l := range from.file.heads {
			if about.Made.After(l.Cert.NotAfter) {
				continue // and so are all its answers
			}
			if _, err := h.number(l); err != nil {
				return nil, err
			}
		}
	}
	about.Responders = h.ders
	var out About
	err := Replace(basePath(p.parts.Dir, p.parts.Label, about.ID), func(file io.Writer) (err error) {
		w := NewWriter(file, about)
		if err := p.walk(ctx, from, &h, w); err != nil {
			return err
		}
		out, err = w.Close()
		return err
	})
	return &out, err
}

// walk adds every certificate to w.
func (p *Publisher) walk(ctx context.Context, from *source, h *heads, w *Writer) error {
	for after := ""; ; {
		page, err := p.parts.Changes.Known(ctx, p.parts.Responder.IssuerID(), after, p.parts.Clock.Now(), knownPage)
		if err != nil {
			return err
		}
		rs := make([]status.Record, len(page))
		var fresh []int
		for i, c := range page {
			serial, ok := status.SerialFrom(c.Serial)
			if !ok {
				return fmt.Errorf("presigned: serial number %q", c.Serial)
			}
			rs[i].Serial = serial
			kept, err := from.seek(serial)
			if err != nil {
				return err
			}
			if kept == nil || !kept.Says(c.Standing) || len(kept.Signatures) != 2*w.about.Width || !p.lasts(kept) {
				fresh = append(fresh, i)
				continue
			}
			rs[i] = *kept
			rs[i].Signatures = bytes.Clone(kept.Signatures)
			if rs[i].Head, err = h.number(from.file.Head(kept)); err != nil {
				return err
			}
		}
		if err := p.signAll(page, rs, fresh, h); err != nil {
			return err
		}
		for i := range rs {
			if err := w.Add(&rs[i]); err != nil {
				return err
			}
		}
		if len(page) < knownPage {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		after = page[len(page)-1].Serial
	}
}

// lasts tells whether two thirds of an answer's life are to come.
func (p *Publisher) lasts(r *status.Record) bool {
	now := p.parts.Clock.Now()
	return r.Valid(now) && time.Unix(int64(r.Next), 0).Sub(now) > p.parts.Life*2/3
}

// signAll signs the records named in which.
func (p *Publisher) signAll(page []status.Change, rs []status.Record, which []int, h *heads) error {
	var group sync.WaitGroup
	errs := make([]error, p.parts.Workers)
	for n := range p.parts.Workers {
		group.Go(func() {
			for j := n; j < len(which) && errs[n] == nil; j += p.parts.Workers {
				i := which[j]
				r, head, err := p.parts.Responder.Presign(rs[i].Serial, page[i].Standing, p.parts.Life)
				if err == nil && !bytes.Equal(head.Cert.Raw, h.all[0].Cert.Raw) {
					err = errors.New("the responder was renewed meanwhile")
				}
				rs[i], errs[n] = r, err // Head 0 is the present responder's
			}
		})
	}
	group.Wait()
	return errors.Join(errs...)
}

// source is the old base, read along.
type source struct {
	file    *File
	scan    *Scanner
	current *status.Record
	over    bool
}

// seek steps to a serial number, nil when there is none. Ask in order.
func (s *source) seek(serial [status.SerialSize]byte) (*status.Record, error) {
	if s.scan == nil {
		return nil, nil
	}
	for !s.over && (s.current == nil || bytes.Compare(s.current.Serial[:], serial[:]) < 0) {
		more, err := s.scan.Next()
		if err != nil {
			return nil, err
		}
		s.over, s.current = !more, &s.scan.Record
	}
	if s.over || s.current.Serial != serial {
		return nil, nil
	}
	return s.current, nil
}

// onDisk is a File and what it is read from.
type onDisk struct {
	*File
	io.Closer
}

func openPath(path string) (*onDisk, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("presigned: %w", err)
	}
	st, err := f.Stat()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("presigned: %w", err), f.Close())
	}
	file, err := Open(f, st.Size(), path)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &onDisk{file, f}, nil
}
