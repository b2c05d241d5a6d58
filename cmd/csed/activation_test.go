package main

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"log/slog"
	"testing"
	"time"

	"cse.example/cse/issuer/staff"

	"cse.example/cse/card/cns"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/codes"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/login/door"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/ca/catest"
	"cse.example/cse/pki/profile"
)

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// office is a platform with one operator, on a clock of the test's.
type office struct {
	*Platform
	hand *civil.Hand
}

// patient is an invented holder with his card, delivered and not activated.
type patient struct {
	registry.Person
	card lifecycle.Card
	leaf *x509.Certificate
}

func newOffice(t *testing.T) *office {
	t.Helper()
	hand := civil.NewHand(catest.Start)
	c := defaults()
	c.Data = t.TempDir()
	c.Counters = []staff.Office{{ID: "asl", Type: staff.ASL, Name: "ASL di prova", Comune: "D612", ASL: "101"}}
	c.Operators = []staff.Account{{
		Account: "anna", Name: "Anna Verdi", CF: "VRDLGU85M41F205T", Roles: []staff.Role{staff.RoleOperator}, Offices: []string{"asl"}, OwnCNS: true,
	}}
	c.settle()
	_, err := c.initialise(t.Context(), hand)
	check(t, err)
	p, err := Open(t.Context(), c, Options{Clock: hand, Log: slog.New(slog.DiscardHandler)})
	check(t, err)
	t.Cleanup(func() { check(t, p.Close()) })
	return &office{Platform: p, hand: hand}
}

// patient number n: his card has codes and a certificate.
func (o *office) patient(t *testing.T, n int) *patient {
	t.Helper()
	today := civil.Today(o.hand)
	x := &patient{Person: registry.Person{
		Surname: "ROSSI", Name: "MARIO", Born: civil.Date{Year: 1980, Month: 1, Day: n}, Sex: "M", BirthPlace: "D612",
		Citizenship: "IT", Residence: "D612", ASL: "101", AssistedFrom: today.AddYears(-10), AbroadRight: true,
	}}
	var err error
	x.CF, err = codicefiscale.Compute(codicefiscale.Person{Surname: x.Surname, Name: x.Name, Born: x.Born, Sex: "M", Belfiore: x.BirthPlace})
	check(t, err)
	id, err := cns.NewCardID(o.Config.Region.Issuer, uint64(n), 0)
	check(t, err)
	x.card = lifecycle.Card{
		ID: string(id), TEAM: id.TEAM(), CF: x.CF, Model: lifecycle.TSCNS, State: lifecycle.Delivered, Issued: today,
		Expires: today.AddYears(6), OrderedAt: o.hand.Now(), ShippedAt: o.hand.Now(), DeliveredAt: o.hand.Now(),
	}
	data, err := cns.PersonalData{
		Issuer: o.Config.Region.Issuer, Issued: x.card.Issued, Expires: x.card.Expires, Surname: x.Surname, Name: x.Name,
		Born: x.Born, Sex: x.Sex, CF: string(x.CF), BirthPlace: x.BirthPlace, Residence: x.Residence,
	}.Encode()
	check(t, err)
	made, err := o.authority.Issue(t.Context(), ca.Request{
		CF: string(x.CF), Card: x.card.ID, PersonalData: data, Key: catest.Key(t), Expires: x.card.Expires,
	})
	check(t, err)
	x.leaf = made
	x.card.CertSerial = profile.SerialText(made.SerialNumber)
	wrap, err := o.web.aead(aeadCIP)
	check(t, err)
	maker, _, err := codes.LoadMaker(o.Config.under("keys"), wrap, codes.DefaultPolicy(), o.db.Codes(), rand.Reader)
	check(t, err)
	_, sealed, err := maker.Make(t.Context(), x.card.ID, 1, x.Born)
	check(t, err)
	check(t, o.db.Atomically(t.Context(), func(ctx context.Context) error {
		if _, err := o.db.People().Put(ctx, x.Person); err != nil {
			return err
		}
		if x.card, err = o.db.Cards().Put(ctx, x.card); err != nil {
			return err
		}
		return maker.Keep(ctx, sealed)
	}))
	return x
}

