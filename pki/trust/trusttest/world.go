// Package trusttest makes certificates, lists and OCSP answers that must be
// refused, one for each known way in which a verifier of client certificates has
// let somebody in (spec login.md 8.1, X.509), each with its twin: the same thing
// without the one fault, which must be accepted.
//
// pki/trust, `cse verify certificate` and the card's door are held against them;
// a refusal must be for the case's reason, not for any.
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
	"math/big"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ocsp"

	"cse.example/cse/card/cns"
	"cse.example/cse/pki/trust"
)

// Sample is what a stranger sends, and what is at hand about it.
type Sample struct {
	Leaf    *x509.Certificate
	Key     crypto.Signer
	Offered []*x509.Certificate
	// Lists and Answers are DER; with neither, revocation is not asked about.
	Lists, Answers [][]byte
}

// Case is one fault.
type Case struct {
	// Row is the row of login.md 8.1, Name what is done.
	Row, Name string
	Bad, Twin Sample
	Want      trust.Reason
	// Path is the reason that `cse verify certificate --purpose cns --json` names, Exit its status.
	Path string
	Exit int
	// Code is what the card's door says; empty where no handshake can show it.
	Code string
}

// Holder's data in every certificate; nobody is called so.
const (
	CF     = "RSSMRA80A01H501U"
	Card   = cns.CardID("6090000000000016")
	Body   = "REGIONE DI PROVA"
	policy = "1.3.76.16.2.1"
	other  = "1.3.76.99.1" // an authority's policy for signatures
)

type node struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// world has the authorities; anchors are pinned.
type world struct {
	t       testing.TB
	now     time.Time
	root    node // pinned
	cns     node // certified by root, for CNS cards
	anchors []*x509.Certificate
	cases   []Case
	serial  int64
}

// Make gives the pinned issuers and the cases at an instant.
func Make(t testing.TB, now time.Time) (anchors []*x509.Certificate, cases []Case) {
	t.Helper()
	w := &world{t: t, now: now.UTC().Truncate(time.Second), serial: 1000}
	w.root = w.authority(nil, "Radice CNS di prova", nil)
	w.cns = w.authority(&w.root, "Regione di Prova - CA Cittadini", policies(policy))
	w.anchors = append(w.anchors, w.root.cert)
	w.usages()
	w.names()
	w.chains()
	w.policies()
	w.keys()
	w.lists()
	w.indirect()
	w.answers()
	return w.anchors, w.cases
}

type edit = func(*x509.Certificate)

func edits(all ...edit) edit {
	return func(c *x509.Certificate) {
		for _, f := range all {
			if f != nil {
				f(c)
			}
		}
	}
}

func policies(oids ...string) edit {
	return func(c *x509.Certificate) {
		c.Policies = nil
		for _, s := range oids {
			c.Policies = append(c.Policies, oid(s))
		}
	}
}

func oid(s string) x509.OID {
	o, err := x509.ParseOID(s)
	if err != nil {
		panic(err)
	}
	return o
}

func ext(critical bool, value []byte, id ...int) edit {
	return func(c *x509.Certificate) {
		c.ExtraExtensions = append(c.ExtraExtensions, pkix.Extension{Id: id, Critical: critical, Value: value})
	}
}

func (w *world) marshal(v any) []byte {
	w.t.Helper()
	der, err := asn1.Marshal(v)
	if err != nil {
		w.t.Fatal(err)
	}
	return der
}

func (w *world) authority(by *node, name string, change edit) node {
	w.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.authorityWith(key, by, name, change)
}

