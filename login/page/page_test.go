package page

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"cse.example/cse/ground/words"
)

func TestTold(t *testing.T) {
	for _, f := range []*words.Fault{words.Refuse("CSE-304"), words.Refuse("CSE-302", "20/11/2026"), words.Refuse("CSE-321", "portale & c.", "nome")} {
		h := http.Header{}
		Tell(h, f)
		got := Told(h)
		if got == nil || got.Code != f.Code || got.Sentence(words.Italian) != f.Sentence(words.Italian) {
			t.Errorf("%s came back as %v", f.Code, got)
		}
	}
	if got := Told(http.Header{}); got != nil {
		t.Errorf("nothing came back as %v", got)
	}
}

func TestLang(t *testing.T) {
	tests := []struct {
		query, header string
		want          words.Lang
	}{
		{"", "", words.Italian},
		{"", "en-GB,en;q=0.8,it;q=0.5", words.English},
		{"", "de-DE,de", words.Italian},
		{"?lang=it", "en", words.Italian},
		{"?ui_locales=en", "it", words.English},
	}
	for _, tt := range tests {
		r := httptest.NewRequest(http.MethodGet, "/"+tt.query, nil)
		r.Header.Set("Accept-Language", tt.header)
		if got := Lang(r); got != tt.want {
			t.Errorf("%q %q: %s, want %s", tt.query, tt.header, got, tt.want)
		}
	}
}

// Every code that login may show exists in both languages, in all three parts.
func TestCodesExist(t *testing.T) {
	for _, lang := range []words.Lang{words.Italian, words.English} {
		for _, code := range strings.Fields("001 002 205 301 302 303 304 306 307 308 309 310 311 312 313 314 315 316 317 318 319 320 321 322 323 324 325 326 327 328 330") {
			c, ok := words.Explain(lang, "CSE-"+code)
			if !ok || c.Sentence == "" || c.Cause == "" || c.Next == "" {
				t.Errorf("CSE-%s in %s: %+v", code, lang, c)
			}
		}
		for reason := range 11 {
			if k := ReasonKey(reason); k != "" && !words.Has(lang, k) {
				t.Errorf("%s lacks %s", lang, k)
			}
		}
	}
}

// What a stranger sends does not become markup.
func TestPlainEscapes(t *testing.T) {
	w := httptest.NewRecorder()
	Plain{}.Operator(w, httptest.NewRequest(http.MethodGet, "/", nil), Operator{
		Service: "<b>", Account: `"><script>`, Flow: `"><i>`, Status: http.StatusOK,
	})
	if s := w.Body.String(); strings.Contains(s, "<script>") || strings.Contains(s, "<b>") || strings.Contains(s, "<i>") {
		t.Error(s)
	}
}
