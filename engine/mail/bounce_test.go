package mail

import (
	"encoding/base64"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"cse.example/cse/ground/secret"
)

// report is a notification as servers write them; parts are whole, their fields
// included.
func report(head string, parts ...string) string {
	text := "From: MAILER-DAEMON@posta.example\r\nTo: noreply@cse.example\r\nSubject: Undelivered Mail\r\n" + head +
		"MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=\"b1\"\r\n\r\nThis is MIME.\r\n"
	for _, p := range parts {
		text += "--b1\r\n" + strings.ReplaceAll(strings.ReplaceAll(p, "\r\n", "\n"), "\n", "\r\n") + "\r\n"
	}
	return text + "--b1--\r\n"
}

const (
	human  = "Content-Type: text/plain\n\nI'm sorry: <anna.rossi@posta.example> is unknown.\n"
	failed = "Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx.posta.example\nArrival-Date: Mon, 23 Nov 2026 12:00:00 +0100\n\n" +
		"Final-Recipient: rfc822; anna.rossi@posta.example\nAction: failed\nStatus: 5.1.1 (bad mailbox)\nDiagnostic-Code: smtp; 550 5.1.1 no such user\n"
	letterBack = "Content-Type: message/rfc822\n\nMessage-ID: <2026-0000001.00ff@cse.example>\nTo: anna.rossi@posta.example\nSubject: codici\n\nPIN: 345\n"
)

func TestReadBounce(t *testing.T) {
	delayed := strings.NewReplacer("failed", "delayed", "5.1.1 (bad", "4.4.1 (bad").Replace(failed)
	two := failed + "\nFinal-Recipient: rfc822; b@posta.example\nAction: delivered\nStatus: 2.0.0\n"
	coded := "Content-Type: message/global-delivery-status\nContent-Transfer-Encoding: base64\n\n" +
		base64.StdEncoding.EncodeToString([]byte("Reporting-MTA: dns; x\r\n\r\nFinal-Recipient: utf-8; perché@posta.example\r\nAction: Failed\r\nStatus: 5.1.1\r\n")) + "\n"
	const id = "2026-0000001.00ff@cse.example"
	for _, c := range []struct {
		name, text     string
		action, status string // no action: it is no report
		ids            []string
	}{
		{"Postfix: three parts", report("", human, failed, letterBack), "failed", "5.1.1", []string{id}},
		{"only the letter's fields come back", report("", human, failed, strings.Replace(letterBack, "message/rfc822", "text/rfc822-headers", 1)), "failed", "5.1.1", []string{id}},
		{"the letter is not there, the answer names it", report("In-Reply-To: <"+id+">\r\nReferences: <other@x.example> <"+id+">\r\n", human, failed), "failed", "5.1.1", []string{id, "other@x.example"}},
		{"it still tries", report("", human, delayed, letterBack), "delayed", "4.4.1", []string{id}},
		{"one of two recipients", report("", human, two, letterBack), "failed", "5.1.1", []string{id}},
		{"beyond ASCII", report("", coded, letterBack), "failed", "5.1.1", []string{id}},
		{"no status", report("", strings.Replace(failed, "Status: 5.1.1 (bad mailbox)\n", "", 1), letterBack), "failed", "", []string{id}},
		{"a status that is none", report("", strings.Replace(failed, "5.1.1 (bad", "anna.rossi@posta.example (bad", 1), letterBack), "failed", "", []string{id}},
		{"no letter named", report("", human, failed), "failed", "5.1.1", nil},
		{"an ID that is none", report("", failed, strings.Replace(letterBack, "<2026-0000001.00ff@cse.example>", "<a b@c>\n <x", 1)), "failed", "5.1.1", nil},
		{"out of office", "From: a@b.example\r\nAuto-Submitted: auto-replied\r\nIn-Reply-To: <" + id + ">\r\n\r\nI am away.\r\n", "", "", nil},
		{"a report of something else", strings.Replace(report("", human, failed), "report-type=delivery-status", "report-type=disposition-notification", 1), "", "", nil},
		{"no recipient", report("", human, "Content-Type: message/delivery-status\n\nReporting-MTA: dns; x\n"), "", "", nil},
		{"an unknown action", report("", strings.Replace(failed, "Action: failed", "Action: exploded", 1), letterBack), "", "", nil},
		{"a boundary and nothing behind it", "Content-Type: multipart/report; report-type=delivery-status; boundary=b1\r\n\r\n--b1", "", "", nil},
		{"empty", "", "", "", nil},
		{"too large", report("", human, failed, letterBack+strings.Repeat("x", maxReport)), "", "", nil},
	} {
		b, err := ReadBounce(strings.NewReader(c.text))
		if c.action == "" {
			if !errors.Is(err, ErrNoReport) {
				t.Errorf("%s: %+v, %v", c.name, b, err)
			}
			continue
		}
		if err != nil || b.Action != c.action || b.Status != c.status || !slices.Equal(b.IDs, c.ids) || b.Failed() != (c.action == "failed") {
			t.Errorf("%s: %+v, %v", c.name, b, err)
		}
	}
	if _, err := ReadBounce(io.MultiReader(strings.NewReader(report("", human)[:40]), iotest.ErrReader(io.ErrClosedPipe))); !errors.Is(err, io.ErrClosedPipe) || errors.Is(err, ErrNoReport) {
		t.Errorf("a broken pipe: %v", err)
	}
}

