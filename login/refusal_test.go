package login_test

import (
	"crypto"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"net/http"
	"strings"
	"testing"
	"time"

	"cse.example/cse/card/cns"
	"cse.example/cse/ground/civil"
	"cse.example/cse/login"
	"cse.example/cse/login/door"
	"cse.example/cse/login/logintest"
	"cse.example/cse/login/provider"
)

// atDoor shows a card at the door and returns the answer, ticket not followed.
func atDoor(t *testing.T, w *logintest.World, card *tls.Certificate) answer {
	t.Helper()
	b := w.Browser(card)
	link := toCard(t, b, portal(t, w).start())
	b.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return get(t, b, link)
}

// Every reason for which a certificate does not open, each with its own message.
func TestCertificateRefused(t *testing.T) {
	signing := asn1.ObjectIdentifier{1, 3, 76, 16, 1, 1} // some other policy
	tests := []struct {
		name, want string
		cf         string
		key        crypto.Signer
		ca         func() *logintest.Authority
		change     func(*x509.Certificate)
	}{
		{name: "expired", want: "CSE-301", change: func(c *x509.Certificate) { c.NotAfter = time.Now().AddDate(0, 0, -1) }},
		{name: "not yet valid", want: "CSE-307", change: func(c *x509.Certificate) { c.NotBefore = time.Now().AddDate(0, 0, 2) }},
		{name: "other CA", want: "CSE-308", ca: func() *logintest.Authority {
			return logintest.NewAuthority(t, "CA sconosciuta", time.Now())
		}},
		{name: "CA of the same name", want: "CSE-308", ca: func() *logintest.Authority {
			return logintest.NewAuthority(t, "CA CNS di prova", time.Now())
		}},
		{name: "no policy", want: "CSE-309", change: func(c *x509.Certificate) { c.Policies = nil }},
		{name: "another policy", want: "CSE-309", change: func(c *x509.Certificate) { c.Policies = nil; c.PolicyIdentifiers = []asn1.ObjectIdentifier{signing} }},
		{name: "non repudiation", want: "CSE-310", change: func(c *x509.Certificate) { c.KeyUsage |= x509.KeyUsageContentCommitment }},
		{name: "no digital signature", want: "CSE-310", change: func(c *x509.Certificate) { c.KeyUsage = x509.KeyUsageKeyEncipherment }},
		{name: "not for clients", want: "CSE-310", change: func(c *x509.Certificate) { c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection} }},
		{name: "name without card", want: "CSE-311", change: func(c *x509.Certificate) { c.Subject.CommonName = logintest.CF }},
		{name: "name with wrong check letter", want: "CSE-311", cf: "RSSMRA80A01H501A"},
		{name: "two names", want: "CSE-311", change: func(c *x509.Certificate) {
			c.Subject.ExtraNames = []pkix.AttributeTypeAndValue{{Type: asn1.ObjectIdentifier{2, 5, 4, 3}, Value: "ALTRO"}}
		}},
		{name: "name hidden in OU", want: "CSE-311", change: func(c *x509.Certificate) {
			c.Subject.OrganizationalUnit = []string{c.Subject.CommonName}
			c.Subject.CommonName = "Mario Rossi"
		}},
		{name: "another administration", want: "CSE-312", change: func(c *x509.Certificate) { c.Subject.OrganizationalUnit = []string{"COMUNE DI ALTROVE"} }},
		{name: "RSA 1024", want: "CSE-313", key: logintest.OldKey()},
		{name: "card never issued", want: "CSE-316", change: func(c *x509.Certificate) {
			id, err := cns.NewCardID(cns.IssuerToscana, 999, 0)
			if err != nil {
				t.Fatal(err)
			}
			c.Subject.CommonName = cns.CommonName(logintest.CF, id, make([]byte, 400))
		}},
		{name: "another person's code", want: "CSE-319", cf: logintest.OtherCF},
	}
	w := logintest.New(t, logintest.Options{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ca, key, cf := w.CA, crypto.Signer(logintest.CardKey()), logintest.CF
			if tt.ca != nil {
				ca = tt.ca()
			}
			if tt.key != nil {
				key = tt.key
			}
			if tt.cf != "" {
				cf = tt.cf
			}
			card := ca.Issue(t, cf, logintest.CardID, w.Clock.Now(), key, tt.change)
			a := atDoor(t, w, &card)
			wantRefusal(t, a, tt.want)
			if strings.Contains(a.text, cf) {
				t.Error("the page shows the codice fiscale")
			}
		})
	}
}

