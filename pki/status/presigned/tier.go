package presigned

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/pki/status"
)

// The folder that a platform publishes and a Tier serves from.
const (
	FolderAnswers      = "ocsp" // <label>.delta, <label>-<id>.base
	FolderLists        = "crl"  // as under /crl/
	FolderCertificates = "ca"   // as under /ca/, DER
)

// TierParts are what a Tier is made of.
type TierParts struct {
	// Dir is the published folder; Work is where copies go (the system's folder of
	// temporary files when empty): as much room as Dir takes.
	Dir, Work string
	Clock     civil.Clock
	Log       *slog.Logger
}

// Tier answers OCSP and serves lists and certificates from a published folder: no
// database, no key, no passphrase. It reads copies of its own, which have no name,
// so that nothing that happens to the folder happens to what it serves; what
// is damaged, older than what it has, or not signed by its authority, it leaves.
// What is past its nextUpdate it does not give: OCSP answers tryLater, a list is
// 503. Make one with NewTier.
type Tier struct {
	parts TierParts
	look  sync.Mutex
	seen  map[string]stamp // what was looked at, by path
	tried map[string]time.Time
	bases bases
	bad   sync.Map // path -> error: what is not taken, for /readyz
	now   atomic.Pointer[shown]
}

// shown is what is served at one moment.
type shown struct {
	answers map[string]*answers // by label
	unsafe  map[string]bool     // labels of authorities whose key is not safe any more
	lists   map[string]*list    // by file name
	certs   map[string]*cert
}

// answers are one authority's.
type answers struct {
	base, delta *File
	late        atomic.Int64 // questions whose answer was past its nextUpdate
}

type cert struct {
	*x509.Certificate
	tag string
}

// stamp tells whether a file is another than before.
type stamp struct {
	at   time.Time
	size int64
	id   string
}

func stampOf(st os.FileInfo) stamp { return stamp{st.ModTime(), st.Size(), inode(st)} }

// againEvery is the pause before what was not taken is looked at again: what it
// lacked may have come.
const againEvery = 30 * time.Second

// NewTier looks at the folder once; a folder without any answers is CSE-953.
func NewTier(p TierParts) (*Tier, error) {
	if p.Dir == "" || p.Clock == nil || p.Log == nil {
		return nil, status.ErrPart
	}
	t := &Tier{parts: p, seen: map[string]stamp{}, tried: map[string]time.Time{}, bases: bases{all: map[string]*base{}}}
	t.now.Store(&shown{})
	if err := t.Look(); err != nil {
		return nil, err
	}
	if len(t.now.Load().answers) == 0 {
		var why []error
		t.bad.Range(func(_, err any) bool { why = append(why, err.(error)); return true })
		return nil, words.Refuse("CSE-953", p.Dir).Because(errors.Join(why...))
	}
	return t, nil
}

// LookEvery is the pause between two looks at the folder.
const LookEvery = 200 * time.Millisecond

// Run looks at the folder until ctx ends.
func (t *Tier) Run(ctx context.Context) {
	var group sync.WaitGroup
	defer group.Wait()
	group.Go(func() { t.readAhead(ctx) })
	every := time.NewTicker(LookEvery)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
			if err := t.Look(); err != nil {
				t.parts.Log.Error("validation tier: the folder cannot be read", "err", err)
			}
		}
	}
}

// Look takes what is new in the folder. A file that is not taken is told once, and
// at /readyz as long as it lies there; the error is of the folder itself.
func (t *Tier) Look() error {
	t.look.Lock()
	defer t.look.Unlock()
	old := t.now.Load()
	next := &shown{answers: clone(old.answers), unsafe: clone(old.unsafe), lists: clone(old.lists), certs: clone(old.certs)}
	changed := false
	for _, kind := range []struct {
		folder, suffix string
		take           func(*shown, string, string) error
	}{
		{FolderCertificates, ".cer", t.takeCertificate},
		{FolderAnswers, suffixUnsafe, takeUnsafe},
		{FolderAnswers, ".delta", t.takeAnswers},
		{FolderLists, ".crl", t.takeList},
	} {
		dir := filepath.Join(t.parts.Dir, kind.folder)
		all, err := os.ReadDir(dir)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("presigned: %w", err)
		}
		for _, f := range all {
			name := f.Name()
			if strings.HasPrefix(name, ".") || !strings.HasSuffix(name, kind.suffix) {
				continue
			}
			if t.take(next, filepath.Join(dir, name), name, kind.take) {
				changed = true
			}
		}
	}
	if changed {
		t.now.Store(next)
	}
	return nil
}

