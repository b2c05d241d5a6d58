package room

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"cse.example/cse/ground/words"
)

// drivers are where distributions put vpcd.
var drivers = []string{
	"/usr/lib/pcsc/drivers/serial/libifdvpcd.so",
	"/usr/lib64/pcsc/drivers/serial/libifdvpcd.so",
	"/usr/lib/x86_64-linux-gnu/pcsc/drivers/serial/libifdvpcd.so",
	"/usr/lib/aarch64-linux-gnu/pcsc/drivers/serial/libifdvpcd.so",
	"/usr/local/lib/pcsc/drivers/serial/libifdvpcd.so",
}

// tools finds the service and the driver, or says what to install.
func tools() (service, driver string, err error) {
	for _, path := range append([]string{"pcscd"}, "/usr/sbin/pcscd", "/usr/local/sbin/pcscd") {
		if service, err = exec.LookPath(path); err == nil {
			break
		}
	}
	if err != nil {
		return "", "", words.Refuse("CSE-838", "pcscd").Because(err)
	}
	for _, driver = range drivers {
		if _, err := os.Stat(driver); err == nil {
			return service, driver, nil
		}
	}
	return "", "", words.Refuse("CSE-838", "vpcd (vsmartcard-vpcd)").Because(os.ErrNotExist)
}

// patience is how long a room may take to be ready or to end.
const patience = 20 * time.Second

// Start opens a room in dir with the cards and returns when all are in their
// readers. command is this program with the arguments that lead to Keep(dir).
func Start(ctx context.Context, dir string, command []string, cards []Card) (State, error) {
	if _, _, err := tools(); err != nil {
		return State{}, err
	}
	if _, ok := Running(dir); ok {
		return State{}, words.Refuse("CSE-839", dir)
	}
	if err := prepare(dir, cards); err != nil {
		return State{}, words.Refuse("CSE-261", dir).Because(err)
	}
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return State{}, words.Refuse("CSE-261", dir).Because(err)
	}
	defer log.Close()
	c := exec.Command(command[0], command[1:]...) //nolint:gosec,noctx // ourselves; it outlives this run
	c.Stdout, c.Stderr = log, log
	c.SysProcAttr = apart()
	if err := c.Start(); err != nil {
		return State{}, words.Refuse("CSE-838", "namespaces").Because(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.Wait() }()
	deadline := time.After(patience)
	for {
		select {
		case <-ended:
			s, err := load(dir)
			if err == nil && s.Problem == "" {
				s.Problem = tail(log.Name())
			}
			return State{}, words.Refuse("CSE-842", s.Problem).Because(err)
		case <-ctx.Done():
			_ = c.Process.Signal(syscall.SIGTERM)
			return State{}, words.Refuse("CSE-252").Because(ctx.Err())
		case <-deadline:
			_ = c.Process.Signal(syscall.SIGTERM)
			return State{}, words.Refuse("CSE-842", tail(log.Name()))
		case <-time.After(50 * time.Millisecond):
		}
		if s, err := load(dir); err == nil && s.PID == c.Process.Pid && all(s.Cards) {
			return s, nil
		}
	}
}

func all(cards []Card) bool {
	for _, c := range cards {
		if !c.Inserted {
			return false
		}
	}
	return true
}

// prepare makes the folder, for its owner alone, and writes down what goes in.
func prepare(dir string, cards []Card) error {
	for _, old := range []string{"pcscd", "readers", "drivers"} {
		if err := os.RemoveAll(filepath.Join(dir, old)); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "pcscd"), 0o700); err != nil {
		return err
	}
	if info, err := os.Lstat(dir); err != nil || !info.IsDir() || info.Mode().Perm() != 0o700 || info.Sys().(*syscall.Stat_t).Uid != uint32(os.Getuid()) { //nolint:gosec,forcetypeassert // Linux
		return errors.Join(fmt.Errorf("%s is not a folder of yours alone", dir), err)
	}
	return State{Socket: Socket(dir), Cards: cards}.save(dir)
}

// apart puts the child into a network and mounts of its own; who is not root
// needs a user namespace for it, in which he is.
func apart() *syscall.SysProcAttr {
	a := &syscall.SysProcAttr{Setsid: true, Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS}
	if uid := os.Getuid(); uid != 0 {
		a.Cloneflags |= syscall.CLONE_NEWUSER
		a.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}}
		a.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}}
	}
	return a
}

// tail is the last line of a file.
func tail(path string) string {
	b, _ := os.ReadFile(path)
	lines := strings.Split(strings.TrimSpace(string(b)), "\n")
	return lines[len(lines)-1]
}

// Running tells of the room in dir, if one is open: its keeper holds the lock.
func Running(dir string) (State, bool) {
	f, err := os.Open(filepath.Join(dir, "lock"))
	if err != nil {
		return State{}, false
	}
	defer f.Close()
	if unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB) == nil { //nolint:gosec // a descriptor
		return State{}, false
	}
	s, err := load(dir)
	return s, err == nil
}

// Stop ends the room in dir and takes its folder away; CSE-840 when none is open.
func Stop(ctx context.Context, dir string) error {
	s, ok := Running(dir)
	if !ok {
		return words.Refuse("CSE-840")
	}
	if err := syscall.Kill(s.PID, syscall.SIGTERM); err != nil {
		return words.Refuse("CSE-840").Because(err)
	}
	for end := time.Now().Add(patience); time.Now().Before(end); {
		if _, ok := Running(dir); !ok {
			return os.RemoveAll(dir)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(50 * time.Millisecond):
		}
	}
	return words.Refuse("CSE-842", "SIGTERM")
}
