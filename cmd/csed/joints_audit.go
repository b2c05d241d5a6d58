package main

import (
	"cmp"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"cse.example/cse/engine/audit"
	"cse.example/cse/ground/merkle"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/pki/keys"
)

// The joints of the audit log.

// Audit is the log of acts.
type Audit struct {
	// Origin is the log's name in its signed heads; empty: the host of public.pki,
	// then /log.
	Origin string `yaml:"origin"`
}

// Files of the log: its private key, sealed under the web passphrase; its public
// keys, the one in use first; the head that was last given out.
const (
	logKeyFile  = "audit-log.key"
	logPubFile  = "audit-log.pub"
	logGivenOut = "log/checkpoint"
)

func (c *Config) logOrigin() string {
	return cmp.Or(c.Audit.Origin, hostname(c.Public.PKI)+"/log")
}

func (c *Config) logFile(name string) string { return filepath.Join(c.under("keys"), name) }

// logSigner opens the log's private key, and makes it when there never was one. A key
// that is missing beside its public one is refused: nobody replaces it in silence.
func (c *Config) logSigner() (note.Signer, error) {
	pass, err := passphrase(c.under(c.Keys.Web))
	if err != nil {
		return nil, err
	}
	path := c.logFile(logKeyFile)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(c.logFile(logPubFile)); err == nil {
			return nil, words.Refuse("CSE-974", path)
		}
		if err := makeLogKey(path, pass); err != nil {
			return nil, err
		}
	}
	seed, err := keys.Open(path, logKeyFile, pass)
	if err != nil {
		return nil, err
	}
	defer clear(seed)
	if len(seed) != ed25519.SeedSize {
		return nil, words.Refuse("CSE-974", path)
	}
	private := ed25519.NewKeyFromSeed(seed)
	s, err := merkle.Signer(c.logOrigin(), private)
	if err != nil {
		return nil, words.Refuse("CSE-383", "audit.origin", c.logOrigin(), "pki.regione.example/log").Because(err)
	}
	line, err := merkle.VerifierKey(c.logOrigin(), private.Public().(ed25519.PublicKey))
	if err != nil {
		return nil, err
	}
	return s, c.logPublic(line)
}

func makeLogKey(path string, pass secret.Text) error {
	seed := make([]byte, ed25519.SeedSize)
	if _, err := rand.Read(seed); err != nil {
		return err
	}
	defer clear(seed)
	return keys.Seal(rand.Reader, path, logKeyFile, seed, pass)
}

// logPublic puts the key in use before those that were: what they signed stays good.
func (c *Config) logPublic(line string) error {
	before, err := os.ReadFile(c.logFile(logPubFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	var was []string
	for l := range strings.Lines(string(before)) {
		if l = strings.TrimSpace(l); l != line && l != "" {
			was = append(was, l)
		}
	}
	text := strings.Join(append([]string{line}, was...), "\n") + "\n"
	if text == string(before) {
		return nil
	}
	return place(c.logFile(logPubFile), []byte(text))
}

// logLines are the log's public keys as the file has them; empty when there is none.
func (c *Config) logLines() (string, error) {
	b, err := os.ReadFile(c.logFile(logPubFile))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return string(b), err
}

// place makes a file appear whole, in a folder that may not be there yet.
func place(path string, b []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".writing-*")
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		err = errors.Join(err, os.Remove(f.Name()))
	}
	return err
}

// openTrail opens the log: its keys, the chain of before, and the last signed head,
// which it must contain before anything is written. One process at a time does it.
func (p *Platform) openTrail(ctx context.Context, key secret.Text, reads bool) error {
	l, err := p.Config.wait(dutySchema)
	if err != nil {
		return err
	}
	defer l.Close()
	c := audit.Config{
		Conn: func(ctx context.Context) audit.DBTX { return p.db.Conn(ctx) }, Atomically: p.db.Atomically, Clock: p.Clock, Key: key,
	}
	if p.Config.plays("web") {
		if c.Signer, err = p.Config.logSigner(); err != nil {
			return err
		}
	}
	lines, err := p.Config.logLines()
	if err != nil {
		return err
	}
	if lines != "" {
		if c.Keys, err = merkle.ParseKeys(lines); err != nil {
			return words.Refuse("CSE-974", p.Config.logFile(logPubFile)).Because(err)
		}
	}
	if p.trail, err = audit.New(c); err != nil {
		return err
	}
	if _, err := p.trail.Upgrade(ctx); err != nil || reads || c.Keys == nil {
		return err
	}
	given, err := os.ReadFile(p.Config.under(logGivenOut))
	if errors.Is(err, fs.ErrNotExist) {
		given, err = nil, nil
	}
	if err != nil {
		return err
	}
	return p.trail.Consistent(ctx, given)
}