func clone[V any](m map[string]V) map[string]V {
	out := make(map[string]V, len(m)+1)
	for k, v := range m {
		out[k] = v
	}
	return out
}

// take takes one file if it is another than before; it tells whether it did.
func (t *Tier) take(next *shown, path, name string, take func(*shown, string, string) error) bool {
	st, err := os.Stat(path)
	if err != nil {
		return false // renamed away under our eyes: the next look sees what came
	}
	now := stampOf(st)
	if t.seen[path] == now && (t.tried[path].IsZero() || time.Since(t.tried[path]) < againEvery) {
		return false
	}
	err = take(next, path, name)
	if err != nil {
		if _, again := t.bad.Swap(path, err); !again {
			t.parts.Log.Error("validation tier: a file is not taken; what was good before goes on being served", "file", path, "err", err)
		}
		if errors.Is(err, os.ErrNotExist) {
			return false // its base is on the way, or it was replaced: look again
		}
		t.tried[path] = time.Now() // a pause, not a date: the machine's own clock
	} else {
		t.bad.Delete(path)
		delete(t.tried, path)
	}
	t.seen[path] = now
	return err == nil
}

// copyOf copies a file to one of ours that has no name.
func (t *Tier) copyOf(path string) (f *os.File, size int64, sum string, err error) {
	in, err := os.Open(path)
	if err != nil {
		return nil, 0, "", err
	}
	defer in.Close()
	if f, err = os.CreateTemp(t.parts.Work, "csed-tier-*"); err != nil {
		return nil, 0, "", err
	}
	h := sha256.New()
	size, err = io.CopyBuffer(io.MultiWriter(f, h), in, make([]byte, 1<<20))
	if err = errors.Join(err, os.Remove(f.Name())); err != nil {
		return nil, 0, "", errors.Join(err, f.Close())
	}
	return f, size, hex.EncodeToString(h.Sum(nil)), nil // closed when nobody refers to it any more
}

