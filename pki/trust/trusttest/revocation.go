package trusttest

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"time"

	"golang.org/x/crypto/ocsp"

	"cse.example/cse/pki/trust"
)

var (
	oidIDP        = asn1.ObjectIdentifier{2, 5, 29, 28}
	oidDelta      = asn1.ObjectIdentifier{2, 5, 29, 27}
	oidCertIssuer = asn1.ObjectIdentifier{2, 5, 29, 29}
)

// fullName is a DistributionPointName with one address.
func fullName(address string) asn1.RawValue {
	uri := asn1.RawValue{Class: 2, Tag: 6, Bytes: []byte(address)}
	return tagged(0, tagged(0, uri))
}

func tagged(tag int, inner asn1.RawValue) asn1.RawValue {
	der, err := asn1.Marshal(inner)
	if err != nil {
		panic(err)
	}
	return asn1.RawValue{Class: 2, Tag: tag, IsCompound: true, Bytes: der}
}

func flag(tag int) asn1.RawValue { return asn1.RawValue{Class: 2, Tag: tag, Bytes: []byte{0xFF}} }

func sequence(parts ...asn1.RawValue) []byte {
	var body []byte
	for _, p := range parts {
		der, err := asn1.Marshal(p)
		if err != nil {
			panic(err)
		}
		body = append(body, der...)
	}
	der, err := asn1.Marshal(asn1.RawValue{Tag: 16, IsCompound: true, Bytes: body})
	if err != nil {
		panic(err)
	}
	return der
}

func scope(parts ...asn1.RawValue) func(*x509.RevocationList) {
	return func(l *x509.RevocationList) {
		l.ExtraExtensions = append(l.ExtraExtensions, pkix.Extension{Id: oidIDP, Critical: true, Value: sequence(parts...)})
	}
}

func (w *world) gone(c *x509.Certificate, reason int) func(*x509.RevocationList) {
	return func(l *x509.RevocationList) {
		l.RevokedCertificateEntries = append(l.RevokedCertificateEntries, x509.RevocationListEntry{
			SerialNumber: c.SerialNumber, RevocationTime: w.now.Add(-2 * time.Hour), ReasonCode: reason,
		})
	}
}

// withRoot adds the root's list, so that the authority between is proved too.
func (w *world) withRoot(s Sample, lists ...[]byte) Sample {
	s.Lists = append(lists, w.list(w.root, nil))
	return s
}

// lists: what a revocation list proves, and when it proves nothing.
func (w *world) lists() {
	const row = "expired CRL"
	card := w.card(w.cns, func(c *x509.Certificate) { c.CRLDistributionPoints = []string{"http://crl.example/1.crl"} })
	good := w.withRoot(card, w.list(w.cns, nil))
	lists := func(all ...[]byte) Sample { return w.withRoot(card, all...) }
	unproved := func(name string, all ...[]byte) {
		w.add(row, name, trust.RevocationUnproved, "revocation-unproved", lists(all...), good)
	}
	past := func(l *x509.RevocationList) {
		l.ThisUpdate, l.NextUpdate = w.now.Add(-48*time.Hour), w.now.Add(-24*time.Hour)
	}
	unproved("past its nextUpdate", w.list(w.cns, past))
	unproved("of tomorrow", w.list(w.cns, func(l *x509.RevocationList) {
		l.ThisUpdate, l.NextUpdate = w.now.Add(24*time.Hour), w.now.Add(48*time.Hour)
	}))
	double := w.authority(nil, "Regione di Prova - CA Cittadini", policies(policy))
	unproved("of an authority of the same name", w.list(double, nil))
	unproved("a critical extension of the list that nobody knows", w.list(w.cns, func(l *x509.RevocationList) {
		l.ExtraExtensions = append(l.ExtraExtensions, pkix.Extension{Id: asn1.ObjectIdentifier{1, 3, 9999}, Critical: true, Value: []byte{5, 0}})
	}))
	unproved("a critical extension of an entry that nobody knows", w.list(w.cns, func(l *x509.RevocationList) {
		w.gone(w.root.cert, 0)(l)
		l.RevokedCertificateEntries[0].ExtraExtensions = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 3, 9999}, Critical: true, Value: []byte{5, 0}}}
	}))
	unproved("a delta without its base", w.list(w.cns, func(l *x509.RevocationList) {
		l.ExtraExtensions = append(l.ExtraExtensions, pkix.Extension{Id: oidDelta, Critical: true, Value: []byte{2, 1, 1}})
	}))
	unproved("the list of another point", w.list(w.cns, scope(fullName("http://crl.example/2.crl"))))
	unproved("a list of authorities only", w.list(w.cns, scope(fullName("http://crl.example/1.crl"), flag(2))))
	unproved("a list of some reasons only", w.list(w.cns, scope(fullName("http://crl.example/1.crl"), asn1.RawValue{Class: 2, Tag: 3, Bytes: []byte{6, 0x40}})))
	part := w.list(w.cns, scope(fullName("http://crl.example/1.crl"), flag(1)))
	w.add("revocation list", "revoked", trust.Revoked, "revoked", lists(w.list(w.cns, w.gone(card.Leaf, 1))), lists(part))
	w.add("revocation list", "on hold", trust.OnHold, "on-hold", lists(w.list(w.cns, w.gone(card.Leaf, 6))), lists(w.list(w.cns, w.gone(w.root.cert, 6))))
	w.add("revocation list", "an older list that is silent is shown too", trust.Revoked, "revoked",
		lists(w.list(w.cns, func(l *x509.RevocationList) { l.ThisUpdate = w.now.Add(-2 * time.Hour) }), w.list(w.cns, w.gone(card.Leaf, 1))),
		lists(w.list(w.cns, func(l *x509.RevocationList) { l.ThisUpdate = w.now.Add(-2 * time.Hour); w.gone(card.Leaf, 6)(l) }), w.list(w.cns, nil)))
	mute := w.authority(&w.root, "CA senza liste", edits(policies(policy), func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageCertSign }))
	speak := mute
	template := *mute.cert
	template.KeyUsage |= x509.KeyUsageCRLSign
	speak.cert = &template // CreateRevocationList looks at the usage of what it is given
	able := w.authority(&w.root, "CA con liste", policies(policy))
	bySpeak, byAble := w.card(mute, nil), w.card(able, nil)
	w.add("revocation list", "of an authority that may sign none", trust.RevocationUnproved, "revocation-unproved",
		w.withRoot(bySpeak, w.list(speak, nil)), w.withRoot(byAble, w.list(able, nil)))
}

