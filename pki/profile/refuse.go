package profile

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
)

// qualified are the arcs of policies that make a certificate one for qualified
// signatures: ETSI EN 319 411-2 (0.4.0.194112.1) and TS 101 456 (0.4.0.1456.1).
var qualified = []asn1.ObjectIdentifier{{0, 4, 0, 194112, 1}, {0, 4, 0, 1456, 1}}

func startsWith(oid, arc asn1.ObjectIdentifier) bool {
	return len(oid) >= len(arc) && oid[:len(arc)].Equal(arc)
}

// refused looks for extensions that this profile writes itself or never writes.
func refused(exts []pkix.Extension) error {
	seen := map[string]bool{}
	for _, e := range exts {
		if e.Id.Equal(oidQCStatements) {
			return fmt.Errorf("profile: %w: a qualified-certificate statement (R101)", ErrRefused)
		}
		if seen[e.Id.String()] {
			return fmt.Errorf("profile: %w: extension %v twice", ErrRefused, e.Id)
		}
		seen[e.Id.String()] = true
	}
	return nil
}

// Refuse tells why c is not a CNS certificate that may be signed, or nil. It
// looks at the certificate as a reader would, after encoding, so that no path
// through the code can bring out what R101 forbids.
func Refuse(c *x509.Certificate) error {
	switch {
	case c.KeyUsage != x509.KeyUsageDigitalSignature:
		return fmt.Errorf("profile: %w: key usage is not digitalSignature alone (R101)", ErrRefused)
	case c.IsCA:
		return fmt.Errorf("profile: %w: a card is not an authority", ErrRefused)
	case len(c.ExtKeyUsage) != 1 || c.ExtKeyUsage[0] != x509.ExtKeyUsageClientAuth || len(c.UnknownExtKeyUsage) != 0:
		return fmt.Errorf("profile: %w: extended key usage is not clientAuth alone", ErrRefused)
	case len(c.UnhandledCriticalExtensions) != 0:
		return fmt.Errorf("profile: %w: critical extension %v", ErrRefused, c.UnhandledCriticalExtensions)
	}
	for _, p := range c.PolicyIdentifiers {
		for _, arc := range qualified {
			if startsWith(p, arc) {
				return fmt.Errorf("profile: %w: qualified policy %v (R101)", ErrRefused, p)
			}
		}
	}
	return refused(c.Extensions)
}
