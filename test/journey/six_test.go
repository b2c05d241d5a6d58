package journey

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/test/journey/inspect"
)

var cfInAddress = regexp.MustCompile(`(?i)[a-z]{6}[0-9lmnp-v]{2}[a-z][0-9lmnp-v]{2}[a-z][0-9lmnp-v]{3}[a-z]`)

// cast are the people of the six journeys: all but the parent with a card in the
// post, of the health unit whose counter the demonstration has.
type cast struct {
	adult, invalid, child person
	names                 map[string][2]string // codice fiscale → surname, name
	parent                person
	adultCodes            inspect.Codes
}

// theCast picks them from the registry's file and the cards in the post.
func (j *journey) theCast(t *testing.T) *cast {
	t.Helper()
	f, err := os.Open(filepath.Join(j.live.data, "people.csv"))
	ok(t, err)
	defer f.Close()
	r := csv.NewReader(f)
	r.FieldsPerRecord = -1
	rows, err := r.ReadAll()
	ok(t, err)
	c := &cast{names: map[string][2]string{}, parent: j.citizen}
	minors, adults := map[string]bool{}, map[string]bool{}
	today := civil.Today(civil.System{})
	for _, row := range rows[1:] {
		v := map[string]string{}
		for i, name := range rows[0] {
			if i < len(row) {
				v[name] = row[i]
			}
		}
		cf, born := v["codice_fiscale"], v["data_nascita"]
		c.names[cf] = [2]string{v["cognome"], v["nome"]}
		plain := v["cittadinanza"] == "IT" && v["tutela"] == "0" && v["data_decesso"] == "" && v["assistito_al"] == "" && len(cf) == 16 && v["asl"] == "201"
		minors[cf] = plain && born > today.AddYears(-17).String()
		adults[cf] = plain && born > "1955" && born < "2000"
	}
	for _, image := range j.delivered(t, 100) {
		if c.adult.cf != "" && c.invalid.cf != "" && c.child.cf != "" {
			break
		}
		var info struct {
			Card string `json:"card"`
			CF   string `json:"codice_fiscale"`
		}
		j.card(t, image, nil, "--json", "info").read(t, &info)
		p := person{cf: info.CF, card: info.Card, image: image}
		switch {
		case minors[p.cf] && c.child.cf == "":
			c.child = p
		case adults[p.cf] && c.adult.cf == "":
			c.adult = p
		case adults[p.cf] && c.invalid.cf == "":
			c.invalid = p
		}
	}
	if c.adult.cf == "" || c.invalid.cf == "" || c.child.cf == "" || c.names[c.parent.cf][0] == "" {
		t.Fatal("the registry has nobody for the six journeys")
	}
	return c
}

// sixJourneys (A, B, C, C7 and C16): what the counter and the holder do most, in a real Chromium over
// the real programs, every page photographed at two widths. The first is walked
// by keyboard alone, the second with scripts off, the last both ways.
func (j *journey) sixJourneys(t *testing.T) {
	who := j.theCast(t)
	c := j.startChromium(t)
	for _, step := range []struct {
		name string
		do   func(*journey, *testing.T, *chromium, *cast)
	}{
		{"activation by keyboard", (*journey).walkActivation},
		{"a minor, without scripts", (*journey).walkMinor},
		{"by delegate", (*journey).walkDelegate},
		{"codes again", (*journey).walkReprint},
		{"on hold, then lost", (*journey).walkLoss},
		{"revoked with the CIP, by keyboard without scripts", (*journey).walkCIP},
	} {
		t.Run(step.name, func(t *testing.T) { step.do(j, t, c, who) })
	}
	pictures, err := filepath.Glob(filepath.Join(shotsDir, "*", "*.png"))
	ok(t, err)
	if len(pictures) < 80 {
		t.Errorf("only %d pictures were taken", len(pictures))
	}
	t.Logf("%d pictures in %s", len(pictures), strings.TrimPrefix(shotsDir, "../../"))
}

// toDesk goes through a one-click entrance to the counter.
func (v *visitor) toDesk(entrance string) {
	v.t.Helper()
	v.goTo(demoURL + "/")
	v.press("#"+entrance, "")
	if !strings.HasSuffix(v.at.URL, "/sportello") {
		v.t.Fatalf("%s: at %s instead of the counter", v.journey, v.at.URL)
	}
}

// toSheet searches somebody.
func (v *visitor) toSheet(cf string) {
	v.t.Helper()
	v.fill("q", cf)
	v.send("/sportello/cerca", "")
	v.see(cf)
}

// toStep2 begins the activation of a card from its holder's sheet.
func (v *visitor) toStep2(p person) {
	v.t.Helper()
	v.press(`a[href*="/sportello/attivazione?"]`, "")
	v.shot("passo-1")
	v.fill("tessera_ultime_cinque", "00000")
	v.send("/sportello/attivazione", "CSE-132")
	v.shot("passo-1-rifiutato")
	v.fill("tessera_ultime_cinque", p.card[11:])
	v.send("/sportello/attivazione", "")
}

