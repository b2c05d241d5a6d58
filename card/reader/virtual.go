package reader

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"cse.example/cse/ground/words"
)

// VPCDAddress is where vpcd listens by default.
const VPCDAddress = "127.0.0.1:35963"

// Controls of the vpcd protocol: the one-byte messages of the reader.
const (
	vpcdPowerOff = 0x00
	vpcdPowerOn  = 0x01
	vpcdReset    = 0x02
	vpcdATR      = 0x04
)

// Virtual inserts a chip into a virtual reader (vpcd) and keeps it there.
type Virtual struct {
	// Address of vpcd, host:port.
	Address string
	// Dial connects; nil means TCP.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// Inserted is told when the card is in; Removed when the connection ended
	// and why. Both may be nil.
	Inserted func()
	Removed  func(err error)
	// Pause before another connection; zero means one second.
	Pause time.Duration
}

// Run feeds chip until ctx ends, connecting again whenever vpcd goes away. The
// first connection must succeed: else CSE-220. It returns nil when ctx ends.
func (v Virtual) Run(ctx context.Context, chip Chip) error {
	dial := v.Dial
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	for first := true; ; first = false {
		conn, err := dial(ctx, "tcp", v.Address)
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && first:
			return words.Refuse(CodeNoSlot, v.Address).Because(err)
		case err == nil:
			v.hold(ctx, conn, chip)
		}
		if !sleep(ctx, v.Pause) {
			return nil
		}
	}
}

// hold serves one connection and tells the callbacks.
func (v Virtual) hold(ctx context.Context, conn net.Conn, chip Chip) {
	if v.Inserted != nil {
		v.Inserted()
	}
	err := Feed(ctx, conn, chip)
	if v.Removed != nil {
		v.Removed(err)
	}
}

func sleep(ctx context.Context, d time.Duration) bool {
	if d == 0 {
		d = time.Second
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// Feed answers one vpcd connection from chip until it ends or ctx does, then
// closes it: to the reader's eyes the card is removed. Power on, power off and
// reset all reset the chip. It returns nil at an orderly end.
func Feed(ctx context.Context, conn net.Conn, chip Chip) error {
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	defer conn.Close()
	defer chip.Reset()
	chip.Reset()
	for {
		acknowledge(conn)
		message, err := receive(conn)
		if err == nil && len(message) > 0 {
			err = answer(conn, chip, message)
		}
		switch {
		case err == nil:
		case ctx.Err() != nil, errors.Is(err, io.EOF):
			return nil
		default:
			return err
		}
	}
}

// answer does what one message of the reader asks.
func answer(conn net.Conn, chip Chip, message []byte) error {
	if len(message) > 1 {
		response, err := chip.Transmit(message)
		if err != nil {
			return fmt.Errorf("chip: %w", err)
		}
		return send(conn, response)
	}
	switch message[0] {
	case vpcdPowerOff, vpcdPowerOn, vpcdReset:
		chip.Reset()
		return nil
	case vpcdATR:
		return send(conn, chip.ATR())
	default:
		return fmt.Errorf("vpcd: unknown control %02X", message[0])
	}
}

// receive reads one message: two bytes of length, big-endian, and the body.
func receive(r io.Reader) ([]byte, error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, fmt.Errorf("vpcd: %w", err)
	}
	body := make([]byte, binary.BigEndian.Uint16(head[:]))
	if _, err := io.ReadFull(r, body); err != nil {
		return nil, fmt.Errorf("vpcd: cut message: %w", err)
	}
	return body, nil
}

// send writes one message in one piece.
func send(w io.Writer, body []byte) error {
	if len(body) > 0xFFFF {
		return fmt.Errorf("vpcd: answer of %d bytes", len(body))
	}
	m := binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(body)), uint16(len(body)))
	_, err := w.Write(append(m, body...))
	return err
}
