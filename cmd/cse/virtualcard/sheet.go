package virtualcard

import (
	"cse.example/cse/card/cns"
	"cse.example/cse/engine/paper"
	"cse.example/cse/ground/civil"
)

// sheet writes what a card without a chip says, as PDF; card.json says the same
// to programs.
func (p Plan) sheet(c *Card, f *folder) error {
	press, err := paper.New(paper.Options{
		Issuer: "CSE carte di prova", Own: true, Banner: notASecret, Clock: civil.NewHand(p.Day.Start()),
	})
	if err != nil {
		return err
	}
	w := c.Holder
	pdf, err := press.CardSheet(paper.CardSheet{
		CF: string(w.CF), Surname: w.Surname, Names: w.Name, Sex: w.Sex, BirthPlace: w.BirthPlace, Card: string(c.ID), TEAM: c.ID.TEAM(),
		Institution: "SSN-MIN SALUTE 500001 · Regione " + cns.RegionName(p.Profile.issuer()[1:]), Born: w.Born, Expires: c.Ends,
	})
	if err != nil {
		return err
	}
	return f.write("sheet.pdf", pdf, 0o644)
}
