package reader

import (
	"errors"

	"github.com/ElMostafaIdrassi/goscard"
)

// MaxAnswer is the longest answer, status word included, that c takes in one
// exchange; 0 when there is no limit. The PC/SC binding has room for 264 bytes
// and sends the command again for more, which doubles the traffic.
func MaxAnswer(c Card) int {
	if m, ok := c.(interface{ MaxAnswer() int }); ok {
		return m.MaxAnswer()
	}
	return 0
}

// Part lets c go as a program among others does. With no verified code of ours
// the card is left as it is, so that nobody else's is lost. With one, the card
// is reset, unless another program has it open: then that program's own log-in
// would die with ours, and the card is left as well. Cards that are never shared
// are closed.
func Part(c Card, verified bool) error {
	if p, ok := c.(interface{ Part(bool) error }); ok {
		return p.Part(verified)
	}
	return c.Close()
}

// MaxAnswer is the buffer of the binding.
func (s *session) MaxAnswer() int { return 264 }

// Part implements the function of that name. PC/SC tells whether a card is in
// use, us included, so we leave first, look, and come back to reset. (Wanting
// the card for ourselves instead would wait for everybody else: pcsclite does
// not answer such a wish before it is granted.) A program that connects in the
// milliseconds between finds its card reset, and asks for the PIN again.
func (s *session) Part(verified bool) error {
	_, err := s.card.Disconnect(goscard.SCardLeaveCard)
	if !verified || err != nil {
		return err
	}
	now, err := s.service.state(s.name)
	if err != nil || now.EventState&goscard.SCardStatePresent == 0 || inUse(now) {
		return err
	}
	c, ret, err := s.service.context.Connect(s.name, goscard.SCardShareShared, goscard.SCardProtocolAny)
	if err != nil {
		return failure(uint32(ret), err)
	}
	_, err = c.Disconnect(goscard.SCardResetCard)
	return err
}

func inUse(s goscard.SCardReaderState) bool {
	return s.EventState&(goscard.SCardStateInuse|goscard.SCardStateExclusive) != 0
}

// state asks for the state of one reader, at once.
func (p *PCSC) state(name string) (goscard.SCardReaderState, error) {
	state := []goscard.SCardReaderState{{Reader: name}}
	ret, err := p.context.GetStatusChange(goscard.NewTimeout(0), state)
	if code := uint32(ret); code != 0 && code != pcscTimeout {
		return state[0], failure(code, err)
	}
	return state[0], nil
}

// alone refuses, with CSE-217, a card that another program has for itself:
// connecting to it would wait until that program ends.
func (p *PCSC) alone(name string) error {
	s, err := p.state(name)
	if err == nil && s.EventState&goscard.SCardStateExclusive != 0 {
		return failure(pcscSharing, errors.New("another program has the card for itself"))
	}
	return err
}
