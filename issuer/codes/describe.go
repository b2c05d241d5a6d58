package codes

import (
	"fmt"

	"github.com/tink-crypto/tink-go/v2/hybrid/hpke"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/prf/hmacprf"
)

// Sealing names how the halves that are made today are sealed, read from the two
// public keysets of dir: "HPKE (DHKEM-X25519-HKDF-SHA256, HKDF-SHA256, AES-256-GCM)".
func Sealing(dir string) (first, second string, err error) {
	if first, err = sealing(dir, firstPublic); err != nil {
		return "", "", err
	}
	second, err = sealing(dir, secondPublic)
	return first, second, err
}

func sealing(dir, name string) (string, error) {
	h, err := readPublic(dir, name)
	if err != nil {
		return "", err
	}
	e, err := h.Primary()
	if err != nil {
		return "", fmt.Errorf("codes: %s: %w", name, err)
	}
	p, ok := e.Key().Parameters().(*hpke.Parameters)
	if !ok {
		return "", fmt.Errorf("codes: %s: a key of another kind", name)
	}
	return fmt.Sprintf("HPKE (%s, %s, %s)", p.KEMID(), p.KDFID(), p.AEADID()), nil
}

// marking names how a CIP is recognised: "HMAC-SHA256".
func marking(h *keyset.Handle) string {
	e, err := h.Primary()
	if err != nil {
		return ""
	}
	p, ok := e.Key().Parameters().(*hmacprf.Parameters)
	if !ok {
		return ""
	}
	return "HMAC-" + p.HashType().String()
}

// Marking names how a CIP is recognised without being kept.
func (c *CIPs) Marking() string { return c.marking }
