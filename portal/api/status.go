package api

import (
	"context"
	"net/http"
	"reflect"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
)

// Status is the answer to "does it work?".
type Status struct {
	Status  string `json:"status" enum:"ok" example:"ok" doc:"Always ok: anything else is a problem"`
	Version string `json:"api_version" example:"1.0.0" doc:"Version of this interface (semver)"`
}

type statusQuestion struct {
	AcceptLanguage string
}

// Resolve reads the language without describing it: OpenAPI forbids to declare
// headers that HTTP already defines.
func (q *statusQuestion) Resolve(ctx huma.Context) []error {
	q.AcceptLanguage = ctx.Header("Accept-Language")
	return nil
}

type statusAnswer struct{ Body Status }

func (d Deps) register(a huma.API) {
	problem := a.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "Problem")
	huma.Register(a, huma.Operation{
		OperationID: "get_status", Method: http.MethodGet, Path: "/status", Tags: []string{"status"},
		Summary: "Stato della piattaforma", Description: "Risponde ok finché la piattaforma può lavorare.",
		Responses: map[string]*huma.Response{
			"503": {
				Description: "La piattaforma non può lavorare adesso, o è in manutenzione",
				Headers: map[string]*huma.Param{"Retry-After": {
					Description: "Secondi da aspettare prima di riprovare", Schema: &huma.Schema{Type: huma.TypeInteger, Format: "int32"},
				}},
				Content: map[string]*huma.MediaType{"application/problem+json": {Schema: problem}},
			},
			"default": {
				Description: "Errore",
				Content:     map[string]*huma.MediaType{"application/problem+json": {Schema: problem}},
			},
		},
	}, d.status)
}

// closed is the problem of a platform in maintenance, nil while it is open.
func (d Deps) closed(acceptLanguage string) error {
	if d.Maintenance == nil {
		return nil
	}
	until, closed := d.Maintenance()
	if !closed {
		return nil
	}
	rome := until.In(civil.Rome)
	f := words.Refuse("CSE-352", rome.Format("02/01/2006"), rome.Format("15:04"))
	return later(problemOf(acceptLanguage, http.StatusServiceUnavailable, f), until.Sub(d.Clock.Now()))
}

func (d Deps) status(ctx context.Context, q *statusQuestion) (*statusAnswer, error) {
	if err := d.closed(q.AcceptLanguage); err != nil {
		return nil, err
	}
	ctx, stop := context.WithTimeout(ctx, 2*time.Second)
	defer stop()
	if err := d.Ready(ctx); err != nil {
		d.Log.ErrorContext(ctx, "not ready", "err", err)
		return nil, later(problemOf(q.AcceptLanguage, http.StatusServiceUnavailable, words.Refuse("CSE-362")), retry)
	}
	return &statusAnswer{Body: Status{Status: "ok", Version: Version}}, nil
}
