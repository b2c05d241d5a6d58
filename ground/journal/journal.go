// Package journal is the vocabulary of the audit trail: what a room says when
// an act has been done. The rooms call a Recorder inside the act's own
// transaction; engine/audit keeps the entries, each a leaf of one log.
//
// An Entry names people only through identifiers that the audit store turns
// into keyed pseudonyms (Subject), or by operator account. It never carries a
// code, a document number or an e-mail address.
package journal

import "context"

// Entry is one act.
type Entry struct {
	// Act names what was done, noun.verb: "card.activated", "certificate.revoked".
	Act string
	// Actor is who did it: an operator's account name, "holder", "system:production".
	Actor string
	// Office is the counter's identifier, empty when there is none.
	Office string
	// Card is the 16-digit card number, empty when the act concerns no card.
	Card string
	// Person is the codice fiscale concerned; the store keeps a pseudonym only.
	Person string
	// Detail are further facts, never personal data and never secrets.
	Detail map[string]string
}

// Recorder writes e in the transaction that ctx carries.
type Recorder func(ctx context.Context, e Entry) error
