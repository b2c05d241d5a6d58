// Package kdf holds the cost at which new sealed files are made (pki/keys). It is a package of its own, closed to all but pki,
// so that tests can make key files that open at once (pki/keys/keystest) and nothing else can.
package kdf

// Cost is Argon2id's (RFC 9106): passes over MemoryKiB KiB with Lanes threads.
type Cost struct{ Passes, MemoryKiB, Lanes uint32 }

// Usual is the second recommendation of RFC 9106, 4: 64 MiB, three passes, four lanes.
var Usual = Cost{Passes: 3, MemoryKiB: 64 << 10, Lanes: 4}
