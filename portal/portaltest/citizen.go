package portaltest

import (
	"context"
	"net/http"
	"strings"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/contacts"
	"cse.example/cse/issuer/entitlement"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/throttle"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
	"cse.example/cse/person/team"
	"cse.example/cse/portal"
)

// area plays the citizen's area. A change of address is under way for pending,
// waits for chipless; the codes are 123456 and 654321.
type area struct{ s *Stage }

func (a area) of(role string) codicefiscale.Code { return a.s.People[role].CF }

func (a area) Of(_ context.Context, cf codicefiscale.Code) (contacts.Contact, error) {
	c := contacts.Contact{CF: cf, Email: "mario@esempio.it", Lang: words.Italian, Notices: true}
	if cf == a.of("revoked") {
		c.Email = ""
	}
	return c, nil
}

func (a area) Prefer(context.Context, codicefiscale.Code, words.Lang, bool) error { return nil }

func (a area) Pending(_ context.Context, cf codicefiscale.Code) (*contacts.Change, error) {
	c := contacts.Change{New: "nuovo@esempio.it", Old: "giulia@esempio.it", Until: Now.Add(20 * time.Minute)}
	switch cf {
	case a.of("pending"):
		return &c, nil
	case a.of("chipless"):
		c.Lost, c.Effective = true, Now.Add(48*time.Hour)
		return &c, nil
	}
	return nil, nil
}

func (a area) Ask(_ context.Context, _ codicefiscale.Code, email, again string, _ bool) (contacts.Change, error) {
	switch {
	case !strings.Contains(email, "@"):
		return contacts.Change{}, words.Refuse("CSE-130").At("email")
	case email != again:
		return contacts.Change{}, words.Refuse("CSE-131").At("email_ripetuta")
	case strings.HasPrefix(email, "troppe"):
		return contacts.Change{}, throttle.Refuse("CSE-591", time.Minute)
	}
	return contacts.Change{New: email, Until: Now.Add(30 * time.Minute)}, nil
}

func (a area) Confirm(_ context.Context, _ codicefiscale.Code, one, two string) (contacts.Change, error) {
	switch {
	case one == "999999":
		return contacts.Change{}, words.Refuse("CSE-594")
	case one != "123456":
		return contacts.Change{}, words.Refuse("CSE-593", 4).At("codice_nuovo")
	case two != "654321":
		return contacts.Change{}, words.Refuse("CSE-593", 4).At("codice_attuale")
	}
	return contacts.Change{}, nil
}

func (a area) Cancel(context.Context, codicefiscale.Code) error { return nil }

// certificates plays issuer/entitlement: active has one of each standing.
type certificates struct{ s *Stage }

const certificateID = "0a1b2c3d-4e5f6071-8293a4b5-c6d7e8f"

func (x certificates) one(n string, from, to civil.Date) (entitlement.Certificate, error) {
	c := x.s.Cards["active"]
	b, err := team.New(x.s.People["active"], team.Number(c.TEAM), c.Expires)
	return entitlement.Certificate{ID: certificateID + n, CF: c.CF, Back: b, From: from, To: to, At: Now}, err
}

func (x certificates) NewRequest() (string, error) { return token, nil }

func (x certificates) Offer(_ context.Context, cf codicefiscale.Code) (entitlement.Offer, error) {
	for _, p := range x.s.People {
		if p.CF == cf && entitlement.Right(p, civil.DayOf(Now)) {
			return entitlement.Offer{From: civil.DayOf(Now), To: civil.DayOf(Now).AddDays(89)}, nil
		}
	}
	return entitlement.Offer{}, words.Refuse("CSE-600")
}

func (x certificates) Issue(_ context.Context, _ codicefiscale.Code, _ string, from, to civil.Date) (entitlement.Certificate, error) {
	if from.Before(civil.DayOf(Now)) {
		return entitlement.Certificate{}, words.Refuse("CSE-602", "23/11/2026", "20/02/2027").At("periodo_dal")
	}
	if to.Before(from) {
		return entitlement.Certificate{}, words.Refuse("CSE-603", "20/02/2027").At("periodo_al")
	}
	return x.one("0", from, to)
}

func (x certificates) IssueFor(ctx context.Context, _, cf codicefiscale.Code, request string, from, to civil.Date) (entitlement.Certificate, error) {
	return x.Issue(ctx, cf, request, from, to)
}

