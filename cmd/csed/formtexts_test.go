package main

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"cse.example/cse/issuer/staff"
)

// O9 over HTTP: every form with its version, and each in Italian and
// English with an invented example; no text is missing, none shows a code.
func TestO9_TextsOfForms(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.clock.Set(time.Now())
	key := r.employ(t, "carlo", 1, staff.RoleOperations)
	p := r.serve(t, "web")
	b := atWork(t, p, "carlo", key, "/operazioni/moduli")
	versions := b.Page.Pairs("data-model", "data-version")
	for _, id := range []string{
		"foglio-codici", "richiesta-attivazione", "autocertificazione", "delega", "dove-andare",
		"ricevuta-loss", "ricevuta-revoke", "ricevuta-correct-email",
	} {
		if len(versions[id]) != 8 {
			t.Errorf("%s has version %q", id, versions[id])
		}
	}
	for id := range versions {
		said := map[string]string{}
		for _, lang := range []string{"it", "en"} {
			check(t, b.Get(t.Context(), p.Config.Public.Portal+"/operazioni/moduli/"+id+"/"+lang))
			text := b.Page.Text()
			if b.Page.Status != http.StatusOK || !strings.Contains(text, versions[id]) {
				t.Errorf("%s in %s: %s", id, lang, b.Page.Where())
			}
			for _, wrong := range []string{"%[", "%s", "%!", "⟦"} {
				if strings.Contains(text, wrong) {
					t.Errorf("%s in %s shows %q: %s", id, lang, wrong, text)
				}
			}
			if strings.Contains(text, "PIN: 1") || shapeOfCF.MatchString(text) {
				t.Errorf("%s in %s shows a code or somebody", id, lang)
			}
			said[lang] = text
		}
		if said["it"] == said["en"] {
			t.Errorf("%s says the same in both languages", id)
		}
	}
}
