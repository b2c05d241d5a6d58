package audit_test

import (
	"testing"
	"time"

	"cse.example/cse/engine/audit"
	"cse.example/cse/engine/store"
	"cse.example/cse/engine/store/storetest"
)

// Search takes every field together, newest first, and pages by index.
func TestSearch(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		trail := open(t, db)
		write(t, trail, 5)
		at := time.Date(2026, 11, 23, 11, 0, 0, 123456000, time.UTC)
		for _, c := range []struct {
			name string
			s    audit.Search
			want []int64
		}{
			{"everything", audit.Search{}, []int64{5, 4, 3, 2, 1}},
			{"a card", audit.Search{Card: "card-1"}, []int64{4, 2}},
			{"a person, in small letters", audit.Search{Person: "rssmra85t10a562s", Limit: 2}, []int64{5, 4}},
			{"somebody else", audit.Search{Person: "VRDLGU85M41F205T"}, nil},
			{"an operator and a card", audit.Search{Actor: "operator-1", Card: "card-0"}, []int64{5, 3, 1}},
			{"an office", audit.Search{Office: "asl-2"}, nil},
			{"an act", audit.Search{Act: "card.activated", Before: 3}, []int64{2, 1}},
			{"from this instant", audit.Search{Since: at}, []int64{5, 4, 3, 2, 1}},
			{"before this instant", audit.Search{Until: at}, nil},
			{"until just after", audit.Search{Until: at.Add(time.Microsecond), Limit: 1}, []int64{5}},
		} {
			found, err := trail.Search(t.Context(), c.s)
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			var got []int64
			for _, r := range found {
				got = append(got, r.Index)
			}
			if len(got) != len(c.want) {
				t.Errorf("%s: %v, want %v", c.name, got, c.want)
				continue
			}
			for i := range got {
				if got[i] != c.want[i] {
					t.Errorf("%s: %v, want %v", c.name, got, c.want)
					break
				}
			}
		}
	})
}
