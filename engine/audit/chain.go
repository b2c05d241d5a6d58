package audit

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"

	"cse.example/cse/engine/audit/internal/auditdb"
)

// page is how many records are read at a time.
const page = 1000

// Head is the end of the chain: what to deposit elsewhere.
type Head struct {
	// Index of the last record; 0 for an empty trail.
	Index int64 `json:"index"`
	// Hash of the last record, hexadecimal; zeros for an empty trail.
	Hash string `json:"hash"`
}

// Broken tells where the chain does not hold.
type Broken struct {
	// Index of the first record at fault.
	Index int64
	// Why, in a few words.
	Why string
}

func (b *Broken) Error() string { return fmt.Sprintf("audit: record %d: %s", b.Index, b.Why) }

// Head is the present end of the chain.
func (t *Trail) Head(ctx context.Context) (Head, error) {
	h, err := t.db(ctx).Head(ctx)
	if err != nil {
		return Head{}, fmt.Errorf("audit: read the head: %w", err)
	}
	return Head{Index: h.Idx, Hash: h.Hash}, nil
}

// Verify reads the whole trail and returns its head, or a *Broken with the
// first record that is missing, out of place or changed. known are heads
// deposited earlier: the trail must still contain them.
func (t *Trail) Verify(ctx context.Context, known ...Head) (Head, error) {
	// The head is read first: acts recorded meanwhile only make the trail longer.
	stored, err := t.Head(ctx)
	if err != nil {
		return Head{}, err
	}
	deposited := map[int64]string{stored.Index: stored.Hash}
	for _, k := range known {
		if h, ok := deposited[k.Index]; ok && h != k.Hash {
			return Head{}, &Broken{k.Index, "its hash is not the deposited one"}
		}
		deposited[k.Index] = k.Hash
	}
	last, err := t.Foot(ctx)
	if err != nil {
		return Head{}, err
	}
	foot := last
	if foot.Index > 0 && stored.Index <= foot.Index {
		return Head{}, &Broken{foot.Index + 1, "missing: the trail was cut"}
	}
	deposited, err = above(foot, deposited)
	if err != nil {
		return Head{}, err
	}
	told := foot.Index == 0
	for {
		rows, err := t.db(ctx).Page(ctx, auditdb.PageParams{After: last.Index, N: page})
		if err != nil {
			return Head{}, fmt.Errorf("audit: read records: %w", err)
		}
		if len(rows) == 0 {
			if !told {
				return last, &Broken{foot.Index + 1, "missing: the trail was cut from its beginning, and no record says so"}
			}
			return last, reaches(last, deposited)
		}
		for _, r := range rows {
			if why := fault(r, last); why != "" {
				return Head{}, &Broken{last.Index + 1, why}
			}
			if h, ok := deposited[r.Idx]; ok && h != r.Hash {
				return Head{}, &Broken{r.Idx, "its hash is not the deposited one"}
			}
			told = told || cutTo(r, foot)
			last = Head{Index: r.Idx, Hash: r.Hash}
		}
	}
}

// zeros stands before the first record.
var zeros = hex.EncodeToString(make([]byte, sha256.Size))

// reaches refuses a trail shorter than one of the heads.
func reaches(last Head, heads map[int64]string) error {
	if h, ok := heads[0]; ok && h != zeros {
		return &Broken{0, "the empty trail has a hash"}
	}
	for index := range heads {
		if index > last.Index {
			return &Broken{last.Index + 1, "missing: the trail was cut"}
		}
	}
	return nil
}

func fault(r auditdb.AuditRecord, last Head) string {
	if r.Idx != last.Index+1 {
		return "missing"
	}
	if r.Prev != last.Hash {
		return "it does not follow the record before"
	}
	h, err := hash(r)
	if err != nil {
		return err.Error()
	}
	if h != r.Hash {
		return "its content was changed"
	}
	return ""
}

func hash(r auditdb.AuditRecord) (string, error) {
	prev, err := hex.DecodeString(r.Prev)
	if err != nil || len(prev) != sha256.Size {
		return "", fmt.Errorf("audit: record %d: the hash before is not a SHA-256 value", r.Idx)
	}
	sum := sha256.Sum256(canonical(r, prev))
	return hex.EncodeToString(sum[:]), nil
}

// canonical is what is hashed: the text "cse.audit/1" and a zero byte, the hash
// before (32 bytes), number and instant (64 bits, big endian), then act, actor,
// office, card, person and detail, each preceded by its length in bytes (32
// bits). No two records have the same canonical bytes.
func canonical(r auditdb.AuditRecord, prev []byte) []byte {
	b := append([]byte("cse.audit/1\x00"), prev...)
	b = binary.BigEndian.AppendUint64(b, uint64(r.Idx))
	b = binary.BigEndian.AppendUint64(b, uint64(r.At))
	for _, s := range []string{r.Act, r.Actor, r.Office, r.Card, r.Person, r.Detail} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	return b
}
