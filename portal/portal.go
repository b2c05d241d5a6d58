// Package portal is the pages: the public site, the citizen's area ("La mia
// tessera"), the counter ("Sportello"), and the pages that login shows.
//
// It is a plain OpenID Connect client of login, for everyone: it learns who
// somebody is from the ID token and the user info, never a role. Its session is
// its own: an opaque __Host- cookie whose hash names a row of Sessions. At
// every request of a session it asks again whether the card that opened it is
// alive (rule R5) and, at the counter, which role and office the operator has;
// when the answer is no, the session is over within that request and the page
// says why.
//
// Guarantees: everything works without scripts; each page exists in Italian and
// English; every refusal is a CSE code with cause and next step, repeated in
// the header CSE-Error; a form from another site is refused; first halves of
// codes leave only inside the printed form, once, and never touch a page.
//
// It refuses a citizen's page to a session that no card opened.
package portal

import (
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"cse.example/cse/issuer/staff"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/portal/content"
	"cse.example/cse/portal/look"
)

//go:embed pages/*.html
var pageFiles embed.FS

// Config is what a deploying body decides.
type Config struct {
	// URL is the portal's public origin, "https://portal.cse.localhost:8443".
	URL string
	// Issuer is login's issuer identifier (an origin, or an address below it).
	Issuer string
	// ClientID and ClientSecret are the portal's at login; the secret may be
	// empty for a public client with PKCE.
	ClientID, ClientSecret string
	// Scopes are asked beside openid; empty means profile.
	Scopes []string
	Theme  look.Theme
	// Lists is how long a revocation list lasts; zero: pages say nothing of it.
	Lists time.Duration
	// NoEmail offers the letter to who has no e-mail address.
	NoEmail bool
	// TEAMInUK shows the United Kingdom among the countries of the TEAM.
	TEAMInUK bool
	Services []Service
	// Security reads what /sicurezza says (R91); nil: nothing.
	Security func() ([]FactGroup, error)
	// Idle ends a citizen's session without requests, CounterIdle an
	// operator's, Longest any. Zero: 15 minutes, 10 minutes, 8 hours.
	Idle, CounterIdle, Longest time.Duration
	// FormOrigins are further origins where a form may lead through
	// redirects; login's is always among them.
	FormOrigins []string
}

// Service is one entry of /servizi-online.
type Service struct {
	ID string
	// Level is "central", "regional" or "municipal".
	Level string
	// Name and About by language; Italian is required.
	Name, About map[words.Lang]string
	URL         string
	// Legal: its acts are of a legal nature and ask for a qualified signature (R105).
	Legal bool
}

// Maintenance is a planned interruption (rule R2).
type Maintenance struct {
	Reason map[words.Lang]string
	Until  time.Time
}

// Deps is what the portal needs; all fields are required unless said otherwise.
type Deps struct {
	Config Config
	// Assets are the built files (look.Assets); nil only in tests.
	Assets fs.FS
	Clock  civil.Clock
	Rand   io.Reader
	// Client reaches login over its real listener.
	Client   *http.Client
	Sessions Sessions
	// Held keeps the forms that hit a locked screen; nil: they are lost.
	Held Held
	// Seal encrypts sessions at rest.
	Seal Sealer
	// Atomically wraps each write of Sessions.
	Atomically func(ctx context.Context, act func(ctx context.Context) error) error
	People     People
	Cards      Cards
	Operators  Operators
	Desk       Desk
	Drafts     Drafts
	Papers     Papers
	Acts       Acts
	Helpdesk   Helpdesk
	// Diagnosis opens what a holder's "cse doctor" found; nil: nobody sends any.
	Diagnosis Diagnosis
	// Refused records that somebody was refused something that is not his; nil:
	// nobody keeps it.
	Refused     Refused
	Privacy     Privacy
	PrivacyDesk PrivacyDesk
	PrintExport PrintExport
	DataCopies  DataCopies
	Print       Print
	Twin        Twin
	Shift       Shift
	// FormTexts are the texts of forms; nil: no page shows them.
	FormTexts FormTexts
	Revoke    RevokeWithCIP
	Holder    HolderActs
	// Proof asks a card for a signature without a login; nil: a holder
	// reactivates at a counter only.
	Proof      CardProof
	CardStatus CardStatus
	// Offices is the public directory of counters; nil: empty.
	Offices Offices
	// Signatures verifies signed files; nil: there is no such page.
	Signatures *Signatures
	// Downloads is the folder of programs to be given out; nil: there are none.
	Downloads fs.FS
	// Extensions tells of the extension of certificates; nil: there are no such pages.
	Extensions Extensions
	// BlankForm makes the forms to fill in at home; nil: none can be downloaded.
	BlankForm BlankForm
	// CardAlive answers nil while the card may be used to be here, or why not. issuer
	// is empty for a card of ours.
	CardAlive func(ctx context.Context, cardID, issuer string) *words.Fault
	// Activities lists what happened to somebody's cards, newest first; nil: nothing is shown.
	Activities func(ctx context.Context, cf codicefiscale.Code) ([]Activity, error)
	// Area is the rest of the citizen's area; nil: the card alone.
	Area *Area
	CodesDeps
	DelegationDeps
	// Tasks is the counter's queue; nil: empty.
	Tasks func(ctx context.Context, op staff.Operator) ([]Task, error)
	// Operations are the rooms behind /operazioni; nil: there are no such pages.
	Operations *Operations
	// FourEyes are the rooms behind /approvazioni; nil: there are no such pages.
	FourEyes *FourEyes
	// Readers are the readers on the counters; nil: there are none.
	Readers *Readers
	// Archive keeps the papers of acts.
	Archive Archive
	// Declarations are the checks of self-declarations; nil: there are no such pages.
	Declarations Declarations
	// Roster is who works at the counters; nil: there are no such pages.
	Roster Roster
	// Campaigns are the rooms behind /operazioni/campagne and its sisters; nil: none.
	Campaigns *Campaigns
	// TrustLists are the lists behind /operazioni/elenchi; nil: there is no such page.
	TrustLists TrustLists
	// Maintenance tells whether the portal is closed now; nil: never.
	Maintenance func() (Maintenance, bool)
	Log         *slog.Logger
}

