// Package paper makes the documents that leave on paper: the code form, the
// activation module, the revocation receipt, the referral to another office.
//
// PDF 1.3 to 1.7 (ISO 32000), A4, in Italian or English from the catalogue;
// barcodes Code 128 (ISO/IEC 15417) for protocol numbers and Code 39 (ISO/IEC
// 16388) for the codice fiscale, as on the card itself. The text can be taken
// out again in reading order (pdftotext), with its accents.
//
// Guarantees:
//   - The code form carries first halves only, each as "PIN: 12" on a line of its
//     own, and none of the words PIN, PUK, CIP before those lines: whoever reads
//     it with a program finds the digits and nothing else. Personal data come
//     after them, so that no surname can be taken for a code.
//   - The same data at the same instant give the same bytes.
//   - Characters that the fonts do not have lose their accents, never the letter
//     (Kovačević becomes Kovacevic); with TrueType fonts given by the wiring
//     they are kept.
//
// Refusals: halves that are empty or not digits, a missing protocol number or
// day, a protocol number that Code 128 cannot carry.
package paper

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"codeberg.org/go-pdf/fpdf"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/unicode/norm"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
)

// Fonts are TrueType files; nil fields fall back on the PDF core fonts
// (Helvetica and Courier, cp1252), which every reader has.
type Fonts struct{ Regular, Bold, MonoBold []byte }

// Options are what all documents of one issuer share.
type Options struct {
	// Issuer is the body on the letterhead: "Regione Toscana".
	Issuer string
	// Helpline is the call centre's number: "800.004477".
	Helpline string
	// Banner, when set, is printed across the foot of every page ("DIMOSTRAZIONE").
	Banner string
	Fonts  Fonts
	Clock  civil.Clock
	// Own is a press on somebody's own computer: its papers are of a program and
	// not of an issuer, and have no call centre.
	Own bool
}

// Press prints. It is safe for concurrent use.
type Press struct{ o Options }

// New refuses Options without issuer, clock or, unless Own, helpline.
func New(o Options) (*Press, error) {
	if o.Issuer == "" || (o.Helpline == "" && !o.Own) || o.Clock == nil {
		return nil, errors.New("paper: issuer, helpline and clock are needed")
	}
	return &Press{o}, nil
}

// The page, in millimetres.
const (
	pageWidth  = 210.0
	pageHeight = 297.0
	margin     = 18.0
	textWidth  = pageWidth - 2*margin
	lineHeight = 5.2
)

// sheet is one document under way. Its methods write down the page and move the
// cursor; the first error sticks and comes out of bytes.
type sheet struct {
	*fpdf.Fpdf
	o    Options
	lang words.Lang
	utf8 bool // TrueType fonts: no cp1252
	err  error
	twin *[]Block // written down beside the drawing, when a twin is made
}

func (p *Press) sheet(lang words.Lang, titleKey string) *sheet {
	s := &sheet{Fpdf: fpdf.New("P", "mm", "A4", ""), o: p.o, lang: lang}
	s.fonts()
	now := p.o.Clock.Now().UTC()
	s.SetCreationDate(now)
	s.SetModificationDate(now)
	s.SetCatalogSort(true)
	s.SetTitle(s.say(titleKey), true)
	s.SetAuthor(p.o.Issuer, true)
	s.SetCreator("CSE", true)
	s.SetLang(string(lang))
	s.SetMargins(margin, margin, margin)
	s.SetAutoPageBreak(true, 22)
	s.SetFooterFunc(s.foot)
	return s
}

func (s *sheet) fonts() {
	f := s.o.Fonts
	if f.Regular == nil || f.Bold == nil || f.MonoBold == nil {
		return
	}
	s.utf8 = true
	s.AddUTF8FontFromBytes("text", "", f.Regular)
	s.AddUTF8FontFromBytes("text", "B", f.Bold)
	s.AddUTF8FontFromBytes("mono", "B", f.MonoBold)
}

