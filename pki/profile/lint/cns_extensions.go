package lint

import (
	"bytes"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"errors"
	"fmt"
	"net/url"
	"path"
	"strconv"
	"strings"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"

	"cse.example/cse/pki/profile"
)

var (
	oidSubjectKeyID      = asn1.ObjectIdentifier{2, 5, 29, 14}
	oidKeyUsage          = asn1.ObjectIdentifier{2, 5, 29, 15}
	oidDistributionPoint = asn1.ObjectIdentifier{2, 5, 29, 31}
	oidPolicies          = asn1.ObjectIdentifier{2, 5, 29, 32}
	oidAuthorityKeyID    = asn1.ObjectIdentifier{2, 5, 29, 35}
	oidExtKeyUsage       = asn1.ObjectIdentifier{2, 5, 29, 37}
	oidAuthorityInfo     = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 1}
	oidQCStatements      = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 3}

	oidUserNotice = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 2, 2}
	oidOCSP       = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 1}
	oidCAIssuers  = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 48, 2}
)

// required are the extensions that every certificate has.
var required = []asn1.ObjectIdentifier{
	oidKeyUsage, oidExtKeyUsage, oidSubjectKeyID, oidAuthorityKeyID, oidPolicies, oidDistributionPoint, oidAuthorityInfo,
}

// extensions: the required ones, and of others those that the configuration adds.
func extensions(c *cert, e Expected) error {
	count := map[string]int{}
	for _, x := range c.Extensions {
		count[x.Id.String()]++
	}
	for id, n := range count {
		if n > 1 {
			return fmt.Errorf("%s stands %d times", id, n)
		}
	}
	for _, id := range required {
		if count[id.String()] == 0 {
			return fmt.Errorf("%v is missing", id)
		}
		delete(count, id.String())
	}
	if e.Profile == nil {
		return nil // which further ones were configured then is not known
	}
	for _, x := range e.Profile.Extra {
		delete(count, x.Id.String())
	}
	for id := range count {
		return fmt.Errorf("%s is not of the profile", id)
	}
	return nil
}

func criticality(c *cert, _ Expected) error {
	for _, x := range c.Extensions {
		if want := x.Id.Equal(oidKeyUsage); x.Critical != want {
			return fmt.Errorf("%v critical: %t", x.Id, x.Critical)
		}
	}
	return nil
}

// keyUsage compares octets: a named bit list has no trailing zeros.
func keyUsage(c *cert, _ Expected) error {
	if v := c.extension(oidKeyUsage); !bytes.Equal(v, []byte{0x03, 0x02, 0x07, 0x80}) {
		return fmt.Errorf("%x is not digitalSignature alone", v)
	}
	return nil
}

func extKeyUsage(c *cert, _ Expected) error {
	if len(c.ExtKeyUsage) != 1 || c.ExtKeyUsage[0] != x509.ExtKeyUsageClientAuth || len(c.UnknownExtKeyUsage) != 0 {
		return errors.New("not clientAuth alone")
	}
	return nil
}

func subjectKeyID(c *cert, _ Expected) error {
	spki := cryptobyte.String(c.RawSubjectPublicKeyInfo)
	var inside cryptobyte.String
	var bits asn1.BitString
	if !spki.ReadASN1(&inside, cbasn1.SEQUENCE) || !inside.SkipASN1(cbasn1.SEQUENCE) || !inside.ReadASN1BitString(&bits) {
		return errRead
	}
	if want := sha256.Sum256(bits.Bytes); !bytes.Equal(c.SubjectKeyId, want[:20]) {
		return fmt.Errorf("%x is not the first 160 bits of the key's SHA-256", c.SubjectKeyId)
	}
	return nil
}

func authorityKeyID(c *cert, e Expected) error {
	in := cryptobyte.String(c.extension(oidAuthorityKeyID))
	var seq, id cryptobyte.String
	if !in.ReadASN1(&seq, cbasn1.SEQUENCE) || !seq.ReadASN1(&id, cbasn1.Tag(0).ContextSpecific()) || !seq.Empty() {
		return errors.New("not a key identifier alone")
	}
	if !bytes.Equal(id, e.Issuer.SubjectKeyId) {
		return fmt.Errorf("%x, the authority's is %x", []byte(id), e.Issuer.SubjectKeyId)
	}
	return nil
}

// policy is the one PolicyInformation: its identifier and what follows it.
func policy(c *cert) (asn1.ObjectIdentifier, cryptobyte.String, error) {
	in := cryptobyte.String(c.extension(oidPolicies))
	var list, one cryptobyte.String
	var id asn1.ObjectIdentifier
	if !in.ReadASN1(&list, cbasn1.SEQUENCE) || !list.ReadASN1(&one, cbasn1.SEQUENCE) || !one.ReadASN1ObjectIdentifier(&id) {
		return nil, nil, errors.New("no policy")
	}
	if !list.Empty() {
		return nil, nil, errors.New("more than one policy")
	}
	return id, one, nil
}

