package portal

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"cse.example/cse/ground/words"
	"cse.example/cse/portal/look"
	"cse.example/cse/portal/signed"
	"cse.example/cse/signature"
)

// Signatures is what verifies a signed file; both fields are required.
type Signatures struct {
	// Verify reads file, and content when the signature is detached; a
	// *signature.Verifier has one.
	Verify func(ctx context.Context, file, content []byte) (signature.Report, error)
	// Print makes the report's PDF.
	Print func(r signature.Report, lang words.Lang) ([]byte, error)
}

// Limits of what is uploaded and of how many do it at once.
const (
	maxSigned        = 20 << 20
	signaturesAtOnce = 4
	maxSignedIn      = 3 * time.Minute
)

// signatureRoutes are /verifica-firma.
func (p *Portal) signatureRoutes(at func(pattern string, a answer)) {
	if p.Signatures == nil {
		return
	}
	slots := make(chan struct{}, signaturesAtOnce)
	at("GET /verifica-firma", func(c *call) error {
		return c.signaturePage(http.StatusOK, nil, url.Values{"servizio": {c.r.URL.Query().Get("servizio")}})
	})
	at("POST /verifica-firma", func(c *call) error { return c.verifySignature(slots) })
}

// recipient is who is asked to accept the signature: a service of the catalogue
// decides it by what it is (R105), else whoever asks does.
func (c *call) recipient(values url.Values) signature.Recipient {
	if s := c.service(values.Get("servizio")); s != nil {
		if s.Legal {
			return signature.LegalTransaction
		}
		return signature.PublicAdministration // only they are in the catalogue (R17)
	}
	if who := signature.Recipient(values.Get("per")); slices.Contains(signature.Recipients, who) {
		return who
	}
	return signature.PublicAdministration
}

// service of the catalogue; nil for an unknown one.
func (c *call) service(id string) *Service {
	for i, s := range c.p.Config.Services {
		if s.ID == id {
			return &c.p.Config.Services[i]
		}
	}
	return nil
}

// signaturePage is the form, below what was found.
func (c *call) signaturePage(status int, v *signed.View, values url.Values, faults ...*words.Fault) error {
	page := c.page("cartasanitaria", "portal.signature.title")
	c.crumbs(page, "look.menu.hub", "/cartasanitaria")
	if len(faults) > 0 {
		page.Fault = faults[0]
	}
	values = cloned(values)
	values.Set("per", string(c.recipient(values)))
	if values.Get("rapporto") == "" {
		values.Set("rapporto", "page")
	}
	service := ""
	if s := c.service(values.Get("servizio")); s != nil {
		service = c.in(s.Name)
	} else {
		values.Del("servizio")
	}
	page.Form = c.newForm(values, faults...)
	recipients := make([]string, len(signature.Recipients))
	for i, r := range signature.Recipients {
		recipients[i] = string(r)
	}
	page.Data = struct {
		Report     *signed.View
		Recipients []string
		// Service and its ID, when one is asked for.
		Service, ID string
	}{v, recipients, service, values.Get("servizio")}
	return c.show(status, "verifysignature", page)
}

// signedUpload is what the form brings. Its parts are read one after the other into
// memory, and nowhere else.
type signedUpload struct {
	name          string
	file, content []byte
	fields        url.Values
}

func (c *call) readUpload() (signedUpload, error) {
	u := signedUpload{fields: url.Values{}}
	// The listener's minute is short for 20 MB over a telephone.
	_ = http.NewResponseController(c.w).SetReadDeadline(time.Now().Add(maxSignedIn))
	c.r.Body = http.MaxBytesReader(c.w, c.r.Body, 2*maxSigned+(64<<10))
	parts, err := c.r.MultipartReader()
	if err != nil {
		return u, words.Refuse("CSE-357").Because(err)
	}
	for n := 0; ; n++ {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return u, nil
		}
		if err != nil || n > 10 {
			return u, tooBig(err)
		}
		if err := u.add(part); err != nil {
			return u, err
		}
	}
}

func (u *signedUpload) add(part *multipart.Part) error {
	limit, field := int64(maxSigned), part.FormName()
	if part.FileName() == "" {
		limit = 200
	}
	b, err := io.ReadAll(io.LimitReader(part, limit+1))
	if err != nil || int64(len(b)) > limit {
		return tooBig(err)
	}
	switch field {
	case "firmato":
		u.file, u.name = b, filepath.Base(strings.ReplaceAll(part.FileName(), `\`, "/"))
	case "documento":
		if len(b) > 0 {
			u.content = b
		}
	case "per", "rapporto", "servizio":
		u.fields.Set(field, string(b))
	}
	return nil
}

// tooBig is what a body past its limit, or cut short, comes to.
func tooBig(err error) error {
	var past *http.MaxBytesError
	if err != nil && !errors.As(err, &past) {
		return words.Refuse("CSE-357").Because(err)
	}
	return words.Refuse("CSE-723", maxSigned>>20).At("firmato")
}

// verifySignature reads a file, says what its signatures are worth and to whom,
// and forgets it.
func (c *call) verifySignature(slots chan struct{}) error {
	select {
	case slots <- struct{}{}:
		defer func() { <-slots }()
	default:
		c.w.Header().Set("Retry-After", "60")
		return c.signaturePage(http.StatusServiceUnavailable, nil, nil, words.Refuse("CSE-739"))
	}
	u, err := c.readUpload()
	refuse := func(err error) error {
		f := words.FaultOf(err)
		if f == nil {
			return err
		}
		if f.Field == "" {
			f.Field = "firmato"
		}
		if f.Code == "CSE-727" {
			f.Field = "documento"
		}
		return c.signaturePage(http.StatusUnprocessableEntity, nil, u.fields, f)
	}
	if err != nil {
		return refuse(err)
	}
	who := c.recipient(u.fields)
	r, err := c.p.Signatures.Verify(c.r.Context(), u.file, u.content)
	if err != nil {
		return refuse(err)
	}
	r.File = u.name
	switch u.fields.Get("rapporto") {
	case "pdf":
		b, err := c.p.Signatures.Print(r, c.tongue.lang)
		return c.report("application/pdf", "verifica.pdf", b, err)
	case "json":
		b, err := json.MarshalIndent(r, "", "  ")
		return c.report("application/json", "verifica.json", b, err)
	}
	v, fault := signed.Of(c.tongue.lang, r, who)
	if fault != nil { // it stands above the form, which is not at fault
		c.w.Header().Set("CSE-Error", fault.Code)
		return c.signaturePage(http.StatusUnprocessableEntity, v, u.fields)
	}
	return c.signaturePage(http.StatusOK, v, u.fields)
}

// report sends a report as a file.
func (c *call) report(kind, name string, body []byte, err error) error {
	if err != nil {
		return err
	}
	h := c.w.Header()
	look.SecureHeaders(h)
	h.Set("Content-Type", kind)
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	_, _ = c.w.Write(body) // the asker may be gone
	return nil
}
