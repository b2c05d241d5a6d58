// Package reader gives the ways to reach a card: a chip file opened in this
// process (FromFile), a reader of the PC/SC service (PCSC, winscard), and, the
// other way round, a chip file put into the virtual reader of vsmartcard
// (Virtual, the vpcd protocol over TCP).
//
// Standards: PC/SC workgroup part 5 (pcsclite 1.9 and winscard), ISO/IEC
// 7816-3 for answer-to-reset and power, vpcd.h of vsmartcard for the virtual
// reader.
//
// It guarantees that an APDU leaves exactly once: nothing here repeats a
// command, since repeating a VERIFY would cost the holder a try. (One
// exception, of the PC/SC binding: an answer longer than 264 bytes is asked for
// again; the holder's package asks for such answers from READ BINARY only.)
// After a reset caused by somebody else the session reconnects once, before
// the next command, and says so with ErrReset, because the card has forgotten
// the PIN.
//
// It refuses to print: neither this package nor the PC/SC binding below it
// writes an APDU anywhere. Who wants the traffic asks for it with Observe and
// Traffic, which masks codes.
package reader

import (
	"errors"

	"cse.example/cse/card/chip"
)

// Card is a card that answers. It is not safe for concurrent use.
type Card interface {
	// ATR is the answer to reset.
	ATR() []byte
	// Transmit sends one command APDU and returns the answer with its two
	// status bytes.
	Transmit(apdu []byte) ([]byte, error)
	// Begin keeps other programs away until release is called. ErrReset says
	// that another program reset the card since the last release: the lock is
	// held, the PIN is no longer verified.
	Begin() (release func(), err error)
	// Reset resets the card: verified codes and security environment are lost.
	Reset() error
	// Close lets the card go; no verified code stays behind for other programs.
	Close() error
}

// Errors that callers branch on. What reaches people is the Fault around them.
var (
	ErrReset   = errors.New("the card was reset by another program")
	ErrRemoved = errors.New("the card was removed")
	// ErrLibrary and ErrForbidden say why there is no service: it is not installed,
	// or this person may not use it (polkit).
	ErrLibrary   = errors.New("the PC/SC library is not installed")
	ErrForbidden = errors.New("the PC/SC service refuses this person")
)

// The faults of this package (ux.md section 4).
const (
	CodeNoReader  = "CSE-201"
	CodeNoService = "CSE-202"
	CodeNoCard    = "CSE-203"
	CodeInUse     = "CSE-217"
	CodeMute      = "CSE-219"
	CodeNoSlot    = "CSE-220"
)

// Chip is an emulated chip: what a virtual reader feeds.
type Chip interface {
	ATR() []byte
	Transmit(apdu []byte) ([]byte, error)
	Reset()
}

// FromFile opens the chip file at path in this process, with the faults of
// chip.Open (CSE-240 names who has the card already).
func FromFile(path string) (Card, error) {
	c, err := chip.Open(path)
	if err != nil {
		return nil, err
	}
	return FromChip(c), nil
}

// FromChip is a card over a chip that the caller opened; closing the card closes
// the chip.
func FromChip(c Chip) Card { return &file{chip: c} }

// file is a chip in this process. The chip's own lock keeps others away, so a
// transaction has nothing to do.
type file struct{ chip Chip }

func (f *file) ATR() []byte                          { return f.chip.ATR() }
func (f *file) Transmit(apdu []byte) ([]byte, error) { return f.chip.Transmit(apdu) }
func (f *file) Begin() (func(), error)               { return func() {}, nil }
func (f *file) Reset() error                         { f.chip.Reset(); return nil }

// Close closes the chip when it can be closed.
func (f *file) Close() error {
	if c, ok := f.chip.(interface{ Close() error }); ok {
		return c.Close()
	}
	return nil
}
