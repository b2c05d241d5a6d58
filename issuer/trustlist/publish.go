package trustlist

import (
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"io"
	"slices"
	"strings"
	"time"

	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/pki/trust/tsl"
)

// Publication is a list of ours to be made.
type Publication struct {
	Territory string
	Scheme    tsl.Scheme
	// Authorities issue, or issued, our cards; Withdraw are fingerprints of those that are to be believed no more.
	Authorities []*x509.Certificate
	Withdraw    []string
	// Life is until the next list.
	Life time.Duration
	// Signer's key is Key.
	Signer *x509.Certificate
	Key    crypto.Signer
	Random io.Reader
}

// Publish makes, signs and keeps the next list of ours. An authority that was
// withdrawn stays so; one that is gone keeps its history. Refused: a fingerprint
// of nobody (CSE-967), a clock that stands before the last list (CSE-969).
func (r *Room) Publish(ctx context.Context, op staff.Operator, p Publication) ([]byte, error) {
	now := r.d.Clock.Now().UTC().Truncate(time.Second)
	last, err := r.ownLast(ctx, p)
	if err != nil {
		return nil, err
	}
	l := &tsl.List{
		Sequence: 1, Territory: p.Territory, Operator: p.Scheme.Operator, Issued: now, NextUpdate: now.Add(p.Life), Signer: p.Signer,
	}
	if last != nil {
		if now.Before(last.Issued) {
			return nil, words.Refuse("CSE-969", last.Issued.Format(time.RFC3339))
		}
		l.Sequence = last.Sequence + 1
	}
	if l.Services, err = services(last.listed(), p, now); err != nil {
		return nil, err
	}
	body, err := tsl.Write(p.Random, l, p.Scheme, p.Key) // outside the act: it signs
	if err != nil {
		return nil, err
	}
	read, err := tsl.Read(body, []*x509.Certificate{p.Signer}, p.Territory)
	if err != nil {
		return nil, err
	}
	row := Row{
		ID: strings.ToLower(rand.Text()[:16]), List: Own, Hash: hex.EncodeToString(read.Hash[:]), Sequence: l.Sequence, Issued: l.Issued, NextUpdate: l.NextUpdate,
		State: Current, Body: body, AskedBy: op.Account, At: now, DecidedAt: now,
	}
	return body, r.d.Atomically(ctx, func(ctx context.Context) error {
		if last != nil { // somebody else's list meanwhile: then this one has a number that is taken
			if err := r.move(ctx, last.Row, Current, Past); err != nil {
				return err
			}
		} else if again, err := r.ownLast(ctx, p); err != nil || again != nil {
			if err == nil {
				err = words.Refuse("CSE-968")
			}
			return err
		}
		if err := r.d.Store.Add(ctx, row); err != nil {
			return err
		}
		return r.record(ctx, op, "trust.published", Own, map[string]string{"hash": row.Hash})
	})
}

// ownLast is the list of ours that is current; nil before the first.
func (r *Room) ownLast(ctx context.Context, p Publication) (*head, error) {
	current, _, err := r.heads(ctx, Scheme{Name: Own, Territory: p.Territory, Signers: []*x509.Certificate{p.Signer}})
	return current, err
}

// Published is the list of ours in force; nil before the first.
func (r *Room) Published(ctx context.Context) ([]byte, error) {
	rows, err := r.d.Store.Heads(ctx)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(rows, func(x Row) bool { return x.List == Own && x.State == Current })
	if i < 0 {
		return nil, nil
	}
	return r.d.Store.Body(ctx, rows[i].ID)
}

// OwnHistory are the lists of ours, the newest first, without bodies.
func (r *Room) OwnHistory(ctx context.Context) ([]Row, error) {
	return r.d.Store.History(ctx, Own, manyLists)
}

// services carries the last list's histories on.
func services(last *tsl.List, p Publication, now time.Time) ([]tsl.Service, error) {
	var out []tsl.Service
	if last != nil {
		out = slices.Clone(last.Services)
	}
	for _, c := range p.Authorities {
		if slices.ContainsFunc(out, func(s tsl.Service) bool { return slices.ContainsFunc(s.Certificates, c.Equal) }) {
			continue
		}
		name := c.Subject.CommonName
		if name == "" {
			name = tsl.Fingerprint(c)
		}
		out = append(out, tsl.Service{Name: name, Type: tsl.TypeIdV, Certificates: []*x509.Certificate{c}, States: []tsl.State{{Type: tsl.TypeIdV, Status: tsl.National, From: now}}})
	}
	for _, f := range p.Withdraw {
		i := slices.IndexFunc(out, func(s tsl.Service) bool {
			return slices.ContainsFunc(s.Certificates, func(c *x509.Certificate) bool { return tsl.Fingerprint(c) == f })
		})
		if i < 0 {
			return nil, words.Refuse("CSE-967", f)
		}
		if out[i].States[0].Status == tsl.Deprecated {
			continue
		}
		from := now
		if !from.After(out[i].States[0].From) {
			from = out[i].States[0].From.Add(time.Second)
		}
		out[i].States = append([]tsl.State{{Type: tsl.TypeIdV, Status: tsl.Deprecated, From: from}}, out[i].States...)
	}
	return out, nil
}
