package portal

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/boombuler/barcode/qr"

	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
)

// An operator's first access, /primo-accesso: two halves, a password, an authenticator.

func (c *call) firstAccess() error { return c.firstAccessPage(http.StatusOK) }

func (c *call) firstAccessPage(status int, faults ...*words.Fault) error {
	page := c.page("", "portal.enrol.title")
	c.crumbs(page)
	for _, name := range []string{"meta_uno", "meta_due", "password", "password_ripetuta"} {
		c.r.PostForm.Del(name)
	}
	page.Form = c.newForm(c.r.PostForm, faults...)
	page.Data = c.r.URL.Query().Get("fatto") != ""
	if len(faults) > 0 {
		page.Fault = faults[0]
	}
	return c.show(status, "enrol", page)
}

// enrol takes both halves and a password, and shows the one-time secret.
func (c *call) enrol() error {
	if err := c.form(); err != nil {
		return err
	}
	if faults := c.empty("account", "meta_uno", "meta_due", "password", "password_ripetuta"); len(faults) > 0 {
		return c.firstAccessPage(http.StatusUnprocessableEntity, faults...)
	}
	password, again := secret.FromString(c.r.PostForm.Get("password")), secret.FromString(c.r.PostForm.Get("password_ripetuta"))
	defer password.Wipe()
	defer again.Wipe()
	if !password.Equal(again) {
		return c.firstAccessPage(http.StatusUnprocessableEntity, words.Refuse("CSE-379").At("password_ripetuta"))
	}
	account := strings.ToLower(c.value("account"))
	e, err := c.p.Roster.Enrol(c.r.Context(), account, c.value("meta_uno"), c.value("meta_due"), password, sourceOf(c.r))
	if f := words.FaultOf(err); f != nil {
		return c.firstAccessPage(http.StatusUnprocessableEntity, f)
	}
	if err != nil {
		return err
	}
	address := e.Address.Reveal()
	defer clear(address)
	size, squares, err := qrPath(string(address))
	if err != nil {
		return err
	}
	shown := string(address)
	_, shown, _ = strings.Cut(shown, "secret=")
	shown, _, _ = strings.Cut(shown, "&")
	page := c.page("", "portal.enrol.code")
	c.crumbs(page)
	page.Form = c.newForm(nil)
	page.Data = enrolView{Account: account, Proof: e.Proof, Secret: shown, Size: size, Squares: squares}
	return c.show(http.StatusOK, "enrolcode", page)
}

type enrolView struct {
	Account, Proof, Secret string
	// Size and Squares draw the QR code: an SVG path in a square of Size modules.
	Size    int
	Squares string
}

// qrPath is text as a QR code (ISO/IEC 18004, level M) with its quiet zone, for
// the d of an SVG path.
func qrPath(text string) (size int, d string, err error) {
	code, err := qr.Encode(text, qr.M, qr.Auto)
	if err != nil {
		return 0, "", fmt.Errorf("portal: QR code: %w", err)
	}
	const quiet = 4
	var b strings.Builder
	n := code.Bounds().Dx()
	for y := range n {
		for x := range n {
			if r, _, _, _ := code.At(x, y).RGBA(); r == 0 {
				fmt.Fprintf(&b, "M%d %dh1v1h-1z", x+quiet, y+quiet)
			}
		}
	}
	return n + 2*quiet, b.String(), nil
}

// confirmEnrolment takes the authenticator's first code.
func (c *call) confirmEnrolment() error {
	if err := c.form(); err != nil {
		return err
	}
	code := secret.FromString(compact(c.value("totp")))
	defer code.Wipe()
	account, proof := c.value("account"), c.value("prova")
	err := c.p.Roster.Confirm(c.r.Context(), account, proof, code, sourceOf(c.r))
	f := words.FaultOf(err)
	switch {
	case err == nil:
		return c.leave("/primo-accesso?fatto=si")
	case f == nil:
		return err
	case f.Code == "CSE-508": // the halves must be typed again
		c.r.PostForm = nil
		return c.firstAccessPage(http.StatusUnprocessableEntity, f)
	}
	page := c.page("", "portal.enrol.code")
	c.crumbs(page)
	page.Form = c.newForm(nil, f)
	page.Fault = f
	page.Data = enrolView{Account: account, Proof: proof}
	return c.show(http.StatusUnprocessableEntity, "enrolcode", page)
}
