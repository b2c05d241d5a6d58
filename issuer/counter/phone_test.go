package counter_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"cse.example/cse/engine/store"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/secret"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/staff"
)

// agent is op at the call centre's telephone.
func agent(op staff.Operator) staff.Operator {
	op.Account, op.Roles = "agent", []staff.Role{staff.RoleCallCentre}
	return op
}

// said is what the holder of card answers to a question.
func (b *bench) said(q counter.Question) secret.Text {
	cip := string(b.codes[q.Card].CIP.Reveal())
	var out string
	for _, n := range q.Places {
		out += cip[n-1 : n]
	}
	return secretOf(out)
}

func wrong(right secret.Text) secret.Text {
	s := []byte(right.Reveal())
	s[len(s)-1] = '0' + (s[len(s)-1]-'0'+1)%10
	return secret.New(s)
}

// R84 by telephone (tension 7): four digits drawn by the system suspend, and
// nothing more; the whole CIP is never asked.
func TestR84_ByPhoneFourDrawnDigitsSuspendOnly(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBench(t, db)
		op, p, _ := b.activated(t)
		_, err := b.AskPositions(t.Context(), op, number)
		refused(t, "an operator at a counter", err, "CSE-450")
		op = agent(op)
		_, err = b.SuspendByPhone(t.Context(), op, number, secretOf("1234"))
		refused(t, "before any question", err, "CSE-459")
		q, err := b.AskPositions(t.Context(), op, number)
		if err != nil {
			t.Fatal(err)
		}
		for i, n := range q.Places {
			if n < 1 || n > 10 || i > 0 && n <= q.Places[i-1] {
				t.Errorf("places %v", q.Places)
			}
		}
		if again, err := b.AskPositions(t.Context(), op, number); err != nil || again != q {
			t.Errorf("another question while one is open: %+v, %v", again, err)
		}
		_, err = b.SuspendByPhone(t.Context(), op, number, b.codes[number].CIP)
		refused(t, "the whole CIP", err, "CSE-455")
		b.clock.Advance(time.Minute)
		r, err := b.SuspendByPhone(t.Context(), op, number, b.said(q))
		if err != nil {
			t.Fatal(err)
		}
		if got := b.functions(t, p, number); got != [4]lifecycle.FunctionState{lifecycle.Valid, lifecycle.Valid, lifecycle.Valid, lifecycle.OnHold} || b.certs["ab"+number] != "held" {
			t.Errorf("suspended: %v, %s", got, b.certs["ab"+number])
		}
		e := b.entries[len(b.entries)-1]
		if e.Act != "card.suspended" || e.Actor != "agent" || e.Detail["by"] != "phone" || e.Detail["protocol"] != r.Protocol {
			t.Errorf("journal: %+v", e)
		}
		if _, ok := b.effects["mail.notice/suspended/"+r.Protocol]; !ok {
			t.Error("the holder is not told")
		}
		if strings.Contains(fmt.Sprint(b.entries, b.effects), string(b.codes[number].CIP.Reveal())) {
			t.Error("the CIP was written down")
		}
		_, err = b.SuspendByPhone(t.Context(), op, number, b.said(q))
		refused(t, "the same answer again", err, "CSE-444")
	})
}

// Three wrong answers end the question, slow the next one down and are told to
// the holder once; the holder's own CIP still suspends meanwhile.
func TestR84_ByPhoneThreeWrongAnswersEndTheQuestion(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	op, _, _ := b.activated(t)
	op = agent(op)
	q, err := b.AskPositions(t.Context(), op, number)
	if err != nil {
		t.Fatal(err)
	}
	bad := wrong(b.said(q))
	_, err = b.SuspendByPhone(t.Context(), op, number, bad)
	refused(t, "once", err, "CSE-455")
	_, err = b.SuspendByPhone(t.Context(), op, number, bad)
	refused(t, "at once again", err, "CSE-402")
	b.clock.Advance(time.Minute)
	_, err = b.SuspendByPhone(t.Context(), op, number, bad)
	refused(t, "twice", err, "CSE-455")
	b.clock.Advance(time.Minute)
	_, err = b.SuspendByPhone(t.Context(), op, number, bad)
	refused(t, "three times", err, "CSE-451")
	b.clock.Advance(time.Minute)
	_, err = b.SuspendByPhone(t.Context(), op, number, b.said(q))
	refused(t, "the right answer, too late", err, "CSE-451")
	_, err = b.AskPositions(t.Context(), op, number)
	refused(t, "another question at once", err, "CSE-451")
	notices := 0
	for key := range b.effects {
		if strings.Contains(key, "wrong-cip") {
			notices++
		}
	}
	if notices != 1 {
		t.Errorf("%d letters about wrong answers", notices)
	}
	if _, err := b.SuspendWithCIP(t.Context(), number, b.codes[number].CIP, "192.0.2.7", ""); err != nil {
		t.Errorf("the web is closed by the telephone: %v", err)
	}
	b.clock.Advance(time.Hour)
	_, err = b.AskPositions(t.Context(), op, number)
	refused(t, "suspended meanwhile", err, "CSE-444")
}

// A question is over after ten minutes, and the next is another card's never.
func TestR84_ByPhoneAQuestionLastsTenMinutes(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	op, _, _ := b.activated(t)
	op = agent(op)
	seen := map[[counter.Places]int]bool{}
	for range 8 {
		q, err := b.AskPositions(t.Context(), op, number)
		if err != nil {
			t.Fatal(err)
		}
		seen[q.Places] = true
		b.clock.Advance(10 * time.Minute)
		_, err = b.SuspendByPhone(t.Context(), op, number, b.said(q))
		refused(t, "after ten minutes", err, "CSE-459")
	}
	if len(seen) < 3 {
		t.Errorf("the places are always the same: %v", seen)
	}
}
