package pinmanager

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"time"

	"cse.example/cse/card/cns"
	"cse.example/cse/card/doctor"
	"cse.example/cse/card/holder"
	"cse.example/cse/card/reader"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/portal/look"
)

// withCard opens the card of this run, one act at a time, and lets it go after:
// no PIN stays verified between two pages.
func (m *Manager) withCard(act func(h *holder.Holder, slot reader.Slot) error) error {
	m.card.Lock()
	defer m.card.Unlock()
	slot, err := m.slot()
	if err != nil {
		return err
	}
	card, err := m.Cards.Open(slot)
	if err != nil {
		return err
	}
	defer card.Close() //nolint:errcheck // the act's own outcome is what counts
	h, err := holder.New(card)
	if err != nil {
		return err
	}
	return act(h, slot)
}

// slot is the reader to use: the chosen one as long as it is there, else the only
// one with a CNS. CSE-859 when there are several.
func (m *Manager) slot() (reader.Slot, error) {
	slots, err := m.Cards.Slots()
	if err != nil {
		return reader.Slot{}, err
	}
	m.mu.Lock()
	chosen := m.chosen
	m.mu.Unlock()
	var cards []reader.Slot
	best := -1
	for i, s := range slots {
		if s.Name == chosen && chosen != "" {
			return s, unusable(s)
		}
		if doctor.WhyUnusable(s) == nil && holder.IsCNS(s.ATR) {
			cards = append(cards, s)
		}
		if best < 0 || s.Present && !slots[best].Present {
			best = i
		}
	}
	switch {
	case len(cards) == 1:
		return cards[0], nil
	case len(cards) > 1:
		return reader.Slot{}, words.Refuse("CSE-859", len(cards))
	case best < 0:
		return reader.Slot{}, words.Refuse(reader.CodeNoReader)
	}
	return slots[best], unusable(slots[best])
}

// unusable is doctor.WhyUnusable as an error.
func unusable(s reader.Slot) error {
	if f := doctor.WhyUnusable(s); f != nil {
		return f
	}
	return nil
}

// mark names a card on a form without saying its number: an act is done on the
// card that the page showed, or not at all.
func (m *Manager) mark(id cns.CardID) string {
	h := hmac.New(sha256.New, m.secret[:])
	h.Write([]byte(id))
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:12])
}

// sameCard refuses another card than the one of the form (CSE-858).
func (m *Manager) sameCard(h *holder.Holder, mark string) error {
	id, err := h.CardID()
	if err != nil {
		return err
	}
	if !hmac.Equal([]byte(m.mark(id)), []byte(mark)) {
		return words.Refuse("CSE-858")
	}
	return nil
}

// glance is what the pages of acts need to know of a card.
type glance struct {
	Mark, Reader string
	Number       cns.CardID
	Tries        holder.Tries
}

func (m *Manager) glance(h *holder.Holder, s reader.Slot) (glance, error) {
	id, err := h.CardID()
	if err != nil {
		return glance{}, err
	}
	left, err := h.Tries()
	return glance{Mark: m.mark(id), Reader: s.Name, Number: id, Tries: left}, err
}

// cardView is the card on its page.
type cardView struct {
	glance
	Holder, CF, Issuer, Family string
	Untried                    bool
	Issued, Expires            civil.Date
	Rows                       []stateRow
	// Alert is what to do first; nil when all is well.
	Alert *look.Notice
	// Unblock tells that the PUK helps.
	Unblock bool
}

// stateRow is one state with its light.
type stateRow struct {
	Name, Text string
	Badge      look.Badge
}

// home is the card.
func (c *call) home() error {
	var v cardView
	err := c.m.withCard(func(h *holder.Holder, s reader.Slot) (err error) {
		v, err = c.cardView(h, s)
		return err
	})
	if err != nil {
		return err
	}
	return c.show(http.StatusOK, "card", c.page("card", "manager.card.title"), v)
}

