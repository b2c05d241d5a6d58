package audit_test

import (
	"context"
	"crypto/ed25519"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cse.example/cse/engine/audit"
	"cse.example/cse/engine/store"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/merkle"
	"cse.example/cse/ground/words"
)

func codeOf(err error) string {
	if f := words.FaultOf(err); f != nil {
		return f.Code
	}
	return ""
}

// Each signed head extends the one before; nothing is signed when nothing was
// recorded, when the clock went back, or when the tree no longer contains what was
// signed.
func TestCheckpoints(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		hand := civil.NewHand(time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC))
		trail := signing(t, db, hand)
		ctx := t.Context()
		sign := func(what string, want int64) []byte {
			t.Helper()
			note, err := trail.Checkpoint(ctx)
			if err != nil || (note != nil) != (want > 0) {
				t.Fatalf("%s: %q, %v", what, note, err)
			}
			if c, err := trail.LastCheckpoint(ctx); err != nil || want > 0 && c.Size != want {
				t.Fatalf("%s: %+v, %v", what, c, err)
			}
			return note
		}
		sign("an empty log", 0)
		write(t, trail, 3)
		first := sign("three acts", 3)
		sign("nothing more", 0)
		hand.Advance(-time.Second)
		write(t, trail, 1)
		if _, err := trail.Checkpoint(ctx); codeOf(err) != "CSE-970" {
			t.Errorf("the clock went back: %v", err)
		}
		hand.Advance(time.Second)
		sign("the clock is right again", 4)
		write(t, trail, 300)
		last := sign("a tile more", 304)
		head, err := trail.Head(ctx)
		if c, _ := trail.LastCheckpoint(ctx); err != nil || merkle.HeadOf(c.Size, c.Root) != head {
			t.Errorf("the head is %+v, the checkpoint %+v, %v", head, c, err)
		}
		for what, published := range map[string][]byte{"none": nil, "an older one": first, "the last": last} {
			if err := trail.Consistent(ctx, published); err != nil {
				t.Errorf("%s was given out: %v", what, err)
			}
		}
		write(t, trail, 2)
		undo := errors.New("undo")
		for what, x := range map[string][3]string{
			"the checkpoint lost":     {"DELETE FROM audit_checkpoint WHERE size = 304", "", "CSE-973"},
			"cut off":                 {"DELETE FROM audit_record WHERE idx > 200", "UPDATE audit_head SET idx = 200", "CSE-971"},
			"cut off, the number not": {"DELETE FROM audit_record WHERE idx > 200", "", "CSE-971"},
			"an act changed":          {"UPDATE audit_record SET actor = 'x' WHERE idx = 5", "", "CSE-971"},
			"a hash of the tree":      {"UPDATE audit_tile SET data = (SELECT data FROM audit_tile WHERE level = 1) WHERE level = 0 AND n = 1", "", "CSE-971"},
			"a note changed":          {"UPDATE audit_checkpoint SET size = 305 WHERE size = 304", "", "CSE-971"},
		} {
			err := db.Atomically(ctx, func(ctx context.Context) error {
				for _, sql := range x[:2] {
					if _, err := db.Conn(ctx).ExecContext(ctx, sql); sql != "" && err != nil {
						return err
					}
				}
				if err := trail.Consistent(ctx, last); codeOf(err) != x[2] {
					t.Errorf("%s: %v, want %s", what, err, x[2])
				}
				return undo
			})
			if !errors.Is(err, undo) {
				t.Errorf("%s: %v", what, err)
			}
		}
		exec(t, db, "UPDATE audit_tile SET data = (SELECT data FROM audit_tile WHERE level = 1) WHERE level = 0 AND n = 1")
		if _, err := trail.Checkpoint(ctx); codeOf(err) != "CSE-971" {
			t.Errorf("signed over a tree that does not contain the last head: %v", err)
		}
	})
}

