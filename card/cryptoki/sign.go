package cryptoki

import (
	"hash"

	"cse.example/cse/card/holder"
	"cse.example/cse/ground/secret"
)

// signing is a signature under way.
type signing struct {
	ability
	key   *object
	pss   pssParameters
	hash  hash.Hash // of mechanisms that hash
	data  []byte    // of those that do not
	parts bool      // SignUpdate was called
	// allowed: the second key's PIN was given for this signature.
	allowed bool
}

// digesting is a digest under way.
type digesting struct {
	hash  hash.Hash
	parts bool
}

// begin finds a session and locks its work.
func (m *Module) begin(h Handle) (*session, RV) {
	s, rv := m.session(h)
	if rv == OK {
		s.work.Lock()
	}
	return s, rv
}

// SignInit is C_SignInit.
func (m *Module) SignInit(h Handle, how Mechanism, key Handle) RV {
	s, rv := m.begin(h)
	if rv != OK {
		return rv
	}
	defer s.work.Unlock()
	a, known := abilities[how.Type]
	m.mu.Lock()
	user, o := s.token.user, s.token.object(key)
	m.mu.Unlock()
	switch {
	case s.sign != nil:
		return OperationActive
	case !known || !a.sign:
		return MechanismInvalid
	case user != User:
		return UserNotLoggedIn
	case o == nil:
		return KeyHandleInvalid
	case o.key == nil:
		return KeyFunctionNotPermitted
	}
	op := &signing{ability: a, key: o}
	if a.pss {
		if op.pss, rv = parsePSS(how.Parameter, a, o.key); rv != OK {
			return rv
		}
	} else if len(how.Parameter) != 0 {
		return MechanismParamInvalid
	}
	if a.hash != 0 {
		op.hash = a.hash.New()
	}
	s.sign = op
	return OK
}

// SignUpdate is C_SignUpdate, also for mechanisms that do not hash: their data
// are short and kept.
func (m *Module) SignUpdate(h Handle, data []byte) RV {
	s, rv := m.begin(h)
	if rv != OK {
		return rv
	}
	defer s.work.Unlock()
	if s.sign == nil {
		return OperationNotInitialized
	}
	if rv := s.sign.write(data); rv != OK {
		s.sign = nil
		return rv
	}
	s.sign.parts = true
	return OK
}

func (op *signing) write(data []byte) RV {
	if op.hash != nil {
		op.hash.Write(data)
		return OK
	}
	if len(op.data)+len(data) > op.key.key.Size() {
		return DataLenRange
	}
	op.data = append(op.data, data...)
	return OK
}

// Sign is C_Sign: room is the caller's space for the signature, -1 when it only
// asks for the size. size is the length of the signature, known before it is
// made; asking for it, or having too little room, does not end the operation.
func (m *Module) Sign(h Handle, data []byte, room int) (signature []byte, size int, rv RV) {
	return m.finishSign(h, data, room, false)
}

// SignFinal is C_SignFinal; see Sign.
func (m *Module) SignFinal(h Handle, room int) (signature []byte, size int, rv RV) {
	return m.finishSign(h, nil, room, true)
}

func (m *Module) finishSign(h Handle, data []byte, room int, parts bool) ([]byte, int, RV) {
	s, rv := m.begin(h)
	if rv != OK {
		return nil, 0, rv
	}
	defer s.work.Unlock()
	op := s.sign
	if op == nil || op.parts && !parts {
		return nil, 0, OperationNotInitialized
	}
	size := op.key.key.Size()
	switch {
	case room < 0:
		return nil, size, OK
	case room < size:
		return nil, size, BufferTooSmall
	}
	s.sign = nil
	if op.key.second && !op.allowed {
		return nil, 0, UserNotLoggedIn
	}
	if rv := op.write(data); rv != OK {
		return nil, 0, rv
	}
	signature, rv := m.sign(s.token, op)
	return signature, len(signature), rv
}

// sign has the card sign what was gathered.
func (m *Module) sign(t *token, op *signing) ([]byte, RV) {
	data := op.data
	if op.hash != nil {
		data = op.hash.Sum(nil)
	}
	block, rv := op.block(op.key.key, op.pss, data)
	if rv != OK {
		return nil, rv
	}
	var signature []byte
	rv = m.with(t, func(ho *holder.Holder) (err error) {
		if !m.inUse(t) {
			return errNotLoggedIn
		}
		if op.key.second {
			signature, err = ho.SignBlockWithSecond(block)
			return err
		}
		signature, err = ho.SignBlock(block, func() (secret.Text, error) { return secret.Text{}, errNotLoggedIn })
		return err
	})
	if rv == UserNotLoggedIn && !op.key.second {
		m.mu.Lock()
		t.logout() // the card forgot the PIN: another program reset it
		m.mu.Unlock()
		m.release(t)
	}
	if rv != OK {
		return nil, rv
	}
	if !right(op.key.key, block, signature) {
		return nil, DeviceError
	}
	return signature, OK
}

// DigestInit is C_DigestInit. Digests are made here, not by the card.
func (m *Module) DigestInit(h Handle, how Mechanism) RV {
	s, rv := m.begin(h)
	if rv != OK {
		return rv
	}
	defer s.work.Unlock()
	a, known := abilities[how.Type]
	switch {
	case s.digest != nil:
		return OperationActive
	case !known || a.sign:
		return MechanismInvalid
	case len(how.Parameter) != 0:
		return MechanismParamInvalid
	}
	s.digest = &digesting{hash: a.hash.New()}
	return OK
}

// DigestUpdate is C_DigestUpdate.
func (m *Module) DigestUpdate(h Handle, data []byte) RV {
	s, rv := m.begin(h)
	if rv != OK {
		return rv
	}
	defer s.work.Unlock()
	if s.digest == nil {
		return OperationNotInitialized
	}
	s.digest.hash.Write(data)
	s.digest.parts = true
	return OK
}

// Digest is C_Digest; room and size as in Sign.
func (m *Module) Digest(h Handle, data []byte, room int) (digest []byte, size int, rv RV) {
	return m.finishDigest(h, data, room, false)
}

// DigestFinal is C_DigestFinal.
func (m *Module) DigestFinal(h Handle, room int) (digest []byte, size int, rv RV) {
	return m.finishDigest(h, nil, room, true)
}

func (m *Module) finishDigest(h Handle, data []byte, room int, parts bool) ([]byte, int, RV) {
	s, rv := m.begin(h)
	if rv != OK {
		return nil, 0, rv
	}
	defer s.work.Unlock()
	op := s.digest
	if op == nil || op.parts && !parts {
		return nil, 0, OperationNotInitialized
	}
	size := op.hash.Size()
	switch {
	case room < 0:
		return nil, size, OK
	case room < size:
		return nil, size, BufferTooSmall
	}
	s.digest = nil
	op.hash.Write(data)
	return op.hash.Sum(nil), size, OK
}
