package journey

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// Where the live demonstration listens.
const (
	liveTLS   = "127.0.0.1:8443"
	livePlain = "127.0.0.1:8080"
)

// patience bounds everything that one program does.
const patience = 90 * time.Second

// text is a program's output while it runs.
type text struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *text) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *text) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// demonstration is a csed at work.
type demonstration struct {
	data, tmp      string
	cmd            *exec.Cmd
	stdout, stderr text
	ended          chan struct{}
	err            error // after ended
}

// environment is what our programs and others' are given: a home of their own,
// nothing of the caller's.
func (j *journey) environment(more ...string) []string {
	middleware := module
	if j.middleware != "" {
		middleware = j.middleware
	}
	return append([]string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + j.dir, "LANG=it_IT.UTF-8", "LC_ALL=C.UTF-8", "XDG_CACHE_HOME=" + j.dir,
		"PKCS11_MODULE_PATH=" + middleware,
	}, more...)
}

// start runs csed with --data on a folder of that name.
func (j *journey) start(t *testing.T, name string, args ...string) *demonstration {
	t.Helper()
	d := &demonstration{data: filepath.Join(j.dir, name), tmp: filepath.Join(j.dir, name+".tmp"), ended: make(chan struct{})}
	if err := os.Mkdir(d.tmp, 0o700); err != nil {
		t.Fatal(err)
	}
	d.cmd = exec.Command(csed, append(args, "--lang", "it", "--data", d.data)...)
	d.cmd.Dir = j.dir
	d.cmd.Env = j.environment("TMPDIR=" + d.tmp)
	d.cmd.Stdout, d.cmd.Stderr = &d.stdout, &d.stderr
	if err := d.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	j.remember(d.cmd)
	go func() {
		d.err = d.cmd.Wait()
		close(d.ended)
	}()
	t.Cleanup(func() {
		_ = d.cmd.Process.Kill()
		<-d.ended
	})
	return d
}

// until waits for ok; it gives up when the program ends.
func (d *demonstration) until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * patience); ; time.Sleep(50 * time.Millisecond) {
		if ok() {
			return
		}
		select {
		case <-d.ended:
			t.Fatalf("csed ended (%v) before %s:\n%s", d.err, what, &d.stderr)
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s:\n%s", what, &d.stderr)
		}
	}
}

func (d *demonstration) waitForPort(t *testing.T) {
	t.Helper()
	d.until(t, "its port", func() bool {
		c, err := net.DialTimeout("tcp", liveTLS, time.Second)
		if err == nil {
			_ = c.Close()
		}
		return err == nil
	})
}

// remember keeps what anybody on the machine can see of a process.
func (j *journey) remember(c *exec.Cmd) {
	for _, file := range []string{"cmdline", "environ"} {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", c.Process.Pid, file))
		if err == nil {
			j.seen = append(j.seen, string(b))
		}
	}
}

// outcome is how a program ended.
type outcome struct {
	stdout, stderr string
	exit           int
}

func (o outcome) String() string { return fmt.Sprintf("exit %d\n%s%s", o.exit, o.stdout, o.stderr) }

// says fails the test unless the program ended with exit and printed all of want.
func (o outcome) says(t *testing.T, exit int, want ...string) {
	t.Helper()
	if o.exit != exit {
		t.Errorf("exit %d, want %d\n%s", o.exit, exit, o)
		return
	}
	for _, w := range want {
		if !strings.Contains(o.stdout+o.stderr, w) {
			t.Errorf("no %q in:\n%s", w, o)
		}
	}
}

// run executes a program to its end. input goes to descriptor 3 for ours
// (--pin-fd 3), to standard input for others'.
func (j *journey) run(t *testing.T, input, name string, args ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	c := exec.CommandContext(ctx, name, args...)
	c.Dir, c.Env = j.dir, j.environment()
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	ours := name == cse || name == csed
	var w *os.File
	if ours && input != "" {
		r, wr, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		w, c.ExtraFiles = wr, []*os.File{r}
	} else {
		c.Stdin = strings.NewReader(input)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	if ours {
		j.remember(c)
	}
	if w != nil {
		if _, err := io.WriteString(w, input); err != nil {
			t.Fatal(err)
		}
		_ = w.Close()
	}
	err := c.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("%s %s: %v", name, strings.Join(args, " "), err)
	}
	return outcome{out.String(), errs.String(), c.ProcessState.ExitCode()}
}

// other runs somebody else's program, which must succeed and print all of want.
func (j *journey) other(t *testing.T, want []string, name string, args ...string) string {
	t.Helper()
	o := j.run(t, "", name, args...)
	if o.exit != 0 {
		t.Errorf("%s %s:", name, strings.Join(args, " "))
	}
	o.says(t, 0, want...)
	return o.stdout
}

// card runs cse on a card's file; codes are typed a line each.
func (j *journey) card(t *testing.T, image string, codes []string, args ...string) outcome {
	t.Helper()
	all := []string{"--lang", "it", "--card", image}
	input := ""
	if len(codes) > 0 {
		all = append(all, "--pin-fd", "3")
		input = strings.Join(codes, "\n") + "\n"
	}
	return j.run(t, input, cse, append(all, args...)...)
}

// read decodes a program's one JSON document.
func (o outcome) read(t *testing.T, into any) {
	t.Helper()
	if err := json.Unmarshal([]byte(o.stdout), into); err != nil {
		t.Fatalf("%v\n%s", err, o)
	}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// file writes a file of the run.
func (j *journey) file(t *testing.T, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(j.dir, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
