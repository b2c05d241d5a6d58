package main

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"

	"cse.example/cse/ground/words"
)

// Duties that one process at a time may have in a data folder, beside the roles
// of a server. The operating system lets go of a lock when its process dies, so
// that a kill never leaves one behind. Where roles run on several machines, each
// machine guards itself only.
const (
	dutyRegistry   = "registry"   // bringing people in
	dutyProduction = "production" // the plant: orders, batches, certificates
	dutySchema     = "schema"     // bringing the store's schema up to date
)

// allDuties is the whole platform: who holds these is alone.
func allDuties() []string {
	return append(knownRoles(), dutyRegistry, dutyProduction)
}

func openLock(dir, duty string, how int) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock-"+duty), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, words.Refuse("CSE-384", dir).Because(err)
	}
	for {
		if err = syscall.Flock(int(f.Fd()), how); err != syscall.EINTR {
			break
		}
	}
	if err != nil {
		_ = f.Close() // the refusal is what matters
		return nil, words.Refuse("CSE-386", dir).Because(fmt.Errorf("%s: %w", duty, err))
	}
	return f, nil
}

// hold takes a duty, or answers CSE-386 when another process has it. Closing the
// file lets go.
func (c *Config) hold(duty string) (*os.File, error) {
	return openLock(c.Data, duty, syscall.LOCK_EX|syscall.LOCK_NB)
}

// wait takes a duty as soon as it is free: for work of a moment.
func (c *Config) wait(duty string) (*os.File, error) { return openLock(c.Data, duty, syscall.LOCK_EX) }
