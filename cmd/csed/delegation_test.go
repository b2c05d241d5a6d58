package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"cse.example/cse/engine/paper"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
)

// Every form that somebody signs or takes home, in both languages: poppler reads
// it back, its fonts are inside the file, and every word of the twin that a
// screen reader reads is on the paper.
func TestEveryFormIsReadBackAndHasATwin(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	p := r.serve(t, "web")
	press, err := paper.New(paper.Options{Issuer: "Regione Toscana", Helpline: "800.004477", Clock: p.Clock, Fonts: fonts()})
	check(t, err)
	for _, lang := range []words.Lang{words.Italian, words.English} {
		for _, x := range p.sampleParts(lang) {
			var pdf []byte
			switch form := x.part.(type) {
			case paper.CodesForm:
				form.PIN, form.PUK, form.CIP = secret.FromString("12"), secret.FromString("345"), secret.FromString("67890")
				pdf, err = press.Papers(lang, form)
			case paper.Delegation:
				pdf, err = press.DelegationForm(lang, form)
			default:
				pdf, err = press.Papers(lang, form)
			}
			check(t, err)
			text := readBack(t, pdf)
			blocks, err := press.Twin(lang, x.part)
			check(t, err)
			said := 0
			for _, b := range blocks {
				list := append([]string{b.Text}, b.Items...)
				for _, pair := range b.Pairs {
					list = append(list, pair[0], pair[1])
				}
				for _, w := range list {
					if w == words.Say(lang, "paper.codes.onpaper") {
						continue
					}
					if said++; !strings.Contains(text, strings.Join(strings.Fields(w), " ")) {
						t.Errorf("%s %s: the twin says %q, the paper does not: %s", lang, x.id, w, text)
					}
				}
			}
			if said < 12 {
				t.Errorf("%s %s: the twin says only %d things", lang, x.id, said)
			}
		}
		for _, form := range []paper.Blank{paper.BlankDelegation, paper.BlankSelfDeclaration} {
			pdf, err := p.blankForm("")(string(form), lang)
			check(t, err)
			on(t, readBack(t, pdf), words.Say(lang, "paper.blank."+string(form)+".title"), words.Say(lang, "paper.blank."+string(form)+".sign"))
		}
	}
}

// A delegate without the signed delegation goes home with the form filled in:
// holder, delegate, the impediment without saying which, the holder's address,
// the four papers, place to sign. Nothing is activated, the delegate's own address
// is refused, and the holder reads that the form was made. With the signed form
// the same draft goes on, and asks for the papers again.
func TestR95_R97_R98_R99_R100_TheDelegationIsPrintedFromTheDraft(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.clock.Set(time.Now())
	keys := r.offices(t)
	p := r.serve(t, knownRoles()...)
	holder := p.give(t, invented(t, "ROSSI", "IDA", civil.Today(r.clock).AddYears(-70)), 991_021, nil)
	delegate, err := p.db.People().Get(t.Context(), card(t, p, r.active).CF)
	check(t, err)
	s := keys["aslb"].work(t, p, r.clock)
	s.begin(holder)
	step := s.b.Page.URL.Path
	draft := strings.TrimSuffix(step, "/2")
	who := []string{"rappresentante_cognome", delegate.Surname, "rappresentante_nome", delegate.Name, "rappresentante_cf", string(delegate.CF)}
	typed := s.document(append([]string{"presente", "delegato"}, who...)...)
	s.submit("/2", "CSE-121", typed...)
	s.submit("/2", "CSE-417", append(typed, "salute", "si")...)

	s.at(draft + "/delega")
	if s.b.Page.HasForm(draft + "/delega/modulo") {
		t.Error("a form for nobody")
	}
	typed = s.document(who...)
	s.submit("/delega", "CSE-121", typed...)
	typed = append(typed, "salute", "si")
	s.submit("/delega", "CSE-130", append(typed, "email", "ida")...)
	s.submit("/delega", "", append(typed, "email", "")...)
	s.see("Il modulo è pronto", "da scrivere a mano")
	s.submit("/delega/modulo", "")
	on(t, readBack(t, s.b.Page.Body), "E-mail del titolare, in stampatello")
	if strings.Contains(readBack(t, s.b.Page.Body), "@") {
		t.Error("an address that nobody typed is on the form")
	}
	s.at(draft + "/delega")
	s.submit("/delega", "", append(typed, "email", "ida@posta.example")...)
	s.submit("/delega/modulo", "")
	text := readBack(t, s.b.Page.Body)
	on(
		t, text, "Delega per attivare la tessera", "ROSSI IDA", string(holder.CF), holder.TEAM, "ida@posta.example", delegate.Surname+" "+delegate.Name, string(delegate.CF), "CA12345AA",
		"impedimento di salute. Non devo dire quale. [sì]", "un proprio documento d'identità valido;", "questa delega, che resta allo sportello;",
		"la copia di un documento d'identità del titolare;", "la tessera del titolare.", "Luogo e data", "Firma del titolare", "Firma del delegato", "Ufficio aslb",
	)
	if n := bytes.Count(s.b.Page.Body, []byte("/Type /Page\n")); n != 1 {
		t.Errorf("the delegation has %d pages", n)
	}
	s.at(draft + "/delega")
	s.twinOf(text)
	acts, err := p.activities(t.Context(), holder.CF)
	check(t, err)
	made := 0
	for _, a := range acts {
		if a.Act == "delegation.prepared" && a.Office == "Ufficio aslb" {
			made++
		}
	}
	if made != 2 {
		t.Errorf("the holder reads of %d forms, want 2: %+v", made, acts)
	}
	if c := card(t, p, holder.ID); c.State != holder.State {
		t.Errorf("a form moved the card: %s", c.State)
	}

	// the signed form is here: step 2 asks again for what makes an activation by delegate
	s.at(draft + "/3")
	if !strings.HasSuffix(s.b.Page.URL.Path, "/2") {
		t.Fatalf("the form was a step: %s", s.b.Page.Where())
	}
	s.submit("/2", "CSE-417")
	s.submit("/2", "", "delega", "si", "copia", "si")
	s.submit("/3", "CSE-131", "consenso", "si")
	s.submit("/3", "", "email_ripetuta", "ida@posta.example", "consenso", "si")
	s.submit("/4", "")
	s.papers()
	s.handOver()
	sound(t, p)
}
