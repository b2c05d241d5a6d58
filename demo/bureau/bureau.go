// Package bureau is the virtual bureau (centro di personalizzazione): it plays
// the plant that makes the cards, with the files that a real one would get.
//
// Work reads the order files in the exchange folder, makes a chip for every card
// that has one (key pair made inside, personal data, card number, codes),
// answers with the keys file, and when the certificates file comes writes the
// certificates, finishes the chips, prints the faces and leaves the receipt.
// Every chip is a file, CARD NUMBER.cse, in the folder of cards; the chips being
// made lie in a folder of the batch until they are finished.
//
// It may be killed at any point and run again: a chip is saved once, with all
// its data, before its key is told to anybody; a finished card is never made
// again; the files it sent are kept and sent again as they were. It refuses
// files that the issuer did not sign, an order repeated with other content, and
// records that are not sealed to it for that very card. It keeps no code.
package bureau

import (
	"context"
	"crypto/ecdsa"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"cse.example/cse/card/cns"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/production"
	"cse.example/cse/issuer/production/exchange"
)

// Files is the exchange folder; exchange.Folder is one.
type Files interface {
	Write(name string, b []byte) error
	Read(name string) ([]byte, error)
	List(kind exchange.Kind) ([]string, error)
}

// Parts are what a Bureau is made of. Print and Progress may be nil.
type Parts struct {
	Identity *Identity
	// Issuer signs the issuer's files.
	Issuer *ecdsa.PublicKey
	Files  Files
	// Folder is the bureau's own, Cards the folder of finished chips.
	Folder, Cards string
	Profile       cns.Profile
	Clock         civil.Clock
	Rand          io.Reader
	// Print is given the data set of each card made.
	Print func(card string, f production.Faces) error
	// Progress is told how far a step ("chips", "cards") of a batch is.
	Progress func(step string, done, total int)
	// Spoil makes a card fail, for rehearsals.
	Spoil func(card string) bool
}

// Bureau makes cards. Make one with New.
type Bureau struct{ Parts }

// New refuses missing parts and makes the folders.
func New(p Parts) (*Bureau, error) {
	if p.Identity == nil || p.Issuer == nil || p.Files == nil || p.Folder == "" || p.Cards == "" || p.Clock == nil || p.Rand == nil {
		return nil, errors.New("bureau: a part is missing")
	}
	if err := p.Profile.Validate(); err != nil {
		return nil, err
	}
	if p.Print == nil {
		p.Print = func(string, production.Faces) error { return nil }
	}
	if p.Progress == nil {
		p.Progress = func(string, int, int) {}
	}
	if p.Spoil == nil {
		p.Spoil = func(string) bool { return false }
	}
	for _, d := range []string{p.Folder, p.Cards} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, fmt.Errorf("bureau: %w", err)
		}
	}
	return &Bureau{p}, nil
}

// CardFile is where the chip of a card is once finished.
func (b *Bureau) CardFile(card string) string { return filepath.Join(b.Cards, card+".cse") }

// Work does what can be done now for every order in the exchange folder. Errors
// that a file of the issuer causes are faults; one batch's fault does not hold
// up the others.
func (b *Bureau) Work(ctx context.Context) error {
	batches, err := b.Files.List(exchange.Order)
	if err != nil {
		return err
	}
	var faults []error
	for _, batch := range batches {
		err := b.batch(ctx, batch)
		if err != nil && words.FaultOf(err) == nil {
			return err
		}
		faults = append(faults, err)
	}
	return errors.Join(faults...)
}

// own is the bureau's folder for a batch.
func (b *Bureau) own(batch string) exchange.Folder {
	return exchange.Folder(filepath.Join(b.Folder, filepath.Base(batch)))
}

const sumFile = "order.sum"

func (b *Bureau) batch(ctx context.Context, batch string) error {
	order, err := b.read(batch, exchange.Order)
	if err != nil {
		return err
	}
	own := b.own(batch)
	if err := os.MkdirAll(string(own), 0o700); err != nil {
		return fmt.Errorf("bureau: %w", err)
	}
	if err := pin(own, batch, order); err != nil {
		return err
	}
	done, err := b.send(own, batch, exchange.Receipt)
	if err != nil || done {
		return err
	}
	sent, err := b.send(own, batch, exchange.Keys)
	if err != nil {
		return err
	}
	if !sent {
		if err := b.makeChips(ctx, own, order); err != nil {
			return err
		}
	}
	certs, err := b.read(batch, exchange.Certificates)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // the issuer's turn
	}
	if err != nil {
		return err
	}
	return b.finishCards(ctx, own, order, certs)
}

func (b *Bureau) read(batch string, kind exchange.Kind) (exchange.File, error) {
	raw, err := b.Files.Read(exchange.Name(batch, kind))
	if err != nil {
		return exchange.File{}, err
	}
	return exchange.Read(raw, b.Issuer, kind, batch)
}

// pin remembers the first order of a batch; another one is refused.
func pin(own exchange.Folder, batch string, order exchange.File) error {
	first, err := own.Read(sumFile)
	if errors.Is(err, fs.ErrNotExist) {
		return own.Write(sumFile, order.Sum[:])
	}
	if err != nil {
		return err
	}
	if string(first) != string(order.Sum[:]) {
		return words.Refuse("CSE-172", exchange.Order, batch)
	}
	return nil
}

// send puts a file kept in the bureau's folder in the exchange folder, unless it
// lies there already; false when the bureau has not written it yet.
func (b *Bureau) send(own exchange.Folder, batch string, kind exchange.Kind) (bool, error) {
	file, err := own.Read(string(kind))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if there, err := b.Files.Read(exchange.Name(batch, kind)); err == nil && string(there) == string(file) {
		return true, nil
	}
	return true, b.Files.Write(exchange.Name(batch, kind), file)
}

// answer signs a file, keeps it and sends it.
func (b *Bureau) answer(own exchange.Folder, batch string, kind exchange.Kind, records []exchange.Record) error {
	body, err := exchange.Body(exchange.Header{Kind: kind, Batch: batch, Created: b.Clock.Now()}, records)
	if err != nil {
		return err
	}
	sig, err := exchange.Sign(b.Rand, b.Identity.Signer, body)
	if err != nil {
		return err
	}
	if err := own.Write(string(kind), exchange.Join(body, sig)); err != nil {
		return err
	}
	_, err = b.send(own, batch, kind)
	return err
}
