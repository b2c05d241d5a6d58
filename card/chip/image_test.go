package chip_test

import (
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"cse.example/cse/card/chip"
	"cse.example/cse/card/chip/chiptest"
	"cse.example/cse/card/cns"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
)

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func writeFile(t testing.TB, path string, b []byte) {
	t.Helper()
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func wantFault(t *testing.T, what string, err error, code string) {
	t.Helper()
	f := words.FaultOf(err)
	if f == nil || f.Code != code {
		t.Errorf("%s: got %v, want %s", what, err, code)
		return
	}
	for _, lang := range []words.Lang{words.Italian, words.English} {
		if s := f.Sentence(lang); strings.Contains(s, "%!") || f.Next(lang) == "" {
			t.Errorf("%s: %q, next %q", what, s, f.Next(lang))
		}
	}
}

func TestOneOpener(t *testing.T) {
	c, made := open(t, cns.Neutral())
	_, err := chip.Open(made.Path)
	var locked *chip.LockedError
	if !errors.As(err, &locked) || locked.PID != os.Getpid() || locked.Program == "" {
		t.Fatalf("got %v", err)
	}
	wantFault(t, "locked", err, "CSE-240")
	if _, err := chip.Create(made.Path, cns.Neutral()); !errors.As(err, &locked) {
		t.Errorf("Create: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Error("second Close:", err)
	}
	if _, err := c.Transmit([]byte{0, 0xA4, 0, 0}); !errors.Is(err, chip.ErrClosed) {
		t.Error("Transmit on a closed chip:", err)
	}
	if left := names(t, made.Path); len(left) != 1 {
		t.Errorf("Close left %v", left)
	}
	reopen(t, made)
}

func names(t *testing.T, path string) []string {
	t.Helper()
	list, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, e := range list {
		out = append(out, e.Name())
	}
	return out
}

// Another process has the card; then it is killed, and its lock file binds
// nobody.
func TestOneOpenerAmongProcesses(t *testing.T) {
	if path := os.Getenv("CHIP_TEST_HOLD"); path != "" {
		if _, err := chip.Open(path); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println("open")
		select {}
	}
	made := card(t, cns.Neutral())
	cmd := exec.Command(os.Args[0], "-test.run=^TestOneOpenerAmongProcesses$")
	cmd.Env = append(os.Environ(), "CHIP_TEST_HOLD="+made.Path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }()
	line := make([]byte, 5)
	if _, err := out.Read(line); err != nil || string(line) != "open\n" {
		t.Fatalf("the other process says %q, %v", line, err)
	}
	_, err = chip.Open(made.Path)
	var locked *chip.LockedError
	if !errors.As(err, &locked) || locked.PID != cmd.Process.Pid || locked.Program != filepath.Base(os.Args[0]) {
		t.Fatalf("got %v, want process %d", err, cmd.Process.Pid)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	reopen(t, made)
}

func TestReadOnly(t *testing.T) {
	holder, made := open(t, cns.Neutral())
	before := readFile(t, made.Path)
	c, err := chip.OpenReadOnly(made.Path) // while somebody has it
	if err != nil {
		t.Fatal(err)
	}
	script(t, c, `
		00A4080C0410001003 -> 9000
		00B0000010 -> 9000 *
		00200010 -> 63C3
		00200010 08 BADBAD -> 6581
		00200010 08 PINPIN -> 6581     # right or wrong: it does not tell
		002C0010 10 PUKPUK NEWNEW -> 6581
		00200010 -> 63C3
	`)
	if err := c.Save(); !errors.Is(err, chip.ErrReadOnly) {
		t.Error("Save:", err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if !bytes.Equal(readFile(t, made.Path), before) {
		t.Error("read-only opening wrote")
	}
	if got := names(t, made.Path); len(got) != 2 { // image and the holder's lock
		t.Errorf("read-only opening left %v", got)
	}
	script(t, holder, "00200010 08 PINPIN -> 9000")
	blank := filepath.Join(t.TempDir(), "blank")
	b, err := chip.Create(blank, cns.Neutral())
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	if c, err = chip.OpenReadOnly(blank); err != nil {
		t.Fatal(err)
	}
	if err := c.WriteFile(cns.EFCCarta, []byte{1}); !errors.Is(err, chip.ErrReadOnly) {
		t.Error("WriteFile:", err)
	}
	script(t, c, "00A4080C0411001101 -> 9000 \n 00D6000001 31 -> 6581")
}

func TestDamagedImages(t *testing.T) {
	made := card(t, cns.Neutral())
	good := readFile(t, made.Path)
	resum := func(b []byte) []byte {
		sum := sha256.Sum256(b[:len(b)-32])
		return append(b[:len(b)-32:len(b)-32], sum[:]...)
	}
	newer := bytes.Clone(good)
	binary.BigEndian.PutUint16(newer[8:], 2)
	lying := bytes.Clone(good)
	lying[15]++
	edited := resum(bytes.Replace(good, []byte(`"left":3,"max":3`), []byte(`"left":9,"max":3`), 1))
	for _, x := range []struct {
		name string
		b    []byte
		code string
		want error
	}{
		{"empty", nil, "CSE-242", chip.ErrNotImage},
		{"text", []byte("this is no card at all"), "CSE-242", chip.ErrNotImage},
		{"cut in the head", good[:12], "CSE-242", chip.ErrNotImage},
		{"cut in half", good[:len(good)/2], "CSE-241", chip.ErrChecksum},
		{"last byte gone", good[:len(good)-1], "CSE-241", chip.ErrChecksum},
		{"one byte more", append(bytes.Clone(good), 0), "CSE-241", chip.ErrChecksum},
		{"newer version", resum(newer), "CSE-243", chip.ErrVersion},
		{"length field", resum(lying), "CSE-241", chip.ErrContent},
		{"edited counter", edited, "CSE-241", chip.ErrContent},
	} {
		writeFile(t, made.Path, x.b)
		for _, opener := range []func(string, ...chip.Option) (*chip.Chip, error){chip.Open, chip.OpenReadOnly} {
			_, err := opener(made.Path)
			var corrupt *chip.CorruptError
			if !errors.As(err, &corrupt) || !errors.Is(err, x.want) {
				t.Errorf("%s: got %v", x.name, err)
				continue
			}
			wantFault(t, x.name, err, x.code)
			if strings.Contains(err.Error(), chiptest.PIN) || strings.Contains(err.Error(), chiptest.PUK) {
				t.Errorf("%s: the error prints a code", x.name)
			}
		}
		if !bytes.Equal(readFile(t, made.Path), x.b) {
			t.Errorf("%s: the file was touched", x.name)
		}
	}
	for i := 0; i < len(good); i += 1 + len(good)/301 { // any bit changed is seen
		bad := bytes.Clone(good)
		bad[i] ^= 1 << (i % 8)
		writeFile(t, made.Path, bad)
		if _, err := chip.OpenReadOnly(made.Path); err == nil {
			t.Errorf("byte %d changed and not seen", i)
		}
	}
}

func TestOpenRefusals(t *testing.T) {
	dir := t.TempDir()
	_, err := chip.Open(filepath.Join(dir, "none"))
	wantFault(t, "no file", err, "CSE-246")
	if !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	_, err = chip.Create(filepath.Join(dir, "no", "folder"), cns.Neutral())
	wantFault(t, "no folder", err, "CSE-246")
	_, err = chip.Open(dir)
	wantFault(t, "a folder", err, "CSE-245")
	made := card(t, cns.Neutral())
	_, err = chip.Create(made.Path, cns.Neutral())
	wantFault(t, "exists", err, "CSE-244")
	if _, err := chip.Create(filepath.Join(dir, "x"), cns.Profile{}); !errors.Is(err, cns.ErrProfile) {
		t.Error(err)
	}
	if left := names(t, filepath.Join(dir, "x")); len(left) != 0 {
		t.Errorf("refusals left %v", left)
	}
}

// A power cut at every write of a short story: the card opens again, and its
// counters are those before or after the command, never more than before.
func TestPowerCut(t *testing.T) {
	story := []struct {
		apdu          string
		before, after int // PIN tries left
	}{{"0020001008" + block("55555"), 3, 2}, {"0020001008" + block("55555"), 2, 1}, {"0020001008" + block(chiptest.PIN), 1, 3}, {"0020001008" + block("55555"), 3, 2}}
	for _, cut := range []chip.Cut{chip.CutBefore, chip.CutTorn, chip.CutAfter} {
		for at := 1; at <= 5; at++ { // five writes: the right PIN takes two
			made := card(t, cns.Neutral())
			c := reopen(t, made, chip.WithPowerCut(func(n int) chip.Cut {
				if n == at {
					return cut
				}
				return chip.CutNone
			}))
			for _, step := range story {
				_, err := c.Transmit(unhex(t, step.apdu))
				if err == nil {
					continue
				}
				if !errors.Is(err, chip.ErrPowerLost) {
					t.Fatal(err)
				}
				if _, err := c.Transmit([]byte{0, 0xB0, 0, 0, 1}); !errors.Is(err, chip.ErrPowerLost) {
					t.Error("a chip without power answers")
				}
				_ = c.Close()
				c = reopen(t, made)
				if got := names(t, made.Path); len(got) != 2 {
					t.Errorf("cut %d at %d: %v", cut, at, got)
				}
				_, sw := send(t, c, "00200010")
				left, _ := sw.TriesLeft()
				spent := sw == 0x6983 && step.before == 1
				if !spent && left != step.before && left != step.after && left != step.before-1 {
					t.Errorf("cut %d at write %d: %v, before %d", cut, at, sw, step.before)
				}
				if cut != chip.CutAfter && step.after < step.before && left != step.before {
					t.Errorf("cut %d at write %d: %v, nothing was to be written", cut, at, sw)
				}
				break
			}
			_ = c.Close()
		}
	}
}

// A disk that takes no more: nothing is compared, nothing is lost.
func TestWriteFailure(t *testing.T) {
	c, made := open(t, cns.Neutral())
	if err := os.Mkdir(made.Path+".new", 0o700); err != nil { // in the way of the new image
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(made.Path+".new", "x"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	script(t, c, "00200010 08 PINPIN -> 6581 \n 00200010 -> 63C3 \n 0022F1B8 03 830101 -> 9000 \n 002A8086 01 00 00 -> 6982")
	if err := os.RemoveAll(made.Path + ".new"); err != nil {
		t.Fatal(err)
	}
	script(t, c, "00200010 08 PINPIN -> 9000")
}

func TestPersonalisationInTwoSittings(t *testing.T) {
	path := filepath.Join(t.TempDir(), "c")
	c, err := chip.Create(path, cns.Neutral())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("a blank chip was written")
	}
	if _, ok := c.PublicKey(); ok || c.Operational() {
		t.Error("a blank chip has a key")
	}
	public, err := c.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	if c, err = chip.Open(path); err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if again, ok := c.PublicKey(); !ok || !again.Equal(public) {
		t.Fatal("the key is another one")
	}
	err = c.Finish()
	if !errors.Is(err, chip.ErrIncomplete) || !errors.Is(err, cns.ErrCardID) || !errors.Is(err, cns.ErrPersonalData) {
		t.Errorf("Finish: %v", err)
	}
	other := chiptest.Make(t, t.TempDir(), cns.Neutral())
	personal, err := other.Personal.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(c.WriteIdentity(other.ID, personal, other.Certificate.Raw), c.SetCodes(secret.FromString(chiptest.PIN), secret.FromString(chiptest.PUK))); err != nil {
		t.Fatal(err)
	}
	if err := c.Finish(); !errors.Is(err, chip.ErrIncomplete) || !strings.Contains(err.Error(), "another key") {
		t.Errorf("a certificate for another key: %v", err)
	}
	if c.Operational() {
		t.Error("operational after a refused Finish")
	}
}

func TestAdminRefusals(t *testing.T) {
	c, made := open(t, cns.Neutral())
	pin, puk := secret.FromString(chiptest.PIN), secret.FromString(chiptest.PUK)
	for name, err := range map[string]error{
		"WriteFile": c.WriteFile(cns.EFCCarta, nil), "SetCodes": c.SetCodes(pin, puk), "Finish": c.Finish(), "Save": c.Save(),
		"SetIssuerKey": c.SetIssuerKey(puk),
		"GenerateKey":  func() error { _, err := c.GenerateKey(rand.Reader); return err }(),
	} {
		if !errors.Is(err, chip.ErrOperational) {
			t.Errorf("%s on an operational card: %v", name, err)
		}
	}
	b, err := chip.Create(made.Path+"2", cns.Neutral())
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	for name, err := range map[string]error{
		"no such file": b.WriteFile("4444", nil), "a directory": b.WriteFile(cns.DF1, nil), "too long": b.WriteFile(cns.EFIDCarta, make([]byte, 17)),
		"short PIN": b.SetCodes(secret.FromString("1234"), puk), "short PUK": b.SetCodes(pin, secret.FromString("1234567")),
		"PIN as long as the PUK": b.SetCodes(secret.FromString("86427531"), puk), "letters": b.SetCodes(secret.FromString("abcde"), puk),
		"no signature": b.SetSignatureCodes(pin, puk), "issuer key": b.SetIssuerKey(secret.FromString("short")),
		"card number": b.WriteIdentity("6090000000000124", nil, nil), "personal data": b.WriteIdentity(made.ID, nil, nil),
		"signature key": func() error { _, err := b.GenerateSignatureKey(rand.Reader); return err }(),
	} {
		if err == nil {
			t.Errorf("%s was taken", name)
		} else if strings.Contains(err.Error(), "86427531") || strings.Contains(err.Error(), chiptest.PUK) {
			t.Errorf("%s: the error prints a code: %v", name, err)
		}
	}
}
