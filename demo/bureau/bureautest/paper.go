package bureautest

import (
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"testing"

	"cse.example/cse/demo/bureau"
	"cse.example/cse/ground/civil"
	"cse.example/cse/issuer/production/exchange"
	"cse.example/cse/pki/ca/catest"
)

// Paper is a bureau that makes no chip: it answers the plant's files with keys
// that nobody can use, a millisecond each, and remembers the PIN and PUK that a
// chip would hold. For tests that need many cards and none of them in a reader.
type Paper struct {
	T        testing.TB
	Identity *bureau.Identity
	// Issuer signs the issuer's files.
	Issuer *ecdsa.PublicKey
	Folder exchange.Folder
	Clock  civil.Clock
	// Jobs are the orders by card, as the chips would have them.
	Jobs map[string]exchange.Job
}

// Work does what can be done now; spoil, when given, tells which finished card fails.
func (b *Paper) Work(spoil func(card string) bool) error {
	orders, err := b.Folder.List(exchange.Order)
	if err != nil {
		return err
	}
	for _, batch := range orders {
		if err := b.batch(batch, spoil); err != nil {
			return fmt.Errorf("paper bureau: batch %s: %w", batch, err)
		}
	}
	return nil
}

func (b *Paper) batch(batch string, spoil func(card string) bool) error {
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
		if r.Refused != "" || spoil != nil && spoil(r.Card) {
			out.Outcome = exchange.Spoiled
		}
		receipt = append(receipt, out)
	}
	return b.send(batch, exchange.Receipt, receipt)
}

func (b *Paper) sent(batch string, kind exchange.Kind) bool {
	_, err := b.Folder.Read(exchange.Name(batch, kind))
	return err == nil
}

func (b *Paper) read(batch string, kind exchange.Kind) (exchange.File, error) {
	raw, err := b.Folder.Read(exchange.Name(batch, kind))
	if err != nil {
		return exchange.File{}, err
	}
	return exchange.Read(raw, b.Issuer, kind, batch)
}

func (b *Paper) chip(batch string, r exchange.Record) (exchange.Record, error) {
	content, err := exchange.Open(b.Identity.Open, exchange.Order, batch, r.Card, r.Sealed)
	if err != nil {
		return exchange.Record{}, err
	}
	job, err := exchange.DecodeJob(content)
	if err != nil {
		return exchange.Record{}, err
	}
	if b.Jobs == nil {
		b.Jobs = map[string]exchange.Job{}
	}
	b.Jobs[r.Card] = job
	if !job.Chip {
		return exchange.Record{Card: r.Card}, nil
	}
	der, err := x509.MarshalPKIXPublicKey(catest.Key(b.T))
	return exchange.Record{Card: r.Card, SPKI: der}, err
}

func (b *Paper) send(batch string, kind exchange.Kind, records []exchange.Record) error {
	body, err := exchange.Body(exchange.Header{Kind: kind, Batch: batch, Created: b.Clock.Now()}, records)
	if err != nil {
		return err
	}
	sig, err := exchange.Sign(rand.Reader, b.Identity.Signer, body)
	if err != nil {
		return err
	}
	return b.Folder.Write(exchange.Name(batch, kind), exchange.Join(body, sig))
}
