package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"net/http"
	"time"

	"github.com/tink-crypto/tink-go/v2/tink"

	"cse.example/cse/card/secmsg"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/extension"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/parameters"
	"cse.example/cse/issuer/privacy"
	"cse.example/cse/issuer/throttle"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/pki/ca"
	"cse.example/cse/portal/api"
)

// The joints of the extension of certificates (R106-R109).

// Extension is the service that extends the certificates of old cards.
type Extension struct {
	// Until is its last day, and that of the certificates it gives, YYYY-MM-DD.
	Until string `yaml:"until"`
}

// number is the day as parameters write it; checked by Config.check.
func (e Extension) number() int {
	d, err := civil.ParseISO(e.Until)
	if err != nil {
		return 0
	}
	return parameters.Number(d)
}

// chipKey is the key by which we update one chip after it was handed out: of
// that card alone, from a master key of its own purpose.
func (p *Platform) chipKey(card string) (secret.Text, error) {
	master, err := p.derived("cse.chip-issuer/1")
	if err != nil {
		return secret.Text{}, err
	}
	defer master.Wipe()
	k, err := secmsg.Diversify(master.Reveal(), card)
	return secret.New(k), err
}

func (p *Platform) openExtension(seal tink.AEAD) (err error) {
	p.extension, err = extension.New(extension.Deps{
		Store: p.db.Extensions(), Cards: p.db.Cards(), Person: p.db.People().Get, Authority: p.authority, ChipKey: p.chipKey, Ends: p.extensionEnds,
		Brake: throttle.Brake{Tries: p.db.Tries(), Clock: p.Clock}, Seal: seal, Clock: p.Clock, Rand: rand.Reader,
		Atomically: p.db.Atomically, Record: p.trail.Record, Tell: p.book.Extended,
		EndSessions: func(ctx context.Context, card string) error {
			if p.login == nil {
				return nil
			}
			_, err := p.login.EndFor(ctx, card)
			return err
		},
	})
	return err
}

// extensionEnds is dated data: the configuration's day, or the parameter in force.
func (p *Platform) extensionEnds(ctx context.Context, at time.Time) (civil.Date, error) {
	n, err := p.parameters.Int(ctx, parameters.ExtensionUntil, at)
	if err != nil {
		return civil.Date{}, err
	}
	return parameters.Day(n)
}

// withExtension serves the extension beside the card's door.
func (p *Platform) withExtension(door http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle(api.ExtensionPrefix, api.NewExtension(p.extension, p.proved, p.Log))
	mux.Handle("/", door)
	return mux
}

// proved tells whose card of ours just signed a handshake.
func (p *Platform) proved(ctx context.Context, cs tls.ConnectionState) (extension.Proof, error) {
	id, err := p.login.Admit(ctx, cs)
	if err != nil {
		return extension.Proof{}, err
	}
	if !id.Card.Own {
		return extension.Proof{}, words.Refuse("CSE-882")
	}
	return extension.Proof{Card: id.Card.ID, Serial: ca.SerialOf(cs.PeerCertificates[0])}, nil
}

// abandon ends the extension of a card whose certificate was just revoked, in the
// same act.
func (c certificates) abandon(ctx context.Context, serial string) error {
	r, err := c.p.authority.Get(ctx, serial)
	if err != nil {
		return err
	}
	return c.p.extension.Abandon(ctx, r.Card)
}

// heldExtensions is what is kept of somebody's extensions, for the copy of his data.
func (p *Platform) heldExtensions(ctx context.Context, cf codicefiscale.Code) ([][]privacy.Field, error) {
	cards, err := p.db.Cards().ByPerson(ctx, cf)
	if err != nil {
		return nil, err
	}
	var rows [][]privacy.Field
	for _, c := range cards {
		list, err := p.db.Extensions().Of(ctx, c.ID)
		if err != nil {
			return nil, err
		}
		for _, q := range list {
			rows = append(rows, []privacy.Field{
				{Name: "card", Value: q.Card},
				{Name: "state", Value: string(q.State)},
				{Name: "at", Value: moment(q.OpenedAt)},
				{Name: "ended", Value: moment(q.EndedAt)},
				{Name: "to", Value: day(q.Until)},
				{Name: "certificate", Value: q.New},
			})
		}
	}
	return rows, nil
}

// waits tells whether r is the certificate with which a living request would take
// the place of card c's present one.
func (i *inspector) waits(ctx context.Context, c lifecycle.Card, r ca.Record) (bool, error) {
	if r.Extends == "" || r.Extends != c.CertSerial || r.State != ca.Pending && r.State != ca.Reserved {
		return false, nil
	}
	list, err := i.db.Extensions().Of(ctx, c.ID)
	if err != nil {
		return false, err
	}
	for _, q := range list {
		if q.State.Living() && q.Old == r.Extends && (q.New == "" || q.New == r.Serial) {
			return true, nil
		}
	}
	return false, nil
}

// extensions walks through the requests: each agrees with its card and its two
// certificates, and what is confirmed stands in the trail once.
func (i *inspector) extensions(ctx context.Context) error {
	return walk(ctx, i.db.Extensions().Each, func(q extension.Request) string { return q.ID }, i.extensionOf)
}

func (i *inspector) extensionOf(ctx context.Context, q extension.Request) error {
	c, err := i.db.Cards().Get(ctx, q.Card)
	if errors.Is(err, lifecycle.ErrUnknown) {
		i.say("extension.orphan", q.ID, q.Card)
		return nil
	}
	if err != nil {
		return err
	}
	old, err := i.db.PKI().Get(ctx, q.Old)
	if err == nil && q.New != "" {
		var next ca.Record
		if next, err = i.db.PKI().Get(ctx, q.New); err == nil {
			i.agree(q, c, old, next)
		}
	}
	if errors.Is(err, ca.ErrUnknown) {
		i.say("extension.certificate", q.ID, q.Card)
		return nil
	}
	if err != nil || q.State != extension.Confirmed || q.EndedAt.Before(i.since) {
		return err
	}
	n := 0
	for after := int64(0); ; {
		recs, err := i.trail.ByCard(ctx, q.Card, after, pageSize)
		if err != nil {
			return err
		}
		if len(recs) == 0 {
			break
		}
		for _, r := range recs {
			after = r.Index
			if r.Act == "extension.confirmed" && r.Detail["request"] == q.ID {
				n++
			}
		}
	}
	if n != 1 {
		i.say("extension.journal", q.ID, q.Card, n)
	}
	return nil
}

// agree compares a request that issued a certificate with the two and the card.
func (i *inspector) agree(q extension.Request, c lifecycle.Card, old, next ca.Record) {
	ok := next.Extends == q.Old && next.Card == q.Card && next.KeyHash == old.KeyHash
	switch q.State {
	case extension.Issued:
		ok = ok && next.State == ca.Pending && c.CertSerial == q.Old
	case extension.Confirmed:
		ok = ok && old.State == ca.Revoked && old.Reason == ca.Superseded && next.State != ca.Pending && c.CertSerial != q.Old
	case extension.Abandoned:
		ok = ok && next.State == ca.Revoked
	case extension.Open:
		ok = false // nothing is issued yet
	}
	if !ok {
		i.say("extension.state", q.ID, q.Card, string(q.State), string(old.State), string(next.State))
	}
}
