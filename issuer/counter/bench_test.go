package counter_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"cse.example/cse/issuer/staff"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"cse.example/cse/engine/store"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/effect"
	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/codes"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/production"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
)

// bench is a counter on a real store, with invented people, a list of effects
// and a list of journal entries. What the list-keepers took in an act that
// failed is taken back, as the queue and the audit would.
type bench struct {
	unit string // the holder's health unit, for a worklist
	*counter.Counter
	db        *store.DB
	clock     *civil.Hand
	deps      counter.Deps
	people    people
	codes     map[string]codes.Set
	first     *codes.FirstOpener
	second    *codes.SecondOpener
	makeCodes *codes.Maker

	mu      sync.Mutex
	effects map[string]effect.Effect
	dropped []string
	entries []journal.Entry
	certs   map[string]string // serial -> active, or revoked and why
	broken  error             // what Record answers
	totp    secret.Text
}

type people map[codicefiscale.Code]registry.Person

func (p people) Get(_ context.Context, cf codicefiscale.Code) (registry.Person, error) {
	x, ok := p[cf]
	if !ok {
		return x, registry.ErrUnknown
	}
	return x, nil
}

func (p people) Search(_ context.Context, q registry.Query) ([]registry.Person, error) {
	var out []registry.Person
	for _, x := range p {
		if by, _ := x.SearchKeys(); strings.HasPrefix(by, q.Key()) {
			out = append(out, x)
		}
	}
	slices.SortFunc(out, func(a, b registry.Person) int { return strings.Compare(string(a.CF), string(b.CF)) })
	return out, nil
}

// certificates records what the counter asked of the authority.
type certificates struct{ b *bench }

func (c certificates) Activate(_ context.Context, serial string) error {
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	c.b.certs[serial] = "active"
	return nil
}

func (c certificates) Hold(_ context.Context, serial string) error {
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	c.b.certs[serial] = "held"
	return nil
}

func (c certificates) Release(_ context.Context, serial string) error {
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	c.b.certs[serial] = "active"
	return nil
}

func (c certificates) Revoke(_ context.Context, serial string, reason int) error {
	c.b.mu.Lock()
	defer c.b.mu.Unlock()
	c.b.certs[serial] = fmt.Sprintf("revoked %d", reason)
	return nil
}

// The day of the tests, a Monday at half past ten in Rome.
var monday = time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC)

// ctx is short for the acts in tests.
type ctx = context.Context

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

