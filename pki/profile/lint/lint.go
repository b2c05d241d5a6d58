// Package lint is the check before signing, of two parts. Certificate and
// RevocationList are zlint (Apache-2.0), with the lints of the RFCs that bind a
// CNS certificate and the community's; the CA/Browser Forum's, which speak of web
// servers, are left out. CNS is our own: what the profile of the CNS says, what
// was reserved, and what fits the card (Lints names each rule with its source).
//
// An error or a fatal finding of zlint, and every finding of ours, refuses the
// certificate; zlint's warnings and notices are reported and do not. The registry
// is filtered once. Only pki/ca imports this
// package, so that zlint's tables stay out of every other program.
package lint

import (
	"errors"
	"fmt"
	"sort"
	"strings"
	"sync"

	"github.com/zmap/zcrypto/x509"
	"github.com/zmap/zlint/v3"
	"github.com/zmap/zlint/v3/lint"
)

// ErrForm is returned when a lint found an error.
var ErrForm = errors.New("lint")

var registry = sync.OnceValues(func() (lint.Registry, error) { return filtered() })

// cards leaves out what has been asked of a card's key before (pki/ca, CheckKey),
// with the same hundred steps, and took two thirds of zlint's time.
var cards = sync.OnceValues(func() (lint.Registry, error) { return filtered("e_rsa_fermat_factorization") })

func filtered(without ...string) (lint.Registry, error) {
	r, err := lint.GlobalRegistry().Filter(lint.FilterOptions{ExcludeNames: without, IncludeSources: lint.SourceList{
		lint.RFC3279, lint.RFC5280, lint.RFC5480, lint.RFC5891, lint.RFC6960, lint.RFC8813, lint.Community,
	}})
	if err != nil {
		return nil, fmt.Errorf("lint: registry: %w", err)
	}
	return r, nil
}

// Findings are the names of lints that found something, sorted.
type Findings struct{ Errors, Warnings []string }

// Certificate runs the lints over a DER certificate. The error wraps ErrForm
// when the certificate must not be signed; the findings are complete either way.
func Certificate(der []byte) (Findings, error) { return certificate(der, registry) }

// Card is Certificate for one whose key passed ca.CheckKey.
func Card(der []byte) (Findings, error) { return certificate(der, cards) }

func certificate(der []byte, registry func() (lint.Registry, error)) (Findings, error) {
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return Findings{}, fmt.Errorf("%w: %w", ErrForm, err)
	}
	r, err := registry()
	if err != nil {
		return Findings{}, err
	}
	return judge(zlint.LintCertificateEx(c, r).Results)
}

// RevocationList runs the lints over a DER CRL.
func RevocationList(der []byte) (Findings, error) {
	l, err := x509.ParseRevocationList(der)
	if err != nil {
		return Findings{}, fmt.Errorf("%w: %w", ErrForm, err)
	}
	r, err := registry()
	if err != nil {
		return Findings{}, err
	}
	return judge(zlint.LintRevocationListEx(l, r).Results)
}

func judge(results map[string]*lint.LintResult) (Findings, error) {
	var f Findings
	for name, r := range results {
		switch r.Status {
		case lint.Error, lint.Fatal:
			f.Errors = append(f.Errors, name)
		case lint.Warn:
			f.Warnings = append(f.Warnings, name)
		}
	}
	sort.Strings(f.Errors)
	sort.Strings(f.Warnings)
	if len(f.Errors) > 0 {
		return f, fmt.Errorf("%w: %s", ErrForm, strings.Join(f.Errors, ", "))
	}
	return f, nil
}
