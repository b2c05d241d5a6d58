package status

import (
	"context"
	"crypto"
	"crypto/sha1" // #nosec -- CertIDs with SHA-1 are what most clients send; it names, it does not protect
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync/atomic"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
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
//
// Without a Follower it asks the store before every answer. With one it answers
// from what is kept while the Follower is fresh, asks the store when it is not, and
// only when the store cannot be asked does it give what was signed before, as long
// as that lasts. It never signs "good" on knowledge older than MaxStale.
type Responder struct {
	parts    ResponderParts
	issuerID string
	byHash   map[crypto.Hash]issuerHashes
	follower atomic.Pointer[Follower]
	desk     atomic.Pointer[desk]
	last     atomic.Int64 // thisUpdate of the last answer, seconds since 1970
}

// desk is a responder certificate with its key, and what was signed with it.
type desk struct {
	sig  signature
	head *Letterhead
	kept *kept
}

type issuerHashes struct{ name, key []byte }

func hashesOf(issuer *x509.Certificate) (map[crypto.Hash]issuerHashes, error) {
	bits, err := keyBits(issuer)
	if err != nil {
		return nil, err
	}
	n1, k1 := sha1.Sum(issuer.RawSubject), sha1.Sum(bits) // #nosec -- see above
	n2, k2 := sha256.Sum256(issuer.RawSubject), sha256.Sum256(bits)
	return map[crypto.Hash]issuerHashes{crypto.SHA1: {n1[:], k1[:]}, crypto.SHA256: {n2[:], k2[:]}}, nil
}

// NewResponder refuses missing parts, a certificate that the issuer did not
// delegate (OCSPSigning, RFC 6960, 4.2.2.2), and a key that is not its own.
func NewResponder(p ResponderParts) (*Responder, error) {
	if p.Issuer == nil || p.Store == nil || p.Clock == nil || p.Rand == nil {
		return nil, ErrPart
	}
	if p.Fresh == 0 {
		p.Fresh = time.Hour
	}
	names, err := hashesOf(p.Issuer)
	if err != nil {
		return nil, err
	}
	r := &Responder{parts: p, issuerID: fmt.Sprintf("%x", p.Issuer.SubjectKeyId), byHash: names}
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
	head, err := NewLetterhead(r.parts.Issuer, cert)
	if err != nil {
		return err
	}
	r.desk.Store(&desk{sig, head, newKept(head.Width, maxKept)})
	return nil
}

func (r *Responder) now() *desk { return r.desk.Load() }

// ours tells whether id names a certificate of this responder's issuer.
func (r *Responder) ours(id CertID) bool { return names(r.byHash, id) }

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
	return r.Reply(ctx, q)
}

// Reply is Answer for a request that was read.
func (r *Responder) Reply(ctx context.Context, q *Request) (Reply, error) {
	if !slices.ContainsFunc(q.CertIDs, r.ours) {
		return Reply{DER: answerUnauthorized}, nil
	}
	reply, err := r.answer(ctx, r.now(), q)
	if err != nil {
		return Reply{DER: answerInternal}, err
	}
	return reply, nil
}

func (r *Responder) answer(ctx context.Context, d *desk, q *Request) (Reply, error) {
	now := r.parts.Clock.Now()
	if len(q.CertIDs) == 1 && q.Nonce == nil && q.CertIDs[0].plain {
		s, err := r.see(ctx, d, q.CertIDs[0], now)
		if err != nil {
			return Reply{}, err
		}
		if s.named && s.standing.Known {
			return r.alone(d, q.CertIDs[0].Hash, s, now)
		}
		return r.sign(d, now, q, []Standing{s.standing})
	}
	standings := make([]Standing, len(q.CertIDs))
	for i, id := range q.CertIDs {
		if !r.ours(id) {
			continue // unknown
		}
		s, err := r.see(ctx, d, id, now)
		if err == nil && s.cutOff && !s.final() {
			err = ErrCutOff
			if len(q.CertIDs) == 1 && s.kept.has(id.Hash) && s.kept.Valid(now) {
				return d.given(&s.kept, id.Hash) // without the nonce, which RFC 9654 allows
			}
		}
		if err != nil {
			return Reply{}, err
		}
		standings[i] = s.standing
	}
	return r.sign(d, now, q, standings)
}

