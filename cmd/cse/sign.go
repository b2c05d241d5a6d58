package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"cse.example/cse/card/holder"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/signature"
	"cse.example/cse/signature/cades"
	"cse.example/cse/signature/pades"
)

// maxFile is the largest file that is signed or verified, in octets.
const maxFile = 256 << 20

// signWish is what the flags of cse sign say.
type signWish struct {
	format, outDir, tsa, reason, location string
	visible                               int
	force                                 bool
}

type signedFile struct {
	File   string   `json:"file"`
	Out    string   `json:"out,omitempty"`
	Format string   `json:"format,omitempty"`
	Error  *problem `json:"error,omitempty"`
}

type signDocument struct {
	Schema string       `json:"schema"`
	Level  string       `json:"level"`
	Files  []signedFile `json:"files"`
}

// signCommand signs files with the card.
func (a *app) signCommand() *cobra.Command {
	var w signWish
	c := &cobra.Command{
		Use: "sign FILE…", Aliases: []string{"firma"}, Short: a.say("help.sign"), Long: a.say("help.sign.long"), DisableFlagsInUseLine: true,
		Args: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage(c.CommandPath() + " …")
			}
			return nil
		},
		RunE: func(c *cobra.Command, files []string) error {
			return a.withCard(func(h *holder.Holder, _ string) error { return a.sign(c.Context(), h, files, w) })
		},
	}
	f := c.Flags()
	f.StringVar(&w.format, "format", "", a.say("flag.format"))
	f.StringVar(&w.outDir, "out-dir", "", a.say("flag.out-dir"))
	f.BoolVar(&w.force, "force", false, a.say("flag.force"))
	f.StringVar(&w.tsa, "tsa", "", a.say("flag.tsa"))
	f.IntVar(&w.visible, "visible", 0, a.say("flag.visible"))
	f.StringVar(&w.reason, "reason", "", a.say("flag.reason"))
	f.StringVar(&w.location, "location", "", a.say("flag.location"))
	return c
}

// sign signs the files one after the other. The PIN is asked when the first
// signature is wanted, and not again; a refusal of the card ends the batch, one
// of a file does not.
func (a *app) sign(ctx context.Context, h *holder.Holder, files []string, w signWish) error {
	cert, err := h.Certificate()
	if err != nil {
		return err
	}
	key, err := h.Signer(func() (secret.Text, error) {
		left, err := h.PINTries()
		if err != nil {
			return secret.Text{}, err
		}
		fmt.Fprintln(a.Err, a.say("sign.asks", len(files)))
		if err := a.mayTry(ctx, left, "CSE-212", "CSE-211"); err != nil {
			return secret.Text{}, err
		}
		return a.code(ctx, "pin")
	})
	if err != nil {
		return err
	}
	s := &signature.Signer{Key: key, Certificate: cert, Clock: civil.System{}, Random: rand.Reader}
	if w.tsa != "" {
		s.Stamp = stampAt(w.tsa)
	}
	doc := signDocument{Schema: "cse.sign/1", Files: []signedFile{}}
	bar := a.bar(len(files))
	failed := 0
	var last error
	for _, name := range files {
		one, err := a.signOne(ctx, s, name, w, &doc)
		if err != nil {
			failed++
			last = a.fault(err)
			one.Error = a.problem(words.FaultOf(last))
		}
		doc.Files = append(doc.Files, one)
		_ = bar.Add(1)
		if err != nil && (cardRefused(err) || ctx.Err() != nil) {
			_ = bar.Exit()
			return a.leftAfter(h, errors.Join(a.tellSigned(doc), err))
		}
	}
	_ = bar.Finish()
	if err := a.tellSigned(doc); err != nil {
		return err
	}
	switch {
	case failed == 0:
		return nil
	case len(files) == 1:
		return last
	}
	return words.Refuse("CSE-740", failed, len(files))
}