// Portal is the site. Make one with New; it is an http.Handler.
type Portal struct {
	patterns []string // every route
	// strangers bounds what is written of requests without a session.
	strangers Strangers
	Deps
	look     *look.Look
	content  *content.Content
	login    *client
	handler  http.Handler
	loginURL string // origin of login, for form-action
	shelf    shelf
}

// New checks what it is given and makes the site. It does not reach login yet:
// the first login does.
func New(d Deps) (*Portal, error) {
	if err := d.check(); err != nil {
		return nil, err
	}
	d.Config.defaults()
	l, err := NewLook(d.Config.Theme, d.Assets)
	if err != nil {
		return nil, err
	}
	issuer, err := url.Parse(d.Config.Issuer)
	if err != nil || issuer.Host == "" {
		return nil, fmt.Errorf("portal: the issuer %q is not an address", d.Config.Issuer)
	}
	texts, err := content.Open()
	if err != nil {
		return nil, err
	}
	p := &Portal{Deps: d, look: l, content: texts, loginURL: issuer.Scheme + "://" + issuer.Host}
	p.login = newClient(d)
	p.handler = p.routes()
	return p, nil
}

// NewLook makes the look with the portal's pages, login's among them.
func NewLook(theme look.Theme, assets fs.FS) (*look.Look, error) {
	sub, err := fs.Sub(pageFiles, "pages")
	if err != nil {
		return nil, fmt.Errorf("portal: %w", err)
	}
	return look.New(theme, assets, sub)
}

func (d *Deps) check() error {
	for name, missing := range map[string]bool{
		"Config.URL": d.Config.URL == "", "Config.Issuer": d.Config.Issuer == "", "Config.ClientID": d.Config.ClientID == "",
		"Clock": d.Clock == nil, "Rand": d.Rand == nil, "Client": d.Client == nil, "Sessions": d.Sessions == nil,
		"Atomically": d.Atomically == nil, "Seal": d.Seal == nil, "People": d.People == nil, "Cards": d.Cards == nil, "Operators": d.Operators == nil, "Desk": d.Desk == nil,
		"Drafts": d.Drafts == nil, "Papers": d.Papers == nil, "Archive": d.Archive == nil, "Acts": d.Acts == nil, "Helpdesk": d.Helpdesk == nil, "Privacy": d.Privacy == nil, "PrivacyDesk": d.PrivacyDesk == nil, "PrintExport": d.PrintExport == nil, "DataCopies": d.DataCopies == nil, "Print": d.Print == nil, "Twin": d.Twin == nil, "Shift": d.Shift == nil, "Revoke": d.Revoke == nil, "Holder": d.Holder == nil, "CardStatus": d.CardStatus == nil,
		"Phone": d.Phone == nil, "Delegations": d.Delegations == nil, "DelegationForm": d.DelegationForm == nil,
		"CardAlive": d.CardAlive == nil, "Log": d.Log == nil,
	} {
		if missing {
			return errors.New("portal: missing " + name)
		}
	}
	return d.Operations.check()
}

func (c *Config) defaults() {
	if c.Idle == 0 {
		c.Idle = 15 * time.Minute
	}
	if c.CounterIdle == 0 {
		c.CounterIdle = 10 * time.Minute
	}
	if c.Longest == 0 {
		c.Longest = 8 * time.Hour
	}
	if len(c.Scopes) == 0 {
		c.Scopes = []string{"profile"}
	}
	if c.Theme.Body == "" {
		ribbon := c.Theme.Ribbon
		c.Theme = look.DefaultTheme()
		c.Theme.Ribbon = ribbon
	}
}

// ServeHTTP implements http.Handler.
func (p *Portal) ServeHTTP(w http.ResponseWriter, r *http.Request) { p.handler.ServeHTTP(w, r) }
