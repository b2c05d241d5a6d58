package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net/url"
	"os"
	"slices"
	"sync"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/login/door"
	"cse.example/cse/login/identity"
	"cse.example/cse/pki/crl"
	"cse.example/cse/pki/status"
)

// Trusted is an issuer of CNS cards beside our own authority: a CNS is valid on
// the whole national territory (R8, R9).
type Trusted struct {
	// Certificate is the issuing authority's (a file, PEM or DER). CRL is its
	// complete revocation list, a file that somebody else keeps fresh: while it is
	// missing or out of date the issuer's cards do not open (CSE-306). Relative
	// paths are below Data.
	Certificate string `yaml:"certificate"`
	CRL         string `yaml:"crl"`
	// OCSP is the address of its responder: asked besides the list, or alone. It is
	// written here and never taken from a card's certificate.
	OCSP string `yaml:"ocsp"`
	// Bodies are the administrations whose name may stand in the OU of a card's
	// certificate; none: any.
	Bodies []string `yaml:"bodies"`
	// Legacy admits keys of 1024 bits, if login.allow_rsa1024 does.
	Legacy bool `yaml:"legacy"`
}

// neighbour is a Trusted, read.
type neighbour struct {
	Trusted
	cert *x509.Certificate
	crl  string
	// client asks the responder; nil: the list alone.
	client *status.Client
	// told are the responders that cards' own certificates named, for an issuer of a trusted list; nil: they are not asked.
	told *toldResponders

	mu   sync.Mutex
	seen os.FileInfo
	head *x509.RevocationList // the list without its entries
	gone *crl.Index
}

// neighbours are the issuers of the trust list, and the cards of theirs that
// came to the door since this process began: the portal asks by issuer and number.
type neighbours struct {
	// all are those of login.trust; each() adds those of trusted lists.
	all []*neighbour
	// trusted is nil where no trusted list is configured.
	trusted *listed

	// post asks responders; nil: over HTTP.
	post status.Post

	mu    sync.Mutex
	cards map[string]identity.CardRef
}

// manyCards bounds what is remembered of other issuers' cards; who falls out
// logs in again.
const manyCards = 10_000

// readTrustList reads the certificates of the trust list; the lists of
// revocation are read when they are needed.
func (c *Config) readTrustList() (*neighbours, error) {
	n := &neighbours{cards: map[string]identity.CardRef{}}
	for _, t := range c.Login.Trust {
		b, err := os.ReadFile(c.under(t.Certificate))
		if err != nil {
			return nil, words.Refuse("CSE-383", "login.trust", t.Certificate, "issuer.pem").Because(err)
		}
		cert, err := x509.ParseCertificate(decoded(b))
		if err != nil || !cert.IsCA {
			return nil, words.Refuse("CSE-383", "login.trust", t.Certificate, "issuer.pem").Because(errors.Join(err, errors.New("not the certificate of an authority")))
		}
		if t.CRL == "" && t.OCSP == "" {
			return nil, words.Refuse("CSE-383", "login.trust.crl", "", "issuer.crl")
		}
		if u, err := url.Parse(t.OCSP); t.OCSP != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "") {
			return nil, words.Refuse("CSE-383", "login.trust.ocsp", t.OCSP, "http://ocsp.example.it")
		}
		x := &neighbour{Trusted: t, cert: cert}
		if t.CRL != "" {
			x.crl = c.under(t.CRL)
		}
		n.all = append(n.all, x)
	}
	return n, nil
}

// asking lets the responders of the list be asked; post is nil for HTTP.
func (n *neighbours) asking(clock civil.Clock, post status.Post) {
	n.post = post
	for _, x := range n.all {
		if x.OCSP != "" {
			x.client = status.NewClient(x.cert, x.OCSP, clock, post)
		}
	}
}

// decoded is the content of a PEM file, or the file.
func decoded(b []byte) []byte {
	if p, _ := pem.Decode(b); p != nil {
		return p.Bytes
	}
	return b
}

// certificates of the trust list.
func (n *neighbours) certificates() []*x509.Certificate {
	var out []*x509.Certificate
	for _, x := range n.each() {
		out = append(out, x.cert)
	}
	return out
}

// issuer is what the door should know of an issuer of the list.
func (n *neighbours) issuer(cert *x509.Certificate) door.Issuer {
	for _, x := range n.each() {
		if bytes.Equal(x.cert.Raw, cert.Raw) {
			return door.Issuer{Bodies: x.Bodies, Legacy: x.Legacy}
		}
	}
	return door.Issuer{}
}

// revocation answers for a card of the list, and remembers it. Where an authority
// has had several keys under one name, a leaf may not tell which of them signed
// it: then every list must be there, and one that names the leaf is enough.
func (n *neighbours) revocation(ctx context.Context, ref identity.CardRef, now time.Time) (door.CertStatus, error) {
	st, err := n.judge(ref, func(x *neighbour) (door.CertStatus, error) { return x.standing(ctx, ref, now) })
	if err == nil && st.State == door.Good {
		n.remember(ref)
	}
	return st, err
}

func (n *neighbours) judge(ref identity.CardRef, ask func(x *neighbour) (door.CertStatus, error)) (door.CertStatus, error) {
	asked := false
	for _, x := range n.each() {
		if !x.signed(ref) {
			continue
		}
		asked = true
		if st, err := ask(x); err != nil || st.State != door.Good {
			return st, err
		}
	}
	if !asked {
		return door.CertStatus{}, errors.New("trust list: no such issuer")
	}
	return door.CertStatus{State: door.Good}, nil
}

