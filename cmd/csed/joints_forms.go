package main

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"time"

	"cse.example/cse/engine/paper"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/portal"
)

// The texts of forms, as the operations look at them (O9): each filled in for
// nobody in the language asked for, with a version that changes with the words of
// either language. They come from the catalogue and are changed there, in review;
// nobody edits them by page.

// namedPart is a form filled in for nobody.
type namedPart struct {
	id   string
	part paper.Part
}

// sampleParts are the forms in a language.
func (p *Platform) sampleParts(lang words.Lang) []namedPart {
	day := civil.Date{Year: 2026, Month: 12, Day: 1}
	at := day.Start().Add(10*time.Hour + 30*time.Minute)
	who := paper.Person{Surname: "ESEMPIO", Name: "MARIA", CF: "CODICE FISCALE", Born: civil.Date{Year: 1985, Month: 3, Day: 7}, BirthPlace: "Firenze (FI)"}
	parent := paper.Person{Surname: "ESEMPIO", Name: "ANNA", CF: "CODICE FISCALE"}
	shown := paper.Document{Kind: words.Say(lang, "counter.document.CIE"), Number: "CA00000AA", Issuer: "Comune", Expires: day.AddYears(5)}
	const number, office, operator, card, team = "2026/0000001", "Sportello", "Operatore", "6000 0000 0000 0000", "80380 00000 00000 00000"
	f := counter.Form{Protocol: number, At: at, Lang: lang, OfficeName: office, OperatorName: operator, Surname: who.Surname, Name: who.Name, Card: "0000", EmailMasked: "m•••@e•••.it"}
	activated := f
	activated.Kind = counter.KindActivation
	list := []namedPart{
		{"foglio-codici", p.codesForm(activated)},
		{"richiesta-attivazione", paper.Activation{
			Protocol: number, At: at, Office: office, Operator: operator, Holder: who, CardID: card, TEAM: team, Shown: shown, Email: "maria@esempio.it", Informativa: "1/2026",
		}},
		{"autocertificazione", paper.Declaration{
			Protocol: number, At: at, Office: office, Operator: operator, Declarant: parent, Quality: words.Say(lang, "counter.present.genitore"), Holder: who, CardID: card, Shown: shown,
		}},
		{"delega", paper.Delegation{At: at, Office: office, Holder: who, TEAM: team, Email: "maria@esempio.it", Delegate: parent, Shown: shown}},
		{"dove-andare", paper.Referral{Protocol: number, Day: day, Office: office, Holder: who, To: words.Say(lang, "paper.receipt.ade")}},
	}
	for _, k := range []counter.ActKind{
		counter.KindSuspend, counter.KindReactivate, counter.KindRevoke, counter.KindLoss, counter.KindNotReceived, counter.KindChipFault,
		counter.KindCorrection, counter.KindWithdrawal, counter.KindEmail, counter.KindJoin,
	} {
		f.Kind = k
		list = append(list, namedPart{"ricevuta-" + string(k), paper.Receipt{
			Protocol: number, At: at, Title: words.Say(lang, "paper.receipt.title."+string(k)), Office: office, Operator: operator, Holder: who, CardID: card,
			Shown: shown, Effects: p.effects(f), Signed: true,
		}})
	}
	return list
}

// formTexts are the forms as the page shows them; the version is of both
// languages.
func (p *Platform) formTexts(lang words.Lang) ([]portal.FormText, error) {
	press, err := paper.New(paper.Options{Issuer: p.Config.Region.Name, Helpline: p.Config.Region.Phone, Clock: p.Clock})
	if err != nil {
		return nil, err
	}
	versions := map[string][]byte{}
	var out []portal.FormText
	for _, l := range []words.Lang{words.Italian, words.English} {
		for _, x := range p.sampleParts(l) {
			blocks, err := press.Twin(l, x.part)
			if err != nil {
				return nil, err
			}
			for _, b := range blocks {
				versions[x.id] = append(versions[x.id], string(b.Kind)+"\x00"+b.Text+"\x00"+strings.Join(b.Items, "\x00")...)
			}
			if l == lang {
				out = append(out, portal.FormText{ID: x.id, Name: blocks[0].Text, Blocks: blocksOf(blocks)})
			}
		}
	}
	for i := range out {
		sum := sha256.Sum256(versions[out[i].ID])
		out[i].Version = hex.EncodeToString(sum[:])[:8]
	}
	return out, nil
}
