package status

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"cse.example/cse/ground/words"
)

// What a publication writes before its list is in place (and, in earlier versions, its
// lines apart). A kill leaves them.
const (
	prefixEntries = ".entries-"
	prefixList    = ".crl-"
)

// temporary makes a file that is held until it is closed, so that sweep knows a
// publication at work from one that was killed.
func temporary(dir, prefix string) (*os.File, error) {
	f, err := os.CreateTemp(dir, prefix+"*")
	if err != nil {
		return nil, err
	}
	if err := hold(f); err != nil {
		return nil, errors.Join(err, f.Close(), os.Remove(f.Name()))
	}
	return f, nil
}

// sweep removes what killed publications left in the folder. One at work, of this
// process or another, holds its files and keeps them.
func sweep(dir string) error {
	left, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("status: %w", err)
	}
	var errs []error
	for _, f := range left {
		if !strings.HasPrefix(f.Name(), prefixEntries) && !strings.HasPrefix(f.Name(), prefixList) {
			continue
		}
		if err := removeFree(filepath.Join(dir, f.Name())); err != nil {
			errs = append(errs, fmt.Errorf("status: what a publication left: %w", err))
		}
	}
	return errors.Join(errs...)
}

func removeFree(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if hold(f) != nil {
		return f.Close() // somebody is at work
	}
	return errors.Join(os.Remove(path), f.Close())
}

// publish writes the list beside path, makes it last, and renames it into place: a
// reader has the old list or the new one, both whole, whatever happens when.
func (l List) publish(rand io.Reader, path string, entries func(func(Entry) error) error) (int, error) {
	n, err := l.place(rand, path, entries)
	if err != nil {
		return 0, words.Refuse("CSE-943", filepath.Base(path)).Because(err)
	}
	return n, nil
}

func (l List) place(rand io.Reader, path string, entries func(func(Entry) error) error) (n int, err error) {
	dir := filepath.Dir(path)
	tmp, err := temporary(dir, prefixList)
	if err != nil {
		return 0, err
	}
	if n, err = l.Write(rand, tmp, entries); err == nil {
		err = errors.Join(tmp.Chmod(0o644), tmp.Sync())
	}
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	} else {
		err = errors.Join(err, os.Remove(tmp.Name()))
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return 0, err
	}
	return n, syncFolder(dir)
}
