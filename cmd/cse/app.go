package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"cse.example/cse/card/diagnosis"
	"cse.example/cse/card/doctor"
	"cse.example/cse/card/holder"
	"cse.example/cse/card/reader"
	"cse.example/cse/cmd/cse/extend"
	"cse.example/cse/cmd/cse/loopback"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/portal/look"
	"cse.example/cse/portal/pinmanager"
)

// appWish is what the flags of cse app say.
type appWish struct {
	idle      int
	noBrowser bool
	// tsa stamps signatures; verify is how others' are judged; portal and ca are who
	// a diagnosis may ask; service extends certificates.
	tsa        string
	verify     verifyWish
	portal, ca string
	service    string
}

// The bounds of --idle, in minutes.
const (
	idleMinutes = 15
	maxIdle     = 240
)

type appDocument struct {
	Schema string `json:"schema"`
	// URL opens the window once; whoever has it can use the card's pages.
	URL string `json:"url"`
	// Until is when the window closes if nobody uses it.
	Until string `json:"until"`
}

// appCommand opens the PIN manager as local pages.
func (a *app) appCommand() *cobra.Command {
	w := appWish{}
	c := a.command("app", "app", []string{"finestra"}, 0, func(ctx context.Context, _ []string) error { return a.window(ctx, w) })
	c.Long = a.say("help.app.long")
	f := c.Flags()
	f.IntVar(&w.idle, "idle", idleMinutes, a.say("flag.idle"))
	f.BoolVar(&w.noBrowser, "no-browser", false, a.say("flag.no-browser"))
	f.StringVar(&w.tsa, "tsa", "", a.say("flag.tsa"))
	f.StringArrayVar(&w.verify.issuers, "issuer", nil, a.say("flag.issuers"))
	f.StringArrayVar(&w.verify.others, "other-ca", nil, a.say("flag.others"))
	f.StringArrayVar(&w.verify.stamps, "tsa-ca", nil, a.say("flag.stamps"))
	f.StringArrayVar(&w.verify.crls, "crl", nil, a.say("flag.crl"))
	f.BoolVar(&w.verify.online, "online", false, a.say("flag.online"))
	f.StringVar(&w.portal, "portal", "", a.say("flag.doctor.portal"))
	f.StringVar(&w.ca, "ca", "", a.say("flag.ca"))
	f.StringVar(&w.service, "service", "", a.say("flag.service"))
	return c
}

// window serves the pages until they are closed, or nobody uses them any more.
func (a *app) window(ctx context.Context, w appWish) error {
	if w.idle < 1 || w.idle > maxIdle {
		return usage("--idle " + strconv.Itoa(w.idle))
	}
	assets, err := look.Assets()
	if err != nil {
		return words.Refuse("CSE-860").Because(err)
	}
	d, err := a.managerDeps(w)
	if err != nil {
		return err
	}
	l, err := loopback.Listen()
	if err != nil {
		return words.Refuse("CSE-861").Because(err)
	}
	entered := make(chan struct{})
	d.Assets, d.Hosts, d.Idle = assets, l.Hosts(), time.Duration(w.idle)*time.Minute
	d.Entered = func() { close(entered) }
	m, err := pinmanager.New(d)
	if err != nil {
		return err
	}
	s := &http.Server{
		Handler: m, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: time.Minute, MaxHeaderBytes: 32 << 10,
		ErrorLog: slog.NewLogLogger(slog.DiscardHandler, slog.LevelError), // requests are nobody's business
	}
	failed := make(chan error, 2)
	l.Each(func(x net.Listener) {
		go func() { failed <- s.Serve(x) }()
	})
	if err := a.announce(ctx, m, l.Origin(), entered, w); err != nil {
		return errors.Join(err, s.Close())
	}
	end := m.Wait(ctx, time.After)
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := s.Shutdown(stop); err != nil {
		_ = s.Close() // an answer that takes longer is cut
	}
	if err := <-failed; !errors.Is(err, http.ErrServerClosed) {
		return words.Refuse("CSE-861").Because(err)
	}
	fmt.Fprintln(a.Err, a.say("app.end."+string(end)))
	return nil
}

// announce tells the address, and shows it to the browser of a desktop through the
// redirect file, which goes away when it was used or the program ends.
func (a *app) announce(ctx context.Context, m *pinmanager.Manager, origin string, entered <-chan struct{}, w appWish) error {
	address := m.Entrance(origin)
	if a.json {
		if err := a.write(appDocument{Schema: "cse.app/1", URL: address, Until: m.Until().UTC().Format(time.RFC3339)}); err != nil {
			return err
		}
	} else {
		fmt.Fprintln(a.Err, a.say("app.open", address, w.idle))
	}
	if a.Browser == nil || w.noBrowser {
		return nil
	}
	path, remove, err := loopback.Redirect(a.Getenv("XDG_RUNTIME_DIR"), address, a.say("app.title"))
	if err == nil {
		if err = a.Browser(path); err == nil {
			go func() {
				select {
				case <-entered:
				case <-ctx.Done():
				}
				remove()
			}()
			return nil
		}
		remove()
	}
	fmt.Fprintln(a.Err, a.say("app.no-browser"))
	return nil
}

