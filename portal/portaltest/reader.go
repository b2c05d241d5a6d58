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
	return &portal.Readers{Reader: deskReader{s}, ToWrite: func(_ context.Context, a counter.Act) (bool, error) { return a.Kind == counter.KindNewCodes, nil }}
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
	return []State{
		page("lettura-attesa", "/sportello/lettura/legge?atto=ristampa", 200, ""), page("scrittura-attesa", "/sportello/lettura/scrive", 200, ""),
		page("lettura-altra-tessera", "/sportello/lettura/altra", 422, "CSE-475"), page("scrittura-guasta", "/sportello/lettura/guasto", 422, "CSE-479"),
		page("lettura-ignota", "/sportello/lettura/nessuna", 404, "CSE-002"), letta, chiesta, scritta,
		page("atto-nuovi-codici", card+"/nuovi-codici", 200, ""), page("pratica-da-scrivere", "/sportello/pratica/2026/0000006", 200, ""),
	}
}
