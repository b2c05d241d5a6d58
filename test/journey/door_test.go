package journey

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cse.example/cse/card/chip"
	"cse.example/cse/card/cns"
	"cse.example/cse/demo/browser"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/secret"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/keys"
)

// The live demonstration's addresses.
const (
	portalURL = "https://portal.cse.localhost:8443"
	loginURL  = "https://login.cse.localhost:8443"
	demoURL   = "https://demo.cse.localhost:8443"
)

// liveUp waits for step 7 and gets to know the citizen.
func (j *journey) liveUp(t *testing.T) {
	j.live.until(t, "step 7", func() bool { return strings.Contains(j.live.stderr.String(), "\n7. ") })
	pem, err := os.ReadFile(j.webCA())
	ok(t, err)
	j.roots = x509.NewCertPool()
	if !j.roots.AppendCertsFromPEM(pem) {
		t.Fatal("the web authority's certificate cannot be read")
	}
	j.holder(t, j.live, "holder") // its codes join those that must not be found
	j.citizen = j.holder(t, j.live, "citizen")
}

func (j *journey) webCA() string { return filepath.Join(j.live.data, "webca/webca.pem") }

func (j *journey) browser(t *testing.T) *browser.Browser {
	t.Helper()
	b, err := browser.New(j.roots, nil)
	ok(t, err)
	return b
}

func visit(t *testing.T, b *browser.Browser, address string) {
	t.Helper()
	ok(t, b.Get(t.Context(), address))
}

// arrived checks where the browser is: path, 200, no refusal.
func arrived(t *testing.T, b *browser.Browser, path string) {
	t.Helper()
	if b.Page.Status != 200 || b.Page.URL.Path != path || b.Page.Code() != "" {
		t.Fatalf("at %s %s %q, want %s\n%s", b.Page.Where(), b.Page.Code(), b.Page.Title(), path, b.Page.Text())
	}
}

// entrances: both one-click entrances, as a visitor's browser takes them.
func (j *journey) entrances(t *testing.T) {
	b := j.browser(t)
	visit(t, b, demoURL+"/")
	if !strings.Contains(string(b.Page.Body), "DIMOSTRAZIONE") {
		t.Error("the demonstration's page does not say DIMOSTRAZIONE")
	}
	link := func(who string) string {
		t.Helper()
		to := b.Page.Href(func(h string) bool { return strings.Contains(h, "login_hint=demo-"+who) })
		if to == "" {
			t.Fatalf("no entrance for %s: %s", who, b.Page.Text())
		}
		return to
	}
	citizen, operator := link("cittadino"), link("operatore")
	visit(t, b, citizen)
	arrived(t, b, "/tessera")
	if !strings.Contains(b.Page.Text(), j.citizen.cf) || !strings.Contains(string(b.Page.Body), "DIMOSTRAZIONE") {
		t.Errorf("La mia tessera of somebody else, or without DIMOSTRAZIONE:\n%s", b.Page.Text())
	}
	functions := b.Page.Pairs("data-function", "data-state")
	for _, f := range []string{"ts", "cf", "team", "cns"} {
		if functions[f] == "" {
			t.Errorf("no state of the function %s: %v", f, functions)
		}
	}
	// the ticket of an entrance opens one browser once
	back := b.Page.URL.String()
	other := j.browser(t)
	visit(t, other, back)
	if other.Page.URL.Path == "/tessera" {
		t.Error("another browser is in without a login")
	}
	j.desk = j.browser(t)
	visit(t, j.desk, operator)
	arrived(t, j.desk, "/sportello")
	// a citizen is no operator
	visit(t, b, portalURL+"/sportello")
	if b.Page.Code() != "CSE-144" && b.Page.Code() != "CSE-356" {
		t.Errorf("a citizen at the counter: %s %s", b.Page.Where(), b.Page.Code())
	}
}

// services: the catalogue shows three, and each knows the citizen.
func (j *journey) services(t *testing.T) {
	b := j.browser(t)
	visit(t, b, portalURL+"/servizi-online")
	arrived(t, b, "/servizi-online")
	for _, name := range []string{"previdenza", "regione", "comune"} {
		home := "https://" + name + ".cse.localhost:8443"
		visit(t, b, portalURL+"/servizi-online")
		to := b.Page.Href(func(h string) bool { return strings.HasPrefix(h, home) })
		if to == "" {
			t.Errorf("/servizi-online does not lead to %s: %s", name, b.Page.Text())
		}
		visit(t, b, home+"/entra?demo=1")
		arrived(t, b, "/ritorno")
		if b.Page.Data("data-cf") != j.citizen.cf || b.Page.Data("data-acr") != "https://www.spid.gov.it/SpidL3" {
			t.Errorf("%s knows %q by %q", name, b.Page.Data("data-cf"), b.Page.Data("data-acr"))
		}
	}
}

