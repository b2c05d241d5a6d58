package identity

import (
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"io"
)

// Random makes unguessable names: 256 bits, base64url without padding.
type Random struct{ Source io.Reader }

// Text returns a fresh name. A source that cannot answer leaves nothing safe to
// do, and the OpenID library's hooks have no error to return: it panics, and
// net/http answers 500.
func (r Random) Text() string {
	var b [32]byte
	if _, err := io.ReadFull(r.Source, b[:]); err != nil {
		panic("login: no randomness: " + err.Error())
	}
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// Fingerprint is what the store keeps of a secret name: hexadecimal SHA-256.
// The names have 256 random bits, so a plain hash cannot be searched.
func Fingerprint(secret string) string {
	h := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(h[:])
}

// Same compares two strings in a time that depends on their lengths only.
func Same(a, b string) bool { return subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1 }
