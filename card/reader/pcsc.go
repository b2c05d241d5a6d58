package reader

import (
	"encoding/hex"
	"fmt"
	"strings"
	"sync"

	"github.com/ElMostafaIdrassi/goscard"

	"cse.example/cse/ground/words"
)

// silent is the logger given to goscard, whose own prints every APDU.
type silent struct{}

func (silent) Debugf(string, ...any) {}
func (silent) Debug(...any)          {}
func (silent) Debugln(...any)        {}
func (silent) Infof(string, ...any)  {}
func (silent) Info(...any)           {}
func (silent) Infoln(...any)         {}
func (silent) Warnf(string, ...any)  {}
func (silent) Warn(...any)           {}
func (silent) Warnln(...any)         {}
func (silent) Errorf(string, ...any) {}
func (silent) Error(...any)          {}
func (silent) Errorln(...any)        {}

// library loads the PC/SC library once: the binding keeps its functions in
// package variables, so loading is process-wide whatever we do.
var library = sync.OnceValue(func() error { return goscard.Initialize(silent{}) })

// PC/SC return values that are told apart (pcsclite.h, winerror.h).
const (
	pcscUnknownReader  = 0x80100009
	pcscCancelled      = 0x80100002
	pcscTimeout        = 0x8010000A
	pcscSharing        = 0x8010000B
	pcscNoSmartcard    = 0x8010000C
	pcscReaderGone     = 0x80100017
	pcscNoService      = 0x8010001D
	pcscServiceStopped = 0x8010001E
	pcscNoReaders      = 0x8010002E
	pcscUnresponsive   = 0x80100066
	pcscUnpowered      = 0x80100067
	pcscReset          = 0x80100068
	pcscRemoved        = 0x80100069
	pcscForbidden      = 0x8010006A
)

// PCSC is the PC/SC service of this machine.
type PCSC struct{ context goscard.Context }

// Slot is one reader and what is in it.
type Slot struct {
	// Name as the service gives it.
	Name string
	// Present is true when a card is in; Mute when it does not answer.
	Present, Mute bool
	// Busy is true when another program has the card for itself; Away when the
	// service itself cannot use the reader.
	Busy, Away bool
	// ATR is empty when no card answers.
	ATR []byte
	// Events counts insertions and removals, as the service tells them: another
	// number means that the card was out meanwhile.
	Events uint16

	state goscard.SCardState // as the service said it, for Wait
}

// OpenPCSC connects to the service. CSE-202 when the library or the service is
// missing; ErrLibrary and ErrForbidden tell more.
func OpenPCSC() (*PCSC, error) {
	if err := library(); err != nil {
		return nil, words.Refuse(CodeNoService).Because(fmt.Errorf("%w: %w", ErrLibrary, err))
	}
	c, ret, err := goscard.NewContext(goscard.SCardScopeSystem, nil, nil)
	if err != nil {
		if uint32(ret) == pcscForbidden {
			err = fmt.Errorf("%w: %w", ErrForbidden, err)
		}
		return nil, words.Refuse(CodeNoService).Because(err)
	}
	return &PCSC{context: c}, nil
}

// Close leaves the service.
func (p *PCSC) Close() error {
	_, err := p.context.Release()
	return err
}

// Slots lists the readers and their cards, in the service's order. No reader is
// an empty list and no error.
func (p *PCSC) Slots() ([]Slot, error) {
	names, ret, err := p.context.ListReaders(nil)
	if code := uint32(ret); code == pcscNoReaders {
		return nil, nil
	} else if code != 0 || err != nil {
		return nil, failure(code, err)
	}
	slots := make([]Slot, 0, len(names))
	for _, name := range names {
		name = strings.TrimRight(name, "\x00")
		if name == "" {
			continue
		}
		state, err := p.state(name)
		if err != nil {
			return nil, err
		}
		slots = append(slots, slot(name, state))
	}
	return slots, nil
}

func slot(name string, s goscard.SCardReaderState) Slot {
	out := Slot{
		Name:    name,
		Present: s.EventState&goscard.SCardStatePresent != 0,
		Mute:    s.EventState&goscard.SCardStateMute != 0,
		Busy:    s.EventState&goscard.SCardStateExclusive != 0,
		Away:    s.EventState&(goscard.SCardStateUnavailable|goscard.SCardStateUnknown|goscard.SCardStateIgnore) != 0,
		Events:  uint16(uint32(s.EventState) >> 16),
		state:   s.EventState,
	}
	if out.Present && !out.Mute {
		out.ATR, _ = hex.DecodeString(s.Atr)
	}
	return out
}

