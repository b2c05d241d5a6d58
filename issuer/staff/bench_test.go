package staff_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"cse.example/cse/engine/store"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
)

// bench is a directory of two operators who work at every office, on a real store.
type bench struct {
	*staff.Authenticator
	directory *staff.Directory
	clock     *civil.Hand
	totp      secret.Text
	entries   []journal.Entry
}

// The day of the tests, a Monday at half past ten in Rome.
var monday = time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC)

const password = "una frase lunga assai"

var passwordHash = sync.OnceValues(func() (string, error) {
	return staff.HashPassword(rand.Reader, secret.FromString(password))
})

func day(t testing.TB, s string) civil.Date {
	t.Helper()
	d, err := civil.ParseISO(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func somebody(t testing.TB, surname, name, born string, sex codicefiscale.Sex) registry.Person {
	t.Helper()
	cf, err := codicefiscale.Compute(codicefiscale.Person{Surname: surname, Name: name, Born: day(t, born), Sex: sex, Belfiore: "D612"})
	if err != nil {
		t.Fatal(err)
	}
	return registry.Person{
		CF: cf, Surname: strings.ToUpper(surname), Name: strings.ToUpper(name), Born: day(t, born), Sex: string(sex), BirthPlace: "D612",
		Citizenship: "IT", ASL: "201", AssistedFrom: day(t, "2000-01-01"), AbroadRight: true,
	}
}

func seal(t testing.TB) staff.AEAD {
	t.Helper()
	h, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	if err != nil {
		t.Fatal(err)
	}
	a, err := aead.New(h)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func config(t testing.TB, key staff.AEAD, totp secret.Text, operators ...registry.Person) staff.Config {
	t.Helper()
	hash, err := passwordHash() // slow by design: once for all tests
	if err != nil {
		t.Fatal(err)
	}
	c := staff.Config{Offices: []staff.Office{
		{ID: "asl1", Type: staff.ASL, Name: "ASL 1", ASL: "201", Comune: "D612"},
		{ID: "asl2", Type: staff.ASL, Name: "ASL 2", ASL: "202"},
		{ID: "com", Type: staff.Comune, Name: "Comune"},
		{ID: "urp", Type: staff.URP, Name: "URP"},
		{ID: "far", Type: staff.Pharmacy, Name: "Farmacia", TakesPart: true},
		{ID: "no", Type: staff.Pharmacy, Name: "Farmacia che non aderisce"},
		{ID: "ade", Type: staff.ADE, Name: "Agenzia delle Entrate"},
		{ID: "cc", Type: staff.CallCentre, Name: "Call center"},
	}}
	var all []string
	for _, o := range c.Offices {
		all = append(all, o.ID)
	}
	for i, p := range operators {
		account := fmt.Sprintf("op%d", i+1)
		sealed, err := staff.SealTOTP(key, account, totp)
		if err != nil {
			t.Fatal(err)
		}
		c.Operators = append(c.Operators, staff.Account{
			Account: account, Name: p.Name, CF: string(p.CF), Roles: []staff.Role{staff.RoleOperator}, Offices: all,
			PasswordHash: hash, TOTP: sealed, OwnCNS: i == 0,
		})
	}
	return c
}

func newBench(t *testing.T, db *store.DB) *bench {
	t.Helper()
	b := &bench{clock: civil.NewHand(monday)}
	ada, beppe := somebody(t, "Bruni", "Ada", "1980-05-05", codicefiscale.Female), somebody(t, "Conti", "Beppe", "1979-03-03", codicefiscale.Male)
	key := seal(t)
	var err error
	if b.totp, err = staff.NewTOTP(rand.Reader); err != nil {
		t.Fatal(err)
	}
	if b.directory, err = staff.NewDirectory(config(t, key, b.totp, ada, beppe)); err != nil {
		t.Fatal(err)
	}
	b.Authenticator, err = staff.NewAuthenticator(staff.AuthenticatorParts{
		Directory: b.directory, Tries: db.Tries(), UseTOTP: db.Tries().UseTOTP, Seal: key, Clock: b.clock, Atomically: db.Atomically,
		Record: func(_ context.Context, e journal.Entry) error { b.entries = append(b.entries, e); return nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) operator(t *testing.T, account, office string) staff.Operator {
	t.Helper()
	op, err := b.directory.OperatorByAccount(account)
	if err != nil {
		t.Fatal(err)
	}
	if op, err = op.At(office); err != nil {
		t.Fatal(err)
	}
	return op
}

func refused(t *testing.T, what string, err error, code string) {
	t.Helper()
	if !errors.Is(err, words.Refuse(code)) {
		t.Errorf("%s: %v, want %s", what, err, code)
		return
	}
	f := words.FaultOf(err)
	for _, l := range []words.Lang{words.Italian, words.English} {
		if s := f.Sentence(l); s == code || strings.Contains(s, "%!") || f.Cause(l) == "" || f.Next(l) == "" {
			t.Errorf("%s: the texts of %s in %s: %q, %q, %q", what, code, l, s, f.Cause(l), f.Next(l))
		}
	}
}
