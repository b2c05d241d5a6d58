package reader

import "github.com/ElMostafaIdrassi/goscard"

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
// is reset, unless another program has it open at the moment: then that
// program's own log-in would die with ours, and the card is left as well. Cards
// that are never shared are closed.
func Part(c Card, verified bool) error {
	if p, ok := c.(interface{ Part(bool) error }); ok {
		return p.Part(verified)
	}
	return c.Close()
}

// MaxAnswer is the buffer of the binding.
func (s *session) MaxAnswer() int { return 264 }

// Part implements the function of that name. Whether others have the card is
// asked by wanting it alone for a moment.
func (s *session) Part(verified bool) error {
	how := goscard.SCardLeaveCard
	if verified && !s.shared() {
		how = goscard.SCardResetCard
	}
	_, err := s.card.Disconnect(how)
	return err
}

func (s *session) shared() bool {
	ret, _ := s.card.Reconnect(goscard.SCardShareExclusive, goscard.SCardProtocolAny, goscard.SCardLeaveCard)
	return uint32(ret) == pcscSharing
}
