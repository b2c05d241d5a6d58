// Package audit keeps the audit trail: every act of the platform is a leaf of one
// Merkle log (RFC 6962; see ground/merkle).
//
// Guarantees:
//
//   - Record has the shape of journal.Recorder and joins the act's transaction:
//     no act without its record, no record without its act. The last number is one
//     row, so concurrent acts queue up on it and the order of the records is the
//     order in which the acts were committed. A record costs its row and the hash
//     of its leaf; the tree above grows afterwards, in Checkpoint.
//
//   - Every ten seconds or thousand records (Run) the head of the tree is signed and
//     kept, each head a proven extension of the one before and never earlier. What a
//     checkpoint covers cannot be changed, removed, moved or cut off without Verify
//     naming the first record at fault; a copy of one checkpoint elsewhere is enough
//     to find that the whole log, signatures and all, was set back (Consistent).
//
//   - People and cards stand in a record as marks under a random key of their own,
//     and what an act says of them is sealed under it. The keys lie wrapped in a
//     table of their own, found by a keyed hash of the codice fiscale or the card
//     number. Whoever holds the trail's key can ask "what happened to this person"
//     as long as that person's key exists; Erase destroys it, and then nobody can,
//     while the log verifies as before.
//
//   - Cut destroys the oldest records when their term is over, and leaves a record of
//     it: the hashes of their leaves stay in the tree.
//
// Limits: who can write to the table can still change the records of the last ten
// seconds, which no checkpoint covers, if he hashes them anew.
//
// Refusals: an entry without act or actor, a key shorter than 32 bytes, a checkpoint
// before the last one's instant (CSE-970), a tree that does not contain the last
// checkpoint (CSE-971), a chain of before that does not hold (CSE-972).
package audit

import (
	"context"
	"crypto/cipher"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"golang.org/x/mod/sumdb/note"

	"cse.example/cse/engine/audit/internal/auditdb"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/merkle"
	"cse.example/cse/ground/redact"
	"cse.example/cse/ground/secret"
)

// DBTX runs queries; *sql.DB, *sql.Tx and what engine/store hands out have it.
type DBTX interface {
	ExecContext(context.Context, string, ...any) (sql.Result, error)
	PrepareContext(context.Context, string) (*sql.Stmt, error)
	QueryContext(context.Context, string, ...any) (*sql.Rows, error)
	QueryRowContext(context.Context, string, ...any) *sql.Row
}

// Config is what a trail stands on; all of it must be there, the log's keys apart.
type Config struct {
	// Conn is the act's transaction, or a read-only connection outside acts.
	Conn func(ctx context.Context) DBTX
	// Atomically runs an act; an inner one joins.
	Atomically func(ctx context.Context, act func(ctx context.Context) error) error
	Clock      civil.Clock
	// Key finds people and cards, and wraps their own keys; at least 32 random bytes,
	// kept for as long as the trail: without it nobody is found again.
	Key secret.Text
	// Keys are the log's public keys; without them no checkpoint is believed.
	Keys merkle.Keys
	// Signer signs checkpoints; nil where others do.
	Signer note.Signer
	// Rand is crypto/rand's when nil.
	Rand io.Reader
}

// Trail is the audit trail. It is safe for concurrent use.
type Trail struct {
	conn       func(ctx context.Context) DBTX
	atomically func(ctx context.Context, act func(ctx context.Context) error) error
	clock      civil.Clock
	key        secret.Text
	wrap       cipher.AEAD
	keys       merkle.Keys
	signer     note.Signer
	rand       io.Reader
}

// New refuses a Config with something missing.
func New(c Config) (*Trail, error) {
	switch {
	case c.Conn == nil:
		return nil, errors.New("audit: Conn is missing")
	case c.Atomically == nil:
		return nil, errors.New("audit: Atomically is missing")
	case c.Clock == nil:
		return nil, errors.New("audit: Clock is missing")
	case c.Key.Len() < 32:
		return nil, errors.New("audit: the pseudonym key needs at least 32 bytes")
	}
	t := &Trail{conn: c.Conn, atomically: c.Atomically, clock: c.Clock, key: c.Key, keys: c.Keys, signer: c.Signer, rand: c.Rand}
	if t.rand == nil {
		t.rand = rand.Reader
	}
	var err error
	t.wrap, err = wrapper(c.Key)
	return t, err
}

func (t *Trail) db(ctx context.Context) *auditdb.Queries { return auditdb.New(t.conn(ctx)) }

