package counter_test

import (
	"slices"
	"strings"
	"testing"

	"cse.example/cse/engine/store"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/staff"
)

// R59: who may activate, over the real act.
func TestWhoActivates(t *testing.T) {
	for office, code := range map[string]string{
		"asl1": "", "asl2": "", "com": "", "urp": "", "far": "", "no": "CSE-123", "ade": "CSE-122", "cc": "CSE-122",
	} {
		b := newBench(t, storetest.SQLite(t))
		p := b.mario(t)
		b.issue(t, p, number, nil)
		op := b.operator(t, "op1", office)
		if code != "" {
			_, err := b.StartDraft(t.Context(), op, goodCard(p))
			refused(t, office, err, code)
			continue
		}
		d := b.fill(t, op, p)
		if _, err := b.Activate(t.Context(), op, d.ID, d.Version); err != nil {
			t.Errorf("%s: %v", office, err)
		}
	}
}

func TestSearchAndSheet(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBench(t, db)
		op, p, a := b.activated(t)
		for _, text := range []string{
			string(p.CF), strings.ToLower(string(p.CF)), "*" + string(p.CF) + "*", number, "6090 0000 0000 0123", "8038" + number,
			a.Protocol, "rossi", "Rossi Mario", " ROSSI ",
		} {
			hits, err := b.Search(t.Context(), op, text)
			if err != nil || len(hits) != 1 || hits[0].Person.CF != p.CF || hits[0].Card.ID != number {
				t.Errorf("%q: %v, %v", text, hits, err)
			}
		}
		for text, code := range map[string]string{
			"": "CSE-151", "r": "CSE-151", "6090000000009999": "CSE-139", "80389999999999999999": "CSE-139", "2026/9999999": "CSE-145",
			"RSSMRA85T10A562X": "CSE-101", "BNCGLI85D52D612X": "CSE-102",
		} {
			_, err := b.Search(t.Context(), op, text)
			refused(t, text, err, code)
		}
		if hits, err := b.Search(t.Context(), op, "Zanardi"); err != nil || len(hits) != 0 {
			t.Errorf("nobody of that name: %v, %v", hits, err)
		}
		s, err := b.Sheet(t.Context(), op, p.CF)
		if err != nil {
			t.Fatal(err)
		}
		if len(s.Cards) != 1 || s.Cards[0].CanActivate || s.Cards[0].Functions[3].State != "valid" || !slices.Equal(s.Protocols, []string{a.Protocol}) {
			t.Errorf("sheet %+v", s)
		}
		if !s.May(staff.ActivateAdult) || s.May(staff.CorrectData) || !s.May(staff.LossTheft) {
			t.Errorf("actions %v", s.Actions)
		}
		if e := b.entries[len(b.entries)-1]; e.Act != "holder.viewed" || e.Actor != "op1" || e.Person != string(p.CF) {
			t.Errorf("entry %+v", e)
		}
		if s, err := b.Sheet(t.Context(), b.operator(t, "op1", "com"), p.CF); err != nil || len(s.Protocols) != 0 || s.May(staff.LossTheft) {
			t.Errorf("from another counter: %v %v, %v", s.Protocols, s.Actions, err)
		}
	})
}

func TestNewRefusesWhatIsMissing(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	d := b.deps
	d.Codes = nil
	if _, err := counter.New(d); err == nil || !strings.Contains(err.Error(), "Codes") {
		t.Errorf("without codes: %v", err)
	}
}
