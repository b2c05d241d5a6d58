package iso7816

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestCommandCases(t *testing.T) {
	long := bytes.Repeat([]byte{0xAB}, 257)
	for _, x := range []struct {
		name, hex string
		want      Command
	}{
		{"case 1", "00A40300", Command{INS: 0xA4, P1: 3}},
		{"case 2 short", "00B0000110", Command{INS: 0xB0, P2: 1, Le: 16}},
		{"case 2 short, all", "00B0000000", Command{INS: 0xB0, Le: 256}},
		{"case 3 short", "00A4000C023F00", Command{INS: 0xA4, P2: 0x0C, Data: []byte{0x3F, 0}}},
		{"case 4 short", "00A40000023F0000", Command{INS: 0xA4, Data: []byte{0x3F, 0}, Le: 256}},
		{"case 2 extended", "00B00000000101", Command{INS: 0xB0, Le: 257, Extended: true}},
		{"case 2 extended, all", "00B00000000000", Command{INS: 0xB0, Le: 65536, Extended: true}},
		{"case 3 extended", "002A8086 000101" + hex.EncodeToString(long), Command{INS: 0x2A, P1: 0x80, P2: 0x86, Data: long, Extended: true}},
		{"case 4 extended", "002A8086 000101" + hex.EncodeToString(long) + "0100", Command{INS: 0x2A, P1: 0x80, P2: 0x86, Data: long, Le: 256, Extended: true}},
		{"case 4 extended, small", "00A40000 000002 3F00 0000", Command{INS: 0xA4, Data: []byte{0x3F, 0}, Le: 65536, Extended: true}},
	} {
		t.Run(x.name, func(t *testing.T) {
			raw := unhex(t, x.hex)
			got, err := ParseCommand(raw)
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(x.want, got); d != "" {
				t.Fatal(d)
			}
			back, err := got.Bytes()
			if err != nil || !bytes.Equal(back, raw) {
				t.Fatalf("got % X (%v), want % X", back, err, raw)
			}
		})
	}
}

func TestCommandRefusals(t *testing.T) {
	for _, s := range []string{"", "00", "00A400", "00A40000023F", "00A40000023F000000", "00A400000000", "00B0000000000000", "00A400000000020102030405"} {
		if got, err := ParseCommand(unhex(t, s)); !errors.Is(err, ErrAPDU) {
			t.Errorf("%s: got %+v, %v", s, got, err)
		}
	}
	for _, c := range []Command{{Data: make([]byte, 65536)}, {Le: 65537}, {Le: -1}} {
		if _, err := c.Bytes(); !errors.Is(err, ErrAPDU) {
			t.Errorf("%v was written", c)
		}
	}
}

func TestLongDataBecomesExtended(t *testing.T) {
	b, err := Command{INS: 0x2A, Data: make([]byte, 257), Le: 256}.Bytes()
	if err != nil || b[4] != 0 || len(b) != 4+3+257+2 {
		t.Fatalf("% X, %v", b[:7], err)
	}
}

func TestStringHidesTheData(t *testing.T) {
	if s := (Command{INS: 0x20, Data: []byte("73915")}).String(); strings.Contains(s, "73915") || strings.Contains(s, "37 33") {
		t.Fatal(s)
	}
}

func TestResponse(t *testing.T) {
	got, err := ParseResponse(unhex(t, "010263C2"))
	if err != nil || got.SW != Tries(2) || !bytes.Equal(got.Data, []byte{1, 2}) {
		t.Fatalf("%+v, %v", got, err)
	}
	if !bytes.Equal(got.Bytes(), unhex(t, "010263C2")) {
		t.Fatal("round trip")
	}
	if _, err := ParseResponse([]byte{0x90}); !errors.Is(err, ErrAPDU) {
		t.Fatal("one byte was a response")
	}
}

func TestStatusWords(t *testing.T) {
	if n, ok := SW(0x63C1).TriesLeft(); !ok || n != 1 {
		t.Fatal(n, ok)
	}
	if _, ok := SW(0x6300).TriesLeft(); ok {
		t.Fatal("6300 counts tries")
	}
	var sw SW
	if err := error(FileNotFound); !errors.As(err, &sw) || !strings.Contains(err.Error(), "6A82 file or application not found") {
		t.Fatal(err)
	}
	if !OK.OK() || FileNotFound.OK() || SW(0x1234).Meaning() != "unknown status word" || !strings.Contains(Tries(2).Meaning(), "2 tries") {
		t.Fatal("meanings")
	}
}

func TestSplitAndAssemble(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := Command{INS: 0x2A, P1: 0x80, P2: 0x86, Data: rapid.SliceOfN(rapid.Byte(), 0, 600).Draw(t, "data"), Le: 256}
		pieces, err := Split(c, rapid.IntRange(1, 255).Draw(t, "size"))
		if err != nil {
			t.Fatal(err)
		}
		a := Assembler{Limit: 600}
		for i, p := range pieces {
			last := i == len(pieces)-1
			if (p.CLA&ClassChaining == 0) != last || (p.Le != 0) != last || len(p.Data) == 0 && len(pieces) > 1 {
				t.Fatalf("piece %d of %d: %v", i, len(pieces), p)
			}
			whole, done, sw := a.Add(p)
			if done != last || sw != OK {
				t.Fatal(done, sw)
			}
			if done && (!bytes.Equal(whole.Data, c.Data) || whole.CLA != 0 || whole.Le != 256) {
				t.Fatalf("got %v", whole)
			}
		}
	})
}

func TestAssemblerInterruptedAndFull(t *testing.T) {
	a := Assembler{Limit: 10}
	link := Command{CLA: 0x10, INS: 0x2A, Data: []byte("abcdef")}
	other := Command{INS: 0xB0, Le: 1}
	if _, done, sw := a.Add(link); done || sw != OK {
		t.Fatal("first link")
	}
	if got, done, _ := a.Add(other); !done || got.INS != 0xB0 || len(got.Data) != 0 {
		t.Fatalf("an interrupting command got %v", got)
	}
	if got, done, _ := a.Add(Command{INS: 0x2A, Data: []byte("x")}); !done || string(got.Data) != "x" {
		t.Fatalf("the chain survived the interruption: %q", got.Data)
	}
	a.Add(link)
	if _, done, sw := a.Add(link); done || sw != WrongLength {
		t.Fatal("12 bytes of 10 were taken", sw)
	}
	if got, done, _ := a.Add(Command{INS: 0x2A, Data: []byte("y")}); !done || string(got.Data) != "y" {
		t.Fatalf("the full chain left something: %q", got.Data)
	}
	if _, err := Split(link, 0); !errors.Is(err, ErrAPDU) {
		t.Fatal("pieces of nothing")
	}
}

func FuzzCommand(f *testing.F) {
	for _, s := range []string{"00A40300", "00B0000110", "00A40000023F0000", "00B00000000101", "002A8086000003010203", "00A400000000023F000000"} {
		f.Add(unhex(f, s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c, err := ParseCommand(b)
		if err != nil {
			if !errors.Is(err, ErrAPDU) {
				t.Fatal(err)
			}
			return
		}
		back, err := c.Bytes()
		if err != nil || !bytes.Equal(back, b) {
			t.Fatalf("% X became % X (%v)", b, back, err)
		}
	})
}
