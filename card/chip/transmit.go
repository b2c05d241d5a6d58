package chip

import (
	"cse.example/cse/card/cns"
	"cse.example/cse/card/iso7816"
	"cse.example/cse/card/secmsg"
)

// handler runs one command; the chip's lock is held.
type handler func(c *Chip, cmd iso7816.Command) ([]byte, iso7816.SW)

// commands is the command set (card.md section 8). Other instructions are
// answered 6D00.
func commands(ins byte) (run handler, chainable, known bool) {
	switch ins {
	case iso7816.InsSelect:
		return (*Chip).selectFile, false, true
	case iso7816.InsReadBinary:
		return (*Chip).readBinary, false, true
	case iso7816.InsUpdateBinary:
		return (*Chip).updateBinary, true, true
	case iso7816.InsVerify:
		return (*Chip).verify, false, true
	case iso7816.InsChangeReferenceData:
		return (*Chip).changeReferenceData, false, true
	case iso7816.InsResetRetryCounter:
		return (*Chip).resetRetryCounter, false, true
	case iso7816.InsGetChallenge:
		return (*Chip).getChallenge, false, true
	case iso7816.InsManageSecurity:
		return (*Chip).manageSecurity, false, true
	case iso7816.InsPerformSecurity:
		return (*Chip).performSecurity, true, true
	case iso7816.InsInternalAuthenticate:
		return (*Chip).internalAuthenticate, true, true
	case iso7816.InsExternalAuthenticate:
		return (*Chip).externalAuthenticate, false, true
	case iso7816.InsGetData:
		return (*Chip).getData, false, true
	case iso7816.InsCreateFile:
		return (*Chip).createFile, false, true
	case iso7816.InsGenerateKeyPair:
		return (*Chip).generateKeyPair, false, true
	case iso7816.InsPutData:
		return (*Chip).putData, true, true
	case iso7816.InsDeactivateFile, iso7816.InsActivateFile:
		return (*Chip).setActive, false, true
	}
	return nil, false, false
}

// Transmit runs one command APDU and returns the response with its status
// word. What the command changed is on the disk before Transmit returns. An
// error means that no answer came, as from a card pulled out: ErrClosed,
// ErrPowerLost. Malformed commands are answered 6700, not errors.
func (c *Chip) Transmit(apdu []byte) ([]byte, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return nil, ErrClosed
	}
	if c.disk.dead {
		return nil, ErrPowerLost
	}
	data, sw := c.run(apdu)
	if c.disk.dead {
		return nil, ErrPowerLost
	}
	return iso7816.Response{Data: data, SW: sw}.Bytes(), nil
}

func (c *Chip) run(apdu []byte) ([]byte, iso7816.SW) {
	cmd, err := iso7816.ParseCommand(apdu)
	if err != nil || cmd.Extended && c.profile.RefuseExtended {
		c.ses.chain.Reset()
		return nil, iso7816.WrongLength
	}
	protected := cmd.CLA&secmsg.Class == secmsg.Class
	if !protected {
		c.ses.issuer = issuerSession{} // a command in clear ends it
	}
	run, chainable, known := commands(cmd.INS)
	if sw := c.checkClass(cmd, chainable, known); !sw.OK() {
		c.ses.chain.Reset()
		return nil, sw
	}
	whole, done, sw := c.ses.chain.Add(cmd)
	switch {
	case !done:
		return nil, sw
	case protected:
		return c.protected(run, whole)
	}
	return run(c, whole)
}

func (c *Chip) checkClass(cmd iso7816.Command, chainable, known bool) iso7816.SW {
	chained := cmd.CLA&iso7816.ClassChaining != 0
	switch {
	case cmd.CLA&0xE0 != 0, chained && c.profile.RefuseChaining:
		return iso7816.ClassNotSupported
	case cmd.CLA&secmsg.Class != 0 && (cmd.CLA&secmsg.Class != secmsg.Class || !c.ses.issuer.open()):
		return iso7816.SecureMessagingRefused
	case cmd.CLA&0x03 != 0:
		return iso7816.ChannelNotSupported
	case !known:
		return iso7816.InstructionUnknown
	case chained && !chainable:
		return iso7816.ChainingNotSupported
	}
	return iso7816.OK
}

// written turns the outcome of change into a status word.
func written(err error) iso7816.SW {
	if err != nil {
		return iso7816.MemoryFailure
	}
	return iso7816.OK
}

// allowed tells whether the session may do op on a file with access a.
func (c *Chip) allowed(a cns.Access, op cns.Operation) bool {
	ref, always, never := a.Condition(op)
	return !c.st.operational || always || !never && c.ses.satisfied[ref]
}

// upTo cuts an answer to what Le asked for; no Le takes all.
func upTo(data []byte, le int) []byte {
	if le > 0 && len(data) > le {
		return data[:le]
	}
	return data
}

// getData answers the model, the life cycle (20 personalisation, 10 user), and
// 6A88 to all else, which is what OpenSC's probe DF30 wants to hear.
func (c *Chip) getData(cmd iso7816.Command) ([]byte, iso7816.SW) {
	switch {
	case len(cmd.Data) != 0:
		return nil, iso7816.WrongLength
	case cmd.P1 == 0x01 && cmd.P2 == 0x80:
		return upTo([]byte(c.profile.Model), cmd.Le), iso7816.OK
	case cmd.P1 == 0x01 && cmd.P2 == 0x83 && c.st.operational:
		return []byte{0x10}, iso7816.OK
	case cmd.P1 == 0x01 && cmd.P2 == 0x83:
		return []byte{0x20}, iso7816.OK
	}
	return nil, iso7816.ReferenceNotFound
}
