package main

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/tink-crypto/tink-go/v2/aead/aesgcm"

	"cse.example/cse/engine/backup"
	"cse.example/cse/engine/listen"
	"cse.example/cse/ground/merkle"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/codes"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/login/door"
	"cse.example/cse/login/provider"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/keys"
	"cse.example/cse/pki/profile"
	"cse.example/cse/portal"
)

// What is in use (R91): every line is read from the configuration, the key files
// and the code that does the work, at the moment somebody asks. Nothing here names
// an algorithm by hand; what has no way to be read is not said.

// doors are the names on the TLS port, without handlers: openServer serves these,
// and the page describes these.
func (p *Platform) doors() []listen.Host {
	c := &p.Config
	least := c.Web.leastTLS()
	card := listen.Host{Name: hostname(c.Public.CNS), Card: true, MinTLS: least}
	if p.material != nil {
		card.ClientCAs = func() *x509.CertPool { return poolOf(p.anchors()...) }
	}
	return []listen.Host{
		{Name: hostname(c.Public.Portal), MaxBody: portal.MaxBody, MinTLS: least},
		{Name: hostname(c.Public.Login), MinTLS: least},
		card,
		{Name: hostname(c.Public.API), Machines: true, MinTLS: least},
	}
}

// leastTLS is the lowest version that is spoken.
func (w Web) leastTLS() uint16 {
	if w.TLSMin == "1.3" {
		return tls.VersionTLS13
	}
	return tls.VersionTLS12
}

// texts are values without a language.
func texts(list ...string) []portal.FactValue {
	var out []portal.FactValue
	for _, s := range list {
		out = append(out, portal.FactValue{Text: s})
	}
	return out
}

func saying(key string, args ...any) []portal.FactValue {
	return []portal.FactValue{{Key: "security.say." + key, Args: args}}
}

func fact(key string, values ...portal.FactValue) portal.Fact {
	return portal.Fact{Key: "security.fact." + key, Values: values}
}

// securityFacts is the whole list.
func (p *Platform) securityFacts() ([]portal.FactGroup, error) {
	var out []portal.FactGroup
	for _, g := range []struct {
		name string
		read func() ([]portal.Fact, error)
	}{
		{"doors", p.doorFacts},
		{"cards", p.cardFacts},
		{"authority", p.authorityFacts},
		{"signatures", p.signatureFacts},
		{"rest", p.restFacts},
		{"codes", p.codeFacts},
		{"people", p.peopleFacts},
		{"record", p.recordFacts},
	} {
		facts, err := g.read()
		if err != nil {
			return nil, err
		}
		out = append(out, portal.FactGroup{Key: "security.group." + g.name, Facts: facts})
	}
	return out, nil
}

// doorFacts: connections.
func (p *Platform) doorFacts() ([]portal.Fact, error) {
	var postures []listen.Posture
	for _, h := range p.doors() {
		postures = append(postures, listen.Describe(h))
	}
	all := func(of func(listen.Posture) []string) []portal.FactValue {
		first := of(postures[0])
		if !slices.ContainsFunc(postures, func(x listen.Posture) bool { return !slices.Equal(of(x), first) }) {
			return texts(first...)
		}
		var out []string
		for _, x := range postures {
			out = append(out, x.Host+": "+strings.Join(of(x), ", "))
		}
		return texts(out...)
	}
	facts := []portal.Fact{
		fact("versions", all(func(x listen.Posture) []string { return x.Versions })...),
		fact("suites13", all(func(x listen.Posture) []string { return x.Suites13 })...),
	}
	if v := all(func(x listen.Posture) []string { return x.Suites }); len(v) > 0 {
		facts = append(facts, fact("suites12", v...))
	}
	facts = append(facts, fact("exchanges", all(func(x listen.Posture) []string { return x.Exchanges })...))
	var asking []string
	for _, x := range postures {
		if x.Asks {
			asking = append(asking, x.Host)
		}
	}
	facts = append(facts, fact("asking", texts(asking...)...))
	if p.webCA != nil {
		get, err := p.serverCertificate()
		if err != nil {
			return nil, err
		}
		pair, err := get(&tls.ClientHelloInfo{ServerName: postures[0].Host})
		if err != nil {
			return nil, err
		}
		leaf, err := x509.ParseCertificate(pair.Certificate[0])
		if err != nil {
			return nil, err
		}
		facts = append(facts, fact("server", texts(keyKind(leaf.PublicKey), leaf.SignatureAlgorithm.String())...))
	}
	letters := saying("smtp.local")
	if p.Config.Mail.StartTLS {
		letters = saying("smtp.tls")
	}
	return append(facts, fact("mail", letters...), fact("plain", saying("plain", hostname(p.Config.Public.PKI))...)), nil
}

