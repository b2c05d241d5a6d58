//go:build cgo

package hsm_test

import (
	"crypto"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"cse.example/cse/pki/keys"
	"cse.example/cse/pki/keys/hsm"
	"cse.example/cse/pki/keys/hsm/hsmtest"
)

// server is a token at the other end of a wire: p11-kit's server gives SoftHSM2
// to programs that load p11-kit's client, and dies like a device that is
// unplugged.
type server struct {
	t            *testing.T
	token, where string
	cmd          *exec.Cmd
}

func (s *server) start() {
	s.t.Helper()
	s.cmd = exec.Command("p11-kit", "server", "--foreground", "--provider", hsmtest.Module(s.t), "--name", s.where, "pkcs11:token="+s.token)
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	s.cmd.Stderr = os.Stderr
	if err := s.cmd.Start(); err != nil {
		s.t.Fatalf("p11-kit (package p11-kit): %v", err)
	}
	for range 1000 {
		if c, err := net.Dial("unix", s.where); err == nil {
			_ = c.Close()
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	s.t.Fatal("p11-kit server does not listen after ten seconds")
}

func (s *server) kill() {
	_ = syscall.Kill(-s.cmd.Process.Pid, syscall.SIGKILL) // with the child of each connection
	_ = s.cmd.Wait()
	_ = os.Remove(s.where)
}

// The device itself goes away and comes back: what was signed with before signs
// again, and in between every signature is refused.
func TestATokenThatIsSwitchedOffAndOnAgain(t *testing.T) {
	conf := hsmtest.New(t, "remote")
	found, err := filepath.Glob("/usr/lib/*/pkcs11/p11-kit-client.so")
	if err != nil || len(found) == 0 {
		t.Fatal("p11-kit-client.so is missing: apt-get install p11-kit-modules")
	}
	conf.Module = found[0]
	s := &server{t: t, token: conf.Token, where: filepath.Join(t.TempDir(), "token.sock")}
	t.Setenv("P11_KIT_SERVER_ADDRESS", "unix:path="+s.where)
	s.start()
	defer func() { s.kill() }()
	tok := open(t, conf)
	_, k := generate(t, tok, "one", keys.P256)
	for range 2 {
		s.kill()
		if err := sign(k, crypto.SHA256); code(err) != "CSE-916" {
			t.Fatalf("switched off: %v, want CSE-916", err)
		}
		s.start()
		if err := sign(k, crypto.SHA256); err != nil {
			t.Fatalf("switched on again: %v", err)
		}
		s.kill()
		s.start() // off and on between two signatures: nobody notices
		if err := sign(k, crypto.SHA256); err != nil {
			t.Fatalf("between two signatures: %v", err)
		}
	}
	if _, err := hsm.Open(hsm.Config{Module: conf.Module, Token: "another", PINFile: conf.PINFile}); code(err) != "CSE-916" {
		t.Errorf("a token that the server does not have: %v, want CSE-916", err)
	}
}
