package tsl

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	_ "crypto/sha256"
	_ "crypto/sha512"
	"crypto/x509"
	"encoding/base64"
	"math/big"
	"strings"

	"github.com/beevik/etree"
	dsig "github.com/russellhaering/goxmldsig"
	"github.com/russellhaering/goxmldsig/etreeutils"
)

const (
	nsDS           = "http://www.w3.org/2000/09/xmldsig#"
	nsXAdES        = "http://uri.etsi.org/01903/v1.3.2#"
	typeProperties = "http://uri.etsi.org/01903#SignedProperties"
	enveloped      = "http://www.w3.org/2000/09/xmldsig#enveloped-signature"
	exclusive      = "http://www.w3.org/2001/10/xml-exc-c14n#"
	minRSA         = 2048
)

var digests = map[string]crypto.Hash{
	"http://www.w3.org/2001/04/xmlenc#sha256":       crypto.SHA256,
	"http://www.w3.org/2001/04/xmldsig-more#sha384": crypto.SHA384,
	"http://www.w3.org/2001/04/xmlenc#sha512":       crypto.SHA512,
}

type method struct {
	hash crypto.Hash
	kind string
}

var methods = map[string]method{
	"http://www.w3.org/2001/04/xmldsig-more#rsa-sha256":      {crypto.SHA256, "rsa"},
	"http://www.w3.org/2001/04/xmldsig-more#rsa-sha384":      {crypto.SHA384, "rsa"},
	"http://www.w3.org/2001/04/xmldsig-more#rsa-sha512":      {crypto.SHA512, "rsa"},
	"http://www.w3.org/2007/05/xmldsig-more#sha256-rsa-MGF1": {crypto.SHA256, "pss"},
	"http://www.w3.org/2007/05/xmldsig-more#sha512-rsa-MGF1": {crypto.SHA512, "pss"},
	"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256":    {crypto.SHA256, "ecdsa"},
	"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha384":    {crypto.SHA384, "ecdsa"},
	"http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha512":    {crypto.SHA512, "ecdsa"},
}

func bad(format string, args ...any) error { return refuse(BadSignature, format, args...) }

// verified gives the list as the octets that a pinned certificate signed say it.
func verified(root *etree.Element, signers []*x509.Certificate) (*etree.Element, *x509.Certificate, error) {
	if !is(root, namespace, "TrustServiceStatusList") {
		return nil, nil, malformed("the root is %.40q", root.Tag)
	}
	sig := only(root, nsDS, "Signature")
	if sig == nil || count(root) != 1 {
		return nil, nil, bad("not exactly one signature below the root")
	}
	info, value := only(sig, nsDS, "SignedInfo"), only(sig, nsDS, "SignatureValue")
	if info == nil || value == nil {
		return nil, nil, bad("SignedInfo or SignatureValue is missing or there twice")
	}
	signer, err := signerOf(sig, signers)
	if err != nil {
		return nil, nil, err
	}
	// The value first: nothing of SignedInfo is followed that the signer did not write.
	if c := only(info, nsDS, "CanonicalizationMethod"); c == nil || c.SelectAttrValue("Algorithm", "") != exclusive || len(c.ChildElements()) > 0 {
		return nil, nil, bad("a canonical form that is not the exclusive one")
	}
	octets, err := canonical(info)
	if err != nil {
		return nil, nil, err
	}
	if err := verify(signer, only(info, nsDS, "SignatureMethod"), octets, value); err != nil {
		return nil, nil, err
	}
	signed, err := references(root, sig, info)
	if err != nil {
		return nil, nil, err
	}
	out, err := parse(signed)
	if err != nil {
		return nil, nil, err
	}
	if !is(out, namespace, "TrustServiceStatusList") || count(out) != 0 {
		return nil, nil, bad("what is signed is not the list")
	}
	return out, signer, nil
}

// count counts the signatures of a tree.
func count(e *etree.Element) int {
	n := 0
	if is(e, nsDS, "Signature") {
		n++
	}
	for _, c := range e.ChildElements() {
		n += count(c)
	}
	return n
}

// signerOf is the pinned certificate that KeyInfo names; the one pinned when it names none.
func signerOf(sig *etree.Element, signers []*x509.Certificate) (*x509.Certificate, error) {
	keys := children(sig, nsDS, "KeyInfo")
	if len(keys) == 0 && len(signers) == 1 {
		return signers[0], nil
	}
	if len(keys) != 1 {
		return nil, refuse(UnknownSigner, "the signature names no certificate")
	}
	for _, data := range children(keys[0], nsDS, "X509Data") {
		for _, e := range children(data, nsDS, "X509Certificate") {
			der, err := octetsOf(e)
			if err != nil {
				return nil, err
			}
			for _, s := range signers {
				if bytes.Equal(s.Raw, der) {
					return s, nil
				}
			}
		}
	}
	return nil, refuse(UnknownSigner, "none of the %d pinned certificates", len(signers))
}

func octetsOf(e *etree.Element) ([]byte, error) {
	if e == nil {
		return nil, bad("a value is missing")
	}
	b, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(e.Text()), ""))
	if err != nil || len(e.ChildElements()) > 0 {
		return nil, bad("%s is not base64", e.Tag)
	}
	return b, nil
}

