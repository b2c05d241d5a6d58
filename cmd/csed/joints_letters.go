package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"cse.example/cse/engine/paper"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/effect"
	"cse.example/cse/issuer/codes"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/person/codicefiscale"
)

// openLetters lets the mail process print letters with second halves, where the
// configuration wants them.
func (p *Platform) openLetters(o Options) (err error) {
	if p.Config.NoEmail.office() == "" {
		return nil
	}
	p.letters, err = paper.New(paper.Options{
		Issuer: p.Config.Region.Name, Helpline: p.Config.Region.Phone, Banner: o.Ribbon, Clock: p.Clock, Fonts: fonts(),
	})
	p.handlers[counter.KindPrintLetter] = p.layLetter
	return err
}

// layLetter lays a letter in the print queue of its office, which takes it and
// posts it. A letter that lies there already is not written again.
func (p *Platform) layLetter(ctx context.Context, e effect.Effect, _ int) error {
	var l counter.Letter
	if err := json.Unmarshal(e.Body, &l); err != nil {
		return errors.Join(effect.ErrPermanent, err)
	}
	h, err := p.second.SecondHalves(ctx, l.Card)
	if errors.Is(err, codes.ErrNone) {
		return errors.Join(effect.ErrPermanent, err) // revoked meanwhile
	}
	if err != nil {
		return err
	}
	today := civil.Today(p.Clock)
	place := l.Place
	if x, ok := codicefiscale.Belfiore(l.Place, today); ok {
		place = strings.TrimSpace(x.Name + " " + x.Province)
	}
	pdf, err := p.letters.Letter(l.Lang, paper.Letter{
		Protocol: l.Protocol, Day: today, To: l.To, Address: l.Address, Place: strings.TrimSpace(l.PostCode + " " + place), CardEnd: l.CardEnd(),
		PIN: h.PIN, PUK: h.PUK, CIP: h.CIP,
	})
	if err != nil {
		return errors.Join(effect.ErrPermanent, err)
	}
	defer clear(pdf)
	dir := filepath.Join(p.Config.under(p.Config.NoEmail.Spool), filepath.Base(l.Office))
	return lay(dir, strings.ReplaceAll(l.Protocol, "/", "-")+".pdf", pdf)
}

// lay writes a file that is there whole or not at all.
func lay(dir, name string, content []byte) (err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("letters: %w", err)
	}
	if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
		return nil
	}
	f, err := os.CreateTemp(dir, ".letter-*") // 0600
	if err != nil {
		return fmt.Errorf("letters: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(content)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("letters: %w", err)
	}
	return os.Rename(f.Name(), filepath.Join(dir, name))
}
