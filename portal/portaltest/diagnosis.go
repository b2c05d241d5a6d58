package portaltest

import (
	"context"

	"cse.example/cse/card/diagnosis"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/helpdesk"
)

// lit is what the references of the stage say: the card's PIN is blocked.
var lit = diagnosis.Lights{
	diagnosis.Service: diagnosis.OK, diagnosis.Reader: diagnosis.OK, diagnosis.Card: diagnosis.Attention, diagnosis.Files: diagnosis.OK,
	diagnosis.Certificate: diagnosis.OK, diagnosis.Validity: diagnosis.OK, diagnosis.PIN: diagnosis.Fault, diagnosis.PUK: diagnosis.OK,
}

// diagnosed opens what holders found: lights by themselves, one report that was
// sent, and one whose time has passed.
func diagnosed(_ context.Context, said string) (helpdesk.Diagnosis, error) {
	ref, err := diagnosis.ParseReference(said)
	if err != nil {
		return helpdesk.Diagnosis{}, words.Refuse("CSE-563")
	}
	if l, ok := ref.Lights(); ok {
		return helpdesk.Diagnosis{Reference: ref, Lights: l}, nil
	}
	if ref != diagnosis.ForKept(1) {
		return helpdesk.Diagnosis{}, words.Refuse("CSE-816")
	}
	letter := diagnosis.Letter{
		Schema: diagnosis.LetterSchema, At: "2026-11-23T09:12:00Z", Program: "cse 1.0", System: "linux amd64", Reader: "ACS ACR38U-CCID", ATR: "3B80800101",
		Family: "TS-CNS ST 2021",
		Lines: []diagnosis.LetterLine{
			{Part: diagnosis.Service, State: diagnosis.OK},
			{Part: diagnosis.Reader, State: diagnosis.OK},
			{Part: diagnosis.Card, State: diagnosis.OK},
			{Part: diagnosis.Files, State: diagnosis.OK},
			{Part: diagnosis.Certificate, State: diagnosis.OK},
			{Part: diagnosis.Clock, State: diagnosis.Fault, Code: "CSE-305"},
			{Part: diagnosis.Validity, State: diagnosis.Attention, Code: "CSE-812"},
			{Part: diagnosis.PUK, State: diagnosis.Unknown},
			{Part: diagnosis.PIN, State: diagnosis.Unknown},
			{Part: diagnosis.Browser, State: diagnosis.Fault, Code: "CSE-814"},
		},
	}
	return helpdesk.Diagnosis{Reference: ref, Lights: letter.Lights(), Letter: &letter, At: Now}, nil
}
