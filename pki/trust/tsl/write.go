package tsl

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/xml"
	"fmt"
	"io"
	"math/big"
	"strings"
	"time"

	"github.com/beevik/etree"
)

// Scheme is what a publisher says of himself.
type Scheme struct {
	Operator string
	// Street, Locality, PostalCode, Country and Mail are where he is found.
	Street, Locality, PostalCode, Country, Mail string
	// Information is the address of a page about the list.
	Information string
	// Notice says what the list is and is not worth.
	Notice string
}

const timeLayout = "2006-01-02T15:04:05Z"

// UsageTSL is id-tsl-kp-tslSigning (TS 119 612, 5.7.1), the extended key usage of a signer of lists.
var UsageTSL = asn1.ObjectIdentifier{0, 4, 0, 2231, 3, 0}

// text writes XML by hand, so that its order is the schema's.
type text struct{ strings.Builder }

func (t *text) open(tag string)  { t.WriteString("<" + tag + ">") }
func (t *text) close(tag string) { t.WriteString("</" + tag + ">") }

func (t *text) value(tag, v string) {
	t.WriteString("<" + tag + ">")
	_ = xml.EscapeText(t, []byte(v)) // a strings.Builder does not fail
	t.close(tag)
}

// lang writes a value in Italian and in English, both of which the standard's own fields have; the words are the same.
func (t *text) lang(tag, inner, v string) {
	t.open(tag)
	for _, l := range []string{"en", "it"} {
		t.WriteString("<" + inner + ` xml:lang="` + l + `">`)
		_ = xml.EscapeText(t, []byte(v))
		t.close(inner)
	}
	t.close(tag)
}

func (t *text) uri(tag, v string) {
	t.WriteString("<" + tag + ` xml:lang="en">`)
	_ = xml.EscapeText(t, []byte(v))
	t.close(tag)
}

// Write makes and signs a list. l.Signer's key is key, RSA or ECDSA on P-256.
func Write(random io.Reader, l *List, s Scheme, key crypto.Signer) ([]byte, error) {
	body := l.text(s)
	alg, err := methodOf(key)
	if err != nil {
		return nil, err
	}
	p := part{method: alg, at: l.Issued, certificate: l.Signer.Raw}
	build := func() []byte {
		return []byte(`<?xml version="1.0" encoding="UTF-8"?>` + "\n" + strings.Replace(body, "</TrustServiceStatusList>", p.text()+"</TrustServiceStatusList>", 1) + "\n")
	}
	// Digests first, then the value: each computed as a reader does, from the text that comes out.
	info, err := p.digests(build())
	if err != nil {
		return nil, err
	}
	p.list, p.properties = info[0], info[1]
	octets, err := p.info(build())
	if err != nil {
		return nil, err
	}
	sig, err := signText(random, key, octets)
	if err != nil {
		return nil, err
	}
	p.value = base64.StdEncoding.EncodeToString(sig)
	out := build()
	if _, err := Read(out, []*x509.Certificate{l.Signer}, l.Territory); err != nil {
		return nil, fmt.Errorf("the list that was made is not read: %w", err)
	}
	return out, nil
}

