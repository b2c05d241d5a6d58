package holder

import (
	"crypto"
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"

	"cse.example/cse/card/cns"
	"cse.example/cse/card/iso7816"
	"cse.example/cse/card/secmsg"
	"cse.example/cse/ground/words"
)

// What the issuer does to a card through the holder's computer (extension of the
// certificate, pki.md 1.6): his authentication to the chip and the commands that
// he closed for it. This computer carries them and can neither read nor change
// them; package card/secmsg says how, and that it is ours.

// Updatable tells how many bytes the file of the certificate has, when the chip
// lets its issuer rewrite it; CSE-891 when it does not, or when the card is of a
// family whose issuer's commands are not known. No try of anything is spent: a
// chip with the issuer's key asks for a challenge first.
func (h *Holder) Updatable() (size int, err error) {
	if h.mask.Tested != Tried {
		return 0, words.Refuse("CSE-891").Because(fmt.Errorf("family %s: the issuer's commands are unknown", h.mask.Name))
	}
	err = h.exclusively(func() error {
		fci, err := h.do(iso7816.Command{INS: iso7816.InsSelect, P1: 0x08, Data: cns.EFCCarta.Bytes(), Le: iso7816.MaxShortLe})
		if err != nil {
			return err
		}
		file, err := iso7816.ParseFCP(fci)
		if err != nil {
			return unreadable(err)
		}
		size = file.Size
		ref, always, never := cns.Access(file.Access).Condition(cns.EFUpdate)
		if always || never || ref != cns.RefIssuerKey {
			return words.Refuse("CSE-891").Because(errors.New("the certificate's file is not the issuer's to write"))
		}
		r, err := h.exchange(iso7816.Command{INS: iso7816.InsExternalAuthenticate, P2: cns.RefIssuerKey, Data: make([]byte, secmsg.ChallengeSize)})
		if err != nil {
			return err
		}
		if r.SW != iso7816.ConditionsNotSatisfied {
			return words.Refuse("CSE-891").Because(fmt.Errorf("EXTERNAL AUTHENTICATE without a challenge: %w", r.SW))
		}
		return nil
	})
	return size, err
}

// Challenge is a fresh one, for the issuer to answer: 16 bytes.
func (h *Holder) Challenge() (challenge []byte, err error) {
	err = h.exclusively(func() error {
		challenge, err = h.do(iso7816.Command{INS: iso7816.InsGetChallenge, Le: secmsg.ChallengeSize})
		if err == nil && len(challenge) != secmsg.ChallengeSize {
			err = unreadable(fmt.Errorf("a challenge of %d bytes", len(challenge)))
		}
		return err
	})
	return challenge, err
}

// ErrChallengeLost tells UnderIssuer's caller to begin with a new challenge:
// another program used the card in between.
var ErrChallengeLost = errors.New("the card has forgotten its challenge")

// UnderIssuer gives the chip the issuer's answer to its last challenge, and then
// his commands, each a protected APDU, sent once and in order; it gives back the
// chip's answers, without their status words. Commands are sent whole, in the form
// the mask takes (extended or chained): the chip does all of one or nothing.
// ErrWholeRefused when it takes neither: then nothing was written.
//
// CSE-891: the card has no such key; CSE-896: it does not believe the issuer.
func (h *Holder) UnderIssuer(cryptogram []byte, commands [][]byte) (answers [][]byte, err error) {
	list := make([]iso7816.Command, len(commands))
	for i, b := range commands {
		if list[i], err = iso7816.ParseCommand(b); err != nil || list[i].CLA != secmsg.Class {
			return nil, words.Refuse("CSE-896").Because(errors.Join(errors.New("not a protected command"), err))
		}
	}
	h.certificate = nil // what is in the file may change now
	err = h.exclusively(func() error {
		r, err := h.exchange(iso7816.Command{INS: iso7816.InsExternalAuthenticate, P2: cns.RefIssuerKey, Data: cryptogram})
		if err != nil {
			return err
		}
		switch _, wrong := r.SW.TriesLeft(); {
		case r.SW == iso7816.ConditionsNotSatisfied:
			return ErrChallengeLost
		case r.SW == iso7816.ReferenceNotFound:
			return words.Refuse("CSE-891").Because(r.SW)
		case wrong, !r.SW.OK():
			return words.Refuse("CSE-896").Because(r.SW)
		}
		for _, c := range list {
			answer, err := h.protected(c)
			if err != nil {
				return err
			}
			answers = append(answers, answer)
		}
		return nil
	})
	return answers, err
}

// ErrWholeRefused: the card takes long commands neither chained nor in extended
// length.
var ErrWholeRefused = errors.New("the card takes no long command")

func (h *Holder) protected(c iso7816.Command) ([]byte, error) {
	long := len(c.Data) > iso7816.MaxShortData
	r, err := h.whole(c, long)
	switch {
	case err != nil:
		return nil, err
	case long && otherForm(r.SW) && len(r.Data) == 0:
		return nil, ErrWholeRefused
	case !r.SW.OK():
		return nil, words.Refuse("CSE-896").Because(fmt.Errorf("%s: %w", c, r.SW))
	}
	return r.Data, nil
}

// whole sends a command once: a long one in the form that the mask prefers, and
// in the other if the chip would not have the first, which it tells before it
// looks inside.
func (h *Holder) whole(c iso7816.Command, long bool) (iso7816.Response, error) {
	if !long {
		c.Extended = false
		return h.exchange(c)
	}
	first, second := h.inChain, h.exchange
	if h.mask.Extended {
		first, second = second, first
	}
	c.Extended = true
	r, err := first(c)
	if err != nil || !otherForm(r.SW) || len(r.Data) > 0 {
		return r, err
	}
	return second(c)
}

func (h *Holder) inChain(c iso7816.Command) (iso7816.Response, error) {
	pieces, err := iso7816.Split(c, iso7816.MaxShortData)
	if err != nil {
		return iso7816.Response{}, err
	}
	var r iso7816.Response
	for _, p := range pieces {
		if r, err = h.exchange(p); err != nil || !r.SW.OK() {
			return r, err
		}
	}
	return r, nil
}

// CertificateFile is what stands in EF.C_Carta, as far as its own length says,
// whether it is a certificate or not: after a broken write it may be neither.
func (h *Holder) CertificateFile() (der []byte, err error) {
	err = h.exclusively(func() error {
		der, err = h.readDER(cns.EFCCarta)
		return err
	})
	return der, err
}

// PublicKey reads EF_Kpub (3F01), the card's own copy of the authentication key's
// public half: for when the file of the certificate is no certificate.
func (h *Holder) PublicKey() (*rsa.PublicKey, error) {
	var der []byte
	err := h.exclusively(func() (err error) {
		der, err = h.readDER(cns.EFKpub)
		return err
	})
	if err != nil {
		return nil, err
	}
	key, err := x509.ParsePKCS1PublicKey(der)
	if err != nil {
		return nil, unreadable(err)
	}
	return key, nil
}

// KeySigner is Signer without a certificate: the key is that of EF_Kpub.
func (h *Holder) KeySigner(ask AskPIN) (crypto.Signer, error) {
	key, err := h.PublicKey()
	if err != nil {
		return nil, err
	}
	return &signer{holder: h, key: key, ask: ask}, nil
}
