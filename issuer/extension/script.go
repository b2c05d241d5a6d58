package extension

import (
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"

	"cse.example/cse/card/cns"
	"cse.example/cse/card/iso7816"
	"cse.example/cse/card/secmsg"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/pki/ca"
)

// Script is what the issuer has a chip do.
type Script string

// The scripts. All end with a read-back.
const (
	// Write rewrites the file in one command, which the chip does whole or not at all.
	Write Script = "write"
	// Pieces rewrites it in several: for chips that take no long command. A kill in
	// the midst leaves a file that is no certificate, and Resume the way back.
	Pieces Script = "pieces"
	// Look only reads: for a card that was written and never confirmed.
	Look Script = "look"
)

// piece is how many bytes of a file one short command carries, closed, either way.
const piece = 223

// Authorised is a script closed for one chip and its last challenge.
type Authorised struct {
	// Cryptogram is the data of EXTERNAL AUTHENTICATE.
	Cryptogram []byte
	// Commands are APDUs under secure messaging, to be sent in order.
	Commands [][]byte
}

// content is what the file shall hold: the certificate, and zeros over what was
// longer before.
func content(next, old ca.Record) []byte {
	out := make([]byte, max(len(next.DER), len(old.DER)))
	copy(out, next.DER)
	return out
}

// commands are the script in clear.
func (s Script) commands(file []byte) ([]iso7816.Command, error) {
	list := []iso7816.Command{{INS: iso7816.InsSelect, P1: 0x08, P2: 0x0C, Data: cns.EFCCarta.Bytes()}}
	update := func(at int, data []byte) {
		list = append(list, iso7816.Command{INS: iso7816.InsUpdateBinary, P1: byte(at >> 8), P2: byte(at), Data: data})
	}
	switch s {
	case Write:
		update(0, file)
	case Pieces:
		for at := 0; at < len(file); at += piece {
			update(at, file[at:min(at+piece, len(file))])
		}
	case Look:
	default:
		return nil, words.Refuse("CSE-899").Because(fmt.Errorf("script %q", s))
	}
	for at := 0; at < len(file); at += piece {
		list = append(list, iso7816.Command{INS: iso7816.InsReadBinary, P1: byte(at >> 8), P2: byte(at), Le: min(piece, len(file)-at)})
	}
	return list, nil
}

// Authorise closes a script for the chip that gave this challenge (16 bytes). It may
// be asked any number of times: the last one counts. Refused: CSE-893, also for a
// session whose card has not signed; what Check refuses.
func (r *Room) Authorise(ctx context.Context, token secret.Text, script Script, challenge []byte) (Authorised, error) {
	q, err := r.at(ctx, token)
	if err != nil {
		return Authorised{}, err
	}
	if !q.Proved || q.State != Issued || len(challenge) != secmsg.ChallengeSize {
		return Authorised{}, words.Refuse("CSE-893")
	}
	c, err := r.conditions(ctx, q.Card)
	if err != nil {
		return Authorised{}, err
	}
	if f := Check(c); f != nil {
		return Authorised{}, f
	}
	a, err := r.closed(ctx, q, script, challenge)
	if err != nil {
		return Authorised{}, err
	}
	return a, r.d.Atomically(ctx, func(ctx context.Context) error {
		again, err := r.at(ctx, token)
		if err != nil {
			return err
		}
		again.Challenge, again.Script, again.SessionEnds = challenge, script, r.d.Clock.Now().Add(sessionLife)
		if script != Look {
			again.WrittenAt = r.d.Clock.Now()
		}
		if _, err := r.d.Store.Put(ctx, again); err != nil {
			return err
		}
		return r.record(ctx, "extension.authorised", again, c.Card.CF, "script", string(script))
	})
}

// both are the two certificates of a request.
func (r *Room) both(ctx context.Context, q Request) (next, old ca.Record, err error) {
	if next, err = r.d.Authority.Get(ctx, q.New); err != nil {
		return next, old, err
	}
	old, err = r.d.Authority.Get(ctx, q.Old)
	return next, old, err
}

func (r *Room) closed(ctx context.Context, q Request, script Script, challenge []byte) (Authorised, error) {
	next, old, err := r.both(ctx, q)
	if err != nil {
		return Authorised{}, err
	}
	list, err := script.commands(content(next, old))
	if err != nil {
		return Authorised{}, err
	}
	key, err := r.d.ChipKey(q.Card)
	if err != nil {
		return Authorised{}, err
	}
	k := key.Reveal()
	defer func() { clear(k); key.Wipe() }()
	var a Authorised
	if a.Cryptogram, err = secmsg.Cryptogram(k, challenge); err != nil {
		return Authorised{}, err
	}
	session, err := secmsg.New(k, challenge)
	if err != nil {
		return Authorised{}, err
	}
	for i, cmd := range list {
		closed, err := session.Protect(uint64(i+1), cmd)
		if err != nil {
			return Authorised{}, err
		}
		b, err := closed.Bytes()
		if err != nil {
			return Authorised{}, err
		}
		a.Commands = append(a.Commands, b)
	}
	return a, nil
}

