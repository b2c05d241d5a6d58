package chip_test

import (
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"cse.example/cse/card/chip"
	"cse.example/cse/card/chip/chiptest"
	"cse.example/cse/card/cns"
	"cse.example/cse/card/iso7816"
)

// Rules R70, R71: three wrong entries in a row block the PIN; two and a right
// one give all three back.
func TestVerify(t *testing.T) {
	c, made := open(t, cns.Neutral())
	script(t, c, `
		00200010 -> 63C3                   # query spends nothing
		00200010 -> 63C3
		00200010 08 BADBAD -> 63C2
		00200090 08 BADBAD -> 63C1         # 90 is the same code
		00200010 -> 63C1
		00200010 08 PINPIN -> 9000
		00200010 -> 9000                   # verified
		00A4000C 02 3F00 -> 9000
		00200010 -> 9000                   # not at SELECT
		RESET
		00200010 -> 63C3                   # at reset
		00200010 08 PINPIN -> 9000
		00200010 08 BADBAD -> 63C2
		00200010 -> 63C2                   # a wrong entry ends what was verified
		00200010 08 BADBAD -> 63C1
		00200010 08 BADBAD -> 6983
		00200010 -> 6983
		00200010 08 PINPIN -> 6983         # even the right one
		RESET
		00200010 08 PINPIN -> 6983
		00200110 08 PINPIN -> 6A86
		00200015 08 PINPIN -> 6A88
		00200010 07 31323334353637 -> 6700
		002000 1A 08 PINPIN -> 6A88        # no signature PIN in this profile
		00200011 -> 63C3                   # the PUK has its own counter
	`)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	script(t, reopen(t, made), "00200010 -> 6983 \n 00200011 -> 63C3")
}

func TestCounterOutlivesThePower(t *testing.T) {
	c, made := open(t, cns.Neutral())
	for left := 2; left > 0; left-- {
		script(t, c, fmt.Sprintf("00200010 08 BADBAD -> 63C%d", left))
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		c = reopen(t, made)
		script(t, c, fmt.Sprintf("00200010 -> 63C%d", left))
	}
	script(t, c, "00200010 08 PINPIN -> 9000")
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	script(t, reopen(t, made), "00200010 -> 63C3") // the verified flag does not
}

func TestChangeReferenceData(t *testing.T) {
	c, made := open(t, cns.Neutral())
	script(t, c, `
		00240010 10 BADBAD NEWNEW -> 63C2
		00240010 10 PINPIN 31323334FFFFFFFF -> 6A80    # four digits: refused, no try spent
		00240010 10 PINPIN 3132333435363700 -> 6A80
		00200010 -> 63C2
		00240090 10 PINPIN NEWNEW -> 9000
		00200010 -> 63C3                               # counter back; not a VERIFY
		00200010 08 PINPIN -> 63C2
		00200010 08 NEWNEW -> 9000
		00240010 10 NEWNEW 3132333435363738 -> 9000
		00200010 -> 9000                               # verified before, verified still
		00240010 10 PINPIN NEWNEW -> 63C2
		00200010 -> 63C2                               # a wrong old PIN ends it
		00240110 10 PINPIN NEWNEW -> 6A86
		00240010 08 PINPIN -> 6700
		00240015 10 PINPIN NEWNEW -> 6A88
		00240011 10 PUKPUK 3132333435363738 -> 6982    # the PUK is not changed
		00200011 -> 63C3
	`)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	script(t, reopen(t, made), "00200010 08 3132333435363738 -> 9000")
}

func TestChangeablePUK(t *testing.T) {
	p := cns.Neutral()
	p.PUKChangeable = true
	c, _ := open(t, p)
	script(t, c, `
		00240011 10 PUKPUK 31323334353637FF -> 6A80
		00240011 10 PUKPUK 3837363534333231 -> 9000
		002C0010 10 PUKPUK NEWNEW -> 63C2
		002C0010 10 3837363534333231 NEWNEW -> 9000
	`)
}

// Rules R72, R80.
func TestResetRetryCounter(t *testing.T) {
	c, _ := open(t, cns.Neutral())
	script(t, c, `
		00200010 08 BADBAD -> 63C2
		00200010 08 BADBAD -> 63C1
		00200010 08 BADBAD -> 6983
		002C0010 10 BADBAD NEWNEW -> 63C2
		00200011 -> 63C2
		00200010 -> 6983
		002C0090 10 PUKPUK NEWNEW -> 9000
		00200011 -> 63C3
		00200010 -> 63C3                  # not verified
		00200010 08 PINPIN -> 63C2
		00200010 08 NEWNEW -> 9000
		002C0110 08 PUKPUK -> 9000        # counter only; the PIN stays
		00200010 -> 63C3
		00200010 08 NEWNEW -> 9000
		002C0210 08 PINPIN -> 6982        # PUK not verified
		002C0310 -> 6982
		00200011 08 PUKPUK -> 9000
		002C0210 08 PINPIN -> 9000
		002C0310 -> 6982                  # the PUK served once
		00200010 08 PINPIN -> 9000
		00200010 08 BADBAD -> 63C2
		00200011 08 PUKPUK -> 9000
		002C0310 -> 9000
		00200010 -> 63C3
		002C0410 -> 6A86
		002C0010 08 PUKPUK -> 6700
		002C0310 08 PUKPUK -> 6700
		002C0011 10 PUKPUK PUKPUK -> 6982 # the PUK has no PUK
		002C0015 10 PUKPUK NEWNEW -> 6A88
		002C0010 10 PUKPUK 3132 FFFFFFFFFFFF -> 6A80
		00200011 -> 63C3
	`)
}

