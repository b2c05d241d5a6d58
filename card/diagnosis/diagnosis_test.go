package diagnosis

import (
	"encoding/json"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"time"

	"cse.example/cse/ground/words"
)

func randomLights(r *rand.Rand) Lights {
	l := Lights{}
	for _, p := range Parts {
		l[p] = states[r.IntN(len(states))]
	}
	return l
}

// The reference carries every combination of lights and comes back as it was
// said: spelled, in small letters, with spaces.
func TestReferenceCarriesTheLights(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		l := randomLights(r)
		ref := l.Reference()
		for _, said := range []string{string(ref), strings.ToLower(string(ref)), ref.Spelled(), string(ref[:3]) + " - " + string(ref[3:])} {
			back, err := ParseReference(said)
			if err != nil || back != ref {
				t.Fatalf("%q is read as %q, %v; want %q", said, back, err, ref)
			}
		}
		got, ok := ref.Lights()
		if !ok || ref.IsKept() {
			t.Fatalf("%s carries no lights", ref)
		}
		for _, p := range Parts {
			if got[p] != l[p] {
				t.Fatalf("%s: %s is %s, want %s", ref, p, got[p], l[p])
			}
		}
	}
}

// One letter heard wrong, or two exchanged, is never another reference.
func TestReferenceNoticesWhatIsMisheard(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		ref := []byte(randomLights(r).Reference())
		if r.IntN(2) == 0 {
			ref = []byte(ForKept(r.Uint32()))
		}
		for i := range ref {
			for _, x := range []byte(letters) {
				wrong := append([]byte(nil), ref...)
				wrong[i] = x
				if _, err := ParseReference(string(wrong)); (err == nil) != (x == ref[i]) {
					t.Fatalf("%s for %s: %v", wrong, ref, err)
				}
			}
			for j := range i {
				wrong := append([]byte(nil), ref...)
				wrong[i], wrong[j] = wrong[j], wrong[i]
				if _, err := ParseReference(string(wrong)); (err == nil) != (ref[i] == ref[j]) {
					t.Fatalf("%s for %s: %v", wrong, ref, err)
				}
			}
		}
	}
}

// No letter is another's double when written, and each has its town.
func TestReferenceReadsAloud(t *testing.T) {
	if strings.ContainsAny(letters, "IOQHJKWXY0123456789") {
		t.Errorf("ambiguous letters in %s", letters)
	}
	for i := range len(letters) {
		if town := towns[letters[i]]; town == "" || town[0] != letters[i] {
			t.Errorf("%c is said %q", letters[i], town)
		}
	}
	if got := Reference("ABCDEF").Spelled(); got != "Ancona Bari Como Domodossola Empoli Firenze" {
		t.Error(got)
	}
}

func TestKeptReferences(t *testing.T) {
	seen := map[Reference]bool{}
	for i := range uint32(5000) {
		r := ForKept(i * 73)
		if _, ok := r.Lights(); ok || !r.IsKept() || seen[r] {
			t.Fatalf("%s: %v, twice %v", r, ok, seen[r])
		}
		seen[r] = true
	}
	for _, s := range []string{"", "ABCDE", "ABCDEFG", "AB12CD", "IIIIII", "AAAAAA ", "àààààà", "Ancona Bari"} {
		if r, err := ParseReference(s); err == nil && string(r) == s {
			t.Errorf("%q is a reference", s)
		}
	}
}

func aReport() Report {
	return Report{
		At: time.Date(2026, 11, 26, 9, 30, 41, 7, time.UTC), Reader: "ACS ACR38U-CCID (00345678) 00 00", ATR: "3B80800101", Family: "CSE neutral",
		Checks: []Check{
			{Part: Service, State: OK, Note: "service"},
			{Part: Reader, State: OK, Note: "reader", Args: []any{"x"}},
			{Part: Reader, State: Attention, Fault: words.Refuse("CSE-217", "y"), Detail: "y"},
			{Part: Browser, State: Fault, Fault: words.Refuse("CSE-814", "/home/mario.rossi"), Detail: "/home/mario.rossi"},
			{Part: Validity, State: Fault, Fault: words.Refuse("CSE-301", "1/1/2026")},
		},
	}
}

func TestReport(t *testing.T) {
	r := aReport()
	if got, ok := r.Main(); !ok || got.Fault.Code != "CSE-301" {
		t.Errorf("begins with %+v", got)
	}
	for p, want := range map[Part]State{Service: OK, Reader: Attention, Validity: Fault, PIN: Unknown} {
		if got := r.State(p); got != want {
			t.Errorf("%s is %s, want %s", p, got, want)
		}
	}
	d := r.Document(words.Italian)
	if d.Outcome != "CSE-301" || d.Reference != string(r.Reference()) || len(d.Checks) != 5 || d.Checks[4].Next == "" {
		t.Errorf("%+v", d)
	}
}

