package paper

import (
	"fmt"

	"github.com/boombuler/barcode"
	"github.com/boombuler/barcode/code128"
	"github.com/boombuler/barcode/code39"
)

// module is the width of the narrowest bar, in millimetres. 0.3 mm is well
// within what hand-held readers take from an office printer.
const module = 0.3

// code128 draws text as Code 128 with its right end at the margin, height
// millimetres high, the text under it.
func (s *sheet) code128(text string, y, height float64) {
	bars, err := code128.Encode(text)
	if err != nil {
		s.fail(fmt.Errorf("paper: %q as Code 128: %w", text, err))
		return
	}
	s.bars(bars, text, y, height)
}

// code39 is the same with Code 39, without check character, as on the card.
func (s *sheet) code39(text string, y, height float64) {
	bars, err := code39.Encode(text, false, false)
	if err != nil {
		s.fail(fmt.Errorf("paper: as Code 39: %w", err)) // the text is a codice fiscale: not shown
		return
	}
	s.bars(bars, text, y, height)
}

func (s *sheet) bars(b barcode.Barcode, text string, y, height float64) {
	n := b.Bounds().Dx()
	x := pageWidth - margin - float64(n)*module
	s.SetFillColor(0, 0, 0)
	for i := 0; i < n; {
		run := 0
		for i+run < n && dark(b, i+run) {
			run++
		}
		if run > 0 {
			s.Rect(x+float64(i)*module, y, float64(run)*module, height, "F")
		}
		i += max(run, 1)
	}
	s.font("", 8)
	s.SetXY(x, y+height+0.5)
	s.CellFormat(float64(n)*module, 4, s.enc(text), "", 0, "C", false, 0, "")
}

func dark(b barcode.Barcode, x int) bool {
	r, _, _, _ := b.At(x, 0).RGBA()
	return r < 0x8000
}

func (s *sheet) fail(err error) {
	if s.err == nil {
		s.err = err
	}
}
