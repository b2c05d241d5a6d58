package ceremony

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/pki/keys"
	"cse.example/cse/pki/keys/hsm"
)

// Env is what a ceremony needs beside its file. All but Ask and Program are required.
type Env struct {
	Clock civil.Clock
	Rand  io.Reader
	// Ask asks for a passphrase at the terminal, twice when it is a new one; nil
	// where there is none: then every passphrase has its files.
	Ask func(ctx context.Context, key string, fresh bool) (secret.Text, error)
	// Program is the version that stands in the transcript.
	Program string

	// before is called before each thing that is written: tests stop there.
	before func(step string) error
}

// Rehearse is the dry run: it makes throw-away keys, writes everything that the
// ceremony would sign, lints it, and leaves no file. Approvals are not asked for.
func (c *File) Rehearse(ctx context.Context, e Env) (*Transcript, error) {
	t := c.table(e, true)
	defer t.close()
	if err := t.work(ctx); err != nil {
		return nil, err
	}
	return &t.script, nil
}

// Hold holds the ceremony and answers with its transcript, whose path is second.
// Killed anywhere and called again with the same file it goes on where it was;
// called when all is done it says the same again. Until the end everything is in
// a hidden folder in Out, which belongs to the file's digest. Faults: CSE-920 when
// approvals lack, CSE-921 when Out has something half done by another file,
// CSE-193 when a result is there already, CSE-919 for what only other files tell
// to be wrong.
func (c *File) Hold(ctx context.Context, e Env) (*Transcript, string, error) {
	t := c.table(e, false)
	defer t.close()
	path := filepath.Join(t.out, TranscriptName(c.Mode))
	if done, err := t.done(path); done != nil || err != nil {
		return done, path, err
	}
	notes, err := c.approvals()
	if err != nil {
		return nil, "", err
	}
	if _, err := c.approved(notes, t.now); err != nil {
		return nil, "", err
	}
	for _, n := range notes {
		t.script.Approvals = append(t.script.Approvals, string(n))
	}
	if err := t.open(); err != nil {
		return nil, "", err
	}
	if err := t.work(ctx); err != nil {
		return nil, "", err
	}
	if err := t.finish(); err != nil {
		return nil, "", err
	}
	done, err := Verify(path, nil)
	return done, path, err
}

// table is where a ceremony is at work.
type table struct {
	c   *File
	env Env
	now time.Time
	dry bool
	// dir is the folder of the ceremony file, out that of the results, stage the
	// hidden one in it.
	dir, out, stage string
	script          Transcript
	signer          crypto.Signer // of the transcript
	token           hsm.Token
	results         []string // in the order in which they appear
	said            map[string]secret.Text
}

func (c *File) table(e Env, dry bool) *table {
	t := &table{c: c, env: e, dry: dry, now: e.Clock.Now().UTC().Truncate(time.Second), dir: filepath.Dir(c.name), said: map[string]secret.Text{}}
	t.out = t.path(c.Out)
	t.stage = filepath.Join(t.out, stagePrefix+c.Digest()[:16])
	t.script = Transcript{
		Schema: transcriptSchema, Mode: c.Mode, Title: c.Title, At: t.now, Program: fmt.Sprintf("csed %s %s", e.Program, runtime.Version()),
		File: Source{Name: filepath.Base(c.name), SHA256: c.Digest(), Text: string(c.raw)}, Witnesses: c.Witnesses,
		Approvals: []string{}, Inputs: []Hashed{}, Outputs: []Hashed{}, Keys: []MadeKey{}, Certificates: []MadeCertificate{}, Lists: []MadeList{},
	}
	return t
}

const stagePrefix = ".ceremony-"

// path is a path of the file's, seen from here.
func (t *table) path(p string) string {
	if filepath.IsAbs(p) {
		return filepath.Clean(p)
	}
	return filepath.Join(t.dir, p)
}

func (t *table) close() {
	for _, s := range t.said {
		s.Wipe()
	}
	if t.token != nil {
		_ = t.token.Close() // its sessions; everything it signed was verified
		t.token = nil
	}
}

