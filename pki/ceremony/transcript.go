package ceremony

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"cse.example/cse/ground/words"
	"cse.example/cse/pki/keys"
	"cse.example/cse/pki/profile"
)

// Transcript says what a ceremony was told, who agreed and looked on, and what it
// made. Its signature, by the key that the mode signs with (the root's for root,
// issuing and root-crl; the issuing authority's for responder; its own for key),
// is over the octets of the JSON and lies beside it as FILE.sig.
type Transcript struct {
	Schema string `json:"schema"` // cse.transcript/1
	Mode   Mode   `json:"mode"`
	Title  string `json:"title"`
	// File is the ceremony file, whole: what was approved can be read here.
	File      Source    `json:"file"`
	At        time.Time `json:"at"`
	Program   string    `json:"program"`
	Witnesses []string  `json:"witnesses"`
	// Approvals are the signed notes that counted, or did not, as they were.
	Approvals []string `json:"approvals"`
	// Inputs are the files that were read, Outputs those that were made.
	Inputs  []Hashed `json:"inputs"`
	Outputs []Hashed `json:"outputs"`
	// Keys, Certificates and Lists are what the outputs hold, for people.
	Keys         []MadeKey         `json:"keys"`
	Certificates []MadeCertificate `json:"certificates"`
	Lists        []MadeList        `json:"lists"`
	// Signer is the SubjectPublicKeyInfo (PEM) under which the signature verifies.
	Signer string `json:"signer"`
}

// Source is the ceremony file.
type Source struct {
	Name   string `json:"name"`
	SHA256 string `json:"sha256"`
	Text   string `json:"text"`
}

// Hashed is a file and its digest.
type Hashed struct {
	File   string `json:"file"`
	SHA256 string `json:"sha256"`
}

// MadeKey is a new key: where it is, and its public half's digest.
type MadeKey struct {
	File         string         `json:"file"`
	Where        string         `json:"where"`
	Kind         keys.Algorithm `json:"kind"`
	PublicSHA256 string         `json:"public_sha256"` // of the SubjectPublicKeyInfo
}

// MadeCertificate is a new certificate.
type MadeCertificate struct {
	File      string    `json:"file"`
	Subject   string    `json:"subject"`
	Issuer    string    `json:"issuer"`
	Serial    string    `json:"serial"`
	NotBefore time.Time `json:"not_before"`
	NotAfter  time.Time `json:"not_after"`
	SHA256    string    `json:"sha256"` // of the DER
}

// MadeList is a new list of revocation.
type MadeList struct {
	File       string    `json:"file"`
	Number     string    `json:"number"`
	ThisUpdate time.Time `json:"this_update"`
	NextUpdate time.Time `json:"next_update"`
	Entries    int       `json:"entries"`
	SHA256     string    `json:"sha256"` // of the DER
}

const (
	transcriptSchema = "cse.transcript/1"
	// SignatureSuffix is put after the name of a transcript.
	SignatureSuffix = ".sig"
)

// TranscriptName is the file of a mode's transcript, in the folder of its results.
func TranscriptName(m Mode) string { return "ceremony-" + string(m) + ".json" }

// sign gives the octets of t and the signature over them.
func (t Transcript) sign(rand io.Reader, s crypto.Signer) (text, sig []byte, err error) {
	spki, err := x509.MarshalPKIXPublicKey(s.Public())
	if err != nil {
		return nil, nil, fmt.Errorf("ceremony: transcript: %w", err)
	}
	t.Signer = string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki}))
	if text, err = json.MarshalIndent(t, "", "  "); err != nil {
		return nil, nil, fmt.Errorf("ceremony: transcript: %w", err)
	}
	text = append(text, '\n')
	// It begins with a brace: no certificate, list or answer does.
	_, sig, err = profile.Signature(rand, s, text)
	return text, sig, err
}

// parseTranscript reads a transcript and checks its signature, nothing else.
func parseTranscript(text, sig []byte) (*Transcript, crypto.PublicKey, error) {
	t := &Transcript{}
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	if err := dec.Decode(t); err != nil {
		return nil, nil, err
	}
	if t.Schema != transcriptSchema {
		return nil, nil, fmt.Errorf("schema %q, not %s", t.Schema, transcriptSchema)
	}
	block, rest := pem.Decode([]byte(t.Signer))
	if block == nil || block.Type != "PUBLIC KEY" || len(rest) > 0 {
		return nil, nil, errors.New("no public key of the signer")
	}
	pub, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return nil, nil, err
	}
	alg, err := profile.AlgorithmOf(pub)
	if err != nil {
		return nil, nil, err
	}
	h := alg.Hash.New()
	h.Write(text)
	good := false
	switch k := pub.(type) {
	case *ecdsa.PublicKey:
		good = ecdsa.VerifyASN1(k, h.Sum(nil), sig)
	case *rsa.PublicKey:
		good = rsa.VerifyPKCS1v15(k, alg.Hash, h.Sum(nil), sig) == nil
	}
	if !good {
		return nil, nil, errors.New("the signature does not verify: transcript or signature were changed")
	}
	return t, pub, nil
}

