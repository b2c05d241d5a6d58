package cardbase

import (
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"cse.example/cse/card/cns"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/team"
	"cse.example/cse/pki/ca"
)

// Columns is the header of the CSV, in order. Days are ISO 8601. The certificate
// is PEM or DER in base64; without it, its serial number in hexadecimal.
var Columns = []string{
	"numero_tessera", "numero_team", "codice_fiscale", "modello", "stato", "motivo", "emessa_il", "scade_il",
	"spedita_il", "attivata_il", "sospesa_il", "chiusa_il", "certificato", "seriale_certificato", "certificato_fino_al", "sostituisce",
}

var column = func() map[string]int {
	m := map[string]int{}
	for i, c := range Columns {
		m[c] = i
	}
	return m
}()

// states are those that a card of a base may have: it has left its maker.
var states = []lifecycle.State{
	lifecycle.Shipped, lifecycle.Delivered, lifecycle.Returned, lifecycle.Active, lifecycle.Suspended,
	lifecycle.Revoked, lifecycle.Expired, lifecycle.Replaced,
}

var reasons = map[lifecycle.State][]lifecycle.Reason{
	lifecycle.Suspended: {lifecycle.ByHolder, lifecycle.Loss, lifecycle.Theft},
	lifecycle.Revoked: {
		lifecycle.ByHolder, lifecycle.Loss, lifecycle.Theft, lifecycle.NotReceived, lifecycle.ChipFault,
		lifecycle.WrongData, lifecycle.CFChanged, lifecycle.Death, lifecycle.EndOfAssistance,
	},
	lifecycle.Replaced: {lifecycle.Renewal},
}

// ParseRow reads the fields of one row, in the order of Columns, and checks them
// as known on day today, without asking anybody. All that is wrong is reported.
func ParseRow(fields []string, by Issuer, today civil.Date) (lifecycle.Card, []*words.Fault) {
	if len(fields) != len(Columns) {
		return lifecycle.Card{}, []*words.Fault{words.Refuse("CSE-169", fmt.Sprintf("%d/%d", len(fields), len(Columns)))}
	}
	r := row{fields: fields}
	c := lifecycle.Card{Issuer: by.ID, ExpiryReason: WhyBase}
	c.State = oneOf(&r, "stato", states)
	c.Model = oneOf(&r, "modello", []lifecycle.Model{lifecycle.TSCNS, lifecycle.TS})
	if list := reasons[c.State]; list != nil {
		c.Reason = oneOf(&r, "motivo", list)
	} else if r.text("motivo") != "" && c.State != "" {
		r.refuse("motivo", "CSE-626", clip(r.text("motivo")))
	}
	r.numbers(&c)
	r.days(&c, today)
	r.certificate(&c, by)
	return c, r.faults
}

type row struct {
	fields []string
	faults []*words.Fault
}

func (r *row) text(name string) string { return strings.TrimSpace(r.fields[column[name]]) }

func (r *row) refuse(name, code string, args ...any) {
	r.faults = append(r.faults, words.Refuse(code, args...).At(name))
}

func clip(s string) string {
	if c := []rune(s); len(c) > 40 {
		return string(c[:40]) + "…"
	}
	return s
}

func oneOf[T ~string](r *row, name string, list []T) T {
	s := r.text(name)
	i := slices.IndexFunc(list, func(x T) bool { return strings.EqualFold(string(x), s) })
	switch {
	case s == "":
		r.refuse(name, "CSE-105", name)
	case i < 0:
		r.refuse(name, "CSE-626", clip(s))
	default:
		return list[i]
	}
	return ""
}

func (r *row) numbers(c *lifecycle.Card) {
	id, err := cns.ParseCardID(r.text("numero_tessera"))
	if err != nil {
		r.refuse("numero_tessera", "CSE-622")
	}
	c.ID = string(id)
	c.TEAM = strings.ReplaceAll(r.text("numero_team"), " ", "")
	if _, err := team.Parse(c.TEAM); c.TEAM != "" && err != nil {
		r.refuse("numero_team", "CSE-623")
	} else if c.TEAM == "" && c.ID != "" {
		c.TEAM = id.TEAM()
	}
	if r.text("codice_fiscale") == "" {
		r.refuse("codice_fiscale", "CSE-105", "codice_fiscale")
	} else if c.CF, err = codicefiscale.Parse(r.text("codice_fiscale")); err != nil {
		if f := words.FaultOf(err); f != nil {
			r.faults = append(r.faults, f.At("codice_fiscale"))
		}
	}
	if s := r.text("sostituisce"); s != "" {
		old, err := cns.ParseCardID(s)
		if err != nil || old == id {
			r.refuse("sostituisce", "CSE-622")
		}
		c.Replaces = string(old)
	}
}

func (r *row) day(name string, wanted bool) civil.Date {
	s := r.text(name)
	if s == "" {
		if wanted {
			r.refuse(name, "CSE-105", name)
		}
		return civil.Date{}
	}
	d, err := civil.ParseISO(s)
	if err != nil {
		r.refuse(name, "CSE-106", clip(s))
	}
	return d
}

