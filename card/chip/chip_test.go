package chip_test

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"cse.example/cse/card/chip"
	"cse.example/cse/card/chip/chiptest"
	"cse.example/cse/card/cns"
	"cse.example/cse/card/iso7816"
)

// made keeps one finished card per profile for the whole run: keys are slow.
var made sync.Map // profile description -> func() chiptest.Card

// card copies a finished card of that profile into the test's own folder.
func card(t testing.TB, p cns.Profile) chiptest.Card {
	t.Helper()
	once, _ := made.LoadOrStore(fmt.Sprintf("%+v", p), sync.OnceValue(func() chiptest.Card {
		dir, err := os.MkdirTemp("", "chiptest")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		c := chiptest.Make(t, dir, p)
		image, err := os.ReadFile(c.Path)
		if err != nil {
			t.Fatal(err)
		}
		c.Path = string(image)
		return c
	}))
	c := once.(func() chiptest.Card)()
	image := []byte(c.Path)
	c.Path = filepath.Join(t.TempDir(), "card.cse")
	if err := os.WriteFile(c.Path, image, 0o600); err != nil {
		t.Fatal(err)
	}
	return c
}

func open(t testing.TB, p cns.Profile, options ...chip.Option) (*chip.Chip, chiptest.Card) {
	t.Helper()
	made := card(t, p)
	return reopen(t, made, options...), made
}

