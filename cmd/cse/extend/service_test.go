package extend

import (
	"errors"
	"net/http"
	"testing"

	"cse.example/cse/ground/words"
)

// FuzzAnswer: whatever a service answers, and whatever it refuses with, is read or
// refused, and no sentence is left with holes.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"token":"x","nonce":"AAAA","state":"open","until":"2027-01-01"}`), "CSE-880", "a=31%2F12%2F2023")
	f.Add([]byte(`{"commands":["AA=="],"cryptogram":null}`), "CSE-880", "")
	f.Add([]byte(`[]`), "", "a=%zz")
	f.Fuzz(func(t *testing.T, body []byte, code, args string) {
		for _, into := range []any{&session{}, &authorised{}} {
			if err := decode(body, into); err != nil && !errors.Is(err, words.Refuse("CSE-899")) {
				t.Errorf("%q: %v", body, err)
			}
		}
		var s session
		if decode(body, &s) == nil {
			_ = s.terms()
		}
		err := refused(&http.Response{StatusCode: 403, Header: http.Header{"Cse-Error": {code}, "Cse-Error-Args": {args}}})
		fault := words.FaultOf(err)
		if fault == nil {
			t.Fatalf("%q %q: %v", code, args, err)
		}
		if text := fault.Sentence(words.Italian); text == "" || len(fault.Args) == 0 && containsVerb(text) {
			t.Errorf("%q %q: %q", code, args, text)
		}
	})
}

func containsVerb(s string) bool {
	for i := 0; i+1 < len(s); i++ {
		if s[i] == '%' && s[i+1] == '!' {
			return true
		}
	}
	return false
}
