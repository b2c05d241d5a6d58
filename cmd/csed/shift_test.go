package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"cse.example/cse/card/cns"
	"cse.example/cse/demo/browser"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/codes"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/ca/catest"
	"cse.example/cse/pki/profile"
)

// The region's own health unit, as its invented people have it.
const regionASL = "203"

// offices adds counters of several kinds to a region, each with an operator of
// its name: comune, asl (the people's own), aslb (another), ade,
// urp, farmacia (takes part), chiusa (a pharmacy that does not), callcentre (an agent).
func (r *region) offices(t *testing.T) map[string]*shiftKey {
	t.Helper()
	keys := map[string]*shiftKey{}
	for i, o := range []staff.Office{
		{ID: "asl", Type: staff.ASL, ASL: regionASL},
		{ID: "aslb", Type: staff.ASL, ASL: "999"},
		{ID: "ade", Type: staff.ADE},
		{ID: "urp", Type: staff.URP},
		{ID: "farmacia", Type: staff.Pharmacy, TakesPart: true},
		{ID: "chiusa", Type: staff.Pharmacy},
		{ID: "callcentre", Type: staff.CallCentre},
		{ID: "comune"},
	} {
		o.Name, o.Comune = "Ufficio "+o.ID, "D612"
		if o.Type != "" { // the municipality is there already
			r.config.Counters = append(r.config.Counters, o)
		}
		role := staff.RoleOperator
		if o.Type == staff.CallCentre {
			role = staff.RoleCallCentre
		}
		account := "al-" + o.ID
		keys[o.ID] = &shiftKey{account, r.employ(t, account, 10+i, role)}
		r.config.Operators[len(r.config.Operators)-1].Offices = []string{o.ID}
	}
	return keys
}

// give makes a delivered card for somebody, with codes and a certificate that
// waits; change may make it another card. The person joins the registry.
func (p *Platform) give(t *testing.T, who registry.Person, serial uint64, change func(*lifecycle.Card)) lifecycle.Card {
	t.Helper()
	today := civil.Today(p.Clock)
	id, err := cns.NewCardID(p.Config.Region.Issuer, serial, 0)
	check(t, err)
	c := lifecycle.Card{
		ID: string(id), TEAM: id.TEAM(), CF: who.CF, Model: lifecycle.TSCNS, State: lifecycle.Delivered, Issued: today,
		Expires: today.AddYears(6), OrderedAt: p.Clock.Now(), ShippedAt: p.Clock.Now(), DeliveredAt: p.Clock.Now(),
	}
	if change != nil {
		change(&c)
	}
	data, err := cns.PersonalData{
		Issuer: p.Config.Region.Issuer, Issued: c.Issued, Expires: c.Expires, Surname: who.Surname, Name: who.Name,
		Born: who.Born, Sex: who.Sex, CF: string(c.CF), BirthPlace: who.BirthPlace, Residence: who.Residence,
	}.Encode()
	check(t, err)
	made, err := p.authority.Issue(t.Context(), ca.Request{CF: string(c.CF), Card: c.ID, PersonalData: data, Key: catest.Key(t), Expires: c.Expires})
	check(t, err)
	c.CertSerial = profile.SerialText(made.SerialNumber)
	wrap, err := p.web.aead(aeadCIP)
	check(t, err)
	maker, _, err := codes.LoadMaker(p.Config.under("keys"), wrap, p.Config.Issue.Codes, p.db.Codes(), rand.Reader)
	check(t, err)
	_, sealed, err := maker.Make(t.Context(), c.ID, 1, who.Born)
	check(t, err)
	check(t, p.db.Atomically(t.Context(), func(ctx context.Context) error {
		if _, err := p.db.People().Put(ctx, who); err != nil {
			return err
		}
		if c, err = p.db.Cards().Put(ctx, c); err != nil {
			return err
		}
		return maker.Keep(ctx, sealed)
	}))
	return c
}

// sound is clean for a platform with cards that give made: no batch made them.
func sound(t *testing.T, p *Platform) {
	t.Helper()
	found, err := p.check(t.Context())
	check(t, err)
	for _, f := range found {
		if f.key != "fsck.card.no-batch" {
			t.Error(words.Say(words.English, f.key, f.args...))
		}
	}
}

