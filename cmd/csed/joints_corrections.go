package main

import (
	"cmp"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strings"

	"cse.example/cse/ground/civil"
	"cse.example/cse/ground/secret"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/campaign"
	"cse.example/cse/issuer/staff"
	"cse.example/cse/person/codicefiscale"
	"cse.example/cse/person/registry"
)

// Corrections of printed data (R30): an import collects them, and few enough are
// written at its end; more wait, as a whole, for a second person. Nothing of a
// correction is written before, so that the registry, the cards and what is
// printed agree all the time.

// systemRegistry is who asks when nobody said who ran the import.
const systemRegistry = "system:registry"

// correction is what an item of a campaign of corrections does, sealed: a row of
// the registry, or one codice fiscale for another.
type correction struct {
	Row      []string           `json:"row,omitempty"`
	Old, New codicefiscale.Code `json:",omitempty"`
}

// collector is an import's corrections.
type collector struct {
	p    *Platform
	key  secret.Text
	seal counterSeal
	// found are the corrections by mark; an act that is run again finds them again.
	found map[string]campaign.Item
	// held tells that corrections of earlier imports wait, recoded that some codice
	// fiscale was ever replaced.
	held, recoded bool
}

type counterSeal interface {
	Encrypt(plaintext, associatedData []byte) ([]byte, error)
	Decrypt(ciphertext, associatedData []byte) ([]byte, error)
}

func (p *Platform) collector(ctx context.Context) (*collector, error) {
	key, err := p.derived("cse.correction/1")
	if err != nil {
		return nil, err
	}
	seal, err := p.web.aead(aeadDesk)
	if err != nil {
		return nil, err
	}
	c := &collector{p: p, key: key, seal: seal, found: map[string]campaign.Item{}}
	for _, s := range []campaign.State{campaign.Draft, campaign.Asked, campaign.Running, campaign.Stopped} {
		list, err := p.db.Campaigns().In(ctx, s)
		if err != nil {
			return nil, err
		}
		c.held = c.held || slices.ContainsFunc(list, func(x campaign.Campaign) bool { return x.Kind == campaign.Correction })
	}
	c.recoded, err = p.db.People().AnyRecoded(ctx)
	return c, err
}

func (c *collector) keyed(kind, text string) string {
	m := hmac.New(sha256.New, c.key.Reveal())
	m.Write([]byte(kind + "|" + text))
	return hex.EncodeToString(m.Sum(nil)[:16])
}

// mark stands for a person without naming him.
func (c *collector) mark(cf codicefiscale.Code) string { return c.keyed("person", string(cf)) }

// add remembers a correction of cf.
func (c *collector) add(cf codicefiscale.Code, x correction) error {
	plain, err := json.Marshal(x)
	if err != nil {
		return err
	}
	key := c.mark(cf)
	body, err := c.seal.Encrypt(plain, []byte("cse.correction/1|"+key))
	if err != nil {
		return err
	}
	// The motive is a keyed mark of the content: what is approved is bound to it.
	c.found[key] = campaign.Item{Key: key, Motive: c.keyed("content", string(plain)), Body: body}
	return nil
}

func (c *collector) open(i campaign.Item) (x correction, err error) {
	plain, err := c.seal.Decrypt(i.Body, []byte("cse.correction/1|"+i.Key))
	if err != nil {
		return x, err
	}
	if c.keyed("content", string(plain)) != i.Motive {
		return x, words.Refuse("CSE-636")
	}
	return x, json.Unmarshal(plain, &x)
}

// overtake settles the corrections of a person that waited and that a later file
// made good for nothing; same tells which say what this file says: they go on.
func (c *collector) overtake(ctx context.Context, key, motive string) (same bool, err error) {
	if !c.held {
		return false, nil
	}
	err = c.p.db.Atomically(ctx, func(ctx context.Context) error {
		same = false
		old, err := c.p.db.CampaignItems().WaitingOf(ctx, campaign.Correction, key)
		if err != nil {
			return err
		}
		for _, i := range old {
			if i.Motive == motive {
				same = true
				continue
			}
			i.State, i.DoneAt, i.Body = campaign.Superseded, c.p.Clock.Now().UTC(), nil
			if _, err := c.p.db.CampaignItems().Move(ctx, i); err != nil {
				return err
			}
		}
		return nil
	})
	return same, err
}

// Corrections are what an import found.
type Corrections struct {
	// Found corrections; Waiting of them wait for a second person, now or since an
	// earlier import.
	Found, Waiting int
}

// finish writes the corrections, or leaves them for a second person.
func (c *collector) finish(ctx context.Context, by, what string) (Corrections, error) {
	out := Corrections{Found: len(c.found)}
	var items []campaign.Item
	for key, i := range c.found {
		same, err := c.overtake(ctx, key, i.Motive)
		if err != nil {
			return out, err
		}
		if same {
			out.Waiting++
			continue
		}
		items = append(items, i)
	}
	if len(items) == 0 {
		return out, nil
	}
	name := what + " " + c.p.Clock.Now().In(civil.Rome).Format("2006-01-02 15:04") + " " + strings.ToLower(rand.Text()[:6])
	x, err := c.p.campaigns.Collect(ctx, by, name, words.Say(words.Italian, "csed.corrections.note"), items)
	if err != nil {
		return out, err
	}
	if x.State != campaign.Running {
		out.Waiting += len(items)
		return out, nil
	}
	_, err = c.p.campaigns.Work(ctx)
	return out, err
}

