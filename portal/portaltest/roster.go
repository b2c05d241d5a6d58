package portaltest

import (
	"context"
	"crypto/rand"
	"log/slog"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"cse.example/cse/ground/journal"
	"cse.example/cse/issuer/approval"
	"cse.example/cse/issuer/roster"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/issuer/throttle"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/portal"
)

// rosterStore keeps the roster in memory.
type rosterStore struct {
	version    int64
	offices    map[string]roster.OfficeRow
	accounts   map[string]roster.AccountRow
	enrolments map[string]roster.EnrolmentRow
}

func (s *rosterStore) Version(context.Context) (int64, error) { return s.version, nil }
func (s *rosterStore) Bump(context.Context) error             { s.version++; return nil }

func (s *rosterStore) Offices(context.Context) ([]roster.OfficeRow, error) {
	return slices.Collect(maps.Values(s.offices)), nil
}

func (s *rosterStore) PutOffice(_ context.Context, r roster.OfficeRow) error {
	s.offices[r.ID] = r
	return nil
}

func (s *rosterStore) Accounts(context.Context) ([]roster.AccountRow, error) {
	return slices.Collect(maps.Values(s.accounts)), nil
}

func (s *rosterStore) GetAccount(_ context.Context, account string) (roster.AccountRow, error) {
	r, ok := s.accounts[account]
	if !ok {
		return r, roster.ErrNone
	}
	return r, nil
}

func (s *rosterStore) PutAccount(_ context.Context, r roster.AccountRow) error {
	s.accounts[r.Account] = r
	return nil
}

func (s *rosterStore) GetEnrolment(_ context.Context, account string) (roster.EnrolmentRow, error) {
	r, ok := s.enrolments[account]
	if !ok {
		return r, roster.ErrNone
	}
	return r, nil
}

func (s *rosterStore) PutEnrolment(_ context.Context, r roster.EnrolmentRow) error {
	s.enrolments[r.Account] = r
	return nil
}

func (s *rosterStore) DeleteEnrolment(_ context.Context, account string) error {
	delete(s.enrolments, account)
	return nil
}

// noTries never slows anybody down.
type noTries struct{}

func (noTries) Get(context.Context, string) (throttle.Row, error) { return throttle.Row{}, nil }
func (noTries) Put(context.Context, string, throttle.Row) error   { return nil }
func (noTries) Clear(context.Context, string) error               { return nil }
func (noTries) Prune(context.Context, time.Time) (int64, error)   { return 0, nil }

// rosterOf is the roster of the stage: Paola has to be looked at again, Nora and
// Olga wait for their first access, Piero was proposed.
func (s *Stage) rosterOf(dir *staff.Directory, d portal.Deps) (*roster.Room, error) {
	st := &rosterStore{version: 1, offices: map[string]roster.OfficeRow{}, accounts: map[string]roster.AccountRow{}, enrolments: map[string]roster.EnrolmentRow{}}
	r, err := roster.New(roster.Deps{
		Store: st, Directory: dir, Seal: s.seal, Tries: noTries{}, Atomically: d.Atomically, Record: func(context.Context, journal.Entry) error { return nil },
		Clock: s.Clock, Rand: rand.Reader, Log: slog.New(slog.DiscardHandler), ReviewDays: func(context.Context) (int, error) { return 180, nil },
	})
	if err != nil {
		return nil, err
	}
	r.Asks(func(_ context.Context, op staff.Operator, kind, subject string, content []byte, note string) (approval.Request, error) {
		return approval.Request{ID: "tre", Kind: kind, Subject: subject, Content: content, Note: note, AskedBy: op.Account, AskedAt: Now, Expires: Now.AddDate(0, 0, 7)}, nil
	})
	ctx := context.Background()
	elena, err := dir.OperatorByAccount("security")
	if err != nil {
		return nil, err
	}
	for i, name := range []string{"nora", "olga", "piero"} {
		cf, err := codicefiscale.Compute(codicefiscale.Person{Surname: "Sala", Name: name, Born: day(1990, 2, 2+i), Sex: codicefiscale.Female, Belfiore: "D612"})
		if err != nil {
			return nil, err
		}
		a := staff.Account{
			Account: name, Name: strings.ToUpper(name[:1]) + name[1:] + " Sala", CF: string(cf), Roles: []staff.Role{staff.RoleOperator}, Offices: []string{"asl-1"},
			ContractEnd: day(2027, 6, 30),
		}
		q, err := r.Propose(ctx, elena, a, "nuova assunzione")
		if err != nil {
			return nil, err
		}
		if s.hiring = q; name == "piero" {
			continue
		}
		q.DecidedBy = "marta"
		for _, k := range r.Kinds() {
			if k.Name == roster.KindSave {
				if err := k.Done(ctx, q); err != nil {
					return nil, err
				}
			}
		}
	}
	half, err := r.Half(ctx, elena, "nora")
	if err != nil {
		return nil, err
	}
	s.half = string(half.Reveal())
	// What the other half is, the stage knows as the holder would: drawn by marta.
	other, err := r.Half(ctx, staff.Operator{Account: "marta"}, "nora")
	if err != nil {
		return nil, err
	}
	s.otherHalf = string(other.Reveal())
	return r, r.Fresh(ctx)
}

// officeFile is a file of offices with two faults.
func officeFile() string {
	return strings.Join(roster.OfficeColumns, ";") + "\nasl-3;ASL;Distretto 3;D612;203;no;;;lun-ven 08:30-13:00;;si;\nfar-1;CHIOSCO;Farmacia;D612;;no;;;;;;\nfar-2;FARMACIA;Farmacia;D612;;no;;;presto;;;\n"
}

