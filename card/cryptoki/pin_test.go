package cryptoki

import (
	"testing"
	"time"

	"cse.example/cse/card/cns"
	"cse.example/cse/card/holder/holdertest"
)

func (d *desk) flags() uint {
	d.t.Helper()
	d.later(triesFresh)
	i, rv := d.TokenInfo(0)
	d.want(OK, rv)
	return i.Flags & (FlagUserPINCountLow | FlagUserPINFinalTry | FlagUserPINLocked | FlagSOPINCountLow | FlagSOPINFinalTry | FlagSOPINLocked)
}

// A caller that says the same wrong PIN again, or no PIN at all, spends one try
// and no more.
func TestACallerThatRepeatsItselfSpendsOneTry(t *testing.T) {
	for _, p := range []cns.Profile{cns.Neutral(), cns.ST2021()} {
		d, _ := newDesk(t, p)
		h := d.session(false)
		for _, code := range []string{"", "1", "1234", "123456789", "12a45", "52903 "} {
			d.want(PINIncorrect, d.Login(h, User, pin(code)))
		}
		d.want(ArgumentsBad, d.Login(h, User, nil))
		if n := d.tries(); n != 3 {
			t.Fatalf("codes of a wrong shape: %d tries left", n)
		}
		for range 20 {
			d.want(PINIncorrect, d.Login(h, User, pin("99174")))
		}
		if n := d.tries(); n != 2 {
			t.Fatalf("one wrong PIN, repeated: %d tries left, want 2", n)
		}
		d.want(OK, d.Login(h, User, pin(holdertest.PIN)))
		d.want(UserAlreadyLoggedIn, d.Login(h, User, pin("99174")))
		if n := d.tries(); n != 3 {
			t.Fatalf("%d tries left after the right PIN", n)
		}
		d.want(OK, d.Logout(h))
		d.want(UserNotLoggedIn, d.Logout(h))
		// a person comes back to it later: then it goes to the card
		d.want(PINIncorrect, d.Login(h, User, pin("99174")))
		d.later(refusedFor)
		d.want(PINIncorrect, d.Login(h, User, pin("99174")))
		if n := d.tries(); n != 1 {
			t.Fatalf("%d tries left, want 1", n)
		}
	}
}

// The flags of the token tell the truth, and telling it costs no try. On masks
// where asking is not proved harmless, they tell what the card said of itself.
func TestFlagsOfThePIN(t *testing.T) {
	for _, p := range []cns.Profile{cns.Neutral(), cns.ST2021()} {
		t.Run(p.Name, func(t *testing.T) {
			d, _ := newDesk(t, p)
			h := d.session(true)
			want := []uint{0, FlagUserPINCountLow, FlagUserPINCountLow | FlagUserPINFinalTry, FlagUserPINLocked}
			for n, code := range []string{"99174", "88163", "77152", ""} {
				if got := d.flags(); got != want[n] {
					t.Fatalf("after %d wrong: %X, want %X", n, got, want[n])
				}
				if code != "" {
					rv := d.Login(h, User, pin(code))
					if n < 2 {
						d.want(PINIncorrect, rv)
					} else {
						d.want(PINLocked, rv)
					}
				}
			}
			d.want(PINLocked, d.Login(h, User, pin(holdertest.PIN)))

			// the PUK as SO's PIN
			ro := d.session(false)
			d.want(SessionReadOnlyExists, d.Login(h, SO, pin(holdertest.PUK)))
			d.want(OK, d.CloseSession(ro))
			d.want(PINIncorrect, d.Login(h, SO, pin("123")))
			d.want(OK, d.Login(h, SO, pin("11112222")))
			_, rv := d.OpenSession(0, true, false)
			d.want(SessionReadWriteSOExists, rv)
			d.want(UserAnotherLoggedIn, d.Login(h, User, pin(holdertest.PIN)))
			d.want(PINInvalid, d.InitPIN(h, pin("12345")))
			d.want(PINLenRange, d.InitPIN(h, pin("1234")))
			d.want(PINIncorrect, d.InitPIN(h, pin("70416")))
			d.want(UserNotLoggedIn, d.InitPIN(h, pin("70416"))) // a wrong PUK ends the log-in
			if got := d.flags(); got != FlagUserPINLocked|FlagSOPINCountLow {
				t.Fatalf("%X", got)
			}
			d.want(OK, d.Login(h, SO, pin(holdertest.PUK)))
			d.want(OK, d.InitPIN(h, pin("70416")))
			d.want(OK, d.Logout(h))
			if got := d.flags(); got != 0 {
				t.Fatalf("%X", got)
			}
			d.want(OK, d.Login(h, User, pin("70416")))
		})
	}
}

func TestSetPIN(t *testing.T) {
	d, _ := newDesk(t, cns.Neutral())
	h := d.session(true)
	d.want(SessionReadOnly, d.SetPIN(d.session(false), pin(holdertest.PIN), pin("70416")))
	d.want(PINInvalid, d.SetPIN(h, pin(holdertest.PIN), pin("11111")))
	d.want(PINLenRange, d.SetPIN(h, pin(holdertest.PIN), pin("704")))
	d.want(PINIncorrect, d.SetPIN(h, pin("52"), pin("70416")))
	d.want(ArgumentsBad, d.SetPIN(h, nil, nil))
	if n := d.tries(); n != 3 {
		t.Fatalf("%d tries left", n)
	}
	for range 5 {
		d.want(PINIncorrect, d.SetPIN(h, pin("99174"), pin("70416")))
	}
	if n := d.tries(); n != 2 {
		t.Fatalf("%d tries left", n)
	}
	d.want(OK, d.SetPIN(h, pin(holdertest.PIN), pin("70416")))
	d.later(time.Minute)
	d.want(PINIncorrect, d.Login(h, User, pin(holdertest.PIN)))
	d.want(OK, d.Login(h, User, pin("70416")))
	d.want(OK, d.SetPIN(h, pin("70416"), pin("38195"))) // also when logged in
	d.signOnce(h)
}

func TestPINPad(t *testing.T) {
	d, _ := newDesk(t, cns.Neutral())
	d.pad = []byte("52903\xFF\xFF\xFF")
	i, rv := d.TokenInfo(0)
	d.want(OK, rv)
	if i.Flags&FlagProtectedPath == 0 {
		t.Fatal("no protected authentication path")
	}
	h := d.session(false)
	d.pad = []byte{0x64, 0x01}
	d.want(FunctionCanceled, d.Login(h, User, nil))
	d.pad = []byte("99999\xFF\xFF\xFF")
	d.want(PINIncorrect, d.Login(h, User, nil))
	if n := d.tries(); n != 2 {
		t.Fatalf("%d tries left", n)
	}
	d.pad = []byte("52903\xFF\xFF\xFF")
	d.want(OK, d.Login(h, User, nil))
	d.signOnce(h)
	d.want(OK, d.Logout(h))
	d.want(OK, d.Login(h, User, pin(holdertest.PIN))) // a caller may still bring it
}
