package portal

import (
	"fmt"
	"net/http"
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

// formView is a form: the file, and the page that says the same.
type formView struct{ Path, Page, Key string }

// forms lists what can be downloaded; nothing while nobody makes forms.
func (c *call) forms() any {
	if c.p.BlankForm == nil {
		return []formView(nil)
	}
	var out []formView
	for _, kind := range formKinds {
		out = append(out, formView{"/modulo-delega/" + kind + ".pdf", "/modulo-delega/" + kind, "portal.forms." + kind})
	}
	return out
}

// partView is one part of a form on a page.
type partView struct {
	Title, Text         string
	Lines, Boxes, Steps []string
}

// blankPage is the form as a page, for screen readers and for who has no printer:
// it reads the texts of the file itself.
func (c *call) blankPage(kind string) error {
	key := "paper.blank." + kind
	page := c.page("cartasanitaria", key+".title")
	c.crumbs(page, "look.menu.hub", "/cartasanitaria", "portal.forms.title", "/modulo-delega")
	var parts []partView
	for n := 1; words.Has(c.tongue.lang, fmt.Sprintf("%s.%d", key, n)); n++ {
		k := fmt.Sprintf("%s.%d", key, n)
		v := partView{Title: c.say(k), Lines: c.numbered(k + ".l"), Boxes: c.numbered(k + ".t"), Steps: c.numbered(k + ".s")}
		if words.Has(c.tongue.lang, k+".text") {
			v.Text = c.say(k + ".text")
		}
		parts = append(parts, v)
	}
	page.Data = map[string]any{
		"Subtitle": c.say(key + ".subtitle"), "Parts": parts, "Sign": c.say(key + ".sign"), "File": "/modulo-delega/" + kind + ".pdf",
	}
	return c.show(http.StatusOK, "blank", page)
}

// numbered are the texts KEY1, KEY2 … that exist.
func (c *call) numbered(key string) []string {
	var out []string
	for n := 1; words.Has(c.tongue.lang, fmt.Sprintf("%s%d", key, n)); n++ {
		out = append(out, c.say(fmt.Sprintf("%s%d", key, n)))
	}
	return out
}

// blankForm downloads one, or shows it as a page; the address of the file ends
// in .pdf, as the file does.
func (c *call) blankForm() error {
	name := c.r.PathValue("kind")
	if slices.Contains(formKinds, name) && c.p.BlankForm != nil {
		return c.blankPage(name)
	}
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
