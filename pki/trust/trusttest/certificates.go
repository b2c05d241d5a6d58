package trusttest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"strings"

	"cse.example/cse/pki/trust"
)

// usages: key usage and extended key usage bind whether or not they are critical (Keycloak #52982).
func (w *world) usages() {
	const row = "non-critical KU bypass"
	// usage puts a keyUsage of its own in place of Go's, which is always critical.
	usage := func(critical bool, bits ...byte) edit {
		return func(c *x509.Certificate) {
			c.KeyUsage = 0
			ext(critical, w.marshal(asn1.BitString{Bytes: bits, BitLength: 8}), 2, 5, 29, 15)(c)
		}
	}
	const digitalSignature, nonRepudiation, keyEncipherment = 0x80, 0x40, 0x20
	good := w.card(w.cns, usage(false, digitalSignature))
	w.add(row, "keyEncipherment alone, not critical", trust.WrongKeyUsage, "wrong-purpose", w.card(w.cns, usage(false, keyEncipherment)), good)
	w.add(row, "nonRepudiation besides, not critical", trust.WrongKeyUsage, "wrong-purpose", w.card(w.cns, usage(false, digitalSignature|nonRepudiation)), good)
	w.add(row, "nonRepudiation alone, critical", trust.WrongKeyUsage, "wrong-purpose", w.card(w.cns, usage(true, nonRepudiation)), w.card(w.cns, usage(true, digitalSignature)))
	w.add(row, "no key usage at all", trust.WrongKeyUsage, "wrong-purpose", w.card(w.cns, func(c *x509.Certificate) { c.KeyUsage = 0 }), w.card(w.cns, nil))
	eku := func(critical bool, ids ...asn1.ObjectIdentifier) edit {
		return func(c *x509.Certificate) { c.ExtKeyUsage = nil; ext(critical, w.marshal(ids), 2, 5, 29, 37)(c) }
	}
	client, server, anyUse := asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 2}, asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 3, 1}, asn1.ObjectIdentifier{2, 5, 29, 37, 0}
	w.add(row, "a server's, not critical", trust.WrongExtKeyUsage, "wrong-purpose", w.card(w.cns, eku(false, server)), w.card(w.cns, eku(false, client)))
	w.add(row, "any purpose, critical", trust.WrongExtKeyUsage, "wrong-purpose", w.card(w.cns, eku(true, anyUse)), w.card(w.cns, eku(true, client, anyUse)))

	lists := w.authority(&w.root, "CA solo liste", edits(policies(policy), usage(false, 0x02))) // cRLSign, not critical
	both := w.authority(&w.root, "CA certificati e liste", edits(policies(policy), usage(false, 0x06)))
	w.add(row, "an authority whose usage, not critical, lacks keyCertSign", trust.UntrustedIssuer, "not-an-authority", w.card(lists, nil), w.card(both, nil))
}

