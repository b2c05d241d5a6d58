package audit

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"cse.example/cse/engine/audit/internal/auditdb"
	"cse.example/cse/ground/secret"
)

// A subject is a person or a card that records are about. Its key is random and
// kept wrapped; mark and record keys are made from it, so that nothing is left to
// find once the key is gone.

// kind of subject.
type kind string

const (
	person kind = "cse.audit.person/1"
	card   kind = "cse.audit.card/2"
)

// subject is one whose key is at hand; the zero value is nobody.
type subject struct {
	mark string
	key  []byte
}

// finder is the keyed hash by which a subject is found, whatever the case of the
// text; empty for nobody. It stands nowhere but beside the wrapped key.
type finder string

func (t *Trail) finder(k kind, name string) finder {
	if name == "" {
		return ""
	}
	key := t.key.Reveal()
	defer clear(key)
	return finder(hex.EncodeToString(mac(key, string(k)+"\x00"+strings.ToUpper(name))[:16]))
}

func mac(key []byte, text string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(text))
	return m.Sum(nil)
}

// markOf is what stands in the records of the subject with that key.
func markOf(key []byte) string { return hex.EncodeToString(mac(key, "cse.audit.mark/2")[:16]) }

// record is the key of one record's details.
func (s subject) record(index int64) []byte {
	return mac(s.key, "cse.audit.record/2"+string(binary.BigEndian.AppendUint64(nil, uint64(index))))
}

// wrapper closes the subjects' keys.
func wrapper(key secret.Text) (cipher.AEAD, error) {
	raw := key.Reveal()
	defer clear(raw)
	block, err := aes.NewCipher(mac(raw, "cse.audit.wrap/2"))
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}

// unwrap opens the key of the subject that the finder finds.
func (t *Trail) unwrap(f finder, wrapped []byte) (subject, error) {
	n := t.wrap.NonceSize()
	if len(wrapped) < n {
		return subject{}, errors.New("audit: a subject's key is too short")
	}
	key, err := t.wrap.Open(nil, wrapped[:n], wrapped[n:], []byte(f))
	if err != nil || len(key) != 32 {
		return subject{}, fmt.Errorf("audit: open a subject's key: %w", err)
	}
	return subject{mark: markOf(key), key: key}, nil
}

// marked opens the key of the subject with that mark, and refuses another's.
func (t *Trail) marked(mark string, f finder, wrapped []byte) (subject, error) {
	s, err := t.unwrap(f, wrapped)
	if err == nil && s.mark != mark {
		err = errors.New("audit: a subject's key is not of its mark")
	}
	return s, err
}

// create makes a key, and wraps it.
func (t *Trail) create(f finder) (s subject, wrapped []byte, err error) {
	random := make([]byte, 32+t.wrap.NonceSize())
	if _, err := io.ReadFull(t.rand, random); err != nil {
		return subject{}, nil, fmt.Errorf("audit: make a subject's key: %w", err)
	}
	key, nonce := random[:32:32], random[32:]
	return subject{mark: markOf(key), key: key}, t.wrap.Seal(nonce, nonce, key, []byte(f)), nil
}

// subjects are those of a record; who has no key yet gets one. Empty finders are
// nobody's.
func (t *Trail) subjects(ctx context.Context, about [2]finder, wrapped [2][]byte) (out [2]subject, err error) {
	var fresh []auditdb.AddSubjectParams
	for i, f := range about {
		switch {
		case f == "":
		case wrapped[i] != nil:
			if out[i], err = t.unwrap(f, wrapped[i]); err != nil {
				return out, err
			}
		default:
			x := auditdb.AddSubjectParams{Finder: string(f)}
			if out[i], x.Wrapped, err = t.create(f); err != nil {
				return out, err
			}
			x.Mark = out[i].mark
			fresh = append(fresh, x)
		}
	}
	switch q := t.db(ctx); len(fresh) {
	case 1:
		err = q.AddSubject(ctx, fresh[0])
	case 2:
		err = q.AddSubjects(ctx, auditdb.AddSubjectsParams{
			Finder1: fresh[0].Finder, Mark1: fresh[0].Mark, Wrapped1: fresh[0].Wrapped,
			Finder2: fresh[1].Finder, Mark2: fresh[1].Mark, Wrapped2: fresh[1].Wrapped,
		})
	}
	if err != nil {
		return out, fmt.Errorf("audit: keep a subject's key: %w", err)
	}
	return out, nil
}

// find looks for a subject; nil when there is none, or its key was erased.
func (t *Trail) find(ctx context.Context, f finder) (mark string, wrapped []byte, err error) {
	if f == "" {
		return "", nil, nil
	}
	r, err := t.db(ctx).Subject(ctx, string(f))
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil, nil
	}
	if err != nil {
		return "", nil, fmt.Errorf("audit: find a subject: %w", err)
	}
	return r.Mark, r.Wrapped, nil
}

// markBy is the mark of a person or a card; empty when there is none.
func (t *Trail) markBy(ctx context.Context, k kind, name string) (string, error) {
	mark, _, err := t.find(ctx, t.finder(k, name))
	return mark, err
}
