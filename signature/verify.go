package signature

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/pki/trust"
	"cse.example/cse/signature/cades"
	"cse.example/cse/signature/pades"
	"cse.example/cse/signature/xades"
)

// Verifier says what a signature is worth.
type Verifier struct {
	// CNS are the pinned issuers of cards, with the sources of revocation.
	CNS trust.Verifier
	// Others are authorities of other signers: a path to one of them is a path,
	// and makes nobody an FEA.
	Others []*x509.Certificate
	// Stamps are the time-stamping authorities that are believed.
	Stamps []*x509.Certificate
	Clock  civil.Clock
}

// Verify reads a signed file. content is the document of a detached signature,
// nil otherwise. The error is of the file as a whole; what is wrong with one
// signature is in its Finding.
func (v *Verifier) Verify(ctx context.Context, file, content []byte) (Report, error) {
	return v.verify(ctx, file, content, 0)
}

// maxInside is how many signed files inside one another are looked at.
const maxInside = 3

func (v *Verifier) verify(ctx context.Context, file, content []byte, depth int) (Report, error) {
	r := Report{Schema: "cse.verification/1", At: v.Clock.Now().UTC(), SHA256: fmt.Sprintf("%x", sha256.Sum256(file))}
	if len(file) == 0 {
		return r, words.Refuse("CSE-735")
	}
	var err error
	switch kindOf(file) {
	case PAdES:
		r.Format = "PAdES"
		err = v.pdf(ctx, file, &r)
	case XAdES:
		r.Format = "XAdES"
		err = v.xml(ctx, file, &r)
	default:
		r.Format = "CAdES"
		err = v.cms(ctx, file, content, &r)
	}
	if err != nil {
		return r, err
	}
	for i := range r.Signatures {
		r.Signatures[i].answer()
	}
	r.sum()
	if r.Content != nil && depth < maxInside {
		// What is not signed, or is no signature at all, is a document like another.
		if in, err := v.verify(ctx, r.Content, nil, depth+1); err == nil {
			r.Inside = &in
		}
	}
	return r, nil
}

// found is what a format says of one signature, before the certificate is asked.
type found struct {
	cert    *x509.Certificate
	offered []*x509.Certificate
	claimed time.Time
	stamp   *cades.Stamp
	stamped bool // there is one, even if it is not good
	err     error
}

func (v *Verifier) cms(ctx context.Context, file, content []byte, r *Report) error {
	m, err := cades.Parse(unarmoured(file))
	if err != nil {
		return err
	}
	r.Content = m.Content
	if m.Detached {
		if content == nil {
			return words.Refuse("CSE-727")
		}
	} else {
		content = m.Content
	}
	for _, s := range m.Signers {
		f := Finding{Form: "CAdES-" + s.Level(false)}
		if s.Level(false) == "CMS" {
			f.Form = "CMS"
		}
		v.judge(ctx, &f, found{s.Certificate, m.Certificates, s.SigningTime, s.Stamp, s.StampErr != nil, s.Check(s.Digest(content))})
		r.Signatures = append(r.Signatures, f)
	}
	return nil
}

// unarmoured takes off PEM, or the bare base64 that some mail programs leave.
func unarmoured(b []byte) []byte {
	if b[0] == 0x30 { // DER or BER
		return b
	}
	if p, _ := pem.Decode(b); p != nil {
		return p.Bytes
	}
	if der, err := base64.StdEncoding.DecodeString(string(bytes.Join(bytes.Fields(b), nil))); err == nil {
		return der
	}
	return b
}

func (v *Verifier) pdf(ctx context.Context, file []byte, r *Report) error {
	all, err := pades.Check(file)
	if err != nil {
		return err
	}
	for _, s := range all {
		if s.Stamp && s.Err == nil {
			r.DocumentStamps++
			continue
		}
		f := Finding{Form: "PDF", Field: s.Field, Reason: s.Reason, Location: s.Location, Visible: s.Visible, Later: !s.Whole}
		x := found{claimed: s.Time, err: s.Err}
		if s.Signer != nil {
			if l := s.Signer.Level(true); l != "CMS" {
				f.Form = "PAdES-" + l
			}
			x.cert, x.offered, x.stamp, x.stamped = s.Signer.Certificate, s.Message.Certificates, s.Signer.Stamp, s.Signer.StampErr != nil
			if x.claimed.IsZero() {
				x.claimed = s.Signer.SigningTime
			}
		}
		v.judge(ctx, &f, x)
		r.Signatures = append(r.Signatures, f)
	}
	return nil
}

