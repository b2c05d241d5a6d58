package crash

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cse.example/cse/card/holder"
	"cse.example/cse/card/reader"
	"cse.example/cse/engine/store"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/pki/ca"
)

// cohort is how many people come into the registry at a time.
const cohort = 12

// TestProduction kills csed in all steps of production, and the bureau meanwhile.
func TestProduction(t *testing.T) {
	want := kills(t)
	t.Parallel()
	s := newSite(t, "issue: {chipless_every: 7}\n")
	s.hireBureau()
	s.idle = stopwatch(func() { s.must("produce", "deliver") }) // opens everything and finds nothing to do
	done, people := 0, 0
	for round := uint64(1); done < want; round++ {
		people += cohort
		done += s.produceKilled(round, want-done)
	}
	t.Logf("%d kills of csed, %d people", done, people)
	s.reconcile(people)
}

func stopwatch(f func()) time.Duration {
	begin := time.Now()
	f()
	return time.Since(begin)
}

// people writes the file of the n-th cohort.
func (s *site) people(n uint64) string {
	s.t.Helper()
	name := fmt.Sprintf("people-%d.csv", n)
	text := s.must("people", "generate", "--count", fmt.Sprint(max(cohort, s.many)), "--seed", fmt.Sprint(n))
	if s.edit != nil {
		text = s.edit(text)
	}
	s.write(name, text)
	return filepath.Join(s.dir, name)
}

// produceKilled takes a cohort from the registry to its letter boxes. While there
// are kills left, every command may be killed; one that was is run again. It
// answers the number of kills.
func (s *site) produceKilled(round uint64, left int) (n int) {
	s.t.Helper()
	file := s.people(round)
	bureau := s.work(left/2+1, func() time.Duration { return time.Duration(200+s.dice.IntN(2000)) * time.Millisecond })
	defer func() { s.t.Logf("round %d: %d kills of csed, %d of the bureau", round, n, bureau.end()) }()
	run := func(args ...string) {
		s.t.Helper()
		for n < left && s.dice.IntN(4) > 0 { // one in four lives, so that kills are spread over all commands
			at, begin := s.instant(args[1]), time.Now()
			if !s.interrupted(at, args...) {
				s.took(args[1], time.Since(begin))
				return
			}
			n++
			s.sound(strings.Join(args, " ") + " killed after " + at.String())
		}
		s.took(args[1], stopwatch(func() { s.must(args...) }))
	}
	run("people", "import", file)
	run("produce", "night")
	deadline := time.Now().Add(2 * time.Minute)
	for !s.received() {
		if time.Now().After(deadline) {
			s.t.Fatalf("the batches do not come to an end: %+v", s.status())
		}
		run("produce", "advance")
	}
	run("produce", "ship")
	run("produce", "deliver")
	return n
}

// took notes how long a command took that was left alone.
func (s *site) took(command string, d time.Duration) {
	old, known := s.lasts[command]
	if !known {
		old.shortest = d
	}
	s.lasts[command] = span{shortest: min(old.shortest, d), last: d}
	s.idle = min(s.idle, d) // measured while others were busy it would be later than every command's end, and nothing would be killed
}

// instant chooses when to kill a command: seldom while it opens its keys, mostly
// in the time it needs when the machine is free, or needed the last time.
func (s *site) instant(command string) time.Duration {
	to := s.lasts[command].last
	if s.dice.IntN(2) == 0 {
		to = s.lasts[command].shortest
	}
	from := s.idle * 7 / 10
	to = max(to, s.idle)
	return from + time.Duration(s.dice.Float64()*float64(to-from))
}

// received tells whether the bureau's part is over, for all batches.
func (s *site) received() bool {
	s.t.Helper()
	st := s.status()
	if st.Cards["ordered TS-CNS"]+st.Cards["ordered TS"] > 0 {
		return false
	}
	for _, b := range st.Batches {
		if b.State != "received" && b.State != "sent" {
			return false
		}
	}
	return true
}

// reconcile asks that every person has one card, and the card is there.
func (s *site) reconcile(people int) {
	s.t.Helper()
	s.sound("production")
	st := s.status()
	chips, plain := st.Cards["delivered TS-CNS"], st.Cards["delivered TS"]
	if chips+plain+st.Exceptions != people || chips == 0 || plain == 0 || len(st.Cards) != 2 {
		s.t.Errorf("%d people, %d exceptions, but these cards: %v", people, st.Exceptions, st.Cards)
	}
	cards, made := 0, 0
	for _, b := range st.Batches {
		cards, made = cards+b.Cards, made+b.Made
	}
	if cards != chips+plain || made != cards {
		s.t.Errorf("the batches made %d of %d cards, there are %d", made, cards, chips+plain)
	}
	if left, err := os.ReadDir(filepath.Join(s.data, "exchange")); err != nil || len(left) != 0 {
		for _, f := range left {
			if !strings.HasPrefix(f.Name(), ".writing-") { // half written: of no batch
				s.t.Errorf("left in the exchange folder: %s, %v", f.Name(), err)
			}
		}
	}
	db := s.store()
	images, err := filepath.Glob(filepath.Join(s.dir, "cards", "*.cse"))
	if err != nil || len(images) != chips {
		s.t.Errorf("%d chips were made for %d cards, %v", len(images), chips, err)
	}
	seen := map[string]bool{}
	for _, image := range images {
		serial := s.chip(db, image)
		if seen[serial] {
			s.t.Errorf("certificate %s is in two chips", serial)
		}
		seen[serial] = true
	}
	s.onePerPerson(db, people)
}

// chip reads a finished chip and compares it with its card's record.
func (s *site) chip(db *store.DB, image string) string {
	s.t.Helper()
	r, err := reader.FromFile(image)
	if err != nil {
		s.t.Fatal(err)
	}
	defer r.Close()
	h, err := holder.New(r)
	if err != nil {
		s.t.Fatal(err)
	}
	cert, err := h.Certificate()
	if err != nil {
		s.t.Fatalf("%s: %v", image, err)
	}
	c, err := db.Cards().Get(context.Background(), strings.TrimSuffix(filepath.Base(image), ".cse"))
	if err != nil {
		s.t.Fatal(err)
	}
	if got := ca.SerialOf(cert); got != c.CertSerial {
		s.t.Errorf("the chip of card %s has certificate %s, the record %s", c.ID, got, c.CertSerial)
	}
	return c.CertSerial
}

func (s *site) onePerPerson(db *store.DB, people int) {
	s.t.Helper()
	cards, err := db.Cards().Each(context.Background(), "", 10_000)
	if err != nil {
		s.t.Fatal(err)
	}
	of := map[string]lifecycle.Card{}
	for _, c := range cards {
		if other, twice := of[string(c.CF)]; twice {
			s.t.Errorf("cards %s and %s are the same person's", other.ID, c.ID)
		}
		of[string(c.CF)] = c
	}
	if len(of) > people {
		s.t.Errorf("%d people with a card, of %d", len(of), people)
	}
}
