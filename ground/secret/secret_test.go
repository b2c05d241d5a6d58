package secret

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
)

func TestNeverPrints(t *testing.T) {
	s := FromString("73915")
	holder := struct{ PIN Text }{s}
	var buf bytes.Buffer
	slog.New(slog.NewJSONHandler(&buf, nil)).Info("x", "pin", s, "holder", holder)
	js, err := json.Marshal(map[string]any{"a": s, "b": holder, "c": &s})
	if err != nil {
		t.Fatal(err)
	}
	buf.Write(js)
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%c"} {
		fmt.Fprintf(&buf, verb+verb+verb, s, &s, holder)
	}
	if out := buf.String(); strings.Contains(out, "73915") || strings.Contains(out, "3733393135") || strings.Contains(out, "55 51") {
		t.Fatalf("the secret was printed: %s", out)
	}
	if !strings.Contains(buf.String(), Redacted) {
		t.Fatal("nothing says redacted")
	}
}

func TestEqualAndWipe(t *testing.T) {
	a, b := FromString("12"), New([]byte("12"))
	if !a.Equal(b) || a.Equal(FromString("13")) || a.Equal(FromString("123")) {
		t.Fatal("Equal is wrong")
	}
	r := a.Reveal()
	r[0] = 'x'
	if string(a.Reveal()) != "12" {
		t.Fatal("Reveal hands out the inside")
	}
	a.Wipe()
	if a.Len() != 0 {
		t.Fatal("Wipe left something")
	}
}
