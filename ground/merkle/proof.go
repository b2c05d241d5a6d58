package merkle

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"golang.org/x/mod/sumdb/tlog"
)

// FormProof is the form of a file of proofs.
const FormProof = "cse.audit.proof/1"

// MaxProof is the longest file of proofs that is read.
const MaxProof = 16 << 20

// Proof says that acts are in the log: what a citizen downloads. Whoever has the
// log's key checks it without asking anybody.
type Proof struct {
	Form string `json:"form"`
	// Key is the log's, in the note's spelling: compare it with the one published.
	Key string `json:"key"`
	// Checkpoint is the signed note that covers every act.
	Checkpoint string `json:"checkpoint"`
	Acts       []Act  `json:"acts"`
}

// Act is one of a proof.
type Act struct {
	Index int64 `json:"index"`
	// Leaf is the act's canonical text; its hash is SHA-256(0x00 ‖ text).
	Leaf string `json:"leaf"`
	// Path are the hashes from the leaf to the root (RFC 6962, 2.1.1).
	Path tlog.RecordProof `json:"path"`
	// Sealed and Open are the sealed details and the key of this act's alone.
	Sealed []byte `json:"sealed,omitempty"`
	Open   []byte `json:"open,omitempty"`
}

// Facts are what was sealed with an act.
type Facts struct {
	Card   string            `json:"card,omitempty"`
	Detail map[string]string `json:"detail,omitempty"`
}

// Proven is an act that a proof shows to be in the log.
type Proven struct {
	Leaf  Leaf
	Facts Facts
}

// ParseProof reads a file of proofs.
func ParseProof(b []byte) (Proof, error) {
	var p Proof
	if err := json.Unmarshal(b, &p); err != nil {
		return Proof{}, fmt.Errorf("merkle: the proof is no JSON: %w", err)
	}
	if p.Form != FormProof || len(p.Acts) == 0 {
		return Proof{}, fmt.Errorf("merkle: not a proof of the form %s", FormProof)
	}
	return p, nil
}

// Check answers the acts and the checkpoint, or a *Broken with the first act that
// the proof does not prove. keys are trusted; without them the proof's own is.
func (p Proof) Check(keys Keys) ([]Proven, Checkpoint, error) {
	if keys == nil {
		var err error
		if keys, err = ParseKeys(p.Key); err != nil {
			return nil, Checkpoint{}, err
		}
	}
	c, err := keys.Open([]byte(p.Checkpoint))
	if err != nil {
		return nil, Checkpoint{}, err
	}
	var out []Proven
	for _, a := range p.Acts {
		x, why := a.check(c)
		if why != "" {
			return nil, c, &Broken{Index: a.Index, Why: why}
		}
		out = append(out, x)
	}
	return out, c, nil
}

func (a Act) check(c Checkpoint) (x Proven, why string) {
	leaf, err := ParseLeaf([]byte(a.Leaf))
	if err != nil {
		return x, "its text is not a record's"
	}
	if leaf.Index != a.Index || a.Index > c.Size {
		return x, "it is another record's text"
	}
	if tlog.CheckRecord(a.Path, c.Size, c.Root, a.Index-1, LeafHash([]byte(a.Leaf))) != nil {
		return x, "it is not in the log that was signed"
	}
	x.Leaf = leaf
	if leaf.Sealed == "" {
		return x, ""
	}
	if SealedHash(a.Sealed) != leaf.Sealed {
		return x, "its sealed details were changed"
	}
	if x.Facts, err = Unseal(a.Open, a.Index, a.Sealed); err != nil {
		return x, "its key does not open its details"
	}
	return x, ""
}

// SealedHash is what a leaf keeps of its sealed details; empty for none.
func SealedHash(sealed []byte) string {
	if len(sealed) == 0 {
		return ""
	}
	h := sha256.Sum256(sealed)
	return hex.EncodeToString(h[:])
}

// Seal closes the facts of one act under a key of its own (32 bytes): AES-256-GCM,
// a nonce of 12 bytes before, bound to the act's number.
func Seal(random io.Reader, key []byte, index int64, f Facts) ([]byte, error) {
	text, err := json.Marshal(f)
	if err != nil {
		return nil, err
	}
	gcm, err := sealer(key)
	if err != nil {
		return nil, err
	}
	nonce := make([]byte, gcm.NonceSize(), gcm.NonceSize()+len(text)+gcm.Overhead())
	if _, err := io.ReadFull(random, nonce); err != nil {
		return nil, err
	}
	return gcm.Seal(nonce, nonce, text, bound(index)), nil
}

// Unseal opens them.
func Unseal(key []byte, index int64, sealed []byte) (Facts, error) {
	gcm, err := sealer(key)
	if err != nil {
		return Facts{}, err
	}
	if len(sealed) < gcm.NonceSize() {
		return Facts{}, errors.New("merkle: too short for sealed details")
	}
	text, err := gcm.Open(nil, sealed[:gcm.NonceSize()], sealed[gcm.NonceSize():], bound(index))
	if err != nil {
		return Facts{}, fmt.Errorf("merkle: open the details of record %d: %w", index, err)
	}
	var f Facts
	return f, json.Unmarshal(text, &f)
}

func bound(index int64) []byte { return fmt.Appendf(nil, "%s %d", Form, index) }

func sealer(key []byte) (cipher.AEAD, error) {
	if len(key) != 32 {
		return nil, errors.New("merkle: the key of a record has 32 bytes")
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
