package cryptoki

import (
	"errors"
	"sync"
	"testing"
	"time"

	"cse.example/cse/card/cns"
	"cse.example/cse/card/holder/holdertest"
	"cse.example/cse/card/reader"
)

// A card pulled out in the middle of a signature: the call says so, the
// sessions are gone, and the next insertion works.
func TestRemovedDuringASignature(t *testing.T) {
	for _, at := range []byte{0x22, 0x2A} { // MSE, PSO
		d, card := newDesk(t, cns.Neutral())
		h := d.login()
		var once sync.Once
		d.hook = func(c []byte) {
			if c[1] == at {
				once.Do(func() { d.remove("A") })
			}
		}
		d.want(OK, d.SignInit(h, Mechanism{Type: SHA256RSAPKCS}, d.find(h, classPrivateKey)))
		_, _, rv := d.Sign(h, []byte("x"), 256)
		d.want(DeviceRemoved, rv)
		_, rv = d.SessionInfo(h)
		d.want(SessionHandleInvalid, rv)
		_, rv = d.TokenInfo(0)
		d.want(TokenNotPresent, rv)
		_, rv = d.OpenSession(0, true, false)
		d.want(TokenNotPresent, rv)
		if d.opened != 0 {
			t.Fatalf("%d connections are left", d.opened)
		}
		d.insert("A", card.Path)
		d.signOnce(d.login())
		if n := d.tries(); n != 3 {
			t.Fatalf("%d tries left", n)
		}
	}
}

// The card is changed for another while nobody looks: nothing of the first one
// answers for the second.
func TestAnotherCardInTheSameReader(t *testing.T) {
	d, first := newDesk(t, cns.Neutral())
	h := d.login()
	other := holdertest.Make(t, t.TempDir()+"/other.cse", cns.ST2021(), 8)
	d.remove("A")
	d.insert("A", other.Path)
	d.want(SessionHandleInvalid, func() RV { _, rv := d.SessionInfo(h); return rv }())
	i, rv := d.TokenInfo(0)
	d.want(OK, rv)
	if i.Serial != string(other.ID) || i.Serial == string(first.ID) {
		t.Fatalf("%+v", i)
	}
	d.signOnce(d.login())
}

// Another program resets the card: the user is asked again, and no PIN is sent.
func TestResetByAnotherProgram(t *testing.T) {
	d, _ := newDesk(t, cns.Neutral())
	h := d.login()
	key := d.find(h, classPrivateKey)
	d.chips["A"].Reset()
	d.reset = true
	d.count.Zero()
	d.want(OK, d.SignInit(h, Mechanism{Type: SHA256RSAPKCS}, key))
	_, _, rv := d.Sign(h, []byte("x"), 256)
	d.want(UserNotLoggedIn, rv)
	i, rv := d.SessionInfo(h)
	d.want(OK, rv)
	if i.State != StateRWPublic || d.find(h, classPrivateKey) != 0 || d.count.Count().APDUs != 0 {
		t.Fatalf("%+v, %+v", i, d.count.Count())
	}
	d.want(OK, d.Login(h, User, pin(holdertest.PIN)))
	d.signOnce(h)
}

// The same without a word from the service: the card itself says 6982.
func TestTheCardForgotThePIN(t *testing.T) {
	d, _ := newDesk(t, cns.ST2021())
	h := d.login()
	d.want(OK, d.SignInit(h, Mechanism{Type: SHA256RSAPKCS}, d.find(h, classPrivateKey)))
	d.chips["A"].Reset()
	_, _, rv := d.Sign(h, []byte("x"), 256)
	d.want(UserNotLoggedIn, rv)
	d.want(OK, d.Login(h, User, pin(holdertest.PIN)))
	d.signOnce(h)
	if n := d.tries(); n != 3 {
		t.Fatalf("%d tries left", n)
	}
}

// The way to the card breaks while the card stays in (the service was started
// again): the user is logged out, and a new log-in finds a new way.
func TestTheWayToTheCardBreaks(t *testing.T) {
	d, _ := newDesk(t, cns.Neutral())
	h := d.login()
	key := d.find(h, classPrivateKey)
	d.want(OK, d.SignInit(h, Mechanism{Type: SHA256RSAPKCS}, key))
	d.broken = errors.New("invalid handle")
	_, _, rv := d.Sign(h, []byte("x"), 256)
	d.want(DeviceError, rv)
	i, rv := d.SessionInfo(h)
	d.want(OK, rv)
	if i.State != StateRWPublic || d.opened != 0 {
		t.Fatalf("%+v, %d connections", i, d.opened)
	}
	d.broken = nil
	d.want(OK, d.Login(h, User, pin(holdertest.PIN)))
	d.signOnce(h)
}

// A card that cannot be read now is asked again later, not at every question.
func TestACardThatCannotBeReadNow(t *testing.T) {
	d, _ := newDesk(t, cns.ST2021())
	d.broken = errors.New("in use")
	asked := 0
	d.hook = func([]byte) { asked++ }
	for range 10 {
		_, rv := d.TokenInfo(0)
		d.want(DeviceError, rv)
	}
	if asked != 1 {
		t.Fatalf("asked %d times", asked)
	}
	d.broken = nil
	d.later(retryAfter)
	_, rv := d.TokenInfo(0)
	d.want(OK, rv)
}

