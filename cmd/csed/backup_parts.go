package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"cse.example/cse/engine/backup"
	"cse.example/cse/ground/words"
	"cse.example/cse/pki/ca"
)

// The parts of a backup: what one custodian has. No part yields a whole code, with
// every passphrase there is: records hold both sealed halves and no key, each half's
// keyset is a part of its own, and the key of the CIPs' marks is not beside the
// table (docs/decisions/0002, 0984). Passphrases are in none.
const (
	partRecords = "records"     // the store, certificates, lists, files under way
	partLetters = "letters"     // letters with second halves that lie in a spool
	partKeys    = "keys"        // authority, rings of web and queue, CIP, tokens
	partFirst   = "first-half"  // what opens first halves
	partSecond  = "second-half" // what opens second halves
)

// Backup names the custodians: age's public keys, for each part.
type Backup struct {
	Records []string `yaml:"records"`
	Keys    []string `yaml:"keys"`
	// First and Second are the custodians of the halves: never the same; Second
	// also has the letters that wait in a spool.
	First  []string `yaml:"first_half"`
	Second []string `yaml:"second_half"`
}

// custodians of a part.
func (b Backup) custodians(part string) []string {
	switch part {
	case partRecords:
		return b.Records
	case partKeys:
		return b.Keys
	case partFirst:
		return b.First
	}
	return b.Second
}

// check refuses what is no key, and custodians who could join the halves.
func (b Backup) check() error {
	var errs []error
	for _, part := range []string{partRecords, partKeys, partFirst, partSecond} {
		for _, r := range b.custodians(part) {
			if err := backup.CheckRecipient(r); err != nil {
				errs = append(errs, words.Refuse("CSE-984", part).Because(err))
			}
		}
	}
	for _, two := range [][2]string{{partFirst, partSecond}, {partRecords, partFirst}, {partRecords, partSecond}, {partRecords, partKeys}} {
		if slices.ContainsFunc(b.custodians(two[0]), func(r string) bool { return slices.Contains(b.custodians(two[1]), r) }) {
			errs = append(errs, words.Refuse("CSE-994", two[0], two[1]))
		}
	}
	return errors.Join(errs...)
}

// kept is a file of the data folder with its name in an archive.
type kept struct{ name, path string }

// places are the folders that belong in a backup, by their names in it.
func (c *Config) places() map[string]string {
	return map[string]string{
		"keys": c.under("keys"), "ca": c.caDir(), "crl": c.under("crl"), "webca": c.under("webca"), "exchange": c.under(c.Issue.Exchange),
		"requests": c.under("issuer-requests"), "signatures": c.under("issuer-signatures"), "letters": c.under(c.NoEmail.Spool),
	}
}

// bureauName is the bureau's public file in an archive.
const bureauName = "bureau/bureau.json"

// partOf says which part a file belongs to, by its name in the archive.
func partOf(name string) string {
	folder, rest, _ := strings.Cut(name, "/")
	switch folder {
	case "keys":
		switch {
		case strings.HasSuffix(rest, ".pub.keyset"):
			return partRecords
		case rest == ringFirst || rest == "codes-first.keyset":
			return partFirst
		case rest == ringSecond || rest == "codes-second.keyset":
			return partSecond
		}
		return partKeys
	case "webca":
		return partKeys
	case "letters":
		return partLetters
	case "ca":
		if strings.HasSuffix(rest, ".key") {
			return partKeys
		}
	}
	return partRecords
}

// stock lists what is to be kept, part by part; files half written are not.
func (c *Config) stock() (map[string][]kept, error) {
	out := map[string][]kept{}
	add := func(k kept) { out[partOf(k.name)] = append(out[partOf(k.name)], k) }
	places := c.places()
	for name, dir := range places {
		err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
			switch {
			case errors.Is(err, fs.ErrNotExist):
				return nil // not there, or gone while we looked
			case err != nil:
				return err
			case strings.HasPrefix(d.Name(), ".") && p != dir:
				if d.IsDir() {
					return filepath.SkipDir
				}
				return nil
			case !d.Type().IsRegular():
				return nil
			}
			rel, err := filepath.Rel(dir, p)
			if err != nil {
				return err
			}
			add(kept{path.Join(name, filepath.ToSlash(rel)), p})
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("backup: look at %s: %w", dir, err)
		}
	}
	if _, err := os.Stat(c.under(c.Issue.BureauFile)); err == nil {
		add(kept{bureauName, c.under(c.Issue.BureauFile)})
	}
	for _, list := range out {
		slices.SortFunc(list, func(a, b kept) int { return strings.Compare(a.name, b.name) })
	}
	return out, nil
}

// pack writes files into an archive. A file that goes away meanwhile (a list that is
// replaced, an order that is done) is no fault.
func pack(a *backup.Archive, list []kept) error {
	for _, k := range list {
		if err := a.File("files/"+k.name, k.path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// renewed are keys that are made anew by themselves: an older copy does no harm.
func renewed(name string) bool {
	return path.Base(name) == ca.FileResponderKey || strings.HasPrefix(name, "webca/")
}

// keysInForce names the key files that there are, saying nothing of them: what a
// backup of records needs to be worth anything.
func keysInForce(stock map[string][]kept) (string, error) {
	h := sha256.New()
	for _, part := range []string{partKeys, partFirst, partSecond} {
		for _, k := range stock[part] {
			if renewed(k.name) {
				continue
			}
			b, err := os.ReadFile(k.path)
			if errors.Is(err, fs.ErrPermission) {
				continue // another user's: his escrow names it
			}
			if err != nil {
				return "", fmt.Errorf("backup: %w", err)
			}
			fmt.Fprintf(h, "%s %x\n", k.name, sha256.Sum256(b))
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