func (v *Verifier) xml(ctx context.Context, file []byte, r *Report) error {
	all, err := xades.Check(file)
	if err != nil {
		return err
	}
	for _, s := range all {
		f := Finding{Form: "XAdES-" + s.Level()}
		if s.Level() != "B" {
			f.Form = "XMLDSIG"
		}
		v.judge(ctx, &f, found{s.Certificate, s.Certificates, s.Time, nil, false, s.Err})
		r.Signatures = append(r.Signatures, f)
	}
	return nil
}

// judge fills the finding: signer, times, standing, level, verdict.
func (v *Verifier) judge(ctx context.Context, f *Finding, x found) {
	f.Intact, f.Err, f.Level = x.err == nil, x.err, NotDetermined
	f.Verdict = Invalid
	if !x.claimed.IsZero() {
		t := x.claimed.UTC()
		f.Claimed = &t
	}
	if x.cert == nil {
		return
	}
	f.Signer = personOf(x.cert)
	f.Level = v.level(x)
	if x.err != nil {
		return
	}
	now := v.Clock.Now()
	if x.stamp != nil && v.believed(x.stamp) {
		t := x.stamp.Time.UTC()
		f.Stamped = &t
	} else if x.stamp != nil && len(f.Form) > 2 && f.Form[len(f.Form)-2:] == "-T" {
		f.Form = f.Form[:len(f.Form)-1] + "B" // a stamp of nobody known proves no time
	}
	f.StampRefused = f.Stamped == nil && (x.stamp != nil || x.stamped)
	when, proved := now, false
	switch {
	case f.Stamped != nil:
		when, proved = *f.Stamped, true
	case f.Claimed != nil:
		when = *f.Claimed
	}
	at, later := v.standing(ctx, x, when, now), v.standing(ctx, x, now, now)
	f.AtSigning, f.Now = &at, &later
	f.Verdict, f.Err = weigh(at, later, proved, when.After(now.Add(skew)))
}

// skew is how far ahead a signer's clock may be.
const skew = 10 * time.Minute

// weigh makes the verdict of an intact signature.
func weigh(at, now At, proved, ahead bool) (Verdict, error) {
	switch {
	case ahead:
		return Unproved, words.Refuse("CSE-745")
	case at.Standing == Untrusted:
		return Unproved, words.Refuse("CSE-746")
	case at.Standing == Unknown:
		return Unproved, words.Refuse("CSE-747")
	case at.Standing != Good:
		return Invalid, words.Refuse("CSE-748")
	case now.Standing == Good, proved:
		return Valid, nil
	}
	return Unproved, words.Refuse("CSE-749")
}

// level is FEA for the certificate of a card of a pinned issuer; what declares
// itself qualified is called so, and is never FEA.
func (v *Verifier) level(x found) Level {
	if qualified(x.cert) {
		return DeclaredQualified
	}
	if _, err := v.CNS.Check(x.cert, x.offered, x.cert.NotAfter); err == nil {
		return FEA
	}
	return NotDetermined
}

