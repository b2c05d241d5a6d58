package main

import (
	"context"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"cse.example/cse/card/cns"
	"cse.example/cse/card/holder"
)

// certificateInfo is the certificate in a JSON document; times are RFC 3339.
type certificateInfo struct {
	Subject   string   `json:"subject"`
	CN        string   `json:"common_name"`
	CF        string   `json:"codice_fiscale,omitempty"`
	Card      string   `json:"card,omitempty"`
	Issuer    string   `json:"issuer"`
	Serial    string   `json:"serial"`
	NotBefore string   `json:"not_before"`
	NotAfter  string   `json:"not_after"`
	KeyBits   int      `json:"key_bits"`
	Policies  []string `json:"policies"`
	SHA256    string   `json:"sha256"`
	// Matches is true when the name's hash is that of the personal data on the
	// card (card.md section 6).
	Matches bool `json:"matches_personal_data"`
}

type certificateDocument struct {
	Schema string `json:"schema"`
	certificateInfo
}

type exportDocument struct {
	Schema string `json:"schema"`
	File   string `json:"file,omitempty"`
	PEM    string `json:"pem,omitempty"`
}

// certificateCommand shows, exports and extends the certificate of the card.
func (a *app) certificateCommand() *cobra.Command {
	var out string
	var der bool
	export := a.command("export", "certificate.export", []string{"esporta"}, 0, func(context.Context, []string) error {
		return a.withCard(func(h *holder.Holder, _ string) error { return a.export(h, out, der) })
	})
	export.Flags().StringVarP(&out, "out", "o", "", a.say("flag.out"))
	export.Flags().BoolVar(&der, "der", false, a.say("flag.der"))
	return a.group("certificate", "certificate", []string{"certificato"}, export, a.checkCommand(),
		a.command("show", "certificate.show", []string{"mostra"}, 0, func(context.Context, []string) error {
			return a.withCard(func(h *holder.Holder, _ string) error { return a.show(h) })
		}), a.extendCommand())
}

// show reads certificate and personal data and compares them.
func (a *app) show(h *holder.Holder) error {
	c, err := h.Certificate()
	if err != nil {
		return err
	}
	_, raw, err := h.ReadPersonalData()
	if err != nil {
		return err
	}
	info := describeCertificate(c, raw)
	return a.emit(certificateDocument{Schema: "cse.certificate/1", certificateInfo: *info}, func(w io.Writer) {
		a.line(w, "subject", info.Subject)
		a.line(w, "cf", info.CF)
		a.line(w, "card", info.Card)
		a.line(w, "cert.issuer", info.Issuer)
		a.line(w, "serial", info.Serial)
		a.line(w, "from", a.day(info.NotBefore))
		a.line(w, "until", a.day(info.NotAfter))
		a.line(w, "key", fmt.Sprintf("RSA %d", info.KeyBits))
		a.line(w, "policies", info.Policies)
		a.line(w, "sha256", info.SHA256)
		a.line(w, "matches", a.yesNo(info.Matches))
	})
}

func (a *app) yesNo(b bool) string {
	if b {
		return a.say("yes")
	}
	return a.say("no")
}

// describeCertificate reads the fields people ask for.
func describeCertificate(c *x509.Certificate, personalData []byte) *certificateInfo {
	sum := sha256.Sum256(c.Raw)
	info := &certificateInfo{
		Subject: c.Subject.String(), CN: c.Subject.CommonName, Issuer: c.Issuer.String(), Serial: fmt.Sprintf("%X", c.SerialNumber),
		NotBefore: c.NotBefore.UTC().Format(time.RFC3339), NotAfter: c.NotAfter.UTC().Format(time.RFC3339),
		SHA256: fmt.Sprintf("%X", sum), Policies: []string{},
	}
	if key, ok := c.PublicKey.(*rsa.PublicKey); ok {
		info.KeyBits = key.N.BitLen()
	}
	for _, p := range c.PolicyIdentifiers {
		info.Policies = append(info.Policies, p.String())
	}
	if name, err := cns.ParseCommonName(c.Subject.CommonName); err == nil {
		info.CF, info.Card = name.CF, string(name.ID)
		info.Matches = name.Hash == cns.Neutral().HashPersonalData(personalData) ||
			name.Hash == cns.Profile{HashWithoutPadding: true}.HashPersonalData(personalData)
	}
	return info
}

// export writes the certificate to a file or to standard output.
func (a *app) export(h *holder.Holder, out string, der bool) error {
	c, err := h.Certificate()
	if err != nil {
		return err
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})
	data := text
	if der {
		data = c.Raw
	}
	doc := exportDocument{Schema: "cse.certificate-export/1", File: out}
	if out == "" {
		doc.PEM = string(text)
	} else if err := os.WriteFile(out, data, 0o644); err != nil { //nolint:gosec // a certificate is public
		return cannotWrite(out, err)
	}
	if out == "" && !a.json {
		if _, err := a.Out.Write(data); err != nil {
			return cannotWrite("stdout", err)
		}
		return nil
	}
	return a.emit(doc, func(w io.Writer) { fmt.Fprintln(w, a.say("certificate.written", out)) })
}
