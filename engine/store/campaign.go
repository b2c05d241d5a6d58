package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"cse.example/cse/engine/store/internal/campaigndb"
	"cse.example/cse/issuer/campaign"
	"cse.example/cse/person/codicefiscale"
)

// CampaignStore keeps campaigns; it implements campaign.Store.
type CampaignStore struct{ db *DB }

// CampaignItemStore keeps their items; it implements campaign.Items.
type CampaignItemStore struct{ db *DB }

var (
	_ campaign.Store = (*CampaignStore)(nil)
	_ campaign.Items = (*CampaignItemStore)(nil)
)

// Campaigns is the store of issuer/campaign.
func (db *DB) Campaigns() *CampaignStore { return &CampaignStore{db} }

// CampaignItems is the store of their items.
func (db *DB) CampaignItems() *CampaignItemStore { return &CampaignItemStore{db} }

func (s *CampaignStore) q(ctx context.Context) *campaigndb.Queries {
	return campaigndb.New(s.db.Conn(ctx))
}

func (s *CampaignItemStore) q(ctx context.Context) *campaigndb.Queries {
	return campaigndb.New(s.db.Conn(ctx))
}

// Put implements campaign.Store.
func (s *CampaignStore) Put(ctx context.Context, c campaign.Campaign) (campaign.Campaign, error) {
	criteria, err := json.Marshal(c.Criteria)
	if err != nil {
		return c, fmt.Errorf("store: campaign: %w", err)
	}
	preview, err := json.Marshal(c.Preview)
	if err != nil {
		return c, fmt.Errorf("store: campaign: %w", err)
	}
	var n int64
	none := campaign.ErrRaced
	if c.Version == 0 {
		none = campaign.ErrTaken
		n, err = s.q(ctx).InsertCampaign(ctx, campaigndb.InsertCampaignParams{
			ID: c.ID, Kind: string(c.Kind), Name: c.Name, Criteria: criteria, Preview: preview, State: string(c.State), Sum: c.Sum, Total: int64(c.Total),
			Note: c.Note, AskedBy: c.AskedBy, Office: c.Office, ApprovedBy: c.ApprovedBy, CreatedAt: micros(c.CreatedAt), StartedAt: micros(c.StartedAt), EndedAt: micros(c.EndedAt),
		})
	} else {
		n, err = s.q(ctx).UpdateCampaign(ctx, campaigndb.UpdateCampaignParams{
			ID: c.ID, Preview: preview, State: string(c.State), Sum: c.Sum, Total: int64(c.Total), Note: c.Note, AskedBy: c.AskedBy, Office: c.Office,
			ApprovedBy: c.ApprovedBy, StartedAt: micros(c.StartedAt), EndedAt: micros(c.EndedAt), Version: c.Version,
		})
	}
	if err != nil {
		return c, fmt.Errorf("store: write campaign %s: %w", c.ID, err)
	}
	if n != 1 {
		return c, fmt.Errorf("store: campaign %s: %w", c.ID, none)
	}
	c.Version++
	return c, nil
}

// Get implements campaign.Store.
func (s *CampaignStore) Get(ctx context.Context, id string) (campaign.Campaign, error) {
	return oneCampaign(s.q(ctx).GetCampaign(ctx, id))
}

// ByName implements campaign.Store.
func (s *CampaignStore) ByName(ctx context.Context, k campaign.Kind, name string) (campaign.Campaign, error) {
	return oneCampaign(s.q(ctx).CampaignByName(ctx, campaigndb.CampaignByNameParams{Kind: string(k), Name: name}))
}

// List implements campaign.Store.
func (s *CampaignStore) List(ctx context.Context, k campaign.Kind, limit int) ([]campaign.Campaign, error) {
	return manyCampaigns(s.q(ctx).Campaigns(ctx, campaigndb.CampaignsParams{Kind: string(k), Limit: int32(min(limit, 10_000))}))
}

// In implements campaign.Store.
func (s *CampaignStore) In(ctx context.Context, state campaign.State) ([]campaign.Campaign, error) {
	return manyCampaigns(s.q(ctx).CampaignsInState(ctx, string(state)))
}

func oneCampaign(r campaigndb.Campaign, err error) (campaign.Campaign, error) {
	if errors.Is(err, sql.ErrNoRows) {
		return campaign.Campaign{}, campaign.ErrUnknown
	}
	if err != nil {
		return campaign.Campaign{}, fmt.Errorf("store: read campaign: %w", err)
	}
	c := campaign.Campaign{
		ID: r.ID, Kind: campaign.Kind(r.Kind), Name: r.Name, State: campaign.State(r.State), Sum: r.Sum, Total: int(r.Total), Note: r.Note,
		AskedBy: r.AskedBy, Office: r.Office, ApprovedBy: r.ApprovedBy, CreatedAt: instant(r.CreatedAt), StartedAt: instant(r.StartedAt),
		EndedAt: instant(r.EndedAt), Version: r.Version,
	}
	if err := errors.Join(json.Unmarshal(r.Criteria, &c.Criteria), json.Unmarshal(r.Preview, &c.Preview)); err != nil {
		return c, fmt.Errorf("store: campaign %s: %w", r.ID, err)
	}
	return c, nil
}