// document is an identity document, typed.
func (v *visitor) document() {
	v.t.Helper()
	today := civil.Today(civil.System{})
	v.pick("documento_tipo", "CIE")
	v.fill("documento_numero", "CA12345AA")
	v.fill("documento_ente", "COMUNE DI FIRENZE")
	v.fill("documento_rilascio", today.AddYears(-1).Italian())
	v.fill("documento_scadenza", today.AddYears(5).Italian())
}

// toAct fills in steps 3 and 4.
func (v *visitor) toAct(email string) {
	v.t.Helper()
	v.shot("passo-3")
	v.fill("email", email)
	v.fill("email_ripetuta", "x"+email)
	v.tick("consenso")
	v.send("/3", "CSE-131")
	v.shot("passo-3-rifiutato")
	v.fill("email_ripetuta", email)
	v.send("/3", "")
	v.shot("passo-4")
	v.send("/4", "")
	v.shot("pratica")
}

// handOver prints, ticks "consegnato e firmato", and answers the paper's file.
func (v *visitor) handOver() string {
	v.t.Helper()
	here := v.at.URL
	file := v.print()
	v.goTo(here)
	v.shot("stampata")
	v.tick("consegnato")
	v.send("/consegna", "")
	v.shot("conclusa")
	return file
}

// printed is what poppler reads on a paper.
func (v *visitor) printed(file string, want ...string) {
	v.t.Helper()
	text := strings.Join(strings.Fields(v.j.other(v.t, nil, "pdftotext", file, "-")), " ")
	for _, w := range want {
		if !strings.Contains(text, w) {
			v.t.Errorf("%s: no %q on the paper", v.journey, w)
		}
	}
}

// codesOf joins the halves of form and mail; they must be the chip's.
func (v *visitor) codesOf(file, email string, p person) inspect.Codes {
	v.t.Helper()
	first, second := v.j.halves(v.t, file, v.j.letterTo(v.t, email))
	codes := inspect.Join(first, second)
	v.j.codes = append(v.j.codes, codes)
	if chip := chipCodes(v.t, p.image); chip.PIN != codes.PIN || chip.PUK != codes.PUK {
		v.t.Errorf("%s: the papers' codes are not the chip's", v.journey)
	}
	return codes
}

func (j *journey) walkActivation(t *testing.T, c *chromium, who *cast) {
	const email = "attivata@posta.cse.localhost"
	p := who.adult
	v := j.begin(t, c, "1-attivazione", true, true)
	v.toDesk("entra-operatore")
	v.shot("sportello")
	v.toSheet(p.cf)
	v.shot("scheda")
	v.toStep2(p)
	v.shot("passo-2")
	v.choose("presente", "titolare")
	v.send("/2", "CSE-358")
	v.shot("passo-2-rifiutato")
	v.document()
	v.send("/2", "")
	v.toAct(email)
	who.adultCodes = v.codesOf(v.handOver(), email, p)
	if d, o := j.login(t, p.image, who.adultCodes.PIN); d.Refusal != nil || o.exit != 0 {
		t.Errorf("the card does not open the door: %s", o)
	}
}

func (j *journey) walkMinor(t *testing.T, c *chromium, who *cast) {
	const email = "genitore@posta.cse.localhost"
	p, parent := who.child, who.parent
	v := j.begin(t, c, "2-minore", false, false)
	v.toDesk("entra-asl")
	v.toSheet(p.cf)
	v.see("Minorenne")
	v.shot("scheda")
	v.toStep2(p)
	v.choose("presente", "titolare")
	v.document()
	v.send("/2", "CSE-120")
	v.shot("da-solo-rifiutato")
	v.choose("presente", "genitore")
	v.fill("rappresentante_cognome", who.names[parent.cf][0])
	v.fill("rappresentante_nome", who.names[parent.cf][1])
	v.fill("rappresentante_cf", parent.cf)
	v.send("/2", "CSE-410")
	v.shot("senza-tessera-rifiutato")
	v.fill("rappresentante_tessera", parent.card)
	v.tick("autocertificazione")
	v.send("/2", "")
	v.toAct(email)
	file := v.handOver()
	v.codesOf(file, email, p)
	v.printed(file, p.cf, parent.cf, "Autocertificazione")

	v = j.begin(t, c, "2-minore-area", false, false)
	v.goTo(demoURL + "/")
	v.press("#entra-cittadino", "")
	v.press(`a[href$="/tessera/figli"]`, "")
	v.see(who.names[p.cf][1])
	v.shot("figli-e-tutelati")
}

