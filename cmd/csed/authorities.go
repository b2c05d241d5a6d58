package main

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/spf13/cobra"

	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/words"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/profile"
	"cse.example/cse/pki/status"
)

// authorityCommands are those of an authority's life: who issues, who is next, and
// what is done when a key is lost (docs/runbook-authorities.md).
func (a *app) authorityCommands() []*cobra.Command {
	return []*cobra.Command{a.authorityList(), a.profileCommand(), a.rotate(), a.revokeAuthority(), a.importRootList()}
}

// authorityLine is one authority, as `ca list --json` prints it.
type authorityLine struct {
	Label     string    `json:"label"`
	State     string    `json:"state"` // current, before, waiting, revoked
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
	DaysLeft  int       `json:"days_left"`
	KeyHere   bool      `json:"key_here"`
	// Responder is the end of its OCSP certificate; zero where its folder is not.
	Responder time.Time `json:"responder_until,omitzero"`
	Living    int       `json:"living,omitempty"` // of a revoked one: certificates not ended yet
	SHA256    string    `json:"sha256"`
}

func (p *Platform) authorityLines(ctx context.Context) ([]authorityLine, error) {
	if err := p.authority.Refresh(ctx); err != nil {
		return nil, err
	}
	entries, err := p.db.PKI().AllAuthorities(ctx)
	if err != nil {
		return nil, err
	}
	now := p.Clock.Now()
	current, _ := p.authority.Current()
	var out []authorityLine
	for _, e := range entries {
		c, err := e.Certificate()
		if err != nil {
			return nil, err
		}
		l := authorityLine{
			Label: e.Label, State: "waiting", NotBefore: c.NotBefore, NotAfter: c.NotAfter, DaysLeft: int(c.NotAfter.Sub(now).Hours() / 24),
			SHA256: e.Fingerprint(),
		}
		switch {
		case e.Revoked():
			l.State = "revoked"
			if l.Living, err = p.living(ctx, e.ID); err != nil {
				return nil, err
			}
		case current.Certificate != nil && current.ID() == e.ID:
			l.State = "current"
		case e.Turn > 0:
			l.State = "before"
		}
		if b := p.branches.labelled(e.Label); b != nil {
			l.KeyHere, l.Responder = b.IssuingKey != nil, b.Responder.NotAfter
		}
		out = append(out, l)
	}
	return out, nil
}

// living counts the certificates of an authority that are not ended.
func (p *Platform) living(ctx context.Context, id string) (int, error) {
	n := 0
	for after := ""; ; {
		page, err := p.db.PKI().Living(ctx, id, after, pageSize)
		if err != nil || len(page) == 0 {
			return n, err
		}
		n, after = n+len(page), page[len(page)-1].Serial
	}
}

func (a *app) authorityList() *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{
		Use: "list", Short: a.say("csed.ca.list"), Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.with(cmd.Context(), tool{roles: []string{"web"}}, func(p *Platform) error {
				lines, err := p.authorityLines(cmd.Context())
				if err != nil {
					return err
				}
				if asJSON {
					return json.NewEncoder(a.stdout).Encode(map[string]any{"schema": "cse.authorities/1", "authorities": lines})
				}
				for _, l := range lines {
					fmt.Fprintln(a.stdout, a.say("csed.ca.line", l.Label, a.say("csed.ca.state."+l.State), day10(l.NotBefore), day10(l.NotAfter), l.DaysLeft,
						a.say("csed.ca.key."+fmt.Sprint(l.KeyHere)), l.SHA256))
					if l.Living > 0 {
						fmt.Fprintln(a.stdout, a.say("csed.ca.living", l.Living, l.Label))
					}
				}
				a.warn(p)
				return nil
			})
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, a.say("csed.flag.json"))
	return cmd
}

func day10(t time.Time) string { return t.Format(time.DateOnly) }

// warn prints what will need somebody soon.
func (a *app) warn(p *Platform) {
	for _, w := range p.soon() {
		fmt.Fprintln(a.stderr, a.say(w.key, w.args...))
	}
}

// rootListSlack is how long before the end of the root's list a new one should be
// made: its key is somewhere else, and people have to meet.
const rootListSlack = 45 * 24 * time.Hour

// soon is what the authorities need before long: keys of the catalogue.
func (p *Platform) soon() []finding {
	var out []finding
	now := p.Clock.Now()
	if m, err := p.authority.Current(); err == nil && !ca.Whole(m.Certificate.NotAfter, now.AddDate(0, 0, ca.MarginDays)) {
		out = append(out, finding{"csed.ca.soon.authority", []any{m.Label, day10(m.Certificate.NotAfter), profile.Years}})
	}
	list, err := status.RootList(p.crlDir())
	switch {
	case err != nil:
		out = append(out, finding{"csed.ca.soon.noroot", []any{status.FileRootCRL}})
	case now.Add(rootListSlack).After(list.NextUpdate):
		out = append(out, finding{"csed.ca.soon.root", []any{day10(list.NextUpdate)}})
	}
	return out
}

