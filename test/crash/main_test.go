package crash

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"cse.example/cse/engine/store"
	"cse.example/cse/pki/keys/keystest"
)

func TestMain(m *testing.M) {
	if folder := os.Getenv(bureauEnv); folder != "" {
		if err := bureauProcess(folder); err != nil {
			fmt.Fprintln(os.Stderr, "bureau:", err)
			os.Exit(1)
		}
		return
	}
	keystest.Cheap()
	os.Exit(m.Run())
}

// kills is how many times to kill.
func kills(t *testing.T) int {
	t.Helper()
	v := os.Getenv("CSE_CRASH_KILLS")
	if v == "" {
		t.Skip("CSE_CRASH_KILLS is not set: run make crash")
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 {
		t.Fatalf("CSE_CRASH_KILLS=%s is not a number of kills", v)
	}
	return n
}

// dice are the choices of one test, repeatable by their seed.
func dice(t *testing.T) *rand.Rand {
	t.Helper()
	seed := uint64(time.Now().UnixNano())
	if v := os.Getenv("CSE_CRASH_SEED"); v != "" {
		n, err := strconv.ParseUint(v, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		seed = n
	}
	t.Logf("CSE_CRASH_SEED=%d", seed)
	return rand.New(rand.NewPCG(seed, 0))
}

// site is one installation and the program that works on it.
type site struct {
	t      *testing.T
	bin    string
	dir    string // of configuration and bureau; the data folder is below
	data   string
	config string
	dice   *rand.Rand
	// idle is what a command takes that finds nothing to do; lasts, by command,
	// what it took when it was left alone.
	idle  time.Duration
	lasts map[string]span
	// many is how many people a cohort has, when more than usual; edit changes the
	// registry's file of a cohort.
	many int
	edit func(text string) string
}

// span is what a command took at best, and the last time.
type span struct{ shortest, last time.Duration }

// newSite makes keys and authority; more is appended to the configuration.
func newSite(t *testing.T, more string) *site {
	t.Helper()
	bin, err := filepath.Abs(filepath.Join("..", "..", "bin", "csed"))
	if v := os.Getenv("CSE_CRASH_CSED"); v != "" {
		bin, err = v, nil
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(bin); err != nil {
		t.Fatalf("%v: run make build", err)
	}
	dir := t.TempDir()
	s := &site{t: t, bin: bin, dir: dir, data: filepath.Join(dir, "data"), config: filepath.Join(dir, "csed.yaml"), dice: dice(t), lasts: map[string]span{}}
	s.write("csed.yaml", "data: "+s.data+"\n"+more)
	s.must("ca", "init")
	s.cheapen()
	return s
}

func (s *site) write(name, text string) {
	s.t.Helper()
	if err := os.WriteFile(filepath.Join(s.dir, name), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

// command is csed with this site's configuration, its messages in English.
func (s *site) command(args ...string) *exec.Cmd {
	cmd := exec.Command(s.bin, append(args, "--config", s.config, "--lang", "en")...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // nothing outlives the test
	return cmd
}

// must runs a command to its end and gives its standard output.
func (s *site) must(args ...string) string {
	s.t.Helper()
	var out, errs bytes.Buffer
	cmd := s.command(args...)
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		s.t.Fatalf("csed %s: %v\n%s%s", strings.Join(args, " "), err, out.String(), errs.String())
	}
	return out.String()
}

// interrupted runs a command and kills it after d. It tells whether the kill
// came before the end; a command that ended by itself must have ended well.
func (s *site) interrupted(d time.Duration, args ...string) (killed bool) {
	s.t.Helper()
	var errs bytes.Buffer
	cmd := s.command(args...)
	cmd.Stderr = &errs
	if err := cmd.Start(); err != nil {
		s.t.Fatal(err)
	}
	timer := time.AfterFunc(d, func() { _ = cmd.Process.Kill() }) // it may have ended
	defer timer.Stop()
	err := cmd.Wait()
	if err == nil {
		return false
	}
	if !died(err) {
		s.t.Fatalf("csed %s: %v\n%s", strings.Join(args, " "), err, errs.String())
	}
	return true
}

// died tells whether a process ended by SIGKILL.
func died(err error) bool {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return false
	}
	st, ok := exit.Sys().(syscall.WaitStatus)
	return ok && st.Signaled() && st.Signal() == syscall.SIGKILL
}

// sound asks fsck; what it finds is the test's failure.
func (s *site) sound(after string) {
	s.t.Helper()
	out, err := s.command("fsck").CombinedOutput()
	if err != nil {
		s.t.Fatalf("fsck after %s: %v\n%s", after, err, out)
	}
}

// status is what `csed produce status --json` says.
type status struct {
	Cards   map[string]int `json:"cards"`
	Batches []struct {
		ID                          string
		State                       string
		Cards, Chips, Made, Spoiled int
	} `json:"batches"`
	Exceptions int `json:"exceptions"`
}

func (s *site) status() status {
	s.t.Helper()
	var out status
	if err := json.Unmarshal([]byte(s.must("produce", "status", "--json")), &out); err != nil {
		s.t.Fatal(err)
	}
	return out
}

// store opens the records, while csed does not run.
func (s *site) store() *store.DB {
	s.t.Helper()
	db, err := store.Open(context.Background(), "sqlite:"+filepath.Join(s.data, "platform.db"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { _ = db.Close() }) // only read
	return db
}
