package portal

import (
	"slices"
	"strconv"

	"cse.example/cse/ground/words"
	"cse.example/cse/portal/look"
)

// BlankForm makes a form to be filled in by hand: FormDelegation or
// FormSelfDeclaration, as a PDF.
type BlankForm func(kind string, lang words.Lang) ([]byte, error)

// The forms that a citizen brings from home.
const (
	FormDelegation      = "delega"
	FormSelfDeclaration = "autocertificazione"
)

var formKinds = []string{FormDelegation, FormSelfDeclaration}

type formView struct{ Path, Key string }

// forms lists what can be downloaded; nothing while nobody makes forms.
func (c *call) forms() any {
	if c.p.BlankForm == nil {
		return []formView(nil)
	}
	var out []formView
	for _, kind := range formKinds {
		out = append(out, formView{"/modulo-delega/" + kind + ".pdf", "portal.forms." + kind})
	}
	return out
}

// blankForm downloads one; the address ends in .pdf, as the file does.
func (c *call) blankForm() error {
	name := c.r.PathValue("kind")
	i := slices.IndexFunc(formKinds, func(k string) bool { return k+".pdf" == name })
	if i < 0 || c.p.BlankForm == nil {
		return words.Refuse("CSE-002")
	}
	pdf, err := c.p.BlankForm(formKinds[i], c.tongue.lang)
	if err != nil {
		return err
	}
	h := c.w.Header()
	look.SecureHeaders(h)
	h.Set("Content-Type", "application/pdf")
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	h.Set("Content-Length", strconv.Itoa(len(pdf)))
	_, _ = c.w.Write(pdf) // the asker may be gone
	return nil
}
