package audit_test

import (
	"context"
	"crypto/ed25519"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"cse.example/cse/engine/audit"
	"cse.example/cse/engine/store"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/merkle"
	"cse.example/cse/ground/secret"
)

var private = ed25519.NewKeyFromSeed(make([]byte, 32))

const origin = "pki.regione.example/log"

// signing is a trail whose heads are signed.
func signing(t testing.TB, db *store.DB, clock civil.Clock) *audit.Trail {
	t.Helper()
	line, err := merkle.VerifierKey(origin, private.Public().(ed25519.PublicKey))
	check(t, err)
	keys, err := merkle.ParseKeys(line)
	check(t, err)
	s, err := merkle.Signer(origin, private)
	check(t, err)
	trail, err := audit.New(audit.Config{
		Conn: func(ctx context.Context) audit.DBTX { return db.Conn(ctx) }, Atomically: db.Atomically, Clock: clock,
		Key: secret.New(make([]byte, 32)), Keys: keys, Signer: s,
	})
	check(t, err)
	return trail
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// lived is a log that was written to, signed, cut and written to again: acts about
// people, cards, both and nobody; a person was erased.
type lived struct {
	db         *store.DB
	trail      *audit.Trail
	foot, head int64
	sizes      []int64 // of the checkpoints
	random     *rand.Rand
}

func who(n int) string { return fmt.Sprintf("PRSNVN80A01H%03dX", n) }

func newLived(t testing.TB, db *store.DB) *lived {
	t.Helper()
	start := time.Date(2000, 1, 1, 9, 0, 0, 0, time.UTC)
	hand := civil.NewHand(start)
	l := &lived{db: db, trail: signing(t, db, hand), random: rand.New(rand.NewPCG(5, 970))}
	some := func(from, to int) {
		check(t, db.Atomically(t.Context(), func(ctx context.Context) error {
			for i := from; i < to; i++ {
				hand.Advance(time.Minute)
				e := journal.Entry{Act: "card.activated", Actor: "operator-" + strconv.Itoa(i%3), Office: "asl-1", Detail: map[string]string{"protocol": strconv.Itoa(i)}}
				if i%4 > 0 {
					e.Person = who(i % 7)
				}
				if i%4 > 1 {
					e.Card = fmt.Sprintf("60900000000000%02d", i%9)
				}
				if err := l.trail.Record(ctx, e); err != nil {
					return err
				}
			}
			return nil
		}))
	}
	sign := func() {
		_, err := l.trail.Checkpoint(t.Context())
		check(t, err)
		c, err := l.trail.LastCheckpoint(t.Context())
		check(t, err)
		l.sizes = append(l.sizes, c.Size)
	}
	some(0, 30)
	sign()
	check(t, l.trail.Record(t.Context(), journal.Entry{Act: "x", Actor: "y", Person: "GNESVN80A01H501X"}))
	some(30, 200)
	sign()
	hand.Set(start.AddDate(30, 0, 0))
	_, err := l.trail.Erase(t.Context(), audit.Subject{Person: "GNESVN80A01H501X"}, hand.Now(), journal.Entry{Actor: "titolare"})
	check(t, err)
	some(201, 270)
	if _, err := l.trail.Cut(t.Context(), start.Add(20*time.Minute)); err != nil {
		t.Fatal(err)
	}
	sign()
	some(270, 300)
	sign()
	some(300, 305)
	foot, err := l.trail.Foot(t.Context())
	check(t, err)
	head, err := l.trail.Verify(t.Context())
	check(t, err)
	l.foot, l.head = foot.Index, head.Index
	return l
}

// number draws from lo to hi, both taken.
func (l *lived) number(lo, hi int64) int64 { return lo + l.random.Int64N(hi-lo+1) }

// tampering is one thing that somebody does to the store; the first record at fault
// lies from lo to hi.
type tampering struct {
	name   string
	do     []string
	args   []any
	lo, hi int64
}

// draw makes one up.
func (l *lived) draw(t *testing.T, kind int) tampering {
	i := l.number(l.foot+1, l.head)
	if kind == 0 {
		kind = 1 + l.random.IntN(tamperings)
	}
	one := func(name, sql string, args ...any) tampering {
		return tampering{name: name, do: []string{sql}, args: append([]any{i}, args...), lo: i, hi: i}
	}
	within := func(x tampering, lo, hi int64) tampering {
		x.lo, x.hi, x.args = lo, hi, x.args[1:]
		return x
	}
	n := l.number(1, int64(len(l.sizes)))
	before := int64(0)
	if n > 1 {
		before = l.sizes[n-2]
	}
	size := l.sizes[n-1]
	mark := func(column string) (m string, first int64) {
		rows, err := l.db.Conn(t.Context()).QueryContext(t.Context(), "SELECT "+column+", MIN(idx) FROM audit_record WHERE "+column+" IN (SELECT mark FROM audit_subject) GROUP BY "+column+" ORDER BY MIN(idx)")
		check(t, err)
		defer rows.Close()
		type one struct {
			m     string
			first int64
		}
		var all []one
		for rows.Next() {
			var x one
			check(t, rows.Scan(&x.m, &x.first))
			all = append(all, x)
		}
		check(t, rows.Err())
		x := all[l.random.IntN(len(all))]
		return x.m, x.first
	}
	column := []string{"person", "card"}[l.random.IntN(2)]
	switch kind {
	case 1:
		return one("at", "UPDATE audit_record SET at = at + $2 WHERE idx = $1", l.number(1, 99))
	case 2:
		c := []string{"act", "actor", "office", "card", "person", "chain"}[l.random.IntN(6)]
		return one(c, "UPDATE audit_record SET "+c+" = "+c+" || 'x' WHERE idx = $1")
	case 3:
		return one("detail", `UPDATE audit_record SET detail = detail || ' ' WHERE idx = $1`)
	case 4:
		return one("sealed", "UPDATE audit_record SET sealed = $2 WHERE idx = $1", []byte{1, 2, byte(l.number(0, 255))})
	case 5:
		h := make([]byte, 32)
		h[l.random.IntN(32)] = 1
		return one("hash", "UPDATE audit_record SET hash = $2 WHERE idx = $1", h[:l.number(0, 1)*32])
	case 6:
		return one("renumbered", "UPDATE audit_record SET idx = idx + 1000 WHERE idx = $1")
	case 7:
		return one("removed", "DELETE FROM audit_record WHERE idx = $1")
	case 8:
		return one("cut off", "DELETE FROM audit_record WHERE idx >= $1")
	case 9:
		j := l.number(l.foot+1, l.head)
		for j == i {
			j = l.number(l.foot+1, l.head)
		}
		x := one("swapped", "UPDATE audit_record SET idx = CASE idx WHEN $1 THEN $2 + 10000 ELSE $1 + 10000 END WHERE idx IN ($1, $2)", j)
		x.do = append(x.do, "UPDATE audit_record SET idx = idx - 10000 WHERE idx > 10000 AND idx <> $1 + $2 + 10000000")
		x.lo, x.hi = min(i, j), min(i, j)
		return x
	case 10:
		return within(one("inserted", fmt.Sprintf("INSERT INTO audit_record SELECT %d, at, act, actor, office, card, person, detail, sealed, chain, hash FROM audit_record WHERE idx = %d", l.head+1, i)), l.head+1, l.head+1)
	case 11:
		gone := l.number(1, l.foot)
		return within(one("one that went comes back", fmt.Sprintf("INSERT INTO audit_record SELECT %d, at, act, actor, office, card, person, detail, sealed, chain, hash FROM audit_record WHERE idx = %d", gone, i)), gone, gone)
	case 12:
		by := l.number(1, 9)
		return within(one("the last number raised", "UPDATE audit_head SET idx = idx + $1", by), l.head+1, l.head+1)
	case 13:
		by := l.number(1, 9)
		return within(one("the last number set back", "UPDATE audit_head SET idx = idx - $1", by), l.head-by+1, l.head-by+1)
	case 14:
		by := l.number(1, 9)
		return within(one("the foot moved", "UPDATE audit_foot SET idx = idx + $1", by), l.foot+1, l.foot+1)
	case 15:
		by := l.number(1, l.foot)
		return within(one("the foot moved back", "UPDATE audit_foot SET idx = idx - $1", by), l.foot-by+1, l.foot-by+1)
	case 16:
		m, first := mark(column)
		c := []string{"finder = finder || 'x'", "mark = mark || 'x'"}[l.random.IntN(2)]
		return within(one("a key's "+c, "UPDATE audit_subject SET "+c+" WHERE mark = $1", m), first, first)
	case 17:
		m, first := mark(column)
		return within(one("a key's bytes", "UPDATE audit_subject SET wrapped = $2 WHERE mark = $1", m, make([]byte, l.number(0, 1)*60)), first, first)
	case 18:
		m, first := mark(column)
		return within(one("a key removed", "DELETE FROM audit_subject WHERE mark = $1", m), first, first)
	case 19:
		return within(one("a key inserted", "INSERT INTO audit_subject (finder, mark, wrapped) SELECT 'f', $1, wrapped FROM audit_subject WHERE mark = (SELECT MIN(mark) FROM audit_subject)", fmt.Sprintf("%032d", i)), l.head+1, l.head+1)
	case 20, 21:
		level, tile, at := int64(0), l.number(0, 1), int64(0)
		if kind == 21 {
			level, tile = 1, 0
		}
		var data []byte
		check(t, l.db.Conn(t.Context()).QueryRowContext(t.Context(), "SELECT data FROM audit_tile WHERE level = $1 AND n = $2", level, tile).Scan(&data))
		at = l.number(0, int64(len(data))-1)
		data[at] ^= 1 << l.random.IntN(8)
		leaf := tile*256 + at/32 + 1
		x := within(one("a hash of the tree", "UPDATE audit_tile SET data = $3 WHERE level = $1 AND n = $2", level, tile, data), leaf, leaf)
		if level == 1 {
			x.lo, x.hi = 1, 256
		} else if leaf <= l.foot {
			x.lo, x.hi = 1, l.sizes[0] // nothing but hashes is left of it
		}
		return x
	case 22:
		tile := l.number(0, 1)
		return within(one("a tile removed", "DELETE FROM audit_tile WHERE level = 0 AND n = $1", tile), tile*256+1, tile*256+1)
	case 23:
		var data []byte
		check(t, l.db.Conn(t.Context()).QueryRowContext(t.Context(), "SELECT data FROM audit_tile WHERE level = 0 AND n = 1").Scan(&data))
		less := l.number(1, int64(len(data)/32)-1)
		last := l.sizes[len(l.sizes)-1]
		return within(one("a tile shortened", "UPDATE audit_tile SET data = $1 WHERE level = 0 AND n = 1", data[:len(data)-int(less)*32]), last-less+1, last+1)
	case 24:
		where := [][2]int64{{0, 2}, {0, 9}, {1, 1}, {2, 0}, {-1, 0}}[l.random.IntN(5)]
		return within(one("a tile inserted", "INSERT INTO audit_tile (level, n, data) VALUES ($1, $2, $3)", where[0], where[1], make([]byte, 32*l.number(1, 9))), 1, l.head+3000)
	case 25:
		return within(one("a checkpoint's number", "UPDATE audit_checkpoint SET number = number + 100 WHERE number = $1", n), before+1, size+1)
	case 26:
		return within(one("a checkpoint's size", "UPDATE audit_checkpoint SET size = size + 1 WHERE number = $1", n), before+1, size+1)
	case 27:
		var note string
		check(t, l.db.Conn(t.Context()).QueryRowContext(t.Context(), "SELECT note FROM audit_checkpoint WHERE number = $1", n).Scan(&note))
		b := []byte(note)
		b[l.random.IntN(len(b))] ^= 1
		return within(one("a checkpoint's note", "UPDATE audit_checkpoint SET note = $2 WHERE number = $1", n, string(b)), before+1, size+1)
	case 28:
		return within(one("a checkpoint removed", "DELETE FROM audit_checkpoint WHERE number = $1", n), before+1, size+1)
	case 29:
		return within(one("a checkpoint inserted", "INSERT INTO audit_checkpoint SELECT 99, size + 1, note FROM audit_checkpoint WHERE number = $1", n), 1, l.head+1)
	case 30:
		// Made to look right: the content, its hash, the hash in the tree.
		x, err := l.trail.Page(t.Context(), i-1, 1)
		check(t, err)
		if i > l.sizes[len(l.sizes)-1] || x[0].Person != "" || x[0].Card != "" {
			return l.draw(t, 0)
		}
		return l.forge(t, i)
	}
	t.Fatalf("no tampering %d", kind)
	return tampering{}
}

// tamperings are how many kinds draw knows.
const tamperings = 30

// forge changes an act about nobody and everything in the store that has its hash.
func (l *lived) forge(t *testing.T, i int64) tampering {
	var detail, act string
	var at int64
	check(t, l.db.Conn(t.Context()).QueryRowContext(t.Context(), "SELECT act, at, detail FROM audit_record WHERE idx = $1", i).Scan(&act, &at, &detail))
	text, err := merkle.Leaf{Form: merkle.Form, Index: i, At: time.UnixMicro(at).UTC().Format(merkle.Instant), Act: act, Actor: "nobody", Detail: detail}.Text()
	check(t, err)
	h := merkle.LeafHash(text)
	var data []byte
	check(t, l.db.Conn(t.Context()).QueryRowContext(t.Context(), "SELECT data FROM audit_tile WHERE level = 0 AND n = $1", (i-1)/256).Scan(&data))
	copy(data[(i-1)%256*32:], h[:])
	before := int64(0)
	for _, size := range l.sizes {
		if size < i {
			before = size
		}
	}
	upto := l.head
	for _, size := range l.sizes {
		if size >= i {
			upto = min(upto, size)
		}
	}
	return tampering{
		name: "made to look right", lo: before + 1, hi: upto, args: []any{i, h[:], data, (i - 1) / 256},
		do: []string{
			"UPDATE audit_record SET actor = 'nobody', office = '', hash = $2 WHERE idx = $1 AND $3 = $3 AND $4 = $4",
			"UPDATE audit_tile SET data = $3 WHERE level = 0 AND n = $4 AND $1 = $1 AND $2 = $2",
		},
	}
}

// A random change of any column, row or table of the log is found, and the first
// record at fault is named; where only hashes are left, the stretch it lies in.
// A thousand of them, or CSE_TAMPERINGS (make tamper).
func TestAnyTamperingIsFoundAndNamed(t *testing.T) {
	t.Parallel()
	times := 1000
	if s := os.Getenv("CSE_TAMPERINGS"); s != "" {
		n, err := strconv.Atoi(s)
		check(t, err)
		times = n
	}
	l := newLived(t, storetest.SQLite(t))
	found := map[string]int{}
	undo := errors.New("undo")
	for n := range times {
		x := l.draw(t, max(0, n-times+tamperings+1)) // at the end every kind once
		changed := int64(0)
		err := l.db.Atomically(t.Context(), func(ctx context.Context) error {
			for _, sql := range x.do {
				r, err := l.db.Conn(ctx).ExecContext(ctx, sql, x.args...)
				if err != nil {
					return fmt.Errorf("%s: %w", sql, err)
				}
				rows, err := r.RowsAffected()
				if err != nil {
					return err
				}
				changed += rows
			}
			var b *audit.Broken
			_, err := l.trail.Verify(ctx)
			switch {
			case !errors.As(err, &b):
				t.Errorf("%s: %v, want record %d to %d", x.name, err, x.lo, x.hi)
			case b.Index > x.hi || max(b.Index, b.Through) < x.lo:
				t.Errorf("%s: %v, want record %d to %d", x.name, b, x.lo, x.hi)
			}
			return undo
		})
		if !errors.Is(err, undo) || changed == 0 {
			t.Fatalf("%s: %d rows, %v", x.name, changed, err)
		}
		found[x.name]++
	}
	if _, err := l.trail.Verify(t.Context()); err != nil {
		t.Errorf("after all that: %v", err)
	}
	t.Logf("%d tamperings of %d records found: %v", times, l.head, found)
}