func (j *journey) walkDelegate(t *testing.T, c *chromium, who *cast) {
	const email = "delegante@posta.cse.localhost"
	p, delegate := who.invalid, who.parent
	v := j.begin(t, c, "3-delega", true, false)
	v.toDesk("entra-operatore")
	v.toSheet(p.cf)
	v.shot("scheda")
	v.toStep2(p)
	v.choose("presente", "delegato")
	v.fill("rappresentante_cognome", who.names[delegate.cf][0])
	v.fill("rappresentante_nome", who.names[delegate.cf][1])
	v.fill("rappresentante_cf", delegate.cf)
	v.document()
	v.send("/2", "CSE-121")
	v.shot("senza-impedimento-rifiutato")
	v.tick("salute")
	v.tick("delega")
	v.send("/2", "CSE-418")
	v.shot("senza-copia-rifiutato")
	v.tick("copia")
	v.send("/2", "")
	v.toAct(email)
	file := v.handOver()
	v.printed(file, p.cf, delegate.cf, "Delegato")
	who.invalid.codes = v.codesOf(file, email, p)
}

func (j *journey) walkReprint(t *testing.T, c *chromium, who *cast) {
	const email = "ristampa@posta.cse.localhost"
	p := who.adult
	v := j.begin(t, c, "4-ristampa", true, false)
	v.toDesk("entra-operatore")
	v.toSheet(p.cf)
	v.press(`a[href$="/ristampa"]`, "")
	v.shot("modulo")
	v.document()
	v.fill("tessera_ultime_cinque", p.card[11:])
	v.fill("email", email)
	v.fill("email_ripetuta", email)
	v.send("/ristampa", "CSE-441")
	v.shot("senza-motivo-rifiutata")
	v.fill("motivo", "il lettore non legge")
	v.send("/ristampa", "")
	v.shot("pratica")
	file := v.handOver()
	if again := v.codesOf(file, email, p); again != who.adultCodes {
		t.Error("the codes again are others than the first time")
	}
	v.printed(file, "Se hai cambiato il PIN, quello stampato qui non vale più")
}

func (j *journey) walkLoss(t *testing.T, c *chromium, who *cast) {
	p := who.adult
	today := civil.Today(civil.System{}).Italian()
	v := j.begin(t, c, "5-smarrimento", true, false)
	v.toDesk("entra-asl")
	v.toSheet(p.cf)
	v.press(`a[href$="/sospendi"]`, "")
	v.shot("sospendi")
	v.document()
	v.send("/sospendi", "")
	v.shot("sospesa")
	file := v.handOver()
	v.printed(file, "Ricevuta di sospensione", p.card)
	if d, o := j.login(t, p.image, who.adultCodes.PIN); d.Refusal == nil || d.Refusal.Code != "CSE-303" {
		t.Errorf("the card on hold at the door: %s", o)
	}
	v.goTo(portalURL + "/sportello")
	v.toSheet(p.cf)
	v.shot("scheda-sospesa")
	v.press(`a[href$="/smarrimento"]`, "")
	v.document()
	v.tick("indirizzo")
	v.send("/smarrimento", "CSE-430")
	v.shot("senza-denuncia-rifiutato")
	v.fill("denuncia_autorita", "Carabinieri di Firenze")
	v.fill("denuncia_numero", "AB/77")
	v.fill("denuncia_data", today)
	v.send("/smarrimento", "")
	v.shot("denunciata")
	file = v.handOver()
	v.printed(file, "Ricevuta di revoca e richiesta di duplicato", "Carabinieri di Firenze, AB/77", p.card)
	v.goTo(portalURL + "/sportello")
	v.toSheet(p.cf)
	v.shot("scheda-con-duplicato")
	if d, o := j.login(t, p.image, who.adultCodes.PIN); d.Refusal == nil || d.Refusal.Code != "CSE-302" {
		t.Errorf("the lost card at the door: %s", o)
	}
}

func (j *journey) walkCIP(t *testing.T, c *chromium, who *cast) {
	p := who.invalid
	if p.codes.CIP == "" {
		t.Fatal("no codes: the journey by delegate failed")
	}
	v := j.begin(t, c, "6-revoca-cip", false, true)
	v.goTo(portalURL + "/")
	v.shot("inizio")
	v.goTo(portalURL + "/revoca")
	v.shot("modulo")
	wrong := "0000000000"
	if wrong == p.codes.CIP {
		wrong = "0000000001"
	}
	cip := func(digits string) {
		t.Helper()
		v.fill("chi", p.cf)
		v.fill("cip", digits)
		v.tick("capito")
		v.tell(map[string]any{"do": "press", "at": `form[action$="/revoca"] button[type="submit"]`})
	}
	cip(wrong)
	if v.at.Code != "CSE-401" {
		t.Fatalf("a wrong CIP: %s %s", v.at.Code, v.at.Text)
	}
	v.shot("cip-errato")
	// A wrong CIP slows the next one down, by card and by source: others of this
	// run came from the same address.
	for deadline := time.Now().Add(patience); ; time.Sleep(time.Second) {
		if cip(p.codes.CIP); v.at.Code == "" {
			break
		}
		if v.at.Code != "CSE-402" || time.Now().After(deadline) {
			t.Fatalf("the right CIP: %s %s", v.at.Code, v.at.Text)
		}
	}
	v.shot("revocata")
	v.see("Fascicolo")
	if d, o := j.login(t, p.image, p.codes.PIN); d.Refusal == nil || d.Refusal.Code != "CSE-302" {
		t.Errorf("the revoked card at the door: %s", o)
	}
}
