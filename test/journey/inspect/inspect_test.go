package inspect

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const good = `{"schema":"cse.demo/1","people":200,"rejected":3,"cards":{"chip":195,"chipless":5},"card":{"id":"6090000000001006","team":"80380000900000000018","codice_fiscale":"RSSMRA80A01D612Y","image":"holder/t.cse","certificate":"holder/c.pem"},"ca":{"root":"ca/root.pem","issuing":"ca/issuing.pem","crl":["crl/a.crl"]},"activation":{"form":"holder/m.pdf","mail":"holder/l.eml"},"login":{"codice_fiscale":"RSSMRA80A01D612Y","acr":"x","functions":{"ts":"valid","cf":"valid","team":"valid","cns":"valid"}},"refused":{"code":"CSE-302"},"web":{"ca":"webca/w.pem","portal":"https://portal.cse.localhost:8443","login":"https://login.cse.localhost:8443"}}`

func TestDecode(t *testing.T) {
	for _, out := range []string{good, good + "\n", "a line before\n" + good + "\n"} {
		if _, err := Decode([]byte(out)); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
	}
}

// Each of these is one thing broken.
func TestDecodeRefuses(t *testing.T) {
	change := func(old, to string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("no %q to break", old)
		}
		return strings.Replace(good, old, to, 1)
	}
	for name, out := range map[string]string{
		"nothing":             "",
		"a field too many":    change(`"people":200,`, `"people":200,"pin":"x",`),
		"a field missing":     change(`"acr":"x",`, ``),
		"a function missing":  change(`,"cns":"valid"`, ``),
		"another schema":      change(`cse.demo/1`, `cse.demo/2`),
		"199 people":          change(`"people":200`, `"people":199`),
		"a short TEAM number": change(`80380000900000000018`, `8038000090000000001`),
		"a wrong check char":  change(`"codice_fiscale":"RSSMRA80A01D612Y","image"`, `"codice_fiscale":"RSSMRA80A01D612X","image"`),
		"another's login":     change(`{"codice_fiscale":"RSSMRA80A01D612Y","acr"`, `{"codice_fiscale":"VRDLGI80A01D612Y","acr"`),
		"another refusal":     change(`CSE-302`, `CSE-303`),
		"two objects":         good + good,
		"a line after":        good + "\nbye\n",
		"an empty line after": good + "\n\n",
		"no lists":            change(`["crl/a.crl"]`, `[]`),
	} {
		if _, err := Decode([]byte(out)); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestCheckPaths(t *testing.T) {
	var r Result
	if err := json.Unmarshal([]byte(good), &r); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(path, content string) {
		t.Helper()
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range r.Paths() {
		write(p.Path, "-----BEGIN CERTIFICATE-----\n")
	}
	if err := r.CheckPaths(dir); err != nil {
		t.Fatal(err)
	}
	for name, broken := range map[string]func(*Result){
		"absolute":       func(r *Result) { r.Card.Image = filepath.Join(dir, r.Card.Image) },
		"out of the way": func(r *Result) { r.CA.Root = "../root.pem" },
		"not there":      func(r *Result) { r.Activation.Form = "holder/none.pdf" },
		"no PDF":         func(r *Result) { r.Activation.Form = "holder/l.eml" },
		"missing":        func(r *Result) { r.Web.CA = "" },
	} {
		b := r
		broken(&b)
		if b.CheckPaths(dir) == nil {
			t.Errorf("%s: taken", name)
		}
	}
	write(r.CA.Root, "something else")
	if r.CheckPaths(dir) == nil {
		t.Error("a root that is no certificate: taken")
	}
}

func TestPaper(t *testing.T) {
	got, err := Paper("Foglio codici\nIl tuo PIN:\n\n    PIN: 03\n PUK: 21\nCIP: 32706\nIl PIN, dopo tre errori…\n", First)
	if want := (Codes{"03", "21", "32706"}); err != nil || got != want {
		t.Fatalf("%+v, %v", got, err)
	}
	for name, text := range map[string]string{
		"a whole PIN":              "PIN: 03123\nPUK: 21\nCIP: 32706\n",
		"not a line of its own":    "il tuo PIN: 03\nPUK: 21\nCIP: 32706\n",
		"something after the half": "PIN: 03 (prima parte)\nPUK: 21\nCIP: 32706\n",
		"no CIP":                   "PIN: 03\nPUK: 21\n",
		"twice":                    "PIN: 03\nPUK: 21\nCIP: 32706\nPIN: 03\n",
		"a digit before":           "Il PIN ha 5 cifre\nPIN: 03\nPUK: 21\nCIP: 32706\n",
		"a distant digit before":   "Il PIN\n\nPagina 1\nPIN: 03\nPUK: 21\nCIP: 32706\n",
		"another code between":     "PIN e PUK\nPIN: 03\nPUK: 21\nCIP: 32706\n",
		"the other half":           "PIN: 757\nPUK: 578762\nCIP: 40148\n",
	} {
		if _, err := Paper(text, First); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestForeign(t *testing.T) {
	second := Codes{"757", "578762", "40148"}
	if err := Foreign("PIN: 03\nPUK: 21\nCIP: 32706, telefono 800.004477 757, 1401489", second); err != nil {
		t.Error(err)
	}
	for _, text := range []string{"PUK: 21578762", "altro: 40148"} {
		if Foreign(text, second) == nil {
			t.Errorf("%q: taken", text)
		}
	}
}

func TestFolder(t *testing.T) {
	secrets := Secrets{Codes: []Codes{{"40148", "21578762", "3270640149"}}, Numbers: []string{"90817263"}, People: []string{"RSSMRA80A01D612Y"}}
	places := Places{
		Codes:  func(p string) bool { return strings.HasPrefix(p, "holder/") },
		People: func(p string) bool { return strings.HasPrefix(p, "holder/") || p == "people.csv" },
		Text:   func(p string) bool { return strings.HasSuffix(p, ".log") },
	}
	for name, c := range map[string]struct {
		path, content string
		want          int
	}{
		"the holder's papers":         {"holder/form.txt", "PIN: 40148 3270640149 RSSMRA80A01D612Y", 0},
		"a postcode in a CSV":         {"people.csv", "RSSMRA80A01D612Y;40148", 0},
		"a longer number in a log":    {"csed.log", "140148 401480", 0},
		"a number that holds one":     {"x.db", "6090817263000000 a90817263f", 0},
		"a PIN by itself in a log":    {"csed.log", `{"n":40148}`, 1},
		"a PIN beside its word":       {"x.db", "\x00\x01{\"pin\":\"40148\"}\x02", 1},
		"a PUK inside a binary":       {"x.db", "\x00\xff921578762\x01", 1},
		"a CIP inside a binary":       {"x.db-wal", "\x00\xff3270640149\x01", 1},
		"another chip's PUK":          {"bureau/order", "\x00PUK90817263", 0},
		"another chip's PUK, alone":   {"bureau/order", "\x00:90817263\n", 1},
		"a person in a log":           {"csed.log", "card of rssmra80a01d612y", 1},
		"a person after letters":      {"inbox/1.eml", "XXRSSMRA80A01D612Y", 1},
		"a person in a file's name":   {"exchange/RSSMRA80A01D612Y.json", "x", 1},
		"somebody else, same letters": {"csed.log", "RSSMRA81A01D612Z", 0},
	} {
		dir := t.TempDir()
		path := filepath.Join(dir, c.path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := Folder(dir, secrets, places)
		if err != nil || len(got) != c.want {
			t.Errorf("%s: %v, %v; want %d", name, got, err, c.want)
		}
	}
}
