// Package profile writes certificates to be signed, field by field, as the CNS
// requires: "Profilo di certificato digitale per l'autenticazione mediante CNS"
// (AgID), over RFC 5280.
//
// The CNS certificate: v3; sixteen random octets of serial; subject C, O
// (certifier), OU (issuing administration), CN "CF/card.hash"; RSA-2048 key;
// authority and subject key identifiers; keyUsage critical, digitalSignature and
// nothing else; extended key usage clientAuth; policy 1.3.76.16.2.1 with a user
// notice; one CRL distribution point; OCSP and caIssuers addresses. It ends with
// the card: notAfter is the first of issue day + 6 years, last second of the
// card's expiry day in Rome, end of the authority.
//
// Refused, whatever the configuration says (rule R101): nonRepudiation, any
// other key usage, a qualified-certificate statement, a qualified policy.
//
// The explicit text of the user notice is fixed by the AgID profile; it is one
// configuration value here (CNS.Notice) with a neutral default, because the
// specification at hand names the text without quoting it.
//
// Also here: root, issuing authority, OCSP responder, and the assembly of a
// to-be-signed part and a signature (Sign), which CRLs and OCSP share.
package profile

import (
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/binary"
	"errors"
	"fmt"
	"math/big"
	"path"
	"strings"
	"time"

	"cse.example/cse/ground/civil"
)

// Years is the longest life of a CNS certificate.
const Years = 6

// DefaultNotice is the user notice when the configuration has none.
const DefaultNotice = "Certificate for client authentication with the Italian National Service Card (CNS)."

// PolicyCNS is the policy of CNS authentication certificates.
var PolicyCNS = asn1.ObjectIdentifier{1, 3, 76, 16, 2, 1}

// ErrRefused is returned for a certificate that this profile never writes.
var ErrRefused = errors.New("outside the profile")

// CNS is what all certificates of one issuing authority have in common.
type CNS struct {
	// Organisation is the certifier (O), Unit the issuing administration (OU).
	Organisation, Unit string
	// Policy is PolicyCNS when empty.
	Policy asn1.ObjectIdentifier
	// Notice is the explicit text, at most 200 characters; DefaultNotice when empty.
	Notice string
	// URLs are the addresses that certificates carry.
	URLs URLs
	// Shards is the number of CRL parts, at least 1; 0 means 1.
	Shards int
	// Extra are further extensions; they must not be critical, nor refused.
	Extra []pkix.Extension
}

// Leaf is what one CNS certificate says of its own.
type Leaf struct {
	// Serial is the serial number, from NewSerial.
	Serial Serial
	// CommonName is CF/card.hash, made by card/cns.
	CommonName string
	// Key is the card's public key.
	Key *rsa.PublicKey
	// NotBefore and NotAfter are whole seconds.
	NotBefore, NotAfter time.Time
}

// NotAfter is the last second of a CNS certificate issued at issued on a card
// that expires on expires, by an authority that ends at end.
func NotAfter(issued time.Time, expires civil.Date, end time.Time) time.Time {
	last := civil.DayOf(issued).AddYears(Years).End()
	for _, t := range []time.Time{expires.End(), end.UTC().Truncate(time.Second)} {
		if t.Before(last) {
			last = t
		}
	}
	return last
}

// Shard is the part of the CRL in which serial stands for ever: its last four
// octets modulo the number of parts, so that parts of any number are alike in size.
func (p CNS) Shard(s Serial) int {
	return int(binary.BigEndian.Uint32(s[len(s)-4:]) % uint32(p.shards())) //nolint:gosec // at most 256
}

func (p CNS) shards() int { return max(p.Shards, 1) }

// TBS is the DER of the certificate to be signed by issuer.
func (p CNS) TBS(issuer *x509.Certificate, l Leaf) ([]byte, error) {
	switch {
	case p.Organisation == "" || p.Unit == "":
		return nil, fmt.Errorf("profile: %w: O and OU must be configured", ErrRefused)
	case l.Key == nil:
		return nil, fmt.Errorf("profile: %w: no public key", ErrRefused)
	case !l.NotAfter.After(l.NotBefore):
		return nil, fmt.Errorf("profile: %w: the card or the authority has expired (%s)", ErrRefused, l.NotAfter.Format(time.RFC3339))
	case l.NotAfter.After(issuer.NotAfter):
		return nil, fmt.Errorf("profile: %w: outlives its authority", ErrRefused)
	case len(l.CommonName) > 64 || strings.IndexFunc(l.CommonName, func(r rune) bool { return r < ' ' || r > '~' }) >= 0:
		return nil, fmt.Errorf("profile: %w: the common name is not 1 to 64 printable ASCII characters", ErrRefused)
	case len([]rune(p.notice())) > 200:
		return nil, fmt.Errorf("profile: %w: the notice has more than 200 characters (RFC 5280, 4.2.1.4)", ErrRefused)
	}
	exts, err := p.extensions(issuer, l)
	if err != nil {
		return nil, err
	}
	return tbs(template{
		serial: l.Serial, issuer: issuer, key: l.Key,
		subject:   name{{oidCountry, "IT"}, {oidOrganisation, p.Organisation}, {oidUnit, p.Unit}, {oidCommonName, l.CommonName}},
		notBefore: l.NotBefore, notAfter: l.NotAfter, extensions: exts,
	})
}

