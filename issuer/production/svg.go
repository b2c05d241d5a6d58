package production

import (
	"fmt"
	"html"
	"strings"

	"github.com/boombuler/barcode/code39"

	"cse.example/cse/ground/words"
)

// Line is one datum of a face with its name in words.
type Line struct{ Label, Text string }

// FrontLines is the front face as text, in reading order.
func (f Faces) FrontLines(l words.Lang) []Line {
	x := f.Front
	chip := "production.face.chip.no"
	if x.Chip {
		chip = "production.face.chip.yes"
	}
	return lines(l, "cf", x.CF, "expires", x.Expires, "surname", x.Surname, "name", x.Name, "sex", x.Sex,
		"birth-place", x.BirthPlace, "province", x.Province, "born", x.Born, "braille", x.Braille, "chip", words.Say(l, chip))
}

// BackLines is the back face as text, in reading order.
func (f Faces) BackLines(l words.Lang) []Line {
	b := f.Back
	return lines(l, "code39", f.Code39, "ehic3", b.Surname, "ehic4", b.Names, "ehic5", b.Born, "ehic6", b.PersonalID,
		"ehic7", b.Institution, "ehic8", b.Number.Grouped(), "ehic9", b.Expires)
}

func lines(l words.Lang, pairs ...string) []Line {
	var out []Line
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			out = append(out, Line{words.Say(l, "production.face."+pairs[i]), pairs[i+1]})
		}
	}
	return out
}

// ID-1 in tenths of a millimetre (85.6 x 54 mm).
const cardWide, cardHigh = 856, 540

// FrontSVG draws the front face. The drawing has role img, a title and all its
// text in a description; it uses presentation attributes only, so that it may
// stand in a page with a strict content security policy. id must be unique in
// the page.
func (f Faces) FrontSVG(l words.Lang, id string) string {
	d := drawing{}
	title := words.Say(l, "production.face.title")
	if f.Front.Chip {
		title = words.Say(l, "production.face.title-cns")
		d.rect(60, 190, 110, 90, "#d9b64c", 12)
	}
	d.rect(0, 0, cardWide, 70, "#0066cc", 0)
	d.text(30, 46, 26, "#ffffff", title)
	at := 120
	for _, x := range f.FrontLines(l) {
		if x.Label == words.Say(l, "production.face.chip") {
			continue
		}
		d.text(210, at, 15, "#455a64", x.Label)
		d.text(440, at, 21, "#000000", x.Text)
		at += 43
	}
	return d.svg(id, words.Say(l, "production.face.front"), f.FrontLines(l))
}

// BackSVG draws the back face, with stripe, bar code and EHIC fields.
func (f Faces) BackSVG(l words.Lang, id string) (string, error) {
	d := drawing{}
	d.rect(0, 20, cardWide, 90, "#1a1a1a", 0)
	if err := d.code39(60, 125, 736, 60, f.Code39); err != nil {
		return "", err
	}
	d.text(60, 205, 16, "#000000", f.Code39)
	d.rect(740, 215, 86, 60, "#003399", 6)
	d.text(768, 254, 24, "#ffcc00", f.Back.State)
	at := 235
	all := f.BackLines(l)
	for _, x := range all[1:] {
		d.text(30, at, 13, "#455a64", x.Label)
		d.text(30, at+21, 19, "#000000", x.Text)
		at += 43
	}
	if f.Back.Asterisks {
		all = append(all, Line{"", words.Say(l, "production.face.asterisks")})
	}
	return d.svg(id, words.Say(l, "production.face.back"), all), nil
}

type drawing struct{ b strings.Builder }

func (d *drawing) rect(x, y, w, h int, fill string, round int) {
	fmt.Fprintf(&d.b, `<rect x="%d" y="%d" width="%d" height="%d" rx="%d" fill="%s"/>`, x, y, w, h, round, fill)
}

func (d *drawing) text(x, y, size int, fill, s string) {
	fmt.Fprintf(&d.b, `<text x="%d" y="%d" font-size="%d" font-family="Titillium Web, sans-serif" fill="%s">%s</text>`, x, y, size, fill, html.EscapeString(s))
}

// code39 draws the bars of ISO/IEC 16388, without check character.
func (d *drawing) code39(x, y, wide, high int, s string) error {
	bars, err := code39.Encode(s, false, false)
	if err != nil {
		return fmt.Errorf("production: bar code: %w", err)
	}
	n := bars.Bounds().Dx()
	unit := float64(wide) / float64(n)
	for from := 0; from < n; {
		to := from + 1
		r, _, _, _ := bars.At(from, 0).RGBA()
		for to < n {
			if q, _, _, _ := bars.At(to, 0).RGBA(); q != r {
				break
			}
			to++
		}
		if r == 0 {
			fmt.Fprintf(&d.b, `<rect x="%.2f" y="%d" width="%.2f" height="%d" fill="#000000"/>`, float64(x)+float64(from)*unit, y, float64(to-from)*unit, high)
		}
		from = to
	}
	return nil
}

func (d *drawing) svg(id, title string, all []Line) string {
	var text []string
	for _, x := range all {
		text = append(text, strings.TrimPrefix(x.Label+": "+x.Text, ": "))
	}
	id = html.EscapeString(id)
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img" aria-labelledby="%s-t %s-d"><title id="%s-t">%s</title><desc id="%s-d">%s</desc>`,
		cardWide, cardHigh, id, id, id, html.EscapeString(title), id, html.EscapeString(strings.Join(text, "; "))) +
		fmt.Sprintf(`<rect x="1" y="1" width="%d" height="%d" rx="32" fill="#ffffff" stroke="#5c6f82" stroke-width="2"/>`, cardWide-2, cardHigh-2) +
		d.b.String() + `</svg>`
}
