package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"time"

	"cse.example/cse/engine/paper"
	"cse.example/cse/ground/words"
	"cse.example/cse/login/door"
	"cse.example/cse/pki/trust"
	"cse.example/cse/portal"
	"cse.example/cse/signature"
)

// The joints of the page that verifies signatures.

// Signatures are the authorities of signers and of time that are known beside
// the issuers of cards: files of one certificate each.
type Signatures struct {
	OtherCA []string `yaml:"other_ca"`
	StampCA []string `yaml:"stamp_ca"`
}

// authorities reads a list of certificates.
func (c *Config) authorities(key string, files []string) ([]*x509.Certificate, error) {
	var out []*x509.Certificate
	for _, name := range files {
		b, err := os.ReadFile(c.under(name))
		if err != nil {
			return nil, words.Refuse("CSE-383", key, name, "authority.pem").Because(err)
		}
		cert, err := x509.ParseCertificate(decoded(b))
		if err != nil || !cert.IsCA {
			return nil, words.Refuse("CSE-383", key, name, "authority.pem").Because(errors.Join(err, errors.New("not the certificate of an authority")))
		}
		out = append(out, cert)
	}
	return out, nil
}

// signatures verifies what people upload, against the issuers that the door
// believes: for our own cards the records themselves say how they stand, for
// others' their lists.
func (p *Platform) signatures(ribbon string) (*portal.Signatures, error) {
	others, err := p.Config.authorities("signature.other_ca", p.Config.Signature.OtherCA)
	if err != nil {
		return nil, err
	}
	stamps, err := p.Config.authorities("signature.stamp_ca", p.Config.Signature.StampCA)
	if err != nil {
		return nil, err
	}
	verify := func(ctx context.Context, file, content []byte) (signature.Report, error) {
		v := &signature.Verifier{
			CNS:    trust.Verifier{Anchors: p.anchors(), Revocation: []trust.Revocation{ownRecords{p}, p.neighbour.lists(p.Clock.Now)}},
			Others: others, Stamps: stamps, Clock: p.Clock,
		}
		return v.Verify(ctx, file, content)
	}
	return &portal.Signatures{Verify: verify, Print: func(r signature.Report, lang words.Lang) ([]byte, error) {
		press, err := paper.New(paper.Options{Issuer: p.Config.Region.Name, Helpline: p.Config.Region.Phone, Banner: ribbon, Clock: p.Clock, Fonts: fonts()})
		if err != nil {
			return nil, err
		}
		return press.Verification(lang, printedReport(r, lang))
	}}, nil
}

// printedReport is a report as the press takes it.
func printedReport(r signature.Report, lang words.Lang) paper.Verification {
	v := paper.Verification{At: r.At.Truncate(time.Second)}
	for _, l := range r.Lines(lang) {
		v.File = append(v.File, l.Label, l.Value)
	}
	for _, f := range r.All(lang) {
		x := paper.ExtractSection{Title: f.Title, Records: [][]string{nil}}
		for _, l := range f.Lines(lang) {
			x.Records[0] = append(x.Records[0], l.Label, l.Value)
		}
		v.Signatures = append(v.Signatures, x)
	}
	return v
}

// ownRecords answers for the certificates issued here.
type ownRecords struct{ p *Platform }

// Revocation implements trust.Revocation.
func (o ownRecords) Revocation(ctx context.Context, leaf, issuer *x509.Certificate) (trust.Status, error) {
	if o.p.branches.of(issuer) == nil {
		return trust.Status{}, trust.ErrForeign
	}
	return o.p.db.PKI().Revocation(ctx, leaf, issuer)
}

// neighbourLists answers for the issuers of the trust list, from their files as
// they are now.
type neighbourLists struct {
	n   *neighbours
	now func() time.Time
}

func (n *neighbours) lists(now func() time.Time) trust.Revocation { return neighbourLists{n, now} }

// standings are the door's words in pki/trust's.
var standings = map[door.CertState]trust.Standing{door.Good: trust.StandingGood, door.Held: trust.StandingHeld, door.Revoked: trust.StandingRevoked}

// Revocation implements trust.Revocation.
func (l neighbourLists) Revocation(ctx context.Context, leaf, issuer *x509.Certificate) (trust.Status, error) {
	for _, x := range l.n.each() {
		if !x.cert.Equal(issuer) {
			continue
		}
		if x.crl == "" {
			return trust.Status{}, trust.ErrForeign
		}
		if st, err := x.onList(leaf.SerialNumber, l.now()); err == nil {
			return trust.Status{Standing: standings[st.State], Since: st.At, Code: st.Reason}, nil
		}
		b, err := os.ReadFile(x.crl) // none that is complete and in date: a part may speak of the leaf
		if err != nil {
			return trust.Status{}, fmt.Errorf("trust list: %w", err)
		}
		list, err := x509.ParseRevocationList(decoded(b))
		if err != nil {
			return trust.Status{}, fmt.Errorf("trust list: %w", err)
		}
		return trust.Lists{All: []*x509.RevocationList{list}, Now: l.now}.Revocation(ctx, leaf, issuer)
	}
	return trust.Status{}, trust.ErrForeign
}
