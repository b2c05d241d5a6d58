// Package audit keeps the audit trail: append-only records, numbered without
// gaps, each holding the hash of the one before.
//
// Guarantees:
//
//   - Record has the shape of journal.Recorder and joins the act's transaction:
//     no act without its record, no record without its act. The chain's head is
//     one row, so concurrent acts queue up on it and the order of the records is
//     the order in which the acts were committed.
//
//   - hash = SHA-256 over the canonical bytes of the record (see canonical),
//     which include its number and the hash before. Verify finds the first
//     record that was changed, removed or inserted.
//
//   - People appear as keyed pseudonyms (HMAC-SHA-256 of the codice fiscale,
//     128 bits): who holds the key can ask "what happened to this person",
//     who reads a stolen table cannot tell whose record it is by trying all
//     codici fiscali.
//
//   - Cut takes the oldest records away when their term is over, and leaves a
//     record of it: what is left verifies up to the same head.
//
// Limits: who can write to the table and knows the method can rewrite the whole
// chain from some record on, or cut its tail. Head is what to deposit elsewhere
// (paper, another system) so that Verify finds that too; the Merkle log with
// signed heads comes later.
//
// Refusals: an entry without act or actor, a key shorter than 32 bytes.
package audit

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"cse.example/cse/engine/audit/internal/auditdb"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
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

// Config is what a trail stands on; all of it must be there.
type Config struct {
	// Conn is the act's transaction, or a read-only connection outside acts.
	Conn func(ctx context.Context) DBTX
	// Atomically runs an act; an inner one joins.
	Atomically func(ctx context.Context, act func(ctx context.Context) error) error
	Clock      civil.Clock
	// Key makes the pseudonyms; at least 32 random bytes, kept for as long as
	// the trail: without it nobody is found again.
	Key secret.Text
}

// Trail is the audit trail. It is safe for concurrent use.
type Trail struct {
	conn       func(ctx context.Context) DBTX
	atomically func(ctx context.Context, act func(ctx context.Context) error) error
	clock      civil.Clock
	key        secret.Text
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
	return &Trail{conn: c.Conn, atomically: c.Atomically, clock: c.Clock, key: c.Key}, nil
}

func (t *Trail) db(ctx context.Context) *auditdb.Queries { return auditdb.New(t.conn(ctx)) }

// Record appends e in the transaction that ctx carries (or in one of its own).
// Details are a last time cleaned of codici fiscali and e-mail addresses.
func (t *Trail) Record(ctx context.Context, e journal.Entry) error {
	if e.Act == "" || e.Actor == "" {
		return errors.New("audit: an entry needs an act and an actor")
	}
	detail, err := details(e.Detail)
	if err != nil {
		return err
	}
	return t.atomically(ctx, func(ctx context.Context) error {
		// Taking the number first makes concurrent acts wait for (or, on
		// PostgreSQL, repeat after) the one that holds the head.
		head, err := t.db(ctx).Next(ctx)
		if err != nil {
			return fmt.Errorf("audit: take a number: %w", err)
		}
		r := auditdb.AuditRecord{
			Idx: head.Idx, At: t.clock.Now().UnixMicro(), Act: e.Act, Actor: e.Actor, Office: e.Office, Card: e.Card,
			Person: t.pseudonym(e.Person), Detail: detail, Prev: head.Hash,
		}
		if r.Hash, err = hash(r); err != nil {
			return err
		}
		return t.append(ctx, r)
	})
}

func (t *Trail) append(ctx context.Context, r auditdb.AuditRecord) error {
	if err := t.db(ctx).Write(ctx, auditdb.WriteParams(r)); err != nil {
		return fmt.Errorf("audit: append record %d: %w", r.Idx, err)
	}
	n, err := t.db(ctx).SetHead(ctx, auditdb.SetHeadParams{Hash: r.Hash, Idx: r.Idx})
	if err != nil {
		return fmt.Errorf("audit: move the head: %w", err)
	}
	if n != 1 {
		return fmt.Errorf("audit: the head moved away from record %d", r.Idx)
	}
	return nil
}

// details is a JSON object with sorted keys; empty text for none.
func details(d map[string]string) (string, error) {
	if len(d) == 0 {
		return "", nil
	}
	clean := make(map[string]string, len(d))
	for k, v := range d {
		clean[k] = redact.Text(v)
	}
	b, err := json.Marshal(clean) // sorts keys
	if err != nil {
		return "", fmt.Errorf("audit: details: %w", err)
	}
	return string(b), nil
}

// pseudonym of a codice fiscale, whatever its case; empty for nobody.
func (t *Trail) pseudonym(person string) string {
	if person == "" {
		return ""
	}
	key := t.key.Reveal()
	defer clear(key)
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte("cse.audit.person/1\x00" + strings.ToUpper(person)))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}
