// Package keystest is for tests only: a test that opens a platform opens a dozen sealed key files, each of which costs, as it
// should, a fifth of a second of Argon2id. The files say their own cost, so cheap ones are read by the code that reads the real.
package keystest

import "cse.example/cse/pki/internal/kdf"

// Cheap lets this process seal new key files at the lowest cost there is. Call it from TestMain.
func Cheap() { kdf.Usual = kdf.Cost{Passes: 1, MemoryKiB: 8, Lanes: 1} }
