package foreign

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"cse.example/cse/card/cns"
	"cse.example/cse/card/diagnosis"
)

// C2 on a real PC/SC service: the empty reader, the card that comes and goes
// (cse readers --watch tells each), and a diagnosis of it that spends no try.
func TestDoctorThroughPCSC(t *testing.T) {
	d := newDesk(t, cns.Neutral())
	waitForCard(t, false)
	diagnose := func(exit int) diagnosis.Document {
		t.Helper()
		out, err := d.try("", cse, "--json", "--lang", "en", "doctor")
		var failed *exec.ExitError
		got := 0
		if errors.As(err, &failed) {
			got = failed.ExitCode()
		}
		var doc diagnosis.Document
		if err := json.Unmarshal([]byte(out), &doc); err != nil || got != exit {
			t.Fatalf("exit %d, want %d: %s", got, exit, out)
		}
		return doc
	}
	if doc := diagnose(5); doc.Outcome != "CSE-203" || doc.Checks[0].State != diagnosis.OK || !strings.Contains(doc.Checks[1].Text, "Virtual") {
		t.Errorf("the empty reader: %+v", doc)
	}

	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	watch := exec.CommandContext(ctx, cse, "--json", "readers", "--watch")
	lists, err := watch.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := watch.Start(); err != nil {
		t.Fatal(err)
	}
	told := bufio.NewScanner(lists)
	wait := func(want string) {
		t.Helper()
		for told.Scan() {
			if strings.Contains(told.Text(), want) {
				return
			}
		}
		t.Fatalf("never told of %s: %v", want, told.Err())
	}
	wait(`"state":"empty"`)
	in := exec.CommandContext(ctx, cse, "virtual", "insert", d.card.Path)
	if err := in.Start(); err != nil {
		t.Fatal(err)
	}
	wait(`"state":"card"`)
	for range 4 {
		doc := diagnose(1) // no browser of this home knows the card
		states := map[diagnosis.Part]diagnosis.State{}
		for _, c := range doc.Checks {
			if states[c.Part] == "" {
				states[c.Part] = c.State
			}
		}
		for _, p := range []diagnosis.Part{diagnosis.Service, diagnosis.Reader, diagnosis.Card, diagnosis.Files, diagnosis.Certificate, diagnosis.Validity, diagnosis.PUK, diagnosis.PIN} {
			if states[p] != diagnosis.OK {
				t.Errorf("%s is %s: %+v", p, states[p], doc.Checks)
			}
		}
	}
	for _, p := range []*exec.Cmd{in, watch} {
		if err := p.Process.Signal(syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		if p == in {
			wait(`"state":"empty"`)
		}
		if err := p.Wait(); err != nil {
			t.Errorf("after Ctrl-C: %v", err)
		}
	}
	waitForCard(t, false)
	var left struct{ Tries struct{ PIN, PUK *int } }
	d.json(&left, "", "--card", d.card.Path, "pin", "tries")
	if left.Tries.PIN == nil || *left.Tries.PIN != 3 || *left.Tries.PUK != 3 {
		t.Errorf("a diagnosis spent tries: %+v", left)
	}
}
