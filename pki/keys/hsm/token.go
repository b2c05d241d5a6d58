//go:build cgo

package hsm

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/miekg/pkcs11"

	"cse.example/cse/ground/words"
)

// token is an open token: a library, and a line into it.
type token struct {
	conf Config
	mod  *module

	mu sync.Mutex
	// line is the present one, nil while there is none.
	line *line
	// barred is why nobody may log in any more: the PIN was refused.
	barred error
	closed bool
}

// line is one login with its sessions. It is given up as a whole.
type line struct {
	life int // of the module
	dead bool
	slot uint
	free chan pkcs11.SessionHandle
	all  []pkcs11.SessionHandle
}

// Open finds the token and logs in.
func Open(c Config) (Token, error) {
	if c.Sessions == 0 {
		c.Sessions = 8
	}
	m, err := attach(c.Module)
	if err != nil {
		return nil, unusable(c, err)
	}
	t := &token{conf: c, mod: m}
	if _, err := t.current(nil); err != nil {
		return nil, errors.Join(err, m.detach())
	}
	return t, nil
}

// Close implements Token.
func (t *token) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed {
		return nil
	}
	t.closed = true
	t.mod.calls.Lock()
	t.drop()
	t.mod.calls.Unlock()
	return t.mod.detach()
}

// do runs f with a session, and once more after a new login when the first was lost.
func (t *token) do(f func(l *line, s pkcs11.SessionHandle) error) error {
	l, err := t.current(nil)
	if err != nil {
		return err
	}
	err = t.on(l, f)
	if !lost(err) {
		return err
	}
	first := err
	if l, err = t.current(l); err != nil {
		return errors.Join(err, first)
	}
	if err = t.on(l, f); lost(err) {
		return unusable(t.conf, err)
	}
	return err
}

var errDead = errors.New("hsm: these sessions were given up")

func (t *token) on(l *line, f func(*line, pkcs11.SessionHandle) error) error {
	s := <-l.free
	defer func() { l.free <- s }()
	t.mod.calls.RLock()
	defer t.mod.calls.RUnlock()
	// A handle of a dead line may meanwhile be somebody else's session.
	if l.dead || l.life != t.mod.life {
		return errDead
	}
	return f(l, s)
}

// lost tells whether err says that sessions, login, handles or device are gone,
// so that a new login may help.
func lost(err error) bool {
	var e pkcs11.Error
	if errors.Is(err, errDead) {
		return true
	}
	return errors.As(err, &e) && slices.Contains([]uint{
		pkcs11.CKR_SESSION_HANDLE_INVALID, pkcs11.CKR_SESSION_CLOSED, pkcs11.CKR_CRYPTOKI_NOT_INITIALIZED,
		pkcs11.CKR_USER_NOT_LOGGED_IN, pkcs11.CKR_KEY_HANDLE_INVALID, pkcs11.CKR_OBJECT_HANDLE_INVALID,
		pkcs11.CKR_DEVICE_ERROR, pkcs11.CKR_DEVICE_REMOVED, pkcs11.CKR_TOKEN_NOT_PRESENT, pkcs11.CKR_TOKEN_NOT_RECOGNIZED,
		pkcs11.CKR_SLOT_ID_INVALID, pkcs11.CKR_GENERAL_ERROR, pkcs11.CKR_FUNCTION_FAILED,
		pkcs11.CKR_OPERATION_ACTIVE, pkcs11.CKR_OPERATION_NOT_INITIALIZED,
	}, uint(e))
}

// current is the line in use, or a new one where there is none but stale.
func (t *token) current(stale *line) (*line, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.closed:
		return nil, unusable(t.conf, errors.New("the token was closed"))
	case t.line != nil && t.line != stale:
		return t.line, nil
	case t.barred != nil:
		return nil, t.barred
	}
	t.mod.calls.Lock()
	defer t.mod.calls.Unlock()
	t.drop()
	l, err := t.login()
	if err != nil && t.barred == nil { // a library may know only the tokens of its start
		if err = t.mod.restart(); err == nil {
			l, err = t.login()
		}
	}
	if err != nil {
		return nil, unusable(t.conf, err)
	}
	t.line = l
	return l, nil
}

// drop gives the present line up; calls is held for writing.
func (t *token) drop() {
	if t.line == nil {
		return
	}
	t.line.dead = true
	if t.line.life == t.mod.life {
		for _, s := range t.line.all {
			_ = t.mod.ctx.CloseSession(s) // it is gone, or goes with its line
		}
	}
	t.line = nil
}

// login opens and logs in a line's sessions; calls is held for writing.
func (t *token) login() (*line, error) {
	slot, err := t.slot()
	if err != nil {
		return nil, err
	}
	l := &line{life: t.mod.life, slot: slot, free: make(chan pkcs11.SessionHandle, t.conf.Sessions)}
	for range t.conf.Sessions {
		s, err := t.mod.ctx.OpenSession(slot, pkcs11.CKF_SERIAL_SESSION)
		if err != nil {
			return nil, t.giveUp(l, fmt.Errorf("hsm: open session: %w", err))
		}
		l.all = append(l.all, s)
		l.free <- s
	}
	pin, err := t.conf.pin()
	if err != nil {
		return nil, t.giveUp(l, err)
	}
	defer pin.Wipe()
	err = t.mod.ctx.Login(l.all[0], pkcs11.CKU_USER, string(pin.Reveal()))
	var e pkcs11.Error
	switch errors.As(err, &e); {
	case err == nil || e == pkcs11.CKR_USER_ALREADY_LOGGED_IN:
		return l, nil
	case slices.Contains([]uint{pkcs11.CKR_PIN_INCORRECT, pkcs11.CKR_PIN_LOCKED, pkcs11.CKR_PIN_INVALID, pkcs11.CKR_PIN_LEN_RANGE, pkcs11.CKR_PIN_EXPIRED}, uint(e)):
		t.barred = words.Refuse("CSE-917", t.conf.Token).Because(err)
		return nil, t.giveUp(l, t.barred)
	default:
		return nil, t.giveUp(l, fmt.Errorf("hsm: log in: %w", err))
	}
}

func (t *token) giveUp(l *line, err error) error {
	for _, s := range l.all {
		_ = t.mod.ctx.CloseSession(s)
	}
	return err
}

// slot finds the one token of the configured label (and serial number).
func (t *token) slot() (uint, error) {
	slots, err := t.mod.ctx.GetSlotList(true)
	if err != nil {
		return 0, fmt.Errorf("hsm: list slots: %w", err)
	}
	var found []uint
	for _, s := range slots {
		// A slot whose token cannot be asked is not ours.
		i, err := t.mod.ctx.GetTokenInfo(s)
		if err == nil && trim(i.Label) == t.conf.Token && (t.conf.Serial == "" || trim(i.SerialNumber) == t.conf.Serial) {
			found = append(found, s)
		}
	}
	if len(found) != 1 {
		return 0, fmt.Errorf("hsm: %d of %d slots have the token", len(found), len(slots))
	}
	return found[0], nil
}

// trim takes off the blanks with which the standard fills labels.
func trim(s string) string { return strings.TrimRight(s, " \x00") }

// unusable keeps a fault that says more.
func unusable(c Config, err error) error {
	if words.FaultOf(err) != nil {
		return err
	}
	return words.Refuse("CSE-916", c.Token).Because(err)
}
