package portal

import (
	"net/http"
	"slices"
	"sync"
	"time"

	"cse.example/cse/ground/words"
)

// Refusals that are written down (R92): whoever asks for what is not his.

// notHis are the refusals that say "this is not yours to do or see": they are
// recorded, unlike what was merely filled in wrongly. The rooms of operations
// (CSE-540, CSE-541), of approvals (CSE-552, CSE-555) and of checks (CSE-754,
// CSE-755) record theirs themselves.
var notHis = []string{
	"CSE-003", "CSE-122", "CSE-123", "CSE-124", "CSE-125", "CSE-126", "CSE-127", "CSE-140", "CSE-141", "CSE-144", "CSE-145", "CSE-147", "CSE-355", "CSE-356",
}

// recordRefusal writes down, once for each request, that somebody who has entered
// was refused: an operator, whoever was one until a moment ago, or a holder at
// pages that are not his.
func (c *call) recordRefusal(f *words.Fault) error {
	if f == nil || c.op == nil && c.session == nil || c.p.Refused == nil || c.recorded || !slices.Contains(notHis, f.Code) {
		return nil
	}
	return c.record(f)
}

// record writes f down under the name of whoever is here.
func (c *call) record(f *words.Fault) error {
	c.recorded = true
	r := Refusal{Route: c.r.Pattern, Code: f.Code, Card: c.r.PathValue("numero")}
	if len(r.Card) != 16 {
		r.Card = "" // a protocol number has the same name in its address
	}
	switch {
	case c.op != nil:
		r.Actor, r.Office = c.op.Account, c.op.Office.ID
	case c.session.Account != "":
		r.Actor = c.session.Account
	default:
		r.Actor, r.Person = "holder", c.session.CF
		if r.Card == "" {
			r.Card = c.session.Card
		}
	}
	return c.p.Refused(c.r.Context(), r)
}

// recordEnd writes down that a session ended because its card did (R5); time that
// is over is no refusal.
func (c *call) recordEnd(f *words.Fault) error {
	if f.Code == "CSE-350" || c.p.Refused == nil {
		return nil
	}
	return c.record(f)
}

// strangersAnHour is how many refusals of nobody in particular are written in an
// hour: the trail is for ever, and whoever likes can ask without a session. Those
// beyond are counted, and the next one written says how many they were.
const strangersAnHour = 60

// Strangers counts them.
type Strangers struct {
	mu             sync.Mutex
	since          time.Time
	written, other int
}

// Note tells whether one more is written at now, and how many were not before it.
func (s *Strangers) Note(now time.Time) (others int, write bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.since.IsZero() || now.Sub(s.since) >= time.Hour || now.Before(s.since) {
		s.since, s.written = now, 0
	}
	if s.written >= strangersAnHour {
		s.other++
		return 0, false
	}
	s.written++
	others, s.other = s.other, 0
	return others, true
}

// stranger refuses a form that came without a session to a page that wants one; to
// look at such a page leads to the login, and is no refusal.
func (c *call) stranger() error {
	f := words.Refuse("CSE-350")
	if c.p.Refused == nil || c.r.Method == http.MethodGet || c.r.Method == http.MethodHead {
		return f
	}
	others, write := c.p.strangers.Note(c.p.Clock.Now())
	if !write {
		return f
	}
	c.recorded = true
	if err := c.p.Refused(c.r.Context(), Refusal{Actor: "nobody", Route: c.r.Pattern, Code: f.Code, Others: others}); err != nil {
		return err
	}
	return f
}
