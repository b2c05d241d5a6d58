package holder_test

import (
	"errors"
	"path/filepath"
	"testing"

	"cse.example/cse/card/cns"
	"cse.example/cse/card/holder"
	"cse.example/cse/card/holder/holdertest"
	"cse.example/cse/card/reader"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
)

func recodable(t *testing.T, changeable bool) (*holder.Holder, string) {
	t.Helper()
	p := cns.Neutral()
	p.PUKChangeable = changeable
	path := filepath.Join(t.TempDir(), "card")
	holdertest.Make(t, path, p, 3)
	return opened(t, path), path
}

func opened(t *testing.T, path string) *holder.Holder {
	t.Helper()
	c, err := reader.FromFile(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	h, err := holder.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// Rule R52: new codes are written with the PUK that the chip holds; done twice, as
// after a broken connection, they are there once and no try is lost for good.
func TestR52_Recode(t *testing.T) {
	h, _ := recodable(t, true)
	pin, puk := secret.FromString("83615"), secret.FromString("90417362")
	for range 2 {
		if err := h.Recode(secret.FromString(holdertest.PUK), pin, puk); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.VerifyPIN(pin); err != nil {
		t.Error(err)
	}
	if tries, err := h.Tries(); err != nil || tries.PUK.Left != holder.MaxTries || tries.PIN.Left != holder.MaxTries {
		t.Errorf("%+v, %v", tries, err)
	}
	if err := h.UnblockPIN(secret.FromString(holdertest.PUK), pin); words.FaultOf(err) == nil {
		t.Errorf("the former PUK still opens: %v", err)
	}
}

func TestRecodeRefuses(t *testing.T) {
	h, _ := recodable(t, false)
	pin, puk := secret.FromString("83615"), secret.FromString("90417362")
	if err := h.Recode(secret.FromString(holdertest.PUK), pin, puk); !errors.Is(err, words.Refuse("CSE-478")) {
		t.Errorf("a fixed PUK: %v", err)
	}
	if err := h.VerifyPIN(secret.FromString(holdertest.PIN)); err != nil {
		t.Errorf("the PIN changed: %v", err)
	}
	h, _ = recodable(t, true)
	wrong := secret.FromString("11122233")
	if err := h.UnblockPIN(wrong, pin); err == nil {
		t.Fatal("a wrong PUK unblocks")
	}
	if err := h.UnblockPIN(wrong, pin); err == nil {
		t.Fatal("a wrong PUK unblocks")
	}
	if err := h.Recode(secret.FromString(holdertest.PUK), pin, puk); !errors.Is(err, words.Refuse("CSE-477")) {
		t.Errorf("with one try left: %v", err)
	}
	if err := h.Recode(secret.FromString("1"), pin, puk); !errors.Is(err, words.Refuse("CSE-223")) {
		t.Errorf("a PUK of one digit: %v", err)
	}
}
