package demo

import (
	"bytes"
	"compress/zlib"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"regexp"

	"cse.example/cse/card/holder"
	"cse.example/cse/demo/browser"
	"cse.example/cse/demo/inbox"
	"cse.example/cse/ground/secret"
	"cse.example/cse/login/page"
)

// half is what one paper says.
type half struct{ PIN, PUK, CIP string }

var halfLine = regexp.MustCompile(`\b(PIN|PUK|CIP): (\d+)`)

// halves reads the three lines of a paper, as the holder's eyes do.
func halves(text string) half {
	var h half
	for _, m := range halfLine.FindAllStringSubmatch(text, -1) {
		switch m[1] {
		case "PIN":
			h.PIN = m[2]
		case "PUK":
			h.PUK = m[2]
		case "CIP":
			h.CIP = m[2]
		}
	}
	return h
}

var stream = regexp.MustCompile(`(?s)stream\r?\n(.*?)\r?\nendstream`)

// readPDF is the text operators of a PDF's page streams: enough for the ASCII of
// a form that our own press made.
func readPDF(b []byte) string {
	var out bytes.Buffer
	for _, m := range stream.FindAllSubmatch(b, -1) {
		z, err := zlib.NewReader(bytes.NewReader(m[1]))
		if err != nil {
			out.Write(m[1])
			continue
		}
		_, err = io.Copy(&out, z)
		if err != nil {
			continue // not a text stream
		}
		out.WriteByte('\n')
	}
	// Text in an embedded font is UTF-16: of ASCII, every other byte is zero.
	return string(bytes.ReplaceAll(out.Bytes(), []byte{0}, nil))
}

// codes puts the two papers together.
func (d *drawer) codes() (pin, puk, cip secret.Text, err error) {
	form, err := os.ReadFile(d.Form)
	if err != nil {
		return pin, puk, cip, err
	}
	raw, err := os.ReadFile(d.Letter)
	if err != nil {
		return pin, puk, cip, err
	}
	letter, err := inbox.Parse(raw)
	if err != nil {
		return pin, puk, cip, err
	}
	a, b := halves(readPDF(form)), halves(letter.Text)
	if a.PIN == "" || a.PUK == "" || a.CIP == "" || b.PIN == "" || b.PUK == "" || b.CIP == "" {
		return pin, puk, cip, errors.New("a half is missing on the form or in the mail")
	}
	return secret.FromString(a.PIN + b.PIN), secret.FromString(a.PUK + b.PUK), secret.FromString(a.CIP + b.CIP), nil
}

// cardBrowser is a browser that may use the card in the reader.
func (g *game) cardBrowser(d *drawer, pin secret.Text) (*browser.Browser, error) {
	return cardBrowser(g.Stage, d, pin)
}

func cardBrowser(s *Stage, d *drawer, pin secret.Text) (*browser.Browser, error) {
	if err := d.insert(); err != nil {
		return nil, err
	}
	cert, err := d.tool.Certificate()
	if err != nil {
		return nil, err
	}
	key, err := d.tool.Signer(func() (secret.Text, error) { return pin, nil })
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(s.Addresses.CNS)
	if err != nil {
		return nil, err
	}
	return browser.New(s.Roots, &browser.Card{
		Host:        u.Hostname(),
		Certificate: tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert},
	})
}

// enter is step 5: the first login, and what the portal shows.
func (g *game) enter(ctx context.Context) error {
	g.tell.Say("demo.step.login")
	pin, _, _, err := g.holder.codes()
	if err != nil {
		return err
	}
	b, err := g.cardBrowser(&g.holder, pin)
	if err != nil {
		return err
	}
	if err := cardLogin(ctx, b, g.Addresses.Portal+"/entra?a=/tessera"); err != nil {
		return err
	}
	if err := at(b, "/tessera"); err != nil {
		return err
	}
	g.result.Login.Functions = b.Page.Pairs("data-function", "data-state")
	for _, f := range []string{"ts", "cf", "team", "cns"} {
		g.tell.Say("demo.step.login.function."+f, g.tell.word("demo.state."+g.result.Login.Functions[f]))
	}
	g.holder.session = b
	return g.visitService(ctx, pin)
}

