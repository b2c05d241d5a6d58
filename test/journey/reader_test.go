package journey

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/json"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// inserted: the citizen's card in the virtual reader, by `cse virtual insert`,
// and everybody else's programs around it.
func (j *journey) inserted(t *testing.T) {
	if j.citizen.image == "" {
		t.Fatal("no citizen")
	}
	insert := exec.CommandContext(t.Context(), cse, "--json", "virtual", "insert", j.citizen.image)
	insert.Dir, insert.Env = j.dir, j.environment()
	var complaints bytes.Buffer
	insert.Stderr = &complaints
	events, err := insert.StdoutPipe()
	ok(t, err)
	ok(t, insert.Start())
	j.remember(insert)
	defer func() {
		_ = insert.Process.Signal(syscall.SIGINT)
		if err := insert.Wait(); err != nil {
			t.Errorf("cse virtual insert: %v\n%s", err, &complaints)
		}
	}()
	if line, err := bufio.NewReader(events).ReadString('\n'); err != nil || !strings.Contains(line, `"inserted"`) {
		t.Fatalf("cse virtual insert: %q, %v\n%s", line, err, &complaints)
	}
	j.waitForCard(t)
	t.Run("OpenSC", j.openSC)
	t.Run("OpenSC signs", j.openSCSigns)
	t.Run("OpenSC changes the PIN", j.openSCChanges)
	t.Run("curl", j.curl)
	t.Run("Chromium", j.chromium)
	j.middleware = ours
	t.Run("curl with our module", j.curl)
	t.Run("Chromium with our module", j.chromium)
	j.middleware = ""
	// while the card is in a reader, its file is nobody else's
	j.card(t, j.citizen.image, nil, "info").says(t, 5, "CSE-240")
}

// waitForCard waits until PC/SC sees the card.
func (j *journey) waitForCard(t *testing.T) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(100 * time.Millisecond) {
		o := j.run(t, "", "opensc-tool", "-n")
		if o.exit == 0 && strings.Contains(o.stdout, "CNS card") {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("PC/SC does not see the card: %s", o)
		}
	}
}

func (j *journey) openSC(t *testing.T) {
	j.other(t, []string{"3b:", "CNS card"}, "opensc-tool", "-a", "-n")
	j.other(t, []string{"CNS0", "X.509 Certificate", "Private RSA Key", "ModLength      : 2048", j.citizen.card}, "pkcs15-tool", "--dump")
	j.other(t, []string{"No errors"}, "pkcs11-tool", "--module", module, "--test", "--login", "--pin", j.citizen.codes.PIN)
	var info struct {
		CF string `json:"codice_fiscale"`
	}
	o := j.run(t, "", cse, "--json", "info") // ours, through the same reader
	o.says(t, 0)
	o.read(t, &info)
	if info.CF != j.citizen.cf {
		t.Errorf("cse info sees somebody else: %s", o)
	}
}

func (j *journey) openSCSigns(t *testing.T) {
	message := make([]byte, 1000)
	_, err := rand.Read(message)
	ok(t, err)
	msg := j.file(t, "message", message)
	cert := filepath.Join(j.dir, "citizen.pem")
	ok(t, os.WriteFile(cert, []byte(j.other(t, []string{"BEGIN CERTIFICATE"}, "pkcs15-tool", "--read-certificate", "01")), 0o600))
	public := j.file(t, "public.pem", []byte(j.other(t, nil, "openssl", "x509", "-in", cert, "-pubkey", "-noout")))
	for _, c := range []struct {
		mechanism string
		verify    []string
	}{
		{"SHA256-RSA-PKCS", nil},
		{"SHA256-RSA-PKCS-PSS", []string{"-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"}},
	} {
		sig := filepath.Join(j.dir, c.mechanism)
		j.other(t, nil, "pkcs11-tool", "--module", module, "--login", "--pin", j.citizen.codes.PIN, "-s", "-m", c.mechanism, "--id", "01", "-i", msg, "-o", sig)
		args := append([]string{"dgst", "-sha256", "-verify", public}, c.verify...)
		j.other(t, []string{"Verified OK"}, "openssl", append(args, "-signature", sig, msg)...)
	}
}

// openSCChanges (journeys C5 and C6): three wrong PINs, the PUK, a change; at the end the PIN is the
// old one.
func (j *journey) openSCChanges(t *testing.T) {
	const wrong, another = "90317", "70416"
	pin := j.citizen.codes.PIN
	verify := func(pin string) int {
		return j.run(t, "", "pkcs15-tool", "--verify-pin", "--auth-id", "01", "--pin", pin).exit
	}
	for range 3 {
		if verify(wrong) == 0 {
			t.Fatal("a wrong PIN was accepted")
		}
	}
	if verify(pin) == 0 {
		t.Fatal("the right PIN works on a blocked card")
	}
	j.other(t, nil, "pkcs15-tool", "--unblock-pin", "--auth-id", "01", "--puk", j.citizen.codes.PUK, "--new-pin", another)
	if verify(another) != 0 {
		t.Error("the PIN set with the PUK does not work")
	}
	j.other(t, nil, "pkcs15-tool", "--change-pin", "--auth-id", "01", "--pin", another, "--new-pin", pin)
	if verify(pin) != 0 {
		t.Fatal("the old PIN is not back")
	}
}

