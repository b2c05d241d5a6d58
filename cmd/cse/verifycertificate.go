package main

import (
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cse.example/cse/ground/words"
	"cse.example/cse/pki/trust/path"
)

// pathWish is what the flags of cse verify certificate say.
type pathWish struct {
	intermediates, anchors, crls, answers, policies []string
	at, purpose                                     string
	explicit, noMapping, noAny                      bool
}

// pathAnswer is the JSON document of cse verify certificate.
type pathAnswer struct {
	Schema string `json:"schema"` // cse.path/1
	Valid  bool   `json:"valid"`
	// Reason is why not, one of the reasons of package path; absent when valid.
	Reason path.Reason `json:"reason,omitempty"`
	// Index is the certificate concerned: 0 the leaf, 1 its issuer, and so on; absent when it is none.
	Index *int `json:"index,omitempty"`
	// Code is the reason code of a revocation (RFC 5280, 5.3.1).
	Code    *int       `json:"revocation_reason,omitempty"`
	Detail  string     `json:"detail,omitempty"`
	At      time.Time  `json:"at"`
	Purpose string     `json:"purpose"`
	Path    []pathLink `json:"path,omitempty"`
	// Policies are those for which the path is valid; any stands for itself.
	Policies []string `json:"policies,omitempty"`
	// Weak names old algorithms in the path: SHA-1, DSA.
	Weak []string `json:"weak,omitempty"`
	// Revocation tells whether revocation was checked at all.
	Revocation bool `json:"revocation_checked"`
}

type pathLink struct {
	SHA256   string    `json:"sha256"`
	Serial   string    `json:"serial"`
	NotAfter time.Time `json:"not_after"`
	// Proved is what spoke for it: crl or ocsp.
	Proved string `json:"proved_by,omitempty"`
}

// verifyCertificateCommand judges a certificate by RFC 5280. No card and no network are needed.
func (a *app) verifyCertificateCommand() *cobra.Command {
	var w pathWish
	c := a.command("certificate LEAF", "verify.certificate", []string{"certificato"}, 1, func(_ context.Context, args []string) error {
		return a.verifyCertificate(args[0], w)
	})
	f := c.Flags()
	f.StringArrayVar(&w.intermediates, "intermediates", nil, a.say("flag.intermediates"))
	f.StringArrayVar(&w.anchors, "anchors", nil, a.say("flag.anchors"))
	f.StringArrayVar(&w.crls, "crls", nil, a.say("flag.crls"))
	f.StringArrayVar(&w.answers, "ocsp", nil, a.say("flag.ocsp"))
	f.StringArrayVar(&w.policies, "policy", nil, a.say("flag.policy"))
	f.StringVar(&w.at, "at", "", a.say("flag.at"))
	f.StringVar(&w.purpose, "purpose", string(path.AnyPurpose), a.say("flag.purpose"))
	f.BoolVar(&w.explicit, "explicit-policy", false, a.say("flag.explicit-policy"))
	f.BoolVar(&w.noMapping, "inhibit-mapping", false, a.say("flag.inhibit-mapping"))
	f.BoolVar(&w.noAny, "inhibit-any", false, a.say("flag.inhibit-any"))
	return c
}

// readAll reads what every file holds.
func readAll[T any](names []string, parse func([]byte) ([]T, error)) ([]T, error) {
	var all []T
	for _, name := range names {
		b, err := readFile(name)
		if err != nil {
			return nil, err
		}
		some, err := parse(b)
		if err != nil {
			return nil, words.Refuse("CSE-913", name).Because(err)
		}
		all = append(all, some...)
	}
	return all, nil
}

// options gives the inputs of the validation; a policy that is asked for must be there.
func (w pathWish) options() (path.Options, error) {
	o := path.Options{
		At: time.Now(), Purpose: path.Purpose(w.purpose), Policies: w.policies, ExplicitPolicy: w.explicit || len(w.policies) > 0,
		InhibitMapping: w.noMapping, InhibitAny: w.noAny,
	}
	switch o.Purpose {
	case path.AnyPurpose:
		o.Legacy = true // what RFC 5280 allows; the answer names it
	case path.Client:
		o.MinRSA = 2048
	case cnsPurpose:
		o = w.asDoor(o)
	default:
		return o, usage("--purpose " + w.purpose)
	}
	for _, p := range w.policies {
		if strings.Trim(p, "0123456789.") != "" || !strings.Contains(p, ".") {
			return o, usage("--policy " + p)
		}
	}
	if w.at == "" {
		return o, nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", time.DateTime, time.DateOnly} {
		if t, err := time.Parse(layout, w.at); err == nil {
			o.At = t
			return o, nil
		}
	}
	return o, usage("--at " + w.at)
}