// Whose key is erased is found by nobody any more, by person or by card, and nothing
// of what was written of him can be read; the log holds, and what was signed before
// too. A key that merely vanishes is a fault.
func TestErasureLeavesTheLogWhole(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		hand := civil.NewHand(time.Date(2000, 1, 1, 9, 0, 0, 0, time.UTC))
		trail, ctx := signing(t, db, hand), t.Context()
		const luca, number = "BNCLCU70A01H501X", "6090000000000017"
		his := journal.Entry{Act: "card.activated", Actor: "operator-1", Card: number, Person: luca, Detail: map[string]string{"protocol": "2000/0000001"}}
		check(t, trail.Record(ctx, his))
		check(t, trail.Record(ctx, journal.Entry{Act: "codes.printed", Actor: "system:print", Card: number}))
		check(t, trail.Record(ctx, journal.Entry{Act: "approval.asked", Actor: "anna", Detail: map[string]string{"content": `{"card":"` + number + `"}`}}))
		write(t, trail, 3)
		before, err := trail.Head(ctx)
		check(t, err)
		_, err = trail.Checkpoint(ctx)
		check(t, err)
		him := audit.Subject{Person: luca, Cards: []string{number, "6090000000000025"}}
		if got, err := trail.ByCard(ctx, number, 0, 0); err != nil || len(got) != 3 || got[0].Card != number || got[0].Detail["protocol"] == "" || got[2].Act != "approval.asked" {
			t.Errorf("his card: %+v, %v", got, err)
		}
		stored := func() string {
			var all strings.Builder
			rows, err := db.Conn(ctx).QueryContext(ctx, "SELECT card, person, detail FROM audit_record")
			check(t, err)
			defer rows.Close()
			for rows.Next() {
				var c, p, d string
				check(t, rows.Scan(&c, &p, &d))
				all.WriteString(c + " " + p + " " + d + "\n")
			}
			check(t, rows.Err())
			return all.String()
		}
		if s := stored(); strings.Contains(s, number) || strings.Contains(s, luca) {
			t.Errorf("the table names somebody: %s", s)
		}
		var soon *audit.Recent
		if _, err := trail.Erase(ctx, him, hand.Now(), journal.Entry{Actor: "titolare"}); !errors.As(err, &soon) || !soon.Newest.Equal(hand.Now()) {
			t.Errorf("before the term: %v", err)
		}
		hand.Advance(time.Hour)
		exec(t, db, "DELETE FROM audit_subject WHERE finder = (SELECT MIN(finder) FROM audit_subject WHERE mark = (SELECT person FROM audit_record WHERE idx = 4))")
		var broken *audit.Broken
		if _, err := trail.Verify(ctx); !errors.As(err, &broken) || broken.Index != 4 {
			t.Errorf("a key that vanished: %v", err)
		}
		check(t, trail.Record(ctx, journal.Entry{Act: "audit.erased", Actor: "x", Detail: map[string]string{"mark.1": mark(t, db, 4)}}))
		got, err := trail.Erase(ctx, him, hand.Now(), journal.Entry{Actor: "titolare", Detail: map[string]string{"approval": "1"}})
		if err != nil || got.Keys != 2 || got.Records != 4 {
			t.Errorf("erased %+v, %v", got, err)
		}
		if _, err := trail.Erase(ctx, him, hand.Now(), journal.Entry{Actor: "titolare"}); !errors.Is(err, audit.ErrNobody) {
			t.Errorf("erased twice: %v", err)
		}
		for what, find := range map[string]func() ([]audit.Record, error){
			"person": func() ([]audit.Record, error) { return trail.ByPerson(ctx, luca, 0, 0) },
			"card":   func() ([]audit.Record, error) { return trail.LastByCard(ctx, number, 9) },
			"search": func() ([]audit.Record, error) { return trail.Search(ctx, audit.Search{Card: number}) },
		} {
			if list, err := find(); err != nil || len(list) != 0 {
				t.Errorf("%s: %+v, %v", what, list, err)
			}
		}
		list, err := trail.Page(ctx, 0, 3)
		check(t, err)
		for _, r := range list {
			if !r.Erased || r.Card != "" || r.Detail != nil {
				t.Errorf("what is left says %+v", r)
			}
		}
		if _, err := trail.Verify(ctx, before); err != nil {
			t.Errorf("after the erasure: %v", err)
		}
		_, err = trail.Checkpoint(ctx)
		check(t, err)
		// He comes back: another mark, which leads to nothing of before.
		old := mark(t, db, 1)
		check(t, trail.Record(ctx, his))
		if list, err := trail.ByPerson(ctx, luca, 0, 0); err != nil || len(list) != 1 || list[0].Person == old {
			t.Errorf("come back: %+v, %v", list, err)
		}
		if _, err := trail.Verify(ctx, before); err != nil {
			t.Error(err)
		}
	})
}

func mark(t *testing.T, db *store.DB, idx int64) (m string) {
	t.Helper()
	check(t, db.Conn(t.Context()).QueryRowContext(t.Context(), "SELECT person FROM audit_record WHERE idx = $1", idx).Scan(&m))
	return m
}

