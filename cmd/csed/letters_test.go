package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"cse.example/cse/ground/effect"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
)

// The mail process lays a letter with second halves in the print queue of the
// other office: whole, for that office's eyes, once; off unless configured.
func TestR74_ALetterLiesInTheOtherOfficesQueue(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	if p := r.open(t, Options{}, "print"); p.handlers[counter.KindPrintLetter] != nil {
		t.Error("the printing process would open second halves")
	}
	r.config.NoEmail = NoEmail{How: "letter", Office: "comune", Spool: "letters"}
	p := r.open(t, Options{}, "mail")
	handle := p.handlers[counter.KindPrintLetter]
	if handle == nil {
		t.Fatal("nobody prints letters")
	}
	body, err := json.Marshal(counter.Letter{
		Protocol: "2026/0000001", Card: r.active, Office: "comune", To: "MARIO ROSSI", Address: "VIA DEI TEST 1", PostCode: "50100", Place: "D612", Lang: words.Italian,
	})
	check(t, err)
	e := effect.Effect{Key: counter.LetterKey("2026/0000001"), Kind: counter.KindPrintLetter, Card: r.active, Body: body}
	check(t, handle(t.Context(), e, 1))
	path := filepath.Join(r.config.Data, "letters", "comune", "2026-0000001.pdf")
	fi, err := os.Stat(path)
	check(t, err)
	if fi.Mode().Perm() != 0o600 || fi.Size() < 1000 {
		t.Errorf("the letter: %v, %d bytes", fi.Mode(), fi.Size())
	}
	check(t, handle(t.Context(), e, 2))
	files, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(files) != 1 {
		t.Errorf("%d files, %v", len(files), err)
	}
}
