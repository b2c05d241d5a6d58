package pinmanager

import (
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"

	"cse.example/cse/card/holder"
	"cse.example/cse/ground/words"
	"cse.example/cse/portal/look"
	"cse.example/cse/signature"
	"cse.example/cse/signature/pades"
)

// Signing has three steps: the document is chosen, the PIN is typed beside what
// will be signed, the result is downloaded. A wrong PIN does not cost the upload.

// waiting is a document before its signature.
type waiting struct {
	document
	wish    signature.Wish
	visible bool
}

// signed is a document after it.
type signed struct {
	name string
	signature.Signed
	left glance
}

func (c *call) signSteps(current int) look.Steps {
	return look.Steps{Current: current, Names: []string{c.say("manager.sign.step.choose"), c.say("manager.sign.step.pin"), c.say("manager.sign.step.done")}}
}

var signLabels = map[string]string{
	"documento": "manager.sign.file", "formato": "manager.sign.format", "visibile": "manager.sign.visible",
	"motivo": "manager.sign.reason", "luogo": "manager.sign.place", "pin": "manager.sign.pin", "last": "manager.confirm",
}

// signPage asks for the document, and forgets the one before.
func (c *call) signPage() error {
	c.m.put(func(d *desk) { d.waiting = nil })
	return c.signForm(http.StatusOK, upload{Values: map[string][]string{"formato": {"auto"}}})
}

func (c *call) signForm(status int, u upload, faults ...*words.Fault) error {
	p := c.page("sign", "manager.sign.title")
	p.Path = "/firma"
	c.form(p, signLabels, u.Values, faults...)
	return c.show(status, "sign", p, struct {
		Steps   look.Steps
		Formats []string
		Max     int
	}{c.signSteps(0), formats, maxDocument >> 20})
}

// bring takes the document and looks whether it can be signed as was wished.
func (c *call) bring() error {
	u, err := c.upload("documento")
	if f := words.FaultOf(err); f != nil && f.Field != "" {
		return c.signForm(status(f), u, f)
	} else if err != nil {
		return err
	}
	doc, ok := u.files["documento"]
	if !ok {
		return c.signForm(http.StatusUnprocessableEntity, u, words.Refuse("CSE-868").At("documento"))
	}
	wanted := signature.Format(u.Get("formato"))
	if wanted == "auto" {
		wanted = ""
	}
	format, err := signature.Choose(wanted, doc.data)
	if err != nil {
		return c.signForm(http.StatusUnprocessableEntity, u, faultOf(err).At("formato"))
	}
	w := &waiting{document: doc, wish: signature.Wish{Format: format}}
	if format == signature.PAdES {
		w.wish.Reason, w.wish.Location, w.visible = strings.TrimSpace(u.Get("motivo")), strings.TrimSpace(u.Get("luogo")), u.Get("visibile") != ""
	}
	c.m.put(func(d *desk) { d.waiting = w })
	c.redirect("/firma/pin")
	return nil
}

// signView is the second step.
type signView struct {
	codeView
	Steps                      look.Steps
	Name, Size, SHA256, Format string
	Visible                    bool
	Out                        string
}

// signPIN shows what will be signed and asks for the PIN.
func (c *call) signPIN() error {
	w := c.m.onDesk().waiting
	if w == nil {
		c.redirect("/firma")
		return nil
	}
	g, err := c.lookAtCard()
	if err != nil {
		return err
	}
	return c.signPINForm(http.StatusOK, w, g)
}

func (c *call) signPINForm(status int, w *waiting, g glance, faults ...*words.Fault) error {
	p := c.page("sign", "manager.sign.title")
	p.Path = "/firma/pin"
	v := c.codeView(askedPIN, g)
	c.codeForm(p, v, signLabels, faults...)
	return c.show(status, "signpin", p, signView{
		codeView: v, Steps: c.signSteps(1), Name: w.name, Size: size(len(w.data)),
		SHA256: fmt.Sprintf("%x", sha256.Sum256(w.data)), Format: c.say("manager.sign.format." + string(w.wish.Format)),
		Visible: w.visible, Out: w.wish.Format.FileName(w.name),
	})
}

// sign spends at most one try, and lays the signed document on the desk.
func (c *call) sign() error {
	f, err := c.read()
	if err != nil {
		return err
	}
	defer f.wipe()
	w := c.m.onDesk().waiting
	if w == nil {
		c.redirect("/firma")
		return nil
	}
	var out signature.Signed
	g, err := c.spendTry(askedPIN, f, func(h *holder.Holder) (err error) {
		out, err = c.signWith(h, w, f.pinFor(h))
		return err
	})
	switch refusal := words.FaultOf(err); {
	case err == nil:
	case refusal != nil && refusal.Field != "" && g.Mark != "":
		return c.signPINForm(http.StatusUnprocessableEntity, w, g, refusal)
	case refusal != nil && strings.HasPrefix(refusal.Code, "CSE-7"): // the document's
		return c.signForm(http.StatusUnprocessableEntity, upload{Values: map[string][]string{"formato": {"auto"}}}, refusal.At("documento"))
	default:
		return err
	}
	c.m.put(func(d *desk) { d.waiting, d.signed = nil, &signed{w.wish.Format.FileName(w.name), out, g} })
	c.redirect("/firma/fatto")
	return nil
}

func (c *call) signWith(h *holder.Holder, w *waiting, pin holder.AskPIN) (signature.Signed, error) {
	cert, err := h.Certificate()
	if err != nil {
		return signature.Signed{}, err
	}
	key, err := h.Signer(pin)
	if err != nil {
		return signature.Signed{}, err
	}
	s := &signature.Signer{Key: key, Certificate: cert, Clock: c.m.Clock, Random: rand.Reader, Stamp: c.m.Stamp}
	wish := w.wish
	if w.visible {
		wish.Appearance = &pades.Appearance{Page: 1, Lines: s.Appearance(c.lang)}
	}
	return s.Sign(c.r.Context(), w.data, wish)
}

// signedPage offers the signed document.
func (c *call) signedPage() error {
	s := c.m.onDesk().signed
	if s == nil {
		c.redirect("/firma")
		return nil
	}
	return c.show(http.StatusOK, "signed", c.page("sign", "manager.sign.done"), struct {
		Steps       look.Steps
		Name, Level string
		Size        string
		Left        stateRow
	}{c.signSteps(2), s.name, c.say("signature.level." + string(s.Level)), size(len(s.Data)), c.tries("manager.state.pin", s.left.Tries.PIN)})
}

// signedFile sends it.
func (c *call) signedFile() error {
	s := c.m.onDesk().signed
	if s == nil {
		return words.Refuse("CSE-865")
	}
	return c.send("application/octet-stream", s.name, s.Data)
}
