package holder

import (
	"crypto/rsa"
	"crypto/x509"
	"errors"
	"fmt"

	"cse.example/cse/card/cns"
	"cse.example/cse/card/iso7816"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
)

// The second key pair of a CNS is the one for digital signatures (DS), in the
// generic layout (card.md section 2.5): a certificate, key and PIN of its own.
// Tuscan cards have none.

// SignatureCertificate reads the certificate of the second key. It is nil,
// without an error, on a card that has none: one command tells.
func (h *Holder) SignatureCertificate() (*x509.Certificate, error) {
	var der []byte
	err := h.exclusively(func() (err error) {
		der, err = h.readDER(cns.EFDSCertificate)
		return err
	})
	if errors.Is(err, iso7816.FileNotFound) || err == nil && len(der) == 0 {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, unreadable(err)
	}
	if _, ok := c.PublicKey.(*rsa.PublicKey); !ok {
		return nil, unreadable(errors.New("the signature certificate's key is not RSA"))
	}
	return c, nil
}

// VerifySignaturePIN presents the PIN of the second key, once. The errors are
// VerifyPIN's; the counters that Tries tells are those of the first PIN and do
// not change.
func (h *Holder) VerifySignaturePIN(pin secret.Text) error {
	if !digits(pin, cns.MinPIN, cns.MaxPIN) {
		return words.Refuse("CSE-221").At("pin")
	}
	return h.exclusively(func() error {
		data := padded(pin)
		defer clear(data)
		reference := cns.RefDSPIN | h.mask.PIN&searchUp
		r, err := h.exchange(iso7816.Command{INS: iso7816.InsVerify, P2: reference, Data: data})
		if err != nil {
			return err
		}
		h.second = r.SW.OK()
		left, wrong := r.SW.TriesLeft()
		switch {
		case r.SW.OK():
			return nil
		case wrong && left > 0:
			return words.Refuse("CSE-210", left).At("pin").Because(&WrongPINError{Left: left})
		case wrong, r.SW == iso7816.AuthenticationBlocked:
			return words.Refuse("CSE-212").At("pin").Because(r.SW)
		}
		return fmt.Errorf("signature PIN: %w", r.SW)
	})
}

// SignBlockWithSecond is SignBlock with the second key, after
// VerifySignaturePIN: 6982 when its PIN is not verified.
func (h *Holder) SignBlockWithSecond(block []byte) ([]byte, error) {
	var out []byte
	err := h.exclusively(func() (err error) {
		if !h.second {
			return iso7816.SecurityNotSatisfied
		}
		out, err = h.raw(block, cns.KeyDS)
		return err
	})
	return out, err
}
