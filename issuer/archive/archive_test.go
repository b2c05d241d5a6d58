package archive_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"cse.example/cse/engine/store"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/archive"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/person/codicefiscale"
)

var monday = time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC)

const (
	one, two = "2026/0000001", "2026/0000002"
	ada, ida = codicefiscale.Code("RSSDAA80A41D612X"), codicefiscale.Code("VRDDIA80A41D612X")
)

var pdf = []byte("%PDF-1.7\nuna delega firmata")

// bench is an archive on a real store: the first act is Ada's, the second Ida's.
type bench struct {
	*archive.Room
	db      *store.DB
	clock   *civil.Hand
	entries []journal.Entry
	op      staff.Operator
}

func newBench(t *testing.T, db *store.DB) *bench {
	t.Helper()
	h, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		t.Fatal(err)
	}
	seal, err := aead.New(h)
	if err != nil {
		t.Fatal(err)
	}
	b := &bench{db: db, clock: civil.NewHand(monday), op: staff.Operator{Account: "al", Office: staff.Office{ID: "asl"}}}
	b.Room, err = archive.New(archive.Deps{
		Store: db.Archive(), Seal: seal, Clock: b.clock, Rand: rand.Reader, Atomically: db.Atomically, Required: true,
		Pseudonym: func(cf codicefiscale.Code) string { return "p" + strings.ToLower(string(cf[:6])) },
		Record:    func(_ context.Context, e journal.Entry) error { b.entries = append(b.entries, e); return nil },
		Holder: func(_ context.Context, protocol string) (codicefiscale.Code, error) {
			return map[string]codicefiscale.Code{one: ada, two: ida}[protocol], nil
		},
		File: func(_ context.Context, op staff.Operator, protocol string) (archive.File, error) {
			holder := map[string]codicefiscale.Code{one: ada, two: ida}[protocol]
			if holder == "" || op.Office.ID != "asl" {
				return archive.File{}, words.Refuse("CSE-145")
			}
			return archive.File{Protocol: protocol, Card: "6090000000000016", Office: "asl", Holder: holder}, nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) add(t *testing.T, protocol string, k archive.Kind, file []byte) string {
	t.Helper()
	if err := b.Add(t.Context(), b.op, protocol, k, file); err != nil {
		t.Fatal(err)
	}
	list, err := b.Papers(t.Context(), b.op, protocol)
	if err != nil || len(list) == 0 {
		t.Fatalf("%v, %v", list, err)
	}
	return list[len(list)-1].ID
}

func refused(t *testing.T, what string, err error, code string) {
	t.Helper()
	if f := words.FaultOf(err); f == nil || f.Code != code {
		t.Errorf("%s: %v, want %s", what, err, code)
	}
}

// The scan of the signed paper is archived with the act, sealed, and comes back
// as it was given, with a motive in the trail under the person's name.
func TestR69_R98_ThePaperIsArchivedSealed(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBench(t, db)
		id := b.add(t, one, archive.Delegation, pdf)
		kept := len(b.entries)
		if again := b.add(t, one, archive.Delegation, pdf); again != id || len(b.entries) != kept {
			t.Error("the same paper twice is two")
		}
		if list, _ := b.Papers(t.Context(), b.op, one); len(list) != 1 || list[0].Type != archive.PDF || list[0].Size != int64(len(pdf)) || list[0].By != "al" {
			t.Errorf("%+v", list)
		}
		row, err := db.Archive().GetPaper(t.Context(), id)
		if err != nil || bytes.Contains(row.Body, []byte("delega")) || strings.Contains(row.Person, string(ada)) {
			t.Errorf("the store can read the paper: %v", err)
		}
		x, got, err := b.See(t.Context(), b.op, one, id, "check")
		if err != nil || !bytes.Equal(got, pdf) || x.Kind != archive.Delegation {
			t.Errorf("%q, %v", got, err)
		}
		last := b.entries[len(b.entries)-1]
		if last.Act != "paper.seen" || last.Person != string(ada) || last.Detail["motive"] != "check" || last.Detail["paper"] != "delegation" || last.Office != "asl" {
			t.Errorf("the trail says %+v", last)
		}
		before := len(b.entries)
		_, _, err = b.See(t.Context(), b.op, one, id, "")
		refused(t, "without a motive", err, "CSE-522")
		_, _, err = b.See(t.Context(), b.op, two, id, "check")
		refused(t, "through another act", err, "CSE-521")
		_, _, err = b.See(t.Context(), staff.Operator{Account: "bo"}, one, id, "check")
		refused(t, "from another office", err, "CSE-145")
		if len(b.entries) != before {
			t.Error("a refused look is a look")
		}
	})
}