// loginDocument is what `cse --json login` prints.
type loginDocument struct {
	URL     string `json:"url"`
	Status  int    `json:"status"`
	Title   string `json:"title"`
	Used    bool   `json:"card_used"`
	Body    string `json:"body"`
	Refusal *struct {
		Code, Sentence string
		Exit           int
	} `json:"refusal"`
}

// login logs in at the portal with a card's file.
func (j *journey) login(t *testing.T, image, pin string) (loginDocument, outcome) {
	t.Helper()
	o := j.card(t, image, []string{pin}, "--json", "login", "--ca", j.webCA(), portalURL+"/entra?a=/tessera")
	var d loginDocument
	o.read(t, &d)
	return d, o
}

// cseLogin: our own tool, with an active, a delivered and a revoked card.
func (j *journey) cseLogin(t *testing.T) {
	d, o := j.login(t, j.citizen.image, j.citizen.codes.PIN)
	o.says(t, 0)
	if d.URL != portalURL+"/tessera" || d.Status != 200 || !strings.Contains(d.Title, "La mia tessera") || !d.Used || !strings.Contains(d.Body, j.citizen.cf) {
		t.Errorf("%s %d %q, card used %v", d.URL, d.Status, d.Title, d.Used)
	}
	holder := j.holder(t, j.live, "holder")
	delivered := j.delivered(t, 1)[0]
	for _, c := range []struct {
		what, image, pin, code string
		exit                   int
	}{
		{"not activated", delivered, chipCodes(t, delivered).PIN, "CSE-205", 9},
		{"revoked", holder.image, holder.codes.PIN, "CSE-302", 11},
	} {
		d, o := j.login(t, c.image, c.pin)
		if o.exit != c.exit || d.Refusal == nil || d.Refusal.Code != c.code || strings.Contains(d.Refusal.Sentence, "%") {
			t.Errorf("%s: want %s and exit %d\n%s", c.what, c.code, c.exit, o)
		}
	}
}

// forged is a card made outside: its own chip and codes, a certificate as
// change wants it.
type forged struct {
	what, code string
	foreign    bool // by an authority of its own
	change     func(*x509.Certificate)
}

// doorRefuses: certificates that should not be, each with its own reason. Those
// of our issuer are signed here with its key, which no outsider has. What only a
// clock or the back office can bring about (suspended, expired card, death,
// replacement, no assistance, a short key, a resumed session) is in the tests
// of login/door and login.
func (j *journey) doorRefuses(t *testing.T) {
	for i, f := range []forged{
		{"another authority's", "CSE-308", true, nil},
		{"without the policy", "CSE-309", false, func(c *x509.Certificate) { c.Policies, c.PolicyIdentifiers = nil, nil }},
		{"expired", "CSE-301", false, func(c *x509.Certificate) { c.NotAfter = time.Now().Add(-time.Second) }},
		{"not yet valid", "CSE-307", false, func(c *x509.Certificate) { c.NotBefore = time.Now().Add(48 * time.Hour) }},
		{"for signatures", "CSE-310", false, func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageContentCommitment }},
		{"with another name", "CSE-311", false, func(c *x509.Certificate) { c.Subject.CommonName = "Mario Rossi" }},
		{"never issued", "CSE-316", false, nil},
	} {
		image, pin := j.forge(t, 900+uint64(i), f)
		d, o := j.login(t, image, pin)
		exit := 67 // a refusal of the 300s
		if f.code == "CSE-301" {
			exit = 10
		}
		if d.Refusal == nil || d.Refusal.Code != f.code || o.exit != exit || !d.Used {
			t.Errorf("a certificate %s: want %s and exit %d\n%s", f.what, f.code, exit, o)
		}
	}
	// no card at all: a browser without it at the chooser's link
	b := j.browser(t)
	visit(t, b, portalURL+"/entra?a=/tessera")
	ok(t, b.Follow(t.Context(), "cns"))
	if b.Page.Code() != "CSE-304" || b.Page.Status < 400 {
		t.Errorf("without a certificate: %s %s", b.Page.Where(), b.Page.Code())
	}
	if !strings.Contains(b.Page.Text(), "CSE-304") {
		t.Errorf("the page does not show its code:\n%s", b.Page.Text())
	}
	j.swappedCertificate(t)
}

