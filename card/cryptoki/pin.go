package cryptoki

import (
	"errors"
	"time"

	"cse.example/cse/card/cns"
	"cse.example/cse/card/holder"
	"cse.example/cse/ground/secret"
)

// refusedFor is how long a refused PIN is remembered (as a keyed hash) and not
// sent again. A person needs longer to see the error and change the PIN in
// another program; a program that repeats itself does not.
const refusedFor = 20 * time.Second

// justRefused tells whether the card refused this very PIN a moment ago, as the
// PIN or as the second key's; mu is held.
func (m *Module) justRefused(t *token, second bool, pin secret.Text) bool {
	r, ok := t.refused[second]
	age := m.now().Sub(r.at)
	return ok && age >= 0 && age < refusedFor && r.mark == m.mark(pin)
}

// remember keeps what the card said to a PIN; mu is held.
func (m *Module) remember(t *token, second bool, pin *secret.Text, err error) {
	var wrong *holder.WrongPINError
	switch {
	case err == nil:
		delete(t.refused, second)
	case pin != nil && errors.As(err, &wrong):
		t.refused[second] = refusal{m.mark(*pin), m.now()}
	}
}

// SetPIN is C_SetPIN: the user's PIN, by CHANGE REFERENCE DATA. A new PIN that
// anybody would try first is PINInvalid; the card is not touched then.
func (m *Module) SetPIN(h Handle, old, replacement *secret.Text) RV {
	s, rv := m.session(h)
	if rv != OK {
		return rv
	}
	t := s.token
	m.mu.Lock()
	user := t.user
	m.mu.Unlock()
	switch {
	case !s.write:
		return SessionReadOnly
	case user == SO:
		return FunctionNotSupported // the PUK of a CNS cannot be changed
	case old == nil || replacement == nil:
		return ArgumentsBad
	case !digits(*old, cns.MinPIN, cns.MaxPIN):
		return PINIncorrect
	}
	var early RV
	out := m.with(t, func(ho *holder.Holder) error {
		m.mu.Lock()
		if m.justRefused(t, false, *old) {
			early = PINIncorrect
		}
		m.mu.Unlock()
		if early != OK {
			return nil
		}
		err := ho.ChangePIN(*old, *replacement)
		m.mu.Lock()
		defer m.mu.Unlock()
		m.learn(t, ho, old, err)
		return err
	})
	if early != OK {
		return early
	}
	return out
}

// InitPIN is C_InitPIN: a new PIN by the PUK that Login as SO was given, in one
// RESET RETRY COUNTER. A wrong PUK shows here, as PINIncorrect, and ends the
// log-in.
func (m *Module) InitPIN(h Handle, pin *secret.Text) RV {
	s, rv := m.session(h)
	if rv != OK {
		return rv
	}
	t := s.token
	m.mu.Lock()
	if t.user != SO {
		m.mu.Unlock()
		return UserNotLoggedIn
	}
	puk := secret.New(t.puk.Reveal())
	m.mu.Unlock()
	defer puk.Wipe()
	if pin == nil {
		return ArgumentsBad
	}
	return m.with(t, func(ho *holder.Holder) error {
		err := ho.UnblockPIN(puk, *pin)
		m.mu.Lock()
		defer m.mu.Unlock()
		t.know(ho.Known(), m.now())
		var wrong *holder.WrongPUKError
		if errors.As(err, &wrong) || ho.Known().PUK.Blocked() {
			t.logout()
		}
		return err
	})
}

// digits tells whether a code is ASCII digits, between shortest and longest of
// them.
func digits(code secret.Text, shortest, longest int) bool {
	b := code.Reveal()
	defer clear(b)
	for _, c := range b {
		if c < '0' || c > '9' {
			return false
		}
	}
	return shortest <= len(b) && len(b) <= longest
}
