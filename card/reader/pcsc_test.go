package reader

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/ElMostafaIdrassi/goscard"

	"cse.example/cse/ground/words"
)

// The binding writes every APDU to the standard output it found when the
// process began, so the test looks at a process of its own: once with the
// binding's own logger, to prove that a trace would be seen, once with ours.
func TestBindingIsSilent(t *testing.T) {
	if which := os.Getenv("CSE_READER_LOGGER"); which != "" {
		speak(which)
		return
	}
	const pin = "3532393033" // the digits 52903 in the APDU of speak
	if out := child(t, "own"); !strings.Contains(out, pin) {
		t.Fatalf("the control did not print: this test proves nothing\n%s", out)
	}
	if out := child(t, "silent"); strings.Contains(out, pin) || strings.Contains(out, "Transmit") || strings.Contains(out, "0020") {
		t.Fatalf("the binding printed\n%s", out)
	}
}

// speak sends a VERIFY through the binding; without a card it fails, and logs.
func speak(which string) {
	if which == "own" {
		_ = goscard.Initialize(nil)
	} else {
		_ = library()
	}
	s := &session{}
	_, _ = s.Transmit([]byte{0x00, 0x20, 0x00, 0x10, 0x08, 0x35, 0x32, 0x39, 0x30, 0x33, 0xFF, 0xFF, 0xFF})
}

// child runs this test in a process of its own and returns all it printed.
func child(t *testing.T, which string) string {
	t.Helper()
	c := exec.Command(os.Args[0], "-test.run=^TestBindingIsSilent$")
	c.Env = append(os.Environ(), "CSE_READER_LOGGER="+which)
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return string(out)
}

func TestFailure(t *testing.T) {
	some := errors.New("scard failure")
	for _, c := range []struct {
		ret  uint32
		code string
		is   error
	}{
		{pcscNoService, CodeNoService, nil},
		{pcscServiceStopped, CodeNoService, nil},
		{pcscNoReaders, CodeNoReader, nil},
		{pcscReaderGone, CodeNoReader, nil},
		{pcscNoSmartcard, CodeNoCard, nil},
		{pcscRemoved, CodeNoCard, ErrRemoved},
		{pcscUnresponsive, CodeMute, nil},
		{pcscSharing, CodeInUse, nil},
		{pcscReset, "", ErrReset},
		{0x8010001F, "", nil},
	} {
		err := failure(c.ret, some)
		got := ""
		if f := words.FaultOf(err); f != nil {
			got = f.Code
		}
		if got != c.code || !errors.Is(err, some) || (c.is != nil && !errors.Is(err, c.is)) {
			t.Errorf("%08X: %v, want code %q and %v", c.ret, err, c.code, c.is)
		}
	}
}

func TestRank(t *testing.T) {
	known := func(atr []byte) bool { return len(atr) == 1 }
	order := []Slot{{}, {Present: true, Mute: true}, {Present: true, ATR: []byte{1, 2}}, {Present: true, ATR: []byte{1}}}
	for i, s := range order {
		if got := rank(s, known); got != i {
			t.Errorf("%+v: %d, want %d", s, got, i)
		}
	}
}
