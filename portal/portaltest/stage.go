// Package portaltest is the portal on a stage: invented people, cards in every
// state, a counter that answers without a store, and the list of all page
// states. The portal's own tests render each state; test/pages/serve shows them
// to a browser for axe-core and screenshots. Nothing here is for production.
package portaltest

import (
	"context"
	"crypto/rand"
	"fmt"
	"io/fs"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"cse.example/cse/issuer/approval"
	"cse.example/cse/issuer/staff"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/privacy"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
	"cse.example/cse/person/team"
	"cse.example/cse/portal"
	"cse.example/cse/portal/look"
)

// Now is the instant at which the stage stands: a Monday morning in Rome.
var Now = time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC)

// Addresses of the stage, and what reaches login; a nil Client is net/http's.
type Addresses struct {
	Portal, Login string
	Client        *http.Client
}

// Of is the origin of a State's Host.
func (a Addresses) Of(host string) string {
	switch host {
	case "login":
		return a.Login
	case "cns":
		return strings.Replace(a.Login, "//login.", "//cns.", 1)
	}
	return a.Portal
}

// DefaultAddresses is where the platform listens by default.
func DefaultAddresses() Addresses {
	return Addresses{"https://portal.cse.localhost:8443", "https://login.cse.localhost:8443", http.DefaultClient}
}

// Stage is the portal with everything it stands on.
type Stage struct {
	Portal   *portal.Portal
	Closed   *portal.Portal // the same in maintenance
	Login    *portal.LoginPages
	Clock    *civil.Hand
	Sessions *Memory
	// Refusals are what was recorded of refusals.
	Refusals []portal.Refusal
	// Dead, when set for a card, is why that card may not be used any more.
	Dead map[string]*words.Fault
	// Mario and the others are the people, by role in the play.
	People map[string]registry.Person
	Cards  map[string]lifecycle.Card
	mu     sync.Mutex // of Refusals
	seal   Sealer
	addr   Addresses
	// hiring waits for approval; half and otherHalf open a first access.
	hiring          approval.Request
	half, otherHalf string
}

// New sets the stage. assets may be nil: pages without style.
func New(addr Addresses, assets fs.FS) (*Stage, error) {
	if addr.Client == nil {
		addr.Client = http.DefaultClient
	}
	s := &Stage{
		Clock: civil.NewHand(Now), Sessions: NewMemory(), Dead: map[string]*words.Fault{}, addr: addr,
		People: map[string]registry.Person{}, Cards: map[string]lifecycle.Card{},
	}
	var err error
	if s.seal, err = NewSealer(); err != nil {
		return nil, err
	}
	if err := s.cast(); err != nil {
		return nil, err
	}
	d, err := s.deps(assets)
	if err != nil {
		return nil, err
	}
	if d.Roster, err = s.rosterOf(d.Operators.(*staff.Directory), d); err != nil {
		return nil, err
	}
	if s.Portal, err = portal.New(d); err != nil {
		return nil, err
	}
	d.Maintenance = func() (portal.Maintenance, bool) {
		return portal.Maintenance{
			Reason: map[words.Lang]string{words.Italian: "aggiornamento programmato", words.English: "planned update"},
			Until:  Now.Add(2 * time.Hour),
		}, true
	}
	if s.Closed, err = portal.New(d); err != nil {
		return nil, err
	}
	l, err := portal.NewLook(d.Config.Theme, assets)
	if err != nil {
		return nil, err
	}
	s.Login = portal.NewLoginPages(l, addr.Portal, addr.Login, d.Log)
	return s, nil
}

// day is a shorthand for dates that exist.
func day(y, m, d int) civil.Date { return civil.Date{Year: y, Month: time.Month(m), Day: d} }

