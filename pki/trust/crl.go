package trust

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"cse.example/cse/pki/trust/path"
)

// Lists are revocation lists at hand (RFC 5280, 5 and 6.3), as a Revocation
// source. It answers for a certificate when one of them speaks of it and is
// signed by its issuer, or, for an indirect list, by the signer that the
// certificate itself names and whose path is proved; the newest counts, a delta
// list with its base. A list past its nextUpdate is no answer, and an error when
// there is none besides. Else Lists answers ErrForeign.
type Lists struct {
	All []*x509.RevocationList
	// Signers are certificates of those who sign indirect lists, and Anchors those
	// above them; the leaf's issuer is one. Nothing is believed for being in Signers.
	Signers, Anchors []*x509.Certificate
	// Now tells the instant; required.
	Now func() time.Time
}

// reasonHold is certificateHold, RFC 5280, 5.3.1.
const reasonHold = 6

// Revocation implements Revocation.
func (l Lists) Revocation(_ context.Context, leaf, issuer *x509.Certificate) (Status, error) {
	e := path.Evidence{Lists: readLists(l.All)}
	st, err := standing(e, leaf, issuer, l.Signers, l.Anchors, l.Now())
	if errors.Is(err, path.ErrSilent) {
		return Status{}, ErrForeign
	}
	return st, err
}

// readLists takes what can be read; what cannot is no list.
func readLists(all []*x509.RevocationList) []*path.List {
	var out []*path.List
	for _, c := range all {
		if p, err := path.ParseList(c.Raw); err == nil {
			out = append(out, p)
		}
	}
	return out
}

// standing asks package path, and gives its answer the names of this package.
func standing(e path.Evidence, leaf, issuer *x509.Certificate, signers, anchors []*x509.Certificate, now time.Time) (Status, error) {
	c, err := path.Parse(leaf.Raw)
	if err != nil {
		return Status{}, fmt.Errorf("trust: %w", err)
	}
	i, err := path.Parse(issuer.Raw)
	if err != nil {
		return Status{}, fmt.Errorf("trust: %w", err)
	}
	var s search
	e.Certificates = s.read(signers)
	got, err := e.Standing(c, i, s.read(anchors), path.Options{At: now, AnchorBinds: true, SilentAuthorities: true})
	switch {
	case errors.Is(err, path.ErrNotKnown):
		return Status{}, nil
	case err != nil:
		return Status{}, err
	case !got.Revoked:
		return Status{Standing: StandingGood}, nil
	case got.Code == reasonHold:
		return Status{Standing: StandingHeld, Since: got.Since, Code: got.Code}, nil
	}
	return Status{Standing: StandingRevoked, Since: got.Since, Code: got.Code}, nil
}
