package audit

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"time"

	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/merkle"
)

// Retention of the trail. Old records go from the beginning, all of a time, and
// leave the hashes of their leaves in the tree: what was signed over them holds for
// ever. The foot is the number of the last record that went.

// Foot is the head of the tree at the last record that retention destroyed; index
// zero for a trail that was never cut.
func (t *Trail) Foot(ctx context.Context) (Head, error) {
	f, err := t.foot(ctx)
	if err != nil {
		return Head{}, err
	}
	return t.headAt(ctx, f)
}

func (t *Trail) foot(ctx context.Context) (int64, error) {
	f, err := t.db(ctx).Foot(ctx)
	if err != nil {
		return 0, fmt.Errorf("audit: read the foot: %w", err)
	}
	return f, nil
}

// Cut destroys the records from before an instant, in the act that ctx carries,
// with the keys that no record needs any more, and records where it cut. It stops at
// the first record that is not older, so that none is taken out of the middle, and
// answers how many went.
func (t *Trail) Cut(ctx context.Context, before time.Time) (int64, error) {
	n := int64(0)
	return n, t.atomically(ctx, func(ctx context.Context) error {
		n = 0
		q := t.db(ctx)
		through, err := q.Head(ctx) // all may be older
		if err != nil {
			return fmt.Errorf("audit: read the head: %w", err)
		}
		foot, err := t.foot(ctx)
		if err != nil {
			return err
		}
		first, err := q.FirstSince(ctx, before.UnixMicro())
		if err == nil {
			through = first - 1
		} else if !errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("audit: find where to cut: %w", err)
		}
		if through <= foot {
			return nil
		}
		root, err := t.covers(ctx, through)
		if err != nil {
			return err
		}
		if n, err = q.CutThrough(ctx, through); err != nil {
			return fmt.Errorf("audit: cut: %w", err)
		}
		if n != through-foot {
			return errors.New("audit: the beginning of the trail has gaps: verify it")
		}
		if err := q.SetFoot(ctx, through); err != nil {
			return fmt.Errorf("audit: move the foot: %w", err)
		}
		keys, err := q.DropUnused(ctx)
		if err != nil {
			return fmt.Errorf("audit: drop keys that no record needs: %w", err)
		}
		return t.record(ctx, journal.Entry{Act: merkle.ActCut, Actor: "system:night", Detail: map[string]string{
			"through": number(through), "root": hex.EncodeToString(root[:]), "records": number(n), "keys": number(keys),
		}})
	})
}

func number(n int64) string { return strconv.FormatInt(n, 10) }

// covers makes the tree reach a record, and answers the root there.
func (t *Trail) covers(ctx context.Context, index int64) (merkle.Hash, error) {
	g, err := t.grow(ctx)
	if err != nil {
		return merkle.Hash{}, err
	}
	if g.from < index {
		if err := g.through(ctx, t, index); err != nil {
			return merkle.Hash{}, err
		}
		if kept, err := g.keep(ctx, t); err != nil || !kept {
			return merkle.Hash{}, errors.Join(err, errors.New("audit: the tree could not be brought up to the cut"))
		}
	}
	return merkle.Tiles(g.tile).Root(index)
}

// ErrNobody: no key of that person or of those cards.
var ErrNobody = errors.New("audit: nobody has a key by that name")

// Recent tells that a person cannot be erased yet.
type Recent struct {
	// Newest is the instant of the newest record about the person.
	Newest time.Time
}

func (r *Recent) Error() string {
	return "audit: the term of the newest record is not over: " + r.Newest.Format(time.DateOnly)
}

// Subject is whom Erase erases: a person and his cards.
type Subject struct {
	Person string
	Cards  []string
}

// Marks are what stands for the subject in the records: the person's, then the
// cards'. A key that does not exist has none.
func (t *Trail) Marks(ctx context.Context, s Subject) ([]string, error) {
	var out []string
	add := func(k kind, name string) error {
		mark, err := t.markBy(ctx, k, name)
		if mark != "" {
			out = append(out, mark)
		}
		return err
	}
	err := add(person, s.Person)
	for _, c := range s.Cards {
		err = errors.Join(err, add(card, c))
	}
	return out, err
}

// Erased is what an erasure did.
type Erased struct {
	// Keys destroyed, and records that name nobody since.
	Keys, Records int64
}

// Newest is the instant of the newest record about any of the marks.
func (t *Trail) Newest(ctx context.Context, marks []string) (time.Time, error) {
	out := int64(0)
	for _, m := range marks {
		at, err := t.db(ctx).NewestOf(ctx, m)
		if err != nil {
			return time.Time{}, fmt.Errorf("audit: find the newest record: %w", err)
		}
		out = max(out, at)
	}
	return time.UnixMicro(out).UTC(), nil
}

// Erase destroys the keys of a person and his cards, in the act that ctx carries:
// nobody finds them again in the records, which stay. by is who did it, and detail
// what else the record of it says. Refused: a newest record that is not from before
// the instant (*Recent), nobody by that name (ErrNobody).
func (t *Trail) Erase(ctx context.Context, s Subject, before time.Time, by journal.Entry) (Erased, error) {
	var out Erased
	return out, t.atomically(ctx, func(ctx context.Context) error {
		out = Erased{}
		marks, err := t.Marks(ctx, s)
		if err != nil {
			return err
		}
		if len(marks) == 0 {
			return ErrNobody
		}
		newest, err := t.Newest(ctx, marks)
		if err != nil {
			return err
		}
		if !newest.Before(before) {
			return &Recent{newest}
		}
		e := journal.Entry{Act: actErased, Actor: by.Actor, Office: by.Office, Detail: map[string]string{}}
		for k, v := range by.Detail {
			e.Detail[k] = v
		}
		for i, m := range marks {
			records, err := t.db(ctx).CountOf(ctx, m)
			if err != nil {
				return fmt.Errorf("audit: count records: %w", err)
			}
			keys, err := t.db(ctx).EraseSubject(ctx, m)
			if err != nil {
				return fmt.Errorf("audit: destroy a key: %w", err)
			}
			out.Records, out.Keys = out.Records+records, out.Keys+keys
			e.Detail["mark."+strconv.Itoa(i+1)] = m
		}
		e.Detail["keys"] = number(out.Keys)
		return t.record(ctx, e)
	})
}

// actErased is the record that an erasure leaves: without it Verify takes a key that
// is missing for a theft.
const actErased = "audit.erased"

// erasedBy are the marks whose keys a record says were destroyed.
func erasedBy(r stored) []string {
	if r.Act != actErased {
		return nil
	}
	return marksIn(r.Detail)
}