// invented is somebody of the region's health unit.
func invented(t *testing.T, surname, name string, born civil.Date) registry.Person {
	t.Helper()
	x := registry.Person{
		Surname: surname, Name: name, Born: born, Sex: "F", BirthPlace: "D612", Citizenship: "IT", Residence: "D612", ASL: regionASL,
		AssistedFrom: born, AbroadRight: true, Address: "VIA DEGLI ESEMPI 1", PostCode: "50100",
	}
	var err error
	x.CF, err = codicefiscale.Compute(codicefiscale.Person{Surname: surname, Name: name, Born: born, Sex: "F", Belfiore: "D612"})
	check(t, err)
	return x
}

// shiftKey is an operator's account and one-time secret.
type shiftKey struct {
	account string
	totp    secret.Text
}

// shift is an operator at work in a browser, over the real listener and store.
type shift struct {
	t     *testing.T
	p     *Platform
	clock *civil.Hand
	b     *browser.Browser
}

// submit sends a form; code is the refusal wanted, empty for none. No address may
// hold the codice fiscale.
func (s *shift) submit(action, code string, pairs ...string) {
	s.t.Helper()
	values := map[string]string{}
	for i := 0; i+1 < len(pairs); i += 2 {
		values[pairs[i]] = pairs[i+1]
	}
	check(s.t, s.b.Submit(s.t.Context(), action, values))
	if s.b.Page.Code() != code {
		s.t.Fatalf("%s: %s %q, want %q: %s", action, s.b.Page.Where(), s.b.Page.Code(), code, s.b.Page.Text())
	}
	s.address()
}

var shapeOfCF = regexp.MustCompile(`[A-Z]{6}[0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{2}[A-Z][0-9LMNP-V]{3}[A-Z]`)

func (s *shift) address() {
	s.t.Helper()
	if u := s.b.Page.URL.String(); shapeOfCF.MatchString(strings.ToUpper(u)) {
		s.t.Errorf("a codice fiscale is in the address %s", u)
	}
}

// at goes to a path of the portal.
func (s *shift) at(path string) {
	s.t.Helper()
	check(s.t, s.b.Get(s.t.Context(), s.p.Config.Public.Portal+path))
	s.address()
}

// see wants texts on the page.
func (s *shift) see(want ...string) {
	s.t.Helper()
	for _, w := range want {
		if !strings.Contains(s.b.Page.Text(), w) {
			s.t.Errorf("%s: no %q in %s", s.b.Page.Where(), w, s.b.Page.Text())
		}
	}
}

// sheet searches a codice fiscale and stands at the holder's sheet.
func (s *shift) sheet(cf codicefiscale.Code) {
	s.t.Helper()
	s.at("/sportello")
	s.submit("/sportello/cerca", "", "q", string(cf))
	s.see("Tessere", string(cf))
}

// begin goes from the sheet to step 2 of the activation of a card.
func (s *shift) begin(c lifecycle.Card) {
	s.t.Helper()
	s.sheet(c.CF)
	to := s.b.Page.Href(func(h string) bool { return strings.HasSuffix(h, "/sportello/attivazione?tessera="+c.ID) })
	if to == "" {
		s.t.Fatalf("nothing to activate: %s", s.b.Page.Text())
	}
	check(s.t, s.b.Get(s.t.Context(), to))
	s.submit("/sportello/attivazione", "", "tessera_ultime_cinque", c.ID[11:])
}

// document is an identity document that is good, and further fields.
func (s *shift) document(more ...string) []string {
	today := civil.Today(s.clock)
	return append([]string{
		"documento_tipo", "CIE", "documento_numero", "CA12345AA", "documento_ente", "COMUNE DI FIRENZE",
		"documento_rilascio", today.AddYears(-1).Italian(), "documento_scadenza", today.AddYears(5).Italian(),
	}, more...)
}

// file is the address of the act just done.
func (s *shift) file() string {
	s.t.Helper()
	path := s.b.Page.URL.Path
	if !strings.HasPrefix(path, "/sportello/pratica/") {
		s.t.Fatalf("no act was done: %s %s %s", s.b.Page.Where(), s.b.Page.Code(), s.b.Page.Text())
	}
	return path
}

