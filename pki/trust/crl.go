package trust

import (
	"context"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Lists are revocation lists at hand (RFC 5280, 5), as a Revocation source. It
// answers for a certificate when one of them is signed by its issuer and speaks
// of it: a list in parts says so in its issuingDistributionPoint, and the
// certificate names the same place. Else it answers ErrForeign. A list past its
// nextUpdate is no answer: the newest that stands is used.
type Lists struct {
	All []*x509.RevocationList
	// Now tells the instant; required.
	Now func() time.Time
}

const reasonHold = 6 // certificateHold, RFC 5280, 5.3.1

// Revocation implements Revocation.
func (l Lists) Revocation(_ context.Context, leaf, issuer *x509.Certificate) (Status, error) {
	var best *x509.RevocationList
	var stale error
	now := l.Now()
	for _, c := range l.All {
		if c.CheckSignatureFrom(issuer) != nil || !speaksOf(c, leaf) {
			continue
		}
		if now.After(c.NextUpdate) {
			stale = fmt.Errorf("the revocation list ended on %s", c.NextUpdate.UTC().Format(time.RFC3339))
			continue
		}
		if best == nil || c.ThisUpdate.After(best.ThisUpdate) {
			best = c
		}
	}
	if best == nil {
		if stale != nil {
			return Status{}, stale
		}
		return Status{}, ErrForeign
	}
	for _, e := range best.RevokedCertificateEntries {
		if e.SerialNumber.Cmp(leaf.SerialNumber) != 0 {
			continue
		}
		if e.ReasonCode == reasonHold {
			return Status{Standing: StandingHeld, Since: e.RevocationTime, Code: e.ReasonCode}, nil
		}
		return Status{Standing: StandingRevoked, Since: e.RevocationTime, Code: e.ReasonCode}, nil
	}
	return Status{Standing: StandingGood}, nil
}

// distributionPoint is issuingDistributionPoint (RFC 5280, 5.2.5).
type distributionPoint struct {
	Name struct {
		FullName []asn1.RawValue `asn1:"optional,tag:0"`
	} `asn1:"optional,tag:0"`
	OnlyUser       bool          `asn1:"optional,tag:1"`
	OnlyCA         bool          `asn1:"optional,tag:2"`
	OnlySome       asn1.RawValue `asn1:"optional,tag:3"`
	Indirect       bool          `asn1:"optional,tag:4"`
	OnlyAttributes bool          `asn1:"optional,tag:5"`
}

// speaksOf tells whether silence of the list about leaf means that it is good.
func speaksOf(c *x509.RevocationList, leaf *x509.Certificate) bool {
	for _, e := range c.Extensions {
		if e.Id.Equal(asn1.ObjectIdentifier{2, 5, 29, 28}) {
			var p distributionPoint
			if rest, err := asn1.Unmarshal(e.Value, &p); err != nil || len(rest) > 0 {
				return false
			}
			if p.OnlyCA || p.Indirect || p.OnlyAttributes || len(p.OnlySome.FullBytes) > 0 {
				return false
			}
			if len(p.Name.FullName) > 0 && !slices.ContainsFunc(p.Name.FullName, func(n asn1.RawValue) bool {
				return n.Tag == 6 && slices.Contains(leaf.CRLDistributionPoints, string(n.Bytes))
			}) {
				return false
			}
			continue
		}
		if e.Critical { // a delta, or something nobody here understands
			return false
		}
	}
	return true
}

// errNoAnswer is the cause when a responder's answer proves nothing.
var errNoAnswer = errors.New("the responder's answer proves nothing")
