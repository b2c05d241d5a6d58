package secmsg

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/subtle"
)

// cmac is AES-CMAC (RFC 4493, NIST SP 800-38B) of the pieces of a message, one
// behind the other.
func cmac(block cipher.Block, pieces ...[]byte) [aes.BlockSize]byte {
	var message []byte
	for _, p := range pieces {
		message = append(message, p...)
	}
	var first [aes.BlockSize]byte
	block.Encrypt(first[:], first[:])
	k1 := doubled(first)
	last, whole := len(message)%aes.BlockSize, len(message) > 0 && len(message)%aes.BlockSize == 0
	key := k1
	if !whole {
		key = doubled(k1)
		message = append(message, 0x80)
		message = append(message, make([]byte, aes.BlockSize-1-last)...)
	}
	var x [aes.BlockSize]byte
	for len(message) > aes.BlockSize {
		subtle.XORBytes(x[:], x[:], message[:aes.BlockSize])
		block.Encrypt(x[:], x[:])
		message = message[aes.BlockSize:]
	}
	subtle.XORBytes(x[:], x[:], message)
	subtle.XORBytes(x[:], x[:], key[:])
	block.Encrypt(x[:], x[:])
	return x
}

// doubled multiplies by x in GF(2^128), without a branch on the secret.
func doubled(in [aes.BlockSize]byte) (out [aes.BlockSize]byte) {
	for i := range in {
		out[i] = in[i] << 1
		if i+1 < len(in) {
			out[i] |= in[i+1] >> 7
		}
	}
	out[aes.BlockSize-1] ^= 0x87 & -(in[0] >> 7)
	return out
}
