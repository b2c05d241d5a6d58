package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"cse.example/cse/card/holder"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
)

// Exit statuses (ux.md 5.4).
const (
	exitOK        = 0
	exitGeneric   = 1
	exitUsage     = 2
	exitNoService = 3
	exitNoReader  = 4
	exitNoCard    = 5
	exitWrongPIN  = 6
	exitPINBlock  = 7
	exitPUKBlock  = 8
	exitInactive  = 9
	exitExpired   = 10
	exitRevoked   = 11
	exitSignature = 12
	exitNetwork   = 13
	exitCancelled = 14
	exitServer    = 64 // + the hundreds of the CSE code the server gave
)

// exits are the statuses of the codes this program gives, and of those refusals
// of a service that have a status of their own.
var exits = map[string]int{
	"CSE-201": exitNoReader, "CSE-202": exitNoService, "CSE-203": exitNoCard, "CSE-204": exitNoCard,
	"CSE-205": exitInactive, "CSE-210": exitWrongPIN, "CSE-211": exitCancelled, "CSE-212": exitPINBlock,
	"CSE-213": exitWrongPIN, "CSE-214": exitPUKBlock, "CSE-215": exitUsage, "CSE-216": exitNoCard,
	"CSE-217": exitNoCard, "CSE-219": exitNoCard, "CSE-220": exitNoReader,
	"CSE-221": exitUsage, "CSE-222": exitUsage, "CSE-223": exitUsage, "CSE-224": exitNoCard,
	"CSE-225": exitNoCard, "CSE-226": exitGeneric, "CSE-227": exitCancelled,
	"CSE-240": exitNoCard, "CSE-241": exitNoCard, "CSE-242": exitNoCard, "CSE-243": exitNoCard, "CSE-245": exitNoCard, "CSE-246": exitNoCard,
	"CSE-250": exitUsage, "CSE-251": exitUsage, "CSE-252": exitCancelled, "CSE-253": exitNetwork,
	"CSE-254": exitNetwork, "CSE-255": exitNetwork, "CSE-256": exitNetwork, "CSE-257": exitNetwork,
	"CSE-258": exitNetwork, "CSE-259": exitGeneric, "CSE-260": exitServer, "CSE-261": exitGeneric,
	"CSE-720": exitUsage, "CSE-721": exitSignature, "CSE-722": exitSignature, "CSE-723": exitUsage, "CSE-724": exitSignature,
	"CSE-725": exitSignature, "CSE-726": exitSignature, "CSE-727": exitUsage, "CSE-728": exitExpired, "CSE-729": exitNoCard,
	"CSE-730": exitNetwork, "CSE-731": exitSignature, "CSE-732": exitSignature, "CSE-733": exitSignature, "CSE-734": exitSignature,
	"CSE-735": exitUsage, "CSE-736": exitSignature, "CSE-737": exitSignature, "CSE-738": exitUsage, "CSE-740": exitGeneric,
	"CSE-741": exitSignature, "CSE-742": exitSignature, "CSE-743": exitUsage, "CSE-744": exitSignature, "CSE-745": exitSignature,
	"CSE-746": exitSignature, "CSE-747": exitSignature, "CSE-748": exitSignature, "CSE-749": exitSignature,
	"CSE-835": exitUsage, "CSE-836": exitUsage, "CSE-837": exitCancelled, "CSE-838": exitNoService, "CSE-839": exitUsage,
	"CSE-840": exitNoService, "CSE-841": exitNoCard, "CSE-842": exitNoService,
	"CSE-860": exitGeneric, "CSE-861": exitGeneric,
	"CSE-700": exitCancelled, "CSE-701": exitNoReader, "CSE-702": exitUsage, "CSE-703": exitGeneric,
	"CSE-800": exitNoService, "CSE-801": exitNoService, "CSE-802": exitNoReader, "CSE-803": exitNoReader, "CSE-804": exitNoCard,
	"CSE-805": exitNoCard, "CSE-806": exitNoCard, "CSE-807": exitNoCard, "CSE-808": exitNoCard, "CSE-809": exitNoCard, "CSE-810": exitGeneric,
	"CSE-811": exitRevoked, "CSE-812": exitNetwork, "CSE-813": exitGeneric, "CSE-814": exitGeneric, "CSE-815": exitGeneric,
	"CSE-817": exitGeneric, "CSE-818": exitNetwork, "CSE-819": exitNetwork,
	"CSE-305": exitGeneric,
	"CSE-978": exitSignature, "CSE-979": exitUsage, "CSE-980": exitNetwork,
	"CSE-910": exitExpired, "CSE-911": exitRevoked, "CSE-912": exitSignature, "CSE-913": exitUsage,
	"CSE-301": exitExpired, "CSE-302": exitRevoked, "CSE-932": exitRevoked, "CSE-303": exitRevoked, "CSE-306": exitNetwork,
	"CSE-880": exitExpired, "CSE-883": exitInactive, "CSE-884": exitRevoked, "CSE-885": exitRevoked, "CSE-886": exitExpired, "CSE-887": exitExpired,
	"CSE-891": exitNoCard, "CSE-896": exitNoCard, "CSE-898": exitNetwork, "CSE-899": exitNetwork, "CSE-900": exitCancelled,
}

