package virtualcard

import (
	"errors"
	"sync"

	"cse.example/cse/card/chip"
)

// Cut makes the option that cuts the power at the n-th write of the image from
// now on: half of the new image is on the disk, beside the old one.
func Cut(n int) chip.Option {
	return chip.WithPowerCut(func(write int) chip.Cut {
		if write == n {
			return chip.CutTorn
		}
		return chip.CutNone
	})
}

// Inserted is a chip file in a virtual reader. With a power cut planned, the
// card falls silent in the middle of that write, as one pulled out does, and is
// a live card again, opened from what the disk holds, when the reader gives it
// power the next time.
type Inserted struct {
	path string
	Lost func() // told when the power went; may be nil

	mu   sync.Mutex
	chip *chip.Chip
}

// Insert opens the chip file at path, with the power cut at write n of the
// image; 0 for never. Faults are those of chip.Open.
func Insert(path string, n int) (*Inserted, error) {
	var options []chip.Option
	if n > 0 {
		options = append(options, Cut(n))
	}
	c, err := chip.Open(path, options...)
	if err != nil {
		return nil, err
	}
	return &Inserted{path: path, chip: c}, nil
}

// ATR implements reader.Chip.
func (i *Inserted) ATR() []byte {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.chip.ATR()
}

// Reset implements reader.Chip.
func (i *Inserted) Reset() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.chip.Reset()
}

// Transmit implements reader.Chip. A card without power answers nothing: the
// error takes it out of the reader, and the power is back when it returns.
func (i *Inserted) Transmit(apdu []byte) ([]byte, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	answer, err := i.chip.Transmit(apdu)
	if !errors.Is(err, chip.ErrPowerLost) {
		return answer, err
	}
	err = errors.Join(err, i.chip.Close())
	fresh, again := chip.Open(i.path)
	if again != nil {
		return nil, errors.Join(err, again)
	}
	i.chip = fresh
	if i.Lost != nil {
		i.Lost()
	}
	return nil, err
}

// Close lets the card go.
func (i *Inserted) Close() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.chip.Close()
}
