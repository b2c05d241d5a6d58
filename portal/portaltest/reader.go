package portaltest

import (
	"context"

	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
	readers "cse.example/cse/issuer/desk"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/portal"
)

// deskReader plays the reader on the counter.
type deskReader struct{ s *Stage }

func (s *Stage) readers() *portal.Readers {
	return &portal.Readers{
		Reader: deskReader{s}, ToWrite: func(_ context.Context, a counter.Act) (bool, error) { return a.Kind == counter.KindNewCodes, nil },
		MayActivate: func(context.Context, staff.Operator, string) error { return nil }, Tested: tested,
	}
}

// tested is what the reader found of a chip, by the name of the job.
func tested(_ context.Context, _ staff.Operator, job, _ string) (counter.Lights, error) {
	l := counter.Lights{ATR: true, Files: true, Certificate: true, PIN: true, PUK: true, Number: true, Answer: "3BFF1800008131FE45"}
	switch job {
	case "muto":
		l = counter.Lights{PIN: true, PUK: true}
	case "illeggibile":
		l.Files = false
	case "pin-bloccato":
		l.PIN = false
	case "funziona":
	default:
		return l, words.Refuse("CSE-474")
	}
	return l, nil
}

func (r deskReader) At(string) []readers.Desk {
	return []readers.Desk{{ID: "a", Name: "Postazione A", Office: "asl-1"}, {ID: "b", Name: "Postazione B", Office: "asl-1"}}
}

func (r deskReader) Ask(_ context.Context, _ staff.Operator, kind readers.Kind, card, protocol, _ string) (readers.Job, error) {
	return readers.Job{ID: "legge", Kind: kind, Card: card, Protocol: protocol, State: readers.Waiting}, nil
}

func (r deskReader) Find(_ context.Context, _ staff.Operator, id string) (readers.Job, error) {
	j := readers.Job{ID: id, Kind: readers.Read, Card: r.s.Cards["active"].ID, Protocol: "2026/0000006", State: readers.Waiting}
	switch id {
	case "legge":
	case "scrive":
		j.Kind = readers.Write
	case "altra":
		j.State, j.Outcome = readers.Failed, "CSE-475"
	case "guasto":
		j.State, j.Outcome = readers.Failed, "CSE-213"
	case "letta":
		j.State, j.Outcome = readers.Done, j.Card
	case "letta-attivazione":
		j.State, j.Card = readers.Done, r.s.Cards["pending"].ID
		j.Outcome = j.Card
	case "prova":
		j.Kind = readers.Test
	case "tardi":
		j.Kind, j.State, j.Outcome = readers.Test, readers.Failed, "CSE-472"
	case "muto", "illeggibile", "pin-bloccato", "funziona":
		j.Kind, j.State = readers.Test, readers.Done
	default:
		return j, words.Refuse("CSE-002")
	}
	return j, nil
}

// readerStates are the pages of the counter's reader.
func (s *Stage) readerStates() []State {
	page := func(name, path string, status int, fault string) State {
		return State{Name: name, Host: "portal", Path: path, Who: "password", Status: status, Fault: fault}
	}
	card := "/sportello/tessera/" + s.Cards["active"].ID
	letta := page("lettura-fatta", "/sportello/lettura/letta?atto=nuovi-codici", 200, "")
	letta.Follow = true
	chiesta := page("lettura-chiesta", card+"/lettura/ristampa", 200, "")
	chiesta.Follow, chiesta.Form = true, form()
	scritta := page("scrittura-chiesta", "/sportello/pratica/2026/0000006/chip", 200, "")
	scritta.Follow, scritta.Form = true, form()
	activation := page("passo-1-chiesta", "/sportello/attivazione/lettura", 200, "")
	activation.Follow, activation.Form = true, form("tessera", s.Cards["pending"].ID)
	read := page("passo-1-letta", "/sportello/lettura/letta-attivazione?atto=attivazione", 200, "")
	read.Follow = true
	unsaid := page("passo-1-senza-motivo", "/sportello/attivazione", 422, "CSE-441")
	unsaid.Form = form("tessera", s.Cards["pending"].ID, "tessera_ultime_cinque", s.Cards["pending"].ID[11:])
	asked := page("prova-chiesta", card+"/lettura/chip-guasto", 200, "")
	asked.Follow, asked.Form = true, form()
	var out []State
	for _, job := range []string{"muto", "illeggibile", "pin-bloccato", "funziona"} {
		x := page("prova-"+job, "/sportello/lettura/"+job, 200, "")
		x.Follow = true
		out = append(out, x)
	}
	return append(
		out, activation, read, unsaid, asked,
		page("prova-attesa", "/sportello/lettura/prova", 200, ""), page("prova-tardi", "/sportello/lettura/tardi", 422, "CSE-472"),
		page("lettura-attesa", "/sportello/lettura/legge?atto=ristampa", 200, ""), page("scrittura-attesa", "/sportello/lettura/scrive", 200, ""),
		page("lettura-altra-tessera", "/sportello/lettura/altra", 422, "CSE-475"), page("scrittura-guasta", "/sportello/lettura/guasto", 422, "CSE-479"),
		page("lettura-ignota", "/sportello/lettura/nessuna", 404, "CSE-002"), letta, chiesta, scritta,
		page("atto-nuovi-codici", card+"/nuovi-codici", 200, ""), page("pratica-da-scrivere", "/sportello/pratica/2026/0000006", 200, ""),
	)
}
