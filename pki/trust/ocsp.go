package trust

import (
	"context"
	"crypto/x509"
	"fmt"
	"slices"
	"time"

	"golang.org/x/crypto/ocsp"
)

// Responder is a Revocation source that asks the certificate's own OCSP service
// (RFC 6960). The issuer is believed before it is asked, so the address is one
// that a pinned authority signed; still Ask decides where to go.
type Responder struct {
	// Ask posts an OCSP request to an address and gives the answer's body.
	Ask func(ctx context.Context, address string, request []byte) ([]byte, error)
	// Now tells the instant; required.
	Now func() time.Time
}

// skew is how far a responder's clock may be from ours.
const skew = 5 * time.Minute

// Revocation implements Revocation. A certificate without an address, or
// without Ask, is foreign.
func (r Responder) Revocation(ctx context.Context, leaf, issuer *x509.Certificate) (Status, error) {
	if r.Ask == nil || len(leaf.OCSPServer) == 0 {
		return Status{}, ErrForeign
	}
	request, err := ocsp.CreateRequest(leaf, issuer, nil)
	if err != nil {
		return Status{}, fmt.Errorf("ocsp: %w", err)
	}
	der, err := r.Ask(ctx, leaf.OCSPServer[0], request)
	if err != nil {
		return Status{}, fmt.Errorf("ocsp: %w", err)
	}
	a, err := ocsp.ParseResponseForCert(der, leaf, issuer)
	if err != nil {
		return Status{}, fmt.Errorf("ocsp: %w", err)
	}
	now := r.Now()
	// Whoever holds a certificate of the issuer could answer for others: only one
	// made for it may (RFC 6960, 4.2.2.2).
	if c := a.Certificate; c != nil && !c.Equal(issuer) &&
		(!slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning) || now.After(c.NotAfter) || now.Before(c.NotBefore)) {
		return Status{}, fmt.Errorf("%w: not by a responder of the issuer", errNoAnswer)
	}
	if a.ThisUpdate.After(now.Add(skew)) || (!a.NextUpdate.IsZero() && now.After(a.NextUpdate.Add(skew))) {
		return Status{}, fmt.Errorf("%w: it is of %s", errNoAnswer, a.ThisUpdate.UTC().Format(time.RFC3339))
	}
	switch a.Status {
	case ocsp.Good:
		return Status{Standing: StandingGood}, nil
	case ocsp.Revoked:
		s := Status{Standing: StandingRevoked, Since: a.RevokedAt, Code: a.RevocationReason}
		if a.RevocationReason == reasonHold {
			s.Standing = StandingHeld
		}
		return s, nil
	}
	return Status{}, nil
}
