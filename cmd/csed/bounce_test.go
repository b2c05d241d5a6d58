package main

import (
	"context"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"cse.example/cse/demo/inbox"
	"cse.example/cse/engine/mail"
	"cse.example/cse/engine/queue"
	"cse.example/cse/ground/effect"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/portal"
)

// withInbox gives the region's letters a real mail server to go to.
func (r *region) withInbox(t *testing.T) *inbox.Inbox {
	t.Helper()
	box, err := inbox.Open(filepath.Join(t.TempDir(), "inbox"))
	check(t, err)
	smtp, err := box.Listen(t.Context(), "127.0.0.1:0")
	check(t, err)
	t.Cleanup(func() { check(t, box.Stop()) })
	r.config.Mail.Server = smtp.String()
	return box
}

// work performs every effect that is due.
func work(t *testing.T, p *Platform) {
	t.Helper()
	_, err := p.queue.RunOnce(t.Context(), p.handlers)
	check(t, err)
}

// withCodes are the letters in the box that bring second halves.
func withCodes(t *testing.T, box *inbox.Inbox) (out []inbox.Letter) {
	t.Helper()
	list, err := box.List()
	check(t, err)
	for _, l := range list {
		if strings.Contains(l.Text, "PIN: ") {
			out = append(out, l)
		}
	}
	slices.SortFunc(out, func(a, b inbox.Letter) int { return strings.Compare(a.File, b.File) }) // as they arrived
	return out
}

// waiting are the tasks of one kind at anna's office.
func waiting(t *testing.T, p *Platform, kind counter.TaskKind) (out []portal.Task) {
	t.Helper()
	list, err := p.tasks(t.Context(), operatorOf(t, p, "anna"))
	check(t, err)
	for _, x := range list {
		if x.Kind == string(kind) {
			out = append(out, x)
		}
	}
	return out
}

// cameBackAs is what a server writes that could not deliver the letter: it sends
// the letter's fields back.
func cameBackAs(t *testing.T, box *inbox.Inbox, l inbox.Letter, action, status string) string {
	t.Helper()
	raw, err := os.ReadFile(filepath.Join(box.Dir(), l.File))
	check(t, err)
	head, _, _ := strings.Cut(string(raw), "\r\n\r\n")
	return strings.Join([]string{
		"From: Mail Delivery System <MAILER-DAEMON@mx.example>", "To: tessera@cse.localhost", "Subject: Undelivered Mail Returned to Sender", "MIME-Version: 1.0",
		`Content-Type: multipart/report; report-type=delivery-status; boundary="zz"`, "",
		"--zz", "Content-Type: text/plain", "", "The mail system could not deliver to " + l.To, "",
		"--zz", "Content-Type: message/delivery-status", "", "Reporting-MTA: dns; mx.example", "",
		"Final-Recipient: rfc822; " + l.To, "Action: " + action, "Status: " + status, "Diagnostic-Code: smtp; 550 no such user", "",
		"--zz", "Content-Type: text/rfc822-headers", "", head, "", "--zz--", "",
	}, "\r\n")
}