// say is the catalogue's text.
func (s *sheet) say(key string, args ...any) string { return words.Say(s.lang, key, args...) }

// font selects size in points; style is "" or "B".
func (s *sheet) font(style string, size float64) {
	if s.utf8 {
		s.SetFont("text", style, size)
	} else {
		s.SetFont("Helvetica", style, size)
	}
}

func (s *sheet) mono(size float64) {
	if s.utf8 {
		s.SetFont("mono", "B", size)
	} else {
		s.SetFont("Courier", "B", size)
	}
}

// enc turns UTF-8 into what the selected fonts take.
func (s *sheet) enc(text string) string {
	if s.utf8 {
		return text
	}
	return cp1252(text)
}

// cp1252 encodes text; what the code page lacks loses its accents, and what
// then is still missing becomes a question mark.
func cp1252(text string) string {
	var b strings.Builder
	for _, r := range norm.NFC.String(text) {
		if c, ok := charmap.Windows1252.EncodeRune(r); ok {
			b.WriteByte(c)
			continue
		}
		b.WriteString(plain(r))
	}
	return b.String()
}

// letters that do not decompose.
var letters = map[rune]string{'ł': "l", 'Ł': "L", 'đ': "d", 'Đ': "D", 'ħ': "h", 'Ħ': "H", 'ı': "i", 'ŧ': "t", 'Ŧ': "T", 'ə': "e", 'Ə': "E"}

func plain(r rune) string {
	if l, ok := letters[r]; ok {
		return l
	}
	var b strings.Builder
	for _, d := range norm.NFKD.String(string(r)) {
		if unicode.Is(unicode.Mn, d) {
			continue
		}
		c, ok := charmap.Windows1252.EncodeRune(d)
		if !ok {
			return "?"
		}
		b.WriteByte(c)
	}
	return b.String()
}

// bytes ends the document.
func (s *sheet) bytes() ([]byte, error) {
	if s.err != nil {
		return nil, s.err
	}
	var out bytes.Buffer
	if err := s.Output(&out); err != nil {
		return nil, fmt.Errorf("paper: %w", err)
	}
	return out.Bytes(), nil
}

func (s *sheet) foot() {
	s.SetY(-17)
	s.ink(90)
	s.font("", 8)
	foot := s.o.Issuer
	if !s.o.Own {
		foot = s.say("paper.foot", s.o.Issuer, s.o.Helpline)
	}
	s.CellFormat(textWidth, 4, s.enc(foot), "T", 1, "C", false, 0, "")
	if s.o.Banner != "" {
		s.SetTextColor(180, 30, 30)
		s.font("B", 11)
		s.CellFormat(textWidth, 6, s.enc(s.o.Banner), "", 1, "C", false, 0, "")
	}
	s.ink(0)
}

// ink sets the grey of text, 0 black to 255 white.
func (s *sheet) ink(grey int) { s.SetTextColor(grey, grey, grey) }

// head opens a page with letterhead and title.
func (s *sheet) head(title, subtitle string) {
	s.note(Block{Kind: Heading, Text: title, Items: filled(subtitle)})
	s.AddPage()
	s.SetTextColor(0, 68, 140)
	s.font("B", 12)
	s.CellFormat(textWidth, 6, s.enc(s.o.Issuer), "", 1, "L", false, 0, "")
	s.ink(70)
	s.font("", 9)
	s.CellFormat(textWidth, 4.5, s.enc(s.say("paper.service")), "", 1, "L", false, 0, "")
	s.SetDrawColor(0, 102, 204)
	s.SetLineWidth(0.8)
	s.Line(margin, s.GetY()+2, pageWidth-margin, s.GetY()+2)
	s.SetLineWidth(0.2)
	s.SetDrawColor(0, 0, 0)
	s.Ln(7)
	s.ink(0)
	s.font("B", 17)
	s.MultiCell(textWidth, 8, s.enc(title), "", "L", false)
	if subtitle != "" {
		s.font("", 11)
		s.ink(60)
		s.MultiCell(textWidth, 6, s.enc(subtitle), "", "L", false)
		s.ink(0)
	}
	s.Ln(3)
}

