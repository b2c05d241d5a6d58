package portaltest

import (
	"context"
	"net/http"

	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/declarations"
	"cse.example/cse/issuer/staff"
)

// checksRoom plays the checks of self-declarations: one waits with two papers, one
// without, one is the supervisor's own, one was decided.
type checksRoom struct{ s *Stage }

func (r checksRoom) row(protocol, kind string) declarations.Row {
	return declarations.Row{Protocol: protocol, Kind: kind, At: Now.AddDate(0, 0, -3), State: declarations.Open}
}

func (r checksRoom) Waiting(_ context.Context, op staff.Operator) ([]declarations.Line, error) {
	if op.Office.ID != "asl-1" {
		return nil, nil
	}
	return []declarations.Line{
		{Row: r.row("2026/0000003", "activation")},
		{Row: r.row("2026/0000004", "join")},
		{Row: r.row("2026/0000006", "activation"), Own: true},
	}, nil
}

func (r checksRoom) Case(_ context.Context, _ staff.Operator, protocol string) (declarations.Case, error) {
	child, mother := r.s.People["minor"], r.s.People["active"]
	c := declarations.Case{Row: r.row(protocol, "activation"), What: declarations.Declared{
		Protocol: protocol, Kind: "activation", Office: "Sportello ASL di Firenze", Operator: "Paola Ferrari", At: Now.AddDate(0, 0, -3),
		Holder:    declarations.Party{CF: child.CF, Surname: child.Surname, Name: child.Name, Born: child.Born},
		Declarant: declarations.Party{CF: mother.CF, Surname: mother.Surname, Name: mother.Name, Born: mother.Born},
		Quality:   "genitore", DocumentKind: "CIE", DocumentNumber: "CA00000AA", DocumentIssuer: "Comune di Firenze", DocumentExpires: day(2032, 3, 5),
	}}
	switch protocol {
	case "2026/0000003":
		c.What.Named = true
	case "2026/0000004":
		c.Kind, c.What.Quality, c.What.OnPaper, c.What.NoCard = "join", "tutore", true, "cittadina straniera"
	case "2026/0000005":
		c.State, c.DecidedBy, c.DecidedAt, c.Text = declarations.NotConfirmed, "vera", Now, "ANPR del Comune di residenza: altra maternità"
	case "2026/0000006":
		return c, words.Refuse("CSE-755")
	case "2026/0000007":
		return c, words.Refuse("CSE-754")
	default:
		return c, words.Refuse("CSE-760")
	}
	return c, nil
}

func (r checksRoom) Decide(ctx context.Context, op staff.Operator, protocol string, _ bool, note string) error {
	x, err := r.Case(ctx, op, protocol)
	switch {
	case err != nil:
		return err
	case x.State != declarations.Open:
		return words.Refuse("CSE-758", x.DecidedBy)
	case len(note) < 5:
		return words.Refuse("CSE-756").At("nota_controllo")
	}
	return nil
}

// declarationStates are the list and the cases: with and without papers, refused,
// decided, filled in wrongly.
func declarationStates() []State {
	const root, note = "/sportello/autocertificazioni", "ANPR del Comune di residenza"
	page := func(name, path string, status int, fault string) State {
		return State{Name: "controlli" + name, Host: "portal", Path: root + path, Who: "supervisor", Status: status, Fault: fault}
	}
	post := func(name, path, fault string, f ...string) State {
		s := page(name, path, http.StatusUnprocessableEntity, fault)
		if s.Form = form(f...); fault == "" {
			s.Status, s.Follow = http.StatusOK, true
		}
		return s
	}
	return []State{
		page("", "", 200, ""),
		page("-caso", "/2026/0000003", 200, ""),
		page("-caso-senza-carte", "/2026/0000004", 200, ""),
		page("-caso-deciso", "/2026/0000005", 200, ""),
		page("-proprio", "/2026/0000006", 403, "CSE-755"),
		page("-altrui", "/2026/0000007", 403, "CSE-754"),
		page("-ignoto", "/2026/0000099", 403, "CSE-760"),
		post("-senza-esito", "/2026/0000003", "CSE-757", "nota_controllo", note),
		post("-senza-nota", "/2026/0000003", "CSE-756", "esito_controllo", "confirmed"),
		post("-gia-deciso", "/2026/0000005", "CSE-758", "esito_controllo", "confirmed", "nota_controllo", note),
		post("-confermata", "/2026/0000003", "", "esito_controllo", "confirmed", "nota_controllo", note),
		post("-non-confermata", "/2026/0000003", "", "esito_controllo", "not-confirmed", "nota_controllo", note),
		post("-carta-senza-motivo", "/2026/0000003/carte/"+paperID, "CSE-522", "motivo", ""),
		{Name: "controlli-vietati", Host: "portal", Path: root, Who: "password", Status: 403, Fault: "CSE-003"},
	}
}
