package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"cse.example/cse/issuer/operations"
	"cse.example/cse/pki/crl"
	"cse.example/cse/pki/status"
)

// listLife is nextUpdate - thisUpdate.
func (i Issue) listLife() time.Duration { return time.Duration(i.CRLHours) * time.Hour }

// listers write the lists of our authorities whose key is here.
func (b *branches) listers() []*status.Publisher {
	var out []*status.Publisher
	for _, x := range b.list() {
		if x.publisher != nil {
			out = append(out, x.publisher)
		}
	}
	return out
}

// listerTurn is how often the lister looks. With issue.crl_minutes at its most a
// change is on a list within ten minutes (status.Late).
const listerTurn = 15 * time.Second

// lister keeps the lists up to date: it follows the changes of certificates,
// whoever made them, and renews lists half through their life. A list that cannot
// be written is tried again at every turn; until then the one before stands.
func (p *Platform) lister(ctx context.Context) error {
	every := time.NewTicker(listerTurn)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-every.C:
		}
		if err := p.refreshLists(ctx); err != nil && ctx.Err() == nil {
			p.Log.Error("revocation lists", "err", err)
		}
	}
}

// refreshLists publishes what is due, and counts what should have been and was not.
func (p *Platform) refreshLists(ctx context.Context) error {
	var errs []error
	var late int64
	for _, x := range p.branches.listers() {
		_, err := x.Refresh(ctx)
		states, err2 := x.States(ctx)
		errs = append(errs, err, err2)
		for _, s := range states {
			if s.Late {
				late++
			}
		}
	}
	p.lateParts.Store(late)
	return errors.Join(errs...)
}

// lists are the lists of revoked certificates as operations see them: one line for
// the parts of each authority's, one for each other list in the folder.
func (p *Platform) lists(ctx context.Context) ([]operations.List, error) {
	files, err := filepath.Glob(filepath.Join(p.crlDir(), "*.crl"))
	if err != nil {
		return nil, err
	}
	var out []operations.List
	for _, x := range p.branches.listers() {
		states, err := x.States(ctx)
		if err != nil {
			return nil, err
		}
		if len(states) == 0 {
			continue
		}
		sum := operations.List{Name: filepath.Base(states[0].File), Parts: len(states), This: states[0].This, Next: states[0].Next}
		if last := filepath.Base(states[len(states)-1].File); len(states) > 1 {
			sum.Name += " … " + last
		}
		for _, s := range states {
			if s.Late {
				sum.Late++
			}
			sum.Waiting += s.Waiting
			if s.Number == 0 {
				continue // missing: late
			}
			if s.This.Before(sum.This) {
				sum.This = s.This
			}
			if s.Next.Before(sum.Next) {
				sum.Next = s.Next
			}
			one, err := listOn(s.File)
			if err != nil {
				return nil, err
			}
			sum.Entries += one.Entries
		}
		out = append(out, sum)
		files = slices.DeleteFunc(files, func(f string) bool {
			return slices.ContainsFunc(states, func(s status.State) bool { return s.File == f })
		})
	}
	slices.Sort(files)
	for _, f := range files {
		one, err := listOn(f)
		if err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}

// listOn reads the list in a file.
func listOn(file string) (operations.List, error) {
	f, err := crl.OpenFile(file)
	if err != nil {
		return operations.List{}, fmt.Errorf("%s: %w", filepath.Base(file), err)
	}
	out := operations.List{Name: filepath.Base(file), Parts: 1, This: f.Head.ThisUpdate, Next: f.Head.NextUpdate}
	for _, err := range f.Entries() {
		if err != nil {
			return operations.List{}, errors.Join(fmt.Errorf("%s: %w", out.Name, err), f.Close())
		}
		out.Entries++
	}
	return out, f.Close()
}

// listsReady is what /readyz adds while lists are late, as the lister saw them last.
// The platform stays ready: nobody's list would be newer if its pages were closed.
func (p *Platform) listsReady() string {
	if n := p.lateParts.Load(); n > 0 {
		return fmt.Sprintf("revocation lists: %d late\n", n)
	}
	return ""
}