// names: the common name is read from the DER of one attribute, and nothing that only looks like it counts.
func (w *world) names() {
	const row = "CN regex confusion"
	cn, ou, sn := asn1.ObjectIdentifier{2, 5, 4, 3}, asn1.ObjectIdentifier{2, 5, 4, 11}, asn1.ObjectIdentifier{2, 5, 4, 5}
	utf8 := func(s string) asn1.RawValue { return asn1.RawValue{Tag: asn1.TagUTF8String, Bytes: []byte(s)} }
	at := func(id asn1.ObjectIdentifier, v string) pkix.AttributeTypeAndValue {
		return pkix.AttributeTypeAndValue{Type: id, Value: utf8(v)}
	}
	subject := func(rdns ...pkix.RelativeDistinguishedNameSET) Sample {
		return w.card(w.cns, func(c *x509.Certificate) { c.RawSubject = w.marshal(pkix.RDNSequence(rdns)) })
	}
	set := func(a ...pkix.AttributeTypeAndValue) pkix.RelativeDistinguishedNameSET { return a }
	good := subject(set(at(ou, Body)), set(at(cn, Name())))
	for name, bad := range map[string]Sample{
		"it stands in another attribute":           subject(set(at(ou, Name())), set(at(cn, "MARIO ROSSI"))),
		"its text stands in another attribute":     subject(set(at(ou, "CN="+Name())), set(at(cn, "MARIO ROSSI"))),
		"a slash in OU makes one":                  subject(set(at(ou, Body+"/CN="+Name()))),
		"it is the serialNumber's":                 subject(set(at(ou, Body)), set(at(sn, Name()))),
		"one relative name of two attributes":      subject(set(at(ou, Body), at(cn, Name()))),
		"two in one relative name":                 subject(set(at(ou, Body)), set(at(cn, Name()), at(cn, "MARIO ROSSI"))),
		"two in two relative names":                subject(set(at(cn, "MARIO ROSSI")), set(at(ou, Body)), set(at(cn, Name()))),
		"NUL after it":                             subject(set(at(ou, Body)), set(at(cn, Name()+"\x00"))),
		"NUL within it":                            subject(set(at(ou, Body)), set(at(cn, strings.Replace(Name(), "/", "\x00/", 1)))),
		"a line feed after it":                     subject(set(at(ou, Body)), set(at(cn, Name()+"\n"))),
		"a space before it":                        subject(set(at(ou, Body)), set(at(cn, " "+Name()))),
		"a type before it":                         subject(set(at(ou, Body)), set(at(cn, "CN="+Name()))),
		"lower case":                               subject(set(at(ou, Body)), set(at(cn, strings.ToLower(CF)+Name()[len(CF):]))),
		"a letter of another alphabet":             subject(set(at(ou, Body)), set(at(cn, strings.Replace(Name(), "A", "А", 1)))), // U+0410
		"digits of another alphabet":               subject(set(at(ou, Body)), set(at(cn, strings.Replace(Name(), "0", "０", 1)))),
		"two slashes":                              subject(set(at(ou, Body)), set(at(cn, CF+"/"+Name()))),
		"a card number whose Luhn digit is wrong":  subject(set(at(ou, Body)), set(at(cn, strings.Replace(Name(), string(Card), "6090000000000017", 1)))),
		"a comma and another name in the value":    subject(set(at(ou, Body)), set(at(cn, Name()+",CN=MARIO ROSSI"))),
		"no name at all in the subject":            subject(set(at(ou, Body))),
		"a hash of 19 octets":                      subject(set(at(ou, Body)), set(at(cn, CF+"/"+string(Card)+".AAAAAAAAAAAAAAAAAAAAAAAAAA=="))),
		"base64 whose last bits are not zero":      subject(set(at(ou, Body)), set(at(cn, CF+"/"+string(Card)+".AAAAAAAAAAAAAAAAAAAAAAAAAAB="))),
		"base64 for addresses":                     subject(set(at(ou, Body)), set(at(cn, CF+"/"+string(Card)+".-_AAAAAAAAAAAAAAAAAAAAAAAAA="))),
		"a Latin-1 text that is Name in its start": subject(set(at(ou, Body)), set(pkix.AttributeTypeAndValue{Type: cn, Value: asn1.RawValue{Tag: asn1.TagT61String, Bytes: []byte(Name() + "\xe8")}})),
	} {
		w.add(row, name, trust.NameMalformed, "holder-name", bad, good)
	}
	w.add(row, "a codice fiscale whose check letter is wrong", trust.CFInvalid, "holder-name",
		subject(set(at(ou, Body)), set(at(cn, strings.Replace(Name(), CF, "RSSMRA80A01H501A", 1)))),
		subject(set(at(ou, Body+"/SERVIZI")), set(at(cn, Name())))) // a slash in OU harms nobody
}

