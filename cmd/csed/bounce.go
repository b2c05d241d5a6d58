package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"cse.example/cse/engine/mail"
	"cse.example/cse/engine/queue"
	"cse.example/cse/ground/journal"
	"cse.example/cse/issuer/counter"
)

// Letters that come back. Our mail server took the letter with the second halves;
// another one could not deliver it, and says so by a message to the sender's
// address. It is read from a Maildir, by `csed serve` (mail.bounces) or by the
// command, or from a pipe; the letter is found by its Message-ID, and becomes a
// task of the counter that did the act (R75).

// What became of a message.
const (
	bounceTask  = "task"  // a letter with codes came back: somebody has to act
	bounceKnown = "known" // it is known already, or the letter was given up meanwhile
	bounceWaits = "waits" // the other side still tries, or says that all is well
	bounceOther = "other" // no letter with codes of ours is named
	bounceNone  = "none"  // no notification at all
)

// errLater: what the message names is being worked on; it must be shown again.
var errLater = errors.New("the letter is being sent just now")

// messageID is that of an effect's letter; of one with codes it begins with the
// protocol number, so that it is found again.
func (p *Platform) messageID(key string) string {
	_, domain, _ := strings.Cut(p.Config.Mail.From, "@")
	reference := ""
	if protocol, ok := strings.CutPrefix(key, counter.KindMailCodes+"/"); ok {
		reference = strings.Replace(protocol, "/", "-", 1)
	}
	return mail.IDFor(p.letterMAC, key, reference, strings.TrimSuffix(domain, ">"))
}

// letterNamed is the key of the letter with codes that a Message-ID names, if it
// is truly that letter's.
func (p *Platform) letterNamed(id string) (key string, ok bool) {
	key = counter.MailKey(strings.Replace(mail.ReferenceIn(id), "-", "/", 1))
	return key, mail.SameID(id, p.messageID(key))
}

// bounce reads one message and answers what became of it; errLater, or a failure
// of ours: it must be shown again.
func (p *Platform) bounce(ctx context.Context, r io.Reader) (string, error) {
	b, err := mail.ReadBounce(r)
	switch {
	case errors.Is(err, mail.ErrNoReport):
		return bounceNone, nil
	case err != nil:
		return "", err
	case !b.Failed():
		return bounceWaits, nil
	}
	for _, id := range b.IDs {
		if key, ok := p.letterNamed(id); ok {
			return p.cameBack(ctx, key, b.Status)
		}
	}
	return bounceOther, nil
}

func (p *Platform) cameBack(ctx context.Context, key, status string) (outcome string, err error) {
	err = p.db.Atomically(ctx, func(ctx context.Context) error {
		outcome = bounceKnown
		news, err := p.queue.Bounce(ctx, key, strings.TrimSpace("came back "+status))
		var state *queue.StateError
		switch {
		case errors.Is(err, queue.ErrUnknown):
			outcome = bounceOther
			return nil
		case errors.As(err, &state):
			return errors.Join(errLater, err)
		case err != nil || !news:
			return err
		}
		item, err := p.queue.Get(ctx, key)
		if err != nil {
			return err
		}
		outcome = bounceTask
		detail := map[string]string{"protocol": strings.TrimPrefix(key, counter.KindMailCodes+"/")}
		if status != "" {
			detail["status"] = status
		}
		return p.trail.Record(ctx, journal.Entry{Act: "codes.undelivered", Actor: "system:mail", Card: item.Card, Detail: detail})
	})
	if err != nil {
		return "", err
	}
	return outcome, nil
}

// bounces reads a Maildir: what has been dealt with moves from new to cur, as
// seen (S); what is nobody's is flagged there (F), for a person to look at; what
// must be shown again stays. It answers how many messages came to which end.
func (p *Platform) bounces(ctx context.Context, dir string) (map[string]int, error) {
	entries, err := os.ReadDir(filepath.Join(dir, "new"))
	if err != nil {
		return nil, fmt.Errorf("read a Maildir: %w", err)
	}
	if err := os.MkdirAll(filepath.Join(dir, "cur"), 0o700); err != nil {
		return nil, fmt.Errorf("read a Maildir: %w", err)
	}
	told := map[string]int{}
	var errs []error
	for _, e := range entries {
		if ctx.Err() != nil || !e.Type().IsRegular() || strings.HasPrefix(e.Name(), ".") {
			continue
		}
		outcome, err := p.bounceFile(ctx, dir, e.Name())
		if err != nil {
			if !errors.Is(err, errLater) {
				errs = append(errs, err)
			}
			continue
		}
		told[outcome]++
	}
	return told, errors.Join(errs...)
}

func (p *Platform) bounceFile(ctx context.Context, dir, name string) (string, error) {
	from := filepath.Join(dir, "new", name)
	f, err := os.Open(from)
	if err != nil {
		return "", err
	}
	outcome, err := p.bounce(ctx, f)
	if err = errors.Join(err, f.Close()); err != nil {
		return "", err
	}
	flag := ":2,S"
	if outcome == bounceOther || outcome == bounceNone {
		flag = ":2,F"
	}
	base, _, _ := strings.Cut(name, ":")
	return outcome, os.Rename(from, filepath.Join(dir, "cur", base+flag))
}

// postman reads the configured Maildir every minute.
func (p *Platform) postman(ctx context.Context) error {
	every := time.NewTicker(time.Minute)
	defer every.Stop()
	for {
		if _, err := p.bounces(ctx, p.Config.under(p.Config.Mail.Bounces)); err != nil && ctx.Err() == nil {
			p.Log.Error("bounces", "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-every.C:
		}
	}
}

func (a *app) mail() *cobra.Command {
	cmd := &cobra.Command{Use: "mail", Short: a.say("csed.mail.short")}
	cmd.AddCommand(&cobra.Command{
		Use: "bounce [MAILDIR]", Short: a.say("csed.mail.bounce"), Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.with(cmd.Context(), tool{}, func(p *Platform) error {
				told := map[string]int{}
				var err error
				if len(args) > 0 {
					told, err = p.bounces(cmd.Context(), args[0])
				} else {
					var outcome string
					if outcome, err = p.bounce(cmd.Context(), cmd.InOrStdin()); err == nil {
						told[outcome]++
					}
				}
				for _, outcome := range []string{bounceTask, bounceKnown, bounceWaits, bounceOther, bounceNone} {
					if n := told[outcome]; n > 0 {
						fmt.Fprintln(a.stdout, a.say("csed.mail.told."+outcome, n))
					}
				}
				if err != nil {
					err = errors.Join(errTempFail, err)
				}
				return err
			})
		},
	})
	return cmd
}

// errTempFail marks what a mail server should try again: exit status 75.
var errTempFail = errors.New("try again later")

// undeliveredIn lists every letter with codes of a kind in a state, page by page.
func (p *Platform) undeliveredIn(ctx context.Context, kind, state string, out []counter.Undelivered) ([]counter.Undelivered, error) {
	page := func(ctx context.Context, after string, limit int) ([]queue.Item, error) {
		return p.queue.List(ctx, queue.Filter{State: state, Kind: kind, After: after, Limit: limit})
	}
	err := walk(ctx, page, func(i queue.Item) string { return i.Key }, func(_ context.Context, i queue.Item) error {
		at := i.Created
		if i.State == queue.Bounced {
			at = i.Ended
		}
		out = append(out, counter.Undelivered{Key: i.Key, At: at})
		return nil
	})
	return out, err
}