func reopen(t testing.TB, made chiptest.Card, options ...chip.Option) *chip.Chip {
	t.Helper()
	c, err := chip.Open(made.Path, options...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func send(t testing.TB, c *chip.Chip, apdu string) (data []byte, sw iso7816.SW) {
	t.Helper()
	return sendRaw(t, c, unhex(t, apdu))
}

func sendRaw(t testing.TB, c *chip.Chip, apdu []byte) ([]byte, iso7816.SW) {
	t.Helper()
	answer, err := c.Transmit(apdu)
	if err != nil {
		t.Fatal(err)
	}
	r, err := iso7816.ParseResponse(answer)
	if err != nil {
		t.Fatal(err)
	}
	return r.Data, r.SW
}

// script runs lines of "APDU -> SW [data]"; a data of * is not looked at, >x
// wants that data to begin so. PIN, PUK and BAD stand for padded codes.
func script(t testing.TB, c *chip.Chip, lines string) {
	t.Helper()
	codes := strings.NewReplacer("PINPIN", block(chiptest.PIN), "PUKPUK", block(chiptest.PUK), "BADBAD", block("55555"), "NEWNEW", block("86420"))
	for _, line := range strings.Split(strings.TrimSpace(lines), "\n") {
		line, _, _ = strings.Cut(strings.TrimSpace(line), "#")
		if line == "RESET" {
			c.Reset()
			continue
		}
		apdu, want, ok := strings.Cut(line, "->")
		if !ok {
			t.Fatalf("script: %q", line)
		}
		data, sw := send(t, c, codes.Replace(strings.TrimSpace(apdu)))
		got, fields := fmt.Sprintf("%04X", uint16(sw)), strings.Fields(want)
		if got != fields[0] {
			t.Errorf("%s: got %v, want %s", strings.TrimSpace(line), sw, fields[0])
			continue
		}
		wantData := strings.Join(fields[1:], "")
		gotData := strings.ToUpper(hex.EncodeToString(data))
		if prefix, ok := strings.CutPrefix(wantData, ">"); wantData != "*" && gotData != wantData && (!ok || !strings.HasPrefix(gotData, prefix)) {
			t.Errorf("%s: got data %s", strings.TrimSpace(line), gotData)
		}
	}
}

func block(code string) string { return strings.ToUpper(hex.EncodeToString(pad(code))) }

func pad(code string) []byte { return append([]byte(code), bytes.Repeat([]byte{0xFF}, 8-len(code))...) }

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestATR(t *testing.T) {
	for _, p := range []cns.Profile{cns.Neutral(), cns.ST2021()} {
		c, _ := open(t, p)
		if !bytes.Equal(c.ATR(), p.ATR) {
			t.Errorf("%s: % X", p.Name, c.ATR())
		}
		c.ATR()[0] = 0
		if c.ATR()[0] != 0x3B {
			t.Error("the ATR can be changed from outside")
		}
	}
}

const (
	fciMF  = "6F3C 8102"
	fciDF1 = "6F38 81020990 8203380000 83021100 850101 8609FFFFFFFFFFFFFFFFFF 8A0105 CB18FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"
	fciDP  = "6F38 80020190 8203010000 83021102 850101 860900FFFFFFFFFFFFFFFF 8A0105 CB18FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF"
)

func TestSelect(t *testing.T) {
	c, _ := open(t, cns.Neutral())
	script(t, c, `
		00A40000 02 3F00 00 -> 9000 >6F388102     # the MF
		00A40000         -> 9000 >6F388102        # nothing: the MF
		00A4000C 02 3F00 -> 9000                  # without FCI
		00A40000 02 1100 00 -> 9000 `+fciDF1+`    # child
		00A40000 02 1102 00 -> 9000 `+fciDP+`     # EF in it
		00A40000 02 1102 10 -> 9000 6F388002019082030100008302110285 # Le of 16 cuts
		00A4000C 02 1101 -> 9000                  # another EF
		00A4000C 02 1100 -> 9000                  # the current DF itself
		00A4000C 02 1200 -> 9000                  # sibling
		00A4000C 02 1000 -> 9000                  # sibling
		00A4000C 02 1102 -> 6A82                  # not here
		00A4000C 02 1003 -> 9000
		00A4010C 02 1003 -> 6A82                  # an EF is no child DF
		00A4020C 02 1003 -> 9000                  # child EF
		00A4020C 02 1002 -> 9000
		00A4030C         -> 9000                  # parent: the MF
		00A4030C         -> 6A82                  # which has none
		00A4010C 02 1100 -> 9000                  # child DF
		00A4020C 02 1100 -> 6A82
		00A4020C 02 1102 -> 9000
		00A4080C 04 10001003 -> 9000              # path from the MF
		00A40800 04 11001102 00 -> 9000 `+fciDP+`
		00A4080C 04 2FFF8228 -> 6A82
		00A4080C 04 14009010 -> 6A82
		00A4080C 06 110011021102 -> 6A82          # an EF has no children
		00A4080C 03 110011 -> 6700
		00A4080C         -> 6700
		00A4080C 02 1100 -> 9000
		00A4090C 02 1102 -> 9000                  # path from the current DF
		00A4090C 04 11001102 -> 6A82
		00A4040C 07 A0000000950100 -> 6A82        # no application of that name
		00A4000C 01 3F -> 6700
		00A40008 02 3F00 -> 6A86
		00A4050C 02 3F00 -> 6A86
	`)
	script(t, c, "00A4080C0411001102 -> 9000 \n 00A4080C0411009999 -> 6A82 \n 00B0000006 -> 9000 *") // a failure keeps the selection
}

func TestSelectNestedAndByName(t *testing.T) {
	p := cns.Neutral()
	p.DigitalSignature, p.AID = true, []byte("CSE CNS 1")
	c, _ := open(t, p)
	script(t, c, `
		00A4080C 04 14008110 -> 9000
		00A4000C 02 8010 -> 9000      # child
		00A4000C 02 1400 -> 9000      # parent
		00A4000C 02 8110 -> 9000
		00A4000C 02 9010 -> 9000      # sibling
		00A4040C 09 435345 20 434E53 20 31 -> 9000
		00A40000 02 3F00 00 -> 9000 >6F438102
		00A4040C 08 435345 20 434E53 20 -> 6A82
	`)
}

func TestReadBinary(t *testing.T) {
	c, made := open(t, cns.Neutral())
	script(t, c, "00B0000010 -> 6986") // no EF
	script(t, c, "00A4080C0410001003 -> 9000")
	if data, sw := send(t, c, "00B0000010"); !sw.OK() || string(data) != string(made.ID) {
		t.Errorf("EF_IDCarta: %q %v", data, sw)
	}
	script(t, c, `
		00B0000000 -> 9000 *
		00B0000E10 -> 9000 *      # past the end: what is left
		00B0001001 -> 6B00        # at the end
		00B07FFF01 -> 6B00
		00B0800001 -> 6A86        # short identifiers do not exist
		00B00000   -> 6700        # no Le
		00B0000001 AA -> 6700
		00A4080C0411001102 -> 9000
		00B000FF01 -> 9000 *
		00B00190 01 -> 6B00
		00A4080C021100 -> 9000
		00B0000001 -> 6986        # a DF is not an EF
	`)
	script(t, c, "00A4080C0411001102 -> 9000")
	whole, sw := send(t, c, "00B00000000000")
	if !sw.OK() || len(whole) != 400 {
		t.Fatalf("extended read: %d bytes, %v", len(whole), sw)
	}
	a, _ := send(t, c, "00B00000FF")
	b, _ := send(t, c, "00B000FF00")
	if !bytes.Equal(whole, append(a, b...)) {
		t.Error("short reads and the extended one differ")
	}
	if d, err := cns.ParsePersonalData(whole); err != nil || d != made.Personal {
		t.Errorf("%+v %v", d, err)
	}
	script(t, c, "00A4080C022F02 -> 9000 \n 00B0000000 -> 9000 >5A10")
	script(t, c, "00A4080C0411001101 -> 9000")
	if cert, _ := send(t, c, "00B00000000000"); !bytes.HasPrefix(cert, made.Certificate.Raw) || len(cert) != cns.SizeCertificate {
		t.Error("EF_C_Carta is not the certificate, padded with zeros")
	}
}

func TestUpdateBinaryNeedsWhatTheFileSays(t *testing.T) {
	p := cns.Neutral()
	p.AdditionalData = true
	c, made := open(t, p)
	script(t, c, `
		00A4080C0410001003 -> 9000
		00D6000001 39 -> 6982               # NEVER
		00A4080C0412001201 -> 9000          # additional data, behind the PIN
		00B0000001 -> 6982
		00D6000002 4142 -> 6982
		00200010 08 PINPIN -> 9000
		00A4080C0410001003 -> 9000
		00D6000001 39 -> 6982               # never is never
		00A4080C0412001201 -> 9000
		00D6000002 4142 -> 9000
		00B0000003 -> 9000 414200
		00D6009F01 43 -> 9000               # the last byte
		00D6009F02 4344 -> 6A84
		00D600A001 43 -> 6B00
		00D60000 -> 6700
		00D6800001 43 -> 6A86
		00440000 -> 6982                    # ACTIVATE, DEACTIVATE: never
		00040000 -> 6982
		10D60000 02 5152 -> 9000            # chained
		00D60000 01 53 -> 9000
		00B0000003 -> 9000 515253
	`)
	if err := c.Close(); err != nil {
		t.Fatal(err)
	}
	c = reopen(t, made)
	script(t, c, `
		00A4080C0412001201 -> 9000
		00B0000001 -> 6982
		00200010 08 PINPIN -> 9000
		00B0000003 -> 9000 515253
	`)
}

func TestClassesAndInstructions(t *testing.T) {
	c, _ := open(t, cns.Neutral())
	script(t, c, `
		00FF0000 -> 6D00
		00C00000 00 -> 6D00
		80CA0180 00 -> 6E00
		90240000 -> 6E00
		0CB00000 10 -> 6882
		08B00000 10 -> 6882
		01B00000 10 -> 6881
		10200010 01 31 -> 6884
		10FF0000 -> 6D00
		00CA0180 00 -> 9000 435345206E65757472616C
		00CA0180 03 -> 9000 435345
		00CA0183 00 -> 9000 10
		00CADF30 05 -> 6A88
		00CA0183 01 00 -> 6700
		00E00000 02 6F00 -> 6982
		00460001 08 2001 3F01 00100020 -> 6982
		00DA016E 03 830100 -> 6982
	`)
	for _, bad := range []string{"", "00", "00A400", "00A4000CFF3F00", "00A4000C00000000"} {
		if _, sw := send(t, c, bad); sw != iso7816.WrongLength {
			t.Errorf("%q: %v", bad, sw)
		}
	}
}

func TestGetChallenge(t *testing.T) {
	p := cns.Neutral()
	p.MaxChallenge = 100
	c, _ := open(t, p)
	seen := map[string]bool{}
	for _, n := range []int{8, 10, 16, 100} {
		data, sw := sendRaw(t, c, []byte{0x00, 0x84, 0, 0, byte(n)})
		if !sw.OK() || len(data) != n || seen[string(data[:8])] {
			t.Errorf("%d: % X %v", n, data, sw)
		}
		seen[string(data[:8])] = true
	}
	script(t, c, "0084000065 -> 6700 \n 00840000 -> 6700 \n 0084000100 -> 6A86 \n 0084000001AA -> 6700")
}

func TestPersonalisationCommands(t *testing.T) {
	p, err := cns.ParseProfile("cns10") // 1024 bits: quick
	if err != nil {
		t.Fatal(err)
	}
	c, err := chip.Create(filepath.Join(t.TempDir(), "x"), p)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	script(t, c, `
		00CA0183 00 -> 9000 20
		00200010 -> 6984                                  # no PIN yet
		00200010 08 PINPIN -> 6984
		002C0310 -> 6982
		00E00000 1A 6218 80020010 8203010000 83025001 850101 8606000000FFFFFF -> 9000
		00D60000 02 4142 -> 9000
		00B00000 03 -> 9000 414200
		00E00000 1A 6218 80020010 8203010000 83025001 850101 8606000000FFFFFF -> 6A89
		00E00000 12 6210 8102FFFF 8203380000 83025002 850101 -> 9000
		00E00000 12 6210 8002FFFF 8203010000 83025003 850101 -> 9000
		00E00000 12 6210 8002FFFF 8203010000 83025004 850101 -> 6A84
		00E00000 02 6200 -> 6A80
		00E00100 02 6200 -> 6A86
		00A4080C 04 50025003 -> 9000
		00040000 -> 9000                                  # DEACTIVATE
		00B00000 01 -> 6283
		00A4080C 04 50025003 -> 6283
		00440000 -> 9000
		00B00000 01 -> 9000 00
		00440001 -> 6A86
		00440000 01 00 -> 6700
		00A4000C 02 3F00 -> 9000
		00DA016E 24 83020010 8508020502051FFF0005 860A001011FFFFFFFFFFFFFF 8F08 PINPIN -> 9000
		00200010 -> 63C5
		00200010 08 PINPIN -> 9000
		00DA016E 04 83022001 -> 6A80
		00DA016E 18 83022001 8508020502051FFF0005 8F08 PINPIN -> 6A81
		00DA016E 18 83020015 8508020502051FFF0005 8F08 PINPIN -> 6A88
		00DA016E 18 83020010 850802050205 1FFF0005 8F08 0000000000000000 -> 6A80
		00DA016E 02 8305 -> 6A85
		00DA016D 03 830103 -> 9000
		00DA016D 03 830107 -> 6A88
		00DA016D 03 840103 -> 6A80
		00DA0100 03 840103 -> 6A86
		00460001 08 2001 3F01 00100020 -> 9000
		00460001 08 2001 3F02 00100020 -> 6A84            # too small a file
		00460001 08 2001 3F99 00100020 -> 6A82
		00460001 08 2002 3F01 00100020 -> 6A80
		00460001 07 2001 3F01 001000 -> 6700
		00460010 08 2010 3F01 00100020 -> 6A88            # no signature key in this profile
		00460101 08 2001 3F01 00100020 -> 6A86
		00A4000C 02 3F01 -> 9000
		00B00000 03 -> 9000 308189
	`)
}

// Readers poll the ATR and reset the card while a command runs.
func TestConcurrentUse(t *testing.T) {
	c, _ := open(t, cns.Neutral())
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 20 {
				if answer, err := c.Transmit([]byte{0x00, 0xA4, 0x00, 0x0C, 0x02, 0x11, 0x00}); err != nil || !bytes.Equal(answer, []byte{0x90, 0x00}) {
					t.Errorf("% X %v", answer, err)
				}
				if len(c.ATR()) != 25 || !c.Operational() {
					t.Error("ATR or state changed")
				}
				c.Reset()
			}
		})
	}
	all.Wait()
}
