package portal

import (
	"net/http"

	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/staff"
)

// FormText is what a printed form says, with an invented example.
type FormText struct {
	// ID is the last part of its address.
	ID, Name, Version string
	Blocks            []PaperBlock
}

// FormTexts lists them in a language.
type FormTexts func(lang words.Lang) ([]FormText, error)

// formRoutes show the texts of forms, per language, with preview and version
// (O9); those of letters are at /operazioni/modelli.
func (p *Portal) formRoutes(at func(pattern string, a answer)) {
	if p.FormTexts == nil {
		return
	}
	at("GET "+opsRoot+"/moduli", withRole((*call).formTexts, staff.RoleOperations, staff.RoleAuditor))
	at("GET "+opsRoot+"/moduli/{modulo}/{lingua}", withRole((*call).formText, staff.RoleOperations, staff.RoleAuditor))
}

type formTextView struct {
	FormText
	Italian, English string
}

func (c *call) formTexts() error {
	list, err := c.p.FormTexts(c.tongue.lang)
	if err != nil {
		return err
	}
	var views []formTextView
	for _, m := range list {
		v := formTextView{FormText: m, Italian: opsRoot + "/moduli/" + m.ID + "/it", English: opsRoot + "/moduli/" + m.ID + "/en"}
		views = append(views, v)
	}
	page := c.page("operazioni", "portal.formtext.title")
	c.crumbs(page, "look.menu.operations", opsRoot)
	page.Data = views
	return c.show(http.StatusOK, "formtexts", page)
}

// formText is one, as it reads in a language.
func (c *call) formText() error {
	lang := words.Lang(c.r.PathValue("lingua"))
	if lang != words.Italian && lang != words.English {
		return words.Refuse("CSE-002")
	}
	list, err := c.p.FormTexts(lang)
	if err != nil {
		return err
	}
	for _, m := range list {
		if m.ID != c.r.PathValue("modulo") {
			continue
		}
		page := c.page("operazioni", "portal.formtext.one", m.Name)
		c.crumbs(page, "look.menu.operations", opsRoot, "portal.formtext.title", opsRoot+"/moduli")
		page.Data = struct {
			FormText
			Lang string
		}{m, paperTongue(c.tongue.lang, lang)}
		return c.show(http.StatusOK, "formtext", page)
	}
	return words.Refuse("CSE-002")
}
