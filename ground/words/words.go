// Package words is everything the platform says to people: messages and the
// CSE codes, in Italian first and in English.
//
// The texts live in catalogue/LANG.ROOM.json, one file per language and room,
// each an object of key -> text; keys are "room.thing.detail". Texts are
// fmt format strings with explicit indexes or verbs in the order of the
// Italian. Codes live in catalogue/codes.LANG.ROOM.json: CSE-nnn -> {sentence,
// cause, next}. A key that exists in one language must exist in the other, with
// the same verbs: the tests say so.
//
// For people an error is a Fault: code, sentence, cause, next step, exit code
// class. Programs wrap it (errors.As finds it) and print it at their edge.
package words

import (
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"sort"
	"strings"
	"sync"
)

// Lang is a language of the catalogue, as a BCP 47 tag.
type Lang string

// The languages that are complete.
const (
	Italian Lang = "it"
	English Lang = "en"
)

// ParseLang reads a locale (it_IT.UTF-8, en-GB, C); what is not English is Italian.
func ParseLang(locale string) Lang {
	if strings.HasPrefix(strings.ToLower(locale), "en") {
		return English
	}
	return Italian
}

// Code is the text of one CSE code in one language.
type Code struct {
	Sentence string `json:"sentence"`
	Cause    string `json:"cause"`
	Next     string `json:"next"`
}

//go:embed catalogue/*.json
var files embed.FS

type catalogue struct {
	texts map[Lang]map[string]string
	codes map[Lang]map[string]Code
}

var load = sync.OnceValues(func() (catalogue, error) { return read(files) })

func read(fsys fs.FS) (catalogue, error) {
	c := catalogue{
		texts: map[Lang]map[string]string{Italian: {}, English: {}},
		codes: map[Lang]map[string]Code{Italian: {}, English: {}},
	}
	names, err := fs.Glob(fsys, "catalogue/*.json")
	if err != nil {
		return c, err
	}
	for _, name := range names {
		b, err := fs.ReadFile(fsys, name)
		if err != nil {
			return c, err
		}
		parts := strings.Split(strings.TrimPrefix(name, "catalogue/"), ".")
		if err := c.add(parts, b); err != nil {
			return c, fmt.Errorf("%s: %w", name, err)
		}
	}
	return c, nil
}

func (c catalogue) add(parts []string, b []byte) error {
	if parts[0] == "codes" {
		m := map[string]Code{}
		if err := json.Unmarshal(b, &m); err != nil {
			return err
		}
		return merge(c.codes[Lang(parts[1])], m)
	}
	m := map[string]string{}
	if err := json.Unmarshal(b, &m); err != nil {
		return err
	}
	return merge(c.texts[Lang(parts[0])], m)
}

func merge[V any](into, from map[string]V) error {
	if into == nil {
		return errors.New("unknown language in the file name")
	}
	for k, v := range from {
		if _, dup := into[k]; dup {
			return fmt.Errorf("key %s is defined twice", k)
		}
		into[k] = v
	}
	return nil
}

// Say returns the text of key in lang, filled with args. A missing key shows as
// ⟦key⟧, which the page tests refuse.
func Say(lang Lang, key string, args ...any) string {
	c, err := load()
	if err != nil {
		return "⟦" + key + "⟧"
	}
	text, ok := c.texts[lang][key]
	if !ok {
		return "⟦" + key + "⟧"
	}
	if len(args) == 0 {
		return text
	}
	return fmt.Sprintf(text, args...)
}

// Has tells whether key exists in lang.
func Has(lang Lang, key string) bool {
	c, err := load()
	_, ok := c.texts[lang][key]
	return err == nil && ok
}

// Explain returns the three texts of a CSE code; ok is false for an unknown code.
func Explain(lang Lang, code string) (Code, bool) {
	c, err := load()
	if err != nil {
		return Code{}, false
	}
	x, ok := c.codes[lang][code]
	return x, ok
}

// Codes lists every known CSE code, sorted.
func Codes() []string {
	c, err := load()
	if err != nil {
		return nil
	}
	var out []string
	for k := range c.codes[Italian] {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

// Keys lists every key of a text, sorted.
func Keys() []string {
	c, err := load()
	if err != nil {
		return nil
	}
	var out []string
	for k := range c.texts[Italian] {
		out = append(out, k)
	}
	sort.Strings(out)
	return out
}

// Fault is an error meant for a person.
type Fault struct {
	// Code is CSE-nnn and stands in the catalogue.
	Code string
	// Args fill the verbs of the sentence.
	Args []any
	// Field names the form field at fault, empty when none is.
	Field string
	// Err is the technical cause, for logs; may be nil.
	Err error
}

// Refuse makes a Fault.
func Refuse(code string, args ...any) *Fault { return &Fault{Code: code, Args: args} }

// At names the form field at fault.
func (f *Fault) At(field string) *Fault { f.Field = field; return f }

// Because keeps the technical cause.
func (f *Fault) Because(err error) *Fault { f.Err = err; return f }

// Error implements error: the code, the English sentence, the technical cause.
func (f *Fault) Error() string {
	s := f.Code + ": " + f.Sentence(English)
	if f.Err != nil {
		s += ": " + f.Err.Error()
	}
	return s
}

// Unwrap gives the technical cause.
func (f *Fault) Unwrap() error { return f.Err }

// Is compares by code, so that errors.Is(err, words.Refuse("CSE-110")) works.
func (f *Fault) Is(target error) bool {
	var o *Fault
	return errors.As(target, &o) && o.Code == f.Code
}

// Sentence is the sentence in lang, filled.
func (f *Fault) Sentence(lang Lang) string {
	c, ok := Explain(lang, f.Code)
	if !ok {
		return f.Code
	}
	if len(f.Args) == 0 {
		return c.Sentence
	}
	return fmt.Sprintf(c.Sentence, f.Args...)
}

// Cause is the cause in lang.
func (f *Fault) Cause(lang Lang) string { c, _ := Explain(lang, f.Code); return c.Cause }

// Next is the next step in lang.
func (f *Fault) Next(lang Lang) string { c, _ := Explain(lang, f.Code); return c.Next }

// FaultOf finds the Fault in err's chain, or nil.
func FaultOf(err error) *Fault {
	var f *Fault
	if errors.As(err, &f) {
		return f
	}
	return nil
}
