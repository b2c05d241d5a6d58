package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"cse.example/cse/issuer/staff"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"cse.example/cse/demo"
	"cse.example/cse/demo/bureau"
	"cse.example/cse/demo/inbox"
	"cse.example/cse/engine/listen"
	"cse.example/cse/engine/listen/webca"
	"cse.example/cse/engine/telemetry"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/production"
	"cse.example/cse/login"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/keys"
	"cse.example/cse/portal/look"
)

// performance is one run of the demonstration.
type performance struct {
	a          *app
	once, json bool
	data       string
	listen     string
	plain      string

	config    Config
	ports     *listen.Ports
	clock     civil.Clock
	log       *slog.Logger
	logFile   *os.File
	inbox     *inbox.Inbox
	bureau    *bureau.Identity
	site      *demo.Site
	roots     *x509.CertPool
	secrets   map[string]secret.Text
	operators demo.Operators
	health    demo.Operators // of the health unit
	material  *ca.Material
	platform  *Platform
	address   demo.Addresses
	tell      *demo.Teller
}

func (a *app) demo() *cobra.Command {
	p := &performance{a: a, clock: civil.System{}}
	cmd := &cobra.Command{
		Use: "demo", Short: a.say("csed.demo.short"), Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return p.run(cmd.Context()) },
	}
	f := cmd.Flags()
	f.BoolVar(&p.once, "once", false, a.say("csed.demo.once"))
	f.BoolVar(&p.json, "json", false, a.say("csed.demo.json"))
	f.StringVar(&p.data, "data", "var/demo", a.say("csed.demo.data"))
	f.StringVar(&p.listen, "listen", "127.0.0.1:8443", a.say("csed.demo.listen"))
	f.StringVar(&p.plain, "listen-plain", "127.0.0.1:8080", a.say("csed.demo.plain"))
	return cmd
}

func (p *performance) run(ctx context.Context) (err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	p.tell = &demo.Teller{Out: p.a.stderr, Lang: p.a.lang, Terminal: isTerminal(p.a.stderr)}
	for _, loop := range []string{p.listen, p.plain} {
		if host, _, e := net.SplitHostPort(loop); e != nil || !net.ParseIP(host).IsLoopback() {
			return errors.Join(errUsage, words.Refuse("CSE-395", loop))
		}
	}
	folder, err := demo.Prepare(p.data)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, folder.Close()) }()
	if p.data, err = filepath.Abs(p.data); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	for _, step := range []func(context.Context) error{p.bind, p.configure, p.authority, p.open} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	running := make(chan error, 1)
	go func() { running <- p.platform.Run(ctx) }()
	err = p.play(ctx, running)
	if err == nil && !p.once {
		p.tell.Say("demo.up", p.address.Demo, p.address.Portal, p.address.Demo+"/posta", filepath.Join(p.data, "cards"))
		select {
		case <-ctx.Done():
		case err = <-running:
			running <- nil
		}
	}
	stop()
	return errors.Join(err, <-running)
}

func isTerminal(w any) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// close ends what was begun.
func (p *performance) close() error {
	var errs []error
	if p.platform != nil {
		errs = append(errs, p.platform.Close())
	} else if p.ports != nil {
		errs = append(errs, p.ports.Close())
	}
	if p.inbox != nil {
		errs = append(errs, p.inbox.Stop())
	}
	if p.logFile != nil {
		errs = append(errs, p.logFile.Close())
	}
	return errors.Join(errs...)
}

// bind takes the ports: addresses in certificates follow from them.
func (p *performance) bind(ctx context.Context) error {
	var err error
	p.ports, err = listen.Bind(ctx, listen.Addresses{TLS: p.listen, Plain: p.plain, FreePorts: p.once})
	if err != nil {
		return err
	}
	for _, m := range p.ports.Moved() {
		p.tell.Say("demo.moved", m)
	}
	if p.inbox, err = inbox.Open(filepath.Join(p.data, "inbox")); err != nil {
		return err
	}
	smtp, err := p.inbox.Listen(ctx, "127.0.0.1:0")
	if err != nil {
		return err
	}
	c := defaults()
	c.Data = p.data
	c.Listen, c.ListenPlain = p.ports.TLS().String(), p.ports.Plain().String()
	c.Mail.Server = smtp.String()
	c.Issue.ChiplessEvery = 40                                           // 5 of 200
	c.Issue.CRLShards = 4                                                // fifty cards in each
	c.Extension.Until = civil.Today(civil.System{}).AddYears(1).String() // the law's day has passed
	c.settle()
	p.config = c
	p.address = demo.Addresses{
		Portal: c.Public.Portal, Login: c.Public.Login, CNS: c.Public.CNS, PKI: c.Public.PKI,
		Demo: "https://demo.cse.localhost:" + strconv.Itoa(p.ports.TLS().Port),
	}
	return p.openLog()
}

