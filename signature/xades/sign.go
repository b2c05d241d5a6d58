package xades

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io"
	"strings"
	"time"

	"cse.example/cse/ground/words"
)

// Request is a signature to be made. The key is RSA, as the card's is.
type Request struct {
	Key         crypto.Signer
	Certificate *x509.Certificate
	Chain       []*x509.Certificate
	Time        time.Time
}

// parts are what a signature's text is made of.
type parts struct {
	id, time, certDigest string
	certificates         []string
	document, properties string
	value                string
}

// text is the ds:Signature. Its prefixes are its own, so that it reads the same
// wherever it stands.
func (p parts) text() string {
	var certs strings.Builder
	for _, c := range p.certificates {
		certs.WriteString("<ds:X509Certificate>" + c + "</ds:X509Certificate>")
	}
	const exc = `http://www.w3.org/2001/10/xml-exc-c14n#`
	const sha = `<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"></ds:DigestMethod>`
	return `<ds:Signature xmlns:ds="` + nsDS + `" Id="` + p.id + `"><ds:SignedInfo>` +
		`<ds:CanonicalizationMethod Algorithm="` + exc + `"></ds:CanonicalizationMethod>` +
		`<ds:SignatureMethod Algorithm="http://www.w3.org/2001/04/xmldsig-more#rsa-sha256"></ds:SignatureMethod>` +
		`<ds:Reference Id="` + p.id + `-doc" URI=""><ds:Transforms>` +
		`<ds:Transform Algorithm="` + transformFilter2 + `"><f:XPath xmlns:f="` + transformFilter2 + `" Filter="subtract">/descendant::ds:Signature</f:XPath></ds:Transform>` +
		`<ds:Transform Algorithm="` + exc + `"></ds:Transform></ds:Transforms>` + sha +
		`<ds:DigestValue>` + p.document + `</ds:DigestValue></ds:Reference>` +
		`<ds:Reference Type="` + typeSignedProperties + `" URI="#` + p.id + `-sp"><ds:Transforms>` +
		`<ds:Transform Algorithm="` + exc + `"></ds:Transform></ds:Transforms>` + sha +
		`<ds:DigestValue>` + p.properties + `</ds:DigestValue></ds:Reference></ds:SignedInfo>` +
		`<ds:SignatureValue>` + p.value + `</ds:SignatureValue>` +
		`<ds:KeyInfo><ds:X509Data>` + certs.String() + `</ds:X509Data></ds:KeyInfo>` +
		`<ds:Object><xades:QualifyingProperties xmlns:xades="` + nsXAdES + `" Target="#` + p.id + `">` +
		`<xades:SignedProperties Id="` + p.id + `-sp"><xades:SignedSignatureProperties>` +
		`<xades:SigningTime>` + p.time + `</xades:SigningTime>` +
		`<xades:SigningCertificateV2><xades:Cert><xades:CertDigest>` + sha +
		`<ds:DigestValue>` + p.certDigest + `</ds:DigestValue></xades:CertDigest></xades:Cert></xades:SigningCertificateV2>` +
		`</xades:SignedSignatureProperties><xades:SignedDataObjectProperties>` +
		`<xades:DataObjectFormat ObjectReference="#` + p.id + `-doc"><xades:MimeType>text/xml</xades:MimeType></xades:DataObjectFormat>` +
		`</xades:SignedDataObjectProperties></xades:SignedProperties></xades:QualifyingProperties></ds:Object></ds:Signature>`
}

// Sign adds a signature to a document, as the last child of its root.
func Sign(_ context.Context, random io.Reader, in []byte, r Request) ([]byte, error) {
	key, ok := r.Certificate.PublicKey.(*rsa.PublicKey)
	if !ok || !key.Equal(r.Key.Public()) {
		return nil, words.Refuse("CSE-729")
	}
	at, end, closing, err := insertion(in)
	if err != nil {
		return nil, err
	}
	d, err := read(in)
	if err != nil {
		return nil, err
	}
	if len(d.signatures) >= MaxSignatures {
		return nil, words.Refuse("CSE-734", MaxSignatures)
	}
	var id [8]byte
	if _, err := io.ReadFull(random, id[:]); err != nil {
		return nil, fmt.Errorf("xml: %w", err)
	}
	b64 := base64.StdEncoding.EncodeToString
	certDigest := sha256.Sum256(r.Certificate.Raw)
	p := parts{
		id: fmt.Sprintf("firma-%x", id), time: r.Time.UTC().Format("2006-01-02T15:04:05Z"), certDigest: b64(certDigest[:]),
		certificates: []string{b64(r.Certificate.Raw)},
	}
	for _, c := range r.Chain {
		p.certificates = append(p.certificates, b64(c.Raw))
	}
	build := func() []byte {
		text := p.text()
		if closing != "" {
			text = ">" + text + closing
		}
		return bytes.Join([][]byte{in[:at], []byte(text), in[end:]}, nil)
	}
	// The digests first, then the value: each as anybody would compute it from
	// the document that comes out.
	if p.document, p.properties, _, err = p.computed(build()); err != nil {
		return nil, err
	}
	_, _, info, err := p.computed(build())
	if err != nil {
		return nil, err
	}
	digest := sha256.Sum256(info)
	value, err := r.Key.Sign(random, digest[:], crypto.SHA256)
	if err != nil {
		return nil, err
	}
	p.value = b64(value)
	out := build()
	all, err := Check(out)
	if err != nil {
		return nil, err
	}
	for _, s := range all {
		if s.ID == p.id {
			return out, s.Err
		}
	}
	return nil, malformed("the signature made is not found")
}

// computed are the digests of the two references and the octets to be signed.
func (p parts) computed(doc []byte) (document, properties string, info []byte, err error) {
	d, err := read(doc)
	if err != nil {
		return "", "", nil, err
	}
	e := d.byID[p.id]
	si := only(e, nsDS, "SignedInfo")
	out := [2]string{}
	for i, r := range children(si, nsDS, "Reference") {
		target := d.root
		if i == 1 {
			target = d.byID[p.id+"-sp"]
		}
		octets, err := d.referenced(r, e, target)
		if err != nil {
			return "", "", nil, err
		}
		out[i] = base64.StdEncoding.EncodeToString(sum(crypto.SHA256, octets))
	}
	info, err = canonical(si, canonicalizer(only(si, nsDS, "CanonicalizationMethod")))
	return out[0], out[1], info, err
}
