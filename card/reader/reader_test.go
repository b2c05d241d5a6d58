package reader_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cse.example/cse/card/reader"
	"cse.example/cse/ground/words"
)

// echo is a chip that answers every command with itself and counts resets.
type echo struct {
	resets atomic.Int32
	fail   bool
}

func (e *echo) ATR() []byte { return []byte{0x3B, 0x00} }
func (e *echo) Reset()      { e.resets.Add(1) }
func (e *echo) Transmit(apdu []byte) ([]byte, error) {
	if e.fail {
		return nil, errors.New("dead")
	}
	return append(bytes.Clone(apdu), 0x90, 0x00), nil
}

// vpcd is the reader's side of one connection.
type vpcd struct {
	t *testing.T
	net.Conn
}

func (v vpcd) send(body ...byte) {
	v.t.Helper()
	m := append(binary.BigEndian.AppendUint16(nil, uint16(len(body))), body...)
	if _, err := v.Write(m); err != nil {
		v.t.Fatal(err)
	}
}

func (v vpcd) receive() []byte {
	v.t.Helper()
	_ = v.SetReadDeadline(time.Now().Add(5 * time.Second))
	var head [2]byte
	if _, err := io.ReadFull(v, head[:]); err != nil {
		v.t.Fatal(err)
	}
	b := make([]byte, binary.BigEndian.Uint16(head[:]))
	if _, err := io.ReadFull(v, b); err != nil {
		v.t.Fatal(err)
	}
	return b
}

func TestFeedHonoursPowerAndReset(t *testing.T) {
	chip := &echo{}
	ours, theirs := net.Pipe()
	done := make(chan error, 1)
	go func() { done <- reader.Feed(context.Background(), ours, chip) }()
	v := vpcd{t, theirs}
	v.send(4)
	if got := v.receive(); !bytes.Equal(got, chip.ATR()) {
		t.Fatalf("ATR %X", got)
	}
	v.send(0x00, 0xA4, 0x00, 0x0C, 0x02, 0x3F, 0x00)
	if got, want := v.receive(), []byte{0x00, 0xA4, 0x00, 0x0C, 0x02, 0x3F, 0x00, 0x90, 0x00}; !bytes.Equal(got, want) {
		t.Fatalf("answer %X, want %X", got, want)
	}
	before := chip.resets.Load()
	for _, control := range []byte{0, 1, 2} {
		v.send(control)
	}
	v.send(4) // the answer to this comes after the three
	v.receive()
	if got := chip.resets.Load() - before; got != 3 {
		t.Fatalf("%d resets for off, on, reset; want 3", got)
	}
	theirs.Close()
	if err := <-done; err != nil {
		t.Fatalf("orderly end: %v", err)
	}
	if chip.resets.Load() != before+4 {
		t.Fatal("the chip was not reset when the card was taken out")
	}
}

func TestFeedRefusesGarbage(t *testing.T) {
	for name, message := range map[string][]byte{
		"unknown control": {0, 1, 0x77},
		"cut message":     {0, 9, 1, 2},
	} {
		t.Run(name, func(t *testing.T) {
			ours, theirs := net.Pipe()
			done := make(chan error, 1)
			go func() { done <- reader.Feed(context.Background(), ours, &echo{}) }()
			_, _ = theirs.Write(message)
			theirs.Close()
			if err := <-done; err == nil && name == "unknown control" {
				t.Fatal("accepted")
			}
		})
	}
}

func TestVirtualComesBack(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var inserted, removed atomic.Int32
	done := make(chan error, 1)
	go func() {
		done <- reader.Virtual{
			Address: l.Addr().String(), Pause: time.Millisecond,
			Inserted: func() { inserted.Add(1) }, Removed: func(error) { removed.Add(1) },
		}.Run(ctx, &echo{})
	}()
	for range 2 {
		c, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		v := vpcd{t, c}
		v.send(4)
		v.receive()
		c.Close()
	}
	c, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	vpcd{t, c}.send(4)
	vpcd{t, c}.receive()
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	if inserted.Load() < 3 || removed.Load() < 2 {
		t.Fatalf("inserted %d times, removed %d", inserted.Load(), removed.Load())
	}
}

func TestVirtualNeedsAReader(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	l.Close()
	err = reader.Virtual{Address: address}.Run(context.Background(), &echo{})
	if f := words.FaultOf(err); f == nil || f.Code != reader.CodeNoSlot {
		t.Fatalf("%v, want %s", err, reader.CodeNoSlot)
	}
}

func TestFromFileRefusesWhatIsNoCard(t *testing.T) {
	if _, err := reader.FromFile(filepath.Join(t.TempDir(), "none")); words.FaultOf(err) == nil {
		t.Fatalf("%v, want a fault", err)
	}
}

func TestMasked(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"00 20 00 10 08 31 32 33 34 35 FF FF FF", "0020001008****************"},
		{"00 20 00 10", "00200010"},
		{"00 24 00 90 02 31 32", "0024009002****"},
		{"10 2C 00 90 02 31 32", "102C009002****"},
		{"00 20 00 10 00 00 02 31 32", "0020001000********"},
		{"00 A4 08 0C 02 3F 00", "00A4080C023F00"},
	} {
		if got := reader.Masked(unhex(t, c.in)); got != c.want {
			t.Errorf("Masked(%s) = %s, want %s", c.in, got, c.want)
		}
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	var b []byte
	for _, f := range strings.Fields(s) {
		var v byte
		for _, c := range f {
			v = v<<4 | byte(strings.IndexRune("0123456789ABCDEF", c))
		}
		b = append(b, v)
	}
	return b
}

func TestCounterAndTraffic(t *testing.T) {
	var text bytes.Buffer
	n := &reader.APDUCounter{}
	c := reader.Observe(reader.Observe(reader.FromChip(&echo{}), n.See), reader.Traffic(&text))
	if _, err := c.Transmit([]byte{0x00, 0x20, 0x00, 0x10, 0x02, 0x31, 0x32}); err != nil {
		t.Fatal(err)
	}
	if got, want := n.Count(), (reader.Count{APDUs: 1, Sent: 7, Received: 9}); got != want {
		t.Fatalf("%+v, want %+v", got, want)
	}
	n.Zero()
	if got := n.Count(); got != (reader.Count{}) {
		t.Fatalf("after Zero: %+v", got)
	}
	if strings.Contains(strings.SplitN(text.String(), "\n", 2)[0], "3132") {
		t.Fatalf("the code is in the traffic:\n%s", text.String())
	}
}

// Whatever the command, a code in the data of VERIFY, CHANGE and RESET never
// shows.
func FuzzMasked(f *testing.F) {
	f.Add(byte(0x00), byte(0x20), []byte("52903"))
	f.Fuzz(func(t *testing.T, cla, ins byte, data []byte) {
		apdu := append([]byte{cla, ins, 0, 0x10, byte(len(data))}, data...)
		got := reader.Masked(apdu)
		if len(got) != 2*len(apdu) {
			t.Fatalf("%d characters for %d bytes", len(got), len(apdu))
		}
		if secret := ins == 0x20 || ins == 0x24 || ins == 0x2C; secret && strings.Trim(got[10:], "*") != "" {
			t.Fatalf("%s shows data of instruction %02X", got, ins)
		}
	})
}
