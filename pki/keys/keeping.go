package keys

import (
	"encoding/pem"
	"errors"
	"fmt"
)

// Keeping is how a key file keeps its key, as anyone may say in public: it holds
// nothing of the key.
type Keeping struct {
	// Cipher and KDF name what a sealed file is sealed with; both are empty for a
	// file that only names a key kept elsewhere (a token).
	Cipher, KDF string
	// Passes, MemoryKiB and Lanes are the derivation's cost in that file.
	Passes, MemoryKiB, Lanes uint32
}

// Sealed tells whether the file itself holds the key.
func (k Keeping) Sealed() bool { return k.Cipher != "" }

// String is the keeping in one line: "AES-256-GCM, argon2id (64 MiB, 3, 4)".
func (k Keeping) String() string {
	if !k.Sealed() {
		return "PKCS#11"
	}
	return fmt.Sprintf("%s, %s (%d MiB, t=%d, p=%d)", k.Cipher, k.KDF, k.MemoryKiB>>10, k.Passes, k.Lanes)
}

// Kept reads how the file at path keeps its key, without opening it.
func Kept(path string) (Keeping, error) {
	raw, err := readPrivate(path)
	if err != nil {
		return Keeping{}, err
	}
	block, _ := pem.Decode(raw)
	if block == nil || block.Type != blockType {
		if len(raw) == 0 {
			return Keeping{}, damaged(path, errors.New("the file is empty"))
		}
		return Keeping{}, nil
	}
	c, err := costOf(block.Headers)
	if err != nil {
		return Keeping{}, damaged(path, err)
	}
	return Keeping{Cipher: cipherName, KDF: block.Headers["KDF"], Passes: c.passes, MemoryKiB: c.memory, Lanes: c.lanes}, nil
}
