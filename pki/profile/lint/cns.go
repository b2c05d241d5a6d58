package lint

import (
	"crypto/rsa"
	"crypto/x509"
	"fmt"
	"strings"
	"time"

	"cse.example/cse/card/cns"
	"cse.example/cse/ground/civil"
	"cse.example/cse/pki/profile"
)

// Expected is what a CNS certificate must say: what was reserved for it, and
// what is known besides. A field left zero is not compared, where that is said.
type Expected struct {
	// Issuer is the certificate of the authority that signs.
	Issuer *x509.Certificate
	// Profile is the authority's configuration. Nil for a certificate issued under
	// one that may have changed since: names, notice and addresses are then looked
	// at for their form only.
	Profile *profile.CNS
	// Serial (32 hexadecimal digits), Shard, KeyHash (SHA-256 of the key, hexadecimal),
	// CF, Card and NotAfter are the reservation's.
	Serial    string
	Shard     int
	KeyHash   string
	CF, Card  string
	NotAfter  time.Time
	NotBefore time.Time // zero: not compared
	// Expires is the last day of the card, or of what it was extended to; zero: not compared.
	Expires civil.Date
	// Personal is EF.Dati_Personali as the card gives it; nil: not compared.
	Personal []byte
	// Room is the size in bytes of the card's EF.C_Carta; 0 is that of the cards made here.
	Room int
}

// Lint is one rule of ours.
type Lint struct {
	// Name begins with "cns_".
	Name string
	// Source is the standard and its clause.
	Source string

	look func(c *cert, e Expected) error
}

// Finding is what a lint of ours did not accept.
type Finding struct{ Lint, Source, Says string }

func (f Finding) String() string { return f.Lint + ": " + f.Says + " (" + f.Source + ")" }

// The sources, as the findings name them.
const (
	agid    = "AgID, Profilo di certificato digitale per l'autenticazione mediante CNS"
	cnsFile = "CNS File System, EF.C_Carta"
)

// lints are all rules of ours, in the order of the certificate's fields.
var lints = []Lint{
	{"cns_version", "RFC 5280, 4.1.2.1", version},
	{"cns_serial_form", "RFC 5280, 4.1.2.2; pki.md 1.2", serialForm},
	{"cns_serial_reserved", "write before sign: docs/decisions/0934", serialReserved},
	{"cns_signature_algorithm", "RFC 5280, 4.1.1.2", signatureAlgorithm},
	{"cns_issuer", "RFC 5280, 4.1.2.4", issuer},
	{"cns_validity_order", "RFC 5280, 4.1.2.5", validityOrder},
	{"cns_validity_encoding", "RFC 5280, 4.1.2.5.1 and 4.1.2.5.2", validityEncoding},
	{"cns_validity_in_issuer", "RFC 5280, 6.1 (shell model): pki.md 1.2", validityInIssuer},
	{"cns_validity_six_years", agid + "; R44", sixYears},
	{"cns_validity_card", "R44, R45: no longer than the card", withinCard},
	{"cns_validity_last_second", "pki.md 1.2: 23:59:59 in Rome", lastSecond},
	{"cns_validity_reserved", "write before sign: docs/decisions/0934", validityReserved},
	{"cns_subject_attributes", agid + "; RFC 5280, 4.1.2.6", subjectAttributes},
	{"cns_subject_country", agid, subjectCountry},
	{"cns_subject_configured", agid + ": O the certifier, OU the administration", subjectConfigured},
	{"cns_common_name", agid + ": CF/number.hash", commonName},
	{"cns_card_number", "ISO/IEC 7812-1, annex B (Luhn); CNS, EF.ID_Carta", cardNumber},
	{"cns_codice_fiscale", "DM 23 dicembre 1976, with omocodia", codiceFiscale},
	{"cns_subject_reserved", "write before sign: docs/decisions/0934", subjectReserved},
	{"cns_personal_data", agid + ": SHA-1 of EF.Dati_Personali", personalData},
	{"cns_key", "CNS 1.1: RSA-2048, e = 65537", key},
	{"cns_key_reserved", "write before sign: docs/decisions/0934", keyReserved},
	{"cns_unique_identifiers", "RFC 5280, 4.1.2.8", uniqueIdentifiers},
	{"cns_extensions", agid + ": these and no others, each once", extensions},
	{"cns_criticality", "RFC 5280, 4.2.1: keyUsage alone", criticality},
	{"cns_key_usage", "RFC 5280, 4.2.1.3; R101", keyUsage},
	{"cns_ext_key_usage", "RFC 5280, 4.2.1.12", extKeyUsage},
	{"cns_subject_key_id", "RFC 7093, 2, method 1", subjectKeyID},
	{"cns_authority_key_id", "RFC 5280, 4.2.1.1", authorityKeyID},
	{"cns_policy", agid + ": 1.3.76.16.2.1", policyOID},
	{"cns_policy_notice", "RFC 5280, 4.2.1.4: UserNotice, explicitText in UTF8String", policyNotice},
	{"cns_distribution_point", "RFC 5280, 4.2.1.13: the shard of the serial", distributionPoint},
	{"cns_authority_information", "RFC 5280, 4.2.2.1: OCSP and caIssuers", authorityInformation},
	{"cns_not_qualified", "R101; ETSI EN 319 412-5, EN 319 411-2", notQualified},
	{"cns_size", cnsFile, size},
}

