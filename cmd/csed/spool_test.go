package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"cse.example/cse/engine/queue"
	"cse.example/cse/ground/effect"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
)

// The disk of the letters' spool is full in the middle of a letter: no half
// letter lies there for the office to take, the letter stays in the queue, and is
// laid once when there is room again. Not parallel: the limit is the process's.
func TestFaultTheSpoolIsFullInTheMiddleOfALetter(t *testing.T) {
	r := newRegion(t)
	r.config.NoEmail = NoEmail{How: "letter", Office: "comune", Spool: "letters"}
	p := r.open(t, Options{}, "mail")
	ctx, key := t.Context(), counter.LetterKey("2026/0000001")
	body, err := json.Marshal(counter.Letter{
		Protocol: "2026/0000001", Card: r.active, Office: "comune", To: "MARIO ROSSI", Address: "VIA DEI TEST 1", PostCode: "50100", Place: "D612", Lang: words.Italian,
	})
	check(t, err)
	check(t, p.db.Atomically(ctx, func(ctx context.Context) error {
		return p.queue.Enqueue(ctx, effect.Effect{Key: key, Kind: counter.KindPrintLetter, Card: r.active, Body: body})
	}))
	full := true
	handlers := map[string]effect.Handler{counter.KindPrintLetter: func(ctx context.Context, e effect.Effect, attempt int) error {
		if !full {
			return p.layLetter(ctx, e, attempt)
		}
		var was syscall.Rlimit
		check(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was))
		check(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 500, Max: was.Max}))
		defer func() { check(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was)) }()
		return p.layLetter(ctx, e, attempt)
	}}
	for range 3 {
		if _, err := p.queue.RunOnce(ctx, handlers); err != nil {
			t.Fatal(err)
		}
		if files := laid(t, r); len(files) != 0 {
			t.Fatalf("in the spool of a full disk: %v", files)
		}
		r.clock.Advance(11 * time.Minute)
	}
	if item, err := p.queue.Get(ctx, key); err != nil || item.State != queue.Pending || item.Attempts != 3 {
		t.Fatalf("the letter: %+v, %v", item, err)
	}
	full = false
	for range 2 {
		if _, err := p.queue.RunOnce(ctx, handlers); err != nil {
			t.Fatal(err)
		}
		r.clock.Advance(11 * time.Minute)
	}
	if files := laid(t, r); !slices.Equal(files, []string{"2026-0000001.pdf"}) {
		t.Errorf("the spool: %v", files)
	}
	fi, err := os.Stat(spoolOf(r) + "/2026-0000001.pdf")
	if err != nil || fi.Size() < 1000 {
		t.Errorf("the letter: %v, %v", fi, err)
	}
}

// spoolOf is the print queue of the office that posts letters.
func spoolOf(r *region) string { return filepath.Join(r.config.Data, "letters", "comune") }

// laid are the files in the letters' spool.
func laid(t *testing.T, r *region) (out []string) {
	t.Helper()
	list, err := os.ReadDir(spoolOf(r))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	for _, e := range list {
		out = append(out, e.Name())
	}
	return out
}
