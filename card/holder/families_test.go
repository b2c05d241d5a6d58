package holder

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"cse.example/cse/card/cns"
	"cse.example/cse/card/reader"
)

// The table of families in docs/doctor.md is the program's, line by line.
func TestFamiliesAreDocumented(t *testing.T) {
	b, err := os.ReadFile(filepath.Join("..", "..", "docs", "doctor.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, table, found := strings.Cut(string(b), "| H3 H4 H5 H6 | family | state | tries |\n| --- | --- | --- | --- |\n")
	table, _, _ = strings.Cut(table, "\n\n")
	if !found {
		t.Fatal("docs/doctor.md has no table of families")
	}
	var want []string
	for _, f := range Families() {
		tries := "no"
		if f.Tries {
			tries = "yes"
		}
		want = append(want, "| "+f.Bytes+" | "+f.Name+" | "+string(f.Tested)+" | "+tries+" |")
	}
	if got := strings.TrimSpace(table); got != strings.Join(want, "\n") {
		t.Errorf("docs/doctor.md has\n%s\nthe program\n%s", got, strings.Join(want, "\n"))
	}
}

func TestStrangers(t *testing.T) {
	for atr, want := range map[string]bool{
		"\x3B\x80\x80\x01\x01": true, "\x3B\x8B\x80\x01\x00\x31\xC1\x64\x08\x60\x32\x1F\x00\x90\x00": true,
		"\x3B\x80\x80\x01\x01\x00": false, "\x3B\x65\x00\x00": false, "": false,
	} {
		if got := Contactless([]byte(atr)); got != want {
			t.Errorf("% X: %v", atr, got)
		}
	}
	if m, ok := MaskOf(hpc()); !ok || !m.Professional {
		t.Errorf("a professional's card is %+v, %v", m, ok)
	}
	if m, ok := MaskOf(cns.Neutral().ATR); !ok || m.Professional {
		t.Errorf("a citizen's card is %+v, %v", m, ok)
	}
	if HasCNSFiles(reader.FromChip(dumb{})) {
		t.Error("a card that knows nothing has a CNS's files")
	}
}

// hpc is the professional card of card.md section 1.
func hpc() []byte {
	return []byte("\x3B\xFF\x18\x00\x00\x81\x31\xFE\x45\x00\x6B\x04\x05\x01\x00\x01\x12\x02HPC\x10\x31\x80\x6C")
}

type dumb struct{}

func (dumb) ATR() []byte                     { return []byte{0x3B, 0x00} }
func (dumb) Reset()                          {}
func (dumb) Transmit([]byte) ([]byte, error) { return []byte{0x6D, 0x00}, nil }