// cardFacts: whose cards open the door.
func (p *Platform) cardFacts() ([]portal.Fact, error) {
	facts := []portal.Fact{fact("made", texts(fmt.Sprintf("RSA %d", ca.SubjectBits))...), fact("accepted", saying("rsa", door.MinRSA(false))...)}
	if p.Config.Login.AllowRSA1024 {
		if old := p.Config.Login.legacy(); old > 0 {
			facts = append(facts, fact("legacy", saying("legacy", door.MinRSA(true), old)...))
		}
	}
	lists, err := p.Config.schemes()
	if err != nil {
		return nil, err
	}
	for _, s := range lists {
		var kinds []string
		for _, c := range s.Signers {
			kinds = append(kinds, s.Name+": "+keyKind(c.PublicKey))
		}
		facts = append(facts, fact("trusted", append(texts(kinds...), saying("trusted")...)...))
	}
	return append(facts, fact("machines", saying("rsa", listen.MinCallerRSA)...)), nil
}

// authorityFolder is where one of our authorities lies.
type authorityFolder struct{ label, dir string }

// authorityFolders are those that there are, the first one first.
func (c *Config) authorityFolders() []authorityFolder {
	out := []authorityFolder{{profile.FirstLabel, c.caDir()}}
	more, err := filepath.Glob(filepath.Join(c.caDir(), "*", ca.FileIssuing))
	if err != nil {
		panic(err) // the pattern is ours
	}
	for _, m := range more {
		out = append(out, authorityFolder{filepath.Base(filepath.Dir(m)), filepath.Dir(m)})
	}
	return out
}

// authorityFacts: root, authorities, responders, as they lie in their folders.
func (p *Platform) authorityFacts() ([]portal.Fact, error) {
	var facts []portal.Fact
	for i, folder := range p.Config.authorityFolders() {
		dir := folder.dir
		for _, f := range []struct{ name, cert, key string }{
			{"root", ca.FileRoot, ca.FileRootKey}, {"issuing", ca.FileIssuing, ca.FileIssuingKey}, {"responder", ca.FileResponder, ca.FileResponderKey},
		} {
			if f.name == "root" && i > 0 {
				continue
			}
			cert, err := ca.ReadCertificate(filepath.Join(dir, f.cert))
			if err != nil {
				return nil, err
			}
			values := append(texts(cert.Subject.CommonName, keyKind(cert.PublicKey)), saying("until", cert.NotAfter.UTC().Format(time.DateOnly))...)
			where, err := custody(filepath.Join(dir, f.key))
			if err != nil {
				return nil, err
			}
			values = append(values, where...)
			facts = append(facts, fact(f.name, values...))
		}
	}
	return append(facts, fact("revocation", saying("revocation", p.Config.Issue.CRLHours, p.Config.Issue.CRLShards, p.Config.Issue.CRLMinutes, hostname(p.Config.Public.PKI))...)), nil
}

// custody says where the key of a key file is.
func custody(path string) ([]portal.FactValue, error) {
	kept, err := keys.Kept(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return saying("offline"), nil
	case err != nil:
		return nil, err
	case kept.Sealed():
		return saying("sealed", kept.String()), nil
	}
	return saying("token", kept.String()), nil
}

