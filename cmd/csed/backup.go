package main

import (
	"context"
	"crypto"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"cse.example/cse/engine/audit"
	"cse.example/cse/engine/backup"
	"cse.example/cse/engine/store"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/words"
	"cse.example/cse/pki/keys"
)

const (
	backupKeyFile = "backup.key" // signs the manifests
	kindRecords   = "backup"
	kindEscrow    = "escrow"
)

// backupSigner is the key that signs sets; the first backup makes it. It lies under
// the passphrase that every process has.
func (c *Config) backupSigner() (crypto.Signer, error) {
	pass, err := passphrase(c.under(c.Keys.Queue))
	if err != nil {
		return nil, err
	}
	path := filepath.Join(c.under("keys"), backupKeyFile)
	k, err := keys.Load(path, pass)
	if errors.Is(err, fs.ErrNotExist) {
		k, err = keys.Create(rand.Reader, path, keys.P256, pass)
	}
	return k, err
}

// machineUser is who runs a command, for the trail.
func machineUser() string {
	if u, err := user.Current(); err == nil && u.Username != "" {
		return "system:" + u.Username
	}
	return "system:unknown"
}

// backup is `csed backup DIR`, with key and verify below it.
func (a *app) backup() *cobra.Command {
	cmd := &cobra.Command{
		Use: "backup DIR", Short: a.say("csed.backup.short"), Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.config()
			if err != nil {
				return err
			}
			return a.with(cmd.Context(), tool{}, func(p *Platform) error {
				path, m, err := p.makeBackup(cmd.Context(), c.Roles, args[0])
				if err != nil {
					return err
				}
				return a.tellSet(cmd.Context(), p, path, m)
			})
		},
	}
	cmd.AddCommand(&cobra.Command{
		Use: "key FILE", Short: a.say("csed.backup.key"), Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			public, err := backup.NewIdentity(args[0])
			if err == nil {
				fmt.Fprintln(a.stdout, public)
			}
			return err
		},
	}, a.verifyBackup())
	return cmd
}

// tellSet says where a set is, what is in it, and who signed it; and that keys are
// in no escrow, when they are not.
func (a *app) tellSet(ctx context.Context, p *Platform, path string, m backup.Manifest) error {
	signer, err := p.Config.backupSigner()
	if err != nil {
		return err
	}
	who, err := backup.Fingerprint(signer.Public())
	if err != nil {
		return err
	}
	fmt.Fprintln(a.stdout, path)
	for _, x := range m.Parts {
		fmt.Fprintln(a.stderr, a.say("csed.backup.part", x.Name, x.Entries, x.Size, len(x.Recipients)))
	}
	fmt.Fprintln(a.stderr, a.say("csed.backup.signer", who))
	if m.Kind == kindEscrow {
		return nil
	}
	last, err := p.trail.Search(ctx, audit.Search{Act: "escrow.exported", Limit: 100})
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(last, func(r audit.Record) bool { return r.Detail["keys"] == m.Keys }) {
		fmt.Fprintln(a.stderr, a.say("csed.backup.no-escrow"))
	}
	return nil
}

// plantTurn is how long a backup waits for work on the exchange folder to pause.
const plantTurn = 10 * time.Minute

