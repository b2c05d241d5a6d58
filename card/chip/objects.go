package chip

import (
	"bytes"
	"crypto/rsa"

	"cse.example/cse/card/cns"
	"cse.example/cse/card/iso7816"
)

// The commands that make files, keys and codes (card.md sections 8 and 8.2).
// They work in personalisation; on an operational card they need what the
// directory's access conditions ask, which in our profiles is "never".

// createFile is CREATE FILE in the current DF, with an FCP template (62 or 6F).
func (c *Chip) createFile(cmd iso7816.Command) ([]byte, iso7816.SW) {
	if cmd.P1 != 0 || cmd.P2 != 0 {
		return nil, iso7816.WrongP1P2
	}
	dir := c.ses.current
	if !c.allowed(c.st.files[dir].access, cns.DFCreate) {
		return nil, iso7816.SecurityNotSatisfied
	}
	fcp, err := iso7816.ParseFCP(cmd.Data)
	if err != nil {
		return nil, iso7816.WrongData
	}
	path := dir + fidPath(byte(fcp.FID>>8), byte(fcp.FID))
	if _, ok := c.st.files[path]; ok || fcp.FID == cns.FIDMaster {
		return nil, iso7816.FileExists
	}
	f := file{directory: fcp.Directory, access: fcp.Access}
	if !fcp.Directory {
		f.data = make([]byte, fcp.Size)
	}
	if c.used()+len(f.data) > memoryLimit || len(c.st.files) >= filesLimit || len(path) > depthLimit*4 {
		return nil, iso7816.NotEnoughMemory
	}
	sw := written(c.change(func() { c.st.files[path] = f }))
	if sw.OK() && fcp.Directory {
		c.ses.current, c.ses.hasEF = path, false
	} else if sw.OK() {
		c.ses.ef, c.ses.hasEF = path, true
	}
	return nil, sw
}

// Limits of the emulated memory: bytes of all files together, number of
// files, directories inside each other.
const (
	memoryLimit = 128 << 10
	filesLimit  = 256
	depthLimit  = 8
)

func (c *Chip) used() int {
	n := 0
	for _, f := range c.st.files {
		n += len(f.data)
	}
	return n
}

// generateKeyPair is GENERATE KEY: 20 KK, identifier of the file that takes
// the public key (looked for as SELECT does), 00 10 00 20.
func (c *Chip) generateKeyPair(cmd iso7816.Command) ([]byte, iso7816.SW) {
	if c.st.operational {
		return nil, iso7816.SecurityNotSatisfied
	}
	ref := cmd.P2
	pin, ok := map[byte]byte{cns.KeyAuth: cns.RefPIN, cns.KeyDS: cns.RefDSPIN}[ref]
	switch {
	case cmd.P1 != 0:
		return nil, iso7816.WrongP1P2
	case !ok || c.st.codes[pin].max == 0:
		return nil, iso7816.ReferenceNotFound
	case len(cmd.Data) != 8:
		return nil, iso7816.WrongLength
	case cmd.Data[0] != 0x20 || cmd.Data[1] != ref || !bytes.Equal(cmd.Data[4:], []byte{0x00, 0x10, 0x00, 0x20}):
		return nil, iso7816.WrongData
	case c.lock == nil:
		return nil, iso7816.MemoryFailure
	}
	path, sw := c.findByFID(cmd.Data[2:4])
	if !sw.OK() {
		return nil, sw
	}
	k, err := rsa.GenerateKey(c.random, c.profile.ModulusBits)
	if err != nil {
		return nil, iso7816.InternalError
	}
	if err := c.installKey(ref, pin, k, path); err != nil {
		return nil, iso7816.NotEnoughMemory
	}
	return nil, iso7816.OK
}

// putData is PUT DATA: 01 6E makes a code (BSO), 01 6D a security environment.
// Keys are made by GENERATE KEY, never put in: 6A81.
func (c *Chip) putData(cmd iso7816.Command) ([]byte, iso7816.SW) {
	if c.st.operational {
		return nil, iso7816.SecurityNotSatisfied
	}
	list, err := iso7816.ParseTLV(cmd.Data)
	switch {
	case cmd.P1 != 0x01 || cmd.P2 != 0x6E && cmd.P2 != 0x6D:
		return nil, iso7816.WrongP1P2
	case err != nil:
		return nil, iso7816.LcInconsistentWithTLV
	case cmd.P2 == 0x6D:
		return nil, checkEnvironment(list)
	}
	return nil, c.putCode(list)
}

// checkEnvironment takes a SECI object for one of the two environments that
// exist anyway; its six key ids are not kept, for MSE SET names the key.
func checkEnvironment(list []iso7816.TLV) iso7816.SW {
	id, ok := iso7816.FindTLV(list, 0x83)
	if !ok || len(id) != 1 {
		return iso7816.WrongData
	}
	if id[0] != cns.SEInUse && id[0] != cns.SEPersonal {
		return iso7816.ReferenceNotFound
	}
	return iso7816.OK
}

// putCode sets a code of the profile: 83 class and reference, 85 options with
// the tries in the second byte, 8F the code of eight bytes.
func (c *Chip) putCode(list []iso7816.TLV) iso7816.SW {
	id, okID := iso7816.FindTLV(list, 0x83)
	options, okOptions := iso7816.FindTLV(list, 0x85)
	block, okBlock := iso7816.FindTLV(list, 0x8F)
	if !okID || !okOptions || !okBlock || len(id) != 2 || len(options) != 8 {
		return iso7816.WrongData
	}
	if id[0]&0x20 != 0 {
		return iso7816.FunctionNotSupported
	}
	k, ok := c.st.codes[id[1]]
	tries := int(options[1])
	switch {
	case id[0] != 0 || !ok:
		return iso7816.ReferenceNotFound
	case !cns.ValidBlock(block) || tries < 1 || tries > 15:
		return iso7816.WrongData
	}
	return written(c.change(func() {
		k.max = tries
		c.st.codes[id[1]] = k
		c.renew(id[1], block)
	}))
}
