package staff_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"cse.example/cse/issuer/staff"
	"cse.example/cse/issuer/throttle"

	"cse.example/cse/engine/store"
	"cse.example/cse/engine/store/storetest"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/person/codicefiscale"
)

func (b *bench) login(t *testing.T, account, pass string, code secret.Text) error {
	t.Helper()
	_, err := b.Authenticate(t.Context(), staff.Try{Account: account, Password: secret.FromString(pass), Code: code}, b.clock.Now())
	return err
}

func (b *bench) code() secret.Text { return staff.TOTP(b.totp, b.clock.Now()) }

func TestAuthenticate(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBench(t, db)
		op, err := b.Authenticate(t.Context(), staff.Try{Account: "op1", Password: secret.FromString(password), Code: b.code()}, b.clock.Now())
		if err != nil || op.Account != "op1" || op.Office.ID != "asl1" || len(op.Offices) != 8 || !op.Has(staff.RoleOperator) {
			t.Fatalf("%+v, %v", op, err)
		}
		refused(t, "the same code again", b.login(t, "op1", password, b.code()), "CSE-142")
		refused(t, "at once after an error", b.login(t, "op1", password, b.code()), "CSE-143")
		b.clock.Advance(30 * time.Second)
		if err := b.login(t, "op1", password, b.code()); err != nil {
			t.Errorf("the next code: %v", err)
		}
		if err := b.login(t, "op2", password, b.code()); err != nil {
			t.Errorf("a colleague's code of the same moment: %v", err)
		}
		b.clock.Advance(10 * time.Minute)
		for name, c := range map[string]struct {
			account, pass string
			code          secret.Text
		}{
			"wrong password": {"op1", "una frase molto lunga", b.code()},
			"no password":    {"op1", "", b.code()},
			"wrong code":     {"op1", password, secret.FromString("000000")},
			"old code":       {"op1", password, staff.TOTP(b.totp, b.clock.Now().Add(-61*time.Second))},
			"no code":        {"op1", password, secret.Text{}},
			"nobody":         {"op9", password, b.code()},
		} {
			refused(t, name, b.login(t, c.account, c.pass, c.code), "CSE-142")
			b.clock.Advance(20 * time.Minute)
		}
		late := staff.TOTP(b.totp, b.clock.Now().Add(-30*time.Second))
		if err := b.login(t, "op1", password, late); err != nil {
			t.Errorf("a code half a minute late: %v", err)
		}
	})
}

func TestAuthenticationSlowsDown(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	for _, want := range []time.Duration{2, 4, 8} {
		refused(t, "wrong", b.login(t, "op1", "nove nove nove nove", b.code()), "CSE-142")
		err := b.login(t, "op1", password, b.code())
		refused(t, "too early", err, "CSE-143")
		if got := throttle.WaitOf(err); got != want*time.Second {
			t.Errorf("wait %s, want %s", got, want*time.Second)
		}
		if err := b.login(t, "op2", password, secret.FromString("000000")); throttle.WaitOf(err) != 0 {
			t.Errorf("a colleague waits too: %v", err)
		}
		b.clock.Advance(15 * time.Minute)
	}
	if err := b.login(t, "op1", password, b.code()); err != nil {
		t.Errorf("after the wait: %v", err)
	}
}

// Logins of people who have no account must not exhaust the machine: while the
// places are taken, the next one waits for his turn and no hash is made.
func TestAuthenticationTakesTurns(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	leave := b.TakeProofs()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := b.Authenticate(ctx, staff.Try{Account: "nobody", Password: secret.FromString(password), Code: b.code()}, b.clock.Now()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("without a place: %v", err)
	}
	leave()
	refused(t, "nobody", b.login(t, "nobody", password, b.code()), "CSE-142")
	if err := b.login(t, "op1", password, b.code()); err != nil {
		t.Errorf("a place was not given back: %v", err)
	}
}