func policyOID(c *cert, e Expected) error {
	id, _, err := policy(c)
	if err != nil {
		return err
	}
	want := profile.PolicyCNS
	if e.Profile != nil {
		want, _ = e.Profile.Terms()
	}
	if !id.Equal(want) {
		return fmt.Errorf("%v, not %v", id, want)
	}
	return nil
}

// policyNotice: one qualifier, a UserNotice with an explicitText in UTF8String, no
// reference.
func policyNotice(c *cert, e Expected) error {
	_, rest, err := policy(c)
	if err != nil {
		return err
	}
	var list, one, notice, text cryptobyte.String
	var id asn1.ObjectIdentifier
	if !rest.ReadASN1(&list, cbasn1.SEQUENCE) || !rest.Empty() || !list.ReadASN1(&one, cbasn1.SEQUENCE) || !list.Empty() ||
		!one.ReadASN1ObjectIdentifier(&id) || !id.Equal(oidUserNotice) || !one.ReadASN1(&notice, cbasn1.SEQUENCE) || !one.Empty() {
		return errors.New("not one user notice alone")
	}
	if !notice.ReadASN1(&text, cbasn1.UTF8String) || !notice.Empty() {
		return errors.New("not an explicitText in UTF8String alone")
	}
	if n := len([]rune(string(text))); n == 0 || n > 200 {
		return fmt.Errorf("%d characters, not 1 to 200", n)
	}
	if e.Profile == nil {
		return nil
	}
	if _, want := e.Profile.Terms(); string(text) != want {
		return fmt.Errorf("%q, configured is %q", string(text), want)
	}
	return nil
}

// distributionPoint: one, with one address, that of the part of the list in which
// the serial number stands. Under a configuration that is not known the address
// must end in the part's number.
func distributionPoint(c *cert, e Expected) error {
	if len(c.CRLDistributionPoints) != 1 {
		return fmt.Errorf("%d addresses, not 1", len(c.CRLDistributionPoints))
	}
	got := c.CRLDistributionPoints[0]
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) { profile.AddDistributionPointName(b, got) })
	})
	if !bytes.Equal(b.BytesOrPanic(), c.extension(oidDistributionPoint)) {
		return errors.New("not one distribution point with a full name alone")
	}
	if e.Profile != nil {
		var serial profile.Serial
		c.SerialNumber.FillBytes(serial[:])
		if own := e.Profile.Shard(serial); own != e.Shard {
			return fmt.Errorf("the serial stands in part %d, part %d was reserved", own, e.Shard)
		}
		if want := e.Profile.URLs.Shard(e.Shard); got != want {
			return fmt.Errorf("%s, not %s", got, want)
		}
		return nil
	}
	u, err := url.Parse(got)
	if err != nil || u.Scheme != "http" || u.Host == "" {
		return fmt.Errorf("%q is not an address of http", got)
	}
	name := strings.TrimSuffix(path.Base(u.Path), ".crl")
	if !strings.HasSuffix(name, "-"+strconv.Itoa(e.Shard)) {
		return fmt.Errorf("%s is not of part %d", got, e.Shard)
	}
	return nil
}

// authorityInformation: OCSP, then the issuer's certificate, each once, by http.
func authorityInformation(c *cert, e Expected) error {
	in := cryptobyte.String(c.extension(oidAuthorityInfo))
	var list cryptobyte.String
	if !in.ReadASN1(&list, cbasn1.SEQUENCE) {
		return errors.New("not readable")
	}
	want := []string{"", ""}
	if e.Profile != nil {
		want = []string{e.Profile.URLs.OCSP, e.Profile.URLs.Issuer}
	}
	for i, method := range []asn1.ObjectIdentifier{oidOCSP, oidCAIssuers} {
		var one, address cryptobyte.String
		var id asn1.ObjectIdentifier
		if !list.ReadASN1(&one, cbasn1.SEQUENCE) || !one.ReadASN1ObjectIdentifier(&id) || !id.Equal(method) || !one.ReadASN1(&address, cbasn1.Tag(6).ContextSpecific()) || !one.Empty() {
			return fmt.Errorf("description %d is not an address of %v", i+1, method)
		}
		if want[i] != "" && string(address) != want[i] {
			return fmt.Errorf("%s, not %s", string(address), want[i])
		}
		if u, err := url.Parse(string(address)); err != nil || u.Scheme != "http" || u.Host == "" {
			return fmt.Errorf("%q is not an address of http", string(address))
		}
	}
	if !list.Empty() {
		return errors.New("more than two descriptions")
	}
	return nil
}

// qualified are the arcs of the policies of qualified certificates.
var qualified = []string{"0.4.0.194112.", "0.4.0.1456."}

// notQualified looks everywhere, not where the profile would put it.
func notQualified(c *cert, _ Expected) error {
	if c.KeyUsage&x509.KeyUsageContentCommitment != 0 {
		return errors.New("nonRepudiation")
	}
	for _, x := range c.Extensions {
		if x.Id.Equal(oidQCStatements) {
			return errors.New("a qualified-certificate statement")
		}
	}
	for _, p := range c.PolicyIdentifiers {
		for _, arc := range qualified {
			if strings.HasPrefix(p.String(), arc) {
				return fmt.Errorf("policy %v", p)
			}
		}
	}
	return nil
}