func (c *call) cardView(h *holder.Holder, s reader.Slot) (cardView, error) {
	g, err := c.m.glance(h, s)
	if err != nil {
		return cardView{}, err
	}
	data, raw, err := h.ReadPersonalData()
	if err != nil {
		return cardView{}, err
	}
	id := h.Identify()
	v := cardView{
		glance: g, Holder: data.Name + " " + data.Surname, CF: data.CF, Issuer: data.Issuer, Family: id.Family,
		Untried: id.Tested != holder.Tried, Issued: data.Issued, Expires: data.Expires,
	}
	if name := g.Number.Region(); name != "" {
		v.Issuer = name
	}
	now := c.m.Clock.Now()
	v.Rows = append(v.Rows, c.lasting("manager.state.card", data.Expires.End(), now))
	certificate, err := h.Certificate()
	switch f := words.FaultOf(err); {
	case err == nil:
		row := c.lasting("manager.state.certificate", certificate.NotAfter, now)
		if name, err := cns.ParseCommonName(certificate.Subject.CommonName); err != nil || name.ID != g.Number || !ofData(name, raw) {
			row.Badge, row.Text = look.Badge{Tone: look.Bad, Word: c.say("manager.state.foreign")}, c.say("manager.state.foreign.text")
		}
		v.Rows = append(v.Rows, row)
	case f != nil && f.Code == "CSE-224":
		v.Rows = append(v.Rows, stateRow{c.say("manager.state.certificate"), f.Next(c.lang), look.Badge{Tone: look.Bad, Word: c.say("manager.state.absent")}})
	default:
		return v, err
	}
	v.Rows = append(v.Rows, c.tries("manager.state.pin", g.Tries.PIN), c.tries("manager.state.puk", g.Tries.PUK))
	c.alert(&v)
	return v, nil
}

// ofData tells whether a certificate's name has the hash of the personal data.
func ofData(name cns.Name, raw []byte) bool {
	return name.Hash == cns.Neutral().HashPersonalData(raw) || name.Hash == cns.Profile{HashWithoutPadding: true}.HashPersonalData(raw)
}

// alert says what to do first: a blocked PUK before a blocked PIN.
func (c *call) alert(v *cardView) {
	var f *words.Fault
	switch t := v.Tries; {
	case t.PUK.Blocked():
		f = words.Refuse("CSE-214")
	case t.PIN.Blocked():
		f, v.Unblock = words.Refuse("CSE-212"), true
	default:
		return
	}
	n := look.NoticeOf(c.lang, f)
	v.Alert = &n
}

// soon is how long before its end a date is told with a warning.
const soon = 60 * 24 * time.Hour

// lasting is the state of something that lasts until an instant.
func (c *call) lasting(key string, until, now time.Time) stateRow {
	row := stateRow{Name: c.say(key), Text: c.say("manager.state.until", civil.DayOf(until).Italian())}
	switch {
	case now.After(until):
		row.Badge = look.Badge{Tone: look.Bad, Word: c.say("manager.state.ended")}
	case until.Sub(now) < soon:
		row.Badge = look.Badge{Tone: look.Wait, Word: c.say("manager.state.soon")}
	default:
		row.Badge = look.Badge{Tone: look.Good, Word: c.say("manager.state.valid")}
	}
	return row
}

// tries is the state of a code: what is left, in words.
func (c *call) tries(key string, n holder.Counter) stateRow {
	row := stateRow{Name: c.say(key)}
	switch {
	case !n.Known:
		row.Badge, row.Text = look.Badge{Tone: look.None, Word: c.say("manager.tries.unknown")}, c.say("manager.tries.unknown.text")
	case n.Blocked():
		row.Badge = look.Badge{Tone: look.Bad, Word: c.say("manager.tries.blocked")}
	case n.Left < holder.MaxTries:
		row.Badge = look.Badge{Tone: look.Wait, Word: c.count(n.Left)}
	default:
		row.Badge = look.Badge{Tone: look.Good, Word: c.count(n.Left)}
	}
	return row
}
