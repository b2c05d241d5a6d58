package main

import (
	"context"
	"crypto"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"cse.example/cse/issuer/roster"
	"cse.example/cse/issuer/staff"

	"cse.example/cse/engine/audit"
	"cse.example/cse/engine/listen"
	"cse.example/cse/engine/listen/webca"
	"cse.example/cse/engine/mail"
	"cse.example/cse/engine/paper"
	"cse.example/cse/engine/queue"
	"cse.example/cse/engine/store"
	"cse.example/cse/engine/telemetry"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/effect"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/approval"
	"cse.example/cse/issuer/archive"
	"cse.example/cse/issuer/campaign"
	"cse.example/cse/issuer/cardbase"
	"cse.example/cse/issuer/codes"
	"cse.example/cse/issuer/contacts"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/declarations"
	"cse.example/cse/issuer/desk"
	"cse.example/cse/issuer/entitlement"
	"cse.example/cse/issuer/extension"
	"cse.example/cse/issuer/helpdesk"
	"cse.example/cse/issuer/parameters"
	"cse.example/cse/issuer/privacy"
	"cse.example/cse/issuer/trustlist"
	"cse.example/cse/login"
	"cse.example/cse/login/page"
	"cse.example/cse/login/provider"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/keys"
	"cse.example/cse/pki/status"
	"cse.example/cse/portal"
	"cse.example/cse/portal/look"
)

// Options are what a caller of Open may add; the demonstration does.
type Options struct {
	// Listen binds the ports and prepares the listeners; Run serves.
	Listen bool
	// Ports, when given, are bound already.
	Ports *listen.Ports
	// Hosts are further names on the TLS port.
	Hosts map[string]http.Handler
	// Entrances are shown at the choice of ways, operators' beside operators'.
	Entrances, OperatorEntrances []login.Entrance
	// Pages, when given, stands between login and the portal's pages.
	Pages func(page.Pages) page.Pages
	// Ribbon is a word above every page.
	Ribbon string
	// Duties are held until Close; nil means the roles of the configuration.
	Duties []string
	// Reads says that nothing will be written: the trail need not hold.
	Reads bool
	// NoNight leaves the work of the night to others.
	NoNight bool
	// Restoring opens a folder that a restore has marked.
	Restoring bool
	Clock     civil.Clock
	Log       *slog.Logger
}

// Platform is every room, wired. Make one with Open, end it with Close.
type Platform struct {
	Config Config
	Clock  civil.Clock
	Log    *slog.Logger

	db        *store.DB
	locks     []*os.File
	noNight   bool
	queue     *queue.Queue
	letterMAC secret.Text // of Message-IDs
	trail     *audit.Trail
	// authority are all our authorities; branches, what each works with; material is
	// the first one's.
	authority *ca.Authorities
	branches  branches
	material  *ca.Material
	keys      keys.Vault // opened by vault()
	keysDone  func() error
	publisher publishers
	lateParts atomic.Int64 // of the lists, as the lister saw them last
	meeting   sync.Mutex   // one authority is opened at a time
	neighbour *neighbours
	trusted   *trustlist.Room  // the lists that bring more neighbours
	follower  *status.Follower // of the changes of certificates
	moved     chan struct{}    // this process moved a certificate
	site      *status.Site
	directory *staff.Directory
	roster    *roster.Room
	desk      *desk.Room // the readers on the counters
	counter   *counter.Counter
	book      *contacts.Book
	proofs    *staff.Authenticator
	helpdesk  *helpdesk.Room
	inbox     *helpdesk.Inbox
	privacy   *privacy.Room
	answers   stopwatch // of OCSP
	archive   *archive.Room
	// declarations are the checks of self-declarations.
	declarations *declarations.Room
	cips         *codes.CIPs
	first        *codes.FirstOpener
	second       *codes.SecondOpener
	mailer       *mail.Sender
	web          ring
	webCA        *webca.Authority
	press        *paper.Press
	letters      *paper.Press // of the mail process: second halves
	// certificates stand in for the TEAM.
	certificates *entitlement.Room
	// extension is what gives an old card's certificate a later end (R108).
	extension *extension.Room
	// approvals are what needs two people, parameters the rules that change by it.
	approvals  *approval.Room
	parameters *parameters.Room
	// campaigns are work on many cards at once.
	campaigns *campaign.Room
	// loginAssets is the look, as the login host serves it.
	loginAssets http.Handler
	login       *login.Service
	portal      *portal.Portal
	machines    portal.Strangers // programs that were refused
	tokenOnce   sync.Once
	tokenName   string // of the signature of ID tokens
	tokenErr    error
	ports       *listen.Ports
	server      *listen.Server
	handlers    map[string]effect.Handler
	ready       chan struct{}
	readyOnce   sync.Once
}