// openLog keeps the log out of the story.
func (p *performance) openLog() error {
	f, err := os.OpenFile(filepath.Join(p.data, "csed.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return words.Refuse("CSE-384", p.data).Because(err)
	}
	p.logFile, p.log = f, telemetry.New(f, slog.LevelInfo)
	return nil
}

// configure adds the counters and services; the operator comes with the keys.
func (p *performance) configure(context.Context) error {
	p.config.Counters = []staff.Office{
		{ID: "asl-centro", Type: staff.ASL, Name: "ASL di prova, sportello di Firenze", Comune: "D612", ASL: "201"},
		{ID: "comune-firenze", Type: staff.Comune, Name: "Comune di prova, anagrafe", Comune: "D612"},
		{ID: "farmacia-1", Type: staff.Pharmacy, Name: "Farmacia di prova", Comune: "D612", TakesPart: true},
	}
	p.secrets = map[string]secret.Text{}
	for _, s := range demo.Services(p.address) {
		file := filepath.Join("services", s.ID+".secret")
		if err := makePassphrase(p.config.under(file)); err != nil {
			return err
		}
		pass, err := passphrase(p.config.under(file))
		if err != nil {
			return err
		}
		p.secrets[s.ID] = pass
		p.config.Services = append(p.config.Services, Service{
			ID: s.ID, Name: words.Say(words.Italian, s.NameKey), Text: words.Say(words.Italian, s.TextKey), Level: s.Level,
			URL: s.URL + "/", Redirects: []string{s.URL + "/ritorno"}, PublicPA: true, SecretFile: file,
		})
	}
	return nil
}

// authority is step 1.
func (p *performance) authority(ctx context.Context) error {
	p.tell.Say("demo.step.ca")
	var err error
	if p.material, err = p.config.initialise(ctx, p.clock); err != nil {
		return err
	}
	if err := p.hireOperators(); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Join(p.data, "bureau"), 0o700); err != nil {
		return err
	}
	if p.bureau, err = bureau.LoadOrCreate(rand.Reader, filepath.Join(p.data, "bureau")); err != nil {
		return err
	}
	return os.WriteFile(p.config.under(p.config.Issue.BureauFile), p.bureau.Public(), 0o600)
}

// hireOperators makes the counter's operators, with random passwords and TOTP
// that only this process knows.
func (p *performance) hireOperators() error {
	web, err := p.config.ring(ringWeb, p.config.Keys.Web)
	if err != nil {
		return err
	}
	seal, err := web.aead(aeadDesk)
	if err != nil {
		return err
	}
	born, err := civil.NewDate(1985, 3, 7)
	if err != nil {
		return err
	}
	for _, d := range []struct {
		account, office string
		names           []string
		to              *demo.Operators
	}{
		{"sportello-", "comune-firenze", []string{"Carla", "Dina", "Elsa"}, &p.operators},
		{"asl-", "asl-centro", []string{"Franca", "Gina"}, &p.health},
	} {
		for i, name := range d.names {
			who := codicefiscale.Person{Surname: "Sportelli", Name: name, Born: born, Sex: "F", Belfiore: "D612"}
			o, err := p.hire(seal, d.account+strconv.Itoa(i+1), d.office, who)
			if err != nil {
				return err
			}
			*d.to = append(*d.to, o)
		}
	}
	return nil
}