// Record appends e in the transaction that ctx carries (or in one of its own).
// Details are a last time cleaned of codici fiscali and e-mail addresses.
func (t *Trail) Record(ctx context.Context, e journal.Entry) error {
	clean := make(map[string]string, len(e.Detail))
	for k, v := range e.Detail {
		clean[k] = strings.ToValidUTF8(redact.Text(v), "\uFFFD")
	}
	e.Detail = clean
	if e.Card == "" && e.Person == "" {
		e.Card = cardIn(e.Detail)
	}
	return t.record(ctx, e)
}

// record appends e as it is.
func (t *Trail) record(ctx context.Context, e journal.Entry) error {
	if e.Act == "" || e.Actor == "" {
		return errors.New("audit: an entry needs an act and an actor")
	}
	return t.atomically(ctx, func(ctx context.Context) error {
		about := [2]finder{t.finder(person, e.Person), t.finder(card, e.Card)}
		// Taking the number first makes concurrent acts wait for (or, on
		// PostgreSQL, repeat after) the one that holds the head.
		next, err := t.db(ctx).NextAbout(ctx, auditdb.NextAboutParams{Person: string(about[0]), Card: string(about[1])})
		if err != nil {
			return fmt.Errorf("audit: take a number: %w", err)
		}
		r := stored{Idx: next.Idx, At: t.clock.Now().UnixMicro(), Act: valid(e.Act), Actor: valid(e.Actor), Office: valid(e.Office)}
		return t.write(ctx, r, about, [2][]byte{next.Person, next.Card}, merkle.Facts{Card: e.Card, Detail: e.Detail})
	})
}

// write completes a record with its marks, what is sealed and its hash. about are
// the person and the card, wrapped their keys as far as they have some.
func (t *Trail) write(ctx context.Context, r stored, about [2]finder, wrapped [2][]byte, f merkle.Facts) error {
	subjects, err := t.subjects(ctx, about, wrapped)
	if err != nil {
		return err
	}
	p, c := subjects[0], subjects[1]
	r.Person, r.Card, r.Sealed = p.mark, c.mark, []byte{}
	owner := p
	if p.mark == "" {
		owner = c
	}
	switch {
	case owner.mark == "":
		r.Detail, err = details(f.Detail)
	case f.Card != "" || len(f.Detail) > 0:
		r.Sealed, err = merkle.Seal(t.rand, owner.record(r.Idx), r.Idx, f)
	}
	if err != nil {
		return fmt.Errorf("audit: details of record %d: %w", r.Idx, err)
	}
	h, err := leafHash(r)
	if err != nil {
		return err
	}
	r.Hash = h[:]
	if err := t.db(ctx).Write(ctx, r); err != nil {
		return fmt.Errorf("audit: append record %d: %w", r.Idx, err)
	}
	return nil
}

func valid(s string) string { return strings.ToValidUTF8(s, "\uFFFD") }

// details is a JSON object with sorted keys; empty text for none.
func details(d map[string]string) (string, error) {
	if len(d) == 0 {
		return "", nil
	}
	b, err := json.Marshal(d) // sorts keys
	return string(b), err
}

// cardNumber is what a card's number looks like.
var cardNumber = regexp.MustCompile(`(?:^|[^0-9])([0-9]{16})(?:[^0-9]|$)`)

// cardIn is the first card number in the details of an act that says of itself that
// it concerns nobody (a request for approval repeats what it asks for): the record
// is that card's then, so that no number outlives its key.
func cardIn(d map[string]string) string {
	out := ""
	for _, v := range d {
		if m := cardNumber.FindStringSubmatch(v); m != nil && (out == "" || m[1] < out) {
			out = m[1]
		}
	}
	return out
}

// leafOf is the leaf that a record is.
func leafOf(r stored) merkle.Leaf {
	return merkle.Leaf{
		Form: merkle.Form, Index: r.Idx, At: instant(r.At), Act: r.Act, Actor: r.Actor, Office: r.Office,
		Card: r.Card, Person: r.Person, Detail: r.Detail, Sealed: merkle.SealedHash(r.Sealed), Before: r.Chain,
	}
}

func leafHash(r stored) (merkle.Hash, error) {
	text, err := leafOf(r).Text()
	if err != nil {
		return merkle.Hash{}, fmt.Errorf("audit: record %d: %w", r.Idx, err)
	}
	return merkle.LeafHash(text), nil
}
