package registry_test

import (
	"testing"

	"cse.example/cse/person/registry"
)

func TestSameNames(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"ROSSI", "Rossi", true},
		{"ROSSI", " rossi  ", true},
		{"NICCOLÒ", "niccolo'", true},
		{"NICCOLÒ", "NICCOLO", true},
		{"D'ANGELO", "D’Angelo", true},
		{"D'ANGELO", "D ANGELO", true},
		{"D'ANGELO", "DANGELO", true},
		{"DE LUCA", "DELUCA", true},
		{"MARIA LUISA", "Luisa Maria", true},
		{"D'ANGELO ROSSI", "ROSSI DANGELO", true},
		{"D'ANGELO ROSSI", "ROSSI D ANGELO", true},
		{"JEAN-LUC", "Luc Jean", true},
		{"MÜLLER", "MULLER", true},
		{"ŁUKASZ", "Lukasz", true},
		{"ROSSI", "BIANCHI", false},
		{"ROSSI", "ROSSINI", false},
		{"MARIA LUISA", "MARIA", false},
		{"MARIA LUISA", "MARIA MARIA", false},
		{"ANNA", "HANNA", false},
		{"", "", false},
		{"'", "-", false},
		{"ROSSI", "", false},
	} {
		if got := registry.SameNames(c.a, c.b); got != c.same {
			t.Errorf("%q and %q: %v", c.a, c.b, got)
		}
		if got := registry.SameNames(c.b, c.a); got != c.same {
			t.Errorf("%q and %q: %v", c.b, c.a, got)
		}
	}
}