// An act's proof opens that act and no other; others' acts are not proved to him, and
// an act that no head covers has to wait. The export is what the offline verifier
// reads, cut and erased as the log is.
func TestProofsAndExport(t *testing.T) {
	hand := civil.NewHand(time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC))
	db := storetest.SQLite(t)
	trail, ctx := signing(t, db, hand), t.Context()
	write(t, trail, 400)
	check(t, trail.Record(ctx, journal.Entry{Act: "x", Actor: "y", Person: "BNCLCU70A01H501X"}))
	if _, err := trail.Prove(ctx, "k", anna, 1); !errors.Is(err, audit.ErrNotSigned) {
		t.Errorf("before a head: %v", err)
	}
	_, err := trail.Checkpoint(ctx)
	check(t, err)
	write(t, trail, 1)
	p, err := trail.Prove(ctx, "k", anna, 7, 300)
	check(t, err)
	keys, err := merkle.ParseKeys(keyLine(t))
	check(t, err)
	acts, c, err := p.Check(keys)
	if err != nil || len(acts) != 2 || acts[0].Facts.Detail["protocol"] != entry(6).Detail["protocol"] || c.Size != 401 || acts[1].Leaf.Index != 300 {
		t.Errorf("%+v, %v", acts, err)
	}
	if all, err := trail.Prove(ctx, "k", anna); err != nil || len(all.Acts) != 400 || all.Acts[0].Index != 1 {
		t.Errorf("all of them: %d, %v", len(all.Acts), err)
	}
	for what, want := range map[int64]error{401: audit.ErrNotHis, 402: audit.ErrNotSigned, 9999: audit.ErrNotHis, 0: audit.ErrNotHis} {
		if _, err := trail.Prove(ctx, "k", anna, what); !errors.Is(err, want) {
			t.Errorf("act %d: %v, want %v", what, err, want)
		}
	}
	if _, err := trail.Prove(ctx, "k", "VRDLGU85M41F205T"); !errors.Is(err, audit.ErrNotHis) {
		t.Errorf("nobody's: %v", err)
	}

	dir := filepath.Join(t.TempDir(), "log")
	check(t, trail.Export(ctx, dir, keyLine(t)))
	if err := trail.Export(ctx, dir, keyLine(t)); err == nil {
		t.Error("an export over another")
	}
	head, err := trail.Head(ctx)
	check(t, err)
	r, err := merkle.Verify(os.DirFS(dir), nil, head)
	if err != nil || r.Head != head || r.Records != 402 || r.Signed != 401 {
		t.Errorf("%+v, %v", r, err)
	}
	b, err := os.ReadFile(filepath.Join(dir, merkle.FileRecords))
	check(t, err)
	if strings.Contains(string(b), "protocol") || strings.Contains(string(b), "card-") || strings.Contains(string(b), anna) {
		t.Errorf("the export names somebody: %.300s", b)
	}
	hand.Advance(time.Hour)
	if _, err := trail.Cut(ctx, hand.Now().Add(-time.Minute)); err != nil {
		t.Fatal(err)
	}
	if _, err := trail.Verify(ctx, head); err != nil {
		t.Error(err)
	}
	dir = filepath.Join(t.TempDir(), "cut")
	check(t, trail.Export(ctx, dir, keyLine(t)))
	if r, err := merkle.Verify(os.DirFS(dir), keys, head); err != nil || r.Records != 1 || r.Head.Index != 403 {
		t.Errorf("after a cut: %+v, %v", r, err)
	}
}

