package production_test

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"strings"
	"testing"

	"cse.example/cse/card/cns"
	"cse.example/cse/demo/bureau/bureautest"
	"cse.example/cse/issuer/production/exchange"
	"cse.example/cse/pki/ca/catest"
)

// paperBureau answers the plant's files with keys nobody can use: no chip is
// made, so that a test may run the line a hundred times.
type paperBureau struct {
	w     *bureautest.World
	keys  map[string]*rsa.PublicKey
	jobs  map[string]exchange.Job
	spoil map[string]bool
	// answer edits a file before it is signed.
	answer func(h *exchange.Header, r []exchange.Record) []exchange.Record
}

func newPaperBureau(w *bureautest.World) *paperBureau {
	return &paperBureau{w: w, keys: map[string]*rsa.PublicKey{}, jobs: map[string]exchange.Job{}, spoil: map[string]bool{}}
}

func (b *paperBureau) work(t *testing.T) {
	t.Helper()
	folder := exchange.Folder(b.w.Exchange)
	orders, err := folder.List(exchange.Order)
	check(t, err)
	for _, batch := range orders {
		order := b.read(t, batch, exchange.Order)
		var keys []exchange.Record
		for _, r := range order.Items {
			keys = append(keys, b.key(t, batch, r))
		}
		if _, err := folder.Read(exchange.Name(batch, exchange.Keys)); err != nil {
			b.send(t, exchange.Keys, batch, keys)
		}
		if _, err := folder.Read(exchange.Name(batch, exchange.Certificates)); err != nil {
			continue
		}
		var receipt []exchange.Record
		for _, r := range b.read(t, batch, exchange.Certificates).Items {
			receipt = append(receipt, b.finish(t, batch, r))
		}
		b.send(t, exchange.Receipt, batch, receipt)
	}
}

func (b *paperBureau) read(t *testing.T, batch string, kind exchange.Kind) exchange.File {
	t.Helper()
	raw, err := exchange.Folder(b.w.Exchange).Read(exchange.Name(batch, kind))
	check(t, err)
	f, err := exchange.Read(raw, &b.w.Signer().PublicKey, kind, batch)
	check(t, err)
	return f
}

func (b *paperBureau) key(t *testing.T, batch string, r exchange.Record) exchange.Record {
	t.Helper()
	content, err := exchange.Open(b.w.Identity.Open, exchange.Order, batch, r.Card, r.Sealed)
	check(t, err)
	job, err := exchange.DecodeJob(content)
	check(t, err)
	if !job.Chip {
		b.jobs[r.Card] = job
		return exchange.Record{Card: r.Card}
	}
	if old, ok := b.jobs[r.Card]; !ok || !old.PIN.Equal(job.PIN) { // another order, another chip
		b.jobs[r.Card], b.keys[r.Card] = job, catest.Key(t)
	}
	der, err := x509.MarshalPKIXPublicKey(b.keys[r.Card])
	check(t, err)
	return exchange.Record{Card: r.Card, SPKI: der}
}

func (b *paperBureau) finish(t *testing.T, batch string, r exchange.Record) exchange.Record {
	t.Helper()
	out := exchange.Record{Card: r.Card, Outcome: exchange.Made}
	if b.spoil[r.Card] || r.Refused != "" {
		out.Outcome = exchange.Spoiled
		return out
	}
	if b.jobs[r.Card].Chip {
		der, err := exchange.Open(b.w.Identity.Open, exchange.Certificates, batch, r.Card, r.Sealed)
		check(t, err)
		c, err := x509.ParseCertificate(der)
		check(t, err)
		if !b.keys[r.Card].Equal(c.PublicKey) {
			t.Errorf("card %s: the certificate is for another key", r.Card)
		}
		name, err := cns.ParseCommonName(c.Subject.CommonName)
		check(t, err)
		if string(name.ID) != r.Card || !strings.Contains(string(b.jobs[r.Card].Faces), name.CF) {
			t.Errorf("card %s: certificate of %s", r.Card, name.ID)
		}
	}
	return out
}

func (b *paperBureau) send(t *testing.T, kind exchange.Kind, batch string, records []exchange.Record) {
	t.Helper()
	h := exchange.Header{Kind: kind, Batch: batch, Created: b.w.Clock.Now()}
	if b.answer != nil {
		records = b.answer(&h, records)
	}
	body, err := exchange.Body(h, records)
	check(t, err)
	sig, err := exchange.Sign(rand.Reader, b.w.Identity.Signer, body)
	check(t, err)
	check(t, exchange.Folder(b.w.Exchange).Write(exchange.Name(batch, kind), exchange.Join(body, sig)))
}
