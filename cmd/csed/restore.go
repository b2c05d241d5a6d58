package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"filippo.io/age"
	"github.com/spf13/cobra"

	"cse.example/cse/engine/backup"
	"cse.example/cse/engine/store"
	"cse.example/cse/ground/words"
)

// unfinished marks a data folder in which a restore has begun and not ended well:
// nothing else opens it.
const unfinished = "RESTORING"

func identitiesOf(files []string) ([]age.Identity, error) {
	var out []age.Identity
	for _, f := range files {
		who, err := backup.Identities(f)
		if err != nil {
			return nil, err
		}
		out = append(out, who...)
	}
	return out, nil
}

// restore is `csed restore SET…`.
func (a *app) restore() *cobra.Command {
	var signer string
	var identities []string
	cmd := &cobra.Command{
		Use: "restore SET…", Short: a.say("csed.restore.short"), Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.config()
			if err != nil {
				return err
			}
			if !c.plays("web") {
				return words.Refuse("CSE-397", "web")
			}
			who, err := identitiesOf(identities)
			if err != nil {
				return err
			}
			m, err := c.restore(cmd.Context(), args, signer, who)
			if err != nil {
				return err
			}
			fmt.Fprintln(a.stdout, a.say("csed.restore.done", m.Made.Format("2006-01-02 15:04:05"), m.Trail.Index, m.Trail.Hash))
			return nil
		},
	}
	cmd.Flags().StringVar(&signer, "signer", "", a.say("csed.restore.signer"))
	cmd.Flags().StringArrayVar(&identities, "identity", nil, a.say("csed.restore.identity"))
	return cmd
}

// found is a part and the set it comes from.
type found struct {
	set  *backup.Set
	part string
}

// restore verifies every set, fills the empty place, and proves that what is there is
// what was. An error leaves the folder marked.
func (c *Config) restore(ctx context.Context, dirs []string, signer string, who []age.Identity) (m backup.Manifest, err error) {
	if err := c.emptyPlace(); err != nil {
		return m, err
	}
	parts, err := c.gather(dirs, signer)
	if err != nil {
		return m, err
	}
	records, ok := parts[partRecords]
	if !ok {
		return m, words.Refuse("CSE-988", partRecords)
	}
	m = records.set.Manifest
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return m, words.Refuse("CSE-384", c.Data).Because(err)
	}
	mark := filepath.Join(c.Data, unfinished)
	if err := os.WriteFile(mark, []byte(m.Set+"\n"), 0o600); err != nil {
		return m, words.Refuse("CSE-384", c.Data).Because(err)
	}
	for _, name := range []string{partKeys, partFirst, partSecond, partLetters} {
		if p, ok := parts[name]; ok {
			if err := p.set.Read(p.part, who, c.unpack); err != nil {
				return m, err
			}
		}
	}
	if err := c.restoreRecords(ctx, records, who); err != nil {
		return m, err
	}
	if err := c.prove(ctx, m); err != nil {
		return m, err
	}
	return m, os.Remove(mark)
}

// emptyPlace refuses a data folder with anything in it but passphrases. (The
// database says itself whether it is empty.)
func (c *Config) emptyPlace() error {
	var secrets []string
	for _, f := range []string{c.Keys.CA, c.Keys.Queue, c.Keys.Web, c.Keys.First, c.Keys.Second, c.HSM.PINFile} {
		secrets = append(secrets, c.under(f))
	}
	for _, s := range c.Services {
		secrets = append(secrets, c.under(s.SecretFile))
	}
	err := filepath.WalkDir(c.Data, func(p string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case d.IsDir() || slices.Contains(secrets, p):
			return nil
		case d.Name() == unfinished:
			return words.Refuse("CSE-992", c.Data)
		}
		return words.Refuse("CSE-987", c.Data).Because(errors.New(p))
	})
	if err != nil && words.FaultOf(err) == nil {
		return words.Refuse("CSE-384", c.Data).Because(err)
	}
	return err
}

