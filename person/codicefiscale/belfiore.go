package codicefiscale

import (
	"bufio"
	"bytes"
	"compress/gzip"
	_ "embed"
	"fmt"
	"sort"
	"strings"
	"sync"

	"cse.example/cse/ground/civil"
)

// Place is a municipality of Italy, today or once, or a foreign state.
type Place struct {
	// Code is the Belfiore code: a letter and three digits; foreign states begin with Z.
	Code string
	// Name is Italian, in mixed case.
	Name string
	// Province is the two-letter sign; empty for a foreign state.
	Province string
	// Country is the ISO 3166-1 alpha-2 code of a foreign state, empty when it has
	// none any more; IT for a municipality.
	Country string
	Foreign bool
	// From and Until are the first and last day; zero for always and for no end.
	From, Until civil.Date
}

// ExistedOn tells whether the place existed on day d; any place existed on no day.
func (p Place) ExistedOn(d civil.Date) bool {
	return d.IsZero() || (!d.Before(p.From) && (p.Until.IsZero() || !d.After(p.Until)))
}

//go:embed places.tsv.gz
var packed []byte

type places struct {
	byCode map[string]Place
	sorted []Place  // by code
	folded []string // of sorted
}

var table = sync.OnceValues(func() (*places, error) { return unpack(packed) })

func unpack(b []byte) (*places, error) {
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("unpack the table of places: %w", err)
	}
	t := &places{byCode: make(map[string]Place, 10100)}
	sc := bufio.NewScanner(z)
	for sc.Scan() {
		p, err := place(sc.Text())
		if err != nil {
			return nil, err
		}
		t.byCode[p.Code] = p
		t.sorted = append(t.sorted, p)
		t.folded = append(t.folded, Fold(p.Name))
	}
	return t, sc.Err()
}

func place(line string) (Place, error) {
	f := strings.Split(line, "\t")
	if len(f) != 5 || len(f[0]) != 4 {
		return Place{}, fmt.Errorf("table of places: bad line %q", line)
	}
	p := Place{Code: f[0], Name: f[1], Foreign: f[0][0] == 'Z', Country: "IT"}
	if p.Foreign {
		p.Country = f[2]
	} else {
		p.Province = f[2]
	}
	if err := p.From.UnmarshalText([]byte(f[3])); err != nil {
		return Place{}, err
	}
	return p, p.Until.UnmarshalText([]byte(f[4]))
}

func mustTable() *places {
	t, err := table()
	if err != nil {
		panic("codicefiscale: " + err.Error()) // impossible: the table is embedded and tested
	}
	return t
}

// Belfiore finds a place by code. ok is false for a code never given, or for a
// place that did not exist on day on; no day asks for any place. The table keeps
// one period per code: for a municipality founded anew under its old code that is
// the last one, so for a birthplace ask without a day when in doubt.
func Belfiore(code string, on civil.Date) (Place, bool) {
	p, ok := mustTable().byCode[code]
	if !ok || !p.ExistedOn(on) {
		return Place{}, false
	}
	return p, true
}

// SearchPlaces finds at most limit places that existed on day on and whose name
// begins with prefix, accents and case ignored; exact names first, then by name.
func SearchPlaces(prefix string, on civil.Date, limit int) []Place {
	t, want := mustTable(), Fold(prefix)
	if want == "" {
		return nil
	}
	var out []Place
	for i, p := range t.sorted {
		if strings.HasPrefix(t.folded[i], want) && p.ExistedOn(on) {
			out = append(out, p)
		}
	}
	sort.SliceStable(out, func(i, j int) bool {
		a, b := Fold(out[i].Name), Fold(out[j].Name)
		if (a == want) != (b == want) {
			return a == want
		}
		return a < b
	})
	return out[:min(limit, len(out))]
}

// AllPlaces lists the whole table, by code.
func AllPlaces() []Place { return append([]Place(nil), mustTable().sorted...) }