// section is a heading inside a page.
func (s *sheet) section(text string) {
	s.note(Block{Kind: Section, Text: text})
	s.Ln(2)
	s.font("B", 11.5)
	s.SetTextColor(0, 68, 140)
	s.CellFormat(textWidth, 7, s.enc(text), "B", 1, "L", false, 0, "")
	s.ink(0)
	s.Ln(1.5)
}

// fields prints label and value in two columns; empty values are left out.
func (s *sheet) fields(list ...string) {
	all := pairs(list)
	if len(all) > 0 {
		s.note(Block{Kind: Fields, Pairs: all})
	}
	for _, x := range all {
		if s.GetY() > pageHeight-22-2.5*lineHeight { // label and value stay together
			s.AddPage()
		}
		y := s.GetY()
		s.ink(80)
		s.font("", 9.5)
		s.MultiCell(52, lineHeight, s.enc(x[0]), "", "L", false)
		after := s.GetY()
		s.ink(0)
		s.font("B", 10)
		s.SetXY(margin+54, y)
		s.MultiCell(textWidth-54, lineHeight, s.enc(x[1]), "", "L", false)
		s.SetY(max(after, s.GetY()))
	}
}

func (s *sheet) paragraph(text string) {
	s.note(Block{Kind: Paragraph, Text: text})
	s.font("", 10)
	s.MultiCell(textWidth, lineHeight, s.enc(text), "", "L", false)
	s.Ln(1.5)
}

// steps are paragraphs with a dash.
func (s *sheet) steps(texts ...string) {
	s.note(Block{Kind: List, Items: texts})
	for _, text := range texts {
		y := s.GetY()
		s.font("B", 10)
		s.Text(margin+1, y+3.7, s.enc("–"))
		s.font("", 10)
		s.SetX(margin + 6)
		s.MultiCell(textWidth-6, lineHeight, s.enc(text), "", "L", false)
		s.Ln(0.8)
	}
}

// tick is a consent with its box, crossed or empty.
func (s *sheet) tick(given bool, text string) {
	s.note(Block{Kind: Consent, Text: text, Given: given})
	x, y := margin+0.5, s.GetY()+0.8
	s.Rect(x, y, 3.6, 3.6, "D")
	if given {
		s.SetLineWidth(0.5)
		s.Line(x+0.5, y+0.5, x+3.1, y+3.1)
		s.Line(x+3.1, y+0.5, x+0.5, y+3.1)
		s.SetLineWidth(0.2)
	}
	mark := s.say("paper.no")
	if given {
		mark = s.say("paper.yes")
	}
	s.font("", 10)
	s.SetX(margin + 7)
	s.MultiCell(textWidth-7, lineHeight, s.enc(text+" ["+mark+"]"), "", "L", false)
	s.Ln(0.8)
}

// signatures are boxes side by side, each under its caption.
func (s *sheet) signatures(captions ...string) {
	s.note(Block{Kind: Signatures, Items: captions})
	const height = 20.0
	if s.GetY()+height+8 > pageHeight-22 {
		s.AddPage()
	}
	s.Ln(3)
	gap := 6.0
	w := (textWidth - gap*float64(len(captions)-1)) / float64(len(captions))
	y := s.GetY()
	s.font("", 8.5)
	s.ink(70)
	for i, c := range captions {
		x := margin + float64(i)*(w+gap)
		s.SetXY(x, y)
		s.CellFormat(w, 5, s.enc(c), "", 0, "L", false, 0, "")
		s.Rect(x, y+5, w, height, "D")
	}
	s.ink(0)
	s.SetXY(margin, y+5+height+3)
}

// day and hour as people of the document's language write them, in Rome.
func hour(t time.Time) string { return t.In(civil.Rome).Format("02/01/2006, 15:04") }