func (n *neighbours) remember(ref identity.CardRef) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for id := range n.cards {
		if len(n.cards) < manyCards {
			break
		}
		delete(n.cards, id)
	}
	n.cards[ref.Issuer+" "+ref.ID] = ref
}

// card is a card of the list that came to the door.
func (n *neighbours) card(issuer, id string) (identity.CardRef, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	ref, ok := n.cards[issuer+" "+id]
	return ref, ok
}

// same tells whether two names are one issuer's: it has one with its key, and one
// without for leaves that do not name the key.
func (n *neighbours) same(a, b string) bool {
	return a == b || slices.ContainsFunc(n.each(), func(x *neighbour) bool {
		return x.signed(identity.CardRef{Issuer: a}) && x.signed(identity.CardRef{Issuer: b})
	})
}

// signed tells whether the certificate behind ref is this issuer's. A leaf names
// its issuer and, nearly always, the issuer's key.
func (x *neighbour) signed(ref identity.CardRef) bool {
	return ref.Issuer == issuerID(x.cert.RawSubject, x.cert.SubjectKeyId) || ref.Issuer == issuerID(x.cert.RawSubject, nil)
}

// issuerID is how login names an issuer (identity.CardRef.Issuer).
func issuerID(name, key []byte) string {
	h := sha256.Sum256(append(bytes.Clone(name), key...))
	return hex.EncodeToString(h[:])
}

// standing is the stricter of the two words: the list's, and the responder's. One
// that is silent leaves it to the other; when both are, nothing opens.
func (x *neighbour) standing(ctx context.Context, ref identity.CardRef, now time.Time) (door.CertStatus, error) {
	st, listErr := x.listed(ref, now)
	client := x.client
	if client == nil {
		client = x.told.of(ref.Serial)
	}
	if client == nil || listErr == nil && st.State != door.Good {
		return st, listErr
	}
	a, err := client.Ask(ctx, ref.SerialNumber())
	if err == nil && !a.NoCheck() {
		err = x.responderGood(a, listErr)
	}
	switch {
	case err != nil && listErr == nil:
		return st, nil
	case err != nil:
		return door.CertStatus{}, errors.Join(err, listErr)
	}
	switch a.Status {
	case status.AnswerGood:
		return door.CertStatus{State: door.Good}, nil
	case status.AnswerHeld:
		return door.CertStatus{State: door.Held, At: a.At, Reason: a.Reason}, nil
	case status.AnswerRevoked:
		return door.CertStatus{State: door.Revoked, At: a.At, Reason: a.Reason}, nil
	}
	return door.CertStatus{State: door.NeverIssued}, nil
}

// responderGood: a responder's certificate that must be checked is checked in the
// list, which then has to be there.
func (x *neighbour) responderGood(a status.Answer, listErr error) error {
	if listErr != nil {
		return fmt.Errorf("trust list: %s: the responder's certificate cannot be checked: %w", x.OCSP, listErr)
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	if _, gone, err := x.gone.Find(a.Signer.SerialNumber); gone || err != nil {
		return fmt.Errorf("trust list: %s: the responder's certificate is revoked", x.OCSP)
	}
	return nil
}

var errNoList = errors.New("trust list: no list of the issuer is known, nor a responder that answers")

// listed looks the certificate up in the list, read again when the file changed.
func (x *neighbour) listed(ref identity.CardRef, now time.Time) (door.CertStatus, error) {
	if x.crl == "" {
		return door.CertStatus{}, errNoList
	}
	return x.onList(ref.SerialNumber(), now)
}

// onList looks a number up in the list.
func (x *neighbour) onList(serial *big.Int, now time.Time) (door.CertStatus, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err := x.refresh(); err != nil {
		return door.CertStatus{}, fmt.Errorf("trust list: %s: %w", x.crl, err)
	}
	if now.Before(x.head.ThisUpdate) || now.After(x.head.NextUpdate) {
		return door.CertStatus{}, fmt.Errorf("trust list: %s is good from %s to %s", x.crl, x.head.ThisUpdate, x.head.NextUpdate)
	}
	e, there, err := x.gone.Find(serial)
	switch {
	case err != nil:
		return door.CertStatus{}, fmt.Errorf("trust list: %s: %w", x.crl, err)
	case !there:
		return door.CertStatus{State: door.Good}, nil
	case e.Reason == onHold:
		return door.CertStatus{State: door.Held, At: e.Since, Reason: e.Reason}, nil
	}
	return door.CertStatus{State: door.Revoked, At: e.Since, Reason: e.Reason}, nil
}

func (x *neighbour) refresh() error {
	now, err := os.Stat(x.crl)
	if err != nil {
		return err
	}
	if x.seen != nil && x.seen.ModTime().Equal(now.ModTime()) && x.seen.Size() == now.Size() {
		return nil
	}
	head, gone, err := indexOf(x.crl, x.cert)
	if err != nil {
		return err
	}
	x.seen, x.head, x.gone = now, head, gone
	return nil
}

// indexOf reads a complete list of issuer, of any size, into 28 octets an entry.
func indexOf(file string, issuer *x509.Certificate) (_ *x509.RevocationList, _ *crl.Index, err error) {
	f, err := crl.OpenFile(file)
	if err != nil {
		return nil, nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	// Not a delta, or the list of some certificates only: silence would not be consent.
	if err := errors.Join(f.CheckSignatureFrom(issuer), f.Complete()); err != nil {
		return nil, nil, err
	}
	gone, err := f.BuildIndex(&crl.Memory{}, &crl.Memory{})
	return f.Head, gone, err
}

// onHold is CRLReason certificateHold, RFC 5280 section 5.3.1.
const onHold = crl.Hold