// Verify reads the transcript at path with its signature and the results beside
// it. Checked: the signature; that the ceremony file in it has the digest that
// its approvals name, and that enough of them counted at its instant; that every
// result is there and is what was made; that the certificates among them are
// signed by who the transcript says. anchor is the certificate whose key must have
// signed, nil to take the transcript's word for it: then its fingerprint is to be
// compared with paper. Every fault is CSE-923, one that says "not there" (a kill)
// CSE-921.
func Verify(path string, anchor *x509.Certificate) (*Transcript, error) {
	bad := func(err error) error { return words.Refuse("CSE-923", path).Because(err) }
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, bad(err)
	}
	sig, err := os.ReadFile(path + SignatureSuffix)
	if err != nil {
		return nil, bad(err)
	}
	t, pub, err := parseTranscript(text, sig)
	if err != nil {
		return nil, bad(err)
	}
	if anchor != nil && !pub.(interface{ Equal(crypto.PublicKey) bool }).Equal(anchor.PublicKey) {
		return nil, bad(fmt.Errorf("signed by another key than that of %s", anchor.Subject))
	}
	if err := t.checkApprovals(); err != nil {
		return nil, bad(err)
	}
	for _, o := range t.Outputs {
		if filepath.Base(o.File) != o.File {
			return nil, bad(fmt.Errorf("result %q is not in the folder", o.File))
		}
		b, err := os.ReadFile(filepath.Join(filepath.Dir(path), o.File))
		if errors.Is(err, os.ErrNotExist) {
			return nil, words.Refuse("CSE-921", filepath.Dir(path)).Because(err)
		}
		if err != nil {
			return nil, bad(err)
		}
		if digest(b) != o.SHA256 {
			return nil, bad(fmt.Errorf("%s is not what was made", o.File))
		}
	}
	for _, l := range t.Lists {
		if err := l.check(filepath.Dir(path), pub); err != nil {
			return nil, bad(fmt.Errorf("%s: %w", l.File, err))
		}
	}
	for _, c := range t.Certificates {
		if err := c.check(filepath.Dir(path), pub); err != nil {
			return nil, bad(fmt.Errorf("%s: %w", c.File, err))
		}
	}
	return t, nil
}

func (t *Transcript) checkApprovals() error {
	c, err := parse(t.File.Name, []byte(t.File.Text))
	if err != nil {
		return err
	}
	if c.Digest() != t.File.SHA256 || c.Mode != t.Mode {
		return errors.New("the ceremony file in it is another one")
	}
	var notes [][]byte
	for _, n := range t.Approvals {
		notes = append(notes, []byte(n))
	}
	_, err = c.approved(notes, t.At)
	return err
}

// check sees that a certificate is what the transcript says, signed by the
// transcript's signer.
func (m MadeCertificate) check(dir string, signer crypto.PublicKey) error {
	c, err := readCertificate(filepath.Join(dir, m.File))
	if err != nil {
		return err
	}
	if got := made(m.File, c); got != m {
		return errors.New("is not the certificate that the transcript describes")
	}
	by := &x509.Certificate{PublicKey: signer}
	return by.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature)
}

func (m MadeList) check(dir string, signer crypto.PublicKey) error {
	der, err := os.ReadFile(filepath.Join(dir, m.File))
	if err != nil {
		return err
	}
	l, err := x509.ParseRevocationList(der)
	if err != nil {
		return err
	}
	if got := madeList(m.File, l); got != m {
		return errors.New("is not the list that the transcript describes")
	}
	by := &x509.Certificate{PublicKey: signer}
	return by.CheckSignature(l.SignatureAlgorithm, l.RawTBSRevocationList, l.Signature)
}

func made(file string, c *x509.Certificate) MadeCertificate {
	return MadeCertificate{
		File: file, Subject: c.Subject.String(), Issuer: c.Issuer.String(), Serial: profile.SerialText(c.SerialNumber),
		NotBefore: c.NotBefore.UTC(), NotAfter: c.NotAfter.UTC(), SHA256: digest(c.Raw),
	}
}

func digest(b []byte) string { return fmt.Sprintf("%x", sha256.Sum256(b)) }
