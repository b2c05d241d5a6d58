// Package signature signs documents with the card, and says what a signature
// that somebody shows is worth: FEA, the advanced electronic signature (firma
// elettronica avanzata, eIDAS article 26; DPCM 22 February 2013, article 61).
//
// The forms are CAdES, PAdES and XAdES, each in its own package below. Here is
// what is common: which form a file has, whether the signer's certificate is
// believed and what its standing was at the signature and is now (pki/trust),
// which level of signature that makes, and who accepts it.
//
// It guarantees that a signature made with a CNS is called FEA and nothing
// more, that it is accepted for public administrations only and not for acts of
// a legal nature (R101 to R105), that a certificate which declares itself
// qualified is called just that ("declared", since nothing here verifies it),
// and that a signature whose instant nobody proves is not called valid once its
// certificate has ended (ETSI EN 319 102-1: no proof of existence).
package signature

import (
	"bytes"
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"fmt"
	"io"
	"slices"
	"strings"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/pki/trust"
	"cse.example/cse/signature/cades"
	"cse.example/cse/signature/pades"
	"cse.example/cse/signature/xades"
)

// Format is a form of signature.
type Format string

// The formats. CAdES is the enveloped form (.p7m), CAdESDetached the one beside
// the document (.p7s).
const (
	CAdES         Format = "cades"
	CAdESDetached Format = "cades-detached"
	PAdES         Format = "pades"
	XAdES         Format = "xades"
)

// Formats are all of them.
var Formats = []Format{CAdES, CAdESDetached, PAdES, XAdES}

// Level is what kind of electronic signature it is.
type Level string

// The levels.
const (
	FEA               Level = "FEA"
	DeclaredQualified Level = "declared-qualified"
	NotDetermined     Level = "not-determined"
)

// kindOf tells a file by its first octets: PAdES, XAdES, or CAdES for the rest.
func kindOf(b []byte) Format {
	trimmed := bytes.TrimLeft(bytes.TrimPrefix(b[:min(len(b), 4096)], []byte("\xEF\xBB\xBF")), " \t\r\n")
	switch {
	case bytes.HasPrefix(b, []byte("%PDF-")):
		return PAdES
	case bytes.HasPrefix(trimmed, []byte("<")):
		return XAdES
	}
	return CAdES
}

// Choose is the format for a file: PAdES for PDF, XAdES for XML, CAdES for all
// else; or wanted, when it fits (CSE-720).
func Choose(wanted Format, b []byte) (Format, error) {
	kind := kindOf(b)
	switch {
	case wanted == "":
		return kind, nil
	case !slices.Contains(Formats, wanted), (wanted == PAdES || wanted == XAdES) && wanted != kind:
		return "", words.Refuse("CSE-720", string(wanted))
	}
	return wanted, nil
}

// FileName is the name of the signed file beside the one given.
func (f Format) FileName(name string) string {
	switch f {
	case CAdES:
		return name + ".p7m"
	case CAdESDetached:
		return name + ".p7s"
	}
	if i := strings.LastIndexByte(name, '.'); i > 0 && !strings.ContainsAny(name[i:], `/\`) {
		return name[:i] + "-signed" + name[i:]
	}
	return name + "-signed"
}

// Signer signs with a key and its certificate.
type Signer struct {
	Key         crypto.Signer
	Certificate *x509.Certificate
	// Chain goes along for who verifies.
	Chain  []*x509.Certificate
	Clock  civil.Clock
	Random io.Reader
	// Stamp asks the configured time-stamping authority (CAdES and PAdES level T).
	Stamp cades.Stamper
}

// Wish is what may be asked of a signature.
type Wish struct {
	Format           Format // empty: by the file
	Reason, Location string
	// Appearance shows a PDF's signature on a page.
	Appearance *pades.Appearance
}

// Signed is a document with its signature, or the signature alone when detached.
type Signed struct {
	Data   []byte
	Format Format
	// Level is FEA for a card's certificate, never more (R101, R103).
	Level Level
}

// Sign signs one document. A certificate outside its days is refused before the
// card is asked for anything (CSE-728).
func (s *Signer) Sign(ctx context.Context, document []byte, w Wish) (Signed, error) {
	now := s.Clock.Now()
	c := s.Certificate
	if now.Before(c.NotBefore) || now.After(c.NotAfter) {
		return Signed{}, words.Refuse("CSE-728", civil.DayOf(c.NotBefore).Italian(), civil.DayOf(c.NotAfter).Italian())
	}
	format, err := Choose(w.Format, document)
	if err != nil {
		return Signed{}, err
	}
	out := Signed{Format: format, Level: declared(c)}
	switch format {
	case PAdES:
		out.Data, err = pades.Sign(ctx, s.Random, document, pades.Request{
			Key: s.Key, Certificate: c, Chain: s.Chain, Time: now, Stamp: s.Stamp,
			Reason: w.Reason, Location: w.Location, Appearance: w.Appearance,
		})
	case XAdES:
		out.Data, err = xades.Sign(ctx, s.Random, document, xades.Request{Key: s.Key, Certificate: c, Chain: s.Chain, Time: now})
	default:
		digest := sha256.Sum256(document)
		r := cades.Request{Key: s.Key, Certificate: c, Chain: s.Chain, Time: now, Digest: digest[:], Stamp: s.Stamp}
		if format == CAdES {
			r.Content = document
			if document == nil {
				r.Content = []byte{}
			}
		}
		out.Data, err = cades.Sign(ctx, s.Random, r)
	}
	if err != nil {
		return Signed{}, fmt.Errorf("sign: %w", err)
	}
	return out, nil
}

var oidQCStatements = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 3}

// qualified tells whether a certificate declares itself qualified (RFC 3739,
// 3.2.6; ETSI EN 319 412-5).
func qualified(c *x509.Certificate) bool {
	return slices.ContainsFunc(c.Extensions, func(e pkix.Extension) bool { return e.Id.Equal(oidQCStatements) })
}

// declared is the level that a certificate claims by itself.
func declared(c *x509.Certificate) Level {
	switch {
	case qualified(c):
		return DeclaredQualified
	case slices.ContainsFunc(c.PolicyIdentifiers, trust.PolicyCNS.Equal):
		return FEA
	}
	return NotDetermined
}
