package chip

import (
	"bytes"
	"crypto/subtle"

	"cse.example/cse/card/cns"
	"cse.example/cse/card/iso7816"
)

// reference is the code that P2 means. Bit 8 says "search upwards" on STIncard
// masks; both forms are one code.
func (c *Chip) reference(cmd iso7816.Command) (byte, code, iso7816.SW) {
	ref := cmd.P2 & 0x7F
	k, ok := c.st.codes[ref]
	if !ok {
		return 0, code{}, iso7816.ReferenceNotFound
	}
	return ref, k, iso7816.OK
}

// present compares a code. A try is spent on the disk before the comparison,
// and given back on the disk, together with what then does, when it matches.
// The third wrong entry in a row answers 6983, as every later one does.
func (c *Chip) present(ref byte, block []byte, then func()) iso7816.SW {
	k := c.st.codes[ref]
	if k.block == nil {
		return iso7816.ReferenceUnusable
	}
	if k.left == 0 {
		return iso7816.AuthenticationBlocked
	}
	c.forget(ref)
	if sw := written(c.change(func() { c.setTries(ref, k.left-1) })); !sw.OK() {
		return sw
	}
	if subtle.ConstantTimeCompare(k.block, block) != 1 {
		if k.left-1 == 0 {
			return iso7816.AuthenticationBlocked
		}
		return iso7816.Tries(k.left - 1)
	}
	return written(c.change(func() {
		c.setTries(ref, k.max)
		then()
	}))
}

func (c *Chip) forget(ref byte) { delete(c.ses.satisfied, ref) }

func (c *Chip) setTries(ref byte, left int) {
	k := c.st.codes[ref]
	k.left = left
	c.st.codes[ref] = k
}

// renew sets a code and its full number of tries.
func (c *Chip) renew(ref byte, block []byte) {
	k := c.st.codes[ref]
	k.block, k.left = bytes.Clone(block), k.max
	c.st.codes[ref] = k
}

// verify is VERIFY; without data it tells the state and spends nothing: 9000
// verified, 63Cx tries left, 6983 blocked.
func (c *Chip) verify(cmd iso7816.Command) ([]byte, iso7816.SW) {
	if cmd.P1 != 0 {
		return nil, iso7816.WrongP1P2
	}
	ref, k, sw := c.reference(cmd)
	switch {
	case !sw.OK():
		return nil, sw
	case len(cmd.Data) == 0:
		return nil, c.query(ref, k)
	case len(cmd.Data) != cns.CodeBlock:
		return nil, iso7816.WrongLength
	}
	sw = c.present(ref, cmd.Data, func() {})
	if sw.OK() {
		c.ses.satisfied[ref] = true
	}
	return nil, sw
}

func (c *Chip) query(ref byte, k code) iso7816.SW {
	switch {
	case k.block == nil:
		return iso7816.ReferenceUnusable
	case k.left == 0:
		return iso7816.AuthenticationBlocked
	case c.ses.satisfied[ref]:
		return iso7816.OK
	default:
		return iso7816.Tries(k.left)
	}
}

// changeReferenceData is CHANGE REFERENCE DATA with the old and the new code.
// A new code of a wrong form is refused (6A80) before a try is spent. What was
// verified before stays so when the old code was right.
func (c *Chip) changeReferenceData(cmd iso7816.Command) ([]byte, iso7816.SW) {
	if cmd.P1 != 0 {
		return nil, iso7816.WrongP1P2
	}
	ref, k, sw := c.reference(cmd)
	switch {
	case !sw.OK():
		return nil, sw
	case len(cmd.Data) != 2*cns.CodeBlock:
		return nil, iso7816.WrongLength
	case k.unblock == 0 && !c.profile.PUKChangeable:
		return nil, iso7816.SecurityNotSatisfied
	}
	old, fresh := cmd.Data[:cns.CodeBlock], cmd.Data[cns.CodeBlock:]
	if !cns.ValidBlock(fresh) || k.unblock == 0 && fresh[cns.CodeBlock-1] == 0xFF {
		return nil, iso7816.WrongData
	}
	verified := c.ses.satisfied[ref]
	sw = c.present(ref, old, func() { c.renew(ref, fresh) })
	if sw.OK() && verified {
		c.ses.satisfied[ref] = true
	}
	return nil, sw
}

// resetRetryCounter is RESET RETRY COUNTER: P1 00 PUK and new code, 01 PUK
// only, 02 new code after the PUK was verified, 03 nothing after it was.
func (c *Chip) resetRetryCounter(cmd iso7816.Command) ([]byte, iso7816.SW) {
	ref, k, sw := c.reference(cmd)
	if !sw.OK() {
		return nil, sw
	}
	if k.unblock == 0 { // a PUK has no PUK
		return nil, iso7816.SecurityNotSatisfied
	}
	var puk, fresh []byte
	switch want := [4]int{2 * cns.CodeBlock, cns.CodeBlock, cns.CodeBlock, 0}; {
	case cmd.P1 > 3:
		return nil, iso7816.WrongP1P2
	case len(cmd.Data) != want[cmd.P1]:
		return nil, iso7816.WrongLength
	case cmd.P1 == 0:
		puk, fresh = cmd.Data[:cns.CodeBlock], cmd.Data[cns.CodeBlock:]
	case cmd.P1 == 1:
		puk = cmd.Data
	case cmd.P1 == 2:
		fresh = cmd.Data
	}
	if fresh != nil && !cns.ValidBlock(fresh) {
		return nil, iso7816.WrongData
	}
	return nil, c.unblock(ref, k, puk, fresh)
}

// unblock gives a code its tries back; a nil puk relies on the one verified in
// this session (and uses it up), a nil fresh keeps the code as it is.
func (c *Chip) unblock(ref byte, k code, puk, fresh []byte) iso7816.SW {
	if puk == nil && !c.ses.satisfied[k.unblock] {
		return iso7816.SecurityNotSatisfied
	}
	if fresh == nil {
		fresh = k.block
	}
	if fresh == nil {
		return iso7816.ReferenceUnusable
	}
	do := func() { c.renew(ref, fresh) }
	var sw iso7816.SW
	if puk != nil {
		sw = c.present(k.unblock, puk, do)
	} else {
		c.forget(k.unblock)
		sw = written(c.change(do))
	}
	if sw.OK() {
		c.forget(ref) // a new PIN must be verified itself
	}
	return sw
}
