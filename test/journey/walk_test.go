package journey

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// shotsDir keeps the pictures of the six journeys, below the git-ignored bin.
const shotsDir = "../../bin/shots"

// chromium is one Chromium that walks through pages as it is told
// (test/pages/walk.mjs); visitors follow one another in it.
type chromium struct {
	in  io.WriteCloser
	out *bufio.Reader
	dir string // for files that pages hand out
}

// startChromium starts it until the test ends.
func (j *journey) startChromium(t *testing.T) *chromium {
	t.Helper()
	c := exec.CommandContext(t.Context(), "node", "walk.mjs")
	c.Dir, c.Env, c.Stderr = "../pages", j.environment(), os.Stderr
	in, err := c.StdinPipe()
	ok(t, err)
	out, err := c.StdoutPipe()
	ok(t, err)
	ok(t, c.Start())
	t.Cleanup(func() {
		_ = in.Close()
		_ = c.Wait() // it ends with its input
	})
	dir := filepath.Join(j.dir, "walks")
	ok(t, os.MkdirAll(dir, 0o700))
	return &chromium{in, bufio.NewReader(out), dir}
}

// visitor is somebody who walks through one journey.
type visitor struct {
	t       *testing.T
	j       *journey
	c       *chromium
	journey string
	shots   int
	// at is the page on show.
	at struct {
		URL, Title, Code, Text, Error string
		Status                        int
		Problems                      []string
	}
}

// begin opens a visitor's browser: with scripts or without, by Tab alone or not.
func (j *journey) begin(t *testing.T, c *chromium, name string, scripts, keyboard bool) *visitor {
	t.Helper()
	v := &visitor{t: t, j: j, c: c, journey: name}
	dir, err := filepath.Abs(filepath.Join(shotsDir, name))
	ok(t, err)
	ok(t, os.RemoveAll(dir))
	v.tell(map[string]any{"do": "begin", "scripts": scripts, "keyboard": keyboard, "shots": dir})
	return v
}

func (v *visitor) tell(command map[string]any) {
	v.t.Helper()
	line, err := json.Marshal(command)
	ok(v.t, err)
	_, err = v.c.in.Write(append(line, '\n'))
	ok(v.t, err)
	text, err := v.c.out.ReadString('\n')
	ok(v.t, err)
	if command["do"] != "shot" && command["do"] != "begin" {
		v.at.Code = ""
	}
	ok(v.t, json.Unmarshal([]byte(text), &v.at))
	for _, p := range v.at.Problems {
		v.t.Errorf("%s, %s: %s", v.journey, v.at.URL, p)
	}
	if v.at.Error != "" {
		v.t.Fatalf("%s: %s", v.journey, v.at.Error)
	}
}

func (v *visitor) goTo(url string)         { v.t.Helper(); v.tell(map[string]any{"do": "go", "url": url}) }
func (v *visitor) fill(name, value string) { v.t.Helper(); v.field("fill", name, value) }
func (v *visitor) pick(name, value string) { v.t.Helper(); v.field("pick", name, value) }
func (v *visitor) tick(name string)        { v.t.Helper(); v.field("tick", name, "") }
func (v *visitor) choose(name, value string) {
	v.t.Helper()
	v.tell(map[string]any{"do": "choose", "at": `input[name="` + name + `"][value="` + value + `"]`})
}

func (v *visitor) field(do, name, value string) {
	v.t.Helper()
	v.tell(map[string]any{"do": do, "at": `[name="` + name + `"]`, "value": value})
}

// press goes where a link or button leads, and wants a page with the code there.
func (v *visitor) press(selector, code string) {
	v.t.Helper()
	v.tell(map[string]any{"do": "press", "at": selector})
	if v.at.Code != code {
		v.t.Fatalf("%s, %s: at %s (%d) %q, want %q\n%s", v.journey, selector, v.at.URL, v.at.Status, v.at.Code, code, v.at.Text)
	}
	if cfInAddress.MatchString(v.at.URL) {
		v.t.Errorf("a codice fiscale is in the address %s", v.at.URL)
	}
}

// send presses the button of the form whose action ends so.
func (v *visitor) send(action, code string) {
	v.t.Helper()
	v.press(`form[action$="`+action+`"] button[type="submit"]`, code)
}

// print takes the file that the form on the page answers with.
func (v *visitor) print() string {
	v.t.Helper()
	file := filepath.Join(v.c.dir, v.journey+".pdf")
	v.tell(map[string]any{"do": "print", "at": `form[action$="/modulo"] button`, "file": file})
	return file
}

// see wants texts on the page.
func (v *visitor) see(want ...string) {
	v.t.Helper()
	for _, w := range want {
		if !strings.Contains(v.at.Text, w) {
			v.t.Errorf("%s, %s: no %q in %s", v.journey, v.at.URL, w, v.at.Text)
		}
	}
}

// shot takes the page's picture at both widths.
func (v *visitor) shot(name string) {
	v.t.Helper()
	v.shots++
	v.tell(map[string]any{"do": "shot", "name": string(rune('0'+v.shots/10)) + string(rune('0'+v.shots%10)) + "-" + name})
}
