package portal_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"cse.example/cse/ground/civil"
	"cse.example/cse/issuer/extension"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/portal/portaltest"
)

// over is a service whose last day has passed.
type over struct{}

func (over) Ends(context.Context) (civil.Date, error) {
	return civil.Date{Year: 2023, Month: 12, Day: 31}, nil
}

func (over) Offer(context.Context, codicefiscale.Code) (extension.Offer, error) {
	return extension.Offer{}, nil
}

// R108: the page says until when, and afterwards that it is over and which ways are
// left; the days are the service's own, in no text.
func TestR108_R109_ThePageFollowsTheServicesEnd(t *testing.T) {
	stage := newStage(t)
	page := func() string {
		w := httptest.NewRecorder()
		if err := stage.Play(w, t.Context(), portaltest.State{Host: "portal", Path: "/estensione-certificato", Status: http.StatusOK}, "it"); err != nil {
			t.Fatal(err)
		}
		return w.Body.String()
	}
	if text := page(); !strings.Contains(text, "Puoi farlo fino al 31/12/2027") || strings.Contains(text, "2023") {
		t.Error("the open service does not say until when, or names another day")
	}
	stage.Portal.Extensions = over{}
	text := page()
	if !strings.Contains(text, "Il servizio si è chiuso il 31/12/2023") || !strings.Contains(text, "/tutorial-spid-cie") || strings.Contains(text, "/tessera/certificato") {
		t.Error("the closed service does not say so, or still leads there")
	}
	checkPage(t, text, "it")
}
