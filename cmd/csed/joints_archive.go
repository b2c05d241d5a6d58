package main

import (
	"context"
	"crypto/rand"
	"errors"

	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/archive"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/portal"
)

// The joints of the archive of papers.

func (p *Platform) openArchive(desk archive.AEAD) error {
	key, err := p.web.raw(rawSubject)
	if err != nil {
		return err
	}
	p.archive, err = archive.New(archive.Deps{
		Store: p.db.Archive(), Pseudonym: pseudonym("cse.archive/1", key), Seal: desk, Clock: p.Clock, Rand: rand.Reader,
		File: func(ctx context.Context, op staff.Operator, protocol string) (archive.File, error) {
			f, err := p.counter.File(ctx, op, protocol) // the counter is opened after the archive
			if errors.Is(err, words.Refuse("CSE-145")) {
				return p.fileToCheck(ctx, op, protocol, err)
			}
			return f, err
		},
		Atomically: p.db.Atomically, Record: p.trail.Record, Required: p.Config.Archive.Required,
	})
	return err
}

// withPapersDue adds the signed papers that an office has not archived yet.
func (p *Platform) withPapersDue(ctx context.Context, op staff.Operator, tasks []portal.Task) ([]portal.Task, error) {
	list, err := p.archive.Waiting(ctx, op)
	for _, d := range list {
		tasks = append(tasks, portal.Task{At: d.At, Kind: "papers." + string(d.Kind), Card: d.Card, Path: portal.FilePath(d.Protocol)})
	}
	return tasks, err
}
