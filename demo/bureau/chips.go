package bureau

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"sync"

	"cse.example/cse/card/chip"
	"cse.example/cse/card/cns"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/production"
	"cse.example/cse/issuer/production/exchange"
)

// makeChips makes the chip of every card of the order and answers with their
// keys. RSA keys are the slow part, so all processors work.
func (b *Bureau) makeChips(ctx context.Context, own exchange.Folder, order exchange.File) error {
	keys := make([]exchange.Record, len(order.Items))
	err := b.everyCard(ctx, "chips", len(order.Items), func(n int) error {
		r := order.Items[n]
		job, err := b.job(order.Batch, r)
		if err != nil {
			return err
		}
		defer job.Wipe()
		keys[n].Card = r.Card
		if !job.Chip {
			return nil
		}
		keys[n].SPKI, err = b.makeChip(unfinished(own, r.Card), job)
		return err
	})
	if err != nil {
		return err
	}
	return b.answer(own, order.Batch, exchange.Keys, keys)
}

func unfinished(own exchange.Folder, card string) string {
	return filepath.Join(string(own), filepath.Base(card)+".chip")
}

func (b *Bureau) job(batch string, r exchange.Record) (exchange.Job, error) {
	content, err := exchange.Open(b.Identity.Open, exchange.Order, batch, r.Card, r.Sealed)
	if err != nil {
		return exchange.Job{}, err
	}
	defer clear(content)
	job, err := exchange.DecodeJob(content)
	if err == nil && job.Card != r.Card {
		err = errors.New("the record is of another card")
	}
	if err != nil {
		return exchange.Job{}, words.Refuse("CSE-177", exchange.Order).Because(fmt.Errorf("card %s: %w", r.Card, err))
	}
	return job, nil
}

// makeChip makes a chip and gives its public key. A chip that a killed run saved
// has all its data: it is taken as it is.
func (b *Bureau) makeChip(path string, job exchange.Job) ([]byte, error) {
	if key, ok, err := keyOf(path); err != nil || ok {
		return key, err
	}
	c, err := chip.Create(path, b.Profile)
	if err != nil {
		return nil, err
	}
	key, err := b.personalise(c, job)
	if err != nil {
		// Close may save a half-made chip: it must not be found again.
		return nil, errors.Join(err, c.Close(), os.Remove(path))
	}
	if err := c.Close(); err != nil {
		return nil, err
	}
	return x509.MarshalPKIXPublicKey(key)
}

func (b *Bureau) personalise(c *chip.Chip, job exchange.Job) (*rsa.PublicKey, error) {
	key, err := c.GenerateKey(b.Rand)
	if err != nil {
		return nil, err
	}
	if err := c.WriteIdentity(cns.CardID(job.Card), job.PersonalData, nil); err != nil {
		return nil, err
	}
	if err := c.SetCodes(job.PIN, job.PUK); err != nil {
		return nil, err
	}
	if job.IssuerKey.Len() > 0 {
		if err := c.SetIssuerKey(job.IssuerKey); err != nil {
			return nil, err
		}
	}
	return key, c.Save()
}

// keyOf is the public key of a chip already made; false when there is none, or
// none that can be used: then it is taken away.
func keyOf(path string) ([]byte, bool, error) {
	c, err := chip.OpenReadOnly(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, os.Remove(path)
	}
	key, ok := c.PublicKey()
	if err := c.Close(); err != nil {
		return nil, false, err
	}
	if !ok {
		return nil, false, os.Remove(path)
	}
	der, err := x509.MarshalPKIXPublicKey(key)
	return der, true, err
}

// finishCards writes the certificates, finishes and prints the cards, and leaves
// the receipt; then the batch's folder keeps the receipt only.
func (b *Bureau) finishCards(ctx context.Context, own exchange.Folder, order, certs exchange.File) error {
	jobs := make(map[string]exchange.Record, len(order.Items))
	for _, r := range order.Items {
		jobs[r.Card] = r
	}
	if len(certs.Items) != len(order.Items) {
		return words.Refuse("CSE-173", order.Batch)
	}
	receipt := make([]exchange.Record, len(certs.Items))
	err := b.everyCard(ctx, "cards", len(certs.Items), func(n int) error {
		r, ok := jobs[certs.Items[n].Card]
		if !ok {
			return words.Refuse("CSE-179", certs.Items[n].Card, order.Batch)
		}
		why, err := b.finishCard(own, order.Batch, r, certs.Items[n])
		receipt[n] = exchange.Record{Card: r.Card, Outcome: exchange.Made}
		if why != "" {
			receipt[n].Outcome, receipt[n].Reason = exchange.Spoiled, why
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := b.answer(own, order.Batch, exchange.Receipt, receipt); err != nil {
		return err
	}
	for _, r := range order.Items {
		for _, leftover := range []string{unfinished(own, r.Card), unfinished(own, r.Card) + ".lock"} {
			if err := os.Remove(leftover); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("bureau: %w", err)
			}
		}
	}
	return nil
}

// finishCard makes one card ready; why says that it was spoiled instead.
func (b *Bureau) finishCard(own exchange.Folder, batch string, r, cert exchange.Record) (why string, err error) {
	job, err := b.job(batch, r)
	if err != nil {
		return "", err
	}
	defer job.Wipe()
	if cert.Refused != "" {
		return cert.Refused, nil // the chip goes with the leftovers
	}
	if b.Spoil(r.Card) {
		return "spoiled", nil
	}
	if job.Chip {
		der, err := exchange.Open(b.Identity.Open, exchange.Certificates, batch, r.Card, cert.Sealed)
		if err != nil {
			return "", err
		}
		if err := b.finishChip(unfinished(own, r.Card), b.CardFile(r.Card), der); err != nil {
			return "", err
		}
	}
	faces, err := production.ParseFaces(job.Faces)
	if err != nil {
		return "", err
	}
	return "", b.Print(r.Card, faces)
}

// finishChip writes the certificate and moves the chip to the finished cards.
func (b *Bureau) finishChip(from, to string, certificate []byte) error {
	c, err := chip.Open(from)
	if errors.Is(err, fs.ErrNotExist) {
		if _, there := os.Stat(to); there == nil {
			return nil // a killed run finished it
		}
	}
	if err != nil {
		return err
	}
	if !c.Operational() {
		if err := c.WriteFile(cns.EFCCarta, certificate); err != nil {
			return errors.Join(err, c.Close())
		}
		if err := c.Finish(); err != nil {
			return errors.Join(err, c.Close())
		}
	}
	if err := c.Close(); err != nil {
		return err
	}
	if err := os.Rename(from, to); err != nil {
		return fmt.Errorf("bureau: %w", err)
	}
	return nil
}

// everyCard runs do for 0..n-1 on all processors; the first error stops it.
func (b *Bureau) everyCard(ctx context.Context, step string, n int, do func(n int) error) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	next := make(chan int)
	var (
		wg   sync.WaitGroup
		mu   sync.Mutex
		done int
	)
	for range min(n, runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for i := range next {
				if err := do(i); err != nil {
					cancel(err)
					continue
				}
				mu.Lock()
				done++
				b.Progress(step, done, n)
				mu.Unlock()
			}
		})
	}
	for i := range n {
		select {
		case next <- i:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
	}
	close(next)
	wg.Wait()
	return context.Cause(ctx)
}
