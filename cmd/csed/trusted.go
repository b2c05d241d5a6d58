package main

import (
	"context"
	"crypto/x509"
	"fmt"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/approval"
	"cse.example/cse/issuer/trustlist"
	"cse.example/cse/pki/status"
	"cse.example/cse/pki/trust/tsl"
)

// TrustedList is a trusted list of ETSI TS 119 612 whose authorities' cards open
// here, once two people have let them in (docs/trust.md).
type TrustedList struct {
	// Name is its own here; Territory is the list's (empty: any).
	Name      string `yaml:"name"`
	Territory string `yaml:"territory"`
	// Signers are files of the certificates that may sign it, PEM or DER.
	Signers []string `yaml:"signers"`
	// ServiceType of the authorities for cards: IdV unless it is written here.
	ServiceType string `yaml:"service_type"`
	// Expired says what a list past its next update is worth: refuse, or warn.
	Expired string `yaml:"expired"`
	// Responders says where to ask about a card: certificates (the address in the
	// card's own certificate, once its chain is verified) or configured.
	Responders string `yaml:"responders"`
	// Issuers are what is known of single authorities.
	Issuers []ListedIssuer `yaml:"issuers"`
}

// ListedIssuer are the particulars of an authority of a list, as in login.trust.
type ListedIssuer struct {
	SHA256 string   `yaml:"sha256"`
	CRL    string   `yaml:"crl"`
	OCSP   string   `yaml:"ocsp"`
	Bodies []string `yaml:"bodies"`
	Legacy bool     `yaml:"legacy"`
}

// legacy is how many issuers are marked, in files and in lists.
func (l Login) legacy() int {
	n := 0
	for _, t := range l.Trust {
		if t.Legacy {
			n++
		}
	}
	for _, t := range l.TrustLists {
		for _, i := range t.Issuers {
			if i.Legacy {
				n++
			}
		}
	}
	return n
}

var (
	listName    = regexp.MustCompile(`^[a-z0-9-]{1,32}$`)
	fingerprint = regexp.MustCompile(`^[0-9a-f]{64}$`)
)

// scheme reads and checks a list's configuration.
func (c *Config) scheme(t TrustedList) (trustlist.Scheme, error) {
	bad := func(key, value, want string) error {
		return words.Refuse("CSE-383", "login.trust_lists."+key, value, want)
	}
	s := trustlist.Scheme{Name: t.Name, Territory: t.Territory, Type: t.ServiceType, Lenient: t.Expired == "warn"}
	if s.Type == "" {
		s.Type = tsl.TypeIdV
	}
	switch {
	case !listName.MatchString(t.Name) || t.Name == trustlist.Own:
		return s, bad("name", t.Name, "italia")
	case t.Territory != "" && (len(t.Territory) != 2 || strings.ToUpper(t.Territory) != t.Territory):
		return s, bad("territory", t.Territory, "IT")
	case t.Expired != "" && t.Expired != "warn" && t.Expired != "refuse":
		return s, bad("expired", t.Expired, "refuse | warn")
	case t.Responders != "" && t.Responders != "certificates" && t.Responders != "configured":
		return s, bad("responders", t.Responders, "certificates | configured")
	case len(t.Signers) == 0:
		return s, bad("signers", "", "signer.pem")
	}
	for _, file := range t.Signers {
		b, err := os.ReadFile(c.under(file))
		var cert *x509.Certificate
		if err == nil {
			cert, err = x509.ParseCertificate(decoded(b))
		}
		if err != nil {
			return s, words.Refuse("CSE-383", "login.trust_lists.signers", file, "signer.pem").Because(err)
		}
		s.Signers = append(s.Signers, cert)
	}
	for _, i := range t.Issuers {
		if !fingerprint.MatchString(i.SHA256) {
			return s, bad("issuers.sha256", i.SHA256, strings.Repeat("0a", 32))
		}
		if i.OCSP != "" && !webAddress(i.OCSP) {
			return s, bad("issuers.ocsp", i.OCSP, "http://ocsp.example.it")
		}
	}
	return s, nil
}

// schemes are the trusted lists of the configuration.
func (c *Config) schemes() ([]trustlist.Scheme, error) {
	var out []trustlist.Scheme
	for _, t := range c.Login.TrustLists {
		s, err := c.scheme(t)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(out, func(o trustlist.Scheme) bool { return o.Name == s.Name }) {
			return nil, words.Refuse("CSE-383", "login.trust_lists.name", t.Name, "altra")
		}
		out = append(out, s)
	}
	return out, nil
}

// maxAddress bounds an address in a certificate.
const maxAddress = 512

func webAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && len(s) <= maxAddress && (u.Scheme == "http" || u.Scheme == "https") && u.Host != "" && u.User == nil
}

