package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"github.com/spf13/cobra"

	"cse.example/cse/card/diagnosis"
	"cse.example/cse/card/doctor"
	"cse.example/cse/card/reader"
	"cse.example/cse/cmd/cse/online"
	"cse.example/cse/cmd/cse/registration"
)

// doctorWish is what the flags of cse doctor say.
type doctorWish struct {
	online, offline, send bool
	portal, ca            string
	issuers               []string
}

// doctorCommand looks at everything between the holder and a site, and says what
// to mend first. The exit status is that of the code to begin with, 0 without any.
func (a *app) doctorCommand() *cobra.Command {
	var w doctorWish
	c := a.command("doctor", "doctor", []string{"diagnosi"}, 0, func(ctx context.Context, _ []string) error { return a.doctor(ctx, w) })
	c.Long = a.say("help.doctor.long")
	f := c.Flags()
	f.BoolVar(&w.online, "online", false, a.say("flag.doctor.online"))
	f.BoolVar(&w.offline, "offline", false, a.say("flag.doctor.offline"))
	f.BoolVar(&w.send, "send", false, a.say("flag.doctor.send"))
	f.StringVar(&w.portal, "portal", "", a.say("flag.doctor.portal"))
	f.StringVar(&w.ca, "ca", "", a.say("flag.ca"))
	f.StringArrayVar(&w.issuers, "issuer", nil, a.say("flag.issuers"))
	return c
}

func (a *app) doctor(ctx context.Context, w doctorWish) error {
	if w.online && w.offline {
		return usage("--online, --offline")
	}
	asker, err := a.asker(w)
	if err != nil {
		return err
	}
	if w.send && asker.Portal == "" {
		return usage("--send, --portal")
	}
	d := a.doctorDeps()
	if w.online {
		d.Online = asker
	}
	r := doctor.Run(ctx, d)
	doc := r.Document(a.language)
	if w.send {
		sent, err := asker.Send(ctx, r.Letter("cse "+version().Version, runtime.GOOS+" "+runtime.GOARCH))
		if err != nil {
			a.tellDoctor(doc)
			return err
		}
		doc.Sent = &sent
	}
	if err := a.tellDoctor(doc); err != nil {
		return err
	}
	if c, red := r.Main(); red {
		status := exitOf(c.Fault.Code)
		if status == exitUsage { // the command line was right
			status = exitGeneric
		}
		return exited(status)
	}
	return nil
}

func (a *app) tellDoctor(doc diagnosis.Document) error {
	if a.json {
		return a.write(doc)
	}
	_, err := io.WriteString(a.Out, a.lights(doc, screen(a.Out, a.Getenv)))
	return err
}

// asker is made of the flags and of CSE_PORTAL.
func (a *app) asker(w doctorWish) (*online.Asker, error) {
	roots, err := readRoots(w.ca)
	if err != nil {
		return nil, err
	}
	var issuers []*x509.Certificate
	for _, name := range w.issuers {
		if issuers, err = addCertificates(issuers, name); err != nil {
			return nil, err
		}
	}
	portal := w.portal
	if portal == "" {
		portal = a.Getenv("CSE_PORTAL")
	}
	if portal != "" && !strings.HasPrefix(portal, "https://") {
		return nil, usage("--portal " + portal)
	}
	return &online.Asker{Portal: strings.TrimSuffix(portal, "/"), Roots: roots, Issuers: issuers, Name: "cse/" + version().Version}, nil
}

// doctorDeps are the card of this run, this computer and its browsers; nobody is
// asked over the network.
func (a *app) doctorDeps() doctor.Deps {
	d := doctor.Deps{Reader: a.reader, Open: doctor.PCSC}
	if a.card != "" {
		d.Open, d.Name = nil, a.card
		d.Card = func() (reader.Card, error) {
			c, err := reader.FromFile(a.card)
			if err == nil && a.logLevel == "traffic" {
				c = reader.Observe(c, reader.Traffic(a.Err))
			}
			return c, err
		}
	}
	if runtime.GOOS == "linux" { // cse module knows no other places
		d.Programs = a.programs
	}
	return d
}

// programs are the places that cse module status knows.
func (a *app) programs() (string, []doctor.Program, error) {
	self, err := os.Executable()
	if err != nil {
		return "", nil, err
	}
	module, err := registration.Find("", self)
	if err != nil {
		module = ""
	}
	var list []doctor.Program
	for _, system := range []bool{false, true} {
		w := registration.World{Home: a.Getenv("HOME"), Config: a.Getenv("XDG_CONFIG_HOME"), System: system}
		places, err := w.Status("")
		if err != nil {
			return module, list, err
		}
		for _, p := range places {
			if x, ok := a.program(p); ok {
				list = append(list, x)
			}
		}
	}
	return module, list, nil
}

// program is a place as the doctor takes it; false for a place that only Install
// would make, of a browser that was never used here.
func (a *app) program(p registration.Place) (doctor.Program, bool) {
	name := a.say("module.kind." + string(p.Kind))
	x := doctor.Program{Name: name, Path: p.Path, Browser: p.Kind == registration.Chromium || p.Kind == registration.Firefox || p.Kind == registration.Policy}
	switch p.State {
	case registration.Registered:
		x.State = doctor.Registered
	case registration.Other:
		x.State = doctor.Stale
	case registration.Sandboxed:
		x.State, x.Browser, x.Name = doctor.Sandboxed, !strings.Contains(strings.ToLower(p.Path), "thunderbird"), name+" "+filepath.Base(p.Path)
	case registration.Absent:
		_, err := os.Stat(p.Path)
		return x, err == nil && (p.Kind == registration.Chromium || p.Kind == registration.Firefox)
	}
	return x, true
}

// exited ends the program with a status and says nothing more: the report did.
type exited int

// Error implements error.
func (e exited) Error() string { return fmt.Sprintf("exit status %d", int(e)) }
