package iso7816

import "fmt"

// Split cuts a command into a chain of short APDUs of at most size data bytes
// each (1 to 255), all but the last with ClassChaining set and no Le. A command
// that fits is returned alone.
func Split(c Command, size int) ([]Command, error) {
	if size < 1 || size > MaxShortData {
		return nil, fmt.Errorf("%w: chain pieces of %d bytes", ErrAPDU, size)
	}
	c.Extended = false
	c.Le = min(c.Le, MaxShortLe)
	var out []Command
	for len(c.Data) > size {
		piece := c
		piece.CLA |= ClassChaining
		piece.Data, piece.Le = c.Data[:size:size], 0
		out = append(out, piece)
		c.Data = c.Data[size:]
	}
	return append(out, c), nil
}

// Assembler puts a chain together on the card's side. The zero Assembler
// keeps nothing and accepts nothing: set Limit, in bytes of assembled data.
type Assembler struct {
	// Limit is the most data a chain may carry.
	Limit int
	open  bool
	head  Command
	data  []byte
}

// Add takes the next command. When it ends a chain, or stands alone, done is
// true and whole is the command to run, without the chaining bit. When done is
// false the card answers sw and waits. A command with another header drops the
// open chain and is taken by itself, as a reader that was interrupted expects.
func (a *Assembler) Add(c Command) (whole Command, done bool, sw SW) {
	more := c.CLA&ClassChaining != 0
	c.CLA &^= ClassChaining
	if a.open && !sameHeader(a.head, c) {
		a.Reset()
	}
	if !more && !a.open {
		return c, true, OK
	}
	if len(a.data)+len(c.Data) > a.Limit {
		a.Reset()
		return Command{}, false, WrongLength
	}
	a.data = append(a.data, c.Data...)
	if more {
		a.open, a.head = true, c
		return Command{}, false, OK
	}
	c.Data = append([]byte(nil), a.data...)
	a.Reset()
	return c, true, OK
}

// Reset forgets an open chain and overwrites what it held.
func (a *Assembler) Reset() {
	clear(a.data)
	a.open, a.head, a.data = false, Command{}, a.data[:0]
}

func sameHeader(a, b Command) bool {
	return a.CLA == b.CLA && a.INS == b.INS && a.P1 == b.P1 && a.P2 == b.P2
}
