package telemetry

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"cse.example/cse/ground/secret"
)

const anna = "RSSMRA85T10A562S"

type person struct {
	CF, Name string
	Note     string
	Codes    map[string]string
}

func TestNothingComesThrough(t *testing.T) {
	var out bytes.Buffer
	log := New(&out, slog.LevelDebug).With("operator_email", "anna@esempio.it", "who", anna).WithGroup("request").With("pin", "73915")
	log.Info("login of "+anna,
		"old_pin", "73915", "newPIN", 73915, "Authorization", "Bearer 73915", slog.Group("cookie", "a", "73915"),
		"path", "/people/"+strings.ToLower(anna), "err", fmt.Errorf("refused: %w", errors.New(anna)),
		"person", person{CF: anna, Name: "Anna", Note: "born " + anna, Codes: map[string]string{"puk": "73915", "x": anna}},
		"header", http.Header{"Set-Cookie": {"s=73915"}, "Accept": {"anna@esempio.it"}},
		slog.Group("inner", "token", "73915", slog.Group("deeper", "text", "to anna@esempio.it")),
		"list", []string{"ok", anna}, "s", secret.FromString("73915"), "lazy", lazy{}, "bytes", json.RawMessage(`{"cip":"73915"}`),
		anna, "key", "chan", make(chan int),
	)
	line := out.String()
	for _, forbidden := range []string{anna, strings.ToLower(anna), "73915", "esempio.it"} {
		if strings.Contains(line, forbidden) {
			t.Errorf("%s came through: %s", forbidden, line)
		}
	}
	if !json.Valid(out.Bytes()) {
		t.Errorf("not JSON: %s", line)
	}
}

type lazy struct{}

func (lazy) LogValue() slog.Value {
	return slog.GroupValue(slog.String("cf", "x"), slog.String("y", anna))
}

func TestTheRestStays(t *testing.T) {
	var out bytes.Buffer
	log := New(&out, slog.LevelInfo)
	log.Debug("too low")
	at := time.Date(2026, 11, 23, 12, 0, 0, 0, time.FixedZone("", 3600))
	log.Warn("card read", "card", "6030010000001234", "spinning", 3, "at", at, "took", time.Second, "list", []int{1, 2}, "none", nil, slog.Group("g", "ok", true))
	var got map[string]any
	if err := json.Unmarshal(out.Bytes(), &got); err != nil {
		t.Fatal(err)
	}
	delete(got, "time")
	b, _ := json.Marshal(got)
	want := `{"at":"2026-11-23T11:00:00Z","card":"6030010000001234","g":{"ok":true},"level":"WARN","list":[1,2],"msg":"card read","none":null,"spinning":3,"took":1000000000}`
	if string(b) != want {
		t.Errorf("got  %s\nwant %s", b, want)
	}
}

func TestForbidden(t *testing.T) {
	for key, want := range map[string]bool{
		"pin": true, "PIN": true, "oldPin": true, "old-pin": true, "PINCode": true, "request.pin": true, "Set-Cookie": true, "codice_fiscale": true,
		"codiceFiscale": true, "CodiceFiscale": true, "codicefiscale": true, "idToken": true, "client_secret": true, "E-Mail": true, "holder_cf": true, "HolderCF": true,
		"spin": false, "spinning": false, "principal": false, "recipe": false, "card": false, "cfg": false, "tokens_left": false, "": false,
	} {
		if got := Forbidden(key); got != want {
			t.Errorf("Forbidden(%q) = %v", key, got)
		}
	}
}
