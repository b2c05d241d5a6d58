package login

import (
	"context"
	"net/url"

	"cse.example/cse/login/door"
)

// proofSession marks the flows that only prove a signature: no authorization
// session has such a name, so that their tickets bring nobody in.
const proofSession = "cse:proof"

// BeginProof asks for a signature of the card without a login: the browser with
// the cookie value browser goes to the address answered, and comes back to
// Config.ProofURL?ticket=…. A card of ours on hold is let through there, and
// nowhere else.
func (s *Service) BeginProof(ctx context.Context, browser string) (string, error) {
	flow, err := s.desk.Begin(ctx, browser, proofSession, door.ProofClient, "")
	if err != nil {
		return "", err
	}
	return s.cfg.CardURL + door.ProofPath + "?flow=" + url.QueryEscape(flow), nil
}

// TakeProof consumes the ticket, for that browser only, and tells the number of
// the card that signed. Refusals as handover.Desk.Take.
func (s *Service) TakeProof(ctx context.Context, ticket, browser string) (card string, err error) {
	id, err := s.desk.Take(ctx, ticket, browser, proofSession)
	return id.Card.ID, err
}
