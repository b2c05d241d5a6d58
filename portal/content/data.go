package content

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"go.yaml.in/yaml/v3"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
)

// Two is a text in both languages.
type Two struct {
	IT string `yaml:"it"`
	EN string `yaml:"en"`
}

// In is the text in a language.
func (t Two) In(lang words.Lang) string {
	if lang == words.English {
		return t.EN
	}
	return t.IT
}

func (t Two) empty() bool { return t.IT == "" || t.EN == "" }

// Reader is a class of card readers and what was tried with it (R85).
type Reader struct {
	ID     string `yaml:"id"`
	Name   Two    `yaml:"name"`
	Needs  Two    `yaml:"needs"`
	Result string `yaml:"result"` // "tested", "expected" or "unsupported"
	// What was done, with which programs, on which system; empty for "expected".
	Tested []Trial `yaml:"tested"`
	Note   Two     `yaml:"note"`
}

// Trial is one thing tried.
type Trial struct {
	System string     `yaml:"system"`
	What   Two        `yaml:"what"`
	On     civil.Date `yaml:"on"`
}

// Term is one entry of the glossary.
type Term struct {
	ID     string `yaml:"id"`
	Name   string `yaml:"name"`
	Full   string `yaml:"full"` // the words behind an acronym, empty for none
	Means  Two    `yaml:"means"`
	Answer string `yaml:"answer"` // the question that says more, "b4"
}

// Driver is one line of the list of drivers (R109).
type Driver struct {
	Card   Two `yaml:"card"`
	System Two `yaml:"system"`
	Where  Two `yaml:"where"`
	// Program is the system (linux, windows, macos) whose program on the page of
	// downloads makes it work; empty: none does.
	Program string `yaml:"program"`
}

// data are the lists from which pages are made.
type data struct {
	Readers  []Reader
	Glossary []Term
	Drivers  []Driver
}

func readData(fsys fs.FS) (data, error) {
	var d data
	for name, into := range map[string]any{"readers.yaml": &d.Readers, "glossary.yaml": &d.Glossary, "drivers.yaml": &d.Drivers} {
		b, err := fs.ReadFile(fsys, path.Join("data", name))
		if err != nil {
			return d, fmt.Errorf("content: %w", err)
		}
		dec := yaml.NewDecoder(bytes.NewReader(b))
		dec.KnownFields(true)
		if err := dec.Decode(into); err != nil {
			return d, fmt.Errorf("content: data/%s: %w", name, err)
		}
	}
	if err := errors.Join(d.checkReaders(), d.checkGlossary(), d.checkDrivers()); err != nil {
		return d, fmt.Errorf("content: data: %w", err)
	}
	return d, nil
}

func (d data) checkReaders() error {
	if len(d.Readers) == 0 {
		return errors.New("no reader")
	}
	for _, r := range d.Readers {
		tested := r.Result == "tested"
		switch {
		case !reID.MatchString(r.ID) || r.Name.empty() || r.Needs.empty() || r.Note.empty():
			return fmt.Errorf("reader %q misses id, name, needs or note in a language", r.ID)
		case !slices.Contains([]string{"tested", "expected", "unsupported"}, r.Result):
			return fmt.Errorf("reader %s: result %q", r.ID, r.Result)
		case tested != (len(r.Tested) > 0):
			return fmt.Errorf("reader %s: tested, and no trial; or a trial, and not tested", r.ID)
		}
		for _, x := range r.Tested {
			if x.System == "" || x.What.empty() || x.On.IsZero() {
				return fmt.Errorf("reader %s: a trial needs system, what and on", r.ID)
			}
		}
	}
	return nil
}

func (d data) checkGlossary() error {
	if len(d.Glossary) == 0 {
		return errors.New("no term")
	}
	for i, t := range d.Glossary {
		if !reID.MatchString(t.ID) || t.Name == "" || t.Means.empty() || t.Answer != "" && !reQuestion.MatchString(t.Answer) {
			return fmt.Errorf("term %q misses id, name or meaning in a language", t.ID)
		}
		if slices.ContainsFunc(d.Glossary[:i], func(x Term) bool { return x.ID == t.ID }) {
			return fmt.Errorf("term %s is there twice", t.ID)
		}
	}
	return nil
}

func (d data) checkDrivers() error {
	if len(d.Drivers) == 0 {
		return errors.New("no driver")
	}
	for i, x := range d.Drivers {
		if x.Card.empty() || x.System.empty() || x.Where.empty() {
			return fmt.Errorf("driver %d misses a text in a language", i+1)
		}
	}
	return nil
}