// chains: who signed it, and who may.
func (w *world) chains() {
	stranger := w.authority(nil, "Radice di nessuno", nil)
	double := w.authority(&stranger, "Regione di Prova - CA Cittadini", policies(policy))
	alone := w.authority(nil, "Radice CNS di prova", nil)
	w.add("CA with equal CN", "under another root, the real one offered too", trust.UntrustedIssuer, "bad-signature", w.card(double, nil, stranger, w.cns), w.card(w.cns, nil, double))
	w.add("CA with equal CN", "a root of the pinned one's name", trust.UntrustedIssuer, "bad-signature", w.card(alone, nil), w.card(w.root, nil))
	same := w.authority(nil, "Regione di Prova - CA Cittadini", edits(policies(policy), func(c *x509.Certificate) { c.SubjectKeyId = w.cns.cert.SubjectKeyId }))
	w.add("CA with equal CN", "with the same key identifier", trust.UntrustedIssuer, "bad-signature", w.card(same, nil, w.cns), w.card(w.cns, nil, same))

	trap := func(c *x509.Certificate) {
		c.CRLDistributionPoints, c.OCSPServer, c.IssuingCertificateURL = []string{"http://169.254.169.254/crl"}, []string{"http://169.254.169.254/ocsp"}, []string{"http://169.254.169.254/ca"}
	}
	twin := w.card(w.cns, trap)
	twin.Answers = [][]byte{w.answer(w.cns, w.cns, twin.Leaf, nil)}
	bad := w.card(stranger, trap)
	bad.Answers = [][]byte{w.answer(stranger, stranger, bad.Leaf, nil)}
	w.add("CRL-DP SSRF before trust", "addresses in a stranger's certificate", trust.UntrustedIssuer, "no-path", bad, twin)

	critical := ext(true, []byte{5, 0}, 1, 3, 6, 1, 4, 1, 99999, 1)
	quiet := ext(false, []byte{5, 0}, 1, 3, 6, 1, 4, 1, 99999, 1)
	w.add("unknown critical extension", "in the card's certificate", trust.CriticalExtension, "critical-extension", w.card(w.cns, critical), w.card(w.cns, quiet))
	w.add("unknown critical extension", "in the authority's", trust.CriticalExtension, "critical-extension",
		w.card(w.authority(&w.root, "CA con estensione", edits(policies(policy), critical)), nil),
		w.card(w.authority(&w.root, "CA con estensione", edits(policies(policy), quiet)), nil))

	// permitted builds name constraints with one directory name, which Go cannot write.
	permitted := func(tag int, n pkix.Name) edit {
		tree := asn1.RawValue{Class: 2, Tag: 4, IsCompound: true, Bytes: w.marshal(n.ToRDNSequence())}
		sub := asn1.RawValue{Tag: 16, IsCompound: true, Bytes: w.marshal(tree)}
		return ext(true, w.marshal(asn1.RawValue{Tag: 16, IsCompound: true, Bytes: w.marshal(asn1.RawValue{Class: 2, Tag: tag, IsCompound: true, Bytes: w.marshal(sub)})}), 2, 5, 29, 30)
	}
	italy, france := pkix.Name{Country: []string{"IT"}}, pkix.Name{Country: []string{"FR"}}
	w.add("name constraints", "the subject lies outside what is permitted", trust.UntrustedIssuer, "name-not-permitted",
		w.card(w.authority(&w.root, "CA limitata", edits(policies(policy), permitted(0, france))), nil),
		w.card(w.authority(&w.root, "CA limitata", edits(policies(policy), permitted(0, italy))), nil))
	w.add("name constraints", "the subject is excluded", trust.UntrustedIssuer, "name-not-permitted",
		w.card(w.authority(&w.root, "CA limitata", edits(policies(policy), permitted(1, italy))), nil),
		w.card(w.authority(&w.root, "CA limitata", edits(policies(policy), permitted(1, france))), nil))
	mail := w.authority(&w.root, "CA limitata", edits(policies(policy), func(c *x509.Certificate) { c.PermittedEmailAddresses = []string{"regione.example"} }))
	address := func(a string) edit { return func(c *x509.Certificate) { c.EmailAddresses = []string{a} } }
	w.add("name constraints", "an address of elsewhere", trust.UntrustedIssuer, "name-not-permitted", w.card(mail, address("a@altrove.example")), w.card(mail, address("a@regione.example")))
	bound := w.authority(nil, "Radice limitata", permitted(0, france))
	free := w.authority(nil, "Radice limitata a casa", permitted(0, italy))
	w.anchors = append(w.anchors, bound.cert, free.cert)
	w.add("name constraints", "those of the pinned issuer", trust.UntrustedIssuer, "name-not-permitted", w.card(bound, nil), w.card(free, nil))

	short := w.authority(&w.root, "CA senza sotto-CA", edits(policies(policy), func(c *x509.Certificate) { c.MaxPathLenZero = true }))
	below := w.authority(&short, "CA di troppo", policies(policy))
	w.add("basic constraints", "an authority below one that may have none", trust.UntrustedIssuer, "path-too-long", w.card(below, nil, short), w.card(short, nil))
	leaf := w.card(w.cns, nil)
	signer := node{leaf.Leaf, leaf.Key}
	byLeaf := w.card(signer, func(c *x509.Certificate) { c.Subject.OrganizationalUnit = []string{"ALTRO ENTE"} }, w.cns)
	w.add("basic constraints", "signed by a card", trust.UntrustedIssuer, "not-an-authority", byLeaf, leaf)
	old := w.authority(&w.root, "CA scaduta", edits(policies(policy), func(c *x509.Certificate) { c.NotAfter = w.now.AddDate(0, 0, -1) }))
	w.add("validity", "the authority has expired", trust.IssuerExpired, "expired", w.card(old, nil), w.card(w.cns, nil))
	w.add("validity", "the card has expired", trust.Expired, "expired",
		w.card(w.cns, func(c *x509.Certificate) { c.NotAfter = w.now.Add(-1e9) }), w.card(w.cns, func(c *x509.Certificate) { c.NotAfter = w.now.Add(3600e9) }))
	w.add("validity", "the card's days have not begun", trust.NotYetValid, "not-yet-valid",
		w.card(w.cns, func(c *x509.Certificate) { c.NotBefore = w.now.Add(3600e9) }), w.card(w.cns, func(c *x509.Certificate) { c.NotBefore = w.now.Add(-3600e9) }))

	// A mesh of authorities that certify each other: no way up, and no end of ways to try.
	var mesh []node
	for i := range 6 {
		mesh = append(mesh, w.authority(nil, fmt.Sprint("Maglia ", i), nil))
	}
	hostile := w.card(mesh[0], nil)
	hostile.Offered = nil
	for i, a := range mesh {
		for j, b := range mesh {
			if i != j {
				hostile.Offered = append(hostile.Offered, w.authorityWith(b.key, &a, fmt.Sprint("Maglia ", j), nil).cert)
			}
		}
	}
	w.add("hostile chains", "a mesh without a way out", trust.UntrustedIssuer, "", hostile, w.card(w.cns, nil, mesh...))
}

