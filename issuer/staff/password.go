package staff

import (
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/crypto/argon2"

	"cse.example/cse/ground/secret"
)

// argon are the costs of an argon2id hash: memory in KiB, passes, lanes.
type argon struct {
	memory, time uint32
	lanes        uint8
	salt, sum    []byte
}

// The costs of a new hash (RFC 9106 section 4, second choice, one lane: 64 MiB
// would let a handful of logins exhaust a small machine; OWASP's 19 MiB, two
// passes).
const (
	argonMemory = 19 * 1024
	argonTime   = 2
	argonLanes  = 1
	argonSalt   = 16
	argonSum    = 32
)

// minPassword is the least length of an operator's password.
const minPassword = 12

// HashPassword makes what configuration keeps, in PHC form:
// $argon2id$v=19$m=19456,t=2,p=1$salt$hash.
func HashPassword(rand io.Reader, password secret.Text) (string, error) {
	if password.Len() < minPassword {
		return "", fmt.Errorf("staff: a password needs at least %d characters", minPassword)
	}
	salt := make([]byte, argonSalt)
	if _, err := io.ReadFull(rand, salt); err != nil {
		return "", fmt.Errorf("staff: salt: %w", err)
	}
	a := argon{memory: argonMemory, time: argonTime, lanes: argonLanes, salt: salt, sum: make([]byte, argonSum)}
	a.sum = a.derive(password)
	b64 := base64.RawStdEncoding.EncodeToString
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, a.memory, a.time, a.lanes, b64(a.salt), b64(a.sum)), nil
}

// PasswordCost is how new passwords are hashed, in one line.
func PasswordCost() string {
	return fmt.Sprintf("argon2id (%d MiB, t=%d, p=%d)", argonMemory>>10, argonTime, argonLanes)
}

// KeptCost is the same of a hash that is kept; empty when it is none.
func KeptCost(hash string) string {
	a, err := parseHash(hash)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("argon2id (%d MiB, t=%d, p=%d)", a.memory>>10, a.time, a.lanes)
}

func (a argon) derive(password secret.Text) []byte {
	p := password.Reveal()
	defer clear(p)
	return argon2.IDKey(p, a.salt, a.time, a.memory, a.lanes, uint32(len(a.sum)))
}

func (a argon) matches(password secret.Text) bool {
	return subtle.ConstantTimeCompare(a.derive(password), a.sum) == 1
}

// parseHash reads a PHC string and refuses costs too low to protect or so high
// that a configuration error would stop the machine.
func parseHash(s string) (argon, error) {
	var a argon
	bad := errors.New("password_hash is not an argon2id hash as `csed operator hash` makes it")
	parts := strings.Split(s, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return a, bad
	}
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &a.memory, &a.time, &a.lanes); n != 3 || err != nil {
		return a, bad
	}
	var err error
	if a.salt, err = base64.RawStdEncoding.DecodeString(parts[4]); err != nil {
		return a, bad
	}
	if a.sum, err = base64.RawStdEncoding.DecodeString(parts[5]); err != nil {
		return a, bad
	}
	switch {
	case a.memory < 8*1024 || a.memory > 1<<20, a.time < 1 || a.time > 16, a.lanes < 1 || a.lanes > 16:
		return a, errors.New("password_hash: the costs are out of bounds")
	case len(a.salt) < 8 || len(a.salt) > 64 || len(a.sum) < 16 || len(a.sum) > 64:
		return a, bad
	}
	return a, nil
}

// nobody is compared against when the account does not exist, so that the time
// does not tell. No password matches: the sum is not a hash of anything known.
func nobody() argon {
	return argon{memory: argonMemory, time: argonTime, lanes: argonLanes, salt: make([]byte, argonSalt), sum: make([]byte, argonSum)}
}
