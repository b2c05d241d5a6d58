package main

import (
	"crypto/sha256"
	"crypto/x509"
	"embed"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	texttemplate "text/template"

	"github.com/spf13/cobra"

	"cse.example/cse/engine/listen"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/profile"
)

// The skeleton of the certification practice statement (RFC 3647): what the system
// does is filled in from what runs, what only people can write is marked as theirs.

//go:embed statement/*.md
var statements embed.FS

// statement is what the texts name.
type statement struct {
	lang words.Lang
	// open are the points to be written, in the order of the text.
	open []string

	Certifier, Region, Day, Policy, Notice, Phone, Portal, OCSP string
	Authorities                                                 []statedAuthority
	Places                                                      []string
	Offices, Services                                           int
	CRLHours, CRLMinutes, Shards, ResponderDays                 int
	SubjectBits, Years, PIN, PUK, CIP                           int
	ExtensionUntil, Reasons, Roles, FourEyes, Cut, TLS          string
	TrailYears, EvidenceYears, RequestsYears, ArchiveYears      string
	Custodians, LeafSignature, ResponderSignature               string
}

type statedAuthority struct {
	Role, Name, Key, Signature, From, Until, Fingerprint, Custody string
}

// ByIT and ByEN are the open points of each text.
func (s *statement) ByIT() []string { return s.open }
func (s *statement) ByEN() []string { return s.open }

func (p *Platform) statement(lang words.Lang) (*statement, error) {
	c := &p.Config
	current, err := p.authority.Current()
	if err != nil {
		return nil, err
	}
	say := func(key string, args ...any) string { return words.Say(lang, key, args...) }
	years := func(days int) string { return say("csed.statement.days", days, float64(days)/365.25) }
	s := &statement{
		lang: lang, Certifier: c.Region.Certifier, Region: c.Region.Name, Day: civil.Today(p.Clock).String(), Policy: profile.PolicyCNS.String(),
		Notice: c.Issue.PolicyText, Phone: c.Region.Phone, Portal: c.Public.Portal, Offices: len(c.Counters), Services: len(c.Services),
		CRLHours: c.Issue.CRLHours, CRLMinutes: c.Issue.CRLMinutes, Shards: c.Issue.CRLShards, ResponderDays: ca.ResponderDays,
		SubjectBits: ca.SubjectBits, Years: profile.Years, PIN: c.Issue.Codes.PIN.Len(), PUK: c.Issue.Codes.PUK.Len(), CIP: c.Issue.Codes.CIP.Len(),
		ExtensionUntil: c.Extension.Until, OCSP: profile.URLsAt(c.Public.PKI).OCSP,
		TrailYears: years(c.Privacy.TrailDays), EvidenceYears: years(c.Privacy.EvidenceDays), RequestsYears: years(c.Privacy.RequestsDays), ArchiveYears: years(c.Archive.Days),
		LeafSignature: signatureOf(current.Certificate.PublicKey), ResponderSignature: signatureOf(p.material.Responder.PublicKey),
	}
	k := c.Issue.Codes
	s.Cut = say("security.say.cut", k.PIN.First, k.PIN.Second, k.PUK.First, k.PUK.Second, k.CIP.First, k.CIP.Second)
	var reasons, roles, eyes, custodians []string
	for _, r := range ca.Reasons() {
		reasons = append(reasons, fmt.Sprintf("%s (%d)", ca.ReasonName(r), r))
	}
	for _, r := range staff.Roles() {
		roles = append(roles, say("csed.statement.role."+string(r)))
	}
	for _, name := range p.approvals.Kinds() {
		if w := say("portal.approval.kind." + name); !slices.Contains(eyes, w) {
			eyes = append(eyes, w)
		}
	}
	for _, part := range []string{partRecords, partKeys, partFirst, partSecond} {
		custodians = append(custodians, say("csed.statement.custodians", part, len(c.Backup.custodians(part))))
	}
	s.Reasons, s.Roles, s.FourEyes, s.Custodians = strings.Join(reasons, ", "), strings.Join(roles, ", "), strings.Join(eyes, "; "), strings.Join(custodians, "; ")+"."
	d := listen.Describe(p.doors()[0])
	s.TLS = strings.Join(append(slices.Clone(d.Versions), d.Exchanges...), ", ")
	return s, s.authorities(p)
}

// authorities reads every certificate that signs, and the addresses that follow.
func (s *statement) authorities(p *Platform) error {
	urls := profile.URLsAt(p.Config.Public.PKI)
	s.Places = []string{urls.Root, urls.RootCRL}
	for _, folder := range p.Config.authorityFolders() {
		for _, f := range []struct{ role, cert, key string }{{"root", ca.FileRoot, ca.FileRootKey}, {"issuing", ca.FileIssuing, ca.FileIssuingKey}, {"responder", ca.FileResponder, ca.FileResponderKey}} {
			if f.role == "root" && folder.label != profile.FirstLabel {
				continue
			}
			cert, err := ca.ReadCertificate(filepath.Join(folder.dir, f.cert))
			if err != nil {
				return err
			}
			where, err := custody(filepath.Join(folder.dir, f.key))
			if err != nil {
				return err
			}
			s.Authorities = append(s.Authorities, stated(s.lang, f.role, cert, where[0].In(s.lang)))
		}
		u := profile.URLsFor(p.Config.Public.PKI, folder.label)
		s.Places = append(s.Places, u.Issuer, u.CRL)
	}
	s.Places = append(s.Places, urls.OCSP)
	return nil
}

func stated(lang words.Lang, role string, cert *x509.Certificate, where string) statedAuthority {
	return statedAuthority{
		Role: words.Say(lang, "security.fact."+role), Name: cert.Subject.CommonName, Key: keyKind(cert.PublicKey), Signature: cert.SignatureAlgorithm.String(),
		From: civil.DayOf(cert.NotBefore).String(), Until: civil.DayOf(cert.NotAfter).String(), Fingerprint: fmt.Sprintf("%X", sha256.Sum256(cert.Raw)), Custody: where,
	}
}

// write fills one language's text. The points to be written are counted by a first
// pass, since the text begins with their number.
func (s *statement) write(w io.Writer) error {
	mark := func(who, what string) string {
		point := words.Say(s.lang, "csed.statement.point", who, what)
		if !slices.Contains(s.open, point) {
			s.open = append(s.open, point)
		}
		return "> **" + point + "**"
	}
	name := "statement/" + string(s.lang) + ".md"
	t, err := texttemplate.New(filepath.Base(name)).Funcs(texttemplate.FuncMap{"scrivere": mark, "write": mark}).ParseFS(statements, name)
	if err != nil {
		return err
	}
	if err := t.Execute(io.Discard, s); err != nil {
		return err
	}
	return t.Execute(w, s)
}

// caStatement is `csed ca statement`: Italian first, then English.
func (a *app) caStatement() *cobra.Command {
	return &cobra.Command{
		Use: "statement", Short: a.say("csed.ca.statement"), Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd.Context(), tool{roles: []string{"web"}}, func(p *Platform) error {
				for i, lang := range []words.Lang{words.Italian, words.English} {
					if i > 0 {
						fmt.Fprintln(a.stdout, "\n---")
					}
					s, err := p.statement(lang)
					if err != nil {
						return err
					}
					if err := s.write(a.stdout); err != nil {
						return err
					}
				}
				return nil
			})
		},
	}
}
