package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/desk"
	"cse.example/cse/issuer/eligibility"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/parameters"
	"cse.example/cse/issuer/production"
	"cse.example/cse/issuer/staff"

	"go.yaml.in/yaml/v3"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/localhost"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/codes"
)

// Config is the whole configuration: one YAML file, decoded strictly, then the
// environment (CSE_LISTEN, CSE_MAIL_SERVER, … : the path of a scalar key in
// capitals). docs/configuration.md shows every key.
type Config struct {
	// Data is the folder of everything the platform keeps (database, keys, files).
	Data string `yaml:"data"`
	// Database is "sqlite:PATH" (relative to Data) or "postgres://…".
	Database string `yaml:"database"`
	// Roles are the parts this process plays: web, print, mail. The keyset of
	// the first halves is opened by print only, that of the second by mail only.
	Roles []string `yaml:"roles"`

	// Listen and ListenPlain are the TLS port and the port of CRL and OCSP.
	Listen      string `yaml:"listen"`
	ListenPlain string `yaml:"listen_plain"`
	// Public are the addresses that people, programs and certificates see.
	Public Public `yaml:"public"`

	Region    Region     `yaml:"region"`
	Keys      Keys       `yaml:"keys"`
	HSM       HSM        `yaml:"hsm"`
	Mail      Mail       `yaml:"mail"`
	Login     Login      `yaml:"login"`
	Signature Signatures `yaml:"signature"`
	Issue     Issue      `yaml:"issue"`
	Web       Web        `yaml:"web"`
	Maintain  Maintain   `yaml:"maintenance"`
	Citizen   Citizen    `yaml:"citizen"`

	// Validation is what is published for the validation tier.
	Validation Validation `yaml:"validation"`

	// Downloads is the folder of packages that the portal gives out; empty: none.
	Downloads string `yaml:"downloads"`

	Minors     Minors          `yaml:"minors"`
	Privacy    Privacy         `yaml:"privacy"`
	Audit      Audit           `yaml:"audit"`
	Archive    Archive         `yaml:"archive"`
	Backup     Backup          `yaml:"backup"`
	Successor  Successor       `yaml:"successor"`
	NoEmail    NoEmail         `yaml:"no_email"`
	Renewal    Renewal         `yaml:"renewal"`
	Extension  Extension       `yaml:"extension"`
	Correction Correction      `yaml:"corrections"`
	Counters   []staff.Office  `yaml:"counters"`
	Operators  []staff.Account `yaml:"operators"`
	// PharmacyAlso are the acts that pharmacies taking part may do besides: activate-represented,
	// reprint, correct-email.
	PharmacyAlso []staff.Action `yaml:"pharmacy_also"`
	// Providers are the machines that may ask whether somebody is assisted.
	Providers []eligibility.Client `yaml:"providers"`
	// Desks are the readers on the counters, each with the key of its program.
	Desks    []desk.Desk `yaml:"desks"`
	Services []Service   `yaml:"services"`
}

// Renewal is when the next card is made (R23).
type Renewal struct {
	// Days before the printed date.
	Days int `yaml:"days"`
	// Chip is whether the successors of the nightly renewal have a chip: default (as
	// issue.chipless_every says), chip, none.
	Chip string `yaml:"chip"`
	// Alone is how many cards a campaign may have without a second person.
	Alone int `yaml:"alone"`
}

// chip is the choice as production calls it.
func (r Renewal) chip() production.Chip {
	if r.Chip == "default" {
		return production.ChipAsConfigured
	}
	return production.Chip(r.Chip)
}

// Correction is what follows from corrections of printed data (R30).
type Correction struct {
	// Alone is how many of one import need no second person.
	Alone int `yaml:"alone"`
	// CNSDays is how long the old CNS lasts after the new card was posted.
	CNSDays int `yaml:"cns_days"`
}

