package roster_test

import (
	"context"
	"crypto/rand"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"cse.example/cse/engine/store"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/approval"
	"cse.example/cse/issuer/roster"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/person/codicefiscale"
)

// The day of the tests, a Monday at half past ten in Rome.
var monday = time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC)

func code(t testing.TB, surname string, day int) string {
	t.Helper()
	cf, err := codicefiscale.Compute(codicefiscale.Person{
		Surname: surname, Name: "Prova", Born: civil.Date{Year: 1980, Month: 3, Day: day}, Sex: codicefiscale.Female, Belfiore: "D612",
	})
	if err != nil {
		t.Fatal(err)
	}
	return string(cf)
}

type bench struct {
	*roster.Room
	d         roster.Deps
	directory *staff.Directory
	approvals *approval.Room
	auth      *staff.Authenticator
	clock     *civil.Hand
	entries   []journal.Entry
	t         *testing.T
}

func newBench(t *testing.T, db *store.DB) *bench {
	t.Helper()
	b := &bench{clock: civil.NewHand(monday), t: t}
	account := func(name string, day int, role staff.Role, offices ...string) staff.Account {
		return staff.Account{Account: name, Name: name, CF: code(t, name, day), Roles: []staff.Role{role}, Offices: offices, OwnCNS: true}
	}
	var err error
	b.directory, err = staff.NewDirectory(staff.Config{
		Offices: []staff.Office{{ID: "asl-1", Type: staff.ASL, Name: "ASL 1", ASL: "201"}, {ID: "asl-2", Type: staff.ASL, Name: "ASL 2", ASL: "202"}},
		Operators: []staff.Account{
			account("elena", 1, staff.RoleSecurity, "asl-1"), account("dario", 2, staff.RoleSecurity, "asl-2"),
			account("marta", 3, staff.RoleSupervisor, "asl-1"), account("anna", 4, staff.RoleOperator, "asl-1", "asl-2"),
			account("sara", 5, staff.RoleAuditor, "asl-1"),
		},
		Clock: b.clock,
	})
	check(t, err)
	handle, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	check(t, err)
	seal, err := aead.New(handle)
	check(t, err)
	record := func(_ context.Context, e journal.Entry) error { b.entries = append(b.entries, e); return nil }
	b.d = roster.Deps{
		Store: db.Roster(), Directory: b.directory, Seal: seal, Tries: db.Tries(), Atomically: db.Atomically, Record: record, Clock: b.clock, Rand: rand.Reader,
		Log: slog.New(slog.DiscardHandler), ReviewDays: func(context.Context) (int, error) { return 180, nil },
	}
	b.Room, err = roster.New(b.d)
	check(t, err)
	b.approvals, err = approval.New(approval.Deps{
		Store: db.Approvals(), Directory: b.directory, Atomically: db.Atomically, Record: record, Clock: b.clock, Kinds: b.Kinds(),
	})
	check(t, err)
	b.Asks(b.approvals.Ask)
	b.auth, err = staff.NewAuthenticator(staff.AuthenticatorParts{
		Directory: b.directory, Tries: db.Tries(), UseTOTP: db.Tries().UseTOTP, Seal: seal, Clock: b.clock, Atomically: db.Atomically, Record: record,
	})
	check(t, err)
	return b
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (b *bench) op(account string) staff.Operator {
	b.t.Helper()
	op, err := b.directory.OperatorByAccount(account)
	check(b.t, err)
	return op
}

func (b *bench) refused(what string, err error, want string) {
	b.t.Helper()
	if f := words.FaultOf(err); f == nil || f.Code != want {
		b.t.Errorf("%s: %v, want %s", what, err, want)
	}
}

func (b *bench) newcomer() staff.Account {
	return staff.Account{Account: "nino", Name: "Nino Prova", CF: code(b.t, "nuovo", 9), Roles: []staff.Role{staff.RoleOperator}, Offices: []string{"asl-1"}}
}

func (b *bench) approve(q approval.Request, by string) error {
	return b.approvals.Decide(b.t.Context(), b.op(by), q.ID, q.Sum(), true)
}

// Nobody comes to work here by one person's word, nor by two words of one person.
func TestR92_AnOperatorIsMadeByTwo(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBench(t, db)
		ctx, a := t.Context(), b.newcomer()
		_, err := b.Propose(ctx, b.op("anna"), a, "nuovo assunto")
		b.refused("an operator proposes", err, "CSE-003")
		_, err = b.Propose(ctx, b.op("sara"), a, "nuovo assunto")
		b.refused("an auditor proposes", err, "CSE-003")
		_, err = b.Propose(ctx, b.op("elena"), a, "")
		b.refused("without a reason", err, "CSE-546")
		q, err := b.Propose(ctx, b.op("marta"), a, "nuovo assunto")
		check(t, err)
		if _, err := b.directory.OperatorByAccount("nino"); err == nil {
			t.Error("he works before anybody approved")
		}
		b.refused("who asked approves", b.approve(q, "marta"), "CSE-555")
		list, err := b.Proposals(ctx, q)
		if err != nil || len(list) != 1 || list[0].CF != a.CF || list[0].Name != a.Name {
			t.Errorf("what is to be approved: %+v, %v", list, err)
		}
		check(t, b.approve(q, "elena"))
		check(t, b.Fresh(ctx))
		op, err := b.directory.OperatorByAccount("nino")
		if err != nil || op.Office.ID != "asl-1" || !op.Has(staff.RoleOperator) {
			t.Errorf("%+v, %v", op, err)
		}
		for _, e := range b.entries {
			for _, v := range e.Detail {
				if strings.Contains(v, a.CF) {
					t.Errorf("the journal of %s has a codice fiscale", e.Act)
				}
			}
		}
		own, err := b.Propose(ctx, b.op("elena"), staff.Account{Account: "zeno", Name: "Zeno", CF: code(t, "zeno", 8), Roles: []staff.Role{staff.RoleOperations}, Offices: []string{"asl-2"}}, "servono")
		check(t, err)
		b.refused("a security officer approves his own", b.approve(own, "elena"), "CSE-552")
	})
}