func TestSlotsComeAndGo(t *testing.T) {
	d, _ := newDesk(t, cns.Neutral())
	ids, _ := d.SlotList(false, true)
	other := holdertest.Make(t, t.TempDir()+"/other.cse", cns.ST2021(), 9)
	_, rv := d.WaitForSlotEvent(false)
	d.want(NoEvent, rv)
	d.insert("B", other.Path)
	id, rv := d.WaitForSlotEvent(false)
	d.want(OK, rv)
	if now, _ := d.SlotList(false, false); len(now) != len(ids) || id != 1 {
		t.Fatalf("the list changed without a call that takes stock: %v; event of %d", now, id)
	}
	if now, _ := d.SlotList(true, true); len(now) != 2 {
		t.Fatalf("%v", now)
	}
	i, rv := d.TokenInfo(1)
	d.want(OK, rv)
	if i.Serial != string(other.ID) {
		t.Fatalf("%+v", i)
	}
	got := make(chan SlotID)
	for range len(d.wake) {
		<-d.wake
	}
	go func() { id, _ := d.WaitForSlotEvent(true); got <- id }()
	time.Sleep(20 * time.Millisecond)
	d.remove("B")
	if id := <-got; id != 1 {
		t.Fatalf("event of slot %d", id)
	}
	d.mu.Lock()
	d.slots = d.slots[:1] // reader B is unplugged
	d.mu.Unlock()
	if now, _ := d.SlotList(false, true); len(now) != 1 {
		t.Fatalf("%v", now)
	}
	d.insert("B", other.Path) // and comes back under its number
	if now, _ := d.SlotList(false, true); len(now) != 2 || now[1] != 1 {
		t.Fatalf("%v", now)
	}
	// what is in the reader is no CNS, or does not answer
	for _, atr := range [][]byte{nil, {0x3B, 0x80, 0x80, 0x01, 0x01}} {
		d.change("B", true, atr)
		_, rv = d.TokenInfo(1)
		d.want(TokenNotRecognized, rv)
	}
	_, rv = d.SlotInfo(77)
	d.want(SlotIDInvalid, rv)
}

// Finalize ends a wait that blocks.
func TestFinalizeEndsAWait(t *testing.T) {
	d, _ := newDesk(t, cns.Neutral())
	_, _ = d.SlotList(true, true)
	for range len(d.wake) {
		<-d.wake
	}
	got := make(chan RV)
	go func() { _, rv := d.WaitForSlotEvent(true); got <- rv }()
	time.Sleep(20 * time.Millisecond)
	d.want(OK, d.Finalize())
	select {
	case rv := <-got:
		d.want(NotInitialized, rv)
	case <-time.After(10 * time.Second):
		t.Fatal("the wait goes on")
	}
}

// The service is not there when the program starts, and comes later.
func TestNoService(t *testing.T) {
	broken := &later{}
	m := New(func() Readers { return broken }, time.Now)
	if rv := m.Initialize(); rv != OK {
		t.Fatal(rv)
	}
	defer m.Finalize()
	if ids, rv := m.SlotList(false, true); rv != OK || len(ids) != 0 {
		t.Fatal(ids, rv)
	}
	broken.slots = []reader.Slot{{Name: "A"}}
	if ids, rv := m.SlotList(false, true); rv != OK || len(ids) != 1 {
		t.Fatal(ids, rv)
	}
}

// later is a service that is away while it has no slots.
type later struct{ slots []reader.Slot }

func (l *later) Slots() ([]reader.Slot, error) {
	if l.slots == nil {
		return nil, reader.ErrRemoved
	}
	return l.slots, nil
}
func (l *later) Connect(reader.Slot) (reader.Card, error) { return nil, reader.ErrRemoved }
func (l *later) Wait([]reader.Slot) error                 { return nil }
func (l *later) Wake()                                    {}
func (l *later) Close() error                             { return nil }

// Sixteen threads do everything at once while the card goes in and out. Run
// with -race, as make test does.
func TestSixteenThreads(t *testing.T) {
	d, card := newDesk(t, cns.Neutral())
	stop := make(chan struct{})
	var wg sync.WaitGroup
	for range 16 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for {
				select {
				case <-stop:
					return
				default:
					d.everything(t)
				}
			}
		}()
	}
	for range 6 {
		time.Sleep(150 * time.Millisecond)
		d.remove("A")
		time.Sleep(20 * time.Millisecond)
		d.insert("A", card.Path)
	}
	close(stop)
	wg.Wait()
	if n := d.tries(); n != 3 {
		t.Fatalf("%d tries left", n)
	}
	d.want(OK, d.CloseAllSessions(0))
	d.signOnce(d.login())
	d.want(OK, d.CloseAllSessions(0))
	if d.opened != 0 {
		t.Fatalf("%d connections are left", d.opened)
	}
}

// everything is one round of what a program does; any answer will do, but the
// right PIN is never called wrong and a signature is right or not there.
func (d *desk) everything(t *testing.T) {
	_, _ = d.SlotList(true, true)
	_, _ = d.TokenInfo(0)
	h, rv := d.OpenSession(0, true, true)
	if rv != OK {
		return
	}
	defer d.CloseSession(h)
	if rv := d.Login(h, User, pin(holdertest.PIN)); rv == PINIncorrect || rv == PINLocked {
		t.Errorf("the right PIN: %v", rv)
	}
	if d.FindObjectsInit(h, []Attribute{{attrClass, ulong(classPrivateKey)}}) != OK {
		return
	}
	found, _ := d.FindObjects(h, 1)
	_ = d.FindObjectsFinal(h)
	if len(found) == 0 || d.SignInit(h, Mechanism{Type: SHA256RSAPKCS}, found[0]) != OK {
		return
	}
	if sig, _, rv := d.Sign(h, []byte("x"), 256); rv == OK && len(sig) != 256 {
		t.Errorf("signature of %d bytes", len(sig))
	}
	_, _ = d.SessionInfo(h)
}
