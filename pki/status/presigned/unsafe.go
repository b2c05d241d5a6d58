package presigned

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"cse.example/cse/pki/status"
)

// suffixUnsafe is that of a file which says that an authority's key is not safe any
// more. While new answers are signed, which takes minutes for a Region, none that
// says good, or on hold, is given: who asks is told to come back.
const suffixUnsafe = ".unsafe"

// Distrust says so in the folder dir, for good, and has p's successor make a new
// base: p is not to be used any more. It tells whether the folder said so already.
func Distrust(dir, label string, p *Publisher) (already bool, err error) {
	mark := filepath.Join(dir, label+suffixUnsafe)
	if _, err := os.Stat(mark); err == nil {
		return true, nil
	}
	p.Wait()
	err = Replace(mark, func(w io.Writer) error { _, err := io.WriteString(w, label+"\n"); return err })
	if err != nil {
		return false, err
	}
	// Without its delta the base is nobody's: the next publisher begins anew.
	if err := os.Remove(p.deltaPath()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return false, errors.Join(err, os.Remove(mark))
	}
	return false, nil
}

// takeUnsafe is what a Tier makes of such a file.
func takeUnsafe(next *shown, _, name string) error {
	next.unsafe[strings.TrimSuffix(name, suffixUnsafe)] = true
	return nil
}

// final tells that a standing cannot change any more.
func final(s status.Standing) bool { return s.Known && s.Revoked && s.Reason != status.Hold }
