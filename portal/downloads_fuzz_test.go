package portal

import (
	"strings"
	"testing"
)

// Whatever the list says, what comes out are plain names with sums, each once.
func FuzzSums(f *testing.F) {
	f.Add([]byte(strings.Repeat("a", 64) + "  cse_0.1.0_amd64.deb\n"))
	f.Add([]byte(strings.Repeat("0", 64) + "  ../../etc/passwd\n"))
	f.Add([]byte("\n"))
	f.Add([]byte(strings.Repeat("0", 64) + " *cse.exe\r\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		names, sums, err := parseSums(text)
		if err != nil {
			return
		}
		if len(names) != len(sums) {
			t.Fatalf("%d names, %d sums", len(names), len(sums))
		}
		for _, name := range names {
			if strings.ContainsAny(name, "/\\\x00") || name[0] == '.' || len(sums[name]) != 64 {
				t.Fatalf("%q %q", name, sums[name])
			}
			describe(name)
		}
	})
}