// tokenSignature is how ID tokens are signed. The key is opened once: that costs a
// derivation, and the page is everybody's.
func (p *Platform) tokenSignature() (string, error) {
	p.tokenOnce.Do(func() {
		signer, err := p.Config.signingKey()
		if err == nil {
			p.tokenName, err = provider.SignatureOf(signer)
		}
		p.tokenErr = err
	})
	return p.tokenName, p.tokenErr
}

// signatureFacts: with what we sign what others check.
func (p *Platform) signatureFacts() ([]portal.Fact, error) {
	if p.material == nil {
		return nil, nil
	}
	token, err := p.tokenSignature()
	if err != nil {
		return nil, err
	}
	b := p.branches.current(p.authority)
	issued := b.Issuing.SignatureAlgorithm
	return []portal.Fact{
		fact("certificates", texts(signatureOf(b.Issuing.PublicKey))...),
		fact("lists", texts(signatureOf(b.Issuing.PublicKey))...),
		fact("answers", texts(signatureOf(b.Responder.PublicKey))...),
		fact("chain", texts(issued.String())...),
		fact("tokens", texts(token)...),
	}, nil
}

// restFacts: what lies in the database and beside it.
func (p *Platform) restFacts() ([]portal.Fact, error) {
	var facts []portal.Fact
	if len(p.web.AEADs) > 0 {
		var kinds []string
		for name := range p.web.AEADs {
			h, err := p.web.handle(name)
			if err != nil {
				return nil, err
			}
			e, err := h.Primary()
			if err != nil {
				return nil, err
			}
			g, ok := e.Key().Parameters().(*aesgcm.Parameters)
			if !ok {
				return nil, fmt.Errorf("the ring's key %q is of an unknown kind", name)
			}
			if k := fmt.Sprintf("AES-%d-GCM", g.KeySizeInBytes()*8); !slices.Contains(kinds, k) {
				kinds = append(kinds, k)
			}
		}
		slices.Sort(kinds)
		facts = append(facts, fact("sealed", texts(kinds...)...))
	}
	var costs []string
	for _, f := range []string{ringWeb, ringQueue, ringFirst, ringSecond, signingKeyFile} {
		kept, err := keys.Kept(filepath.Join(p.Config.under("keys"), f))
		if err != nil {
			continue // another user's, on a machine with two: he says it
		}
		if s := kept.String(); !slices.Contains(costs, s) {
			costs = append(costs, s)
		}
	}
	facts = append(facts, fact("keyfiles", texts(costs...)...))
	return append(facts, fact("database", p.Config.databaseFact()...)), nil
}

// databaseFact: where the records are, and how they travel.
func (c *Config) databaseFact() []portal.FactValue {
	if strings.HasPrefix(c.Database, "sqlite:") {
		return saying("sqlite")
	}
	u, err := url.Parse(c.Database)
	if err != nil {
		return nil
	}
	mode := u.Query().Get("sslmode")
	if mode == "" {
		mode = "prefer"
	}
	return saying("postgres", mode)
}

// codeFacts: the custody of PIN, PUK and CIP.
func (p *Platform) codeFacts() ([]portal.Fact, error) {
	first, second, err := codes.Sealing(p.Config.under("keys"))
	if err != nil {
		return nil, err
	}
	c := p.Config.Issue.Codes
	facts := []portal.Fact{
		fact("lengths", saying("lengths", c.PIN.Len(), c.PUK.Len(), c.CIP.Len())...),
		fact("cut", saying("cut", c.PIN.First, c.PIN.Second, c.PUK.First, c.PUK.Second, c.CIP.First, c.CIP.Second)...),
		fact("first", append(texts(first), saying("opens", "print")...)...),
		fact("second", append(texts(second), saying("opens", "mail")...)...),
	}
	if p.cips != nil {
		facts = append(facts, fact("cip", texts(p.cips.Marking())...))
	}
	return facts, nil
}