// papers prints what the act leaves on paper, and goes back to its page; the
// text is what poppler reads, folded.
func (s *shift) papers() string {
	s.t.Helper()
	at := s.file()
	s.submit("/modulo", "")
	pdf := s.b.Page.Body
	if !bytes.HasPrefix(pdf, []byte("%PDF-")) {
		s.t.Fatalf("no paper: %s %s", s.b.Page.Where(), s.b.Page.Code())
	}
	text := readBack(s.t, pdf)
	if raw := rawKey.FindString(text); raw != "" {
		s.t.Errorf("a paper says %q instead of the text", raw)
	}
	s.twin(at, text)
	s.at(at)
	return text
}

// rawKey is the name of a text that the catalogue does not have.
var rawKey = regexp.MustCompile(`\b(paper|counter|portal)\.[a-z][a-z.-]*`)

// twin wants every word of the papers' twin on the papers, and no half of a code
// on the twin; the page that an act shows links it.
func (s *shift) twin(file, paper string) {
	s.t.Helper()
	s.at(file)
	if s.b.Page.Href(func(h string) bool { return strings.HasSuffix(h, file+"/testo") }) == "" {
		s.t.Errorf("%s does not lead to what the papers say", file)
	}
	s.at(file + "/testo")
	s.twinOf(paper)
}

// twinOf is twin on the page on show.
func (s *shift) twinOf(paper string) {
	s.t.Helper()
	file := s.b.Page.Where()
	page, err := html.Parse(bytes.NewReader(s.b.Page.Body))
	check(s.t, err)
	said := 0
	for n := range page.Descendants() {
		text := strings.Join(strings.Fields(n.Data), " ")
		if n.Type != html.TextNode || text == "" || !within(n, "testo") || n.Parent.Data == "strong" {
			continue
		}
		switch text {
		case words.Say(words.Italian, "paper.codes.onpaper"), words.Say(words.English, "paper.codes.onpaper"), words.Say(words.Italian, "portal.paper.signs"):
			continue
		}
		if said++; !strings.Contains(paper, text) {
			s.t.Errorf("the twin of %s says %q, the paper does not", file, text)
		}
	}
	if said < 10 {
		s.t.Errorf("the twin of %s says only %d things: %s", file, said, s.b.Page.Text())
	}
	if strings.Contains(s.b.Page.Text(), "PIN: ") {
		s.t.Error("the twin shows a code")
	}
}

// within tells whether a node is inside the element with that id.
func within(n *html.Node, id string) bool {
	for p := range n.Ancestors() {
		for _, a := range p.Attr {
			if a.Key == "id" && a.Val == id {
				return true
			}
		}
	}
	return false
}

// handOver ticks "consegnato e firmato".
func (s *shift) handOver() {
	s.t.Helper()
	s.submit("/consegna", "CSE-360")
	s.submit("/consegna", "", "consegnato", "si")
}

// work logs an operator in at the counter, with a one-time code not used yet.
func (k *shiftKey) work(t *testing.T, p *Platform, clock *civil.Hand) *shift {
	t.Helper()
	clock.Advance(30 * time.Second)
	return &shift{t, p, clock, atWork(t, p, k.account, k.totp, "/sportello")}
}

// readBack takes the text out of a paper as a reader of it would, and wants every
// font inside the file (pdftotext and pdffonts of poppler-utils).
func readBack(t *testing.T, pdf []byte) string {
	t.Helper()
	for _, program := range []string{"pdftotext", "pdffonts"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatalf("%s is missing: apt-get install poppler-utils", program)
		}
	}
	path := filepath.Join(t.TempDir(), "paper.pdf")
	check(t, os.WriteFile(path, pdf, 0o600))
	fonts, err := exec.CommandContext(t.Context(), "pdffonts", path).Output()
	check(t, err)
	lines := strings.Split(strings.TrimSpace(string(fonts)), "\n")
	if len(lines) < 3 {
		t.Errorf("no font: %s", fonts)
	}
	for _, l := range lines[min(2, len(lines)):] {
		if f := strings.Fields(l); len(f) < 5 || f[len(f)-5] != "yes" {
			t.Errorf("a font is not embedded: %s", l)
		}
	}
	text, err := exec.CommandContext(t.Context(), "pdftotext", "-enc", "UTF-8", path, "-").Output()
	check(t, err)
	return strings.Join(strings.Fields(string(text)), " ")
}

// on wants words on a paper.
func on(t *testing.T, paper string, want ...string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(paper, w) {
			t.Errorf("no %q on the paper: %s", w, paper)
		}
	}
}