// Choose finds the reader to use: the one whose name contains name (any case),
// or, for an empty name, the first with a card whose ATR speaks for a CNS, else
// the first with any card. CSE-201 without reader, CSE-203 without card,
// CSE-219 for a card that does not answer.
func (p *PCSC) Choose(name string, known func(atr []byte) bool) (Slot, error) {
	slots, err := p.Slots()
	if err != nil {
		return Slot{}, err
	}
	var best *Slot
	for i := range slots {
		s := &slots[i]
		if !strings.Contains(strings.ToLower(s.Name), strings.ToLower(name)) {
			continue
		}
		if best == nil || rank(*s, known) > rank(*best, known) {
			best = s
		}
	}
	switch {
	case best == nil:
		return Slot{}, words.Refuse(CodeNoReader)
	case best.Mute:
		return Slot{}, words.Refuse(CodeMute)
	case !best.Present:
		return Slot{}, words.Refuse(CodeNoCard)
	}
	return *best, nil
}

func rank(s Slot, known func([]byte) bool) int {
	switch {
	case s.Present && !s.Mute && known != nil && known(s.ATR):
		return 3
	case s.Present && !s.Mute:
		return 2
	case s.Present:
		return 1
	}
	return 0
}

// Connect opens the card in slot, shared with other programs. CSE-217 when one
// of them has it for itself.
func (p *PCSC) Connect(s Slot) (Card, error) {
	if err := p.alone(s.Name); err != nil {
		return nil, err
	}
	c, ret, err := p.context.Connect(s.Name, goscard.SCardShareShared, goscard.SCardProtocolAny)
	if err != nil {
		return nil, failure(uint32(ret), err)
	}
	return &session{service: p, name: s.Name, card: c, atr: s.ATR}, nil
}

// session is a card behind PC/SC.
type session struct {
	service *PCSC
	name    string
	card    goscard.Card
	atr     []byte
}

func (s *session) ATR() []byte { return s.atr }

// Transmit implements Card. A reset seen here is reported, never papered over:
// the command may or may not have been executed.
func (s *session) Transmit(apdu []byte) ([]byte, error) {
	pci := goscard.SCardIoRequestT1
	if s.card.ActiveProtocol() == goscard.SCardProtocolT0 {
		pci = goscard.SCardIoRequestT0
	}
	r, ret, err := s.card.Transmit(&pci, apdu, nil)
	if err != nil {
		return nil, failure(uint32(ret), err)
	}
	return r, nil
}

// Begin implements Card.
func (s *session) Begin() (func(), error) {
	release := func() { _, _ = s.card.EndTransaction(goscard.SCardLeaveCard) }
	ret, err := s.card.BeginTransaction()
	if err == nil {
		return release, nil
	}
	if uint32(ret) != pcscReset {
		return nil, failure(uint32(ret), err)
	}
	if err := s.reconnect(goscard.SCardLeaveCard); err != nil {
		return nil, err
	}
	if ret, err = s.card.BeginTransaction(); err != nil {
		return nil, failure(uint32(ret), err)
	}
	return release, ErrReset
}

// Reset implements Card.
func (s *session) Reset() error { return s.reconnect(goscard.SCardResetCard) }

func (s *session) reconnect(how goscard.SCardDisposition) error {
	ret, err := s.card.Reconnect(goscard.SCardShareShared, goscard.SCardProtocolAny, how)
	if err != nil {
		return failure(uint32(ret), err)
	}
	return nil
}

// Close implements Card. The card is reset on the way out, so that a verified
// PIN does not stay behind for the next program.
func (s *session) Close() error {
	_, err := s.card.Disconnect(goscard.SCardResetCard)
	return err
}

// failure turns a PC/SC return value into what people and callers need.
func failure(code uint32, err error) error {
	switch code {
	case pcscNoService, pcscServiceStopped:
		return words.Refuse(CodeNoService).Because(err)
	case pcscNoReaders, pcscUnknownReader, pcscReaderGone:
		return words.Refuse(CodeNoReader).Because(err)
	case pcscNoSmartcard:
		return words.Refuse(CodeNoCard).Because(err)
	case pcscRemoved:
		return words.Refuse(CodeNoCard).Because(fmt.Errorf("%w: %w", ErrRemoved, err))
	case pcscUnresponsive, pcscUnpowered:
		return words.Refuse(CodeMute).Because(err)
	case pcscSharing:
		return words.Refuse(CodeInUse, "PC/SC").Because(err)
	case pcscReset:
		return fmt.Errorf("%w: %w", ErrReset, err)
	}
	if err == nil {
		err = fmt.Errorf("return value %08X", code)
	}
	return fmt.Errorf("pcsc: %w", err)
}
