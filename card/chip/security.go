package chip

import (
	"io"

	"cse.example/cse/card/cns"
	"cse.example/cse/card/iso7816"
)

// Control reference templates of MANAGE SECURITY ENVIRONMENT.
const (
	templateAuth    byte = 0xA4 // authentication
	templateSign    byte = 0xB6 // digital signature
	templateDecrypt byte = 0xB8 // confidentiality
)

// getChallenge is GET CHALLENGE: Le random bytes, kept for the next EXTERNAL
// AUTHENTICATE.
func (c *Chip) getChallenge(cmd iso7816.Command) ([]byte, iso7816.SW) {
	switch {
	case cmd.P1 != 0 || cmd.P2 != 0:
		return nil, iso7816.WrongP1P2
	case len(cmd.Data) != 0 || cmd.Le == 0 || cmd.Le > c.profile.MaxChallenge:
		return nil, iso7816.WrongLength
	}
	b := make([]byte, cmd.Le)
	if _, err := io.ReadFull(c.random, b); err != nil {
		return nil, iso7816.InternalError
	}
	c.ses.challenge = b
	return b, iso7816.OK
}

// manageSecurity is MANAGE SECURITY ENVIRONMENT. RESTORE (F3) takes one of the
// two environments that exist and forgets the keys chosen; SET (F1, also 41
// and 81) chooses the key of a template with tag 83 or 84.
func (c *Chip) manageSecurity(cmd iso7816.Command) ([]byte, iso7816.SW) {
	switch cmd.P1 {
	case 0xF3:
		return nil, c.restoreEnvironment(cmd)
	case 0xF1, 0x41, 0x81, 0xC1:
		return nil, c.setEnvironment(cmd)
	}
	return nil, iso7816.WrongP1P2
}

// restoreEnvironment: the functional specification wants an Lc of 00, which
// arrives as a Le; both that and nothing are taken.
func (c *Chip) restoreEnvironment(cmd iso7816.Command) iso7816.SW {
	switch {
	case len(cmd.Data) != 0:
		return iso7816.WrongLength
	case cmd.P2 != cns.SEInUse && cmd.P2 != cns.SEPersonal:
		return iso7816.ReferenceNotFound
	}
	clear(c.ses.templates)
	return iso7816.OK
}

func (c *Chip) setEnvironment(cmd iso7816.Command) iso7816.SW {
	if cmd.P2 != templateAuth && cmd.P2 != templateSign && cmd.P2 != templateDecrypt {
		return iso7816.WrongP1P2
	}
	list, err := iso7816.ParseTLV(cmd.Data)
	if err != nil || len(list) != 1 || len(list[0].Value) != 1 || list[0].Tag != 0x83 && list[0].Tag != 0x84 {
		return iso7816.WrongData
	}
	ref := list[0].Value[0]
	if _, ok := c.st.keys[ref]; !ok {
		return iso7816.ReferenceNotFound
	}
	c.ses.templates[cmd.P2] = ref
	return iso7816.OK
}

// chosenKey is the key of a template, when its code was verified (rule R70).
func (c *Chip) chosenKey(template byte) (key, iso7816.SW) {
	ref, ok := c.ses.templates[template]
	if !ok {
		return key{}, iso7816.ConditionsNotSatisfied
	}
	k, ok := c.st.keys[ref]
	switch {
	case !ok:
		return key{}, iso7816.ReferenceNotFound
	case !c.ses.satisfied[k.pin] || c.st.codes[k.pin].left == 0:
		return key{}, iso7816.SecurityNotSatisfied
	}
	return k, iso7816.OK
}

// performSecurity is PERFORM SECURITY OPERATION: COMPUTE DIGITAL SIGNATURE
// (9E 9A) and DECIPHER (80 86).
func (c *Chip) performSecurity(cmd iso7816.Command) ([]byte, iso7816.SW) {
	switch {
	case cmd.P1 == 0x9E && cmd.P2 == 0x9A:
		return c.computeSignature(cmd)
	case cmd.P1 == 0x80 && cmd.P2 == 0x86:
		return c.decipher(cmd)
	}
	return nil, iso7816.WrongP1P2
}

// computeSignature signs a DigestInfo with PKCS#1 v1.5 padding, or applies the
// plain RSA operation to a block as long as the modulus.
func (c *Chip) computeSignature(cmd iso7816.Command) ([]byte, iso7816.SW) {
	k, sw := c.chosenKey(templateSign)
	if !sw.OK() {
		return nil, sw
	}
	size := k.private.Size()
	switch n := len(cmd.Data); {
	case n == 0 || n > size:
		return nil, iso7816.WrongLength
	case n == size:
		return answerRSA(cmd, k, cmd.Data, c.random, rawRSA)
	case n > size-11:
		return nil, iso7816.WrongData
	}
	return answerRSA(cmd, k, cmd.Data, c.random, signPadded)
}

// decipher applies the plain RSA operation to a block as long as the modulus
// after an indicator byte 00, and gives back as many bytes, padding and all.
// That is how OpenSC signs with a CNS key.
func (c *Chip) decipher(cmd iso7816.Command) ([]byte, iso7816.SW) {
	k, sw := c.chosenKey(templateDecrypt)
	if !sw.OK() {
		return nil, sw
	}
	switch {
	case len(cmd.Data) != k.private.Size()+1:
		return nil, iso7816.WrongLength
	case cmd.Data[0] != 0x00:
		return nil, iso7816.WrongData
	}
	return answerRSA(cmd, k, cmd.Data[1:], c.random, rawRSA)
}

// internalAuthenticate signs the terminal's challenge with the key chosen by
// MSE A4, padded as PKCS#1 type 1 without a digest identifier. The real
// masks' form is known from memory only (card.md section 8).
func (c *Chip) internalAuthenticate(cmd iso7816.Command) ([]byte, iso7816.SW) {
	if cmd.P1 != 0 || cmd.P2 != 0 {
		return nil, iso7816.WrongP1P2
	}
	k, sw := c.chosenKey(templateAuth)
	if !sw.OK() {
		return nil, sw
	}
	if n := len(cmd.Data); n == 0 || n > k.private.Size()-11 {
		return nil, iso7816.WrongLength
	}
	return answerRSA(cmd, k, cmd.Data, c.random, signPadded)
}
