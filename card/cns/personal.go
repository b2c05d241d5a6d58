// Package cns is what makes a card a CNS (Carta Nazionale dei Servizi): its
// files and who may touch them, the personal data file, the card number, the
// answer to reset, the name in its certificate and the rules for PIN and PUK.
//
// Sources: "CNS Functional Specification" 1.1.6 and "CNS File System" 10, as
// far as code and traces of real cards show them (docs/card.md tells what is
// proved and what is not). What is unknown is one field of Profile.
//
// It guarantees that PersonalData survives a round trip, that card numbers
// carry their Luhn digit, and that an ATR carries its check byte. It refuses
// files that are not sixteen fields, numbers and names with a wrong check
// digit, and PINs anybody would try first. It knows no reader and no chip.
package cns

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/unicode/norm"

	"cse.example/cse/ground/civil"
)

// PersonalData is the content of EF_DatiPersonali (card.md section 3). Texts
// are UTF-8 here, upper case ISO 8859-1 on the card.
type PersonalData struct {
	Issuer       string     // 1: four digits, "6090"
	Issued       civil.Date // 2
	Expires      civil.Date // 3
	Surname      string     // 4
	Name         string     // 5
	Born         civil.Date // 6
	Sex          string     // 7: M or F
	Height       string     // 8: empty on a CNS
	CF           string     // 9: codice fiscale
	Citizenship  string     // 10: empty on a CNS
	BirthPlace   string     // 11: Belfiore code of the municipality, or empty
	BirthCountry string     // 12: Belfiore code of a foreign state, or empty
	BirthRecord  string     // 13: empty on a CNS
	Residence    string     // 14: Belfiore code
	Address      string     // 15: empty on a CNS
	TravelNote   string     // 16: empty on a CNS
}

// ErrPersonalData is returned for a file that is not sixteen fields, and for
// data that the file cannot hold.
var ErrPersonalData = errors.New("not a personal data file")

const (
	personalFields = 16
	lengthDigits   = 6   // LLLLLL
	maxField       = 255 // LL
)

// Encode writes the 400 bytes of the file. Names are put in upper case, in
// Latin letters (Š becomes S, Ł becomes L, ß becomes SS), and clipped at the
// end when the sixteen fields would not fit, the longer of the two first. It
// refuses characters that have no Latin-1 form and other fields too long.
func (d PersonalData) Encode() ([]byte, error) {
	raw := d.fields()
	fields := make([][]byte, personalFields)
	total := 2 * personalFields
	for i, s := range raw {
		b, err := latin1(s)
		if err != nil {
			return nil, fmt.Errorf("%w: field %d: %w", ErrPersonalData, i+1, err)
		}
		fields[i] = b
		total += len(b)
	}
	surname, name := &fields[3], &fields[4]
	*surname, total = clip(*surname, total, max(0, len(*surname)-maxField))
	*name, total = clip(*name, total, max(0, len(*name)-maxField))
	for room := SizePersonalData - lengthDigits; total > room && len(*surname)+len(*name) > 0; {
		longer := surname
		if len(*name) > len(*surname) {
			longer = name
		}
		*longer, total = clip(*longer, total, 1)
	}
	out := fmt.Appendf(make([]byte, 0, SizePersonalData), "%06X", total)
	for i, f := range fields {
		if len(f) > maxField {
			return nil, fmt.Errorf("%w: field %d has %d bytes", ErrPersonalData, i+1, len(f))
		}
		out = append(fmt.Appendf(out, "%02X", len(f)), f...)
	}
	if len(out) > SizePersonalData {
		return nil, fmt.Errorf("%w: %d bytes, the file has %d", ErrPersonalData, len(out), SizePersonalData)
	}
	return append(out, make([]byte, SizePersonalData-len(out))...), nil
}

func clip(b []byte, total, n int) ([]byte, int) { return b[:len(b)-n], total - n }

func (d PersonalData) fields() [personalFields]string {
	return [personalFields]string{
		d.Issuer, d.Issued.Compact(), d.Expires.Compact(), d.Surname, d.Name, d.Born.Compact(), d.Sex, d.Height,
		d.CF, d.Citizenship, d.BirthPlace, d.BirthCountry, d.BirthRecord, d.Residence, d.Address, d.TravelNote,
	}
}

