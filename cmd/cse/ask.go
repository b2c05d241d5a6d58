package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"cse.example/cse/card/holder"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
)

// openFD opens a descriptor that the caller of the program left open.
func openFD(n int) (io.Reader, error) {
	f := os.NewFile(uintptr(n), fmt.Sprintf("fd %d", n))
	if f == nil {
		return nil, fmt.Errorf("descriptor %d is not open", n)
	}
	return f, nil
}

// lines gives the codes of --pin-fd, one per line.
type lines struct{ r *bufio.Reader }

// next is the next line without its end.
func (l *lines) next() (secret.Text, error) {
	b, err := l.r.ReadBytes('\n')
	defer clear(b)
	b = bytes.TrimRight(b, "\r\n")
	if len(b) == 0 {
		if err == nil {
			err = errors.New("empty line")
		}
		return secret.Text{}, err
	}
	return secret.New(b), nil
}

// code gets one code, from --pin-fd or else from the person; prompt is the key
// of the question, whose text says which code it is and where it came from.
func (a *app) code(ctx context.Context, prompt string) (secret.Text, error) {
	if a.pinFD < 0 {
		if a.Terminal == nil {
			return secret.Text{}, words.Refuse("CSE-251")
		}
		return a.Terminal.Secret(ctx, a.say("ask."+prompt)+" ")
	}
	if a.codes == nil {
		r, err := a.OpenFD(a.pinFD)
		if err != nil {
			return secret.Text{}, words.Refuse("CSE-251").Because(err)
		}
		a.codes = &lines{r: bufio.NewReader(r)}
	}
	t, err := a.codes.next()
	if err != nil {
		return secret.Text{}, words.Refuse("CSE-251").Because(err)
	}
	return t, nil
}

// newPIN gets the new PIN: twice from a person, once from --pin-fd.
func (a *app) newPIN(ctx context.Context) (secret.Text, error) {
	if a.pinFD < 0 && a.Terminal != nil {
		fmt.Fprintln(a.Err, a.say("ask.rules"))
	}
	first, err := a.code(ctx, "new")
	if err != nil || a.pinFD >= 0 {
		return first, err
	}
	second, err := a.code(ctx, "again")
	if err != nil {
		return secret.Text{}, err
	}
	if !first.Equal(second) {
		return secret.Text{}, words.Refuse("CSE-215").At("new")
	}
	return first, nil
}

// mayTry stands before every try of a code. A blocked code is refused before
// anybody types it (blocked is the CSE code to give); the last try needs a yes,
// from the person or as --last-try (last is the CSE code of the refusal). A
// person is told how many are left.
func (a *app) mayTry(ctx context.Context, left holder.Counter, blocked, last string) error {
	if a.pinFD < 0 && a.Terminal != nil && !left.Blocked() {
		name := "PIN"
		if blocked == "CSE-214" {
			name = "PUK"
		}
		fmt.Fprintln(a.Err, a.say("tries.before", name, a.counter(left)))
	}
	switch {
	case left.Blocked():
		return words.Refuse(blocked)
	case !left.Last() || a.lastTry:
		return nil
	case a.pinFD >= 0 || a.Terminal == nil:
		return words.Refuse(last)
	}
	yes, err := a.Terminal.Confirm(ctx, words.Refuse(last).Sentence(a.language)+" "+a.say("ask.go-on")+" ")
	if err != nil {
		return err
	}
	if !yes {
		return words.Refuse("CSE-252")
	}
	return nil
}

// tty is the controlling terminal, even when standard input is a pipe.
type tty struct{ in, out *os.File }

// openTerminal finds the terminal; nil when the program has none.
func openTerminal() Terminal {
	if f, err := os.OpenFile("/dev/tty", os.O_RDWR, 0); err == nil {
		return &tty{in: f, out: f}
	}
	if term.IsTerminal(int(os.Stdin.Fd())) {
		return &tty{in: os.Stdin, out: os.Stderr}
	}
	return nil
}

// Secret implements Terminal. The terminal's echo comes back even when the
// person interrupts.
func (t *tty) Secret(ctx context.Context, prompt string) (secret.Text, error) {
	fd := int(t.in.Fd())
	state, err := term.GetState(fd)
	if err != nil {
		return secret.Text{}, words.Refuse("CSE-251").Because(err)
	}
	fmt.Fprint(t.out, prompt)
	defer fmt.Fprintln(t.out)
	return wait(ctx, func() { _ = term.Restore(fd, state) }, func() (secret.Text, error) {
		b, err := term.ReadPassword(fd)
		defer clear(b)
		return secret.New(b), err
	})
}

// Confirm implements Terminal.
func (t *tty) Confirm(ctx context.Context, prompt string) (bool, error) {
	fmt.Fprint(t.out, prompt)
	answer, err := wait(ctx, func() {}, func() (string, error) { return bufio.NewReader(t.in).ReadString('\n') })
	return isYes(answer), err
}

// isYes takes the yes of both languages.
func isYes(answer string) bool {
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "s", "si", "sì", "y", "yes":
		return true
	}
	return false
}

// wait runs read until ctx ends; undo runs when it does. An end of input or an
// interrupt is CSE-252.
func wait[T any](ctx context.Context, undo func(), read func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		v, err := read()
		done <- result{v, err}
	}()
	select {
	case r := <-done:
		if r.err != nil {
			r.err = words.Refuse("CSE-252").Because(r.err)
		}
		return r.value, r.err
	case <-ctx.Done():
		undo()
		var none T
		return none, words.Refuse("CSE-252").Because(ctx.Err())
	}
}
