package api

import (
	"context"
	"net/http"
	"reflect"
	"regexp"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/person/team"
)

// Country is where the TEAM (EHIC) is valid, and by which law (R19).
type Country struct {
	ISO       string `json:"iso" example:"NO" doc:"ISO 3166-1 alpha-2"`
	Name      string `json:"name" example:"Norvegia" doc:"In the asker's language; empty where the TEAM counts for nothing"`
	Valid     bool   `json:"valid" example:"true" doc:"Whether the TEAM is valid there on the day"`
	Basis     string `json:"basis" enum:"EU,EEA,CH,UK," example:"EEA" doc:"Union, European Economic Area, agreement with Switzerland, agreement with the United Kingdom; empty when not valid"`
	Scope     string `json:"scope" enum:"temporary-stay" example:"temporary-stay" doc:"What for: care that becomes necessary during a temporary stay"`
	Day       string `json:"day" format:"date" example:"2026-11-25" doc:"The day of the answer"`
	ValidFrom string `json:"valid_from,omitempty" format:"date" example:"2004-06-01" doc:"First day by this law"`
	ValidTo   string `json:"valid_to,omitempty" format:"date" example:"2020-12-31" doc:"Last day by this law, absent while it lasts"`
	Note      string `json:"note,omitempty" example:"Non sei cittadino dell'Unione? Chiedi prima alla tua ASL." doc:"What a traveller should know besides"`
}

type countryQuestion struct {
	ISO            string `path:"iso" pattern:"^[A-Za-z]{2}$" example:"NO" doc:"ISO 3166-1 alpha-2"`
	Day            string `query:"day" format:"date" example:"2026-11-25" doc:"The day asked for; today in Rome without it"`
	AcceptLanguage string
}

// Resolve reads the language without describing it, as statusQuestion does.
func (q *countryQuestion) Resolve(ctx huma.Context) []error {
	q.AcceptLanguage = ctx.Header("Accept-Language")
	return nil
}

type countryAnswer struct{ Body Country }

func (d Deps) registerCountries(a huma.API) {
	problem := a.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[Problem](), true, "Problem")
	content := map[string]*huma.MediaType{"application/problem+json": {Schema: problem}}
	huma.Register(a, huma.Operation{
		OperationID: "get_team_country", Method: http.MethodGet, Path: "/team/countries/{iso}", Tags: []string{"team"},
		Summary: "Dove vale la TEAM", Description: "Dice se la tessera europea di assicurazione malattia vale in un Paese, in un giorno, e per quale norma. Non riguarda nessuna persona.",
		SkipValidateParams: true, // huma's own errors are none of ours: country looks itself
		Responses: map[string]*huma.Response{
			"422":     {Description: "Il giorno o la sigla del Paese non sono scritti bene", Content: content},
			"default": {Description: "Errore", Content: content},
		},
	}, d.country)
}

var reISO = regexp.MustCompile(`^[A-Za-z]{2}$`)

func (d Deps) country(_ context.Context, q *countryQuestion) (*countryAnswer, error) {
	day := civil.Today(d.Clock)
	var err error
	if q.Day != "" {
		day, err = civil.ParseISO(q.Day)
	}
	if err != nil || !reISO.MatchString(q.ISO) {
		return nil, problemOf(q.AcceptLanguage, http.StatusUnprocessableEntity, words.Refuse("CSE-573"))
	}
	out := Country{ISO: strings.ToUpper(q.ISO), Day: day.String(), Scope: "temporary-stay"}
	x, ok := team.CountryOn(q.ISO, day)
	if ok && (x.Basis != team.UK || d.TEAMInUK) {
		lang := langOf(q.AcceptLanguage)
		out.Valid, out.Name, out.Basis, out.ValidFrom = true, x.Name(lang), string(x.Basis), x.From.String()
		if !x.Until.IsZero() {
			out.ValidTo = x.Until.String()
		}
		if x.Note != "" {
			out.Note = words.Say(lang, "team.note."+string(x.Note))
		}
	}
	return &countryAnswer{Body: out}, nil
}
