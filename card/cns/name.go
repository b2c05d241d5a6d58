package cns

import (
	"bytes"
	"crypto/sha1" //nolint:gosec // the standard fixes SHA-1 for the certificate name
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// Name is the subject common name of a CNS certificate, taken apart.
type Name struct {
	// CF is the codice fiscale: 16 characters, or 11 digits (provisional).
	CF string
	ID CardID
	// Hash is the SHA-1 of EF_DatiPersonali.
	Hash [sha1.Size]byte
}

// ErrName is returned for a common name that is not a CNS's.
var ErrName = errors.New("not the common name of a CNS certificate")

// CommonName is `CF/ID_Carta.HASH`, HASH being Base64 of the SHA-1 of the
// whole personal data file as read from the card, padding included
// (card.md section 6; Profile.CommonName for cards that hash otherwise).
func CommonName(cf string, id CardID, personalDataFile []byte) string {
	return Name{CF: cf, ID: id, Hash: sha1.Sum(personalDataFile)}.String() //nolint:gosec // fixed by the standard
}

// String is the common name.
func (n Name) String() string {
	return n.CF + "/" + string(n.ID) + "." + base64.StdEncoding.EncodeToString(n.Hash[:])
}

// ParseCommonName takes a common name apart. The codice fiscale is checked for
// shape only (its check letter is person/codicefiscale's business); the card
// number is checked with its Luhn digit. Nothing may stand around the three parts.
func ParseCommonName(s string) (Name, error) {
	cf, rest, ok := strings.Cut(s, "/")
	if !ok || !codiceFiscaleShape(cf) {
		return Name{}, fmt.Errorf("%w: no codice fiscale before the slash", ErrName)
	}
	number, hash, ok := strings.Cut(rest, ".")
	if !ok || len(number) != SizeCardID {
		return Name{}, fmt.Errorf("%w: no card number after the slash", ErrName)
	}
	id, err := ParseCardID(number)
	if err != nil {
		return Name{}, fmt.Errorf("%w: %w", ErrName, err)
	}
	sum, err := base64.StdEncoding.Strict().DecodeString(hash)
	if err != nil || len(sum) != sha1.Size || len(hash) != 28 {
		return Name{}, fmt.Errorf("%w: no hash of 20 bytes after the point", ErrName)
	}
	n := Name{CF: cf, ID: id}
	copy(n.Hash[:], sum)
	return n, nil
}

func codiceFiscaleShape(s string) bool {
	if len(s) == 11 {
		return digits(s)
	}
	if len(s) != 16 {
		return false
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; (c < '0' || c > '9') && (c < 'A' || c > 'Z') {
			return false
		}
	}
	return true
}

func withoutPadding(file []byte) []byte { return bytes.TrimRight(file, "\x00") }
