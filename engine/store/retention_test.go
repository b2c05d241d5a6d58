package store

import (
	"context"
	"errors"
	"testing"
	"time"

	"cse.example/cse/issuer/approval"
	"cse.example/cse/issuer/campaign"
	"cse.example/cse/issuer/contacts"
	"cse.example/cse/issuer/counter"
	"cse.example/cse/issuer/declarations"
	"cse.example/cse/issuer/entitlement"
)

// Each purge takes what ended before the instant, and nothing that ended at it or
// has not ended.
func TestPurges(t *testing.T) {
	eachEngine(t, func(t *testing.T, db *DB) {
		ctx, at := t.Context(), time.Date(2026, 11, 23, 9, 30, 0, 0, time.UTC)
		over, open := someCard("1", "t1"), someCard("2", "t2")
		over.EndedAt, open.EndedAt = at, time.Time{}
		for _, c := range []struct{ id, request string }{{"1", "a"}, {"2", "b"}} {
			act(t, db, func(ctx context.Context) error {
				_, err := db.Acts().Add(ctx, counter.ActRow{Protocol: "2026/" + c.id, Kind: counter.KindActivation, Request: c.request, Card: c.id, At: at.Add(-time.Hour), Body: []byte("sealed")})
				return err
			})
			act(t, db, func(ctx context.Context) error {
				_, err := db.Contacts().AddNotice(ctx, c.id, "first-login", at)
				return err
			})
		}
		for _, c := range []func(ctx context.Context) error{
			func(ctx context.Context) error { _, err := db.Cards().Put(ctx, over); return err },
			func(ctx context.Context) error { _, err := db.Cards().Put(ctx, open); return err },
			func(ctx context.Context) error {
				return db.Contacts().PutContact(ctx, contacts.Row{Person: "p", Address: "a", At: at, ReplacedAt: at, Body: []byte("1")})
			},
			func(ctx context.Context) error {
				return db.Contacts().PutContact(ctx, contacts.Row{Person: "q", Address: "b", At: at, Body: []byte("2")})
			},
			func(ctx context.Context) error {
				_, err := db.TEAMCertificates().AddCertificate(ctx, entitlement.Row{ID: "c", Request: "r", Person: "p", At: at, Until: at, Body: []byte("x")})
				return err
			},
			func(ctx context.Context) error {
				return db.Links().AddLink(ctx, counter.Link{Holder: "H", Representative: "R", Kind: counter.PresentParent, Since: at, Protocol: "x"})
			},
			func(ctx context.Context) error {
				return db.Approvals().Add(ctx, approval.Request{ID: "x", Kind: "k", State: approval.Open, AskedAt: at, Expires: at})
			},
			func(ctx context.Context) error {
				_, err := db.Campaigns().Put(ctx, campaign.Campaign{ID: "over", Kind: "k", Name: "a", EndedAt: at})
				return err
			},
			func(ctx context.Context) error {
				_, err := db.Campaigns().Put(ctx, campaign.Campaign{ID: "open", Kind: "k", Name: "b"})
				return err
			},
			func(ctx context.Context) error {
				return errors.Join(
					db.CampaignItems().Add(ctx, campaign.Item{Campaign: "over", Key: "1", State: campaign.Waiting, Body: []byte("x")}),
					db.CampaignItems().Add(ctx, campaign.Item{Campaign: "open", Key: "1", State: campaign.Waiting, Body: []byte("x")}),
				)
			},
		} {
			act(t, db, c)
		}
		link := counter.Link{Holder: "H", Representative: "R", Kind: counter.PresentParent}
		type purge struct {
			name string
			do   func(ctx context.Context, before time.Time) (int64, error)
			want int64
		}
		run := func(when string, before time.Time, list ...purge) {
			t.Helper()
			for _, p := range list {
				act(t, db, func(ctx context.Context) error {
					n, err := p.do(ctx, before)
					if n != p.want {
						t.Errorf("%s, %s: %d went, want %d", p.name, when, n, p.want)
					}
					return err
				})
			}
		}
		checks := db.Declarations().Purge
		for _, protocol := range []string{"2026/1", "2026/2"} {
			act(t, db, func(ctx context.Context) error {
				return db.Declarations().Add(ctx, declarations.Row{Protocol: protocol, At: at})
			})
		}
		act(t, db, func(ctx context.Context) error {
			_, err := db.Declarations().Decide(ctx, declarations.Row{Protocol: "2026/1", State: declarations.Confirmed, DecidedAt: at})
			return err
		})
		titles := db.Links().PurgeEnded
		run("at the instant", at, purge{"acts", db.Acts().PurgeEvidence, 0}, purge{"notices", db.Contacts().PurgeNotices, 0}, purge{"certificates", db.TEAMCertificates().Purge, 0}, purge{"approvals", db.Approvals().Purge, 0}, purge{"campaigns", db.Campaigns().Purge, 0}, purge{"titles", titles, 0}, purge{"checks", checks, 0})
		later := at.Add(time.Microsecond)
		run("open titles", later, purge{"titles", titles, 0})
		act(t, db, func(ctx context.Context) error { return db.Links().EndLink(ctx, link, at) })
		if rows, err := db.Contacts().ReplacedBefore(ctx, at, 9); err != nil || len(rows) != 0 {
			t.Errorf("replaced at the instant: %v, %v", rows, err)
		}
		rows, err := db.Contacts().ReplacedBefore(ctx, later, 9)
		if err != nil || len(rows) != 1 || rows[0].Person != "p" || !rows[0].ReplacedAt.Equal(at) {
			t.Errorf("replaced: %v, %v", rows, err)
		}
		all := []purge{
			{"acts", db.Acts().PurgeEvidence, 1},
			{"notices", db.Contacts().PurgeNotices, 1},
			{"certificates", db.TEAMCertificates().Purge, 1},
			{"approvals", db.Approvals().Purge, 1},
			{"titles", titles, 1},
			{"checks", checks, 1},
			{"campaigns", db.Campaigns().Purge, 1},
		}
		run("after it", later, all...)
		for i := range all {
			all[i].want = 0
		}
		run("again", later, all...)
		for protocol, gone := range map[string]bool{"2026/1": true, "2026/2": false} {
			a, err := db.Acts().Find(ctx, protocol, "")
			if err != nil || a.Destroyed() != gone || a.Kind != counter.KindActivation || a.Card == "" {
				t.Errorf("%s: %+v, %v; destroyed should be %v", protocol, a, err, gone)
			}
		}
		for id, want := range map[string]int{"over": 0, "open": 1} {
			if items, err := db.CampaignItems().Page(ctx, id, "", "", 9); err != nil || len(items) != want {
				t.Errorf("campaign %s: %d items, %v; want %d", id, len(items), err, want)
			}
		}
		free := contacts.Release{Person: "p", Address: "a", Approval: "x", At: at}
		for range 2 {
			act(t, db, func(ctx context.Context) error { return db.Contacts().AddRelease(ctx, free) })
		}
		for _, x := range []struct {
			person, address string
			want            bool
		}{{"p", "a", true}, {"p", "b", false}, {"q", "a", false}} {
			if got, err := db.Contacts().Released(ctx, x.person, x.address); err != nil || got != x.want {
				t.Errorf("%s at %s: %v, %v", x.person, x.address, got, err)
			}
		}
	})
}
