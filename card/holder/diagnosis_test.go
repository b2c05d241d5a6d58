package holder_test

import (
	"errors"
	"path/filepath"
	"testing"

	"cse.example/cse/card/chip"
	"cse.example/cse/card/cns"
	"cse.example/cse/card/holder"
	"cse.example/cse/card/holder/holdertest"
	"cse.example/cse/card/iso7816"
	"cse.example/cse/card/reader"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
)

// spoilt is a card whose later answers another hand decides.
type spoilt struct {
	reader.Card
	answer func(command []byte) ([]byte, error)
}

func (s spoilt) Transmit(command []byte) ([]byte, error) {
	if s.answer != nil {
		if r, err := s.answer(command); r != nil || err != nil {
			return r, err
		}
	}
	return s.Card.Transmit(command)
}

// R33: the five lights, found without a code and without spending a try.
func TestR33_TheLightsOfAChip(t *testing.T) {
	path := filepath.Join(t.TempDir(), "card")
	holdertest.Make(t, path, cns.Neutral(), 3)
	empty := filepath.Join(t.TempDir(), "empty")
	c, err := chip.Create(empty, cns.Neutral())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.Save(), c.Close()); err != nil {
		t.Fatal(err)
	}
	select1 := func(file byte, answer []byte, err error) func([]byte) ([]byte, error) {
		return func(b []byte) ([]byte, error) {
			if len(b) > 6 && b[1] == iso7816.InsSelect && b[len(b)-1] == file {
				return answer, err
			}
			return nil, nil
		}
	}
	type lights struct{ number, files, certificate bool }
	for _, x := range []struct {
		name   string
		path   string
		answer func([]byte) ([]byte, error)
		want   lights
		code   string
	}{
		{"works", path, nil, lights{true, true, true}, ""},
		{"nothing was ever written", empty, nil, lights{}, ""},
		{"no certificate", path, select1(0x01, []byte{0x6A, 0x82}, nil), lights{true, true, false}, ""},
		{"no number", path, select1(0x03, []byte{0x65, 0x81}, nil), lights{false, false, true}, ""},
		{"it falls silent", path, select1(0x02, nil, words.Refuse(reader.CodeMute)), lights{true, false, true}, ""},
		{"it is taken out", path, select1(0x02, nil, words.Refuse(reader.CodeNoCard)), lights{}, reader.CodeNoCard},
	} {
		t.Run(x.name, func(t *testing.T) {
			card, err := reader.FromFile(x.path)
			if err != nil {
				t.Fatal(err)
			}
			defer card.Close()
			h, err := holder.New(spoilt{card, x.answer})
			if err != nil {
				t.Fatal(err)
			}
			f, err := h.Test()
			if fault := words.FaultOf(err); x.code != "" {
				if fault == nil || fault.Code != x.code {
					t.Errorf("%v, want %s", err, x.code)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := (lights{f.Card != "", f.Files, f.Certificate}); got != x.want || len(f.ATR) == 0 {
				t.Errorf("%+v, want %+v", got, x.want)
			}
		})
	}
	h := opened(t, path)
	for range holder.MaxTries {
		_ = h.VerifyPIN(secret.FromString("99999")) // wrong, until it is shut
	}
	f, err := h.Test()
	if err != nil || !f.Tries.PIN.Blocked() || f.Tries.PUK.Left != holder.MaxTries || !f.Files {
		t.Errorf("with the PIN shut: %+v, %v", f, err)
	}
}