// Open wires the platform. Without o.Listen nothing is bound.
func Open(ctx context.Context, c Config, o Options) (_ *Platform, err error) {
	p := &Platform{Config: c, Clock: o.Clock, Log: o.Log, noNight: o.NoNight, handlers: map[string]effect.Handler{}, ready: make(chan struct{})}
	p.publisher = publishers{&p.branches}
	if p.Clock == nil {
		p.Clock = civil.System{}
	}
	if p.Log == nil {
		p.Log = telemetry.New(os.Stderr, slog.LevelInfo)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Close())
		}
	}()
	steps := []func(context.Context, Options) error{p.openData, p.openEngine, p.openPKI, p.openIssuer, p.openWorkers}
	if o.Listen && c.plays("web") {
		steps = append(steps, p.bind, p.openLogin, p.openPortal, p.openServer)
	}
	for _, step := range steps {
		if err := step(ctx, o); err != nil {
			return nil, err
		}
	}
	return p, nil
}

// Close ends what Open began, in the opposite order.
func (p *Platform) Close() error {
	var errs []error
	if p.ports != nil && p.server == nil {
		errs = append(errs, p.ports.Close())
	}
	if p.db != nil {
		errs = append(errs, p.db.Close())
	}
	if p.keysDone != nil {
		errs = append(errs, p.keysDone())
	}
	for _, l := range p.locks {
		errs = append(errs, l.Close())
	}
	return errors.Join(errs...)
}

