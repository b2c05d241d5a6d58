package pinmanager_test

import (
	"strings"
	"testing"

	"cse.example/cse/card/cns"
	"cse.example/cse/card/holder"
	"cse.example/cse/card/holder/holdertest"
	"cse.example/cse/card/reader"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/portal/pinmanager/managertest"
)

const other = "70416" // another good PIN

// tries are those that the chip itself counts.
func tries(s *managertest.Stage) holder.Tries {
	s.T.Helper()
	c, err := reader.FromFile(s.Drawer.Files["Lettore 1"])
	if err != nil {
		s.T.Fatal(err)
	}
	defer c.Close()
	h, err := holder.New(c)
	if err != nil {
		s.T.Fatal(err)
	}
	t, err := h.Tries()
	if err != nil {
		s.T.Fatal(err)
	}
	return t
}

// accepts tells whether the chip takes a PIN.
func accepts(s *managertest.Stage, pin string) bool {
	s.T.Helper()
	c, err := reader.FromFile(s.Drawer.Files["Lettore 1"])
	if err != nil {
		s.T.Fatal(err)
	}
	defer c.Close()
	h, err := holder.New(c)
	if err != nil {
		s.T.Fatal(err)
	}
	return h.VerifyPIN(secret.FromString(pin)) == nil
}

// Journey C5. Tries stand beside the field, each wrong PIN takes one and says so, the last one
// needs a tick, and a page that is sent again spends none.
func TestR71_TriesAreToldAndNeverSpentUnseen(t *testing.T) {
	s := managertest.Entered(t, "mario")
	s.Get("/pin").Want(t, 200, "", "restano 3 tentativi", `autocomplete="off"`, "!value=\"52903\"", `!name="last"`)
	wrong := []string{"pin", "99174", "new", other, "again", other}
	form := s.Fill(wrong...).Encode()
	a := s.Post("/pin", wrong...)
	a.Want(t, 422, "CSE-210", "restano 2 tentativi", "!99174", "!"+other)
	// The browser's "send again".
	s.Do("POST", "/pin", strings.NewReader(form), nil).Want(t, 409, "CSE-857")
	s.Page = a
	s.Post("/pin", wrong...).Want(t, 422, "CSE-210", "resta 1 tentativo", `name="last"`)
	spent := s.Drawer.Spent
	s.Post("/pin", wrong...).Want(t, 422, "CSE-211", "resta 1 tentativo")
	s.Post("/pin", "pin", holdertest.PIN, "new", other, "again", other).Want(t, 422, "CSE-211")
	if s.Drawer.Spent != spent {
		t.Error("the last try was spent without a tick")
	}
	if left := tries(s).PIN.Left; left != 1 {
		t.Errorf("%d tries left, want 1", left)
	}
	s.Post("/pin", "pin", holdertest.PIN, "new", other, "again", other, "last", "si").Want(t, 200, "", "PIN cambiato", "restano 3 tentativi", "!"+other)
	if accepts(s, holdertest.PIN) || !accepts(s, other) {
		t.Error("the PIN is not the new one")
	}
}

// Three wrong ones block it; the page then has no form and leads to the PUK.
func TestR71_ThreeWrongPINsBlock(t *testing.T) {
	s := managertest.Entered(t, "mario")
	s.Get("/pin")
	for range 3 {
		s.Post("/pin", "pin", "99174", "new", other, "again", other, "last", "si")
	}
	s.Page.Want(t, 422, "CSE-212", `href="/sblocca"`, `!name="pin"`, "!data-cse-summary")
	s.Get("/").Want(t, 200, "", "PIN bloccato", `href="/sblocca"`, "bloccato")
	s.Get("/pin").Want(t, 200, "", "CSE-212", `!name="pin"`)
}