// holds opens the chip's closed answers to the last script and tells whether its
// file holds the new certificate: nil, CSE-896 when somebody else made them,
// CSE-897 when it does not.
func (r *Room) holds(ctx context.Context, q Request, answers [][]byte) error {
	next, old, err := r.both(ctx, q)
	if err != nil {
		return err
	}
	file := content(next, old)
	list, err := q.Script.commands(file)
	if err != nil {
		return err
	}
	if len(answers) != len(list) {
		return words.Refuse("CSE-897").Because(fmt.Errorf("%d answers to %d commands", len(answers), len(list)))
	}
	key, err := r.d.ChipKey(q.Card)
	if err != nil {
		return err
	}
	k := key.Reveal()
	defer func() { clear(k); key.Wipe() }()
	session, err := secmsg.New(k, q.Challenge)
	if err != nil {
		return err
	}
	var got []byte
	for i, b := range answers {
		a, err := session.OpenAnswer(uint64(i+1), b)
		if err != nil {
			return words.Refuse("CSE-896").Because(fmt.Errorf("answer %d: %w", i+1, err))
		}
		if !a.SW.OK() {
			return words.Refuse("CSE-897").Because(fmt.Errorf("answer %d: %w", i+1, a.SW))
		}
		if list[i].INS == iso7816.InsReadBinary {
			got = append(got, a.Data...)
		}
	}
	if !bytes.Equal(got, file) {
		return words.Refuse("CSE-897").Because(errors.New("the file holds something else"))
	}
	return nil
}

// Confirm takes the chip's answers to the last script. When they show the new
// certificate in the file, it becomes good and the old one is superseded, in one
// act with the card's record, the request, the end of the sessions and the mail.
// Refused, and nothing changes: CSE-893, CSE-896, CSE-897, a card that was suspended
// or ended meanwhile (CSE-884, CSE-885).
func (r *Room) Confirm(ctx context.Context, token secret.Text, answers [][]byte) (Session, error) {
	q, err := r.at(ctx, token)
	if err != nil {
		return Session{}, err
	}
	if q.State != Issued || len(q.Challenge) == 0 {
		return Session{}, words.Refuse("CSE-893")
	}
	if err := r.holds(ctx, q, answers); err != nil {
		return Session{}, err
	}
	s := Session{State: Confirmed, Card: q.Card, Until: q.Until, Serial: q.New}
	err = r.again(ctx, func(ctx context.Context) error {
		again, err := r.at(ctx, token)
		if err != nil {
			return err
		}
		if again.New != q.New || !bytes.Equal(again.Challenge, q.Challenge) {
			return words.Refuse("CSE-893")
		}
		c, err := r.d.Cards.Get(ctx, q.Card)
		if err != nil {
			return err
		}
		switch {
		case c.State == lifecycle.Suspended:
			return words.Refuse("CSE-884")
		case c.State != lifecycle.Active:
			return words.Refuse("CSE-885")
		}
		s.From = c.CertUntil()
		return r.confirm(ctx, again, c)
	})
	return s, err
}

// confirm is the act.
func (r *Room) confirm(ctx context.Context, q Request, c lifecycle.Card) error {
	if err := r.d.Authority.Supersede(ctx, q.New); err != nil {
		return err
	}
	c.CertSerial, c.CertExpires = q.New, q.Until
	if q.Until == c.Expires {
		c.CertExpires = civil.Date{}
	}
	c, err := r.d.Cards.Put(ctx, c)
	if err != nil {
		return err
	}
	read := hex.EncodeToString(q.Challenge[:4])
	q.State, q.EndedAt = Confirmed, r.d.Clock.Now()
	q.Session, q.Proved, q.Nonce, q.Challenge, q.Script = "", false, nil, nil, ""
	if q, err = r.d.Store.Put(ctx, q); err != nil {
		return err
	}
	if err := r.d.EndSessions(ctx, q.Card); err != nil {
		return err
	}
	if err := r.record(ctx, "extension.confirmed", q, c.CF, "until", q.Until.String(), "challenge", read); err != nil {
		return err
	}
	return r.d.Tell(ctx, c, q.Until)
}

// Abandon ends a card's living request in the act of ctx, which ends the card, and
// revokes the certificate that waited.
func (r *Room) Abandon(ctx context.Context, card string) error {
	q, err := r.living(ctx, card)
	if err != nil || q == nil {
		return err
	}
	c, err := r.d.Cards.Get(ctx, card)
	if err != nil {
		return err
	}
	return r.abandon(ctx, *q, c)
}

func (r *Room) abandon(ctx context.Context, q Request, c lifecycle.Card) error {
	waits, there, err := r.d.Authority.Extended(ctx, q.Old) // also one that a kill kept from the request
	if err != nil {
		return err
	}
	if there && waits.State == ca.Pending {
		if err := r.d.Authority.Revoke(ctx, waits.Serial, ca.CessationOfOperation); err != nil {
			return err
		}
	}
	q.State, q.EndedAt = Abandoned, r.d.Clock.Now()
	q.Session, q.Proved, q.Nonce, q.Challenge, q.Script = "", false, nil, nil, ""
	q, err = r.d.Store.Put(ctx, q)
	if err != nil {
		return err
	}
	return r.record(ctx, "extension.abandoned", q, c.CF)
}

// Sweep abandons what can go on no more: the service is over, or the card's own
// time. Nightly; it answers how many.
func (r *Room) Sweep(ctx context.Context) (int, error) {
	n := 0
	for after := ""; ; {
		list, err := r.d.Store.Each(ctx, after, 500)
		if err != nil || len(list) == 0 {
			return n, err
		}
		for _, q := range list {
			after = q.ID
			if !q.State.Living() {
				continue
			}
			c, err := r.conditions(ctx, q.Card)
			if err != nil {
				return n, err
			}
			if f := Check(c); f == nil || f.Code == "CSE-884" {
				continue // a suspension may be lifted
			}
			err = r.d.Atomically(ctx, func(ctx context.Context) error { return r.Abandon(ctx, q.Card) })
			if err != nil {
				return n, err
			}
			n++
		}
	}
}
