package bench

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// tick is the unit of CPU time in /proc: USER_HZ is 100 on every Linux.
const tick = 10 * time.Millisecond

// ownCPU is the CPU time of this process so far, user and system.
func ownCPU(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// cpuOf is the CPU time of another running process so far, to 10 ms.
func cpuOf(t *testing.T, pid int) time.Duration {
	t.Helper()
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	d, err := statCPU(string(b))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// statCPU reads utime and stime, fields 14 and 15 of proc(5). The name before
// them stands in parentheses and may have spaces.
func statCPU(stat string) (time.Duration, error) {
	f := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(f) < 13 {
		return 0, fmt.Errorf("/proc stat has %d fields", len(f))
	}
	var sum time.Duration
	for _, s := range f[11:13] {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return 0, fmt.Errorf("/proc stat: %w", err)
		}
		sum += time.Duration(n) * tick
	}
	return sum, nil
}

func TestStatCPU(t *testing.T) {
	const line = "24708 (a (b) c) R 24699 24699 17376 0 -1 4194304 99 0 0 0 123 45 0 0 20 0 1 0 535424"
	if got, err := statCPU(line); err != nil || got != 1680*time.Millisecond {
		t.Errorf("got %v (%v), want 1.68s", got, err)
	}
	for _, bad := range []string{"", "1 (x) R 1 2", strings.ReplaceAll(line, "45", "x")} {
		if got, err := statCPU(bad); err == nil {
			t.Errorf("%q gave %v", bad, got)
		}
	}
}

// run runs a program to its end, which must be good, and gives the CPU time it
// took and what it printed.
func run(t *testing.T, name string, args ...string) (time.Duration, string) {
	t.Helper()
	c := exec.CommandContext(t.Context(), name, args...)
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return c.ProcessState.UserTime() + c.ProcessState.SystemTime(), string(out)
}

// pinned is the command line that keeps a server on the last processor, so that
// what asks it has another.
func pinned(name string, args ...string) []string {
	return append([]string{"taskset", "--cpu-list", strconv.Itoa(runtime.NumCPU() - 1), name}, args...)
}

// machine says on what the figures were taken.
func machine(t *testing.T) string {
	t.Helper()
	model := "unknown processor"
	info, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(info)) {
		if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == "model name" {
			model = strings.TrimSpace(v)
		}
	}
	load, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		t.Fatal(err)
	}
	_, version := run(t, "openssl", "version")
	name, _, _ := strings.Cut(version, "(")
	return fmt.Sprintf("%s, %d processors, %s, %s, load %s", model, runtime.NumCPU(), runtime.Version(), strings.TrimSpace(name),
		strings.Join(strings.Fields(string(load))[:3], " "))
}

// stat is a moment: the machine's CPU time, in all and stolen by its host, and
// that of this process and the children it has waited for.
type stat struct {
	at               time.Time
	all, stolen, own time.Duration
}

func readStat(t *testing.T) stat {
	t.Helper()
	b, err := os.ReadFile("/proc/stat")
	if err != nil {
		t.Fatal(err)
	}
	line, _, _ := strings.Cut(string(b), "\n")
	f := strings.Fields(line)
	if len(f) < 9 {
		t.Fatalf("/proc/stat: %q", line)
	}
	ticks := func(i int) time.Duration {
		n, err := strconv.ParseInt(f[i], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return time.Duration(n) * tick
	}
	s := stat{at: time.Now(), own: ownCPU(t), stolen: ticks(8)}
	for _, i := range []int{1, 2, 3, 6, 7} { // user, nice, system, irq, softirq
		s.all += ticks(i)
	}
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_CHILDREN, &u); err != nil {
		t.Fatal(err)
	}
	s.own += time.Duration(u.Utime.Nano() + u.Stime.Nano())
	return s
}

// busy says how much the machine did for others meanwhile: figures of a busy
// machine are worth less, those in wall time most of all.
func busy(a, b stat) string {
	whole := float64(b.at.Sub(a.at)) * float64(runtime.NumCPU())
	others := float64((b.all-a.all)-(b.own-a.own)) / whole
	stolen := float64(b.stolen-a.stolen) / whole
	text := fmt.Sprintf("the machine gave %.0f%% of its processors to others and lost %.0f%% to its host", 100*max(others, 0), 100*stolen)
	if others > 0.10 || stolen > 0.02 {
		text += ": TOO BUSY, do not quote these figures; wall times (…/s) suffer most"
	}
	return text
}

func TestBusy(t *testing.T) {
	now := time.Now()
	a := stat{at: now}
	n := time.Duration(runtime.NumCPU())
	quiet := stat{at: now.Add(time.Second), all: n * 500 * time.Millisecond, own: n * 490 * time.Millisecond}
	if got := busy(a, quiet); strings.Contains(got, "BUSY") || !strings.Contains(got, "gave 1%") {
		t.Error(got)
	}
	loud := stat{at: now.Add(time.Second), all: n * 900 * time.Millisecond, own: n * 400 * time.Millisecond}
	if got := busy(a, loud); !strings.Contains(got, "gave 50%") || !strings.Contains(got, "BUSY") {
		t.Error(got)
	}
	robbed := quiet
	robbed.stolen = n * 100 * time.Millisecond
	if got := busy(a, robbed); !strings.Contains(got, "lost 10%") || !strings.Contains(got, "BUSY") {
		t.Error(got)
	}
}