// peopleFacts: how operators prove who they are, and what remembers.
func (p *Platform) peopleFacts() ([]portal.Fact, error) {
	costs := []string{staff.PasswordCost()}
	for _, o := range p.Config.Operators {
		if k := staff.KeptCost(o.PasswordHash); k != "" && !slices.Contains(costs, k) {
			costs = append(costs, k)
		}
	}
	return []portal.Fact{fact("passwords", texts(costs...)...), fact("otp", texts(staff.OTPName())...)}, nil
}

// recordFacts: what is remembered of acts, and what is copied for a bad day.
func (p *Platform) recordFacts() ([]portal.Fact, error) {
	var facts []portal.Fact
	lines, err := p.Config.logLines()
	if err != nil {
		return nil, err
	}
	if first, _, _ := strings.Cut(lines, "\n"); first != "" {
		facts = append(facts, fact("log", append(texts(fmt.Sprintf("RFC 6962, SHA-%d", len(merkle.Hash{})*8), logAlgorithm(first)), saying("days", p.Config.Privacy.TrailDays)...)...))
	}
	var copies []portal.FactValue
	for _, part := range []string{partRecords, partKeys, partFirst, partSecond} {
		for _, r := range p.Config.Backup.custodians(part) {
			copies = append(copies, saying("custodian", part, backup.RecipientKind(r))...)
		}
	}
	if len(copies) == 0 {
		copies = saying("custodian.none")
	}
	return append(facts, fact("copies", copies...)), nil
}

// logAlgorithm names the signature of a log's public key (c2sp.org/signed-note): the
// octet before the key says which.
func logAlgorithm(line string) string {
	parts := strings.SplitN(line, "+", 3)
	raw, err := base64.StdEncoding.DecodeString(parts[len(parts)-1])
	if err == nil && len(raw) > 0 && raw[0] == 1 {
		return "Ed25519"
	}
	return "?"
}

// signatureOf names how a key signs here: "ECDSA P-384, SHA-384".
func signatureOf(k any) string {
	alg, err := profile.AlgorithmOf(k)
	if err != nil {
		return err.Error()
	}
	return keyKind(k) + ", " + alg.Hash.String()
}

// keyKind names a public key.
func keyKind(k any) string {
	switch k := k.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("RSA %d", k.N.BitLen())
	case *ecdsa.PublicKey:
		return "ECDSA " + k.Curve.Params().Name
	case ed25519.PublicKey:
		return "Ed25519"
	}
	return fmt.Sprintf("%T", k)
}

// security prints the list.
func (a *app) security() *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{
		Use: "security", Short: a.say("csed.security.short"), Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd.Context(), tool{roles: []string{"web"}}, func(p *Platform) error {
				list, err := p.securityFacts()
				if err != nil {
					return err
				}
				if asJSON {
					return a.securityJSON(list)
				}
				for _, g := range list {
					fmt.Fprintf(a.stdout, "%s\n", a.say(g.Key))
					for _, f := range g.Facts {
						fmt.Fprintf(a.stdout, "  %s\n", a.say(f.Key))
						for _, v := range f.Values {
							fmt.Fprintf(a.stdout, "    %s\n", v.In(a.lang))
						}
					}
				}
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, a.say("csed.security.json"))
	return cmd
}

// securityJSON names groups and facts by their keys, which have no language.
func (a *app) securityJSON(list []portal.FactGroup) error {
	type line struct {
		Fact   string   `json:"fact"`
		Values []string `json:"values"`
	}
	out := map[string][]line{}
	for _, g := range list {
		name := strings.TrimPrefix(g.Key, "security.group.")
		for _, f := range g.Facts {
			x := line{Fact: strings.TrimPrefix(f.Key, "security.fact."), Values: []string{}}
			for _, v := range f.Values {
				x.Values = append(x.Values, v.In(words.English))
			}
			out[name] = append(out[name], x)
		}
	}
	e := json.NewEncoder(a.stdout)
	e.SetIndent("", "  ")
	return e.Encode(out)
}