// managerDeps are the card of this run, its readers, and what the commands sign,
// verify, doctor and certificate extend do.
func (a *app) managerDeps(w appWish) (pinmanager.Deps, error) {
	d := pinmanager.Deps{Cards: cards{a}, Clock: civil.System{}, Print: reportPDF}
	verifier, err := w.verify.verifier()
	if err != nil {
		return d, err
	}
	d.Verify = verifier.Verify
	if w.tsa != "" {
		d.Stamp = stampAt(w.tsa)
	}
	if _, err := a.asker(w.doctor()); err != nil {
		return d, err
	}
	d.Diagnose = func(ctx context.Context, name string, online bool) diagnosis.Report {
		deps := a.doctorDeps()
		if name != "" {
			deps.Reader = name
		}
		if online {
			if asker, err := a.asker(w.doctor()); err == nil { // one for one diagnosis; the flags were good above
				deps.Online = asker
			}
		}
		return doctor.Run(ctx, deps)
	}
	d.Extend, err = a.extender(w)
	return d, err
}

// doctor are the same wishes as flags of cse doctor.
func (w appWish) doctor() doctorWish {
	return doctorWish{portal: w.portal, ca: w.ca, issuers: w.verify.issuers}
}

// extender extends certificates at the service of this run, or of whoever issued
// the card's certificate.
func (a *app) extender(w appWish) (pinmanager.Extend, error) {
	roots, err := readRoots(w.ca)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, h *holder.Holder, pin holder.AskPIN, agree func(pinmanager.Extension) error) (pinmanager.Extension, error) {
		service := w.service
		if service == "" {
			var err error
			if service, err = serviceOf(h); err != nil {
				return pinmanager.Extension{}, words.Refuse("CSE-870").Because(err)
			}
		}
		r, err := extend.Run(ctx, h, extend.Options{
			Service: service, Roots: roots, PIN: pin, Name: "cse/" + version().Version,
			Agree: func(_ context.Context, t extend.Terms) error {
				return agree(pinmanager.Extension{From: t.From, Until: t.Until})
			},
		})
		return pinmanager.Extension{From: r.From, Until: r.Until, Already: r.Already}, err
	}, nil
}

// cards are the readers of this run: those of PC/SC that --reader allows, or the
// chip file of --card.
type cards struct{ a *app }

// Slots implements pinmanager.Cards.
func (c cards) Slots() ([]reader.Slot, error) {
	slots, err := c.a.slots()
	if err != nil || c.a.reader == "" {
		return slots, err
	}
	var some []reader.Slot
	for _, s := range slots {
		if strings.Contains(strings.ToLower(s.Name), strings.ToLower(c.a.reader)) {
			some = append(some, s)
		}
	}
	return some, nil
}

// Open implements pinmanager.Cards.
func (c cards) Open(s reader.Slot) (reader.Card, error) {
	card, err := c.connect(s)
	if err == nil && c.a.logLevel == "traffic" {
		card = reader.Observe(card, reader.Traffic(c.a.Err))
	}
	return card, err
}

func (c cards) connect(s reader.Slot) (reader.Card, error) {
	if c.a.card != "" {
		return reader.FromFile(c.a.card)
	}
	service, err := reader.OpenPCSC()
	if err != nil {
		return nil, err
	}
	card, err := service.Connect(s)
	if err != nil {
		return nil, errors.Join(err, service.Close())
	}
	return &inService{Card: card, service: service}, nil
}

// atDesk tells whether a person started the program: both ends are a terminal.
func atDesk() bool {
	return term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stdout.Fd()))
}

// openBrowser is what shows a file in the browser of this desktop; nil without one.
func openBrowser(getenv func(string) string) func(path string) error {
	program := "xdg-open"
	var before []string
	switch runtime.GOOS {
	case "darwin":
		program = "open"
	case "windows":
		program, before = "rundll32", []string{"url.dll,FileProtocolHandler"}
	default:
		if getenv("DISPLAY") == "" && getenv("WAYLAND_DISPLAY") == "" {
			return nil
		}
	}
	found, err := exec.LookPath(program)
	if err != nil {
		return nil
	}
	return func(path string) error {
		c := exec.Command(found, append(before, filepath.Clean(path))...) //nolint:gosec // our own file, and the desktop's program
		if err := c.Start(); err != nil {
			return err
		}
		go func() { _ = c.Wait() }() // how the browser ends is its own business
		return nil
	}
}
