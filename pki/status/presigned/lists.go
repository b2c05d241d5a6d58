package presigned

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"slices"
	"time"

	"cse.example/cse/pki/crl"
	"cse.example/cse/pki/status"
)

// list is a revocation list that is served.
type list struct {
	r          io.ReaderAt
	size       int64
	number     *big.Int
	this, next time.Time
	tag        string
}

// takeList takes a list that is whole and signed by one of the authorities whose
// certificates are served.
func (t *Tier) takeList(next *shown, path, name string) error {
	f, size, sum, err := t.copyOf(path)
	if err != nil {
		return err
	}
	l, err := crl.Open(f, size)
	if err != nil {
		return errors.Join(damaged(path, "%w", err), f.Close())
	}
	if err := next.signed(l); err != nil {
		return errors.Join(damaged(path, "%w", err), f.Close())
	}
	fresh := &list{r: f, size: size, number: l.Head.Number, this: l.Head.ThisUpdate, next: l.Head.NextUpdate, tag: `"` + sum + `"`}
	if fresh.number == nil || fresh.next.IsZero() {
		return errors.Join(damaged(path, "no number or no nextUpdate"), f.Close())
	}
	if old := next.lists[name]; old != nil && fresh.number.Cmp(old.number) < 0 {
		return errors.Join(errOlder, f.Close())
	}
	next.lists[name] = fresh
	return nil
}

// signed tells why none of the authorities signed l.
func (s *shown) signed(l *crl.List) error {
	err := errors.New("its issuer's certificate is not in the folder")
	for _, c := range s.certs {
		if bytes.Equal(c.RawSubject, l.Head.RawIssuer) {
			if err = l.CheckSignatureFrom(c.Certificate); err == nil {
				return nil
			}
		}
	}
	return err
}

// serve gives the list while it is in date.
func (l *list) serve(w http.ResponseWriter, r *http.Request, now time.Time) {
	if !now.Before(l.next) || now.Before(l.this) {
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Retry-After", "60")
		http.Error(w, fmt.Sprintf("the list was to be replaced by %s; no newer one has come", rfc(l.next)), http.StatusServiceUnavailable)
		return
	}
	w.Header().Set("Content-Type", "application/pkix-crl")
	w.Header().Set("Cache-Control", "max-age=60, public, no-transform, must-revalidate")
	w.Header().Set("ETag", l.tag)
	http.ServeContent(w, r, "", l.this, io.NewSectionReader(l.r, 0, l.size))
}

func (c *cert) serve(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/pkix-cert")
	w.Header().Set("Cache-Control", "max-age=86400, public")
	w.Header().Set("ETag", c.tag)
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(c.Raw))
}

// sampled is how many signatures Check verifies.
const sampled = 16

// Check verifies that the file's responders are delegates of its authority, and
// that a sample of its answers, first and last among them, is signed by them. The
// sum has shown that the file is whole, not who wrote it; what a client is given
// it verifies itself.
func (f *File) Check() error {
	for _, h := range f.heads {
		c := h.Cert
		if err := c.CheckSignatureFrom(f.Issuing); err != nil || !slices.Contains(c.ExtKeyUsage, x509.ExtKeyUsageOCSPSigning) {
			return fmt.Errorf("presigned: responder %x is no delegate of its authority: %w", c.SerialNumber, errors.Join(err, errOther))
		}
	}
	size := status.RecordSize(f.Width)
	for i := range min(sampled, f.Records) {
		n := 0
		if f.Records > 1 {
			n = i * (f.Records - 1) / max(1, min(sampled, f.Records)-1)
		}
		b := make([]byte, size)
		if _, err := f.r.ReadAt(b, f.offset(n)); err != nil {
			return fmt.Errorf("presigned: %w", err)
		}
		var r status.Record
		r.Read(b)
		if int(r.Head) >= len(f.heads) {
			return fmt.Errorf("%w: the record of %x has no responder", ErrDamaged, r.Serial)
		}
		if err := f.Head(&r).Verify(&r); err != nil {
			return fmt.Errorf("presigned: the answer about %x: %w", r.Serial, err)
		}
	}
	return nil
}
