package path

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Name is a distinguished name. Two names are the same when their keys are:
// RFC 5280, 7.1 compares attributes as strings, without regard to case, to the
// string type, and to white space at the ends or repeated.
type Name struct {
	Raw []byte
	// rdns holds a key for each relative name, in order.
	rdns []string
	// emails are the values of emailAddress attributes (PKCS #9).
	emails []string
	// common are the values of commonName.
	common []string
}

// Equal compares as RFC 5280, 7.1.
func (n Name) Equal(o Name) bool { return slices.Equal(n.rdns, o.rdns) }

// Empty tells a name without attributes.
func (n Name) Empty() bool { return len(n.rdns) == 0 }

// key is for maps.
func (n Name) key() string { return strings.Join(n.rdns, "\x02") }

// within tells whether n lies in the subtree whose top is base.
func (n Name) within(base Name) bool {
	return len(n.rdns) >= len(base.rdns) && slices.Equal(n.rdns[:len(base.rdns)], base.rdns)
}

const maxRDNs = 64

var (
	errName         = errors.New("a name that cannot be read")
	oidEmail        = "1.2.840.113549.1.9.1"
	oidCommonName   = "2.5.4.3"
	stringTypes     = []asn1.Tag{asn1.PrintableString, asn1.UTF8String, asn1.IA5String, asn1.T61String, bmpString, universalString, numericString, visibleString}
	numericString   = asn1.Tag(18)
	visibleString   = asn1.Tag(26)
	universalString = asn1.Tag(28)
	bmpString       = asn1.Tag(30)
)

func readName(s *cryptobyte.String) (Name, error) {
	var raw, body cryptobyte.String
	if !s.ReadASN1Element(&raw, asn1.SEQUENCE) {
		return Name{}, errName
	}
	n := Name{Raw: raw}
	if !raw.ReadASN1(&body, asn1.SEQUENCE) {
		return Name{}, errName
	}
	for !body.Empty() {
		var set cryptobyte.String
		if !body.ReadASN1(&set, asn1.SET) || set.Empty() {
			return Name{}, errName
		}
		if err := n.rdn(set); err != nil {
			return Name{}, err
		}
		if len(n.rdns) > maxRDNs {
			return Name{}, errors.New("a name of too many parts")
		}
	}
	return n, nil
}

// rdn adds one relative name. A set has no order that matters: keys are sorted.
func (n *Name) rdn(set cryptobyte.String) error {
	var parts []string
	for !set.Empty() {
		var atv, id, value cryptobyte.String
		var tag asn1.Tag
		if !set.ReadASN1(&atv, asn1.SEQUENCE) || !atv.ReadASN1(&id, asn1.OBJECT_IDENTIFIER) || !atv.ReadAnyASN1(&value, &tag) || !atv.Empty() {
			return errName
		}
		oid, err := oidString(id)
		if err != nil {
			return err
		}
		text, ok := text(value, tag)
		ok = ok && utf8.ValidString(text) && !strings.ContainsRune(text, utf8.RuneError) // what is no text is compared as it is
		switch {
		case !ok:
			// Compared as octets, with the type.
			parts = append(parts, oid+"\x00"+strconv.Itoa(int(tag))+"\x00"+string(value))
			continue
		case oid == oidEmail:
			n.emails = append(n.emails, text)
		case oid == oidCommonName:
			n.common = append(n.common, text)
		}
		parts = append(parts, oid+"="+fold(text))
	}
	slices.Sort(parts)
	// Lengths, not a separator: a value may hold any character, and one attribute must never read as two.
	for i, p := range parts {
		parts[i] = strconv.Itoa(len(p)) + ":" + p
	}
	n.rdns = append(n.rdns, strings.Join(parts, ""))
	return nil
}

// text gives a directory string as UTF-8.
func text(value []byte, tag asn1.Tag) (string, bool) {
	if !slices.Contains(stringTypes, tag) {
		return "", false
	}
	switch tag {
	case bmpString:
		if len(value)%2 != 0 {
			return "", false
		}
		units := make([]uint16, 0, len(value)/2)
		for i := 0; i < len(value); i += 2 {
			units = append(units, uint16(value[i])<<8|uint16(value[i+1]))
		}
		return string(utf16.Decode(units)), true
	case universalString:
		if len(value)%4 != 0 {
			return "", false
		}
		var b strings.Builder
		for i := 0; i < len(value); i += 4 {
			b.WriteRune(rune(uint32(value[i])<<24 | uint32(value[i+1])<<16 | uint32(value[i+2])<<8 | uint32(value[i+3])))
		}
		return b.String(), true
	case asn1.T61String: // Latin-1, as everybody reads it
		r := make([]rune, len(value))
		for i, c := range value {
			r[i] = rune(c)
		}
		return string(r), true
	}
	return string(value), true
}

// fold is the string preparation of RFC 4518 as far as RFC 5280 asks for it.
func fold(s string) string {
	return strings.Join(strings.FieldsFunc(strings.Map(unicode.ToLower, s), unicode.IsSpace), " ")
}

// oidString gives dotted decimal. Arcs are bounded at 2^63.
func oidString(b []byte) (string, error) {
	if len(b) == 0 || len(b) > 64 {
		return "", errors.New("an object identifier of an odd size")
	}
	var out strings.Builder
	var arc uint64
	first := true
	for i, c := range b {
		if arc == 0 && c == 0x80 {
			return "", errors.New("an object identifier that is not DER")
		}
		if arc > 1<<55 {
			return "", errors.New("an object identifier with an arc too great")
		}
		arc = arc<<7 | uint64(c&0x7F)
		if c&0x80 != 0 {
			if i == len(b)-1 {
				return "", errors.New("an object identifier cut short")
			}
			continue
		}
		if first {
			top := min(arc/40, 2)
			out.WriteString(uitoa(top) + "." + uitoa(arc-40*top))
			first = false
		} else {
			out.WriteString("." + uitoa(arc))
		}
		arc = 0
	}
	return out.String(), nil
}
