package door

import (
	"crypto/x509"
	"errors"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/pki/trust"
)

// FromPKI makes a Trust of a pki/trust Verifier. about tells what is known of an
// issuer that the Verifier believed. Key strength is judged by the Door, which
// knows whose keys may be old; revocation too, since it is asked at every use.
func FromPKI(v trust.Verifier, about func(issuer *x509.Certificate) Issuer) Trust {
	v.MinRSA = minLegacyRSA
	return func(leaf *x509.Certificate, intermediates []*x509.Certificate, at time.Time) (Issuer, error) {
		h, err := v.Check(leaf, intermediates, at)
		if err != nil {
			return Issuer{}, fault(err)
		}
		return about(h.Issuer), nil
	}
}

// fault says in people's words why the verifier refused. The technical cause is
// left out where it may quote the subject.
func fault(err error) error {
	var r *trust.Refusal
	if !errors.As(err, &r) {
		return err
	}
	day := civil.DayOf(r.Since).Italian()
	switch r.Reason {
	case trust.Expired:
		return words.Refuse("CSE-301", day)
	case trust.NotYetValid:
		return words.Refuse("CSE-307", day)
	case trust.WrongKeyUsage, trust.WrongExtKeyUsage:
		return words.Refuse("CSE-310")
	case trust.PolicyMissing:
		return words.Refuse("CSE-309")
	case trust.WeakKey:
		return words.Refuse("CSE-313")
	case trust.NameMalformed, trust.CFInvalid:
		return words.Refuse("CSE-311")
	default: // no path, an expired authority, an unknown critical extension
		return words.Refuse("CSE-308").Because(err)
	}
}