// done answers with the transcript at path when it is this file's and all its
// results are there.
func (t *table) done(path string) (*Transcript, error) {
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	d, err := Verify(path, nil)
	if err == nil && d.File.SHA256 != t.c.Digest() {
		return nil, words.Refuse("CSE-193", path).Because(errors.New("the transcript of another ceremony file"))
	}
	if err == nil {
		return d, os.RemoveAll(t.stage) // a kill may have come before that
	}
	if _, staged := os.Stat(t.stage); staged == nil {
		return nil, nil // half shown, by this file: go on
	}
	return nil, err
}

// open makes the hidden folder, or finds it as it was left.
func (t *table) open() error {
	if err := os.MkdirAll(t.out, 0o755); err != nil {
		return fmt.Errorf("ceremony: %w", err)
	}
	entries, err := os.ReadDir(t.out)
	if err != nil {
		return fmt.Errorf("ceremony: %w", err)
	}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), stagePrefix) && e.Name() != filepath.Base(t.stage) {
			return words.Refuse("CSE-921", t.out).Because(fmt.Errorf("%s belongs to another ceremony file", e.Name()))
		}
	}
	if err := t.step("folder"); err != nil {
		return err
	}
	if err := os.Mkdir(t.stage, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("ceremony: %w", err)
	}
	return nil
}

func (t *table) step(name string) error {
	if t.env.before == nil || t.dry {
		return nil
	}
	return t.env.before(name)
}

// work makes what the mode makes.
func (t *table) work(ctx context.Context) error {
	from, to := t.c.Days.dates()
	if today := civil.DayOf(t.now); today.Before(from) || today.After(to) {
		return fault("days", today.String(), fmt.Sprintf("%s … %s", from, to))
	}
	switch t.c.Mode {
	case ModeRoot:
		return t.root(ctx)
	case ModeKey:
		return t.key(ctx)
	case ModeIssuing:
		return t.issuing(ctx)
	case ModeResponder:
		return t.responder(ctx)
	default:
		return t.rootCRL(ctx)
	}
}

// finish signs the transcript and lets the results appear: transcript first, so
// that nothing is ever there without it, then the others, none replaced.
func (t *table) finish() error {
	name := TranscriptName(t.c.Mode)
	for _, r := range t.results {
		b, err := os.ReadFile(filepath.Join(t.stage, r))
		if err != nil {
			return fmt.Errorf("ceremony: %w", err)
		}
		t.script.Outputs = append(t.script.Outputs, Hashed{r, digest(b)})
	}
	text, sig, err := t.script.sign(t.env.Rand, t.signer)
	if err != nil {
		return err
	}
	// What appeared before a kill stays as it was; otherwise the two are made anew.
	if _, err := os.Stat(filepath.Join(t.out, name)); errors.Is(err, os.ErrNotExist) {
		for _, f := range []struct {
			name string
			b    []byte
		}{{name, text}, {name + SignatureSuffix, sig}} {
			if err := t.step("write " + f.name); err != nil {
				return err
			}
			if err := replace(filepath.Join(t.stage, f.name), f.b); err != nil {
				return err
			}
		}
	}
	for _, r := range append([]string{name, name + SignatureSuffix}, t.results...) {
		if err := t.step("show " + r); err != nil {
			return err
		}
		if err := t.show(r); err != nil {
			return err
		}
	}
	if err := t.step("tidy"); err != nil {
		return err
	}
	if err := os.RemoveAll(t.stage); err != nil {
		return fmt.Errorf("ceremony: %w", err)
	}
	return nil
}

// show links a result from the hidden folder into Out.
func (t *table) show(name string) error {
	from, to := filepath.Join(t.stage, name), filepath.Join(t.out, name)
	err := os.Link(from, to)
	if errors.Is(err, fs.ErrExist) {
		a, err := os.ReadFile(from)
		b, err2 := os.ReadFile(to)
		if err := errors.Join(err, err2); err != nil {
			return fmt.Errorf("ceremony: %w", err)
		}
		if !bytes.Equal(a, b) {
			return words.Refuse("CSE-193", to)
		}
		return nil
	}
	if err != nil {
		return fmt.Errorf("ceremony: %w", err)
	}
	return syncDir(t.out)
}

