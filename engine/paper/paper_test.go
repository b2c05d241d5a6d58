package paper

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
)

var (
	at  = time.Date(2026, 11, 23, 11, 5, 0, 0, time.UTC)
	day = civil.DayOf(at)
)

// The surname is one that a careless form would let pass for a code.
var holder = Person{Surname: "PINI D'ALÒ", Name: "Kovačević Łucja", CF: "PNDKCV85T50A562T", Born: civil.Date{Year: 1985, Month: 12, Day: 10}, BirthPlace: "San Giuliano Terme (PI)"}

func form() CodesForm {
	return CodesForm{
		Protocol: "2026/0000123", Day: day, Office: "Azienda USL Toscana centro – Città di PINO PUKCIP 12", Surname: holder.Surname, Name: holder.Name,
		CardID: "6030010000001234", PIN: secret.FromString("12"), PUK: secret.FromString("34"), CIP: secret.FromString("56789"),
		PINBlanks: 3, PUKBlanks: 6, CIPBlanks: 5, Email: "giulia.bianchi@esempio.it",
		Lists: at.Add(6 * time.Hour), ListHours: 6,
	}
}

func activation() Activation {
	return Activation{
		Protocol: "2026/0000123", At: at, Office: "Azienda USL Toscana centro – Firenze, via di San Salvi", Operator: "m.rossi", Holder: holder,
		CardID: "6030010000001234", TEAM: "80380009000000012345",
		Shown: Document{Kind: "Carta d'identità elettronica", Number: "CA00000AA", Issuer: "Ministero dell'interno", Expires: civil.Date{Year: 2031, Month: 12, Day: 10}},
		Email: "giulia.bianchi@esempio.it", Informativa: "2026-1",
	}
}

