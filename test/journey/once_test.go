package journey

import (
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"io"
	"mime/quotedprintable"
	"net/mail"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"cse.example/cse/test/journey/inspect"
)

// person is a holder with card and papers.
type person struct {
	cf, card, image string
	codes           inspect.Codes
}

// waitForOnce waits until `csed demo --once` is over.
func (j *journey) waitForOnce(t *testing.T) {
	t.Helper()
	j.once.until(t, "its end", func() bool {
		select {
		case <-j.once.ended:
			return true
		default:
			return false
		}
	})
}

// onceResult: exit 0, the ports said, one JSON object of the schema.
func (j *journey) onceResult(t *testing.T) {
	j.waitForOnce(t)
	if j.once.err != nil {
		t.Fatalf("csed demo --once: %v\n%s", j.once.err, &j.once.stderr)
	}
	r, err := inspect.Decode([]byte(j.once.stdout.String()))
	ok(t, err)
	ok(t, r.CheckPaths(j.once.data))
	if r.Web.Portal == "https://portal.cse.localhost:8443" {
		t.Error("it says that it uses the port of the one that is up")
	}
	for _, port := range []string{"8443", "8080"} {
		if !strings.Contains(j.once.stderr.String(), "127.0.0.1:"+port) {
			t.Errorf("it does not say that port %s is taken:\n%s", port, &j.once.stderr)
		}
	}
	for _, step := range []string{"1. ", "2. ", "3. ", "4. ", "5. ", "6. "} {
		if !strings.Contains("\n"+j.once.stderr.String(), "\n"+step) {
			t.Errorf("no sentence for step %s", step)
		}
	}
	if got := inspect.Text(j.once.stdout.String()+j.once.stderr.String(), j.holder(t, j.once, "holder").codes); len(got) > 0 {
		t.Errorf("it prints %v", got)
	}
}

// halves reads both papers of a drawer, the form as poppler shows it.
func (j *journey) halves(t *testing.T, form, letter string) (first, second inspect.Codes) {
	t.Helper()
	raw, err := os.ReadFile(letter)
	ok(t, err)
	body := letterText(t, raw)
	second, err = inspect.Paper(body, inspect.Second)
	if err != nil {
		t.Fatalf("the mail: %v", err)
	}
	// nobody need decode the mail to find the lines
	if again, err := inspect.Paper(strings.ReplaceAll(string(raw), "=\n", ""), inspect.Second); err != nil || again != second {
		t.Errorf("the mail as it travels: %v", err)
	}
	for _, layout := range [][]string{{"-layout"}, nil, {"-raw"}} {
		printed := j.other(t, nil, "pdftotext", append(layout, form, "-")...)
		if first, err = inspect.Paper(printed, inspect.First); err != nil {
			t.Fatalf("the form, pdftotext %v: %v", layout, err)
		}
		if err := inspect.Foreign(printed, second); err != nil {
			t.Errorf("the form: %v", err)
		}
	}
	if err := inspect.Foreign(body, first); err != nil {
		t.Errorf("the mail: %v", err)
	}
	return first, second
}

func letterText(t *testing.T, raw []byte) string {
	t.Helper()
	m, err := mail.ReadMessage(strings.NewReader(string(raw)))
	ok(t, err)
	var body io.Reader = m.Body
	if m.Header.Get("Content-Transfer-Encoding") == "quoted-printable" {
		body = quotedprintable.NewReader(m.Body)
	}
	b, err := io.ReadAll(body)
	ok(t, err)
	return strings.ReplaceAll(string(b), "\r\n", "\n")
}

var imageName = regexp.MustCompile(`tessera-(\d{16})\.cse$`)

// holder opens a drawer of a demonstration: holder or citizen.
func (j *journey) holder(t *testing.T, d *demonstration, who string) person {
	t.Helper()
	dir := filepath.Join(d.data, who)
	images, err := filepath.Glob(filepath.Join(dir, "tessera-*.cse"))
	if err != nil || len(images) != 1 {
		t.Fatalf("%d cards in %s, %v", len(images), dir, err)
	}
	first, second := j.halves(t, filepath.Join(dir, "modulo.pdf"), filepath.Join(dir, "lettera.eml"))
	p := person{card: imageName.FindStringSubmatch(images[0])[1], image: images[0], codes: inspect.Join(first, second)}
	if p.codes.Lengths() != inspect.Whole {
		t.Fatalf("codes of %+v digits", p.codes.Lengths())
	}
	j.codes = append(j.codes, p.codes)
	var info struct {
		CF string `json:"codice_fiscale"`
	}
	o := j.card(t, p.image, nil, "--json", "info")
	o.says(t, 0)
	o.read(t, &info)
	p.cf = info.CF
	return p
}

