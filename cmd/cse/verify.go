package main

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"cse.example/cse/engine/paper"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/pki/trust"
	"cse.example/cse/signature"
)

// verifyWish is what the flags of cse verify say.
type verifyWish struct {
	content, report, extract, recipient string
	issuers, others, stamps, crls       []string
	online                              bool
}

// verifyCommand checks the signatures of a file. No card is needed.
func (a *app) verifyCommand() *cobra.Command {
	var w verifyWish
	c := a.command("verify FILE", "verify", []string{"verifica"}, 1, func(ctx context.Context, args []string) error {
		return a.verifyFile(ctx, args[0], w)
	})
	f := c.Flags()
	f.StringVar(&w.content, "content", "", a.say("flag.content"))
	f.StringArrayVar(&w.issuers, "ca", nil, a.say("flag.issuers"))
	f.StringArrayVar(&w.others, "other-ca", nil, a.say("flag.others"))
	f.StringArrayVar(&w.stamps, "tsa-ca", nil, a.say("flag.stamps"))
	f.StringArrayVar(&w.crls, "crl", nil, a.say("flag.crl"))
	f.BoolVar(&w.online, "online", false, a.say("flag.online"))
	f.StringVar(&w.report, "report", "", a.say("flag.report"))
	f.StringVar(&w.extract, "extract", "", a.say("flag.extract"))
	f.StringVar(&w.recipient, "for", "", a.say("flag.for"))
	c.AddCommand(a.verifyCertificateCommand(), a.verifyAuditCommand())
	return c
}

// verifier is made of the files that the flags name.
func (w verifyWish) verifier() (*signature.Verifier, error) {
	v := &signature.Verifier{Clock: civil.System{}}
	var err error
	for _, x := range []struct {
		files []string
		into  *[]*x509.Certificate
	}{{w.issuers, &v.CNS.Anchors}, {w.others, &v.Others}, {w.stamps, &v.Stamps}} {
		for _, name := range x.files {
			if *x.into, err = addCertificates(*x.into, name); err != nil {
				return nil, err
			}
		}
	}
	lists := trust.Lists{Now: v.Clock.Now}
	for _, name := range w.crls {
		b, err := readFile(name)
		if err != nil {
			return nil, err
		}
		if p, _ := pem.Decode(b); p != nil {
			b = p.Bytes
		}
		l, err := x509.ParseRevocationList(b)
		if err != nil {
			return nil, words.Refuse("CSE-250", "--crl "+name).Because(err)
		}
		lists.All = append(lists.All, l)
	}
	v.CNS.Revocation = []trust.Revocation{lists}
	if w.online {
		v.CNS.Revocation = append(v.CNS.Revocation, trust.Responder{Now: v.Clock.Now, Ask: func(ctx context.Context, address string, q []byte) ([]byte, error) {
			return post(ctx, address, "application/ocsp-request", q)
		}})
	}
	return v, nil
}

// addCertificates adds those of a PEM file, or the one of a DER file.
func addCertificates(to []*x509.Certificate, name string) ([]*x509.Certificate, error) {
	b, err := readFile(name)
	if err != nil {
		return nil, err
	}
	var ders [][]byte
	for rest := b; ; {
		p, more := pem.Decode(rest)
		if p == nil {
			break
		}
		ders, rest = append(ders, p.Bytes), more
	}
	if ders == nil {
		ders = [][]byte{b}
	}
	for _, der := range ders {
		c, err := x509.ParseCertificate(der)
		if err != nil {
			return nil, words.Refuse("CSE-250", name).Because(err)
		}
		to = append(to, c)
	}
	return to, nil
}

// verifyFile tells what the signatures of a file are worth. The exit status is
// that of the answer: 0 when every signature is valid (and, with --for, accepted
// by that recipient).
func (a *app) verifyFile(ctx context.Context, name string, w verifyWish) error {
	who := signature.Recipient(w.recipient)
	if w.recipient != "" && !slices.Contains(signature.Recipients, who) {
		return usage("--for " + w.recipient)
	}
	v, err := w.verifier()
	if err != nil {
		return err
	}
	file, err := readFile(name)
	if err != nil {
		return err
	}
	var content []byte
	if w.content != "" {
		if content, err = readFile(w.content); err != nil {
			return err
		}
	}
	r, err := v.Verify(ctx, file, content)
	if err != nil {
		return err
	}
	r.File = filepath.Base(name)
	if err := a.emit(r, func(out io.Writer) { a.tell(out, r) }); err != nil {
		return err
	}
	if w.report != "" {
		if err := a.writeReport(w.report, r); err != nil {
			return err
		}
	}
	if w.extract != "" && r.Content != nil {
		if err := writeNew(w.extract, r.Content, false); err != nil {
			return err
		}
		fmt.Fprintln(a.Err, a.say("verify.extracted", w.extract))
	}
	for _, f := range r.Signatures {
		if f.Err != nil {
			return words.FaultOf(f.Err)
		}
	}
	if fault := r.For(who); fault != nil && w.recipient != "" {
		return fault
	}
	return nil
}

// tell writes the report as text.
func (a *app) tell(out io.Writer, r signature.Report) {
	for _, l := range r.Lines(a.language) {
		fmt.Fprintf(out, "%s\t%s\n", l.Label, printable(l.Value))
	}
	for _, f := range r.All(a.language) {
		fmt.Fprintf(out, "\n%s\n", f.Title)
		for _, l := range f.Lines(a.language) {
			fmt.Fprintf(out, "%s\t%s\n", l.Label, printable(l.Value))
		}
	}
}

// writeReport writes the report as PDF.
func (a *app) writeReport(path string, r signature.Report) error {
	pdf, err := reportPDF(r, a.language)
	if err != nil {
		return err
	}
	if err := writeNew(path, pdf, true); err != nil {
		return err
	}
	fmt.Fprintln(a.Err, a.say("verify.written", path))
	return nil
}

// reportPDF prints the report.
func reportPDF(r signature.Report, lang words.Lang) ([]byte, error) {
	press, err := paper.New(paper.Options{Issuer: "cse " + version().Version, Own: true, Clock: civil.System{}})
	if err != nil {
		return nil, err
	}
	return press.Verification(lang, printed(r, lang))
}

// printed is the report as the press takes it.
func printed(r signature.Report, lang words.Lang) paper.Verification {
	v := paper.Verification{At: r.At.Truncate(time.Second)}
	for _, l := range r.Lines(lang) {
		v.File = append(v.File, l.Label, l.Value)
	}
	for _, f := range r.All(lang) {
		x := paper.ExtractSection{Title: f.Title, Records: [][]string{nil}}
		for _, l := range f.Lines(lang) {
			x.Records[0] = append(x.Records[0], l.Label, l.Value)
		}
		v.Signatures = append(v.Signatures, x)
	}
	return v
}
