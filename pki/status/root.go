package status

import (
	"bytes"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
)

// PublishRoot writes the root's list anew. Whoever stands on the one in place stands
// on it too: an authority that was revoked is revoked for ever. The number is the
// second of thisUpdate, or one more than that of the list in place, which a root kept
// off line can count without a store. life is nextUpdate - thisUpdate. The list names
// no distribution point: it is whole, and the root's own certificate, which a strict
// checker looks up too, carries none.
func PublishRoot(root *x509.Certificate, key crypto.Signer, clock civil.Clock, rand io.Reader, dir string, life time.Duration) (Published, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return Published{}, fmt.Errorf("status: %w", err)
	}
	now := clock.Now().UTC().Truncate(time.Second)
	l := List{Issuer: root, Signer: key, Number: now.Unix(), ThisUpdate: now, NextUpdate: now.Add(life), Authorities: true}
	old, err := RootList(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return Published{}, words.Refuse("CSE-930").Because(fmt.Errorf("the list in place: %w", err)) // who stands on it is not known
	}
	var entries []x509.RevocationListEntry
	if old != nil {
		if err := old.CheckSignatureFrom(root); err != nil {
			return Published{}, words.Refuse("CSE-930").Because(fmt.Errorf("the list in place: %w", err))
		}
		if now.Before(old.ThisUpdate) {
			return Published{}, words.Refuse("CSE-942").Because(fmt.Errorf("it is %s, the list in place is of %s", now.Format(time.RFC3339), old.ThisUpdate.Format(time.RFC3339)))
		}
		entries = old.RevokedCertificateEntries
		l.Number = max(l.Number, old.Number.Int64()+1)
	}
	file := filepath.Join(dir, FileRootCRL)
	n, err := l.publish(rand, file, func(yield func(Entry) error) error {
		for _, e := range entries {
			if err := yield(Entry{Serial: fmt.Sprintf("%x", e.SerialNumber.Bytes()), Since: e.RevocationTime, Reason: e.ReasonCode}); err != nil {
				return err
			}
		}
		return nil
	})
	return Published{Path: file, Number: l.Number, Entries: n, NextUpdate: l.NextUpdate}, err
}

// RootList is the root's list in the folder of the lists.
func RootList(dir string) (*x509.RevocationList, error) {
	b, err := os.ReadFile(filepath.Join(dir, FileRootCRL))
	if err != nil {
		return nil, fmt.Errorf("status: %w", err)
	}
	l, err := x509.ParseRevocationList(derOf(b))
	if err == nil && (l.Number == nil || !l.Number.IsInt64()) {
		err = errors.New("no number")
	}
	if err != nil {
		return nil, fmt.Errorf("status: %s: %w", FileRootCRL, err)
	}
	return l, nil
}

func derOf(b []byte) []byte {
	if p, _ := pem.Decode(b); p != nil {
		return p.Bytes
	}
	return b
}

// onlyAuthorities is the issuing distribution point of a root's list: no point, and
// onlyContainsCACerts (RFC 5280, 5.2.5).
var onlyAuthorities = []byte{0x30, 0x03, 0x82, 0x01, 0xff}

// ImportRoot puts in place a list of the root's that was made elsewhere, PEM or DER:
// signed by the root, whole, of now, and behind the one in place by number and date,
// of whose entries none is missing (CSE-930). The same list again is no change; skew
// is how far the other machine's clock may be ahead.
func ImportRoot(root *x509.Certificate, list []byte, clock civil.Clock, dir string, skew time.Duration) (*x509.RevocationList, error) {
	refuse := func(why string, args ...any) (*x509.RevocationList, error) {
		return nil, words.Refuse("CSE-930").Because(fmt.Errorf(why, args...))
	}
	der := derOf(list)
	l, err := x509.ParseRevocationList(der)
	if err != nil {
		return refuse("not a list: %w", err)
	}
	if err := l.CheckSignatureFrom(root); err != nil || !bytes.Equal(l.RawIssuer, root.RawSubject) {
		return refuse("not the root's: %w", errors.Join(err, errors.New("issuer "+l.Issuer.String())))
	}
	now := clock.Now()
	switch {
	case l.Number == nil || !l.Number.IsInt64():
		return refuse("it has no number")
	case l.ThisUpdate.After(now.Add(skew)):
		return refuse("it is of %s, and it is %s", l.ThisUpdate.Format(time.RFC3339), now.Format(time.RFC3339))
	case !l.NextUpdate.After(now):
		return refuse("it ended at %s", l.NextUpdate.Format(time.RFC3339))
	}
	for _, e := range l.Extensions {
		if e.Critical && !(e.Id.Equal(oidIDP) && bytes.Equal(e.Value, onlyAuthorities)) { // a delta, or the list of some authorities only
			return refuse("critical extension %s", e.Id)
		}
	}
	old, err := RootList(dir)
	if err == nil {
		if bytes.Equal(old.Raw, l.Raw) {
			return l, nil
		}
		if err := behind(l, old); err != nil {
			return refuse("%w", err)
		}
	}
	return l, placeBytes(filepath.Join(dir, FileRootCRL), l.Raw)
}

// behind tells whether l follows old.
func behind(l, old *x509.RevocationList) error {
	if l.Number.Cmp(old.Number) <= 0 || l.ThisUpdate.Before(old.ThisUpdate) {
		return fmt.Errorf("number %s of %s is not behind %s of %s", l.Number, l.ThisUpdate.Format(time.RFC3339), old.Number, old.ThisUpdate.Format(time.RFC3339))
	}
	has := map[string]bool{}
	for _, e := range l.RevokedCertificateEntries {
		has[e.SerialNumber.String()] = true
	}
	for _, e := range old.RevokedCertificateEntries {
		if !has[e.SerialNumber.String()] {
			return fmt.Errorf("certificate %x was revoked, and is not on it", e.SerialNumber)
		}
	}
	return nil
}

// placeBytes puts a file in place whole.
func placeBytes(path string, b []byte) error {
	tmp, err := temporary(filepath.Dir(path), prefixList)
	if err != nil {
		return words.Refuse("CSE-943", filepath.Base(path)).Because(err)
	}
	_, err = tmp.Write(b)
	if err = errors.Join(err, tmp.Chmod(0o644), tmp.Sync(), tmp.Close()); err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		return words.Refuse("CSE-943", filepath.Base(path)).Because(errors.Join(err, os.Remove(tmp.Name())))
	}
	return syncFolder(filepath.Dir(path))
}
