package cryptoki

// Wanted is one line of C_GetAttributeValue: what is asked, and what comes back.
type Wanted struct {
	Type AttributeType
	// Room is the caller's space in bytes, -1 when it only asks for the length.
	Room int
	// Value is what to copy there; Length what to put into ulValueLen.
	Value  []byte
	Length uint
}

// FindObjectsInit is C_FindObjectsInit. An empty template finds all.
func (m *Module) FindObjectsInit(h Handle, template []Attribute) RV {
	s, rv := m.begin(h)
	if rv != OK {
		return rv
	}
	defer s.work.Unlock()
	if s.search {
		return OperationActive
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s.search, s.found = true, s.token.find(template)
	return OK
}

// FindObjects is C_FindObjects.
func (m *Module) FindObjects(h Handle, most int) ([]Handle, RV) {
	s, rv := m.begin(h)
	if rv != OK {
		return nil, rv
	}
	defer s.work.Unlock()
	if !s.search {
		return nil, OperationNotInitialized
	}
	n := min(most, len(s.found))
	out := s.found[:n]
	s.found = s.found[n:]
	return out, OK
}

// FindObjectsFinal is C_FindObjectsFinal.
func (m *Module) FindObjectsFinal(h Handle) RV {
	s, rv := m.begin(h)
	if rv != OK {
		return rv
	}
	defer s.work.Unlock()
	if !s.search {
		return OperationNotInitialized
	}
	s.search, s.found = false, nil
	return OK
}

// AttributeValue is C_GetAttributeValue: every line is answered, and the return
// value tells of the worst of them.
func (m *Module) AttributeValue(h, object Handle, list []Wanted) RV {
	s, rv := m.session(h)
	if rv != OK {
		return rv
	}
	m.mu.Lock()
	o := s.token.object(object)
	m.mu.Unlock()
	if o == nil {
		return ObjectHandleInvalid
	}
	for i := range list {
		if one := list[i].answer(o); one != OK {
			rv = one
		}
	}
	return rv
}

func (w *Wanted) answer(o *object) RV {
	v, rv := o.value(w.Type)
	if rv == OK && w.Room >= 0 && w.Room < len(v) {
		rv = BufferTooSmall
	}
	if rv != OK {
		w.Length = Unavailable
		return rv
	}
	w.Length = uint(len(v))
	if w.Room >= 0 {
		w.Value = v
	}
	return OK
}

// CreateObject is C_CreateObject and C_CopyObject: there is no room on the card
// and none is lent in memory.
func (m *Module) CreateObject(h Handle, template []Attribute) RV {
	s, rv := m.session(h)
	if rv != OK {
		return rv
	}
	for _, a := range template {
		if a.Type == attrToken && len(a.Value) == 1 && a.Value[0] != 0 {
			if !s.write {
				return SessionReadOnly
			}
			return TokenWriteProtected
		}
	}
	return FunctionNotSupported
}

// ChangeObject is C_DestroyObject and C_SetAttributeValue.
func (m *Module) ChangeObject(h, object Handle) RV {
	s, rv := m.session(h)
	if rv != OK {
		return rv
	}
	m.mu.Lock()
	o := s.token.object(object)
	m.mu.Unlock()
	switch {
	case o == nil:
		return ObjectHandleInvalid
	case !s.write:
		return SessionReadOnly
	}
	return ActionProhibited
}

// HasSession tells whether a session exists: for calls that the module refuses
// in any case, and for those that would return another's error first.
func (m *Module) HasSession(h Handle) RV {
	_, rv := m.session(h)
	return rv
}
