// Package secret holds values that must never be printed: PIN, PUK, CIP,
// passwords, one-time codes and key material.
//
// A Text prints as [redacted] through fmt, slog, encoding/json and
// encoding/text; the only way to its content is Reveal, a word that a reviewer
// can search for. Equality is constant time. Wipe overwrites the bytes held
// here (Go may have copied them before: see docs/security.md).
package secret

import (
	"crypto/subtle"
	"fmt"
	"log/slog"
)

// Redacted is what every printing of a secret shows.
const Redacted = "[redacted]"

// Text is a secret made of bytes. The zero value is an empty secret.
type Text struct{ b []byte }

// New keeps a copy of b.
func New(b []byte) Text { return Text{b: append([]byte(nil), b...)} }

// FromString keeps s.
func FromString(s string) Text { return Text{b: []byte(s)} }

// Reveal returns a copy of the content. Call it as late as possible.
func (t Text) Reveal() []byte { return append([]byte(nil), t.b...) }

// Len is the number of bytes.
func (t Text) Len() int { return len(t.b) }

// Equal compares in constant time for secrets of one length.
func (t Text) Equal(o Text) bool { return subtle.ConstantTimeCompare(t.b, o.b) == 1 }

// Wipe overwrites the content with zeros.
func (t *Text) Wipe() {
	clear(t.b)
	t.b = nil
}

// String implements fmt.Stringer.
func (Text) String() string { return Redacted }

// GoString implements fmt.GoStringer.
func (Text) GoString() string { return Redacted }

// Format implements fmt.Formatter, so that no verb reaches the bytes.
func (Text) Format(f fmt.State, _ rune) { _, _ = f.Write([]byte(Redacted)) }

// LogValue implements slog.LogValuer.
func (Text) LogValue() slog.Value { return slog.StringValue(Redacted) }

// MarshalJSON implements json.Marshaler.
func (Text) MarshalJSON() ([]byte, error) { return []byte(`"` + Redacted + `"`), nil }

// MarshalText implements encoding.TextMarshaler.
func (Text) MarshalText() ([]byte, error) { return []byte(Redacted), nil }
