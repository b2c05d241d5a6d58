package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"cse.example/cse/engine/store/internal/pkidb"
	"cse.example/cse/pki/ca"
	"cse.example/cse/pki/status"
)

// changed leaves word that what lists say of a certificate is another thing now.
// It is a row of its own, not a count in the part's row: acts on many certificates
// would wait for each other there.
func (s *PKIStore) changed(ctx context.Context, r ca.Record) error {
	if r.State == ca.Void {
		return nil // never issued: on no list
	}
	at := r.ChangedAt
	for _, t := range []time.Time{r.IssuedAt, r.ActivatedAt} {
		if t.After(at) {
			at = t
		}
	}
	err := s.q(ctx).AddCRLChange(ctx, pkidb.AddCRLChangeParams{
		Serial: r.Serial, Version: r.Version + 1, Issuer: r.Issuer, Shard: int64(r.Shard), At: micros(at), Urgent: flag(r.State == ca.Held || r.State == ca.Revoked),
	})
	if err != nil {
		return fmt.Errorf("store: change of a list: %w", err)
	}
	return nil
}

// listPage is how many lines of a list are read at a time.
const listPage = 5000

// Listed implements status.Store. It reads page by page, so that neither memory
// nor a transaction grows with the list.
func (s *PKIStore) Listed(ctx context.Context, issuer string, shard int, since time.Time, yield func(status.Entry) error) error {
	for after := ""; ; {
		rows, err := s.q(ctx).ListedCertificates(ctx, pkidb.ListedCertificatesParams{
			Issuer: issuer, Shard: int64(shard), Serial: after, NotAfter: micros(since), Limit: listPage,
		})
		if err != nil {
			return fmt.Errorf("store: list of revoked certificates: %w", err)
		}
		for _, r := range rows {
			st := standing(ca.State(r.State), r.Reason, r.IssuedAt, r.ChangedAt, 0)
			if err := yield(status.Entry{Serial: r.Serial, Since: st.Since, Reason: st.Reason}); err != nil {
				return err
			}
		}
		if len(rows) < listPage {
			return nil
		}
		after = rows[len(rows)-1].Serial
	}
}

// Keep implements status.Lists.
func (s *PKIStore) Keep(ctx context.Context, issuer string, shards int) error {
	for n := range shards {
		if _, err := s.q(ctx).KeepCRL(ctx, pkidb.KeepCRLParams{Issuer: issuer, Shard: int64(n)}); err != nil {
			return fmt.Errorf("store: parts of the list: %w", err)
		}
	}
	return nil
}

// Parts implements status.Lists. Outside an act its three questions may see three
// instants: a change or a list too few, which the next look sees.
func (s *PKIStore) Parts(ctx context.Context, issuer string) ([]status.Part, error) {
	lists, err := s.q(ctx).ListsOfCRL(ctx, issuer)
	if err != nil {
		return nil, fmt.Errorf("store: lists: %w", err)
	}
	changes, err := s.q(ctx).ChangesOfCRL(ctx, issuer)
	if err != nil {
		return nil, fmt.Errorf("store: changes of lists: %w", err)
	}
	rows, err := s.q(ctx).PartsOfCRL(ctx, issuer)
	if err != nil {
		return nil, fmt.Errorf("store: parts of the list: %w", err)
	}
	out, place := make([]status.Part, len(rows)), map[int64]int{}
	for i, r := range rows {
		out[i] = status.Part{Shard: int(r.Shard), Number: r.Number, ThisUpdate: instant(r.ThisUpdate)}
		place[r.Shard] = i
	}
	for _, r := range lists {
		if i, there := place[r.Shard]; there {
			out[i].Whole = append(out[i].Whole, r.Number)
		}
	}
	for _, r := range changes {
		i, there := place[r.Shard]
		if !there { // written before anybody kept the part
			i = len(out)
			out = append(out, status.Part{Shard: int(r.Shard)})
		}
		out[i].Waiting, out[i].Urgent, out[i].Since = int(r.N), r.Urgent != 0, instant(r.Since)
	}
	return out, nil
}

// remembered is how long it is kept which change a list goes up to: longer than
// any list lasts.
const remembered = 48 * time.Hour

// NextNumber implements status.Lists.
func (s *PKIStore) NextNumber(ctx context.Context, issuer string, shard int, at time.Time) (status.Number, error) {
	next, err := s.nextNumber(ctx, issuer, shard, at)
	if err != nil {
		return status.Number{}, fmt.Errorf("store: CRL number: %w", err)
	}
	return next, nil
}

func (s *PKIStore) nextNumber(ctx context.Context, issuer string, shard int, at time.Time) (status.Number, error) {
	q := s.q(ctx)
	old, err := q.GetCRL(ctx, pkidb.GetCRLParams{Issuer: issuer, Shard: int64(shard)})
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return status.Number{}, err
	}
	newest, err := q.LastCRL(ctx, issuer)
	if err != nil {
		return status.Number{}, err
	}
	taken, err := q.TakeCRLChanges(ctx, pkidb.TakeCRLChangesParams{Issuer: issuer, Shard: int64(shard)})
	if err != nil {
		return status.Number{}, err
	}
	next := pkidb.PutCRLParams{Issuer: issuer, Shard: int64(shard), Number: old.Number + 1, ThisUpdate: micros(at), Change: old.Change + min(taken, 1)}
	if err := q.PutCRL(ctx, next); err != nil {
		return status.Number{}, err
	}
	err = q.ForgetCRLLists(ctx, pkidb.ForgetCRLListsParams{Issuer: issuer, Shard: int64(shard), Change: next.Change, ThisUpdate: micros(at.Add(-remembered))})
	if err != nil {
		return status.Number{}, err
	}
	list := pkidb.AddCRLListParams{Issuer: issuer, Shard: int64(shard), Number: next.Number, ThisUpdate: next.ThisUpdate, Change: next.Change}
	if err := q.AddCRLList(ctx, list); err != nil {
		return status.Number{}, err
	}
	return status.Number{Number: next.Number, Last: instant(old.ThisUpdate), Newest: instant(newest)}, nil
}