// policies: the policy must reach the leaf, by authorities that may give it.
func (w *world) policies() {
	const row = "policy OID on CA only"
	good := w.card(w.cns, nil)
	w.add(row, "the card has none", trust.PolicyMissing, "policy-not-accepted", w.card(w.cns, policies()), good)
	w.add(row, "the card has a signature's", trust.PolicyMissing, "policy-not-accepted", w.card(w.cns, policies(other)), w.card(w.cns, policies(other, policy)))
	w.add(row, "the card has any", trust.PolicyMissing, "policy-not-accepted", w.card(w.cns, policies("2.5.29.32.0")), good)
	w.add(row, "the card's is longer", trust.PolicyMissing, "policy-not-accepted", w.card(w.cns, policies(policy+".1")), good)
	// The OID stands in a qualifier of another policy.
	var accepted asn1.ObjectIdentifier = []int{1, 3, 76, 16, 2, 1}
	type qualifier struct {
		ID    asn1.ObjectIdentifier
		Value asn1.ObjectIdentifier
	}
	type information struct {
		ID         asn1.ObjectIdentifier
		Qualifiers []qualifier
	}
	w.add(row, "it stands in a qualifier", trust.PolicyMissing, "policy-not-accepted",
		w.card(w.cns, edits(policies(), ext(false, w.marshal([]information{{[]int{1, 3, 76, 99, 1}, []qualifier{{accepted, accepted}}}}), 2, 5, 29, 32))), good)

	const signing = "signed by a signature CA of the same TSP"
	sign := w.authority(&w.root, "Certificatore di prova - CA Firma", policies(other))
	anyone := w.authority(&w.root, "Certificatore di prova - CA Unica", policies("2.5.29.32.0"))
	silent := w.authority(&w.root, "Certificatore di prova - CA Storica", nil)
	w.add(signing, "whose policy is another", trust.PolicyMissing, "policy-not-accepted", w.card(sign, nil), w.card(anyone, nil))
	mailOnly := w.authority(&w.root, "Certificatore di prova - CA Posta", edits(policies(policy), func(c *x509.Certificate) {
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection}
	}))
	w.add(signing, "whose purpose is another", trust.WrongExtKeyUsage, "wrong-purpose", w.card(mailOnly, nil), w.card(silent, nil))
	// Pinned alone, without the root above: its sister is nobody.
	apart := w.authority(nil, "Radice di altri", nil)
	pinned, sister := w.authority(&apart, "Altra Regione - CA Cittadini", nil), w.authority(&apart, "Altra Regione - CA Firma", nil)
	w.anchors = append(w.anchors, pinned.cert)
	w.add(signing, "a sister of the pinned issuer", trust.UntrustedIssuer, "no-path", w.card(sister, nil, apart), w.card(pinned, nil, apart))
	inhibited := w.authority(&w.root, "CA senza qualsiasi", edits(policies("2.5.29.32.0"), ext(true, []byte{2, 1, 0}, 2, 5, 29, 54)))
	between := w.authority(&inhibited, "CA sotto quella", policies("2.5.29.32.0"))
	named := w.authority(&inhibited, "CA sotto quella, con nome", policies(policy))
	w.add(row, "any policy, where it is inhibited", trust.PolicyMissing, "policy-not-accepted", w.card(between, nil, inhibited), w.card(named, nil, inhibited))
	mapped := w.authority(&w.root, "CA che traduce", edits(policies(other), ext(true, w.marshal([]struct{ From, To asn1.ObjectIdentifier }{{[]int{1, 3, 76, 99, 1}, accepted}}), 2, 5, 29, 33)))
	w.add(row, "a mapping makes it of another", trust.PolicyMissing, "policy-not-accepted", w.card(mapped, nil), w.card(w.authority(&w.root, "CA che traduce", policies(policy)), nil))
}

