package cryptoki

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"strings"
	"sync"
	"time"

	"cse.example/cse/card/cns"
	"cse.example/cse/card/holder"
	"cse.example/cse/card/iso7816"
	"cse.example/cse/card/reader"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
)

// token is one insertion of one card. What was read of it does not change; the
// card itself is open only while somebody is logged in or works with it.
type token struct {
	slot    *slot
	at      reader.Slot
	readers Readers

	label, model, serial string
	objects              []*object
	pad                  bool // the reader has a pinpad

	io     sync.Mutex // one talk with the card at a time; taken before watch and mu
	card   reader.Card
	holder *holder.Holder

	// under Module.mu
	dead    bool // the card went
	user    UserType
	puk     secret.Text // while SO is logged in
	tries   holder.Tries
	asked   time.Time        // when tries were asked of the card
	refused map[bool]refusal // of the PIN, and of the second key's
}

// refusal is a PIN that the card refused, as a keyed hash, and when.
type refusal struct {
	mark [sha256.Size]byte
	at   time.Time
}

// read opens the card, reads what it shows before the PIN, and lets it go.
func (m *Module) read(s *slot, at reader.Slot, readers Readers) (*token, RV) {
	t := &token{slot: s, at: at, readers: readers, user: nobody, refused: map[bool]refusal{}}
	var leaf, second *x509.Certificate
	rv := m.with(t, func(h *holder.Holder) (err error) {
		t.model = h.Identify().Family
		t.pad = reader.HasPINPad(t.card)
		if t.tries, err = h.Tries(); err != nil {
			return err
		}
		t.asked = m.now()
		leaf, err = h.Certificate()
		if f := words.FaultOf(err); f != nil && f.Code == "CSE-224" {
			err = nil // a card without certificate is a token without objects
		}
		if err == nil {
			second, err = h.SignatureCertificate()
		}
		return err
	})
	if rv != OK {
		return nil, rv
	}
	t.label = "TS-CNS"
	if leaf != nil {
		t.name(leaf)
		t.objects = objectsOf(authentication, leaf, m.handles(3))
	}
	if second != nil {
		t.objects = append(t.objects, objectsOf(digitalSignature, second, m.handles(3))...)
	}
	return t, OK
}

// name takes label and serial number from the certificate, which costs the card
// nothing: CN is "CF/ID_Carta.HASH" (card.md section 6).
func (t *token) name(leaf *x509.Certificate) {
	cf, rest, _ := strings.Cut(leaf.Subject.CommonName, "/")
	if id, _, ok := strings.Cut(rest, "."); ok && len(id) == cns.SizeCardID {
		t.serial = id
	}
	who := nameIn(leaf)
	if who == "" {
		who = cf
	}
	t.label = "TS-CNS " + who
}

// nameIn is the holder's name in the subject, given name first; "" without one.
func nameIn(leaf *x509.Certificate) string {
	var given, surname string
	for _, n := range leaf.Subject.Names {
		text, _ := n.Value.(string)
		switch n.Type.String() {
		case "2.5.4.42":
			given = text
		case "2.5.4.4":
			surname = text
		}
	}
	return strings.TrimSpace(given + " " + surname)
}

// handles makes n object handles.
func (m *Module) handles(n int) []Handle {
	m.mu.Lock()
	defer m.mu.Unlock()
	out := make([]Handle, n)
	for i := range out {
		m.last++
		out[i] = m.last
	}
	return out
}

// with runs act with the card open and no one else of this process talking to
// it. Afterwards the card stays open only for a user who is logged in.
func (m *Module) with(t *token, act func(*holder.Holder) error) RV {
	t.io.Lock()
	defer t.io.Unlock()
	return m.talk(t, act)
}

// talk is with for a caller that holds io.
func (m *Module) talk(t *token, act func(*holder.Holder) error) RV {
	defer func() {
		if !m.inUse(t) {
			t.part()
		}
	}()
	if m.isDead(t) {
		return DeviceRemoved
	}
	var err error
	if t.holder == nil {
		err = m.connect(t)
	}
	if err == nil {
		err = act(t.holder)
	}
	rv := m.rvOf(t, err)
	if rv == DeviceError { // the connection may be worth nothing now: begin anew
		m.mu.Lock()
		t.logout()
		m.mu.Unlock()
	}
	return rv
}

// connect opens the card and makes sure that it is the one that t stands for.
func (m *Module) connect(t *token) error {
	c, err := t.readers.Connect(t.at)
	if err != nil {
		return err
	}
	if t.holder, err = holder.New(c); err != nil {
		return errors.Join(err, reader.Part(c, false))
	}
	t.card = c
	if t.label == "" { // being read: token looks after the reading
		return nil
	}
	m.look(true)
	if m.isDead(t) {
		t.part()
		return reader.ErrRemoved
	}
	return nil
}

// part lets the card go; io is held.
func (t *token) part() {
	if t.card != nil {
		_ = reader.Part(t.card, t.holder.Verified())
	}
	t.card, t.holder = nil, nil
}

