package virtualcard

import (
	"bytes"
	"encoding/binary"
	"encoding/csv"
	"fmt"

	"cse.example/cse/person/registry"
)

// kind is whom a profile is for.
type kind int

const (
	adult kind = iota
	minor
	ward
)

// Person is an invented holder, with who represents him.
type Person struct {
	registry.Person
	By []registry.Person
}

// Abroad tells whether the birthplace is a foreign state.
func (p Person) Abroad() bool { return p.BirthProvince == "EE" }

// person draws the holder of a plan out of a small invented town, in which no
// two profiles meet.
func person(p Plan) (Person, error) {
	town, err := people(p)
	if err != nil {
		return Person{}, err
	}
	byCF := map[string]registry.Person{}
	var adults, minors []registry.Person
	for _, x := range town {
		byCF[string(x.CF)] = x
		switch {
		case x.MinorOn(p.Day) && len(x.Guardians) > 0 && x.Born.AgeOn(p.Day) >= 6:
			minors = append(minors, x)
		case !x.MinorOn(p.Day) && x.Citizenship == "IT" && x.Born.AgeOn(p.Day) >= 30: // of age on an old card, too
			adults = append(adults, x)
		}
	}
	at := int(p.Profile.index()) //nolint:gosec // ten
	if len(minors) == 0 || len(adults) < len(profiles)+1 {
		return Person{}, fmt.Errorf("the invented town has %d minors and %d adults", len(minors), len(adults))
	}
	switch p.Profile.who {
	case minor:
		x := Person{Person: minors[0]}
		for _, g := range x.Guardians {
			x.By = append(x.By, byCF[string(g.CF)])
		}
		return x, nil
	case ward:
		x, tutor := Person{Person: adults[at]}, adults[len(profiles)]
		x.UnderGuardianship = true
		x.Guardians = []registry.Guardian{{CF: tutor.CF, Kind: registry.Tutor, From: p.Day.AddYears(-2)}}
		x.By = []registry.Person{tutor}
		return x, nil
	case adult:
	}
	return Person{Person: adults[at]}, nil
}

func people(p Plan) ([]registry.Person, error) {
	var seed [8]byte
	_, _ = newStream(p.Seed, "people").Read(seed[:])
	var b bytes.Buffer
	if err := registry.Generate(&b, 100, int64(binary.BigEndian.Uint64(seed[:])), p.Day); err != nil { //nolint:gosec // any number
		return nil, err
	}
	rows, err := csv.NewReader(&b).ReadAll()
	if err != nil {
		return nil, err
	}
	var out []registry.Person
	for _, row := range rows[1:] {
		x, faults := registry.ParseRow(row, p.Day)
		if len(faults) > 0 {
			return nil, fmt.Errorf("an invented person: %w", faults[0])
		}
		out = append(out, x)
	}
	return out, nil
}
