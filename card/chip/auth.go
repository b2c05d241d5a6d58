package chip

import (
	"crypto/subtle"

	"cse.example/cse/card/iso7816"
	"cse.example/cse/card/secmsg"
)

// externalAuthenticate is EXTERNAL AUTHENTICATE with the issuer's key, which
// then satisfies the access conditions that name its reference until reset, and
// opens a session of secure messaging that the first command in clear ends.
//
// The cryptogram of real masks is unknown; ours is secmsg.Cryptogram of the last
// challenge, which must have been of 16 bytes. A challenge serves once. Failures
// have a counter of their own, spent on the disk before the comparison as a
// PIN's is.
func (c *Chip) externalAuthenticate(cmd iso7816.Command) ([]byte, iso7816.SW) {
	ref := c.profile.IssuerKeyRef
	challenge := c.ses.challenge
	c.ses.challenge = nil
	switch {
	case cmd.P1 != 0:
		return nil, iso7816.WrongP1P2
	case ref == 0 || cmd.P2&0x7F != ref || c.st.issuer.secret == nil:
		return nil, iso7816.ReferenceNotFound
	case len(cmd.Data) != secmsg.ChallengeSize:
		return nil, iso7816.WrongLength
	case len(challenge) != secmsg.ChallengeSize:
		return nil, iso7816.ConditionsNotSatisfied
	case c.st.issuer.left == 0:
		return nil, iso7816.AuthenticationBlocked
	}
	c.forget(ref)
	want, err := secmsg.Cryptogram(c.st.issuer.secret, challenge)
	if err != nil {
		return nil, iso7816.InternalError
	}
	session, err := secmsg.New(c.st.issuer.secret, challenge)
	if err != nil {
		return nil, iso7816.InternalError
	}
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
		c.ses.issuer = issuerSession{session: session}
	}
	return nil, sw
}

// issuerSession is the secure messaging that an EXTERNAL AUTHENTICATE opened.
type issuerSession struct {
	session *secmsg.Session
	n       uint64 // commands received
	inside  bool   // one of them is being run
}

func (s issuerSession) open() bool { return s.session != nil }

// protected runs a command that the issuer closed. Only SELECT, READ BINARY and
// UPDATE BINARY are taken so; what does not open ends the session (6987, 6988).
func (c *Chip) protected(run handler, cmd iso7816.Command) ([]byte, iso7816.SW) {
	s := &c.ses.issuer
	s.n++
	inner, err := s.session.Open(s.n, cmd)
	if err != nil {
		c.ses.issuer = issuerSession{}
		if err == secmsg.ErrMissing { //nolint:errorlint // returned as it is
			return nil, iso7816.SMObjectsMissing
		}
		return nil, iso7816.SMObjectsWrong
	}
	var r iso7816.Response
	switch cmd.INS {
	case iso7816.InsSelect, iso7816.InsReadBinary, iso7816.InsUpdateBinary:
		s.inside = true
		r.Data, r.SW = run(c, inner)
		s.inside = false
	default:
		r.SW = iso7816.FunctionNotSupported
	}
	r = s.session.Answer(s.n, r)
	return r.Data, r.SW
}