// atDoor shows the card, as after a handshake, to the door that csed wires.
func (o *office) atDoor(t *testing.T, x *patient) string {
	t.Helper()
	d := door.Door{Trust: o.believe(), Revocation: o.revocation, Cards: o.doorCard, Clock: o.hand, ACR: o.Config.Login.ACR}
	check(t, d.Check())
	who, err := d.Admit(t.Context(), tls.ConnectionState{PeerCertificates: []*x509.Certificate{x.leaf}})
	if f := words.FaultOf(err); f != nil {
		return f.Code
	}
	check(t, err)
	if who.CF != string(x.CF) {
		t.Errorf("the door saw %q", who.CF)
	}
	return ""
}

// act goes through the steps of an activation and answers the act itself.
func (o *office) act(t *testing.T, x *patient) func() error {
	t.Helper()
	op, err := o.directory.OperatorByAccount("anna")
	check(t, err)
	op, err = op.At("asl")
	check(t, err)
	d, err := o.counter.StartDraft(t.Context(), op, counter.CardStep{CF: x.CF, LastFive: x.card.ID[11:], NoReader: "lettore guasto"})
	check(t, err)
	d, err = o.counter.Identify(t.Context(), op, d.ID, d.Version, counter.IdentityStep{Present: counter.PresentHolder, Document: counter.Document{
		Kind: counter.ElectronicCard, Number: "CA00000AA", Issuer: "Comune", Issued: x.card.Issued.AddYears(-1), Expires: x.card.Issued.AddYears(1),
	}})
	check(t, err)
	d, err = o.counter.Contacts(t.Context(), op, d.ID, d.Version, counter.ContactStep{
		Email: "mario@posta.example", EmailAgain: "mario@posta.example", Lang: words.Italian, Consent: true,
	})
	check(t, err)
	return func() error {
		_, err := o.counter.Activate(t.Context(), op, d.ID, d.Version)
		return err
	}
}

// Over the platform's own joints. R61 and R25 (a): one second before the
// activation the door says "not activated"; at the instant of the act it opens,
// with nothing in between. R5: what ends the right ends the way in, each with
// its own reason, at once; a card's last day lasts until midnight in Rome.
func TestTheDoorFollowsTheOffice(t *testing.T) {
	o := newOffice(t)
	last := func(after time.Duration) func(*testing.T, *patient) {
		return func(_ *testing.T, x *patient) { o.hand.Set(x.card.Expires.End().Add(after)) }
	}
	for i, c := range []struct {
		name string
		then func(t *testing.T, x *patient)
		want string
	}{
		{"activated", func(*testing.T, *patient) {}, ""},
		{"assistance ended", func(t *testing.T, x *patient) {
			_, err := o.counter.CloseFor(t.Context(), x.CF, lifecycle.EndOfAssistance)
			check(t, err)
		}, "CSE-302"},
		{"dead", func(t *testing.T, x *patient) {
			x.Died = civil.Today(o.hand)
			check(t, o.db.Atomically(t.Context(), func(ctx context.Context) error {
				_, err := o.db.People().Put(ctx, x.Person)
				return err
			}))
		}, "CSE-314"},
		{"on the last day", last(0), ""},
		{"at midnight in Rome", last(time.Second), "CSE-301"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o.hand.Set(catest.Start)
			x := o.patient(t, i+1)
			activate := o.act(t, x)
			if got := o.atDoor(t, x); got != "CSE-205" {
				t.Errorf("one second before the activation: %q, want CSE-205", got)
			}
			o.hand.Advance(time.Second)
			check(t, activate())
			if got := o.atDoor(t, x); got != "" {
				t.Errorf("right after the activation: refused with %s", got)
			}
			c.then(t, x)
			if got := o.atDoor(t, x); got != c.want {
				t.Errorf("then: %q, want %q", got, c.want)
			}
		})
	}
}
