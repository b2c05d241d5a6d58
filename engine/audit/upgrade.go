package audit

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"cse.example/cse/engine/audit/internal/auditdb"
	"cse.example/cse/ground/merkle"
	"cse.example/cse/ground/words"
)

// The trail was a chain of hashes once, with card numbers in clear and one key for
// all people. Upgrade makes leaves of its records, under their own numbers: each
// keeps its hash in the chain, so that a head deposited then is still found, and its
// pseudonym becomes what finds the person's own key.

// Upgrade moves the records of the chain into the log, and answers how many. A chain
// that does not hold is refused (CSE-972) and stays where it is. It goes on where it
// was stopped; without a chain it does nothing.
func (t *Trail) Upgrade(ctx context.Context) (int64, error) {
	moved := int64(0)
	for {
		n := int64(0)
		err := t.atomically(ctx, func(ctx context.Context) error {
			var err error
			n, err = t.upgrade(ctx)
			return err
		})
		if err != nil || n == 0 {
			return moved, err
		}
		moved += n
	}
}

// upgrade moves some records; none: it is done.
func (t *Trail) upgrade(ctx context.Context) (int64, error) {
	q := t.db(ctx)
	head, err := q.ChainHead(ctx)
	if err != nil {
		return 0, fmt.Errorf("audit: read the chain of before: %w", err)
	}
	last, err := q.ChainFoot(ctx)
	if err != nil || last.Idx == head.Idx && last.Hash == head.Hash {
		return 0, err
	}
	rows, err := q.Chain(ctx, auditdb.ChainParams{After: last.Idx, N: page / 2})
	if err != nil {
		return 0, fmt.Errorf("audit: read the chain of before: %w", err)
	}
	broken := func(why string) error {
		b := &Broken{Index: last.Idx + 1, Why: why}
		return words.Refuse("CSE-972", b.Index).Because(b)
	}
	for _, r := range rows {
		if why := chainFault(r, last.Idx, last.Hash); why != "" {
			return 0, broken(why)
		}
		f := merkle.Facts{Card: r.Card}
		if r.Detail != "" {
			if err := json.Unmarshal([]byte(r.Detail), &f.Detail); err != nil {
				return 0, broken("its details are no JSON")
			}
		}
		if r.Card == "" && r.Person == "" {
			f.Card = cardIn(f.Detail)
		}
		about, wrapped := [2]finder{finder(r.Person), t.finder(card, f.Card)}, [2][]byte{}
		for i, by := range about {
			if _, wrapped[i], err = t.find(ctx, by); err != nil {
				return 0, err
			}
		}
		x := stored{Idx: r.Idx, At: r.At, Act: r.Act, Actor: r.Actor, Office: r.Office, Chain: r.Hash}
		if err := t.write(ctx, x, about, wrapped, f); err != nil {
			return 0, err
		}
		last.Idx, last.Hash = r.Idx, r.Hash
	}
	if len(rows) == 0 || len(rows) < page/2 && last.Idx != head.Idx || last.Idx == head.Idx && last.Hash != head.Hash {
		return 0, broken("missing: the chain was cut")
	}
	if err := q.Unchain(ctx, last.Idx); err != nil {
		return 0, fmt.Errorf("audit: leave the chain of before: %w", err)
	}
	return int64(len(rows)), q.SetChainFoot(ctx, auditdb.SetChainFootParams(last))
}

// chainFault says why a record does not follow the one before; empty when it does.
func chainFault(r auditdb.AuditChain, last int64, hash string) string {
	if r.Idx != last+1 {
		return "missing"
	}
	prev, err := hex.DecodeString(r.Prev)
	if r.Prev != hash || err != nil || len(prev) != sha256.Size {
		return "it does not follow the record before"
	}
	if sum := sha256.Sum256(chained(r, prev)); hex.EncodeToString(sum[:]) != r.Hash {
		return "its content was changed"
	}
	return ""
}

// chained is what the chain hashed: the text "cse.audit/1" and a zero byte, the hash
// before (32 bytes), number and instant (64 bits, big endian), then act, actor,
// office, card, person and detail, each preceded by its length in bytes (32 bits).
func chained(r auditdb.AuditChain, prev []byte) []byte {
	b := append([]byte("cse.audit/1\x00"), prev...)
	b = binary.BigEndian.AppendUint64(b, uint64(r.Idx))
	b = binary.BigEndian.AppendUint64(b, uint64(r.At))
	for _, s := range []string{r.Act, r.Actor, r.Office, r.Card, r.Person, r.Detail} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	return b
}