// A proposal that changed after it was asked is not approved by the old request.
func TestR92_ApprovalIsOfExactlyWhatWasProposed(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBench(t, db)
		a := b.newcomer()
		q, err := b.Propose(t.Context(), b.op("elena"), a, "nuovo assunto")
		check(t, err)
		a.Roles = append(a.Roles, staff.RoleSecurity)
		_, err = b.Propose(t.Context(), b.op("elena"), a, "nuovo assunto")
		check(t, err)
		b.refused("the former request", b.approve(q, "dario"), "CSE-512")
		if _, err := b.directory.OperatorByAccount("nino"); err == nil {
			t.Error("he works")
		}
	})
}

func TestWhoMayProposeWhom(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	ctx := t.Context()
	change := func(f func(a *staff.Account)) staff.Account { a := b.newcomer(); f(&a); return a }
	for name, c := range map[string]struct {
		by   string
		a    staff.Account
		want string
	}{
		"another's office":    {"marta", change(func(a *staff.Account) { a.Offices = []string{"asl-2"} }), "CSE-504"},
		"more than operators": {"marta", change(func(a *staff.Account) { a.Roles = []staff.Role{staff.RoleSupervisor} }), "CSE-504"},
		"himself":             {"elena", change(func(a *staff.Account) { a.Account = "elena" }), "CSE-503"},
		"his own code":        {"elena", change(func(a *staff.Account) { a.CF = code(t, "elena", 1) }), "CSE-503"},
		"somebody's account":  {"elena", change(func(a *staff.Account) { a.Account = "anna" }), "CSE-505"},
		"somebody's code":     {"elena", change(func(a *staff.Account) { a.CF = code(t, "anna", 4) }), "CSE-505"},
		"no such office":      {"elena", change(func(a *staff.Account) { a.Offices = []string{"asl-9"} }), "CSE-506"},
		"no role":             {"elena", change(func(a *staff.Account) { a.Roles = nil }), "CSE-501"},
		"a strange account":   {"elena", change(func(a *staff.Account) { a.Account = "Nino Rossi" }), "CSE-501"},
		"a wrong code":        {"elena", change(func(a *staff.Account) { a.CF = a.CF[:15] + "0" }), "CSE-501"},
		"no name":             {"elena", change(func(a *staff.Account) { a.Name = " " }), "CSE-501"},
	} {
		_, err := b.Propose(ctx, b.op(c.by), c.a, "una ragione")
		b.refused(name, err, c.want)
	}
	// A responsible may not take over who is more than an operator by a change.
	_, err := b.Propose(ctx, b.op("marta"), staff.Account{Account: "sara", Name: "Sara", CF: code(t, "sara", 5), Roles: []staff.Role{staff.RoleOperator}, Offices: []string{"asl-1"}}, "una ragione")
	b.refused("an auditor made an operator by a responsible", err, "CSE-504")
}

