package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cse.example/cse/ground/localhost"
	"cse.example/cse/ground/merkle"
	"cse.example/cse/ground/words"
)

// logAnswer is the JSON document of cse verify audit.
type logAnswer struct {
	Schema string `json:"schema"` // cse.log/1
	Holds  bool   `json:"holds"`
	// Index is the first record at fault; the fault lies from it to Through, where
	// that is given.
	Index   int64  `json:"index,omitempty"`
	Through int64  `json:"through,omitempty"`
	Why     string `json:"why,omitempty"`
	// Trusted: the key was given, and not taken from what was checked.
	Trusted bool           `json:"key_given"`
	Key     string         `json:"key"`
	Log     *merkle.Report `json:"log,omitempty"`
	Acts    []logAct       `json:"acts,omitempty"`
	Signed  string         `json:"signed_at,omitempty"`
}

type logAct struct {
	Index  int64             `json:"index"`
	At     string            `json:"at"`
	Act    string            `json:"act"`
	Actor  string            `json:"actor"`
	Office string            `json:"office,omitempty"`
	Card   string            `json:"card,omitempty"`
	Detail map[string]string `json:"detail,omitempty"`
}

// verifyAuditCommand checks the log of acts, exported or as a platform gives it out,
// or a proof from it. No card is needed, and no network but for an address.
func (a *app) verifyAuditCommand() *cobra.Command {
	var proof, key, known string
	c := a.command("audit DIR|URL", "verify.audit", []string{"registro"}, 1, nil)
	c.Args = func(c *cobra.Command, args []string) error {
		if proof != "" {
			return a.exactly(0)(c, args)
		}
		return a.exactly(1)(c, args)
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		keys, line, err := logKeys(key)
		if err != nil {
			return err
		}
		answer := logAnswer{Schema: "cse.log/1", Trusted: keys != nil, Key: line}
		if proof != "" {
			return a.tellLog(answer, answer.prove(proof, keys))
		}
		heads, err := keptHeads(known)
		if err != nil {
			return err
		}
		if strings.HasPrefix(args[0], "http://") || strings.HasPrefix(args[0], "https://") {
			return a.verifyGivenOut(c.Context(), answer, args[0], keys, heads)
		}
		return a.verifyExport(answer, args[0], keys, heads)
	}
	f := c.Flags()
	f.StringVar(&proof, "proof", "", a.say("flag.proof"))
	f.StringVar(&key, "key", "", a.say("flag.log-key"))
	f.StringVar(&known, "known", "", a.say("flag.known"))
	return c
}

// logKeys reads the keys to be trusted; nil when none are given.
func logKeys(name string) (merkle.Keys, string, error) {
	if name == "" {
		return nil, "", nil
	}
	b, err := readFile(name)
	if err != nil {
		return nil, "", err
	}
	keys, err := merkle.ParseKeys(string(b))
	if err != nil {
		return nil, "", words.Refuse("CSE-979", name).Because(err)
	}
	return keys, firstLine(b), nil
}

func firstLine(b []byte) string {
	line, _, _ := strings.Cut(strings.TrimSpace(string(b)), "\n")
	return strings.TrimSpace(line)
}

func keptHeads(name string) ([]merkle.Head, error) {
	if name == "" {
		return nil, nil
	}
	b, err := readFile(name)
	if err != nil {
		return nil, err
	}
	heads, err := merkle.ParseHeads(string(b))
	if err != nil {
		return nil, words.Refuse("CSE-979", name).Because(err)
	}
	return heads, nil
}

// prove checks a file of proofs.
func (x *logAnswer) prove(name string, keys merkle.Keys) error {
	b, err := readFile(name)
	if err != nil {
		return err
	}
	if len(b) > merkle.MaxProof {
		return words.Refuse("CSE-979", name)
	}
	p, err := merkle.ParseProof(b)
	if err != nil {
		return words.Refuse("CSE-979", name).Because(err)
	}
	if keys == nil {
		x.Key = firstLine([]byte(p.Key))
	}
	acts, c, err := p.Check(keys)
	var broken *merkle.Broken
	if err != nil && !errors.As(err, &broken) {
		return &merkle.Broken{Index: p.Acts[0].Index, Why: "the head is not signed by the log's key"}
	}
	if err != nil {
		return err
	}
	x.Signed = c.At.Format(time.RFC3339)
	for _, k := range acts {
		x.Acts = append(x.Acts, logAct{
			Index: k.Leaf.Index, At: k.Leaf.At, Act: k.Leaf.Act, Actor: k.Leaf.Actor, Office: k.Leaf.Office, Card: k.Facts.Card, Detail: k.Facts.Detail,
		})
	}
	return nil
}

func (a *app) verifyExport(answer logAnswer, dir string, keys merkle.Keys, known []merkle.Head) error {
	fsys := os.DirFS(dir)
	if keys == nil {
		b, err := readFile(dir + "/" + merkle.FileKey)
		if err != nil {
			return err
		}
		if keys, err = merkle.ParseKeys(string(b)); err != nil {
			return words.Refuse("CSE-979", dir).Because(err)
		}
		answer.Key = firstLine(b)
	}
	r, err := merkle.Verify(fsys, keys, known...)
	answer.Log = &r
	var broken *merkle.Broken
	if err != nil && !errors.As(err, &broken) {
		return words.Refuse("CSE-979", dir).Because(err)
	}
	return a.tellLog(answer, err)
}