// Only who had the letter can name it.
func TestMessageIDsAreNotGuessed(t *testing.T) {
	id := IDFor(mac, "mail.codes/2026/0000001", "2026-0000001", "cse.example")
	if ReferenceIn(id) != "2026-0000001" || ReferenceIn(IDFor(mac, "x", "", "cse.example")) != "" {
		t.Errorf("the reference of %s: %q", id, ReferenceIn(id))
	}
	other := []byte(strings.Repeat("k", 32))
	for name, c := range map[string]struct {
		id   string
		want bool
	}{
		"the same":               {IDFor(mac, "mail.codes/2026/0000001", "2026-0000001", "cse.example"), true},
		"our domain has changed": {IDFor(mac, "mail.codes/2026/0000001", "2026-0000001", "altrove.example"), true},
		"another letter":         {IDFor(mac, "mail.codes/2026/0000002", "2026-0000001", "cse.example"), false},
		"another key":            {IDFor(secret.New(other), "mail.codes/2026/0000001", "2026-0000001", "cse.example"), false},
		"the reference alone":    {"2026-0000001.@cse.example", false},
	} {
		if SameID(id, c.id) != c.want {
			t.Errorf("%s: %t", name, !c.want)
		}
	}
}

// Whatever comes by mail, what is kept of it is small and plain.
func FuzzReadBounce(f *testing.F) {
	for _, s := range []string{
		"", report("", human, failed, letterBack), report("In-Reply-To: <a@b>\r\n", failed), report("", "Content-Type: message/delivery-status\nContent-Transfer-Encoding: base64\n\nQWN0aW9uOiBmYWlsZWQ=\n"),
		"Content-Type: multipart/report; report-type=delivery-status; boundary=\"--\"\n\n----\n\n", "Content-Type: multipart/report; boundary*0=b; boundary*1=1; report-type=delivery-status\n\n--b1\n",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		b, err := ReadBounce(strings.NewReader(text))
		if err != nil {
			if !errors.Is(err, ErrNoReport) || b.Action != "" {
				t.Fatalf("%+v, %v", b, err)
			}
			return
		}
		if !slices.Contains(actions, b.Action) || b.Status != "" && !statusCode.MatchString(b.Status) || len(b.IDs) > maxIDs {
			t.Fatalf("%+v", b)
		}
		for _, id := range b.IDs {
			if len(id) > 401 || strings.ContainsAny(id, " \r\n\t<>") || !strings.Contains(id, "@") || strings.IndexFunc(id, func(r rune) bool { return r < '!' || r > '~' }) >= 0 {
				t.Fatalf("ID %q", id)
			}
			_ = ReferenceIn(id)
		}
	})
}
