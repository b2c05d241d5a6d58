package campaign

import (
	"context"
	"crypto/rand"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"cse.example/cse/ground/journal"
	"cse.example/cse/ground/words"
	"cse.example/cse/issuer/approval"
	"cse.example/cse/issuer/staff"
)

// Bounds.
const (
	// Most is the greatest number of cards of a campaign.
	Most = 200_000
	// chunk is the items written in one act.
	chunk = 500
)

// roles are who may see and start a kind; the same, another person, approve it.
func roles(k Kind) []staff.Role {
	if k == Renewal {
		return []staff.Role{staff.RoleOperations}
	}
	return []staff.Role{staff.RoleOperations, staff.RoleSecurity}
}

// reads lets in who may look at a kind (CSE-003).
func reads(op staff.Operator, k Kind) error {
	if slices.ContainsFunc(roles(k), op.Has) || op.Has(staff.RoleAuditor) {
		return nil
	}
	return words.Refuse("CSE-003")
}

// acts lets in who may change something (CSE-003).
func acts(op staff.Operator, k Kind) error {
	if slices.ContainsFunc(roles(k), op.Has) {
		return nil
	}
	return words.Refuse("CSE-003")
}

// ApprovalKinds are what the four eyes must know.
func (r *Room) ApprovalKinds() []approval.Kind {
	var out []approval.Kind
	for _, k := range []Kind{Renewal, Revocation, Correction} {
		life := 7 * 24 * time.Hour
		if k == Revocation {
			life = 72 * time.Hour
		}
		out = append(out, approval.Kind{
			Name: ApprovalKind(k), Asks: roles(k), Decides: []staff.Role{staff.RoleOperations, staff.RoleSecurity}, Life: life, Done: r.approved,
		})
	}
	return out
}

// checkName refuses a name that nobody could say twice.
func checkName(name string) (string, error) {
	name = strings.Join(strings.Fields(name), " ")
	n := len([]rune(name))
	ok := n >= 3 && n <= 60 && strings.IndexFunc(name, func(x rune) bool { return !unicode.IsPrint(x) }) < 0
	if !ok {
		return name, words.Refuse("CSE-631", 60).At("nome")
	}
	return name, nil
}

