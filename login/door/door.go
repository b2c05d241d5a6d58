// Package door is the card's way in: it decides who stands behind a TLS client
// certificate of a Carta Nazionale dei Servizi (CNS), and hands the answer over.
//
// The listener asks for a certificate and lets the handshake through with any,
// or none (tls.RequestClientCert): every refusal is then a page with a reason
// instead of a browser's alert. What the handshake proved is possession of the
// private key; so a resumed session, which carries no card signature, is refused.
//
// The checks of spec login.md 1.3, in this order: certificate present; fresh
// signature; chain to a trusted CNS issuer, validity, key usage, policy (Trust);
// key strength; common name; issuing body; for cards of this platform, the
// card's own state and its holder; revocation. The state of a card of ours comes
// before revocation because it explains it: a certificate on hold is "not yet
// activated" (CSE-205) or "suspended" (CSE-303), and only the card knows which.
//
// Reasons are precise only after the chain was verified; before that there is
// one answer (CSE-308). No codice fiscale stands in an address or a log line.
package door

import (
	"context"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"time"

	"cse.example/cse/card/cns"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/login/identity"
	"cse.example/cse/person/codicefiscale"
)

// Issuer is a CNS certification authority that Trust believes.
type Issuer struct {
	// Own is true for this platform's CA: its cards' state is asked.
	Own bool
	// Bodies are the names of issuing administrations (OU) that the CA
	// certifies for; none means any.
	Bodies []string
	// Legacy marks a CA whose old cards hold RSA keys of 1024 bits.
	Legacy bool
}

// Trust verifies chain, validity, key usage and policy at an instant. It answers
// a *words.Fault for what a person must read: CSE-301 expired, CSE-307 not yet
// valid, CSE-308 issuer not trusted, CSE-309 not a CNS certificate (policy),
// CSE-310 wrong key usage. See FromPKI.
type Trust func(leaf *x509.Certificate, intermediates []*x509.Certificate, at time.Time) (Issuer, error)

// CertState is what a revocation source says.
type CertState int

// The answers of a revocation source.
const (
	Good CertState = iota
	Held
	Revoked
	NeverIssued
)

// CertStatus is the state with its particulars.
type CertStatus struct {
	State CertState
	// At is since when, Reason the CRLReason (RFC 5280, 5.3.1).
	At     time.Time
	Reason int
}

// Revocation asks about a certificate, now. An error means that nobody answers:
// the person is refused (CSE-306), and may try again.
type Revocation func(ctx context.Context, ref identity.CardRef) (CertStatus, error)

// State is the state of a card's CNS function.
type State int

// The states of the CNS function of a card of ours.
const (
	NotActivated State = iota
	Active
	Suspended
	Ended    // revoked
	Expired  // the card's own end
	Replaced // by a newer card
	// Waiting is on hold until there are new codes: whoever had the former ones may
	// not use them any more, and no CIP lifts it.
	Waiting
)

// Card is what the back office knows of one of our cards at this instant.
type Card struct {
	State State
	// Since is the day of the state, zero when it does not matter.
	Since civil.Date
	// CF is the holder's present codice fiscale.
	CF string
	// Surname, Name, Born, Sex (M, F), Birthplace (Belfiore) and Province are
	// the registry's.
	Surname, Name        string
	Born                 civil.Date
	Sex                  string
	Birthplace, Province string
	// Deceased and NotAssisted end the CNS that day.
	Deceased, NotAssisted bool
}

// ErrNoCard is returned by Cards for a number that was never issued.
var ErrNoCard = errors.New("door: no such card")

// Cards tells the state of a card of ours, live.
type Cards func(ctx context.Context, id string) (Card, error)

// Door decides. All fields are needed but AllowRSA1024.
type Door struct {
	Trust      Trust
	Revocation Revocation
	Cards      Cards
	Clock      civil.Clock
	// ACR is the authentication context that a CNS is worth here.
	ACR string
	// AllowRSA1024 admits the 1024-bit keys of issuers marked Legacy.
	AllowRSA1024 bool
}

// Check refuses a door with something missing.
func (d *Door) Check() error {
	if d.Trust == nil || d.Revocation == nil || d.Cards == nil || d.Clock == nil || d.ACR == "" {
		return errors.New("login/door: trust, revocation, cards, clock and acr are needed")
	}
	return nil
}

// Refusal is a fault with what the door knew when it refused: enough for the
// journal, and for the page.
type Refusal struct {
	*words.Fault
	// Card and Person are set once the chain was verified.
	Card, Person string
	// Reason is the CRLReason of a revocation.
	Reason int
}

