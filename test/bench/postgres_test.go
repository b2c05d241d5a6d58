package bench

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"testing"
	"time"
)

// postgres starts a PostgreSQL 15 of the benchmark's own on loopback and answers
// its address; it is stopped and gone after the test. Unlike scripts/postgres.sh,
// which is for tests, it writes to disk what it says it has (fsync).
func postgres(t *testing.T) string {
	t.Helper()
	const bin = "/usr/lib/postgresql/15/bin"
	if _, err := os.Stat(filepath.Join(bin, "initdb")); err != nil {
		t.Fatalf("%v: apt-get install postgresql-15", err)
	}
	// Its user must be able to walk there, which he cannot below a checkout of root's.
	dir, err := os.MkdirTemp("/var/tmp", "cse-bench-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	as := own(t, dir)
	run := func(args ...string) error {
		c := exec.Command(as[0], append(append(as[1:len(as):len(as)], filepath.Join(bin, args[0])), args[1:]...)...)
		c.Dir = dir
		out, err := c.CombinedOutput()
		if err != nil {
			return fmt.Errorf("%s: %w\n%s", args[0], err, out)
		}
		return nil
	}
	data := filepath.Join(dir, "data")
	if err := run("initdb", "-D", data, "-U", "cse", "-A", "trust", "-E", "UTF8", "--locale=C"); err != nil {
		t.Fatal(err)
	}
	address := freePort(t)
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	// A child of ours, so that its processor time counts as ours.
	server := exec.Command(as[0], append(as[1:len(as):len(as)], filepath.Join(bin, "postgres"), "-D", data, "-h", "127.0.0.1", "-p", port, "-k", dir)...)
	server.Dir, server.Stdout, server.Stderr = dir, log, log
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Signal(os.Interrupt) // a fast shutdown; Wait tells the rest
		if err := server.Wait(); err != nil {
			t.Errorf("postgres: %v", err)
		}
	})
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if err := run("pg_isready", "-h", "127.0.0.1", "-p", port); err == nil {
			break
		}
		if time.Now().After(deadline) {
			text, _ := os.ReadFile(log.Name()) // for the message only
			t.Fatalf("PostgreSQL does not answer:\n%s", text)
		}
	}
	return "postgres://cse@" + address + "/postgres?sslmode=disable"
}

// own gives dir to the user postgres when root runs the benchmark: the server
// refuses root. It answers the command that runs another as him.
func own(t *testing.T, dir string) []string {
	t.Helper()
	if os.Getuid() != 0 {
		return []string{"env"}
	}
	u, err := user.Lookup("postgres")
	if err != nil {
		t.Fatal(err)
	}
	uid, err1 := strconv.Atoi(u.Uid)
	gid, err2 := strconv.Atoi(u.Gid)
	if err1 != nil || err2 != nil {
		t.Fatalf("user postgres: %v %v", err1, err2)
	}
	if err := os.Chown(dir, uid, gid); err != nil {
		t.Fatal(err)
	}
	return []string{"setpriv", "--pdeathsig=INT", "--reuid=postgres", "--regid=postgres", "--clear-groups"}
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