func press(t *testing.T) *Press {
	t.Helper()
	p, err := New(Options{Issuer: "Regione Toscana", Helpline: "800.004477", Banner: "DIMOSTRAZIONE", Clock: civil.NewHand(at)})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func declaration() Declaration {
	a := activation()
	return Declaration{
		Protocol: a.Protocol, At: a.At, Office: a.Office, Operator: a.Operator, Declarant: Person{Surname: "ROSSI", Name: "ANNA", CF: "RSSNNA80A41D612X"},
		Quality: "genitore", Holder: holder, CardID: a.CardID, Shown: a.Shown,
	}
}

func delegation() Delegation {
	a := activation()
	return Delegation{
		At: at, Office: a.Office, Holder: holder, TEAM: a.TEAM, Delegate: Person{Surname: "ROSSI", Name: "ANNA", CF: "RSSNNA80A41D612X"}, Shown: a.Shown,
	}
}

// documents are one of each kind.
func documents(t *testing.T, lang words.Lang) map[string][]byte {
	t.Helper()
	p := press(t)
	minor := activation()
	minor.Declarant, minor.Quality, minor.Notices = &Person{Surname: "ROSSI", Name: "ANNA", CF: "RSSNNA80A41D612X"}, "genitore", true
	out := map[string][]byte{}
	add := func(name string, pdf []byte, err error) {
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		out[name] = pdf
	}
	pdf, err := p.CodesForm(lang, form())
	add("codes", pdf, err)
	pdf, err = p.ActivationModule(lang, activation())
	add("activation", pdf, err)
	pdf, err = p.ActivationModule(lang, minor)
	add("activation-parent", pdf, err)
	pdf, err = p.Papers(lang, form(), activation())
	add("papers", pdf, err)
	pdf, err = p.Papers(lang, Receipt{
		Protocol: "2026/0000124", At: at, Title: "Ricevuta di revoca e richiesta di duplicato", Copy: true, Office: "Azienda USL Toscana centro", Operator: "m.rossi",
		Holder: holder, CardID: "6030010000001234", Facts: []string{"Denuncia", "Carabinieri di Firenze, AB/77"}, Effects: []string{"La revoca è definitiva."}, Signed: true,
	})
	add("receipt", pdf, err)
	pdf, err = p.Papers(lang, Referral{Protocol: "2026/0000125", Day: day, Office: "Comune di Prato", Holder: holder, Datum: "Data di nascita", To: "Agenzia delle Entrate", Address: "via Santa Caterina d'Alessandria, Firenze"})
	add("referral", pdf, err)
	again := form()
	again.Again = true
	pdf, err = p.CodesForm(lang, again)
	add("codes-again", pdf, err)
	pdf, err = p.Papers(lang, declaration())
	add("declaration", pdf, err)
	pdf, err = p.DelegationForm(lang, delegation())
	add("delegation", pdf, err)
	return out
}

// keep leaves the documents where CSE_KEEP_PDF says, for a look at them.
func keep(t *testing.T, lang words.Lang, docs map[string][]byte) {
	t.Helper()
	dir := os.Getenv("CSE_KEEP_PDF")
	if dir == "" {
		return
	}
	for name, pdf := range docs {
		if err := os.WriteFile(filepath.Join(dir, name+"."+string(lang)+".pdf"), pdf, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

var word = regexp.MustCompile(`(?i)PIN|PUK|CIP`)

// half finds a half as a program would.
var half = map[string]*regexp.Regexp{
	"PIN": regexp.MustCompile(`(?m)^PIN: ([0-9]+)$`),
	"PUK": regexp.MustCompile(`(?m)^PUK: ([0-9]+)$`),
	"CIP": regexp.MustCompile(`(?m)^CIP: ([0-9]+)$`),
}

// greedy finds the first digits after a word, as a careless program would.
var greedy = map[string]*regexp.Regexp{
	"PIN": regexp.MustCompile(`(?is)PIN\D*(\d+)`),
	"PUK": regexp.MustCompile(`(?is)PUK\D*(\d+)`),
	"CIP": regexp.MustCompile(`(?is)CIP\D*(\d+)`),
}

// checkCodes holds the text of a code form against the rule of the form.
func checkCodes(t *testing.T, text string) {
	t.Helper()
	for name, want := range map[string]string{"PIN": "12", "PUK": "34", "CIP": "56789"} {
		for how, re := range map[string]*regexp.Regexp{"line": half[name], "first digits after the word": greedy[name]} {
			if m := re.FindStringSubmatch(text); m == nil || m[1] != want {
				t.Errorf("%s by %s: %q, want %s", name, how, m, want)
			}
		}
		if n := len(half[name].FindAllString(text, -1)); n != 1 {
			t.Errorf("%s stands there %d times", name, n)
		}
	}
	if first := word.FindStringIndex(text); first == nil || !strings.HasPrefix(text[first[0]:], "PIN: 12\n") {
		t.Errorf("the first of the words is not the line itself: %v", first)
	}
	for _, want := range []string{"PINI D'ALÒ", "ucja", "g•••@e•••.it", "800.004477", "•••• 1234", "2026/0000123", at.Add(6 * time.Hour).In(civil.Rome).Format("02/01/2006 15:04"), "(6 h)"} {
		if !strings.Contains(text, want) {
			t.Errorf("the form lacks %q", want)
		}
	}
	for _, not := range []string{"giulia", "6030010000001234", holder.CF} {
		if strings.Contains(text, not) {
			t.Errorf("the form shows %q", not)
		}
	}
}

func TestCodesForm(t *testing.T) {
	for _, lang := range []words.Lang{words.Italian, words.English} {
		docs := documents(t, lang)
		keep(t, lang, docs)
		checkCodes(t, extract(t, docs["codes"]))
		checkPapers(t, extract(t, docs["papers"]))
		for name, pdf := range docs {
			text := extract(t, pdf)
			if strings.Contains(text, "⟦") || strings.Contains(text, "?") || strings.Contains(text, "%!") {
				t.Errorf("%s, %s: a text is missing or cannot be printed:\n%s", name, lang, text)
			}
			if !strings.HasPrefix(name, "codes") && name != "papers" && (word.MatchString(strings.ReplaceAll(text, "PINI", "")) && name != "receipt") {
				t.Errorf("%s speaks of codes", name)
			}
			pages := map[string]int{"activation": 2, "activation-parent": 2, "papers": 3}
			if got, want := bytes.Count(pdf, []byte("/Type /Page\n")), max(1, pages[name]); got != want {
				t.Errorf("%s, %s: %d pages, want %d", name, lang, got, want)
			}
		}
	}
}

// checkPapers: the papers of an activation obey the rule of the code form over
// the whole of their text, and carry both copies after it.
func checkPapers(t *testing.T, text string) {
	t.Helper()
	codes, module, ok := strings.Cut(text, holder.CF) // the module's first barcode and line
	if !ok || strings.Count(module, "2026-1") != 2 || strings.Count(module, "giulia.bianchi@esempio.it") != 2 {
		t.Error("the two copies of the module do not follow the code form")
	}
	checkCodes(t, codes)
	for name, re := range greedy {
		if a, b := re.FindStringSubmatch(codes), re.FindStringSubmatch(text); a == nil || b == nil || a[1] != b[1] {
			t.Errorf("%s reads %q on the form and %q in the whole", name, a, b)
		}
		if n := len(half[name].FindAllString(text, -1)); n != 1 {
			t.Errorf("%s stands %d times in the whole", name, n)
		}
	}
}

func TestActivationModule(t *testing.T) {
	text := extract(t, documents(t, words.Italian)["activation-parent"])
	for _, want := range []string{
		"Copia per il titolare", "Copia per lo sportello", "PINI D'ALÒ Kovacevic Lucja", "PNDKCV85T50A562T", "RSSNNA80A41D612X", "genitore",
		"CA00000AA", "10/12/2031", "23/11/2026, 12:05", "giulia.bianchi@esempio.it", "2026-1", "Firma del richiedente", "80380009000000012345",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the module lacks %q", want)
		}
	}
}

func TestSameBytes(t *testing.T) {
	a, b := documents(t, words.Italian), documents(t, words.Italian)
	for name := range a {
		if !bytes.Equal(a[name], b[name]) {
			t.Errorf("%s differs from one printing to the next", name)
		}
	}
}

func TestRefusals(t *testing.T) {
	p := press(t)
	for name, change := range map[string]func(*CodesForm){
		"no protocol":   func(f *CodesForm) { f.Protocol = "" },
		"no day":        func(f *CodesForm) { f.Day = civil.Date{} },
		"no PIN":        func(f *CodesForm) { f.PIN = secret.Text{} },
		"letter in PUK": func(f *CodesForm) { f.PUK = secret.FromString("3a") },
		"bad protocol":  func(f *CodesForm) { f.Protocol = "2026/è" },
	} {
		f := form()
		change(&f)
		if pdf, err := p.CodesForm(words.Italian, f); err == nil {
			t.Errorf("%s: %d bytes of PDF", name, len(pdf))
		} else if strings.Contains(err.Error(), "3a") {
			t.Errorf("%s: the error shows the half: %v", name, err)
		}
	}
	other := activation()
	other.Protocol = "2026/0000999"
	for name, a := range map[string]Activation{"empty": {}, "another act's": other} {
		if _, err := p.Papers(words.Italian, form(), a); err == nil {
			t.Errorf("papers with an %s module were printed", name)
		}
	}
	if _, err := p.ActivationModule(words.Italian, Activation{}); err == nil {
		t.Error("an empty activation was printed")
	}
	if _, err := p.Papers(words.Italian, Receipt{}); err == nil {
		t.Error("an empty receipt was printed")
	}
	if _, err := p.Papers(words.Italian, Referral{}); err == nil {
		t.Error("an empty referral was printed")
	}
	if _, err := p.DelegationForm(words.Italian, Delegation{}); err == nil {
		t.Error("an empty delegation was printed")
	}
	if _, err := New(Options{}); err == nil {
		t.Error("empty Options were accepted")
	}
}

func TestMaskEmail(t *testing.T) {
	for in, want := range map[string]string{
		"giulia@esempio.it": "g•••@e•••.it", "a@b.c.example": "a•••@b•••.example", "èva@x": "è•••@x•••", "": "•••", "x@": "•••", "no address": "•••",
		"g•••@e•••.it": "g•••@e•••.it", // masked already
	} {
		if got := MaskEmail(in); got != want {
			t.Errorf("MaskEmail(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestLettersKept(t *testing.T) {
	for in, want := range map[string]string{"Città • –": "Citt\xe0 \x95 \x96", "Kovačević": "Kovacevic", "Łódź Đ": "L\xf3dz D", "Ștefan": "Stefan", "e\u0300": "\xe8", "日": "?"} {
		if got := cp1252(in); got != want {
			t.Errorf("cp1252(%q) = %q, want %q", in, got, want)
		}
	}
}
