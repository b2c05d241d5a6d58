package main

import (
	"context"
	"crypto/rand"
	"errors"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/archive"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/privacy"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/person/codicefiscale"
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
		Holder: func(ctx context.Context, protocol string) (codicefiscale.Code, error) {
			return p.counter.HolderOf(ctx, protocol)
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

// withPapersMissing counts the scans that an operator's acts of a day lack.
func (p *Platform) withPapersMissing(ctx context.Context, op staff.Operator, day civil.Date, lines []counter.ShiftLine) ([]counter.ShiftLine, error) {
	missing, err := p.archive.MissingIn(ctx, op, day.Start(), day.AddDays(1).Start())
	for i := range lines {
		lines[i].Scans = missing[lines[i].Protocol]
	}
	return lines, err
}

// paperKeepers are the terms of scans, kind by kind, and of the waits that ended.
func (p *Platform) paperKeepers() []privacy.Keeper {
	var out []privacy.Keeper
	for _, k := range archive.Kinds() {
		out = append(out, privacy.Keeper{
			Kind: "papers." + string(k), Days: p.Config.Archive.term(k), Least: 30,
			Purge: func(ctx context.Context, before time.Time) (int64, error) { return p.archive.Retain(ctx, k, before) },
		})
	}
	settled := func(ctx context.Context, before time.Time) (int64, error) { return p.archive.Settled(ctx, before) }
	return append(out, privacy.Keeper{Kind: "waits", Days: p.Config.Archive.Days, Least: 30, Purge: settled})
}

// term is how many days a scan of that kind is kept.
func (a Archive) term(k archive.Kind) int {
	days := map[archive.Kind]int{
		archive.Declaration: a.DeclarationDays, archive.Delegation: a.DelegationDays, archive.HolderDocument: a.DocumentDays, archive.Document: a.DocumentDays,
		archive.Report: a.ReportDays, archive.Signed: a.SignedDays,
	}[k]
	if days == 0 {
		return a.Days
	}
	return days
}
