package foreign

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ElMostafaIdrassi/goscard"

	"cse.example/cse/card/chip"
	"cse.example/cse/card/cns"
	"cse.example/cse/card/cryptoki"
	"cse.example/cse/card/holder/holdertest"
	"cse.example/cse/card/reader"
	"cse.example/cse/ground/secret"
)

// A caller in C: initialisation, forks, sixteen threads, and all again.
func TestModuleFromC(t *testing.T) {
	d := insert(t, cns.Neutral()).withOurs()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(d.home, "harness")
	d.run("gcc", "-Wall", "-Werror", "-I", filepath.Join(here, "../../cmd/cse-pkcs11"), "-o", program, filepath.Join(here, "testdata/harness.c"), "-ldl", "-pthread")
	out := d.run(program, d.module, holdertest.PIN)
	d.contains(out, "ok fork before C_Initialize", "ok initialize", "ok signature", "ok fork while logged in",
		"ok the parent signs on", "ok refusals", "ok 16 threads", "ok initialised again")
	d.wantTries(3, 3)
}

// Two programs use one card at once, each with its own log-in, ours and
// OpenSC's: nobody loses the PIN to the other, and no try is spent.
func TestModuleTwoProgramsAtOnce(t *testing.T) {
	for _, other := range []string{"ours", "OpenSC"} {
		t.Run(other, func(t *testing.T) {
			d := insert(t, cns.ST2021()).withOurs()
			msg := d.file("message", []byte("x"))
			second := d.module
			if other == "OpenSC" {
				second = module
			}
			var wg sync.WaitGroup
			for n, m := range []string{d.module, second} {
				wg.Add(1)
				go func() {
					defer wg.Done()
					for range 6 {
						out, err := d.try("", "pkcs11-tool", "--module", m, "--login", "--pin", holdertest.PIN, "-s", "-m", "SHA256-RSA-PKCS",
							"--id", "01", "-i", msg, "-o", filepath.Join(d.home, fmt.Sprint("sig", n)))
						if err != nil {
							t.Errorf("%s: %v\n%s", m, err, out)
						}
					}
				}()
			}
			wg.Wait()
			d.wantTries(3, 3)
		})
	}
}

// One program stays logged in, as a browser does, while others come and go.
func TestModuleStaysLoggedInBesideOthers(t *testing.T) {
	d := insert(t, cns.Neutral()).withOurs()
	m := cryptoki.New(cryptoki.PCSC, time.Now)
	wantRV(t, cryptoki.OK, m.Initialize())
	defer m.Finalize()
	h, key := logIn(t, m)
	msg := d.file("message", []byte("x"))
	for range 3 {
		signWith(t, m, h, key)
		d.run("pkcs11-tool", "--module", d.module, "--login", "--pin", holdertest.PIN, "-s", "-m", "SHA256-RSA-PKCS", "--id", "01", "-i", msg, "-o", msg+".sig")
		d.run("pkcs11-tool", "--module", d.module, "-O")
	}
	signWith(t, m, h, key)
	d.wantTries(3, 3)
}

