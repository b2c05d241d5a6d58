package virtualcard

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"text/template"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
)

//go:embed readme.*.md
var readmes embed.FS

// folder is where the files of one card go.
type folder struct {
	dir   string
	names []string
}

// newFolder makes the folder, or takes an empty one; any other is CSE-836.
func newFolder(dir string) (*folder, error) {
	if list, err := os.ReadDir(dir); err == nil && len(list) > 0 {
		return nil, words.Refuse("CSE-836", dir)
	} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, words.Refuse("CSE-261", dir).Because(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // certificates are public; codes have modes of their own
		return nil, words.Refuse("CSE-261", dir).Because(err)
	}
	return &folder{dir: dir}, nil
}

// add counts a file that somebody else writes, and gives its path.
func (f *folder) add(name string) string {
	f.names = append(f.names, name)
	return filepath.Join(f.dir, name)
}

func (f *folder) write(name string, data []byte, mode fs.FileMode) error {
	path := f.add(name)
	if err := os.WriteFile(path, data, mode); err != nil {
		return words.Refuse("CSE-261", path).Because(err)
	}
	return nil
}

// Description is card.json.
type Description struct {
	Schema  string `json:"schema"`
	Test    string `json:"test"`
	Profile string `json:"profile"`
	Seed    string `json:"seed"`
	Day     string `json:"day"`
	Card    string `json:"card"`
	TEAM    string `json:"team"`
	Issuer  string `json:"issuer"`
	Issued  string `json:"issued"`
	Expires string `json:"expires"`
	// Standing of the certificate: good, held, revoked, expired.
	Standing string `json:"standing,omitempty"`
	Since    string `json:"since,omitempty"`
	Reason   int    `json:"reason,omitempty"`
	Blocked  bool   `json:"pin_blocked,omitempty"`
	Serial   string `json:"serial,omitempty"`
	Model    string `json:"model,omitempty"`
	// PowerCut is the write at which start cuts the power.
	PowerCut int     `json:"power_cut,omitempty"`
	Holder   Holder  `json:"holder"`
	By       []Title `json:"represented_by,omitempty"`
}

// Holder is an invented person.
type Holder struct {
	CF         string `json:"codice_fiscale"`
	Surname    string `json:"surname"`
	Name       string `json:"name"`
	Born       string `json:"born"`
	Sex        string `json:"sex"`
	BirthPlace string `json:"birth_place"`
	Residence  string `json:"residence"`
	Guarded    bool   `json:"under_guardianship,omitempty"`
}

// Title is who represents the holder.
type Title struct {
	Holder
	Kind string `json:"kind"`
	From string `json:"from"`
}

const notASecret = "TEST CARD, NEVER A SECRET. CARTA DI PROVA, MAI UN SEGRETO."

// describe writes card.json, the codes and the README.
func (p Plan) describe(c *Card, f *folder) error {
	d := Description{
		Schema: "cse.virtual-card/1", Test: notASecret, Profile: c.Profile, Seed: p.Seed, Day: p.Day.String(),
		Card: string(c.ID), TEAM: c.ID.TEAM(), Issuer: p.Profile.issuer(), Issued: c.Issued.String(), Expires: c.Ends.String(),
		Standing: string(c.Standing), Blocked: p.Profile.Blocked, Serial: c.Serial, PowerCut: p.PowerCut, Holder: holderOf(c.Holder),
	}
	if !p.Profile.Chipless {
		d.Model = p.Model.Name
	}
	if since, reason, ok := p.gone(); ok {
		d.Since, d.Reason = civil.DayOf(since).String(), reason
	}
	for i, by := range c.Holder.By {
		g := c.Holder.Guardians[i]
		d.By = append(d.By, Title{Holder: holderOf(Person{Person: by}), Kind: string(g.Kind), From: g.From.String()})
	}
	text, err := json.MarshalIndent(d, "", "  ")
	if err != nil {
		return err
	}
	if err := f.write("card.json", append(text, '\n'), 0o644); err != nil {
		return err
	}
	if !p.Profile.Chipless {
		if err := f.write("codes.txt", c.codes(), 0o600); err != nil {
			return err
		}
	}
	t, err := template.ParseFS(readmes, "readme."+string(p.Lang)+".md")
	if err != nil {
		return err
	}
	var page bytes.Buffer
	if err := t.Execute(&page, struct {
		Description
		Chipless     bool
		Organisation string
	}{d, p.Profile.Chipless, "CSE prova"}); err != nil {
		return err
	}
	return f.write("README.md", page.Bytes(), 0o644)
}

func holderOf(p Person) Holder {
	return Holder{
		CF: string(p.CF), Surname: p.Surname, Name: p.Name, Born: p.Born.String(), Sex: p.Sex,
		BirthPlace: p.BirthPlace, Residence: p.Residence, Guarded: p.UnderGuardianship,
	}
}

// codes is the file with PIN and PUK: the one place where they are shown.
func (c Card) codes() []byte {
	out := []byte("# " + notASecret + "\nPIN: ")
	out = append(append(out, c.pin.Reveal()...), "\nPUK: "...)
	return append(append(out, c.puk.Reveal()...), '\n')
}

// Describe reads card.json in the folder of a chip image; ok is false when
// there is none.
func Describe(image string) (d Description, ok bool) {
	b, err := os.ReadFile(filepath.Join(filepath.Dir(image), "card.json"))
	if err != nil || json.Unmarshal(b, &d) != nil || d.Schema != "cse.virtual-card/1" {
		return Description{}, false
	}
	return d, true
}