// claims is a key that says it has another public exponent.
type claims struct{ *rsa.PrivateKey }

func (k claims) Public() crypto.PublicKey { return &rsa.PublicKey{N: k.N, E: 3} }

// keys: those of cards and of authorities.
func (w *world) keys() {
	const row = "1024-bit/e=3"
	good := w.card(w.cns, nil)
	w.add(row, "RSA of 1024 bits", trust.WeakKey, "weak-algorithm", w.cardWith(key1024(), w.cns, nil), good)
	w.add(row, "an exponent of 3", trust.WeakKey, "weak-algorithm", w.cardWith(claims{key2048()}, w.cns, nil), good)
	w.cases[len(w.cases)-1].Code = "" // the key only claims it, and no handshake ends
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	w.add(row, "not RSA", trust.WeakKey, "weak-algorithm", w.cardWith(ec, w.cns, nil), good)
	w.add(row, "an authority of 1024 bits", trust.UntrustedIssuer, "weak-algorithm",
		w.card(w.authorityWith(key1024(), &w.root, "CA debole", policies(policy)), nil), w.card(w.authorityWith(key2048(), &w.root, "CA RSA", policies(policy)), nil))
	rsaCA := w.authorityWith(key2048(), &w.root, "CA RSA", policies(policy))
	sha := func(a x509.SignatureAlgorithm) edit { return func(c *x509.Certificate) { c.SignatureAlgorithm = a } }
	w.add(row, "signed over SHA-1", trust.UntrustedIssuer, "weak-algorithm", w.card(rsaCA, sha(x509.SHA1WithRSA)), w.card(rsaCA, sha(x509.SHA256WithRSAPSS)))
}
