// Package room keeps virtual cards in virtual readers: a PC/SC service of its
// own (pcscd) with one reader of vsmartcard (vpcd) for each card, for as long as
// nobody stops it.
//
// vpcd listens on all addresses without asking who connects. Here it does so in
// a network of its own that nothing but the room is in (Linux network
// namespace); what comes out is the service's Unix socket, in a folder of the
// person who started the room. Programs reach it with PCSCLITE_CSOCK_NAME, and
// keep the network they had. No right of root is needed where the kernel lets
// people make namespaces.
//
// Refused: systems without such namespaces and machines without pcscd or vpcd
// (CSE-838), a second room in the same folder (CSE-839).
package room

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"cse.example/cse/card/reader"
	"cse.example/cse/ground/words"
)

// Card is a chip file to be put into a reader.
type Card struct {
	File string `json:"file"`
	// Reader is the reader's name as PC/SC tells it.
	Reader string `json:"reader"`
	// PowerCut is the write of the image at which the power goes; 0 never.
	PowerCut int `json:"power_cut,omitempty"`
	// Inserted, and Lost once the power went.
	Inserted bool `json:"inserted"`
	Lost     bool `json:"power_lost,omitempty"`
}

// State is a room as others see it.
type State struct {
	PID    int    `json:"pid"`
	Socket string `json:"socket"`
	Cards  []Card `json:"cards"`
	// Problem is why the room ended before it was ready.
	Problem string `json:"problem,omitempty"`
}

// Folder is where a person's room is: below his runtime folder, since a socket's
// path must be short.
func Folder(getenv func(string) string) string {
	if dir := getenv("XDG_RUNTIME_DIR"); dir != "" {
		return filepath.Join(dir, "cse-virtual")
	}
	return filepath.Join(os.TempDir(), "cse-virtual-"+strconv.Itoa(os.Getuid()))
}

func stateFile(dir string) string { return filepath.Join(dir, "state.json") }

// Socket is the service's socket in a room's folder.
func Socket(dir string) string { return filepath.Join(dir, "pcscd", "pcscd.comm") }

func load(dir string) (s State, err error) {
	b, err := os.ReadFile(stateFile(dir))
	if err != nil {
		return State{}, err
	}
	return s, json.Unmarshal(b, &s)
}

func (s State) save(dir string) error {
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	fresh := stateFile(dir) + ".new"
	return errors.Join(os.WriteFile(fresh, b, 0o600), os.Rename(fresh, stateFile(dir)))
}

// pcscd has sixteen places, and vpcd gives every reader two: up to eight cards
// have a reader each, more share one by two.
const (
	places  = 16
	slotOne = " 00 00" // as pcscd writes behind the name: readers of that name, slot
	slotTwo = " 00 01"
)

func step(cards int) int {
	if cards > places/2 {
		return 2
	}
	return 1
}

// Name gives the cards readers with names of their own, made from what of says
// of each file. More than sixteen are refused (CSE-842).
func Name(cards []Card, of func(file string) string) error {
	if len(cards) > places {
		return words.Refuse("CSE-842", fmt.Sprintf("%d > %d", len(cards), places))
	}
	seen := map[string]int{}
	one := func(i int) string {
		return strings.Map(func(r rune) rune {
			if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' {
				return r
			}
			return '_'
		}, of(cards[i].File))
	}
	for i := 0; i < len(cards); i += step(len(cards)) {
		name := "CSE " + one(i)
		pair := step(len(cards)) == 2 && i+1 < len(cards)
		if pair {
			name += " " + one(i+1)
		}
		name = name[:min(len(name), 50)]
		if seen[name]++; seen[name] > 1 {
			name += " " + strconv.Itoa(seen[name])
		}
		if cards[i].Reader = name + slotOne; pair {
			cards[i+1].Reader = name + slotTwo
		}
	}
	return nil
}

// Chip is a card that can be put into a reader and let go.
type Chip interface {
	reader.Chip
	Close() error
}
