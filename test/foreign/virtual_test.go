package foreign

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// testSet are the ten test cards, made today.
func testSet(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "set")
	if out, err := exec.Command(cse, "virtual", "create", "--seed", "foreign", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}

// OpenSSL reads where each test card stands, from the list and from its own
// responder over the folder's index, with the commands of the folder's README.
func TestVirtualCardsStandAsTheirProfileSays(t *testing.T) {
	set := testSet(t)
	openssl := func(dir string, args ...string) string {
		ctx, done := context.WithTimeout(t.Context(), 20*time.Second)
		defer done()
		c := exec.CommandContext(ctx, "openssl", args...)
		c.Dir = filepath.Join(set, dir)
		out, _ := c.CombinedOutput()
		return string(out)
	}
	ctx, stop := context.WithCancel(t.Context())
	responder := exec.CommandContext(ctx, "openssl", "ocsp", "-index", "ocsp-index.txt", "-CA", "issuing-ca.pem",
		"-rsigner", "issuing-ca.pem", "-rkey", "issuing-ca.key", "-port", "8888", "-ndays", "1")
	responder.Dir = filepath.Join(set, "adult")
	if err := responder.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { stop(); _ = responder.Wait() }()
	for profile, want := range map[string]struct{ verify, ocsp string }{
		"adult":         {"card.pem: OK", "card.pem: good"},
		"minor":         {"card.pem: OK", "card.pem: good"},
		"expired":       {"certificate has expired", ""},
		"revoked":       {"certificate revoked", "Reason: keyCompromise"},
		"suspended":     {"certificate revoked", "Reason: certificateHold"},
		"not-activated": {"certificate revoked", "Reason: certificateHold"},
		"pin-blocked":   {"card.pem: OK", "card.pem: good"},
		"other-region":  {"card.pem: OK", ""},
	} {
		got := openssl(profile, "verify", "-crl_check_all", "-CAfile", "root-ca.pem", "-untrusted", "issuing-ca.pem", "-CRLfile", "crls.pem", "card.pem")
		if !strings.Contains(got, want.verify) {
			t.Errorf("%s: openssl verify: %s", profile, got)
		}
		if want.ocsp == "" {
			continue
		}
		for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(50 * time.Millisecond) { // until it listens
			got = openssl(profile, "ocsp", "-issuer", "issuing-ca.pem", "-cert", "card.pem", "-url", "http://127.0.0.1:8888", "-timeout", "5",
				"-CAfile", "root-ca.pem", "-verify_other", "issuing-ca.pem", "-trust_other")
			if !strings.Contains(got, "onnect") {
				break
			}
		}
		if !strings.Contains(got, want.ocsp) || !strings.Contains(got, "Response verify OK") {
			t.Errorf("%s: openssl ocsp: %s", profile, got)
		}
	}
	if got := openssl("other-region", "verify", "-CAfile", "../adult/root-ca.pem", "-untrusted", "issuing-ca.pem", "card.pem"); strings.Contains(got, "OK") {
		t.Errorf("the other Region's card under this one's root: %s", got)
	}
}

// All nine chips in readers of their own at once, seen by other programs through
// the socket alone; vpcd's ports are nowhere in this network; a power cut in the
// middle of a write takes the card out and brings it back; nothing stays behind.
func TestVirtualStartAndStop(t *testing.T) {
	set := testSet(t)
	run, err := os.MkdirTemp("", "r") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(run)
	var env []string
	do := func(args ...string) (string, error) {
		ctx, done := context.WithTimeout(t.Context(), 40*time.Second)
		defer done()
		c := exec.CommandContext(ctx, cse, args...)
		c.Env = append(append(os.Environ(), "XDG_RUNTIME_DIR="+run, "LANG=C"), env...)
		out, err := c.CombinedOutput()
		return string(out), err
	}
	start := func(args ...string) map[string]string {
		t.Helper()
		out, err := do(append([]string{"--json", "virtual", "start"}, args...)...)
		if err != nil {
			t.Fatalf("start: %v\n%s", err, out)
		}
		var doc struct {
			Env   map[string]string `json:"env"`
			Cards []struct{ File, Reader string }
		}
		if err := json.Unmarshal([]byte(out), &doc); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		env = []string{"PCSCLITE_CSOCK_NAME=" + doc.Env["PCSCLITE_CSOCK_NAME"]}
		readers := map[string]string{}
		for _, c := range doc.Cards {
			readers[filepath.Base(filepath.Dir(c.File))] = c.Reader
		}
		return readers
	}
	readers := start(set)
	defer func() { _, _ = do("virtual", "stop") }()
	if len(readers) != 9 {
		t.Errorf("%d cards in readers", len(readers))
	}
	if out, err := do("virtual", "start", set); err == nil || !strings.Contains(out, "CSE-839") {
		t.Errorf("a second room: %s", out)
	}
	for profile, name := range readers {
		out, err := do("--json", "--reader", name, "info")
		if err != nil || !strings.Contains(out, `"issuer":"CN=CSE prova`) {
			t.Errorf("%s in %q: %v\n%s", profile, name, err, out)
		}
	}
	for _, port := range []string{"35965", "35970"} { // the test's own vpcd has the first two
		if c, err := net.Dial("tcp", "127.0.0.1:"+port); err == nil {
			_ = c.Close()
			t.Errorf("vpcd answers on port %s outside its room", port)
		}
	}
	if out, err := do("virtual", "stop"); err != nil {
		t.Errorf("stop: %v\n%s", err, out)
	}

	readers = start("--power-cut", "2", filepath.Join(set, "adult"))
	codes := filepath.Join(set, "adult", "codes.txt")
	verify := func() (string, error) {
		ctx, done := context.WithTimeout(t.Context(), 40*time.Second)
		defer done()
		c := exec.CommandContext(ctx, "sh", "-c", `sed -n 's/^PIN: //p' "$1" | "$2" --pin-fd 0 --reader "$3" pin verify`, "sh", codes, cse, readers["adult"])
		c.Env = append(append(os.Environ(), "XDG_RUNTIME_DIR="+run, "LANG=C"), env...)
		out, err := c.CombinedOutput()
		return string(out), err
	}
	if out, err := verify(); err == nil {
		t.Errorf("the power did not go: %s", out)
	}
	ok := false
	for end := time.Now().Add(15 * time.Second); !ok && time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		out, err := do("--json", "--reader", readers["adult"], "pin", "tries")
		ok = err == nil && strings.Contains(out, `"pin":2`)
	}
	if out, err := verify(); !ok || err != nil {
		t.Errorf("after the power cut (one try spent: %v): %v\n%s", ok, err, out)
	}
	if out, err := do("--json", "virtual", "list"); err != nil || !strings.Contains(out, `"power_lost":true`) {
		t.Errorf("list: %v\n%s", err, out)
	}
	if out, err := do("virtual", "stop"); err != nil {
		t.Errorf("stop: %v\n%s", err, out)
	}
	if left, err := os.ReadDir(run); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
	if locks, _ := filepath.Glob(filepath.Join(set, "*", "*.lock")); len(locks) != 0 {
		t.Errorf("left behind: %v", locks)
	}
}
