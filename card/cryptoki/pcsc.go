package cryptoki

import (
	"errors"
	"sync"
	"time"

	"cse.example/cse/card/reader"
	"cse.example/cse/ground/words"
)

// PCSC reaches the readers of this machine. The service may come and go: it is
// opened when it is needed, and again after it went. Looking, waiting and each
// card have a context of their own, since a context does one thing at a time.
func PCSC() Readers { return &pcsc{} }

type pcsc struct {
	look *reader.PCSC // used by one caller at a time (Module.watch)
	wait *reader.PCSC // used by one caller at a time (Module.waiting)

	mu     sync.Mutex
	woken  bool
	asleep *reader.PCSC // the waiting context while it waits
}

// Slots implements Readers.
func (p *pcsc) Slots() ([]reader.Slot, error) {
	if p.look == nil {
		s, err := reader.OpenPCSC()
		if err != nil {
			return nil, err
		}
		p.look = s
	}
	list, err := p.look.Slots()
	if err != nil {
		_ = p.look.Close()
		p.look = nil
	}
	return list, err
}

// Connect implements Readers.
func (p *pcsc) Connect(s reader.Slot) (reader.Card, error) {
	service, err := reader.OpenPCSC()
	if err != nil {
		return nil, err
	}
	c, err := service.Connect(s)
	for range patience { // somebody may have it alone for a moment
		if f := words.FaultOf(err); f == nil || f.Code != reader.CodeInUse {
			break
		}
		time.Sleep(pause)
		c, err = service.Connect(s)
	}
	if err != nil {
		return nil, errors.Join(err, service.Close())
	}
	return &inService{Card: c, service: service}, nil
}

// How often, and how long apart, a card that another program has alone is asked
// for: half a second in all.
const (
	patience = 10
	pause    = 50 * time.Millisecond
)

// inService is a card that leaves the service when it is let go.
type inService struct {
	reader.Card
	service *reader.PCSC
}

func (c *inService) Close() error   { return errors.Join(c.Card.Close(), c.service.Close()) }
func (c *inService) MaxAnswer() int { return reader.MaxAnswer(c.Card) }
func (c *inService) Part(verified bool) error {
	return errors.Join(reader.Part(c.Card, verified), c.service.Close())
}
func (c *inService) HasPINPad() bool { return reader.HasPINPad(c.Card) }
func (c *inService) VerifyOnPad(verify []byte, shortest, longest int) ([]byte, error) {
	if pad, ok := c.Card.(reader.PINPad); ok {
		return pad.VerifyOnPad(verify, shortest, longest)
	}
	return nil, words.Refuse("CSE-701")
}

// longestWait bounds one Wait, for services that forget to tell.
const longestWait = 2 * time.Second

// Wait implements Readers.
func (p *pcsc) Wait(known []reader.Slot) error {
	if p.wait == nil {
		s, err := reader.OpenPCSC()
		if err != nil {
			return err
		}
		p.wait = s
	}
	p.mu.Lock()
	if p.woken {
		p.mu.Unlock()
		return nil
	}
	p.asleep = p.wait
	p.mu.Unlock()
	err := p.wait.Wait(known, longestWait)
	p.mu.Lock()
	p.asleep = nil
	p.mu.Unlock()
	if err != nil {
		_ = p.wait.Close()
		p.wait = nil
	}
	return err
}

// Wake implements Readers.
func (p *pcsc) Wake() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.woken = true
	if p.asleep != nil {
		_ = p.asleep.Cancel()
	}
}

// Close implements Readers.
func (p *pcsc) Close() error {
	var err error
	for _, s := range []*reader.PCSC{p.look, p.wait} {
		if s != nil {
			err = errors.Join(err, s.Close())
		}
	}
	p.look, p.wait = nil, nil
	return err
}
