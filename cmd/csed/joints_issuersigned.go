package main

import (
	"crypto"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"os"
	"path/filepath"
)

// signaturesDir is where the signatures of requests to issuers lie.
func (c *Config) signaturesDir() string { return c.under("issuer-signatures") }

// signRequest writes the signature of a request's file, for whoever gets the file
// by mail: ECDSA over its SHA-256, DER in base64, by the key that `csed produce
// key` shows (docs/card-base.md says how to check it).
func (p *Platform) signRequest(name string, content []byte) error {
	k, err := p.Config.productionKey()
	if err != nil {
		return err
	}
	h := sha256.Sum256(content)
	sig, err := k.Sign(rand.Reader, h[:], crypto.SHA256)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(p.Config.signaturesDir(), 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(p.Config.signaturesDir(), name+".sig"), []byte(base64.StdEncoding.EncodeToString(sig)+"\n"), 0o600)
}