// parameterDefaults are the parameters' first values.
func (c *Config) parameterDefaults() map[string]int {
	return map[string]int{
		parameters.RenewalDays: c.Renewal.Days, parameters.CampaignFree: c.Renewal.Alone,
		parameters.CorrectionsFree: c.Correction.Alone, parameters.CorrectionDays: c.Correction.CNSDays, parameters.ExtensionUntil: c.Extension.number(),
		parameters.SamplePercent: c.Minors.SamplePercent,
	}
}

// Privacy are the terms of requests and of retention, in days.
type Privacy struct {
	AnswerDays   int `yaml:"answer_days"`
	LooksADay    int `yaml:"looks_a_day"`
	RequestsDays int `yaml:"requests_days"`
	AlertsDays   int `yaml:"alerts_days"`
	LooksDays    int `yaml:"looks_days"`
	TicketsDays  int `yaml:"tickets_days"`
	// DiagnosesDays is how long a diagnosis that a holder sent is kept.
	DiagnosesDays int `yaml:"diagnoses_days"`
	// ReplacedDays is how long an address is remembered after another took its
	// place; NoticesDays which notices were sent about a card, after its end.
	ReplacedDays int `yaml:"replaced_addresses_days"`
	NoticesDays  int `yaml:"notices_days"`
	// TEAMDays is how long a certificate that stood in for the TEAM is kept after
	// its last day, TitlesDays a title declared at a counter after its end,
	// ApprovalsDays a request of four eyes after it ran out.
	TEAMDays      int `yaml:"team_certificates_days"`
	TitlesDays    int `yaml:"titles_days"`
	ApprovalsDays int `yaml:"approvals_days"`
	// DeclarationsDays is how long the check of a self-declaration is kept after its
	// decision.
	DeclarationsDays int `yaml:"declarations_days"`
	// CampaignsDays is how long a campaign on many cards is kept after its end.
	CampaignsDays int `yaml:"campaigns_days"`
	// ExtensionsDays is how long the request to extend a certificate is kept after its end.
	ExtensionsDays int `yaml:"extensions_days"`
	// EvidenceDays is how long what was sealed with an act is kept after the
	// card's end, TrailDays a record of the audit trail.
	EvidenceDays int `yaml:"evidence_days"`
	TrailDays    int `yaml:"trail_days"`
}

// defaultPrivacy are the terms that nobody set; evidence and trail are to be
// confirmed by the controller (docs/privacy/registro.md).
func defaultPrivacy() Privacy {
	return Privacy{
		DiagnosesDays: 30,
		AnswerDays:    30, LooksADay: 80, RequestsDays: 730, AlertsDays: 365, LooksDays: 30, TicketsDays: 365,
		ReplacedDays: 90, NoticesDays: 365, TEAMDays: 1826, TitlesDays: 3653, ApprovalsDays: 3653, DeclarationsDays: 3653, CampaignsDays: 1826, ExtensionsDays: 3653, EvidenceDays: 7305, TrailDays: 10958,
	}
}

// Minors is what happens when the holder of a card comes of age.
type Minors struct {
	// At18 is notify (both are told) or hold (the CNS waits for new codes, too).
	At18 string `yaml:"at18"`
	// SamplePercent is how many of a hundred self-declarations are drawn for a check.
	SamplePercent int `yaml:"sample_percent"`
}

// Archive is what happens to the papers of acts.
type Archive struct {
	// Required makes a task of each paper that an act needs (docs/decisions/0781)
	// until its scan is here; without it a counter needs no scanner.
	Required bool `yaml:"required"`
	// Days is how long a scan is kept, and each kind's where it differs (0: Days);
	// documents are the copies of the holder's and of who stood there.
	Days            int `yaml:"days"`
	DeclarationDays int `yaml:"declaration_days"`
	DelegationDays  int `yaml:"delegation_days"`
	DocumentDays    int `yaml:"document_days"`
	ReportDays      int `yaml:"report_days"`
	SignedDays      int `yaml:"signed_days"`
}

