package counter

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/effect"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/codes"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/person/registry"
)

// The kinds of effect that a counter asks for.
const (
	KindPrintCodes = "print.codes" // body: Form
	KindMailCodes  = "mail.codes"  // body: CodesMail
	KindMailNotice = "mail.notice" // body: Notice
)

// PrintKey is the key of the print of an activation.
func PrintKey(protocol string) string { return KindPrintCodes + "/" + protocol }

// MailKey is the key of the mail with the second halves.
func MailKey(protocol string) string { return KindMailCodes + "/" + protocol }

// Form is what the activation form and the codes sheet say, first halves apart:
// those are opened by the process that prints, from the card number.
type Form struct {
	Kind ActKind `json:"kind"`
	// Papers are what the act prints, in order.
	Papers []PaperKind `json:"papers"`
	// Copy tells that they were printed before.
	Copy     bool       `json:"-"`
	Protocol string     `json:"protocol"`
	At       time.Time  `json:"at"`
	Lang     words.Lang `json:"lang"`
	Card     string     `json:"card"`
	TEAM     string     `json:"team"`
	CF       string     `json:"cf"`
	Surname  string     `json:"surname"`
	Name     string     `json:"name"`
	Born     civil.Date `json:"born"`
	Document Document   `json:"document"`
	Present  Present    `json:"present"`
	// EmailMasked is g•••@e•••.it.
	EmailMasked string `json:"email_masked"`
	// Letter: second halves go by post.
	Letter       bool   `json:"letter,omitempty"`
	OfficeName   string `json:"office_name"`
	OperatorName string `json:"operator_name"`
	// Next is the card that takes this one's place; Reissue tells that one was
	// asked for, even when none can be made yet.
	Next    string `json:"next,omitempty"`
	Reissue bool   `json:"reissue,omitempty"`
	// Representative asked for the holder; nil when the holder did.
	Representative *Representative `json:"representative,omitempty"`
	Report         Report          `json:"report,omitzero"`
	Text           string          `json:"text,omitempty"`
	// Informativa is the version of the privacy notice that was handed over.
	Informativa string `json:"informativa,omitempty"`
}

func form(number string, at time.Time, op staff.Operator, f found, s IdentityStep, k ContactStep) Form {
	return Form{
		Protocol: number, At: at, Lang: k.Lang, Card: f.Card.ID, TEAM: f.Card.TEAM, CF: string(f.Person.CF),
		Surname: f.Person.Surname, Name: f.Person.Name, Born: f.Person.Born, Document: s.Document, Present: s.Present,
		Representative: s.Representative,
		EmailMasked:    maskEmail(k.Email), Letter: k.NoEmail, OfficeName: op.Office.Name, OperatorName: op.Name,
	}
}

// CodesMail is the mail with the second halves, halves apart. It names neither
// surname nor codice fiscale.
type CodesMail struct {
	Protocol  string     `json:"protocol"`
	Card      string     `json:"card"`
	To        string     `json:"to"`
	FirstName string     `json:"first_name"`
	Lang      words.Lang `json:"lang"`
}

// Event is what a notice tells.
type Event string

// The notices.
const (
	Activated   Event = "activated"
	Revoked     Event = "revoked"
	Suspended   Event = "suspended"
	Reactivated Event = "reactivated"
	Lost        Event = "lost"    // ended after a report, a duplicate is coming
	Ordered     Event = "ordered" // a new card is coming
	Reprinted   Event = "reprinted"
	Readdressed Event = "readdressed"
	// Renewed: the chip has new codes.
	Renewed     Event = "renewed-codes"
	WrongCIP    Event = "wrong-cip"
	RightsEnded Event = "rights-ended" // to whoever stood for the holder
	OfAge       Event = "of-age"       // to the holder: choose your own codes
	OfAgeHeld   Event = "of-age-held"  // the same, and the CNS is on hold until then
	AnotherLeft Event = "another-left" // to who still stands for the holder
	ByDelegate  Event = "by-delegate"  // to the contacts known before
)

// Events lists what notices tell.
func Events() []Event {
	return []Event{Activated, ByDelegate, Revoked, Suspended, Reactivated, Lost, Ordered, Reprinted, Readdressed, Renewed, WrongCIP, RightsEnded, OfAge, OfAgeHeld, AnotherLeft, Joined, AnotherJoined, Unconfirmed, HeldUnconfirmed}
}

