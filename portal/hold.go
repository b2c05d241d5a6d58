package portal

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/throttle"
)

// The holder's own suspension and its end, without login: /sospendi asks for the
// CIP; /riattiva for a signature of the card itself, given at the card's host
// (which lets a card on hold through for this only), and then for the CIP. No
// session is opened by either.

// HolderActs is what a holder does with his CIP besides the revocation; a
// *counter.Counter is one.
type HolderActs interface {
	SuspendWithCIP(ctx context.Context, which string, cip secret.Text, source string, lang words.Lang) (counter.Receipt, error)
	ReactivateWithCIP(ctx context.Context, card string, cip secret.Text, source string, lang words.Lang) (counter.Receipt, error)
}

// CardProof sends a browser to the card's host and takes back what it proved;
// a *login.Service is one.
type CardProof interface {
	BeginProof(ctx context.Context, browser string) (address string, err error)
	TakeProof(ctx context.Context, ticket, browser string) (card string, err error)
}

// The two cookies of a reactivation: which browser began it, and the sealed
// proof that a card signed.
const (
	holdCookie  = "__Host-cse-riattiva"
	proofCookie = "__Host-cse-prova"
	proofLife   = 10 * time.Minute
)

// proof is a card that signed a moment ago.
type proof struct {
	Card string    `json:"card"`
	At   time.Time `json:"at"`
}

// holdRoutes are the pages of hold and release.
func (p *Portal) holdRoutes(at func(pattern string, a answer)) {
	at("GET /sospendi", func(c *call) error { return c.cipPage("sospendi", http.StatusOK) })
	at("POST /sospendi", (*call).suspendByHolder)
	at("GET /riattiva", (*call).reactivation)
	at("GET /riattiva/carta", (*call).toCard)
	at("GET /riattiva/conferma", func(c *call) error {
		if _, err := c.proved(); err != nil {
			return err
		}
		return c.cipPage("riattiva", http.StatusOK)
	})
	at("POST /riattiva/conferma", (*call).reactivateByHolder)
}

// cipPage is a form that asks for the CIP; the CIP never goes back to it.
func (c *call) cipPage(which string, status int, faults ...*words.Fault) error {
	page := c.page("", "portal."+which+".title")
	c.crumbs(page, "look.menu.hub", "/cartasanitaria")
	values := c.r.PostForm
	values.Del("cip")
	page.Form, page.Data = c.newForm(values, faults...), which
	if len(faults) > 0 {
		page.Fault = faults[0]
	}
	return c.show(status, "cip", page)
}

// refused shows the form again, telling how long to wait.
func (c *call) refused(which string, err error) error {
	if wait := throttle.WaitOf(err); wait > 0 {
		c.w.Header().Set("Retry-After", strconv.Itoa(int(wait.Seconds())+1))
	}
	f := words.FaultOf(err)
	if f == nil {
		return err
	}
	status := statusOf(f)
	if status == http.StatusForbidden {
		status = http.StatusUnprocessableEntity
	}
	return c.cipPage(which, status, f)
}

// doneByHolder is the page after the act.
func (c *call) doneByHolder(which string, r counter.Receipt) error {
	page := c.page("", "portal."+which+".title")
	page.Data = struct{ Which, Text string }{which, c.say("portal."+which+".text", r.Protocol)}
	return c.show(http.StatusOK, "cipdone", page)
}

func (c *call) suspendByHolder() error {
	if err := c.form(); err != nil {
		return err
	}
	if faults := c.empty("chi", "cip"); len(faults) > 0 {
		return c.cipPage("sospendi", http.StatusUnprocessableEntity, faults...)
	}
	r, err := c.p.Holder.SuspendWithCIP(c.r.Context(), strings.ToUpper(compact(c.value("chi"))), secret.FromString(compact(c.value("cip"))),
		sourceOf(c.r), c.tongue.lang)
	if err != nil {
		return c.refused("sospendi", err)
	}
	return c.doneByHolder("sospesa", r)
}

// reactivation explains what is needed; with a ticket it is the way back from
// the card's host.
func (c *call) reactivation() error {
	ticket := c.r.URL.Query().Get("ticket")
	if ticket == "" {
		page := c.page("", "portal.riattiva.title")
		c.crumbs(page, "look.menu.hub", "/cartasanitaria")
		return c.show(http.StatusOK, "reactivate", page)
	}
	if c.p.Proof == nil {
		return words.Refuse("CSE-002")
	}
	browser := c.cookie(holdCookie)
	card, err := c.p.Proof.TakeProof(c.r.Context(), ticket, browser)
	if err != nil {
		return err
	}
	body, err := json.Marshal(proof{card, c.p.Clock.Now()})
	if err != nil {
		return err
	}
	sealed, err := c.p.Seal.Encrypt(body, proofName(browser))
	if err != nil {
		return err
	}
	setCookie(c.w, proofCookie, base64.RawURLEncoding.EncodeToString(sealed), int(proofLife/time.Second))
	return c.leave("/riattiva/conferma")
}

// toCard begins a proof and sends the browser to the card's host.
func (c *call) toCard() error {
	if c.p.Proof == nil {
		return words.Refuse("CSE-002")
	}
	browser, err := token(c.p.Rand)
	if err != nil {
		return err
	}
	address, err := c.p.Proof.BeginProof(c.r.Context(), browser)
	if err != nil {
		return err
	}
	setCookie(c.w, holdCookie, browser, 0)
	c.w.Header().Set("Cache-Control", "no-store")
	http.Redirect(c.w, c.r, address, http.StatusSeeOther)
	return nil
}

// proved opens the proof of this browser; CSE-457 when there is none, or an old
// one.
func (c *call) proved() (proof, error) {
	var x proof
	none := words.Refuse("CSE-457")
	sealed, err := base64.RawURLEncoding.DecodeString(c.cookie(proofCookie))
	if err != nil || len(sealed) == 0 {
		return x, none
	}
	body, err := c.p.Seal.Decrypt(sealed, proofName(c.cookie(holdCookie)))
	if err != nil {
		return x, none
	}
	if err := json.Unmarshal(body, &x); err != nil {
		return x, none
	}
	if age := c.p.Clock.Now().Sub(x.At); age < 0 || age > proofLife {
		return x, none
	}
	return x, nil
}

func proofName(browser string) []byte { return []byte("cse.portal.proof/1|" + browser) }

func (c *call) reactivateByHolder() error {
	if err := c.form(); err != nil {
		return err
	}
	x, err := c.proved()
	if err != nil {
		return err
	}
	if faults := c.empty("cip"); len(faults) > 0 {
		return c.cipPage("riattiva", http.StatusUnprocessableEntity, faults...)
	}
	r, err := c.p.Holder.ReactivateWithCIP(c.r.Context(), x.Card, secret.FromString(compact(c.value("cip"))), sourceOf(c.r), c.tongue.lang)
	if err != nil {
		return c.refused("riattiva", err)
	}
	setCookie(c.w, proofCookie, "", -1)
	return c.doneByHolder("riattivata", r)
}

func (c *call) cookie(name string) string {
	k, err := c.r.Cookie(name)
	if err != nil {
		return ""
	}
	return k.Value
}