func seal(t testing.TB) counter.AEAD {
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

func config(t testing.TB, key counter.AEAD, totp secret.Text, operators ...registry.Person) staff.Config {
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
	b := &bench{
		db: db, clock: civil.NewHand(monday), people: people{}, codes: map[string]codes.Set{},
		effects: map[string]effect.Effect{}, certs: map[string]string{},
	}
	ada, beppe := somebody(t, "Bruni", "Ada", "1980-05-05", codicefiscale.Female), somebody(t, "Conti", "Beppe", "1979-03-03", codicefiscale.Male)
	for _, p := range []registry.Person{ada, beppe} {
		b.people[p.CF] = p
	}
	key := seal(t)
	var err error
	if b.totp, err = staff.NewTOTP(rand.Reader); err != nil {
		t.Fatal(err)
	}
	directory, err := staff.NewDirectory(config(t, key, b.totp, ada, beppe))
	if err != nil {
		t.Fatal(err)
	}
	b.deps = counter.Deps{
		Directory: directory, People: b.people, Cards: db.Cards(), Codes: b.keysets(t), Certificates: certificates{b},
		Drafts: db.Drafts(), Acts: db.Acts(), Links: db.Links(), Tries: db.Tries(), Seal: key, Clock: b.clock, Rand: rand.Reader,
		Atomically: b.atomically, Enqueue: b.enqueue, DropPrint: b.drop, Record: b.record, Reissue: b.reissue, Lists: 6 * time.Hour, Informativa: func(time.Time) string { return "1/2026" },
	}
	if b.Counter, err = counter.New(b.deps); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) keysets(t *testing.T) *codes.CIPs {
	t.Helper()
	dir, w := t.TempDir(), seal(t)
	if err := codes.CreateKeysets(dir, codes.Wraps{First: w, Second: w, CIP: w}); err != nil {
		t.Fatal(err)
	}
	m, cips, err := codes.LoadMaker(dir, w, codes.DefaultPolicy(), b.db.Codes(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if b.first, err = codes.LoadFirst(dir, w, b.db.Codes()); err != nil {
		t.Fatal(err)
	}
	if b.second, err = codes.LoadSecond(dir, w, b.db.Codes()); err != nil {
		t.Fatal(err)
	}
	b.makeCodes = m
	return cips
}

func (b *bench) atomically(ctx context.Context, act func(ctx context.Context) error) error {
	var effects map[string]effect.Effect
	var entries int
	err := b.db.Atomically(ctx, func(ctx context.Context) error {
		b.mu.Lock()
		effects, entries = map[string]effect.Effect{}, len(b.entries)
		for k, v := range b.effects {
			effects[k] = v
		}
		b.mu.Unlock()
		return act(ctx)
	})
	if err != nil {
		b.mu.Lock()
		defer b.mu.Unlock()
		b.effects, b.entries = effects, b.entries[:entries]
	}
	return err
}

func (b *bench) enqueue(_ context.Context, e effect.Effect) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, there := b.effects[e.Key]; !there {
		b.effects[e.Key] = e
	}
	return nil
}

// reissue orders the next card as production does.
func (b *bench) reissue(ctx context.Context, old lifecycle.Card) (lifecycle.Card, error) {
	k := &production.Clerk{
		Config: production.DefaultConfig(), Cards: b.db.Cards(), People: b.people, Orders: b.db.Orders(), Record: b.record, Clock: b.clock,
	}
	return k.Reissue(ctx, old)
}

func (b *bench) drop(_ context.Context, key string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.dropped = append(b.dropped, key)
	return nil
}

func (b *bench) record(_ context.Context, e journal.Entry) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.broken != nil {
		return b.broken
	}
	b.entries = append(b.entries, e)
	return nil
}

func (b *bench) acts() (out []string) {
	for _, e := range b.entries {
		out = append(out, e.Act)
	}
	return out
}

// enrol puts p in the registry.
func (b *bench) enrol(p registry.Person) registry.Person { b.people[p.CF] = p; return p }

func (b *bench) mario(t *testing.T) registry.Person {
	t.Helper()
	return b.enrol(somebody(t, "Rossi", "Mario", "1985-12-10", codicefiscale.Male))
}

// issue gives p a delivered card with a chip and codes; with changes it.
func (b *bench) issue(t *testing.T, p registry.Person, id string, with func(*lifecycle.Card)) lifecycle.Card {
	t.Helper()
	c := lifecycle.Card{
		ID: id, TEAM: "8038" + id, CF: p.CF, Model: lifecycle.TSCNS, State: lifecycle.Delivered, Issued: day(t, "2026-11-01"),
		Expires: day(t, "2032-11-01"), CertSerial: "ab" + id, OrderedAt: monday.AddDate(0, 0, -22), ShippedAt: monday.AddDate(0, 0, -10),
		DeliveredAt: monday.AddDate(0, 0, -5),
	}
	if with != nil {
		with(&c)
	}
	set, sealed, err := b.makeCodes.Make(t.Context(), id, 1, p.Born)
	if err != nil {
		t.Fatal(err)
	}
	b.codes[id] = set
	err = b.db.Atomically(t.Context(), func(ctx context.Context) error {
		if c, err = b.db.Cards().Put(ctx, c); err != nil || !c.HasChip() {
			return err
		}
		return b.makeCodes.Keep(ctx, sealed)
	})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (b *bench) card(t *testing.T, id string) lifecycle.Card {
	t.Helper()
	c, err := b.db.Cards().Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func (b *bench) operator(t *testing.T, account, office string) staff.Operator {
	t.Helper()
	op, err := b.deps.Directory.OperatorByAccount(account)
	if err != nil {
		t.Fatal(err)
	}
	if op, err = op.At(office); err != nil {
		t.Fatal(err)
	}
	return op
}

const number = "6090000000000123"

func goodCard(p registry.Person) counter.CardStep {
	return counter.CardStep{CF: p.CF, LastFive: number[11:], NoReader: "lettore guasto"}
}

func goodIdentity(t *testing.T) counter.IdentityStep {
	t.Helper()
	return counter.IdentityStep{Present: counter.PresentHolder, Document: counter.Document{
		Kind: counter.ElectronicCard, Number: "CA00000AA", Issuer: "Ministero dell'Interno", Issued: day(t, "2020-01-01"), Expires: day(t, "2030-01-01"),
	}}
}

func goodContact() counter.ContactStep {
	return counter.ContactStep{Email: "Mario.Rossi@Posta.Example", EmailAgain: " Mario.Rossi@posta.example ", Lang: words.Italian, Consent: true}
}

// fill goes through the three steps of a good activation.
func (b *bench) fill(t *testing.T, op staff.Operator, p registry.Person) counter.Draft {
	t.Helper()
	d, err := b.StartDraft(t.Context(), op, goodCard(p))
	if err != nil {
		t.Fatal(err)
	}
	if d, err = b.Identify(t.Context(), op, d.ID, d.Version, goodIdentity(t)); err != nil {
		t.Fatal(err)
	}
	if d, err = b.Contacts(t.Context(), op, d.ID, d.Version, goodContact()); err != nil {
		t.Fatal(err)
	}
	return d
}

func (b *bench) activated(t *testing.T) (staff.Operator, registry.Person, counter.Act) {
	t.Helper()
	op, p := b.operator(t, "op1", "asl1"), b.mario(t)
	b.issue(t, p, number, nil)
	d := b.fill(t, op, p)
	a, err := b.Activate(t.Context(), op, d.ID, d.Version)
	if err != nil {
		t.Fatal(err)
	}
	return op, p, a
}

// refused checks that err is the fault code, with a text in both languages.
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

func secretOf(s string) secret.Text { return secret.FromString(s) }
