package rules

import (
	"crypto/x509"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"cse.example/cse/card/chip"
	"cse.example/cse/card/cns"
	"cse.example/cse/demo/bureau"
	"cse.example/cse/demo/bureau/bureautest"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/production"
	"cse.example/cse/person/registry"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// rossi is assisted, a citizen, and has a right to care abroad.
func rossi() registry.Person {
	return registry.Person{
		CF: "RSSMRA80A01D612Y", Surname: "Rossi", Name: "Mario", Born: civil.Date{Year: 1980, Month: 1, Day: 1}, Sex: "M",
		BirthPlace: "D612", Citizenship: "IT", Residence: "D612", ASL: "101",
		AssistedFrom: civil.Date{Year: 2020, Month: 1, Day: 1}, AbroadRight: true,
	}
}

// issue makes the card of one person at an instant, chip and all, and answers
// the card, what was printed, the certificate and the chip's personal data.
func issue(t *testing.T, at time.Time, who registry.Person) (lifecycle.Card, production.Faces, *x509.Certificate, []byte) {
	t.Helper()
	w := bureautest.New(t, storetest.SQLite(t))
	w.Clock.Set(at)
	w.Put(t, who)
	ctx := t.Context()
	var faces production.Faces
	maker := w.Bureau(t, func(p *bureau.Parts) {
		p.Print = func(_ string, f production.Faces) error { faces = f; return nil }
	})
	plant := w.Plant(t)
	_, err := plant.OrderMissing(ctx)
	check(t, err)
	for range 10 {
		open, err := plant.AdvanceAll(ctx)
		check(t, err)
		if len(open) == 0 {
			break
		}
		for _, b := range open {
			if b.State == production.Received {
				_, err := plant.Ship(ctx, b.ID)
				check(t, err)
			}
		}
		check(t, maker.Work(ctx))
	}
	cards, err := w.DB.Cards().ByPerson(ctx, who.CF)
	check(t, err)
	if len(cards) != 1 || cards[0].State != lifecycle.Shipped {
		t.Fatalf("cards: %+v", cards)
	}
	records, err := w.DB.PKI().OfCard(ctx, cards[0].ID)
	check(t, err)
	if len(records) != 1 {
		t.Fatalf("%d certificates on one card (R15)", len(records))
	}
	leaf, err := x509.ParseCertificate(records[0].DER)
	check(t, err)
	return cards[0], faces, leaf, personalData(t, filepath.Join(w.Cards, cards[0].ID+".cse"))
}

func personalData(t *testing.T, path string) []byte {
	t.Helper()
	image, err := chip.Open(path)
	check(t, err)
	defer func() { check(t, image.Close()) }()
	file := cns.EFDatiPersonali.Bytes()
	_, err = image.Transmit(append([]byte{0x00, 0xA4, 0x08, 0x0C, byte(len(file))}, file...))
	check(t, err)
	out, err := image.Transmit([]byte{0x00, 0xB0, 0, 0, 0, 0x00, 0x00})
	check(t, err)
	return out[:len(out)-2]
}

// R13: the codice fiscale in print, in the bars (read back from the drawing), on
// the stripe, in the chip's data and in the certificate's name is one string.
func TestR13OneCodiceFiscale(t *testing.T) {
	who := rossi()
	for name, cf := range map[string]string{"usual": "RSSMRA80A01D612Y", "omocodia": string(who.CF.Omocodie()[5])} {
		who.CF = who.CF.Base()
		if name == "omocodia" {
			who.CF = who.CF.Omocodie()[5]
		}
		_, faces, leaf, personal := issue(t, time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC), who)
		back, err := faces.BackSVG(words.Italian, "x")
		check(t, err)
		data, err := cns.ParsePersonalData(personal)
		check(t, err)
		subject, err := cns.ParseCommonName(leaf.Subject.CommonName)
		check(t, err)
		for place, got := range map[string]string{
			"print": faces.Front.CF, "Code 39": faces.Code39, "bars": bars(t, back), "stripe": faces.Stripe,
			"field 6": faces.Back.PersonalID, "chip": data.CF, "certificate": subject.CF,
		} {
			if got != cf {
				t.Errorf("%s: %s has %q, want %q", name, place, got, cf)
			}
		}
	}
}

