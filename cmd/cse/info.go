package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"cse.example/cse/card/cns"
	"cse.example/cse/card/holder"
	"cse.example/cse/ground/words"
)

type infoDocument struct {
	Schema      string           `json:"schema"`
	Reader      string           `json:"reader"`
	ATR         string           `json:"atr"`
	Family      string           `json:"family"`
	Tested      string           `json:"tested"`
	CNSVersion  string           `json:"cns_version"`
	Card        string           `json:"card"`
	TEAM        string           `json:"team"`
	Issuer      string           `json:"issuer"`
	Issued      string           `json:"issued"`
	Expires     string           `json:"expires"`
	Surname     string           `json:"surname"`
	Name        string           `json:"name"`
	CF          string           `json:"codice_fiscale"`
	Born        string           `json:"born"`
	Certificate *certificateInfo `json:"certificate"`
	Tries       *tries           `json:"tries"`
}

// infoCommand shows the card: what it is, whose, until when, tries left.
func (a *app) infoCommand() *cobra.Command {
	return a.command("info", "info", []string{"informazioni"}, 0, func(context.Context, []string) error {
		return a.withCard(func(h *holder.Holder, where string) error {
			doc, left, err := readInfo(h, where)
			if err != nil {
				return err
			}
			return a.emit(doc, func(w io.Writer) { a.infoText(w, doc, left) })
		})
	})
}

// readInfo reads everything that needs no PIN. A card without certificate is
// shown all the same.
func readInfo(h *holder.Holder, where string) (infoDocument, holder.Tries, error) {
	id := h.Identify()
	doc := infoDocument{
		Schema: "cse.info/1", Reader: where, ATR: fmt.Sprintf("%X", id.ATR),
		Family: id.Family, Tested: string(id.Tested), CNSVersion: id.Version,
	}
	number, err := h.CardID()
	if err != nil {
		return doc, holder.Tries{}, err
	}
	data, raw, err := h.ReadPersonalData()
	if err != nil {
		return doc, holder.Tries{}, err
	}
	doc.Card, doc.TEAM, doc.Issuer = string(number), number.TEAM(), issuerText(data.Issuer, number)
	doc.Issued, doc.Expires, doc.Born = data.Issued.String(), data.Expires.String(), data.Born.String()
	doc.Surname, doc.Name, doc.CF = data.Surname, data.Name, data.CF
	left, err := h.Tries()
	if err != nil {
		return doc, left, err
	}
	doc.Tries = triesOf(left)
	c, err := h.Certificate()
	if f := words.FaultOf(err); f != nil && f.Code == "CSE-224" {
		return doc, left, nil
	} else if err != nil {
		return doc, left, err
	}
	doc.Certificate = describeCertificate(c, raw)
	return doc, left, nil
}

// issuerText is the issuer's code and, for a Region, its name.
func issuerText(code string, id cns.CardID) string {
	if name := id.Region(); name != "" {
		return code + " " + name
	}
	return code
}

func (a *app) infoText(w io.Writer, d infoDocument, left holder.Tries) {
	a.line(w, "reader", d.Reader)
	a.line(w, "family", d.Family+" ("+a.say("tested."+d.Tested)+")")
	a.line(w, "atr", d.ATR)
	a.line(w, "card", d.Card)
	a.line(w, "team", d.TEAM)
	a.line(w, "issuer", d.Issuer)
	a.line(w, "holder", d.Surname+" "+d.Name)
	a.line(w, "cf", d.CF)
	a.line(w, "expires", a.day(d.Expires))
	if d.Certificate == nil {
		a.line(w, "certificate", a.say("certificate.none"))
	} else {
		a.line(w, "certificate", a.say("certificate.until", a.day(d.Certificate.NotAfter)))
	}
	a.triesLines(w, left)
}
