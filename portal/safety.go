package portal

import (
	"net/http"

	"cse.example/cse/ground/words"
)

// FactGroup is a part of /sicurezza: a heading of the catalogue, with a sentence
// under Key+".text", and what is in use (R91).
type FactGroup struct {
	Key   string
	Facts []Fact
}

// Fact is a catalogue key and the values in use.
type Fact struct {
	Key    string
	Values []FactValue
}

// FactValue is a technical name, which has no language, or a text of the
// catalogue with what fills it.
type FactValue struct {
	Text, Key string
	Args      []any
}

// In is the value in a language.
func (v FactValue) In(lang words.Lang) string {
	if v.Key == "" {
		return v.Text
	}
	return words.Say(lang, v.Key, v.Args...)
}

// security lists what is in use, read anew each time (R91).
func (c *call) security() error {
	type fact struct {
		Key    string
		Values []string
	}
	type group struct {
		Key   string
		Facts []fact
	}
	var data []group
	if read := c.p.Config.Security; read != nil {
		list, err := read()
		if err != nil {
			return err
		}
		for _, g := range list {
			out := group{Key: g.Key}
			for _, f := range g.Facts {
				x := fact{Key: f.Key}
				for _, v := range f.Values {
					x.Values = append(x.Values, v.In(c.tongue.lang))
				}
				out.Facts = append(out.Facts, x)
			}
			data = append(data, out)
		}
	}
	page := c.page("", "portal.security.title")
	c.crumbs(page)
	page.Data = data
	return c.show(http.StatusOK, "security", page)
}
