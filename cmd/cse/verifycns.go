package main

import (
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"strconv"
	"strings"
	"time"

	"cse.example/cse/pki/trust"
	"cse.example/cse/pki/trust/path"
)

// cnsPurpose asks what the card's door asks: a client's path with the policy of the CNS, and then the form of the certificate itself.
const cnsPurpose = "cns"

// holderName is the reason of a common name that is not a CNS's; package path knows no cards.
const holderName path.Reason = "holder-name"

// asDoor are the options with which pki/trust looks for a path.
func (w pathWish) asDoor(o path.Options) path.Options {
	o.Purpose, o.MinRSA, o.AnchorBinds, o.SilentAuthorities, o.InhibitMapping, o.ExplicitPolicy = path.Client, 2048, true, true, true, true
	if len(o.Policies) == 0 {
		o.Policies = []string{trust.PolicyCNS.String()}
	}
	return o
}

// form says in the reasons of package path what pki/trust holds against the certificate itself.
func form(c *path.Certificate, policies []string, at time.Time) error {
	refuse := func(why path.Reason, err error) error { return &path.Refusal{Reason: why, Err: err} }
	leaf, err := x509.ParseCertificate(c.Raw)
	if err != nil {
		return refuse(path.Malformed, err)
	}
	v := trust.Verifier{}
	for _, p := range policies {
		id, err := objectIdentifier(p)
		if err != nil {
			return err
		}
		v.Policies = append(v.Policies, id)
	}
	_, err = v.Form(leaf, at)
	var r *trust.Refusal
	if !errors.As(err, &r) {
		return err
	}
	switch r.Reason {
	case trust.WrongKeyUsage, trust.WrongExtKeyUsage:
		return refuse(path.WrongPurpose, err)
	case trust.PolicyMissing:
		return refuse(path.PolicyNotAccepted, err)
	case trust.WeakKey:
		return refuse(path.WeakAlgorithm, err)
	}
	// The cause may quote a codice fiscale.
	return refuse(holderName, errors.New(r.Reason.String()))
}

func objectIdentifier(s string) (asn1.ObjectIdentifier, error) {
	var out asn1.ObjectIdentifier
	for _, arc := range strings.Split(s, ".") {
		n, err := strconv.Atoi(arc)
		if err != nil {
			return nil, usage("--policy " + s)
		}
		out = append(out, n)
	}
	return out, nil
}
