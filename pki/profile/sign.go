package profile

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"fmt"
	"io"

	"golang.org/x/crypto/cryptobyte"
	cbasn1 "golang.org/x/crypto/cryptobyte/asn1"
)

// Algorithm is how a key signs X.509 structures.
type Algorithm struct {
	// Identifier is the DER of the AlgorithmIdentifier.
	Identifier []byte
	// Hash is applied to what is signed.
	Hash crypto.Hash
}

var (
	ecdsaSHA256 = Algorithm{[]byte{0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02}, crypto.SHA256}
	ecdsaSHA384 = Algorithm{[]byte{0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03}, crypto.SHA384}
	rsaSHA256   = Algorithm{[]byte{0x30, 0x0d, 0x06, 0x09, 0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b, 0x05, 0x00}, crypto.SHA256}
)

// AlgorithmOf is the one algorithm with which a key of this kind signs here.
func AlgorithmOf(key crypto.PublicKey) (Algorithm, error) {
	switch k := key.(type) {
	case *ecdsa.PublicKey:
		switch k.Curve.Params().BitSize {
		case 256:
			return ecdsaSHA256, nil
		case 384:
			return ecdsaSHA384, nil
		}
	case *rsa.PublicKey:
		return rsaSHA256, nil
	}
	return Algorithm{}, fmt.Errorf("profile: no signature algorithm for a %T", key)
}

// Signature signs tbs with the one algorithm of the signer's key.
func Signature(rand io.Reader, signer crypto.Signer, tbs []byte) (Algorithm, []byte, error) {
	alg, err := AlgorithmOf(signer.Public())
	if err != nil {
		return Algorithm{}, nil, err
	}
	h := alg.Hash.New()
	h.Write(tbs)
	sig, err := signer.Sign(rand, h.Sum(nil), alg.Hash)
	if err != nil {
		return Algorithm{}, nil, fmt.Errorf("profile: sign: %w", err)
	}
	return alg, sig, nil
}

// Sign makes the certificate, CRL or response: tbs, algorithm, signature.
func Sign(rand io.Reader, signer crypto.Signer, tbs []byte) ([]byte, error) {
	alg, sig, err := Signature(rand, signer, tbs)
	if err != nil {
		return nil, err
	}
	return Assemble(tbs, alg, sig)
}

// Assemble joins a to-be-signed part and a signature made elsewhere.
func Assemble(tbs []byte, alg Algorithm, sig []byte) ([]byte, error) {
	var b cryptobyte.Builder
	b.AddASN1(cbasn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddBytes(tbs)
		b.AddBytes(alg.Identifier)
		b.AddASN1BitString(sig)
	})
	return b.Bytes()
}
