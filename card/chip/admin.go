package chip

import (
	"bytes"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"io"
	"math/big"

	"cse.example/cse/card/cns"
	"cse.example/cse/ground/secret"
)

// The admin channel: what a personalisation machine does to a blank chip. It
// stands for the vendors' own commands, which are not to be emulated, and is
// closed by Finish.
//
// Nothing is written to the disk before Save, Finish or Close, so that a chip
// costs two writes and not twenty. Save before the public key is handed out:
// a certificate for a key that was lost serves nobody.

// admin runs an act of personalisation.
func (c *Chip) admin(act func() error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.closed:
		return ErrClosed
	case c.lock == nil:
		return ErrReadOnly
	case c.st.operational:
		return ErrOperational
	}
	return act()
}

// GenerateKey makes the authentication key in the chip and writes its public
// half to EF_Kpub, as DER SEQUENCE{modulus, exponent}. A second call makes
// another key and forgets the first.
func (c *Chip) GenerateKey(random io.Reader) (*rsa.PublicKey, error) {
	return c.generate(random, cns.KeyAuth, cns.RefPIN, cns.EFKpub)
}

// GenerateSignatureKey makes the optional DS key (Profile.DigitalSignature).
func (c *Chip) GenerateSignatureKey(random io.Reader) (*rsa.PublicKey, error) {
	if !c.profile.DigitalSignature {
		return nil, fmt.Errorf("profile %s has no digital signature", c.profile.Name)
	}
	return c.generate(random, cns.KeyDS, cns.RefDSPIN, cns.EFDSPublicKey)
}

func (c *Chip) generate(random io.Reader, ref, pin byte, public cns.Path) (*rsa.PublicKey, error) {
	var out *rsa.PublicKey
	err := c.admin(func() error {
		k, err := rsa.GenerateKey(random, c.profile.ModulusBits)
		if err != nil {
			return fmt.Errorf("generate key %02X: %w", ref, err)
		}
		if err := c.installKey(ref, pin, k, public); err != nil {
			return err
		}
		out = &rsa.PublicKey{N: new(big.Int).Set(k.N), E: k.E}
		return nil
	})
	return out, err
}

// ImportKey installs an authentication key made elsewhere, for test cards that
// must come out the same again. A card for a person makes its key itself.
func (c *Chip) ImportKey(k *rsa.PrivateKey) error {
	if bits := k.N.BitLen(); bits != c.profile.ModulusBits {
		return fmt.Errorf("profile %s has keys of %d bits, not %d", c.profile.Name, c.profile.ModulusBits, bits)
	}
	return c.admin(func() error { return c.installKey(cns.KeyAuth, cns.RefPIN, k, cns.EFKpub) })
}

func (c *Chip) installKey(ref, pin byte, k *rsa.PrivateKey, public cns.Path) error {
	der, err := asn1.Marshal(struct {
		Modulus  *big.Int
		Exponent int
	}{k.N, k.E})
	if err != nil {
		return fmt.Errorf("encode public key %02X: %w", ref, err)
	}
	f, ok := c.st.files[public]
	if !ok || len(der) > len(f.data) {
		return fmt.Errorf("no room for public key %02X in file %s", ref, public)
	}
	return c.change(func() {
		c.st.keys[ref] = key{private: k, pin: pin}
		c.st.setData(public, 0, make([]byte, len(f.data)))
		c.st.setData(public, 0, der)
	})
}

// PublicKey is the public half of the authentication key; false before
// GenerateKey. It is there after Finish too.
func (c *Chip) PublicKey() (*rsa.PublicKey, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	k, ok := c.st.keys[cns.KeyAuth]
	if !ok {
		return nil, false
	}
	return &rsa.PublicKey{N: new(big.Int).Set(k.private.N), E: k.private.E}, true
}

// WriteFile puts data at the beginning of an EF of the profile's layout and 00
// behind it. Data longer than the file is refused.
func (c *Chip) WriteFile(path cns.Path, data []byte) error {
	return c.admin(func() error {
		f, ok := c.st.files[path]
		switch {
		case !ok || f.directory:
			return fmt.Errorf("no file %q on this card", path)
		case len(data) > len(f.data):
			return fmt.Errorf("file %q has %d bytes, not %d", path, len(f.data), len(data))
		}
		return c.change(func() {
			c.st.setData(path, 0, make([]byte, len(f.data)))
			c.st.setData(path, 0, data)
		})
	})
}

// WriteIdentity writes the four files that say whose card this is: EF_IDCarta,
// EF_GDO, EF_DatiPersonali (as cns.PersonalData.Encode made it) and, when it
// is not empty, EF_C_Carta (certificate, DER).
func (c *Chip) WriteIdentity(id cns.CardID, personalData, certificate []byte) error {
	if _, err := cns.ParseCardID(string(id)); err != nil {
		return err
	}
	if _, err := cns.ParsePersonalData(personalData); err != nil {
		return err
	}
	for _, f := range []struct {
		path cns.Path
		data []byte
	}{{cns.EFIDCarta, []byte(id)}, {cns.EFGDO, id.GDO()}, {cns.EFDatiPersonali, personalData}, {cns.EFCCarta, certificate}} {
		if err := c.WriteFile(f.path, f.data); err != nil {
			return err
		}
	}
	return nil
}

