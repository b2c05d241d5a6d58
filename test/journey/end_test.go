package journey

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"cse.example/cse/test/journey/inspect"
)

// stopAndCheck: SIGTERM ends the demonstration with 0 within its grace, and
// everything in its registers agrees. Of the one played with --once too.
func (j *journey) stopAndCheck(t *testing.T) {
	if got := inspect.Text(j.live.stdout.String()+j.live.stderr.String(), j.codes...); len(got) > 0 {
		t.Errorf("csed demo prints %v", got)
	}
	began := time.Now()
	ok(t, j.live.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-j.live.ended:
	case <-time.After(15 * time.Second):
		t.Fatal("csed is still there 15 s after SIGTERM")
	}
	if j.live.err != nil {
		t.Errorf("csed after SIGTERM: %v\n%s", j.live.err, &j.live.stderr)
	}
	t.Logf("SIGTERM took %v", time.Since(began).Round(time.Millisecond))
	for _, d := range []*demonstration{j.live, j.once} {
		config := j.file(t, "fsck.yaml", []byte("data: "+d.data+"\n"))
		j.run(t, "", csed, "--lang", "it", "fsck", "--config", config).says(t, 0)
		if wal, err := filepath.Glob(filepath.Join(d.data, "*-wal")); err != nil || len(wal) > 0 {
			t.Errorf("the database was not closed: %v", wal)
		}
	}
}

func (j *journey) liveLeftovers(t *testing.T) { j.leftovers(t, j.live) }

// commandLines: what anybody on the machine could see of our programs never
// held a code.
func (j *journey) commandLines(t *testing.T) {
	if len(j.seen) < 20 || len(j.codes) < 4 {
		t.Fatalf("%d command lines and %d cards' codes: too few to look for", len(j.seen), len(j.codes))
	}
	for _, s := range j.seen {
		if got := inspect.Text(s, j.codes...); len(got) > 0 {
			t.Errorf("%v in the command line or environment of %s", got, strings.SplitN(s, "\x00", 2)[0])
		}
	}
}