// Lints are the rules of ours, with their sources.
func Lints() []Lint { return append([]Lint(nil), lints...) }

// CNS runs our rules over a certificate, or over one to be signed that stands
// under a signature of the greatest length. No finding: it is what was reserved,
// by the letter of the profile.
func CNS(c *x509.Certificate, e Expected) []Finding {
	read := readCert(c)
	var out []Finding
	for _, l := range lints {
		if err := l.look(read, e); err != nil {
			out = append(out, Finding{l.Name, l.Source, err.Error()})
		}
	}
	return out
}

// Fault is the error, wrapping ErrForm, of what CNS found; nil for nothing.
func Fault(found []Finding) error {
	if len(found) == 0 {
		return nil
	}
	said := make([]string, len(found))
	for i, f := range found {
		said[i] = f.String()
	}
	return fmt.Errorf("%w: %s", ErrForm, strings.Join(said, "; "))
}

func version(c *cert, _ Expected) error {
	if c.Version != 3 {
		return fmt.Errorf("version %d, not 3", c.Version)
	}
	return nil
}

func serialForm(c *cert, _ Expected) error {
	if b := c.SerialNumber.Bytes(); c.SerialNumber.Sign() <= 0 || len(b) != 16 || b[0] > 0x7f {
		return fmt.Errorf("%x is not a positive number of sixteen octets", b)
	}
	return nil
}

func serialReserved(c *cert, e Expected) error {
	if got := fmt.Sprintf("%032x", c.SerialNumber); got != e.Serial {
		return fmt.Errorf("%s, %s was reserved", got, e.Serial)
	}
	return nil
}

func signatureAlgorithm(c *cert, e Expected) error {
	if c.err != nil {
		return c.err
	}
	alg, err := profile.AlgorithmOf(e.Issuer.PublicKey)
	if err != nil {
		return err
	}
	if inner := string(alg.Identifier); string(c.inner) != inner || string(c.outer) != inner {
		return fmt.Errorf("%s, not the one of the issuer's key in both places", c.SignatureAlgorithm)
	}
	return nil
}

func issuer(c *cert, e Expected) error {
	if string(c.RawIssuer) != string(e.Issuer.RawSubject) {
		return fmt.Errorf("%q, the authority is %q", c.Issuer, e.Issuer.Subject)
	}
	return nil
}

func key(c *cert, _ Expected) error {
	k, ok := c.PublicKey.(*rsa.PublicKey)
	if !ok || k.N.BitLen() != 2048 || k.E != 65537 {
		return fmt.Errorf("%s, not RSA-2048 with exponent 65537", c.PublicKeyAlgorithm)
	}
	return nil
}

func keyReserved(c *cert, e Expected) error {
	if got := c.keyHash(); got != e.KeyHash {
		return fmt.Errorf("key %s, %s was reserved", got, e.KeyHash)
	}
	return nil
}

func uniqueIdentifiers(c *cert, _ Expected) error {
	if c.err != nil {
		return c.err
	}
	if c.unique {
		return fmt.Errorf("issuer or subject unique identifier present")
	}
	return nil
}

func size(c *cert, e Expected) error {
	room := e.Room
	if room == 0 {
		room = cns.SizeCertificate
	}
	if len(c.Raw) > room {
		return fmt.Errorf("%d bytes, the card's file has %d", len(c.Raw), room)
	}
	return nil
}