// free refuses a name in Out that is taken by something else.
func (t *table) free(names ...string) error {
	for _, n := range names {
		to := filepath.Join(t.out, n)
		if _, err := os.Lstat(to); errors.Is(err, os.ErrNotExist) {
			continue
		}
		a, err := os.ReadFile(filepath.Join(t.stage, n))
		b, err2 := os.ReadFile(to)
		if err != nil || err2 != nil || !bytes.Equal(a, b) {
			return words.Refuse("CSE-193", to)
		}
	}
	return nil
}

// input reads a file that the ceremony file names, and notes its digest.
func (t *table) input(field, p string) ([]byte, error) {
	b, err := os.ReadFile(t.path(p))
	if err != nil {
		return nil, words.Refuse("CSE-919", field, p, "…").At(field).Because(err)
	}
	t.script.Inputs = append(t.script.Inputs, Hashed{p, digest(b)})
	return b, nil
}

func (t *table) certificate(field, p string) (*x509.Certificate, error) {
	b, err := t.input(field, p)
	if err != nil {
		return nil, err
	}
	c, err := parseCertificate(b)
	if err != nil {
		return nil, words.Refuse("CSE-919", field, p, "PEM, CERTIFICATE").At(field).Because(err)
	}
	return c, nil
}

// vault opens with the token, if the file has one, and for a key that is not
// inside it with the passphrase of some files, or of the terminal.
func (t *table) vault(ctx context.Context, what string, files []string, inside, fresh bool) (keys.Vault, error) {
	v := keys.Vault{Inside: inside}
	if k := t.c.Token; k != nil {
		if t.token == nil {
			tok, err := hsm.Open(hsm.Config{Module: k.Module, Token: k.Label, Serial: k.Serial, PINFile: t.path(k.PINFile), Sessions: 1})
			if err != nil {
				return v, err
			}
			t.token = tok
		}
		v.Token = t.token
	}
	if inside {
		return v, nil
	}
	var err error
	v.Passphrase, err = t.passphrase(ctx, what, files, fresh)
	return v, err
}

func (t *table) passphrase(ctx context.Context, what string, files []string, fresh bool) (secret.Text, error) {
	if s, ok := t.said[what]; ok {
		return s, nil
	}
	if len(files) > 0 {
		var paths []string
		for _, f := range files {
			paths = append(paths, t.path(f))
		}
		s, err := keys.ReadPassphrase(paths...)
		if err == nil {
			t.said[what] = s
		}
		return s, err
	}
	if t.env.Ask == nil {
		return secret.Text{}, fault(what+".passphrase_files", "", "[FILE]")
	}
	s, err := t.env.Ask(ctx, what, fresh)
	if err == nil {
		t.said[what] = s
	}
	return s, err
}

// fault is a field that does not go with the world outside the file.
func fault(field string, got, want any) error {
	return words.Refuse("CSE-919", field, fmt.Sprint(got), fmt.Sprint(want)).At(field)
}

func (d Days) dates() (from, to civil.Date) {
	from, _ = civil.ParseISO(d.From) // check has read both
	to, _ = civil.ParseISO(d.To)
	return from, to
}

func readCertificate(path string) (*x509.Certificate, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return parseCertificate(b)
}

func parseCertificate(b []byte) (*x509.Certificate, error) {
	block, rest := pem.Decode(b)
	if block == nil || block.Type != "CERTIFICATE" || len(bytes.TrimSpace(rest)) > 0 {
		return nil, errors.New("not one PEM certificate")
	}
	return x509.ParseCertificate(block.Bytes)
}

// replace puts a whole file in place.
func replace(path string, b []byte) (err error) {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".writing-*")
	if err != nil {
		return fmt.Errorf("ceremony: %w", err)
	}
	_, werr := tmp.Write(b)
	if err := errors.Join(werr, tmp.Chmod(0o644), tmp.Sync(), tmp.Close()); err != nil {
		return errors.Join(fmt.Errorf("ceremony: write %s: %w", path, err), os.Remove(tmp.Name()))
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return errors.Join(fmt.Errorf("ceremony: %w", err), os.Remove(tmp.Name()))
	}
	return syncDir(filepath.Dir(path))
}

func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // directories cannot be synced there
	}
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("ceremony: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("ceremony: sync %s: %w", dir, err)
	}
	return nil
}