// standing is how the certificate stood at an instant, as far as is known now.
func (v *Verifier) standing(ctx context.Context, x found, when, now time.Time) At {
	a := At{Instant: when.UTC(), Standing: Good}
	since := func(s Standing, t time.Time) At {
		a.Standing = s
		if !t.IsZero() {
			t = t.UTC()
			a.Since = &t
		}
		return a
	}
	switch {
	case when.Before(x.cert.NotBefore):
		return since(NotYetValid, time.Time{})
	case when.After(x.cert.NotAfter):
		return since(Expired, x.cert.NotAfter)
	}
	// Revocation sources speak of now: what ended since was good then.
	var err error
	if v.level(x) == FEA {
		_, err = v.CNS.Verify(ctx, x.cert, x.offered, clamp(now, x.cert))
	} else {
		chain := v.path(x, when)
		if chain == nil {
			return since(Untrusted, time.Time{})
		}
		err = v.otherStanding(ctx, chain)
	}
	var r *trust.Refusal
	if err == nil || !errors.As(err, &r) {
		return a
	}
	switch r.Reason {
	case trust.Revoked, trust.OnHold:
		if !r.Since.IsZero() && r.Since.After(when) {
			return a
		}
		if r.Reason == trust.OnHold {
			return since(Suspended, r.Since)
		}
		return since(Revoked, r.Since)
	case trust.NotActivated:
		return since(NotActive, r.Since)
	case trust.RevocationUnproved, trust.UnknownToIssuer:
		return since(Unknown, time.Time{})
	case trust.IssuerExpired, trust.UntrustedIssuer:
		return since(Untrusted, time.Time{})
	}
	return since(Unknown, time.Time{})
}

// clamp keeps an instant inside the certificate's days.
func clamp(t time.Time, c *x509.Certificate) time.Time {
	if t.After(c.NotAfter) {
		return c.NotAfter
	}
	if t.Before(c.NotBefore) {
		return c.NotBefore
	}
	return t
}

// otherStanding asks the sources about the certificate of another authority's signer and about those above it. Of these last only
// a "revoked" counts: a list of the root's is seldom at hand.
func (v *Verifier) otherStanding(ctx context.Context, chain []*x509.Certificate) error {
	for i := len(chain) - 2; i >= 0; i-- {
		err := v.ask(ctx, chain[i], chain[i+1])
		if i == 0 || trust.ReasonOf(err) == trust.Revoked {
			return err
		}
	}
	return &trust.Refusal{Reason: trust.RevocationUnproved} // an authority's own certificate
}

func (v *Verifier) ask(ctx context.Context, leaf, issuer *x509.Certificate) error {
	one := trust.Verifier{Revocation: v.CNS.Revocation}
	return one.Standing(ctx, leaf, issuer)
}

// path is one to an authority known here, from the leaf up; nil when there is none.
func (v *Verifier) path(x found, when time.Time) []*x509.Certificate {
	return pathTo(append(append([]*x509.Certificate{}, v.Others...), v.CNS.Anchors...), x.cert, x.offered, when, trust.AnyPurpose)
}

// believed tells whether a time-stamp comes from a known authority.
func (v *Verifier) believed(s *cades.Stamp) bool {
	return pathTo(v.Stamps, s.Certificate, s.Certificates, s.Time, trust.Stamping) != nil
}

func pathTo(anchors []*x509.Certificate, leaf *x509.Certificate, offered []*x509.Certificate, when time.Time, use trust.Purpose) []*x509.Certificate {
	// qcStatements are critical in some certificates; they are understood here.
	chain, err := trust.Chain(anchors, leaf, offered, when, use, oidQCStatements)
	if err != nil {
		return nil
	}
	return chain
}

// personOf reads whom a certificate names. The codice fiscale is that of a
// card's common name, or of the serialNumber of other signers ("TINIT-…",
// "IT:…", as Italian certifiers write it).
func personOf(c *x509.Certificate) *Person {
	p := &Person{
		CommonName: c.Subject.CommonName, Issuer: c.Issuer.CommonName, Serial: fmt.Sprintf("%x", c.SerialNumber),
		NotBefore: c.NotBefore.UTC(), NotAfter: c.NotAfter.UTC(),
	}
	for _, a := range c.Subject.Names {
		s, ok := a.Value.(string)
		if !ok {
			continue
		}
		switch a.Type.String() {
		case "2.5.4.4":
			p.Surname = s
		case "2.5.4.42":
			p.Name = s
		}
	}
	for _, s := range []string{c.Subject.CommonName, c.Subject.SerialNumber} {
		for _, prefix := range []string{"TINIT-", "IT:", ""} {
			if len(s) < len(prefix)+16 || s[:len(prefix)] != prefix {
				continue
			}
			if cf, err := codicefiscale.Parse(s[len(prefix) : len(prefix)+16]); err == nil && p.CF == "" {
				p.CF = string(cf)
			}
		}
	}
	return p
}