// Notice is a mail without any code.
type Notice struct {
	Event     Event      `json:"event"`
	Protocol  string     `json:"protocol"`
	Card      string     `json:"card"`
	To        string     `json:"to"`
	FirstName string     `json:"first_name"`
	At        time.Time  `json:"at"`
	Lang      words.Lang `json:"lang"`
	// Lists is in how many hours everybody else knows; 0: nothing is said of it.
	Lists int `json:"lists,omitempty"`
}

// Text is the subject and the plain text of the notice.
func (n Notice) Text() (subject, text string) {
	key := "counter.notice." + string(n.Event)
	text = words.Say(n.Lang, key+".text", n.FirstName, cardEnd(n.Card), n.Protocol, moment(n.At))
	if n.Lists > 0 {
		by := PublishedBy(n.At, time.Duration(n.Lists)*time.Hour)
		text += "\n" + words.Say(n.Lang, "counter.notice.lists", moment(by), n.Lists)
	}
	return words.Say(n.Lang, key+".subject"), text
}

// lists is in how many hours others know what a notice tells, where that is that the
// card works: until then it may be refused.
func (c *Counter) lists(e Event) int {
	if e != Activated && e != ByDelegate && e != Reactivated {
		return 0
	}
	return int(c.d.Lists / time.Hour)
}

// Text is the subject and the plain text of the mail: each second half on a
// line of its own, and no digit after the three words before those lines.
func (m CodesMail) Text(s codes.Second) (subject, text string) {
	lines := "PIN: " + string(s.PIN.Reveal()) + "\nPUK: " + string(s.PUK.Reveal()) + "\nCIP: " + string(s.CIP.Reveal())
	return words.Say(m.Lang, "counter.codes.subject"),
		words.Say(m.Lang, "counter.codes.before", m.FirstName) + "\n\n" + lines + "\n\n" +
			words.Say(m.Lang, "counter.codes.after", cardEnd(m.Card), m.Protocol)
}

// cardEnd is the reference that papers give: the last four digits.
func cardEnd(card string) string { return card[max(0, len(card)-4):] }

func moment(t time.Time) string { return t.In(civil.Rome).Format("02/01/2006 15:04") }

// firstName is how letters address somebody.
func firstName(names string) string { return registry.FirstName(names) }

// tellKnown tells the holder's known address that a delegate activated his card
// (R98), when that is another than the one on the delegation.
func (c *Counter) tellKnown(ctx context.Context, f found, e Evidence) error {
	to := f.Person.Email
	if e.Identity.Present != PresentDelegate || !validEmail(to) || sameAddress(to, e.Contact.Email) {
		return nil
	}
	number := e.Form.Protocol
	return c.enqueue(ctx, KindMailNotice+"/"+string(ByDelegate)+"/"+number, KindMailNotice, f.Card.ID, Notice{
		Event: ByDelegate, Protocol: number, Card: f.Card.ID, To: to, FirstName: firstName(f.Person.Name), At: e.Form.At, Lang: e.Contact.Lang,
		Lists: c.lists(ByDelegate),
	})
}

// sameAddress compares as mail servers do, and a little more widely: case never
// tells two people apart.
func sameAddress(a, b string) bool {
	return strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b))
}

// mailActivation asks for the second halves and the notice.
func (c *Counter) mailActivation(ctx context.Context, f found, e Evidence) error {
	name := firstName(f.Person.Name)
	if err := c.tellKnown(ctx, f, e); err != nil {
		return err
	}
	if e.Identity.Present == PresentParent || e.Identity.Present == PresentGuardian {
		name = firstName(e.Identity.Representative.Name)
	}
	number, lang := e.Form.Protocol, e.Contact.Lang
	if e.Contact.NoEmail {
		return c.sendLetter(ctx, number, f.Person, f.Card.ID, e.Identity.Representative, lang)
	}
	for _, x := range []struct {
		key, kind string
		body      any
	}{
		{MailKey(number), KindMailCodes, CodesMail{number, f.Card.ID, e.Contact.Email, name, lang}},
		{
			KindMailNotice + "/" + string(Activated) + "/" + number, KindMailNotice,
			Notice{Activated, number, f.Card.ID, e.Contact.Email, name, e.Form.At, lang, c.lists(Activated)},
		},
	} {
		if err := c.enqueue(ctx, x.key, x.kind, f.Card.ID, x.body); err != nil {
			return err
		}
	}
	return nil
}

func (c *Counter) enqueue(ctx context.Context, key, kind, card string, body any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return fmt.Errorf("counter: %s: %w", kind, err)
	}
	return c.d.Enqueue(ctx, effect.Effect{Key: key, Kind: kind, Card: card, Body: b})
}
