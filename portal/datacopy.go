package portal

import (
	"context"
	"io"
	"net/http"
	"strconv"

	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/privacy"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/portal/look"
)

// DataCopies are copies of one's data with the scans of one's papers, as ZIP
// files of a size that a slow line brings home.
type DataCopies interface {
	// Parts is how many files the copy has, and of how many papers; none for nobody's.
	Parts(ctx context.Context, cf codicefiscale.Code) (parts, papers int, err error)
	// Write writes file n, from 1.
	Write(ctx context.Context, e privacy.Export, n int, lang words.Lang, w io.Writer) error
}

// copyView is one file of the copy with scans.
type copyView struct{ N, Name string }

// copies are the files that the page offers, and how many papers they are of.
func (c *call) copies(cf codicefiscale.Code) ([]copyView, int, error) {
	n, papers, err := c.p.DataCopies.Parts(c.r.Context(), cf)
	var out []copyView
	for i := 1; i <= n; i++ {
		name := c.say("portal.data.copy.zip")
		if n > 1 {
			name = c.say("portal.data.copy.zip.part", i, n)
		}
		out = append(out, copyView{strconv.Itoa(i), name})
	}
	return out, papers, err
}

// copyFile sends file n of the copy with scans.
func (c *call) copyFile(cf codicefiscale.Code) error {
	ctx := c.r.Context()
	n, err := strconv.Atoi(c.value("parte"))
	if err != nil {
		return words.Refuse("CSE-357").Because(err)
	}
	parts, _, err := c.p.DataCopies.Parts(ctx, cf)
	if err != nil {
		return err
	}
	if n < 1 || n > parts {
		return c.myDataPage(http.StatusUnprocessableEntity, nil, words.Refuse("CSE-781"))
	}
	e, err := c.p.Privacy.Export(ctx, cf)
	if err != nil {
		return err
	}
	h := c.w.Header()
	look.SecureHeaders(h)
	h.Set("Content-Type", "application/zip")
	h.Set("Content-Disposition", `attachment; filename="dati-`+strconv.Itoa(n)+`.zip"`)
	if err := c.p.DataCopies.Write(ctx, e, n, c.tongue.lang, c.w); err != nil {
		// Part of the file has left: it has no end, and a program that opens it says so.
		c.p.Log.ErrorContext(ctx, "a copy of somebody's data broke off", "err", err)
		panic(http.ErrAbortHandler)
	}
	return nil
}
