package ca

import (
	"bytes"
	"context"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"sync"
	"time"

	"cse.example/cse/card/cns"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/lane"
	"cse.example/cse/ground/words"
	"cse.example/cse/pki/profile"
	"cse.example/cse/pki/profile/lint"
)

// Request asks for the certificate of one card.
type Request struct {
	// CF is the holder's codice fiscale, Card the 16-digit card number.
	CF, Card string
	// PersonalData is the whole of EF.Dati_Personali as the card gives it.
	PersonalData []byte
	// Key is the public key made inside the card.
	Key *rsa.PublicKey
	// Expires is the day on which the card expires.
	Expires civil.Date
}

// Result is the certificate of one request, or why there is none.
type Result struct {
	Certificate *x509.Certificate
	Err         error
}

// actSize bounds the records written in one act: enough to share one fsync,
// few enough not to keep other acts waiting.
const actSize = 128

// Issue issues one certificate, pending. See IssueBatch for many.
func (a *Authority) Issue(ctx context.Context, q Request) (*x509.Certificate, error) {
	r := a.inSlices(ctx, []Request{q})[0]
	return r.Certificate, r.Err
}

// IssueBatch issues a certificate for each request and answers in their order. It
// lets work that a person waits for go first (ground/lane).
// The requests share acts (group commit) and nothing else: one that is refused
// does not hold up the others. Certificates start pending.
func (a *Authority) IssueBatch(ctx context.Context, qs []Request) []Result {
	return a.inSlices(lane.Batch(ctx), qs)
}

// underWay is how many slices of a batch are worked on at once: while the acts of
// one are written, which is done one after the other, another is linted.
const underWay = 2

func (a *Authority) inSlices(ctx context.Context, qs []Request) []Result {
	out := make([]Result, len(qs))
	slices := make(chan int)
	var all sync.WaitGroup
	for range min(underWay, (len(qs)+actSize-1)/actSize) {
		all.Go(func() {
			for from := range slices {
				to := min(from+actSize, len(qs))
				a.issue(ctx, qs[from:to], out[from:to])
			}
		})
	}
	for from := 0; from < len(qs); from += actSize {
		slices <- from
	}
	close(slices)
	all.Wait()
	return out
}

// job is one request on its way.
type job struct {
	q      Request
	record Record
	// known is what the lints compare beside the reservation; nothing for one that
	// was reserved before.
	known known
	cert  *x509.Certificate
	err   error
}

// known is what is known of a card while its certificate is asked for.
type known struct {
	expires  civil.Date
	personal []byte
	room     int
}

func (a *Authority) issue(ctx context.Context, qs []Request, out []Result) {
	jobs := make([]job, len(qs))
	now := a.Clock.Now().UTC().Truncate(time.Second)
	if err := a.begins(ctx, now); err != nil {
		for i := range out {
			out[i].Err = err
		}
		return
	}
	a.lanes.each(ctx, jobs, func(i int, j *job) {
		j.q, j.known = qs[i], known{expires: qs[i].Expires, personal: qs[i].PersonalData}
		j.record, j.err = a.draft(j.q, now)
	})
	a.refuseShared(ctx, jobs)
	a.together(ctx, jobs, a.reserve)
	a.complete(ctx, jobs)
	for i := range jobs {
		out[i] = Result{jobs[i].cert, jobs[i].err}
	}
}

// complete takes reserved records through lint, signature and second act.
func (a *Authority) complete(ctx context.Context, jobs []job) {
	a.lanes.each(ctx, jobs, func(_ int, j *job) {
		if j.err == nil && j.record.State == Reserved {
			var by *Authority // who reserved it, which may be the one before the current
			if by, j.err = a.whose(j.record); j.err == nil {
				j.record.DER, j.err = by.sign(j.record, j.known)
			}
		}
	})
	a.together(ctx, jobs, a.finish)
	for i := range jobs {
		if j := &jobs[i]; j.err == nil {
			j.cert, j.err = j.record.Certificate()
		}
	}
}

// draft checks a request and writes what would be signed.
func (a *Authority) draft(q Request, now time.Time) (Record, error) {
	if err := CheckKey(q.Key); err != nil {
		return Record{}, words.Refuse("CSE-194").Because(err)
	}
	spki, err := x509.MarshalPKIXPublicKey(q.Key)
	if err != nil {
		return Record{}, fmt.Errorf("ca: public key: %w", err)
	}
	id, err := cns.ParseCardID(q.Card)
	if err != nil {
		return Record{}, fmt.Errorf("ca: card number: %w", err)
	}
	cn := cns.CommonName(q.CF, id, q.PersonalData)
	if _, err := cns.ParseCommonName(cn); err != nil {
		return Record{}, fmt.Errorf("ca: common name: %w", err)
	}
	serial, err := profile.NewSerial(a.Rand)
	if err != nil {
		return Record{}, err
	}
	end := profile.NotAfter(now, q.Expires, a.Issuer.NotAfter)
	tbs, err := a.Profile.TBS(a.Issuer, profile.Leaf{Serial: serial, CommonName: cn, Key: q.Key, NotBefore: now, NotAfter: end})
	if err != nil {
		return Record{}, words.Refuse("CSE-196").Because(err)
	}
	return Record{
		Serial: serial.String(), Issuer: a.id, Shard: a.Profile.Shard(serial), Card: q.Card, Person: q.CF,
		KeyHash: fmt.Sprintf("%x", sha256.Sum256(spki)), State: Reserved, TBS: tbs, NotAfter: end, ReservedAt: now, Version: 1,
	}, nil
}

