//go:build !cgo

package hsm

import "cse.example/cse/ground/words"

// Open refuses: a token's library is C.
func Open(c Config) (Token, error) { return nil, words.Refuse("CSE-915", c.Token) }