func (a *app) verifyCertificate(name string, w pathWish) error {
	o, err := w.options()
	if err != nil {
		return err
	}
	if len(w.anchors) == 0 {
		return usage("--anchors …")
	}
	anchors, err := readAll(w.anchors, path.ParseAll)
	if err != nil {
		return err
	}
	pool, err := readAll(w.intermediates, path.ParseAll)
	if err != nil {
		return err
	}
	evidence := &path.Evidence{}
	if evidence.Lists, err = readAll(w.crls, path.ParseLists); err != nil {
		return err
	}
	if evidence.Answers, err = readAll(w.answers, func(b []byte) ([]*path.Answer, error) {
		one, err := path.ParseAnswer(b)
		return []*path.Answer{one}, err
	}); err != nil {
		return err
	}
	if len(w.crls)+len(w.answers) > 0 {
		o.Revocation = evidence
	}
	b, err := readFile(name)
	if err != nil {
		return err
	}
	leaf, err := path.ParseAll(b)
	var r *path.Result
	if err == nil {
		r, err = path.Build(leaf[0], slices.Concat(leaf[1:], pool), anchors, o)
	}
	if err == nil && w.purpose == cnsPurpose {
		err = form(leaf[0], w.policies, o.At)
	}
	answer := pathAnswer{Schema: "cse.path/1", Valid: err == nil, At: o.At.UTC().Truncate(time.Second), Purpose: w.purpose, Revocation: o.Revocation != nil}
	answer.fill(r, err)
	if err := a.emit(answer, func(out io.Writer) { a.tellPath(out, answer, r) }); err != nil {
		return err
	}
	switch answer.Reason {
	case "":
		return nil
	case path.Expired:
		return words.Refuse("CSE-910").Because(err)
	case path.Revoked, path.OnHold:
		return words.Refuse("CSE-911").Because(err)
	}
	return words.Refuse("CSE-912", a.say("path."+string(answer.Reason))).Because(err)
}

func (p *pathAnswer) fill(r *path.Result, err error) {
	var refusal *path.Refusal
	if errors.As(err, &refusal) {
		p.Reason = refusal.Reason
		if refusal.Index >= 0 {
			p.Index = &refusal.Index
		}
		if refusal.Reason == path.Revoked || refusal.Reason == path.OnHold {
			p.Code = &refusal.Code
		}
		if refusal.Err != nil {
			p.Detail = refusal.Err.Error()
		}
	}
	if r == nil {
		return
	}
	p.Policies, p.Weak = r.Policies, r.Weak
	for i, c := range r.Path {
		l := pathLink{SHA256: c.Fingerprint(), Serial: c.SerialHex(), NotAfter: c.NotAfter}
		if i < len(r.Revocation) {
			l.Proved = r.Revocation[i]
		}
		p.Path = append(p.Path, l)
	}
}

func (a *app) tellPath(out io.Writer, p pathAnswer, r *path.Result) {
	verdict := a.say("path.valid")
	if !p.Valid {
		verdict = a.say("path." + string(p.Reason))
	}
	a.line(out, "path.verdict", verdict)
	if p.Index != nil {
		a.line(out, "path.index", *p.Index)
	}
	if p.Detail != "" {
		a.line(out, "path.detail", printable(strings.ReplaceAll(p.Detail, "\n", "; ")))
	}
	a.line(out, "path.at", p.At.Format(time.RFC3339))
	if !p.Revocation {
		a.line(out, "path.revocation", a.say("path.unchecked"))
	}
	for i, l := range p.Path {
		a.line(out, "path.link", a.say("path.link", i, l.Serial, r.Path[i].NotAfter.Format(time.DateOnly), l.Proved))
	}
	if len(p.Policies) > 0 {
		a.line(out, "path.policies", strings.Join(p.Policies, " "))
	}
	if len(p.Weak) > 0 {
		a.line(out, "path.weak", strings.Join(p.Weak, ", "))
	}
}
