// Package telemetry makes the platform's log: JSON lines through log/slog, with
// a last net against secrets and personal data.
//
// Taken out, at any depth of groups, wherever they come from:
//   - every value under a key that names a secret or a person's datum (Keys):
//     pin, puk, cip, password, secret, token, authorization, cookie, email, cf,
//     codice_fiscale…, also as part of a longer key (old_pin, Set-Cookie);
//   - every codice fiscale and e-mail address inside any text: messages,
//     values, errors, maps and structures printed as text.
//
// The net is coarse on purpose. What must not be logged is not to be handed to
// the log in the first place; ground/secret prints nothing anyway.
package telemetry

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"
	"unicode"

	"cse.example/cse/ground/redact"
)

// Keys are the words that a key may not contain. Words are told apart as in
// oldPIN, old_pin, old-pin, old.pin; "spinning" does not contain pin.
var Keys = []string{
	"pin", "puk", "cip", "password", "passphrase", "secret", "token", "authorization", "cookie", "otp", "totp",
	"email", "mail", "cf", "codice_fiscale", "codicefiscale", "fiscal_code",
}

// New writes JSON lines to w, from level on; instants are UTC.
func New(w io.Writer, level slog.Leveler) *slog.Logger {
	return slog.New(Redact(slog.NewJSONHandler(w, &slog.HandlerOptions{Level: level, ReplaceAttr: utc})))
}

func utc(_ []string, a slog.Attr) slog.Attr {
	if a.Value.Kind() == slog.KindTime {
		a.Value = slog.TimeValue(a.Value.Time().UTC())
	}
	return a
}

// Redact puts the net before another handler.
func Redact(next slog.Handler) slog.Handler { return handler{next} }

type handler struct{ next slog.Handler }

func (h handler) Enabled(ctx context.Context, l slog.Level) bool { return h.next.Enabled(ctx, l) }

func (h handler) WithGroup(name string) slog.Handler { return handler{h.next.WithGroup(name)} }

func (h handler) WithAttrs(attrs []slog.Attr) slog.Handler {
	return handler{h.next.WithAttrs(cleanAll(attrs))}
}

func (h handler) Handle(ctx context.Context, r slog.Record) error {
	out := slog.NewRecord(r.Time, r.Level, redact.Text(r.Message), r.PC)
	r.Attrs(func(a slog.Attr) bool {
		out.AddAttrs(clean(a))
		return true
	})
	return h.next.Handle(ctx, out)
}

func cleanAll(attrs []slog.Attr) []slog.Attr {
	out := make([]slog.Attr, len(attrs))
	for i, a := range attrs {
		out[i] = clean(a)
	}
	return out
}

func clean(a slog.Attr) slog.Attr {
	if Forbidden(a.Key) {
		return slog.String(a.Key, redact.Mark)
	}
	v := a.Value.Resolve()
	switch v.Kind() {
	case slog.KindString:
		v = slog.StringValue(redact.Text(v.String()))
	case slog.KindGroup:
		v = slog.GroupValue(cleanAll(v.Group())...)
	case slog.KindAny:
		v = cleanAny(v.Any())
	}
	return slog.Attr{Key: redact.Text(a.Key), Value: v}
}

// cleanAny prints x as JSON would, takes the forbidden out, and keeps the shape.
func cleanAny(x any) slog.Value {
	switch v := x.(type) {
	case nil, time.Time:
		return slog.AnyValue(v)
	case error:
		return slog.StringValue(redact.Text(v.Error()))
	case fmt.Stringer:
		return slog.StringValue(redact.Text(v.String()))
	}
	b, err := json.Marshal(x)
	if err != nil {
		return slog.StringValue(redact.Text(fmt.Sprintf("%T", x)))
	}
	var plain any
	if err := json.Unmarshal(b, &plain); err != nil {
		return slog.StringValue(redact.Text(string(b)))
	}
	return slog.AnyValue(cleanJSON(plain))
}

func cleanJSON(x any) any {
	switch v := x.(type) {
	case string:
		return redact.Text(v)
	case []any:
		for i := range v {
			v[i] = cleanJSON(v[i])
		}
	case map[string]any:
		out := make(map[string]any, len(v))
		for k, e := range v {
			if Forbidden(k) {
				e = redact.Mark
			}
			out[redact.Text(k)] = cleanJSON(e)
		}
		return out
	}
	return x
}

// Forbidden tells whether values under key are never printed.
func Forbidden(key string) bool {
	words := "_" + strings.Join(split(key), "_") + "_"
	for _, k := range Keys {
		if strings.Contains(words, "_"+k+"_") {
			return true
		}
	}
	return false
}

// split cuts a key into lower-case words: at what is no letter or digit, and
// where a capital follows a small letter (oldPIN) or begins a word (PINCode).
func split(key string) []string {
	var words []string
	var word []rune
	flush := func() {
		if len(word) > 0 {
			words = append(words, strings.ToLower(string(word)))
			word = nil
		}
	}
	runes := []rune(key)
	for i, r := range runes {
		switch {
		case !unicode.IsLetter(r) && !unicode.IsDigit(r):
			flush()
			continue
		case unicode.IsUpper(r) && i > 0 && (unicode.IsLower(runes[i-1]) || (i+1 < len(runes) && unicode.IsLower(runes[i+1]))):
			flush()
		}
		word = append(word, r)
	}
	flush()
	return words
}
