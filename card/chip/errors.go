package chip

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"cse.example/cse/ground/words"
)

// LockedError says that another process has the card.
type LockedError struct {
	Path string
	// PID of the process that has it, 0 when it cannot be told.
	PID int
	// Program is that process's name, possibly empty.
	Program string
}

// Error implements error.
func (e *LockedError) Error() string {
	return fmt.Sprintf("card image %s is in use by process %d %s", e.Path, e.PID, e.Program)
}

// CorruptError says that a file is not, or is no longer, a card image.
type CorruptError struct {
	Path   string
	Reason error
}

// Error implements error.
func (e *CorruptError) Error() string { return fmt.Sprintf("card image %s: %v", e.Path, e.Reason) }

// Unwrap gives the reason.
func (e *CorruptError) Unwrap() error { return e.Reason }

// Reasons inside a CorruptError.
var (
	ErrNotImage = errors.New("not a card image")
	ErrVersion  = errors.New("made by a newer version of this program")
	ErrChecksum = errors.New("the content does not match its checksum")
	ErrContent  = errors.New("the content is not that of a card")
)

// faultOf puts a code for people around an error of opening or creating.
func faultOf(path string, err error) error {
	name := filepath.Base(path)
	var locked *LockedError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &locked):
		return words.Refuse("CSE-240", name, locked.PID).Because(err)
	case errors.Is(err, ErrNotImage):
		return words.Refuse("CSE-242", name).Because(err)
	case errors.Is(err, ErrVersion):
		return words.Refuse("CSE-243", name).Because(err)
	case errors.Is(err, ErrChecksum), errors.Is(err, ErrContent):
		return words.Refuse("CSE-241", name).Because(err)
	case errors.Is(err, os.ErrExist):
		return words.Refuse("CSE-244", name).Because(err)
	case errors.Is(err, os.ErrNotExist):
		return words.Refuse("CSE-246", name).Because(err)
	default:
		return words.Refuse("CSE-245", name).Because(err)
	}
}
