package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"cse.example/cse/ground/table"
	"cse.example/cse/ground/words"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
)

// recodeColumns is the header of a list of codici fiscali that the Revenue Agency
// replaced. They stand in a file: nothing that names people is on a command line.
var recodeColumns = []string{"vecchio", "nuovo"}

// pair is one line of it.
type pair struct{ old, now codicefiscale.Code }

// parseRecode reads the list; every line must be right (CSE-684).
func parseRecode(r io.Reader) ([]pair, error) {
	header, rows, err := table.Open(io.LimitReader(r, 16<<20))
	if err != nil || !slices.Equal(header, recodeColumns) {
		return nil, words.Refuse("CSE-684", 1).Because(errors.Join(errUsage, err))
	}
	rows.FieldsPerRecord = len(recodeColumns)
	all, err := rows.ReadAll()
	if err != nil {
		return nil, words.Refuse("CSE-684", 1).Because(errors.Join(errUsage, err))
	}
	seen := map[codicefiscale.Code]bool{}
	var out []pair
	for n, row := range all {
		old, e1 := codicefiscale.Parse(row[0])
		now, e2 := codicefiscale.Parse(row[1])
		if err := errors.Join(e1, e2); err != nil || old == now || seen[old] || seen[now] {
			return nil, words.Refuse("CSE-684", n+2).Because(errUsage)
		}
		seen[old], seen[now] = true, true
		out = append(out, pair{old, now})
	}
	return out, nil
}

// recodePeople reads a list and does it, or leaves it for a second person when it
// is long (R30). Refused: somebody whom the registry does not know (CSE-681).
func (p *Platform) recodePeople(ctx context.Context, r io.Reader, by string) (Corrections, error) {
	if err := p.mayImport(by); err != nil {
		return Corrections{}, err
	}
	pairs, err := parseRecode(r)
	if err != nil {
		return Corrections{}, err
	}
	c, err := p.collector(ctx)
	if err != nil {
		return Corrections{}, err
	}
	for n, x := range pairs {
		if done, err := p.db.People().Recoded(ctx, x.old); err != nil {
			return Corrections{}, err
		} else if done == x.now {
			continue // the same list again
		} else if done != "" {
			return Corrections{}, words.Refuse("CSE-684", n+2)
		}
		_, err := p.db.People().Get(ctx, x.old)
		if errors.Is(err, registry.ErrUnknown) {
			return Corrections{}, words.Refuse("CSE-681", n+2)
		}
		if err != nil {
			return Corrections{}, err
		}
		if err := c.add(x.old, correction{Old: x.old, New: x.now}); err != nil {
			return Corrections{}, err
		}
	}
	return c.finish(ctx, cmp.Or(by, systemRegistry), words.Say(words.Italian, "csed.corrections.recode"))
}

// recode is the command.
func (a *app) recode() *cobra.Command {
	by := ""
	cmd := &cobra.Command{
		Use: "recode FILE", Short: a.say("csed.people.recode"), Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := os.Open(args[0])
			if err != nil {
				return err
			}
			defer f.Close()
			return a.with(cmd.Context(), tool{roles: []string{"web"}, duties: []string{dutyRegistry}}, func(p *Platform) error {
				found, err := p.recodePeople(cmd.Context(), f, by)
				if err == nil {
					a.tellCorrections(found)
				}
				return err
			})
		},
	}
	cmd.Flags().StringVar(&by, "by", "", a.say("csed.people.by"))
	return cmd
}

func (a *app) tellCorrections(c Corrections) {
	fmt.Fprintln(a.stdout, a.say("csed.people.corrections", c.Found, c.Found-c.Waiting, c.Waiting))
}
