package signature

import (
	"time"

	"cse.example/cse/ground/words"
)

// Verdict is what a signature comes to (ETSI EN 319 102-1, 5.1.3).
type Verdict string

// The verdicts: TOTAL-PASSED, TOTAL-FAILED, INDETERMINATE.
const (
	Valid    Verdict = "valid"
	Invalid  Verdict = "invalid"
	Unproved Verdict = "unproved"
)

// Standing is how a certificate stands at an instant.
type Standing string

// The standings.
const (
	Good        Standing = "good"
	NotYetValid Standing = "not-yet-valid"
	Expired     Standing = "expired"
	Suspended   Standing = "suspended"
	Revoked     Standing = "revoked"
	// NotActive: issued, its card not activated yet.
	NotActive Standing = "not-activated"
	// Untrusted: no path to an issuer that is known here.
	Untrusted Standing = "untrusted"
	// Unknown: nobody could say.
	Unknown Standing = "unknown"
)

// At is a Standing at an instant; Since is when it began, when known.
type At struct {
	Instant  time.Time  `json:"instant"`
	Standing Standing   `json:"standing"`
	Since    *time.Time `json:"since,omitempty"`
}

// Person is whom the certificate names.
type Person struct {
	CF      string `json:"codice_fiscale,omitempty"`
	Surname string `json:"surname,omitempty"`
	Name    string `json:"name,omitempty"`
	// CommonName is the certificate's own, as it is.
	CommonName string    `json:"common_name"`
	Issuer     string    `json:"issuer"`
	Serial     string    `json:"serial"`
	NotBefore  time.Time `json:"not_before"`
	NotAfter   time.Time `json:"not_after"`
}

// Finding is one signature.
type Finding struct {
	Verdict Verdict `json:"verdict"`
	// Intact: the document is the one that was signed.
	Intact bool `json:"intact"`
	// Code is the CSE code of the reason when it is not valid.
	Code string `json:"code,omitempty"`
	// Form is the format and the level reached: "PAdES-B".
	Form   string  `json:"form"`
	Level  Level   `json:"level"`
	Signer *Person `json:"signer,omitempty"`
	// Claimed is the time that the signer's program wrote; Stamped that of a
	// time-stamp by an authority believed here.
	Claimed *time.Time `json:"claimed_time,omitempty"`
	Stamped *time.Time `json:"stamped_time,omitempty"`
	// StampRefused: there is a time-stamp that proves nothing here.
	StampRefused bool `json:"stamp_refused,omitempty"`
	// AtSigning and Now are how the certificate stood, and stands.
	AtSigning *At `json:"at_signing,omitempty"`
	Now       *At `json:"now,omitempty"`
	// Field, Reason, Location, Visible are a PDF's; Later tells that others signed
	// after it.
	Field    string `json:"field,omitempty"`
	Reason   string `json:"reason,omitempty"`
	Location string `json:"location,omitempty"`
	Visible  bool   `json:"visible,omitempty"`
	Later    bool   `json:"signed_again_later,omitempty"`
	// Answers tell who accepts it: "accepted", or a CSE code.
	Answers map[Recipient]string `json:"answers"`

	// Err is the fault behind Code.
	Err error `json:"-"`
}

// Report is the verification of one file.
type Report struct {
	Schema  string    `json:"schema"`
	File    string    `json:"file,omitempty"`
	SHA256  string    `json:"sha256"`
	Format  string    `json:"format"`
	At      time.Time `json:"at"`
	Verdict Verdict   `json:"verdict"`
	// Signatures in the order of the file. DocumentStamps counts a PDF's
	// time-stamps of the document, which are nobody's signature.
	Signatures     []Finding `json:"signatures"`
	DocumentStamps int       `json:"document_stamps,omitempty"`
	// Inside is the report of a .p7m's content that is itself signed. It changes
	// nothing of the verdict: the outer signatures cover it whole.
	Inside *Report `json:"inside,omitempty"`
	// Content is the enveloped document of a .p7m.
	Content []byte `json:"-"`
}

// Recipient is who is asked to accept a signature.
type Recipient string

// The recipients.
const (
	PublicAdministration Recipient = "public_administration"
	Private              Recipient = "private"
	// LegalTransaction is an act that asks for a qualified signature, whoever
	// receives it.
	LegalTransaction Recipient = "legal_transaction"
)

// Recipients are all of them.
var Recipients = []Recipient{PublicAdministration, Private, LegalTransaction}

// Accepted is the answer when there is nothing against it.
const Accepted = "accepted"

// For is the answer to a recipient: nil when the signature is accepted. An FEA is
// for public administrations, and not for acts that ask for a FEQ (CSE-732);
// what is not FEA is not decided here (CSE-744).
func (f Finding) For(r Recipient) *words.Fault {
	switch {
	case f.Verdict != Valid && f.Err != nil:
		return words.FaultOf(f.Err)
	case f.Level != FEA:
		return words.Refuse("CSE-744")
	case r != PublicAdministration:
		return words.Refuse("CSE-732")
	}
	return nil
}

// For is the answer for a whole document: that of the first signature which is
// not accepted, nil when all are.
func (r Report) For(who Recipient) *words.Fault {
	for _, f := range r.Signatures {
		if fault := f.For(who); fault != nil {
			return fault
		}
	}
	return nil
}

// answer fills what depends on the rest.
func (f *Finding) answer() {
	if fault := words.FaultOf(f.Err); fault != nil {
		f.Code = fault.Code
	}
	f.Answers = map[Recipient]string{}
	for _, r := range Recipients {
		f.Answers[r] = Accepted
		if fault := f.For(r); fault != nil {
			f.Answers[r] = fault.Code
		}
	}
}

// sum is the verdict of all: the worst one.
func (r *Report) sum() {
	r.Verdict = Valid
	for _, f := range r.Signatures {
		if f.Verdict == Invalid || r.Verdict == Invalid {
			r.Verdict = Invalid
		} else if f.Verdict == Unproved {
			r.Verdict = Unproved
		}
	}
	if len(r.Signatures) == 0 {
		r.Verdict = Unproved
	}
}