// Successor is the activation of a new card with the old one.
type Successor struct {
	// FromHome lets an adult who activated his card in person do it himself.
	FromHome bool `yaml:"from_home"`
}

// NoEmail is what happens when a holder has no e-mail address.
type NoEmail struct {
	// How is refuse (an address is needed) or letter (second halves by post).
	How string `yaml:"how"`
	// Office prints the letters; it activates nobody without an address itself.
	Office string `yaml:"office"`
	// Spool is the folder of that office's print queue, below Data.
	Spool string `yaml:"spool"`
}

// office prints letters; empty for none.
func (n NoEmail) office() string {
	if n.How != "letter" {
		return ""
	}
	return n.Office
}

// Public addresses, without a final slash.
type Public struct {
	Portal string `yaml:"portal"`
	Login  string `yaml:"login"`
	CNS    string `yaml:"cns"`
	PKI    string `yaml:"pki"`
	// API is the providers' interface, by mutual TLS.
	API string `yaml:"api"`
}

// Region is who issues the cards.
type Region struct {
	Name string `yaml:"name"`
	// Certifier is the O of the certificates, Name their OU.
	Certifier string `yaml:"certifier"`
	// Issuer is the card type digit and the region's code: "6090" (card.md 4, 5).
	Issuer string `yaml:"issuer"`
	Phone  string `yaml:"phone"`
	// Hours are the call centre's, in words; empty: the theme's own.
	Hours struct {
		IT string `yaml:"it"`
		EN string `yaml:"en"`
	} `yaml:"hours"`
	// TEAMInUK shows the United Kingdom where the TEAM is valid; the FAQ does not name it.
	TEAMInUK bool `yaml:"team_uk"`
}

// Keys says where the passphrases of the sealed files are. Each file has mode
// 0600 and one line; relative paths are below Data.
type Keys struct {
	CA     string `yaml:"ca_passphrase_file"`
	Queue  string `yaml:"queue_passphrase_file"`
	Web    string `yaml:"web_passphrase_file"`
	First  string `yaml:"first_half_passphrase_file"`
	Second string `yaml:"second_half_passphrase_file"`
}

// HSM is the PKCS #11 token of the authority's keys; an empty module means none.
type HSM struct {
	// Module is the path of its library, Token its label; Serial, where it is not
	// empty, which of several tokens of that label.
	Module string `yaml:"module"`
	Token  string `yaml:"token"`
	Serial string `yaml:"serial"`
	// PINFile has the user's PIN in one line, mode 0600; relative paths are below Data.
	PINFile string `yaml:"pin_file"`
	// Inside makes new keys of the authority in the token (csed ca init).
	Inside bool `yaml:"new_keys_inside"`
}

// Mail is the SMTP server.
type Mail struct {
	Server   string `yaml:"server"`
	From     string `yaml:"from"`
	StartTLS bool   `yaml:"starttls"`
	// ResendSeconds is how long a letter of which nobody knows whether it left
	// waits before it is sent again, under the same Message-ID.
	ResendSeconds int `yaml:"resend_seconds"`
	// Bounces is a Maildir into which the mail server puts what comes back to
	// From; empty: nobody reads it here (`csed mail bounce` does).
	Bounces string `yaml:"bounces"`
}

// Login is the policy of the door.
type Login struct {
	ACR          string `yaml:"acr"`
	AllowRSA1024 bool   `yaml:"allow_rsa1024"`
	// Trust are the other issuers whose CNS opens here (R8, R9).
	Trust []Trusted `yaml:"trust"`
	// TrustLists are the trusted lists (ETSI TS 119 612) that bring more of them.
	TrustLists []TrustedList `yaml:"trust_lists"`
}

