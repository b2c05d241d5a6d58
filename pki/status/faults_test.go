//go:build linux

package status_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/pki/ca/catest"
	"cse.example/cse/pki/crl"
	"cse.example/cse/pki/profile"
	"cse.example/cse/pki/status"
)

// Faults at each system call of a publication, by strace: after every one of them a
// reader has the old list or the new one, whole, and the next publication works.
//
// The program that publishes is this test's own, run again (publishAlone). Its main
// goroutine stays on the first thread, which alone strace follows, so that the nth
// call of a name is the same one in each run.

const (
	envFolder  = "CSE_TEST_PUBLISH"
	envNumber  = "CSE_TEST_NUMBER"
	envEntries = "CSE_TEST_ENTRIES"
	envMode    = "CSE_TEST_MODE"
	begins     = "/publication-begins"
	ended      = "/publication-ended"
)

// init is the program's main: no test runs where the folder is given.
func init() {
	folder := os.Getenv(envFolder)
	if folder == "" {
		return
	}
	runtime.LockOSThread()
	if err := publishAlone(folder); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// counted is records that know one part, its number and how many are on it.
type counted struct{ number, entries int }

func (c counted) Keep(context.Context, string, int) error { return nil }
func (c counted) Parts(context.Context, string) ([]status.Part, error) {
	return []status.Part{{Shard: 0}}, nil
}

func (c counted) NextNumber(context.Context, string, int, time.Time) (status.Number, error) {
	return status.Number{Number: int64(c.number)}, nil
}

func (c counted) Listed(_ context.Context, _ string, _ int, _ time.Time, yield func(status.Entry) error) error {
	for n := range c.entries {
		if err := yield(status.Entry{Serial: fmt.Sprintf("%032x", n+1), Since: catest.Start, Reason: status.Hold}); err != nil {
			return err
		}
	}
	return nil
}

// publishAlone is the program: it publishes one list, or looks at the one in place.
func publishAlone(folder string) error {
	b, err := os.ReadFile(filepath.Join(folder, "issuer.der"))
	if err != nil {
		return err
	}
	issuer, err := x509.ParseCertificate(b)
	if err != nil {
		return err
	}
	if b, err = os.ReadFile(filepath.Join(folder, "key.der")); err != nil {
		return err
	}
	key, err := x509.ParseECPrivateKey(b)
	if err != nil {
		return err
	}
	number, err1 := strconv.Atoi(os.Getenv(envNumber))
	entries, err2 := strconv.Atoi(os.Getenv(envEntries))
	lists := filepath.Join(folder, "lists")
	if os.Getenv(envMode) == "look" {
		return errors.Join(err1, err2, whole(lists, issuer, number, entries))
	}
	parts := status.PublisherParts{
		Issuer: issuer, Signer: key, Store: counted{number, entries}, Clock: civil.NewHand(catest.Start), Rand: rand.Reader,
		Atomically: func(ctx context.Context, act func(context.Context) error) error { return act(ctx) },
		Dir:        lists, URLs: profile.URLsAt(catest.Base),
	}
	_, _ = os.Stat(begins)
	p, err := status.NewPublisher(parts)
	if err == nil {
		_, err = p.Publish(context.Background())
	}
	_, _ = os.Stat(ended)
	return errors.Join(err1, err2, err)
}

// whole checks that the list in place has that number and so many entries, signed.
func whole(lists string, issuer *x509.Certificate, number, entries int) error {
	f, err := crl.OpenFile(filepath.Join(lists, "issuing-0.crl"))
	if err != nil {
		return err
	}
	n := 0
	for _, e := range f.Entries() {
		if e != nil {
			return errors.Join(e, f.Close())
		}
		n++
	}
	err = errors.Join(f.CheckSignatureFrom(issuer), f.Close())
	if got := f.Head.Number.Int64(); got != int64(number) || n != entries {
		err = errors.Join(err, fmt.Errorf("number %d with %d entries, want %d with %d", got, n, number, entries))
	}
	return err
}

// stage is a folder with an authority and its lists.
func stage(t *testing.T) (folder string, issuer *x509.Certificate, key *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "CA di prova"}, NotBefore: catest.Start, NotAfter: catest.Start.AddDate(1, 0, 0),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCRLSign | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	if issuer, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	folder = t.TempDir()
	for name, b := range map[string][]byte{"issuer.der": der, "key.der": private} {
		if err := os.WriteFile(filepath.Join(folder, name), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder, issuer, key
}

// alone runs the program, under others where they are given.
func alone(t *testing.T, folder, mode string, number, entries int, under ...string) ([]byte, error) {
	t.Helper()
	args := append(under, os.Args[0])
	cmd := exec.CommandContext(t.Context(), args[0], args[1:]...)
	cmd.Env = append(os.Environ(), envFolder+"="+folder, fmt.Sprintf("%s=%d", envNumber, number), fmt.Sprintf("%s=%d", envEntries, entries), envMode+"="+mode, "GOMAXPROCS=1")
	return cmd.CombinedOutput()
}

// call is the nth system call of a name.
type call struct {
	name string
	n    int
	text string
}

var traced = regexp.MustCompile(`^([a-z0-9_]+)\(`)

// calls are those of a publication, from a run without a fault.
func calls(t *testing.T, folder string) []call {
	t.Helper()
	trace := filepath.Join(t.TempDir(), "trace")
	if out, err := alone(t, folder, "", 2, 80_000, "strace", "-o", trace, "-e", "trace=%file,%desc"); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	b, err := os.ReadFile(trace)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]int{}
	var out []call
	inside := false
	lines := bufio.NewScanner(bytes.NewReader(b))
	for lines.Scan() {
		m := traced.FindStringSubmatch(lines.Text())
		if m == nil {
			continue
		}
		seen[m[1]]++
		switch {
		case strings.Contains(lines.Text(), begins):
			inside = true
		case strings.Contains(lines.Text(), ended):
			return out
		case inside && m[1] != "mmap" && m[1] != "munmap" && !strings.HasPrefix(m[1], "epoll"):
			out = append(out, call{m[1], seen[m[1]], lines.Text()})
		}
	}
	t.Fatal("the publication does not end")
	return nil
}

func TestAFaultAtEachSystemCallOfAPublication(t *testing.T) {
	if _, err := exec.LookPath("strace"); err != nil {
		if os.Getenv("CSE_FOREIGN") == "" {
			t.Log("nothing done: strace is missing (apt-get install strace)")
			return
		}
		t.Fatal("strace is missing: apt-get install strace")
	}
	first, _, _ := stage(t)
	if out, err := alone(t, first, "", 1, 200); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	steps := calls(t, first)
	names := map[string]bool{}
	for _, c := range steps {
		names[c.name] = true
	}
	for _, want := range []string{"openat", "write", "pwrite64", "fsync", "flock", "ftruncate", "close", "fchmod"} {
		if !names[want] {
			t.Errorf("a publication makes no %s: is it traced?", want)
		}
	}
	if fsyncs := slices.DeleteFunc(slices.Clone(steps), func(c call) bool { return c.name != "fsync" }); len(fsyncs) != 2 {
		t.Errorf("%d fsyncs, want the file's and the folder's", len(fsyncs))
	}
	var group sync.WaitGroup
	work := make(chan func(folder string, before []byte, issuer *x509.Certificate))
	for range 2 {
		folder, issuer, _ := stage(t)
		if out, err := alone(t, folder, "", 1, 200); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		before, err := os.ReadFile(filepath.Join(folder, "lists", "issuing-0.crl"))
		if err != nil {
			t.Fatal(err)
		}
		group.Go(func() {
			for f := range work {
				f(folder, before, issuer)
			}
		})
	}
	old, tried := 0, 0
	var mu sync.Mutex
	for _, c := range steps {
		for _, fault := range []string{"error=EIO", "error=ENOSPC", "signal=KILL"} {
			switch { // what asks for room may find none; a kill between two questions is one kill
			case fault == "error=ENOSPC" && !slices.Contains([]string{"openat", "write", "pwrite64", "ftruncate", "fsync", "renameat", "renameat2"}, c.name),
				fault == "signal=KILL" && slices.Contains([]string{"fcntl", "fstat", "newfstatat", "lseek", "read", "pread64"}, c.name):
				continue
			}
			work <- func(folder string, before []byte, issuer *x509.Certificate) {
				was := faultAt(t, folder, before, issuer, c, fault)
				mu.Lock()
				defer mu.Unlock()
				tried++
				old += was
			}
		}
	}
	close(work)
	group.Wait()
	t.Logf("%d faults at %d calls: the old list %d times, the new one %d", tried, len(steps), old, tried-old)
	if old == 0 || old == tried {
		t.Errorf("of %d faults %d left the old list", tried, old)
	}
}

// faultAt injects one fault; it answers 1 when the list before is still in place.
func faultAt(t *testing.T, folder string, before []byte, issuer *x509.Certificate, c call, fault string) (old int) {
	t.Helper()
	lists := filepath.Join(folder, "lists")
	err := errors.Join(os.RemoveAll(lists), os.Mkdir(lists, 0o755), os.WriteFile(filepath.Join(lists, "issuing-0.crl"), before, 0o600))
	if err != nil {
		t.Error(err)
	}
	what := fmt.Sprintf("%s at %s number %d: %s", fault, c.name, c.n, c.text)
	out, failed := alone(t, folder, "", 2, 80_000, "strace", "-o", os.DevNull, "-e", "trace="+c.name, "-e", fmt.Sprintf("inject=%s:%s:when=%d", c.name, fault, c.n))
	oldErr, newErr := whole(lists, issuer, 1, 200), whole(lists, issuer, 2, 80_000)
	switch {
	case oldErr == nil:
		old = 1
		if failed == nil {
			t.Errorf("%s: said to be published, and is not\n%s", what, out)
		}
	case newErr != nil:
		t.Errorf("%s: neither the old list nor the new one: %v; %v\n%s", what, oldErr, newErr, out)
	}
	if out, err := alone(t, folder, "", 3, 250); err != nil {
		t.Errorf("%s: the next publication: %v\n%s", what, err, out)
	} else if err := whole(lists, issuer, 3, 250); err != nil {
		t.Errorf("%s: the next publication: %v", what, err)
	}
	if left, err := os.ReadDir(lists); err != nil || len(left) != 1 {
		t.Errorf("%s: left behind: %v (%v)", what, left, err)
	}
	return old
}

// A disk that is full: the list before stays, the refusal says what to do, and the
// next publication finds room.
func TestTheDiskIsFull(t *testing.T) {
	if os.Geteuid() != 0 || exec.Command("unshare", "-m", "true").Run() != nil {
		if os.Getenv("CSE_FOREIGN") == "" {
			t.Log("nothing done: no mount name space of one's own")
			return
		}
		t.Fatal("unshare -m does not work: this test needs root")
	}
	folder, _, _ := stage(t)
	lists := filepath.Join(folder, "lists")
	if err := os.Mkdir(lists, 0o755); err != nil {
		t.Fatal(err)
	}
	script := `mount -t tmpfs -o size=3m none "$LISTS" && p() { env CSE_TEST_NUMBER=$1 CSE_TEST_ENTRIES=$2 CSE_TEST_MODE=$3 "$0"; }
p 1 200 && p 1 200 look && ! p 2 120000 && p 1 200 look && [ "$(ls -A "$LISTS")" = issuing-0.crl ] && p 3 300 && p 3 300 look && echo well`
	cmd := exec.CommandContext(t.Context(), "unshare", "-m", "sh", "-c", script, os.Args[0])
	cmd.Env = append(os.Environ(), envFolder+"="+folder, "LISTS="+lists)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.HasSuffix(string(out), "well\n") || !strings.Contains(string(out), "CSE-943") {
		t.Errorf("%v\n%s", err, out)
	}
}

// What is written beside a list while another process publishes is not swept away;
// what a killed one left is.
func TestLeftovers(t *testing.T) {
	t.Parallel()
	folder, issuer, key := stage(t)
	lists := filepath.Join(folder, "lists")
	if err := os.MkdirAll(lists, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{".crl-123", ".entries-456", ".other", "issuing-7.crl"} {
		if err := os.WriteFile(filepath.Join(lists, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	slow := counted{9, 10}
	parts := status.PublisherParts{
		Issuer: issuer, Signer: key, Clock: civil.NewHand(catest.Start), Rand: rand.Reader, Dir: lists, URLs: profile.URLsAt(catest.Base),
		Atomically: func(ctx context.Context, act func(context.Context) error) error { return act(ctx) },
	}
	parts.Store = slow
	if _, err := status.NewPublisher(parts); err != nil {
		t.Fatal(err)
	}
	for name, there := range map[string]bool{".crl-123": false, ".entries-456": false, ".other": true, "issuing-7.crl": true} {
		if _, err := os.Stat(filepath.Join(lists, name)); (err == nil) != there || err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
	parts.Store = meanwhile{slow, func() error { // another process starts
		_, err := status.NewPublisher(parts)
		return err
	}}
	busy, err := status.NewPublisher(parts)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := busy.Publish(t.Context()); err != nil {
		t.Errorf("swept away by another's start: %v", err)
	}
	parts.Dir = filepath.Join(folder, "gone")
	p, err := status.NewPublisher(parts)
	if err = errors.Join(err, os.RemoveAll(parts.Dir)); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Publish(t.Context()); !errors.Is(err, words.Refuse("CSE-943")) {
		t.Errorf("without its folder: %v", err)
	}
}

// meanwhile does something while a list is being written.
type meanwhile struct {
	counted
	do func() error
}

func (m meanwhile) Listed(ctx context.Context, issuer string, shard int, since time.Time, yield func(status.Entry) error) error {
	if err := m.do(); err != nil {
		return err
	}
	return m.counted.Listed(ctx, issuer, shard, since, yield)
}
