package cns

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"cse.example/cse/ground/civil"
)

func holder() PersonalData {
	return PersonalData{
		Issuer: "6090", Issued: civil.Date{Year: 2026, Month: 1, Day: 1}, Expires: civil.Date{Year: 2031, Month: 12, Day: 31},
		Surname: "ROSSI", Name: "MARIO", Born: civil.Date{Year: 1980, Month: 1, Day: 1}, Sex: "M",
		CF: "RSSMRA80A01D612Y", BirthPlace: "D612", Residence: "D612",
	}
}

// The example of card.md section 3, without its length field.
const example = "0460900801012026083112203105ROSSI05MARIO080101198001M0010RSSMRA80A01D612Y0004D612000004D6120000"

func TestPersonalDataExample(t *testing.T) {
	got, err := holder().Encode()
	if err != nil {
		t.Fatal(err)
	}
	want := "00005F" + example
	if len(example) != 0x5F {
		t.Fatalf("the example has %d bytes", len(example))
	}
	if len(got) != 400 || string(bytes.TrimRight(got, "\x00")) != want {
		t.Fatalf("got  %q\nwant %q", bytes.TrimRight(got, "\x00"), want)
	}
	back, err := ParsePersonalData(got)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(holder(), back); d != "" {
		t.Fatal(d)
	}
	if _, err := ParsePersonalData([]byte(strings.Replace(want, "00005F", "00005f", 1) + "\xff\xff")); err != nil {
		t.Fatal("lower-case length, other padding:", err)
	}
}

func TestNamesOnTheCard(t *testing.T) {
	long := strings.Repeat("ABCDEFGHIJ", 40)
	for _, x := range []struct{ surname, name, wantSurname, wantName string }{
		{"D'Àngelo", "Niccolò", "D'ÀNGELO", "NICCOLÒ"},
		{"Šarić", "Łukasz", "SARIC", "LUKASZ"},
		{"Weiß", "François", "WEISS", "FRANÇOIS"},
		{"D’Este", "Ŧ–", "D'ESTE", "T-"},
		{"Nguyễn", "Đức", "NGUYEN", "DUC"},
		{"N\u0308o", "e\u0301", "NO", "É"},
		{"ÿ", "Œuvre", "Y", "OEUVRE"},
		{long, "MARIO", long[:255], "MARIO"},
		// 394 bytes less 32 of lengths and 53 of the other fields leave 309.
		{long, long, long[:154], long[:155]},
		{long[:200], long[:120], long[:189], long[:120]},
	} {
		d := holder()
		d.Surname, d.Name = x.surname, x.name
		file, err := d.Encode()
		if err != nil {
			t.Errorf("%.20s: %v", x.surname, err)
			continue
		}
		back, err := ParsePersonalData(file)
		if err != nil || len(file) != SizePersonalData {
			t.Errorf("%.20s: %v, %d bytes", x.surname, err, len(file))
			continue
		}
		if back.Surname != x.wantSurname || back.Name != x.wantName {
			t.Errorf("got %q (%d), %q (%d); want %q (%d), %q (%d)", back.Surname, len(back.Surname), back.Name, len(back.Name),
				x.wantSurname, len(x.wantSurname), x.wantName, len(x.wantName))
		}
		if back.CF != d.CF || back.Residence != d.Residence {
			t.Errorf("%.20s: the fields behind the names are lost", x.surname)
		}
	}
	d := holder()
	d.Surname = "ROSSI"
	if file, _ := d.Encode(); !bytes.Contains(file, []byte("05ROSSI")) {
		t.Error("the length of a field counts bytes")
	}
	d.Surname = "NICCOLÒ"
	if file, _ := d.Encode(); !bytes.Contains(file, []byte("07NICCOL\xd2")) {
		t.Error("accents are ISO 8859-1, one byte each")
	}
}

func TestPersonalDataRefusals(t *testing.T) {
	for _, change := range []func(*PersonalData){
		func(d *PersonalData) { d.Surname = "王" }, func(d *PersonalData) { d.Name = "A\nB" },
		func(d *PersonalData) { d.Address = strings.Repeat("A", 256) }, func(d *PersonalData) { d.Address, d.TravelNote = strings.Repeat("A", 200), strings.Repeat("B", 200) },
	} {
		d := holder()
		change(&d)
		if _, err := d.Encode(); !errors.Is(err, ErrPersonalData) {
			t.Errorf("%+v: %v", d, err)
		}
	}
	for name, file := range map[string]string{
		"empty": "", "short": "0000", "no hex": "00zzzz" + example, "length beyond the file": "000060" + example,
		"one field less": "00005D" + example[:93], "something more": "000061" + example + "00", "sign": "+0005F" + example,
		"field beyond the end": "00005F" + strings.Replace(example, "05ROSSI", "F5ROSSI", 1), "field length no hex": "00005F" + strings.Replace(example, "05ROSSI", "0xROSSI", 1),
		"no day": "00005F" + strings.Replace(example, "01012026", "31022026", 1), "all zero": strings.Repeat("\x00", 400),
	} {
		if d, err := ParsePersonalData([]byte(file)); !errors.Is(err, ErrPersonalData) {
			t.Errorf("%s: %+v, %v", name, d, err)
		}
	}
}

func TestPersonalDataRoundTrip(t *testing.T) {
	text := rapid.StringMatching(`[A-Z '\-ÀÈÉÌÒÙÇÑÖÜ]{0,30}`)
	rapid.Check(t, func(t *rapid.T) {
		d := holder()
		d.Surname, d.Name = text.Draw(t, "surname"), text.Draw(t, "name")
		d.Height, d.Citizenship, d.BirthRecord = text.Draw(t, "8"), text.Draw(t, "10"), text.Draw(t, "13")
		d.Address, d.TravelNote = text.Draw(t, "15"), text.Draw(t, "16")
		if rapid.Bool().Draw(t, "abroad") {
			d.BirthPlace, d.BirthCountry = "", "Z404"
		}
		file, err := d.Encode()
		if err != nil {
			t.Fatal(err)
		}
		back, err := ParsePersonalData(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(d, back); diff != "" {
			t.Fatal(diff)
		}
	})
}

func FuzzPersonalData(f *testing.F) {
	f.Add([]byte("00005F" + example))
	f.Add([]byte("000020" + strings.Repeat("00", 16)))
	f.Fuzz(func(t *testing.T, b []byte) {
		d, err := ParsePersonalData(b)
		if err != nil {
			if !errors.Is(err, ErrPersonalData) {
				t.Fatal(err)
			}
			return
		}
		file, err := d.Encode()
		if err != nil {
			return // control characters, or more than a card holds
		}
		again, err := ParsePersonalData(file)
		if err != nil {
			t.Fatal(err)
		}
		if twice, err := again.Encode(); err != nil || !bytes.Equal(file, twice) {
			t.Fatalf("not stable: %q, %q (%v)", file, twice, err)
		}
	})
}