// visitService logs in at a service that is not ours: it sees who, and how.
func (g *game) visitService(ctx context.Context, pin secret.Text) error {
	b, err := g.cardBrowser(&g.holder, pin)
	if err != nil {
		return err
	}
	for _, s := range Services(g.Addresses) {
		if err := cardLogin(ctx, b, s.URL+"/entra"); err != nil {
			return err
		}
		if b.Page.Status != 200 || b.Page.Data("data-acr") == "" {
			return fmt.Errorf("%s: no identity: %s %s", s.ID, b.Page.Where(), b.Page.Code())
		}
		g.result.Login.CF, g.result.Login.ACR = b.Page.Data("data-cf"), b.Page.Data("data-acr")
		if g.result.Login.CF != string(g.holder.Card.CF) {
			return fmt.Errorf("%s saw somebody else", s.ID)
		}
	}
	g.tell.Say("demo.step.login.services")
	return nil
}

// cardLogin goes to address and, at the choice of ways, takes the card.
func cardLogin(ctx context.Context, b *browser.Browser, address string) error {
	if err := b.Get(ctx, address); err != nil {
		return err
	}
	if b.Page.Status != 200 {
		return fmt.Errorf("%s %s", b.Page.Where(), b.Page.Code())
	}
	return b.Follow(ctx, "cns")
}

// lose is step 6: three wrong PINs, the PUK, the revocation, the refusal.
func (g *game) lose(ctx context.Context) error {
	pin, puk, cip, err := g.holder.codes()
	if err != nil {
		return err
	}
	if err := g.blockAndUnblock(pin, puk); err != nil {
		return err
	}
	g.tell.Say("demo.step.block")
	b, err := browser.New(g.Roots, nil)
	if err != nil {
		return err
	}
	if err := b.Get(ctx, g.Addresses.Portal+"/revoca"); err != nil {
		return err
	}
	if err := b.Submit(ctx, "/revoca", map[string]string{"chi": string(g.holder.Card.CF), "cip": string(cip.Reveal()), "capito": "si"}); err != nil {
		return err
	}
	if b.Page.Status != 200 || b.Page.Code() != "" {
		return fmt.Errorf("the revocation was refused: %s %s", b.Page.Code(), b.Page.Text())
	}
	g.tell.Say("demo.step.revoke")
	if err := g.sessionEnds(ctx); err != nil {
		return err
	}
	if err := g.refused(ctx, pin); err != nil {
		return err
	}
	if g.result.CA.CRL, err = g.Platform.Publish(ctx); err != nil {
		return err
	}
	for i, f := range g.result.CA.CRL {
		g.result.CA.CRL[i] = g.rel(f)
	}
	return g.holder.remove()
}

// blockAndUnblock spends three tries on a wrong PIN, then uses the PUK. The
// holder takes his old PIN again.
func (g *game) blockAndUnblock(pin, puk secret.Text) error {
	wrong := secret.FromString("90210")
	if wrong.Equal(pin) {
		wrong = secret.FromString("90211")
	}
	var left *holder.WrongPINError
	for n := 2; n >= 0; n-- {
		err := g.holder.tool.VerifyPIN(wrong)
		if err == nil {
			return errors.New("a wrong PIN was accepted")
		}
		if errors.As(err, &left) && left.Left != n {
			return fmt.Errorf("%d tries left, expected %d", left.Left, n)
		}
	}
	if err := g.holder.tool.VerifyPIN(pin); err == nil {
		return errors.New("the PIN is not blocked after three wrong ones")
	}
	if err := g.holder.tool.UnblockPIN(puk, pin); err != nil {
		return err
	}
	return g.holder.tool.VerifyPIN(pin)
}

// sessionEnds shows that the session opened before the revocation is over.
func (g *game) sessionEnds(ctx context.Context) error {
	b := g.holder.session
	if err := b.Get(ctx, g.Addresses.Portal+"/tessera"); err != nil {
		return err
	}
	if b.Page.Code() == "" {
		return fmt.Errorf("the session outlived the card: %s", b.Page.Where())
	}
	g.tell.Say("demo.step.session", b.Page.Code())
	return nil
}

// refused shows the door to the revoked card.
func (g *game) refused(ctx context.Context, pin secret.Text) error {
	b, err := g.cardBrowser(&g.holder, pin)
	if err != nil {
		return err
	}
	if err := cardLogin(ctx, b, g.Addresses.Portal+"/entra?a=/tessera"); err != nil {
		return err
	}
	if b.Page.Code() == "" {
		return fmt.Errorf("the revoked card was let in: %s", b.Page.Where())
	}
	g.result.Refused.Code = b.Page.Code()
	g.tell.Say("demo.step.refused", b.Page.Code(), page.Told(b.Page.Header).Sentence(g.tell.Lang))
	return nil
}
