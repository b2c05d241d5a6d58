package pinmanager_test

import (
	"testing"

	"cse.example/cse/card/holder/holdertest"
	"cse.example/cse/portal/pinmanager/managertest"
)

// Journey C6. A person whose PIN is blocked unblocks it alone, in three steps: nobody else and
// no network takes part.
func TestR89_UnblockingInThreeSteps(t *testing.T) {
	s := managertest.Entered(t, "mario")
	s.Get("/pin")
	for range 3 {
		s.Post("/pin", "pin", "99174", "new", other, "again", other, "last", "si")
	}
	s.Get("/sblocca").Want(t, 200, "", `aria-current="step"><span>1`, "restano 3 tentativi", "bloccato", `href="/sblocca/codici"`)
	s.Get("/sblocca/codici").Want(t, 200, "", `aria-current="step"><span>2`, "restano 3 tentativi", "8 cifre", `!name="last"`)
	s.Post("/sblocca/codici", "puk", "1234567", "new", other, "again", other).Want(t, 422, "CSE-223", "restano 3 tentativi")
	s.Post("/sblocca/codici", "puk", holdertest.PUK, "new", other, "again", "70417").Want(t, 422, "CSE-215", "!"+holdertest.PUK)
	s.Post("/sblocca/codici", "puk", holdertest.PUK, "new", other, "again", other).Want(t, 200, "",
		`aria-current="step"><span>3`, "PIN sbloccato", "restano 3 tentativi", "!cse-badge-bad", "!"+holdertest.PUK, "!"+other)
	if !accepts(s, other) || accepts(s, holdertest.PIN) {
		t.Error("the PIN is not the new one")
	}
	spent := s.Drawer.Spent
	s.Get("/fatto").Want(t, 200, "", "PIN sbloccato") // the page again: nothing is sent again
	if s.Drawer.Spent != spent {
		t.Error("looking again asked the card")
	}
}

// The PUK unblocks before three failures too, its wrong tries count, the last one
// needs a tick, and after it the page says that the card is finished.
func TestR72_WrongPUKsCount(t *testing.T) {
	s := managertest.Entered(t, "mario")
	s.Get("/sblocca/codici")
	wrong := []string{"puk", "11112222", "new", other, "again", other}
	s.Post("/sblocca/codici", wrong...).Want(t, 422, "CSE-213", "restano 2 tentativi")
	s.Post("/sblocca/codici", wrong...).Want(t, 422, "CSE-213", "resta 1 tentativo", `name="last"`, "la tessera non si sblocca più")
	spent := s.Drawer.Spent
	s.Post("/sblocca/codici", wrong...).Want(t, 422, "CSE-227")
	if s.Drawer.Spent != spent {
		t.Error("the last try was spent without a tick")
	}
	s.Post("/sblocca/codici", append(wrong, "last", "si")...).Want(t, 422, "CSE-214", `!name="puk"`)
	s.Get("/").Want(t, 200, "", "CSE-214", `!class="btn btn-primary" href="/sblocca"`)
	s.Get("/sblocca").Want(t, 200, "", "CSE-214", `!href="/sblocca/codici"`)
	if got := tries(s).PUK; !got.Blocked() {
		t.Errorf("the chip says %+v", got)
	}
}
