package cryptoki

import (
	"sync"

	"cse.example/cse/card/cns"
	"cse.example/cse/card/holder"
	"cse.example/cse/ground/secret"
)

// session is a CK_SESSION_HANDLE. Its operations are under work, so that two
// threads with one session wait for each other.
type session struct {
	slot  *slot
	token *token
	write bool

	work   sync.Mutex // taken before everything else
	found  []Handle   // what FindObjects still has to tell
	search bool
	sign   *signing
	digest *digesting
}

// OpenSession is C_OpenSession.
func (m *Module) OpenSession(id SlotID, serial, write bool) (Handle, RV) {
	if !serial {
		if !m.alive() {
			return 0, NotInitialized
		}
		return 0, SessionParallelUnsupported
	}
	t, rv := m.token(id)
	if rv != OK {
		return 0, rv
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case !m.running:
		return 0, NotInitialized
	case t.dead:
		return 0, TokenNotPresent
	case t.user == SO && !write:
		return 0, SessionReadWriteSOExists
	}
	m.last++
	m.sessions[m.last] = &session{slot: t.slot, token: t, write: write}
	return m.last, OK
}

// session finds a session.
func (m *Module) session(h Handle) (*session, RV) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.running {
		return nil, NotInitialized
	}
	s, ok := m.sessions[h]
	if !ok {
		return nil, SessionHandleInvalid
	}
	return s, OK
}

// CloseSession is C_CloseSession. The last one logs out.
func (m *Module) CloseSession(h Handle) RV {
	s, rv := m.session(h)
	if rv != OK {
		return rv
	}
	m.mu.Lock()
	delete(m.sessions, h)
	m.mu.Unlock()
	m.logoutWhenIdle(s.token)
	return OK
}

// CloseAllSessions is C_CloseAllSessions.
func (m *Module) CloseAllSessions(id SlotID) RV {
	m.mu.Lock()
	s, rv := m.slot(id)
	if rv != OK {
		m.mu.Unlock()
		return rv
	}
	t := s.token
	for h, x := range m.sessions {
		if x.slot == s {
			delete(m.sessions, h)
		}
	}
	m.mu.Unlock()
	if t != nil {
		m.logoutWhenIdle(t)
	}
	return OK
}

func (m *Module) logoutWhenIdle(t *token) {
	m.mu.Lock()
	for _, x := range m.sessions {
		if x.token == t {
			m.mu.Unlock()
			return
		}
	}
	was := t.user
	t.logout()
	m.mu.Unlock()
	if was != nobody {
		m.release(t)
	}
}

// release waits for the talk under way and lets the card go.
func (m *Module) release(t *token) {
	t.io.Lock()
	defer t.io.Unlock()
	if !m.inUse(t) {
		t.part()
	}
}

// SessionInfo is C_GetSessionInfo.
func (m *Module) SessionInfo(h Handle) (SessionInfo, RV) {
	m.look(false)
	s, rv := m.session(h)
	if rv != OK {
		return SessionInfo{}, rv
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	i := SessionInfo{Slot: s.slot.id, Flags: FlagSerialSession, State: StateROPublic}
	switch {
	case s.token.user == SO:
		i.State = StateRWSO
	case s.token.user == User && s.write:
		i.State = StateRWUser
	case s.token.user == User:
		i.State = StateROUser
	case s.write:
		i.State = StateRWPublic
	}
	if s.write {
		i.Flags |= FlagRWSession
	}
	return i, OK
}

// Login is C_Login. The PIN goes to the card once; nil has the holder type it
// on the reader's own keys. As SO the PUK is kept for InitPIN, which uses it:
// a PUK cannot be looked at without spending a try of it.
func (m *Module) Login(h Handle, who UserType, pin *secret.Text) RV {
	s, rv := m.session(h)
	if rv != OK {
		return rv
	}
	switch who {
	case SO:
		return m.loginSO(s.token, pin)
	case User:
		return m.loginUser(s.token, pin)
	case ContextSpecific:
		return m.loginOnce(h, pin)
	}
	return UserTypeInvalid
}

// free tells whether somebody may log in; mu is held.
func (t *token) free(who UserType) RV {
	switch {
	case t.dead:
		return DeviceRemoved
	case t.user == who:
		return UserAlreadyLoggedIn
	case t.user != nobody:
		return UserAnotherLoggedIn
	}
	return OK
}

func (m *Module) loginSO(t *token, puk *secret.Text) RV {
	m.mu.Lock()
	defer m.mu.Unlock()
	if rv := t.free(SO); rv != OK {
		return rv
	}
	for _, x := range m.sessions {
		if x.token == t && !x.write {
			return SessionReadOnlyExists
		}
	}
	switch {
	case puk == nil:
		return ArgumentsBad
	case t.tries.PUK.Blocked():
		return PINLocked
	case !digits(*puk, cns.PUKLength, cns.PUKLength):
		return PINIncorrect
	}
	t.user, t.puk = SO, secret.New(puk.Reveal())
	return OK
}

func (m *Module) loginUser(t *token, pin *secret.Text) RV {
	if pin != nil && !digits(*pin, cns.MinPIN, cns.MaxPIN) {
		return PINIncorrect // never sent: no try is spent
	}
	if pin == nil && !t.pad {
		return ArgumentsBad
	}
	var rv RV
	out := m.with(t, func(ho *holder.Holder) error {
		m.mu.Lock()
		rv = t.free(User)
		if rv == OK && pin != nil && m.justRefused(t, false, *pin) {
			rv = PINIncorrect
		}
		m.mu.Unlock()
		if rv != OK {
			return nil
		}
		var err error
		if pin == nil {
			err = ho.VerifyPINOnReader()
		} else {
			err = ho.VerifyPIN(*pin)
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		m.learn(t, ho, pin, err)
		if err == nil && !t.dead {
			t.user = User
		}
		return err
	})
	if rv != OK {
		return rv
	}
	return out
}

// learn keeps what the card said of its PIN; mu is held.
func (m *Module) learn(t *token, h *holder.Holder, pin *secret.Text, err error) {
	t.know(h.Known(), m.now())
	m.remember(t, false, pin, err)
}

// loginOnce is C_Login with CKU_CONTEXT_SPECIFIC: the second key's own PIN, for
// the one signature that SignInit has begun.
func (m *Module) loginOnce(h Handle, pin *secret.Text) RV {
	s, rv := m.begin(h)
	if rv != OK {
		return rv
	}
	defer s.work.Unlock()
	t := s.token
	switch {
	case s.sign == nil || !s.sign.key.second:
		return OperationNotInitialized
	case pin == nil:
		return ArgumentsBad
	case !digits(*pin, cns.MinPIN, cns.MaxPIN):
		return PINIncorrect
	}
	m.mu.Lock()
	refused := m.justRefused(t, true, *pin)
	m.mu.Unlock()
	if refused {
		return PINIncorrect
	}
	rv = m.with(t, func(ho *holder.Holder) error {
		err := ho.VerifySignaturePIN(*pin)
		m.mu.Lock()
		defer m.mu.Unlock()
		m.remember(t, true, pin, err)
		return err
	})
	s.sign.allowed = rv == OK
	return rv
}

// Logout is C_Logout.
func (m *Module) Logout(h Handle) RV {
	s, rv := m.session(h)
	if rv != OK {
		return rv
	}
	m.mu.Lock()
	was := s.token.user
	s.token.logout()
	m.mu.Unlock()
	if was == nobody {
		return UserNotLoggedIn
	}
	m.release(s.token)
	return OK
}