// SetCodes sets PIN (5 to 8 digits) and PUK (8 digits, more than the PIN has:
// rule R79) with full counters. Whether they are easy to guess is the
// issuer's concern (cns.CheckPIN).
func (c *Chip) SetCodes(pin, puk secret.Text) error {
	return c.setCodes(cns.RefPIN, cns.RefPUK, pin, puk)
}

// SetSignatureCodes sets PIN and PUK of the optional DS key.
func (c *Chip) SetSignatureCodes(pin, puk secret.Text) error {
	return c.setCodes(cns.RefDSPIN, cns.RefDSPUK, pin, puk)
}

func (c *Chip) setCodes(pinRef, pukRef byte, pin, puk secret.Text) error {
	pinBlock, err := cns.PadCode(pin)
	if err != nil {
		return fmt.Errorf("PIN: %w", err)
	}
	pukBlock, err := cns.PadCode(puk)
	if err != nil {
		return fmt.Errorf("PUK: %w", err)
	}
	if puk.Len() != cns.PUKLength || pin.Len() >= puk.Len() {
		return fmt.Errorf("PUK: %w", cns.ErrCodeLength)
	}
	return c.admin(func() error {
		if _, ok := c.st.codes[pinRef]; !ok {
			return fmt.Errorf("profile %s has no code %02X", c.profile.Name, pinRef)
		}
		return c.change(func() {
			c.renew(pinRef, pinBlock)
			c.renew(pukRef, pukBlock)
		})
	})
}

// SetIssuerKey sets the key (16 or 32 bytes, secmsg.Diversify) by which the issuer
// updates files of the operational card. Without it nobody can.
func (c *Chip) SetIssuerKey(key secret.Text) error {
	return c.admin(func() error {
		if c.profile.IssuerKeyRef == 0 {
			return fmt.Errorf("profile %s has no issuer key", c.profile.Name)
		}
		if n := key.Len(); n != 16 && n != 32 {
			return fmt.Errorf("an issuer key has 16 or 32 bytes, not %d", n)
		}
		return c.change(func() { c.st.issuer.secret = key.Reveal() })
	})
}

// Save writes what personalisation did so far to the disk, durably.
func (c *Chip) Save() error { return c.admin(c.save) }

// Finish checks that the card is complete, makes it operational, closes the
// admin channel for good and writes the image. It wants the key, both codes,
// card number, personal data, and a certificate for that key; what is missing
// is in the error (ErrIncomplete).
func (c *Chip) Finish() error {
	return c.admin(func() error {
		if missing := c.missing(); len(missing) > 0 {
			return fmt.Errorf("%w: %w", ErrIncomplete, errors.Join(missing...))
		}
		before := c.st.snapshot()
		c.st.operational = true
		c.st.setData(cns.EFCardStatus, 0, []byte{0x01})
		if err := c.save(); err != nil {
			c.st = before
			return err
		}
		c.ses = newSession()
		return nil
	})
}

func (c *Chip) missing() []error {
	var out []error
	for ref, k := range c.st.codes {
		if k.block == nil {
			out = append(out, fmt.Errorf("code %02X is not set", ref))
		}
	}
	if _, err := cns.ParseCardID(string(c.st.files[cns.EFIDCarta].data)); err != nil {
		out = append(out, fmt.Errorf("EF_IDCarta: %w", err))
	}
	if _, err := cns.ParsePersonalData(c.st.files[cns.EFDatiPersonali].data); err != nil {
		out = append(out, fmt.Errorf("EF_DatiPersonali: %w", err))
	}
	k, ok := c.st.keys[cns.KeyAuth]
	if !ok {
		return append(out, errors.New("the authentication key is not made"))
	}
	if err := certifies(c.st.files[cns.EFCCarta].data, k.private); err != nil {
		out = append(out, fmt.Errorf("EF_C_Carta: %w", err))
	}
	return out
}

// certifies tells whether the file holds a certificate for the key.
func certifies(fileContent []byte, k *rsa.PrivateKey) error {
	var der asn1.RawValue
	if _, err := asn1.Unmarshal(fileContent, &der); err != nil {
		return fmt.Errorf("no certificate: %w", err)
	}
	cert, err := x509.ParseCertificate(bytes.Clone(der.FullBytes))
	if err != nil {
		return fmt.Errorf("no certificate: %w", err)
	}
	if public, ok := cert.PublicKey.(*rsa.PublicKey); !ok || !k.PublicKey.Equal(public) {
		return errors.New("the certificate is for another key")
	}
	return nil
}