// exitOf is the exit status of a CSE code.
func exitOf(code string) int {
	if n, ok := exits[code]; ok {
		return n
	}
	if len(code) == len("CSE-000") && code[4] >= '0' && code[4] <= '9' {
		return exitServer + int(code[4]-'0')
	}
	return exitGeneric
}

// problem is a fault in a JSON document.
type problem struct {
	Schema   string `json:"schema,omitempty"`
	Code     string `json:"code"`
	Sentence string `json:"sentence"`
	Cause    string `json:"cause"`
	Next     string `json:"next"`
	Exit     int    `json:"exit"`
	Tries    *tries `json:"tries,omitempty"`
}

// verb is a formatting verb of the catalogue.
var verb = regexp.MustCompile(`%(\[\d+\])?[a-z]`)

// problem describes a fault in the language of this run. A service gives its
// code without the particulars: they become dots.
func (a *app) problem(f *words.Fault) *problem {
	sentence := f.Sentence(a.language)
	if len(f.Args) == 0 {
		sentence = verb.ReplaceAllString(sentence, "…")
	}
	return &problem{Code: f.Code, Sentence: sentence, Cause: f.Cause(a.language), Next: f.Next(a.language), Exit: exitOf(f.Code)}
}

// withTries carries the tries left to the edge beside an error.
type withTries struct {
	error
	tries holder.Tries
}

// Unwrap gives the error.
func (w withTries) Unwrap() error { return w.error }

// finish tells the person what went wrong and gives the exit status.
func (a *app) finish(err error) int {
	if err == nil {
		return exitOK
	}
	var done exited
	if errors.As(err, &done) {
		return int(done)
	}
	f := a.fault(err)
	p := a.problem(f)
	var left withTries
	if errors.As(err, &left) {
		p.Tries = triesOf(left.tries)
	}
	if a.json && !a.emitted {
		p.Schema = "cse.error/1"
		_ = a.write(p)
	}
	fmt.Fprintf(a.Err, "%s: %s\n%s\n%s\n", p.Code, p.Sentence, p.Cause, p.Next)
	if p.Tries != nil {
		fmt.Fprintln(a.Err, a.triesText(left.tries))
	}
	if a.logLevel == "traffic" && f.Err != nil {
		fmt.Fprintf(a.Err, "# %v\n", f.Err)
	}
	return p.Exit
}

// fault finds the fault in err or makes one.
func (a *app) fault(err error) *words.Fault {
	if f := words.FaultOf(err); f != nil {
		return f
	}
	if !a.started {
		return words.FaultOf(usage(err.Error()))
	}
	return words.Refuse("CSE-259", err.Error()).Because(err)
}

// emit writes the result: one JSON document, or the text.
func (a *app) emit(document any, text func(w io.Writer)) error {
	if a.json {
		return a.write(document)
	}
	w := tabwriter.NewWriter(a.Out, 0, 0, 2, ' ', 0)
	text(w)
	return w.Flush()
}

// write puts one JSON document on standard output, on one line.
func (a *app) write(document any) error {
	a.emitted = true
	e := json.NewEncoder(a.Out)
	e.SetEscapeHTML(false)
	return e.Encode(document)
}

// line is one "label  value" of a text result.
func (a *app) line(w io.Writer, key string, value any) {
	fmt.Fprintf(w, "%s\t%v\n", a.say("label."+key), value)
}

// printable takes out of a stranger's text what could command the terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return '·'
		}
		return r
	}, s)
}

// day is an ISO date, or an RFC 3339 time, as people in Italy read it: the day
// and the hour of Europe/Rome. JSON keeps the ISO form in UTC.
func (a *app) day(iso string) string {
	if t, err := time.Parse(time.RFC3339, iso); err == nil {
		layout := "2006-01-02 15:04 MST"
		if a.language == words.Italian {
			layout = "02/01/2006 15:04"
		}
		return t.In(civil.Rome).Format(layout)
	}
	d, err := civil.ParseISO(iso)
	if err != nil || a.language != words.Italian {
		return iso
	}
	return d.Italian()
}

// cannotWrite is the fault of a file that cannot be written.
func cannotWrite(path string, err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		path = p.Path
	}
	return words.Refuse("CSE-261", path).Because(err)
}