// A letter names nobody: neither folders nor device numbers, nor anything shaped
// like a codice fiscale or a card's number, whatever a reader calls itself.
func TestALetterNamesNobody(t *testing.T) {
	r := aReport()
	for _, reader := range []string{"ACS ACR38U-CCID (00345678) 00 00", "Lettore di RSSMRA80A01D612Y", "Card 6090000000012003", "Reader [CCID] 12345678 01 00"} {
		r.Reader = reader
		l := r.Letter("cse 1.0", "linux amd64")
		b, err := json.Marshal(l)
		if err != nil {
			t.Fatal(err)
		}
		back, err := ParseLetter(b)
		if err != nil || len(back.Lines) != 5 || back.Lights()[Validity] != Fault {
			t.Fatalf("%s: %+v, %v", b, back, err)
		}
		if regexp.MustCompile(`mario|RSSMRA|345678|609000|:41`).Match(b) {
			t.Errorf("%s: %s", reader, b)
		}
	}
	if l := aReport().Letter("cse", "linux"); l.Reader != "ACS ACR38U-CCID" {
		t.Errorf("reader %q", l.Reader)
	}
}

func TestLettersThatAreRefused(t *testing.T) {
	good, err := json.Marshal(aReport().Letter("cse 1.0", "linux amd64"))
	if err != nil {
		t.Fatal(err)
	}
	swap := func(old, new string) string { return strings.Replace(string(good), old, new, 1) }
	for name, s := range map[string]string{
		"nothing":              "",
		"two":                  string(good) + string(good),
		"long":                 swap(`"cse 1.0"`, `"`+strings.Repeat("x", MaxLetter)+`"`),
		"another schema":       swap("diagnosis/1", "diagnosis/2"),
		"a field of his own":   swap(`{"schema"`, `{"codice_fiscale":"RSSMRA80A01D612Y","schema"`),
		"a codice fiscale":     swap(`"cse 1.0"`, `"RSSMRA80A01D612Y"`),
		"a card's number":      swap(`"cse 1.0"`, `"6090000000012003"`),
		"markup":               swap(`"cse 1.0"`, `"<b>x</b>"`),
		"no time":              swap(`2026-11-26`, `ieri`),
		"a strange part":       swap(`"part":"service"`, `"part":"soul"`),
		"a strange state":      swap(`"state":"ok"`, `"state":"fine"`),
		"red without a code":   swap(`"state":"ok"`, `"state":"fault"`),
		"a code of another's":  swap(`CSE-301`, `TSC-301`),
		"an ATR that is none":  swap(`3B80800101`, `3B8`),
		"a number for an ATR":  swap(`3B80800101`, `6090000000012003`),
		"no lines":             regexp.MustCompile(`"lines":\[.*\]`).ReplaceAllString(string(good), `"lines":[]`),
		"lines without number": regexp.MustCompile(`"lines":\[(.*)\]`).ReplaceAllString(string(good), `"lines":[`+strings.Repeat(`{"part":"pin","state":"ok"},`, 60)+`{"part":"pin","state":"ok"}]`),
	} {
		if l, err := ParseLetter([]byte(s)); err == nil {
			t.Errorf("%s: taken as %+v", name, l)
		}
	}
}

func TestWords(t *testing.T) {
	for _, lang := range []words.Lang{words.Italian, words.English} {
		for _, p := range Parts {
			if strings.HasPrefix(p.Name(lang), "⟦") {
				t.Errorf("%s has no name in %s", p, lang)
			}
		}
		for _, s := range states {
			if strings.HasPrefix(s.Name(lang), "⟦") || s.Sign() == "" {
				t.Errorf("%s has no name in %s", s, lang)
			}
		}
	}
	if got := Explain(words.Italian, "CSE-301").Sentence; !strings.HasSuffix(got, "il ….") {
		t.Error(got)
	}
	if got := Explain(words.Italian, "CSE-999"); got.Sentence != "" {
		t.Error(got)
	}
}

func FuzzReference(f *testing.F) {
	f.Add("Ancona Bari Como Domodossola Empoli Firenze")
	f.Add("abcdef")
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseReference(s)
		if err != nil {
			return
		}
		if again, err := ParseReference(string(r)); err != nil || again != r {
			t.Errorf("%q: %q, then %q, %v", s, r, again, err)
		}
		if l, ok := r.Lights(); ok == r.IsKept() || ok && l.Reference() != r {
			t.Errorf("%q: %q has lights %v", s, r, l)
		}
	})
}

func FuzzParseLetter(f *testing.F) {
	b, err := json.Marshal(aReport().Letter("cse 1.0", "linux amd64"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		l, err := ParseLetter(b)
		if err != nil {
			return
		}
		again, err := json.Marshal(l)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParseLetter(again); err != nil && len(again) <= MaxLetter {
			t.Errorf("%s is not taken back: %v", again, err)
		}
	})
}
