package holder

import (
	"crypto"
	"crypto/rsa"
	"errors"
	"fmt"
	"io"

	"cse.example/cse/card/cns"
	"cse.example/cse/card/iso7816"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
)

// AskPIN gives the PIN when the card needs it. An error stops the signature and
// comes back as it is.
type AskPIN func() (secret.Text, error)

// Signer is the authentication key of the card as a crypto.Signer: PKCS#1 v1.5
// and PSS over a digest (RFC 8017), padded here, raised to the private exponent
// by the card. ask is called when a signature is wanted and the PIN is not
// verified yet, not before. Every signature is checked with the certificate's
// key before it is handed out.
func (h *Holder) Signer(ask AskPIN) (crypto.Signer, error) {
	c, err := h.Certificate()
	if err != nil {
		return nil, err
	}
	key, ok := c.PublicKey.(*rsa.PublicKey)
	if !ok {
		return nil, unreadable(errors.New("the certificate's key is not RSA"))
	}
	return &signer{holder: h, key: key, ask: ask}, nil
}

type signer struct {
	holder *Holder
	key    *rsa.PublicKey
	ask    AskPIN
}

// Public implements crypto.Signer.
func (s *signer) Public() crypto.PublicKey { return s.key }

// Sign implements crypto.Signer. opts is a *rsa.PSSOptions or a crypto.Hash;
// random gives the PSS salt.
func (s *signer) Sign(random io.Reader, digest []byte, opts crypto.SignerOpts) ([]byte, error) {
	if n := opts.HashFunc().Size(); opts.HashFunc() != 0 && len(digest) != n {
		return nil, fmt.Errorf("digest of %d bytes, %d wanted", len(digest), n)
	}
	block, check, err := pad(random, s.key, digest, opts)
	if err != nil {
		return nil, err
	}
	signature, err := s.holder.rawSign(block, s.ask)
	if err != nil {
		return nil, err
	}
	if err := check(signature); err != nil {
		return nil, words.Refuse("CSE-226").Because(fmt.Errorf("the card's signature does not match its certificate: %w", err))
	}
	return signature, nil
}

// SignBlock has the card raise a block of the modulus' size, padded by the
// caller (PadPKCS1, PadPSS), to the private exponent of the authentication key.
// The block must be below the modulus. ask is called when the PIN is not
// verified, also when another program made the card forget it. The caller checks
// what comes out.
func (h *Holder) SignBlock(block []byte, ask AskPIN) ([]byte, error) { return h.rawSign(block, ask) }

// rawSign has the card raise a block of the size of the modulus to its private
// exponent, asking for the PIN first when it must.
func (h *Holder) rawSign(block []byte, ask AskPIN) ([]byte, error) {
	var out []byte
	sign := func() (err error) { out, err = h.raw(block, h.mask.Key); return err }
	if h.verified {
		err := h.exclusively(func() error {
			if !h.verified { // another program reset the card
				return iso7816.SecurityNotSatisfied
			}
			return sign()
		})
		if !errors.Is(err, iso7816.SecurityNotSatisfied) {
			return out, refused(err)
		}
		h.verified = false // the card forgot the PIN: the holder types it again
	}
	pin, err := ask()
	if err != nil {
		return nil, err
	}
	defer pin.Wipe()
	if !digits(pin, cns.MinPIN, cns.MaxPIN) {
		return nil, words.Refuse("CSE-221").At("pin")
	}
	err = h.exclusively(func() error {
		if err := h.verify(pin); err != nil {
			return err
		}
		return sign()
	})
	return out, refused(err)
}

// refused gives a status word of the signing commands its sentence.
func refused(err error) error {
	var sw iso7816.SW
	if words.FaultOf(err) == nil && errors.As(err, &sw) {
		return words.Refuse("CSE-226").Because(err)
	}
	return err
}

// raw is MSE RESTORE, MSE SET and PSO:DECIPHER with one key, the way OpenSC drives these
// keys (card.md section 8.1).
func (h *Holder) raw(block []byte, key byte) ([]byte, error) {
	mse := iso7816.InsManageSecurity
	if _, err := h.do(iso7816.Command{INS: mse, P1: 0xF3, P2: 0x03, Le: iso7816.MaxShortLe}); err != nil {
		return nil, err
	}
	if _, err := h.do(iso7816.Command{INS: mse, P1: 0xF1, P2: 0xB8, Data: []byte{0x83, 0x01, key}}); err != nil {
		return nil, err
	}
	c := iso7816.Command{
		INS: iso7816.InsPerformSecurity, P1: 0x80, P2: 0x86,
		Data: append([]byte{0x00}, block...), Le: len(block),
	}
	r, err := h.decipher(c)
	if err != nil {
		return nil, err
	}
	if !r.SW.OK() {
		return nil, fmt.Errorf("PSO DECIPHER: %w", r.SW)
	}
	return r.Data, nil
}

// decipher sends a long command in the form the mask prefers, and in the other
// one when the card answers that it does not take the first: cards of one year
// take only chaining, others only extended length (OpenSC #2370).
func (h *Holder) decipher(c iso7816.Command) (iso7816.Response, error) {
	first, second := h.chained, h.extended
	if h.mask.Extended {
		first, second = second, first
	}
	r, err := first(c)
	if err != nil || !otherForm(r.SW) {
		return r, err
	}
	return second(c)
}

func otherForm(sw iso7816.SW) bool {
	switch sw {
	case iso7816.ClassNotSupported, iso7816.ChainingNotSupported, iso7816.WrongLength, 0x6883:
		return true
	}
	return false
}

func (h *Holder) extended(c iso7816.Command) (iso7816.Response, error) {
	c.Extended = len(c.Data) > iso7816.MaxShortData
	return h.send(c)
}

func (h *Holder) chained(c iso7816.Command) (iso7816.Response, error) {
	pieces, err := iso7816.Split(c, iso7816.MaxShortData)
	if err != nil {
		return iso7816.Response{}, err
	}
	var r iso7816.Response
	for _, p := range pieces {
		if r, err = h.send(p); err != nil || !r.SW.OK() {
			return r, err
		}
	}
	return r, nil
}
