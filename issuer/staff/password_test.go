package staff

import "testing"

// A hash that passes never asks for ruinous work.
func FuzzParseHash(f *testing.F) {
	f.Add("$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")
	f.Add("$argon2id$v=19$m=4294967295,t=2,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA")
	f.Fuzz(func(t *testing.T, s string) {
		if a, err := parseHash(s); err == nil && (a.memory > 1<<20 || a.time > 16 || a.lanes > 16 || len(a.sum) < 16) {
			t.Errorf("%q passes: %+v", s, a)
		}
	})
}