func (t *Tier) open(path string) (*File, error) {
	f, size, _, err := t.copyOf(path)
	if err != nil {
		return nil, err
	}
	file, err := Open(f, size, path)
	if err == nil {
		err = file.Check()
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return file, nil
}

var (
	errOlder = errors.New("presigned: older than what is served")
	errOther = errors.New("presigned: of another authority than what is served")
)

// takeAnswers takes a delta, and its base when that is another.
func (t *Tier) takeAnswers(next *shown, path, name string) error {
	delta, err := t.open(path)
	if err != nil {
		return err
	}
	label := strings.TrimSuffix(name, ".delta")
	old := next.answers[label]
	switch {
	case delta.Label != label || delta.Base == "" || len(delta.Base) != idSize || filepath.Base(delta.Base) != delta.Base:
		return damaged(path, "it is called %q and belongs to %q", label, delta.Label)
	case old != nil && delta.ID < old.delta.ID:
		return errOlder
	case old != nil && !old.base.Issuing.Equal(delta.Issuing):
		return errOther
	}
	fresh := &answers{delta: delta}
	if old != nil && old.base.ID == delta.Base {
		fresh.base = old.base
	} else if fresh.base, err = t.openBase(basePath(filepath.Dir(path), label, delta.Base)); err != nil {
		return err
	}
	if fresh.base.ID != delta.Base || !fresh.base.Issuing.Equal(delta.Issuing) {
		return damaged(path, "its base is another's")
	}
	next.answers[label] = fresh
	return nil
}

// takeCertificate takes an authority's certificate.
func (t *Tier) takeCertificate(next *shown, path, name string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	c, err := x509.ParseCertificate(b)
	if err != nil {
		return damaged(path, "%w", err)
	}
	if old := next.certs[name]; old != nil && !old.Equal(c) {
		return errOther // an authority keeps its certificate: start again to change it
	}
	sum := sha256.Sum256(b)
	next.certs[name] = &cert{c, `"` + hex.EncodeToString(sum[:]) + `"`}
	return nil
}

// Answer answers a request about one certificate from what was signed. A nonce is
// not repeated (RFC 9654 lets a responder that signs before do without); several
// certificates, and one in no file, are not for us to speak of (RFC 5019, 2.2.3).
func (t *Tier) Answer(_ context.Context, q *status.Request) (status.Reply, error) {
	if len(q.CertIDs) != 1 {
		return status.Unauthorized, nil
	}
	id := q.CertIDs[0]
	serial, ok := status.SerialOf(id.Serial)
	if !ok {
		return status.Unauthorized, nil
	}
	now := t.parts.Clock.Now()
	shown := t.now.Load()
	for label, a := range shown.answers {
		if len(a.base.heads) == 0 || !a.base.heads[0].Names(id) {
			continue
		}
		r, from, err := a.find(serial)
		switch {
		case err != nil:
			return status.TryLater, err
		case from == nil:
			return status.Unauthorized, nil
		case !r.Valid(now):
			a.late.Add(1)
			return status.TryLater, nil
		case shown.unsafe[label] && !final(r.Standing()):
			return status.TryLater, nil // signed before; what says revoked is on the way
		}
		der, err := from.Head(&r).AppendAnswer(make([]byte, 0, 2048), &r, id.Hash)
		if err != nil {
			return status.TryLater, err
		}
		return status.Reply{DER: der, Cacheable: true, ThisUpdate: instant(r.This), NextUpdate: instant(r.Next)}, nil
	}
	return status.Unauthorized, nil
}

// find looks in the delta, then in the base.
func (a *answers) find(serial [status.SerialSize]byte) (status.Record, *File, error) {
	for _, f := range []*File{a.delta, a.base} {
		r, ok, err := f.Find(serial)
		if err != nil {
			return r, nil, err
		}
		if ok {
			return r, f, nil
		}
	}
	return status.Record{}, nil, nil
}

// ServeHTTP implements http.Handler.
func (t *Tier) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("X-Content-Type-Options", "nosniff")
	path := r.URL.Path
	if path == "/ocsp" || strings.HasPrefix(path, "/ocsp/") {
		status.Questions{Reply: t.Answer, Clock: t.parts.Clock, Log: t.parts.Log}.ServeHTTP(w, r)
		return
	}
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "method not allowed", http.StatusMethodNotAllowed)
		return
	}
	now := t.now.Load()
	folder, name := filepath.Split(path)
	switch {
	case path == "/livez":
		_, _ = w.Write([]byte("ok\n")) // the asker may be gone
	case path == "/readyz":
		t.ready(w)
	case folder == "/crl/" && now.lists[name] != nil:
		now.lists[name].serve(w, r, t.parts.Clock.Now())
	case folder == "/ca/" && now.certs[name] != nil:
		now.certs[name].serve(w, r)
	default:
		http.NotFound(w, r)
	}
}

// ready is 200 when everything that is served is in date, 503 when something is
// not; its lines say what. A file that was not taken is said in either case.
func (t *Tier) ready(w http.ResponseWriter) {
	now, at := t.now.Load(), t.parts.Clock.Now()
	var late, lines []string
	for label, a := range now.answers {
		line := fmt.Sprintf("answers %s: base of %s with %d, delta of %s with %d", label, rfc(a.base.Made), a.base.Records, rfc(a.delta.Made), a.delta.Records)
		switch {
		case a.base.Records == 0 || at.Before(a.base.First):
			lines = append(lines, line)
		default:
			late = append(late, fmt.Sprintf("%s; some are past their nextUpdate since %s, all from %s on; %d were asked for", line, rfc(a.base.First), rfc(a.base.Last), a.late.Load()))
		}
	}
	for name, l := range now.lists {
		line := fmt.Sprintf("list %s: number %d, nextUpdate %s", name, l.number, rfc(l.next))
		if at.Before(l.next) {
			lines = append(lines, line)
		} else {
			late = append(late, line+": past")
		}
	}
	t.bad.Range(func(path, err any) bool {
		lines = append(lines, fmt.Sprintf("not taken %s: %v", filepath.Base(path.(string)), err))
		return true
	})
	slices.Sort(late)
	slices.Sort(lines)
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	if len(late) > 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
	_, _ = io.WriteString(w, strings.Join(append(late, lines...), "\n")+"\n")
}

func rfc(at time.Time) string { return at.UTC().Format(time.RFC3339) }
