package chip

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
)

// fileLock is the exclusive right to a card image: a lock on the file
// IMAGE.lock, which holds the process id and name of who has it. The file goes
// with the right; one that a killed process left behind binds nobody.
type fileLock struct {
	f    *os.File
	path string
}

// errBusy is what the system's lock call says when somebody else has it.
var errBusy = errors.New("locked")

// acquire takes the lock or returns *LockedError at once; it never waits.
func acquire(image string) (*fileLock, error) {
	path := image + ".lock"
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		if err := tryLock(f); err != nil {
			locked := &LockedError{Path: image}
			if errors.Is(err, errBusy) {
				locked.readOwner(f)
				err = locked
			}
			_ = f.Close()
			return nil, err
		}
		if !sameFile(f, path) { // its last owner removed it between open and lock
			_ = f.Close()
			continue
		}
		l := &fileLock{f: f, path: path}
		if err := l.sign(); err != nil {
			l.release()
			return nil, err
		}
		return l, nil
	}
}

func (l *fileLock) sign() error {
	if err := l.f.Truncate(0); err != nil {
		return err
	}
	_, err := l.f.WriteAt(fmt.Appendf(nil, "%d %s\n", os.Getpid(), filepath.Base(os.Args[0])), 0)
	return err
}

func (e *LockedError) readOwner(f *os.File) {
	b := make([]byte, 256)
	n, err := f.ReadAt(b, 0)
	if err != nil && !errors.Is(err, io.EOF) {
		return
	}
	_, _ = fmt.Sscanf(string(b[:n]), "%d %s", &e.PID, &e.Program)
}

// release removes the lock file while it is still ours, then lets go.
func (l *fileLock) release() {
	_ = os.Remove(l.path)
	_ = l.f.Close()
}

func sameFile(f *os.File, path string) bool {
	a, errA := f.Stat()
	b, errB := os.Stat(path)
	return errA == nil && errB == nil && os.SameFile(a, b)
}
