// Package inspect looks at what a run of the demonstration says and leaves
// behind, the way a suspicious outsider would: it knows the words, not
// the platform's types.
//
// Three eyes: Decode reads the object that `csed demo --once --json` prints,
// strictly; Paper reads the half codes on a form or in a mail and refuses papers
// on which somebody could mistake another digit for a half; Folder goes through
// every byte of a folder and reports codes and codici fiscali in clear.
//
// Its own tests break each thing once, so that the eyes are known to see. They
// run with `go test ./...`, without the journey.
package inspect

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"cse.example/cse/person/codicefiscale"
)

// Result is the object of schema cse.demo/1, field by field as issue 2 has it.
type Result struct {
	Schema   string `json:"schema"`
	People   int    `json:"people"`
	Rejected int    `json:"rejected"`
	Cards    struct {
		Chip     int `json:"chip"`
		Chipless int `json:"chipless"`
	} `json:"cards"`
	Card struct {
		ID          string `json:"id"`
		TEAM        string `json:"team"`
		CF          string `json:"codice_fiscale"`
		Image       string `json:"image"`
		Certificate string `json:"certificate"`
	} `json:"card"`
	CA struct {
		Root    string   `json:"root"`
		Issuing string   `json:"issuing"`
		CRL     []string `json:"crl"`
	} `json:"ca"`
	Activation struct {
		Form string `json:"form"`
		Mail string `json:"mail"`
	} `json:"activation"`
	Login struct {
		CF        string `json:"codice_fiscale"`
		ACR       string `json:"acr"`
		Functions struct {
			TS   string `json:"ts"`
			CF   string `json:"cf"`
			TEAM string `json:"team"`
			CNS  string `json:"cns"`
		} `json:"functions"`
	} `json:"login"`
	Refused struct {
		Code string `json:"code"`
	} `json:"refused"`
	Web struct {
		CA     string `json:"ca"`
		Portal string `json:"portal"`
		Login  string `json:"login"`
	} `json:"web"`
}

// Decode reads the last line of standard output: exactly one object, no field
// too many, none missing.
func Decode(stdout []byte) (Result, error) {
	var r Result
	text := strings.TrimSuffix(string(stdout), "\n")
	line := text[strings.LastIndexByte(text, '\n')+1:]
	dec := json.NewDecoder(strings.NewReader(line))
	dec.DisallowUnknownFields()
	if err := dec.Decode(&r); err != nil {
		return r, fmt.Errorf("the last line of standard output: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return r, errors.New("something follows the object")
	}
	return r, r.check()
}

var (
	digits16 = regexp.MustCompile(`^\d{16}$`)
	digits20 = regexp.MustCompile(`^\d{20}$`)
	https    = regexp.MustCompile(`^https://[a-z.]+(:\d+)?$`)
)

// check says everything that is wrong with the values.
func (r Result) check() error {
	var errs []error
	want := func(ok bool, what string, got any) {
		if !ok {
			errs = append(errs, fmt.Errorf("%s: %v", what, got))
		}
	}
	want(r.Schema == "cse.demo/1", "schema", r.Schema)
	want(r.People == 200 && r.Rejected == 3, "people and rejected rows", []int{r.People, r.Rejected})
	want(r.Cards.Chip == 195 && r.Cards.Chipless == 5, "cards", r.Cards)
	want(digits16.MatchString(r.Card.ID), "card.id is not of 16 digits", r.Card.ID)
	want(digits20.MatchString(r.Card.TEAM), "card.team is not of 20 digits", r.Card.TEAM)
	_, err := codicefiscale.Parse(r.Card.CF)
	want(err == nil && len(r.Card.CF) == 16, "card.codice_fiscale", r.Card.CF)
	want(r.Login.CF == r.Card.CF, "login.codice_fiscale is another's", r.Login.CF)
	want(r.Login.ACR != "", "login.acr", r.Login.ACR)
	f := r.Login.Functions
	want(f.TS != "" && f.CF != "" && f.TEAM != "" && f.CNS != "", "login.functions", f)
	want(r.Refused.Code == "CSE-302", "refused.code", r.Refused.Code)
	want(https.MatchString(r.Web.Portal) && https.MatchString(r.Web.Login), "web addresses", r.Web)
	want(len(r.CA.CRL) > 0, "ca.crl", r.CA.CRL)
	return errors.Join(errs...)
}

// Path is one path of the result and the ending it must have.
type Path struct{ Path, Ending string }

// Paths are all paths of the result.
func (r Result) Paths() []Path {
	out := []Path{
		{r.Card.Image, ""},
		{r.Card.Certificate, ".pem"},
		{r.CA.Root, ".pem"},
		{r.CA.Issuing, ".pem"},
		{r.Activation.Form, ".pdf"},
		{r.Activation.Mail, ".eml"},
		{r.Web.CA, ".pem"},
	}
	for _, p := range r.CA.CRL {
		out = append(out, Path{p, ".crl"})
	}
	return out
}

// CheckPaths looks for every path below the data folder.
func (r Result) CheckPaths(data string) error {
	var errs []error
	for _, x := range r.Paths() {
		p, ending := x.Path, x.Ending
		if p == "" || !filepath.IsLocal(p) || !strings.HasSuffix(p, ending) {
			errs = append(errs, fmt.Errorf("%q is no path of %q below the data folder", p, ending))
			continue
		}
		b, err := os.ReadFile(filepath.Join(data, p))
		if err != nil || len(b) == 0 {
			errs = append(errs, fmt.Errorf("%s: %d bytes, %w", p, len(b), err))
		}
		if ending == ".pem" && !bytes.HasPrefix(b, []byte("-----BEGIN CERTIFICATE-----")) {
			errs = append(errs, fmt.Errorf("%s is no certificate in PEM", p))
		}
	}
	return errors.Join(errs...)
}