func (a *app) rotate() *cobra.Command {
	var by, why string
	cmd := &cobra.Command{
		Use: "rotate LABEL", Short: a.say("csed.ca.rotate"), Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(cmd.Context(), tool{roles: []string{"web"}}, func(p *Platform) error {
				op, err := p.officer(by)
				if err != nil {
					return err
				}
				if err := p.rotateAuthority(cmd.Context(), op, args[0], why); err != nil {
					return err
				}
				fmt.Fprintln(a.stdout, a.say("csed.ca.rotated", args[0]))
				return nil
			})
		},
	}
	a.officerFlags(cmd, &by, &why)
	return cmd
}

func (a *app) officerFlags(cmd *cobra.Command, by, why *string) {
	cmd.Flags().StringVar(by, "by", "", a.say("csed.ca.by"))
	cmd.Flags().StringVar(why, "why", "", a.say("csed.ca.why"))
	_ = cmd.MarkFlagRequired("by") // the flag was just made
}

func (a *app) revokeAuthority() *cobra.Command {
	var by, why, reason, to string
	cmd := &cobra.Command{
		Use: "revoke-authority LABEL --reason keyCompromise", Short: a.say("csed.ca.revoke"), Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if reason != "keyCompromise" {
				return errors.Join(errUsage, fmt.Errorf("--reason %q: keyCompromise", reason))
			}
			return a.with(cmd.Context(), tool{roles: []string{"web"}}, func(p *Platform) error {
				op, err := p.officer(by)
				if err != nil {
					return err
				}
				sum, err := p.revokeAuthority(cmd.Context(), op, args[0], to, why)
				if err != nil {
					return err
				}
				fmt.Fprintln(a.stdout, a.say("csed.ca.revoked", args[0], sum.Cards, sum.Certificates, sum.Failed))
				return a.publishNow(cmd.Context(), p)
			})
		},
	}
	a.officerFlags(cmd, &by, &why)
	cmd.Flags().StringVar(&reason, "reason", "", a.say("csed.ca.reason"))
	cmd.Flags().StringVar(&to, "to", "", a.say("csed.ca.to"))
	_ = cmd.MarkFlagRequired("reason") // the flag was just made
	return cmd
}

// publishNow writes the lists, unless a server holds the folder: it follows the
// changes by itself.
func (a *app) publishNow(ctx context.Context, p *Platform) error {
	lock, err := p.Config.hold("web")
	if errors.Is(err, words.Refuse("CSE-386")) {
		fmt.Fprintln(a.stdout, a.say("csed.ca.listsfollow", int(status.Late.Minutes())))
		return nil
	}
	if err != nil {
		return err
	}
	defer lock.Close()
	lists, err := p.publisher.Publish(ctx)
	for _, l := range lists {
		fmt.Fprintln(a.stdout, l.Path, l.Number, l.Entries)
	}
	return err
}

func (a *app) importRootList() *cobra.Command {
	return &cobra.Command{
		Use: "import-root-crl FILE", Short: a.say("csed.ca.importroot"), Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			b, err := os.ReadFile(args[0])
			if err != nil {
				return errors.Join(errUsage, err)
			}
			return a.with(cmd.Context(), tool{roles: []string{"web"}}, func(p *Platform) error {
				list, standing, err := p.importRootList(cmd.Context(), b)
				if err != nil {
					return err
				}
				fmt.Fprintln(a.stdout, a.say("csed.ca.rootlist", list.Number.String(), len(list.RevokedCertificateEntries), list.NextUpdate.Format(time.RFC3339)))
				for _, label := range standing {
					fmt.Fprintln(a.stderr, a.say("csed.ca.standing", label, label))
				}
				return nil
			})
		},
	}
}

// importRootList puts in place the root's list that a ceremony made. It answers with
// the authorities that the root revoked and this platform did not.
func (p *Platform) importRootList(ctx context.Context, b []byte) (list *x509.RevocationList, standing []string, err error) {
	if list, err = status.ImportRoot(p.material.Root, b, p.Clock, p.crlDir(), ca.ClockTolerance); err != nil {
		return nil, nil, err
	}
	err = p.db.Atomically(ctx, func(ctx context.Context) error {
		return p.trail.Record(ctx, journal.Entry{Act: "root-list.imported", Actor: "system:ca", Detail: map[string]string{
			"number": list.Number.String(), "entries": fmt.Sprint(len(list.RevokedCertificateEntries)), "sha256": ca.Fingerprint(list.Raw),
		}})
	})
	if err != nil {
		return list, nil, err
	}
	standing, err = p.revokedByRoot(ctx, list)
	return list, standing, err
}

func (p *Platform) revokedByRoot(ctx context.Context, list *x509.RevocationList) ([]string, error) {
	entries, err := p.db.PKI().AllAuthorities(ctx)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		c, err := e.Certificate()
		if err != nil {
			return nil, err
		}
		for _, x := range list.RevokedCertificateEntries {
			if x.SerialNumber.Cmp(c.SerialNumber) == 0 && !e.Revoked() {
				out = append(out, e.Label)
			}
		}
	}
	return out, nil
}
