package bureau

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/tink-crypto/tink-go/v2/hybrid"
	"github.com/tink-crypto/tink-go/v2/insecurecleartextkeyset"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/tink"

	"cse.example/cse/issuer/production/exchange"
)

// Identity are the bureau's two private keys. A real bureau has them in a
// security module; the virtual one in two files that only its user reads.
type Identity struct {
	Signer crypto.Signer
	Open   tink.HybridDecrypt
	public []byte
}

// Public is the file by which the issuer knows the bureau (exchange.ParseBureau).
func (i *Identity) Public() []byte { return append([]byte(nil), i.public...) }

const (
	signFile = "bureau-sign.key"
	sealFile = "bureau-seal.keyset"
)

// LoadOrCreate reads the identity in dir, or makes one when there is none.
func LoadOrCreate(rand io.Reader, dir string) (*Identity, error) {
	der, err := os.ReadFile(filepath.Join(dir, signFile))
	if errors.Is(err, fs.ErrNotExist) {
		return create(rand, dir)
	}
	if err != nil {
		return nil, fmt.Errorf("bureau: %w", err)
	}
	key, err := x509.ParsePKCS8PrivateKey(der)
	if err != nil {
		return nil, fmt.Errorf("bureau: %s: %w", signFile, err)
	}
	signer, ok := key.(*ecdsa.PrivateKey)
	if !ok {
		return nil, fmt.Errorf("bureau: %s is not an ECDSA key", signFile)
	}
	b, err := os.ReadFile(filepath.Join(dir, sealFile))
	if err != nil {
		return nil, fmt.Errorf("bureau: %w", err)
	}
	h, err := insecurecleartextkeyset.Read(keyset.NewBinaryReader(bytes.NewReader(b)))
	if err != nil {
		return nil, fmt.Errorf("bureau: %s: %w", sealFile, err)
	}
	return identity(signer, h)
}

// create writes the sealing key first: the signing key says that both are there.
func create(rand io.Reader, dir string) (*Identity, error) {
	signer, err := ecdsa.GenerateKey(elliptic.P256(), rand)
	if err != nil {
		return nil, fmt.Errorf("bureau: %w", err)
	}
	h, err := exchange.NewSealKey()
	if err != nil {
		return nil, fmt.Errorf("bureau: %w", err)
	}
	var b bytes.Buffer
	if err := insecurecleartextkeyset.Write(h, keyset.NewBinaryWriter(&b)); err != nil {
		return nil, fmt.Errorf("bureau: %w", err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(signer)
	if err != nil {
		return nil, fmt.Errorf("bureau: %w", err)
	}
	for _, f := range []struct {
		name string
		b    []byte
	}{{sealFile, b.Bytes()}, {signFile, der}} {
		if err := exchange.Folder(dir).Write(f.name, f.b); err != nil { // files made so are 0600
			return nil, err
		}
	}
	return identity(signer, h)
}

func identity(signer *ecdsa.PrivateKey, h *keyset.Handle) (*Identity, error) {
	open, err := hybrid.NewHybridDecrypt(h)
	if err != nil {
		return nil, fmt.Errorf("bureau: %w", err)
	}
	pub, err := h.Public()
	if err != nil {
		return nil, fmt.Errorf("bureau: %w", err)
	}
	file, err := exchange.Publish(pub, &signer.PublicKey)
	if err != nil {
		return nil, err
	}
	return &Identity{Signer: signer, Open: open, public: file}, nil
}
