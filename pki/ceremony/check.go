package ceremony

import (
	"encoding/asn1"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/mod/sumdb/note"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/pki/keys"
	"cse.example/cse/pki/profile"
)

// checker collects the faults of a file's fields.
type checker struct{ errs []error }

// bad says what a field has and what to write instead.
func (k *checker) bad(field string, got any, want string) {
	k.errs = append(k.errs, words.Refuse("CSE-919", field, fmt.Sprint(got), want).At(field))
}

// need says it when ok is false.
func (k *checker) need(ok bool, field string, got any, want string) {
	if !ok {
		k.bad(field, got, want)
	}
}

func (k *checker) day(field, s string) civil.Date {
	d, err := civil.ParseISO(s)
	if err != nil {
		k.bad(field, s, "2026-11-26")
	}
	return d
}

func (k *checker) days(field string, d Days) (from, to civil.Date) {
	from, to = k.day(field+".from", d.From), k.day(field+".to", d.To)
	if !from.IsZero() && !to.IsZero() && to.Before(from) {
		k.bad(field+".to", d.To, d.From+" …")
	}
	return from, to
}

// check looks at everything that the file alone can tell.
func (c *File) check() error {
	k := &checker{}
	k.need(c.Schema == Schema, "schema", c.Schema, Schema)
	k.need(line(c.Title, 200), "title", c.Title, "Radice di Regione Esempio")
	first, last := k.days("days", c.Days)
	k.need(!last.After(first.AddDays(31)), "days.to", c.Days.To, "… "+first.AddDays(31).String())
	k.need(len(c.Witnesses) > 0, "witnesses", c.Witnesses, "[Nome Cognome, …]")
	for i, w := range c.Witnesses {
		k.need(line(w, 100) && !slices.Contains(c.Witnesses[:i], w), fmt.Sprintf("witnesses[%d]", i), w, "Nome Cognome")
	}
	k.need(line(c.Out, 1000), "out", c.Out, "ca")
	c.Approvals.check(k)
	if !slices.Contains(Modes(), c.Mode) { // nobody knows which fields it would have
		k.bad("mode", c.Mode, "root | key | issuing | responder | root-crl")
		return errors.Join(k.errs...)
	}
	if c.Mode != ModeRootCRL && c.Mode != ModeKey && c.Mode != ModeRoot {
		u, err := url.Parse(c.Addresses)
		k.need(err == nil && u.Scheme == "http" && u.Host != "" && u.RawQuery == "" && u.Fragment == "", "addresses", c.Addresses, "http://pki.example.it")
	} else {
		k.need(c.Addresses == "", "addresses", c.Addresses, "—")
	}
	if t := c.Token; t != nil {
		k.need(filepath.IsAbs(t.Module), "token.module", t.Module, "/usr/lib/softhsm/libsofthsm2.so")
		k.need(line(t.Label, 32), "token.label", t.Label, "radice")
		k.need(t.PINFile != "", "token.pin_file", t.PINFile, "radice.pin")
	}
	sections := map[Mode]bool{
		ModeRoot: c.Root != nil, ModeKey: c.Key != nil, ModeIssuing: c.Issuing != nil, ModeResponder: c.Responder != nil, ModeRootCRL: c.RootCRL != nil,
	}
	for _, m := range Modes() {
		field := strings.ReplaceAll(string(m), "-", "_")
		if m == c.Mode && !sections[m] {
			k.bad(field, "", field+": {…}")
		}
		if m != c.Mode && sections[m] {
			k.bad(field, "{…}", "mode: "+string(m))
		}
	}
	if sections[c.Mode] {
		c.checkSection(k)
	}
	return errors.Join(k.errs...)
}

