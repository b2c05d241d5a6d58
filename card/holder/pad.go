package holder

import (
	"crypto"
	"crypto/rsa"
	_ "crypto/sha1" // old services ask for it; linked in for crypto.SHA1
	_ "crypto/sha256"
	_ "crypto/sha512"
	"encoding/binary"
	"fmt"
	"io"
)

// prefixes are the DER headers of DigestInfo (RFC 8017 section 9.2, note 1).
var prefixes = map[crypto.Hash][]byte{
	crypto.SHA1:   {0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14},
	crypto.SHA256: {0x30, 0x31, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x01, 0x05, 0x00, 0x04, 0x20},
	crypto.SHA384: {0x30, 0x41, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x02, 0x05, 0x00, 0x04, 0x30},
	crypto.SHA512: {0x30, 0x51, 0x30, 0x0d, 0x06, 0x09, 0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x02, 0x03, 0x05, 0x00, 0x04, 0x40},
}

// pad makes the block to be raised to the private exponent, and the check of
// the signature that comes out.
func pad(random io.Reader, key *rsa.PublicKey, digest []byte, opts crypto.SignerOpts) ([]byte, func([]byte) error, error) {
	hash := opts.HashFunc()
	if o, ok := opts.(*rsa.PSSOptions); ok {
		block, err := PadPSS(random, key, hash, digest, saltLength(key, hash, o))
		check := func(sig []byte) error {
			return rsa.VerifyPSS(key, hash, digest, sig, &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthAuto})
		}
		return block, check, err
	}
	block, err := PadPKCS1(key.Size(), hash, digest)
	check := func(sig []byte) error { return rsa.VerifyPKCS1v15(key, hash, digest, sig) }
	return block, check, err
}

// saltLength is the length of the salt in bytes that o means.
func saltLength(key *rsa.PublicKey, hash crypto.Hash, o *rsa.PSSOptions) int {
	if _, ok := prefixes[hash]; !ok {
		return -1 // refused by PadPSS
	}
	switch o.SaltLength {
	case rsa.PSSSaltLengthAuto:
		return (key.N.BitLen()+6)/8 - hash.Size() - 2
	case rsa.PSSSaltLengthEqualsHash:
		return hash.Size()
	}
	return o.SaltLength
}

// PadPKCS1 is EMSA-PKCS1-v1_5 (RFC 8017 section 9.2) over k bytes. Hash 0 pads
// the digest as it is, as TLS below 1.2 does.
func PadPKCS1(k int, hash crypto.Hash, digest []byte) ([]byte, error) {
	prefix, ok := prefixes[hash]
	if !ok && hash != 0 {
		return nil, fmt.Errorf("PKCS#1 v1.5: hash %v not supported", hash)
	}
	t := append(append([]byte(nil), prefix...), digest...)
	if len(t)+11 > k {
		return nil, fmt.Errorf("PKCS#1 v1.5: %d bytes do not fit a key of %d", len(t), k)
	}
	block := make([]byte, k)
	block[1] = 0x01
	for i := 2; i < k-len(t)-1; i++ {
		block[i] = 0xFF
	}
	copy(block[k-len(t):], t)
	return block, nil
}

// PadPSS is EMSA-PSS-ENCODE (RFC 8017 section 9.1.1) with MGF1 over the same
// hash; random gives the salt, sLen bytes of it.
func PadPSS(random io.Reader, key *rsa.PublicKey, hash crypto.Hash, digest []byte, sLen int) ([]byte, error) {
	if _, ok := prefixes[hash]; !ok {
		return nil, fmt.Errorf("PSS: hash %v not supported", hash)
	}
	emBits := key.N.BitLen() - 1
	emLen, hLen := (emBits+7)/8, hash.Size()
	if sLen < 0 || emLen < hLen+sLen+2 {
		return nil, fmt.Errorf("PSS: salt of %d bytes does not fit the key", sLen)
	}
	salt := make([]byte, sLen)
	if _, err := io.ReadFull(random, salt); err != nil {
		return nil, fmt.Errorf("PSS salt: %w", err)
	}
	d := hash.New()
	d.Write(make([]byte, 8))
	d.Write(digest)
	d.Write(salt)
	mHash := d.Sum(nil)

	em := make([]byte, emLen)
	db := em[:emLen-hLen-1]
	db[len(db)-sLen-1] = 0x01
	copy(db[len(db)-sLen:], salt)
	mgf1XOR(db, hash, mHash)
	db[0] &= 0xFF >> (8*emLen - emBits)
	copy(em[len(db):], mHash)
	em[emLen-1] = 0xBC
	return append(make([]byte, key.Size()-emLen), em...), nil
}

// mgf1XOR masks out with MGF1 of seed (RFC 8017 appendix B.2.1).
func mgf1XOR(out []byte, hash crypto.Hash, seed []byte) {
	var counter [4]byte
	for i := 0; len(out) > 0; i++ {
		binary.BigEndian.PutUint32(counter[:], uint32(i))
		d := hash.New()
		d.Write(seed)
		d.Write(counter[:])
		mask := d.Sum(nil)
		n := min(len(mask), len(out))
		for j := range n {
			out[j] ^= mask[j]
		}
		out = out[n:]
	}
}
