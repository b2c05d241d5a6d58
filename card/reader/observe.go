package reader

import (
	"fmt"
	"io"
	"sync/atomic"
)

// Observer sees one exchange. It must not keep the slices.
type Observer func(command, response []byte)

// Observe shows every exchange of c to see.
func Observe(c Card, see Observer) Card { return &observed{Card: c, see: see} }

type observed struct {
	Card
	see Observer
}

// Transmit implements Card.
func (o *observed) Transmit(apdu []byte) ([]byte, error) {
	r, err := o.Card.Transmit(apdu)
	o.see(apdu, r)
	return r, err
}

// ObserveChip shows every exchange of c to see, for chips in a virtual reader.
func ObserveChip(c Chip, see Observer) Chip { return &observedChip{Chip: c, see: see} }

type observedChip struct {
	Chip
	see Observer
}

// Transmit implements Chip.
func (o *observedChip) Transmit(apdu []byte) ([]byte, error) {
	r, err := o.Chip.Transmit(apdu)
	o.see(apdu, r)
	return r, err
}

// APDUCounter counts exchanges and their bytes each way. Its See is an
// Observer; reading it while others count is safe.
type APDUCounter struct{ apdus, sent, received atomic.Int64 }

// See implements Observer.
func (n *APDUCounter) See(command, response []byte) {
	n.apdus.Add(1)
	n.sent.Add(int64(len(command)))
	n.received.Add(int64(len(response)))
}

// Count is what an APDUCounter has seen: exchanges, command bytes, answer bytes.
type Count struct{ APDUs, Sent, Received int64 }

// Count reads the counter.
func (n *APDUCounter) Count() Count {
	return Count{APDUs: n.apdus.Load(), Sent: n.sent.Load(), Received: n.received.Load()}
}

// Zero starts again from zero.
func (n *APDUCounter) Zero() { n.apdus.Store(0); n.sent.Store(0); n.received.Store(0) }

// MaxAnswer passes on what the card below can take.
func (o *observed) MaxAnswer() int { return MaxAnswer(o.Card) }

// Part passes on to the card below.
func (o *observed) Part(verified bool) error { return Part(o.Card, verified) }

// Traffic writes each exchange to w, one line each way, with codes masked.
func Traffic(w io.Writer) Observer {
	return func(command, response []byte) {
		fmt.Fprintf(w, "> %s\n< %X\n", Masked(command), response)
	}
}

// secretINS are the instructions whose data are codes or keys: VERIFY, CHANGE
// REFERENCE DATA, RESET RETRY COUNTER, EXTERNAL AUTHENTICATE, PUT DATA (objects).
var secretINS = map[byte]bool{0x20: true, 0x21: true, 0x24: true, 0x25: true, 0x2C: true, 0x2D: true, 0x82: true, 0xDA: true, 0xDB: true}

// Masked is the hexadecimal text of a command APDU in which the data of the
// instructions that carry codes are stars, two per byte. What it cannot parse
// it masks.
func Masked(command []byte) string {
	if len(command) <= 5 || !secretINS[command[1]] {
		return fmt.Sprintf("%X", command)
	}
	b := []byte(fmt.Sprintf("%X", command))
	for i := 10; i < len(b); i++ {
		b[i] = '*'
	}
	return string(b)
}