// write keeps a chosen list: the campaign, its items in acts of chunk, and at the
// end its sum. A name that a kill left half written is written anew; one that is
// there with the same sum is given back.
func (r *Room) write(ctx context.Context, by journal.Entry, c Campaign, items []Item) (Campaign, error) {
	if len(items) == 0 {
		return c, words.Refuse("CSE-633")
	}
	if len(items) > Most {
		return c, words.Refuse("CSE-639", Most)
	}
	slices.SortFunc(items, func(a, b Item) int { return strings.Compare(a.Key, b.Key) })
	sum, err := begin(c)
	if err != nil {
		return c, err
	}
	for _, i := range items {
		sum.add(i.Key, i.Motive)
	}
	c.State, c.Total, c.CreatedAt, c.AskedBy, c.Office = Choosing, len(items), r.d.Clock.Now().UTC(), by.Actor, by.Office
	c, there, err := r.claim(ctx, c, sum.String())
	if err != nil || there {
		return c, err
	}
	for from := 0; from < len(items); from += chunk {
		some := items[from:min(from+chunk, len(items))]
		err := r.d.Atomically(ctx, func(ctx context.Context) error {
			for _, i := range some {
				i.Campaign, i.State = c.ID, Waiting
				if err := r.d.Items.Add(ctx, i); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return c, err
		}
	}
	c.Sum, c.State = sum.String(), Draft
	return c, r.d.Atomically(ctx, func(ctx context.Context) error {
		next, err := r.d.Store.Put(ctx, c)
		if err != nil {
			return err
		}
		c = next
		return r.note(ctx, by, "campaign.chosen", c, nil)
	})
}

// claim takes the name; there tells that the very same campaign has it already.
func (r *Room) claim(ctx context.Context, c Campaign, sum string) (_ Campaign, there bool, err error) {
	err = r.d.Atomically(ctx, func(ctx context.Context) error {
		there = false
		old, err := r.d.Store.ByName(ctx, c.Kind, c.Name)
		if err == nil && old.State == Choosing { // a kill left it
			old.Preview, old.Total = c.Preview, c.Total
			c.ID, c.Version = old.ID, old.Version
			if err := r.d.Items.Clear(ctx, c.ID); err != nil {
				return err
			}
			c, err = r.d.Store.Put(ctx, c)
			return err
		}
		if err == nil && old.Sum == sum {
			c, there = old, true
			return nil
		}
		if err == nil {
			return words.Refuse("CSE-632", c.Name).At("nome")
		}
		if !errors.Is(err, ErrUnknown) {
			return err
		}
		c.ID = strings.ToLower(rand.Text()[:16])
		c, err = r.d.Store.Put(ctx, c)
		return err
	})
	return c, there, err
}

func (r *Room) note(ctx context.Context, by journal.Entry, act string, c Campaign, more map[string]string) error {
	e := journal.Entry{Act: act, Actor: by.Actor, Office: by.Office, Detail: map[string]string{
		"campaign": c.ID, "kind": string(c.Kind), "name": c.Name, "total": strconv.Itoa(c.Total), "sum": c.Sum,
	}}
	maps.Copy(e.Detail, more)
	return r.d.Record(ctx, e)
}

func entryOf(op staff.Operator) journal.Entry {
	return journal.Entry{Actor: op.Account, Office: op.Office.ID}
}

// Start begins a campaign that few enough cards are in, and asks a second person
// for any other; asked again, while the request is open, it is one request. A
// campaign that was stopped goes on.
func (r *Room) Start(ctx context.Context, op staff.Operator, id, note string) (Campaign, error) {
	c, err := r.get(ctx, id)
	if err != nil {
		return c, err
	}
	if err := acts(op, c.Kind); err != nil {
		return c, err
	}
	if c.State == Stopped && c.ApprovedBy != "" {
		return r.run(ctx, entryOf(op), c)
	}
	if c.State != Draft && c.State != Asked && c.State != Stopped {
		return c, words.Refuse("CSE-635")
	}
	alone, err := r.alone(ctx, c)
	if err != nil {
		return c, err
	}
	if alone {
		return r.run(ctx, entryOf(op), c)
	}
	return r.ask(ctx, c, op.Account, op.Office.ID, note, func(ctx context.Context, c Campaign) error {
		_, err := r.Approvals.Ask(ctx, op, ApprovalKind(c.Kind), c.ID, Content(c), note)
		return err
	})
}

// alone tells whether no second person is needed.
func (r *Room) alone(ctx context.Context, c Campaign) (bool, error) {
	if c.Kind == Revocation {
		return false, nil
	}
	free, err := r.d.Free(ctx, c.Kind)
	return c.Total <= free, err
}

func (r *Room) ask(ctx context.Context, c Campaign, by, office, note string, ask func(ctx context.Context, c Campaign) error) (Campaign, error) {
	err := r.d.Atomically(ctx, func(ctx context.Context) error {
		now, err := r.d.Store.Get(ctx, c.ID)
		if err != nil {
			return err
		}
		if now.State != c.State {
			return words.Refuse("CSE-635")
		}
		now.State, now.AskedBy, now.Office, now.Note = Asked, by, office, strings.TrimSpace(note)
		if c, err = r.d.Store.Put(ctx, now); err != nil {
			return err
		}
		return ask(ctx, c)
	})
	return c, err
}

func (r *Room) run(ctx context.Context, by journal.Entry, c Campaign) (Campaign, error) {
	err := r.d.Atomically(ctx, func(ctx context.Context) error {
		now, err := r.d.Store.Get(ctx, c.ID)
		if err != nil {
			return err
		}
		if now.State != c.State {
			return words.Refuse("CSE-635")
		}
		now.State = Running
		if now.StartedAt.IsZero() {
			now.StartedAt = r.d.Clock.Now().UTC()
		}
		if c, err = r.d.Store.Put(ctx, now); err != nil {
			return err
		}
		return r.note(ctx, by, "campaign.started", c, nil)
	})
	return c, err
}

// approved starts a campaign in the approval's act, if the list is still the one
// that was asked (CSE-636).
func (r *Room) approved(ctx context.Context, q approval.Request) error {
	a, ok := ParseContent(q.Content)
	if !ok {
		return errors.New("campaign: not a request of ours")
	}
	c, err := r.get(ctx, a.ID)
	if err != nil {
		return err
	}
	sum, n, err := r.sum(ctx, c)
	if err != nil {
		return err
	}
	switch {
	case c.State != Asked:
		return words.Refuse("CSE-635")
	case sum != a.Sum || sum != c.Sum || n != a.Total:
		return words.Refuse("CSE-636")
	}
	c.State, c.ApprovedBy, c.StartedAt = Running, q.DecidedBy, r.d.Clock.Now().UTC()
	if c, err = r.d.Store.Put(ctx, c); err != nil {
		return err
	}
	return r.note(ctx, journal.Entry{Actor: q.DecidedBy}, "campaign.started", c, map[string]string{"asked": c.AskedBy})
}

// sum reads the whole list as it is kept.
func (r *Room) sum(ctx context.Context, c Campaign) (string, int, error) {
	s, err := begin(c)
	if err != nil {
		return "", 0, err
	}
	n := 0
	for after := ""; ; {
		page, err := r.d.Items.Page(ctx, c.ID, "", after, chunk)
		if err != nil {
			return "", 0, err
		}
		if len(page) == 0 {
			return s.String(), n, nil
		}
		for _, i := range page {
			s.add(i.Key, i.Motive)
			after = i.Key
			n++
		}
	}
}

// Stop halts a campaign that runs; what is done stays done.
func (r *Room) Stop(ctx context.Context, op staff.Operator, id string) error {
	return r.turn(ctx, op, id, "campaign.stopped", Stopped, Running)
}

// Drop gives up a campaign that has not begun, or was stopped: what waits is
// never done.
func (r *Room) Drop(ctx context.Context, op staff.Operator, id string) error {
	return r.turn(ctx, op, id, "campaign.dropped", Dropped, Draft, Asked, Stopped)
}

func (r *Room) turn(ctx context.Context, op staff.Operator, id, act string, to State, from ...State) error {
	return r.d.Atomically(ctx, func(ctx context.Context) error {
		c, err := r.get(ctx, id)
		if err != nil {
			return err
		}
		if err := acts(op, c.Kind); err != nil {
			return err
		}
		if !slices.Contains(from, c.State) {
			return words.Refuse("CSE-635")
		}
		if c.State = to; to == Dropped {
			c.EndedAt = r.d.Clock.Now().UTC()
		}
		if c, err = r.d.Store.Put(ctx, c); err != nil {
			return err
		}
		return r.note(ctx, entryOf(op), act, c, nil)
	})
}

func (r *Room) get(ctx context.Context, id string) (Campaign, error) {
	c, err := r.d.Store.Get(ctx, id)
	if errors.Is(err, ErrUnknown) {
		return c, words.Refuse("CSE-002").Because(err)
	}
	return c, err
}
