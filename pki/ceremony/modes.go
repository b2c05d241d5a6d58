package ceremony

import (
	"context"
	"crypto"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/keys"
	"cse.example/cse/pki/profile"
)

// FileRequest is the request that ModeKey writes.
const FileRequest = "issuing.csr"

func (t *table) root(ctx context.Context) error {
	s := t.c.Root
	k, err := t.makeKey(ctx, "root.key", ca.FileRootKey, s.Key)
	if err != nil {
		return err
	}
	t.signer = k
	_, err = t.certify("root", ca.FileRoot, k.Public(), k.Public(), k, profile.Authority{
		Names: s.Names.profile(), NotBefore: t.now, NotAfter: t.end(s.Years),
	}, func(a profile.Authority) ([]byte, error) { return a.Root() })
	return err
}

func (t *table) key(ctx context.Context) error {
	k, err := t.makeKey(ctx, "key.key", ca.FileIssuingKey, t.c.Key.Key)
	if err != nil {
		return err
	}
	t.signer = k
	return t.make("key", FileRequest, func() ([]byte, error) {
		alg, err := requestAlgorithm(k.Public())
		if err != nil {
			return nil, err
		}
		der, err := x509.CreateCertificateRequest(t.env.Rand, &x509.CertificateRequest{Subject: t.c.Key.Names.pkix(), SignatureAlgorithm: alg}, k)
		if err != nil {
			return nil, fmt.Errorf("ceremony: request: %w", err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE REQUEST", Bytes: der}), nil
	})
}

func (t *table) issuing(ctx context.Context) error {
	s := t.c.Issuing
	root, rootKey, err := t.openSigner(ctx, "issuing.signer", s.Signer)
	if err != nil {
		return err
	}
	end := t.end(s.Years)
	if err := t.windows(root, end); err != nil {
		return err
	}
	var pub crypto.PublicKey
	if s.Key != nil {
		k, err := t.makeKey(ctx, "issuing.key", ca.FileIssuingKey, *s.Key)
		if err != nil {
			return err
		}
		pub = k.Public()
	} else if pub, err = t.requested(s); err != nil {
		return err
	}
	if same(pub, root.PublicKey) {
		return fault("issuing.request", "the root's own key", "csed ca ceremony, mode: key")
	}
	if s.Follows != nil {
		if err := t.follows(s, pub); err != nil {
			return err
		}
	}
	var policies []asn1.ObjectIdentifier
	for _, p := range s.Policies {
		o, err := oid(p)
		if err != nil {
			return err
		}
		policies = append(policies, o)
	}
	t.signer = rootKey
	details := ca.Details{Label: s.Label, IssuesFrom: s.Issues.From, IssuesTo: s.Issues.To, CRLShards: s.CRLShards}
	if err := t.make("issuing", ca.FileDetails, details.Marshal); err != nil {
		return err
	}
	_, err = t.certify("issuing", ca.FileIssuing, pub, root.PublicKey, rootKey, profile.Authority{
		Names: s.Names.profile(), NotBefore: t.now, NotAfter: end, URLs: profile.URLsFor(t.c.Addresses, s.Label), Policies: policies,
	}, func(a profile.Authority) ([]byte, error) { return a.Issuing(root) })
	return err
}

// end is years after the first day on which the ceremony may be held, so that it
// is the same whenever the ceremony is resumed.
func (t *table) end(years int) time.Time {
	first, _ := t.c.Days.dates()
	return first.AddYears(years).End()
}

// windows sees that what the authority will issue fits into its life.
func (t *table) windows(root *x509.Certificate, end time.Time) error {
	s := t.c.Issuing
	_, to := s.Issues.dates()
	if last := to.AddYears(profile.Years).End(); last.After(end) {
		return fault("issuing.years", s.Years, fmt.Sprintf("%s + %d: %s", s.Issues.To, profile.Years, civil.DayOf(last)))
	}
	if end.After(root.NotAfter) {
		return fault("issuing.years", s.Years, "… "+civil.DayOf(root.NotAfter).String())
	}
	if n := s.Names.profile(); root.Subject.CommonName == n.CommonName {
		return fault("issuing.names.common_name", n.CommonName, "≠ "+root.Subject.CommonName)
	}
	return nil
}

// follows sees that a successor is somebody else.
func (t *table) follows(s *Issuing, pub crypto.PublicKey) error {
	old, err := t.certificate("issuing.follows.certificate", s.Follows.Certificate)
	if err != nil {
		return err
	}
	if s.Names.CommonName == old.Subject.CommonName {
		return fault("issuing.names.common_name", s.Names.CommonName, "≠ "+old.Subject.CommonName)
	}
	if same(pub, old.PublicKey) {
		return fault("issuing.request", s.Request, "mode: key")
	}
	if until, err := civil.ParseISO(s.Follows.IssuesTo); err != nil || until.AddYears(profile.Years).End().After(old.NotAfter) {
		return fault("issuing.follows.issues_to", s.Follows.IssuesTo, "… "+civil.DayOf(old.NotAfter).AddYears(-profile.Years).String())
	}
	return nil
}

// requested reads the request that was made on another machine, which is the one
// that the file's approvers saw.
func (t *table) requested(s *Issuing) (crypto.PublicKey, error) {
	b, err := t.input("issuing.request", s.Request)
	if err != nil {
		return nil, err
	}
	if digest(b) != s.RequestSHA256 {
		return nil, fault("issuing.request_sha256", s.RequestSHA256, digest(b))
	}
	block, _ := pem.Decode(b)
	if block == nil || block.Type != "CERTIFICATE REQUEST" {
		return nil, fault("issuing.request", s.Request, "PEM, CERTIFICATE REQUEST")
	}
	r, err := x509.ParseCertificateRequest(block.Bytes)
	if err == nil {
		err = r.CheckSignature()
	}
	if err != nil {
		return nil, words.Refuse("CSE-919", "issuing.request", s.Request, "csed ca ceremony, mode: key").At("issuing.request").Because(err)
	}
	if keys.AlgorithmOf(r.PublicKey) == "" {
		return nil, fault("issuing.request", s.Request, keys.Algorithms())
	}
	if r.Subject.String() != s.Names.pkix().String() {
		return nil, fault("issuing.names", s.Names.pkix(), r.Subject)
	}
	return r.PublicKey, nil
}

func (t *table) responder(ctx context.Context) error {
	s := t.c.Responder
	issuing, issuingKey, err := t.openSigner(ctx, "responder.signer", s.Signer)
	if err != nil {
		return err
	}
	end := civil.DayOf(t.now).AddDays(s.Days).End()
	if end.After(issuing.NotAfter) {
		return fault("responder.days", s.Days, "… "+civil.DayOf(issuing.NotAfter).String())
	}
	k, err := t.makeKey(ctx, "responder.key", ca.FileResponderKey, s.Key)
	if err != nil {
		return err
	}
	t.signer = issuingKey
	_, err = t.certify("responder", ca.FileResponder, k.Public(), issuing.PublicKey, issuingKey, profile.Authority{
		Names: s.Names.profile(), NotBefore: t.now, NotAfter: end, URLs: profile.URLsFor(t.c.Addresses, s.Label),
	}, func(a profile.Authority) ([]byte, error) { return a.Responder(issuing) })
	return err
}

// openSigner opens certificate and key of who signs; a dry run needs no key.
func (t *table) openSigner(ctx context.Context, field string, s Signer) (*x509.Certificate, crypto.Signer, error) {
	cert, err := t.certificate(field+".certificate", s.Certificate)
	if err != nil {
		return nil, nil, err
	}
	if !cert.IsCA || cert.KeyUsage&x509.KeyUsageCertSign == 0 {
		return nil, nil, fault(field+".certificate", s.Certificate, "CA:TRUE")
	}
	if root := cert.CheckSignatureFrom(cert) == nil; root != (t.c.Mode != ModeResponder) {
		return nil, nil, fault(field+".certificate", s.Certificate, map[bool]string{true: "issuing.pem", false: "root.pem"}[root])
	}
	if t.now.Before(cert.NotBefore) || t.now.After(cert.NotAfter) {
		return nil, nil, words.Refuse("CSE-198").Because(fmt.Errorf("%s is valid from %s to %s", s.Certificate, cert.NotBefore, cert.NotAfter))
	}
	if t.dry {
		return cert, nil, nil
	}
	inside, err := keys.InToken(t.path(s.Key))
	if errors.Is(err, os.ErrNotExist) {
		err = words.Refuse("CSE-919", field+".key", s.Key, "…").At(field + ".key").Because(err)
	}
	if err != nil {
		return nil, nil, err
	}
	v, err := t.vault(ctx, field, s.Passphrases, inside, false)
	if err != nil {
		return nil, nil, err
	}
	k, err := v.Open(t.path(s.Key))
	if err != nil {
		return nil, nil, err
	}
	if !same(k.Public(), cert.PublicKey) {
		return nil, nil, fault(field+".key", s.Key, s.Certificate)
	}
	return cert, k, nil
}

// makeKey makes a key, or goes on with the one that was made before a kill.
func (t *table) makeKey(ctx context.Context, field, file string, n NewKey) (crypto.Signer, error) {
	if t.dry {
		return keys.Generate(t.env.Rand, n.Kind)
	}
	if err := t.free(file); err != nil {
		return nil, err
	}
	v, err := t.vault(ctx, field, n.Passphrases, n.Where == "token", true)
	if err != nil {
		return nil, err
	}
	path := filepath.Join(t.stage, file)
	k, err := v.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		if err := t.step("make " + file); err != nil {
			return nil, err
		}
		// The label belongs to this ceremony file: a key that has it was made by it,
		// before a kill that came before the file.
		label := file + " " + t.c.Digest()[:16]
		if v.Inside {
			k, err = v.Adopt(path, label)
		}
		if !v.Inside || words.FaultOf(err) != nil && words.FaultOf(err).Code == "CSE-918" {
			k, err = v.Make(t.env.Rand, path, n.Kind, label)
		}
	}
	if err != nil {
		return nil, err
	}
	if got := keys.AlgorithmOf(k.Public()); got != n.Kind {
		return nil, fault(field+".kind", n.Kind, got)
	}
	spki, err := x509.MarshalPKIXPublicKey(k.Public())
	if err != nil {
		return nil, fmt.Errorf("ceremony: %w", err)
	}
	t.results = append(t.results, file)
	t.script.Keys = append(t.script.Keys, MadeKey{file, n.Where, n.Kind, digest(spki)})
	return k, nil
}

// certify writes, lints, signs and keeps one certificate, or goes on with the one
// that was made before a kill.
func (t *table) certify(field, file string, pub, issuer crypto.PublicKey, signer crypto.Signer, a profile.Authority, write func(profile.Authority) ([]byte, error)) (*x509.Certificate, error) {
	var err error
	a.Key = pub
	if a.Serial, err = profile.NewSerial(t.env.Rand); err != nil {
		return nil, err
	}
	tbs, err := write(a)
	if err != nil {
		return nil, words.Refuse("CSE-196").Because(fmt.Errorf("%s: %w", field, err))
	}
	if t.dry {
		if err := ca.Lint(tbs, issuer); err != nil {
			return nil, fmt.Errorf("ceremony: %s: %w", file, err)
		}
		return nil, nil
	}
	var c *x509.Certificate
	err = t.make(field, file, func() ([]byte, error) {
		c, err := ca.Certify(t.env.Rand, signer, tbs)
		if err != nil {
			return nil, fmt.Errorf("ceremony: %s: %w", file, err)
		}
		return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}), nil
	})
	if err != nil {
		return nil, err
	}
	if c, err = readCertificate(filepath.Join(t.stage, file)); err != nil {
		return nil, fmt.Errorf("ceremony: %w", err)
	}
	by := &x509.Certificate{PublicKey: issuer}
	if err := by.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature); err != nil || !same(c.PublicKey, pub) {
		return nil, words.Refuse("CSE-921", t.out).Because(errors.Join(err, fmt.Errorf("%s is not of this ceremony", file)))
	}
	t.script.Certificates = append(t.script.Certificates, made(file, c))
	return c, nil
}

// make keeps a result in the hidden folder, or finds it there.
func (t *table) make(field, file string, f func() ([]byte, error)) error {
	if t.dry {
		_, err := f()
		return err
	}
	if err := t.free(file); err != nil {
		return err
	}
	path := filepath.Join(t.stage, file)
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		if err := t.step("make " + file); err != nil {
			return err
		}
		b, err := f()
		if err != nil {
			return err
		}
		if err := replace(path, b); err != nil {
			return err
		}
	} else if err != nil {
		return fmt.Errorf("ceremony: %s: %w", field, err)
	}
	t.results = append(t.results, file)
	return nil
}

func same(a, b crypto.PublicKey) bool {
	x, ok := a.(interface{ Equal(crypto.PublicKey) bool })
	return ok && x.Equal(b)
}
