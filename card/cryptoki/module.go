// Package cryptoki is a PKCS#11 module over the card: what a browser, OpenSSL,
// GnuTLS or ssh needs to log in with a TS-CNS. It holds all the logic and no C;
// cmd/cse-pkcs11 gives it the C interface.
//
// Standard: PKCS#11 Cryptographic Token Interface Base Specification 2.40 and
// Current Mechanisms 2.40 (OASIS, 2015). One slot is one reader, one token the
// card in it, with one PIN and one RSA key; certificate and public key can be
// read before the PIN.
//
// It guarantees that
//   - one call to Login, SetPIN or InitPIN sends at most one command with a code,
//     that a code of a wrong shape is not sent, and that a PIN which the card has
//     just refused is not sent again: a caller that repeats itself cannot spend
//     the tries. Nothing keeps a PIN after the call;
//   - what can be answered without the card is: certificate, names and objects
//     are read once for each insertion, and the card is open only while it is read
//     or a user is logged in. Questions never wait behind a signature;
//   - a card taken out ends its sessions: a call under way answers DeviceRemoved,
//     later ones SessionHandleInvalid, and the next card works;
//   - every signature is checked with the public key before it is handed out.
//
// It refuses to make, copy, change or destroy objects, and everything that the
// card cannot do.
package cryptoki

import (
	"crypto/rand"
	"errors"
	"sync"
	"time"

	"cse.example/cse/card/reader"
)

// Readers is how the module reaches readers and cards.
type Readers interface {
	// Slots lists the readers; an error means that there is no service now.
	Slots() ([]reader.Slot, error)
	// Connect opens the card in a reader.
	Connect(reader.Slot) (reader.Card, error)
	// Wait blocks until something differs from known, for a while, or until
	// Wake. It may return early.
	Wait(known []reader.Slot) error
	// Wake ends a Wait.
	Wake()
	// Close lets everything go.
	Close() error
}

// Module is one loaded module: the state that the standard calls an
// application. It is safe for concurrent use.
type Module struct {
	open func() Readers
	now  func() time.Time
	key  [32]byte // marks PINs that were refused

	watch   sync.Mutex // one look at the readers at a time; taken before mu
	looked  time.Time  // under watch
	waiting sync.Mutex // one caller waits for the readers at a time

	mu       sync.Mutex // everything below; never held while the card works
	running  bool
	epoch    int // counts initialisations: a call that outlives one does nothing
	readers  Readers
	known    []reader.Slot
	stock    bool // the readers were looked at since Initialize
	counted  bool // SlotList took stock since Initialize
	slots    []*slot
	sessions map[Handle]*session
	last     Handle
}

// New makes a module that opens its readers with open at Initialize. now is the
// clock.
func New(open func() Readers, now func() time.Time) *Module {
	return &Module{open: open, now: now}
}

// Initialize begins (C_Initialize). Neither a reader nor the service need be
// there.
func (m *Module) Initialize() RV {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.running {
		return AlreadyInitialized
	}
	if _, err := rand.Read(m.key[:]); err != nil {
		return GeneralError
	}
	m.running, m.readers = true, m.open()
	m.epoch++
	m.slots, m.known, m.stock, m.counted, m.sessions = nil, nil, false, false, map[Handle]*session{}
	return OK
}

// Finalize ends (C_Finalize): every session closes, the card forgets the PIN,
// whoever waits for an event returns.
func (m *Module) Finalize() RV {
	m.mu.Lock()
	if !m.running {
		m.mu.Unlock()
		return NotInitialized
	}
	m.running = false
	readers, slots := m.readers, m.slots
	var tokens []*token
	for _, s := range slots {
		if t := m.drop(s); t != nil {
			tokens = append(tokens, t)
		}
	}
	clear(m.sessions)
	m.mu.Unlock()
	readers.Wake()
	for _, t := range tokens {
		t.end()
	}
	m.watch.Lock()
	m.looked = time.Time{}
	m.watch.Unlock()
	m.waiting.Lock()
	defer m.waiting.Unlock()
	_ = readers.Close()
	return OK
}

// Info is C_GetInfo.
func (m *Module) Info() (Info, RV) {
	if !m.alive() {
		return Info{}, NotInitialized
	}
	return Info{
		Cryptoki: Version{2, 40}, Library: Version{0, 1},
		Manufacturer: manufacturer, Description: "TS-CNS card module",
	}, OK
}

const manufacturer = "CSE open TS-CNS platform"

func (m *Module) alive() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.running
}

// errNotLoggedIn is what the holder hears when it asks for a PIN that the
// module does not have.
var errNotLoggedIn = errors.New("not logged in")
