package main

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"cse.example/cse/engine/queue"
	"cse.example/cse/issuer/cardbase"
	"cse.example/cse/issuer/operations"
)

// Requests to other issuers lie as files in a folder until operations have sent
// them (docs/card-base.md); then they lie in its folder "sent".

// sentShown is how many of those that went are shown.
const sentShown = 50

type issuers struct{ p *Platform }

var _ operations.Issuers = issuers{}

func (i issuers) dir() string  { return i.p.Config.requestsDir() }
func (i issuers) sent() string { return filepath.Join(i.dir(), "sent") }

func (i issuers) Requests(ctx context.Context) ([]operations.Asked, error) {
	var out []operations.Asked
	for _, state := range []string{queue.Pending, queue.Leased, queue.Failed, queue.Uncertain} {
		items, err := i.p.queue.List(ctx, queue.Filter{State: state, Kind: cardbase.KindRequest, Limit: 200})
		if err != nil {
			return nil, err
		}
		for _, x := range items {
			out = append(out, operations.Asked{Card: x.Card, At: x.Created})
		}
	}
	waiting, err := i.read(i.dir())
	if err != nil {
		return nil, err
	}
	slices.SortFunc(waiting, func(x, y operations.Asked) int { return x.At.Compare(y.At) })
	gone, err := i.read(i.sent())
	if err != nil {
		return nil, err
	}
	slices.SortFunc(gone, func(x, y operations.Asked) int { return y.SentAt.Compare(x.SentAt) })
	return slices.Concat(out, waiting, gone[:min(len(gone), sentShown)]), nil
}

// read reads the requests of a folder; a folder that is not there has none.
func (i issuers) read(dir string) ([]operations.Asked, error) {
	names, err := filepath.Glob(filepath.Join(dir, "*.json"))
	if err != nil {
		return nil, err
	}
	var out []operations.Asked
	for _, n := range names {
		x, err := i.one(n)
		if errors.Is(err, fs.ErrNotExist) {
			continue // gone meanwhile
		}
		if err != nil {
			return nil, err
		}
		out = append(out, x)
	}
	return out, nil
}

func (i issuers) one(path string) (operations.Asked, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return operations.Asked{}, err
	}
	var r cardbase.Request
	if err := json.Unmarshal(b, &r); err != nil {
		return operations.Asked{}, err
	}
	x := operations.Asked{Name: strings.TrimSuffix(filepath.Base(path), ".json"), Card: r.Card, Serial: r.Serial, Issuer: i.name(r.Issuer), Act: r.Act, At: r.At}
	if filepath.Dir(path) == i.sent() {
		info, err := os.Stat(path)
		if err != nil {
			return x, err
		}
		x.SentAt = info.ModTime()
	}
	return x, nil
}

// name is the issuer's in the trust list, or what stands in the request.
func (i issuers) name(id string) string {
	if i.p.neighbour == nil {
		return id
	}
	for _, n := range i.p.neighbour.each() {
		if issuerID(n.cert.RawSubject, n.cert.SubjectKeyId) == id {
			return n.cert.Subject.CommonName
		}
	}
	return id
}

// path is where a request lies, empty for what is no name of one.
func (i issuers) path(dir, name string) string {
	if name == "" || name != filepath.Base(name) || strings.HasPrefix(name, ".") {
		return ""
	}
	return filepath.Join(dir, name+".json")
}

func (i issuers) Waiting(_ context.Context, name string) (operations.Asked, error) {
	path := i.path(i.dir(), name)
	if path == "" {
		return operations.Asked{}, operations.ErrNotAsked
	}
	x, err := i.one(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = errors.Join(operations.ErrNotAsked, err)
	}
	return x, err
}

func (i issuers) Sent(_ context.Context, name string) error {
	from, to := i.path(i.dir(), name), i.path(i.sent(), name)
	if from == "" {
		return operations.ErrNotAsked
	}
	if err := os.MkdirAll(i.sent(), 0o700); err != nil {
		return err
	}
	now := i.p.Clock.Now()
	err := os.Chtimes(from, time.Time{}, now)
	if err == nil {
		err = os.Rename(from, to)
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil // somebody else was faster
	}
	return err
}
