package helpdesk_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"cse.example/cse/card/diagnosis"
	"cse.example/cse/engine/store"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/helpdesk"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/throttle"
)

func newInbox(t *testing.T, db *store.DB, days int) (*helpdesk.Inbox, *civil.Hand) {
	t.Helper()
	h, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		t.Fatal(err)
	}
	seal, err := aead.New(h)
	if err != nil {
		t.Fatal(err)
	}
	clock := civil.NewHand(monday)
	x, err := helpdesk.NewInbox(helpdesk.InboxDeps{
		Reports: db.Reports(), Brake: throttle.Brake{Tries: db.Tries(), Clock: clock, Free: helpdesk.FreeReports}, Seal: seal, Rand: rand.Reader, Clock: clock,
		Days: days, Atomically: db.Atomically,
	})
	if err != nil {
		t.Fatal(err)
	}
	return x, clock
}

// aLetter is a report with one red line.
func aLetter(t *testing.T, red diagnosis.Part, code string) []byte {
	t.Helper()
	r := diagnosis.Report{At: monday, Family: "CSE neutral"}
	for _, p := range diagnosis.Parts {
		c := diagnosis.Check{Part: p, State: diagnosis.OK}
		if p == red {
			c = diagnosis.Check{Part: p, State: diagnosis.Fault, Fault: words.Refuse(code)}
		}
		r.Checks = append(r.Checks, c)
	}
	b, err := json.Marshal(r.Letter("cse test", "linux amd64"))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A report that a holder sent is opened by its reference, spelled as it is read
// out, until its day has passed; it is sealed in the store, and its deletion is
// the night's.
func TestR31_AReportIsOpenedByItsReference(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		x, clock := newInbox(t, db, 30)
		sent, err := x.Receive(t.Context(), aLetter(t, diagnosis.PIN, "CSE-212"), "192.0.2.7")
		if err != nil || sent.KeptUntil != "2026-12-23" || !diagnosis.Reference(sent.Reference).IsKept() {
			t.Fatalf("%+v, %v", sent, err)
		}
		row, err := db.Reports().Report(t.Context(), sent.Reference)
		if err != nil || strings.Contains(string(row.Body), "CSE-212") || strings.Contains(string(row.Body), "192.0.2.7") {
			t.Errorf("%q is kept in clear: %v", row.Body, err)
		}
		d, err := x.Read(t.Context(), strings.ToLower(diagnosis.Reference(sent.Reference).Spelled()))
		if err != nil || d.Letter == nil || d.Letter.Program != "cse test" || !d.At.Equal(monday) || d.Lights[diagnosis.PIN] != diagnosis.Fault {
			t.Errorf("%+v, %v", d, err)
		}
		if got := d.Outcome(lifecycle.Card{State: lifecycle.Active}); got != helpdesk.PINBlocked {
			t.Errorf("outcome %s", got)
		}
		clock.Set(time.Date(2026, 12, 23, 22, 0, 0, 0, time.UTC)) // 23 in Rome: still its last day
		if _, err := x.Read(t.Context(), sent.Reference); err != nil {
			t.Errorf("on its last day: %v", err)
		}
		clock.Advance(2 * time.Hour)
		if _, err := x.Read(t.Context(), sent.Reference); !errors.Is(err, words.Refuse("CSE-816")) {
			t.Errorf("after its last day: %v", err)
		}
		err = db.Atomically(t.Context(), func(ctx context.Context) error {
			n, err := db.Reports().Purge(ctx, clock.Now().AddDate(0, 0, -30))
			if n != 1 {
				t.Errorf("%d deleted", n)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// References that say their lights need no store; others are refused as they are
// wrong.
func TestReferencesThatWereNotSent(t *testing.T) {
	x, _ := newInbox(t, storetest.SQLite(t), 30)
	l := diagnosis.Lights{diagnosis.Card: diagnosis.OK, diagnosis.Files: diagnosis.OK, diagnosis.Certificate: diagnosis.Fault}
	d, err := x.Read(t.Context(), string(l.Reference()))
	if err != nil || d.Letter != nil || d.Lights[diagnosis.Certificate] != diagnosis.Fault || d.Outcome(lifecycle.Card{State: lifecycle.Active}) != helpdesk.ChipFault {
		t.Errorf("%+v, %v", d, err)
	}
	for said, code := range map[string]string{"": "CSE-563", "NTLTCZ": "CSE-563", "123456": "CSE-563", string(diagnosis.ForKept(5)): "CSE-816"} {
		if _, err := x.Read(t.Context(), said); !errors.Is(err, words.Refuse(code)) {
			t.Errorf("%q: %v, want %s", said, err, code)
		}
	}
}

// What is no report is refused; a source that sends many waits, and another does
// not wait with it.
func TestReceiveRefuses(t *testing.T) {
	x, clock := newInbox(t, storetest.SQLite(t), 30)
	good := aLetter(t, diagnosis.Reader, "CSE-201")
	for name, b := range map[string][]byte{
		"nothing": nil, "long": append(append([]byte(nil), good...), make([]byte, diagnosis.MaxLetter)...),
		"a codice fiscale": []byte(strings.Replace(string(good), "cse test", "RSSMRA80A01D612Y", 1)),
	} {
		if _, err := x.Receive(t.Context(), b, "192.0.2.7"); !errors.Is(err, words.Refuse("CSE-817")) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for i := range helpdesk.FreeReports {
		if _, err := x.Receive(t.Context(), good, "192.0.2.7"); err != nil {
			t.Fatalf("report %d: %v", i, err)
		}
	}
	if _, err := x.Receive(t.Context(), good, "192.0.2.7"); err != nil { // costs the first wait
		t.Fatal(err)
	}
	_, err := x.Receive(t.Context(), good, "192.0.2.7")
	if !errors.Is(err, words.Refuse("CSE-818")) || throttle.WaitOf(err) <= 0 {
		t.Errorf("one too many: %v", err)
	}
	if _, err := x.Receive(t.Context(), good, "192.0.2.8"); err != nil {
		t.Errorf("another source: %v", err)
	}
	clock.Advance(throttle.WaitOf(err))
	if _, err := x.Receive(t.Context(), good, "192.0.2.7"); err != nil {
		t.Errorf("after the wait: %v", err)
	}
}

// full is a store that has no room.
type full struct{ helpdesk.Reports }

func (full) CountReports(context.Context) (int64, error) { return int64(diagnosis.Kept), nil }

func TestAFullInbox(t *testing.T) {
	db := storetest.SQLite(t)
	h, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		t.Fatal(err)
	}
	seal, err := aead.New(h)
	if err != nil {
		t.Fatal(err)
	}
	clock := civil.NewHand(monday)
	x, err := helpdesk.NewInbox(helpdesk.InboxDeps{
		Reports: full{db.Reports()}, Brake: throttle.Brake{Tries: db.Tries(), Clock: clock}, Seal: seal, Rand: rand.Reader, Clock: clock, Days: 30, Atomically: db.Atomically,
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x.Receive(t.Context(), aLetter(t, diagnosis.Reader, "CSE-201"), "x"); !errors.Is(err, words.Refuse("CSE-819")) {
		t.Errorf("%v", err)
	}
	if _, err := helpdesk.NewInbox(helpdesk.InboxDeps{}); err == nil {
		t.Error("an inbox of nothing was made")
	}
}

// The lights of every outcome of the guided diagnosis, and what is left to ask.
func TestR31_LightsFillTheDiagnosisIn(t *testing.T) {
	all := func(change diagnosis.Lights) diagnosis.Lights {
		l := diagnosis.Lights{}
		for _, p := range diagnosis.Parts {
			l[p] = diagnosis.OK
			if s, ok := change[p]; ok {
				l[p] = s
			}
		}
		return l
	}
	unseen := func(from diagnosis.Part) diagnosis.Lights {
		l, seen := all(nil), true
		for _, p := range diagnosis.Parts {
			switch {
			case p == from:
				l[p], seen = diagnosis.Fault, false
			case !seen && p != diagnosis.Browser:
				l[p] = diagnosis.Unknown
			}
		}
		return l
	}
	for name, c := range map[string]struct {
		lights diagnosis.Lights
		want   helpdesk.Outcome
		open   int
	}{
		"all is well":     {all(nil), helpdesk.Works, 0},
		"no service":      {unseen(diagnosis.Service), helpdesk.Installation, 0},
		"no reader":       {unseen(diagnosis.Reader), helpdesk.Installation, 0},
		"no card answers": {unseen(diagnosis.Card), helpdesk.Installation, 0}, // until another card was tried
		"a file is gone":  {all(diagnosis.Lights{diagnosis.Files: diagnosis.Fault}), helpdesk.ChipFault, 0},
		"no certificate":  {all(diagnosis.Lights{diagnosis.Certificate: diagnosis.Fault}), helpdesk.ChipFault, 0},
		"PIN blocked":     {all(diagnosis.Lights{diagnosis.PIN: diagnosis.Fault}), helpdesk.PINBlocked, 0},
		"PUK blocked":     {all(diagnosis.Lights{diagnosis.PIN: diagnosis.Fault, diagnosis.PUK: diagnosis.Fault}), helpdesk.PUKBlocked, 0},
		"browser":         {all(diagnosis.Lights{diagnosis.Browser: diagnosis.Fault}), helpdesk.Browser, 0},
		"a mute counter":  {all(diagnosis.Lights{diagnosis.PIN: diagnosis.Unknown, diagnosis.PUK: diagnosis.Unknown}), helpdesk.Works, 2},
	} {
		d := helpdesk.Diagnosis{Lights: c.lights}
		if got := d.Outcome(lifecycle.Card{State: lifecycle.Active}); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
		if _, open := d.Findings(); len(open) != c.open {
			t.Errorf("%s: to be asked %v", name, open)
		}
		if got := d.Outcome(lifecycle.Card{State: lifecycle.Suspended}); got != helpdesk.NotActive {
			t.Errorf("%s, suspended: %s", name, got)
		}
	}
}
