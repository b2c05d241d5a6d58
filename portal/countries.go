package portal

import (
	"cse.example/cse/person/team"
)

// countryView is a line of the table of /team/paesi.
type countryView struct{ ISO, Name, Since, Note string }

// countryGroup are the countries of one legal basis.
type countryGroup struct {
	Basis     string
	Countries []countryView
}

// countries is where the TEAM is valid today, by legal basis (R18, R19). The
// United Kingdom, which the FAQ does not name, is there when the body wants it.
func (c *call) countries() any {
	today := c.p.today()
	var out []countryGroup
	for _, x := range team.Countries() {
		if !x.On(today) || x.Basis == team.UK && !c.p.Config.TEAMInUK {
			continue
		}
		basis := c.say("team.basis." + string(x.Basis))
		if n := len(out); n == 0 || out[n-1].Basis != basis {
			out = append(out, countryGroup{Basis: basis})
		}
		v := countryView{ISO: x.ISO, Name: x.Name(c.tongue.lang), Since: x.From.Italian()}
		if x.Note != "" {
			v.Note = c.say("team.note." + string(x.Note))
		}
		g := &out[len(out)-1]
		g.Countries = append(g.Countries, v)
	}
	return out
}
