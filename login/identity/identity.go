// Package identity is what the login rooms say about a person who has just
// proved who he is, and nothing more: codice fiscale, name, how he proved it
// (acr, amr) and the card or account it was done with. Never a role: roles are
// the counter's (docs/house.md, rule 6).
//
// An Identity prints as its method only, through fmt and slog, so that no log
// line carries a codice fiscale. At rest it travels sealed (see Sealer), bound
// to the record that holds it.
package identity

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math/big"
	"time"

	"cse.example/cse/ground/civil"
)

// Method is how somebody proved who he is.
type Method string

// The methods of this gateway. SPID and CIE are not connected yet.
const (
	Card     Method = "card"     // CNS by mutual TLS
	Operator Method = "operator" // local account: password and one-time code
)

// ACROperator is the authentication context of a local operator account. It is
// ours on purpose: a password with a one-time code is no SPID level.
const ACROperator = "urn:cse:acr:operator:totp"

// ACRCard is the default authentication context of a CNS: a certificate on a
// card with its PIN is SPID level 3 (DPCM 24-10-2014, art. 6).
const ACRCard = "https://www.spid.gov.it/SpidL3"

// The authentication methods, as RFC 8176 names them.
var (
	AMRCard     = []string{"sc", "pin", "hwk"}
	AMROperator = []string{"pwd", "otp", "mfa"}
)

// CardRef names the card and certificate that a session hangs from, with what
// is needed to ask about them again at every use.
type CardRef struct {
	// ID is the 16-digit card number.
	ID string `json:"id"`
	// Issuer names the issuing CA: hexadecimal SHA-256 of its name and key
	// identifier, as the certificate carries them.
	Issuer string `json:"issuer"`
	// Serial is the certificate's serial number, lower-case hexadecimal of whole
	// octets, as pki/trust and pki/ca write it.
	Serial string `json:"serial"`
	// Own is true for certificates of this platform's own CA: only for those
	// the card's live state is known.
	Own bool `json:"own"`
	// NotBefore and NotAfter are the certificate's.
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
}

// SerialNumber is Serial as a number, nil when it is not one.
func (r CardRef) SerialNumber() *big.Int {
	n, ok := new(big.Int).SetString(r.Serial, 16)
	if !ok {
		return nil
	}
	return n
}

// Identity is a person proved, once.
type Identity struct {
	Method Method `json:"method"`
	// CF is the codice fiscale, upper case.
	CF        string `json:"cf"`
	Surname   string `json:"surname,omitempty"`
	GivenName string `json:"given_name,omitempty"`
	// Name is the whole name, for accounts that know no more than that.
	Name string `json:"name,omitempty"`
	// Born, Sex (M or F), Birthplace (Belfiore code) and Locality, Province
	// are facts of the registry, or read from the codice fiscale: see Derived.
	Born       civil.Date `json:"born"`
	Sex        string     `json:"sex,omitempty"`
	Birthplace string     `json:"birthplace,omitempty"`
	Locality   string     `json:"locality,omitempty"`
	Province   string     `json:"province,omitempty"`
	Foreign    bool       `json:"foreign,omitempty"`
	// Derived names the OpenID claims that were computed from the codice
	// fiscale and not attested by anybody.
	Derived []string `json:"derived,omitempty"`
	// Account is the operator's account, empty for cards.
	Account string `json:"account,omitempty"`
	// ACR, AMR and At are what the OpenID claims acr, amr, auth_time say.
	ACR string    `json:"acr"`
	AMR []string  `json:"amr"`
	At  time.Time `json:"at"`
	// Card is set for Method Card.
	Card CardRef `json:"card"`
}

// Credential is what sessions are ended by: "card:ID" or "operator:ACCOUNT".
func (id Identity) Credential() string {
	if id.Method == Operator {
		return OperatorCredential(id.Account)
	}
	return CardCredential(id.Card.ID)
}

// CardCredential is the credential of a card.
func CardCredential(card string) string { return "card:" + card }

// OperatorCredential is the credential of an operator's account.
func OperatorCredential(account string) string { return "operator:" + account }

// Format implements fmt.Formatter: no verb prints personal data.
func (id Identity) Format(f fmt.State, _ rune) {
	_, _ = f.Write([]byte("identity[" + string(id.Method) + "]"))
}

// LogValue implements slog.LogValuer.
func (id Identity) LogValue() slog.Value {
	return slog.StringValue("identity[" + string(id.Method) + "]")
}

// Sealer encrypts what rests in the store; tink.AEAD is one.
type Sealer interface {
	Encrypt(plaintext, associatedData []byte) ([]byte, error)
	Decrypt(ciphertext, associatedData []byte) ([]byte, error)
}

// ErrSeal is returned for a sealed value that does not open: another key,
// another record, or a changed byte.
var ErrSeal = errors.New("identity: sealed value does not open")

// Seal makes v into sealed JSON that opens only under the same name.
func Seal(s Sealer, name string, v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	c, err := s.Encrypt(b, []byte(name))
	if err != nil {
		return nil, fmt.Errorf("seal: %w", err)
	}
	return c, nil
}

// Open reads what Seal made, into v.
func Open(s Sealer, name string, sealed []byte, v any) error {
	b, err := s.Decrypt(sealed, []byte(name))
	if err != nil {
		return ErrSeal
	}
	if err := json.Unmarshal(b, v); err != nil {
		return fmt.Errorf("open: %w", err)
	}
	return nil
}