// days reads the dates and puts them in the order of a life.
func (r *row) days(c *lifecycle.Card, today civil.Date) {
	used := c.State == lifecycle.Active || c.State == lifecycle.Suspended
	c.Issued, c.Expires = r.day("emessa_il", true), r.day("scade_il", true)
	sent, active := r.day("spedita_il", false), r.day("attivata_il", used)
	held, ended := r.day("sospesa_il", c.State == lifecycle.Suspended), r.day("chiusa_il", c.State.Final())
	if c.Issued.IsZero() || c.Expires.IsZero() {
		return
	}
	if sent.IsZero() {
		sent = c.Issued
	}
	if c.Expires.Before(c.Issued) {
		r.refuse("scade_il", "CSE-629")
	}
	last, name := c.Issued, "emessa_il"
	for _, x := range []struct {
		name string
		day  civil.Date
	}{{"spedita_il", sent}, {"attivata_il", active}, {"sospesa_il", held}, {"chiusa_il", ended}} {
		if x.day.IsZero() {
			continue
		}
		if x.day.Before(last) {
			r.refuse(x.name, "CSE-629")
		}
		last, name = x.day, x.name
	}
	switch {
	case last.After(today):
		r.refuse(name, "CSE-629")
	case !active.IsZero() && (c.Model == lifecycle.TS || !used && !c.State.Final()):
		r.refuse("attivata_il", "CSE-629")
	case !held.IsZero() && c.State != lifecycle.Suspended && !c.State.Final():
		r.refuse("sospesa_il", "CSE-629")
	case !ended.IsZero() && !c.State.Final():
		r.refuse("chiusa_il", "CSE-629")
	}
	c.OrderedAt, c.ShippedAt = c.Issued.Start(), sent.Start()
	if c.State == lifecycle.Delivered || used {
		c.DeliveredAt = sent.Start()
	}
	for _, x := range []struct {
		day civil.Date
		do  func()
	}{
		{active, func() { c.ActivatedAt = active.Start() }},
		{held, func() { c.SuspendedAt = held.Start() }},
		{ended, func() { c.EndedAt = ended.Start() }},
	} {
		if !x.day.IsZero() {
			x.do()
		}
	}
	if c.State == lifecycle.Revoked {
		c.RevokedAt = c.EndedAt
	}
}

// certificate reads the certificate, or its serial number and last day.
func (r *row) certificate(c *lifecycle.Card, by Issuer) {
	text, serial := r.text("certificato"), r.text("seriale_certificato")
	c.CertExpires = r.day("certificato_fino_al", false)
	if c.Model == lifecycle.TS {
		if c.State == lifecycle.Active || c.State == lifecycle.Suspended {
			r.refuse("stato", "CSE-626", string(c.State))
		}
		if text != "" || serial != "" || !c.CertExpires.IsZero() {
			r.refuse("certificato", "CSE-628", "TS")
		}
		return
	}
	if serial != "" {
		n, ok := new(big.Int).SetString(serial, 16)
		if !ok || n.Sign() <= 0 || n.BitLen() > 160 {
			r.refuse("seriale_certificato", "CSE-628", clip(serial))
			return
		}
		c.CertSerial = serialOf(n)
	}
	if text != "" {
		r.whole(c, by, text)
	} else if serial == "" && !c.State.Final() {
		r.refuse("certificato", "CSE-105", "certificato")
	}
}

// serialOf is the form of the records: 32 hexadecimal digits at least.
func serialOf(n *big.Int) string { return fmt.Sprintf("%032x", n) }

// whole reads a certificate and holds it against its issuer and the row.
func (r *row) whole(c *lifecycle.Card, by Issuer, text string) {
	refuse := func(why string) { r.refuse("certificato", "CSE-628", why) }
	der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	if p, _ := pem.Decode([]byte(text)); p != nil {
		der, err = p.Bytes, nil
	}
	if err != nil {
		refuse("base64")
		return
	}
	x, err := x509.ParseCertificate(der)
	if err != nil {
		refuse("X.509")
		return
	}
	if err := x.CheckSignatureFrom(by.Certificate); err != nil {
		refuse("issuer")
		return
	}
	name, err := cns.ParseCommonName(x.Subject.CommonName)
	if err != nil || string(name.ID) != c.ID || name.CF != string(c.CF) {
		refuse("CN")
		return
	}
	if serial := ca.SerialOf(x); c.CertSerial != "" && c.CertSerial != serial {
		refuse("serial")
		return
	}
	c.CertSerial = ca.SerialOf(x)
	if until := civil.DayOf(x.NotAfter); c.CertExpires.IsZero() {
		c.CertExpires = until
	} else if c.CertExpires != until {
		r.refuse("certificato_fino_al", "CSE-629")
	}
}