// The chain of before becomes leaves under the same numbers, cut as it was; a head
// deposited then is found, people by their codice fiscale and cards by their number,
// and no number is left in clear. A chain that does not hold is refused where it
// breaks.
func TestTheChainOfBeforeBecomesLeaves(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		trail, ctx := signing(t, db, civil.NewHand(time.Date(2026, 11, 26, 9, 0, 0, 0, time.UTC))), t.Context()
		key := make([]byte, 32)
		foot, prev := int64(3), strings.Repeat("ab", 32)
		exec(t, db, "UPDATE audit_chain_foot SET idx = $1, hash = $2", foot, prev)
		exec(t, db, "UPDATE audit_foot SET idx = $1", foot)
		const n = 621
		var deposited audit.Head
		var kept chained
		for i := foot + 1; i <= n; i++ {
			r := chained{i, 1_700_000_000_000_000 + i, "card.activated", "operator-1", "asl-1", "", "", "", prev}
			switch {
			case i == foot+1:
				r.act, r.actor, r.office, r.detail = "audit.cut", "system:night", "", `{"hash":"[redacted]","through":"3"}`
			case i%3 == 0:
				r.person, r.detail = pseudonymOfBefore(key, anna), `{"protocol":"2026/0000001"}`
			case i%3 == 1:
				r.card = "6090000000000017"
			}
			prev = r.write(t, db)
			if i == 560 {
				kept = r
			}
			if i == 500 {
				deposited = audit.Head{Index: 500, Hash: prev}
			}
		}
		exec(t, db, "UPDATE audit_chain_head SET idx = $1, hash = $2", n, prev)
		exec(t, db, "UPDATE audit_head SET idx = $1", n)

		undo := errors.New("undo")
		kept.actor = "x"
		for _, x := range []struct {
			hash  string // of record 560, when it was changed
			index int64
		}{{"", 560}, {kept.hash(t), 561}} {
			err := db.Atomically(ctx, func(ctx context.Context) error {
				if _, err := db.Conn(ctx).ExecContext(ctx, "UPDATE audit_chain SET actor = 'x', hash = CASE WHEN $1 = '' THEN hash ELSE $1 END WHERE idx = 560", x.hash); err != nil {
					return err
				}
				var b *audit.Broken
				if _, err := trail.Upgrade(ctx); codeOf(err) != "CSE-972" || !errors.As(err, &b) || b.Index != x.index {
					t.Errorf("a chain that was changed: %v, want record %d", err, x.index)
				}
				return undo
			})
			if !errors.Is(err, undo) {
				t.Fatal(err)
			}
		}
		moved, err := trail.Upgrade(ctx)
		if err != nil || moved != n-foot {
			t.Fatalf("%d moved, %v", moved, err)
		}
		if moved, err := trail.Upgrade(ctx); err != nil || moved != 0 {
			t.Errorf("again: %d, %v", moved, err)
		}
		if _, err := trail.Verify(ctx, deposited); err != nil {
			t.Errorf("with the head of before: %v", err)
		}
		var b *audit.Broken
		if _, err := trail.Verify(ctx, audit.Head{Index: 500, Hash: strings.Repeat("00", 32)}); !errors.As(err, &b) || b.Index != 500 {
			t.Errorf("with a head that never was: %v", err)
		}
		_, err = trail.Checkpoint(ctx)
		check(t, err)
		check(t, trail.Record(ctx, entry(1)))
		if list, err := trail.ByPerson(ctx, anna, 0, 0); err != nil || len(list) != n/3 || list[0].Detail["protocol"] == "" || list[len(list)-1].Index != n+1 {
			t.Errorf("the person: %d, %v", len(list), err)
		}
		if list, err := trail.ByCard(ctx, "6090000000000017", 0, 1); err != nil || len(list) != 1 || list[0].Card != "6090000000000017" {
			t.Errorf("the card: %+v, %v", list, err)
		}
		var clear int
		check(t, db.Conn(ctx).QueryRowContext(ctx, "SELECT COUNT(*) FROM audit_record WHERE card LIKE '6090%' OR person = $1", pseudonymOfBefore(key, anna)).Scan(&clear))
		if clear != 0 {
			t.Errorf("%d records have a number in clear, or the pseudonym of before", clear)
		}
		dir := filepath.Join(t.TempDir(), "log")
		check(t, trail.Export(ctx, dir, keyLine(t)))
		if r, err := merkle.Verify(os.DirFS(dir), nil, deposited); err != nil || r.Head.Index != n+1 {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

func keyLine(t *testing.T) string {
	t.Helper()
	line, err := merkle.VerifierKey(origin, private.Public().(ed25519.PublicKey))
	check(t, err)
	return line
}

// chained is a record as the chain had it.
type chained struct {
	idx, at                                  int64
	act, actor, office, card, person, detail string
	prev                                     string
}

func (r chained) write(t *testing.T, db *store.DB) string {
	t.Helper()
	hash := r.hash(t)
	exec(t, db, "INSERT INTO audit_chain (idx, at, act, actor, office, card, person, detail, prev, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
		r.idx, r.at, r.act, r.actor, r.office, r.card, r.person, r.detail, r.prev, hash)
	return hash
}

func (r chained) hash(t *testing.T) string {
	t.Helper()
	prev, err := hex.DecodeString(r.prev)
	check(t, err)
	b := append([]byte("cse.audit/1\x00"), prev...)
	b = binary.BigEndian.AppendUint64(b, uint64(r.idx))
	b = binary.BigEndian.AppendUint64(b, uint64(r.at))
	for _, s := range []string{r.act, r.actor, r.office, r.card, r.person, r.detail} {
		b = binary.BigEndian.AppendUint32(b, uint32(len(s)))
		b = append(b, s...)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func pseudonymOfBefore(key []byte, cf string) string {
	m := hmac.New(sha256.New, key)
	m.Write([]byte("cse.audit.person/1\x00" + cf))
	return hex.EncodeToString(m.Sum(nil)[:16])
}