func (p *performance) hire(seal counter.AEAD, account, office string, who codicefiscale.Person) (*demo.Operator, error) {
	pass := make([]byte, 18)
	if _, err := rand.Read(pass); err != nil {
		return nil, err
	}
	o := &demo.Operator{Account: account, Password: secret.FromString(fmt.Sprintf("%x", pass))}
	var err error
	if o.TOTP, err = staff.NewTOTP(rand.Reader); err != nil {
		return nil, err
	}
	hash, err := staff.HashPassword(rand.Reader, o.Password)
	if err != nil {
		return nil, err
	}
	totp, err := staff.SealTOTP(seal, account, o.TOTP)
	if err != nil {
		return nil, err
	}
	cf, err := codicefiscale.Compute(who)
	if err != nil {
		return nil, err
	}
	p.config.Operators = append(p.config.Operators, staff.Account{
		Account: account, Name: who.Name + " " + who.Surname, CF: string(cf), Roles: []staff.Role{staff.RoleOperator},
		Offices: []string{office}, PasswordHash: hash, TOTP: totp,
	})
	return o, nil
}

// open wires the platform with the demonstration's own hosts beside it.
func (p *performance) open(ctx context.Context) error {
	web, err := webca.Open(p.config.under("webca"), parent(hostname(p.config.Public.Portal)), p.clock, rand.Reader)
	if err != nil {
		return err
	}
	p.roots = web.Pool()
	assets, err := look.Assets()
	if err != nil {
		return words.Refuse("CSE-387").Because(err)
	}
	theme := look.DefaultTheme()
	theme.Body, theme.Ribbon = p.config.Region.Name, ribbon
	p.site, err = demo.NewSite(p.address, assets, theme, p.inbox, p.secrets, func() *x509.CertPool { return p.roots }, p.log)
	if err != nil {
		return err
	}
	entrance := func(key, who string) login.Entrance {
		return login.Entrance{Label: p.a.say(key), URL: p.address.Demo + "/entra/" + who}
	}
	p.platform, err = Open(ctx, p.config, Options{
		Listen: true, Ports: p.ports, Hosts: p.site.Hosts(), Pages: p.site.Entrances, Ribbon: ribbon, NoNight: true, Clock: p.clock, Log: p.log,
		Entrances:         []login.Entrance{entrance("demo.entrance.citizen", "cittadino")},
		OperatorEntrances: []login.Entrance{entrance("demo.entrance.operator", "operatore"), entrance("demo.entrance.health", "asl")},
	})
	return err
}

const ribbon = "DIMOSTRAZIONE"

// play plays the story on the running platform.
func (p *performance) play(ctx context.Context, running <-chan error) error {
	select {
	case <-p.platform.ready:
	case err := <-running:
		return errors.Join(errors.New("the platform did not start"), err)
	}
	signer, err := p.issuerKey()
	if err != nil {
		return err
	}
	pc := p.config.productionConfig()
	stage := &demo.Stage{
		Data: p.data, Addresses: p.address, Roots: p.roots, WebCA: p.platform.webCA.Path(), Root: p.material.RootFile,
		Issuing: p.material.IssuingFile, Platform: stagePlatform{p.platform}, Config: pc, IssuerKey: signer,
		Exchange: p.config.under(p.config.Issue.Exchange), Bureau: p.bureau, Inbox: p.inbox, Operators: p.operators, Health: p.health, Clock: p.clock,
		ATR: p.config.Issue.ATR,
	}
	result, err := demo.Play(ctx, stage, p.tell)
	if err != nil {
		return err
	}
	p.site.Ready(stage)
	if p.json {
		return json.NewEncoder(p.a.stdout).Encode(result)
	}
	return nil
}

func (p *performance) issuerKey() (*ecdsa.PublicKey, error) {
	pass, err := passphrase(p.config.under(p.config.Keys.Web))
	if err != nil {
		return nil, err
	}
	k, err := keys.Load(filepath.Join(p.config.under("keys"), productionKeyFile), pass)
	if err != nil {
		return nil, err
	}
	pub, ok := k.Public().(*ecdsa.PublicKey)
	if !ok {
		return nil, errors.New("the production key is no ECDSA key")
	}
	return pub, nil
}

// stagePlatform shows the platform to the demonstration.
type stagePlatform struct{ *Platform }

func (s stagePlatform) People() registry.Store { return s.db.People() }
func (s stagePlatform) Cards() lifecycle.Store { return s.db.Cards() }
func (s stagePlatform) Plant(c production.Config, progress func(string, int, int)) (*production.Plant, error) {
	return s.plant(c, progress)
}

func (s stagePlatform) Publish(ctx context.Context) ([]string, error) {
	lists, err := s.publisher.Publish(ctx)
	var out []string
	for _, l := range lists {
		out = append(out, l.Path)
	}
	return append(out, filepath.Join(s.crlDir(), "root.crl")), err
}