// Unwrap lets errors.As find the fault.
func (r *Refusal) Unwrap() error { return r.Fault }

const (
	minRSA       = 2048
	minLegacyRSA = 1024
	minExponent  = 65537
)

// Admit decides who stands behind a finished handshake. Every refusal is a
// *Refusal; other errors are failures of ours.
func (d *Door) Admit(ctx context.Context, cs tls.ConnectionState) (identity.Identity, error) {
	return d.admit(ctx, cs, d.standing)
}

// AdmitHeld is Admit for the one page that takes a hold away: only a card of
// ours, and the hold itself (of card and certificate) does not shut the door;
// everything else does. What it answers proves a signature of the card and must
// never open a session.
func (d *Door) AdmitHeld(ctx context.Context, cs tls.ConnectionState) (identity.Identity, error) {
	return d.admit(ctx, cs, d.held)
}

// admit checks what the handshake proved, and then the standing of the card.
func (d *Door) admit(ctx context.Context, cs tls.ConnectionState,
	standing func(context.Context, identity.Identity) (Card, error),
) (identity.Identity, error) {
	switch {
	case len(cs.PeerCertificates) == 0:
		return identity.Identity{}, &Refusal{Fault: words.Refuse("CSE-304")}
	case cs.DidResume:
		return identity.Identity{}, &Refusal{Fault: words.Refuse("CSE-330")}
	}
	leaf, now := cs.PeerCertificates[0], d.Clock.Now()
	issuer, err := d.Trust(leaf, cs.PeerCertificates[1:], now)
	if f := words.FaultOf(err); f != nil {
		return identity.Identity{}, &Refusal{Fault: f}
	}
	if err != nil {
		return identity.Identity{}, fmt.Errorf("verify the chain: %w", err)
	}
	if !d.strong(leaf, issuer) {
		return identity.Identity{}, &Refusal{Fault: words.Refuse("CSE-313")}
	}
	name, err := commonName(leaf)
	if err != nil {
		return identity.Identity{}, &Refusal{Fault: words.Refuse("CSE-311").Because(err)}
	}
	if !bodyKnown(leaf, issuer) {
		return identity.Identity{}, &Refusal{Fault: words.Refuse("CSE-312"), Card: string(name.ID), Person: name.CF}
	}
	id := identity.Identity{
		Method: identity.Card, CF: name.CF, ACR: d.ACR, AMR: identity.AMRCard, At: now,
		Card: reference(leaf, issuer, name),
	}
	card, err := standing(ctx, id)
	if err != nil {
		return identity.Identity{}, err
	}
	describe(&id, leaf, card, civil.DayOf(now))
	return id, nil
}

// Live asks again whether the card of a session is good: at every use of a
// token (R5). The answers are those of Admit.
func (d *Door) Live(ctx context.Context, id identity.Identity) error {
	_, err := d.standing(ctx, id)
	return err
}

// standing is what may change after the handshake: time, card, certificate.
func (d *Door) standing(ctx context.Context, id identity.Identity) (Card, error) {
	return d.stands(ctx, id, false)
}

// held is the standing of a card of ours whose hold is to be taken away.
func (d *Door) held(ctx context.Context, id identity.Identity) (Card, error) {
	if !id.Card.Own {
		return Card{}, &Refusal{Fault: words.Refuse("CSE-456"), Card: id.Card.ID, Person: id.CF}
	}
	return d.stands(ctx, id, true)
}

func (d *Door) stands(ctx context.Context, id identity.Identity, onHold bool) (Card, error) {
	refuse := func(f *words.Fault, reason int) error {
		return &Refusal{Fault: f, Card: id.Card.ID, Person: id.CF, Reason: reason}
	}
	if now := d.Clock.Now(); now.After(id.Card.NotAfter) {
		return Card{}, refuse(words.Refuse("CSE-301", civil.DayOf(id.Card.NotAfter).Italian()), 0)
	}
	var card Card
	if id.Card.Own {
		var err error
		card, err = d.Cards(ctx, id.Card.ID)
		if errors.Is(err, ErrNoCard) {
			return Card{}, refuse(words.Refuse("CSE-316").Because(err), 0)
		}
		if err != nil {
			return Card{}, refuse(words.Refuse("CSE-306").Because(err), 0)
		}
		seen := card
		if onHold && seen.State == Suspended {
			seen.State = Active
		}
		if f := seen.refusal(id.CF); f != nil {
			if st, err := d.Revocation(ctx, id.Card); seen.State == Ended && f.Code == "CSE-302" && err == nil && st.State == Revoked {
				return Card{}, refuse(revoked(st), st.Reason) // the certificate says why
			}
			return Card{}, refuse(f, 0)
		}
	}
	st, err := d.Revocation(ctx, id.Card)
	switch {
	case err != nil:
		return Card{}, refuse(words.Refuse("CSE-306").Because(err), 0)
	case st.State == Held && onHold && card.State == Suspended:
		return card, nil
	case st.State == Held:
		return Card{}, refuse(words.Refuse("CSE-303"), 0)
	case st.State == Revoked:
		return Card{}, refuse(revoked(st), st.Reason)
	case st.State != Good:
		return Card{}, refuse(words.Refuse("CSE-316"), 0)
	}
	return card, nil
}

