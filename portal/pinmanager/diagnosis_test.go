package pinmanager_test

import (
	"context"
	"testing"

	"cse.example/cse/card/holder"
	"cse.example/cse/card/holder/holdertest"
	"cse.example/cse/card/reader"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/portal/pinmanager"
	"cse.example/cse/portal/pinmanager/managertest"
)

// The diagnosis names what is wrong first, and spends nothing.
func TestR31_Diagnosis(t *testing.T) {
	s := managertest.Entered(t, "mario")
	s.Get("/diagnosi").Want(t, 200, "", "Niente di rosso", "Al telefono", "rete=si")
	s.Get("/diagnosi?rete=si").Want(t, 200, "", "!rete=si")
	if s.Drawer.Spent != 0 {
		t.Errorf("%d commands could have cost a try", s.Drawer.Spent)
	}
	s.Get("/pin")
	for range 3 {
		s.Post("/pin", "pin", "99174", "new", other, "again", other, "last", "si")
	}
	s.Get("/diagnosi").Want(t, 200, "", "CSE-212", `href="/sblocca">`)
	s.Drawer.Put(t, "Lettore 1", "")
	s.Get("/diagnosi").Want(t, 200, "", reader.CodeNoCard, "!Niente di rosso")
	s.Drawer.Err = words.Refuse(reader.CodeNoService)
	s.Get("/diagnosi").Want(t, 200, "", reader.CodeNoService)
}

// The person sees both days before anything is issued, and agrees to what was seen;
// where no service is known the page says so.
func TestR109_ExtensionAsksBefore(t *testing.T) {
	alone := managertest.Entered(t, "mario")
	alone.Get("/estendi")
	alone.Post("/estendi", "pin", holdertest.PIN).Want(t, 409, "CSE-870", "--service")
	issued := 0
	terms := pinmanager.Extension{From: civil.Date{Year: 2026, Month: 12, Day: 20}, Until: civil.Date{Year: 2027, Month: 6, Day: 30}}
	s := managertest.Entered(t, "mario", func(d *pinmanager.Deps) {
		d.Extend = func(_ context.Context, h *holder.Holder, pin holder.AskPIN, agree func(pinmanager.Extension) error) (pinmanager.Extension, error) {
			for range 2 { // twice: another program made the card forget it
				p, err := pin()
				if err != nil {
					return pinmanager.Extension{}, err
				}
				err = h.VerifyPIN(p)
				p.Wipe()
				if f := words.FaultOf(err); f != nil && f.Code == "CSE-210" {
					continue // a careless caller: the page does not give a wrong one twice
				}
				if err != nil {
					return pinmanager.Extension{}, err
				}
			}
			if err := agree(terms); err != nil {
				return pinmanager.Extension{}, err
			}
			issued++
			return terms, nil
		}
	})
	s.Get("/estendi").Want(t, 200, "", `name="pin"`, "restano 3 tentativi")
	s.Post("/estendi", "pin", "99174").Want(t, 422, "CSE-210", "restano 2 tentativi")
	s.Post("/estendi", "pin", holdertest.PIN).Want(t, 200, "", "20/12/2026", "30/06/2027", `name="pin"`)
	if issued != 0 {
		t.Fatal("it was issued before the person agreed")
	}
	terms.Until = civil.Date{Year: 2027, Month: 5, Day: 1}
	s.Post("/estendi", "pin", holdertest.PIN).Want(t, 200, "", "01/05/2027", `name="pin"`) // the service changed its mind
	if issued != 0 {
		t.Fatal("other terms were issued than those the person saw")
	}
	s.Post("/estendi", "pin", holdertest.PIN).Want(t, 200, "", "Certificato esteso", "01/05/2027")
	if issued != 1 {
		t.Errorf("issued %d times", issued)
	}
}