func (w *world) authorityWith(key crypto.Signer, by *node, name string, change edit) node {
	w.t.Helper()
	c := &x509.Certificate{
		Subject:   pkix.Name{CommonName: name, Organization: []string{"Certificatore di prova"}, Country: []string{"IT"}},
		NotBefore: w.now.AddDate(-5, 0, 0), NotAfter: w.now.AddDate(15, 0, 0), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	if change != nil {
		change(c)
	}
	if by == nil {
		by = &node{c, key}
	}
	return node{w.sign(c, key.Public(), *by), key}
}

func (w *world) sign(c *x509.Certificate, pub crypto.PublicKey, by node) *x509.Certificate {
	w.t.Helper()
	w.serial++
	if c.SerialNumber == nil {
		c.SerialNumber = big.NewInt(w.serial)
	}
	der, err := x509.CreateCertificate(rand.Reader, c, by.cert, pub, by.key)
	if err != nil {
		w.t.Fatal(err)
	}
	out, err := x509.ParseCertificate(der)
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

// key2048 is every card's key.
var key2048 = sync.OnceValue(func() *rsa.PrivateKey { return generate(2048) })

var key1024 = sync.OnceValue(func() *rsa.PrivateKey { return generate(1024) })

func generate(bits int) *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return k
}

// Name is the common name of the holder's certificate.
func Name() string { return cns.CommonName(CF, Card, []byte("personal data")) }

func (w *world) template() *x509.Certificate {
	return &x509.Certificate{
		Subject:   pkix.Name{CommonName: Name(), OrganizationalUnit: []string{Body}, Country: []string{"IT"}},
		NotBefore: w.now.AddDate(0, -1, 0), NotAfter: w.now.AddDate(5, 0, 0), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, Policies: []x509.OID{oid(policy)},
	}
}

// card is a CNS certificate by an authority, changed.
func (w *world) card(by node, change edit, offered ...node) Sample {
	w.t.Helper()
	return w.cardWith(key2048(), by, change, offered...)
}

func (w *world) cardWith(key crypto.Signer, by node, change edit, offered ...node) Sample {
	w.t.Helper()
	c := w.template()
	if change != nil {
		change(c)
	}
	s := Sample{Leaf: w.sign(c, key.Public(), by), Key: key}
	for _, o := range append([]node{by}, offered...) {
		s.Offered = append(s.Offered, o.cert)
	}
	return s
}

// exits are those of cse.
const (
	exitExpired = 10
	exitRevoked = 11
	exitOther   = 12
)

var codes = map[trust.Reason]string{
	trust.UntrustedIssuer: "CSE-308", trust.IssuerExpired: "CSE-308", trust.CriticalExtension: "CSE-308", trust.WrongKeyUsage: "CSE-310",
	trust.WrongExtKeyUsage: "CSE-310", trust.PolicyMissing: "CSE-309", trust.WeakKey: "CSE-313", trust.NameMalformed: "CSE-311",
	trust.CFInvalid: "CSE-311", trust.Expired: "CSE-301", trust.NotYetValid: "CSE-307",
}

func (w *world) add(row, name string, want trust.Reason, path string, bad, twin Sample) {
	c := Case{Row: row, Name: name, Bad: bad, Twin: twin, Want: want, Path: path, Exit: exitOther, Code: codes[want]}
	switch path {
	case "expired":
		c.Exit = exitExpired
	case "revoked", "on-hold":
		c.Exit = exitRevoked
	}
	w.cases = append(w.cases, c)
}

// list is a revocation list by an authority.
func (w *world) list(by node, change func(*x509.RevocationList)) []byte {
	w.t.Helper()
	w.serial++
	l := &x509.RevocationList{Number: big.NewInt(w.serial), ThisUpdate: w.now.Add(-time.Hour), NextUpdate: w.now.Add(time.Hour)}
	if change != nil {
		change(l)
	}
	der, err := x509.CreateRevocationList(rand.Reader, l, by.cert, by.key)
	if err != nil {
		w.t.Fatal(err)
	}
	return der
}

// answer is an OCSP answer by issuer, or by a responder that shows its certificate.
func (w *world) answer(issuer, by node, leaf *x509.Certificate, change func(*ocsp.Response)) []byte {
	w.t.Helper()
	r := ocsp.Response{
		Status: ocsp.Good, SerialNumber: leaf.SerialNumber, ThisUpdate: w.now.Add(-time.Minute), NextUpdate: w.now.Add(time.Hour), RevokedAt: w.now.Add(-time.Hour),
	}
	if by.cert != issuer.cert {
		r.Certificate = by.cert
	}
	if change != nil {
		change(&r)
	}
	der, err := ocsp.CreateResponse(issuer.cert, by.cert, r, by.key)
	if err != nil {
		w.t.Fatal(err)
	}
	return der
}
