package status

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha1" // #nosec -- CertIDs with SHA-1 are what most clients send; it names, it does not protect
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"cse.example/cse/ground/civil"
)

// ResponderParts are what a Responder is made of; all but Fresh are required.
type ResponderParts struct {
	Issuer *x509.Certificate // whose certificates are answered for
	Cert   *x509.Certificate // the delegated responder's
	Signer crypto.Signer     // its key
	Store  Store
	Clock  civil.Clock
	Rand   io.Reader
	// Fresh is nextUpdate - thisUpdate; one hour when zero.
	Fresh time.Duration
}

// Responder answers OCSP questions about one issuer's certificates. Make one
// with NewResponder; it is safe for concurrent use.
type Responder struct {
	parts    ResponderParts
	issuerID string
	byHash   map[crypto.Hash]issuerHashes
	cache    cache

	mu  sync.RWMutex
	sig signature
}

type issuerHashes struct{ name, key []byte }

// NewResponder refuses missing parts, a certificate that the issuer did not
// delegate (OCSPSigning, RFC 6960, 4.2.2.2), and a key that is not its own.
func NewResponder(p ResponderParts) (*Responder, error) {
	if p.Issuer == nil || p.Store == nil || p.Clock == nil || p.Rand == nil {
		return nil, ErrPart
	}
	if p.Fresh == 0 {
		p.Fresh = time.Hour
	}
	bits, err := keyBits(p.Issuer)
	if err != nil {
		return nil, err
	}
	n1, k1 := sha1.Sum(p.Issuer.RawSubject), sha1.Sum(bits) // #nosec -- see above
	n2, k2 := sha256.Sum256(p.Issuer.RawSubject), sha256.Sum256(bits)
	r := &Responder{
		parts: p, issuerID: fmt.Sprintf("%x", p.Issuer.SubjectKeyId), cache: newCache(),
		byHash: map[crypto.Hash]issuerHashes{crypto.SHA1: {n1[:], k1[:]}, crypto.SHA256: {n2[:], k2[:]}},
	}
	return r, r.Use(p.Cert, p.Signer)
}

// Use puts a renewed responder certificate and key in place.
func (r *Responder) Use(cert *x509.Certificate, signer crypto.Signer) error {
	if cert == nil || signer == nil {
		return ErrPart
	}
	if err := cert.CheckSignatureFrom(r.parts.Issuer); err != nil {
		return fmt.Errorf("status: the responder's certificate: %w", err)
	}
	if len(cert.ExtKeyUsage) != 1 || cert.ExtKeyUsage[0] != x509.ExtKeyUsageOCSPSigning {
		return errors.New("status: the responder's certificate is not for OCSP signing")
	}
	if pub, ok := signer.Public().(interface{ Equal(crypto.PublicKey) bool }); !ok || !pub.Equal(cert.PublicKey) {
		return errors.New("status: the responder's key is not that of its certificate")
	}
	sig, err := newSignature(r.parts.Rand, signer, cert)
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.sig = sig
	r.cache.clear()
	return nil
}

// ours tells whether id names one of the issuer's certificates.
func (r *Responder) ours(id CertID) bool {
	h, ok := r.byHash[id.Hash]
	return ok && bytes.Equal(h.name, id.NameHash) && bytes.Equal(h.key, id.KeyHash)
}

// Reply is an answer to a request.
type Reply struct {
	DER []byte // an OCSPResponse
	// Cacheable tells that the answer may be kept until NextUpdate: signed, for
	// one known certificate, without a nonce.
	Cacheable              bool
	ThisUpdate, NextUpdate time.Time
}

// Answer answers a DER OCSPRequest. What cannot be answered gets the unsigned
// answer that RFC 6960 has for it; the error is for the log.
func (r *Responder) Answer(ctx context.Context, der []byte) (Reply, error) {
	q, err := ParseRequest(der)
	if err != nil {
		return Reply{DER: answerMalformed}, err
	}
	authorized := false
	for _, id := range q.CertIDs {
		authorized = authorized || r.ours(id)
	}
	if !authorized {
		return Reply{DER: answerUnauthorized}, nil
	}
	reply, err := r.answer(ctx, q)
	if err != nil {
		return Reply{DER: answerInternal}, err
	}
	return reply, nil
}

func (r *Responder) answer(ctx context.Context, q *Request) (Reply, error) {
	standings := make([]Standing, len(q.CertIDs))
	for i, id := range q.CertIDs {
		if !r.ours(id) {
			continue // unknown
		}
		var err error
		if standings[i], err = r.parts.Store.Standing(ctx, r.issuerID, fmt.Sprintf("%x", id.Serial)); err != nil {
			return Reply{}, err
		}
	}
	now := r.parts.Clock.Now().UTC().Truncate(time.Second)
	alone := len(q.CertIDs) == 1 && q.Nonce == nil && standings[0].Known
	if alone {
		if kept, ok := r.cache.get(q.CertIDs[0].Raw, standings[0].Version, now); ok {
			return kept, nil
		}
	}
	reply, err := r.sign(now, q, standings)
	if err == nil && alone {
		reply.Cacheable = true
		r.cache.put(q.CertIDs[0].Raw, standings[0].Version, reply)
	}
	return reply, err
}

func (r *Responder) sign(now time.Time, q *Request, standings []Standing) (Reply, error) {
	r.mu.RLock()
	sig := r.sig
	r.mu.RUnlock()
	next := now.Add(r.parts.Fresh)
	if now.After(sig.cert.NotAfter) || now.Before(sig.cert.NotBefore) {
		return Reply{}, errors.New("status: the responder's certificate is not valid now")
	}
	if next.After(sig.cert.NotAfter) {
		next = sig.cert.NotAfter
	}
	answers := make([]single, len(standings))
	for i, s := range standings {
		answers[i] = single{q.CertIDs[i].Raw, s, now, next}
	}
	der, err := sig.respond(now, answers, q.Nonce)
	return Reply{DER: der, ThisUpdate: now, NextUpdate: next}, err
}

// cache keeps signed answers under the CertID that was asked. An answer serves
// for half its life and for one Version of the standing.
type cache struct {
	mu sync.RWMutex
	m  map[string]kept
}

type kept struct {
	version int64
	reply   Reply
}

// maxKept bounds the cache at some 150 MB.
const maxKept = 200_000

func newCache() cache { return cache{m: map[string]kept{}} }

func (c *cache) get(id []byte, version int64, now time.Time) (Reply, bool) {
	c.mu.RLock()
	k, ok := c.m[string(id)]
	c.mu.RUnlock()
	half := k.reply.ThisUpdate.Add(k.reply.NextUpdate.Sub(k.reply.ThisUpdate) / 2)
	if !ok || k.version != version || now.Before(k.reply.ThisUpdate) || !now.Before(half) {
		return Reply{}, false
	}
	return k.reply, true
}

func (c *cache) put(id []byte, version int64, reply Reply) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.m) >= maxKept {
		for k := range c.m { // any one: map order is as good as chance
			delete(c.m, k)
			break
		}
	}
	c.m[string(id)] = kept{version, reply}
}

func (c *cache) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.m)
}
