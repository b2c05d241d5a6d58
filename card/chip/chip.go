// Package chip is the chip of a CNS, emulated: file system, codes with their
// counters, RSA keys made inside, and the commands that work on them.
//
// Standards: ISO/IEC 7816-4, -8 and -9 as the CNS masks use them (card.md
// sections 2 to 8). The cryptogram of EXTERNAL AUTHENTICATE and the secure
// messaging that it opens are of our own (card/secmsg): real masks' are unknown.
// Class bytes that ask for secure messaging outside of it are answered 6882.
//
// It guarantees that a private key never leaves (no command reads it); that a
// try is spent on the disk, with fsync, before a PIN or PUK is compared; that
// codes are compared in constant time; that what was verified is forgotten at
// reset and power-off, and not at SELECT; that the image file holds either the
// state before a command or the one after it, whatever happens in between: an
// UPDATE BINARY in one extended or chained command is written whole or not at all;
// that the certificate is rewritten by the issuer alone, in commands that he closed
// himself for this card and this moment.
//
// It refuses a second opener (LockedError names the first), an image that a
// bit was changed in (CorruptError), and the admin channel after Finish.
//
// It is a card for tests and demonstrations, and not a safe place for secrets:
// key, PIN and PUK stand in the image file in clear, protected by the file's
// mode (0600) and by nothing else. The plain RSA operation is blinded, but
// math/big is not constant time (see rsa.go).
package chip

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"cse.example/cse/card/cns"
	"cse.example/cse/card/iso7816"
)

// Errors a caller branches on.
var (
	// ErrClosed is returned by every call on a closed chip.
	ErrClosed = errors.New("the chip is closed")
	// ErrOperational is returned by the admin channel after Finish.
	ErrOperational = errors.New("the card is operational: its admin channel is closed")
	// ErrReadOnly is returned when a chip opened read-only should be written.
	ErrReadOnly = errors.New("the card image is open read-only")
	// ErrPowerLost is returned once WithPowerCut has cut the power.
	ErrPowerLost = errors.New("the chip lost its power")
	// ErrIncomplete is returned by Finish when something is missing.
	ErrIncomplete = errors.New("the card is not complete")
)

// Chip is one card. It is safe for concurrent use; commands run one at a time.
type Chip struct {
	profile cns.Profile // never changes, and so needs no lock
	mu      sync.Mutex
	disk    *disk
	lock    *fileLock // nil when read-only
	random  io.Reader
	st      *state
	dirty   bool // personalisation not saved yet
	closed  bool
	ses     session
}

// session is what reset and power-off wipe.
type session struct {
	current   cns.Path // selected DF
	ef        cns.Path // selected EF
	hasEF     bool
	satisfied map[byte]bool // references of codes and keys satisfied
	templates map[byte]byte // B6, B8, A4 -> key chosen by MSE SET
	challenge []byte        // last GET CHALLENGE
	chain     iso7816.Assembler
	issuer    issuerSession
}

// chainLimit is the most data one chained command may carry, in bytes.
const chainLimit = 4096

func newSession() session {
	return session{
		satisfied: map[byte]bool{},
		templates: map[byte]byte{},
		chain:     iso7816.Assembler{Limit: chainLimit},
	}
}

// Option changes how a chip is opened.
type Option func(*Chip)

// WithRandom makes challenges and blinding come from r instead of crypto/rand.
func WithRandom(r io.Reader) Option { return func(c *Chip) { c.random = r } }

// WithPowerCut is for tests of what a power cut leaves behind: cut is asked at
// every write of the image, counted from 1, and the chip is dead once it
// answers anything but CutNone.
func WithPowerCut(cut func(write int) Cut) Option { return func(c *Chip) { c.disk.cut = cut } }

// Create makes a blank chip after profile, in personalisation. Nothing is
// written before Save, Finish or Close. A file that is there already is refused
// (fault CSE-244), as is a folder that another process uses the name in.
func Create(path string, profile cns.Profile, options ...Option) (*Chip, error) {
	if err := profile.Validate(); err != nil {
		return nil, err
	}
	lock, err := acquire(path)
	if err != nil {
		return nil, faultOf(path, err)
	}
	if _, err := os.Lstat(path); !errors.Is(err, os.ErrNotExist) {
		lock.release()
		return nil, faultOf(path, errors.Join(os.ErrExist, err))
	}
	c := build(path, lock, newState(profile), options)
	c.dirty = true
	return c, nil
}

// Open opens a card image for use by this process alone. Errors are faults for
// people, with the typed error inside: *LockedError, *CorruptError, fs errors.
func Open(path string, options ...Option) (*Chip, error) {
	if _, err := os.Stat(path); err != nil { // no lock file beside a card that is not there
		return nil, faultOf(path, err)
	}
	lock, err := acquire(path)
	if err != nil {
		return nil, faultOf(path, err)
	}
	st, err := load(path)
	if err != nil {
		lock.release()
		return nil, faultOf(path, err)
	}
	c := build(path, lock, st, options)
	c.disk.removeLeftover()
	return c, nil
}

// OpenReadOnly opens a card image without a lock and without ever writing:
// what must be written (a try spent, a file updated) is answered 6581, so no
// code can be guessed this way. It sees the state of the moment it was opened.
func OpenReadOnly(path string, options ...Option) (*Chip, error) {
	st, err := load(path)
	if err != nil {
		return nil, faultOf(path, err)
	}
	return build(path, nil, st, options), nil
}

func build(path string, lock *fileLock, st *state, options []Option) *Chip {
	c := &Chip{profile: st.profile, disk: &disk{path: path}, lock: lock, random: rand.Reader, st: st, ses: newSession()}
	for _, o := range options {
		o(c)
	}
	return c
}

func load(path string) (*state, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	st, err := decodeImage(b)
	if err != nil {
		return nil, &CorruptError{Path: path, Reason: err}
	}
	return st, nil
}

// ATR is the answer to reset.
func (c *Chip) ATR() []byte { return append([]byte(nil), c.profile.ATR...) }

// Profile is the model the chip was made after.
func (c *Chip) Profile() cns.Profile { return c.profile }

// Operational tells whether personalisation has ended.
func (c *Chip) Operational() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.st.operational
}

// Reset forgets what the session holds: verified codes, selected files, chosen
// keys, the challenge, an open chain. Power-off and power-on do the same.
func (c *Chip) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ses.chain.Reset()
	c.ses = newSession()
}

// Close saves an unfinished personalisation and releases the image. A second
// Close does nothing.
func (c *Chip) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil
	}
	var err error
	if c.dirty && !c.disk.dead {
		err = c.save()
	}
	c.closed = true
	c.ses = newSession()
	if c.lock != nil {
		c.lock.release()
	}
	return err
}

// change applies do to the state and writes the image; when the writing fails
// the state is what it was, and so is the image.
func (c *Chip) change(do func()) error {
	if c.lock == nil {
		return ErrReadOnly
	}
	before := c.st.snapshot()
	do()
	if !c.st.operational { // the admin decides when to save
		c.dirty = true
		return nil
	}
	if err := c.save(); err != nil {
		c.st = before
		return err
	}
	return nil
}

func (c *Chip) save() error {
	if c.lock == nil {
		return ErrReadOnly
	}
	b, err := encodeImage(c.st)
	if err != nil {
		return err
	}
	if err := c.disk.write(b); err != nil {
		return fmt.Errorf("write card image %s: %w", c.disk.path, err)
	}
	c.dirty = false
	return nil
}