func manyCampaigns(rows []campaigndb.Campaign, err error) ([]campaign.Campaign, error) {
	if err != nil {
		return nil, fmt.Errorf("store: list campaigns: %w", err)
	}
	out := make([]campaign.Campaign, len(rows))
	for i, r := range rows {
		if out[i], err = oneCampaign(r, nil); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// Add implements campaign.Items; an item that is there stays as it is.
func (s *CampaignItemStore) Add(ctx context.Context, i campaign.Item) error {
	_, err := s.q(ctx).InsertCampaignItem(ctx, campaigndb.InsertCampaignItemParams{
		Campaign: i.Campaign, Key: i.Key, Motive: i.Motive, Body: notNull(i.Body), State: string(i.State),
	})
	if err != nil {
		return fmt.Errorf("store: write item of campaign %s: %w", i.Campaign, err)
	}
	return nil
}

// Move implements campaign.Items.
func (s *CampaignItemStore) Move(ctx context.Context, i campaign.Item) (bool, error) {
	n, err := s.q(ctx).MoveCampaignItem(ctx, campaigndb.MoveCampaignItemParams{
		State: string(i.State), Outcome: i.Outcome, Next: i.Next, DoneAt: micros(i.DoneAt), Body: notNull(i.Body),
		Campaign: i.Campaign, Key: i.Key, Was: string(campaign.Waiting),
	})
	if err != nil {
		return false, fmt.Errorf("store: move item of campaign %s: %w", i.Campaign, err)
	}
	return n == 1, nil
}

// Page implements campaign.Items.
func (s *CampaignItemStore) Page(ctx context.Context, id string, state campaign.ItemState, after string, limit int) ([]campaign.Item, error) {
	most := int32(min(limit, 10_000))
	if state == "" {
		return manyItems(s.q(ctx).CampaignItems(ctx, campaigndb.CampaignItemsParams{Campaign: id, Key: after, Limit: most}))
	}
	return manyItems(s.q(ctx).CampaignItemsInState(ctx, campaigndb.CampaignItemsInStateParams{Campaign: id, State: string(state), Key: after, Limit: most}))
}

// Counts implements campaign.Items.
func (s *CampaignItemStore) Counts(ctx context.Context, id string) (map[campaign.ItemState]int, error) {
	rows, err := s.q(ctx).CountCampaignItems(ctx, id)
	if err != nil {
		return nil, fmt.Errorf("store: count items of campaign %s: %w", id, err)
	}
	out := map[campaign.ItemState]int{}
	for _, r := range rows {
		out[campaign.ItemState(r.State)] = int(r.N)
	}
	return out, nil
}

// Clear implements campaign.Items.
func (s *CampaignItemStore) Clear(ctx context.Context, id string) error {
	if err := s.q(ctx).DeleteCampaignItems(ctx, id); err != nil {
		return fmt.Errorf("store: clear campaign %s: %w", id, err)
	}
	return nil
}

// WaitingOf lists the items of one key that wait in campaigns of a kind which are
// not over.
func (s *CampaignItemStore) WaitingOf(ctx context.Context, k campaign.Kind, key string) ([]campaign.Item, error) {
	return manyItems(s.q(ctx).WaitingItemsOf(ctx, campaigndb.WaitingItemsOfParams{Key: key, Kind: string(k)}))
}

func manyItems(rows []campaigndb.CampaignItem, err error) ([]campaign.Item, error) {
	if err != nil {
		return nil, fmt.Errorf("store: list items of a campaign: %w", err)
	}
	out := make([]campaign.Item, len(rows))
	for i, r := range rows {
		out[i] = campaign.Item{
			Campaign: r.Campaign, Key: r.Key, Motive: r.Motive, Body: r.Body, State: campaign.ItemState(r.State), Outcome: r.Outcome, Next: r.Next, DoneAt: instant(r.DoneAt),
		}
	}
	return out, nil
}

// Recode writes that the Revenue Agency replaced a codice fiscale, in the act of
// ctx; false when it is on record already.
func (s *PeopleStore) Recode(ctx context.Context, old, now codicefiscale.Code, at time.Time) (bool, error) {
	n, err := campaigndb.New(s.db.Conn(ctx)).InsertRecoded(ctx, campaigndb.InsertRecodedParams{Old: string(old), New: string(now), At: micros(at)})
	if err != nil {
		return false, fmt.Errorf("store: write a replaced codice fiscale: %w", err)
	}
	return n == 1, nil
}

// Recoded is the codice fiscale that took another's place; empty: none did.
func (s *PeopleStore) Recoded(ctx context.Context, old codicefiscale.Code) (codicefiscale.Code, error) {
	r, err := campaigndb.New(s.db.Conn(ctx)).GetRecoded(ctx, string(old))
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("store: read a replaced codice fiscale: %w", err)
	}
	return codicefiscale.Code(r.New), nil
}

// AnyRecoded tells whether any codice fiscale was ever replaced.
func (s *PeopleStore) AnyRecoded(ctx context.Context) (bool, error) {
	rows, err := campaigndb.New(s.db.Conn(ctx)).AnyRecoded(ctx)
	if err != nil {
		return false, fmt.Errorf("store: read replaced codici fiscali: %w", err)
	}
	return len(rows) > 0, nil
}
