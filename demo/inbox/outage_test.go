package inbox

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"cse.example/cse/engine/mail"
	"cse.example/cse/engine/queue"
	"cse.example/cse/engine/store"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/effect"
	"cse.example/cse/ground/secret"
)

// A mail server goes away in the middle of the day, comes back, and cuts a few
// conversations after DATA: no letter is lost, and each has one identity,
// however many copies came.
func TestOutage(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		const letters, cuts = 20, 3
		q := outbox(t, db)
		in, err := Open(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		at, err := in.Listen(t.Context(), "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		s, err := mail.New(mail.Config{Address: at.String(), TLS: mail.TLSNone, Timeout: 5 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() {
			ended <- q.Run(ctx, map[string]effect.Handler{"mail": func(ctx context.Context, e effect.Effect, _ int) error {
				m := letter
				m.ID, m.Text = mail.IDFor(secret.New(make([]byte, 32)), e.Key, "", "cse.example"), string(e.Body)
				return s.Send(ctx, m)
			}}, func(err error) { t.Error(err) })
		}()
		for i := range letters {
			switch i {
			case 5:
				in.CutAfterData(cuts)
			case 10:
				if err := in.Stop(); err != nil {
					t.Fatal(err)
				}
			case 15:
				time.Sleep(100 * time.Millisecond) // time for a few attempts in vain
				if _, err := in.Listen(t.Context(), at.String()); err != nil {
					t.Fatal(err)
				}
			}
			if err := q.Enqueue(t.Context(), effect.Effect{Key: fmt.Sprintf("mail/%d", i), Kind: "mail", Body: fmt.Appendf(nil, "letter %d\n", i)}); err != nil {
				t.Fatal(err)
			}
		}
		waitDone(t, q, letters)
		stop()
		if err := <-ended; !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		if err := in.Stop(); err != nil {
			t.Error(err)
		}
		checkLetters(t, in, letters, cuts)
	})
}

func outbox(t *testing.T, db *store.DB) *queue.Queue {
	t.Helper()
	h, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		t.Fatal(err)
	}
	seal, err := aead.New(h)
	if err != nil {
		t.Fatal(err)
	}
	q, err := queue.New(queue.Config{
		Conn: func(ctx context.Context) queue.DBTX { return db.Conn(ctx) }, Atomically: db.Atomically, Seal: seal, Clock: civil.System{}, Poll: 5 * time.Millisecond,
		Policies: map[string]queue.Policy{"mail": {Lost: queue.Uncertain, Resend: 20 * time.Millisecond, Backoff: func(int) time.Duration { return 20 * time.Millisecond }}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func waitDone(t *testing.T, q *queue.Queue, want int) {
	t.Helper()
	var items []queue.Item
	for limit := time.Now().Add(20 * time.Second); time.Now().Before(limit); time.Sleep(10 * time.Millisecond) {
		var err error
		if items, err = q.List(t.Context(), queue.Filter{State: queue.Done}); err != nil {
			t.Fatal(err)
		}
		if len(items) == want {
			return
		}
	}
	t.Fatalf("%d of %d letters are done", len(items), want)
}

func checkLetters(t *testing.T, in *Inbox, letters, cuts int) {
	t.Helper()
	all, err := in.List()
	if err != nil {
		t.Fatal(err)
	}
	texts := map[string]string{}
	for _, l := range all {
		if was, ok := texts[l.ID]; ok && was != l.Text {
			t.Errorf("%s came with two texts: %q, %q", l.ID, was, l.Text)
		}
		texts[l.ID] = l.Text
	}
	// Stop may cut a conversation after DATA too: a copy more is no fault.
	if len(texts) != letters || len(all) < letters+cuts || len(all) > letters+cuts+1 {
		t.Errorf("%d letters in %d copies, want %d in %d", len(texts), len(all), letters, letters+cuts)
	}
}