func TestPUKBlocked(t *testing.T) {
	c, made := open(t, cns.Neutral())
	script(t, c, `
		002C0010 10 BADBAD NEWNEW -> 63C2
		002C0110 08 BADBAD -> 63C1
		00200011 08 BADBAD -> 6983
		002C0010 10 PUKPUK NEWNEW -> 6983
		00200010 08 PINPIN -> 9000        # the PIN itself still works
	`)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	script(t, reopen(t, made), "002C0010 10 PUKPUK NEWNEW -> 6983")
}

// model is the PIN and PUK of a card as a person would explain them.
type model struct {
	pin      string
	pinLeft  int
	pukLeft  int
	verified bool
	pukShown bool
}

func (m *model) tryPUK(right bool) iso7816.SW {
	if m.pukLeft == 0 {
		return iso7816.AuthenticationBlocked
	}
	m.pukShown = false
	if right {
		m.pukLeft = 3
		return iso7816.OK
	}
	return spent(&m.pukLeft)
}

func (m *model) tryPIN(pin string) iso7816.SW {
	if m.pinLeft == 0 {
		return iso7816.AuthenticationBlocked
	}
	m.verified = false
	if pin == m.pin {
		m.pinLeft = 3
		return iso7816.OK
	}
	return spent(&m.pinLeft)
}

func spent(left *int) iso7816.SW {
	if *left--; *left == 0 {
		return iso7816.AuthenticationBlocked
	}
	return iso7816.Tries(*left)
}

// The chip does what the model does, over any sequence of commands, resets and
// power cycles.
func TestCodesAgainstAModel(t *testing.T) {
	p, _ := cns.ParseProfile("cns10")
	made := card(t, p)
	pristine := readFile(t, made.Path)
	rapid.Check(t, func(r *rapid.T) {
		writeFile(t, made.Path, pristine)
		c, err := chip.Open(made.Path)
		if err != nil {
			r.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		m := model{pin: chiptest.PIN, pinLeft: 3, pukLeft: 3}
		check := func(what string, want iso7816.SW, head []byte, codes ...string) {
			apdu := append([]byte(nil), head...)
			if len(codes) > 0 {
				apdu = append(apdu, byte(8*len(codes)))
			}
			for _, code := range codes {
				apdu = append(apdu, pad(code)...)
			}
			if _, got := sendRaw(t, c, apdu); got != want {
				r.Fatalf("%s: got %v, want %v (%+v)", what, got, want, m)
			}
		}
		pins := rapid.SampledFrom([]string{chiptest.PIN, "86420", "55555555"})
		puks := rapid.SampledFrom([]string{chiptest.PUK, chiptest.PUK, "11111111"})
		r.Repeat(map[string]func(*rapid.T){
			"verify": func(r *rapid.T) {
				pin := pins.Draw(r, "pin")
				want := m.tryPIN(pin)
				m.verified = m.verified || want.OK()
				check("VERIFY", want, []byte{0, 0x20, 0, 0x10}, pin)
			},
			"verify PUK": func(r *rapid.T) {
				puk := puks.Draw(r, "puk")
				want := m.tryPUK(puk == chiptest.PUK)
				m.pukShown = m.pukShown || want.OK()
				check("VERIFY PUK", want, []byte{0, 0x20, 0, 0x11}, puk)
			},
			"change": func(r *rapid.T) {
				old, fresh, was := pins.Draw(r, "old"), pins.Draw(r, "new"), m.verified
				want := m.tryPIN(old)
				if want.OK() {
					m.pin, m.verified = fresh, was
				}
				check("CHANGE", want, []byte{0, 0x24, 0, 0x90}, old, fresh)
			},
			"unblock": func(r *rapid.T) {
				puk, fresh := puks.Draw(r, "puk"), pins.Draw(r, "new")
				want := m.tryPUK(puk == chiptest.PUK)
				if want.OK() {
					m.pin, m.pinLeft, m.verified = fresh, 3, false
				}
				check("RESET", want, []byte{0, 0x2C, 0, 0x10}, puk, fresh)
			},
			"unblock with the PUK shown": func(r *rapid.T) {
				fresh, want := pins.Draw(r, "new"), iso7816.SecurityNotSatisfied
				if m.pukShown {
					m.pin, m.pinLeft, m.verified, m.pukShown, want = fresh, 3, false, false, iso7816.OK
				}
				check("RESET 02", want, []byte{0, 0x2C, 2, 0x10}, fresh)
			},
			"reset": func(*rapid.T) { c.Reset(); m.verified, m.pukShown = false, false },
			"power cycle": func(r *rapid.T) {
				if err := c.Close(); err != nil {
					r.Fatal(err)
				}
				if c, err = chip.Open(made.Path); err != nil {
					r.Fatal(err)
				}
				m.verified, m.pukShown = false, false
			},
			"": func(*rapid.T) {
				pin, puk := query(m.pinLeft, m.verified), query(m.pukLeft, m.pukShown)
				check("query PIN", pin, []byte{0, 0x20, 0, 0x10})
				check("query PUK", puk, []byte{0, 0x20, 0, 0x91})
			},
		})
	})
}

func query(left int, verified bool) iso7816.SW {
	switch {
	case left == 0:
		return iso7816.AuthenticationBlocked
	case verified:
		return iso7816.OK
	}
	return iso7816.Tries(left)
}