var cnsLink = regexp.MustCompile(`<a[^>]*rel="cns"[^>]*href="([^"]+)"`)

// curl: the whole login with curl, its cookie jar, and OpenSSL's engine over
// OpenSC or our module: to the chooser, then through the card's door to the portal.
func (j *journey) curl(t *testing.T) {
	jar := filepath.Join(t.TempDir(), "cookies")
	common := []string{"--silent", "--show-error", "--location", "--cacert", j.webCA(), "--connect-to", "::127.0.0.1:", "--cookie", jar, "--cookie-jar", jar}
	chooser := j.other(t, nil, "curl", append(common, portalURL+"/entra?a=/tessera")...)
	m := cnsLink.FindStringSubmatch(chooser)
	if m == nil {
		t.Fatalf("no link rel=\"cns\" at the chooser:\n%s", chooser)
	}
	door := strings.ReplaceAll(m[1], "&amp;", "&")
	page := j.other(t, []string{"La mia tessera", j.citizen.cf, "\n200 " + portalURL + "/tessera"}, "curl", append(common,
		"--engine", "pkcs11", "--cert-type", "ENG", "--cert", "pkcs11:object=CNS0;type=cert",
		"--key-type", "ENG", "--key", "pkcs11:object=CNS0;type=private;pin-value="+url.PathEscape(j.citizen.codes.PIN),
		"--write-out", "\n%{http_code} %{url_effective}", door)...)
	if strings.Contains(page, "CSE-3") {
		t.Errorf("a refusal:\n%s", page)
	}
}

// chromium: a browser as people have it, with OpenSC's module in its NSS
// database, or ours put there by "cse module install", on a screen (Xvfb); xdotool types the PIN into its window.
func (j *journey) chromium(t *testing.T) {
	home := filepath.Join(j.dir, "chromium"+filepath.Base(j.middleware))
	db := filepath.Join(home, ".pki/nssdb")
	ok(t, os.MkdirAll(db, 0o700))
	j.other(t, nil, "certutil", "-N", "-d", "sql:"+db, "--empty-password")
	j.other(t, nil, "certutil", "-A", "-d", "sql:"+db, "-n", "CSE web", "-t", "C,,", "-i", j.webCA())
	if j.middleware == "" {
		j.other(t, nil, "modutil", "-dbdir", "sql:"+db, "-add", "OpenSC", "-libfile", module, "-force")
	} else {
		install := exec.CommandContext(t.Context(), cse, "module", "install", "--module", j.middleware)
		install.Env = append(j.environment(), "HOME="+home)
		if out, err := install.CombinedOutput(); err != nil {
			t.Fatalf("cse module install: %v\n%s", err, out)
		}
	}
	j.policy(t)
	display := j.screen(t, home)
	c := exec.CommandContext(t.Context(), "node", "card.mjs", portalURL+"/entra?a=/tessera")
	c.Dir = "../pages"
	c.Env = append(j.environment("DISPLAY="+display), "HOME="+home)
	c.Stdin = strings.NewReader(j.citizen.codes.PIN)
	var out, errs bytes.Buffer
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Run(); err != nil {
		t.Fatalf("card.mjs: %v\n%s%s", err, &out, &errs)
	}
	var page struct{ URL, Title, CF string }
	if err := json.Unmarshal(out.Bytes(), &page); err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	if page.URL != portalURL+"/tessera" || !strings.Contains(page.Title, "La mia tessera") || strings.ReplaceAll(page.CF, " ", "") != j.citizen.cf {
		t.Errorf("Chromium ended at %s, %q", page.URL, page.Title)
	}
}

// policy lets Chromium choose the only certificate by itself, in this mount
// namespace only.
func (j *journey) policy(t *testing.T) {
	t.Helper()
	const etc = "/etc/chromium"
	ok(t, syscall.Mount("tmpfs", etc, "tmpfs", 0, "mode=0755"))
	t.Cleanup(func() { _ = syscall.Unmount(etc, 0) })
	dir := filepath.Join(etc, "policies/managed")
	ok(t, os.MkdirAll(dir, 0o755))
	text := `{"AutoSelectCertificateForUrls": ["{\"pattern\":\"https://cns.cse.localhost\",\"filter\":{}}"]}`
	ok(t, os.WriteFile(filepath.Join(dir, "cse.json"), []byte(text), 0o644))
}

// screen starts an X server and a window manager until the test ends.
func (j *journey) screen(t *testing.T, home string) (display string) {
	t.Helper()
	r, w, err := os.Pipe()
	ok(t, err)
	defer r.Close()
	x := exec.Command("Xvfb", "-displayfd", "3", "-screen", "0", "1280x900x24", "-nolisten", "tcp")
	x.ExtraFiles = []*os.File{w}
	ok(t, x.Start())
	_ = w.Close()
	end := func(c *exec.Cmd) func() {
		return func() {
			_ = c.Process.Kill()
			_ = c.Wait()
		}
	}
	t.Cleanup(end(x))
	ok(t, r.SetReadDeadline(time.Now().Add(20*time.Second)))
	number, err := bufio.NewReader(r).ReadString('\n')
	ok(t, err)
	display = ":" + strings.TrimSpace(number)
	wm := exec.Command("openbox")
	wm.Env = append(j.environment("DISPLAY="+display), "HOME="+home)
	ok(t, wm.Start())
	t.Cleanup(end(wm))
	return display
}
