package portal_test

import (
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"

	"cse.example/cse/ground/words"
	"cse.example/cse/portal/portaltest"
)

var (
	reH1     = regexp.MustCompile(`<h1[ >]`)
	reEnter  = regexp.MustCompile(`(?s)<form[^>]*>.*?<button([^>]*)>`) // Enter presses a form's first button
	reField  = regexp.MustCompile(`<(?:input|select)[^>]*\sid="([^"]+)"[^>]*>`)
	reID     = regexp.MustCompile(`\sid="([^"]+)"`)
	reInline = regexp.MustCompile(`<style|<script>|\sstyle="|\son[a-z]+="|javascript:`)
	reFar    = regexp.MustCompile(`(?:src|href)="(https?://[^"/]+)`)
)

// TestEveryPage renders every state in both languages and checks what a page
// owes to everybody: its language, one h1, labels, no text missing, nothing
// inline, nothing from elsewhere, the code of its refusal in the header.
func TestEveryPage(t *testing.T) {
	for _, lang := range []words.Lang{words.Italian, words.English} {
		stage := newStage(t)
		for _, st := range stage.States() {
			t.Run(string(lang)+"/"+st.Name, func(t *testing.T) {
				w := httptest.NewRecorder()
				if err := stage.Play(w, t.Context(), st, lang); err != nil {
					t.Fatal(err)
				}
				body := w.Body.String()
				if w.Code != st.Status {
					t.Fatalf("status %d, want %d: %s", w.Code, st.Status, excerpt(body))
				}
				if got := w.Header().Get("CSE-Error"); got != st.Fault {
					t.Errorf("CSE-Error %q, want %q", got, st.Fault)
				}
				checkPage(t, body, lang)
			})
		}
	}
}

func checkPage(t *testing.T, body string, lang words.Lang) {
	t.Helper()
	if !strings.Contains(body, `<html lang="`+string(lang)+`">`) {
		t.Error("the document does not say its language")
	}
	if n := len(reH1.FindAllString(body, -1)); n != 1 {
		t.Errorf("%d h1, want 1", n)
	}
	for _, bad := range []string{"⟦", "%!", "&lt;nil&gt;", "ZgotmplZ"} {
		if i := strings.Index(body, bad); i >= 0 {
			t.Errorf("%q in the page: …%s…", bad, excerpt(body[max(0, i-80):]))
		}
	}
	if m := reInline.FindString(body); m != "" {
		t.Errorf("inline style or script: %s", m)
	}
	for _, m := range reField.FindAllStringSubmatch(body, -1) {
		if !strings.Contains(body, `<label for="`+m[1]+`"`) {
			t.Errorf("field %s has no label", m[1])
		}
	}
	for _, m := range reEnter.FindAllStringSubmatch(body, -1) {
		if strings.Contains(m[1], "formaction") {
			t.Errorf("Enter in a field goes elsewhere than the form: %s", m[1])
		}
	}
	seen := map[string]bool{}
	for _, m := range reID.FindAllStringSubmatch(body, -1) {
		if seen[m[1]] {
			t.Errorf("id %s is there twice", m[1])
		}
		seen[m[1]] = true
	}
	for _, m := range reFar.FindAllStringSubmatch(body, -1) {
		if !strings.Contains(m[1], ".cse.localhost") {
			t.Errorf("leads away: %s", m[1])
		}
	}
}

func excerpt(s string) string { return s[:min(len(s), 400)] }

func newStage(t *testing.T) *portaltest.Stage {
	t.Helper()
	s, err := portaltest.New(portaltest.DefaultAddresses(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
