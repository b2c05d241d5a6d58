// Package exchange is the language that the issuer and the bureau (the plant
// that makes the cards) speak: four kinds of file, documented in
// docs/bureau-files.md.
//
//	order         issuer -> bureau   one sealed record a card
//	keys          bureau -> issuer   the public key made in each chip
//	certificates  issuer -> bureau   one sealed certificate a chip, or a refusal
//	receipt       bureau -> issuer   what became of each card
//
// A file is lines of text: a header, one JSON object a line, a signature (ECDSA
// over SHA-256) over every byte before it. What concerns people is sealed to the
// bureau's key (HPKE, RFC 9180: X25519, HKDF-SHA-256, AES-256-GCM) record by
// record and bound to batch and card, so that a record moved to another file, or
// to another card, does not open.
//
// Read refuses, each with its own code: a file that is not one of ours
// (CSE-177), one that the expected party did not sign or that was changed
// (CSE-170), another kind or batch than expected (CSE-171), records that are
// missing, repeated or too many (CSE-173). It never answers part of a file.
package exchange

import (
	"bufio"
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"cse.example/cse/ground/words"
)

// Kind is the kind of a file.
type Kind string

// The four kinds, in the order in which they travel.
const (
	Order        Kind = "order"
	Keys         Kind = "keys"
	Certificates Kind = "certificates"
	Receipt      Kind = "receipt"
)

const (
	magic     = "CSE-BUREAU 1"
	signature = "signature: "
	// MaxRecords is the greatest number of cards of one file.
	MaxRecords = 100_000
	maxLine    = 1 << 20
)

// Header is what a file says about itself, in clear.
type Header struct {
	Kind    Kind
	Batch   string
	Records int
	Created time.Time
}

// Record is one card's line. Which fields are set depends on the kind.
type Record struct {
	// Card is the 16-digit card number.
	Card string `json:"card"`
	// Sealed is a Job (order) or a Certificate (certificates), sealed.
	Sealed []byte `json:"sealed,omitempty"`
	// SPKI is the public key made in the chip (keys), DER; none without a chip.
	SPKI []byte `json:"spki,omitempty"`
	// Refused says why the issuer gives no certificate (certificates): a CSE code.
	Refused string `json:"refused,omitempty"`
	// Outcome is Made or Spoiled (receipt); Reason is the bureau's word for it.
	Outcome Outcome `json:"outcome,omitempty"`
	Reason  string  `json:"reason,omitempty"`
}

// Outcome is what became of a card.
type Outcome string

// The outcomes of a card at the bureau.
const (
	Made    Outcome = "made"
	Spoiled Outcome = "spoiled"
)

// File is a file read whole and found good.
type File struct {
	Header
	Items []Record
	// Sum is the SHA-256 of the signed bytes: it tells a replay from a repetition.
	Sum [sha256.Size]byte
}

// Body writes header and records: the bytes to be signed. The same header and
// records always give the same bytes.
func Body(h Header, records []Record) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s %s\nbatch: %s\nrecords: %d\ncreated: %s\n\n", magic, h.Kind, h.Batch, len(records), h.Created.UTC().Format(time.RFC3339))
	enc := json.NewEncoder(&b)
	for _, r := range records {
		if err := enc.Encode(r); err != nil {
			return nil, fmt.Errorf("write %s file: %w", h.Kind, err)
		}
	}
	return b.Bytes(), nil
}

// Sign signs a body. An ECDSA signature differs each time: keep it, if the file
// must be written again as it was.
func Sign(rand io.Reader, key crypto.Signer, body []byte) ([]byte, error) {
	sum := sha256.Sum256(body)
	sig, err := key.Sign(rand, sum[:], crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("sign bureau file: %w", err)
	}
	return sig, nil
}

// Join is the file: body and signature.
func Join(body, sig []byte) []byte {
	out := append([]byte(nil), body...)
	out = append(out, signature...)
	out = base64.StdEncoding.AppendEncode(out, sig)
	return append(out, '\n')
}

// Read reads a file that from must have signed, of the kind and batch expected;
// an empty batch accepts any. Errors are faults.
func Read(b []byte, from *ecdsa.PublicKey, kind Kind, batch string) (File, error) {
	body, sig, err := split(b)
	if err != nil {
		return File{}, words.Refuse("CSE-177", kind).Because(err)
	}
	sum := sha256.Sum256(body)
	if from == nil || !ecdsa.VerifyASN1(from, sum[:], sig) {
		return File{}, words.Refuse("CSE-170", kind)
	}
	f := File{Sum: sum}
	if err := f.parse(body); err != nil {
		return File{}, words.Refuse("CSE-177", kind).Because(err)
	}
	if f.Kind != kind || batch != "" && f.Batch != batch {
		return File{}, words.Refuse("CSE-171", f.Kind, f.Batch)
	}
	if err := f.count(); err != nil {
		return File{}, words.Refuse("CSE-173", f.Batch).Because(err)
	}
	return f, nil
}

func split(b []byte) (body, sig []byte, err error) {
	at := bytes.LastIndex(b, []byte("\n"+signature)) + 1
	if at == 0 || !bytes.HasSuffix(b, []byte("\n")) {
		return nil, nil, errors.New("no signature line")
	}
	text := string(b[at+len(signature) : len(b)-1])
	sig, err = base64.StdEncoding.Strict().DecodeString(text)
	if err != nil {
		return nil, nil, fmt.Errorf("signature line: %w", err)
	}
	return b[:at], sig, nil
}

func (f *File) parse(body []byte) error {
	sc := bufio.NewScanner(bytes.NewReader(body))
	sc.Buffer(make([]byte, 0, 1<<16), maxLine)
	line := func(prefix string) (string, error) {
		if !sc.Scan() || !strings.HasPrefix(sc.Text(), prefix) {
			return "", fmt.Errorf("line %q expected", prefix)
		}
		return strings.TrimPrefix(sc.Text(), prefix), nil
	}
	kind, err := line(magic + " ")
	if err != nil {
		return err
	}
	batch, err := line("batch: ")
	if err != nil {
		return err
	}
	records, err := line("records: ")
	if err != nil {
		return err
	}
	created, err := line("created: ")
	if err != nil {
		return err
	}
	if empty, err := line(""); err != nil || empty != "" {
		return errors.New("empty line expected after the header")
	}
	f.Kind, f.Batch = Kind(kind), batch
	if f.Records, err = strconv.Atoi(records); err != nil || f.Records < 0 || f.Records > MaxRecords {
		return errors.New("impossible number of records")
	}
	if f.Created, err = time.Parse(time.RFC3339, created); err != nil {
		return fmt.Errorf("created: %w", err)
	}
	for sc.Scan() {
		var r Record
		dec := json.NewDecoder(bytes.NewReader(sc.Bytes()))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&r); err != nil {
			return fmt.Errorf("record %d: %w", len(f.Items)+1, err)
		}
		f.Items = append(f.Items, r)
	}
	return sc.Err()
}

func (f *File) count() error {
	if len(f.Items) != f.Records {
		return fmt.Errorf("%d records announced, %d there", f.Records, len(f.Items))
	}
	seen := make(map[string]bool, len(f.Items))
	for _, r := range f.Items {
		if r.Card == "" || seen[r.Card] {
			return fmt.Errorf("card %q missing or repeated", r.Card)
		}
		seen[r.Card] = true
	}
	return nil
}

// Name is the name under which a file lies in the exchange folder.
func Name(batch string, kind Kind) string { return batch + "." + string(kind) }
