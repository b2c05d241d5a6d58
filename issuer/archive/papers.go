package archive

import (
	"bytes"
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"

	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/staff"
)

// Type is what a file is, as media types say it.
type Type string

// The types that are kept.
const (
	PDF  Type = "application/pdf"
	JPEG Type = "image/jpeg"
	PNG  Type = "image/png"
)

// magic are the first bytes of each: ISO 32000-1 clause 7.5.2, ISO/IEC 10918-1
// clause B.1.1.3 (SOI and the next marker), PNG clause 5.2.
var magic = []struct {
	t     Type
	bytes []byte
}{
	{PDF, []byte("%PDF-")},
	{JPEG, []byte{0xff, 0xd8, 0xff}},
	{PNG, []byte("\x89PNG\r\n\x1a\n")},
}

// TypeOf answers what a file is by its first bytes; false for anything else.
func TypeOf(file []byte) (Type, bool) {
	for _, m := range magic {
		if bytes.HasPrefix(file, m.bytes) {
			return m.t, true
		}
	}
	return "", false
}

// Extension is how a file of that type ends.
func (t Type) Extension() string {
	return map[Type]string{PDF: ".pdf", JPEG: ".jpg", PNG: ".png"}[t]
}

// Add keeps a paper of an act. The same file again is the same paper.
func (r *Room) Add(ctx context.Context, op staff.Operator, protocol string, k Kind, file []byte) error {
	f, err := r.d.File(ctx, op, protocol)
	if err != nil {
		return err
	}
	t, ok := TypeOf(file)
	switch {
	case !slices.Contains(Kinds(), k):
		return words.Refuse("CSE-520").At("foglio")
	case len(file) == 0:
		return words.Refuse("CSE-517").At("file")
	case len(file) > MaxSize:
		return words.Refuse("CSE-518").At("file")
	case !ok:
		return words.Refuse("CSE-519").At("file")
	}
	return r.d.Atomically(ctx, func(ctx context.Context) error {
		have, err := r.d.Store.PapersOf(ctx, protocol)
		if err != nil {
			return err
		}
		person := r.d.Pseudonym(f.Holder)
		key, err := r.key(ctx, person)
		if err != nil {
			return err
		}
		defer clear(key)
		row := Row{Paper: Paper{ID: identify(key, protocol, k, file), Kind: k, Type: t, Size: int64(len(file)), At: r.d.Clock.Now(), By: op.Account}, Act: protocol, Person: person}
		if slices.ContainsFunc(have, func(x Row) bool { return x.ID == row.ID }) {
			return nil
		}
		if len(have) >= MaxPapers {
			return words.Refuse("CSE-523").At("file")
		}
		if row.Body, err = r.seal(key, row.ID, file); err != nil {
			return err
		}
		if _, err := r.d.Store.AddPaper(ctx, row); err != nil {
			return err
		}
		if err := r.d.Store.Settle(ctx, protocol, k, row.At); err != nil {
			return err
		}
		return r.record(ctx, op, f, "paper.archived", row, nil)
	})
}

// Papers lists an act's papers for who may see the act.
func (r *Room) Papers(ctx context.Context, op staff.Operator, protocol string) ([]Paper, error) {
	if _, err := r.d.File(ctx, op, protocol); err != nil {
		return nil, err
	}
	rows, err := r.d.Store.PapersOf(ctx, protocol)
	var out []Paper
	for _, x := range rows {
		out = append(out, x.Paper)
	}
	return out, err
}

// See opens a paper of an act, with a motive: the look is in the trail, under the
// person's name, before anything is answered.
func (r *Room) See(ctx context.Context, op staff.Operator, protocol, id, motive string) (Paper, []byte, error) {
	f, err := r.d.File(ctx, op, protocol)
	if err != nil {
		return Paper{}, nil, err
	}
	if motive == "" {
		return Paper{}, nil, words.Refuse("CSE-522")
	}
	row, err := r.d.Store.GetPaper(ctx, id)
	if errors.Is(err, ErrNotFound) || err == nil && row.Act != protocol {
		return Paper{}, nil, words.Refuse("CSE-521")
	}
	if err != nil {
		return Paper{}, nil, err
	}
	file, err := r.openRow(ctx, row)
	if err != nil {
		return Paper{}, nil, err
	}
	return row.Paper, file, r.d.Atomically(ctx, func(ctx context.Context) error {
		return r.record(ctx, op, f, "paper.seen", row, map[string]string{"motive": motive})
	})
}

