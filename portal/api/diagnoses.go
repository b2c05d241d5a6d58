package api

import (
	"context"
	"mime"
	"net"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"cse.example/cse/card/diagnosis"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/throttle"
)

// Diagnoses keeps what holders send and gives it a reference; source is the
// sender's network address, for the limit. (*helpdesk.Inbox).Receive is one.
type Diagnoses func(ctx context.Context, letter []byte, source string) (diagnosis.Sent, error)

// DiagnosisKept says where a diagnosis is kept.
type DiagnosisKept struct {
	Reference string `json:"reference" example:"NTLTCV" doc:"Sei lettere da leggere al call center"`
	KeptUntil string `json:"kept_until" example:"2026-12-26" doc:"Ultimo giorno in cui si può aprire, ISO 8601"`
}

// sentDiagnosis is the request; the body is read in full by whoever keeps it, so
// that every refusal is a problem of ours.
type sentDiagnosis struct {
	statusQuestion
	source, kind string
	RawBody      []byte
}

// Resolve takes language, address and type of the body.
func (q *sentDiagnosis) Resolve(ctx huma.Context) []error {
	q.AcceptLanguage, q.source = ctx.Header("Accept-Language"), ctx.RemoteAddr()
	if host, _, err := net.SplitHostPort(q.source); err == nil {
		q.source = host
	}
	q.kind, _, _ = mime.ParseMediaType(ctx.Header("Content-Type"))
	return nil
}

type diagnosisReply struct {
	Body DiagnosisKept
}

func (d Deps) registerDiagnoses(a huma.API) {
	if d.Diagnoses == nil {
		return
	}
	problem := a.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "Problem")
	answer := func(text string) *huma.Response {
		return &huma.Response{Description: text, Content: map[string]*huma.MediaType{"application/problem+json": {Schema: problem}}}
	}
	wait := func(text string) *huma.Response {
		r := answer(text)
		r.Headers = map[string]*huma.Param{"Retry-After": {
			Description: "Secondi da aspettare prima di riprovare", Schema: &huma.Schema{Type: huma.TypeInteger, Format: "int32"},
		}}
		return r
	}
	huma.Register(a, huma.Operation{
		OperationID: "send_diagnosis", Method: http.MethodPost, Path: "/diagnoses", Tags: []string{"diagnoses"}, DefaultStatus: http.StatusCreated,
		SkipValidateBody: true, MaxBodyBytes: diagnosis.MaxLetter + 1, RequestBody: &huma.RequestBody{Required: true, Content: map[string]*huma.MediaType{
			"application/json": {Schema: a.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[diagnosis.Letter](), true, "Diagnosis")},
		}},
		Summary:     "Manda una diagnosi al call center",
		Description: "La manda «cse doctor --send»: luci, codici, modelli di lettore e tessera. Nessun dato riguarda una persona; chi la apre ha bisogno del riferimento.",
		Responses: map[string]*huma.Response{
			"415": answer("Non è JSON"), "422": answer("Non è una diagnosi"), "429": wait("Troppe diagnosi da questo indirizzo"),
			"503": wait("La piattaforma non può tenerla adesso"), "default": answer("Errore"),
		},
	}, d.diagnose)
}

func (d Deps) diagnose(ctx context.Context, q *sentDiagnosis) (*diagnosisReply, error) {
	if err := d.closed(q.AcceptLanguage); err != nil {
		return nil, err
	}
	if q.kind != "application/json" {
		return nil, problemOf(q.AcceptLanguage, http.StatusUnsupportedMediaType, words.Refuse("CSE-817"))
	}
	sent, err := d.Diagnoses(ctx, q.RawBody, q.source)
	if err == nil {
		return &diagnosisReply{DiagnosisKept{Reference: sent.Reference, KeptUntil: sent.KeptUntil}}, nil
	}
	f := words.FaultOf(err)
	switch {
	case f == nil:
		d.Log.ErrorContext(ctx, "a diagnosis was not kept", "err", err)
		return nil, later(problemOf(q.AcceptLanguage, http.StatusServiceUnavailable, words.Refuse("CSE-362")), retry)
	case f.Code == "CSE-818":
		return nil, later(problemOf(q.AcceptLanguage, http.StatusTooManyRequests, f), throttle.WaitOf(f))
	case f.Code == "CSE-819":
		return nil, later(problemOf(q.AcceptLanguage, http.StatusServiceUnavailable, f), retry)
	}
	return nil, problemOf(q.AcceptLanguage, http.StatusUnprocessableEntity, f)
}