// RFC 6238 appendix B, SHA-1: the last six of the eight digits printed there.
func TestTOTPVectors(t *testing.T) {
	key := secret.FromString("12345678901234567890")
	for at, want := range map[int64]string{59: "287082", 1111111109: "081804", 1111111111: "050471", 1234567890: "005924", 2000000000: "279037", 20000000000: "353130"} {
		if got := staff.TOTP(key, time.Unix(at, 0)); string(got.Reveal()) != want {
			t.Errorf("at %d: %s, want %s", at, got.Reveal(), want)
		}
	}
	got := string(staff.TOTPAddress("op1", key).Reveal())
	if want := "otpauth://totp/CSE:op1?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ&issuer=CSE&algorithm=SHA1&digits=6&period=30"; got != want {
		t.Errorf("address %s", got)
	}
}

func TestHashPassword(t *testing.T) {
	a, err := passwordHash()
	if err != nil || !strings.HasPrefix(a, "$argon2id$v=19$m=19456,t=2,p=1$") || strings.Contains(a, password) {
		t.Errorf("%s, %v", a, err)
	}
	if _, err := staff.HashPassword(rand.Reader, secret.FromString("breve")); err == nil {
		t.Error("a short password passes")
	}
	if _, err := staff.HashPassword(bytes.NewReader(nil), secret.FromString(password)); err == nil {
		t.Error("a hash without salt")
	}
}

func TestOperatorsByCard(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	one, two := b.operator(t, "op1", "asl1"), b.operator(t, "op2", "asl1")
	if op, err := b.directory.OperatorByCF(one.CF); err != nil || op.Account != "op1" {
		t.Errorf("%+v, %v", op, err)
	}
	_, err := b.directory.OperatorByCF(two.CF)
	refused(t, "his own card is not allowed", err, "CSE-144")
	_, err = b.directory.OperatorByCF("RSSMRA85T10A562S")
	refused(t, "a citizen", err, "CSE-144")
	_, err = b.directory.OperatorByAccount("nobody")
	refused(t, "no such account", err, "CSE-144")
	_, err = one.At("elsewhere")
	refused(t, "not his counter", err, "CSE-147")
}

