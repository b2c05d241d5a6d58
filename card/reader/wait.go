package reader

import (
	"time"

	"github.com/ElMostafaIdrassi/goscard"
)

// plugAndPlay is the name under which PC/SC tells of readers that come and go.
const plugAndPlay = `\\?PnP?\Notification`

// Wait blocks until something differs from known (a card in or out, a reader
// plugged in or out), until atMost has passed, or until Cancel. It tells nothing
// but that it is time to look again. One context waits or works, not both: give
// the waiting one a PCSC of its own.
func (p *PCSC) Wait(known []Slot, atMost time.Duration) error {
	states := make([]goscard.SCardReaderState, 0, len(known)+1)
	for _, s := range known {
		states = append(states, goscard.SCardReaderState{Reader: s.Name, CurrentState: s.state &^ goscard.SCardStateChanged})
	}
	states = append(states, goscard.SCardReaderState{Reader: plugAndPlay})
	ret, err := p.context.GetStatusChange(goscard.NewTimeout(atMost), states)
	switch code := uint32(ret); code {
	case 0, pcscTimeout, pcscCancelled:
		return nil
	default:
		return failure(code, err)
	}
}

// Cancel ends a Wait of this context from another thread.
func (p *PCSC) Cancel() error {
	_, err := p.context.Cancel()
	return err
}