func (l *List) text(s Scheme) string {
	var t text
	t.WriteString(`<TrustServiceStatusList xmlns="` + namespace + `" Id="tsl" TSLTag="http://uri.etsi.org/19612/TSLTag">`)
	t.open("SchemeInformation")
	t.value("TSLVersionIdentifier", "5")
	t.value("TSLSequenceNumber", fmt.Sprint(l.Sequence))
	t.value("TSLType", "http://uri.etsi.org/TrstSvc/TrustedList/TSLType/"+l.Territory+"generic")
	t.lang("SchemeOperatorName", "Name", l.Operator)
	t.open("SchemeOperatorAddress")
	t.address(s)
	t.close("SchemeOperatorAddress")
	t.lang("SchemeName", "Name", l.Territory+": "+l.Operator)
	t.open("SchemeInformationURI")
	t.uri("URI", s.Information)
	t.close("SchemeInformationURI")
	t.value("StatusDeterminationApproach", "http://uri.etsi.org/TrstSvc/TrustedList/StatusDetn/"+l.Territory+"determination")
	t.open("SchemeTypeCommunityRules")
	t.uri("URI", s.Information)
	t.close("SchemeTypeCommunityRules")
	t.value("SchemeTerritory", l.Territory)
	t.lang("PolicyOrLegalNotice", "TSLLegalNotice", s.Notice)
	t.value("HistoricalInformationPeriod", "65535")
	t.value("ListIssueDateTime", l.Issued.UTC().Format(timeLayout))
	t.open("NextUpdate")
	t.value("dateTime", l.NextUpdate.UTC().Format(timeLayout))
	t.close("NextUpdate")
	t.close("SchemeInformation")
	if len(l.Services) > 0 {
		t.open("TrustServiceProviderList")
		t.open("TrustServiceProvider")
		t.open("TSPInformation")
		t.lang("TSPName", "Name", l.Operator)
		t.open("TSPAddress")
		t.address(s)
		t.close("TSPAddress")
		t.open("TSPInformationURI")
		t.uri("URI", s.Information)
		t.close("TSPInformationURI")
		t.close("TSPInformation")
		t.open("TSPServices")
		for _, x := range l.Services {
			t.service(x)
		}
		t.close("TSPServices")
		t.close("TrustServiceProvider")
		t.close("TrustServiceProviderList")
	}
	t.close("TrustServiceStatusList")
	return t.String()
}

func (t *text) address(s Scheme) {
	t.open("PostalAddresses")
	t.WriteString(`<PostalAddress xml:lang="en">`)
	t.value("StreetAddress", s.Street)
	t.value("Locality", s.Locality)
	t.value("PostalCode", s.PostalCode)
	t.value("CountryName", s.Country)
	t.close("PostalAddress")
	t.close("PostalAddresses")
	t.open("ElectronicAddress")
	t.uri("URI", "mailto:"+s.Mail)
	t.close("ElectronicAddress")
}

func (t *text) service(s Service) {
	t.open("TSPService")
	for i, st := range s.States {
		tag := "ServiceInformation"
		switch i {
		case 0:
		case 1:
			t.open("ServiceHistory")
			fallthrough
		default:
			tag = "ServiceHistoryInstance"
		}
		t.open(tag)
		t.value("ServiceTypeIdentifier", st.Type)
		t.lang("ServiceName", "Name", s.Name)
		t.open("ServiceDigitalIdentity")
		for _, c := range s.Certificates {
			t.open("DigitalId")
			t.value("X509Certificate", base64.StdEncoding.EncodeToString(c.Raw))
			t.close("DigitalId")
		}
		t.close("ServiceDigitalIdentity")
		t.value("ServiceStatus", st.Status)
		t.value("StatusStartingTime", st.From.UTC().Format(timeLayout))
		t.close(tag)
	}
	if len(s.States) > 1 {
		t.close("ServiceHistory")
	}
	t.close("TSPService")
}

// part is the signature, XAdES baseline B in the enveloped form of annex B.
type part struct {
	method                  string
	at                      time.Time
	certificate             []byte
	list, properties, value string
}

