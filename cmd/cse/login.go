package main

import (
	"context"
	"crypto"
	"crypto/x509"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/spf13/cobra"

	"cse.example/cse/card/holder"
	"cse.example/cse/cmd/cse/agent"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
)

type loginDocument struct {
	Schema string `json:"schema"`
	URL    string `json:"url"`
	Status int    `json:"status"`
	Title  string `json:"title"`
	// CardUsed tells whether the certificate was offered.
	CardUsed bool     `json:"card_used"`
	Refusal  *problem `json:"refusal"`
	Body     string   `json:"body"`
}

// loginCommand logs in to a site with the card.
func (a *app) loginCommand() *cobra.Command {
	var ca string
	c := a.command("login URL", "login", []string{"accedi"}, 1, func(ctx context.Context, args []string) error {
		roots, err := readRoots(ca)
		if err != nil {
			return err
		}
		return a.withCard(func(h *holder.Holder, _ string) error { return a.login(ctx, h, args[0], roots) })
	})
	c.Flags().StringVar(&ca, "ca", "", a.say("flag.ca"))
	return c
}

// readRoots reads the authorities of --ca; without it the system's are used.
func readRoots(file string) (*x509.CertPool, error) {
	if file == "" {
		return nil, nil
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, words.Refuse("CSE-250", "--ca "+file).Because(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(b) {
		return nil, words.Refuse("CSE-250", "--ca "+file)
	}
	return roots, nil
}

// login follows the site to its end and reports where that is. The holder is
// asked for the PIN when the card host asks for a signature, not before.
func (a *app) login(ctx context.Context, h *holder.Holder, address string, roots *x509.CertPool) error {
	ua := &agent.Agent{Roots: roots, Name: "cse/" + version().Version}
	ua.Card = func(host string) (*x509.Certificate, crypto.Signer, error) {
		c, err := h.Certificate()
		if err != nil {
			return nil, nil, err
		}
		s, err := h.Signer(func() (secret.Text, error) { return a.pinFor(ctx, h, host) })
		return c, s, err
	}
	page, err := ua.Login(ctx, address)
	if err != nil {
		return a.leftAfter(h, err)
	}
	doc := loginDocument{
		Schema: "cse.login/1", URL: page.URL, Status: page.Status, Title: page.Title,
		CardUsed: page.CardUsed, Body: string(page.Body),
	}
	refusal := refusalOf(page)
	if refusal != nil {
		doc.Refusal = a.problem(refusal)
	}
	err = a.emit(doc, func(w io.Writer) {
		a.line(w, "url", printable(doc.URL))
		a.line(w, "status", doc.Status)
		a.line(w, "title", printable(doc.Title))
	})
	if err != nil || refusal == nil {
		return err
	}
	return refusal
}

// pinFor names the site that asks, then asks for the PIN.
func (a *app) pinFor(ctx context.Context, h *holder.Holder, host string) (secret.Text, error) {
	left, err := h.PINTries()
	if err != nil {
		return secret.Text{}, err
	}
	fmt.Fprintln(a.Err, a.say("login.asks", host))
	if err := a.mayTry(ctx, left, "CSE-212", "CSE-211"); err != nil {
		return secret.Text{}, err
	}
	return a.code(ctx, "pin")
}

// leftAfter adds the tries left to an error about a code.
func (a *app) leftAfter(h *holder.Holder, err error) error {
	if f := words.FaultOf(err); f == nil || f.Field != "pin" {
		return err
	}
	left, lost := h.Tries()
	if lost != nil {
		return err
	}
	return withTries{error: err, tries: left}
}

// refusalOf is the fault of a page that refuses: its CSE-Error, or its status.
// The particulars are used only when they fit the sentence of the catalogue.
func refusalOf(p *agent.Page) *words.Fault {
	if p.Code == "" {
		if p.Status >= 400 {
			return words.Refuse("CSE-260", fmt.Sprintf("HTTP %d", p.Status))
		}
		return nil
	}
	text, known := words.Explain(words.Italian, p.Code)
	if !known {
		return words.Refuse("CSE-260", p.Code)
	}
	f := words.Refuse(p.Code)
	if verbs := verb.FindAllString(text.Sentence, -1); len(verbs) == len(p.Args) && !slices.ContainsFunc(verbs, notText) {
		for _, arg := range p.Args {
			f.Args = append(f.Args, printable(arg))
		}
	}
	return f
}

func notText(verb string) bool { return verb[len(verb)-1] != 's' }