// swappedCertificate: the citizen's certificate without the citizen's key does
// not pass the handshake.
func (j *journey) swappedCertificate(t *testing.T) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ok(t, err)
	o := j.card(t, j.citizen.image, nil, "certificate", "export")
	leaf := parsePEM(t, []byte(o.stdout))
	b, err := browser.New(j.roots, &browser.Card{
		Host: "cns.cse.localhost", Certificate: tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf},
	})
	ok(t, err)
	visit(t, b, portalURL+"/entra?a=/tessera")
	if err := b.Follow(t.Context(), "cns"); err == nil && b.Page.Code() == "" {
		t.Errorf("somebody else's certificate was let in: %s", b.Page.Where())
	}
}

// forge makes the card; the answer is its file and PIN.
func (j *journey) forge(t *testing.T, serial uint64, f forged) (image, pin string) {
	t.Helper()
	const cf, thePIN = "RSSMRA80A01D612Y", "52903"
	parent, signer := j.issuer(t, f.foreign)
	id, err := cns.NewCardID("6090", serial, 0)
	ok(t, err)
	data := cns.PersonalData{
		Issuer: "6090", Issued: civil.Today(civil.System{}), Expires: civil.Today(civil.System{}).AddYears(6), Surname: "ROSSI", Name: "MARIO",
		Sex: "M", CF: cf, BirthPlace: "D612", Residence: "D612", Born: civil.Today(civil.System{}).AddYears(-40),
	}
	file, err := data.Encode()
	ok(t, err)
	image = filepath.Join(j.dir, "forged-"+string(id)+".cse")
	c, err := chip.Create(image, cns.Neutral())
	ok(t, err)
	key, err := c.GenerateKey(rand.Reader)
	ok(t, err)
	policy, err := x509.ParseOID("1.3.76.16.2.1")
	ok(t, err)
	template := &x509.Certificate{
		SerialNumber: new(big.Int).SetUint64(serial), NotBefore: parent.NotBefore, NotAfter: time.Now().AddDate(5, 0, 0),
		Subject: pkix.Name{
			CommonName: cns.CommonName(cf, id, file), Country: []string{"IT"},
			Organization: []string{"CSE Certificatore di prova"}, OrganizationalUnit: []string{"Regione Esempio"},
		},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}, Policies: []x509.OID{policy},
	}
	if f.change != nil {
		f.change(template)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key, signer)
	ok(t, err)
	ok(t, c.WriteIdentity(id, file, der))
	ok(t, c.SetCodes(secret.FromString(thePIN), secret.FromString("81640275")))
	ok(t, c.Finish())
	ok(t, c.Close())
	return image, thePIN
}

// issuer is the live demonstration's issuing authority, or one of nobody's.
func (j *journey) issuer(t *testing.T, foreign bool) (*x509.Certificate, any) {
	t.Helper()
	if !foreign {
		pass, err := os.ReadFile(filepath.Join(j.live.data, "secrets/ca.passphrase"))
		ok(t, err)
		m, err := ca.Load(filepath.Join(j.live.data, "ca"), keys.Sealed(secret.FromString(strings.TrimSpace(string(pass)))))
		ok(t, err)
		return m.Issuing, m.IssuingKey
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	ok(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Another Region - CA Cittadini", Country: []string{"IT"}},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(10, 0, 0), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	ok(t, err)
	c, err := x509.ParseCertificate(der)
	ok(t, err)
	return c, key
}

// cardFiles: an image with one bit changed, one of another kind, one in use.
func (j *journey) cardFiles(t *testing.T) {
	b, err := os.ReadFile(j.citizen.image)
	ok(t, err)
	for name, c := range map[string]struct {
		content []byte
		code    string
	}{
		"bit":   {append(append([]byte{}, b[:len(b)/2]...), append([]byte{b[len(b)/2] ^ 1}, b[len(b)/2+1:]...)...), "CSE-241"},
		"short": {b[:len(b)-1], "CSE-241"},
		"other": {[]byte("%PDF-1.4 this is no card"), "CSE-242"},
	} {
		image := j.file(t, "broken-"+name+".cse", c.content)
		j.card(t, image, nil, "info").says(t, 5, c.code)
		j.card(t, image, []string{"12345"}, "login", "--ca", j.webCA(), portalURL+"/entra").says(t, 5, c.code)
	}
	j.card(t, filepath.Join(j.dir, "none.cse"), nil, "info").says(t, 5, "CSE-246")
	// a site that cannot prove its name gets no certificate
	o := j.card(t, j.citizen.image, []string{j.citizen.codes.PIN}, "login", portalURL+"/entra")
	o.says(t, 13, "CSE-254")
}