func (x certificates) Of(_ context.Context, cf codicefiscale.Code) ([]entitlement.Certificate, error) {
	if cf != x.s.People["active"].CF && cf != x.s.People["minor"].CF {
		return nil, nil
	}
	var out []entitlement.Certificate
	for _, n := range []string{"0", "1", "2", "3"} {
		c, err := x.one(n, civil.DayOf(Now), civil.DayOf(Now).AddDays(30))
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}

func (x certificates) Get(ctx context.Context, cf codicefiscale.Code, id string) (entitlement.Certificate, error) {
	mine, err := x.Of(ctx, cf)
	for _, c := range mine {
		if c.ID == id {
			return c, nil
		}
	}
	if err == nil {
		err = words.Refuse("CSE-002")
	}
	return entitlement.Certificate{}, err
}

func (x certificates) Standing(_ context.Context, c entitlement.Certificate) (entitlement.Standing, error) {
	return map[byte]entitlement.Standing{
		'0': entitlement.Good, '1': entitlement.NotYet, '2': entitlement.Over, '3': entitlement.Revoked,
	}[c.ID[len(c.ID)-1]], nil
}

func (x certificates) Verify(ctx context.Context, id, _ string) (entitlement.Shown, error) {
	c, err := x.Get(ctx, x.s.People["active"].CF, id)
	switch {
	case id == "troppe":
		return entitlement.Shown{}, throttle.Refuse("CSE-605", time.Minute)
	case err != nil:
		return entitlement.Shown{}, words.Refuse("CSE-604")
	}
	s := entitlement.Shown{Initials: "M. R.", Born: 1980, LastFour: "0012", From: c.From, To: c.To, Issued: c.At, CountryOfIssue: "IT"}
	s.Standing, err = x.Standing(ctx, c)
	return s, err
}

// area is everything of it; active has a daughter.
func (s *Stage) area() *portal.Area {
	a, c := area{s}, certificates{s}
	return &portal.Area{
		Book: a, Changes: a, Certificates: c, Check: c, ForWards: c,
		Paper: func(context.Context, words.Lang, entitlement.Certificate, string) ([]byte, error) {
			return []byte("%PDF-1.4 invented\n"), nil
		},
		PaperSays: func(_ words.Lang, c entitlement.Certificate, _ string) ([]portal.PaperBlock, error) {
			return []portal.PaperBlock{
				{Kind: "heading", Text: "Certificato sostitutivo provvisorio della TEAM"},
				{Kind: "section", Text: "Titolare"},
				{Kind: "fields", Pairs: [][2]string{{"3. Cognome", c.Back.Surname}, {"4. Nome", c.Back.Names}}},
				{Kind: "paragraph", Text: "Vale come la TEAM durante un soggiorno temporaneo."},
			}, nil
		},
		Proofs: func(_ context.Context, cf codicefiscale.Code, acts ...int64) ([]byte, error) {
			switch {
			case cf != a.of("active"):
				return nil, words.Refuse("CSE-002")
			case len(acts) > 0 && acts[0] == 99: // of an hour ago by the stage's clock, and in no head yet
				return nil, words.Refuse("CSE-981")
			}
			return []byte(`{"form":"cse.audit.proof/1"}`), nil
		},
		CodesToChange: func(_ context.Context, c lifecycle.Card) (bool, error) {
			return c.Reason == lifecycle.RepresentationEnded, nil
		},
		Wards: func(_ context.Context, cf codicefiscale.Code) ([]portal.Ward, error) {
			if cf != a.of("active") {
				return nil, nil
			}
			return []portal.Ward{{CF: a.of("minor"), Kind: string(registry.Parent), Until: day(2033, 5, 31), With: []string{"ANNA BIANCHI"}}}, nil
		},
		Given: func(_ context.Context, cf codicefiscale.Code) ([]portal.GivenNotice, error) {
			if cf != a.of("active") {
				return nil, nil
			}
			return []portal.GivenNotice{
				{At: Now, Protocol: "2026/0000003", Office: "ASL Firenze", Version: "1/2026"},
				{At: Now.AddDate(-1, 0, 0), Protocol: "2025/0000007", Version: "1/2025"},
				{At: Now.AddDate(-9, 0, 0), Protocol: "2017/0000001", Version: "0"},
			}, nil
		},
		Entered: func(context.Context, string) error { return nil },
	}
}

// areaStates are the pages of the area: empty, with errors, done.
func (s *Stage) areaStates() []State {
	page := func(name, path, who string) State {
		return State{Name: name, Host: "portal", Path: path, Who: who, Status: http.StatusOK}
	}
	post := func(name, path, who string, status int, fault string, pairs ...string) State {
		return State{Name: name, Host: "portal", Path: path, Who: who, Form: form(pairs...), Status: status, Fault: fault, Follow: fault == ""}
	}
	child := "/tessera/figli/" + s.Cards["minor"].ID + "/certificato-team"
	const mine, codes, cert = "/tessera/contatti", "/tessera/contatti/codici", "/tessera/certificato-team"
	return []State{
		page("area-figli", "/tessera/figli", "active"), page("area-figli-nessuno", "/tessera/figli", "pending"),
		page("area-attivita", "/tessera/attivita", "active"), page("area-attivita-vuota", "/tessera/attivita", "pending"),
		{Name: "area-prova-presto", Host: "portal", Path: "/tessera/attivita/prova?atto=99", Who: "active", Status: 503, Fault: "CSE-981"},
		{Name: "area-prova-altrui", Host: "portal", Path: "/tessera/attivita/prova?atto=17", Who: "pending", Status: 404, Fault: "CSE-002"},
		{Name: "area-prova-ignota", Host: "portal", Path: "/tessera/attivita/prova?atto=x", Who: "active", Status: 404, Fault: "CSE-002"},
		page("area-codici", "/tessera/codici", "active"), page("area-non-riconosco", "/tessera/non-riconosco", "active"),
		page("area-contatti", mine, "active"), page("area-contatti-nessuno", mine, "revoked"), page("area-contatti-attesa", mine, "chipless"),
		page("area-contatti-chiesto", mine, "pending"), page("area-contatti-fatto", mine+"?fatto", "active"), page("area-contatti-salvato", mine+"?salvato", "active"),
		post("area-contatti-vuoto", mine, "active", 422, "CSE-130"),
		post("area-contatti-diversi", mine, "active", 422, "CSE-131", "email", "a@esempio.it", "email_ripetuta", "b@esempio.it"),
		post("area-contatti-troppe", mine, "active", 429, "CSE-591", "email", "troppe@esempio.it", "email_ripetuta", "troppe@esempio.it"),
		post("area-contatti-chiedi", mine, "pending", 200, "", "email", "a@esempio.it", "email_ripetuta", "a@esempio.it"),
		post("area-contatti-lingua-ignota", mine+"/preferenze", "active", 422, "CSE-358", "lingua", "xx"),
		page("area-codici-cambio", codes, "pending"),
		post("area-codici-cambio-vuoti", codes, "pending", 422, "CSE-595"),
		post("area-codici-cambio-errato", codes, "pending", 422, "CSE-593", "codice_nuovo", "123456", "codice_attuale", "111111"),
		post("area-codici-cambio-annullato", codes, "pending", 422, "CSE-594", "codice_nuovo", "999999", "codice_attuale", "111111"),
		page("area-certificati", cert, "active"), page("area-certificati-nessuno", cert, "pending"), page("area-certificati-senza-diritto", cert, "chipless"),
		post("area-certificati-errore", cert, "active", 422, "CSE-602", "richiesta", token, "periodo_dal", "01/01/2020", "periodo_al", "02/01/2020"),
		post("area-certificati-vuoto", cert, "active", 422, "CSE-358", "richiesta", token),
		post("area-certificati-fatto", cert, "active", 200, "", "richiesta", token, "periodo_dal", "24/11/2026", "periodo_al", "30/11/2026"),
		page("area-certificato", cert+"/"+certificateID+"0", "active"),
		{Name: "area-certificato-altrui", Host: "portal", Path: cert + "/" + certificateID + "0", Who: "pending", Status: 404, Fault: "CSE-002"},
		page("figli-certificati", child, "active"),
		post("figli-certificati-errore", child, "active", 422, "CSE-602", "richiesta", token, "periodo_dal", "01/01/2020", "periodo_al", "02/01/2020"),
		post("figli-certificati-fatto", child, "active", 200, "", "richiesta", token, "periodo_dal", "24/11/2026", "periodo_al", "30/11/2026"),
		page("figli-certificato", child+"/"+certificateID+"0", "active"),
		{Name: "figli-certificati-altrui", Host: "portal", Path: child, Who: "pending", Status: 403, Fault: "CSE-608"},
		{Name: "figli-certificati-ignoti", Host: "portal", Path: "/tessera/figli/6999999999999999/certificato-team", Who: "active", Status: 404, Fault: "CSE-002"},
		page("verifica-team", "/verifica-team/"+certificateID+"0", ""), page("verifica-team-non-ancora", "/verifica-team/"+certificateID+"1", ""),
		page("verifica-team-finito", "/verifica-team/"+certificateID+"2", ""), page("verifica-team-revocato", "/verifica-team/"+certificateID+"3", ""),
		{Name: "verifica-team-ignoto", Host: "portal", Path: "/verifica-team/x", Status: 404, Fault: "CSE-604"},
		{Name: "verifica-team-troppe", Host: "portal", Path: "/verifica-team/troppe", Status: 429, Fault: "CSE-605"},
	}
}
