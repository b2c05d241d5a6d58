package room

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"cse.example/cse/card/reader"
)

// channel is the first port; vpcd takes two for each reader, a slot each.
const channel = 35963

// port is that of card i of n.
func port(i, n int) int { return channel + i*2/step(n) }

// Keep is the room itself, in the namespaces that Start made: it starts the
// service, puts the cards of the folder's state into their readers, and ends
// with ctx. open opens a chip file; it tells lost when the card's power went.
func Keep(ctx context.Context, dir string, open func(c Card, lost func()) (Chip, error)) (err error) {
	runtime.LockOSThread() // the service dies with this thread
	state, err := load(dir)
	if err != nil {
		return err
	}
	k := &keeper{dir: dir, state: state}
	k.state.PID = os.Getpid()
	defer func() {
		if err != nil {
			k.tell(func() { k.state.Problem = err.Error() })
		}
	}()
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil { //nolint:gosec // a descriptor
		return fmt.Errorf("lock: %w", err)
	}
	if os.Getuid() == 0 && !alone() {
		return errors.New("not in a network of its own")
	}
	if err := errors.Join(loopback(), bind(filepath.Join(dir, "pcscd"))); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var all sync.WaitGroup
	defer all.Wait()
	defer cancel()
	service, err := k.serve()
	if err != nil {
		return err
	}
	for i := range k.state.Cards {
		chip, err := open(k.state.Cards[i], func() { k.tell(func() { k.state.Cards[i].Lost = true }) })
		if err != nil {
			return errors.Join(err, end(service))
		}
		all.Go(func() { defer chip.Close(); k.feed(ctx, i, chip) })
	}
	done := make(chan error, 1)
	go func() { done <- service.Wait() }()
	select {
	case err := <-done:
		return fmt.Errorf("pcscd ended: %w", errors.Join(err, errors.New(tail(filepath.Join(dir, "log")))))
	case <-ctx.Done():
		_ = service.Process.Signal(syscall.SIGTERM)
		<-done
		return nil
	}
}

// end kills the service; that it then ended by a signal is no news.
func end(c *exec.Cmd) error {
	err := c.Process.Kill()
	_ = c.Wait()
	return err
}

type keeper struct {
	dir string
	mu  sync.Mutex

	state State
}

func (k *keeper) tell(change func()) {
	k.mu.Lock()
	defer k.mu.Unlock()
	change()
	if err := k.state.save(k.dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

// serve starts pcscd with a reader for each card.
func (k *keeper) serve() (*exec.Cmd, error) {
	service, driver, err := tools()
	if err != nil {
		return nil, err
	}
	config, drivers := filepath.Join(k.dir, "readers"), filepath.Join(k.dir, "drivers")
	if err := errors.Join(os.MkdirAll(config, 0o700), os.MkdirAll(drivers, 0o700)); err != nil {
		return nil, err
	}
	var b strings.Builder
	for i := 0; i < len(k.state.Cards); i += step(len(k.state.Cards)) {
		name := k.state.Cards[i].Reader
		own, err := copied(driver, filepath.Join(drivers, fmt.Sprintf("vpcd-%d.so", i)))
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(&b, "FRIENDLYNAME \"%s\"\nDEVICENAME /dev/null:0x%X\nLIBPATH %s\nCHANNELID 0x%X\n\n",
			name[:len(name)-len(slotOne)], port(i, len(k.state.Cards)), own, port(i, len(k.state.Cards)))
	}
	if err := os.WriteFile(filepath.Join(config, "vpcd"), []byte(b.String()), 0o600); err != nil {
		return nil, err
	}
	c := exec.Command(service, "--foreground", "--config", config) //nolint:gosec,noctx // ended by end or its thread
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return c, c.Start()
}

// copied gives every reader a driver of its own: vpcd keeps one connection for
// each slot number in the library, whatever the reader, and a library is loaded
// once for each file.
func copied(from, to string) (string, error) {
	b, err := os.ReadFile(from)
	if err != nil {
		return "", err
	}
	return to, os.WriteFile(to, b, 0o500) //nolint:gosec // a library is loaded
}

// feed keeps card i in its reader; the service needs a moment to listen.
func (k *keeper) feed(ctx context.Context, i int, chip reader.Chip) {
	set := func(in bool) {
		if k.state.Cards[i].Inserted != in { // written here alone, beside tell
			k.tell(func() { k.state.Cards[i].Inserted = in })
		}
	}
	v := reader.Virtual{
		Address: fmt.Sprintf("127.0.0.1:%d", port(i, len(k.state.Cards))),
		Removed: func(error) { set(false) },
		// pcscd looks every 400 ms: a card that is back sooner has not been away, and one whose reset failed meanwhile stays mute.
		Pause: time.Second,
	}
	for ctx.Err() == nil {
		if err := v.Run(ctx, &seen{chip, func() { set(true) }}); err != nil {
			time.Sleep(50 * time.Millisecond)
		}
	}
}

// seen tells when the service has asked for the card's answer to reset: from
// then on others see the card.
type seen struct {
	reader.Chip
	tell func()
}

// ATR implements reader.Chip.
func (s *seen) ATR() []byte {
	defer s.tell()
	return s.Chip.ATR()
}

// alone tells whether loopback is the only interface.
func alone() bool {
	list, err := net.Interfaces()
	return err == nil && len(list) == 1 && list[0].Flags&net.FlagLoopback != 0
}

// loopback brings the loopback interface of the new network up.
func loopback() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	ifr, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	ifr.SetUint16(unix.IFF_UP | unix.IFF_RUNNING)
	return unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, ifr)
}

// bind puts our folder where pcscd makes its socket, for us alone. Where there
// is no such folder and no right to make one, all of /run is ours.
func bind(dir string) error {
	const place = "/run/pcscd"
	from, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer from.Close()
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("private mounts: %w", err)
	}
	if err := os.MkdirAll(place, 0o755); err != nil { //nolint:gosec // as the service's package has it
		if err := unix.Mount("tmpfs", "/run", "tmpfs", 0, "mode=0755"); err != nil {
			return fmt.Errorf("mount /run: %w", err)
		}
		if err := os.MkdirAll(place, 0o755); err != nil { //nolint:gosec // same
			return err
		}
	}
	source := fmt.Sprintf("/proc/self/fd/%d", from.Fd())
	if err := unix.Mount(source, place, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount %s: %w", place, err)
	}
	return nil
}

// Exposed tells whether something that listens on the port of address does so
// on all addresses of a machine that others can reach.
func Exposed(address string) bool {
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	list, err := net.Interfaces()
	if err != nil {
		return false
	}
	reachable := false
	for _, i := range list {
		addresses, err := i.Addrs()
		reachable = reachable || i.Flags&net.FlagUp != 0 && i.Flags&net.FlagLoopback == 0 && err == nil && len(addresses) > 0
	}
	return reachable && (listens("/proc/net/tcp", port) || listens("/proc/net/tcp6", port))
}

// listens looks for a listener on all addresses in the kernel's table: columns
// are number, local address:port in hexadecimal, remote, state (0A listens).
func listens(table, port string) bool {
	b, err := os.ReadFile(table)
	if err != nil {
		return false
	}
	n, err := net.LookupPort("tcp", port)
	if err != nil {
		return false
	}
	for line := range strings.Lines(string(b)) {
		f := strings.Fields(line)
		if len(f) < 4 || f[3] != "0A" {
			continue
		}
		host, p, _ := strings.Cut(f[1], ":")
		if strings.Trim(host, "0") == "" && p == fmt.Sprintf("%04X", n) {
			return true
		}
	}
	return false
}