// cast invents people and gives them cards.
func (s *Stage) cast() error {
	for _, x := range []struct {
		role, surname, name, sex string
		born                     civil.Date
		abroad                   bool
	}{
		{"active", "ROSSI", "MARIO", "M", day(1980, 5, 12), true},
		{"pending", "BIANCHI", "GIULIA", "F", day(1985, 4, 12), true},
		{"chipless", "VERDI", "ANNA MARIA", "F", day(1970, 1, 2), false},
		{"revoked", "NERI", "LUCA", "M", day(1990, 12, 31), true},
		{"minor", "GALLO", "SOFIA", "F", day(2015, 6, 1), true},
		{"operator", "FERRARI", "PAOLA", "F", day(1975, 3, 3), true},
		{"operations", "MARINI", "CARLO", "M", day(1979, 7, 7), true},
		{"auditor", "VILLA", "SARA", "F", day(1982, 8, 8), true},
		{"security", "GALLI", "ELENA", "F", day(1981, 9, 9), true},
		{"supervisor", "MORI", "VERA", "F", day(1979, 10, 10), true},
		{"held", "RIVA", "NICO", "M", day(2008, 11, 20), true}, // of age for three days
		{"cardless", "COSTA", "ELENA", "F", day(1999, 9, 9), true},
	} {
		p := registry.Person{
			Surname: x.surname, Name: x.name, Born: x.born, Sex: x.sex, BirthPlace: "D612", BirthProvince: "FI", Citizenship: "IT",
			Residence: "D612", Address: "VIA DELLE PROVE 1", PostCode: "50100", ASL: "201", AssistedFrom: day(2010, 1, 1), AbroadRight: x.abroad,
		}
		cf, err := codicefiscale.Compute(codicefiscale.Person{
			Surname: x.surname, Name: x.name, Born: x.born, Sex: codicefiscale.Sex(x.sex), Belfiore: "D612",
		})
		if err != nil {
			return fmt.Errorf("portaltest: %s: %w", x.role, err)
		}
		p.CF = cf
		s.People[x.role] = p
	}
	sent := Now.AddDate(0, -1, 0)
	for i, c := range []lifecycle.Card{
		{ID: "active", Model: lifecycle.TSCNS, State: lifecycle.Active, Issued: day(2025, 2, 1), Expires: day(2031, 2, 1), ActivatedAt: sent, CertSerial: "0a"},
		{ID: "pending", Model: lifecycle.TSCNS, State: lifecycle.Shipped, Issued: day(2026, 10, 1), Expires: day(2032, 10, 1), CertSerial: "0b"},
		{ID: "chipless", Model: lifecycle.TS, State: lifecycle.Delivered, Issued: day(2026, 9, 1), Expires: day(2032, 9, 1)},
		{ID: "old", Model: lifecycle.TSCNS, State: lifecycle.Active, Issued: day(2020, 12, 20), Expires: day(2026, 12, 20), ActivatedAt: Now.AddDate(-5, 0, 0), CertSerial: "0c"},
		{ID: "revoked", Model: lifecycle.TSCNS, State: lifecycle.Revoked, Issued: day(2024, 5, 5), Expires: day(2030, 5, 5), Reason: lifecycle.ByHolder, RevokedAt: sent, EndedAt: sent, CertSerial: "0d"},
		{ID: "minor", Model: lifecycle.TSCNS, State: lifecycle.Shipped, Issued: day(2026, 8, 1), Expires: day(2032, 8, 1), CertSerial: "0e"},
		{ID: "operator", Model: lifecycle.TSCNS, State: lifecycle.Active, Issued: day(2024, 8, 1), Expires: day(2030, 8, 1), ActivatedAt: sent, CertSerial: "0f"},
		{ID: "held", Model: lifecycle.TSCNS, State: lifecycle.Suspended, Reason: lifecycle.RepresentationEnded, Issued: day(2025, 8, 1), Expires: day(2031, 8, 1), ActivatedAt: sent, SuspendedAt: Now.AddDate(0, 0, -3), CertSerial: "10"},
	} {
		role := c.ID
		c.ID = fmt.Sprintf("6%012d001", 900001+i)
		n, err := team.FromCardID(c.ID)
		if err != nil {
			return fmt.Errorf("portaltest: %w", err)
		}
		c.TEAM, c.OrderedAt, c.ShippedAt, c.Version = string(n), Now.AddDate(0, -3, -10+i), sent, 1
		owner := role
		if role == "old" {
			owner = "chipless"
			c.OrderedAt = Now.AddDate(-6, 0, 0)
		}
		c.CF = s.People[owner].CF
		s.Cards[role] = c
	}
	old := s.Cards["old"]
	old.ReplacedBy = s.Cards["chipless"].ID
	s.Cards["old"] = old
	return nil
}

