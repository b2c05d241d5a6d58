package production

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/production/exchange"
	"cse.example/cse/pki/ca"
)

// toKeyed writes the order file and takes the keys file, once it is there.
func (p *Plant) toKeyed(ctx context.Context, b Batch) (Batch, error) {
	list, byCard, err := p.items(ctx, b)
	if err != nil {
		return b, err
	}
	records := make([]exchange.Record, len(list))
	for n, i := range list {
		records[n] = exchange.Record{Card: i.Card, Sealed: i.Job}
	}
	if b, err = p.issue(ctx, b, exchange.Order, func(b *Batch) *[]byte { return &b.OrderSignature }, records); err != nil {
		return b, err
	}
	b, f, there, err := p.receive(ctx, b, exchange.Keys, func(b *Batch) *[]byte { return &b.KeysSum }, byCard)
	if err != nil || !there {
		return b, err
	}
	var keyed []Item
	for _, r := range f.Items {
		if i := byCard[r.Card]; i.Chip && len(i.SPKI) == 0 {
			i.SPKI = r.SPKI
			keyed = append(keyed, i)
		}
	}
	if err := p.inActs(ctx, "keys", keyed, p.Batches.PutItem); err != nil {
		return b, err
	}
	b.State = Keyed
	return p.put(ctx, b, "batch.keys")
}

// toCertified has a certificate issued for every chip that has none yet. The
// authority gives the same certificate again for the same card and key, so a
// kill between issue and act costs nothing.
func (p *Plant) toCertified(ctx context.Context, b Batch) (Batch, error) {
	list, _, err := p.items(ctx, b)
	if err != nil {
		return b, err
	}
	var todo []Item
	for _, i := range list {
		if i.Chip && len(i.Certificate) == 0 && i.Refused == "" {
			todo = append(todo, i)
		}
	}
	for from := 0; from < len(todo); from += actSize {
		if err := p.certify(ctx, b, todo[from:min(from+actSize, len(todo))]); err != nil {
			return b, err
		}
		p.progress("certificates", min(from+actSize, len(todo)), len(todo))
	}
	b.State = Certified
	return p.put(ctx, b, "batch.certified")
}

func (p *Plant) certify(ctx context.Context, b Batch, some []Item) error {
	requests := make([]ca.Request, len(some))
	for n, i := range some {
		c, err := p.Cards.Get(ctx, i.Card)
		if err != nil {
			return err
		}
		requests[n] = ca.Request{CF: string(c.CF), Card: c.ID, PersonalData: i.Personal, Key: rsaKey(i.SPKI), Expires: c.Expires}
	}
	results := p.Authority.IssueBatch(ctx, requests)
	if len(results) != len(some) {
		return errors.New("production: the authority did not answer every request")
	}
	for n, r := range results {
		if err := p.sealResult(b, &some[n], r); err != nil {
			return err
		}
	}
	return p.Atomically(ctx, func(ctx context.Context) error {
		for n := range some {
			if err := p.keepCertificate(ctx, some[n], results[n]); err != nil {
				return err
			}
		}
		return nil
	})
}

// rsaKey is the key of a SubjectPublicKeyInfo; nil, which the authority refuses,
// when it is not an RSA key.
func rsaKey(spki []byte) *rsa.PublicKey {
	key, err := x509.ParsePKIXPublicKey(spki)
	if err != nil {
		return nil
	}
	k, _ := key.(*rsa.PublicKey)
	return k
}

// refusals are the codes by which the authority refuses one card, not all work:
// a bad key, a certificate that may not be made, a certificate already there.
var refusals = []string{"CSE-194", "CSE-196", "CSE-199"}

func (p *Plant) sealResult(b Batch, i *Item, r ca.Result) error {
	if f := words.FaultOf(r.Err); f != nil && slices.Contains(refusals, f.Code) {
		i.Refused = f.Code
		return nil
	}
	if r.Err != nil {
		return fmt.Errorf("production: certificate of card %s: %w", i.Card, r.Err)
	}
	var err error
	i.Certificate, err = p.Bureau.Seal(exchange.Certificates, b.ID, i.Card, r.Certificate.Raw)
	return err
}

