package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"

	"cse.example/cse/issuer/staff"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
)

// operator prepares what the configuration keeps of an operator.
func (a *app) operator() *cobra.Command {
	cmd := &cobra.Command{Use: "operator", Short: a.say("csed.operator.short")}
	fd, totpFD := -1, -1
	hash := &cobra.Command{
		Use: "hash ACCOUNT", Short: a.say("csed.operator.hash"), Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.operatorHash(cmd.Context(), args[0], fd, totpFD)
		},
	}
	hash.Flags().IntVar(&fd, "fd", -1, a.say("csed.operator.fd"))
	hash.Flags().IntVar(&totpFD, "totp-fd", -1, a.say("csed.operator.totpfd"))
	cmd.AddCommand(hash)
	return cmd
}

// operatorHash prints two lines of YAML, hash and sealed one-time secret. The
// password comes from the terminal (twice) or from descriptor fd (one line); the
// otpauth address, which is the secret, goes to the terminal or to totpFD, once,
// and never among the lines that are to be kept.
func (a *app) operatorHash(ctx context.Context, account string, fd, totpFD int) error {
	c, err := a.config()
	if err != nil {
		return err
	}
	web, err := c.ring(ringWeb, c.Keys.Web)
	if err != nil {
		return err
	}
	seal, err := web.aead(aeadDesk)
	if err != nil {
		return err
	}
	tell, err := secretWriter(totpFD)
	if err != nil {
		return err
	}
	defer tell.Close()
	password, err := a.password(ctx, fd)
	if err != nil {
		return err
	}
	defer password.Wipe()
	hash, err := staff.HashPassword(rand.Reader, password)
	if err != nil {
		return words.Refuse("CSE-398").Because(err)
	}
	key, err := staff.NewTOTP(rand.Reader)
	if err != nil {
		return err
	}
	sealed, err := staff.SealTOTP(seal, account, key)
	if err != nil {
		return err
	}
	address := staff.TOTPAddress(account, key).Reveal()
	defer clear(address)
	if _, err := tell.Write(append(address, '\n')); err != nil {
		return fmt.Errorf("show the one-time secret: %w", err)
	}
	// JSON strings are YAML strings; neither value needs an escape.
	_, err = fmt.Fprintf(a.stdout, "password_hash: %q\ntotp: %q\n", hash, sealed)
	return err
}

// secretWriter is where a secret may be shown: the descriptor given, else the
// terminal. Standard output is no such place: it is what gets kept.
func secretWriter(fd int) (io.WriteCloser, error) {
	if fd >= 0 {
		f := os.NewFile(uintptr(fd), "descriptor")
		if f == nil {
			return nil, words.Refuse("CSE-399")
		}
		return f, nil
	}
	f, err := os.OpenFile("/dev/tty", os.O_WRONLY, 0)
	if err != nil {
		return nil, words.Refuse("CSE-399").Because(err)
	}
	return f, nil
}

// password reads a new password: one line of descriptor fd, else twice from the
// terminal.
func (a *app) password(ctx context.Context, fd int) (secret.Text, error) {
	if fd >= 0 {
		f := os.NewFile(uintptr(fd), "descriptor")
		if f == nil {
			return secret.Text{}, words.Refuse("CSE-399")
		}
		defer f.Close()
		b, err := bufio.NewReader(f).ReadBytes('\n')
		defer clear(b)
		if err != nil && !errors.Is(err, io.EOF) {
			return secret.Text{}, words.Refuse("CSE-399").Because(err)
		}
		return secret.New(bytes.TrimRight(b, "\r\n")), nil
	}
	first, err := a.ask(ctx, "csed.operator.password")
	if err != nil {
		return secret.Text{}, err
	}
	second, err := a.ask(ctx, "csed.operator.again")
	if err != nil {
		return secret.Text{}, err
	}
	if !first.Equal(second) {
		return secret.Text{}, words.Refuse("CSE-379")
	}
	return first, nil
}

// ask reads a line from the terminal without showing it. An interrupt gives the
// terminal its echo back.
func (a *app) ask(ctx context.Context, prompt string) (secret.Text, error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return secret.Text{}, words.Refuse("CSE-399").Because(err)
	}
	defer tty.Close()
	fd := int(tty.Fd())
	before, err := term.GetState(fd)
	if err != nil {
		return secret.Text{}, words.Refuse("CSE-399").Because(err)
	}
	fmt.Fprint(tty, a.say(prompt)+" ")
	defer fmt.Fprintln(tty)
	type line struct {
		b   []byte
		err error
	}
	read := make(chan line, 1)
	go func() {
		b, err := term.ReadPassword(fd)
		read <- line{b, err}
	}()
	select {
	case l := <-read:
		defer clear(l.b)
		if l.err != nil {
			return secret.Text{}, words.Refuse("CSE-399").Because(l.err)
		}
		return secret.New(l.b), nil
	case <-ctx.Done(): // the program ends; the read with it
		return secret.Text{}, errors.Join(ctx.Err(), term.Restore(fd, before))
	}
}