// end lets the card of a dropped token go, now or when the talk under way ends.
func (t *token) end() {
	if t.io.TryLock() {
		t.part()
		t.io.Unlock()
	}
}

func (m *Module) inUse(t *token) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !t.dead && t.user == User
}

func (m *Module) isDead(t *token) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return t.dead
}

// logout forgets who is logged in; mu is held. The card forgets at part.
func (t *token) logout() {
	t.user = nobody
	t.puk.Wipe()
}

// rvOf turns what the card's packages say into a return value.
func (m *Module) rvOf(t *token, err error) RV {
	var wrongPIN *holder.WrongPINError
	var wrongPUK *holder.WrongPUKError
	var code string
	if f := words.FaultOf(err); f != nil {
		code = f.Code
	}
	switch {
	case err == nil:
		return OK
	case errors.Is(err, errNotLoggedIn):
		return UserNotLoggedIn
	case errors.As(err, &wrongPIN), errors.As(err, &wrongPUK):
		return PINIncorrect
	case code == "CSE-212", code == "CSE-214":
		return PINLocked
	case code == "CSE-221":
		return PINLenRange
	case code == "CSE-222":
		return PINInvalid
	case code == "CSE-700":
		return FunctionCanceled
	case code == "CSE-223":
		return PINIncorrect
	case code == "CSE-204", code == "CSE-225":
		return TokenNotRecognized
	case errors.Is(err, iso7816.SecurityNotSatisfied):
		return UserNotLoggedIn
	}
	m.look(true) // a card that went says so in many ways
	if m.isDead(t) || errors.Is(err, reader.ErrRemoved) || code == reader.CodeNoCard || code == reader.CodeNoReader {
		return DeviceRemoved
	}
	return DeviceError
}

// mark is what is kept of a refused PIN instead of the PIN.
func (m *Module) mark(pin secret.Text) (out [sha256.Size]byte) {
	b := pin.Reveal()
	defer clear(b)
	h := hmac.New(sha256.New, m.key[:])
	h.Write(b)
	h.Sum(out[:0])
	return out
}

// triesFresh is how long a count of tries is good for: other programs may spend
// some.
const triesFresh = 2 * time.Second

// TokenInfo is C_GetTokenInfo. The count of tries is asked of the card when it
// is old and the card is not busy, on masks where asking is proved harmless;
// elsewhere the flags show what the card has said of itself.
func (m *Module) TokenInfo(id SlotID) (TokenInfo, RV) {
	t, rv := m.token(id)
	if rv != OK {
		return TokenInfo{}, rv
	}
	m.askTries(t)
	m.mu.Lock()
	defer m.mu.Unlock()
	if t.dead {
		return TokenInfo{}, TokenNotPresent
	}
	i := TokenInfo{
		Label: t.label, Manufacturer: manufacturer, Model: t.model, Serial: t.serial,
		MinPIN: cns.MinPIN, MaxPIN: cns.MaxPIN,
		Flags: FlagLoginRequired | FlagUserPINInit | FlagTokenInitialized | pinFlags(t.tries),
	}
	if t.pad {
		i.Flags |= FlagProtectedPath
	}
	for _, x := range m.sessions {
		if x.slot == t.slot {
			i.Sessions++
			if x.write {
				i.ReadWrite++
			}
		}
	}
	return i, OK
}

// askTries refreshes the count of tries, unless the card is busy.
func (m *Module) askTries(t *token) {
	m.mu.Lock()
	due := !t.dead && t.user == nobody && m.now().Sub(t.asked) >= triesFresh
	m.mu.Unlock()
	if mask, ok := holder.MaskOf(t.at.ATR); !due || !ok || !mask.Query || !t.io.TryLock() {
		return
	}
	defer t.io.Unlock()
	_ = m.talk(t, func(h *holder.Holder) error {
		tries, err := h.Tries()
		m.mu.Lock()
		defer m.mu.Unlock()
		t.know(tries, m.now())
		return err
	})
}

// know keeps what the card has told of its counters; mu is held.
func (t *token) know(n holder.Tries, at time.Time) {
	t.asked = at
	if n.PIN.Known {
		t.tries.PIN = n.PIN
	}
	if n.PUK.Known {
		t.tries.PUK = n.PUK
	}
}

// pinFlags are the flags of the codes' counters. "Count low" means that a wrong
// code was entered since the last right one.
func pinFlags(t holder.Tries) (flags uint) {
	flags = codeFlags(t.PIN, FlagUserPINCountLow, FlagUserPINFinalTry, FlagUserPINLocked)
	return flags | codeFlags(t.PUK, FlagSOPINCountLow, FlagSOPINFinalTry, FlagSOPINLocked)
}

func codeFlags(c holder.Counter, low, final, locked uint) uint {
	switch {
	case !c.Known || c.Left >= holder.MaxTries:
		return 0
	case c.Left == 0:
		return locked
	case c.Left == 1:
		return low | final
	}
	return low
}