// proveActs makes what a citizen takes home of acts about him.
func (p *Platform) proveActs(ctx context.Context, cf codicefiscale.Code, acts ...int64) ([]byte, error) {
	lines, err := p.Config.logLines()
	if err != nil {
		return nil, err
	}
	key, _, _ := strings.Cut(lines, "\n")
	proof, err := p.trail.Prove(ctx, key, string(cf), acts...)
	switch {
	case errors.Is(err, audit.ErrNotHis):
		return nil, words.Refuse("CSE-002").Because(err)
	case errors.Is(err, audit.ErrNotSigned):
		return nil, words.Refuse("CSE-981").Because(err)
	case err != nil:
		return nil, err
	}
	return json.MarshalIndent(proof, "", " ")
}

// checkpoints signs the log's head as long as the platform runs.
func (p *Platform) checkpoints(ctx context.Context) error {
	return p.trail.Run(ctx, p.giveOut, func(err error) { p.Log.Error("audit log", "err", err) })
}

// giveOut remembers, outside the store, what was signed: a store that is set back
// does not contain it (CSE-973).
func (p *Platform) giveOut(msg []byte) error { return place(p.Config.under(logGivenOut), msg) }

// withLog serves what anybody may know of the log beside the lists and OCSP: keys,
// signed heads and hashes. No record, and nothing that leads to one.
//
//	/log/key                     the public keys, the one in use first
//	/log/checkpoint              the newest signed head
//	/log/checkpoints?after=N     up to 1,000 after number N, a JSON string on each line
//	/log/tile/LEVEL/N            hashes, 32 bytes each, as far as the newest head goes
func (p *Platform) withLog(next http.Handler) http.Handler {
	mux := http.NewServeMux()
	text := func(w http.ResponseWriter, kind string, b []byte, err error) {
		switch {
		case err != nil:
			p.Log.Error("audit log", "err", err)
			http.Error(w, "not now", http.StatusServiceUnavailable)
		case len(b) == 0:
			http.Error(w, "not found", http.StatusNotFound)
		default:
			w.Header().Set("Content-Type", kind)
			w.Header().Set("X-Content-Type-Options", "nosniff")
			w.Header().Set("Cache-Control", "no-cache")
			_, _ = w.Write(b) // a client that went away
		}
	}
	const plain = "text/plain; charset=utf-8"
	mux.HandleFunc("GET /log/key", func(w http.ResponseWriter, _ *http.Request) {
		lines, err := p.Config.logLines()
		text(w, plain, []byte(lines), err)
	})
	mux.HandleFunc("GET /log/checkpoint", func(w http.ResponseWriter, r *http.Request) {
		msg, err := p.trail.LastNote(r.Context())
		text(w, plain, []byte(msg), err)
	})
	mux.HandleFunc("GET /log/checkpoints", func(w http.ResponseWriter, r *http.Request) {
		after, err := strconv.ParseInt(cmp.Or(r.FormValue("after"), "0"), 10, 64)
		if err != nil || after < 0 {
			http.Error(w, "after is a number", http.StatusBadRequest)
			return
		}
		notes, err := p.trail.Notes(r.Context(), after, 0)
		var b strings.Builder
		enc := json.NewEncoder(&b)
		for _, n := range notes {
			err = errors.Join(err, enc.Encode(n))
		}
		text(w, "application/jsonl", []byte(b.String()), err)
	})
	mux.HandleFunc("GET /log/tile/{level}/{n}", func(w http.ResponseWriter, r *http.Request) {
		level, err1 := strconv.Atoi(r.PathValue("level"))
		n, err2 := strconv.ParseInt(r.PathValue("n"), 10, 64)
		if err1 != nil || err2 != nil || level > 7 {
			http.NotFound(w, r)
			return
		}
		b, err := p.trail.Tile(r.Context(), level, n)
		text(w, "application/octet-stream", b, err)
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// not through the mux for others: OCSP's paths have slashes that it would clean
		if strings.HasPrefix(r.URL.Path, "/log/") {
			mux.ServeHTTP(w, r)
			return
		}
		next.ServeHTTP(w, r)
	})
}