// Contract, place at an office and a disabling end by themselves, at midnight in
// Rome or at once, in every process that looks.
func TestR92_AccountsEnd(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBench(t, db)
		ctx, a := t.Context(), b.newcomer()
		a.OwnCNS, a.Offices = true, []string{"asl-1", "asl-2"}
		a.ContractEnd = civil.Date{Year: 2027, Month: 3, Day: 27}
		a.OfficeEnd = map[string]civil.Date{"asl-1": {Year: 2026, Month: 12, Day: 31}}
		q, err := b.Propose(ctx, b.op("elena"), a, "a termine")
		check(t, err)
		check(t, b.approve(q, "dario"))
		check(t, b.Fresh(ctx))
		offices := func() int {
			op, err := b.directory.OperatorByAccount("nino")
			if err != nil {
				return 0
			}
			return len(op.Offices)
		}
		for at, want := range map[string]int{
			"2026-12-31T22:59:59Z": 2, "2026-12-31T23:00:00Z": 1, // midnight in Rome, winter
			"2027-03-27T22:59:59Z": 1, "2027-03-27T23:00:00Z": 0, // the night before the clocks change
		} {
			now, err := time.Parse(time.RFC3339, at)
			check(t, err)
			b.clock.Set(now)
			if n := offices(); n != want {
				t.Errorf("at %s he works at %d offices, want %d", at, n, want)
			}
		}
		b.clock.Set(monday)
		// Another process has a directory and a roster of its own.
		other := *b
		other.directory, err = staff.NewDirectory(staff.Config{Offices: b.directory.Offices(), Clock: b.clock})
		check(t, err)
		d := b.d
		d.Directory = other.directory
		elsewhere, err := roster.New(d)
		check(t, err)
		check(t, elsewhere.Fresh(ctx))
		if _, err := other.directory.OperatorByAccount("nino"); err != nil {
			t.Errorf("elsewhere: %v", err)
		}
		b.refused("ending without a reason", b.Disable(ctx, b.op("elena"), "nino", ""), "CSE-546")
		b.refused("ending oneself", b.Disable(ctx, b.op("elena"), "elena", "prova"), "CSE-503")
		b.refused("an operator ends a colleague", b.Disable(ctx, b.op("anna"), "nino", "prova"), "CSE-003")
		check(t, b.Disable(ctx, b.op("elena"), "nino", "contratto sciolto"))
		b.refused("a responsible ends a security officer", b.Disable(ctx, b.op("marta"), "elena", "prova"), "CSE-504")
		if offices() != 0 {
			t.Error("ended, and he works here")
		}
		check(t, elsewhere.Fresh(ctx))
		if _, err := other.directory.OperatorByAccount("nino"); err == nil {
			t.Error("ended, and he works elsewhere")
		}
		// One of the configuration is ended too.
		check(t, b.Disable(ctx, b.op("dario"), "sara", "trasferita"))
		if _, err := b.directory.OperatorByAccount("sara"); err == nil {
			t.Error("ended, and the configuration lets her in")
		}
	})
}

// Whoever has been here half a year must be looked at again.
func TestAccountsAreReviewed(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	ctx := t.Context()
	due := func(account string) bool {
		l, err := b.Find(ctx, b.op("elena"), account)
		check(t, err)
		return l.Due
	}
	if !due("anna") {
		t.Error("never reviewed, and not due")
	}
	b.refused("himself", b.Review(ctx, b.op("elena"), "elena"), "CSE-503")
	check(t, b.Review(ctx, b.op("elena"), "anna"))
	if due("anna") {
		t.Error("reviewed today, and due")
	}
	b.clock.Set(monday.AddDate(0, 0, 180))
	if due("anna") {
		t.Error("due on the last day")
	}
	b.clock.Set(monday.AddDate(0, 0, 181))
	if !due("anna") {
		t.Error("not due after its days")
	}
	list, err := b.List(ctx, b.op("marta"))
	check(t, err)
	for _, l := range list {
		if l.Account.Account == "dario" || l.PasswordHash != "" || l.TOTP != "" {
			t.Errorf("a responsible of asl-1 sees %+v", l.Account)
		}
	}
}