// indirect: a list by another counts only where the certificate itself says so.
func (w *world) indirect() {
	const row = "indirect CRL"
	by := w.authority(&w.root, "Liste di prova", nil)
	dirName := func(c *x509.Certificate) asn1.RawValue {
		return asn1.RawValue{Class: 2, Tag: 4, IsCompound: true, Bytes: c.RawSubject}
	}
	point := func(issuer *x509.Certificate) edit {
		parts := []asn1.RawValue{fullName("http://crl.example/i.crl")}
		if issuer != nil {
			parts = append(parts, tagged(2, dirName(issuer)))
		}
		return ext(false, sequence(asn1.RawValue{FullBytes: sequence(parts...)}), 2, 5, 29, 31)
	}
	idp := scope(fullName("http://crl.example/i.crl"), flag(4))
	entry := func(issuer *x509.Certificate, serial *x509.Certificate) func(*x509.RevocationList) {
		return func(l *x509.RevocationList) {
			idp(l)
			w.gone(serial, 1)(l)
			l.RevokedCertificateEntries[0].ExtraExtensions = []pkix.Extension{{Id: oidCertIssuer, Critical: true, Value: sequence(dirName(issuer))}}
		}
	}
	named, unnamed := w.card(w.cns, point(by.cert), by), w.card(w.cns, point(nil), by)
	good := w.withRoot(named, w.list(by, entry(w.root.cert, named.Leaf))) // the same number of another authority
	w.add(row, "the certificate names no other signer", trust.RevocationUnproved, "revocation-unproved", w.withRoot(unnamed, w.list(by, idp)), good)
	w.add(row, "the list does not say that it is indirect", trust.RevocationUnproved, "revocation-unproved", w.withRoot(named, w.list(by, scope(fullName("http://crl.example/i.crl")))), good)
	w.add(row, "it says revoked", trust.Revoked, "revoked", w.withRoot(named, w.list(by, entry(w.cns.cert, named.Leaf))), good)
	stranger := w.authority(nil, "Liste di prova", nil)
	w.add(row, "its signer is a stranger of that name", trust.RevocationUnproved, "revocation-unproved", w.withRoot(w.card(w.cns, point(by.cert), stranger), w.list(stranger, idp)), good)
	w.add(row, "its signer is itself revoked", trust.RevocationUnproved, "revocation-unproved",
		Sample{Leaf: named.Leaf, Key: named.Key, Offered: named.Offered, Lists: [][]byte{w.list(by, idp), w.list(w.root, w.gone(by.cert, 2))}}, good)
}

