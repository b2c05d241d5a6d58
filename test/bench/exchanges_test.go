package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cse.example/cse/card/chip"
	"cse.example/cse/card/cns"
	"cse.example/cse/card/holder"
	"cse.example/cse/card/holder/holdertest"
	"cse.example/cse/card/reader"
	"cse.example/cse/cmd/cse/agent/agenttest"
)

// exchanges is what a login costs the card: command APDUs and bytes, both ways,
// seen by the chip in the virtual reader, from the first SELECT to the signature
// of the handshake. Ours is "cse login"; the peer is curl with the pkcs11 engine
// over OpenSC, on the same chip and the same server. A card moves some kB/s, so
// bytes are seconds. These are counts: rounds differ only if a program does.
var exchanges = row{"exchanges", func(t *testing.T, s size) []figure {
	d := insert(t)
	site := agenttest.New(t, 0)
	d.file(t, "web-ca.pem", site.RootPEM)
	var ourBytes, peerBytes []float64
	count := func(bytes *[]float64, login func()) float64 {
		d.count.Zero()
		login()
		c := d.count.Count()
		*bytes = append(*bytes, float64(c.Sent+c.Received))
		return float64(c.APDUs)
	}
	ours, peer := s.rounds(3,
		func() float64 { return count(&ourBytes, func() { d.cseLogin(t, site) }) },
		func() float64 { return count(&peerBytes, func() { d.curlLogin(t, site) }) },
	)
	const beside = "curl, pkcs11 engine, OpenSC"
	return []figure{
		{name: "card exchanges of a login", unit: "APDUs/login", ours: ours, peer: peer, beside: beside},
		{name: "card bytes of a login", unit: "bytes/login", ours: ourBytes, peer: peerBytes, beside: beside},
	}
}}

// desk is a card in the virtual reader and somebody's home folder.
type desk struct {
	home, module string
	count        *reader.APDUCounter
}

// insert puts a new card into the reader until the test ends.
func insert(t *testing.T) *desk {
	t.Helper()
	d := &desk{home: t.TempDir(), count: &reader.APDUCounter{}}
	modules, _ := filepath.Glob("/usr/lib/*/opensc-pkcs11.so") // the pattern is good
	engines, _ := filepath.Glob("/usr/lib/*/engines-3/pkcs11.so")
	if len(modules) == 0 || len(engines) == 0 {
		t.Fatal("OpenSC's module or OpenSSL's engine is missing: apt-get install opensc-pkcs11 libengine-pkcs11-openssl")
	}
	d.module = modules[0]
	conn, err := net.DialTimeout("tcp", reader.VPCDAddress, time.Second)
	if err != nil {
		t.Fatalf("no virtual reader (%v): run scripts/bench.sh", err)
	}
	_ = conn.Close()
	path := filepath.Join(d.home, "card.cse")
	holdertest.Make(t, path, cns.Neutral(), 1)
	c, err := chip.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	v := reader.Virtual{Address: reader.VPCDAddress, Pause: 50 * time.Millisecond}
	go func() { done <- v.Run(ctx, reader.ObserveChip(c, d.count.See)) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		waitForCard(t, false) // pcscd looks every 400 ms: the next row's card would be taken for this one
	})
	waitForCard(t, true)
	return d
}

// waitForCard waits until PC/SC sees a CNS, or none.
func waitForCard(t *testing.T, want bool) {
	t.Helper()
	service, err := reader.OpenPCSC()
	if err != nil {
		t.Fatal(err)
	}
	defer service.Close()
	for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		slots, err := service.Slots()
		if err != nil {
			t.Fatal(err)
		}
		if slices.ContainsFunc(slots, func(s reader.Slot) bool { return holder.IsCNS(s.ATR) }) == want {
			return
		}
	}
	t.Fatalf("PC/SC does not come to see a card: want %v", want)
}

func (d *desk) file(t *testing.T, name string, b []byte) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(d.home, name), b, 0o600); err != nil {
		t.Fatal(err)
	}
}

// run runs a program at the desk and gives its standard output.
func (d *desk) run(t *testing.T, input, name string, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, name, args...)
	c.Dir = d.home
	c.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + d.home, "LANG=C.UTF-8", "LC_ALL=C.UTF-8",
		"PKCS11_MODULE_PATH=" + d.module, "XDG_CACHE_HOME=" + d.home,
	}
	c.Stdin = strings.NewReader(input)
	var problem bytes.Buffer
	c.Stderr = &problem
	out, err := c.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s\n%s", name, err, out, problem.Bytes())
	}
	return string(out)
}

// cseLogin logs in with our program, from the portal to the portal.
func (d *desk) cseLogin(t *testing.T, site *agenttest.Site) {
	t.Helper()
	program := os.Getenv("CSE_BENCH_CSE")
	if program == "" {
		t.Fatal("CSE_BENCH_CSE does not name the program: run scripts/bench.sh")
	}
	out := d.run(t, holdertest.PIN+"\n", program, "--json", "--pin-fd", "0", "login", "--ca", "web-ca.pem", site.URL("portal", "/tessera"))
	var page struct{ Title string }
	if err := json.Unmarshal([]byte(out), &page); err != nil || page.Title != "La mia tessera" {
		t.Fatalf("cse login ends at %q (%v)\n%s", page.Title, err, out)
	}
}

// curlLogin goes through the card's door with OpenSC: the one step of a login
// that uses the card.
func (d *desk) curlLogin(t *testing.T, site *agenttest.Site) {
	t.Helper()
	before := len(site.Logins())
	host := "cns." + agenttest.Domain
	out := d.run(t, "", "curl", "--silent", "--show-error", "--cacert", "web-ca.pem", "--engine", "pkcs11",
		"--cert-type", "ENG", "--cert", "pkcs11:object=CNS0;type=cert",
		"--key-type", "ENG", "--key", "pkcs11:object=CNS0;type=private;pin-value="+holdertest.PIN,
		"--resolve", fmt.Sprintf("%s:%s:127.0.0.1", host, site.Port), "--output", "/dev/null", "--write-out", "%{http_code}",
		site.URL("cns", "/cns/auth?t=f1"))
	if out != "303" || len(site.Logins()) != before+1 {
		t.Fatalf("the door answers curl with %s, %d logins", out, len(site.Logins())-before)
	}
}