// reserve is one job's share of the first act.
func (a *Authority) reserve(ctx context.Context, j job) (job, error) {
	old, err := a.Store.Find(ctx, j.record.Card, j.record.KeyHash)
	if err != nil {
		return j, err
	}
	for _, r := range old {
		switch {
		case r.Card == j.record.Card && r.KeyHash == j.record.KeyHash && r.State != Revoked:
			j.record, j.known = r, known{} // asked before: continue, or give the same again
			return j, nil
		case r.KeyHash == j.record.KeyHash:
			j.err = words.Refuse("CSE-194").Because(fmt.Errorf("the key is certified already (serial %s)", r.Serial))
			return j, nil
		case r.State != Revoked:
			j.err = words.Refuse("CSE-199", j.record.Card).Because(fmt.Errorf("serial %s is %s", r.Serial, r.State))
			return j, nil
		}
	}
	if err := a.Store.Reserve(ctx, j.record); err != nil {
		return j, err
	}
	return j, a.note(ctx, "certificate.reserved", j.record)
}

// sign lints, signs and compares.
func (a *Authority) sign(r Record, k known) ([]byte, error) {
	if err := a.lint(r, k); err != nil {
		return nil, words.Refuse("CSE-196").Because(err)
	}
	der, err := profile.Sign(a.Rand, a.Signer, r.TBS)
	if err != nil {
		return nil, err
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, fmt.Errorf("ca: what was signed: %w", err)
	}
	if !bytes.Equal(c.RawTBSCertificate, r.TBS) {
		return nil, errors.New("ca: what was signed is not what was stored")
	}
	return der, c.CheckSignatureFrom(a.Issuer)
}

// lint looks at what would be signed, under a signature that nobody can use: by
// the profile's refusals, our lints, zlint.
func (a *Authority) lint(r Record, k known) error {
	draft, err := profile.Assemble(r.TBS, a.dummy.alg, a.dummy.sig)
	if err != nil {
		return err
	}
	c, err := x509.ParseCertificate(draft)
	if err != nil {
		return err
	}
	if err := profile.Refuse(c); err != nil {
		return err
	}
	if err := lint.Fault(lint.CNS(c, lint.Expected{
		Issuer: a.Issuer, Profile: &a.Profile, Serial: r.Serial, Shard: r.Shard, KeyHash: r.KeyHash, CF: r.Person, Card: r.Card,
		NotAfter: r.NotAfter, NotBefore: r.ReservedAt, Expires: k.expires, Personal: k.personal, Room: k.room,
	})); err != nil {
		return err
	}
	_, err = lint.Card(draft)
	return err
}

// finish is one job's share of the second act.
func (a *Authority) finish(ctx context.Context, j job) (job, error) {
	if j.record.State != Reserved {
		return j, nil // it was issued before
	}
	r := j.record
	r.State, r.IssuedAt = Pending, a.Clock.Now()
	if err := a.Store.Put(ctx, r); errors.Is(err, ErrRaced) {
		// Somebody else finished it: his signature is the one that counts.
		j.record, err = a.Store.Get(ctx, r.Serial)
		return j, err
	} else if err != nil {
		return j, err
	}
	r.Version++
	j.record = r
	return j, a.note(ctx, "certificate.issued", r)
}

// together runs step over the jobs that are still well, in one act. If the act
// fails as a whole each job is tried in an act of its own, so that the failure
// falls on the one that caused it.
func (a *Authority) together(ctx context.Context, jobs []job, step func(context.Context, job) (job, error)) {
	if err := a.act(ctx, jobs, step); err == nil || len(jobs) == 1 {
		fail(jobs, err)
		return
	}
	for i := range jobs {
		one := jobs[i : i+1]
		fail(one, a.act(ctx, one, step))
	}
}

func fail(jobs []job, err error) {
	for i := range jobs {
		if err != nil && jobs[i].err == nil {
			jobs[i].err = err
		}
	}
}

// act keeps the steps' results only if the act is committed.
func (a *Authority) act(ctx context.Context, jobs []job, step func(context.Context, job) (job, error)) error {
	after := make([]job, len(jobs))
	err := a.Atomically(ctx, func(ctx context.Context) error {
		copy(after, jobs) // the act may be run again
		if err := a.may(ctx, jobs); err != nil {
			return err
		}
		for i, j := range jobs {
			if j.err != nil {
				continue
			}
			next, err := step(ctx, j)
			if err != nil {
				return err
			}
			after[i] = next
		}
		return nil
	})
	if err == nil {
		copy(jobs, after)
	}
	return err
}
