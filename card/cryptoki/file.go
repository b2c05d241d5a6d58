package cryptoki

import (
	"os"
	"time"

	"cse.example/cse/card/chip"
	"cse.example/cse/card/reader"
)

// File is one reader whose card is a chip file, for programs and tests without
// a PC/SC service. The card is "in" while the file is there.
func File(path string) Readers { return &file{path: path, wake: make(chan struct{})} }

type file struct {
	path string
	wake chan struct{}
}

// Slots implements Readers.
func (f *file) Slots() ([]reader.Slot, error) {
	s := reader.Slot{Name: "CSE " + f.path}
	if _, err := os.Stat(f.path); err != nil {
		return []reader.Slot{s}, nil
	}
	c, err := chip.OpenReadOnly(f.path)
	if err != nil {
		s.Present, s.Mute = true, true
		return []reader.Slot{s}, nil
	}
	defer c.Close()
	s.Present, s.ATR = true, c.ATR()
	return []reader.Slot{s}, nil
}

// Connect implements Readers.
func (f *file) Connect(reader.Slot) (reader.Card, error) { return reader.FromFile(f.path) }

// Wait implements Readers.
func (f *file) Wait([]reader.Slot) error {
	select {
	case <-f.wake:
	case <-time.After(longestWait / 4):
	}
	return nil
}

// Wake implements Readers.
func (f *file) Wake() { close(f.wake) }

// Close implements Readers.
func (f *file) Close() error { return nil }
