// Package holder is what the holder of a CNS does with the card: recognise it,
// read what is printed inside, look at the tries left, verify, change and
// unblock the PIN, and sign a TLS handshake.
//
// Standards: CNS Functional Specification 1.1.6 as far as public drivers show
// it (card.md sections 7 to 9 and 12), ISO/IEC 7816-4 and 7816-8, RFC 8017 for
// the padding that the host makes.
//
// It guarantees that one call sends at most one VERIFY, CHANGE REFERENCE DATA
// or RESET RETRY COUNTER, that none is ever repeated by itself, and that codes
// of a wrong shape are refused before they cost a try. Tries are read without
// spending one, and only on masks where that is proved; elsewhere they are "not
// known" until the card itself has told them.
//
// Errors are words.Fault for people; errors.As also finds *WrongPINError,
// *WrongPUKError (with the tries left) and iso7816.SW below them.
package holder

import (
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"

	"cse.example/cse/card/cns"
	"cse.example/cse/card/iso7816"
	"cse.example/cse/card/reader"
	"cse.example/cse/ground/words"
)

// Holder works with one card. It is not safe for concurrent use.
type Holder struct {
	card     reader.Card
	mask     Mask
	tries    Tries
	verified bool
	second   bool // the second key's PIN is verified

	certificate *x509.Certificate
	rawPersonal []byte
}

// Identity says which card this is, from its answer to reset alone.
type Identity struct {
	ATR    []byte
	Family string
	Tested Tested
	// Version of the CNS specification, "1.0" (keys of 1024 bits) or "1.1" (2048).
	Version string
	// Professional is a health professional's card (HPC).
	Professional bool
}

// New recognises the card: CSE-204 when its answer to reset is no CNS.
func New(card reader.Card) (*Holder, error) {
	mask, ok := MaskOf(card.ATR())
	if !ok {
		return nil, words.Refuse("CSE-204", fmt.Sprintf("%X", card.ATR()))
	}
	return &Holder{card: card, mask: mask}, nil
}

// Identify tells the family of the card and how well it is known.
func (h *Holder) Identify() Identity {
	atr := h.card.ATR()
	hist, _ := historical(atr)
	v := hist[12]
	return Identity{ATR: atr, Family: h.mask.Name, Tested: h.mask.Tested, Version: fmt.Sprintf("%d.%d", v>>4, v&0xF), Professional: h.mask.Professional}
}

// CardID reads EF.ID_Carta (1000/1003): CSE-225 when it is not sixteen digits
// with their check digit.
func (h *Holder) CardID() (cns.CardID, error) {
	var id cns.CardID
	err := h.exclusively(func() error {
		raw, err := h.readFile(cns.EFIDCarta, cns.SizeCardID)
		if err != nil {
			return err
		}
		id, err = cns.ParseCardID(string(raw))
		return unreadable(err)
	})
	return id, err
}

// ReadPersonalData reads EF.DatiPersonali (1100/1102) and its raw bytes, the
// input of the hash in the certificate's name.
func (h *Holder) ReadPersonalData() (cns.PersonalData, []byte, error) {
	err := h.exclusively(func() (err error) {
		h.rawPersonal, err = h.readFile(cns.EFDatiPersonali, cns.SizePersonalData)
		return err
	})
	if err != nil {
		return cns.PersonalData{}, nil, err
	}
	data, err := cns.ParsePersonalData(h.rawPersonal)
	return data, h.rawPersonal, unreadable(err)
}

// Certificate reads EF.C_Carta (1100/1101), once. CSE-224 when the file is
// missing or empty.
func (h *Holder) Certificate() (*x509.Certificate, error) {
	if h.certificate != nil {
		return h.certificate, nil
	}
	var der []byte
	err := h.exclusively(func() (err error) {
		der, err = h.readDER(cns.EFCCarta)
		return err
	})
	if errors.Is(err, iso7816.FileNotFound) || (err == nil && len(der) == 0) {
		return nil, words.Refuse("CSE-224").Because(err)
	}
	if err != nil {
		return nil, err
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, unreadable(err)
	}
	if _, ok := c.PublicKey.(*rsa.PublicKey); !ok {
		return nil, unreadable(errors.New("the certificate's key is not RSA"))
	}
	h.certificate = c
	return c, nil
}

func unreadable(err error) error {
	if err == nil {
		return nil
	}
	return words.Refuse("CSE-225").Because(err)
}

// exclusively runs act while other programs are kept away.
func (h *Holder) exclusively(act func() error) error {
	release, err := h.card.Begin()
	if errors.Is(err, reader.ErrReset) {
		h.verified, h.second = false, false
	} else if err != nil {
		return err
	}
	defer release()
	return act()
}