// caCompromise is CRLReason cACompromise, RFC 5280 section 5.3.1.
const caCompromise = 2

// revoked says that a certificate was revoked: with its authority (CSE-932), which
// is nobody's fault at home, or alone (CSE-302).
func revoked(st CertStatus) *words.Fault {
	day := civil.DayOf(st.At).Italian()
	if st.Reason == caCompromise {
		return words.Refuse("CSE-932", day)
	}
	return words.Refuse("CSE-302", day)
}

// refusal is why a card of ours does not open, nil when it does.
func (c Card) refusal(cf string) *words.Fault {
	switch {
	case c.Deceased:
		return words.Refuse("CSE-314")
	case c.State == NotActivated:
		return words.Refuse("CSE-205")
	case c.State == Suspended:
		return words.Refuse("CSE-303")
	case c.State == Waiting:
		return words.Refuse("CSE-765")
	case c.State == Ended:
		return words.Refuse("CSE-302", c.Since.Italian())
	case c.State == Replaced:
		return words.Refuse("CSE-317", c.Since.Italian())
	case c.State == Expired:
		return words.Refuse("CSE-318", c.Since.Italian())
	case c.State != Active:
		return words.Refuse("CSE-316")
	case c.NotAssisted:
		return words.Refuse("CSE-315")
	case c.CF != cf:
		return words.Refuse("CSE-319")
	}
	return nil
}

// MinRSA is the smallest card key, in bits, that the door admits; legacy is the
// switch AllowRSA1024, for issuers marked Legacy.
func MinRSA(legacy bool) int {
	if legacy {
		return minLegacyRSA
	}
	return minRSA
}

func (d *Door) strong(leaf *x509.Certificate, issuer Issuer) bool {
	k, ok := leaf.PublicKey.(*rsa.PublicKey)
	if !ok || k.E < minExponent {
		return false
	}
	return k.N.BitLen() >= MinRSA(d.AllowRSA1024 && issuer.Legacy)
}

// commonName reads the one CN of the subject: CF/card.hash. A subject with two
// is refused, whichever of them a careless reader would take.
func commonName(leaf *x509.Certificate) (cns.Name, error) {
	var found []string
	for _, rdn := range leaf.Subject.Names {
		if rdn.Type.Equal(oidCommonName) {
			s, _ := rdn.Value.(string)
			found = append(found, s)
		}
	}
	if len(found) != 1 {
		return cns.Name{}, fmt.Errorf("the subject has %d common names", len(found))
	}
	n, err := cns.ParseCommonName(found[0])
	if err != nil {
		return cns.Name{}, errors.New("common name malformed") // err may quote a codice fiscale
	}
	if _, err := codicefiscale.Parse(n.CF); err != nil {
		return cns.Name{}, errors.New("the common name's codice fiscale is wrong")
	}
	return n, nil
}

var oidCommonName = []int{2, 5, 4, 3}

func bodyKnown(leaf *x509.Certificate, issuer Issuer) bool {
	if len(issuer.Bodies) == 0 {
		return true
	}
	return slices.ContainsFunc(leaf.Subject.OrganizationalUnit, func(ou string) bool {
		return slices.Contains(issuer.Bodies, ou)
	})
}

func reference(leaf *x509.Certificate, issuer Issuer, name cns.Name) identity.CardRef {
	return identity.CardRef{
		ID: string(name.ID), Issuer: issuerID(leaf), Serial: fmt.Sprintf("%x", leaf.SerialNumber.Bytes()), Own: issuer.Own,
		NotBefore: leaf.NotBefore, NotAfter: leaf.NotAfter,
	}
}

func issuerID(leaf *x509.Certificate) string {
	h := sha256.Sum256(append(slices.Clone(leaf.RawIssuer), leaf.AuthorityKeyId...))
	return hex.EncodeToString(h[:])
}
