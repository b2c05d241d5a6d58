package pinmanager

import (
	"net/http"

	"cse.example/cse/card/doctor"
	"cse.example/cse/card/holder"
	"cse.example/cse/ground/words"
	"cse.example/cse/portal/look"
)

// readerView is one reader: its card, or why it is of no use.
type readerView struct {
	Name, Text string
	Badge      look.Badge
	// Use tells that it may be chosen, Chosen that it was.
	Use, Chosen bool
}

// readers lists the readers, to choose one of several.
func (c *call) readers() error { return c.readersPage(http.StatusOK, nil) }

func (c *call) readersPage(status int, f *words.Fault) error {
	slots, err := c.m.Cards.Slots()
	if err != nil {
		return err
	}
	c.m.mu.Lock()
	chosen := c.m.chosen
	c.m.mu.Unlock()
	var list []readerView
	for _, s := range slots {
		v := readerView{Name: s.Name, Use: true, Chosen: s.Name == chosen}
		switch why := doctor.WhyUnusable(s); {
		case why != nil:
			v.Use, v.Text, v.Badge = false, why.Sentence(c.lang)+" "+why.Next(c.lang), look.Badge{Tone: look.Wait, Word: c.say("manager.reader.no")}
		case holder.IsCNS(s.ATR):
			v.Badge = look.Badge{Tone: look.Good, Word: c.say("manager.reader.card")}
		default:
			v.Badge = look.Badge{Tone: look.None, Word: c.say("manager.reader.other")}
		}
		list = append(list, v)
	}
	p := c.page("card", "manager.reader.title")
	p.Fault = f
	return c.show(status, "readers", p, list)
}

// choose keeps a reader for the rest of this run.
func (c *call) choose() error {
	f, err := c.read()
	if err != nil {
		return err
	}
	c.m.mu.Lock()
	c.m.chosen = f.Get("lettore")
	c.m.mu.Unlock()
	c.redirect("/")
	return nil
}