func (p *Plant) keepCertificate(ctx context.Context, i Item, r ca.Result) error {
	if err := p.Batches.PutItem(ctx, i); err != nil || i.Refused != "" {
		return err
	}
	c, err := p.Cards.Get(ctx, i.Card)
	if err != nil {
		return err
	}
	c.CertSerial = ca.SerialOf(r.Certificate)
	if last := civil.DayOf(r.Certificate.NotAfter); last != c.Expires {
		c.CertExpires = last
	}
	if _, err = p.Cards.Put(ctx, c); err != nil || !c.State.Final() {
		return err
	}
	// Its holder died while it was made: the certificate must not outlive the card.
	return p.Authority.Revoke(ctx, c.CertSerial, ca.CessationOfOperation)
}

// toReceived writes the certificates file and reconciles the receipt, once it is
// there.
func (p *Plant) toReceived(ctx context.Context, b Batch) (Batch, error) {
	list, byCard, err := p.items(ctx, b)
	if err != nil {
		return b, err
	}
	if len(b.ReceiptSum) == 0 { // afterwards items are being erased
		var records []exchange.Record
		for _, i := range list {
			records = append(records, exchange.Record{Card: i.Card, Sealed: i.Certificate, Refused: i.Refused})
		}
		if b, err = p.issue(ctx, b, exchange.Certificates, func(b *Batch) *[]byte { return &b.CertificatesSignature }, records); err != nil {
			return b, err
		}
	}
	b, f, there, err := p.receive(ctx, b, exchange.Receipt, func(b *Batch) *[]byte { return &b.ReceiptSum }, byCard)
	if err != nil || !there {
		return b, err
	}
	return p.reconcile(ctx, b, f, byCard)
}

// reconcile moves every card as the receipt says, erases what the batch kept and
// checks that the counts balance before the batch is done.
func (p *Plant) reconcile(ctx context.Context, b Batch, f exchange.File, byCard map[string]Item) (Batch, error) {
	var todo []Item
	for _, r := range f.Items {
		switch r.Outcome {
		case exchange.Made:
			b.Made++
		case exchange.Spoiled:
			b.Spoiled++
		}
		if i := byCard[r.Card]; i.Outcome == "" {
			i.Outcome = r.Outcome
			todo = append(todo, i)
		}
	}
	if b.Made+b.Spoiled != b.Cards {
		return b, words.Refuse("CSE-173", b.ID)
	}
	if err := p.inActs(ctx, "receipt", todo, p.settle); err != nil {
		return b, err
	}
	b.State = Received
	b, err := p.put(ctx, b, "batch.received")
	if err != nil {
		return b, err
	}
	return b, p.destroyFiles(b)
}

// settle is one card's share of the reconciliation. A card that ended while it
// was made (its holder died) stays as it is.
func (p *Plant) settle(ctx context.Context, i Item) error {
	c, err := p.Cards.Get(ctx, i.Card)
	if err != nil {
		return err
	}
	event, act := lifecycle.Produce, "card.produced"
	if i.Outcome == exchange.Spoiled {
		event, act = lifecycle.Reject, "card.spoiled"
	}
	if c.State == lifecycle.InProduction {
		if c, err = lifecycle.Move(c, event, "", p.Clock.Now()); err != nil {
			return err
		}
		if event == lifecycle.Reject {
			if c, err = p.spoil(ctx, c); err != nil {
				return err
			}
		}
		if _, err := p.Cards.Put(ctx, c); err != nil {
			return err
		}
		if err := p.record(ctx, act, c, map[string]string{"batch": i.Batch}); err != nil {
			return err
		}
	}
	return p.Batches.PutItem(ctx, Item{Batch: i.Batch, Card: i.Card, Chip: i.Chip, Refused: i.Refused, Outcome: i.Outcome})
}

// spoil undoes what was made for a card that is to be made again.
func (p *Plant) spoil(ctx context.Context, c lifecycle.Card) (lifecycle.Card, error) {
	if err := p.CodeStore.Destroy(ctx, c.ID); err != nil {
		return c, err
	}
	if c.CertSerial == "" {
		return c, nil
	}
	serial := c.CertSerial
	c.CertSerial, c.CertExpires = "", civil.Date{}
	return c, p.Authority.Revoke(ctx, serial, ca.CessationOfOperation)
}
