package api

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/eligibility"
	"cse.example/cse/portal/look"
)

// EligibilityDeps are what the providers' interface needs; all are needed.
type EligibilityDeps struct {
	// URL is the interface's public origin, on a host that asks for a client
	// certificate; Portal the portal's.
	URL, Portal, Body string
	Clients           func(chain []*x509.Certificate, now time.Time) (eligibility.Client, error)
	Ask               func(ctx context.Context, c eligibility.Client, q eligibility.Question) (eligibility.Answer, error)
	Clock             civil.Clock
	Log               *slog.Logger
}

// EligibilityPrefix is where it lives.
const EligibilityPrefix = "/v1"

// NewEligibility makes the providers' interface: POST /v1/eligibility by mutual
// TLS, GET /v1/status and the descriptions without a certificate. No codice
// fiscale is in any address.
func NewEligibility(d EligibilityDeps) (http.Handler, error) {
	if d.URL == "" || d.Portal == "" || d.Body == "" || d.Clients == nil || d.Ask == nil || d.Clock == nil || d.Log == nil {
		return nil, errors.New("portal/api: the providers' interface needs all its parts")
	}
	mux := http.NewServeMux()
	c := huma.DefaultConfig("Assistenza sanitaria: verifica", Version)
	c.CreateHooks, c.DocsPath, c.SchemasPath, c.OpenAPIPath = nil, "", "", ""
	c.Info.Description = "Dice a chi eroga prestazioni se una persona è assistita e se la sua tessera vale. Accesso con certificato del client (mutual TLS)."
	c.Info.TermsOfService = d.Portal + "/note-legali"
	c.Info.Contact = &huma.Contact{Name: d.Body, URL: d.Portal + "/contatti"}
	c.Info.License = &huma.License{Name: "EUPL-1.2", URL: "https://joinup.ec.europa.eu/collection/eupl/eupl-text-eupl-12"}
	c.Info.Extensions = map[string]any{"x-summary": "Verifica dell'assistenza", "x-api-id": "cse-eligibility"}
	c.Servers = []*huma.Server{{URL: d.URL + EligibilityPrefix, Description: "La piattaforma di " + d.Body}}
	c.Tags = []*huma.Tag{{Name: "status", Description: "Funzionamento"}, {Name: "eligibility", Description: "Verifica dell'assistenza"}}
	a := humago.NewWithPrefix(mux, EligibilityPrefix, c)
	(Deps{Ready: func(context.Context) error { return nil }, Clock: d.Clock, Log: d.Log}).register(a)
	d.register(a)
	if err := describeAt(mux, EligibilityPrefix, a.OpenAPI()); err != nil {
		return nil, err
	}
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		p := problemOf(r.Header.Get("Accept-Language"), http.StatusNotFound, words.Refuse("CSE-002"))
		w.Header().Set("Content-Type", p.ContentType(""))
		w.WriteHeader(http.StatusNotFound)
		_ = json.NewEncoder(w).Encode(p) // the asker may be gone
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		look.SecureHeaders(w.Header())
		w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		w.Header().Set("Cache-Control", "no-store")
		r.Body = http.MaxBytesReader(w, r.Body, 4<<10)
		mux.ServeHTTP(w, r)
	}), nil
}

// EligibilityQuestion is the request's body.
type EligibilityQuestion struct {
	TaxCode string `json:"tax_code,omitempty" maxLength:"16" example:"RSSMRA85T10A562S" doc:"Codice fiscale; or card_number"`
	Number  string `json:"card_number,omitempty" maxLength:"20" doc:"16-digit card number or 20-digit TEAM number"`
	On      string `json:"on,omitempty" maxLength:"10" example:"2026-11-25" doc:"Day asked about, ISO 8601; empty: today"`
	Purpose string `json:"purpose" enum:"care,pharmacy,admission,billing" doc:"Why it is asked; the person sees it"`
}

// asked is the request: the body is read here, strictly, so that every refusal
// is a problem of ours.
type asked struct {
	statusQuestion
	chain   []*x509.Certificate
	RawBody []byte
}

// question reads the body; CSE-357 for what is no such question.
func (q *asked) question() (EligibilityQuestion, error) {
	var b EligibilityQuestion
	d := json.NewDecoder(bytes.NewReader(q.RawBody))
	d.DisallowUnknownFields()
	if err := d.Decode(&b); err != nil || d.More() {
		return b, words.Refuse("CSE-357").Because(err)
	}
	return b, nil
}

// Resolve takes language and certificate.
func (q *asked) Resolve(ctx huma.Context) []error {
	q.AcceptLanguage = ctx.Header("Accept-Language")
	if s := ctx.TLS(); s != nil {
		q.chain = s.PeerCertificates
	}
	return nil
}

// FunctionAnswer is one of the four functions of the card.
type FunctionAnswer struct {
	Name   string `json:"name" enum:"ts,cf,team,cns"`
	State  string `json:"state" example:"valid"`
	Reason string `json:"reason" doc:"In the asker's language"`
	Until  string `json:"until,omitempty" doc:"Last good day, ISO 8601"`
}

