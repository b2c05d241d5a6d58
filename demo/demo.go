// Package demo plays the whole journey of a card on one machine, with the real
// parts: it makes an authority, brings in invented people, has cards made by a
// virtual bureau, activates one at a counter through the real pages, and then
// is the holder: puts the halves together, logs in, blocks and unblocks the
// PIN, revokes with the CIP and is refused at the door. Afterwards it stays up
// with one-click entrances.
//
// It is imported by `csed demo` only, listens on loopback only, makes its data
// folder afresh and refuses a folder that it did not make (file DEMO). The
// folder holder/ is the holder's drawer: his form, his mail, his card. It is
// outside what the platform keeps.
package demo

import (
	"context"
	"crypto/ecdsa"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"cse.example/cse/demo/bureau"
	"cse.example/cse/demo/inbox"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/production"
	"cse.example/cse/person/registry"
)

// Marker is the file by which the demonstration knows its own folder.
const Marker = "DEMO"

// marked is what the marker says: a file of somebody's that happens to be called
// DEMO does not give his folder away.
const marked = "Cartella della dimostrazione di CSE: «csed demo» la rifà da capo. / Made, and made afresh, by csed demo.\n"

// Numbers of the demonstration.
const (
	people   = 200
	badRows  = 3
	chipless = 5
	seed     = 20261123
)

// Addresses are where the platform is, for people.
type Addresses struct{ Portal, Login, CNS, Demo, PKI string }

// Platform is what the demonstration drives directly; everything else goes
// through the pages.
type Platform interface {
	ImportPeople(ctx context.Context, r io.Reader) (registry.Report, error)
	Plant(c production.Config, progress func(step string, done, total int)) (*production.Plant, error)
	People() registry.Store
	Cards() lifecycle.Store
	Publish(ctx context.Context) ([]string, error)
}

// Stage is the machine under the demonstration; cmd/csed sets it up.
type Stage struct {
	Data      string
	Addresses Addresses
	// Roots trusts the local web authority, whose certificate is WebCA.
	Roots *x509.CertPool
	WebCA string
	// Root and Issuing are the CNS authority's certificates (paths).
	Root, Issuing string
	Platform      Platform
	// Config is production's configuration.
	Config production.Config
	// IssuerKey signs what goes to the bureau; Exchange is the folder of its files.
	IssuerKey *ecdsa.PublicKey
	Exchange  string
	Bureau    *bureau.Identity
	Inbox     *inbox.Inbox
	// Operators work at the municipality, Health at the health unit's counter.
	Operators, Health Operators
	Clock             civil.Clock
	ATR               string
	// Citizen is the second holder, for the one-click entrance; Play sets it.
	Citizen *drawer
}

// Play plays steps 2 to 6 (step 1 was setting up the stage) and answers what
// happened.
func Play(ctx context.Context, s *Stage, tell *Teller) (*Result, error) {
	r := &Result{Schema: "cse.demo/1"}
	g := &game{Stage: s, tell: tell, result: r}
	r.CA = CA{Root: g.rel(s.Root), Issuing: g.rel(s.Issuing)}
	r.Web = Web{CA: g.rel(s.WebCA), Portal: s.Addresses.Portal, Login: s.Addresses.Login}
	for n, step := range []func(context.Context) error{g.importPeople, g.makeCards, g.activate, g.enter, g.lose} {
		if err := step(ctx); err != nil {
			return nil, words.Refuse("CSE-390", n+2, err.Error()).Because(err)
		}
	}
	return r, nil
}

// game is one performance.
type game struct {
	*Stage
	tell   *Teller
	result *Result
	holder drawer
}

// rel makes a path relative to the data folder.
func (g *game) rel(path string) string {
	if r, err := filepath.Rel(g.Data, path); err == nil {
		return r
	}
	return path
}

// Prepare makes the data folder afresh, or refuses one that is not a
// demonstration's (CSE-385) or that another demonstration is using (CSE-386).
// The folder is this process's until the file is closed.
func Prepare(dir string) (*os.File, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, words.Refuse("CSE-384", dir).Because(err)
	}
	if len(entries) > 0 && !ours(dir, entries) {
		return nil, words.Refuse("CSE-385", dir)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, words.Refuse("CSE-384", dir).Because(err)
	}
	mark, err := os.OpenFile(filepath.Join(dir, Marker), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, words.Refuse("CSE-384", dir).Because(err)
	}
	// Nothing is deleted before the lock: the folder may be somebody's, and up.
	if err := syscall.Flock(int(mark.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, errors.Join(words.Refuse("CSE-386", dir).Because(err), mark.Close())
	}
	err = empty(dir, entries)
	if err == nil {
		_, err = mark.WriteAt([]byte(marked), 0)
	}
	if err != nil {
		return nil, errors.Join(words.Refuse("CSE-384", dir).Because(err), mark.Close())
	}
	return mark, nil
}

// ours tells a folder that Prepare made. A kill may have left the marker empty,
// and then nothing else.
func ours(dir string, entries []os.DirEntry) bool {
	text, err := os.ReadFile(filepath.Join(dir, Marker))
	return err == nil && (string(text) == marked || len(text) == 0 && len(entries) == 1)
}

// empty removes everything but the marker, so that a kill in between leaves a
// folder that is still known.
func empty(dir string, entries []os.DirEntry) error {
	for _, e := range entries {
		if e.Name() == Marker {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

// wait polls until ok answers true; what says what for.
func wait(ctx context.Context, what string, ok func() (bool, error)) error {
	deadline := time.Now().Add(60 * time.Second) // the machine's clock: this is about patience
	for {
		done, err := ok()
		if err != nil || done {
			return err
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("waited in vain for %s", what)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}