// ErrCutOff is returned when the store cannot be asked and nothing that was signed
// before still counts.
var ErrCutOff = errors.New("status: the records cannot be read, and no answer signed before is left")

// sight is what is known of one certificate, and how.
type sight struct {
	standing Standing
	serial   [SerialSize]byte
	named    bool // serial is there: it is no longer than ours are
	// kept is the answer kept, when held; it says standing.
	kept Record
	held bool
	// cutOff: the store cannot be asked, and what is kept is all there is.
	cutOff bool
	turn   uint64
}

// final tells that the standing cannot change any more.
func (s *sight) final() bool { return s.standing.Revoked && s.standing.Reason != Hold }

// answerWithin bounds a look into the store for one answer.
const answerWithin = 2 * time.Second

func (r *Responder) see(ctx context.Context, d *desk, id CertID, now time.Time) (sight, error) {
	s := sight{turn: d.kept.turns.Load()}
	stale := true
	if s.serial, s.named = SerialOf(id.Serial); s.named {
		s.kept, stale, s.held = d.kept.get(s.serial, true)
		s.held = s.held && !stale
	}
	if s.held {
		s.standing = s.kept.Standing()
		if f := r.follower.Load(); f != nil {
			if f.fresh(now) {
				return s, nil
			}
			if f.lost.Load() {
				s.cutOff = true
				return s, nil
			}
		}
	}
	ctx, stop := context.WithTimeout(ctx, answerWithin)
	defer stop()
	standing, err := r.parts.Store.Standing(ctx, r.issuerID, fmt.Sprintf("%x", id.Serial))
	if err != nil {
		s.cutOff = true
		if s.held {
			err = nil
		}
		return s, err
	}
	s.held = s.held && s.kept.Says(standing)
	s.standing = standing
	return s, nil
}

// alone answers for one known certificate, from what is kept if that is young.
func (r *Responder) alone(d *desk, h crypto.Hash, s sight, now time.Time) (Reply, error) {
	if s.held && s.kept.has(h) && (s.kept.Young(now) || s.cutOff && s.kept.Valid(now)) {
		reply, err := d.given(&s.kept, h)
		reply.Cacheable = !s.cutOff
		return reply, err
	}
	if s.cutOff && !s.final() {
		return Reply{}, ErrCutOff
	}
	rec := s.kept
	err := r.record(d, &rec, h, s, now)
	if err != nil {
		if s.held && s.kept.has(h) && s.kept.Valid(now) {
			return d.given(&s.kept, h) // nothing can be signed; this still counts
		}
		return Reply{}, err
	}
	d.kept.put(&rec, s.turn)
	reply, err := d.given(&rec, h)
	reply.Cacheable = true
	return reply, err
}

// record signs the answer for h: beside the other of a young record, or anew.
func (r *Responder) record(d *desk, rec *Record, h crypto.Hash, s sight, now time.Time) error {
	this, next, err := r.times(d, now, r.parts.Fresh)
	if err != nil {
		return err
	}
	if !s.held || !rec.Young(now) || len(rec.Signatures) != 2*d.head.Width {
		*rec = NewRecord(s.serial, s.standing, this, next)
	}
	return d.head.Sign(d.sig.rand, d.sig.signer, rec, h)
}

// given is the reply that a record makes.
func (d *desk) given(rec *Record, h crypto.Hash) (Reply, error) {
	der, err := d.head.AppendAnswer(make([]byte, 0, 512+len(d.head.certs)), rec, h)
	return Reply{DER: der, ThisUpdate: time.Unix(int64(rec.This), 0).UTC(), NextUpdate: time.Unix(int64(rec.Next), 0).UTC()}, err
}

// times are thisUpdate and nextUpdate of an answer signed now. Nothing is signed
// outside the responder's validity, or when the clock stands before the last
// answer; no answer outlives the responder.
func (r *Responder) times(d *desk, now time.Time, life time.Duration) (this, next time.Time, err error) {
	this = now.UTC().Truncate(time.Second)
	if this.After(d.sig.cert.NotAfter) || this.Before(d.sig.cert.NotBefore) {
		return this, next, words.Refuse("CSE-951").Because(fmt.Errorf("it is %s, the responder's certificate is valid from %s to %s",
			this.Format(time.RFC3339), d.sig.cert.NotBefore.Format(time.RFC3339), d.sig.cert.NotAfter.Format(time.RFC3339)))
	}
	if last := r.lastSigned(); this.Before(last) {
		return this, next, words.Refuse("CSE-950").Because(fmt.Errorf("it is %s, the last answer was signed at %s",
			this.Format(time.RFC3339), last.Format(time.RFC3339)))
	}
	r.raise(this)
	if next = this.Add(life); next.After(d.sig.cert.NotAfter) {
		next = d.sig.cert.NotAfter
	}
	return this, next, nil
}

