package extension

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"time"

	"cse.example/cse/card/cns"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/throttle"
)

// ticket is a challenge that waits for a card's signature. It travels sealed with
// the holder's program: who only knows a card's number can neither learn whether
// there is a request nor disturb one.
type ticket struct {
	Card  string    `json:"card"`
	Nonce []byte    `json:"nonce"`
	Until time.Time `json:"until"`
}

var ticketFor = []byte("cse.extension.resume/1")

// Challenge begins to resume an extension for a card whose file shows no good
// certificate: what comes back is to be signed (Message) and given to Resume. It
// answers alike whether there is such a request, or such a card, or not.
func (r *Room) Challenge(_ context.Context, card string) (Session, error) {
	id, err := cns.ParseCardID(card)
	if err != nil {
		return Session{}, words.Refuse("CSE-895").Because(err)
	}
	nonce, err := r.random(32)
	if err != nil {
		return Session{}, err
	}
	b, err := json.Marshal(ticket{string(id), nonce, r.d.Clock.Now().Add(challengeLife)})
	if err != nil {
		return Session{}, err
	}
	sealed, err := r.d.Seal.Encrypt(b, ticketFor)
	if err != nil {
		return Session{}, err
	}
	return Session{Token: secret.New(base64.RawURLEncoding.AppendEncode(nil, sealed)), Nonce: nonce, Card: string(id)}, nil
}

func (r *Room) ticketOf(token secret.Text) (ticket, error) {
	b := token.Reveal()
	defer clear(b)
	sealed, err := base64.RawURLEncoding.DecodeString(string(b))
	if err != nil {
		return ticket{}, words.Refuse("CSE-893").Because(err)
	}
	plain, err := r.d.Seal.Decrypt(sealed, ticketFor)
	if err != nil {
		return ticket{}, words.Refuse("CSE-893").Because(err)
	}
	var t ticket
	if err := json.Unmarshal(plain, &t); err != nil {
		return ticket{}, words.Refuse("CSE-893").Because(err)
	}
	if !r.d.Clock.Now().Before(t.Until) {
		return ticket{}, words.Refuse("CSE-893")
	}
	return t, nil
}

// Resume takes the signature that Challenge asked for: the key of the card is the
// one of the waiting certificate, and whoever used it goes on from there, proved.
// CSE-895: no such request, or not its key (which of the two is not told, and slows
// down: CSE-901); CSE-893: too late; else what Check refuses.
func (r *Room) Resume(ctx context.Context, token secret.Text, signature []byte) (Session, error) {
	t, err := r.ticketOf(token)
	if err != nil {
		return Session{}, err
	}
	q, err := r.known(ctx, t, signature)
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
	var s Session
	err = r.again(ctx, func(ctx context.Context) error {
		again, err := r.living(ctx, t.Card)
		if err != nil {
			return err
		}
		if again == nil || again.ID != q.ID {
			return words.Refuse("CSE-895")
		}
		fresh, err := r.open(again)
		if err != nil {
			return err
		}
		again.Proved, again.Nonce = true, nil
		put, err := r.d.Store.Put(ctx, *again)
		s = Session{Token: fresh, State: put.State, Card: put.Card, From: c.Card.CertUntil(), Until: put.Until, Serial: put.New}
		return err
	})
	return s, err
}

// known is the issued request of a ticket's card, if the card signed.
func (r *Room) known(ctx context.Context, t ticket, signature []byte) (Request, error) {
	subject := throttle.Subject("extension", t.Card)
	wait, err := r.d.Brake.Wait(ctx, subject)
	if err != nil {
		return Request{}, err
	}
	if wait > 0 {
		return Request{}, throttle.Refuse("CSE-901", wait)
	}
	q, err := r.living(ctx, t.Card)
	if err != nil && !errors.Is(err, lifecycle.ErrUnknown) {
		return Request{}, err
	}
	if q != nil && q.State == Issued {
		old, err := r.certificate(ctx, q.Old)
		if err != nil {
			return Request{}, err
		}
		if believes(old, t.Card, t.Nonce, signature) {
			return *q, nil
		}
	}
	err = r.d.Atomically(ctx, func(ctx context.Context) error {
		_, err := r.d.Brake.Failed(ctx, subject)
		return err
	})
	return Request{}, errors.Join(err, words.Refuse("CSE-895"))
}
