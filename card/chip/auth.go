package chip

import (
	"crypto/aes"
	"crypto/subtle"

	"cse.example/cse/card/iso7816"
)

// externalAuthenticate is EXTERNAL AUTHENTICATE with the issuer's key, which
// then satisfies the access conditions that name its reference until reset.
//
// The cryptogram of real masks is unknown. Ours: the last challenge, which
// must have been of 16 bytes, encrypted as one block with AES (128 or 256).
// A challenge serves once. Failures have a counter of their own, spent on the
// disk before the comparison as a PIN's is.
func (c *Chip) externalAuthenticate(cmd iso7816.Command) ([]byte, iso7816.SW) {
	ref := c.profile.IssuerKeyRef
	challenge := c.ses.challenge
	c.ses.challenge = nil
	switch {
	case cmd.P1 != 0:
		return nil, iso7816.WrongP1P2
	case ref == 0 || cmd.P2&0x7F != ref || c.st.issuer.secret == nil:
		return nil, iso7816.ReferenceNotFound
	case len(cmd.Data) != aes.BlockSize:
		return nil, iso7816.WrongLength
	case len(challenge) != aes.BlockSize:
		return nil, iso7816.ConditionsNotSatisfied
	case c.st.issuer.left == 0:
		return nil, iso7816.AuthenticationBlocked
	}
	c.forget(ref)
	cipher, err := aes.NewCipher(c.st.issuer.secret)
	if err != nil {
		return nil, iso7816.InternalError
	}
	want := make([]byte, aes.BlockSize)
	cipher.Encrypt(want, challenge)
	left := c.st.issuer.left - 1
	if sw := written(c.change(func() { c.st.issuer.left = left })); !sw.OK() {
		return nil, sw
	}
	if subtle.ConstantTimeCompare(want, cmd.Data) != 1 {
		if left == 0 {
			return nil, iso7816.AuthenticationBlocked
		}
		return nil, iso7816.Tries(left)
	}
	sw := written(c.change(func() { c.st.issuer.left = c.st.issuer.max }))
	if sw.OK() {
		c.ses.satisfied[ref] = true
	}
	return nil, sw
}