// raise takes note that an answer of this time was signed.
func (r *Responder) raise(at time.Time) {
	for {
		old := r.last.Load()
		if at.Unix() <= old || r.last.CompareAndSwap(old, at.Unix()) {
			return
		}
	}
}

// lastSigned is thisUpdate of the last answer, zero for none.
func (r *Responder) lastSigned() time.Time {
	if at := r.last.Load(); at > 0 {
		return time.Unix(at, 0).UTC()
	}
	return time.Time{}
}

// sign signs an answer that is not kept: for several certificates, with a nonce,
// for a number never issued.
func (r *Responder) sign(d *desk, now time.Time, q *Request, standings []Standing) (Reply, error) {
	this, next, err := r.times(d, now, r.parts.Fresh)
	if err != nil {
		return Reply{}, err
	}
	answers := make([]single, len(standings))
	for i, s := range standings {
		answers[i] = single{q.CertIDs[i].Raw, s, this, next}
	}
	der, err := d.sig.respond(this, answers, q.Nonce)
	return Reply{DER: der, ThisUpdate: this, NextUpdate: next}, err
}

// learn takes note of a change; what was kept of the certificate is signed anew.
func (r *Responder) learn(c Change) {
	serial, ok := SerialFrom(c.Serial)
	if !ok {
		return
	}
	d := r.now()
	old, stale, ok := d.kept.get(serial, false)
	if v := c.Standing.Version; ok && (old.Version > v || old.Version == v && !stale) {
		return // what is kept, or known to have happened, is of the same move or a later one
	}
	turn := d.kept.forget(serial, c.Standing.Version)
	if ok {
		_ = r.again(d, old, c.Standing, turn) // else it stays marked, and the next question finds out why
	}
}

// again signs what old was signed for, about a standing.
func (r *Responder) again(d *desk, old Record, s Standing, turn uint64) error {
	rec, err := r.presign(d, old.Serial, s, r.parts.Fresh, old.Signed)
	if err == nil {
		d.kept.put(&rec, turn)
	}
	return err
}

// Presign signs both answers about a known certificate, to be given by others for
// as long as life says. The Letterhead is the one to write them with.
func (r *Responder) Presign(serial [SerialSize]byte, s Standing, life time.Duration) (Record, *Letterhead, error) {
	d := r.now()
	rec, err := r.presign(d, serial, s, life, bit(crypto.SHA1)|bit(crypto.SHA256))
	return rec, d.head, err
}

func (r *Responder) presign(d *desk, serial [SerialSize]byte, s Standing, life time.Duration, which uint8) (Record, error) {
	this, next, err := r.times(d, r.parts.Clock.Now(), life)
	if err != nil {
		return Record{}, err
	}
	rec := NewRecord(serial, s, this, next)
	for _, h := range []crypto.Hash{crypto.SHA1, crypto.SHA256} {
		if which&bit(h) != 0 {
			if err := d.head.Sign(d.sig.rand, d.sig.signer, &rec, h); err != nil {
				return Record{}, err
			}
		}
	}
	return rec, nil
}

// Letterhead is that of the answers signed now.
func (r *Responder) Letterhead() *Letterhead { return r.now().head }

// IssuerID is how records name the issuer.
func (r *Responder) IssuerID() string { return r.issuerID }

// Issuer is the certificate of the authority that is answered for.
func (r *Responder) Issuer() *x509.Certificate { return r.parts.Issuer }

// tend renews answers that are asked for and have lived half their life.
func (r *Responder) tend() error {
	d := r.now()
	turn := d.kept.turns.Load()
	for _, old := range d.kept.tend(r.parts.Clock.Now(), tendSlots) {
		if err := r.again(d, old, old.Standing(), turn); err != nil {
			return err
		}
	}
	return nil
}