// R75: our mail server takes the letter, another one sends it back later. The
// counter that did the act has a task, once, until the second halves go out
// again; what strangers write changes nothing.
func TestR75_ABounceThatComesLater(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	box := r.withInbox(t)
	p := r.open(t, Options{}, "web", "print", "mail")
	ctx, key := t.Context(), counter.MailKey("2026/0000001")
	work(t, p)
	sent := withCodes(t, box)
	if len(sent) != 1 || len(waiting(t, p, counter.TaskUndelivered)) != 0 {
		t.Fatalf("%d letters, %v", len(sent), waiting(t, p, counter.TaskUndelivered))
	}
	letter := sent[0]
	id := strings.Trim(letter.ID, "<>")
	back := cameBackAs(t, box, letter, "failed", "5.1.1")
	for _, c := range []struct {
		name, text, want string
		tasks            int
	}{
		{"it is late", cameBackAs(t, box, letter, "delayed", "4.4.1"), bounceWaits, 0},
		{"an answer from a holiday", "From: a@b.example\r\nIn-Reply-To: <" + id + ">\r\n\r\nI am away.\r\n", bounceNone, 0},
		{"forged: the number without the rest", strings.ReplaceAll(back, id, "2026-0000001.00112233445566778899aabbccddeeff@cse.localhost"), bounceOther, 0},
		{"forged: another letter's rest", strings.ReplaceAll(back, "2026-0000001.", "2026-0000002."), bounceOther, 0},
		{"forged: as it was made before", strings.ReplaceAll(back, id, "@cse.localhost"), bounceOther, 0},
		{"a letter of somebody else", strings.ReplaceAll(back, id, "abc@altrove.example"), bounceOther, 0},
		{"it came back", back, bounceTask, 1},
		{"told twice", back, bounceKnown, 1},
		{"the other side is late in saying it is late", cameBackAs(t, box, letter, "delayed", "4.4.1"), bounceWaits, 1},
	} {
		got, err := p.bounce(ctx, strings.NewReader(c.text))
		if n := len(waiting(t, p, counter.TaskUndelivered)); err != nil || got != c.want || n != c.tasks {
			t.Fatalf("%s: %q, %v, %d tasks; want %q and %d", c.name, got, err, n, c.want, c.tasks)
		}
	}
	if x := waiting(t, p, counter.TaskUndelivered)[0]; x.Card != r.active || x.Path != portal.FilePath("2026/0000001") {
		t.Errorf("the task: %+v", x)
	}
	said := records(t, p, "codes.undelivered")
	if len(said) != 1 || said[0].Card != r.active || said[0].Detail["status"] != "5.1.1" || said[0].Detail["protocol"] != "2026/0000001" {
		t.Errorf("the trail: %+v", said)
	}
	item, err := p.queue.Get(ctx, key)
	if err != nil || item.State != queue.Bounced || strings.Contains(item.LastError, "@") {
		t.Errorf("the letter: %+v, %v", item, err)
	}
	clean(t, p)

	// The counter corrects the address: the second halves alone go out again.
	r.clock.Advance(time.Hour)
	printed := len(records(t, p, "codes.printed"))
	fix(t, p, r, "giusto@example.org")
	work(t, p)
	again := withCodes(t, box)
	if len(again) != 2 || again[1].ID == letter.ID || !strings.Contains(again[1].To, "giusto@example.org") || pin(again[1]) != pin(letter) {
		t.Fatalf("%d letters, the last to %s", len(again), again[len(again)-1].To)
	}
	if n := len(waiting(t, p, counter.TaskUndelivered)); n != 0 || len(records(t, p, "codes.printed")) != printed {
		t.Errorf("%d tasks after the correction; first halves printed again: %t", n, len(records(t, p, "codes.printed")) != printed)
	}
	// That one comes back, too; the first letter's echo says nothing new.
	if got, err := p.bounce(ctx, strings.NewReader(cameBackAs(t, box, again[1], "failed", "5.2.2"))); err != nil || got != bounceTask {
		t.Errorf("the second letter: %q, %v", got, err)
	}
	if got, err := p.bounce(ctx, strings.NewReader(back)); err != nil || got != bounceKnown {
		t.Errorf("the first letter's echo: %q, %v", got, err)
	}
	if n := len(waiting(t, p, counter.TaskUndelivered)); n != 1 {
		t.Errorf("%d tasks, want 1", n)
	}
	clean(t, p)
}

// pin is the line of a letter with the second half of the PIN.
func pin(l inbox.Letter) string {
	_, rest, _ := strings.Cut(l.Text, "PIN: ")
	line, _, _ := strings.Cut(rest, "\n")
	return strings.TrimSpace(line)
}

// fix corrects the address of the active card's holder.
func fix(t *testing.T, p *Platform, r *region, address string) counter.Act {
	t.Helper()
	request, err := p.counter.NewRequest()
	check(t, err)
	a, err := p.counter.CorrectEmail(t.Context(), operatorOf(t, p, "anna"), counter.Order{
		Request: request, Card: r.active, Identity: shownToday(r), Email: address, EmailAgain: address, Lang: words.Italian,
	})
	check(t, err)
	return a
}

// A letter that is in doubt came back: it left, and is not sent again. One that
// is being sent just now is asked about later.
func TestR75_ABounceOfALetterInDoubt(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	r.config.Mail.ResendSeconds = 60
	box := r.withInbox(t)
	p := r.open(t, Options{}, "web", "mail")
	box.CutAfterData(1)
	only := maps.Clone(p.handlers)
	maps.DeleteFunc(only, func(kind string, _ effect.Handler) bool { return kind != counter.KindMailCodes })
	_, err := p.queue.RunOnce(t.Context(), only)
	check(t, err)
	key := counter.MailKey("2026/0000001")
	if item, err := p.queue.Get(t.Context(), key); err != nil || item.State != queue.Uncertain {
		t.Fatalf("%+v, %v", item, err)
	}
	sent := withCodes(t, box)
	back := cameBackAs(t, box, sent[0], "failed", "5.1.1")
	if got, err := p.bounce(t.Context(), strings.NewReader(back)); err != nil || got != bounceTask {
		t.Fatalf("%q, %v", got, err)
	}
	r.clock.Advance(time.Hour)
	work(t, p)
	if n := len(withCodes(t, box)); n != 1 {
		t.Errorf("%d letters: it went again after it had come back", n)
	}
	clean(t, p)

	// While an attempt is under way the answer is "later", and a Maildir keeps the message.
	a := fix(t, p, r, "altro@example.org")
	check(t, p.queue.Do(t.Context(), counter.MailKey(a.Protocol), func(ctx context.Context, _ effect.Effect, _ int) error {
		text := strings.ReplaceAll(back, strings.Trim(sent[0].ID, "<>"), p.messageID(counter.MailKey(a.Protocol)))
		if _, err := p.bounce(ctx, strings.NewReader(text)); !errors.Is(err, errLater) {
			t.Errorf("while it is being sent: %v", err)
		}
		dir := maildir(t, map[string]string{"1.a": text})
		if told, err := p.bounces(ctx, dir); err != nil || len(told) != 0 || !slices.Equal(names(t, dir, "new"), []string{"1.a"}) {
			t.Errorf("%v, %v, %v", told, err, names(t, dir, "new"))
		}
		return nil
	}))
}