// openRow opens a paper; CSE-521 when its person's key is gone.
func (r *Room) openRow(ctx context.Context, row Row) ([]byte, error) {
	wrapped, err := r.d.Store.Key(ctx, row.Person)
	if errors.Is(err, ErrNotFound) {
		return nil, words.Refuse("CSE-521").Because(err)
	}
	if err != nil {
		return nil, err
	}
	key, err := r.unwrap(row.Person, wrapped)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	return open(key, row.ID, row.Body)
}

func (r *Room) record(ctx context.Context, op staff.Operator, f File, act string, row Row, more map[string]string) error {
	detail := map[string]string{"protocol": f.Protocol, "paper": string(row.Kind), "id": row.ID[:8]}
	for k, v := range more {
		detail[k] = v
	}
	return r.d.Record(ctx, journal.Entry{Act: act, Actor: op.Account, Office: op.Office.ID, Card: f.Card, Person: string(f.Holder), Detail: detail})
}

// key is a person's data key, made at his first paper; in the act of ctx.
func (r *Room) key(ctx context.Context, person string) ([]byte, error) {
	wrapped, err := r.d.Store.Key(ctx, person)
	if err == nil {
		return r.unwrap(person, wrapped)
	}
	if !errors.Is(err, ErrNotFound) {
		return nil, err
	}
	key := make([]byte, 32)
	if _, err := io.ReadFull(r.d.Rand, key); err != nil {
		return nil, fmt.Errorf("archive: make a key: %w", err)
	}
	if wrapped, err = r.d.Seal.Encrypt(key, wrapping(person)); err != nil {
		return nil, fmt.Errorf("archive: wrap a key: %w", err)
	}
	first, err := r.d.Store.PutKey(ctx, person, wrapped, r.d.Clock.Now())
	if err != nil || first {
		return key, err
	}
	if wrapped, err = r.d.Store.Key(ctx, person); err != nil { // another act made one a moment ago
		return nil, err
	}
	return r.unwrap(person, wrapped)
}

func wrapping(person string) []byte { return []byte("cse.archive/1|key|" + person) }

func (r *Room) unwrap(person string, wrapped []byte) ([]byte, error) {
	key, err := r.d.Seal.Decrypt(wrapped, wrapping(person))
	if err != nil || len(key) != 32 {
		return nil, fmt.Errorf("archive: unwrap a key: %w", err)
	}
	return key, nil
}

// identify names a paper by its content, under the person's key: the same file
// twice is one paper, and the name tells nobody else what it holds.
func identify(key []byte, protocol string, k Kind, file []byte) string {
	m := hmac.New(sha256.New, key)
	fmt.Fprintf(m, "cse.archive/1|%s|%s|", protocol, k)
	m.Write(file)
	return hex.EncodeToString(m.Sum(nil)[:16])
}

func aead(key []byte) (cipher.AEAD, error) {
	b, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(b)
}

// seal is AES-256-GCM with a random nonce of twelve bytes before the text.
func (r *Room) seal(key []byte, id string, file []byte) ([]byte, error) {
	a, err := aead(key)
	if err != nil {
		return nil, fmt.Errorf("archive: seal: %w", err)
	}
	nonce := make([]byte, a.NonceSize(), a.NonceSize()+len(file)+a.Overhead())
	if _, err := io.ReadFull(r.d.Rand, nonce); err != nil {
		return nil, fmt.Errorf("archive: seal: %w", err)
	}
	return a.Seal(nonce, nonce, file, []byte("cse.archive/1|paper|"+id)), nil
}

func open(key []byte, id string, body []byte) ([]byte, error) {
	a, err := aead(key)
	if err != nil || len(body) < 12 {
		return nil, fmt.Errorf("archive: open paper %s: %d bytes: %w", id, len(body), err)
	}
	file, err := a.Open(nil, body[:12], body[12:], []byte("cse.archive/1|paper|"+id))
	if err != nil {
		return nil, fmt.Errorf("archive: open paper %s: %w", id, err)
	}
	return file, nil
}