func (s *Stage) deps(assets fs.FS) (portal.Deps, error) {
	dir, err := staff.NewDirectory(staff.Config{
		Offices: []staff.Office{{ID: "asl-1", Type: staff.ASL, Name: "Sportello ASL di Firenze", Comune: "D612", ASL: "201"}},
		Operators: []staff.Account{
			{Account: "paola", Name: "Paola Ferrari", CF: string(s.People["operator"].CF), Roles: []staff.Role{staff.RoleOperator}, Offices: []string{"asl-1"}, OwnCNS: true},
			{Account: "operations", Name: "Carlo Marini", CF: string(s.People["operations"].CF), Roles: []staff.Role{staff.RoleOperations}, Offices: []string{"asl-1"}},
			{Account: "auditor", Name: "Sara Villa", CF: string(s.People["auditor"].CF), Roles: []staff.Role{staff.RoleAuditor}, Offices: []string{"asl-1"}},
			{Account: "supervisor", Name: "Vera Mori", CF: string(s.People["supervisor"].CF), Roles: []staff.Role{staff.RoleSupervisor}, Offices: []string{"asl-1"}},
			{Account: "security", Name: "Elena Galli", CF: string(s.People["security"].CF), Roles: []staff.Role{staff.RoleSecurity}, Offices: []string{"asl-1"}},
		},
	})
	if err != nil {
		return portal.Deps{}, err
	}
	reg := people{}
	for _, p := range s.People {
		reg[p.CF] = p
	}
	var all cards
	for _, c := range s.Cards {
		all = append(all, c)
	}
	theme := look.DefaultTheme()
	theme.Ribbon = "DIMOSTRAZIONE"
	d := s.desk(reg, all)
	return portal.Deps{
		Config: portal.Config{
			Lists: 6 * time.Hour,
			URL:   s.addr.Portal, Issuer: s.addr.Login, ClientID: "portal", ClientSecret: "0123456789abcdef0123456789abcdef",
			Theme: theme, TEAMInUK: true, NoEmail: true, Services: Services(), Security: Security,
		},
		Assets: assets, Clock: s.Clock, Rand: rand.Reader, Client: s.addr.Client, Sessions: s.Sessions, Held: s.Sessions, Seal: s.seal, Refused: s.refused,
		Atomically: func(ctx context.Context, act func(context.Context) error) error { return act(ctx) },
		People:     reg, Cards: all, Operators: dir, Desk: d, Drafts: d, Papers: d, Acts: d, Helpdesk: d, Diagnosis: diagnosed, Privacy: privacyRoom{}, PrivacyDesk: privacyRoom{},
		Signatures:  playedSignatures(),
		PrintExport: func(context.Context, privacy.Export, words.Lang) ([]byte, error) { return []byte("%PDF-1.3"), nil },
		Twin:        twin, DataCopies: dataCopies{},
		Archive: papers{d}, DelegationDeps: portal.DelegationDeps{Delegations: d, DelegationForm: delegationForm},
		Declarations: checksRoom{s},
		Shift:        shift,
		FormTexts:    formTexts,
		Downloads:    Downloads(),
		Print:        func(context.Context, counter.Form) ([]byte, error) { return []byte("%PDF-1.4 invented\n"), nil },
		Revoke:       s.revoke, Holder: holderActs{s}, CodesDeps: portal.CodesDeps{Phone: phone{}, Home: home{s}, Halves: halves}, Proof: cardProof{s}, CardStatus: s.cardStatus, Offices: Offices, BlankForm: blankForm,
		CardAlive: func(_ context.Context, card, _ string) *words.Fault {
			return s.Dead[card]
		},
		Activities: s.activities, Area: s.area(),
		Tasks: func(context.Context, staff.Operator) ([]portal.Task, error) {
			return []portal.Task{
				{At: Now.Add(-time.Hour), Kind: "handover", Card: s.Cards["active"].ID, Path: "/sportello/pratica/2026/0000002"},
				{At: Now.Add(-30 * time.Hour), Kind: "undelivered", Card: s.Cards["old"].ID},
			}, nil
		},
		Operations: s.operations(),
		FourEyes:   s.fourEyes(),
		Readers:    s.readers(),
		Campaigns:  s.campaigns(),
		TrustLists: trustLists{},
		Extensions: extensions{s},
		Log:        slog.New(slog.DiscardHandler),
	}, nil
}

