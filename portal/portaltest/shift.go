package portaltest

import (
	"context"
	"net/http"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/staff"
)

// shift is a day with three acts, one of them without signature, another without its scans; the day before
// there was none.
func shift(_ context.Context, _ staff.Operator, day civil.Date) ([]counter.ShiftLine, error) {
	if day.Before(civil.DayOf(Now)) {
		return nil, nil
	}
	at := func(minutes int) time.Time { return Now.Add(time.Duration(minutes) * time.Minute) }
	return []counter.ShiftLine{
		{Protocol: "2026/0000001", Card: "6000000900001001", Kind: counter.KindActivation, At: at(0), PrintedAt: at(1), HandedAt: at(3), Scans: 2},
		{Protocol: "2026/0000002", Card: "6000000900001001", Kind: counter.KindReprint, At: at(20), PrintedAt: at(21)},
		{Protocol: "2026/0000003", Card: "6000000900001001", Kind: counter.KindReferral, At: at(40)},
	}, nil
}

// shiftStates are the report at the end of a shift.
func shiftStates() []State {
	return []State{
		{Name: "turno", Host: "portal", Path: "/sportello/turno", Who: "password", Status: http.StatusOK},
		{Name: "turno-vuoto", Host: "portal", Path: "/sportello/turno?giorno=2020-01-02", Who: "password", Status: http.StatusOK},
		{Name: "turno-giorno-errato", Host: "portal", Path: "/sportello/turno?giorno=ieri", Who: "password", Status: http.StatusForbidden, Fault: "CSE-359"},
	}
}
