package foreign

import (
	"bufio"
	"crypto/tls"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"cse.example/cse/card/cns"
	"cse.example/cse/card/holder/holdertest"
)

// screen is an X server of its own with a window manager, without a person.
type screen struct {
	d       *desk
	display string
}

// newScreen starts Xvfb and openbox; they end with the test.
func (d *desk) newScreen() *screen {
	d.t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		d.t.Fatal(err)
	}
	x := exec.Command("Xvfb", "-displayfd", "3", "-screen", "0", "1280x900x24", "-nolisten", "tcp")
	x.ExtraFiles = []*os.File{w}
	d.start(x)
	w.Close()
	line, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		d.t.Fatal(err)
	}
	s := &screen{d: d, display: ":" + strings.TrimSpace(line)}
	d.start(s.command("openbox"))
	return s
}

// start starts a program that the end of the test stops, with all it started.
func (d *desk) start(c *exec.Cmd) {
	d.t.Helper()
	ownGroup(c)
	if err := c.Start(); err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() {
		killGroup(c)
		_ = c.Wait()
	})
}

func (s *screen) command(name string, args ...string) *exec.Cmd {
	c := exec.Command(name, args...)
	c.Dir = s.d.home
	c.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + s.d.home, "LANG=C.UTF-8", "DISPLAY=" + s.display,
		"XDG_RUNTIME_DIR=" + s.d.home, "XDG_CACHE_HOME=" + s.d.home, "MOZ_CRASHREPORTER_DISABLE=1", "NO_AT_BRIDGE=1", "DBUS_SESSION_BUS_ADDRESS=disabled:",
	}
	return c
}

// window finds a visible window by a part of its title; "" without one.
func (s *screen) window(title string) string {
	id, _, _ := strings.Cut(strings.TrimSpace(s.xdotool("search", "--onlyvisible", "--name", title)), "\n")
	return id
}

// xdotool plays keys and finds windows; it may find none.
func (s *screen) xdotool(args ...string) string {
	c := s.command("xdotool", args...)
	late := time.AfterFunc(5*time.Second, func() { _ = c.Process.Kill() })
	defer late.Stop()
	out, _ := c.Output()
	return string(out)
}

// logIn plays the person: types a PIN when the window with pinTitle asks, first
// those given, then the right one, and confirms the choice of the certificate,
// until the site has seen the card. The tries left follow what was typed.
func (s *screen) logIn(pinTitle string, wrong ...string) (asked int) {
	s.d.t.Helper()
	lastReturn := time.Now()
	for deadline := time.Now().Add(90 * time.Second); time.Now().Before(deadline); time.Sleep(300 * time.Millisecond) {
		select {
		case line := <-s.d.visits:
			s.d.contains(line, "welcome "+s.d.card.Leaf.Subject.CommonName)
			return asked
		default:
		}
		if id := s.window(pinTitle); id != "" {
			s.xdotool("windowactivate", "--sync", id)
			pin := holdertest.PIN
			if asked < len(wrong) {
				pin = wrong[asked]
			}
			s.xdotool("type", "--delay", "30", pin)
			s.xdotool("key", "Return")
			asked++
			time.Sleep(1500 * time.Millisecond)
			if asked <= len(wrong) {
				s.d.wantTries(3-asked, 3)
			}
			lastReturn = time.Now()
		} else if time.Since(lastReturn) > 4*time.Second {
			s.xdotool("key", "Return") // the chooser of certificates
			lastReturn = time.Now()
		}
	}
	s.d.t.Fatal("the site has not seen the card")
	return asked
}

// A person installs the module with our program, starts the browser, and logs in
// with the PIN: asked once, or once more after a wrong one, which spends one try.
// Chromium has never run before, Firefox has a profile.
func TestModuleChromium(t *testing.T) {
	d := insert(t, cns.ST2021()).withOurs()
	d.serve(tls.VersionTLS13)
	d.run(cse, "module", "install", "--module", d.module)
	s := d.newScreen()
	d.start(s.command("chromium", "--no-sandbox", "--no-first-run", "--no-default-browser-check", "--disable-gpu", "--disable-dev-shm-usage",
		"--password-store=basic", "--ignore-certificate-errors", "--user-data-dir="+filepath.Join(d.home, "chromium"), "https://"+host+":"+d.port+"/"))
	if asked := s.logIn("Unlock Security Device", "99174"); asked != 2 {
		t.Errorf("the PIN was asked %d times", asked)
	}
	d.wantTries(3, 3)
	t.Logf("Chromium: %+v", d.count.Count())
}

func TestModuleFirefox(t *testing.T) {
	d := insert(t, cns.ST2021()).withOurs()
	ca := d.serve(tls.VersionTLS13)
	profile := filepath.Join(d.home, ".mozilla/firefox/test.default")
	if err := os.MkdirAll(profile, 0o700); err != nil {
		t.Fatal(err)
	}
	prefs := `user_pref("security.default_personal_cert", "Select Automatically");
user_pref("browser.shell.checkDefaultBrowser", false);
user_pref("browser.aboutwelcome.enabled", false);
user_pref("datareporting.policy.dataSubmissionPolicyBypassNotification", true);
user_pref("app.update.enabled", false);
user_pref("termsofuse.bypassNotification", true);
`
	if err := os.WriteFile(filepath.Join(profile, "prefs.js"), []byte(prefs), 0o600); err != nil {
		t.Fatal(err)
	}
	d.run("certutil", "-N", "-d", "sql:"+profile, "--empty-password")
	d.run("certutil", "-A", "-d", "sql:"+profile, "-n", "web", "-t", "C,,", "-i", ca)
	d.run(cse, "module", "install", "--module", d.module)
	s := d.newScreen()
	d.start(s.command("firefox-esr", "--no-remote", "--profile", profile, "https://"+host+":"+d.port+"/"))
	if asked := s.logIn("Password Required"); asked != 1 {
		t.Errorf("the PIN was asked %d times", asked)
	}
	d.wantTries(3, 3)
	t.Logf("Firefox: %+v", d.count.Count())
}