// checkPlace refuses a data folder that cannot be written.
func checkPlace(c Config) error {
	if err := os.MkdirAll(c.Data, 0o700); err != nil {
		return words.Refuse("CSE-384", c.Data).Because(err)
	}
	probe, err := os.CreateTemp(c.Data, ".probe-*")
	if err != nil {
		return words.Refuse("CSE-384", c.Data).Because(err)
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

func (p *Platform) openData(_ context.Context, o Options) error {
	if err := checkPlace(p.Config); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(p.Config.Data, unfinished)); err == nil && !o.Restoring {
		return words.Refuse("CSE-992", p.Config.Data)
	}
	if o.Duties == nil {
		o.Duties = p.Config.Roles
	}
	for _, duty := range o.Duties {
		l, err := p.Config.hold(duty)
		if err != nil {
			return err
		}
		p.locks = append(p.locks, l)
	}
	return nil
}

// openStore lets one process at a time bring the schema up to date.
func (p *Platform) openStore(ctx context.Context) error {
	l, err := p.Config.wait(dutySchema)
	if err != nil {
		return err
	}
	defer l.Close()
	p.db, err = store.Open(ctx, p.Config.dsn())
	return err
}

func (p *Platform) openEngine(ctx context.Context, o Options) error {
	if err := p.openStore(ctx); err != nil {
		return err
	}
	if _, err := os.Stat(filepath.Join(p.Config.under("keys"), ringQueue)); err != nil {
		return words.Refuse("CSE-388", p.Config.Data).Because(err)
	}
	r, err := p.Config.ring(ringQueue, p.Config.Keys.Queue)
	if err != nil {
		return err
	}
	seal, err := r.aead(aeadQueue)
	if err != nil {
		return err
	}
	key, err := r.raw(rawAudit)
	if err != nil {
		return err
	}
	mac := hmac.New(sha256.New, key.Reveal())
	mac.Write([]byte("cse.csed/message-id/1"))
	p.letterMAC = secret.New(mac.Sum(nil))
	p.queue, err = queue.New(queue.Config{
		Conn: func(ctx context.Context) queue.DBTX { return p.db.Conn(ctx) }, Atomically: p.db.Atomically,
		Seal: seal, Clock: p.Clock, Policies: policies(p.Config.Mail),
	})
	if err != nil {
		return err
	}
	return p.openTrail(ctx, key, o.Reads)
}

// policies: a mail that may have left is doubtful; a print stays until it has
// been handed over.
func policies(m Mail) map[string]queue.Policy {
	letter := queue.Policy{Lease: 2 * time.Minute, Lost: queue.Uncertain, Resend: time.Duration(m.ResendSeconds) * time.Second}
	return map[string]queue.Policy{
		counter.KindMailCodes: letter, counter.KindMailNotice: letter, counter.KindPrintLetter: letter, contacts.KindMail: letter,
		desk.KindFirst: {Lease: time.Minute, Lost: queue.Pending}, desk.KindSecond: {Lease: time.Minute, Lost: queue.Pending},
		cardbase.KindRequest:   {Lease: time.Minute, Lost: queue.Pending},
		counter.KindPrintCodes: {Lease: time.Minute, Lost: queue.Pending, Held: true},
	}
}

// caDir is the authority's folder.
func (c *Config) caDir() string { return c.under("ca") }

func (p *Platform) openPKI(ctx context.Context, _ Options) (err error) {
	if !p.Config.plays("web") {
		return nil
	}
	p.handlers[cardbase.KindRequest] = p.askIssuer
	p.followChanges()
	if err = p.openAuthorities(ctx); err != nil {
		return err
	}
	if p.neighbour, err = p.Config.readTrustList(); err != nil {
		return err
	}
	p.neighbour.asking(p.Clock, nil)
	if err = p.openTrustLists(); err != nil {
		return err
	}
	p.site = &status.Site{
		Responder: p.branches.list()[0].responder, CRLs: p.crlDir(), Root: p.material.Root, Issuing: p.material.Issuing, Others: p.branches.served, Log: p.Log,
	}
	return nil
}

func (p *Platform) crlDir() string { return p.Config.under("crl") }

func (p *Platform) openIssuer(context.Context, Options) error {
	if !p.Config.plays("web") {
		return nil
	}
	var err error
	if p.web, err = p.Config.ring(ringWeb, p.Config.Keys.Web); err != nil {
		return err
	}
	desk, err := p.web.aead(aeadDesk)
	if err != nil {
		return err
	}
	wrap, err := p.web.aead(aeadCIP)
	if err != nil {
		return err
	}
	if p.cips, err = codes.LoadCIPs(p.Config.under("keys"), wrap, p.db.Codes()); err != nil {
		return err
	}
	p.directory, err = staff.NewDirectory(staff.Config{Offices: p.Config.Counters, Operators: p.Config.Operators, PharmacyAlso: p.Config.PharmacyAlso, Clock: p.Clock})
	if err != nil {
		return errors.Join(errUsage, err)
	}
	if err := p.openRoster(desk); err != nil {
		return err
	}
	p.proofs, err = staff.NewAuthenticator(staff.AuthenticatorParts{
		Directory: p.directory, Tries: p.db.Tries(), UseTOTP: p.db.Tries().UseTOTP, Seal: desk, Clock: p.Clock,
		Atomically: p.db.Atomically, Record: p.trail.Record,
	})
	if err != nil {
		return err
	}
	if err := errors.Join(p.openBook(), p.openCertificates()); err != nil {
		return err
	}
	if p.privacy, err = p.openPrivacy(); err != nil {
		return err
	}
	if p.inbox, err = p.openInbox(); err != nil {
		return err
	}
	if p.helpdesk, err = p.openHelpdesk(); err != nil {
		return err
	}
	if err = p.openApprovals(); err != nil {
		return err
	}
	if err = p.openExtension(desk); err != nil {
		return err
	}
	if err = p.openDesk(); err != nil {
		return err
	}
	renew, err := p.renewer()
	if err != nil {
		return err
	}
	if err = p.openArchive(desk); err != nil {
		return err
	}
	if err = p.openDeclarations(desk); err != nil {
		return err
	}
	p.counter, err = counter.New(counter.Deps{
		Expect: p.archive.Expect, Sample: p.sampled,
		Renew: renew, Read: p.seen, Tested: p.tested,
		Approved: p.approved, FreeReprints: p.freeReprints,
		Book: deskBook{p.book}, Address: p.stopAddress, Informativa: p.notice,
		Directory: p.directory, People: p.db.People(), Cards: p.db.Cards(), Codes: p.cips, Certificates: certificates{p},
		Drafts: p.db.Drafts(), Acts: p.db.Acts(), Links: p.db.Links(), Tries: p.db.Tries(), Seal: desk, Clock: p.Clock, Rand: rand.Reader,
		Atomically: p.db.Atomically, Enqueue: p.queue.Enqueue, DropPrint: p.dropPrint, Record: p.privacy.Watch(p.trail.Record),
		Reissue: p.clerk().Reissue, ReissueFor: p.clerk().ReissueFor, CorrectionDays: p.correctionDays, Diagnosis: p.helpdesk.Diagnosis, FromHome: p.Config.Successor.FromHome, LetterOffice: p.Config.NoEmail.office(), Lists: p.Config.Issue.listLife(),
	})
	return err
}

// openWorkers gives each kind of effect its handler, if this process plays the
// role: only print opens first halves, only mail second halves.
func (p *Platform) openWorkers(_ context.Context, o Options) error {
	if p.Config.plays("print") {
		wrap, err := p.Config.half(ringFirst, p.Config.Keys.First)
		if err != nil {
			return err
		}
		if p.first, err = codes.LoadFirst(p.Config.under("keys"), wrap, p.db.Codes()); err != nil {
			return err
		}
		before, err := codes.LoadFirst(p.Config.under("keys"), wrap, p.db.PreviousCodes())
		if err != nil {
			return err
		}
		p.handlers[desk.KindFirst] = p.forReader(1, p.first, before)
		p.press, err = paper.New(paper.Options{
			Issuer: p.Config.Region.Name, Helpline: p.Config.Region.Phone, Banner: o.Ribbon, Clock: p.Clock, Fonts: fonts(),
		})
		if err != nil {
			return err
		}
	}
	if !p.Config.plays("mail") {
		return nil
	}
	wrap, err := p.Config.half(ringSecond, p.Config.Keys.Second)
	if err != nil {
		return err
	}
	if p.second, err = codes.LoadSecond(p.Config.under("keys"), wrap, p.db.Codes()); err != nil {
		return err
	}
	before, err := codes.LoadSecond(p.Config.under("keys"), wrap, p.db.PreviousCodes())
	if err != nil {
		return err
	}
	p.handlers[desk.KindSecond] = p.forReader(2, p.second, before)
	transport := mail.TLSNone
	if p.Config.Mail.StartTLS {
		transport = mail.TLSMandatory
	}
	if p.mailer, err = mail.New(mail.Config{Address: p.Config.Mail.Server, TLS: transport}); err != nil {
		return err
	}
	p.handlers[counter.KindMailCodes] = p.mailCodes
	p.handlers[counter.KindMailNotice] = p.mailNotice
	p.handlers[contacts.KindMail] = p.mailContact
	return p.openLetters(o)
}

// bind takes the ports first, since public addresses may follow from them.
func (p *Platform) bind(ctx context.Context, o Options) error {
	if p.ports = o.Ports; p.ports != nil {
		return nil
	}
	var err error
	p.ports, err = listen.Bind(ctx, listen.Addresses{TLS: p.Config.Listen, Plain: p.Config.ListenPlain})
	return err
}

func hostname(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return u.Hostname()
}

func (p *Platform) openLogin(_ context.Context, o Options) error {
	signer, err := p.Config.signingKey()
	if err != nil {
		return err
	}
	seal, err := p.web.aead(aeadLogin)
	if err != nil {
		return err
	}
	subject, err := p.web.raw(rawSubject)
	if err != nil {
		return err
	}
	client, err := p.clientSecret()
	if err != nil {
		return err
	}
	pages, err := p.loginPages(o)
	if err != nil {
		return err
	}
	clients := []provider.ClientConfig{{
		ID: "portal", Name: p.Config.Region.Name, PublicAdministration: true, Secret: client, Operators: true, CardNumber: true,
		RedirectURIs: []string{p.Config.Public.Portal + "/ritorno"}, PostLogoutRedirectURIs: []string{p.Config.Public.Portal + "/uscita"},
	}}
	for _, s := range p.Config.Services {
		pass, err := passphrase(p.Config.under(s.SecretFile))
		if err != nil {
			return err
		}
		clients = append(clients, provider.ClientConfig{
			ID: s.ID, Name: s.Name, PublicAdministration: s.PublicPA, Secret: pass, RedirectURIs: s.Redirects,
		})
	}
	p.login, err = login.New(login.Config{
		LoginURL: p.Config.Public.Login, CardURL: p.Config.Public.CNS, ProofURL: p.Config.Public.Portal + "/riattiva", Clients: clients, ACRCard: p.Config.Login.ACR,
		AllowRSA1024: p.Config.Login.AllowRSA1024, Entrances: o.Entrances, OperatorEntrances: o.OperatorEntrances,
	}, login.Needs{
		Records: p.db.Login(), Atomically: p.db.Atomically, Journal: p.trail.Record, Clock: p.Clock, Random: rand.Reader,
		Seal: seal, Signers: []crypto.Signer{signer}, SubjectKey: subject, Trust: p.believe(), Revocation: p.revocation, Cards: p.doorCard,
		Operators: operators{p}, OperatorLive: p.operatorLive, Pages: pages, Log: p.Log, Sweep: p.db.Login().Sweep,
	})
	return err
}

// clientSecret is the portal's own at the token endpoint.
func (p *Platform) clientSecret() (secret.Text, error) {
	raw, err := p.web.raw(rawClient)
	return secret.FromString(base64.RawURLEncoding.EncodeToString(raw.Reveal())), err
}

func (p *Platform) theme(o Options) look.Theme {
	t := look.DefaultTheme()
	t.Body, t.Phone, t.Ribbon = p.Config.Region.Name, p.Config.Region.Phone, o.Ribbon
	if h := p.Config.Region.hours(); h != nil {
		t.Hours = h
	}
	return t
}

func (p *Platform) openPortal(_ context.Context, o Options) error {
	assets, err := look.Assets()
	if err != nil {
		return words.Refuse("CSE-387").Because(err)
	}
	if p.webCA, err = webca.Open(p.Config.under("webca"), parent(hostname(p.Config.Public.Portal)), p.Clock, rand.Reader); err != nil {
		return err
	}
	secretText, err := p.clientSecret()
	if err != nil {
		return err
	}
	seal, err := p.web.aead(aeadPortal)
	if err != nil {
		return err
	}
	ops, err := p.operations()
	if err != nil {
		return err
	}
	signatures, err := p.signatures(o.Ribbon)
	if err != nil {
		return err
	}
	p.portal, err = portal.New(portal.Deps{
		Config: portal.Config{
			URL: p.Config.Public.Portal, Issuer: p.Config.Public.Login, ClientID: "portal", ClientSecret: string(secretText.Reveal()),
			Theme: p.theme(o), Services: p.Config.catalogue(), Security: p.securityFacts, TEAMInUK: p.Config.Region.TEAMInUK, NoEmail: p.Config.NoEmail.office() != "", Lists: p.Config.Issue.listLife(),
			FormOrigins: []string{p.Config.Public.Login, p.Config.Public.CNS},
		},
		Assets: assets, Clock: p.Clock, Rand: rand.Reader, Client: p.httpClient(), Sessions: p.db.Sessions(), Held: p.db.Held(), Seal: seal,
		Atomically: p.db.Atomically, People: p.db.People(), Cards: p.db.Cards(), Operators: working{p}, Roster: p.roster, Desk: p.counter, Drafts: p.counter, Papers: p.counter, Acts: p.counter, Helpdesk: p.helpdesk, Refused: p.refused, Privacy: p.privacy, PrivacyDesk: p.privacy, PrintExport: p.printExport, DataCopies: dataCopies{p},
		Print: p.print, Twin: p.twin, Shift: p.shift, Revoke: p.counter.RevokeWithCIP, Holder: p.counter, Proof: p.login, CardStatus: p.counter.Status, Offices: p.offices, BlankForm: p.blankForm(o.Ribbon), Signatures: signatures, CardAlive: p.cardAlive, Activities: p.activities, Area: p.area(o.Ribbon), Tasks: p.tasks, Declarations: p.declarations, Maintenance: p.maintenance, Log: p.Log,
		Diagnosis:  p.inbox.Read,
		FormTexts:  p.formTexts,
		Downloads:  p.downloads(),
		Archive:    p.archive,
		Campaigns:  p.campaignPages(),
		TrustLists: p.trusted,
		Readers:    p.readers(),
		Operations: portal.OperationsOf(ops), FourEyes: p.fourEyes(),
		Extensions: p.extension,
		CodesDeps:  portal.CodesDeps{Phone: p.counter, Home: p.counter, Halves: p.halves()}, DelegationDeps: p.delegationDeps(o.Ribbon),
	})
	return err
}

func (p *Platform) openServer(_ context.Context, o Options) error {
	site, err := p.withAPI(p.portal)
	if err != nil {
		return err
	}
	providers, err := p.providers()
	if err != nil {
		return err
	}
	hosts := p.doors()
	for i, h := range []http.Handler{p.health(site), p.withAssets(p.login.LoginHandler()), p.withExtension(p.login.CardHandler()), p.withDesks(providers)} {
		hosts[i].Handler = h
	}
	for name, h := range o.Hosts {
		hosts = append(hosts, listen.Host{Name: name, Handler: h})
	}
	get, err := p.serverCertificate()
	if err != nil {
		return err
	}
	for i := range hosts {
		hosts[i].Certificate = get
	}
	p.server, err = listen.New(p.ports, listen.Site{Hosts: hosts, Plain: p.withLog(p.timed(p.site)), Log: p.Log})
	return err
}
