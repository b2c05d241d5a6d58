package bench

import (
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"cse.example/cse/card/cns"
	"cse.example/cse/card/holder/holdertest"
	"cse.example/cse/demo/bureau/bureautest"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/issuer/production"
)

// personalisation is the making of cards. Beside OpenSSL: one whole card (RSA
// key made inside, files, certificate, codes, finished, on the disk) against
// nothing but such a key. Alone: the whole line, from the order to the post,
// through the bureau's sealed files, on all processors.
var personalisation = row{"personalisation", func(t *testing.T, s size) []figure {
	n := s.of(40, 6)
	dir := t.TempDir()
	serial := uint64(0)
	// What starting the program costs is not the making of a key.
	base, _ := run(t, "openssl", "version")
	ours, peer := s.rounds(7, func() float64 {
		begin := ownCPU(t)
		for range n {
			serial++
			holdertest.Make(t, filepath.Join(dir, strconv.FormatUint(serial, 10)+".cse"), cns.Neutral(), serial)
		}
		return float64(n) / (ownCPU(t) - begin).Seconds()
	}, func() float64 {
		var spent time.Duration
		for range n {
			cpu, _ := run(t, "openssl", "genrsa", "-out", filepath.Join(dir, "peer.key"), "2048")
			spent += cpu - base
		}
		return float64(n) / spent.Seconds()
	})
	return []figure{
		{name: "cards made", unit: "cards/CPU-s", ours: ours, peer: peer, beside: "openssl genrsa 2048: the key only"},
		{name: "cards produced, order to post", unit: "cards/s", ours: produce(t, s)},
	}
}}

// produce runs the production line for s people and counts finished chips.
func produce(t *testing.T, s size) []float64 {
	t.Helper()
	n := s.of(200, 12)
	perSecond, _ := s.rounds(3, func() float64 {
		w := bureautest.New(t, storetest.SQLite(t))
		w.Import(t, n, 1)
		plant, bureau := w.Plant(t), w.Bureau(t)
		begin := time.Now()
		if _, err := plant.OrderMissing(t.Context()); err != nil {
			t.Fatal(err)
		}
		for {
			open, err := plant.AdvanceAll(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, b := range open {
				if b.State == production.Received {
					if _, err := plant.Ship(t.Context(), b.ID); err != nil {
						t.Fatal(err)
					}
				}
			}
			if len(open) == 0 {
				break
			}
			if err := bureau.Work(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		spent := time.Since(begin)
		made, err := filepath.Glob(filepath.Join(w.Cards, "*.cse"))
		if err != nil || len(made) != n {
			t.Fatalf("%d cards of %d (%v)", len(made), n, err)
		}
		return float64(n) / spent.Seconds()
	}, nil)
	return perSecond
}