// Terms are the policy and the notice that certificates carry, defaults filled in.
func (p CNS) Terms() (policy asn1.ObjectIdentifier, notice string) {
	if p.Policy == nil {
		return PolicyCNS, p.notice()
	}
	return p.Policy, p.notice()
}

func (p CNS) notice() string {
	if p.Notice == "" {
		return DefaultNotice
	}
	return p.Notice
}

func (p CNS) extensions(issuer *x509.Certificate, l Leaf) ([]pkix.Extension, error) {
	if p.URLs.OCSP == "" || p.URLs.Issuer == "" || p.URLs.CRL == "" {
		return nil, fmt.Errorf("profile: %w: the addresses of OCSP, CRL and issuer must be configured", ErrRefused)
	}
	policy, notice := p.Terms()
	exts, err := collect(
		keyUsage(x509.KeyUsageDigitalSignature),
		extKeyUsage(oidClientAuth),
		subjectKeyID(l.Key),
		authorityKeyID(issuer.SubjectKeyId),
		policies(policyInfo{policy, notice}),
		distributionPoint(p.URLs.Shard(p.Shard(l.Serial))),
		authorityInfo(p.URLs.OCSP, p.URLs.Issuer),
	)
	if err != nil {
		return nil, err
	}
	for _, e := range p.Extra {
		if e.Critical {
			return nil, fmt.Errorf("profile: %w: further extension %v is critical", ErrRefused, e.Id)
		}
		exts = append(exts, e)
	}
	return exts, refused(exts)
}

// URLs are the addresses written into certificates. All are plain http: who
// checks a certificate must not need one to do so.
type URLs struct {
	// OCSP is the responder; Issuer gives the issuing certificate (DER).
	OCSP, Issuer string
	// CRL is the list's address; "{shard}" stands for the part's number.
	CRL string
	// Root and RootCRL are what the issuing authority's own certificate carries.
	Root, RootCRL string
}

// The paths under which pki/status serves and URLsAt points.
const (
	PathOCSP    = "/ocsp"
	PathIssuer  = "/ca/issuing.cer"
	PathRoot    = "/ca/root.cer"
	PathCRL     = "/crl/issuing-{shard}.crl"
	PathRootCRL = "/crl/root.crl"
)

// FirstLabel is the label of a platform's first authority, whose files lie in the
// authority's folder itself.
const FirstLabel = "issuing"

// Label tells whether s can name an authority in folders and addresses: 1 to 32
// lower-case letters, digits and hyphens, and not "root".
func Label(s string) bool {
	return len(s) >= 1 && len(s) <= 32 && s != "root" &&
		strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789-") == "" && !strings.HasPrefix(s, "-")
}

// URLsAt are the usual addresses of the first authority under base
// ("http://pki.example.it").
func URLsAt(base string) URLs { return URLsFor(base, FirstLabel) }

// URLsFor are the addresses of the authority with that label: OCSP is the same for
// all, since a question says whose certificate it is about; lists and certificates
// have names of their own.
func URLsFor(base, label string) URLs {
	base = strings.TrimRight(base, "/")
	return URLs{
		OCSP: base + PathOCSP, Issuer: base + PathIssuerOf(label), CRL: base + "/crl/" + label + "-{shard}.crl",
		Root: base + PathRoot, RootCRL: base + PathRootCRL,
	}
}

// PathIssuerOf is where the certificate of the authority with that label is served.
func PathIssuerOf(label string) string { return "/ca/" + label + ".cer" }

// Shard is the address of part n of the CRL.
func (u URLs) Shard(n int) string {
	return strings.ReplaceAll(u.CRL, "{shard}", fmt.Sprint(n))
}

// FileCRL is the file of part n, the last element of its address.
func (u URLs) FileCRL(n int) string { return path.Base(u.Shard(n)) }

// Serial is a certificate's serial number: sixteen octets, the first between 1
// and 127, so that the DER integer has always sixteen octets too.
type Serial [16]byte

// Big is the number.
func (s Serial) Big() *big.Int { return new(big.Int).SetBytes(s[:]) }

// String is 32 lower-case hexadecimal digits, the form in records and addresses.
func (s Serial) String() string { return fmt.Sprintf("%x", s[:]) }
