// Package logintest is a login gateway in a bottle for tests: an authority that
// issues CNS certificates, two TLS listeners on loopback (login. and cns.), a
// back office of maps, a browser with a cookie jar, and records in memory or in
// any store that is given. Tests only import it.
package logintest

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"cse.example/cse/card/cns"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/login"
	"cse.example/cse/login/door"
	"cse.example/cse/login/identity"
	"cse.example/cse/login/page"
	"cse.example/cse/login/provider"
)

// The people, cards and services of the bottle. All invented.
const (
	CF             = "RSSMRA80A01H501U" // Mario Rossi, born in Rome on 1 January 1980
	OtherCF        = "VRDLGU85M41F205T"
	Redirect       = "https://portal.cse.test/callback"
	ClientID       = "portal"
	ClientSecret   = "a client secret of the tests, quite long" //nolint:gosec // a test's
	OperatorName   = "anna.bianchi"
	OperatorPass   = "correct horse"
	OperatorCode   = "123456"
	ServiceID      = "comune"
	ServiceReturn  = "https://comune.cse.test/cb"
	serverName     = "login.cse.localhost"
	cardServerName = "cns.cse.localhost"
)

// CardID is the number of the card of CF.
var CardID = mustCard(1)

func mustCard(serial uint64) cns.CardID {
	id, err := cns.NewCardID(cns.IssuerToscana, serial, 0)
	if err != nil {
		panic(err) // the test's own data
	}
	return id
}

// World is one gateway with everything around it.
type World struct {
	T                 testing.TB
	Service           *login.Service
	Clock             *civil.Hand
	CA                *Authority // our CNS CA
	Foreign           *Authority // another Region's
	Web               *Authority
	Office            *Office
	Card              tls.Certificate // of CF, number CardID
	LoginURL, CardURL string
	roots             *x509.CertPool
}

// Office is the back office: cards, certificates, operators; and the journal.
type Office struct {
	mu      sync.Mutex
	cards   map[string]door.Card
	certs   map[string]door.CertStatus
	down    bool
	Entries []journal.Entry
	// Devices are the names under which browsers tried to enter, in order.
	Devices []string
}

// SetCard changes what the office says of a card.
func (o *Office) SetCard(id cns.CardID, change func(*door.Card)) {
	o.mu.Lock()
	defer o.mu.Unlock()
	c := o.cards[string(id)]
	change(&c)
	o.cards[string(id)] = c
}

// SetCert changes what the revocation source says of a serial number.
func (o *Office) SetCert(serial string, s door.CertStatus) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.certs[serial] = s
}

// Down makes the revocation source fall silent.
func (o *Office) Down(down bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.down = down
}

func (o *Office) card(_ context.Context, id string) (door.Card, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	c, ok := o.cards[id]
	if !ok {
		return c, door.ErrNoCard
	}
	return c, nil
}

func (o *Office) revocation(_ context.Context, ref identity.CardRef) (door.CertStatus, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.down {
		return door.CertStatus{}, errors.New("responder out of reach")
	}
	return o.certs[ref.Serial], nil
}

func (o *Office) record(_ context.Context, e journal.Entry) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.Entries = append(o.Entries, e)
	return nil
}

// Acts lists what the journal says, as act:detail code.
func (o *Office) Acts() []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var out []string
	for _, e := range o.Entries {
		s := e.Act
		if c := e.Detail["code"]; c != "" {
			s += ":" + c
		}
		out = append(out, s)
	}
	return out
}

// Authenticate implements login.Operators.
func (o *Office) Authenticate(_ context.Context, y login.OperatorTry) (login.OperatorIdentity, error) {
	account, password, totp := y.Account, y.Password, y.TOTP
	o.mu.Lock()
	o.Devices = append(o.Devices, y.Device)
	o.mu.Unlock()
	if account != OperatorName || !password.Equal(secret.FromString(OperatorPass)) || !totp.Equal(secret.FromString(OperatorCode)) {
		return login.OperatorIdentity{}, words.Refuse("CSE-326")
	}
	return login.OperatorIdentity{Account: account, CF: OtherCF, Name: "Luigia Verdi"}, nil
}

// Options choose the store and change the configuration.
type Options struct {
	Records    login.Records
	Atomically func(ctx context.Context, act func(ctx context.Context) error) error
	Change     func(*login.Config, *login.Needs)
}

