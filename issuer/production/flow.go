package production

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"

	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/production/exchange"
)

// Advance takes a batch as far as it goes without the bureau and gives it back:
// the order file is written, the keys file accepted and certified, the
// certificates file written, the receipt reconciled and the files destroyed. A
// batch that waits for the bureau comes back as it was. Errors that the bureau's
// files cause are faults and change nothing.
func (p *Plant) Advance(ctx context.Context, id string) (Batch, error) {
	b, err := p.batch(ctx, id)
	if err != nil {
		return b, err
	}
	for {
		var next Batch
		switch b.State {
		case Filled:
			next, err = p.toKeyed(ctx, b)
		case Keyed:
			next, err = p.toCertified(ctx, b)
		case Certified:
			next, err = p.toReceived(ctx, b)
		case Received, Sent:
			return b, p.destroyFiles(b) // again, should a kill have left some
		default:
			return b, wrongStep(b)
		}
		if err != nil || next.State == b.State {
			return next, err
		}
		b = next
	}
}

// batch reads a batch; the fault for one that does not exist is CSE-175.
func (p *Plant) batch(ctx context.Context, id string) (Batch, error) {
	b, err := p.Batches.Get(ctx, id)
	if errors.Is(err, ErrUnknown) {
		return b, words.Refuse("CSE-175", id).Because(err)
	}
	return b, err
}

// AdvanceAll advances every batch that is not finished, the oldest first, and
// fills new ones from the cards that wait. It gives back the open batches. One
// batch's fault does not hold up the others.
func (p *Plant) AdvanceAll(ctx context.Context) ([]Batch, error) {
	for {
		if _, ok, err := p.Fill(ctx); err != nil {
			return nil, err
		} else if !ok {
			break
		}
	}
	open, err := p.Batches.List(ctx, true)
	if err != nil {
		return nil, err
	}
	var faults []error
	for i, b := range open {
		next, err := p.Advance(ctx, b.ID)
		if err == nil {
			open[i] = next
			continue
		}
		if words.FaultOf(err) == nil {
			return open, err
		}
		faults = append(faults, err)
	}
	return open, errors.Join(faults...)
}

// put writes what is to be remembered of b, in an act, with a journal entry.
func (p *Plant) put(ctx context.Context, b Batch, act string) (Batch, error) {
	next := b
	err := p.Atomically(ctx, func(ctx context.Context) error {
		var err error
		if next, err = p.Batches.Put(ctx, b); err != nil || act == "" {
			return err
		}
		return p.Record(ctx, journal.Entry{Act: act, Actor: actor, Detail: map[string]string{
			"batch": b.ID, "cards": count(b.Cards), "chips": count(b.Chips), "made": count(b.Made), "spoiled": count(b.Spoiled),
		}})
	})
	if err != nil {
		return b, err
	}
	return next, nil
}

// issue writes a file of ours: the signature is kept first, so that the same
// bytes can be written again; a file already there as it should be is left.
func (p *Plant) issue(ctx context.Context, b Batch, kind exchange.Kind, kept func(*Batch) *[]byte, records []exchange.Record) (Batch, error) {
	body, err := exchange.Body(exchange.Header{Kind: kind, Batch: b.ID, Created: b.CreatedAt}, records)
	if err != nil {
		return b, err
	}
	if len(*kept(&b)) == 0 {
		next := b
		if *kept(&next), err = exchange.Sign(p.Rand, p.Signer, body); err != nil {
			return b, err
		}
		if b, err = p.put(ctx, next, "batch."+string(kind)); err != nil {
			return b, err
		}
	}
	file, name := exchange.Join(body, *kept(&b)), exchange.Name(b.ID, kind)
	if there, err := p.Files.Read(name); err == nil && bytes.Equal(there, file) {
		return b, nil
	}
	return b, p.Files.Write(name, file)
}

// receive reads a file of the bureau's, checks it and pins it: from then on only
// this very content is accepted for the batch (CSE-172). there is false while
// the file has not come.
func (p *Plant) receive(ctx context.Context, b Batch, kind exchange.Kind, pin func(*Batch) *[]byte, items map[string]Item) (_ Batch, f exchange.File, there bool, err error) {
	raw, err := p.Files.Read(exchange.Name(b.ID, kind))
	if errors.Is(err, fs.ErrNotExist) {
		return b, f, false, nil
	}
	if err != nil {
		return b, f, false, err
	}
	if f, err = exchange.Read(raw, p.Bureau.Signer, kind, b.ID); err != nil {
		return b, f, false, err
	}
	if pinned := *pin(&b); len(pinned) > 0 {
		if !bytes.Equal(pinned, f.Sum[:]) {
			return b, f, false, words.Refuse("CSE-172", kind, b.ID)
		}
		return b, f, true, nil
	}
	if err := balance(b, f, items); err != nil {
		return b, f, false, err
	}
	next := b
	*pin(&next) = f.Sum[:]
	b, err = p.put(ctx, next, "")
	return b, f, err == nil, err
}

// balance refuses a file that does not speak of exactly the batch's cards.
func balance(b Batch, f exchange.File, items map[string]Item) error {
	if len(f.Items) != b.Cards || len(items) != b.Cards {
		return words.Refuse("CSE-173", b.ID).Because(fmt.Errorf("%d cards in the file, %d in the batch", len(f.Items), b.Cards))
	}
	for _, r := range f.Items {
		item, ok := items[r.Card]
		if !ok {
			return words.Refuse("CSE-179", r.Card, b.ID)
		}
		var why error
		switch {
		case f.Kind == exchange.Keys && item.Chip != (len(r.SPKI) > 0):
			why = errors.New("a chip and no key, or a key and no chip")
		case f.Kind == exchange.Receipt && r.Outcome != exchange.Made && r.Outcome != exchange.Spoiled:
			why = fmt.Errorf("outcome %q", r.Outcome)
		case f.Kind == exchange.Receipt && r.Outcome == exchange.Made && item.Refused != "":
			why = errors.New("made, though it has no certificate")
		}
		if why != nil {
			return words.Refuse("CSE-173", b.ID).Because(fmt.Errorf("card %s: %w", r.Card, why))
		}
	}
	return nil
}

// items are all the items of a batch, in the order of their card numbers.
func (p *Plant) items(ctx context.Context, b Batch) (list []Item, byCard map[string]Item, err error) {
	byCard = make(map[string]Item, b.Cards)
	for after := ""; ; {
		page, err := p.Batches.Items(ctx, b.ID, after, 500)
		if err != nil {
			return nil, nil, err
		}
		if len(page) == 0 {
			return list, byCard, nil
		}
		for _, i := range page {
			byCard[i.Card] = i
		}
		list = append(list, page...)
		after = page[len(page)-1].Card
	}
}

// inActs runs step over items, actSize of them in one act, and tells progress.
func (p *Plant) inActs(ctx context.Context, name string, items []Item, step func(ctx context.Context, i Item) error) error {
	for from := 0; from < len(items); from += actSize {
		some := items[from:min(from+actSize, len(items))]
		err := p.Atomically(ctx, func(ctx context.Context) error {
			for _, i := range some {
				if err := step(ctx, i); err != nil {
					return fmt.Errorf("card %s: %w", i.Card, err)
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
		p.progress(name, from+len(some), len(items))
	}
	return nil
}

// destroyFiles removes the batch's four files.
func (p *Plant) destroyFiles(b Batch) error {
	for _, k := range []exchange.Kind{exchange.Order, exchange.Keys, exchange.Certificates, exchange.Receipt} {
		if err := p.Files.Remove(exchange.Name(b.ID, k)); err != nil {
			return err
		}
	}
	return nil
}
