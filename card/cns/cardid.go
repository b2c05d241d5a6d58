package cns

import (
	"errors"
	"fmt"
	"strings"
)

// CardID is the ID_Carta: 16 digits T RRR NNNNNNNNNNN C, where T is the kind
// of issuer (5 national, 6 regional, 7 other, 8 and 9 operators), RRR the
// issuer (six digits when T is 7), C the Luhn digit (card.md section 5).
type CardID string

// ErrCardID is returned for text that is not an ID_Carta, or for parts that
// cannot make one.
var ErrCardID = errors.New("not a card number (ID_Carta)")

// Largest parts of a card number of a regional issuer.
const (
	MaxSerial    = 999_999_999 // the nine digits that reach the TEAM number
	MaxDuplicate = 99          // the two that do not
)

// IssuerToscana is the issuer code of a Tuscan citizen's card: kind 6, region 090.
const IssuerToscana = "6090"

// NewCardID makes the number of a card from the issuer ("6090"; seven digits
// when the first is 7), a serial and the counter of chip cards that share the
// serial, and so the TEAM number (the duplicate counter is our reading).
// Serials have up to nine digits, six when the issuer has seven.
func NewCardID(issuer string, serial uint64, duplicate int) (CardID, error) {
	width := 9
	if strings.HasPrefix(issuer, "7") {
		width = 6
	}
	if len(issuer) != 13-width || !digits(issuer) || issuer[0] < '5' {
		return "", fmt.Errorf("%w: issuer %q", ErrCardID, issuer)
	}
	if len(fmt.Sprint(serial)) > width || duplicate < 0 || duplicate > MaxDuplicate {
		return "", fmt.Errorf("%w: serial %d, duplicate %d", ErrCardID, serial, duplicate)
	}
	body := fmt.Sprintf("%s%0*d%02d", issuer, width, serial, duplicate)
	return CardID(body + string(luhn(body))), nil
}

// ParseCardID checks length, kind of issuer and Luhn digit. Blanks around and
// between the digits are taken away.
func ParseCardID(s string) (CardID, error) {
	s = strings.Join(strings.Fields(s), "")
	switch {
	case len(s) != SizeCardID || !digits(s):
		return "", fmt.Errorf("%w: 16 digits wanted", ErrCardID)
	case s[0] < '5':
		return "", fmt.Errorf("%w: kind of issuer %c", ErrCardID, s[0])
	case luhn(s[:15]) != s[15]:
		return "", fmt.Errorf("%w: the check digit does not match", ErrCardID)
	}
	return CardID(s), nil
}

// Issuer is the kind of issuer and the issuer: "6090", seven digits when the
// first is 7.
func (id CardID) Issuer() string {
	if len(id) != SizeCardID {
		return ""
	}
	if id[0] == '7' {
		return string(id[:7])
	}
	return string(id[:4])
}

// Region is the name of the issuing Region, "" when the issuer is none.
func (id CardID) Region() string {
	if len(id) != SizeCardID || id[0] != '6' && id[0] != '9' {
		return ""
	}
	return RegionName(string(id[1:4]))
}

// TEAM is the 20-digit number on the back of the card: 80 (health) 380 (Italy)
// 00, digits 2 to 13 of the card number, Luhn digit. Empty for a malformed id.
func (id CardID) TEAM() string {
	if len(id) != SizeCardID || !digits(string(id)) {
		return ""
	}
	body := "8038000" + string(id[1:13])
	return body + string(luhn(body))
}

// GDO is the content of EF_GDO: data object 5A with the card number.
func (id CardID) GDO() []byte { return append([]byte{0x5A, SizeCardID}, id...) }

// luhn is the check digit that makes s + digit pass the Luhn test.
func luhn(s string) byte {
	sum := 0
	for i := len(s) - 1; i >= 0; i-- {
		d := int(s[i] - '0')
		if (len(s)-i)%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return byte('0' + (10-sum%10)%10)
}

func digits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// RegionName is the Region or Province behind the three digits of an issuer,
// "" for an unknown one.
func RegionName(code string) string {
	switch code {
	case "010":
		return "Piemonte"
	case "020":
		return "Valle d'Aosta"
	case "030":
		return "Lombardia"
	case "041":
		return "Bolzano"
	case "042":
		return "Trento"
	case "050":
		return "Veneto"
	case "060":
		return "Friuli-Venezia Giulia"
	case "070":
		return "Liguria"
	case "080":
		return "Emilia-Romagna"
	case "090":
		return "Toscana"
	case "100":
		return "Umbria"
	case "110":
		return "Marche"
	case "120":
		return "Lazio"
	case "130":
		return "Abruzzo"
	case "140":
		return "Molise"
	case "150":
		return "Campania"
	case "160":
		return "Puglia"
	case "170":
		return "Basilicata"
	case "180":
		return "Calabria"
	case "190":
		return "Sicilia"
	case "200":
		return "Sardegna"
	}
	return ""
}
