package presigned

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// bases are those that a Tier has read or is reading: ahead of the delta that will
// name them, so that nothing waits for a great file.
type bases struct {
	mu  sync.Mutex
	all map[string]*base // by path
}

type base struct {
	stamp stamp
	done  bool
	file  *File
	err   error
	at    time.Time
}

// openBase answers what was read of a base, or reads it. While another is at it,
// the answer is that it is not there yet.
func (t *Tier) openBase(path string) (*File, error) {
	st, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	now := stampOf(st)
	t.bases.mu.Lock()
	b := t.bases.all[path]
	switch {
	case b != nil && !b.done:
		t.bases.mu.Unlock()
		return nil, fmt.Errorf("%w: %s is being read", os.ErrNotExist, path)
	case b != nil && b.stamp == now && (b.err == nil || time.Since(b.at) < againEvery):
		t.bases.mu.Unlock()
		return b.file, b.err
	}
	b = &base{stamp: now}
	t.bases.all[path] = b
	t.bases.mu.Unlock()
	f, err := t.open(path)
	t.bases.mu.Lock()
	defer t.bases.mu.Unlock()
	b.done, b.file, b.err, b.at = true, f, err, time.Now()
	return f, err
}

// readAhead reads bases as they appear, and lets go of those that are gone.
func (t *Tier) readAhead(ctx context.Context) {
	every := time.NewTicker(LookEvery)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
		}
		dir := filepath.Join(t.parts.Dir, FolderAnswers)
		all, err := os.ReadDir(dir)
		if err != nil {
			continue // Look says so
		}
		there := map[string]bool{}
		for _, f := range all {
			if path := filepath.Join(dir, f.Name()); strings.HasSuffix(path, ".base") && !strings.HasPrefix(f.Name(), ".") {
				there[path] = true
				_, _ = t.openBase(path) // told when a delta names it
			}
		}
		t.bases.mu.Lock()
		for path, b := range t.bases.all {
			if b.done && !there[path] {
				delete(t.bases.all, path)
			}
		}
		t.bases.mu.Unlock()
	}
}