// R24, R43, R44, R46: six years to the day, counted in Italian days; the same
// last day on both faces, in the chip and as the last second of the certificate.
func TestR24SixYearsFromTheItalianDay(t *testing.T) {
	for _, c := range []struct{ at, issued, expires string }{
		{"2026-12-22T22:59:59Z", "2026-12-22", "2032-12-22"}, // a second before midnight in Rome
		{"2026-12-22T23:00:00Z", "2026-12-23", "2032-12-23"},
		{"2027-06-30T22:00:00Z", "2027-07-01", "2033-07-01"}, // summer time
		{"2028-02-28T23:30:00Z", "2028-02-29", "2034-02-28"}, // the leap day, in Rome only
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		check(t, err)
		card, faces, leaf, personal := issue(t, at, rossi())
		if card.Issued.String() != c.issued || card.Expires.String() != c.expires {
			t.Errorf("%s: issued %s until %s, want %s until %s", c.at, card.Issued, card.Expires, c.issued, c.expires)
		}
		want := card.Expires.Italian()
		data, err := cns.ParsePersonalData(personal)
		check(t, err)
		if faces.Front.Expires != want || faces.Back.Expires != want || data.Expires != card.Expires {
			t.Errorf("%s: %s on the front, %s on the back, %s in the chip; want %s", c.at, faces.Front.Expires, faces.Back.Expires, data.Expires, want)
		}
		if !leaf.NotAfter.Equal(card.Expires.End()) {
			t.Errorf("%s: the certificate ends %s, want %s", c.at, leaf.NotAfter, card.Expires.End())
		}
	}
}

// alphabet are the patterns of ISO/IEC 16388: nine elements, bar first, 1 wide.
var alphabet = map[string]byte{
	"000110100": '0', "100100001": '1', "001100001": '2', "101100000": '3', "000110001": '4', "100110000": '5', "001110000": '6',
	"000100101": '7', "100100100": '8', "001100100": '9', "100001001": 'A', "001001001": 'B', "101001000": 'C', "000011001": 'D',
	"100011000": 'E', "001011000": 'F', "000001101": 'G', "100001100": 'H', "001001100": 'I', "000011100": 'J', "100000011": 'K',
	"001000011": 'L', "101000010": 'M', "000010011": 'N', "100010010": 'O', "001010010": 'P', "000000111": 'Q', "100000110": 'R',
	"001000110": 'S', "000010110": 'T', "110000001": 'U', "011000001": 'V', "111000000": 'W', "010010001": 'X', "110010000": 'Y',
	"011010000": 'Z', "010010100": '*',
}

// bars reads the bar code of a drawing of the back, as a scanner would: black
// rectangles on one line, their widths and the gaps between them.
func bars(t *testing.T, svg string) string {
	t.Helper()
	var from, to []float64
	for d := xml.NewDecoder(strings.NewReader(svg)); ; {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		check(t, err)
		e, ok := tok.(xml.StartElement)
		if !ok || e.Name.Local != "rect" {
			continue
		}
		a := map[string]string{}
		for _, x := range e.Attr {
			a[x.Name.Local] = x.Value
		}
		if a["fill"] != "#000000" || !strings.Contains(a["width"], ".") {
			continue
		}
		x, err := strconv.ParseFloat(a["x"], 64)
		check(t, err)
		w, err := strconv.ParseFloat(a["width"], 64)
		check(t, err)
		from, to = append(from, x), append(to, x+w)
	}
	var elements []float64
	narrow := math.Inf(1)
	for i := range from {
		if i > 0 {
			elements = append(elements, from[i]-to[i-1])
		}
		elements = append(elements, to[i]-from[i])
		narrow = min(narrow, to[i]-from[i])
	}
	var text []byte
	for i := 0; i+9 <= len(elements); i += 10 { // nine elements and a gap
		pattern := ""
		for _, w := range elements[i : i+9] {
			if w > 1.5*narrow {
				pattern += "1"
			} else {
				pattern += "0"
			}
		}
		text = append(text, alphabet[pattern])
	}
	return strings.TrimSuffix(strings.TrimPrefix(string(text), "*"), "*")
}
