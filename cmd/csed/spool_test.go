package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"cse.example/cse/engine/queue"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/effect"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/staff"
)

// fullDisk names, to this test started again, the data folder on which the disk is full.
const fullDisk = "CSE_TEST_FULL_DISK"

// The disk of the letters' spool is full in the middle of a letter: no half
// letter lies there for the office to take, the letter stays in the queue, and is
// laid once when there is room again. The full disk is a limit on the size of
// files, in a process of its own.
func TestFaultTheSpoolIsFullInTheMiddleOfALetter(t *testing.T) {
	if data := os.Getenv(fullDisk); data != "" {
		layOnAFullDisk(t, data)
		return
	}
	t.Parallel()
	r := newRegion(t)
	r.config.NoEmail = NoEmail{How: "letter", Office: "comune", Spool: "letters"}
	p := r.open(t, Options{Duties: []string{}}, "mail")
	ctx, key := t.Context(), counter.LetterKey("2026/0000001")
	body, err := json.Marshal(counter.Letter{
		Protocol: "2026/0000001", Card: r.active, Office: "comune", To: "MARIO ROSSI", Address: "VIA DEI TEST 1", PostCode: "50100", Place: "D612", Lang: words.Italian,
	})
	check(t, err)
	check(t, p.db.Atomically(ctx, func(ctx context.Context) error {
		return p.queue.Enqueue(ctx, effect.Effect{Key: key, Kind: counter.KindPrintLetter, Card: r.active, Body: body})
	}))
	self, err := os.Executable()
	check(t, err)
	for range 2 {
		cmd := exec.CommandContext(ctx, self, "-test.run", "^"+t.Name()+"$")
		cmd.Env = append(os.Environ(), fullDisk+"="+r.config.Data)
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if files := laid(t, r); len(files) != 0 {
			t.Fatalf("in the spool of a full disk: %v", files)
		}
	}
	if item, err := p.queue.Get(ctx, key); err != nil || item.State != queue.Pending || item.Attempts != 2 || item.LastError == "" {
		t.Fatalf("the letter: %+v, %v", item, err)
	}
	r.clock.Advance(time.Hour)
	for range 2 {
		work(t, p)
	}
	if files := laid(t, r); !slices.Equal(files, []string{"2026-0000001.pdf"}) {
		t.Errorf("the spool: %v", files)
	}
	fi, err := os.Stat(filepath.Join(spoolOf(r), "2026-0000001.pdf"))
	if err != nil || fi.Size() < 1000 {
		t.Errorf("the letter: %v, %v", fi, err)
	}
}

// layOnAFullDisk is the mail process: files end after 500 bytes while a letter is
// laid, and only then, so that the queue can write down what happened.
func layOnAFullDisk(t *testing.T, data string) {
	c := defaults()
	c.Data, c.Roles = data, []string{"mail"}
	c.Counters = []staff.Office{{ID: "comune", Type: staff.Comune, Name: "Comune di prova", Comune: "D612"}}
	c.NoEmail = NoEmail{How: "letter", Office: "comune", Spool: "letters"}
	c.settle()
	p, err := Open(t.Context(), c, Options{Clock: civil.NewHand(noon.Add(time.Minute)), Log: slog.New(slog.DiscardHandler), Duties: []string{}})
	check(t, err)
	defer func() { check(t, p.Close()) }()
	err = p.queue.Do(t.Context(), counter.LetterKey("2026/0000001"), func(ctx context.Context, e effect.Effect, attempt int) error {
		var was syscall.Rlimit
		check(t, syscall.Getrlimit(syscall.RLIMIT_FSIZE, &was))
		check(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 500, Max: was.Max}))
		defer func() { check(t, syscall.Setrlimit(syscall.RLIMIT_FSIZE, &was)) }()
		return p.layLetter(ctx, e, attempt)
	})
	if !errors.Is(err, syscall.EFBIG) {
		t.Errorf("on a full disk: %v", err)
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