func TestNoCertificate(t *testing.T) {
	w := logintest.New(t, logintest.Options{})
	wantRefusal(t, atDoor(t, w, nil), "CSE-304")
}

// What the back office says of the card, in the words of the card.
func TestCardStateRefused(t *testing.T) {
	day := civil.Date{Year: 2026, Month: 11, Day: 20}
	tests := []struct {
		name, want, says string
		card             func(*door.Card)
		cert             door.CertStatus
	}{
		{name: "not activated", want: "CSE-205", card: func(c *door.Card) { c.State = door.NotActivated }, cert: door.CertStatus{State: door.Held}},
		{name: "suspended", want: "CSE-303", card: func(c *door.Card) { c.State = door.Suspended }, cert: door.CertStatus{State: door.Held}},
		{name: "revoked card", want: "CSE-302", says: "20/11/2026", card: func(c *door.Card) { c.State, c.Since = door.Ended, day }},
		{name: "replaced", want: "CSE-317", says: "20/11/2026", card: func(c *door.Card) { c.State, c.Since = door.Replaced, day }},
		{name: "card expired", want: "CSE-318", says: "20/11/2026", card: func(c *door.Card) { c.State, c.Since = door.Expired, day }},
		{name: "unknown state", want: "CSE-316", card: func(c *door.Card) { c.State = 99 }},
		{name: "dead", want: "CSE-314", card: func(c *door.Card) { c.Deceased = true }},
		{name: "not assisted", want: "CSE-315", card: func(c *door.Card) { c.NotAssisted = true }},
		{name: "waits for new codes", want: "CSE-765", card: func(c *door.Card) { c.State = door.Waiting }, cert: door.CertStatus{State: door.Held}},
		{name: "will wait, its certificate not held yet", want: "CSE-765", card: func(c *door.Card) { c.State = door.Waiting }},
		{name: "certificate held", want: "CSE-303", cert: door.CertStatus{State: door.Held}},
		{name: "certificate never issued", want: "CSE-316", cert: door.CertStatus{State: door.NeverIssued}},
		{
			name: "certificate revoked", want: "CSE-302", says: "smarrita o rubata",
			cert: door.CertStatus{State: door.Revoked, At: time.Date(2026, 11, 20, 10, 0, 0, 0, time.UTC), Reason: 1},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := logintest.New(t, logintest.Options{})
			if tt.card != nil {
				w.Office.SetCard(logintest.CardID, tt.card)
			}
			w.Office.SetCert(logintest.Serial(&w.Card), tt.cert)
			a := atDoor(t, w, &w.Card)
			wantRefusal(t, a, tt.want)
			if !strings.Contains(a.text, tt.says) {
				t.Errorf("the page lacks %q: %s", tt.says, a.text)
			}
			if acts := strings.Join(w.Office.Acts(), " "); acts != "login.refused:"+tt.want {
				t.Errorf("journal: %q", acts)
			}
		})
	}
}

func TestRevocationSourceSilent(t *testing.T) {
	w := logintest.New(t, logintest.Options{})
	w.Office.Down(true)
	a := atDoor(t, w, &w.Card)
	wantRefusal(t, a, "CSE-306")
	if a.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("status %d", a.StatusCode)
	}
	w.Office.Down(false)
	portal(t, w).code(t, w.Browser(&w.Card)) // and then it opens
}