// gather opens the sets and finds the parts that this machine's roles need; where
// two sets have one, the later counts.
func (c *Config) gather(dirs []string, signer string) (map[string]found, error) {
	out := map[string]found{}
	for _, dir := range dirs {
		set, err := backup.Open(dir, signer)
		if err == nil && signer == "" { // nobody is believed unseen
			err = words.Refuse("CSE-986", dir, set.Signer)
		}
		if err != nil {
			return nil, err
		}
		if err := set.Check(); err != nil {
			return nil, err
		}
		for _, x := range set.Manifest.Parts {
			if old, ok := out[x.Name]; !ok || old.set.Manifest.Made.Before(set.Manifest.Made) {
				out[x.Name] = found{set, x.Name}
			}
		}
	}
	for role, parts := range map[string][]string{"web": {partRecords, partKeys}, "print": {partFirst}, "mail": {partSecond}} {
		if !c.plays(role) {
			for _, part := range parts {
				if part != partRecords && part != partKeys {
					delete(out, part)
				}
			}
			continue
		}
		for _, part := range parts {
			if _, ok := out[part]; !ok {
				return nil, words.Refuse("CSE-988", part)
			}
		}
	}
	return out, nil
}

// unpack lays an entry where the configuration has its folder.
func (c *Config) unpack(name string, b []byte) error {
	name, ok := strings.CutPrefix(name, "files/")
	folder, rest, deep := strings.Cut(name, "/")
	to := ""
	switch dir, known := c.places()[folder]; {
	case !ok || !deep:
		return words.Refuse("CSE-985", name)
	case name == bureauName:
		to = c.under(c.Issue.BureauFile)
	case known:
		to = filepath.Join(dir, filepath.FromSlash(rest))
	default:
		return words.Refuse("CSE-985", name)
	}
	folderMode, mode := fs.FileMode(0o700), fs.FileMode(0o600)
	if folder == "crl" || folder == "ca" {
		folderMode = 0o755
	}
	if partOf(name) == partRecords && (folder == "crl" || folder == "ca" || folder == "keys") {
		mode = 0o644 // public: certificates, lists, public keysets
	}
	if err := os.MkdirAll(filepath.Dir(to), folderMode); err != nil {
		return words.Refuse("CSE-995", to).Because(err)
	}
	f, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return words.Refuse("CSE-995", to).Because(err)
	}
	_, err = f.Write(b)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return words.Refuse("CSE-995", to).Because(err)
	}
	return nil
}

// restoreRecords lays the files and streams the store into the database.
func (c *Config) restoreRecords(ctx context.Context, p found, who []age.Identity) error {
	newest, err := store.SchemaVersion()
	if err != nil {
		return err
	}
	if p.set.Manifest.Schema > newest {
		return words.Refuse("CSE-996", p.set.Manifest.Schema, newest)
	}
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := store.Restore(ctx, c.dsn(), p.set.Manifest.Schema, out)
		out.CloseWithError(err) // whoever still writes learns why
		ended <- err
	}()
	err = p.set.Read(p.part, who, func(name string, b []byte) error {
		if strings.HasPrefix(name, "store/") {
			_, err := in.Write(b)
			return err
		}
		return c.unpack(name, b)
	})
	in.CloseWithError(err) // nil is the end of the stream
	loaded := <-ended
	switch {
	case errors.Is(loaded, store.ErrNotEmpty):
		return words.Refuse("CSE-987", c.placeName()).Because(loaded)
	case err != nil && !errors.Is(err, loaded):
		return err
	case loaded != nil:
		return words.Refuse("CSE-985", p.part).Because(loaded)
	}
	return err
}

// placeName is the database without what opens it.
func (c *Config) placeName() string {
	if strings.HasPrefix(c.Database, "sqlite:") {
		return c.Database
	}
	return "PostgreSQL"
}

// prove compares what was restored with what the set says: the trail's heads, then
// everything that fsck looks at. The restore is then the trail's next record.
func (c *Config) prove(ctx context.Context, m backup.Manifest) (err error) {
	plain := *c
	plain.Roles = nil
	p, err := Open(ctx, plain, Options{Duties: allDuties(), Restoring: true})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	head, note, err := p.heads(ctx)
	if err != nil {
		return err
	}
	if m.Trail == nil || *head != *m.Trail || note != m.Checkpoint {
		return words.Refuse("CSE-991", fmt.Sprintf("%d %s", head.Index, head.Hash))
	}
	wrong, err := p.check(ctx)
	if err != nil {
		return err
	}
	if len(wrong) > 0 {
		return words.Refuse("CSE-991", words.Say(words.Italian, wrong[0].key, wrong[0].args...))
	}
	return p.db.Atomically(ctx, func(ctx context.Context) error {
		if err := p.db.PKI().LeapLists(ctx, listLeap); err != nil {
			return err
		}
		return p.recordSet(ctx, "backup.restored", m)
	})
}

// listLeap is how far the numbers of revocation lists jump: further than the lists
// that can have been published between the backup and its restore.
const listLeap = 1_000_000
