package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cse.example/cse/engine/backup"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/approval"
	"cse.example/cse/issuer/staff"
)

// Escrow: keys leave for their custodians only when a second person has approved
// exactly these files and these custodians.

// escrowKind is the approval's name, escrowLife how long it may be used.
const (
	escrowKind = "escrow.export"
	escrowLife = 24 * time.Hour
)

// escrowKinds are what the export of keys asks of four eyes.
func (p *Platform) escrowKinds() []approval.Kind {
	return []approval.Kind{{Name: escrowKind, Asks: []staff.Role{staff.RoleSecurity}, Decides: []staff.Role{staff.RoleSecurity}, Life: escrowLife}}
}

// escrowRoom is the four eyes of a process that plays no role: each half's user
// exports his own, with no key but his.
func (p *Platform) escrowRoom() (*approval.Room, error) {
	dir, err := staff.NewDirectory(staff.Config{Offices: p.Config.Counters, Operators: p.Config.Operators, PharmacyAlso: p.Config.PharmacyAlso, Clock: p.Clock})
	if err != nil {
		return nil, errors.Join(errUsage, err)
	}
	return approval.New(approval.Deps{
		Store: p.db.Approvals(), Directory: dir, Atomically: p.db.Atomically, Record: p.trail.Record, Clock: p.Clock, Kinds: p.escrowKinds(),
	})
}

// leaving is one part that is to leave.
type leaving struct {
	Part       string   `json:"part"`
	Files      int      `json:"files"`
	SHA256     string   `json:"sha256"`
	Recipients []string `json:"recipients"`
}

// leavingParts reads the files of the parts of this process's roles: what is shown,
// what is approved and what is written are these octets.
func (c *Config) leavingParts() ([]leaving, map[string]map[string][]byte, string, error) {
	stock, err := c.stock()
	if err != nil {
		return nil, nil, "", err
	}
	sum, err := keysInForce(stock)
	if err != nil {
		return nil, nil, "", err
	}
	var list []leaving
	octets := map[string]map[string][]byte{}
	for _, x := range []struct{ part, role string }{{partKeys, "web"}, {partFirst, "print"}, {partSecond, "mail"}} {
		if !c.plays(x.role) {
			continue
		}
		h, files := sha256.New(), map[string][]byte{}
		for _, k := range stock[x.part] {
			b, err := os.ReadFile(k.path)
			if err != nil {
				return nil, nil, "", fmt.Errorf("escrow: %w", err)
			}
			files[k.name] = b
			if !renewed(k.name) { // what is made anew by itself does not undo an approval
				fmt.Fprintf(h, "%s %x\n", k.name, sha256.Sum256(b))
			}
		}
		list = append(list, leaving{x.part, len(files), hex.EncodeToString(h.Sum(nil)), c.Backup.custodians(x.part)})
		octets[x.part] = files
	}
	return list, octets, sum, nil
}

// exportKeys writes the parts, if somebody approved them; else it asks (CSE-993).
func (p *Platform) exportKeys(ctx context.Context, roles []string, dir, note string) (string, backup.Manifest, error) {
	var m backup.Manifest
	c := p.Config
	c.Roles = roles
	if err := c.Backup.check(); err != nil {
		return "", m, err
	}
	signer, err := c.backupSigner()
	if err != nil {
		return "", m, err
	}
	room, err := p.escrowRoom()
	if err != nil {
		return "", m, err
	}
	list, octets, sum, err := c.leavingParts()
	if err != nil {
		return "", m, err
	}
	content, err := json.Marshal(list)
	if err != nil {
		return "", m, err
	}
	subject := subjectOf(list)
	m = backup.Manifest{Kind: kindEscrow, Made: p.Clock.Now(), Keys: sum}
	var parts []backup.Part
	for _, x := range list {
		parts = append(parts, backup.Part{Name: x.Part, Recipients: x.Recipients, Write: func(_ context.Context, a *backup.Archive) error {
			for _, name := range slices.Sorted(maps.Keys(octets[x.Part])) {
				if err := a.Bytes("files/"+name, octets[x.Part][name]); err != nil {
					return err
				}
			}
			return nil
		}})
	}
	path, m, err := backup.Create(ctx, backup.Job{Dir: dir, Manifest: m, Parts: parts, Signer: signer, Seal: func(ctx context.Context, m backup.Manifest) error {
		return p.db.Atomically(ctx, func(ctx context.Context) error {
			if err := room.Spend(ctx, escrowKind, subject, content); err != nil {
				return err
			}
			return p.recordSet(ctx, "escrow.exported", m)
		})
	}})
	if !errors.Is(err, approval.ErrNone) {
		return path, m, err
	}
	q, err := room.AskFor(ctx, machineUser(), escrowKind, subject, content, note)
	if err != nil {
		return "", m, err
	}
	return "", m, words.Refuse("CSE-993", q.ID, int(escrowLife/time.Hour))
}

// subjectOf is what who decides reads: the parts, and the beginning of each sum.
func subjectOf(list []leaving) string {
	var out []string
	for _, x := range list {
		out = append(out, fmt.Sprintf("%s: %d file, %s… → %d", x.Part, x.Files, x.SHA256[:12], len(x.Recipients)))
	}
	return strings.Join(out, "; ")
}

// escrow is `csed escrow export DIR`.
func (a *app) escrow() *cobra.Command {
	cmd := &cobra.Command{Use: "escrow", Short: a.say("csed.escrow.short")}
	note := ""
	export := &cobra.Command{
		Use: "export DIR", Short: a.say("csed.escrow.export"), Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.config()
			if err != nil {
				return err
			}
			return a.with(cmd.Context(), tool{}, func(p *Platform) error {
				path, m, err := p.exportKeys(cmd.Context(), c.Roles, args[0], note)
				if err != nil {
					return err
				}
				return a.tellSet(cmd.Context(), p, path, m)
			})
		},
	}
	export.Flags().StringVar(&note, "note", a.say("csed.escrow.export"), a.say("csed.escrow.note"))
	cmd.AddCommand(export)
	return cmd
}