// TEAMAnswer is what the European card is good for (R48).
type TEAMAnswer struct {
	Valid  bool   `json:"valid"`
	Scope  string `json:"scope" enum:"temporary-stay"`
	Basis  string `json:"basis" example:"Reg. (CE) 883/2004"`
	Caveat string `json:"caveat" doc:"In the asker's language"`
}

// EligibilityAnswer is the answer.
type EligibilityAnswer struct {
	State     string           `json:"state" enum:"assisted,not-assisted,expired"`
	On        string           `json:"on"`
	ASL       string           `json:"asl,omitempty" doc:"Local health unit, when assisted"`
	CardValid bool             `json:"card_valid" doc:"As health card, activated or not"`
	Functions []FunctionAnswer `json:"functions,omitempty"`
	TEAM      TEAMAnswer       `json:"team"`
}

type eligibilityReply struct{ Body EligibilityAnswer }

func (d EligibilityDeps) register(a huma.API) {
	problem := a.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "Problem")
	answer := func(text string) *huma.Response {
		return &huma.Response{Description: text, Content: map[string]*huma.MediaType{"application/problem+json": {Schema: problem}}}
	}
	many := answer("Troppe domande oggi")
	many.Headers = map[string]*huma.Param{"Retry-After": {
		Description: "Secondi da aspettare prima di riprovare", Schema: &huma.Schema{Type: huma.TypeInteger, Format: "int32"},
	}}
	huma.Register(a, huma.Operation{
		OperationID: "ask_eligibility", Method: http.MethodPost, Path: "/eligibility", Tags: []string{"eligibility"}, DefaultStatus: http.StatusOK,
		SkipValidateBody: true, RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
			"application/json": {Schema: a.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[EligibilityQuestion](), true, "EligibilityQuestion")},
		}},
		Summary: "Verifica dell'assistenza", Description: "Una domanda su una persona. La persona la vede tra le sue attività.",
		Responses: map[string]*huma.Response{
			"401": answer("Certificato del client mancante"), "403": answer("Client o finalità non ammessi"), "422": answer("Domanda non valida"),
			"429": many, "default": answer("Errore"),
		},
	}, d.ask)
}

// caveats: no authorisation is asked for before the entitlement is shown (R21).
func (d EligibilityDeps) ask(ctx context.Context, q *asked) (*eligibilityReply, error) {
	c, err := d.Clients(q.chain, d.Clock.Now())
	if err != nil {
		return nil, d.refuse(ctx, q.AcceptLanguage, err)
	}
	b, err := q.question()
	if err != nil {
		return nil, d.refuse(ctx, q.AcceptLanguage, err)
	}
	who := b.TaxCode
	if who == "" {
		who = b.Number
	}
	question := eligibility.Question{Who: who, Purpose: eligibility.Purpose(b.Purpose)}
	if b.On != "" {
		if question.On, err = civil.ParseISO(b.On); err != nil {
			return nil, problemOf(q.AcceptLanguage, http.StatusUnprocessableEntity, words.Refuse("CSE-359").At("on"))
		}
	}
	got, err := d.Ask(ctx, c, question)
	if err != nil {
		return nil, d.refuse(ctx, q.AcceptLanguage, err)
	}
	lang := langOf(q.AcceptLanguage)
	out := EligibilityAnswer{
		State: string(got.State), On: got.On.String(), ASL: got.ASL, CardValid: got.CardValid,
		TEAM: TEAMAnswer{Valid: got.Abroad, Scope: "temporary-stay", Basis: "Reg. (CE) 883/2004, 987/2009", Caveat: words.Say(lang, "api.team.caveat")},
	}
	if got.Card {
		for _, f := range got.Functions {
			x := FunctionAnswer{Name: string(f.Name), State: string(f.State), Reason: words.Say(lang, f.Reason)}
			if !f.Until.IsZero() {
				x.Until = f.Until.String()
			}
			out.Functions = append(out.Functions, x)
		}
	}
	return &eligibilityReply{out}, nil
}

// refuse turns a fault into a problem; anything else is logged and hidden.
func (d EligibilityDeps) refuse(ctx context.Context, acceptLanguage string, err error) error {
	f := words.FaultOf(err)
	if f == nil {
		d.Log.ErrorContext(ctx, "eligibility failed", "err", err)
		return later(problemOf(acceptLanguage, http.StatusServiceUnavailable, words.Refuse("CSE-362")), retry)
	}
	switch f.Code {
	case "CSE-671":
		return problemOf(acceptLanguage, http.StatusUnauthorized, f)
	case "CSE-672", "CSE-673", "CSE-674":
		return problemOf(acceptLanguage, http.StatusForbidden, f)
	case "CSE-670":
		midnight := civil.DayOf(d.Clock.Now()).AddDays(1).Start()
		return later(problemOf(acceptLanguage, http.StatusTooManyRequests, f), midnight.Sub(d.Clock.Now()))
	}
	return problemOf(acceptLanguage, http.StatusUnprocessableEntity, f)
}