// correct does one correction in the act of ctx; it is campaign.Do.
func (p *Platform) correct(ctx context.Context, _ campaign.Campaign, i campaign.Item) (campaign.Item, error) {
	c, err := p.collector(ctx)
	if err != nil {
		return i, err
	}
	x, err := c.open(i)
	if err != nil {
		return i, err
	}
	if x.New != "" {
		return p.recode(ctx, x.Old, x.New, i)
	}
	who, faults := registry.ParseRow(x.Row, civil.Today(p.Clock))
	if len(faults) > 0 {
		return i, faults[0]
	}
	changed, err := closing{Store: p.db.People(), p: p}.Put(ctx, who)
	if i.State = campaign.Done; !changed {
		i.State = campaign.Nothing
	}
	return i, err
}

// recode puts one codice fiscale in another's place (R30): the person's facts are
// the new one's, the old one is assisted no more, and his cards end at once.
func (p *Platform) recode(ctx context.Context, old, now codicefiscale.Code, i campaign.Item) (campaign.Item, error) {
	done, err := p.db.People().Recode(ctx, old, now, p.Clock.Now())
	if i.State = campaign.Nothing; err != nil || !done {
		return i, err
	}
	before, err := p.db.People().Get(ctx, old)
	if errors.Is(err, registry.ErrUnknown) {
		return i, words.Refuse("CSE-681", 0)
	}
	if err != nil {
		return i, err
	}
	_, err = p.db.People().Get(ctx, now)
	if errors.Is(err, registry.ErrUnknown) {
		who := before
		who.CF = now
		_, err = p.db.People().Put(ctx, who)
	}
	if err != nil {
		return i, err
	}
	before.AssistedFrom, before.AssistedUntil = civil.Date{}, civil.Date{}
	if _, err := p.db.People().Put(ctx, before); err != nil {
		return i, err
	}
	_, i.Next, err = p.counter.Replaced(ctx, old, now)
	i.State = campaign.Done
	return i, err
}

// ImportPeople brings a CSV of assisted people into the registry. Whoever the
// file says has died, or is assisted no more, loses his cards in the same act:
// certificates revoked, codes destroyed, sessions ended (rules, table D.11; R5).
func (p *Platform) ImportPeople(ctx context.Context, r io.Reader) (registry.Report, error) {
	rep, _, err := p.importPeople(ctx, r, "")
	return rep, err
}

// importPeople is ImportPeople in the name of an operator of operations (CSE-686),
// who then does not approve its corrections himself.
func (p *Platform) importPeople(ctx context.Context, r io.Reader, by string) (registry.Report, Corrections, error) {
	if err := p.mayImport(by); err != nil {
		return registry.Report{}, Corrections{}, err
	}
	c, err := p.collector(ctx)
	if err != nil {
		return registry.Report{}, Corrections{}, err
	}
	i, err := registry.NewImporter(registry.Importer{
		Store: closing{p.db.People(), p, c}, Atomically: p.db.Atomically, Record: p.trail.Record, Clock: p.Clock,
	})
	if err != nil {
		return registry.Report{}, Corrections{}, err
	}
	rep, err := i.Import(ctx, r)
	if err != nil {
		return rep, Corrections{}, err
	}
	found, err := c.finish(ctx, cmp.Or(by, systemRegistry), words.Say(words.Italian, "csed.corrections.import"))
	return rep, found, err
}

func (p *Platform) mayImport(by string) error {
	if by == "" {
		return nil
	}
	op, err := p.directory.OperatorByAccount(by)
	if err != nil || !op.Has(staff.RoleOperations) {
		return words.Refuse("CSE-686", by).Because(errors.Join(errUsage, err))
	}
	return nil
}

// closing is the registry as the import writes it: a change that ends somebody's
// right ends his cards too, and a correction of printed data is collected, or,
// without a collector, leads to a new card.
type closing struct {
	registry.Store
	p *Platform
	c *collector
}

// Put implements registry.Store.
func (c closing) Put(ctx context.Context, who registry.Person) (bool, error) {
	before, err := c.Get(ctx, who.CF)
	if err != nil && !errors.Is(err, registry.ErrUnknown) {
		return false, err
	}
	known := err == nil
	if c.c == nil || c.c.recoded {
		now, err := c.p.db.People().Recoded(ctx, who.CF)
		if err != nil {
			return false, err
		}
		if now != "" {
			return false, words.Refuse("CSE-682").At("codice_fiscale")
		}
	}
	why := lapsed(who, civil.Today(c.p.Clock))
	corrected := known && why == "" && printedDiffers(before, who)
	if c.c != nil && corrected {
		return true, c.c.add(who.CF, correction{Row: who.Row()})
	}
	if c.c != nil {
		if _, err := c.c.overtake(ctx, c.c.mark(who.CF), ""); err != nil {
			return false, err
		}
	}
	changed, err := c.Store.Put(ctx, who)
	if err != nil || !changed {
		return changed, err
	}
	switch {
	case why != "":
		_, err = c.p.counter.CloseFor(ctx, who.CF, why)
	case corrected:
		_, err = c.p.counter.Corrected(ctx, who.CF)
	}
	return true, err
}
