package model

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"testing"

	"cse.example/cse/demo/bureau"
	"cse.example/cse/ground/civil"
	"cse.example/cse/issuer/production/exchange"
	"cse.example/cse/pki/ca/catest"
)

// office is the bureau: it answers the plant's files with keys that nobody can use: no chip is
// made. It remembers the PIN and PUK that a chip would hold, as the chip would.
type rsaKey = rsa.PublicKey

type office struct {
	t        testing.TB
	identity *bureau.Identity
	issuer   *ecdsa.PublicKey
	folder   exchange.Folder
	clock    civil.Clock
	keys     map[string]*rsaKey
	jobs     map[string]exchange.Job
}

// work does what can be done now; spoil tells which finished card fails.
func (b *office) work(spoil func(card string) bool) error {
	orders, err := b.folder.List(exchange.Order)
	if err != nil {
		return err
	}
	for _, batch := range orders {
		if err := b.batch(batch, spoil); err != nil {
			return fmt.Errorf("bureau: batch %s: %w", batch, err)
		}
	}
	return nil
}

func (b *office) batch(batch string, spoil func(card string) bool) error {
	order, err := b.read(batch, exchange.Order)
	if err != nil {
		return err
	}
	if !b.sent(batch, exchange.Keys) {
		var keys []exchange.Record
		for _, r := range order.Items {
			k, err := b.chip(batch, r)
			if err != nil {
				return err
			}
			keys = append(keys, k)
		}
		if err := b.send(batch, exchange.Keys, keys); err != nil {
			return err
		}
	}
	if !b.sent(batch, exchange.Certificates) || b.sent(batch, exchange.Receipt) {
		return nil
	}
	certificates, err := b.read(batch, exchange.Certificates)
	if err != nil {
		return err
	}
	var receipt []exchange.Record
	for _, r := range certificates.Items {
		out := exchange.Record{Card: r.Card, Outcome: exchange.Made}
		if r.Refused != "" || spoil(r.Card) {
			out.Outcome = exchange.Spoiled
		}
		receipt = append(receipt, out)
	}
	return b.send(batch, exchange.Receipt, receipt)
}

func (b *office) sent(batch string, kind exchange.Kind) bool {
	_, err := b.folder.Read(exchange.Name(batch, kind))
	return err == nil
}

func (b *office) read(batch string, kind exchange.Kind) (exchange.File, error) {
	raw, err := b.folder.Read(exchange.Name(batch, kind))
	if err != nil {
		return exchange.File{}, err
	}
	return exchange.Read(raw, b.issuer, kind, batch)
}

func (b *office) chip(batch string, r exchange.Record) (exchange.Record, error) {
	content, err := exchange.Open(b.identity.Open, exchange.Order, batch, r.Card, r.Sealed)
	if err != nil {
		return exchange.Record{}, err
	}
	job, err := exchange.DecodeJob(content)
	if err != nil {
		return exchange.Record{}, err
	}
	b.jobs[r.Card] = job
	if !job.Chip {
		return exchange.Record{Card: r.Card}, nil
	}
	b.keys[r.Card] = catest.Key(b.t)
	der, err := x509.MarshalPKIXPublicKey(b.keys[r.Card])
	return exchange.Record{Card: r.Card, SPKI: der}, err
}

func (b *office) send(batch string, kind exchange.Kind, records []exchange.Record) error {
	body, err := exchange.Body(exchange.Header{Kind: kind, Batch: batch, Created: b.clock.Now()}, records)
	if err != nil {
		return err
	}
	sig, err := exchange.Sign(rand.Reader, b.identity.Signer, body)
	if err != nil {
		return err
	}
	return b.folder.Write(exchange.Name(batch, kind), exchange.Join(body, sig))
}
