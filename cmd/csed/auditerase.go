package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"cse.example/cse/engine/audit"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/approval"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/person/codicefiscale"
)

// Erasing a person from the log of acts: his key and his cards' are destroyed
// (docs/audit.md). Two people, and not before the term.

// eraseKind is the approval's name, eraseLife how long it may be used.
const (
	eraseKind = "audit.erase"
	eraseLife = 24 * time.Hour
)

func auditKinds() []approval.Kind {
	return []approval.Kind{{Name: eraseKind, Asks: []staff.Role{staff.RoleSecurity}, Decides: []staff.Role{staff.RoleSecurity}, Life: eraseLife}}
}

// erasure is what two people agree on: the marks, which name nobody, and the newest
// record of them.
type erasure struct {
	Marks  []string  `json:"marks"`
	Newest time.Time `json:"newest"`
}

// eraseActs destroys the keys of a person and his cards, if somebody approved that;
// else it asks (CSE-983). Nothing for nobody. Refused: a card that still lives, a
// newest record whose term (privacy.evidence_days) is not over (CSE-982).
func (p *Platform) eraseActs(ctx context.Context, cf codicefiscale.Code, note string) (audit.Erased, error) {
	cards, err := p.db.Cards().ByPerson(ctx, cf)
	if err != nil {
		return audit.Erased{}, err
	}
	who, days := audit.Subject{Person: string(cf)}, p.Config.Privacy.EvidenceDays
	for _, c := range cards {
		who.Cards = append(who.Cards, c.ID)
		if !c.State.Final() {
			return audit.Erased{}, words.Refuse("CSE-982")
		}
	}
	marks, err := p.trail.Marks(ctx, who)
	if err != nil || len(marks) == 0 {
		return audit.Erased{}, err
	}
	x := erasure{Marks: marks}
	if x.Newest, err = p.trail.Newest(ctx, marks); err != nil {
		return audit.Erased{}, err
	}
	content, err := json.Marshal(x)
	if err != nil {
		return audit.Erased{}, err
	}
	before := civil.Today(p.Clock).AddDays(-days).Start()
	if !x.Newest.Before(before) {
		return audit.Erased{}, words.Refuse("CSE-982")
	}
	var done audit.Erased
	err = p.db.Atomically(ctx, func(ctx context.Context) error {
		if err := p.approvals.Spend(ctx, eraseKind, marks[0], content); err != nil {
			return err
		}
		done, err = p.trail.Erase(ctx, who, before, journal.Entry{Actor: machineUser(), Detail: map[string]string{"kind": eraseKind}})
		return err
	})
	if !errors.Is(err, approval.ErrNone) {
		return done, err
	}
	q, err := p.approvals.AskFor(ctx, machineUser(), eraseKind, marks[0], content, note)
	if err != nil {
		return audit.Erased{}, err
	}
	return audit.Erased{}, words.Refuse("CSE-983", q.ID, int(eraseLife/time.Hour))
}

// auditErase reads the codice fiscale from its standard input: on the command line
// everybody on the machine would see it.
func (a *app) auditErase() *cobra.Command {
	note := ""
	cmd := &cobra.Command{
		Use: "erase", Short: a.say("csed.audit.erase"), Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			in := bufio.NewScanner(cmd.InOrStdin())
			in.Scan()
			cf, err := codicefiscale.Parse(in.Text())
			if err != nil {
				return errors.Join(errUsage, err)
			}
			return a.with(cmd.Context(), tool{roles: []string{"web"}}, func(p *Platform) error {
				done, err := p.eraseActs(cmd.Context(), cf, note)
				if err != nil {
					return err
				}
				fmt.Fprintln(a.stdout, a.say("csed.audit.erased", done.Keys, done.Records))
				return nil
			})
		},
	}
	cmd.Flags().StringVar(&note, "note", a.say("csed.audit.erase"), a.say("csed.escrow.note"))
	return cmd
}
