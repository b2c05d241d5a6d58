package extension

import (
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/pki/ca"
)

// random is n random bytes.
func (r *Room) random(n int) ([]byte, error) {
	b := make([]byte, n)
	if _, err := io.ReadFull(r.d.Rand, b); err != nil {
		return nil, fmt.Errorf("extension: random bytes: %w", err)
	}
	return b, nil
}

func hashed(token []byte) string {
	sum := sha256.Sum256(token)
	return hex.EncodeToString(sum[:])
}

// open gives q to whoever has the token that comes back; who was at work before
// has to begin again.
func (r *Room) open(q *Request) (secret.Text, error) {
	b, err := r.random(32)
	if err != nil {
		return secret.Text{}, err
	}
	if q.Nonce, err = r.random(32); err != nil {
		return secret.Text{}, err
	}
	token := base64.RawURLEncoding.AppendEncode(nil, b)
	q.Session, q.SessionEnds, q.Proved = hashed(token), r.d.Clock.Now().Add(sessionLife), false
	q.Challenge, q.Script = nil, ""
	return secret.New(token), nil
}

// Begin begins, or goes on with, the extension of the card that just proved its
// good certificate in a handshake. room is the size of the chip's file, bytes. Who
// comes with the certificate of a confirmed extension that cannot be extended
// further is told so: State Confirmed, without a token.
//
// Refused: whatever Check refuses.
func (r *Room) Begin(ctx context.Context, p Proof, room int) (s Session, err error) {
	err = r.again(ctx, func(ctx context.Context) error {
		c, err := r.conditions(ctx, p.Card)
		if err != nil {
			return err
		}
		s = Session{Card: p.Card, From: c.Card.CertUntil(), Until: Until(c.Ends, c.Now)}
		if f := Check(c); f != nil {
			if q, err := r.done(ctx, p.Card, p.Serial); err != nil || q != nil {
				s.State, s.Until, s.Serial = Confirmed, c.Card.CertUntil(), p.Serial
				return err
			}
			return f
		}
		if c.Card.CertSerial != p.Serial {
			return words.Refuse("CSE-885").Because(errors.New("the certificate is not the card's present one"))
		}
		q, err := r.living(ctx, p.Card)
		if err != nil {
			return err
		}
		fresh := q == nil
		if fresh {
			id, err := r.random(12)
			if err != nil {
				return err
			}
			q = &Request{ID: hex.EncodeToString(id), Card: p.Card, State: Open, Old: p.Serial, OpenedAt: r.d.Clock.Now()}
		}
		q.Room = max(0, min(room, 0xFFFF))
		if q.State == Open {
			q.Until = s.Until
		}
		s.State, s.Until, s.Serial = q.State, q.Until, q.New
		if s.Token, err = r.open(q); err != nil {
			return err
		}
		s.Nonce = q.Nonce
		if !fresh {
			_, err = r.d.Store.Put(ctx, *q)
			return err
		}
		if added, err := r.d.Store.Add(ctx, *q); err != nil || !added {
			return errors.Join(err, ErrStale)
		}
		return r.record(ctx, "extension.opened", *q, c.Card.CF, "until", q.Until.String())
	})
	return s, err
}

// again runs an act, a second time when somebody else was quicker.
func (r *Room) again(ctx context.Context, act func(ctx context.Context) error) error {
	err := r.d.Atomically(ctx, act)
	for range 3 {
		if !isRaced(err) {
			break
		}
		err = r.d.Atomically(ctx, act)
	}
	return err
}

// at is the living request that a token opens: CSE-893 for any other.
func (r *Room) at(ctx context.Context, token secret.Text) (Request, error) {
	b := token.Reveal()
	defer clear(b)
	q, err := r.d.Store.BySession(ctx, hashed(b))
	switch {
	case errors.Is(err, ErrNone), err == nil && (!q.State.Living() || !r.d.Clock.Now().Before(q.SessionEnds)):
		return Request{}, words.Refuse("CSE-893")
	}
	return q, err
}

// believes tells whether the certificate's key signed for card and nonce.
func believes(c *x509.Certificate, card string, nonce, signature []byte) bool {
	key, ok := c.PublicKey.(*rsa.PublicKey)
	if !ok || len(nonce) == 0 {
		return false
	}
	sum := sha256.Sum256(Message(card, nonce))
	return rsa.VerifyPKCS1v15(key, crypto.SHA256, sum[:], signature) == nil
}

// Prove takes the card's signature of the session's Message: the new certificate
// is for that same key and no other. It is issued, if it was not before, and waits
// on hold. Refused: CSE-893, CSE-894, whatever Check refuses, CSE-892.
func (r *Room) Prove(ctx context.Context, token secret.Text, signature []byte) (Session, error) {
	q, err := r.at(ctx, token)
	if err != nil {
		return Session{}, err
	}
	c, err := r.conditions(ctx, q.Card)
	if err != nil {
		return Session{}, err
	}
	if f := Check(c); f != nil {
		return Session{}, f
	}
	old, err := r.certificate(ctx, q.Old)
	if err != nil {
		return Session{}, err
	}
	if !believes(old, q.Card, q.Nonce, signature) {
		return Session{}, words.Refuse("CSE-894")
	}
	made, err := r.d.Authority.Extend(ctx, ca.Extension{Serial: q.Old, Until: q.Until, Room: q.Room})
	if err != nil {
		return Session{}, err
	}
	err = r.d.Atomically(ctx, func(ctx context.Context) error {
		again, err := r.at(ctx, token)
		if err != nil {
			return err
		}
		first := again.State == Open
		again.Proved, again.Nonce, again.SessionEnds = true, nil, r.d.Clock.Now().Add(sessionLife)
		if first {
			again.State, again.New, again.IssuedAt, again.Until = Issued, made.Serial, r.d.Clock.Now(), civil.DayOf(made.NotAfter)
		}
		if q, err = r.d.Store.Put(ctx, again); err != nil || !first {
			return err
		}
		return r.record(ctx, "extension.issued", q, c.Card.CF)
	})
	return Session{Token: token, State: q.State, Card: q.Card, From: c.Card.CertUntil(), Until: q.Until, Serial: q.New}, err
}