func (c *File) checkSection(k *checker) {
	switch c.Mode {
	case ModeRoot:
		c.newKey(k, "root.key", c.Root.Key)
		k.need(c.Root.Key.Kind != keys.RSA2048, "root.key.kind", c.Root.Key.Kind, "P-384 | RSA-4096")
		c.Root.Names.check(k, "root.names")
		k.need(c.Root.Years >= 15 && c.Root.Years <= 30, "root.years", c.Root.Years, "15…30")
	case ModeKey:
		c.newKey(k, "key.key", c.Key.Key)
		c.Key.Names.check(k, "key.names")
	case ModeIssuing:
		c.checkIssuing(k)
	case ModeResponder:
		r := c.Responder
		k.need(profile.Label(r.Label), "responder.label", r.Label, "issuing")
		r.Signer.check(k, "responder.signer")
		c.newKey(k, "responder.key", r.Key)
		r.Names.check(k, "responder.names")
		k.need(r.Days >= 1 && r.Days <= 120, "responder.days", r.Days, "1…120")
	case ModeRootCRL:
		r := c.RootCRL
		r.Signer.check(k, "root_crl.signer")
		k.need(r.Days >= 1 && r.Days <= 366, "root_crl.days", r.Days, "1…366")
		for i, e := range r.Entries {
			field := fmt.Sprintf("root_crl.entries[%d]", i)
			_, err := hex.DecodeString(e.Serial)
			k.need(err == nil && len(e.Serial) >= 2 && len(e.Serial) <= 40 && e.Serial == strings.ToLower(e.Serial), field+".serial", e.Serial, "0a1b…")
			k.need(slices.Contains(reasonNames(), e.Reason), field+".reason", e.Reason, strings.Join(reasonNames(), " | "))
			k.day(field+".date", e.Date)
			k.need(!slices.ContainsFunc(r.Entries[:i], func(o Entry) bool { return o.Serial == e.Serial }), field+".serial", e.Serial, "…")
		}
	}
}

func (c *File) checkIssuing(k *checker) {
	i := c.Issuing
	k.need(profile.Label(i.Label), "issuing.label", i.Label, "issuing")
	i.Signer.check(k, "issuing.signer")
	switch {
	case (i.Key == nil) == (i.Request == ""):
		k.bad("issuing.request", i.Request, "request: issuing.csr | key: {kind: P-256, where: file}")
	case i.Key != nil:
		c.newKey(k, "issuing.key", *i.Key)
		k.need(i.RequestSHA256 == "", "issuing.request_sha256", i.RequestSHA256, "—")
	default:
		b, err := hex.DecodeString(i.RequestSHA256)
		k.need(err == nil && len(b) == 32, "issuing.request_sha256", i.RequestSHA256, "sha256sum "+i.Request)
	}
	i.Names.check(k, "issuing.names")
	k.need(i.Years >= profile.Years+1 && i.Years <= 20, "issuing.years", i.Years, fmt.Sprintf("%d…20", profile.Years+1))
	from, _ := k.days("issuing.issues", i.Issues)
	if first, _ := c.Days.dates(); !from.IsZero() && from.Before(first) {
		k.bad("issuing.issues.from", i.Issues.From, first.String()+" …")
	}
	for n, p := range i.Policies {
		_, err := oid(p)
		k.need(err == nil && !slices.Contains(i.Policies[:n], p), fmt.Sprintf("issuing.policies[%d]", n), p, profile.PolicyCNS.String())
	}
	cns := profile.PolicyCNS.String()
	k.need(len(i.Policies) == 0 || slices.Contains(i.Policies, cns) || slices.Contains(i.Policies, anyPolicy), "issuing.policies", i.Policies, cns)
	k.need(i.CRLShards >= 1 && i.CRLShards <= 256, "issuing.crl_shards", i.CRLShards, "1…256")
	if f := i.Follows; f != nil {
		k.need(f.Certificate != "", "issuing.follows.certificate", f.Certificate, "ca/issuing.pem")
		until := k.day("issuing.follows.issues_to", f.IssuesTo)
		if !from.IsZero() && !until.IsZero() && from.After(until.AddDays(1)) {
			k.bad("issuing.issues.from", i.Issues.From, "… "+until.AddDays(1).String())
		}
	}
}