// What is kept is known by its first bytes, whatever its name says.
func TestR69_R98_WhatIsAPaper(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	for name, c := range map[string]struct {
		kind archive.Kind
		file []byte
		code string
	}{
		"a PDF":            {archive.Declaration, pdf, ""},
		"a JPEG":           {archive.Document, []byte("\xff\xd8\xff\xe0 invented"), ""},
		"a PNG":            {archive.HolderDocument, []byte("\x89PNG\r\n\x1a\n invented"), ""},
		"nothing":          {archive.Declaration, nil, "CSE-517"},
		"a program":        {archive.Declaration, []byte("MZ invented"), "CSE-519"},
		"a page":           {archive.Declaration, []byte("<html>%PDF-"), "CSE-519"},
		"no kind":          {"", pdf, "CSE-520"},
		"the largest":      {archive.Declaration, append([]byte("%PDF-"), make([]byte, archive.MaxSize-5)...), ""},
		"a byte too large": {archive.Declaration, append([]byte("%PDF-"), make([]byte, archive.MaxSize-4)...), "CSE-518"},
	} {
		err := b.Add(t.Context(), b.op, one, c.kind, c.file)
		if c.code != "" {
			refused(t, name, err, c.code)
		} else if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i := range archive.MaxPapers {
		err := b.Add(t.Context(), b.op, two, archive.Document, append(bytes.Clone(pdf), byte(i)))
		if err != nil {
			t.Fatal(err)
		}
	}
	refused(t, "a thirteenth", b.Add(t.Context(), b.op, two, archive.Document, pdf), "CSE-523")
}

// A person's key erased, his papers are gone, in a copy of the store too; another
// person's stay.
func TestR98_ErasingTheKeyErasesThePapers(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBench(t, db)
		hers, other := b.add(t, one, archive.Delegation, pdf), b.add(t, two, archive.Delegation, pdf)
		copied, err := db.Archive().GetPaper(t.Context(), hers)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := b.Erase(t.Context(), "system:night", ada); err != nil || n != 1 {
			t.Fatalf("%d papers, %v", n, err)
		}
		_, _, err = b.See(t.Context(), b.op, one, hers, "check")
		refused(t, "an erased paper", err, "CSE-521")
		// The body comes back from a copy: nothing opens it, the key is another.
		b.add(t, one, archive.Document, pdf)
		if err := db.Atomically(t.Context(), func(ctx context.Context) error { _, err := db.Archive().AddPaper(ctx, copied); return err }); err != nil {
			t.Fatal(err)
		}
		if _, got, err := b.See(t.Context(), b.op, one, hers, "check"); err == nil || len(got) != 0 {
			t.Errorf("a paper of before the end of the key opens: %q", got)
		}
		if _, got, err := b.See(t.Context(), b.op, two, other, "check"); err != nil || !bytes.Equal(got, pdf) {
			t.Errorf("another person's paper: %v", err)
		}
	})
}

// The night destroys each kind of paper when its own term is over, not an instant
// before and no other kind's; a person's key goes with his last paper. Both are in
// the trail under his name, and what is waited for stays waited for.
func TestR98_RetentionDestroysPapersKindByKind(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBench(t, db)
		f := archive.File{Protocol: two, Card: "6090000000000016", Office: "asl", Holder: ida}
		if err := db.Atomically(t.Context(), func(ctx context.Context) error { return b.Expect(ctx, f, archive.Declaration) }); err != nil {
			t.Fatal(err)
		}
		hers := b.add(t, one, archive.Delegation, pdf)
		b.add(t, one, archive.HolderDocument, pdf)
		row, _ := db.Archive().GetPaper(t.Context(), hers)
		b.clock.Advance(48 * time.Hour)
		young := b.add(t, two, archive.Delegation, pdf)
		night := func(k archive.Kind, before time.Time, want int64) {
			t.Helper()
			b.entries = nil
			if n, err := b.Retain(t.Context(), k, before); err != nil || n != want {
				t.Errorf("%s before %s: %d destroyed, want %d: %v", k, before, n, want, err)
			}
			if want == 0 && len(b.entries) != 0 {
				t.Errorf("nothing was destroyed, and the trail says %+v", b.entries)
			}
		}
		journaled := func(act string, papers string) {
			t.Helper()
			if len(b.entries) != 1 || b.entries[0].Act != act || b.entries[0].Person != string(ada) || b.entries[0].Actor != "system:night" || b.entries[0].Detail["papers"] != papers {
				t.Errorf("the trail says %+v, want %s of %s", b.entries, act, papers)
			}
		}
		night(archive.Delegation, monday, 0) // on the instant itself it is not over
		night(archive.Document, monday.Add(24*time.Hour), 0)
		night(archive.HolderDocument, monday.Add(24*time.Hour), 1)
		journaled("papers.destroyed", "1")
		if _, _, err := b.See(t.Context(), b.op, one, hers, "check"); err != nil {
			t.Errorf("a paper of another kind: %v", err)
		}
		night(archive.Delegation, monday.Add(24*time.Hour), 1)
		journaled("papers.erased", "1")
		night(archive.Delegation, monday.Add(24*time.Hour), 0)
		if _, err := db.Archive().Key(t.Context(), row.Person); !errors.Is(err, archive.ErrNotFound) {
			t.Errorf("the key of no paper: %v", err)
		}
		if _, _, err := b.See(t.Context(), b.op, two, young, "check"); err != nil {
			t.Errorf("a paper within its days: %v", err)
		}
		if n, err := b.Settled(t.Context(), b.clock.Now().Add(time.Hour)); err != nil || n != 0 {
			t.Errorf("%d waits forgotten that last, %v", n, err)
		}
		b.add(t, two, archive.Declaration, pdf)
		if n, err := b.Settled(t.Context(), b.clock.Now()); err != nil || n != 0 {
			t.Errorf("%d waits forgotten within their days, %v", n, err)
		}
		if n, err := b.Settled(t.Context(), b.clock.Now().Add(time.Hour)); err != nil || n != 1 {
			t.Errorf("%d waits forgotten, %v", n, err)
		}
	})
}

