package profile

import (
	"crypto/x509/pkix"
	"encoding/asn1"
	"reflect"
	"testing"
)

func sheetProfile() CNS {
	return CNS{Organisation: "Certificatore", Unit: "Regione", Notice: "testo", URLs: URLsAt("http://pki.example.it"), Shards: 4}
}

// Whatever a certificate says of its own accord is on the sheet.
func TestTheSheetTellsEveryChange(t *testing.T) {
	was, err := sheetProfile().Sheet("issuing").Content()
	if err != nil {
		t.Fatal(err)
	}
	for name, change := range map[string]func(p *CNS){
		"organisation": func(p *CNS) { p.Organisation += "x" },
		"unit":         func(p *CNS) { p.Unit += "x" },
		"policy":       func(p *CNS) { p.Policy = asn1.ObjectIdentifier{1, 3, 76, 16, 2, 2} },
		"notice":       func(p *CNS) { p.Notice = "" },
		"extension":    func(p *CNS) { p.Extra = []pkix.Extension{{Id: asn1.ObjectIdentifier{1, 2, 3}, Value: []byte{5, 0}}} },
	} {
		p := sheetProfile()
		change(&p)
		if now, err := p.Sheet("issuing").Content(); err != nil || string(now) == string(was) {
			t.Errorf("%s: the sheet is the same (%v)", name, err)
		}
	}
	moved := sheetProfile()
	moved.URLs, moved.Shards = URLsAt("http://altrove.example.it"), 128
	if now, err := moved.Sheet("issuing").Content(); err != nil || string(now) != string(was) {
		t.Errorf("addresses and parts are on the sheet: %s (%v)", now, err)
	}
}

func FuzzParseSheet(f *testing.F) {
	good, err := sheetProfile().Sheet("issuing").Content()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"schema":"cse.profile/1"}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, ok := ParseSheet(b)
		if !ok {
			return
		}
		again, err := s.Content()
		if err != nil || string(again) != string(b) {
			t.Errorf("%s became %s (%v)", b, again, err)
		}
		if back, ok := ParseSheet(again); !ok || !reflect.DeepEqual(back, s) {
			t.Errorf("%+v became %+v", s, back)
		}
	})
}
