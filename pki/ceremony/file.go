package ceremony

import (
	"bytes"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io"
	"os"

	"go.yaml.in/yaml/v3"

	"cse.example/cse/ground/words"
	"cse.example/cse/pki/keys"
	"cse.example/cse/pki/profile"
)

// Schema is the first line's value, so that a file of another kind is not read as one.
const Schema = "cse.ceremony/1"

// Mode is what a ceremony makes.
type Mode string

// The modes. Each has a section of its own in the file.
const (
	ModeRoot      Mode = "root"      // a root: key and certificate
	ModeKey       Mode = "key"       // the key of an issuing authority, and a request for the root's machine
	ModeIssuing   Mode = "issuing"   // an issuing authority's certificate, by the root
	ModeResponder Mode = "responder" // an OCSP responder: key and certificate, by the issuing authority
	ModeRootCRL   Mode = "root-crl"  // the root's list of revoked authorities
)

// Modes are all modes.
func Modes() []Mode { return []Mode{ModeRoot, ModeKey, ModeIssuing, ModeResponder, ModeRootCRL} }

// File is a ceremony file: all that a ceremony is told. Paths are relative to the
// folder of the file; days are YYYY-MM-DD, in Rome.
type File struct {
	Schema string `yaml:"schema"`
	Mode   Mode   `yaml:"mode"`
	Title  string `yaml:"title"`
	// Days are the first and last day on which the ceremony may be held.
	Days Days `yaml:"days"`
	// Witnesses are the names of who looks on; they stand in the transcript.
	Witnesses []string  `yaml:"witnesses"`
	Approvals Approvals `yaml:"approvals"`
	// Out is the folder in which the results appear, when all of them are made.
	Out string `yaml:"out"`
	// Addresses is the base of the addresses in certificates.
	Addresses string `yaml:"addresses"`
	// Token is the PKCS #11 token of keys that are "token"; it may be left out.
	Token *Token `yaml:"token"`

	Root      *Root      `yaml:"root"`
	Key       *Key       `yaml:"key"`
	Issuing   *Issuing   `yaml:"issuing"`
	Responder *Responder `yaml:"responder"`
	RootCRL   *RootCRL   `yaml:"root_crl"`

	// raw are the octets that the approvals are about, name the path they came from.
	raw  []byte
	name string
}

// Days is a first and a last day.
type Days struct {
	From string `yaml:"from"`
	To   string `yaml:"to"`
}

// Approvals say who must have agreed.
type Approvals struct {
	// Needed is how many different approvers, 2 at least.
	Needed int `yaml:"needed"`
	// Approvers are the public keys that "csed ca approver" prints.
	Approvers []string `yaml:"approvers"`
}

// Token is a PKCS #11 token.
type Token struct {
	Module  string `yaml:"module"`
	Label   string `yaml:"label"`
	Serial  string `yaml:"serial"`
	PINFile string `yaml:"pin_file"`
}

// Names are a subject's.
type Names struct {
	Country      string `yaml:"country"`
	Organisation string `yaml:"organisation"`
	Unit         string `yaml:"unit"`
	CommonName   string `yaml:"common_name"`
}

// pkix is the subject of a request.
func (n Names) pkix() pkix.Name {
	p := pkix.Name{Country: []string{n.Country}, Organization: []string{n.Organisation}, CommonName: n.CommonName}
	if n.Unit != "" {
		p.OrganizationalUnit = []string{n.Unit}
	}
	return p
}

// requestAlgorithm is how a key signs its request.
func requestAlgorithm(pub crypto.PublicKey) (x509.SignatureAlgorithm, error) {
	switch keys.AlgorithmOf(pub) {
	case keys.P256:
		return x509.ECDSAWithSHA256, nil
	case keys.P384:
		return x509.ECDSAWithSHA384, nil
	case "":
		return 0, fmt.Errorf("ceremony: a %T signs no request", pub)
	}
	return x509.SHA256WithRSA, nil
}

func (n Names) profile() profile.Names {
	return profile.Names{Country: n.Country, Organisation: n.Organisation, Unit: n.Unit, CommonName: n.CommonName}
}

