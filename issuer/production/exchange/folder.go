package exchange

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Folder is the exchange folder: where one side leaves files for the other.
type Folder string

// Write puts a file there whole or not at all: written aside, synced, renamed,
// and the folder synced. A file of that name is replaced.
func (d Folder) Write(name string, b []byte) (err error) {
	tmp, err := os.CreateTemp(string(d), ".writing-*")
	if err != nil {
		return fmt.Errorf("exchange folder: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, ignoreMissing(os.Remove(tmp.Name())))
		}
	}()
	if _, err = tmp.Write(b); err == nil {
		err = tmp.Sync()
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return fmt.Errorf("exchange folder: write %s: %w", name, err)
	}
	if err = os.Rename(tmp.Name(), filepath.Join(string(d), name)); err != nil {
		return fmt.Errorf("exchange folder: %w", err)
	}
	return d.sync()
}

func (d Folder) sync() error {
	f, err := os.Open(string(d))
	if err != nil {
		return fmt.Errorf("exchange folder: %w", err)
	}
	return errors.Join(f.Sync(), f.Close())
}

// Read answers fs.ErrNotExist, wrapped, for a file that is not there (yet).
func (d Folder) Read(name string) ([]byte, error) {
	b, err := os.ReadFile(filepath.Join(string(d), name))
	if err != nil {
		return nil, fmt.Errorf("exchange folder: %w", err)
	}
	return b, nil
}

// Remove destroys a file; one that is not there is no error. What is in clear in
// these files is card numbers and public keys; the rest is sealed, so that
// removing, and not overwriting, is enough.
func (d Folder) Remove(name string) error {
	if err := ignoreMissing(os.Remove(filepath.Join(string(d), name))); err != nil {
		return fmt.Errorf("exchange folder: %w", err)
	}
	return d.sync()
}

// List names the batches for which a file of this kind is there, sorted. Files
// half written by a killed process are not files.
func (d Folder) List(kind Kind) ([]string, error) {
	entries, err := os.ReadDir(string(d))
	if err != nil {
		return nil, fmt.Errorf("exchange folder: %w", err)
	}
	var out []string
	for _, e := range entries {
		if batch, ok := strings.CutSuffix(e.Name(), "."+string(kind)); ok && !strings.HasPrefix(batch, ".") {
			out = append(out, batch)
		}
	}
	return out, nil
}

func ignoreMissing(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