// answers: what an OCSP answer proves.
func (w *world) answers() {
	const row, delegated = "OCSP replay", "delegated responder w/o EKU"
	at := func(c *x509.Certificate) { c.OCSPServer = []string{"http://ocsp.example/"} }
	card, another := w.card(w.cns, at), w.card(w.cns, at)
	with := func(answer []byte) Sample {
		s := card
		s.Lists, s.Answers = [][]byte{w.list(w.root, nil)}, [][]byte{answer}
		return s
	}
	say := func(change func(*ocsp.Response)) Sample { return with(w.answer(w.cns, w.cns, card.Leaf, change)) }
	good := say(nil)
	unproved := func(row, name string, bad, twin Sample) {
		w.add(row, name, trust.RevocationUnproved, "revocation-unproved", bad, twin)
	}
	unproved(row, "past its nextUpdate", say(func(r *ocsp.Response) {
		r.ThisUpdate, r.NextUpdate = w.now.Add(-48*time.Hour), w.now.Add(-24*time.Hour)
	}), good)
	unproved(row, "old, and without nextUpdate", say(func(r *ocsp.Response) { r.ThisUpdate, r.NextUpdate = w.now.Add(-48*time.Hour), time.Time{} }),
		say(func(r *ocsp.Response) { r.NextUpdate = time.Time{} }))
	unproved(row, "of tomorrow", say(func(r *ocsp.Response) { r.ThisUpdate, r.NextUpdate = w.now.Add(24*time.Hour), w.now.Add(48*time.Hour) }), good)
	unproved(row, "about another number", with(w.answer(w.cns, w.cns, another.Leaf, nil)), good)
	double := w.authority(nil, "Regione di Prova - CA Cittadini", policies(policy))
	unproved(row, "about that number of an authority of the same name", with(w.answer(double, double, card.Leaf, nil)), good)
	w.add("OCSP", "revoked", trust.Revoked, "revoked", say(func(r *ocsp.Response) { r.Status, r.RevocationReason = ocsp.Revoked, 1 }), good)
	w.add("OCSP", "on hold", trust.OnHold, "on-hold", say(func(r *ocsp.Response) { r.Status, r.RevocationReason = ocsp.Revoked, 6 }), good)
	w.add("OCSP", "not known there", trust.UnknownToIssuer, "revocation-unproved", say(func(r *ocsp.Response) { r.Status = ocsp.Unknown }), good)
	broken := w.answer(w.cns, w.cns, card.Leaf, nil)
	broken = bytes.Clone(broken)
	broken[len(broken)-1] ^= 1
	unproved("OCSP", "a signature with one bit changed", with(broken), good)

	responder := func(by node, change edit) node {
		key := w.authority(nil, "unused", nil).key
		c := &x509.Certificate{
			Subject: pkix.Name{CommonName: "Risponditore"}, NotBefore: w.now.AddDate(0, -1, 0), NotAfter: w.now.AddDate(0, 1, 0), KeyUsage: x509.KeyUsageDigitalSignature,
			ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageOCSPSigning},
		}
		if change != nil {
			change(c)
		}
		return node{w.sign(c, key.Public(), by), key}
	}
	by := func(r node) Sample { return with(w.answer(w.cns, r, card.Leaf, nil)) }
	right := by(responder(w.cns, nil))
	uses := func(u ...x509.ExtKeyUsage) edit { return func(c *x509.Certificate) { c.ExtKeyUsage = u } }
	unproved(delegated, "without it", by(responder(w.cns, uses())), right)
	unproved(delegated, "with another", by(responder(w.cns, uses(x509.ExtKeyUsageClientAuth))), right)
	unproved(delegated, "with any purpose", by(responder(w.cns, uses(x509.ExtKeyUsageAny))), right)
	unproved(delegated, "somebody's card", by(node{another.Leaf, another.Key}), right)
	unproved(delegated, "certified by the root and not by the issuer", by(responder(w.root, nil)), right)
	unproved(delegated, "certified by one of the issuer's name", by(responder(double, nil)), right)
	unproved(delegated, "expired", by(responder(w.cns, func(c *x509.Certificate) { c.NotAfter = w.now.Add(-time.Hour) })), right)
	unproved(delegated, "with a critical extension that nobody knows", by(responder(w.cns, ext(true, []byte{5, 0}, 1, 3, 9999))), right)
	// Its own point, so that the list speaks of it and not of the card.
	own := responder(w.cns, func(c *x509.Certificate) { c.CRLDistributionPoints = []string{"http://crl.example/r.crl"} })
	list := func(gone *x509.Certificate) Sample {
		s := by(own)
		s.Lists = append(s.Lists, w.list(w.cns, func(l *x509.RevocationList) { scope(fullName("http://crl.example/r.crl"))(l); w.gone(gone, 1)(l) }))
		return s
	}
	unproved("OCSP", "a responder that is itself revoked", list(own.cert), list(another.Leaf))
}