func (p part) text() string {
	const sha = `<ds:DigestMethod Algorithm="http://www.w3.org/2001/04/xmlenc#sha256"></ds:DigestMethod>`
	c14n := `<ds:Transform Algorithm="` + exclusive + `"></ds:Transform>`
	certDigest := sha256.Sum256(p.certificate)
	return `<ds:Signature xmlns:ds="` + nsDS + `" Id="signature"><ds:SignedInfo>` +
		`<ds:CanonicalizationMethod Algorithm="` + exclusive + `"></ds:CanonicalizationMethod>` +
		`<ds:SignatureMethod Algorithm="` + p.method + `"></ds:SignatureMethod>` +
		`<ds:Reference URI=""><ds:Transforms><ds:Transform Algorithm="` + enveloped + `"></ds:Transform>` + c14n + `</ds:Transforms>` + sha +
		`<ds:DigestValue>` + p.list + `</ds:DigestValue></ds:Reference>` +
		`<ds:Reference Type="` + typeProperties + `" URI="#properties"><ds:Transforms>` + c14n + `</ds:Transforms>` + sha +
		`<ds:DigestValue>` + p.properties + `</ds:DigestValue></ds:Reference></ds:SignedInfo>` +
		`<ds:SignatureValue>` + p.value + `</ds:SignatureValue>` +
		`<ds:KeyInfo><ds:X509Data><ds:X509Certificate>` + base64.StdEncoding.EncodeToString(p.certificate) + `</ds:X509Certificate></ds:X509Data></ds:KeyInfo>` +
		`<ds:Object><xades:QualifyingProperties xmlns:xades="` + nsXAdES + `" Target="#signature"><xades:SignedProperties Id="properties">` +
		`<xades:SignedSignatureProperties><xades:SigningTime>` + p.at.UTC().Format(timeLayout) + `</xades:SigningTime>` +
		`<xades:SigningCertificateV2><xades:Cert><xades:CertDigest>` + sha +
		`<ds:DigestValue>` + base64.StdEncoding.EncodeToString(certDigest[:]) + `</ds:DigestValue></xades:CertDigest></xades:Cert></xades:SigningCertificateV2>` +
		`</xades:SignedSignatureProperties></xades:SignedProperties></xades:QualifyingProperties></ds:Object></ds:Signature>`
}

// tree parses a text of ours and finds the signature in it.
func tree(doc []byte) (root, sig, info *etree.Element, err error) {
	if root, err = parse(doc); err != nil {
		return nil, nil, nil, err
	}
	sig = only(root, nsDS, "Signature")
	return root, sig, only(sig, nsDS, "SignedInfo"), nil
}

func (p part) digests(doc []byte) (out [2]string, err error) {
	root, sig, info, err := tree(doc)
	if err != nil {
		return out, err
	}
	refs := children(info, nsDS, "Reference")
	list, err := listOctets(root, sig, refs[0])
	if err != nil {
		return out, err
	}
	properties, err := propertyOctets(sig, refs[1], "#properties")
	if err != nil {
		return out, err
	}
	for i, octets := range [][]byte{list, properties} {
		out[i] = base64.StdEncoding.EncodeToString(sum(crypto.SHA256, octets))
	}
	return out, nil
}

func (p part) info(doc []byte) ([]byte, error) {
	_, _, info, err := tree(doc)
	if err != nil {
		return nil, err
	}
	return canonical(info)
}

func methodOf(key crypto.Signer) (string, error) {
	switch k := key.Public().(type) {
	case *rsa.PublicKey:
		if k.N.BitLen() >= minRSA {
			return "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256", nil
		}
	case *ecdsa.PublicKey:
		if k.Curve.Params().BitSize >= 256 {
			return "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256", nil
		}
	}
	return "", fmt.Errorf("a trusted list is not signed by a key of type %T", key.Public())
}

func signText(random io.Reader, key crypto.Signer, octets []byte) ([]byte, error) {
	sig, err := key.Sign(random, sum(crypto.SHA256, octets), crypto.SHA256)
	if err != nil {
		return nil, err
	}
	k, ok := key.Public().(*ecdsa.PublicKey)
	if !ok {
		return sig, nil
	}
	var rs struct{ R, S *big.Int }
	if rest, err := asn1.Unmarshal(sig, &rs); err != nil || len(bytes.TrimSpace(rest)) > 0 {
		return nil, fmt.Errorf("the signer's answer is no ECDSA signature: %w", err)
	}
	n := (k.Curve.Params().BitSize + 7) / 8
	out := make([]byte, 2*n)
	rs.R.FillBytes(out[:n])
	rs.S.FillBytes(out[n:])
	return out, nil
}
