package ceremony

import (
	"context"
	"crypto/x509"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/pki/keys"
	"cse.example/cse/pki/profile"
	"cse.example/cse/pki/profile/lint"
	"cse.example/cse/pki/status"
)

// rootCRL makes the list of the authorities that the root has revoked.
func (t *table) rootCRL(ctx context.Context) error {
	s := t.c.RootCRL
	root, key, err := t.openSigner(ctx, "root_crl.signer", s.Signer)
	if err != nil {
		return err
	}
	entries, err := s.lines(t.now)
	if err != nil {
		return err
	}
	if err := t.after(s, root); err != nil {
		return err
	}
	l := status.List{
		Issuer: root, Number: t.now.Unix(), ThisUpdate: t.now, NextUpdate: t.now.AddDate(0, 0, s.Days), Authorities: true,
	}
	if err := t.lint(l, entries); err != nil || t.dry {
		return err
	}
	t.signer, l.Signer = key, key
	err = t.make("root_crl", status.FileRootCRL, func() ([]byte, error) { return t.write(l, entries) })
	if err != nil {
		return err
	}
	der, err := os.ReadFile(filepath.Join(t.stage, status.FileRootCRL))
	if err != nil {
		return fmt.Errorf("ceremony: %w", err)
	}
	list, err := x509.ParseRevocationList(der)
	if err == nil {
		err = list.CheckSignatureFrom(root)
	}
	if err != nil {
		return fmt.Errorf("ceremony: %s: %w", status.FileRootCRL, err)
	}
	t.script.Lists = append(t.script.Lists, madeList(status.FileRootCRL, list))
	return nil
}

// lint looks at the form of a list under a signature of nobody's.
func (t *table) lint(l status.List, entries []status.Entry) error {
	var err error
	if l.Signer, err = keys.Generate(t.env.Rand, keys.AlgorithmOf(l.Issuer.PublicKey)); err != nil {
		return err
	}
	der, err := t.write(l, entries)
	if err != nil {
		return err
	}
	if _, err := lint.RevocationList(der); err != nil {
		return words.Refuse("CSE-196").Because(err)
	}
	return nil
}

func madeList(file string, l *x509.RevocationList) MadeList {
	return MadeList{file, l.Number.String(), l.ThisUpdate.UTC(), l.NextUpdate.UTC(), len(l.RevokedCertificateEntries), digest(l.Raw)}
}

func (t *table) write(l status.List, entries []status.Entry) ([]byte, error) {
	return l.Bytes(t.env.Rand, func(yield func(status.Entry) error) error {
		for _, e := range entries {
			if err := yield(e); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *RootCRL) lines(now time.Time) ([]status.Entry, error) {
	var out []status.Entry
	for i, e := range s.Entries {
		day, err := civil.ParseISO(e.Date)
		if err != nil || day.After(civil.DayOf(now)) {
			return nil, fault(fmt.Sprintf("root_crl.entries[%d].date", i), e.Date, "… "+civil.DayOf(now).String())
		}
		since := day.Start()
		if since.After(now) {
			since = now
		}
		serial := e.Serial
		if len(serial)%2 != 0 {
			serial = "0" + serial
		}
		out = append(out, status.Entry{Serial: serial, Since: since, Reason: reasons[e.Reason]})
	}
	return out, nil
}

// after sees that the list follows the one before: a higher number, and nobody who
// was revoked is revoked no more.
func (t *table) after(s *RootCRL, root *x509.Certificate) error {
	if s.Previous == "" {
		return nil
	}
	b, err := t.input("root_crl.previous", s.Previous)
	if err != nil {
		return err
	}
	old, err := x509.ParseRevocationList(b)
	if err == nil {
		err = old.CheckSignatureFrom(root)
	}
	if err != nil {
		return fault("root_crl.previous", s.Previous, "DER, X509 CRL")
	}
	if old.Number == nil || old.Number.Cmp(big.NewInt(t.now.Unix())) >= 0 {
		return fault("root_crl.previous", old.Number, fmt.Sprintf("< %d", t.now.Unix()))
	}
	for _, o := range old.RevokedCertificateEntries {
		kept := false
		for _, e := range s.Entries {
			n, ok := new(big.Int).SetString(e.Serial, 16)
			kept = kept || ok && n.Cmp(o.SerialNumber) == 0
		}
		if !kept {
			return fault("root_crl.entries", len(s.Entries), "serial: "+profile.SerialText(o.SerialNumber))
		}
	}
	return nil
}