// oncePapers: the codes that form and mail say together are the chip's.
func (j *journey) oncePapers(t *testing.T) {
	j.waitForOnce(t)
	for _, who := range []string{"holder", "citizen"} {
		p := j.holder(t, j.once, who)
		j.card(t, p.image, []string{p.codes.PIN}, "pin", "verify").says(t, 0)
		// the PUK sets the PIN that is already there
		j.card(t, p.image, []string{p.codes.PUK, p.codes.PIN}, "pin", "unblock").says(t, 0)
		if chip := chipCodes(t, p.image); chip.PIN != p.codes.PIN || chip.PUK != p.codes.PUK {
			t.Errorf("%s: the papers' codes are not the chip's", who)
		}
	}
}

// chipCodes takes PIN and PUK out of a card's image, which no reader could: it
// is an open safe (package chip).
func chipCodes(t *testing.T, image string) inspect.Codes {
	t.Helper()
	b, err := os.ReadFile(image)
	ok(t, err)
	var body struct {
		Codes []struct {
			Ref   byte   `json:"ref"`
			Block string `json:"block"`
		} `json:"codes"`
	}
	// what follows the JSON object is the checksum
	ok(t, json.NewDecoder(strings.NewReader(string(b[strings.IndexByte(string(b), '{'):]))).Decode(&body))
	var c inspect.Codes
	for _, x := range body.Codes {
		block, err := base64.StdEncoding.DecodeString(x.Block)
		ok(t, err)
		digits, _, _ := strings.Cut(string(block), "\xff")
		switch x.Ref & 0x1F {
		case 0x10:
			c.PIN = digits
		case 0x11:
			c.PUK = digits
		}
	}
	if len(c.PIN) != 5 || len(c.PUK) != 8 {
		t.Fatalf("%s: a PIN of %d and a PUK of %d digits", image, len(c.PIN), len(c.PUK))
	}
	return c
}

func (j *journey) onceLeftovers(t *testing.T) {
	j.waitForOnce(t)
	j.leftovers(t, j.once)
}

// drawers are the holders' own places and the cards in the post: the chips hold
// their codes, and who they are.
func drawers(path string) bool {
	for _, dir := range []string{"holder", "citizen", "cards", drawer} {
		if strings.HasPrefix(path, dir+string(filepath.Separator)) {
			return true
		}
	}
	return false
}

// leftovers goes through everything a demonstration left behind.
func (j *journey) leftovers(t *testing.T, d *demonstration) {
	t.Helper()
	secrets := inspect.Secrets{Codes: j.codes, People: people(t, d.data)}
	images, err := filepath.Glob(filepath.Join(d.data, "cards", "*.cse"))
	ok(t, err)
	for _, image := range images {
		secrets.Numbers = append(secrets.Numbers, chipCodes(t, image).PUK)
	}
	if len(secrets.Codes) < 2 || len(secrets.Numbers) < 190 || len(secrets.People) < 200 {
		t.Fatalf("%d cards' codes, %d PUKs and %d people known: too few to look for", len(secrets.Codes), len(secrets.Numbers), len(secrets.People))
	}
	places := inspect.Places{
		Codes: drawers,
		People: func(p string) bool {
			return drawers(p) || p == "people.csv" || p == "platform.db" || p == "platform.db-wal"
		},
		Text: func(p string) bool {
			return strings.HasSuffix(p, ".log") || strings.HasPrefix(p, "inbox") || strings.HasPrefix(p, "exchange") || strings.HasPrefix(p, "bureau")
		},
	}
	for _, root := range []string{d.data, d.tmp} {
		finds, err := inspect.Folder(root, secrets, places)
		ok(t, err)
		for _, f := range finds {
			t.Errorf("%s: %s", f.Path, f.What)
		}
	}
	if left, err := os.ReadDir(d.tmp); err != nil || len(left) > 0 {
		t.Errorf("temporary files are left: %v, %v", left, err)
	}
}

// people are the codici fiscali of the CSV that the demonstration imported.
func people(t *testing.T, data string) []string {
	t.Helper()
	f, err := os.Open(filepath.Join(data, "people.csv"))
	ok(t, err)
	defer f.Close()
	r := csv.NewReader(f)
	r.FieldsPerRecord = -1
	if head, err := os.ReadFile(f.Name()); err == nil && strings.Contains(strings.SplitN(string(head), "\n", 2)[0], ";") {
		r.Comma = ';'
	}
	rows, err := r.ReadAll()
	ok(t, err)
	at := -1
	for i, name := range rows[0] {
		if name == "codice_fiscale" {
			at = i
		}
	}
	if at < 0 {
		t.Fatalf("no column codice_fiscale in %v", rows[0])
	}
	var out []string
	for _, row := range rows[1:] {
		if len(row) > at && len(row[at]) == 16 {
			out = append(out, strings.ToUpper(row[at]))
		}
	}
	return out
}