func maildir(t *testing.T, messages map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for _, sub := range []string{"new", "cur", "tmp"} {
		check(t, os.Mkdir(filepath.Join(dir, sub), 0o700))
	}
	for name, text := range messages {
		check(t, os.WriteFile(filepath.Join(dir, "new", name), []byte(text), 0o600))
	}
	return dir
}

func names(t *testing.T, dir, sub string) (out []string) {
	t.Helper()
	list, err := os.ReadDir(filepath.Join(dir, sub))
	check(t, err)
	for _, e := range list {
		out = append(out, e.Name())
	}
	return out
}

// The command, and `csed serve` by itself: both read the same Maildir, and what
// both have seen is a task once.
func TestR75_AMaildirOfBounces(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	box := r.withInbox(t)
	p := r.open(t, Options{}, "mail")
	work(t, p)
	letter := withCodes(t, box)[0]
	back := cameBackAs(t, box, letter, "failed", "5.1.1")
	secrets := filepath.Join(t.TempDir(), "elsewhere")
	check(t, os.WriteFile(secrets, []byte(back), 0o600))
	dir := maildir(t, map[string]string{
		"1.back": back, "2.twice:2,": back, "3.late": cameBackAs(t, box, letter, "delayed", "4.4.1"), "4.spam": "From: a@b.example\r\n\r\nbuy\r\n", ".hidden": back,
	})
	check(t, os.Symlink(secrets, filepath.Join(dir, "new", "5.link")))

	file := written(t, "data: "+r.config.Data+"\n")
	code, out, errs := said(t, nil, "mail", "bounce", dir, "--config", file)
	if code != 0 {
		t.Fatalf("%d %s %s", code, out, errs)
	}
	for _, want := range []string{
		words.Say(words.English, "csed.mail.told.task", 1), words.Say(words.English, "csed.mail.told.known", 1),
		words.Say(words.English, "csed.mail.told.waits", 1), words.Say(words.English, "csed.mail.told.none", 1),
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not said: %s", want, out)
		}
	}
	if got := names(t, dir, "cur"); !slices.Equal(got, []string{"1.back:2,S", "2.twice:2,S", "3.late:2,S", "4.spam:2,F"}) {
		t.Errorf("cur: %v", got)
	}
	if got := names(t, dir, "new"); !slices.Equal(got, []string{".hidden", "5.link"}) {
		t.Errorf("new: %v", got)
	}
	if code, _, errs := said(t, nil, "mail", "bounce", filepath.Join(dir, "nothing"), "--config", file); code != 75 {
		t.Errorf("no Maildir: %d %s", code, errs)
	}

	// Afterwards the server does it.
	check(t, os.WriteFile(filepath.Join(dir, "new", "6.again"), []byte(back), 0o600))
	p.Config.Mail.Bounces = dir
	running(t, p)
	for deadline := time.Now().Add(20 * time.Second); len(names(t, dir, "new")) > 2; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("nobody read the Maildir")
		}
	}
	if n := len(records(t, p, "codes.undelivered")); n != 1 {
		t.Errorf("recorded %d times", n)
	}
}

// Message-IDs name the letter with codes by its number, others by nothing.
func TestMessageIDs(t *testing.T) {
	t.Parallel()
	r := newRegion(t)
	p := r.open(t, Options{}, "mail")
	codes, notice := p.messageID(counter.MailKey("2026/0000001")), p.messageID("mail.notice/activated/2026/0000001")
	if mail.ReferenceIn(codes) != "2026-0000001" || mail.ReferenceIn(notice) != "" || strings.Contains(notice, "2026") {
		t.Errorf("%s, %s", codes, notice)
	}
	if key, ok := p.letterNamed(codes); !ok || key != counter.MailKey("2026/0000001") {
		t.Errorf("%s, %t", key, ok)
	}
}
