package bench

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"cse.example/cse/engine/audit"
	"cse.example/cse/engine/store"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/secret"
	"cse.example/cse/person/registry"
)

// people is the import of a registry of invented people into SQLite, durable
// (fsync at the end of each act), in a process of its own: memory counts too.
var people = row{"people", func(t *testing.T, s size) []figure {
	n := s.of(100_000, 10_000)
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "people.csv"))
	if err != nil {
		t.Fatal(err)
	}
	if err := registry.Generate(f, n, 1, civil.Today(civil.System{})); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	var perCPU, peak []float64
	perSecond, _ := s.rounds(3, func() float64 {
		var got imported
		_, stop := start(t, "import", dir, &got)
		stop()
		if got.Accepted != n || got.Changed != n {
			t.Fatalf("%d rows: %+v", n, got)
		}
		perCPU = append(perCPU, float64(n)/got.CPU.Seconds())
		peak = append(peak, float64(got.PeakKiB)/1024)
		return float64(n) / got.Wall.Seconds()
	}, nil)
	return []figure{
		{name: "people imported", unit: "rows/s", ours: perSecond},
		{name: "people imported, CPU", unit: "rows/CPU-s", ours: perCPU},
		{name: "people imported, memory", unit: "MiB at most", ours: peak},
	}
}}

// imported is what the child says of one import.
type imported struct {
	Accepted, Changed int
	Wall, CPU         time.Duration
	PeakKiB           int64 // of the whole process
}

// importPeople imports people.csv into a new store.
func importPeople(t *testing.T, dir string) any {
	db, err := store.Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "cse.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	i, err := registry.NewImporter(registry.Importer{
		Store: db.People(), Atomically: db.Atomically, Record: trail(t, db).Record, Clock: civil.System{},
	})
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(filepath.Join(dir, "people.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	wall, cpu := time.Now(), ownCPU(t)
	report, err := i.Import(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	return imported{report.Accepted, report.Changed, time.Since(wall), ownCPU(t) - cpu, peakKiB(t)}
}

// trail is the audit trail of the platform, over db.
func trail(t *testing.T, db *store.DB) *audit.Trail {
	t.Helper()
	a, err := audit.New(audit.Config{
		Conn:       func(ctx context.Context) audit.DBTX { return db.Conn(ctx) },
		Atomically: db.Atomically, Clock: civil.System{}, Key: secret.New(make([]byte, 32)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// peakKiB is the most memory this process has had (VmHWM of proc(5)).
func peakKiB(t *testing.T) int64 {
	t.Helper()
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(b)) {
		if v, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			n, err := strconv.ParseInt(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(v), "kB")), 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatal(fmt.Errorf("no VmHWM in /proc/self/status"))
	return 0
}
