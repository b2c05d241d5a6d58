// Package bureautest brings up a whole production line for tests: store,
// authority, codes, plant, exchange folder and bureau, on invented people; and
// kills it where a test says (Killer), so that resuming can be proved.
package bureautest

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"

	"cse.example/cse/card/cns"
	"cse.example/cse/demo/bureau"
	"cse.example/cse/engine/store"
	"cse.example/cse/ground/civil"
	"cse.example/cse/issuer/codes"
	"cse.example/cse/issuer/production"
	"cse.example/cse/issuer/production/exchange"
	"cse.example/cse/person/registry"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/ca/catest"
)

// World is a production line.
type World struct {
	DB       *store.DB
	CA       *catest.Authority
	Clock    *civil.Hand
	Config   production.Config
	Identity *bureau.Identity
	// Exchange is the folder between the two; Work and Cards are the bureau's.
	Exchange, Work, Cards string
	Killer                *Killer
	Wrap                  codes.AEAD
	KeysetDir             string
	signer                *ecdsa.PrivateKey
}

// New makes a line whose store is db.
func New(t testing.TB, db *store.DB) *World {
	t.Helper()
	dir := t.TempDir()
	w := &World{
		DB: db, Clock: civil.NewHand(catest.Start), Config: production.DefaultConfig(), Killer: &Killer{},
		Exchange: filepath.Join(dir, "exchange"), Work: filepath.Join(dir, "bureau"), Cards: filepath.Join(dir, "cards"),
		KeysetDir: filepath.Join(dir, "keysets"),
	}
	for _, d := range []string{w.Exchange, w.Work, w.Cards, w.KeysetDir} {
		must(t, os.Mkdir(d, 0o700))
	}
	var err error
	w.signer, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	w.Identity, err = bureau.LoadOrCreate(rand.Reader, w.Work)
	must(t, err)
	h, err := keyset.NewHandle(aead.AES256GCMKeyTemplate())
	must(t, err)
	w.Wrap, err = aead.New(h)
	must(t, err)
	must(t, codes.CreateKeysets(w.KeysetDir, codes.Wraps{First: w.Wrap, Second: w.Wrap, CIP: w.Wrap}))
	w.CA = w.authority(t)
	return w
}

// shared is one authority's keys for all the worlds of a test binary: sealing
// keys is slow on purpose.
var shared struct {
	sync.Mutex
	material *ca.Material
}

func (w *World) authority(t testing.TB) *catest.Authority {
	t.Helper()
	shared.Lock()
	defer shared.Unlock()
	if shared.material == nil {
		shared.material = catest.Material(t, w.Clock)
	}
	m, j := shared.material, &catest.Journal{}
	a, err := ca.New(ca.Parts{
		Issuer: m.Issuing, Signer: m.IssuingKey, Profile: catest.Profile(), Store: w.DB.PKI(),
		Atomically: w.Killer.Atomically(w.DB), Record: j.Record, Clock: w.Clock, Rand: rand.Reader,
	})
	must(t, err)
	return &catest.Authority{Authority: a, Material: m, Journal: j, Hand: w.Clock}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Import brings in n invented people.
func (w *World) Import(t testing.TB, n int, seed int64) {
	t.Helper()
	var file bytes.Buffer
	must(t, registry.Generate(&file, n, seed, civil.Today(w.Clock)))
	i, err := registry.NewImporter(registry.Importer{
		Store: w.DB.People(), Atomically: w.DB.Atomically, Record: w.CA.Journal.Record, Clock: w.Clock,
	})
	must(t, err)
	got, err := i.Import(t.Context(), &file)
	must(t, err)
	if got.Accepted != n {
		t.Fatalf("imported %d of %d: %v", got.Accepted, n, got.Errors)
	}
}

// Put keeps one person.
func (w *World) Put(t testing.TB, p registry.Person) {
	t.Helper()
	must(t, w.DB.Atomically(t.Context(), func(ctx context.Context) error {
		_, err := w.DB.People().Put(ctx, p)
		return err
	}))
}

// Plant starts the plant, as after a restart: what it knows is in the store.
func (w *World) Plant(t testing.TB) *production.Plant {
	t.Helper()
	maker, _, err := codes.LoadMaker(w.KeysetDir, w.Wrap, codes.DefaultPolicy(), w.DB.Codes(), rand.Reader)
	must(t, err)
	known, err := exchange.ParseBureau(w.Identity.Public())
	must(t, err)
	p, err := production.New(production.Parts{
		Config: w.Config, Cards: w.DB.Cards(), People: w.DB.People(), Orders: w.DB.Orders(), Batches: w.DB.Batches(),
		Codes: maker, CodeStore: w.DB.Codes(), Authority: w.CA, Files: w.Killer.Files(exchange.Folder(w.Exchange)), Bureau: known,
		Signer: w.signer, Atomically: w.Killer.Atomically(w.DB), Record: w.CA.Journal.Record, Clock: w.Clock, Rand: rand.Reader,
	})
	must(t, err)
	return p
}

// Bureau starts the bureau, as after a restart; change edits its parts first.
func (w *World) Bureau(t testing.TB, change ...func(*bureau.Parts)) *bureau.Bureau {
	t.Helper()
	p := bureau.Parts{
		Identity: w.Identity, Issuer: &w.signer.PublicKey, Files: w.Killer.Files(exchange.Folder(w.Exchange)),
		Folder: w.Work, Cards: w.Cards, Profile: cns.Neutral(), Clock: w.Clock, Rand: rand.Reader,
	}
	for _, f := range change {
		f(&p)
	}
	b, err := bureau.New(p)
	must(t, err)
	return b
}

// Signer is the plant's key.
func (w *World) Signer() *ecdsa.PrivateKey { return w.signer }