// listed are the authorities of the trusted lists, as neighbours.
type listed struct {
	p    *Platform
	room *trustlist.Room

	mu    sync.Mutex
	known map[string]*neighbour // by the certificate's fingerprint
}

// openTrustLists makes the room; the neighbours ask it at each use.
func (p *Platform) openTrustLists() error {
	schemes, err := p.Config.schemes()
	if err != nil {
		return err
	}
	p.trusted, err = trustlist.New(trustlist.Deps{
		Store: p.db.TrustLists(), Schemes: schemes, Atomically: p.db.Atomically, Record: p.trail.Record, Clock: p.Clock, Log: p.Log,
	})
	if err == nil && p.neighbour != nil && len(schemes) > 0 {
		p.neighbour.trusted = &listed{p: p, room: p.trusted, known: map[string]*neighbour{}}
	}
	return err
}

// trustKinds are what needs a second person.
func (p *Platform) trustKinds() []approval.Kind {
	if p.trusted == nil { // a process that does not play web
		return nil
	}
	return p.trusted.Kinds()
}

// askStore bounds the question who is believed.
const askStore = 5 * time.Second

// each are all issuers that are believed now: those of login.trust, and those
// that trusted lists grant. When nobody can tell, the lists grant none.
func (n *neighbours) each() []*neighbour {
	if n == nil {
		return nil
	}
	return slices.Concat(n.all, n.trusted.now())
}

func (l *listed) now() []*neighbour {
	if l == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), askStore)
	defer cancel()
	all, err := l.room.Believed(ctx)
	if err != nil {
		l.p.Log.Error("trusted lists: nobody of them is believed", "err", err)
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []*neighbour
	for _, b := range all {
		id := b.List + " " + b.Fingerprint()
		if l.known[id] == nil {
			l.known[id] = l.p.neighbourOf(b)
		}
		out = append(out, l.known[id])
	}
	return out
}

// neighbourOf is an authority of a list with what the configuration knows of it.
func (p *Platform) neighbourOf(b trustlist.Believed) *neighbour {
	x := &neighbour{cert: b.Certificate}
	c := p.Config
	t := c.Login.TrustLists[slices.IndexFunc(c.Login.TrustLists, func(t TrustedList) bool { return t.Name == b.List })]
	for _, i := range t.Issuers {
		if i.SHA256 != b.Fingerprint() {
			continue
		}
		x.Trusted = Trusted{CRL: i.CRL, OCSP: i.OCSP, Bodies: i.Bodies, Legacy: i.Legacy}
		if i.CRL != "" {
			x.crl = c.under(i.CRL)
		}
		if i.OCSP != "" {
			x.client = status.NewClient(x.cert, i.OCSP, p.Clock, p.neighbour.post)
		}
	}
	if x.client == nil && x.crl == "" && t.Responders != "configured" {
		x.told = &toldResponders{issuer: x.cert, clock: p.Clock, post: p.neighbour.post, bySerial: map[string]string{}, clients: map[string]*status.Client{}}
	}
	return x
}

// heard takes the address of a responder from a certificate whose chain was
// verified just now, to an issuer that is believed.
func (n *neighbours) heard(issuer, leaf *x509.Certificate) {
	for _, x := range n.each() {
		if x.told != nil && x.cert.Equal(issuer) && len(leaf.OCSPServer) > 0 {
			x.told.remember(identitySerial(leaf), leaf.OCSPServer[0])
		}
	}
}

// identitySerial is a serial number as identity.CardRef writes it.
func identitySerial(c *x509.Certificate) string { return fmt.Sprintf("%x", c.SerialNumber.Bytes()) }

// toldResponders are addresses that verified certificates of one issuer named.
// They are of this process: who falls out logs in again.
type toldResponders struct {
	issuer *x509.Certificate
	clock  civil.Clock
	post   status.Post

	mu       sync.Mutex
	bySerial map[string]string
	clients  map[string]*status.Client
}

// manyAddresses is how many responders one issuer may name; it changes them seldom.
const manyAddresses = 16

func (t *toldResponders) remember(serial, address string) {
	if !webAddress(address) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.clients[address] == nil {
		if len(t.clients) >= manyAddresses {
			return
		}
		t.clients[address] = status.NewClient(t.issuer, address, t.clock, t.post)
	}
	for id := range t.bySerial {
		if len(t.bySerial) < manyCards {
			break
		}
		delete(t.bySerial, id)
	}
	t.bySerial[serial] = address
}

// of is whom to ask about a certificate; nil when nobody told.
func (t *toldResponders) of(serial string) *status.Client {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.clients[t.bySerial[serial]]
}