// Issue is the policy of production.
type Issue struct {
	PermitRenewalMonths int `yaml:"permit_renewal_months"`
	// CRLHours is how long a revocation list lasts, CRLMinutes the least time between
	// two lists of a part whose certificates change, CRLShards in how many parts new
	// certificates stand (docs/pki.md).
	CRLHours   int    `yaml:"crl_hours"`
	CRLMinutes int    `yaml:"crl_minutes"`
	CRLShards  int    `yaml:"crl_shards"`
	ATR        string `yaml:"atr"`
	// ChiplessEvery makes every Nth card a TS without chip (R106); 0 makes none.
	ChiplessEvery int `yaml:"chipless_every"`
	// BureauFile is the bureau's public file, Exchange the folder of its files
	// (docs/bureau-files.md); relative paths are below Data.
	BureauFile string `yaml:"bureau_file"`
	Exchange   string `yaml:"exchange"`
	// PolicyText is the CNS policy's explicit text (docs/decisions/0003).
	PolicyText string `yaml:"policy_text"`
	// Codes are the lengths of PIN, PUK and CIP and where each is cut: digits on
	// the form, digits in the letter. For cards made from now on.
	Codes codes.Policy `yaml:"codes"`
}

// Web are the TLS certificate and key of the listener; empty makes a local CA.
type Web struct {
	Certificate string `yaml:"certificate"`
	Key         string `yaml:"key"`
	// TLSMin is the lowest TLS version that is spoken: 1.2 or 1.3.
	TLSMin string `yaml:"tls_min"`
}

// Maintain closes the citizens' pages with a reason and an end (R2).
type Maintain struct {
	Reason string    `yaml:"reason"`
	Until  time.Time `yaml:"until"`
}

// Service is a relying party and its line in /servizi-online.
type Service struct {
	ID        string   `yaml:"id"`
	Name      string   `yaml:"name"`
	Text      string   `yaml:"text"`
	Level     string   `yaml:"level"` // centrale, regionale, comunale
	URL       string   `yaml:"url"`
	Redirects []string `yaml:"redirects"`
	PublicPA  bool     `yaml:"public_administration"`
	// Legal: what is sent to it is an act of a legal nature, which asks for a
	// qualified signature (R105).
	Legal bool `yaml:"legal_transaction"`
	// SecretFile holds the service's secret at the token endpoint, one line, 0600.
	SecretFile string `yaml:"secret_file"`
}

// policyText is the CNS policy's explicit text as a public documentation of the
// AgID profile quotes it; the profile itself could not be read (docs/decisions/0003).
const policyText = "Identifies X.509 authentication certificates issued for the italian National Service Card (CNS) project in according to the italian regulation"

// defaults are a Region on one machine: everything on loopback.
func defaults() Config {
	return Config{
		Data: "var/csed", Database: "sqlite:platform.db", Roles: []string{"web", "print", "mail"},
		Listen: "127.0.0.1:8443", ListenPlain: "127.0.0.1:8080",
		Region: Region{Name: "Regione Esempio", Certifier: "CSE Certificatore di prova", Issuer: "6090", Phone: "800.004477", TEAMInUK: true},
		Keys: Keys{
			CA: "secrets/ca.passphrase", Queue: "secrets/queue.passphrase", Web: "secrets/web.passphrase",
			First: "secrets/first-half.passphrase", Second: "secrets/second-half.passphrase",
		},
		Mail:       Mail{Server: "127.0.0.1:2525", From: "tessera@cse.localhost", ResendSeconds: 60},
		Renewal:    Renewal{Days: 90, Chip: "default", Alone: 100},
		Correction: Correction{Alone: 20, CNSDays: lifecycle.CorrectionGrace},
		Extension:  Extension{Until: "2023-12-31"},
		Privacy:    defaultPrivacy(),
		Minors:     Minors{At18: string(counter.MajorityNotify), SamplePercent: 10},
		Archive:    Archive{Days: 2190, DocumentDays: 730},
		Web:        Web{TLSMin: "1.2"},
		Login:      Login{ACR: "https://www.spid.gov.it/SpidL3"},
		Validation: Validation{Folder: "validation", AnswerHours: 24},
		Issue:      Issue{PermitRenewalMonths: 6, CRLHours: 6, CRLMinutes: 5, CRLShards: 128, ATR: "neutral", BureauFile: "bureau.json", Exchange: "exchange", PolicyText: policyText, Codes: codes.DefaultPolicy()},
		Successor:  Successor{FromHome: true},
		NoEmail:    NoEmail{How: "refuse", Spool: "letters"},
	}
}