// A person has a copy of his own papers as they were kept, and of nobody else's;
// that he took it is in the trail before the first is given.
func TestThePersonHasACopyOfHisPapers(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBench(t, db)
		b.add(t, one, archive.Delegation, pdf)
		b.clock.Advance(time.Second)
		b.add(t, one, archive.HolderDocument, append(bytes.Clone(pdf), '2'))
		b.add(t, two, archive.Delegation, pdf)
		hers, err := b.Of(t.Context(), ada)
		if err != nil || len(hers) != 2 || hers[0].Act != one || hers[0].Kind != archive.Delegation {
			t.Fatalf("%+v, %v", hers, err)
		}
		others, err := b.Of(t.Context(), ida)
		if err != nil || len(others) != 1 {
			t.Fatalf("%+v, %v", others, err)
		}
		b.entries = nil
		var got []string
		err = b.Copy(t.Context(), ada, hers, func(h archive.Held, file []byte) error {
			if len(b.entries) != 1 || b.entries[0].Act != "papers.copied-out" || b.entries[0].Person != string(ada) || b.entries[0].Detail["papers"] != "2" {
				t.Errorf("given before the trail says so: %+v", b.entries)
			}
			got = append(got, h.Act+" "+string(h.Kind)+" "+string(file))
			return nil
		})
		if want := []string{one + " delegation " + string(pdf), one + " holder-document " + string(pdf) + "2"}; err != nil || !slices.Equal(got, want) {
			t.Errorf("%q, %v", got, err)
		}
		err = b.Copy(t.Context(), ada, others, func(archive.Held, []byte) error { t.Error("somebody else's paper was given"); return nil })
		refused(t, "somebody else's", err, "CSE-521")
		b.entries = nil
		if err := b.Copy(t.Context(), ada, nil, nil); err != nil || len(b.entries) != 0 {
			t.Errorf("a copy of nothing: %v, %+v", err, b.entries)
		}
	})
}

// An act's signed paper waits at its office until it is archived.
func TestR69_R98_ThePaperIsWaitedFor(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBench(t, db)
		f := archive.File{Protocol: one, Card: "6090000000000016", Office: "asl", Holder: ada}
		for range 2 {
			if err := db.Atomically(t.Context(), func(ctx context.Context) error { return b.Expect(ctx, f, archive.Delegation) }); err != nil {
				t.Fatal(err)
			}
		}
		waits := func(want int) {
			t.Helper()
			if list, err := b.Waiting(t.Context(), b.op); err != nil || len(list) != want {
				t.Errorf("%d wait, want %d: %v", len(list), want, err)
			}
		}
		waits(1)
		if list, _ := b.Waiting(t.Context(), staff.Operator{Office: staff.Office{ID: "urp"}}); len(list) != 0 {
			t.Error("another office waits for it")
		}
		missing := func(want ...archive.Kind) {
			t.Helper()
			got, err := b.Missing(t.Context(), b.op, one)
			if err != nil || !slices.Equal(got, want) {
				t.Errorf("missing %v, want %v: %v", got, want, err)
			}
			in, err := b.MissingIn(t.Context(), b.op, monday, monday.Add(time.Second))
			if err != nil || in[one] != len(want) || in[two] != 0 {
				t.Errorf("counted %v, want %d: %v", in, len(want), err)
			}
			if in, err := b.MissingIn(t.Context(), b.op, monday.Add(time.Second), monday.Add(time.Hour)); err != nil || len(in) != 0 {
				t.Errorf("of a later hour: %v, %v", in, err)
			}
		}
		missing(archive.Delegation)
		_, err := b.Missing(t.Context(), staff.Operator{Account: "bo"}, one)
		refused(t, "from another office", err, "CSE-145")
		b.add(t, one, archive.Document, pdf)
		waits(1)
		missing(archive.Delegation)
		b.add(t, one, archive.Delegation, pdf)
		waits(0)
		missing()
	})
}
