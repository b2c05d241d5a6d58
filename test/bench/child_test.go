package bench

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// children are what can run in a process of its own: a server whose CPU time is
// to be told from its client's, or work whose memory is to be measured. A child
// is given a folder and answers once; what it answers with must fit JSON. A
// server stays until the parent closes it or dies.
var children = map[string]child{
	"ocsp":   {serveOCSP, true},
	"tier":   {serveTier, true},
	"bare":   {serveConstant, true},
	"login":  {serveLogin, true},
	"import": {importPeople, false},

	"list-write": {writeList, false}, "list-write-std": {writeListStd, false}, "list-read": {readList, false}, "list-read-std": {readListStd, false},
	"list-index": {indexList, false}, "list-region": {publishRegion, false},
}

type child struct {
	run func(t *testing.T, dir string) any
	// pinned keeps it on one processor: servers, whose clients need another.
	pinned bool
}

// TestChild is the child's side: this same program, started again by start.
func TestChild(t *testing.T) {
	name := os.Getenv("CSE_BENCH_CHILD")
	if name == "" {
		t.Skip("not a child of TestRows")
	}
	c, ok := children[name]
	if !ok {
		t.Fatalf("no child %q", name)
	}
	if err := json.NewEncoder(os.Stdout).Encode(c.run(t, os.Getenv("CSE_BENCH_DIR"))); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, os.Stdin) // until the parent has had enough
}

// start starts a child in dir and reads its answer. stop ends it; the end of the
// test does too.
func start(t *testing.T, name, dir string, answer any) (pid int, stop func()) {
	t.Helper()
	line := []string{os.Args[0], "-test.run=^TestChild$"}
	if children[name].pinned {
		line = pinned(line[0], line[1:]...)
	}
	c := exec.Command(line[0], line[1:]...)
	c.Env = append(os.Environ(), "CSE_BENCH_CHILD="+name, "CSE_BENCH_DIR="+dir)
	c.Stderr = os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	stdin, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(stdout)
	stopped := false
	stop = func() {
		if stopped {
			return
		}
		stopped = true
		_ = stdin.Close()
		rest, _ := io.ReadAll(lines) // what a failed child says
		if err := c.Wait(); err != nil {
			t.Errorf("child %s: %v\n%s", name, err, rest)
		}
	}
	t.Cleanup(stop)
	first, err := lines.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(first, answer)
	}
	if err != nil {
		stop()
		t.Fatal(fmt.Errorf("child %s says %q: %w", name, first, err))
	}
	return c.Process.Pid, stop
}
