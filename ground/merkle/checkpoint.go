package merkle

import (
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Checkpoint is what the log's keeper signs: "the first Size records have this
// Root".
type Checkpoint struct {
	// Origin is the log's name, and that of its key.
	Origin string
	Size   int64
	Root   Hash
	// Number counts the log's checkpoints: 1, 2, 3…
	Number int64
	At     time.Time // UTC, to the microsecond
}

// Text is what is signed.
func (c Checkpoint) Text() string {
	return fmt.Sprintf("%s\n%d\n%s\ncheckpoint %d %s\n", c.Origin, c.Size, c.Root, c.Number, c.At.UTC().Format(Instant))
}

// ParseCheckpoint reads a text, and refuses every other spelling of it.
func ParseCheckpoint(text string) (Checkpoint, error) {
	refused := errors.New("merkle: not a checkpoint of this log")
	lines := strings.Split(text, "\n")
	if len(lines) != 5 {
		return Checkpoint{}, refused
	}
	size, err1 := strconv.ParseInt(lines[1], 10, 64)
	root, err2 := tlog.ParseHash(lines[2])
	word := strings.Split(lines[3], " ")
	if err1 != nil || err2 != nil || len(word) != 3 {
		return Checkpoint{}, refused
	}
	number, err1 := strconv.ParseInt(word[1], 10, 64)
	at, err2 := time.Parse(Instant, word[2])
	c := Checkpoint{Origin: lines[0], Size: size, Root: root, Number: number, At: at}
	if err1 != nil || err2 != nil || size < 0 || number < 1 || c.Text() != text {
		return Checkpoint{}, refused
	}
	return c, nil
}

// Sign makes the note.
func (c Checkpoint) Sign(s note.Signer) ([]byte, error) {
	return note.Sign(&note.Note{Text: c.Text()}, s)
}

// Keys are the log's public keys, in the note's spelling, one a line: the one in
// use, then those that were.
type Keys []note.Verifier

// ParseKeys reads lines of keys; empty lines are passed over.
func ParseKeys(text string) (Keys, error) {
	var out Keys
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		v, err := note.NewVerifier(line)
		if err != nil {
			return nil, fmt.Errorf("merkle: %q is no key of a log: %w", line, err)
		}
		out = append(out, v)
	}
	if len(out) == 0 {
		return nil, errors.New("merkle: no key")
	}
	return out, nil
}

// Open checks a note, and answers the checkpoint in it. It bears one signature, of
// the key that has the origin's name, and no other spelling of it is taken.
func (k Keys) Open(msg []byte) (Checkpoint, error) {
	n, err := note.Open(msg, note.VerifierList(k...))
	if err != nil {
		return Checkpoint{}, fmt.Errorf("merkle: %w", err)
	}
	c, err := ParseCheckpoint(n.Text)
	if err != nil {
		return Checkpoint{}, err
	}
	if len(n.Sigs) != 1 || len(n.UnverifiedSigs) != 0 || n.Sigs[0].Name != c.Origin {
		return Checkpoint{}, fmt.Errorf("merkle: the checkpoint of %q wants its keeper's signature and no other", c.Origin)
	}
	sig, err := base64.StdEncoding.DecodeString(n.Sigs[0].Base64)
	if err != nil || string(msg) != n.Text+"\n— "+c.Origin+" "+base64.StdEncoding.EncodeToString(sig)+"\n" {
		return Checkpoint{}, errors.New("merkle: the checkpoint's signature is spelled in another way")
	}
	return c, nil
}

// Signer makes a note's signer of a private key and the log's name.
func Signer(origin string, key ed25519.PrivateKey) (note.Signer, error) {
	vkey, err := VerifierKey(origin, key.Public().(ed25519.PublicKey))
	if err != nil {
		return nil, err
	}
	hash := strings.Split(vkey, "+")[1]
	s, err := note.NewSigner("PRIVATE+KEY+" + origin + "+" + hash + "+" + base64.StdEncoding.EncodeToString(append([]byte{1}, key.Seed()...)))
	if err != nil {
		return nil, fmt.Errorf("merkle: the log's key: %w", err)
	}
	return s, nil
}

// VerifierKey spells a public key as notes do.
func VerifierKey(origin string, key ed25519.PublicKey) (string, error) {
	vkey, err := note.NewEd25519VerifierKey(origin, key)
	if err != nil {
		return "", fmt.Errorf("merkle: the log's key: %w", err)
	}
	if origin == "" || strings.ContainsAny(origin, "+ \t\r\n") {
		return "", fmt.Errorf("merkle: %q is no name for a log", origin)
	}
	return vkey, nil
}