// What is wrong before the card is asked costs nothing.
func TestNewPINsAreCheckedForNothing(t *testing.T) {
	s := managertest.Entered(t, "mario")
	for name, x := range map[string]struct {
		values []string
		code   string
	}{
		"differ":   {[]string{"pin", holdertest.PIN, "new", other, "again", "70417"}, "CSE-215"},
		"simple":   {[]string{"pin", holdertest.PIN, "new", "12345", "again", "12345"}, "CSE-222"},
		"birthday": {[]string{"pin", holdertest.PIN, "new", "010180", "again", "010180"}, "CSE-222"},
		"short":    {[]string{"pin", holdertest.PIN, "new", "1234", "again", "1234"}, "CSE-221"},
		"letters":  {[]string{"pin", holdertest.PIN, "new", "12a45", "again", "12a45"}, "CSE-221"},
		"old":      {[]string{"pin", "", "new", other, "again", other}, "CSE-221"},
	} {
		t.Run(name, func(t *testing.T) {
			s.T = t
			s.Get("/pin")
			s.Post("/pin", x.values...).Want(t, 422, x.code, "restano 3 tentativi")
		})
	}
	s.T = t
	if s.Drawer.Spent != 0 {
		t.Errorf("%d commands reached the card", s.Drawer.Spent)
	}
}

// A form is good for the card that its page showed.
func TestAnotherCardIsNotTouched(t *testing.T) {
	s := managertest.Entered(t, "mario")
	s.Get("/pin")
	s.Drawer.Put(t, "Lettore 1", "other")
	s.Post("/pin", "pin", holdertest.PIN, "new", other, "again", other).Want(t, 409, "CSE-858", `href="/pin"`)
	if s.Drawer.Spent != 0 {
		t.Error("the other card was asked")
	}
	if strings.Contains(s.Page.Text, holdertest.PIN) {
		t.Error("the PIN is on the page")
	}
}

// A chip that does not tell its tries: the page says so, and asks for a tick.
func TestUnknownTriesNeedATick(t *testing.T) {
	s := managertest.Entered(t, "silent")
	s.Get("/pin").Want(t, 200, "", "tentativi non noti", `name="last"`)
	s.Post("/pin", "pin", holdertest.PIN, "new", other, "again", other).Want(t, 422, "CSE-863")
	if s.Drawer.Spent != 0 {
		t.Error("a try was spent without a tick")
	}
	s.Post("/pin", "pin", "99174", "new", other, "again", other, "last", "si").Want(t, 422, "CSE-210", "restano 2 tentativi")
}

// Readers and cards that come and go: each has its page, and the next look works.
func TestCardsComeAndGo(t *testing.T) {
	s := managertest.Entered(t, "")
	s.Get("/").Want(t, 409, reader.CodeNoReader, `href="/"`)
	s.Get("/lettori").Want(t, 200, "", "Nessun lettore")
	s.Drawer.Put(t, "Lettore 1", "")
	s.Get("/").Want(t, 409, reader.CodeNoCard)
	s.Get("/lettori").Want(t, 200, "", "Lettore 1", "Nessuna carta", "!Usa questo")
	s.Drawer.Put(t, "Lettore 1", "mario")
	s.Get("/").Want(t, 200, "", "MARIO ROSSI", "6090")
	s.Get("/pin")
	s.Drawer.Put(t, "Lettore 1", "")
	s.Post("/pin", "pin", holdertest.PIN, "new", other, "again", other).Want(t, 409, reader.CodeNoCard, "!"+holdertest.PIN)
	s.Drawer.Err = words.Refuse(reader.CodeNoService)
	s.Get("/").Want(t, 409, reader.CodeNoService)
	s.Drawer.Err = nil
	s.Drawer.Put(t, "Lettore 1", "mario")
	s.Get("/pin")
	s.Drawer.Cut = func(b []byte) bool { return b[1] == 0x24 }
	s.Post("/pin", "pin", holdertest.PIN, "new", other, "again", other).Want(t, 409, "CSE-216", "potrebbe essere cambiato")
	s.Drawer.Cut = nil
	s.Get("/").Want(t, 200, "", "MARIO ROSSI")
}

// Several cards: the person chooses, and the choice lasts as long as the reader.
func TestSeveralReaders(t *testing.T) {
	s := managertest.Entered(t, "mario")
	s.Drawer.Put(t, "Lettore 2", "other")
	s.Get("/").Want(t, 409, "CSE-859", "Lettore 1", "Lettore 2", "Usa questo", "!ROSSI")
	s.Post("/lettori", "lettore", "Lettore 2").Want(t, 200, "", "Lettore 2")
	id, err := cns.NewCardID("6090", 13, 0)
	if err != nil {
		t.Fatal(err)
	}
	s.Get("/").Want(t, 200, "", string(id))
	s.Get("/lettori").Want(t, 200, "", "in uso")
	s.Drawer.In = s.Drawer.In[:1]
	s.Get("/").Want(t, 200, "", "Lettore 1", "!"+string(id))
}
