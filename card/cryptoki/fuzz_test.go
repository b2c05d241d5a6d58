package cryptoki

import (
	"bytes"
	"crypto/rsa"
	"math/big"
	"testing"
	"time"

	"cse.example/cse/card/cns"
	"cse.example/cse/card/holder/holdertest"
	"cse.example/cse/card/iso7816"
	"cse.example/cse/card/reader"
)

// paper is a card whose certificate file holds anything, and which answers
// every other command with the given status word.
type paper struct {
	file []byte
	sw   iso7816.SW
}

func (p *paper) ATR() []byte            { return cns.ST2021().ATR }
func (p *paper) Begin() (func(), error) { return func() {}, nil }
func (p *paper) Reset() error           { return nil }
func (p *paper) Close() error           { return nil }

func (p *paper) Transmit(apdu []byte) ([]byte, error) {
	c, err := iso7816.ParseCommand(apdu)
	if err != nil {
		return iso7816.Response{SW: iso7816.WrongLength}.Bytes(), nil
	}
	switch at := int(c.P1)<<8 | int(c.P2); c.INS {
	case iso7816.InsSelect:
		return iso7816.Response{SW: iso7816.OK}.Bytes(), nil
	case iso7816.InsReadBinary:
		if at >= len(p.file) {
			return iso7816.Response{SW: iso7816.WrongOffset}.Bytes(), nil
		}
		return iso7816.Response{Data: p.file[at:min(len(p.file), at+c.Le)], SW: iso7816.OK}.Bytes(), nil
	}
	return iso7816.Response{Data: p.file[:min(len(p.file), 300)], SW: p.sw}.Bytes(), nil
}

type papers struct{ paper *paper }

func (p papers) Slots() ([]reader.Slot, error) {
	return []reader.Slot{{Name: "A", Present: true, ATR: p.paper.ATR()}}, nil
}
func (p papers) Connect(reader.Slot) (reader.Card, error) { return p.paper, nil }
func (p papers) Wait([]reader.Slot) error                 { return nil }
func (p papers) Wake()                                    {}
func (p papers) Close() error                             { return nil }

// Whatever a card says, the module neither panics nor hands out a signature.
func FuzzCard(f *testing.F) {
	card := holdertest.Make(f, f.TempDir()+"/card.cse", cns.ST2021(), 1)
	f.Add(card.Leaf.Raw, uint16(0x9000))
	f.Add(card.Leaf.Raw[:100], uint16(0x63C1))
	f.Add(append([]byte{0x30, 0x82, 0xFF, 0xFF}, bytes.Repeat([]byte{0x5A}, 600)...), uint16(0x6983))
	f.Add([]byte{}, uint16(0x61FF))
	f.Add([]byte{0x30, 0x03, 0x02, 0x01, 0x00}, uint16(0x6C05))
	f.Fuzz(func(t *testing.T, file []byte, sw uint16) {
		m := New(func() Readers { return papers{&paper{file: file, sw: iso7816.SW(sw)}} }, time.Now)
		if rv := m.Initialize(); rv != OK {
			t.Fatal(rv)
		}
		defer m.Finalize()
		if _, rv := m.SlotList(true, true); rv != OK {
			t.Fatal(rv)
		}
		_, _ = m.TokenInfo(0)
		h, rv := m.OpenSession(0, true, true)
		if rv != OK {
			return
		}
		_ = m.Login(h, User, pin(holdertest.PIN))
		if m.FindObjectsInit(h, nil) != OK {
			t.Fatal("no search")
		}
		found, _ := m.FindObjects(h, 10)
		for _, o := range found {
			list := []Wanted{{Type: attrClass, Room: 8}, {Type: attrValue, Room: 5000}, {Type: attrModulus, Room: 5000}, {Type: attrSerialNumber, Room: 50}}
			_ = m.AttributeValue(h, o, list)
			for _, w := range list {
				if len(w.Value) > w.Room {
					t.Fatalf("%d bytes for %d", len(w.Value), w.Room)
				}
			}
			if m.SignInit(h, Mechanism{Type: SHA256RSAPKCS}, o) == OK {
				if _, _, rv := m.Sign(h, []byte("x"), 1024); rv == OK {
					t.Fatal("a signature without a key")
				}
			}
		}
	})
}

// Parameters and templates come from other programs.
func FuzzCaller(f *testing.F) {
	card := holdertest.Make(f, f.TempDir()+"/card.cse", cns.Neutral(), 1)
	objects := objectsOf(authentication, card.Leaf, []Handle{1, 2, 3})
	key := card.Leaf.PublicKey.(*rsa.PublicKey)
	f.Add(uint(RSAPKCSPSS), pssBytes(SHA256, 2, 32), uint(attrClass), ulong(classPrivateKey), 10)
	f.Add(uint(SHA512RSAPKCSPSS), pssBytes(SHA512, 4, 64), uint(attrValue), card.Leaf.Raw, -1)
	f.Fuzz(func(t *testing.T, mechanism uint, parameter []byte, attribute uint, value []byte, room int) {
		if a, ok := abilities[MechanismType(mechanism)]; ok && a.pss {
			if p, rv := parsePSS(parameter, a, key); rv == OK {
				block, rv := a.block(key, p, make([]byte, p.hash.Size()))
				if rv != OK || len(block) != key.Size() || new(big.Int).SetBytes(block).Cmp(key.N) >= 0 {
					t.Fatalf("%+v: %v, %d bytes", p, rv, len(block))
				}
			}
		}
		for _, o := range objects {
			_ = o.matches([]Attribute{{AttributeType(attribute), value}})
			w := Wanted{Type: AttributeType(attribute), Room: max(room, -1)}
			if rv := w.answer(o); rv == OK && len(w.Value) > max(room, 0) {
				t.Fatalf("%d bytes for %d", len(w.Value), room)
			}
		}
	})
}