const password = "una frase lunga assai"

// The first access needs the halves of both who asked and who approved; neither
// gets in with his own, and a reset ends the old password at once.
func TestR92_CredentialsNeedTwo(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBench(t, db)
		ctx := t.Context()
		q, err := b.Propose(ctx, b.op("marta"), b.newcomer(), "nuovo assunto")
		check(t, err)
		check(t, b.approve(q, "elena"))
		half := func(by string) string {
			h, err := b.Half(ctx, b.op(by), "nino")
			check(t, err)
			return string(h.Reveal())
		}
		_, err = b.Half(ctx, b.op("dario"), "nino")
		b.refused("a third person's half", err, "CSE-507")
		one := half("marta")
		enrol := func(one, two string) (roster.Enrolment, error) {
			b.clock.Advance(20 * time.Minute)
			return b.Enrol(ctx, "nino", one, two, secret.FromString(password), "192.0.2.1")
		}
		_, err = enrol(one, one)
		b.refused("one half twice", err, "CSE-508")
		_, err = enrol(one, "")
		b.refused("one half", err, "CSE-508")
		two := half("elena")
		if one == two {
			t.Fatal("the halves are the same")
		}
		old := one
		one = half("marta") // lost on the way: drawn again
		_, err = enrol(old, two)
		b.refused("a half that was drawn again", err, "CSE-508")
		_, err = b.Enrol(ctx, "nino", one, two, secret.FromString(password), "192.0.2.1")
		b.refused("at once after an error", err, "CSE-509")
		_, err = b.Enrol(ctx, "nino", one, two, secret.FromString("corta"), "192.0.2.1")
		b.refused("a short password", err, "CSE-398")
		e, err := enrol(strings.ToLower(two[:5])+" "+two[5:], one)
		check(t, err)
		b.refused("a wrong code of the app", b.Confirm(ctx, "nino", e.Proof, secret.FromString("000000"), "192.0.2.1"), "CSE-510")
		b.clock.Advance(20 * time.Minute)
		b.refused("another proof", b.Confirm(ctx, "nino", "x", staff.TOTP(e.Key, b.clock.Now()), "192.0.2.1"), "CSE-508")
		b.clock.Advance(20 * time.Minute)
		check(t, b.Confirm(ctx, "nino", e.Proof, staff.TOTP(e.Key, b.clock.Now()), "192.0.2.1"))
		login := func() error {
			b.clock.Advance(time.Minute)
			_, err := b.auth.Authenticate(ctx, staff.Try{Account: "nino", Password: secret.FromString(password), Code: staff.TOTP(e.Key, b.clock.Now())}, b.clock.Now())
			return err
		}
		check(t, login())
		_, err = b.Half(ctx, b.op("marta"), "nino")
		b.refused("a half after the first access", err, "CSE-507")

		q, err = b.AskReset(ctx, b.op("marta"), "nino", "telefono perduto")
		check(t, err)
		check(t, login()) // asking changes nothing
		check(t, b.approve(q, "dario"))
		check(t, b.Fresh(ctx))
		if login() == nil {
			t.Error("the old password opens after a reset")
		}
		one, two = half("marta"), half("dario")
		b.clock.Advance(72 * time.Hour)
		_, err = enrol(one, two)
		b.refused("after three days", err, "CSE-508")
	})
}

