package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"cse.example/cse/engine/store"
	"cse.example/cse/pki/profile"
	"cse.example/cse/pki/status"
	"cse.example/cse/pki/status/presigned"
)

// Validation is what the platform publishes for the validation tier (csed validate).
type Validation struct {
	// Folder gets signed answers, lists and certificates; empty: nothing is published.
	Folder string `yaml:"folder"`
	// AnswerHours is nextUpdate - thisUpdate of those answers: so long the tier goes
	// on alone.
	AnswerHours int `yaml:"answer_hours"`
}

// followChanges makes what keeps the responders up with the changes that any
// process commits, and tells them at once of those of this one.
func (p *Platform) followChanges() {
	p.follower = status.NewFollower(p.db.PKI(), p.Clock)
	p.moved = make(chan struct{}, 1)
	p.db.PKI().OnMove(func(list []store.Moved) {
		for _, m := range list {
			p.follower.Moved(m.Issuer, m.Serial, m.Version)
		}
		select {
		case p.moved <- struct{}{}:
		default:
		}
	})
}

// follow runs as long as the listeners do.
func (p *Platform) follow(ctx context.Context) error {
	p.follower.Run(ctx, func(err error) { p.Log.Error("OCSP: changes of certificates", "err", err) })
	return p.follower.Keep(context.WithoutCancel(ctx))
}

// shelf is the published folder.
type shelf struct {
	p          *Platform
	dir        string
	lock       *os.File
	workers    int
	publishers map[string]*presigned.Publisher
	copied     map[string]os.FileInfo // lists that could not be linked, as they were
}

// openShelf takes the folder: one process at a time writes into it.
func (p *Platform) openShelf(workers int) (*shelf, error) {
	s := &shelf{p: p, dir: p.Config.under(p.Config.Validation.Folder), workers: workers, publishers: map[string]*presigned.Publisher{}, copied: map[string]os.FileInfo{}}
	for _, sub := range []string{presigned.FolderAnswers, presigned.FolderLists, presigned.FolderCertificates} {
		if err := os.MkdirAll(filepath.Join(s.dir, sub), 0o755); err != nil {
			return nil, err
		}
	}
	var err error
	if s.lock, err = openLock(s.dir, "publish", syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		return nil, err
	}
	return s, nil
}

func (s *shelf) Close() error {
	for _, x := range s.publishers {
		x.Wait()
	}
	return s.lock.Close()
}

// of is an authority's publisher.
func (s *shelf) of(b *branch) (*presigned.Publisher, error) {
	if x := s.publishers[b.Label]; x != nil {
		return x, nil
	}
	x, err := presigned.NewPublisher(presigned.Parts{
		Dir: filepath.Join(s.dir, presigned.FolderAnswers), Label: b.Label, Responder: b.responder, Changes: s.p.db.PKI(), Clock: s.p.Clock,
		Life: time.Duration(s.p.Config.Validation.AnswerHours) * time.Hour, Workers: s.workers,
	})
	if err == nil {
		s.publishers[b.Label] = x
	}
	return x, err
}

// turn brings the whole folder up to date.
func (s *shelf) turn(ctx context.Context) error {
	errs := []error{s.certificates(), s.lists()}
	for _, b := range s.p.branches.list() {
		x, err := s.of(b)
		if err == nil && b.distrusted.Load() {
			var already bool
			if already, err = presigned.Distrust(filepath.Join(s.dir, presigned.FolderAnswers), b.Label, x); err == nil && !already {
				delete(s.publishers, b.Label)
				x, err = s.of(b)
			}
		}
		if err == nil {
			err = x.Step(ctx)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

func (s *shelf) certificates() error {
	put := func(address string, der []byte) error {
		path := filepath.Join(s.dir, presigned.FolderCertificates, filepath.Base(address))
		if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, der) {
			return nil
		}
		return presigned.Replace(path, func(w io.Writer) error { _, err := w.Write(der); return err })
	}
	errs := []error{put(profile.PathRoot, s.p.material.Root.Raw)}
	for _, b := range s.p.branches.list() {
		errs = append(errs, put(profile.PathIssuerOf(b.Label), b.Issuing.Raw))
	}
	return errors.Join(errs...)
}

// lists gives the published lists a second name in the folder, or a copy where the
// file system has no such thing. A list is never written again under its name.
func (s *shelf) lists() error {
	all, err := os.ReadDir(s.p.crlDir())
	if err != nil {
		return err
	}
	var errs []error
	for _, f := range all {
		if !strings.HasSuffix(f.Name(), ".crl") || strings.HasPrefix(f.Name(), ".") {
			continue
		}
		if err := s.list(filepath.Join(s.p.crlDir(), f.Name()), filepath.Join(s.dir, presigned.FolderLists, f.Name())); err != nil && !errors.Is(err, os.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

func (s *shelf) list(from, to string) error {
	is, err := os.Stat(from)
	if err != nil {
		return err
	}
	if was, err := os.Stat(to); err == nil && (os.SameFile(is, was) || s.copied[from] != nil && os.SameFile(is, s.copied[from])) {
		return nil
	}
	beside := filepath.Join(filepath.Dir(to), ".linking-"+filepath.Base(to))
	if err := os.Remove(beside); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if os.Link(from, beside) == nil {
		return os.Rename(beside, to)
	}
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	if is, err = in.Stat(); err != nil {
		return err
	}
	if err := presigned.Replace(to, func(w io.Writer) error { _, err := io.Copy(w, in); return err }); err != nil {
		return err
	}
	s.copied[from] = is
	return nil
}

// publishAnswers keeps the folder up to date: several times a second, and at once
// when this process moved a certificate.
func (p *Platform) publishAnswers(ctx context.Context) error {
	if p.Config.Validation.Folder == "" {
		return nil
	}
	every := time.NewTicker(status.FollowEvery)
	defer every.Stop()
	var s *shelf
	for silent := false; ; {
		var err error
		if s == nil { // another process may have the folder for a while
			s, err = p.openShelf(1)
		}
		if err == nil {
			err = s.turn(ctx)
		} else {
			s = nil
		}
		if err != nil && ctx.Err() == nil && !silent {
			p.Log.Error("OCSP: the folder of answers", "err", err)
		}
		silent = err != nil
		select {
		case <-ctx.Done():
			if s == nil {
				return nil
			}
			return s.Close()
		case <-every.C:
		case <-p.moved:
		}
	}
}

// presignAll makes new bases now: of every answer, or of those that changed or are
// old.
func (p *Platform) presignAll(ctx context.Context, all bool, tell func(string, presigned.About)) (err error) {
	if p.Config.Validation.Folder == "" {
		return errors.Join(errUsage, errors.New("validation.folder"))
	}
	s, err := p.openShelf(runtime.GOMAXPROCS(0))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	if err := errors.Join(s.certificates(), s.lists()); err != nil {
		return err
	}
	for _, b := range p.branches.list() {
		x, err := s.of(b)
		if err != nil {
			return err
		}
		about, err := x.Make(ctx, all)
		if err != nil {
			return fmt.Errorf("answers of authority %s: %w", b.Label, err)
		}
		tell(b.Label, about)
	}
	return nil
}