// LoadConfig reads file (empty: the defaults), applies env and checks all of it.
// Every fault says which key is wrong and what to write instead.
func LoadConfig(file string, env []string) (Config, error) {
	c := defaults()
	if file != "" {
		b, err := os.ReadFile(file)
		if err != nil {
			return c, words.Refuse("CSE-380", file).Because(err)
		}
		dec := yaml.NewDecoder(strings.NewReader(string(b)))
		dec.KnownFields(true)
		if err := dec.Decode(&c); err != nil && !errors.Is(err, io.EOF) {
			return c, words.Refuse("CSE-381", file, err.Error())
		}
	}
	if err := override(reflect.ValueOf(&c).Elem(), "CSE", env); err != nil {
		return c, err
	}
	c.settle()
	if err := c.check(); err != nil {
		return c, err
	}
	if _, err := staff.NewDirectory(staff.Config{Offices: c.Counters, Operators: c.Operators, PharmacyAlso: c.PharmacyAlso}); err != nil {
		return c, words.Refuse("CSE-381", file, err.Error())
	}
	return c, nil
}

// override sets scalar keys from NAME=value pairs.
func override(v reflect.Value, prefix string, env []string) error {
	for i := range v.NumField() {
		f, name := v.Field(i), prefix+"_"+strings.ToUpper(v.Type().Field(i).Tag.Get("yaml"))
		if f.Kind() == reflect.Struct && f.Type() != reflect.TypeFor[time.Time]() {
			if err := override(f, name, env); err != nil {
				return err
			}
			continue
		}
		val, ok := lookup(env, name)
		if !ok {
			continue
		}
		if err := set(f, val); err != nil {
			return words.Refuse("CSE-382", name, val).Because(err)
		}
	}
	return nil
}

func lookup(env []string, name string) (string, bool) {
	for _, kv := range env {
		if k, v, ok := strings.Cut(kv, "="); ok && k == name {
			return v, true
		}
	}
	return "", false
}

func set(f reflect.Value, val string) error {
	switch f.Interface().(type) {
	case string:
		f.SetString(val)
	case bool:
		b, err := strconv.ParseBool(val)
		if err != nil {
			return err
		}
		f.SetBool(b)
	case int:
		n, err := strconv.Atoi(val)
		if err != nil {
			return err
		}
		f.SetInt(int64(n))
	case time.Time:
		t, err := time.Parse(time.RFC3339, val)
		if err != nil {
			return err
		}
		f.Set(reflect.ValueOf(t))
	case []string:
		f.Set(reflect.ValueOf(strings.Split(val, ",")))
	default:
		return errors.New("this key cannot be set by the environment")
	}
	return nil
}

// settle fills what follows from other keys.
func (c *Config) settle() {
	c.Citizen = c.Citizen.settled()
	_, port, err := net.SplitHostPort(c.Listen)
	_, plain, err2 := net.SplitHostPort(c.ListenPlain)
	if err != nil || err2 != nil {
		return // check says it
	}
	fill := func(s *string, v string) {
		if *s == "" {
			*s = v
		}
	}
	fill(&c.Public.Portal, "https://portal.cse.localhost:"+port)
	fill(&c.Public.Login, "https://login.cse.localhost:"+port)
	fill(&c.Public.CNS, "https://cns.cse.localhost:"+port)
	fill(&c.Public.API, "https://api.cse.localhost:"+port)
	fill(&c.Public.PKI, "http://pki.cse.localhost:"+plain)
}

