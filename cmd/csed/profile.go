package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/approval"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/profile"
)

// The profile of certificates changes by two people (docs/decisions/0939):
// the configuration is a file that one person can write, so an authority issues
// only under the profile that the store has as agreed.

// profileKind is the approval's name, profileLife how long it may be used.
const (
	profileKind = "profile.change"
	profileLife = 72 * time.Hour
)

func profileKinds() []approval.Kind {
	who := []staff.Role{staff.RoleSecurity, staff.RoleOperations}
	return []approval.Kind{{Name: profileKind, Asks: who, Decides: who, Life: profileLife}}
}

// noteProfile is the store's note of what was agreed, by the authority's label.
func noteProfile(label string) string { return "ca.profile." + label }

// agreed is asked before anything is issued under s (CSE-936). The first profile of
// an authority is agreed with the authority itself, and noted at its first issue.
func (p *Platform) agreed(s profile.Sheet) func(ctx context.Context) error {
	return func(ctx context.Context) error {
		now, err := s.Content()
		if err != nil {
			return err
		}
		was, err := p.db.Noted(ctx, noteProfile(s.Authority))
		if err != nil || was == string(now) {
			return err
		}
		if was != "" {
			return words.Refuse("CSE-936", s.Authority)
		}
		return p.db.Atomically(ctx, func(ctx context.Context) error {
			if was, err = p.db.Noted(ctx, noteProfile(s.Authority)); err != nil || was == string(now) {
				return err
			}
			if was != "" {
				return words.Refuse("CSE-936", s.Authority)
			}
			return p.setProfile(ctx, "system:ca", "profile.adopted", s.Authority, now)
		})
	}
}

func (p *Platform) setProfile(ctx context.Context, actor, act, label string, content []byte) error {
	if err := p.db.Note(ctx, noteProfile(label), string(content)); err != nil {
		return err
	}
	return p.trail.Record(ctx, journal.Entry{Act: act, Actor: actor, Detail: map[string]string{"authority": label, "sha256": ca.Fingerprint(content)}})
}

// changeProfile puts the configuration's profile in force (two people): without the
// approval of exactly this one it asks for it (CSE-937).
func (p *Platform) changeProfile(ctx context.Context, op staff.Operator, label, why string) error {
	b := p.branches.labelled(label)
	if b == nil || b.publisher == nil {
		return words.Refuse("CSE-925", label)
	}
	content, err := b.sheet.Content()
	if err != nil {
		return err
	}
	err = p.db.Atomically(ctx, func(ctx context.Context) error {
		if was, err := p.db.Noted(ctx, noteProfile(label)); err != nil || was == string(content) {
			return err
		}
		if err := p.approvals.Spend(ctx, profileKind, label, content); err != nil {
			return err
		}
		return p.setProfile(ctx, op.Account, "profile.changed", label, content)
	})
	if !errors.Is(err, approval.ErrNone) {
		return err
	}
	if _, err := p.approvals.AskFor(ctx, op.Account, profileKind, label, content, why); err != nil {
		return err
	}
	return words.Refuse("CSE-937", label)
}

// profileCommand shows the profile agreed and the one of the configuration, and with
// --by asks for the second or puts it in force.
func (a *app) profileCommand() *cobra.Command {
	var by, why string
	cmd := &cobra.Command{
		Use: "profile LABEL", Short: a.say("csed.ca.profile"), Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(cmd.Context(), tool{roles: []string{"web"}}, func(p *Platform) error {
				ctx, label := cmd.Context(), args[0]
				b := p.branches.labelled(label)
				if b == nil {
					return words.Refuse("CSE-925", label)
				}
				if by != "" {
					op, err := p.officer(by)
					if err != nil {
						return err
					}
					if err := p.changeProfile(ctx, op, label, why); err != nil {
						return err
					}
				}
				return a.tellProfile(ctx, p, b)
			})
		},
	}
	cmd.Flags().StringVar(&by, "by", "", a.say("csed.ca.by"))
	cmd.Flags().StringVar(&why, "why", "", a.say("csed.ca.why"))
	return cmd
}

func (a *app) tellProfile(ctx context.Context, p *Platform, b *branch) error {
	now, err := b.sheet.Content()
	if err != nil {
		return err
	}
	was, err := p.db.Noted(ctx, noteProfile(b.Label))
	if err != nil {
		return err
	}
	key := "csed.ca.profile.agreed"
	switch was {
	case string(now):
	case "":
		key = "csed.ca.profile.first"
	default:
		key = "csed.ca.profile.differs"
	}
	for _, line := range []string{was, string(now)} {
		if line != "" {
			fmt.Fprintln(a.stdout, line)
		}
		if was == string(now) {
			break
		}
	}
	fmt.Fprintln(a.stdout, a.say(key, b.Label))
	return nil
}
