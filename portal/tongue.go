package portal

import (
	"context"
	"net/http"
	"strings"

	"cse.example/cse/ground/words"
	"cse.example/cse/portal/look"
)

// langCookie remembers the language chosen with the switch. It is a technical
// cookie and names nobody.
const langCookie = "__Host-cse-lang"

// tongue is the language of one request: /en/… and /it/… say it and are
// remembered; without a prefix the cookie says it, then Accept-Language, then
// Italian.
type tongue struct {
	lang   words.Lang
	prefix string // "", "/it" or "/en": links keep it
	path   string // the address without prefix
}

func tongueOf(r *http.Request) tongue {
	for _, lang := range []words.Lang{words.Italian, words.English} {
		prefix := "/" + string(lang)
		if rest, ok := strings.CutPrefix(r.URL.Path, prefix); ok && (rest == "" || rest[0] == '/') {
			if rest == "" {
				rest = "/"
			}
			return tongue{lang, prefix, rest}
		}
	}
	t := tongue{words.Italian, "", r.URL.Path}
	if c, err := r.Cookie(langCookie); err == nil {
		t.lang = words.ParseLang(c.Value)
		return t
	}
	t.lang = look.Preferred(r.Header.Get("Accept-Language"))
	return t
}

// remember keeps a language chosen by address.
func (t tongue) remember(w http.ResponseWriter) {
	if t.prefix != "" {
		http.SetCookie(w, &http.Cookie{
			Name: langCookie, Value: string(t.lang), Path: "/", MaxAge: 365 * 24 * 3600,
			Secure: true, HttpOnly: true, SameSite: http.SameSiteLaxMode,
		})
	}
}

type tongueKey struct{}

func withTongue(r *http.Request, t tongue) *http.Request {
	return r.WithContext(context.WithValue(r.Context(), tongueKey{}, t))
}

func tongueIn(r *http.Request) tongue {
	if t, ok := r.Context().Value(tongueKey{}).(tongue); ok {
		return t
	}
	return tongueOf(r)
}