// Bounds of an answer of a platform: a page of checkpoints, and patience for it.
const (
	maxLogPage  = 4 << 20
	logPatience = 30 * time.Second
)

// fetch reads what a platform gives out; nothing for what is not there.
func fetchLog(ctx context.Context, client *http.Client, address string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, words.Refuse("CSE-980", address).Because(err)
	}
	w, err := client.Do(r)
	if err != nil {
		return nil, words.Refuse("CSE-980", address).Because(err)
	}
	defer w.Body.Close()
	b, err := io.ReadAll(io.LimitReader(w.Body, maxLogPage+1))
	switch {
	case err == nil && w.StatusCode == http.StatusNotFound:
		return nil, nil
	case err == nil && w.StatusCode != http.StatusOK:
		err = fmt.Errorf("HTTP %d", w.StatusCode)
	case err == nil && len(b) > maxLogPage:
		err = fmt.Errorf("more than %d octets", maxLogPage)
	}
	if err != nil {
		return nil, words.Refuse("CSE-980", address).Because(err)
	}
	return b, nil
}

// verifyGivenOut checks the public part of a running platform's log.
func (a *app) verifyGivenOut(ctx context.Context, answer logAnswer, address string, keys merkle.Keys, known []merkle.Head) error {
	base := strings.TrimSuffix(strings.TrimSuffix(address, "/"), "/log") + "/log/"
	client := &http.Client{Timeout: logPatience, Transport: &http.Transport{DialContext: localhost.DialContext, Proxy: http.ProxyFromEnvironment}}
	defer client.CloseIdleConnections()
	if keys == nil {
		b, err := fetchLog(ctx, client, base+"key")
		if err != nil {
			return err
		}
		if keys, err = merkle.ParseKeys(string(b)); err != nil {
			return words.Refuse("CSE-979", base+"key").Because(err)
		}
		answer.Key = firstLine(b)
	}
	newest, err := fetchLog(ctx, client, base+"checkpoint")
	if err != nil {
		return err
	}
	notes := givenNotes(ctx, client, base)
	r, err := merkle.VerifyPublic(keys, newest, notes, func(n int64) ([]byte, error) {
		return fetchLog(ctx, client, fmt.Sprintf("%stile/0/%d", base, n))
	}, known...)
	answer.Log = &r
	return a.tellLog(answer, err)
}

// givenNotes asks for the checkpoints, a page at a time.
func givenNotes(ctx context.Context, client *http.Client, base string) merkle.Notes {
	n := 0
	var page *bufio.Scanner
	return func() ([]byte, error) {
		if page == nil || !page.Scan() {
			b, err := fetchLog(ctx, client, fmt.Sprintf("%scheckpoints?after=%d", base, n))
			if err != nil {
				return nil, err
			}
			page = bufio.NewScanner(bytes.NewReader(b))
			page.Buffer(nil, maxLogPage)
			if !page.Scan() {
				return nil, io.EOF
			}
		}
		n++
		var text string
		if json.Unmarshal(page.Bytes(), &text) != nil {
			return bytes.Clone(page.Bytes()), nil // nobody signed it
		}
		return []byte(text), nil
	}
}

// tellLog shows the outcome; err is nil, a *merkle.Broken, or another refusal.
func (a *app) tellLog(answer logAnswer, err error) error {
	var broken *merkle.Broken
	if err != nil && !errors.As(err, &broken) {
		return err
	}
	answer.Holds = broken == nil
	if broken != nil {
		answer.Index, answer.Through, answer.Why, answer.Log, answer.Acts = broken.Index, broken.Through, broken.Why, nil, nil
	}
	if err := a.emit(answer, func(out io.Writer) { a.logLines(out, answer) }); err != nil {
		return err
	}
	if broken != nil {
		return words.Refuse("CSE-978", broken.Index).Because(broken)
	}
	return nil
}

func (a *app) logLines(out io.Writer, x logAnswer) {
	verdict := a.say("log.holds")
	if !x.Holds {
		verdict = a.say("log.broken")
	}
	a.line(out, "log.verdict", verdict)
	switch {
	case x.Through > x.Index:
		a.line(out, "log.index", fmt.Sprintf("%d–%d", x.Index, x.Through))
	case !x.Holds:
		a.line(out, "log.index", x.Index)
	}
	if x.Log != nil {
		a.line(out, "log.origin", printable(x.Log.Origin))
		a.line(out, "log.size", a.say("log.size", x.Log.Head.Index, x.Log.Signed, x.Log.Checkpoints))
		if x.Log.At != "" {
			a.line(out, "log.signed", a.day(x.Log.At))
		}
		a.line(out, "log.head", x.Log.Head.Hash)
		if x.Log.Records == 0 {
			a.line(out, "log.proves", a.say("log.hashes-only"))
		}
	}
	if x.Signed != "" {
		a.line(out, "log.signed", a.day(x.Signed))
	}
	for _, k := range x.Acts {
		text := k.Act
		if k.Card != "" {
			text += "  " + k.Card
		}
		a.line(out, "log.act", fmt.Sprintf("%d  %s  %s  %s", k.Index, a.day(k.At), printable(text), printable(k.Actor+" "+k.Office)))
	}
	key := printable(x.Key)
	if !x.Trusted {
		key += "  " + a.say("log.own-key")
	}
	a.line(out, "log.key", key)
}
