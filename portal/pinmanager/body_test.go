package pinmanager

import (
	"bytes"
	"net/url"
	"testing"

	"cse.example/cse/ground/words"
)

// Codes do not become strings; what was read is gone from the buffer.
func TestFormsKeepCodesApart(t *testing.T) {
	body := []byte("gettone=a%2Bb+c&pin=5%32903&vuoto=&x")
	f, err := parseForm(body)
	if err != nil {
		t.Fatal(err)
	}
	if f.Get("gettone") != "a+b c" || f.Has("pin") || !f.Has("x") {
		t.Errorf("the form is %v", f.Values)
	}
	pin := f.code("pin")
	if got := string(pin.Reveal()); got != "52903" {
		t.Errorf("the PIN has %d digits", len(got))
	}
	if bytes.Contains(body, []byte("52903")) {
		t.Error("the PIN is still in the buffer")
	}
	f.wipe()
	if got := pin.Reveal(); bytes.Contains(got, []byte("5")) {
		t.Error("wiping left the PIN")
	}
	for _, bad := range []string{"pin=1&pin=2", "a=1&a=2", "a=%", "a=%4", "a=%zz", "%=1"} {
		if _, err := parseForm([]byte(bad)); words.FaultOf(err) == nil || words.FaultOf(err).Code != "CSE-866" {
			t.Errorf("%q: %v", bad, err)
		}
	}
}

// The parser agrees with net/url on forms without repeated names.
func FuzzParseForm(f *testing.F) {
	for _, s := range []string{"", "a=b&c=%20d", "pin=1&puk=2", "=&=", "a;b=c", "%zz", "a=1&a=2", "+%2B=+"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		want, wantErr := url.ParseQuery(string(bytes.ReplaceAll(body, []byte(";"), []byte("%3B"))))
		got, err := parseForm(bytes.Clone(body))
		if err != nil {
			return
		}
		if wantErr != nil {
			t.Fatalf("net/url refuses it: %v", wantErr)
		}
		for k, v := range want {
			if k == "" {
				continue
			}
			if c := got.codes[k]; c != nil {
				if string(c.Reveal()) != v[0] {
					t.Fatalf("code %q", k)
				}
			} else if got.Get(k) != v[0] {
				t.Fatalf("%q is %q, want %q", k, got.Get(k), v[0])
			}
		}
	})
}