// rosterStates are the pages of who works here: empty, with errors, done.
func (s *Stage) rosterStates() []State {
	const people, offices = "/gestione/operatori", "/gestione/uffici"
	page := func(name, path, who string) State {
		return State{Name: name, Host: "portal", Path: path, Who: who, Status: 200}
	}
	post := func(name, path, who string, status int, fault string, f url.Values) State {
		return State{Name: name, Host: "portal", Path: path, Who: who, Status: status, Fault: fault, Form: f, Follow: status == 200}
	}
	operator := form("account", "nuovo", "nome", "Nuovo Operatore", "codice_fiscale", string(s.People["cardless"].CF), "ruoli", "operator", "uffici", "asl-1", "motivo_richiesta", "assunzione")
	but := func(f url.Values, name, value string) url.Values { f = maps.Clone(f); f.Set(name, value); return f }
	office := form("id", "urp-7", "tipo", "URP", "nome", "URP", "orari", "lun 09:00-12:00")
	return []State{
		page("operatori", people, "security"), page("operatori-revisore", people, "auditor"), page("operatori-da-riesaminare", people+"?stato=due", "security"),
		page("operatori-nessuno", people+"?stato=disabled", "security"), page("operatori-chiesto", people+"?fatto=chiesto", "security"),
		{Name: "operatori-vietati", Host: "portal", Path: people, Who: "password", Status: 403, Fault: "CSE-003"},
		page("operatore-nuovo", people+"/nuovo", "security"), page("operatore", people+"/paola", "security"), page("operatore-primo-accesso", people+"/olga", "security"),
		page("operatore-proprio", people+"/security", "security"), page("operatore-revisore", people+"/paola", "auditor"),
		post("operatore-vuoto", people, "security", 422, "CSE-358", form()),
		post("operatore-ufficio-ignoto", people, "security", 422, "CSE-506", but(operator, "uffici", "asl-9")),
		post("operatore-senza-ruolo", people, "security", 422, "CSE-501", but(operator, "ruoli", "capo")),
		post("operatore-proposto", people, "security", 200, "", operator),
		post("operatore-disattivato-senza-motivo", people+"/paola/disattiva", "security", 422, "CSE-546", form()),
		post("operatore-riesaminato", people+"/paola/rivedi", "security", 200, "", form()),
		post("operatore-azzera", people+"/paola/azzera", "security", 200, "", form("motivo_richiesta", "telefono perduto")),
		{Name: "operatore-meta", Host: "portal", Path: people + "/olga/meta", Who: "security", Form: form(), Status: 200},
		{Name: "operatore-meta-altrui", Host: "portal", Path: people + "/paola/meta", Who: "security", Form: form(), Status: 403, Fault: "CSE-507"},
		page("uffici", offices, "security"), page("uffici-revisore", offices, "auditor"), page("uffici-importati", offices+"?fatto=importato", "security"),
		page("ufficio-nuovo", offices+"/nuovo", "security"), page("ufficio", offices+"/asl-1", "security"), page("ufficio-revisore", offices+"/asl-1", "auditor"),
		post("ufficio-vuoto", offices, "security", 422, "CSE-358", form()),
		post("ufficio-orari-errati", offices, "security", 422, "CSE-515", but(office, "orari", "quando capita")),
		post("ufficio-salvato", offices, "security", 200, "", office),
		{Name: "uffici-file-errato", Host: "portal", Path: offices + "/importa", Who: "security", File: officeFile(), Form: form(), Status: 422, Fault: "CSE-511"},
		{Name: "operatori-file-altrui", Host: "portal", Path: people + "/importa", Who: "security", File: "a;b\n", Form: form("motivo_richiesta", "nuovi"), Status: 422, Fault: "CSE-502"},
		{Name: "uffici-senza-file", Host: "portal", Path: offices + "/importa", Who: "security", File: "-", Form: form(), Status: 422, Fault: "CSE-514"},
		page("primo-accesso", "/primo-accesso", ""), page("primo-accesso-fatto", "/primo-accesso?fatto=si", ""),
		{Name: "primo-accesso-vuoto", Host: "portal", Path: "/primo-accesso", Form: form(), Status: 422, Fault: "CSE-358"},
		{Name: "primo-accesso-errato", Host: "portal", Path: "/primo-accesso", Status: 422, Fault: "CSE-508", Form: form(
			"account", "nora", "meta_uno", "AAAAAAAAAA", "meta_due", "BBBBBBBBBB", "password", "una frase lunga", "password_ripetuta", "una frase lunga")},
		{Name: "primo-accesso-password-diverse", Host: "portal", Path: "/primo-accesso", Status: 422, Fault: "CSE-379", Form: form(
			"account", "nora", "meta_uno", "AAAAAAAAAA", "meta_due", "BBBBBBBBBB", "password", "una frase lunga", "password_ripetuta", "un'altra frase")},
		{Name: "primo-accesso-codice", Host: "portal", Path: "/primo-accesso", Status: 200, Form: form(
			"account", "nora", "meta_uno", s.half, "meta_due", s.otherHalf, "password", "una frase lunga", "password_ripetuta", "una frase lunga")},
		page("scelta-ufficio", "/sportello/ufficio", "password"),
		{Name: "scelta-ufficio-altrui", Host: "portal", Path: "/sportello/ufficio", Who: "password", Form: form("ufficio", "asl-9"), Status: 403, Fault: "CSE-147"},
	}
}

// hireRequest is a proposal as it waits for a second person.
func (s *Stage) hireRequest() approval.Request {
	q := s.hiring
	q.Note, q.AskedBy = "nuova assunzione", "elena"
	return q
}
