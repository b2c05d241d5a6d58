package crash

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// starved runs csed while the kernel says that the disk is full: from the n-th call
// of that name on (strace). It answers what csed said.
func (s *site) starved(call string, n int, args ...string) (code int, said string) {
	s.t.Helper()
	csed := s.command(args...)
	cmd := exec.Command("strace", append([]string{
		"-f", "-qq", "-o", "/dev/null", "-e", "trace=" + call, "-e", fmt.Sprintf("inject=%s:error=ENOSPC:when=%d+", call, n),
	}, csed.Args...)...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		s.t.Fatalf("strace: %v (apt-get install strace)", err)
	}
	return cmd.ProcessState.ExitCode(), out.String()
}

// TestDiskFull: an issue and a backup that find the disk full say so and lose nothing;
// once there is room they are done.
func TestDiskFull(t *testing.T) {
	kills(t)
	t.Parallel()
	s := newSite(t, "")
	s.hireBureau()
	who := strings.TrimSpace(s.must("backup", "key", filepath.Join(s.dir, "custodian")))
	s.append("backup: {records: [" + who + "]}\n")
	s.must("people", "import", s.people(1))
	s.must("produce", "night")
	full := 0
	for _, n := range []int{1, 8, 40, 200} {
		code, said := s.starved("pwrite64", n, "produce", "advance")
		if code == 0 {
			continue // it needed less than that
		}
		full++
		if code != 1 || !strings.Contains(said, "CSE-995") || strings.Contains(said, "panic") {
			t.Errorf("issue, full from write %d on: %d\n%s", n, code, said)
		}
		s.sound(fmt.Sprintf("a disk full from write %d on", n))
	}
	if full < 2 {
		t.Errorf("the disk was full %d times only", full)
	}
	s.must("produce", "advance")

	copies := filepath.Join(s.dir, "copies")
	full = 0
	for n := 1; n < 6; n++ {
		code, said := s.starved("fsync", n, "backup", copies)
		if code == 0 {
			continue
		}
		full++
		if code != 1 || !strings.Contains(said, "CSE-995") {
			t.Errorf("backup, full from sync %d on: %d\n%s", n, code, said)
		}
		if left, err := os.ReadDir(copies); err == nil && len(left) != 0 {
			t.Errorf("backup, full from sync %d on, leaves %v", n, left)
		}
		s.sound(fmt.Sprintf("a backup on a full disk, from sync %d on", n))
	}
	if full < 2 {
		t.Errorf("the disk was full for %d backups only", full)
	}
	set := strings.TrimSpace(s.must("backup", copies))
	s.must("backup", "verify", set, "--identity", filepath.Join(s.dir, "custodian"))

	// A backup that is killed anywhere leaves no set that is not whole.
	whole := stopwatch(func() { s.must("backup", copies) })
	for range 6 {
		s.interrupted(time.Duration(s.dice.Float64()*float64(whole)), "backup", copies)
	}
	list, err := os.ReadDir(copies)
	if err != nil || len(list) < 2 {
		t.Fatal(list, err)
	}
	for _, d := range list {
		if strings.HasPrefix(d.Name(), ".writing-") {
			continue
		}
		s.must("backup", "verify", filepath.Join(copies, d.Name()), "--identity", filepath.Join(s.dir, "custodian"))
	}
	s.sound("killed backups")
}
