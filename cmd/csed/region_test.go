package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/csv"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"cse.example/cse/issuer/staff"

	"cse.example/cse/card/cns"
	"cse.example/cse/demo/bureau"
	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/lifecycle"
	"cse.example/cse/issuer/production"
	"cse.example/cse/issuer/production/exchange"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
	"cse.example/cse/pki/keys/keystest"
)

// region is a small installation on disk: ten people with their cards, the first
// adult's activated and handed over. Each test works on a copy of its own.
type region struct {
	config Config
	clock  *civil.Hand
	people [][]string // the rows of the registry
	// active is the number of the activated card, waiting of one that only lies
	// at its holder's.
	active, waiting string
}

// noon is when the region was made.
var noon = time.Date(2026, 10, 3, 11, 0, 0, 0, time.UTC)

var template struct {
	once sync.Once
	region
	dir string
	err error
}

func TestMain(m *testing.M) {
	keystest.Cheap()
	beCsed()
	code := m.Run()
	if template.dir != "" {
		_ = os.RemoveAll(template.dir) // left to the system if it cannot be removed
	}
	os.Exit(code)
}

// newRegion is a copy of the template, which the first test makes.
func newRegion(t *testing.T) *region {
	t.Helper()
	template.once.Do(func() { template.err = makeRegion() })
	if template.err != nil {
		t.Fatal(template.err)
	}
	r := template.region
	r.clock = civil.NewHand(noon)
	r.people = slices.Clone(template.people)
	r.config.Data = t.TempDir()
	if err := os.CopyFS(r.config.Data, os.DirFS(template.config.Data)); err != nil {
		t.Fatal(err)
	}
	// CopyFS gives 0666 and the umask; sealed files want 0600.
	err := filepath.WalkDir(r.config.Data, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		return os.Chmod(path, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	return &r
}

// open opens the region's platform with the roles given, and closes it after the
// test.
func (r *region) open(t *testing.T, o Options, roles ...string) *Platform {
	t.Helper()
	p, err := r.tryOpen(t.Context(), o, roles...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

func (r *region) tryOpen(ctx context.Context, o Options, roles ...string) (*Platform, error) {
	c := r.config
	c.Roles = roles
	o.Clock, o.Log = r.clock, slog.New(slog.DiscardHandler)
	return Open(ctx, c, o)
}

func makeRegion() (err error) {
	ctx, r := context.Background(), &template.region
	if template.dir, err = os.MkdirTemp("", "csed-region-*"); err != nil {
		return err
	}
	r.config, r.clock = defaults(), civil.NewHand(noon)
	r.config.Data = filepath.Join(template.dir, "data")
	r.config.Issue.CRLShards = 4
	r.config.Counters = []staff.Office{{ID: "comune", Type: staff.Comune, Name: "Comune di prova", Comune: "D612"}}
	born, err := civil.NewDate(1985, 3, 7)
	if err != nil {
		return err
	}
	cf, err := codicefiscale.Compute(codicefiscale.Person{Surname: "Sportelli", Name: "Prova", Born: born, Sex: "F", Belfiore: "D612"})
	if err != nil {
		return err
	}
	r.config.Operators = []staff.Account{{Account: "anna", Name: "Prova Sportelli", CF: string(cf), Roles: []staff.Role{staff.RoleOperator}, Offices: []string{"comune"}}}
	r.config.settle()
	if _, err := r.config.initialise(ctx, r.clock); err != nil {
		return err
	}
	id, err := bureau.LoadOrCreate(rand.Reader, mkdir(r.config.under("bureau")))
	if err != nil {
		return err
	}
	if err := os.WriteFile(r.config.under(r.config.Issue.BureauFile), id.Public(), 0o600); err != nil {
		return err
	}
	p, err := r.tryOpen(ctx, Options{}, knownRoles()...)
	if err != nil {
		return err
	}
	defer func() {
		if e := p.Close(); err == nil {
			err = e
		}
	}()
	if err := r.populate(ctx, p); err != nil {
		return err
	}
	if err := r.produce(ctx, p); err != nil {
		return err
	}
	return r.activate(ctx, p)
}

func mkdir(path string) string {
	_ = os.MkdirAll(path, 0o700) // whoever uses it says that it is not there
	return path
}

func (r *region) populate(ctx context.Context, p *Platform) error {
	var file bytes.Buffer
	if err := registry.Generate(&file, 10, 11, civil.Today(r.clock)); err != nil {
		return err
	}
	rows, err := csv.NewReader(bytes.NewReader(file.Bytes())).ReadAll()
	if err != nil {
		return err
	}
	r.people = rows[1:]
	_, err = p.ImportPeople(ctx, &file)
	return err
}

// csv is the registry's file with these rows.
func csvOf(t *testing.T, rows ...[]string) *bytes.Buffer {
	t.Helper()
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	if err := w.WriteAll(append([][]string{registry.Columns}, rows...)); err != nil {
		t.Fatal(err)
	}
	return &b
}

// row is the person's row with some columns changed.
func (r *region) row(t *testing.T, cf codicefiscale.Code, change map[string]string) []string {
	t.Helper()
	for _, row := range r.people {
		if row[0] != string(cf) {
			continue
		}
		row = slices.Clone(row)
		for column, v := range change {
			row[slices.Index(registry.Columns, column)] = v
		}
		return row
	}
	t.Fatal("nobody has that codice fiscale")
	return nil
}

// bureau is the region's bureau.
func (r *region) bureau(p *Platform) (*bureau.Bureau, error) {
	id, err := bureau.LoadOrCreate(rand.Reader, p.Config.under("bureau"))
	if err != nil {
		return nil, err
	}
	k, err := p.Config.productionKey()
	if err != nil {
		return nil, err
	}
	profile := cns.Neutral()
	profile.PUKChangeable = true // as the demonstration's cards
	return bureau.New(bureau.Parts{
		Identity: id, Issuer: k.Public().(*ecdsa.PublicKey), Files: exchange.Folder(p.Config.under(p.Config.Issue.Exchange)),
		Folder: p.Config.under("bureau"), Cards: p.Config.under("cards"), Profile: profile, Clock: r.clock, Rand: rand.Reader,
	})
}

// produce does a night, then issuer and bureau in turns, then the post.
func (r *region) produce(ctx context.Context, p *Platform) error {
	if _, err := p.night(ctx); err != nil {
		return err
	}
	b, err := r.bureau(p)
	if err != nil {
		return err
	}
	plant, err := p.factory(ctx)
	if err != nil {
		return err
	}
	for range 2 {
		if err := b.Work(ctx); err != nil {
			return err
		}
		if _, err := plant.AdvanceAll(ctx); err != nil {
			return err
		}
	}
	ready, err := p.batchesIn(ctx, []production.State{production.Received})
	if err != nil {
		return err
	}
	for _, id := range ready {
		if _, err := plant.Ship(ctx, id); err != nil {
			return err
		}
		if _, err := plant.Deliver(ctx, id); err != nil {
			return err
		}
	}
	return nil
}

// activate activates the first adult's card at the counter, prints the form and
// hands it over. The letters stay in the queue.
func (r *region) activate(ctx context.Context, p *Platform) error {
	cards, err := p.db.Cards().ByState(ctx, lifecycle.Delivered, "", 100)
	if err != nil {
		return err
	}
	op, err := p.directory.OperatorByAccount("anna")
	if err != nil {
		return err
	}
	for _, c := range cards {
		who, err := p.db.People().Get(ctx, c.CF)
		if err != nil {
			return err
		}
		switch {
		case who.MinorOn(civil.Today(r.clock)) || who.NeedsPermit():
		case r.active == "":
			r.active = c.ID
			if err := p.handOver(ctx, op, c, r.clock); err != nil {
				return err
			}
		case r.waiting == "":
			r.waiting = c.ID
		}
	}
	return nil
}

func (p *Platform) handOver(ctx context.Context, op staff.Operator, c lifecycle.Card, clock civil.Clock) error {
	today := civil.Today(clock)
	d, err := p.counter.StartDraft(ctx, op, counter.CardStep{Card: c.ID, LastFive: c.ID[len(c.ID)-5:], NoReader: "lettore guasto"})
	if err != nil {
		return err
	}
	d, err = p.counter.Identify(ctx, op, d.ID, d.Version, counter.IdentityStep{Present: counter.PresentHolder, Document: counter.Document{
		Kind: counter.ElectronicCard, Number: "CA00000AA", Issuer: "COMUNE DI FIRENZE", Issued: today.AddYears(-1), Expires: today.AddYears(5),
	}})
	if err != nil {
		return err
	}
	d, err = p.counter.Contacts(ctx, op, d.ID, d.Version, counter.ContactStep{
		Email: "titolare@example.org", EmailAgain: "titolare@example.org", Lang: words.Italian, Consent: true,
	})
	if err != nil {
		return err
	}
	a, err := p.counter.Activate(ctx, op, d.ID, d.Version)
	if err != nil {
		return err
	}
	if _, err := p.print(ctx, a.Form); err != nil {
		return err
	}
	if err := p.counter.Printed(ctx, op, a.Protocol); err != nil {
		return err
	}
	return p.counter.HandOver(ctx, op, a.Protocol)
}

// card reads a card of the region.
func card(t *testing.T, p *Platform, id string) lifecycle.Card {
	t.Helper()
	c, err := p.db.Cards().Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// clean fails the test if the inspection finds something.
func clean(t *testing.T, p *Platform) {
	t.Helper()
	found, err := p.check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		t.Error(words.Say(words.English, f.key, f.args...))
	}
}