// plant takes the duty of production, waiting for a while: files under way and the
// store must be of one instant.
func (c *Config) plant(ctx context.Context) (*os.File, error) {
	for end := time.Now().Add(plantTurn); ; {
		l, err := c.hold(dutyProduction)
		if err == nil || time.Now().After(end) {
			return l, err
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// makeBackup writes what changes every day: records, and letters that wait. It works
// beside a server: the store is read as it was at one instant.
func (p *Platform) makeBackup(ctx context.Context, roles []string, dir string) (path string, m backup.Manifest, err error) {
	c := p.Config
	c.Roles = roles
	signer, err := c.backupSigner()
	if err != nil {
		return "", m, err
	}
	lock, err := c.plant(ctx)
	if err != nil {
		return "", m, err
	}
	release := func() error {
		if lock == nil {
			return nil
		}
		l := lock
		lock = nil
		return l.Close()
	}
	defer func() { err = errors.Join(err, release()) }()
	err = p.db.Snapshot(ctx, func(inside context.Context, write func(io.Writer) error) error {
		m = backup.Manifest{Kind: kindRecords, Made: p.Clock.Now()}
		stock, err := c.stock()
		if err != nil {
			return err
		}
		if m.Keys, err = keysInForce(stock); err != nil {
			return err
		}
		if m.Trail, m.Checkpoint, err = p.heads(inside); err != nil {
			return err
		}
		if m.Schema, err = store.SchemaVersion(); err != nil {
			return err
		}
		var parts []backup.Part
		if c.plays("mail") && len(stock[partLetters]) > 0 {
			parts = append(parts, backup.Part{Name: partLetters, Recipients: c.Backup.custodians(partLetters), Write: func(_ context.Context, a *backup.Archive) error {
				return pack(a, stock[partLetters])
			}})
		}
		if c.plays("web") {
			parts = append(parts, backup.Part{Name: partRecords, Recipients: c.Backup.Records, Write: func(_ context.Context, a *backup.Archive) error {
				if err := errors.Join(pack(a, stock[partRecords]), release()); err != nil {
					return err
				}
				return a.Stream("store", write)
			}})
		}
		if len(parts) == 0 {
			return words.Refuse("CSE-397", "web")
		}
		path, m, err = backup.Create(ctx, backup.Job{Dir: dir, Manifest: m, Parts: parts, Signer: signer, Seal: p.noteSet("backup.made")})
		return err
	})
	return path, m, err
}

// noteSet writes a set into the trail before it appears.
func (p *Platform) noteSet(act string) func(context.Context, backup.Manifest) error {
	return func(ctx context.Context, m backup.Manifest) error {
		return p.db.Atomically(ctx, func(ctx context.Context) error { return p.recordSet(ctx, act, m) })
	}
}

func (p *Platform) recordSet(ctx context.Context, act string, m backup.Manifest) error {
	e := journal.Entry{Act: act, Actor: machineUser(), Detail: map[string]string{"set": m.Set, "keys": m.Keys}}
	for _, x := range m.Parts {
		e.Detail["part."+x.Name] = x.SHA256
	}
	return p.trail.Record(ctx, e)
}

// heads of the audit log, as ctx sees it: the tree's, and the last signed note.
func (p *Platform) heads(ctx context.Context) (*backup.Head, string, error) {
	h, err := p.trail.Head(ctx)
	if err != nil {
		return nil, "", err
	}
	note, err := p.trail.LastNote(ctx)
	if err != nil {
		return nil, "", err
	}
	return &backup.Head{Index: h.Index, Hash: h.Hash}, note, nil
}

// verifyBackup is `csed backup verify SET`: it needs no configuration.
func (a *app) verifyBackup() *cobra.Command {
	var signer string
	var identities []string
	cmd := &cobra.Command{
		Use: "verify SET", Short: a.say("csed.backup.verify"), Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			set, err := backup.Open(args[0], signer)
			if err != nil {
				return err
			}
			if err := set.Check(); err != nil {
				return err
			}
			who, err := identitiesOf(identities)
			if err != nil {
				return err
			}
			opened := 0
			for _, x := range set.Manifest.Parts {
				if len(who) == 0 {
					break
				}
				err := set.Read(x.Name, who, func(string, []byte) error { return nil })
				if f := words.FaultOf(err); f != nil && f.Code == "CSE-989" {
					continue
				}
				if err != nil {
					return err
				}
				opened++
			}
			fmt.Fprintln(a.stdout, a.say("csed.backup.verified", len(set.Manifest.Parts), opened, set.Manifest.Made.Format(time.RFC3339)))
			fmt.Fprintln(a.stdout, a.say("csed.backup.signer", set.Signer))
			return nil
		},
	}
	cmd.Flags().StringVar(&signer, "signer", "", a.say("csed.restore.signer"))
	cmd.Flags().StringArrayVar(&identities, "identity", nil, a.say("csed.restore.identity"))
	return cmd
}
