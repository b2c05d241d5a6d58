package cryptoki

import (
	"path/filepath"
	"sync"
	"testing"
	"time"

	"cse.example/cse/card/chip"
	"cse.example/cse/card/cns"
	"cse.example/cse/card/holder/holdertest"
	"cse.example/cse/card/reader"
	"cse.example/cse/ground/secret"
)

// desk is a row of readers with chips in this process, and a clock.
type desk struct {
	t testing.TB
	*Module

	mu     sync.Mutex
	slots  []reader.Slot
	chips  map[string]*chip.Chip
	time   time.Time
	wake   chan struct{}
	hook   func(command []byte) // before each command
	reset  bool                 // the next Begin finds a card reset by others
	pad    []byte               // what the holder types on the reader's keys; nil: no keys
	broken error                // what every command ends with; nil: it works
	opened int                  // cards open now
	count  reader.APDUCounter
}

// newDesk makes an initialised module and one reader, "A", with a card of
// profile in it.
func newDesk(t testing.TB, profile cns.Profile) (*desk, holdertest.Card) {
	t.Helper()
	d := &desk{t: t, chips: map[string]*chip.Chip{}, time: time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC), wake: make(chan struct{}, 100)}
	card := holdertest.Make(t, filepath.Join(t.TempDir(), "card.cse"), profile, 7)
	d.Module = New(func() Readers { return d }, d.clock)
	d.insert("A", card.Path)
	d.want(OK, d.Initialize())
	t.Cleanup(func() {
		d.Finalize()
		for _, c := range d.chips {
			_ = c.Close()
		}
	})
	return d, card
}

func (d *desk) clock() time.Time { d.mu.Lock(); defer d.mu.Unlock(); return d.time }

// later moves the clock.
func (d *desk) later(x time.Duration) { d.mu.Lock(); d.time = d.time.Add(x); d.mu.Unlock() }

// insert puts the card at path into a reader, made if it is not there.
func (d *desk) insert(name, path string) {
	d.t.Helper()
	c, err := chip.Open(path)
	if err != nil {
		d.t.Fatal(err)
	}
	d.mu.Lock()
	d.chips[name] = c
	d.mu.Unlock()
	d.change(name, true, c.ATR())
}

// remove pulls the card of a reader out.
func (d *desk) remove(name string) {
	d.mu.Lock()
	c := d.chips[name]
	delete(d.chips, name)
	d.mu.Unlock()
	_ = c.Close()
	d.change(name, false, nil)
}

func (d *desk) change(name string, present bool, atr []byte) {
	d.mu.Lock()
	found := false
	for i := range d.slots {
		if s := &d.slots[i]; s.Name == name {
			s.Present, s.ATR = present, atr
			s.Events++
			found = true
		}
	}
	if !found {
		d.slots = append(d.slots, reader.Slot{Name: name, Present: present, ATR: atr})
	}
	d.mu.Unlock()
	d.later(time.Second)
	d.wake <- struct{}{}
}

// Slots implements Readers.
func (d *desk) Slots() ([]reader.Slot, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]reader.Slot(nil), d.slots...), nil
}

// Connect implements Readers.
func (d *desk) Connect(s reader.Slot) (reader.Card, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	c := d.chips[s.Name]
	if c == nil {
		return nil, reader.ErrRemoved
	}
	d.opened++
	return &plug{desk: d, name: s.Name, chip: c, Card: reader.FromChip(c)}, nil
}

// Wait implements Readers.
func (d *desk) Wait([]reader.Slot) error { <-d.wake; return nil }

// Wake implements Readers.
func (d *desk) Wake() { d.wake <- struct{}{} }

// Close implements Readers.
func (d *desk) Close() error { return nil }

// plug is one connection to the card in a reader.
type plug struct {
	reader.Card
	desk *desk
	name string
	chip *chip.Chip
}

func (p *plug) Transmit(apdu []byte) ([]byte, error) {
	d := p.desk
	d.mu.Lock()
	hook := d.hook
	d.mu.Unlock()
	if hook != nil {
		hook(apdu)
	}
	d.mu.Lock()
	in, broken := d.chips[p.name] == p.chip, d.broken
	d.mu.Unlock()
	if broken != nil {
		return nil, broken
	}
	if !in {
		return nil, reader.ErrRemoved
	}
	r, err := p.chip.Transmit(apdu)
	d.count.See(apdu, r)
	return r, err
}

func (p *plug) Begin() (func(), error) {
	d := p.desk
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.reset {
		d.reset = false
		return func() {}, reader.ErrReset
	}
	return func() {}, nil
}

func (p *plug) Part(verified bool) error {
	d := p.desk
	d.mu.Lock()
	defer d.mu.Unlock()
	d.opened--
	if verified && d.chips[p.name] == p.chip {
		p.chip.Reset()
	}
	return nil
}

func (p *plug) HasPINPad() bool { p.desk.mu.Lock(); defer p.desk.mu.Unlock(); return p.desk.pad != nil }

func (p *plug) VerifyOnPad(verify []byte, _, _ int) ([]byte, error) {
	p.desk.mu.Lock()
	typed := p.desk.pad
	p.desk.mu.Unlock()
	if len(typed) == 2 { // a status word: gave up
		return typed, nil
	}
	return p.Transmit(append(append([]byte(nil), verify[:5]...), typed...))
}

// want fails the test unless a call returned what it must.
func (d *desk) want(want, got RV) {
	d.t.Helper()
	if got != want {
		d.t.Fatalf("return value %v, want %v", got, want)
	}
}

// session opens a session on slot 0.
func (d *desk) session(write bool) Handle {
	d.t.Helper()
	h, rv := d.OpenSession(0, true, write)
	d.want(OK, rv)
	return h
}

// login opens a session and logs in.
func (d *desk) login() Handle {
	d.t.Helper()
	h := d.session(true)
	d.want(OK, d.Login(h, User, pin(holdertest.PIN)))
	return h
}

func pin(s string) *secret.Text { t := secret.FromString(s); return &t }

// find finds the one object of a class, or none.
func (d *desk) find(h Handle, class uint) Handle {
	d.t.Helper()
	d.want(OK, d.FindObjectsInit(h, []Attribute{{attrClass, ulong(class)}}))
	found, rv := d.FindObjects(h, 10)
	d.want(OK, rv)
	d.want(OK, d.FindObjectsFinal(h))
	if len(found) > 1 {
		d.t.Fatalf("%d objects of class %d", len(found), class)
	}
	if len(found) == 0 {
		return 0
	}
	return found[0]
}

// tries is the PIN's counter on the chip itself.
func (d *desk) tries() int {
	d.t.Helper()
	d.mu.Lock()
	defer d.mu.Unlock()
	r, err := d.chips["A"].Transmit([]byte{0x00, 0x20, 0x00, cns.RefPIN})
	if err != nil {
		d.t.Fatal(err)
	}
	switch {
	case r[0] == 0x63:
		return int(r[1] & 0x0F)
	case r[0] == 0x90:
		return 3
	}
	return 0
}
