package model

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"cse.example/cse/demo/bureau"
	"cse.example/cse/demo/bureau/bureautest"
	"cse.example/cse/engine/audit"
	"cse.example/cse/engine/queue"
	"cse.example/cse/engine/store"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/effect"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/approval"
	"cse.example/cse/issuer/codes"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/production"
	"cse.example/cse/issuer/production/exchange"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/ca/catest"
	"cse.example/cse/pki/keys"
	"cse.example/cse/pki/profile"
)

// start is a Monday at half past ten in Rome.
var start = catest.Start

// policy has halves of eight digits for the CIP, so that one found in the store
// is no coincidence.
var policy = codes.Policy{PIN: codes.Split{First: 3, Second: 4}, PUK: codes.Split{First: 4, Second: 4}, CIP: codes.Split{First: 8, Second: 8}}

// vault is the keys of an installation: one for each half, as two processes
// under two users hold them, one for the web and one for the queue.
type vault struct {
	first, second, cip, desk, queue codes.AEAD
	audit                           secret.Text
	signer                          *ecdsa.PrivateKey
	identity                        *bureau.Identity
	material                        *ca.Material
	// dir has the keysets.
	dir string
}

func aKey(t testing.TB) codes.AEAD {
	t.Helper()
	h, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	must(t, err)
	k, err := aead.New(h)
	must(t, err)
	return k
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newVault(t testing.TB, dir string) *vault {
	t.Helper()
	v := &vault{first: aKey(t), second: aKey(t), cip: aKey(t), desk: aKey(t), queue: aKey(t), dir: dir}
	raw := make([]byte, 32)
	_, err := rand.Read(raw)
	must(t, err)
	v.audit = secret.New(raw)
	v.signer, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	v.identity, err = bureau.LoadOrCreate(rand.Reader, t.TempDir())
	must(t, err)
	must(t, codes.CreateKeysets(dir, codes.Wraps{First: v.first, Second: v.second, CIP: v.cip}))
	plan := ca.DefaultPlan()
	plan.RootYears, plan.IssuingYears = 40, 30 // a life may last twenty years
	plan.URLs, plan.Vault, plan.Clock, plan.Rand = profile.URLsAt(catest.Base), keys.Sealed(catest.Passphrase), civil.NewHand(start), rand.Reader
	v.material, err = ca.Create(t.Context(), t.TempDir(), plan)
	must(t, err)
	return v
}

// world is the real rooms over one store.
type world struct {
	*vault
	db        *store.DB
	clock     *civil.Hand
	queue     *queue.Queue
	trail     *audit.Trail
	authority *ca.Authority
	counter   *counter.Counter
	approvals *approval.Room
	directory *staff.Directory
	plant     *production.Plant
	bureau    *bureautest.Paper
	cips      *codes.CIPs
	openFirst *codes.FirstOpener
	openSecnd *codes.SecondOpener
	exchange  string
	// tickets are the call centre's findings of a chip fault.
	tickets map[string]string
	// mails and papers that left, by key.
	mails, papers map[string]string
}

// open wires the rooms over the store in dir, as cmd/csed does.
func open(t testing.TB, v *vault, dir string) *world {
	t.Helper()
	w := &world{
		vault: v, clock: civil.NewHand(start), exchange: filepath.Join(dir, "exchange"),
		tickets: map[string]string{}, mails: map[string]string{}, papers: map[string]string{},
	}
	must(t, os.MkdirAll(w.exchange, 0o700))
	var err error
	w.db, err = store.Open(t.Context(), "sqlite:"+filepath.Join(dir, "cse.db"))
	must(t, err)
	w.queue, err = queue.New(queue.Config{
		Conn: func(ctx context.Context) queue.DBTX { return w.db.Conn(ctx) }, Atomically: w.db.Atomically, Seal: v.queue, Clock: w.clock,
		Policies: map[string]queue.Policy{counter.KindPrintCodes: {Lease: time.Minute, Lost: queue.Pending, Held: true}},
	})
	must(t, err)
	w.trail, err = audit.New(audit.Config{
		Conn: func(ctx context.Context) audit.DBTX { return w.db.Conn(ctx) }, Atomically: w.db.Atomically, Clock: w.clock, Key: v.audit,
	})
	must(t, err)
	w.authority, err = ca.New(ca.Parts{
		Issuer: v.material.Issuing, Signer: v.material.IssuingKey, Profile: catest.Profile(), Store: w.db.PKI(),
		Atomically: w.db.Atomically, Record: w.trail.Record, Clock: w.clock, Rand: rand.Reader,
	})
	must(t, err)
	w.openCodes(t)
	w.openPlant(t)
	w.openCounter(t)
	return w
}

func (w *world) openCodes(t testing.TB) {
	t.Helper()
	var err error
	w.cips, err = codes.LoadCIPs(w.dir, w.cip, w.db.Codes())
	must(t, err)
	w.openFirst, err = codes.LoadFirst(w.dir, w.first, w.db.Codes())
	must(t, err)
	w.openSecnd, err = codes.LoadSecond(w.dir, w.second, w.db.Codes())
	must(t, err)
}

// plantConfig makes every fifth card a TS without chip.
func plantConfig() production.Config {
	c := production.DefaultConfig()
	c.ChiplessEvery = 5
	return c
}

func (w *world) openPlant(t testing.TB) {
	t.Helper()
	maker, _, err := codes.LoadMaker(w.dir, w.cip, policy, w.db.Codes(), rand.Reader)
	must(t, err)
	known, err := exchange.ParseBureau(w.identity.Public())
	must(t, err)
	folder := exchange.Folder(w.exchange)
	w.plant, err = production.New(production.Parts{
		Config: plantConfig(), Cards: w.db.Cards(), People: w.db.People(), Orders: w.db.Orders(), Batches: w.db.Batches(), Codes: maker,
		CodeStore: w.db.Codes(), Authority: w.authority, Files: folder, Bureau: known, Signer: w.signer, Atomically: w.db.Atomically,
		Record: w.trail.Record, Clock: w.clock, Rand: rand.Reader,
	})
	must(t, err)
	w.bureau = &bureautest.Paper{
		T: t, Identity: w.identity, Issuer: &w.signer.PublicKey, Folder: folder, Clock: w.clock, Jobs: maps.Clone(shared.jobs),
	}
}

func (w *world) openCounter(t testing.TB) {
	t.Helper()
	var err error
	w.directory, err = staff.NewDirectory(staff.Config{Offices: offices(), Operators: accounts(t), PharmacyAlso: alsoAtPharmacies})
	must(t, err)
	w.approvals, err = approval.New(approval.Deps{
		Store: w.db.Approvals(), Directory: w.directory, Atomically: w.db.Atomically, Record: w.trail.Record, Clock: w.clock,
		Kinds: []approval.Kind{{
			Name: counter.ApprovalThirdReprint, Asks: []staff.Role{staff.RoleOperator, staff.RoleSupervisor}, Decides: []staff.Role{staff.RoleSupervisor}, Life: 24 * time.Hour,
		}},
	})
	must(t, err)
	clerk := &production.Clerk{
		Config: plantConfig(), Cards: w.db.Cards(), People: w.db.People(), Orders: w.db.Orders(), Record: w.trail.Record, Clock: w.clock,
	}
	w.counter, err = counter.New(counter.Deps{
		Directory: w.directory, People: w.db.People(), Cards: w.db.Cards(), Codes: w.cips, Certificates: w.authority,
		Drafts: w.db.Drafts(), Acts: w.db.Acts(), Links: w.db.Links(), Tries: w.db.Tries(), Seal: w.desk, Clock: w.clock, Rand: rand.Reader,
		Atomically: w.db.Atomically, Enqueue: w.queue.Enqueue, DropPrint: w.dropPrint, Record: w.trail.Record, Reissue: clerk.Reissue, ReissueFor: clerk.ReissueFor,
		FromHome: true, Informativa: func(time.Time) string { return "1" },
		Diagnosis: func(_ context.Context, card string) (string, error) { return w.tickets[card], nil },
		Approved: func(ctx context.Context, kind, subject string, content []byte) error {
			err := w.approvals.Spend(ctx, kind, subject, content)
			if errors.Is(err, approval.ErrNone) {
				return words.Refuse("CSE-452").Because(err)
			}
			return err
		},
	})
	must(t, err)
}

func (w *world) dropPrint(ctx context.Context, key string) error {
	err := w.queue.Release(ctx, key)
	var state *queue.StateError
	if errors.As(err, &state) {
		return w.queue.Drop(ctx, key)
	}
	return err
}

// postOffice performs what waits in the queue of mails: the second halves are
// opened here and nowhere else.
func (w *world) postOffice(ctx context.Context) error {
	_, err := w.queue.RunOnce(ctx, map[string]effect.Handler{
		counter.KindMailCodes: func(ctx context.Context, e effect.Effect, _ int) error {
			var m counter.CodesMail
			if err := json.Unmarshal(e.Body, &m); err != nil {
				return errors.Join(effect.ErrPermanent, err)
			}
			h, err := w.openSecnd.SecondHalves(ctx, m.Card)
			if errors.Is(err, codes.ErrNone) {
				return errors.Join(effect.ErrPermanent, err)
			}
			if err != nil {
				return err
			}
			subject, text := m.Text(h)
			w.mails[e.Key] = subject + "\n" + text
			return nil
		},
		counter.KindMailNotice: func(_ context.Context, e effect.Effect, _ int) error {
			var n counter.Notice
			if err := json.Unmarshal(e.Body, &n); err != nil {
				return errors.Join(effect.ErrPermanent, err)
			}
			subject, text := n.Text()
			w.mails[e.Key] = subject + "\n" + text
			return nil
		},
	})
	return err
}

// print performs the print of an act while the operator waits; first halves are
// opened here and nowhere else.
func (w *world) print(ctx context.Context, f counter.Form, withCodes bool) error {
	b, err := json.Marshal(f)
	if err != nil {
		return err
	}
	paper := string(b)
	if !withCodes {
		w.papers[f.Protocol] += paper
		return nil
	}
	err = w.queue.Do(ctx, counter.PrintKey(f.Protocol), func(ctx context.Context, _ effect.Effect, _ int) error {
		h, err := w.openFirst.FirstHalves(ctx, f.Card)
		if err != nil {
			return err
		}
		w.papers[f.Protocol] += paper + " PIN " + string(h.PIN.Reveal()) + " PUK " + string(h.PUK.Reveal()) + " CIP " + string(h.CIP.Reveal())
		return nil
	})
	var state *queue.StateError
	if errors.As(err, &state) {
		return words.Refuse("CSE-150").Because(err) // printed, or a reprint took its place
	}
	return err
}

// shared is the Region in which every life begins: made once, then copied.
var shared struct {
	*vault
	dir  string
	jobs map[string]exchange.Job
}

// region gives a world with everybody's first card at home, in a folder of its own.
func region(t testing.TB, dir string) *world {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(shared.dir, "cse.db"))
	must(t, err)
	must(t, os.WriteFile(filepath.Join(dir, "cse.db"), b, 0o600))
	return open(t, shared.vault, dir)
}

// found makes the region: people, their first cards, made and delivered.
func found(t testing.TB) {
	t.Helper()
	keysets := filepath.Join(shared.dir, "keysets")
	must(t, os.Mkdir(keysets, 0o700))
	w, ctx := open(t, newVault(t, keysets), shared.dir), t.Context()
	for _, p := range townspeople() {
		must(t, w.db.Atomically(ctx, func(ctx context.Context) error {
			_, err := w.db.People().Put(ctx, p)
			return err
		}))
	}
	_, err := w.plant.OrderMissing(ctx)
	must(t, err)
	for range 3 {
		open, err := w.plant.AdvanceAll(ctx)
		must(t, err)
		must(t, w.bureau.Work(nil))
		for _, b := range open {
			if b.State == production.Received {
				_, err := w.plant.Ship(ctx, b.ID)
				must(t, err)
				_, err = w.plant.Deliver(ctx, b.ID)
				must(t, err)
			}
		}
	}
	shared.jobs = w.bureau.Jobs
	must(t, w.db.Close())
	shared.vault = w.vault
}
