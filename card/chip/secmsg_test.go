package chip_test

import (
	"bytes"
	"encoding/hex"
	"testing"

	"cse.example/cse/card/chip"
	"cse.example/cse/card/chip/chiptest"
	"cse.example/cse/card/cns"
	"cse.example/cse/card/iso7816"
	"cse.example/cse/card/secmsg"
)

// issuer opens a session on the chip and gives its keys.
func issuer(t *testing.T, c *chip.Chip) *secmsg.Session {
	t.Helper()
	challenge, sw := send(t, c, "0084000010")
	if !sw.OK() {
		t.Fatal(sw)
	}
	cryptogram, err := secmsg.Cryptogram([]byte(chiptest.IssuerKey), challenge)
	if err != nil {
		t.Fatal(err)
	}
	script(t, c, "00820018 10 "+hex.EncodeToString(cryptogram)+" -> 9000")
	s, err := secmsg.New([]byte(chiptest.IssuerKey), challenge)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// tell sends the n-th command of a session, in pieces if pieces is not 0.
func tell(t *testing.T, c *chip.Chip, s *secmsg.Session, n uint64, cmd iso7816.Command, pieces int) (iso7816.Response, iso7816.SW) {
	t.Helper()
	closed, err := s.Protect(n, cmd)
	if err != nil {
		t.Fatal(err)
	}
	chain := []iso7816.Command{closed}
	if pieces > 0 {
		if chain, err = iso7816.Split(closed, pieces); err != nil {
			t.Fatal(err)
		}
	}
	var r iso7816.Response
	for _, x := range chain {
		b, err := x.Bytes()
		if err != nil {
			t.Fatal(err)
		}
		out, err := c.Transmit(b)
		if err != nil {
			t.Fatal(err)
		}
		if r, err = iso7816.ParseResponse(out); err != nil {
			t.Fatal(err)
		}
	}
	if len(r.Data) == 0 {
		return iso7816.Response{SW: r.SW}, r.SW
	}
	inner, err := s.OpenAnswer(n, r.Data)
	if err != nil || inner.SW != r.SW {
		t.Errorf("answer to command %d: %v, %v outside %v", n, err, inner.SW, r.SW)
	}
	return inner, r.SW
}

func selectCarta() iso7816.Command {
	return iso7816.Command{INS: iso7816.InsSelect, P1: 0x08, P2: 0x0C, Data: cns.EFCCarta.Bytes()}
}

// TestOnlyTheIssuerRewritesTheCertificate: the whole file in one command,
// extended or chained, and nothing that he did not close himself.
func TestOnlyTheIssuerRewritesTheCertificate(t *testing.T) {
	for _, pieces := range []int{0, 200} {
		c, made := open(t, cns.Neutral())
		content := bytes.Repeat([]byte{0x5A}, cns.SizeCertificate)
		s := issuer(t, c)
		for n, cmd := range []iso7816.Command{selectCarta(), {INS: iso7816.InsUpdateBinary, Data: content}} {
			if _, sw := tell(t, c, s, uint64(n+1), cmd, pieces); !sw.OK() {
				t.Fatal(sw)
			}
		}
		if r, sw := tell(t, c, s, 3, iso7816.Command{INS: iso7816.InsReadBinary, Le: cns.SizeCertificate, Extended: true}, 0); !sw.OK() || !bytes.Equal(r.Data, content) {
			t.Errorf("read back under the session: %v, %d bytes", sw, len(r.Data))
		}
		if _, sw := tell(t, c, s, 4, iso7816.Command{INS: iso7816.InsUpdateBinary, P1: 0x07, P2: 0xFF, Data: []byte{1, 2}}, 0); sw != iso7816.NotEnoughMemory {
			t.Errorf("beyond the end: %v", sw)
		}
		if err := c.Close(); err != nil {
			t.Fatal(err)
		}
		c = reopen(t, made)
		script(t, c, "00A4080C0411001101 -> 9000")
		if got, sw := send(t, c, "00B00000 00 0800"); !sw.OK() || !bytes.Equal(got, content) {
			t.Errorf("after power off: %v, %d bytes", sw, len(got))
		}
	}
}

// TestASessionEnds: with a command in clear, a repeated, skipped or changed one,
// and at reset; then nothing of it is taken any more.
func TestASessionEnds(t *testing.T) {
	update := iso7816.Command{INS: iso7816.InsUpdateBinary, Data: []byte{1}}
	for name, tt := range map[string]struct {
		spoil func(t *testing.T, c *chip.Chip, s *secmsg.Session)
		next  iso7816.SW
	}{
		"in clear":    {func(t *testing.T, c *chip.Chip, _ *secmsg.Session) { script(t, c, "00CA0180 00 -> 9000 *") }, iso7816.SecureMessagingRefused},
		"reset":       {func(t *testing.T, c *chip.Chip, _ *secmsg.Session) { c.Reset() }, iso7816.SecureMessagingRefused},
		"repeated":    {func(t *testing.T, c *chip.Chip, s *secmsg.Session) { again(t, c, s, 1, iso7816.SMObjectsWrong) }, iso7816.SecureMessagingRefused},
		"skipped":     {func(t *testing.T, c *chip.Chip, s *secmsg.Session) { again(t, c, s, 3, iso7816.SMObjectsWrong) }, iso7816.SecureMessagingRefused},
		"without MAC": {func(t *testing.T, c *chip.Chip, _ *secmsg.Session) { script(t, c, "0CB00000 03 970104 00 -> 6987") }, iso7816.SecureMessagingRefused},
		"half class":  {func(t *testing.T, c *chip.Chip, _ *secmsg.Session) { script(t, c, "04B00000 00 -> 6882") }, iso7816.SecureMessagingRefused},
		"well":        {func(*testing.T, *chip.Chip, *secmsg.Session) {}, iso7816.OK},
	} {
		t.Run(name, func(t *testing.T) {
			c, _ := open(t, cns.Neutral())
			s := issuer(t, c)
			if _, sw := tell(t, c, s, 1, selectCarta(), 0); !sw.OK() {
				t.Fatal(sw)
			}
			tt.spoil(t, c, s)
			if _, sw := tell(t, c, s, 2, update, 0); sw != tt.next {
				t.Errorf("then: %v, want %v", sw, tt.next)
			}
		})
	}
	c, _ := open(t, cns.Neutral())
	script(t, c, "0CB00000 00 -> 6882") // before any
	s := issuer(t, c)
	if _, sw := tell(t, c, s, 1, iso7816.Command{INS: iso7816.InsVerify, P2: 0x10, Data: make([]byte, 8)}, 0); sw != iso7816.FunctionNotSupported {
		t.Errorf("VERIFY in a session: %v", sw)
	}
	script(t, c, "00200010 -> 63C3") // and no try was spent
}

func again(t *testing.T, c *chip.Chip, s *secmsg.Session, n uint64, want iso7816.SW) {
	t.Helper()
	if _, sw := tell(t, c, s, n, selectCarta(), 0); sw != want {
		t.Errorf("command %d out of turn: %v, want %v", n, sw, want)
	}
}

// TestPowerCutInASession: whatever write the power fails at, the file holds all
// of the old or all of the new content.
func TestPowerCutInASession(t *testing.T) {
	for _, kind := range []chip.Cut{chip.CutBefore, chip.CutTorn, chip.CutAfter} {
		for at := 1; at <= 3; at++ { // EXTERNAL AUTHENTICATE writes twice, UPDATE BINARY once
			c, made := open(t, cns.Neutral(), chip.WithPowerCut(func(write int) chip.Cut {
				if write == at {
					return kind
				}
				return chip.CutNone
			}))
			content := bytes.Repeat([]byte{0x5A}, cns.SizeCertificate)
			rewrite(c, content)
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
			c = reopen(t, made)
			script(t, c, "00A4080C0411001101 -> 9000")
			got, sw := send(t, c, "00B00000 00 0800")
			isNew, isOld := bytes.Equal(got, content), bytes.HasPrefix(got, made.Certificate.Raw)
			if wantNew := at == 3 && kind == chip.CutAfter; !sw.OK() || isNew != wantNew || isOld == wantNew {
				t.Errorf("cut %v at write %d: new %v, old %v", kind, at, isNew, isOld)
			}
			if err := c.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// rewrite goes as far as the power lets it.
func rewrite(c *chip.Chip, content []byte) {
	challenge, err := c.Transmit([]byte{0x00, 0x84, 0, 0, 0x10})
	if err != nil {
		return
	}
	key := []byte(chiptest.IssuerKey)
	cryptogram, err := secmsg.Cryptogram(key, challenge[:16])
	if err != nil {
		return
	}
	if _, err = c.Transmit(append([]byte{0x00, 0x82, 0x00, 0x18, 0x10}, cryptogram...)); err != nil {
		return
	}
	s, err := secmsg.New(key, challenge[:16])
	if err != nil {
		return
	}
	for n, cmd := range []iso7816.Command{selectCarta(), {INS: iso7816.InsUpdateBinary, Data: content}} {
		closed, err := s.Protect(uint64(n+1), cmd)
		if err != nil {
			return
		}
		b, err := closed.Bytes()
		if err != nil {
			return
		}
		if _, err := c.Transmit(b); err != nil {
			return
		}
	}
}