// A program that has the card for itself does not make the module hang.
func TestModuleBesideAnExclusiveProgram(t *testing.T) {
	insert(t, cns.Neutral())
	c, _, err := goscard.NewContext(goscard.SCardScopeSystem, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Release()
	m := cryptoki.New(cryptoki.PCSC, time.Now)
	wantRV(t, cryptoki.OK, m.Initialize())
	defer m.Finalize()
	ids, _ := m.SlotList(true, true)
	i, rv := m.SlotInfo(ids[0])
	wantRV(t, cryptoki.OK, rv)
	card, _, err := c.Connect(i.Description, goscard.SCardShareExclusive, goscard.SCardProtocolAny)
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	_, rv = m.TokenInfo(ids[0])
	wantRV(t, cryptoki.DeviceError, rv)
	if took := time.Since(begin); took > 10*time.Second {
		t.Fatalf("it took %v", took)
	}
	_, _ = card.Disconnect(goscard.SCardLeaveCard)
	time.Sleep(2500 * time.Millisecond)
	_, rv = m.TokenInfo(ids[0])
	wantRV(t, cryptoki.OK, rv)
}

func wantRV(t *testing.T, want, got cryptoki.RV) {
	t.Helper()
	if got != want {
		t.Fatalf("return value %v, want %v", got, want)
	}
}

// logIn opens a session on the slot with the card, logs in and finds the key.
func logIn(t *testing.T, m *cryptoki.Module) (h, key cryptoki.Handle) {
	t.Helper()
	ids, rv := m.SlotList(true, true)
	wantRV(t, cryptoki.OK, rv)
	if len(ids) == 0 {
		t.Fatal("no card")
	}
	h, rv = m.OpenSession(ids[0], true, true)
	wantRV(t, cryptoki.OK, rv)
	pin := secret.FromString(holdertest.PIN)
	wantRV(t, cryptoki.OK, m.Login(h, cryptoki.User, &pin))
	wantRV(t, cryptoki.OK, m.FindObjectsInit(h, nil))
	found, rv := m.FindObjects(h, 10)
	wantRV(t, cryptoki.OK, rv)
	return h, found[len(found)-1]
}

func signWith(t *testing.T, m *cryptoki.Module, h, key cryptoki.Handle) {
	t.Helper()
	wantRV(t, cryptoki.OK, m.SignInit(h, cryptoki.Mechanism{Type: cryptoki.SHA256RSAPKCS}, key))
	_, _, rv := m.Sign(h, []byte("x"), 256)
	wantRV(t, cryptoki.OK, rv)
}

// The card is pulled out of the virtual reader in the middle of a signature.
func TestModuleCardRemovedDuringASignature(t *testing.T) {
	d := newDesk(t, cns.Neutral())
	put := func(see func(command, _ []byte)) (remove func()) {
		c, err := chip.Open(d.card.Path)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		done := make(chan struct{})
		var seen reader.Chip = &watched{Chip: c, see: see, gone: cancel}
		go func() {
			defer close(done)
			_ = reader.Virtual{Address: reader.VPCDAddress, Pause: 50 * time.Millisecond}.Run(ctx, seen)
		}()
		waitForCard(t, true)
		return func() {
			cancel()
			<-done
			_ = c.Close()
			// after a reset that failed pcscd says "absent" by itself, but sees the next
			// card only when it has looked once between the two
			time.Sleep(1200 * time.Millisecond)
			waitForCard(t, false)
		}
	}
	m := cryptoki.New(cryptoki.PCSC, time.Now)
	wantRV(t, cryptoki.OK, m.Initialize())
	defer m.Finalize()
	remove := put(func([]byte, []byte) {})
	h, key := logIn(t, m)
	signWith(t, m, h, key)
	remove()
	wantGone(t, m, h)

	pull := false
	var mu sync.Mutex
	remove = put(func(command, _ []byte) {
		mu.Lock()
		defer mu.Unlock()
		if pull && command[1] == 0x2A {
			panic(errPulled)
		}
	})
	h, key = logIn(t, m)
	mu.Lock()
	pull = true
	mu.Unlock()
	wantRV(t, cryptoki.OK, m.SignInit(h, cryptoki.Mechanism{Type: cryptoki.SHA256RSAPKCS}, key))
	_, _, rv := m.Sign(h, []byte("x"), 256)
	if rv != cryptoki.DeviceRemoved && rv != cryptoki.DeviceError {
		t.Fatalf("%v", rv)
	}
	remove()
	wantGone(t, m, h)

	remove = put(func([]byte, []byte) {})
	defer remove()
	h, key = logIn(t, m)
	signWith(t, m, h, key)
	d.wantTries(3, 3)
}

// wantGone waits for a session to end: the module looks at the readers some six
// times a second at most.
func wantGone(t *testing.T, m *cryptoki.Module, h cryptoki.Handle) {
	t.Helper()
	for range 20 {
		if _, rv := m.SessionInfo(h); rv == cryptoki.SessionHandleInvalid {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatal("the session lives on without its card")
}

const errPulled = "pulled out"

// watched is a chip that goes away when see panics.
type watched struct {
	reader.Chip
	see  func(command, response []byte)
	gone context.CancelFunc
}

// Transmit implements reader.Chip.
func (w *watched) Transmit(apdu []byte) (r []byte, err error) {
	defer func() {
		if recover() != nil {
			w.gone()
			time.Sleep(100 * time.Millisecond)
			r, err = nil, net.ErrClosed
		}
	}()
	w.see(apdu, nil)
	return w.Chip.Transmit(apdu)
}

// Programs that bring a wrong PIN, and try again by themselves, spend one try.
func TestModuleAWrongPINIsSpentOnce(t *testing.T) {
	d := insert(t, cns.ST2021()).withOurs()
	ca := d.serve(tls.VersionTLS13)
	wrong := strings.Replace(object("private"), holdertest.PIN, "99174", 1)
	for n, program := range [][]string{
		{
			"curl", "--silent", "--cacert", ca, "--engine", "pkcs11", "--cert-type", "ENG", "--cert", object("cert"), "--key-type", "ENG", "--key", wrong,
			"--resolve", host + ":" + d.port + ":127.0.0.1", "https://" + host + ":" + d.port + "/",
		},
		{
			"gnutls-cli", "--provider=" + d.module, "--x509cafile", ca, "--sni-hostname", host, "--verify-hostname", host,
			"--x509certfile", object("cert"), "--x509keyfile", wrong, "-p", d.port, "127.0.0.1",
		},
	} {
		if out, err := d.try("", program[0], program[1:]...); err == nil || strings.Contains(out, "welcome") {
			t.Fatalf("%s logged in with a wrong PIN\n%s", program[0], out)
		}
		d.wantTries(2-n, 3)
	}
	d.run("pkcs11-tool", "--module", d.module, "--login", "--pin", holdertest.PIN, "-O")
	d.wantTries(3, 3)
}

// A new PIN with the PUK, and a change, by pkcs11-tool.
func TestModulePINAndPUK(t *testing.T) {
	eachProfile(t, func(d *desk) {
		d.withOurs()
		tool := func(args ...string) []string { return append([]string{"--module", d.module}, args...) }
		for _, pin := range []string{"99174", "88163", "77152"} {
			if out, err := d.try("", "pkcs11-tool", tool("--login", "--pin", pin, "-O")...); err == nil {
				d.t.Fatalf("a wrong PIN was accepted\n%s", out)
			}
		}
		if d.profile() == "neutral" {
			d.contains(d.run("pkcs11-tool", tool("-L")...), "user PIN locked")
		}
		d.run("pkcs11-tool", tool("--login", "--login-type", "so", "--so-pin", holdertest.PUK, "--init-pin", "--new-pin", "70416")...)
		d.wantTries(3, 3)
		d.run("pkcs11-tool", tool("--login", "--pin", "70416", "--change-pin", "--new-pin", "38195")...)
		d.run("pkcs11-tool", tool("--login", "--pin", "38195", "-O")...)
		d.wantTries(3, 3)
	})
}

// An event wakes whoever waits for it, from the real service.
func TestModuleWaitsForTheCard(t *testing.T) {
	m := cryptoki.New(cryptoki.PCSC, time.Now)
	wantRV(t, cryptoki.OK, m.Initialize())
	defer m.Finalize()
	_, _ = m.SlotList(false, true)
	got := make(chan cryptoki.RV, 1)
	go func() { _, rv := m.WaitForSlotEvent(true); got <- rv }()
	time.Sleep(300 * time.Millisecond)
	select {
	case rv := <-got:
		t.Fatalf("an event before the card: %v", rv)
	default:
	}
	begin := time.Now()
	insert(t, cns.Neutral())
	select {
	case rv := <-got:
		wantRV(t, cryptoki.OK, rv)
		t.Logf("told after %v", time.Since(begin))
	case <-time.After(10 * time.Second):
		t.Fatal("nobody told")
	}
}

// ssh with the card against an sshd of our own.
func TestModuleSSH(t *testing.T) {
	d := insert(t, cns.Neutral()).withOurs()
	public := d.run("ssh-keygen", "-D", d.module)
	d.contains(public, "ssh-rsa ")
	keys := d.file("authorized_keys", []byte(public))
	hostKey := filepath.Join(d.home, "host_key")
	d.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", hostKey)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, _ := net.SplitHostPort(l.Addr().String())
	l.Close()
	config := d.file("sshd_config", []byte("ListenAddress 127.0.0.1\nPort "+port+"\nHostKey "+hostKey+"\nAuthorizedKeysFile "+keys+
		"\nPermitRootLogin yes\nStrictModes no\nUsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\nPidFile none\n"))
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
		t.Fatal(err)
	}
	sshd, _ := exec.LookPath("sshd")
	server := exec.Command(sshd, "-D", "-e", "-f", config)
	server.Stderr = os.Stderr
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Process.Kill(); _ = server.Wait() })
	for range 100 {
		if c, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
			c.Close()
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	ask := d.file("ask", []byte("#!/bin/sh\necho "+holdertest.PIN+"\n"))
	if err := os.Chmod(ask, 0o700); err != nil {
		t.Fatal(err)
	}
	out := d.run("env", "SSH_ASKPASS="+ask, "SSH_ASKPASS_REQUIRE=force", "DISPLAY=:none", "ssh", "-F", "none", "-p", port,
		"-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "PKCS11Provider="+d.module,
		"-o", "PreferredAuthentications=publickey",
		"root@127.0.0.1", "echo welcome by card")
	d.contains(out, "welcome by card")
	d.wantTries(3, 3)
}