// references checks every reference: one to the list, and at most one to this signature's own properties. It gives the list's octets.
func references(root, sig, info *etree.Element) ([]byte, error) {
	refs := children(info, nsDS, "Reference")
	var list []byte
	properties := 0
	for _, r := range refs {
		uri := r.SelectAttrValue("URI", "-")
		var octets []byte
		var err error
		switch {
		case uri == "" || uri == "#"+root.SelectAttrValue("Id", "-"):
			if list != nil {
				return nil, bad("the list is referred to twice")
			}
			if octets, err = listOctets(root, sig, r); err != nil {
				return nil, err
			}
			list = octets
		case r.SelectAttrValue("Type", "") == typeProperties:
			properties++
			if octets, err = propertyOctets(sig, r, uri); err != nil {
				return nil, err
			}
		default:
			return nil, bad("a reference to %.40q", uri)
		}
		alg := only(r, nsDS, "DigestMethod")
		if alg == nil {
			return nil, bad("no DigestMethod")
		}
		h, ok := digests[alg.SelectAttrValue("Algorithm", "")]
		if !ok {
			return nil, bad("digest %.80q", alg.SelectAttrValue("Algorithm", ""))
		}
		want, err := octetsOf(only(r, nsDS, "DigestValue"))
		if err != nil {
			return nil, err
		}
		if !bytes.Equal(sum(h, octets), want) {
			return nil, bad("the digest of %.40q differs", uri)
		}
	}
	if list == nil || properties > 1 || len(refs) > 2 {
		return nil, bad("the list is not signed")
	}
	return list, nil
}

func sum(h crypto.Hash, b []byte) []byte {
	d := h.New()
	d.Write(b)
	return d.Sum(nil)
}

// listOctets are those of the root without its signature, in exclusive canonical form without comments.
func listOctets(root, sig, r *etree.Element) ([]byte, error) {
	t := children(only(r, nsDS, "Transforms"), nsDS, "Transform")
	if len(t) != 2 || t[0].SelectAttrValue("Algorithm", "") != enveloped || t[1].SelectAttrValue("Algorithm", "") != exclusive ||
		len(t[0].ChildElements())+len(t[1].ChildElements()) > 0 {
		return nil, bad("transformations other than the two of the standard")
	}
	c := root.Copy()
	c.RemoveChildAt(sig.Index())
	return canonicalize(c)
}

// propertyOctets are those of this signature's SignedProperties.
func propertyOctets(sig, r *etree.Element, uri string) ([]byte, error) {
	var found []*etree.Element
	for _, o := range children(sig, nsDS, "Object") {
		for _, q := range children(o, nsXAdES, "QualifyingProperties") {
			found = append(found, children(q, nsXAdES, "SignedProperties")...)
		}
	}
	if len(found) != 1 || uri != "#"+found[0].SelectAttrValue("Id", "-") {
		return nil, bad("properties of another signature")
	}
	for _, t := range children(only(r, nsDS, "Transforms"), nsDS, "Transform") {
		if t.SelectAttrValue("Algorithm", "") != exclusive || len(t.ChildElements()) > 0 {
			return nil, bad("a transformation of the properties")
		}
	}
	if only(r, nsDS, "Transforms") == nil {
		return nil, bad("the properties are not in the exclusive form")
	}
	return canonical(found[0])
}

func canonicalize(e *etree.Element) ([]byte, error) {
	out, err := dsig.MakeC14N10ExclusiveCanonicalizerWithPrefixList("").Canonicalize(e)
	if err != nil {
		return nil, malformed("%w", err)
	}
	return out, nil
}

// canonical is the exclusive canonical form of an element where it stands.
func canonical(e *etree.Element) ([]byte, error) {
	ctx, err := etreeutils.NSBuildParentContext(e)
	if err != nil {
		return nil, malformed("%w", err)
	}
	alone, err := etreeutils.NSDetatch(ctx, e)
	if err != nil {
		return nil, malformed("%w", err)
	}
	return canonicalize(alone)
}

func verify(signer *x509.Certificate, alg *etree.Element, message []byte, value *etree.Element) error {
	if alg == nil {
		return bad("no SignatureMethod")
	}
	name := alg.SelectAttrValue("Algorithm", "")
	m, ok := methods[name]
	if !ok {
		return bad("signature method %.80q", name)
	}
	sig, err := octetsOf(value)
	if err != nil {
		return err
	}
	digest := sum(m.hash, message)
	switch key := signer.PublicKey.(type) {
	case *rsa.PublicKey:
		if key.N.BitLen() < minRSA {
			return bad("RSA of %d bits", key.N.BitLen())
		}
		switch m.kind {
		case "rsa":
			err = rsa.VerifyPKCS1v15(key, m.hash, digest, sig)
		case "pss":
			err = rsa.VerifyPSS(key, m.hash, digest, sig, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash})
		default:
			return bad("an RSA key for %s", name)
		}
		if err != nil {
			return bad("the signature does not verify: %w", err)
		}
		return nil
	case *ecdsa.PublicKey:
		n := (key.Curve.Params().BitSize + 7) / 8 // RFC 4050: r and s, each as long as the field
		if m.kind != "ecdsa" || len(sig) != 2*n {
			return bad("not an ECDSA signature of %d octets", 2*n)
		}
		if !ecdsa.Verify(key, digest, new(big.Int).SetBytes(sig[:n]), new(big.Int).SetBytes(sig[n:])) {
			return bad("the signature does not verify")
		}
		return nil
	}
	return bad("a key of type %T", signer.PublicKey)
}