// NewKey is a key to be made: of a kind, sealed in a file or inside the token. A
// sealed one's passphrase comes from files (keys.ReadPassphrase: parts, or enough
// shares), or is asked for at the terminal.
type NewKey struct {
	Kind        keys.Algorithm `yaml:"kind"`
	Where       string         `yaml:"where"` // file, token
	Passphrases []string       `yaml:"passphrase_files"`
}

// Signer is a certificate with its key, who signs.
type Signer struct {
	Certificate string   `yaml:"certificate"`
	Key         string   `yaml:"key"`
	Passphrases []string `yaml:"passphrase_files"`
}

// Root is the section of ModeRoot.
type Root struct {
	Key   NewKey `yaml:"key"`
	Names Names  `yaml:"names"`
	Years int    `yaml:"years"`
}

// Key is the section of ModeKey.
type Key struct {
	Key   NewKey `yaml:"key"`
	Names Names  `yaml:"names"`
}

// Issuing is the section of ModeIssuing: either the request that ModeKey made on
// another machine, or the key to be made here.
type Issuing struct {
	// Label names the authority in folders and addresses; the first is "issuing".
	Label  string `yaml:"label"`
	Signer Signer `yaml:"signer"`
	// Request is a PKCS #10 file, RequestSHA256 its digest, so that who approves
	// the file approves the key.
	Request       string  `yaml:"request"`
	RequestSHA256 string  `yaml:"request_sha256"`
	Key           *NewKey `yaml:"key"`
	Names         Names   `yaml:"names"`
	// Years is the life of the certificate, Issues the days in which it issues:
	// a card of six years made on the last of them must fit.
	Years  int  `yaml:"years"`
	Issues Days `yaml:"issues"`
	// Policies are the certificate policies; empty means the CNS policy.
	Policies []string `yaml:"policies"`
	// CRLShards is the number of parts of its list.
	CRLShards int `yaml:"crl_shards"`
	// Follows is the authority before, whose days must not leave a gap.
	Follows *Follows `yaml:"follows"`
}

// Follows is the authority whose place a new one takes.
type Follows struct {
	Certificate string `yaml:"certificate"`
	IssuesTo    string `yaml:"issues_to"`
}

// Responder is the section of ModeResponder.
type Responder struct {
	// Label is that of the issuing authority.
	Label  string `yaml:"label"`
	Signer Signer `yaml:"signer"`
	Key    NewKey `yaml:"key"`
	Names  Names  `yaml:"names"`
	Days   int    `yaml:"days"`
}

// RootCRL is the section of ModeRootCRL.
type RootCRL struct {
	Signer Signer `yaml:"signer"`
	Days   int    `yaml:"days"`
	// Previous is the list before this one, if there was one.
	Previous string  `yaml:"previous"`
	Entries  []Entry `yaml:"entries"`
}

// Entry is one revoked authority.
type Entry struct {
	Serial string `yaml:"serial"` // hexadecimal
	Reason string `yaml:"reason"` // RFC 5280, 5.3.1: cACompromise, superseded, …
	Date   string `yaml:"date"`
}

// maxFile is far more than any ceremony needs.
const maxFile = 64 << 10

// Read reads the ceremony file at path. Faults: CSE-922 (not readable, not YAML,
// a key of nobody's), CSE-919 for each field that will not do, all together.
func Read(path string) (*File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, words.Refuse("CSE-922", path).Because(err)
	}
	raw, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, words.Refuse("CSE-922", path).Because(err)
	}
	return parse(path, raw)
}

// parse is Read of octets at hand.
func parse(path string, raw []byte) (*File, error) {
	if len(raw) > maxFile {
		return nil, words.Refuse("CSE-922", path).Because(fmt.Errorf("more than %d octets", maxFile))
	}
	c := &File{raw: raw, name: path}
	dec := yaml.NewDecoder(bytes.NewReader(raw))
	dec.KnownFields(true)
	if err := dec.Decode(c); err != nil {
		return nil, words.Refuse("CSE-922", path).Because(err)
	}
	if err := dec.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, words.Refuse("CSE-922", path).Because(errors.New("more than one document"))
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	return c, nil
}

// Digest is the SHA-256 of the file's octets, which approvals and transcripts name.
func (c *File) Digest() string { return fmt.Sprintf("%x", sha256.Sum256(c.raw)) }