// A file is whole or nothing, and every faulty line is told.
func TestImports(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBench(t, db)
		ctx := t.Context()
		offices := "\uFEFF" + strings.Join(roster.OfficeColumns, ";") + "\n"
		_, err := b.ImportOffices(ctx, b.op("marta"), strings.NewReader(offices))
		b.refused("a responsible", err, "CSE-003")
		rep, err := b.ImportOffices(ctx, b.op("elena"), strings.NewReader(offices+
			"asl-3;ASL;Distretto 3;D612;203;no;Via Prova 1;055000;lun-ven 08:30-13:00;;si;\n"+
			"far-1;FARMACIA;Farmacia;D612;;forse;;;;;;\n"+
			"far-2;CHIOSCO;Chiosco;D612;;;;;;;;\n"+
			"far-3;FARMACIA;Farmacia;D612;;si;;;lun 13:00-08:00;;;\n"+
			"asl-3;ASL;Distretto 3;D612;203;no;;;;;;\n"+
			"corta;ASL\n"))
		check(t, err)
		var got []string
		for _, e := range rep.Errors {
			got = append(got, e.Reason.Code)
		}
		if want := "CSE-501 CSE-501 CSE-515 CSE-516 CSE-502"; strings.Join(got, " ") != want || rep.Errors[0].Line != 3 {
			t.Errorf("%v (first at line %d), want %s from line 3", got, rep.Errors[0].Line, want)
		}
		if _, there := b.directory.Office("asl-3"); there {
			t.Error("a file with faults left an office behind")
		}
		rep, err = b.ImportOffices(ctx, b.op("elena"), strings.NewReader(offices+"asl-3;asl;Distretto 3;D612;203;no;Via Prova 1;055000;lun-ven 08:30-13:00;;si;31/12/2027\n"))
		check(t, err)
		o, there := b.directory.Office("asl-3")
		if len(rep.Errors) > 0 || !there || o.Hours.String() != "lun-ven 08:30-13:00" || !o.Accessible || o.Until.Year != 2027 {
			t.Errorf("%v, %+v", rep, o)
		}
		operators := strings.Join(roster.OperatorColumns, ",") + "\n"
		_, _, err = b.ImportOperators(ctx, b.op("elena"), strings.NewReader("account,nome\n"), "nuovi")
		b.refused("another header", err, "CSE-502")
		_, _, err = b.ImportOperators(ctx, b.op("elena"), strings.NewReader(operators), "nuovi")
		b.refused("no line", err, "CSE-514")
		good := operators + "primo,Primo Prova," + code(t, "primo", 10) + ",operator,asl-1|asl-3@2027-06-30,2027-12-31,no\n"
		rep, _, err = b.ImportOperators(ctx, b.op("elena"), strings.NewReader(good+"secondo,Secondo,"+code(t, "primo", 10)+",operator,asl-1,,\nterzo,Terzo,"+code(t, "terzo", 11)+",capo,asl-1,,\n"), "nuovi")
		if err != nil || len(rep.Errors) != 2 || rep.Errors[0].Reason.Code != "CSE-516" || rep.Errors[1].Reason.Code != "CSE-501" {
			t.Errorf("%+v, %v", rep, err)
		}
		rep, q, err := b.ImportOperators(ctx, b.op("elena"), strings.NewReader(good+"terzo,Terzo,"+code(t, "terzo", 11)+",operator|call-centre,asl-3,,si\n"), "nuovi")
		if err != nil || rep.Rows != 2 || len(rep.Errors) != 0 {
			t.Fatalf("%+v, %v", rep, err)
		}
		b.refused("by who asked", b.approve(q, "elena"), "CSE-552")
		check(t, b.approve(q, "dario"))
		check(t, b.Fresh(ctx))
		if op, err := b.directory.OperatorByAccount("terzo"); err != nil || !op.Has(staff.RoleCallCentre) {
			t.Errorf("%+v, %v", op, err)
		}
		if op, err := b.directory.OperatorByAccount("primo"); err != nil || len(op.Offices) != 2 {
			t.Errorf("%+v, %v", op, err)
		}
	})
}

// Nobody gets an account by a file that is not one.
func FuzzImportOperators(f *testing.F) {
	f.Add(strings.Join(roster.OperatorColumns, ";") + "\nnino;Nino;X;operator;asl-1;;\n")
	f.Add("\uFEFF\"")
	f.Fuzz(func(t *testing.T, s string) {
		d, err := staff.NewDirectory(staff.Config{})
		check(t, err)
		var dep roster.Deps
		dep.Directory = d
		r := roster.Bare(dep)
		rep, q, err := r.ImportOperators(t.Context(), staff.Operator{Account: "x", Roles: []staff.Role{staff.RoleSecurity}}, strings.NewReader(s), "nuovi")
		if err == nil && len(rep.Errors) == 0 || q.ID != "" {
			t.Errorf("there is no office, and %q was proposed", s)
		}
	})
}

func FuzzHours(f *testing.F) {
	f.Add("lun-ven 08:30-13:00; mar 15:00-17:00")
	f.Add("sun 00:00-24:00")
	f.Fuzz(func(t *testing.T, s string) {
		h, err := staff.ParseHours(s)
		if err != nil {
			return
		}
		again, err := staff.ParseHours(h.String())
		if err != nil || again.String() != h.String() {
			t.Errorf("%q is written %q, which reads %q, %v", s, h, again, err)
		}
	})
}
