package trust

import (
	"context"
	"crypto/x509"
	"fmt"
	"time"

	"golang.org/x/crypto/ocsp"

	"cse.example/cse/pki/trust/path"
)

// Responder is a Revocation source that asks the certificate's own OCSP service
// (RFC 6960). The issuer is believed before it is asked, so the address is one
// that a pinned authority signed; still Ask decides where to go. The answer is
// judged by package path: signed by the issuer or by a responder that the issuer
// certified for it, about this certificate, and not out of date.
type Responder struct {
	// Ask posts an OCSP request to an address and gives the answer's body.
	Ask func(ctx context.Context, address string, request []byte) ([]byte, error)
	// Lists may speak of a responder's own certificate (RFC 6960, 4.2.2.2.1).
	Lists []*x509.RevocationList
	// Now tells the instant; required.
	Now func() time.Time
}

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
	a, err := path.ParseAnswer(der)
	if err != nil {
		return Status{}, fmt.Errorf("ocsp: %w", err)
	}
	e := path.Evidence{Answers: []*path.Answer{a}, Lists: readLists(r.Lists)}
	st, err := standing(e, leaf, issuer, nil, nil, r.Now())
	if err != nil {
		return Status{}, fmt.Errorf("ocsp: %w", err)
	}
	return st, nil
}
