package foreign

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"cse.example/cse/card/cns"
	"cse.example/cse/card/holder"
	"cse.example/cse/card/holder/holdertest"
	"cse.example/cse/card/reader"
	"cse.example/cse/cmd/cse/agent/agenttest"
	"cse.example/cse/ground/secret"
)

// Our own program through PC/SC, on the card that OpenSC sees.
func TestCSEThroughPCSC(t *testing.T) {
	eachProfile(t, func(d *desk) {
		var readers struct {
			Readers []struct{ Name, State, Family string }
		}
		d.json(&readers, "", "readers")
		if len(readers.Readers) == 0 || readers.Readers[0].State != "card" {
			d.t.Fatalf("%+v", readers)
		}
		var info struct {
			Card, Reader string
			CF           string `json:"codice_fiscale"`
		}
		d.json(&info, "", "info")
		if info.Card != string(d.card.ID) || info.CF != holdertest.CF || info.Reader != readers.Readers[0].Name {
			d.t.Fatalf("%+v", info)
		}
		var tries struct{ Tries struct{ PIN, PUK *int } }
		d.json(&tries, "", "pin", "tries")
		if known := tries.Tries.PIN != nil; known != (d.profile() == "neutral") {
			d.t.Fatalf("tries known = %v", known)
		}
		d.json(&tries, holdertest.PIN+"\n", "--pin-fd", "0", "--reader", "virtual", "pin", "verify")
		if tries.Tries.PIN == nil || *tries.Tries.PIN != 3 {
			d.t.Fatalf("after the right PIN: %+v", tries)
		}
		d.wantTries(3, 3)
	})
}

// json runs cse with --json and reads its answer.
func (d *desk) json(into any, input string, args ...string) {
	d.t.Helper()
	out, err := d.try(input, cse, append([]string{"--json", "--lang", "en"}, args...)...)
	if err != nil {
		d.t.Fatalf("cse %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	if err := json.Unmarshal([]byte(out), into); err != nil {
		d.t.Fatalf("cse %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func TestCSELoginThroughPCSC(t *testing.T) {
	d := insert(t, cns.Neutral())
	site := agenttest.New(t, 0)
	ca := d.file("web-ca.pem", site.RootPEM)
	d.count.Zero()
	var page struct{ Title string }
	// the site's words go to standard error, which try joins: keep only the document
	out, err := d.try(holdertest.PIN+"\n", cse, "--json", "--lang", "en", "--pin-fd", "0", "login", "--ca", ca, site.URL("portal", "/tessera"))
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := json.Unmarshal([]byte(out[strings.IndexByte(out, '{'):]), &page); err != nil || page.Title != "La mia tessera" {
		t.Fatalf("%+v, %v\n%s", page, err, out)
	}
	t.Logf("cse login: %+v", d.count.Count())
	if got := d.count.Count().APDUs; got > 12 {
		t.Errorf("%d APDUs for one login, want 12 at most", got)
	}
}

// No card in the reader, then "virtual insert" puts one in, and the end of the
// program takes it out.
func TestVirtualInsert(t *testing.T) {
	d := newDesk(t, cns.Neutral())
	waitForCard(t, false)
	out, err := d.try("", cse, "--lang", "en", "info")
	if e, ok := err.(*exec.ExitError); !ok || e.ExitCode() != 5 || !strings.Contains(out, "CSE-203") {
		t.Fatalf("no card: %v\n%s", err, out)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c := exec.CommandContext(ctx, cse, "--json", "virtual", "insert", d.card.Path)
	events, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(events).ReadString('\n')
	if err != nil || !strings.Contains(line, `"event":"inserted"`) {
		t.Fatalf("%q, %v", line, err)
	}
	waitForCard(t, true)
	d.contains(d.run("opensc-tool", "-n"), "CNS card")
	if out, err := d.try("", cse, "--lang", "en", "--card", d.card.Path, "info"); err == nil || !strings.Contains(out, "CSE-240") {
		t.Fatalf("a second opener: %v\n%s", err, out)
	}
	if err := c.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		t.Fatalf("after Ctrl-C: %v", err)
	}
	waitForCard(t, false)
	d.run(cse, "--card", filepath.Join(d.home, "card.cse"), "pin", "tries")
}

// Another program resets the card between two signatures: we notice before the
// next command, ask for the PIN again, and go on.
func TestResetByAnotherProgram(t *testing.T) {
	insert(t, cns.Neutral())
	mine, theirs := connect(t), connect(t)
	h, err := holder.New(mine)
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	s, err := h.Signer(func() (secret.Text, error) { asked++; return secret.FromString(holdertest.PIN), nil })
	if err != nil {
		t.Fatal(err)
	}
	signOnce(t, s)
	signOnce(t, s)
	if asked != 1 {
		t.Fatalf("asked %d times, want once", asked)
	}
	if err := theirs.Reset(); err != nil {
		t.Fatal(err)
	}
	release, err := mine.Begin()
	if !errors.Is(err, reader.ErrReset) {
		t.Fatalf("after a reset: %v, want ErrReset", err)
	}
	release()
	if err := theirs.Reset(); err != nil {
		t.Fatal(err)
	}
	signOnce(t, s)
	if asked != 2 {
		t.Fatalf("asked %d times, want twice", asked)
	}
}

// connect opens the card in the reader, shared.
func connect(t *testing.T) reader.Card {
	t.Helper()
	service, err := reader.OpenPCSC()
	if err != nil {
		t.Fatal(err)
	}
	slot, err := service.Choose("", holder.IsCNS)
	if err != nil {
		t.Fatal(err)
	}
	card, err := service.Connect(slot)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = card.Close()
		_ = service.Close()
	})
	return card
}