func (c *Config) check() error {
	var errs []error
	bad := func(key, want string, got any) {
		errs = append(errs, words.Refuse("CSE-383", key, fmt.Sprint(got), want))
	}
	for _, x := range [][2]string{{"listen", c.Listen}, {"listen_plain", c.ListenPlain}, {"mail.server", c.Mail.Server}} {
		if _, _, err := net.SplitHostPort(x[1]); err != nil {
			bad(x[0], "127.0.0.1:8443", x[1])
		}
	}
	for _, x := range [][2]string{{"public.portal", c.Public.Portal}, {"public.login", c.Public.Login}, {"public.cns", c.Public.CNS}, {"public.api", c.Public.API}} {
		if u, err := url.Parse(x[1]); err != nil || u.Scheme != "https" || u.Host == "" || u.Path != "" {
			bad(x[0], "https://portal.example.it", x[1])
		}
	}
	if u, err := url.Parse(c.Public.PKI); err != nil || u.Scheme != "http" || u.Host == "" {
		bad("public.pki", "http://pki.example.it", c.Public.PKI)
	}
	if _, err := civil.ParseISO(c.Extension.Until); err != nil {
		bad("extension.until", "2023-12-31", c.Extension.Until)
	}
	if c.Data == "" {
		bad("data", "var/csed", c.Data)
	}
	if h := c.HSM; h.Module != "" && (!filepath.IsAbs(h.Module) || h.Token == "" || h.PINFile == "") || h.Module == "" && h != (HSM{}) {
		bad("hsm", "{module: /usr/lib/softhsm/libsofthsm2.so, token: authority, pin_file: secrets/hsm.pin}", h.Module)
	}
	if len(c.Region.Issuer) != 4 || strings.Trim(c.Region.Issuer, "0123456789") != "" {
		bad("region.issuer", "6090", c.Region.Issuer)
	}
	for n, r := range c.Roles {
		if !slices.Contains(knownRoles(), r) || slices.Contains(c.Roles[:n], r) {
			bad("roles", strings.Join(knownRoles(), ", "), r)
		}
	}
	if len(c.Roles) == 0 {
		bad("roles", strings.Join(knownRoles(), ", "), "")
	}
	if c.Web.TLSMin != "1.2" && c.Web.TLSMin != "1.3" {
		bad("web.tls_min", "1.2 | 1.3", c.Web.TLSMin)
	}
	if c.Issue.ATR != "neutral" && c.Issue.ATR != "st2021" {
		bad("issue.atr", "neutral | st2021", c.Issue.ATR)
	}
	if c.Issue.CRLHours < 1 || c.Issue.CRLHours > 24 {
		bad("issue.crl_hours", "1…24", c.Issue.CRLHours)
	}
	if c.Validation.AnswerHours < 2 || c.Validation.AnswerHours > 72 {
		bad("validation.answer_hours", "2…72", c.Validation.AnswerHours)
	}
	if c.Issue.CRLMinutes < 1 || c.Issue.CRLMinutes > 9 { // seen within ten, the turn of the worker included
		bad("issue.crl_minutes", "1…9", c.Issue.CRLMinutes)
	}
	if c.Issue.CRLShards < 1 || c.Issue.CRLShards > 256 {
		bad("issue.crl_shards", "1…256", c.Issue.CRLShards)
	}
	if host, _, err := net.SplitHostPort(c.Mail.Server); err == nil && !c.Mail.StartTLS && !thisMachine(host) {
		bad("mail.starttls", "true", c.Mail.StartTLS)
	}
	if c.Renewal.Days < 1 || c.Renewal.Days > 366 {
		bad("renewal.days", "1…366", c.Renewal.Days)
	}
	if !slices.Contains(production.Chips(), c.Renewal.chip()) {
		bad("renewal.chip", "default | chip | none", c.Renewal.Chip)
	}
	for key, x := range map[string][2]int{
		"renewal.alone": {c.Renewal.Alone, 100_000}, "corrections.alone": {c.Correction.Alone, 100_000}, "corrections.cns_days": {c.Correction.CNSDays, 366},
		"minors.sample_percent": {c.Minors.SamplePercent, 100},
	} {
		if x[0] < 0 || x[0] > x[1] {
			bad(key, fmt.Sprintf("0…%d", x[1]), x[0])
		}
	}
	if c.Minors.At18 != string(counter.MajorityNotify) && c.Minors.At18 != string(counter.MajorityHold) {
		bad("minors.at18", "notify | hold", c.Minors.At18)
	}
	for key, x := range map[string][3]int{
		"citizen.code_minutes": {c.Citizen.CodeMinutes, 5, 1440}, "citizen.wait_hours": {c.Citizen.WaitHours, 1, 720},
		"citizen.certificate_days": {c.Citizen.CertificateDays, 1, 366},
	} {
		if x[0] < x[1] || x[0] > x[2] {
			bad(key, fmt.Sprintf("%d…%d", x[1], x[2]), x[0])
		}
	}
	if c.NoEmail.How != "refuse" && c.NoEmail.How != "letter" {
		bad("no_email.how", "refuse | letter", c.NoEmail.How)
	}
	if c.NoEmail.How == "letter" && !slices.ContainsFunc(c.Counters, func(o staff.Office) bool { return o.ID == c.NoEmail.Office }) {
		bad("no_email.office", "an id of counters", c.NoEmail.Office)
	}
	if c.Mail.ResendSeconds < 1 || c.Mail.ResendSeconds > 86400 {
		bad("mail.resend_seconds", "1…86400", c.Mail.ResendSeconds)
	}
	errs = append(errs, c.Backup.check())
	if err := c.Issue.Codes.Check(); err != nil {
		bad("issue.codes", "pin: {first: 2, second: 3}", err)
	}
	if _, err := eligibility.NewClients(c.Providers); err != nil {
		bad("providers", "{id: asl-roma, name: …, key_sha256: …, daily: 1000, purposes: [care]}", err)
	}
	if _, err := c.readTrustList(); err != nil {
		errs = append(errs, err)
	}
	if _, err := c.schemes(); err != nil {
		errs = append(errs, err)
	}
	for key, files := range map[string][]string{"signature.other_ca": c.Signature.OtherCA, "signature.stamp_ca": c.Signature.StampCA} {
		if _, err := c.authorities(key, files); err != nil {
			errs = append(errs, err)
		}
	}
	for _, s := range c.Services {
		if !slices.Contains([]string{"centrale", "regionale", "comunale"}, s.Level) {
			bad("services.level", "centrale | regionale | comunale", s.Level)
		}
		if !s.PublicPA { // R17
			errs = append(errs, words.Refuse("CSE-320", s.ID))
		}
	}
	return errors.Join(errs...)
}

// thisMachine tells that what goes to host does not leave the machine: the only
// way that second halves may go in clear.
func thisMachine(host string) bool { return localhost.Is(host) || net.ParseIP(host).IsLoopback() }

// under makes a path of the configuration absolute to the data folder.
func (c *Config) under(path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(c.Data, path)
}

// dsn is the store's address, with SQLite's path below the data folder.
func (c *Config) dsn() string {
	if p, ok := strings.CutPrefix(c.Database, "sqlite:"); ok {
		return "sqlite:" + c.under(p)
	}
	return c.Database
}

// knownRoles are the parts that processes play, in the order of the documentation.
func knownRoles() []string { return []string{"web", "print", "mail"} }

func (c *Config) plays(role string) bool { return slices.Contains(c.Roles, role) }
