package counter

import (
	"context"
	"strings"

	"cse.example/cse/ground/words"
	"cse.example/cse/person/registry"
)

// Who has no e-mail address: second halves go by post, from another office than
// the one that prints the first ones, so that no counter has both. The process
// that mails opens them and lays the letter in the print queue of that office;
// neither this room nor the web process sees a half. Off unless configured.

// KindPrintLetter is the letter with the second halves; body: Letter.
const KindPrintLetter = "print.letter"

// LetterKey is the key of the letter of an act.
func LetterKey(protocol string) string { return KindPrintLetter + "/" + protocol }

// Letter is the letter with the second halves, halves apart. It carries neither
// codice fiscale nor card number in clear words; the address is the registry's.
type Letter struct {
	Protocol string     `json:"protocol"`
	Card     string     `json:"card"`
	Office   string     `json:"office"`
	To       string     `json:"to"`
	Address  string     `json:"address"`
	PostCode string     `json:"post_code"`
	Place    string     `json:"place"`
	Lang     words.Lang `json:"lang"`
}

// CardEnd is the reference that papers give: the last four digits.
func (l Letter) CardEnd() string { return cardEnd(l.Card) }

// byLetter allows an act without an address at office: CSE-466 where letters are
// not configured, CSE-467 at the office that prints them.
func (c *Counter) byLetter(office string) error {
	switch c.d.LetterOffice {
	case "":
		return words.Refuse("CSE-466").At("senza_email")
	case office:
		return words.Refuse("CSE-467").At("senza_email")
	}
	return nil
}

// sendLetter asks for the letter to a holder, or to who represents him.
func (c *Counter) sendLetter(ctx context.Context, number string, p registry.Person, card string, r *Representative, lang words.Lang) error {
	to, at := strings.TrimSpace(p.Name+" "+p.Surname), p
	if r != nil {
		to = strings.TrimSpace(r.Name + " " + r.Surname)
	}
	if strings.TrimSpace(at.Address) == "" {
		return words.Refuse("CSE-468")
	}
	return c.enqueue(ctx, LetterKey(number), KindPrintLetter, card, Letter{
		Protocol: number, Card: card, Office: c.d.LetterOffice, To: to, Address: at.Address, PostCode: at.PostCode, Place: at.Residence, Lang: lang,
	})
}
