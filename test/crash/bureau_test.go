package crash

import (
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"cse.example/cse/card/cns"
	"cse.example/cse/demo/bureau"
	"cse.example/cse/ground/civil"
	"cse.example/cse/issuer/production/exchange"
)

// bureauEnv makes this test binary play the bureau of the site in that folder.
const bureauEnv = "CSE_CRASH_BUREAU"

// bureauProcess works for ever, until it is killed.
func bureauProcess(dir string) error {
	own := filepath.Join(dir, "bureau")
	id, err := bureau.LoadOrCreate(rand.Reader, own)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(filepath.Join(own, "issuer.pem"))
	if err != nil {
		return err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return errors.New("issuer.pem is no PEM file")
	}
	key, err := x509.ParsePKIXPublicKey(block.Bytes)
	if err != nil {
		return err
	}
	issuer, ok := key.(*ecdsa.PublicKey)
	if !ok {
		return errors.New("the issuer's key is no ECDSA key")
	}
	b, err := bureau.New(bureau.Parts{
		Identity: id, Issuer: issuer, Files: exchange.Folder(filepath.Join(dir, "data", "exchange")),
		Folder: own, Cards: filepath.Join(dir, "cards"), Profile: cns.Neutral(), Clock: civil.System{}, Rand: rand.Reader,
	})
	if err != nil {
		return err
	}
	for {
		if err := b.Work(context.Background()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("work: %w", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// hireBureau exchanges public keys.
func (s *site) hireBureau() {
	s.t.Helper()
	own := filepath.Join(s.dir, "bureau")
	if err := os.MkdirAll(own, 0o700); err != nil {
		s.t.Fatal(err)
	}
	id, err := bureau.LoadOrCreate(rand.Reader, own)
	if err != nil {
		s.t.Fatal(err)
	}
	s.write("data/bureau.json", string(id.Public()))
	s.write("bureau/issuer.pem", s.must("produce", "key"))
}

// bureauAtWork runs the bureau and, while it runs, kills it now and then.
type bureauAtWork struct {
	s     *site
	stop  chan struct{}
	done  sync.WaitGroup
	mu    sync.Mutex
	died  int
	wrong error
}

// work starts the bureau, to be killed some times; pauses gives the time between
// two kills.
func (s *site) work(times int, pauses func() time.Duration) *bureauAtWork {
	w := &bureauAtWork{s: s, stop: make(chan struct{})}
	w.done.Go(func() {
		for n := 0; ; n++ {
			pause := pauses()
			if n >= times {
				pause = time.Hour // lives until it is sent home
			}
			over, err := w.once(pause)
			if err != nil {
				w.mu.Lock()
				w.wrong = err
				w.mu.Unlock()
			}
			if over || err != nil {
				return
			}
		}
	})
	return w
}

func (w *bureauAtWork) once(d time.Duration) (over bool, err error) {
	self, err := os.Executable()
	if err != nil {
		return true, err
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), bureauEnv+"="+w.s.dir)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		return true, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		return true, fmt.Errorf("the bureau stopped by itself: %w", err)
	case <-w.stop:
		over = true
	case <-time.After(d):
		w.mu.Lock()
		w.died++
		w.mu.Unlock()
	}
	if err := cmd.Process.Kill(); err != nil {
		return true, err
	}
	<-ended
	return over, nil
}

// end sends the bureau home and tells how often it was killed.
func (w *bureauAtWork) end() int {
	w.s.t.Helper()
	close(w.stop)
	w.done.Wait()
	if w.wrong != nil {
		w.s.t.Fatal(w.wrong)
	}
	return w.died
}
