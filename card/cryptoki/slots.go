package cryptoki

import (
	"sync"
	"time"

	"cse.example/cse/card/holder"
	"cse.example/cse/card/reader"
)

// fresh is how long a look at the readers is good for. A browser asks for the
// state of the slot with every object it touches.
const fresh = 150 * time.Millisecond

// retryAfter is how long a card that could not be read is left alone, so that a
// browser does not wait for it again and again.
const retryAfter = 2 * time.Second

// slot is one reader. Its number stays with its name for as long as the module
// is initialised.
type slot struct {
	id     SlotID
	name   string
	listed bool // told by the last SlotList that took stock

	load sync.Mutex // one reading of the card at a time; taken before mu

	// under Module.mu
	there   bool        // the reader is plugged in
	now     reader.Slot // what is in it
	event   bool        // something happened that WaitForSlotEvent has not told
	token   *token      // the card in it, once read
	refused RV          // why it cannot be read, for this insertion
	failed  time.Time   // when reading it last failed for a reason that may pass
}

// SlotList is C_GetSlotList. With stock (a call that asks for the number only),
// readers that came or went since are added and removed, as the standard wants.
func (m *Module) SlotList(present, stock bool) ([]SlotID, RV) {
	m.look(stock)
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.running {
		return nil, NotInitialized
	}
	stock = stock || !m.counted // callers like GnuTLS come with room for what there may be
	m.counted = true
	ids := []SlotID{}
	for _, s := range m.slots {
		if stock {
			s.listed = s.there
		}
		if s.listed && (!present || s.now.Present) {
			ids = append(ids, s.id)
		}
	}
	return ids, OK
}

// SlotInfo is C_GetSlotInfo.
func (m *Module) SlotInfo(id SlotID) (SlotInfo, RV) {
	m.look(false)
	m.mu.Lock()
	defer m.mu.Unlock()
	s, rv := m.slot(id)
	if rv != OK {
		return SlotInfo{}, rv
	}
	i := SlotInfo{Description: s.name, Manufacturer: manufacturer, Flags: FlagRemovableDevice | FlagHWSlot}
	if s.now.Present {
		i.Flags |= FlagTokenPresent
	}
	return i, OK
}

// slot finds a slot; mu is held.
func (m *Module) slot(id SlotID) (*slot, RV) {
	if !m.running {
		return nil, NotInitialized
	}
	for _, s := range m.slots {
		if s.id == id {
			return s, OK
		}
	}
	return nil, SlotIDInvalid
}

// WaitForSlotEvent is C_WaitForSlotEvent: the next slot whose card came or went
// and was not told yet. Without block it answers NoEvent at once.
func (m *Module) WaitForSlotEvent(block bool) (SlotID, RV) {
	for {
		m.look(true)
		m.mu.Lock()
		if !m.running {
			m.mu.Unlock()
			return 0, NotInitialized
		}
		for _, s := range m.slots {
			if s.event {
				s.event = false
				m.mu.Unlock()
				return s.id, OK
			}
		}
		readers, known, epoch := m.readers, m.known, m.epoch
		m.mu.Unlock()
		if !block {
			return 0, NoEvent
		}
		if rv := m.wait(readers, known, epoch); rv != OK {
			return 0, rv
		}
	}
}

// wait blocks until the readers may have changed.
func (m *Module) wait(readers Readers, known []reader.Slot, epoch int) RV {
	m.waiting.Lock()
	defer m.waiting.Unlock()
	m.mu.Lock()
	gone := !m.running || m.epoch != epoch
	m.mu.Unlock()
	if gone {
		return NotInitialized
	}
	if err := readers.Wait(known); err != nil {
		time.Sleep(fresh) // no service: it may come
	}
	return OK
}

// look brings the slots up to date. Without must, a recent look is enough, and
// so is an older one while somebody else looks.
func (m *Module) look(must bool) {
	if must {
		m.watch.Lock()
	} else if !m.watch.TryLock() {
		return
	}
	defer m.watch.Unlock()
	m.mu.Lock()
	running, readers := m.running, m.readers
	m.mu.Unlock()
	now := m.now()
	if age := now.Sub(m.looked); !running || !must && age >= 0 && age < fresh {
		return
	}
	list, err := readers.Slots()
	if err != nil {
		list = nil // no service, no readers
	}
	m.looked = now
	m.mu.Lock()
	var lost []*token
	if m.running {
		lost = m.apply(list)
	}
	m.mu.Unlock()
	for _, t := range lost {
		t.end()
	}
}

// apply takes over what the service says and gives back the tokens that went;
// mu is held.
func (m *Module) apply(list []reader.Slot) (lost []*token) {
	first := !m.stock
	m.known, m.stock = list, true
	found := map[string]reader.Slot{}
	for _, r := range list {
		found[r.Name] = r
	}
	for _, s := range m.slots {
		r, there := found[s.name]
		delete(found, s.name)
		if r.Present != s.now.Present || r.Present && r.Events != s.now.Events {
			s.event = true
			if t := m.drop(s); t != nil {
				lost = append(lost, t)
			}
		}
		s.there, s.now = there, r
	}
	for _, r := range list {
		if _, isNew := found[r.Name]; isNew {
			m.slots = append(m.slots, &slot{id: SlotID(len(m.slots)), name: r.Name, there: true, now: r, event: r.Present && !first})
			delete(found, r.Name)
		}
	}
	return lost
}

// drop forgets the card of a slot and its sessions; mu is held. The caller ends
// the token once mu is free.
func (m *Module) drop(s *slot) *token {
	for h, x := range m.sessions {
		if x.slot == s {
			delete(m.sessions, h)
		}
	}
	t := s.token
	s.token, s.refused, s.failed = nil, OK, time.Time{}
	if t != nil {
		t.logout()
		t.dead = true
	}
	return t
}

// token is the card in a slot, read if it was not yet.
func (m *Module) token(id SlotID) (*token, RV) {
	m.look(false)
	m.mu.Lock()
	s, rv := m.slot(id)
	m.mu.Unlock()
	if rv != OK {
		return nil, rv
	}
	s.load.Lock()
	defer s.load.Unlock()
	m.mu.Lock()
	t, refused, now, readers := s.token, s.refused, s.now, m.readers
	if age := m.now().Sub(s.failed); t == nil && age >= 0 && age < retryAfter {
		refused = DeviceError
	}
	m.mu.Unlock()
	switch {
	case !now.Present:
		return nil, TokenNotPresent
	case t != nil || refused != OK:
		return t, refused
	case now.Mute || !holder.IsCNS(now.ATR):
		return nil, TokenNotRecognized
	}
	t, rv = m.read(s, now, readers)
	m.look(true)
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case !m.running:
		return nil, NotInitialized
	case !s.now.Present || s.now.Events != now.Events:
		return nil, TokenNotPresent // it went while it was read
	case rv == DeviceError || rv == DeviceRemoved:
		s.failed = m.now()
		return nil, rv // may be better later
	}
	s.token, s.refused = t, rv
	return t, rv
}