// ParsePersonalData reads the file, padding and all; what follows the
// announced length is not looked at. Every one of the sixteen fields must be
// there and fill the announced length exactly, dates must be days of the
// calendar or empty. Lower-case hex digits are accepted.
func ParsePersonalData(file []byte) (PersonalData, error) {
	if len(file) < lengthDigits {
		return PersonalData{}, fmt.Errorf("%w: %d bytes", ErrPersonalData, len(file))
	}
	total, err := hexLength(file[:lengthDigits])
	if err != nil {
		return PersonalData{}, err
	}
	rest := file[lengthDigits:]
	if total > len(rest) {
		return PersonalData{}, fmt.Errorf("%w: %d bytes announced, %d there", ErrPersonalData, total, len(rest))
	}
	rest = rest[:total]
	var f [personalFields]string
	for i := range f {
		if f[i], rest, err = nextField(rest); err != nil {
			return PersonalData{}, fmt.Errorf("field %d: %w", i+1, err)
		}
	}
	if len(rest) != 0 {
		return PersonalData{}, fmt.Errorf("%w: %d bytes after field 16", ErrPersonalData, len(rest))
	}
	return fromFields(f)
}

func nextField(b []byte) (string, []byte, error) {
	if len(b) < 2 {
		return "", nil, fmt.Errorf("%w: missing", ErrPersonalData)
	}
	n, err := hexLength(b[:2])
	if err != nil {
		return "", nil, err
	}
	if b = b[2:]; n > len(b) {
		return "", nil, fmt.Errorf("%w: %d bytes announced, %d there", ErrPersonalData, n, len(b))
	}
	text, err := charmap.ISO8859_1.NewDecoder().Bytes(b[:n])
	if err != nil {
		return "", nil, fmt.Errorf("%w: %w", ErrPersonalData, err)
	}
	return string(text), b[n:], nil
}

func hexLength(b []byte) (int, error) {
	n, err := strconv.ParseUint(string(b), 16, 32)
	if err != nil {
		return 0, fmt.Errorf("%w: length is not hexadecimal", ErrPersonalData)
	}
	return int(n), nil
}

func fromFields(f [personalFields]string) (PersonalData, error) {
	d := PersonalData{
		Issuer: f[0], Surname: f[3], Name: f[4], Sex: f[6], Height: f[7], CF: f[8], Citizenship: f[9], BirthPlace: f[10],
		BirthCountry: f[11], BirthRecord: f[12], Residence: f[13], Address: f[14], TravelNote: f[15],
	}
	for _, x := range []struct {
		into  *civil.Date
		field int
	}{{&d.Issued, 2}, {&d.Expires, 3}, {&d.Born, 6}} {
		text := f[x.field-1]
		if text == "" {
			continue
		}
		day, err := civil.ParseCompact(text)
		if err != nil {
			return PersonalData{}, fmt.Errorf("%w: field %d: %w", ErrPersonalData, x.field, err)
		}
		*x.into = day
	}
	return d, nil
}

// letters that lose more than an accent on their way to Latin-1.
var latinForms = strings.NewReplacer(
	"ß", "SS", "ẞ", "SS", "Ÿ", "Y", "ÿ", "Y", "Œ", "OE", "œ", "OE", "Ł", "L", "ł", "L", "Đ", "D", "đ", "D", "Ħ", "H", "ħ", "H",
	"ı", "I", "İ", "I", "Ŋ", "N", "ŋ", "N", "Ŧ", "T", "ŧ", "T", "Ə", "E", "ə", "E", "Ĳ", "IJ", "ĳ", "IJ", "ŉ", "'N", "ſ", "S", "µ", "U",
	"’", "'", "‘", "'", "ʼ", "'", "`", "'", "–", "-", "—", "-", "‐", "-", "\u00a0", " ",
)

// latin1 puts text in upper case ISO 8859-1. Accents that Latin-1 has stay
// (FRANÇOIS, PERÙ); others are taken off (ŠARIĆ becomes SARIC).
func latin1(s string) ([]byte, error) {
	out := make([]byte, 0, len(s))
	for _, r := range norm.NFC.String(strings.ToUpper(latinForms.Replace(norm.NFC.String(s)))) {
		if b, ok := oneByte(r); ok {
			out = append(out, b)
			continue
		}
		if unicode.Is(unicode.Mn, r) { // an accent with no letter of its own
			continue
		}
		base := []rune(norm.NFD.String(string(r)))[0]
		b, ok := oneByte(base)
		if !ok {
			return nil, fmt.Errorf("character %q has no Latin-1 form", r)
		}
		out = append(out, b)
	}
	return out, nil
}

// oneByte is r in Latin-1, control characters excluded.
func oneByte(r rune) (byte, bool) {
	if r < 0x20 || r >= 0x7F && r < 0xA0 || r > 0xFF {
		return 0, false
	}
	return byte(r), true
}