// New starts a gateway; it stops with the test. Without records it keeps them
// in memory.
func New(t testing.TB, o Options) *World {
	t.Helper()
	now := time.Now().UTC().Truncate(time.Second)
	w := &World{
		T: t, Clock: civil.NewHand(now), CA: NewAuthority(t, "CA CNS di prova", now),
		Foreign: NewAuthority(t, "CA CNS di altra Regione", now), Web: NewAuthority(t, "CA web di prova", time.Now()),
		Office: &Office{cards: map[string]door.Card{}, certs: map[string]door.CertStatus{}},
	}
	w.Office.SetCard(CardID, func(c *door.Card) {
		*c = door.Card{State: door.Active, CF: CF, Surname: "Rossi", Name: "Mario", Born: civil.Date{Year: 1980, Month: 1, Day: 1}, Sex: "M", Birthplace: "H501", Province: "RM"}
	})
	w.Card = w.CA.Issue(t, CF, CardID, now, CardKey(), nil)
	w.roots = x509.NewCertPool()
	w.roots.AddCert(w.Web.Cert)
	loginAt, cardAt := listen(t), listen(t)
	w.LoginURL = fmt.Sprintf("https://%s:%d", serverName, port(loginAt))
	w.CardURL = fmt.Sprintf("https://%s:%d", cardServerName, port(cardAt))
	w.build(o)
	cert := w.Web.Web(t, now, serverName, cardServerName)
	serve(t, loginAt, w.Service.LoginHandler(), &tls.Config{Certificates: []tls.Certificate{cert}})
	serve(t, cardAt, w.Service.CardHandler(), &tls.Config{
		Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequestClientCert, SessionTicketsDisabled: true, NextProtos: []string{"http/1.1"},
	})
	return w
}

func (w *World) build(o Options) {
	w.T.Helper()
	if o.Records == nil {
		m := NewMemory()
		o.Records, o.Atomically = m, m.Atomically
	}
	cfg := login.Config{
		LoginURL: w.LoginURL, CardURL: w.CardURL,
		Clients: []provider.ClientConfig{
			{
				ID: ClientID, Name: "Portale di prova", PublicAdministration: true, Secret: secret.FromString(ClientSecret),
				RedirectURIs: []string{Redirect}, PostLogoutRedirectURIs: []string{"https://portal.cse.test/"}, Operators: true, Refresh: true,
			},
			{ID: ServiceID, Name: "Comune di prova", PublicAdministration: true, Secret: secret.FromString(ClientSecret), RedirectURIs: []string{ServiceReturn}},
		},
	}
	n := login.Needs{
		Records: o.Records, Atomically: o.Atomically, Journal: w.Office.record, Clock: w.Clock, Random: rand.Reader,
		Seal: Sealer(w.T), Signers: []crypto.Signer{ecKey(w.T), CardKey()}, SubjectKey: secret.FromString("0123456789abcdef0123456789abcdef"),
		Trust: Trust(
			TrustedIssuer{w.CA, door.Issuer{Own: true, Bodies: []string{"REGIONE DI PROVA"}}},
			TrustedIssuer{w.Foreign, door.Issuer{Legacy: true}},
		),
		Revocation: w.Office.revocation, Cards: w.Office.card, Operators: w.Office, Pages: page.Plain{},
	}
	if o.Change != nil {
		o.Change(&cfg, &n)
	}
	s, err := login.New(cfg, n)
	if err != nil {
		w.T.Fatal(err)
	}
	w.Service = s
}

// Sealer is a fresh AES-GCM keyset.
func Sealer(t testing.TB) tink.AEAD {
	t.Helper()
	h, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		t.Fatal(err)
	}
	a, err := aead.New(h)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func ecKey(t testing.TB) crypto.Signer {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func listen(t testing.TB) net.Listener {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func port(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }

func serve(t testing.TB, l net.Listener, h http.Handler, c *tls.Config) {
	t.Helper()
	s := &http.Server{Handler: h, TLSConfig: c, ReadHeaderTimeout: 5 * time.Second, ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = s.ServeTLS(l, "", "") }() // ends with Close
	t.Cleanup(func() { _ = s.Close() })
}

// Browser is one person's browser: it keeps cookies and follows redirects, but
// not out of the gateway. card is the certificate that it shows on the card's
// host, nil for none.
func (w *World) Browser(card *tls.Certificate) *http.Client {
	w.T.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		w.T.Fatal(err)
	}
	return &http.Client{
		Jar: jar, Transport: w.Transport(card), Timeout: 20 * time.Second,
		CheckRedirect: func(r *http.Request, _ []*http.Request) error {
			if h := r.URL.Hostname(); h != serverName && h != cardServerName {
				return http.ErrUseLastResponse
			}
			return nil
		},
	}
}

// Transport reaches the gateway's hosts on loopback.
func (w *World) Transport(card *tls.Certificate) *http.Transport {
	c := &tls.Config{RootCAs: w.roots}
	if card != nil {
		c.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return card, nil }
	}
	return &http.Transport{
		TLSClientConfig: c,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			_, p, err := net.SplitHostPort(addr)
			if err != nil {
				return nil, err
			}
			return (&net.Dialer{}).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", p))
		},
	}
}

// Query reads one parameter of an address.
func Query(t testing.TB, address, name string) string {
	t.Helper()
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	return u.Query().Get(name)
}