// R61: refused one moment before the activation, let in right after.
func TestActivationOpensTheDoor(t *testing.T) {
	w := logintest.New(t, logintest.Options{})
	w.Office.SetCard(logintest.CardID, func(c *door.Card) { c.State = door.NotActivated })
	wantRefusal(t, atDoor(t, w, &w.Card), "CSE-205")
	w.Office.SetCard(logintest.CardID, func(c *door.Card) { c.State = door.Active })
	portal(t, w).code(t, w.Browser(&w.Card))
}

// R9: another Region's CNS opens too; its names come from the certificate, the
// rest from the codice fiscale, and says so.
func TestForeignCard(t *testing.T) {
	w := logintest.New(t, logintest.Options{Change: func(c *login.Config, _ *login.Needs) { c.Clients[0].CardNumber = true }})
	id, err := cns.NewCardID("6030", 77, 0)
	if err != nil {
		t.Fatal(err)
	}
	card := w.Foreign.Issue(t, logintest.OtherCF, id, w.Clock.Now(), logintest.CardKey(), func(c *x509.Certificate) {
		c.Subject.ExtraNames = []pkix.AttributeTypeAndValue{
			{Type: asn1.ObjectIdentifier{2, 5, 4, 4}, Value: "Verdi"}, {Type: asn1.ObjectIdentifier{2, 5, 4, 42}, Value: "Luigia"},
		}
	})
	p := portal(t, w)
	got, err := p.userInfo(p.redeem(t, p.code(t, w.Browser(&card))))
	if err != nil {
		t.Fatal(err)
	}
	if got["family_name"] != "Verdi" || got["birthdate"] != "1985-08-01" || got["gender"] != "female" {
		t.Errorf("claims: %v", got)
	}
	if got[provider.ClaimCard] != string(id) || got[provider.ClaimCardIssuer] == nil || got[provider.ClaimCardIssuer] == "" {
		t.Errorf("a number without its issuer: %v, %v", got[provider.ClaimCard], got[provider.ClaimCardIssuer])
	}
	if d, _ := got["urn:cse:derived"].([]any); len(d) != 3 {
		t.Errorf("derived claims: %v", d)
	}
}

// Old cards: admitted only by configuration and only from an issuer marked legacy.
func TestOldKeys(t *testing.T) {
	for _, tt := range []struct {
		name  string
		allow bool
		own   bool
		want  string
	}{
		{"off", false, false, "CSE-313"},
		{"on, legacy issuer", true, false, ""},
		{"on, issuer not legacy", true, true, "CSE-313"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := logintest.New(t, logintest.Options{Change: func(c *login.Config, _ *login.Needs) { c.AllowRSA1024 = tt.allow }})
			ca := w.Foreign
			if tt.own {
				ca = w.CA
			}
			card := ca.Issue(t, logintest.CF, logintest.CardID, w.Clock.Now(), logintest.OldKey(), nil)
			a := atDoor(t, w, &card)
			if tt.want != "" {
				wantRefusal(t, a, tt.want)
			} else if a.StatusCode != http.StatusSeeOther {
				t.Errorf("%d %s", a.StatusCode, a.text)
			}
		})
	}
}

// The rest of the card's host: nothing.
func TestCardHostHasOneAddress(t *testing.T) {
	w := logintest.New(t, logintest.Options{})
	b := w.Browser(&w.Card)
	wantRefusal(t, get(t, b, w.CardURL+"/"), "CSE-002")
	wantRefusal(t, get(t, b, w.CardURL+"/authorize"), "CSE-002")
	wantRefusal(t, get(t, b, w.CardURL+door.Path), "CSE-323")
	wantRefusal(t, get(t, b, w.CardURL+door.Path+"?flow=made-up"), "CSE-323")
	r, err := b.Post(w.CardURL+door.Path, "text/plain", nil)
	if err != nil {
		t.Fatal(err)
	}
	wantRefusal(t, read(t, r), "CSE-002")
}