func (c *File) newKey(k *checker, field string, n NewKey) {
	k.need(slices.Contains(keys.Algorithms(), n.Kind), field+".kind", n.Kind, "P-256 | P-384 | RSA-2048 | RSA-3072 | RSA-4096")
	k.need(n.Where == "file" || n.Where == "token", field+".where", n.Where, "file | token")
	if n.Where == "token" {
		k.need(c.Token != nil, "token", "", "{module: …, label: …, pin_file: …}")
		k.need(len(n.Passphrases) == 0, field+".passphrase_files", n.Passphrases, "—")
	}
}

func (s Signer) check(k *checker, field string) {
	k.need(s.Certificate != "", field+".certificate", s.Certificate, "ca/root.pem")
	k.need(s.Key != "", field+".key", s.Key, "ca/root.key")
}

// check keeps to the bounds of RFC 5280 (A.1), and to names that read as they are.
func (n Names) check(k *checker, field string) {
	k.need(len(n.Country) == 2 && strings.Trim(n.Country, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == "", field+".country", n.Country, "IT")
	k.need(line(n.Organisation, 64), field+".organisation", n.Organisation, "1…64")
	k.need(n.Unit == "" || line(n.Unit, 64), field+".unit", n.Unit, "0…64")
	k.need(line(n.CommonName, 64), field+".common_name", n.CommonName, "1…64")
}

func (a Approvals) check(k *checker) {
	k.need(a.Needed >= 2, "approvals.needed", a.Needed, "2")
	k.need(len(a.Approvers) >= a.Needed && len(a.Approvers) <= 20, "approvals.approvers", len(a.Approvers), fmt.Sprintf("%d…20", max(2, a.Needed)))
	var names, points []string
	for i, s := range a.Approvers {
		field := fmt.Sprintf("approvals.approvers[%d]", i)
		v, err := note.NewVerifier(s)
		if err != nil {
			k.bad(field, s, "csed ca approver")
			continue
		}
		// One person under two names, or two keys under one, are one approver.
		point := strings.SplitN(s, "+", 3)[2]
		k.need(approverName.MatchString(v.Name()) && !slices.Contains(names, v.Name()) && !slices.Contains(points, point), field, v.Name(), "csed ca approver")
		names, points = append(names, v.Name()), append(points, point)
	}
}

// anyPolicy is the policy that stands for all (RFC 5280, 4.2.1.4).
const anyPolicy = "2.5.29.32.0"

// line is 1 to n characters that can be seen.
func line(s string, n int) bool {
	return s != "" && utf8.ValidString(s) && utf8.RuneCountInString(s) <= n && strings.TrimSpace(s) == s && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0
}

func oid(s string) (asn1.ObjectIdentifier, error) {
	var o asn1.ObjectIdentifier
	for _, arc := range strings.Split(s, ".") {
		n, err := strconv.ParseInt(arc, 10, 31)
		if err != nil || arc != strconv.FormatInt(n, 10) || n < 0 {
			return nil, fmt.Errorf("%q is no object identifier", s)
		}
		o = append(o, int(n))
	}
	if len(o) < 2 || o[0] > 2 || (o[0] < 2 && o[1] > 39) {
		return nil, fmt.Errorf("%q is no object identifier", s)
	}
	return o, nil
}

// reasons are those that an authority can be revoked for; a hold is none for it.
var reasons = map[string]int{
	"unspecified": 0, "keyCompromise": 1, "cACompromise": 2, "affiliationChanged": 3, "superseded": 4, "cessationOfOperation": 5, "privilegeWithdrawn": 9,
}

func reasonNames() []string {
	var out []string
	for n := range reasons {
		out = append(out, n)
	}
	slices.SortFunc(out, func(a, b string) int { return reasons[a] - reasons[b] })
	return out
}