// revoke plays the holder's act: CIP 1234512345 is right, 9999999999 has been
// tried too often, any other is wrong.
func (s *Stage) revoke(_ context.Context, _ string, cip secret.Text, _ string, _ words.Lang) (counter.Receipt, error) {
	switch string(cip.Reveal()) {
	case "1234512345":
		return counter.Receipt{Protocol: "2026/0000042", Card: s.Cards["active"].ID, At: Now}, nil
	case "1818181818": // what his mother was given
		return counter.Receipt{}, words.Refuse("CSE-765")
	case "9999999999":
		return counter.Receipt{}, words.Refuse("CSE-402", "1:00")
	}
	return counter.Receipt{}, words.Refuse("CSE-401", "0:02").At("cip")
}

func (s *Stage) activities(_ context.Context, cf codicefiscale.Code) ([]portal.Activity, error) {
	if cf != s.People["active"].CF {
		return nil, nil
	}
	return []portal.Activity{
		{At: Now.Add(-time.Hour), Act: "login.proved", Index: 99},
		{At: Now.AddDate(0, 0, -3), Act: "holder.viewed", Office: "Sportello ASL di Firenze", Role: "operator", Index: 71},
		{At: Now.AddDate(0, 0, -4), Act: "holder.viewed", Office: "Sportello ASL di Firenze", Role: "operator", Motive: "Richiesta del titolare", Index: 70},
		{At: Now.AddDate(0, 0, -5), Act: "eligibility.asked", Office: "Ospedale di prova", Role: "provider", Purpose: "admission", Index: 61},
		{At: Now.AddDate(0, -1, 0), Act: "card.activated", Office: "Sportello ASL di Firenze", Index: 17},
		{At: Now.AddDate(0, -2, 0), Act: "card.shipped", Index: 9},
	}, nil
}

