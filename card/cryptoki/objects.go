package cryptoki

import (
	"bytes"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // CKA_CHECK_VALUE of a certificate is SHA-1 by the standard
	"crypto/x509"
	"encoding/asn1"
	"math/big"
	"time"
)

// pair says how the objects of one key pair are called: by the labels that
// OpenSC gives them, so that a URI like pkcs11:object=CNS0 works with both, and
// by the CKA_ID that ties certificate and keys together.
type pair struct {
	label string
	id    byte
	// second is the key for digital signatures, with a PIN of its own, which is
	// wanted before each signature (CKA_ALWAYS_AUTHENTICATE).
	second bool
}

var (
	authentication   = pair{label: "CNS0", id: 0x01}
	digitalSignature = pair{label: "CNS1", id: 0x02, second: true}
)

// object is one object on the token, its attributes encoded as they go out.
type object struct {
	handle     Handle
	private    bool
	sensitive  bool
	key        *rsa.PublicKey // of a private key: what it is checked with
	second     bool           // of a private key: the one with a PIN of its own
	attributes map[AttributeType][]byte
}

// objectsOf are certificate, public key and private key of one pair. What is not
// known of a key, whether it was made in the chip, is not claimed.
func objectsOf(p pair, leaf *x509.Certificate, h []Handle) []*object {
	public, ok := leaf.PublicKey.(*rsa.PublicKey)
	if !ok {
		return nil
	}
	list := []*object{
		{handle: h[0], attributes: certificateAttributes(leaf)},
		{handle: h[1], attributes: publicAttributes(leaf, public)},
		{handle: h[2], attributes: privateAttributes(leaf, public), private: true, sensitive: true, key: public, second: p.second},
	}
	for _, o := range list {
		o.attributes[attrLabel], o.attributes[attrID] = []byte(p.label), []byte{p.id}
	}
	list[2].attributes[attrAlwaysAuthenticate] = flag(p.second)
	return list
}

func common(class uint, private bool) map[AttributeType][]byte {
	return map[AttributeType][]byte{
		attrClass: ulong(class), attrToken: flag(true), attrPrivate: flag(private), attrModifiable: flag(false),
		attrCopyable: flag(false), attrDestroyable: flag(false),
	}
}

func certificateAttributes(leaf *x509.Certificate) map[AttributeType][]byte {
	a := common(classCertificate, false)
	sum := sha1.Sum(leaf.Raw) //nolint:gosec // see above
	serial, _ := asn1.Marshal(leaf.SerialNumber)
	a[attrCertificateType] = ulong(certificateX509)
	a[attrTrusted] = flag(false)
	a[attrCategory] = ulong(1) // token user
	a[attrCheckValue] = sum[:3]
	a[attrStartDate] = date(leaf.NotBefore)
	a[attrEndDate] = date(leaf.NotAfter)
	a[attrSubject] = leaf.RawSubject
	a[attrIssuer] = leaf.RawIssuer
	a[attrSerialNumber] = serial
	a[attrValue] = leaf.Raw
	a[attrPublicKeyInfo] = leaf.RawSubjectPublicKeyInfo
	return a
}

// date is CK_DATE.
func date(t time.Time) []byte { return []byte(t.UTC().Format("20060102")) }

func keyAttributes(class uint, private bool, leaf *x509.Certificate, key *rsa.PublicKey) map[AttributeType][]byte {
	a := common(class, private)
	a[attrKeyType] = ulong(keyRSA)
	a[attrSubject] = leaf.RawSubject
	a[attrDerive] = flag(false)
	a[attrLocal] = flag(false)
	a[attrModulus] = key.N.Bytes()
	a[attrPublicExponent] = big.NewInt(int64(key.E)).Bytes()
	a[attrPublicKeyInfo] = leaf.RawSubjectPublicKeyInfo
	a[attrStartDate], a[attrEndDate] = []byte{}, []byte{}
	return a
}

func publicAttributes(leaf *x509.Certificate, key *rsa.PublicKey) map[AttributeType][]byte {
	a := keyAttributes(classPublicKey, false, leaf, key)
	a[attrModulusBits] = ulong(uint(key.N.BitLen()))
	a[attrTrusted] = flag(false)
	a[attrVerify] = flag(true)
	for _, no := range []AttributeType{attrEncrypt, attrVerifyRecover, attrWrap} {
		a[no] = flag(false)
	}
	return a
}

func privateAttributes(leaf *x509.Certificate, key *rsa.PublicKey) map[AttributeType][]byte {
	a := keyAttributes(classPrivateKey, true, leaf, key)
	a[attrSensitive], a[attrSign] = flag(true), flag(true)
	for _, no := range []AttributeType{
		attrDecrypt, attrSignRecover, attrUnwrap, attrExtractable, attrNeverExtractable,
		attrAlwaysSensitive, attrWrapWithTrusted,
	} {
		a[no] = flag(false)
	}
	return a
}

// value gives one attribute, or why there is none.
func (o *object) value(a AttributeType) ([]byte, RV) {
	if v, ok := o.attributes[a]; ok {
		return v, OK
	}
	if o.sensitive && (a == attrPrivateExponent || a >= attrPrime1 && a <= attrCoefficient) {
		return nil, AttributeSensitive
	}
	return nil, AttributeTypeInvalid
}

// matches tells whether the object has every attribute of the template.
func (o *object) matches(template []Attribute) bool {
	for _, want := range template {
		got, rv := o.value(want.Type)
		if rv != OK || !bytes.Equal(got, want.Value) {
			return false
		}
	}
	return true
}

// find searches the objects that a session sees; mu is held.
func (t *token) find(template []Attribute) []Handle {
	var found []Handle
	for _, o := range t.objects {
		if t.sees(o) && o.matches(template) {
			found = append(found, o.handle)
		}
	}
	return found
}

// sees tells whether an object is visible now: private ones to the user only.
func (t *token) sees(o *object) bool { return !o.private || t.user == User }

// object finds a visible object; mu is held.
func (t *token) object(h Handle) *object {
	for _, o := range t.objects {
		if o.handle == h && t.sees(o) {
			return o
		}
	}
	return nil
}