// stampAt asks the time-stamping authority at an address.
func stampAt(address string) cades.Stamper {
	return signature.StampFrom(func(ctx context.Context, q []byte) ([]byte, error) {
		return post(ctx, address, "application/timestamp-query", q)
	})
}

// cardRefused tells whether an error is the card's, or the PIN's, so that the
// next file would meet it too.
func cardRefused(err error) bool {
	f := words.FaultOf(err)
	return f != nil && f.Code[:5] == "CSE-2"
}

// signOne signs one file into its new one.
func (a *app) signOne(ctx context.Context, s *signature.Signer, name string, w signWish, doc *signDocument) (signedFile, error) {
	one := signedFile{File: name}
	in, err := readFile(name)
	if err != nil {
		return one, err
	}
	format, err := signature.Choose(signature.Format(w.format), in)
	if err != nil {
		return one, err
	}
	out := format.FileName(name)
	if w.outDir != "" {
		out = filepath.Join(w.outDir, filepath.Base(out))
	}
	if _, err := os.Lstat(out); err == nil && !w.force {
		return one, words.Refuse("CSE-738", out)
	}
	wish := signature.Wish{Format: format, Reason: w.reason, Location: w.location}
	if w.visible != 0 {
		wish.Appearance = &pades.Appearance{Page: w.visible, Lines: s.Appearance(a.language)}
	}
	signed, err := s.Sign(ctx, in, wish)
	if err != nil {
		return one, err
	}
	one.Out, one.Format, doc.Level = out, string(signed.Format), string(signed.Level)
	return one, writeNew(out, signed.Data, w.force)
}

// tellSigned writes what became of each file.
func (a *app) tellSigned(doc signDocument) error {
	return a.emit(doc, func(w io.Writer) {
		for _, f := range doc.Files {
			if f.Error != nil {
				fmt.Fprintf(w, "%s\t%s: %s\n", a.say("label.failed"), printable(f.File), f.Error.Code+" "+f.Error.Sentence)
				continue
			}
			fmt.Fprintf(w, "%s\t%s → %s\n", a.say("label.signed"), printable(f.File), printable(f.Out))
		}
	})
}

// bar is the progress of a batch, on standard error of a person's terminal.
func (a *app) bar(n int) *progressbar.ProgressBar {
	out := a.Err
	if n < 2 || a.json || a.Terminal == nil {
		out = io.Discard
	}
	return progressbar.NewOptions(n, progressbar.OptionSetWriter(out), progressbar.OptionSetDescription(a.say("sign.progress")),
		progressbar.OptionShowCount(), progressbar.OptionThrottle(50*time.Millisecond), progressbar.OptionClearOnFinish())
}

// readFile reads a file of a sensible size.
func readFile(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, words.Refuse("CSE-743", name).Because(err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, words.Refuse("CSE-743", name).Because(err)
	}
	if len(b) > maxFile {
		return nil, words.Refuse("CSE-723", maxFile>>20)
	}
	return b, nil
}

// writeNew writes a file whole or not at all.
func writeNew(path string, b []byte, force bool) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), ".cse-*")
	if err != nil {
		return cannotWrite(path, err)
	}
	defer os.Remove(tmp.Name())
	_, err = io.Copy(tmp, bytes.NewReader(b))
	if err = errors.Join(err, tmp.Chmod(0o644), tmp.Close()); err != nil {
		return cannotWrite(path, err)
	}
	if _, err := os.Lstat(path); err == nil && !force {
		return words.Refuse("CSE-738", path)
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return cannotWrite(path, err)
	}
	return nil
}

// post sends a small body to a service and reads a small answer.
func post(ctx context.Context, address, kind string, body []byte) ([]byte, error) {
	u, err := url.Parse(address)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") {
		return nil, fmt.Errorf("address %q", address)
	}
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", kind)
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("status %d", res.StatusCode)
	}
	return io.ReadAll(io.LimitReader(res.Body, 1<<20))
}