func (s *Stage) desk(reg people, all cards) *desk {
	step := counter.CardStep{CF: s.People["pending"].CF, Card: s.Cards["pending"].ID, LastFive: "00001", NoReader: "lettore guasto"}
	identity := counter.IdentityStep{Present: counter.PresentHolder, Document: counter.Document{
		Kind: counter.IdentityCard, Number: "AX1234567", Issuer: "Comune di Firenze", Issued: day(2022, 3, 5), Expires: day(2032, 3, 5),
	}}
	contact := counter.ContactStep{Email: "giulia@esempio.it", EmailAgain: "giulia@esempio.it", Lang: words.Italian, Consent: true}
	form := func(protocol string, c lifecycle.Card) counter.Form {
		return counter.Form{Protocol: protocol, Card: c.ID, CF: string(c.CF), EmailMasked: "g•••@e•••.it", At: Now, Informativa: "1/2026"}
	}
	codesForm := func(protocol string, c lifecycle.Card) counter.Form {
		f := form(protocol, c)
		f.Papers = []counter.PaperKind{counter.PaperCodes}
		return f
	}
	p, a := s.Cards["pending"], s.Cards["active"]
	return &desk{
		people: reg, cards: all,
		drafts: map[string]counter.Draft{
			"due":      {ID: "due", Version: 1, Done: 1, Card: step},
			"tre":      {ID: "tre", Version: 2, Done: 2, Card: step, Identity: identity},
			"delegato": delegated(step),
			"quattro":  {ID: "quattro", Version: 3, Done: 3, Card: step, Identity: identity, Contact: contact},
		},
		activations: map[string]counter.Act{
			"2026/0000001": {Protocol: "2026/0000001", Kind: counter.KindActivation, Card: p.ID, At: Now, Form: form("2026/0000001", p)},
			"2026/0000002": {Protocol: "2026/0000002", Kind: counter.KindActivation, Card: a.ID, At: Now, PrintedAt: Now, Form: form("2026/0000002", a)},
			"2026/0000003": {Protocol: "2026/0000003", Kind: counter.KindActivation, Card: a.ID, At: Now, PrintedAt: Now, HandedAt: Now, Form: form("2026/0000003", a)},
			"2026/0000004": {Protocol: "2026/0000004", Kind: counter.KindSuspend, Card: a.ID, At: Now, Form: form("2026/0000004", a)},
			"2026/0000006": {Protocol: "2026/0000006", Kind: counter.KindNewCodes, Card: a.ID, At: Now, Form: codesForm("2026/0000006", a)},
			"2026/0000005": {Protocol: "2026/0000005", Kind: counter.KindLoss, Card: a.ID, At: Now, PrintedAt: Now, HandedAt: Now, Form: form("2026/0000005", a)},
			"2017/0000001": {Protocol: "2017/0000001", Kind: counter.KindLoss, Card: a.ID, At: Now.AddDate(-9, 0, 0), PrintedAt: Now, HandedAt: Now, Destroyed: true},
		},
	}
}

// Services are the three levels of R54.
func Services() []portal.Service {
	two := func(it, en string) map[words.Lang]string {
		return map[words.Lang]string{words.Italian: it, words.English: en}
	}
	return []portal.Service{
		{ID: "inps", Level: "central", Name: two("Previdenza", "Pensions"), About: two("Contributi e prestazioni (servizio di prova).", "Contributions and benefits (trial service)."), URL: "https://central.cse.localhost:8443/"},
		{ID: "ticket", Level: "regional", Name: two("Esenzioni e ticket", "Exemptions and charges"), About: two("Le tue esenzioni (servizio di prova).", "Your exemptions (trial service)."), URL: "https://regional.cse.localhost:8443/"},
		{ID: "anagrafe", Level: "municipal", Name: two("Certificati anagrafici", "Registry certificates"), About: two("Certificati del Comune (servizio di prova).", "Certificates of the municipality (trial service)."), URL: "https://municipal.cse.localhost:8443/"},
	}
}

// Security is what a configuration may tell.
func Security() ([]portal.FactGroup, error) {
	text := func(key string, list ...string) portal.Fact {
		f := portal.Fact{Key: "security.fact." + key}
		for _, t := range list {
			f.Values = append(f.Values, portal.FactValue{Text: t})
		}
		return f
	}
	say := func(key, value string, args ...any) portal.Fact {
		return portal.Fact{Key: "security.fact." + key, Values: []portal.FactValue{{Key: "security.say." + value, Args: args}}}
	}
	return []portal.FactGroup{
		{Key: "security.group.doors", Facts: []portal.Fact{
			text("versions", "TLS 1.2", "TLS 1.3"),
			text("suites12", "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256"),
			say("mail", "smtp.tls"),
		}},
		{Key: "security.group.cards", Facts: []portal.Fact{say("accepted", "rsa", 2048)}},
		{Key: "security.group.codes", Facts: []portal.Fact{say("lengths", "lengths", 5, 8, 10), say("first", "opens", "print")}},
	}, nil
}