func TestDirectoryRefuses(t *testing.T) {
	key := seal(t)
	ada := somebody(t, "Bruni", "Ada", "1980-05-05", codicefiscale.Female)
	beppe := somebody(t, "Conti", "Beppe", "1979-03-03", codicefiscale.Male)
	for name, c := range map[string]struct {
		with func(*staff.Config)
		want string
	}{
		"type":            {func(c *staff.Config) { c.Offices[0].Type = "BAR" }, `unknown type "BAR"`},
		"ASL without asl": {func(c *staff.Config) { c.Offices[0].ASL = "" }, "needs its asl"},
		"no id":           {func(c *staff.Config) { c.Offices[2].ID = "" }, "id and name"},
		"counter twice":   {func(c *staff.Config) { c.Offices[1].ID = "asl1" }, "there twice"},
		"no such counter": {func(c *staff.Config) { c.Operators[0].Offices = []string{"x"} }, `no counter "x"`},
		"no counter":      {func(c *staff.Config) { c.Operators[0].Offices = nil }, "at least one counter"},
		"role":            {func(c *staff.Config) { c.Operators[0].Roles = []staff.Role{"king"} }, `unknown role "king"`},
		"no role":         {func(c *staff.Config) { c.Operators[0].Roles = nil }, "one role"},
		"account":         {func(c *staff.Config) { c.Operators[0].Account = "a b" }, "one word"},
		"account twice":   {func(c *staff.Config) { c.Operators[1].Account = "op1" }, "there twice"},
		"person twice":    {func(c *staff.Config) { c.Operators[1].CF = c.Operators[0].CF }, "one codice fiscale"},
		"codice fiscale":  {func(c *staff.Config) { c.Operators[0].CF = "RSSMRA85T10A562X" }, "codice fiscale"},
		"hash":            {func(c *staff.Config) { c.Operators[0].PasswordHash = "$2a$10$x" }, "argon2id"},
		"cheap hash": {func(c *staff.Config) {
			c.Operators[0].PasswordHash = "$argon2id$v=19$m=8,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA"
		}, "out of bounds"},
		"ruinous hash": {func(c *staff.Config) {
			c.Operators[0].PasswordHash = "$argon2id$v=19$m=4294967295,t=1,p=1$AAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAA"
		}, "out of bounds"},
		"password, no TOTP": {func(c *staff.Config) { c.Operators[0].TOTP = "" }, "go together"},
		"pharmacy act":      {func(c *staff.Config) { c.PharmacyAlso = []staff.Action{staff.CorrectData} }, "cannot be configured"},
	} {
		cfg := config(t, key, secret.FromString("x"), ada, beppe)
		c.with(&cfg)
		if _, err := staff.NewDirectory(cfg); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	cfg := config(t, key, secret.FromString("x"), ada)
	cfg.Operators[0].Disabled = true
	d, err := staff.NewDirectory(cfg)
	if err != nil {
		t.Fatal(err)
	}
	_, err = d.OperatorByAccount("op1")
	refused(t, "disabled", err, "CSE-144")
}

// The whole matrix, copied by hand from the rules: action by column. The
// columns are own ASL, other ASL, AdE, Comune, URP, pharmacy taking part,
// pharmacy not taking part, call centre; y is allowed, a code says where to go.
func TestPermissionMatrix(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	offices := []string{"asl1", "asl2", "ade", "com", "urp", "far", "no", "cc"}
	const y, act, own, agency, rev, hold, part, foreign = "", "CSE-122", "CSE-124", "CSE-125", "CSE-126", "CSE-127", "CSE-123", "CSE-141"
	want := map[staff.Action][8]string{
		staff.View:                {y, y, y, y, y, y, y, y},
		staff.ActivateAdult:       {y, y, act, y, y, y, part, act},
		staff.ActivateRepresented: {y, y, act, y, y, act, part, act}, // pharmacies: configurable, off here
		staff.ReprintCodes:        {y, y, act, y, y, act, part, act},
		staff.ReissueNotReceived:  {y, own, y, own, own, own, own, own},
		staff.ReissueChipFault:    {y, own, y, own, own, own, own, own},
		staff.LossTheft:           {y, own, y, own, own, own, own, own},
		staff.RevokeInPerson:      {y, y, y, y, y, rev, rev, rev},
		staff.SuspendNow:          {y, y, y, y, y, y, part, y},
		staff.Reactivate:          {y, y, act, y, y, act, act, act},
		staff.CorrectEmail:        {y, y, act, y, y, act, part, act},
		staff.ActivateSuccessor:   {hold, hold, hold, hold, hold, hold, hold, hold},
		staff.ActivateOtherRegion: {foreign, foreign, foreign, foreign, foreign, foreign, foreign, foreign},
		staff.RevokeByCIP:         {hold, hold, hold, hold, hold, hold, hold, hold},
		staff.CorrectData:         {agency, agency, y, agency, agency, agency, agency, agency},
		staff.UnblockPIN:          {hold, hold, hold, hold, hold, hold, hold, hold},
		staff.ExtendCertificate:   {hold, hold, hold, hold, hold, hold, hold, hold},
	}
	if len(want) != len(staff.Actions()) {
		t.Fatalf("%d actions, %d rows here", len(staff.Actions()), len(want))
	}
	for _, a := range staff.Actions() {
		for i, office := range offices {
			err := b.directory.Allowed(b.operator(t, "op1", office), a, "201")
			code := ""
			if f := words.FaultOf(err); f != nil {
				code = f.Code
				refused(t, string(a)+" at "+office, err, code)
			}
			if code != want[a][i] {
				t.Errorf("%s at %s: %q, want %q", a, office, code, want[a][i])
			}
		}
		for _, l := range []words.Lang{words.Italian, words.English} {
			if !words.Has(l, "counter.action."+string(a)) {
				t.Errorf("%s has no name in %s", a, l)
			}
		}
	}
	if err := b.directory.Allowed(b.operator(t, "op1", "asl1"), "fly", "201"); err == nil {
		t.Error("an unknown action is allowed")
	}
	if err := b.directory.Allowed(b.operator(t, "op1", "asl1"), staff.LossTheft, ""); !errors.Is(err, words.Refuse(own)) {
		t.Errorf("a person without ASL belongs to every ASL: %v", err)
	}
}

func TestPharmacyAlso(t *testing.T) {
	ada := somebody(t, "Bruni", "Ada", "1980-05-05", codicefiscale.Female)
	cfg := config(t, seal(t), secret.FromString("x"), ada)
	cfg.PharmacyAlso = []staff.Action{staff.ReprintCodes}
	d, err := staff.NewDirectory(cfg)
	if err != nil {
		t.Fatal(err)
	}
	op, err := d.OperatorByAccount("op1")
	if err != nil {
		t.Fatal(err)
	}
	far, _ := op.At("far")
	idle, _ := op.At("no")
	if err := d.Allowed(far, staff.ReprintCodes, "201"); err != nil {
		t.Errorf("configured: %v", err)
	}
	refused(t, "not configured", d.Allowed(far, staff.CorrectEmail, "201"), "CSE-122")
	refused(t, "not taking part", d.Allowed(idle, staff.ReprintCodes, "201"), "CSE-123")
}

// The role counts as well as the counter: an operator of the call centre does
// not become one of the ASL by sitting there.
func TestCallCentreRole(t *testing.T) {
	b := newBench(t, storetest.SQLite(t))
	op := b.operator(t, "op1", "asl1")
	op.Roles = []staff.Role{staff.RoleCallCentre}
	for a, want := range map[staff.Action]string{
		staff.View: "", staff.SuspendNow: "", staff.ActivateAdult: "CSE-122", staff.LossTheft: "CSE-124", staff.RevokeInPerson: "CSE-126",
	} {
		err := b.directory.Allowed(op, a, "201")
		if want == "" && err != nil {
			t.Errorf("%s: %v", a, err)
		}
		if want != "" {
			refused(t, string(a), err, want)
		}
	}
	// With digits of the CIP by telephone, not on the word of a document that the agent has not seen.
	refused(t, "suspension in person", b.directory.AllowedInPerson(op, staff.SuspendNow, "201"), "CSE-126")
	op.Roles = append(op.Roles, staff.RoleSupervisor)
	if err := b.directory.Allowed(op, staff.ActivateAdult, "201"); err != nil {
		t.Errorf("supervisor too: %v", err)
	}
}

// A stranger's wrong tries slow down browsers never seen with the account, and
// himself by his source; the operator at his own desk enters meanwhile.
func TestR92_NoStrangerLocksAnOperatorOut(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		b := newBench(t, db)
		try := func(account, pass, source, device string) error {
			_, err := b.Authenticate(t.Context(), staff.Try{
				Account: account, Password: secret.FromString(pass), Code: b.code(), Source: source, Device: device,
			}, b.clock.Now())
			return err
		}
		for range 12 {
			refused(t, "a stranger", try("op1", "una frase molto lunga", "192.0.2.1", ""), "CSE-142")
			b.clock.Advance(15 * time.Minute)
		}
		refused(t, "a stranger, once more", try("op1", "una frase molto lunga", "192.0.2.1", ""), "CSE-142")
		refused(t, "from a browser never seen", try("op1", password, "192.0.2.9", ""), "CSE-143")
		if err := try("op1", password, "192.0.2.9", "desk"); err != nil {
			t.Errorf("at his own desk: %v", err)
		}
		b.clock.Advance(time.Minute)
		refused(t, "an error at his own desk", try("op1", "una frase molto lunga", "192.0.2.9", "desk"), "CSE-142")
		refused(t, "at once after it", try("op1", password, "192.0.2.9", "desk"), "CSE-143")
		if err := try("op2", password, "192.0.2.9", "other"); err != nil {
			t.Errorf("a colleague at another desk: %v", err)
		}
		// Many accounts from one source: the source waits, whatever the account.
		for i := range 21 {
			_ = try(fmt.Sprintf("nobody%d", i), password, "192.0.2.7", "") // refused, or waits: the next line tells
		}
		refused(t, "the source has tried too often", try("op2", password, "192.0.2.7", ""), "CSE-143")
		b.clock.Advance(20 * time.Minute)
		if err := try("op2", password, "192.0.2.8", ""); err != nil {
			t.Errorf("from elsewhere: %v", err)
		}
	})
}
