package cns

import (
	"bytes"
	"crypto/sha1"
	"encoding/hex"
	"errors"
	"strings"
	"testing"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/secret"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// ATRs seen on real cards (card.md section 1, pcsc-tools' list) and our own.
func TestATR(t *testing.T) {
	for _, x := range []struct {
		hex     string
		cns     bool
		version byte
		pin     byte
	}{
		{"3BFF1800008131FE55006B0000010001010143 4E5311318069", true, 0x11, 0x10},
		{"3BFF1800FF8131FE55006B02091617011101434E531131808D", true, 0x11, 0x90},
		{"3BFF1800FF8131FE55006B02091717011101434E531131808C", true, 0x11, 0x90},
		{"3BDF18008131FE7D006B040C0184011101434E53103180FC", true, 0x10, 0x10},
		{"3BDF18008131FE7D006B150C0181011101434E53103180E8", true, 0x10, 0x10},
		{"3BFF1800008131FE45006B0505912001F101434E5310318038", true, 0x10, 0x10},
		{"3BFF1800FF8131FE4D006B0404B85B01F101434E531031809D", true, 0x10, 0x10},
		{"3BFF1800008131FE45006B040501000112024850431031806C", false, 0x10, 0x10},
	} {
		raw := unhex(t, x.hex)
		a, err := ParseATR(raw)
		if err != nil {
			t.Errorf("%s: %v", x.hex, err)
			continue
		}
		if a.IsCNS() != x.cns || a.Version() != x.version || a.PINReference() != x.pin || !bytes.Equal(a.Bytes(), raw) {
			t.Errorf("%s: got %+v", x.hex, a)
		}
	}
	if got, want := Neutral().ATR, unhex(t, "3BFF1800008131FE55006B00000100010101434E5311318069"); !bytes.Equal(got, want) {
		t.Errorf("neutral: % X", got)
	}
	if got, want := ST2021().ATR, unhex(t, "3BFF1800FF8131FE55006B02091617011101434E531131808D"); !bytes.Equal(got, want) {
		t.Errorf("st2021: % X", got)
	}
}

func TestATRRefusals(t *testing.T) {
	for _, s := range []string{"", "3B", "3B80800101", "3BFF1800008131FE55006B00000100010101434E5311318068", "3BFF1800008131FE55006B00000100010101434E53113180", "3BFF1800008131FE55016B00000100010101434E5311318069"} {
		if a, err := ParseATR(unhex(t, s)); !errors.Is(err, ErrATR) {
			t.Errorf("%s: got %+v, %v", s, a, err)
		}
	}
}

func TestProfiles(t *testing.T) {
	for _, name := range []string{"", "neutral", "st2021", "cns10"} {
		p, err := ParseProfile(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := p.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		p.DigitalSignature, p.HealthDF, p.AdditionalData = true, true, true
		seen := map[Path]bool{MF: true}
		for _, f := range p.Layout() {
			fids, err := f.Path.FIDs()
			if err != nil || len(fids) == 0 || seen[f.Path] || !seen[f.Path[:len(f.Path)-4]] {
				t.Errorf("%s: file %q comes twice or before its directory (%v)", name, f.Path, err)
			}
			seen[f.Path] = true
		}
		if PUKLength <= MinPIN { // rule R79
			t.Errorf("%s: PUK not longer than the PIN", name)
		}
	}
	if _, err := ParseProfile("athena"); !errors.Is(err, ErrProfile) {
		t.Fatal(err)
	}
	for i, change := range []func(*Profile){
		func(p *Profile) { p.ATR = nil }, func(p *Profile) { p.ATR = unhex(t, "3BFF1800008131FE45006B040501000112024850431031806C") },
		func(p *Profile) { p.Name = "" }, func(p *Profile) { p.ModulusBits = 512 }, func(p *Profile) { p.PINTries = 0 },
		func(p *Profile) { p.PUKTries = 16 }, func(p *Profile) { p.MaxChallenge = 4 }, func(p *Profile) { p.IssuerKeyRef = 0x20 },
		func(p *Profile) { p.IssuerKeyTries = 0 }, func(p *Profile) { p.AID = []byte{1} },
	} {
		p := Neutral()
		change(&p)
		if err := p.Validate(); !errors.Is(err, ErrProfile) {
			t.Errorf("change %d: %v", i, err)
		}
	}
}

func TestAccess(t *testing.T) {
	a := NewAccess(map[Operation]byte{EFRead: Always, EFUpdate: RefPIN})
	a[EFDelete], a[EFAdmin] = 0x66, 0x20
	for _, x := range []struct {
		op            Operation
		ref           byte
		always, never bool
	}{{EFRead, 0, true, false}, {EFUpdate, 0x10, false, false}, {EFAppend, 0, false, true}, {EFDelete, 0, false, true}, {EFAdmin, 0, false, true}} {
		if ref, always, never := a.Condition(x.op); ref != x.ref || always != x.always || never != x.never {
			t.Errorf("operation %d: %02X %v %v", x.op, ref, always, never)
		}
	}
}

func TestPath(t *testing.T) {
	if fids, err := EFDatiPersonali.FIDs(); err != nil || len(fids) != 2 || fids[0] != 0x1100 || fids[1] != 0x1102 {
		t.Fatal(fids, err)
	}
	if !bytes.Equal(EFDatiPersonali.Bytes(), []byte{0x11, 0, 0x11, 2}) {
		t.Fatal("Bytes")
	}
	for _, p := range []Path{"1", "11", "zzzz", "110011"} {
		if _, err := p.FIDs(); err == nil {
			t.Errorf("%q is a path", p)
		}
	}
}

func TestCardID(t *testing.T) {
	for _, x := range []struct {
		issuer    string
		serial    uint64
		duplicate int
		id, team  string
	}{
		{"6090", 0, 12, "6090000000000123", "80380000900000000000"}, // card.md section 5
		{"6090", 0, 0, "6090000000000008", "80380000900000000000"},
		{"6090", 1, 0, "6090000000001006", "80380000900000000018"},
		{"6090", 999999999, 99, "6090999999999999", "80380000909999999999"},
		{"7123456", 42, 1, "7123456000042011", "80380001234560000427"},
	} {
		id, err := NewCardID(x.issuer, x.serial, x.duplicate)
		if err != nil {
			t.Fatal(err)
		}
		if string(id) != x.id {
			t.Errorf("got %s, want %s", id, x.id)
		}
		if got := id.TEAM(); got != x.team {
			t.Errorf("%s: TEAM %s, want %s", id, got, x.team)
		}
		if back, err := ParseCardID(string(id)); err != nil || back != id || id.Issuer() != x.issuer {
			t.Errorf("%s: %s %v, issuer %s", id, back, err, id.Issuer())
		}
	}
	a, _ := NewCardID("6090", 7, 0)
	b, _ := NewCardID("6090", 7, 1)
	if a == b || a.TEAM() != b.TEAM() || a.Region() != "Toscana" {
		t.Errorf("%s %s: duplicates share one TEAM number", a, b)
	}
	if got := string(a.GDO()); got != "\x5A\x10"+string(a) {
		t.Errorf("GDO %q", got)
	}
	if spaced, err := ParseCardID(" 6090 0000 0000 0123 "); err != nil || spaced != "6090000000000123" {
		t.Error(spaced, err)
	}
}

func TestCardIDRefusals(t *testing.T) {
	for _, s := range []string{"", "609000000000012", "60900000000001234", "6090000000000124", "609000000000012A", "4090000000000125"} {
		if id, err := ParseCardID(s); !errors.Is(err, ErrCardID) {
			t.Errorf("%q: %s, %v", s, id, err)
		}
	}
	for _, x := range []struct {
		issuer    string
		serial    uint64
		duplicate int
	}{{"609", 1, 0}, {"60900", 1, 0}, {"7090", 1, 0}, {"4090", 1, 0}, {"60a0", 1, 0}, {"6090", 1e9, 0}, {"7123456", 1e6, 0}, {"6090", 1, 100}, {"6090", 1, -1}, {"", 1, 0}} {
		if id, err := NewCardID(x.issuer, x.serial, x.duplicate); !errors.Is(err, ErrCardID) {
			t.Errorf("%+v: %s, %v", x, id, err)
		}
	}
	// Every single wrong digit is seen.
	const good = "6090123456789013"
	for i := range 16 {
		for d := byte('0'); d <= '9'; d++ {
			bad := good[:i] + string(d) + good[i+1:]
			if _, err := ParseCardID(bad); err == nil && bad != good {
				t.Errorf("%s passes", bad)
			}
		}
	}
}

func TestCommonName(t *testing.T) {
	file := make([]byte, SizePersonalData)
	copy(file, "00005F")
	const id = CardID("6090000000000123")
	cn := CommonName("RSSMRA80A01D612Y", id, file)
	if len(cn) != 62 || !strings.HasPrefix(cn, "RSSMRA80A01D612Y/6090000000000123.") || !strings.HasSuffix(cn, "=") {
		t.Fatal(cn)
	}
	n, err := ParseCommonName(cn)
	if err != nil || n.CF != "RSSMRA80A01D612Y" || n.ID != id || n.Hash != sha1.Sum(file) || n.String() != cn {
		t.Fatalf("%+v %v", n, err)
	}
	p := Neutral()
	if p.CommonName(n.CF, id, file) != cn || p.HashPersonalData(file) != n.Hash {
		t.Error("the neutral profile hashes the whole file")
	}
	p.HashWithoutPadding = true
	if p.HashPersonalData(file) != sha1.Sum([]byte("00005F")) || p.CommonName(n.CF, id, file) == cn {
		t.Error("HashWithoutPadding")
	}
	if n, err := ParseCommonName(CommonName("01234567890", id, file)); err != nil || n.CF != "01234567890" {
		t.Error("provisional code", n, err)
	}
	for _, bad := range []string{
		"", "RSSMRA80A01D612Y", cn[1:], cn + "=", cn + "\n", " " + cn, strings.Replace(cn, "/", `\/`, 1), strings.Replace(cn, "0123.", "0124.", 1),
		strings.ToLower(cn[:16]) + cn[16:], cn[:len(cn)-4], cn[:34] + strings.Repeat("!", 28), cn[:33] + "-" + cn[34:], cn[:34] + strings.Repeat("A", 26) + "B=",
	} {
		if n, err := ParseCommonName(bad); !errors.Is(err, ErrName) {
			t.Errorf("%q: %+v, %v", bad, n, err)
		}
	}
}

func TestCheckPIN(t *testing.T) {
	born := civil.Date{Year: 1983, Month: 7, Day: 14}
	for _, x := range []struct {
		pin  string
		want error
	}{
		{"73915", nil},
		{"40917263", nil},
		{"739152", nil},
		{"1234", ErrCodeLength},
		{"739154826", ErrCodeLength},
		{"", ErrCodeLength},
		{"7391a", ErrCodeDigits},
		{"7391 ", ErrCodeDigits},
		{"７３９１５", ErrCodeDigits},
		{"00000", ErrCodeWeak},
		{"12345", ErrCodeWeak},
		{"98765", ErrCodeWeak},
		{"67890", ErrCodeWeak},
		{"13579", ErrCodeWeak},
		{"12121", ErrCodeWeak},
		{"123123", ErrCodeWeak},
		{"77777777", ErrCodeWeak},
		{"14725", ErrCodeWeak},
		{"12321", ErrCodeWeak},
		{"14071983", ErrCodeWeak},
		{"140783", ErrCodeWeak},
		{"14078", ErrCodeWeak},
		{"83071", ErrCodeWeak},
		{"071483", ErrCodeWeak},
		{"71983", ErrCodeWeak},
	} {
		got := CheckPIN(secret.FromString(x.pin), born)
		if !errors.Is(got, x.want) || (got == nil) != (x.want == nil) {
			t.Errorf("%s: got %v, want %v", x.pin, got, x.want)
		}
		if got != nil && x.pin != "" && strings.Contains(got.Error(), x.pin) {
			t.Errorf("the error prints the PIN: %v", got)
		}
	}
	if err := CheckPIN(secret.FromString("14078")); err != nil {
		t.Error("without a birth date 14078 is a PIN as any other:", err)
	}
}

func TestCheckPUK(t *testing.T) {
	for pin, want := range map[string]error{"40917263": nil, "4091726": ErrCodeLength, "409172630": ErrCodeLength, "4091726x": ErrCodeDigits, "11111111": ErrCodeWeak, "12345678": ErrCodeWeak} {
		if got := CheckPUK(secret.FromString(pin)); !errors.Is(got, want) || (got == nil) != (want == nil) {
			t.Errorf("%s: got %v, want %v", pin, got, want)
		}
	}
}

func TestPadCode(t *testing.T) {
	b, err := PadCode(secret.FromString("12345"))
	if err != nil || !bytes.Equal(b, unhex(t, "3132333435FFFFFF")) || !ValidBlock(b) {
		t.Fatalf("% X %v", b, err)
	}
	if _, err := PadCode(secret.FromString("1234")); !errors.Is(err, ErrCodeLength) {
		t.Fatal(err)
	}
	for _, s := range []string{"", "31323334FFFFFFFF", "3132333435FFFF", "3132333435FF35FF", "FFFFFFFFFFFFFFFF", "3132333435000000", "3132333435FFFFFFFF"} {
		if ValidBlock(unhex(t, s)) {
			t.Errorf("%s is a code", s)
		}
	}
}
