package counter

import (
	"net/mail"
	"strings"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
)

// DocumentKind is a kind of identity document.
type DocumentKind string

// The documents accepted for identification (DPR 445/2000, art. 35). The TS and
// the TS-CNS are named only to be refused: they have no photograph (R40).
const (
	IdentityCard      DocumentKind = "CI"
	ElectronicCard    DocumentKind = "CIE"
	Passport          DocumentKind = "PASSAPORTO"
	DrivingLicence    DocumentKind = "PATENTE"
	BoatingLicence    DocumentKind = "PATENTE_NAUTICA"
	PensionBook       DocumentKind = "LIBRETTO_PENSIONE"
	BoilerLicence     DocumentKind = "PATENTINO_IMPIANTI"
	FirearmsLicence   DocumentKind = "PORTO_ARMI"
	OfficialCard      DocumentKind = "TESSERA_STATO" // tessera di riconoscimento rilasciata da un'amministrazione dello Stato
	ResidencePermit   DocumentKind = "PERMESSO_SOGGIORNO"
	HealthCard        DocumentKind = "TS"
	HealthServiceCard DocumentKind = "TS-CNS"
)

// DocumentKinds lists the accepted kinds, in the order of the counter's menu.
func DocumentKinds() []DocumentKind {
	return []DocumentKind{
		ElectronicCard, IdentityCard, Passport, DrivingLicence, ResidencePermit, BoatingLicence, PensionBook,
		BoilerLicence, FirearmsLicence, OfficialCard,
	}
}

// Document is an identity document shown at the counter.
type Document struct {
	Kind    DocumentKind `json:"kind"`
	Number  string       `json:"number"`
	Issuer  string       `json:"issuer"`
	Issued  civil.Date   `json:"issued"`
	Expires civil.Date   `json:"expires"`
}

// check refuses a document that does not prove an identity on day today.
func (d Document) check(today civil.Date) error {
	if d.Kind == HealthCard || d.Kind == HealthServiceCard {
		return words.Refuse("CSE-134").At("documento_tipo")
	}
	known := false
	for _, k := range DocumentKinds() {
		known = known || k == d.Kind
	}
	switch {
	case !known:
		return words.Refuse("CSE-135").At("documento_tipo")
	case !plain(d.Number, 3, 30):
		return words.Refuse("CSE-135").At("documento_numero")
	case !plain(d.Issuer, 2, 80):
		return words.Refuse("CSE-135").At("documento_ente")
	case !d.Issued.Valid() || d.Issued.After(today):
		return words.Refuse("CSE-136").At("documento_rilascio")
	case !d.Expires.Valid() || d.Expires.Before(d.Issued):
		return words.Refuse("CSE-136").At("documento_scadenza")
	case d.Expires.Before(today): // good on its last day
		return words.Refuse("CSE-110", d.Expires.Italian()).At("documento_scadenza")
	}
	return nil
}

// plain tells printable text of least to most characters.
func plain(s string, least, most int) bool {
	n := 0
	for _, r := range s {
		if r < ' ' || r == 0x7F {
			return false
		}
		n++
	}
	return strings.TrimSpace(s) == s && n >= least && n <= most
}

// checkEmail answers the address typed twice, or CSE-130 and CSE-131.
func checkEmail(first, again string) (string, error) {
	a, b := tidyEmail(first), tidyEmail(again)
	if !validEmail(a) {
		return "", words.Refuse("CSE-130").At("email")
	}
	if a != b {
		return "", words.Refuse("CSE-131").At("email_ripetuta")
	}
	return a, nil
}

// tidyEmail trims, and lowers the case of the domain, the only part where case
// never matters.
func tidyEmail(s string) string {
	s = strings.TrimSpace(s)
	if at := strings.LastIndexByte(s, '@'); at >= 0 {
		return s[:at] + strings.ToLower(s[at:])
	}
	return s
}

// validEmail is stricter than RFC 5322: ASCII, no quotes or comments, a domain
// of at least two labels. The address goes into a mail's header: no room for
// anything odd.
func validEmail(s string) bool {
	if len(s) > 254 {
		return false
	}
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7F || strings.IndexByte(`"(),:;<>[\]`, s[i]) >= 0 {
			return false
		}
	}
	p, err := mail.ParseAddress(s)
	if err != nil || p.Address != s {
		return false
	}
	local, domain, _ := strings.Cut(s, "@")
	if len(local) > 64 || !strings.Contains(domain, ".") {
		return false
	}
	for _, label := range strings.Split(domain, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' ||
			strings.Trim(label, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			return false
		}
	}
	return true
}

// maskEmail is what papers and screens may show: g•••@e•••.it.
func maskEmail(s string) string {
	local, domain, ok := strings.Cut(s, "@")
	dot := strings.LastIndexByte(domain, '.')
	if !ok || local == "" || dot < 1 {
		return "•••"
	}
	return local[:1] + "•••@" + domain[:1] + "•••" + domain[dot:]
}
